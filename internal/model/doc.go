// Package model is the in-memory Store: the transition table of [github.com/godwit-go/godwit/internal/states] acted out on
// maps under one mutex. It is the yardstick for the other stores and serves tests that want no database. Nothing survives it.
package model
