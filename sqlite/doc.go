// Package sqlite keeps Godwit's jobs in one SQLite file, which survives crashes and needs no server and no C compiler.
package sqlite
