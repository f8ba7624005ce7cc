//go:build crashpoints

package main

import (
	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/crash/victim"
)

// theVictim is prepared before a database is opened.
var theVictim = victim.FromEnvironment()

// instrument lets the crash harness see the store.
func instrument(store godwit.Store) godwit.Store {
	if theVictim == nil {
		return store
	}
	return theVictim.Store(store)
}

// handleInstrumented registers the tasks of the crash harness.
func handleInstrumented(c *godwit.Client) {
	if theVictim != nil {
		theVictim.Handle(c)
	}
}
