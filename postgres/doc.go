// Package postgres keeps Godwit's jobs in one schema of a PostgreSQL database (14 or later), which any number of processes work with
// at once.
package postgres
