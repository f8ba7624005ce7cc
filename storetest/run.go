package storetest

import (
	"testing"

	"github.com/godwit-go/godwit"
)

// Config says how to get the stores under test.
type Config struct {
	// Open makes an empty store that reads clock. Required. The test closes it.
	Open func(t testing.TB, clock *Clock) godwit.Store
	// Reopen closes a store and opens what it kept. Defaults to nothing: reopening is not tested.
	Reopen func(t testing.TB, s godwit.Store, clock *Clock) godwit.Store
}
