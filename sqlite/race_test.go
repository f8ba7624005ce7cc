//go:build race

package sqlite

// The race detector makes SQLite, which is translated C, some ten times slower.
const damagedCopies = 30
