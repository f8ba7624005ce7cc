package postgres

import (
	"testing"
	"time"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/pgtest"
)

// bundle is a store on a database of its own, with a live session.
type bundle struct {
	*testing.T
	url     string
	store   *Store
	session godwit.ID
}

// setup opens a store on a fresh database.
func setup(t *testing.T) *bundle {
	t.Helper()
	return setupOn(t, Config{URL: pgtest.Database(t)})
}

func setupOn(t *testing.T, cfg Config) *bundle {
	t.Helper()
	b := &bundle{T: t, url: cfg.URL, session: godwit.NewID()}
	b.store = b.open(cfg)
	a, err := b.store.StartSession(t.Context(), godwit.NewSession{
		ID: b.session, Lease: time.Minute, Queues: []string{"queue"}, Tasks: []godwit.Capability{{Task: "task", MinVersion: 1, MaxVersion: 1}},
	})
	if err != nil || a.Code != "" {
		t.Fatalf("start a session: %+v, %v", a, err)
	}
	return b
}

// open opens another store, as another process would.
func (b *bundle) open(cfg Config) *Store {
	b.Helper()
	s, err := Open(b.Context(), cfg)
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() {
		if err := s.Close(); err != nil {
			b.Errorf("close: %v", err)
		}
	})
	return s
}

func newJob() godwit.NewJob {
	return godwit.NewJob{
		ID: godwit.NewID(), Task: "task", Version: 1, Queue: "queue", Args: godwit.Payload{Encoding: godwit.EncodingJSON, Data: []byte(`1`)},
		MaxAttempts: 3, MaxCrashes: 3, Timeout: time.Minute, KeepSucceeded: time.Hour, KeepFailed: time.Hour,
	}
}

// submit submits a job that has to be made.
func (b *bundle) submit(n godwit.NewJob) godwit.ID {
	b.Helper()
	answers, err := b.store.Submit(b.Context(), []godwit.NewJob{n})
	if err != nil || !answers[0].Created {
		b.Fatalf("submit: %+v, %v", answers, err)
	}
	return n.ID
}

// claim claims as many jobs as there have to be.
func (b *bundle) claim(s *Store, n int) []godwit.Token {
	b.Helper()
	a, err := s.Claim(b.Context(), godwit.ClaimRequest{Session: b.session, Queue: "queue", Limit: n})
	if err != nil || a.Code != "" || len(a.Jobs) != n {
		b.Fatalf("claim %d: %q, %d jobs, %v", n, a.Code, len(a.Jobs), err)
	}
	var tokens []godwit.Token
	for i := range a.Jobs {
		tokens = append(tokens, godwit.Token{Job: a.Jobs[i].ID, Run: a.Jobs[i].Run, Session: b.session})
	}
	return tokens
}

func (b *bundle) state(id godwit.ID) godwit.State {
	b.Helper()
	answers, err := b.store.Outcomes(b.Context(), []godwit.ID{id})
	if err != nil {
		b.Fatal(err)
	}
	return answers[0].State
}

func succeed(t godwit.Token) godwit.Settlement {
	return godwit.Settlement{Token: t, Outcome: godwit.OutcomeSucceed, Result: godwit.Payload{Encoding: godwit.EncodingJSON, Data: []byte(`2`)}}
}

// eventually waits until something is so.
func (b *bundle) eventually(what string, so func() bool) {
	b.Helper()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for late := time.After(30 * time.Second); !so(); {
		select {
		case <-tick.C:
		case <-late:
			b.Fatalf("it never came to this: %s", what)
		}
	}
}
