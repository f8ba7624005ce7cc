//go:build !crashpoints

package main

import "github.com/godwit-go/godwit"

// instrument is where a build with the tag crashpoints, which is for the crash harness alone, comes between program and store.
func instrument(store godwit.Store) godwit.Store { return store }

// handleInstrumented is where such a build registers tasks.
func handleInstrumented(*godwit.Client) {}
