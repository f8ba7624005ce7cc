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

// joinable is a store in which claims can join submissions: they are made right after them, and told nobody else before.
type joinable struct {
	foretelling
	join func(queue string, n int) (godwit.ClaimRequest, func(godwit.ClaimAnswer, error)) // guarded by mu
	fail error                                                                            // of the claims that join
	late func()                                                                           // called before the answer of one that joins is told
}

func (s *joinable) Join(fn func(queue string, n int) (godwit.ClaimRequest, func(godwit.ClaimAnswer, error))) func() {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.join = fn
	return func() {
		s.mu.Lock()
		defer s.mu.Unlock()
		s.join = nil
	}
}

func (s *joinable) Submit(ctx context.Context, jobs []godwit.NewJob) ([]godwit.SubmitAnswer, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	var r godwit.ClaimRequest
	var answered func(godwit.ClaimAnswer, error)
	if s.join != nil {
		r, answered = s.join(jobs[0].Queue, len(jobs))
	}
	answers, err := s.Store.Submit(ctx, jobs)
	if answered != nil {
		answer, claimErr := s.Store.Claim(ctx, r)
		if s.fail != nil {
			answer, claimErr = godwit.ClaimAnswer{}, s.fail
		}
		if s.late != nil {
			s.late()
		}
		answered(answer, claimErr)
	}
	return answers, err
}

// startJoinable starts a worker with so many slots on a joinable store, and waits until it has nothing to do. Its handler waits for release.
func startJoinable(t *testing.T, slots int) (*joinable, *godwit.Client, *godwit.Task[string, string], chan struct{}) {
	t.Helper()
	store := &joinable{foretelling: foretelling{Store: model.New(model.Config{})}}
	c, err := godwit.New(store, godwit.Config{
		PollInterval: time.Minute, Logger: slog.New(slog.DiscardHandler), Queues: map[string]godwit.QueueConfig{godwit.QueueDefault: {Concurrency: slots}},
	})
	if err != nil {
		t.Fatal(err)
	}
	release := make(chan struct{})
	greet := godwit.NewTask[string, string]("greet", godwit.Policy{})
	godwit.Handle(c, greet, func(_ context.Context, name string) (string, error) { <-release; return name, nil })
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	synctest.Wait()
	return store, c, greet, release
}

// TestAClaimJoinsASubmission submits to a worker that has nothing to do, in a store that tells of no submission: nothing but a claim that
// joins it can find the job before the next poll.
func TestAClaimJoinsASubmission(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store, c, greet, release := startJoinable(t, 3)
		before, start := store.claimed(), time.Now()
		running := func() (n int) {
			page, err := c.List(t.Context(), godwit.ListFilter{State: godwit.StateRunning})
			if err != nil {
				t.Fatal(err)
			}
			return len(page.Jobs)
		}
		for want := 1; want <= 2; want++ {
			if _, err := greet.Submit(t.Context(), c, "you", godwit.SubmitOptions{}); err != nil {
				t.Fatal(err)
			}
			synctest.Wait()
			if got := running(); got != want {
				t.Errorf("after %d submissions %d run", want, got)
			}
		}
		if got := store.claimed(); got != before || time.Since(start) > 0 {
			t.Errorf("%d claims were made besides, in %v", got-before, time.Since(start))
		}
		for range 2 { // the first takes the last slot, so that the second waits for one
			if _, err := greet.Submit(t.Context(), c, "you", godwit.SubmitOptions{}); err != nil {
				t.Fatal(err)
			}
		}
		synctest.Wait()
		if got := running(); got != 3 {
			t.Errorf("%d run in three slots", got)
		}
		close(release)
		synctest.Wait()
		if got := running(); got != 0 {
			t.Errorf("%d run at the end", got)
		}
		store.mu.Lock()
		store.fail = godwit.ErrOutcomeUnknown
		store.mu.Unlock()
		before = store.claimed()
		if _, err := greet.Submit(t.Context(), c, "you", godwit.SubmitOptions{}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		if got := store.claimed(); got != before+1 {
			t.Errorf("%d claims followed one that failed, and one should", got-before)
		}
		if err := c.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
		if store.join != nil {
			t.Error("the client has claims join when it has stopped")
		}
	})
}

// TestWhatIsToldWhileAClaimJoinsIsNotForgotten tells of a ready job while a claim that joins a submission has reserved every slot. It leaves
// one unused, and nobody but the claimer, which found none, can put that to use before the next poll.
func TestWhatIsToldWhileAClaimJoinsIsNotForgotten(t *testing.T) {
	inBubble(t, func(t *testing.T) {
		store, c, greet, release := startJoinable(t, 2)
		elsewhere, err := godwit.New(store.Store, godwit.Config{Logger: slog.New(slog.DiscardHandler)})
		if err != nil {
			t.Fatal(err)
		}
		store.late = func() {
			store.late = nil
			if _, err := greet.Submit(t.Context(), elsewhere, "me", godwit.SubmitOptions{}); err != nil {
				t.Error(err)
			}
			store.fn(godwit.QueueDefault)
			<-time.After(time.Millisecond) // the claimer looks for a slot
		}
		start := time.Now()
		if _, err := greet.Submit(t.Context(), c, "you", godwit.SubmitOptions{}); err != nil {
			t.Fatal(err)
		}
		synctest.Wait()
		page, err := c.List(t.Context(), godwit.ListFilter{State: godwit.StateRunning})
		if err != nil || len(page.Jobs) != 2 {
			t.Errorf("%v after the submissions %d run in two slots, %v", time.Since(start), len(page.Jobs), err)
		}
		close(release)
		if err := c.Stop(t.Context()); err != nil {
			t.Fatal(err)
		}
	})
}
