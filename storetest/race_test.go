//go:build race

package storetest

// The race detector makes SQLite, which is translated C, some ten times slower.
const (
	opsDefault       = 8000
	historiesDefault = 100
)
