package godwit

import (
	"testing"
	"time"
)

// deafStore is a store that other processes work with too.
type deafStore struct {
	Store
	hears bool
}

func (s *deafStore) Watch(func([]Event)) func() { return func() {} }
func (s *deafStore) Hints(func(Hint)) func()    { return func() {} }
func (s *deafStore) Hears() bool                { return s.hears }

func TestAStoreThatDoesNotHearIsAskedAsOftenAsOneThatTellsNothing(t *testing.T) {
	t.Parallel()
	s := &deafStore{}
	c := &Client{store: s, config: Config{PollInterval: time.Second}}
	for range 100 {
		s.hears = false
		if got := c.pollInterval(); got > 2*time.Second {
			t.Fatalf("a store that does not hear is asked every %v", got)
		}
		s.hears = true
		if got := c.pollInterval(); got < 5*time.Second {
			t.Fatalf("a store that hears is asked every %v", got)
		}
	}
}
