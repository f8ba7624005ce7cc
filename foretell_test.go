package godwit_test

import (
	"context"
	"log/slog"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/model"
)

// foretelling is a store that tells nothing but what will be ready, and counts claims.
type foretelling struct {
	godwit.Store

	mu     sync.Mutex
	fn     func(queue string) // guarded by mu
	claims int                // guarded by mu
}

func (s *foretelling) Foretell(fn func(queue string)) func() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fn = fn
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.fn = nil
	}
}

func (s *foretelling) foretell(queue string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fn(queue)
}

func (s *foretelling) Claim(ctx context.Context, r godwit.ClaimRequest) (godwit.ClaimAnswer, error) {
	s.mu.Lock()
	s.claims++
	s.mu.Unlock()
	return s.Store.Claim(ctx, r)
}

func (s *foretelling) claimed() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.claims
}

func TestAClaimFollowsWhatIsForetold(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store := &foretelling{Store: model.New(model.Config{})}
		c, err := godwit.New(store, godwit.Config{PollInterval: time.Minute, Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		greet := godwit.NewTask[string, string]("greet", godwit.Policy{})
		godwit.Handle(c, greet, func(_ context.Context, name string) (string, error) { return name, nil })
		if err := c.Start(t.Context()); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		before := store.claimed()
		store.foretell("another")
		synctest.Wait()
		if got := store.claimed(); got != before {
			t.Errorf("%d claims followed what was foretold of a queue that is not served", got-before)
		}
		store.foretell(godwit.QueueDefault)
		synctest.Wait()
		if got := store.claimed(); got != before+1 {
			t.Errorf("%d claims followed what was foretold, and one should", got-before)
		}
		if err := c.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		if store.fn != nil {
			t.Error("the client listens when it has stopped")
		}
	})
}
