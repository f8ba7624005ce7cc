// Package open opens a store by its URL, so that a program changes where its jobs are kept by changing one string.
//
//	sqlite:app.db            a file, relative to the working directory
//	sqlite:///var/lib/app.db a file, absolute
//	memory:                  nothing is kept; for tests and trials
//
// It is the one package that knows every driver. A program that wants a driver's own settings, or its transactions, opens that
// driver's package instead: [github.com/godwit-go/godwit/sqlite.Open].
package open
