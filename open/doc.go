// Package open opens a store by its URL, so that a program changes where its jobs are kept by changing one string.
//
//	sqlite:app.db            a file, relative to the working directory
//	sqlite:///var/lib/app.db a file, absolute
//	postgres://user@host/db  a PostgreSQL database, whose schema "godwit" is made or brought up to date
//	memory:                  nothing is kept; for tests and trials
//
// It is the one package that knows every driver. A program that wants a driver's own settings, or its transactions, opens that
// driver's package instead: [github.com/godwit-go/godwit/sqlite.Open], [github.com/godwit-go/godwit/postgres.Open].
package open
