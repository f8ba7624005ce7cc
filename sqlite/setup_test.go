package sqlite

import (
	"context"
	"path/filepath"
	"sync"
	"testing"
	"time"

	"github.com/godwit-go/godwit"
)

// bundle is a store on a file of its own, with a clock that the test moves.
type bundle struct {
	testing.TB
	ctx   context.Context
	path  string
	store *Store
	ids   godwit.IDs

	mu   sync.Mutex
	time time.Time // guarded by mu
}

func setup(t testing.TB) *bundle {
	t.Helper()
	b := &bundle{TB: t, ctx: context.Background(), path: filepath.Join(t.TempDir(), "test.db")}
	b.time = time.Date(2026, 3, 1, 12, 0, 0, 0, time.UTC)
	b.open()
	t.Cleanup(func() {
		if !t.Failed() {
			b.ok(b.store.Check(b.ctx))
		}
		b.ok(b.store.Close())
	})
	return b
}

func (b *bundle) now() time.Time {
	b.mu.Lock()
	defer b.mu.Unlock()
	return b.time
}

func (b *bundle) pass(d time.Duration) {
	b.mu.Lock()
	defer b.mu.Unlock()
	b.time = b.time.Add(d)
}

func (b *bundle) open() {
	b.Helper()
	s, err := Open(b.ctx, Config{Path: b.path, Now: b.now, LockWait: -1})
	b.ok(err)
	b.store = s
}

func (b *bundle) reopen() {
	b.Helper()
	b.ok(b.store.Close())
	b.open()
}

func (b *bundle) ok(err error) {
	b.Helper()
	if err != nil {
		b.Fatal(err)
	}
}

// job makes a job of a task, in the default queue.
func (b *bundle) job(task string) godwit.NewJob {
	return godwit.NewJob{
		ID: b.ids.New(), Task: task, Version: 1, Queue: "default", Args: godwit.Payload{Encoding: "json", Data: []byte(`{"n":1}`)},
		MaxAttempts: 3, MaxCrashes: 3, KeepSucceeded: time.Hour, KeepFailed: time.Hour,
	}
}

func (b *bundle) jobs(n int, task string) []godwit.NewJob {
	list := make([]godwit.NewJob, n)
	for i := range list {
		list[i] = b.job(task)
	}
	return list
}

// submit submits jobs in batches and gives their ids.
func (b *bundle) submit(jobs ...godwit.NewJob) []godwit.ID {
	b.Helper()
	var ids []godwit.ID
	for len(jobs) > 0 {
		n := min(len(jobs), godwit.BatchMax)
		answers, err := b.store.Submit(b.ctx, jobs[:n])
		b.ok(err)
		for _, a := range answers {
			if a.Code != "" {
				b.Fatalf("submit: %+v", a)
			}
			ids = append(ids, a.ID)
		}
		jobs = jobs[n:]
	}
	return ids
}

// session starts a session that knows the tasks.
func (b *bundle) session(tasks ...string) godwit.ID {
	b.Helper()
	n := godwit.NewSession{ID: b.ids.New(), Lease: time.Hour, Host: "here", PID: 1, Queues: []string{"default"}}
	for _, task := range tasks {
		n.Tasks = append(n.Tasks, godwit.Capability{Task: task, MinVersion: 1, MaxVersion: 1})
	}
	a, err := b.store.StartSession(b.ctx, n)
	b.ok(err)
	if a.Code != "" {
		b.Fatalf("start session: %s", a.Code)
	}
	return n.ID
}

func (b *bundle) claim(session godwit.ID, limit int) []godwit.Job {
	b.Helper()
	a, err := b.store.Claim(b.ctx, godwit.ClaimRequest{Session: session, Queue: "default", Limit: limit})
	b.ok(err)
	if a.Code != "" {
		b.Fatalf("claim: %s", a.Code)
	}
	return a.Jobs
}

func token(j *godwit.Job) godwit.Token {
	return godwit.Token{Job: j.ID, Run: j.Run, Session: j.Session}
}

func succeed(jobs []godwit.Job) []godwit.Settlement {
	list := make([]godwit.Settlement, len(jobs))
	for i := range jobs {
		list[i] = godwit.Settlement{
			Token: token(&jobs[i]), Outcome: godwit.OutcomeSucceed,
			Result: godwit.Payload{Encoding: "json", Data: []byte(`{"ok":true}`)},
		}
	}
	return list
}

func (b *bundle) get(id godwit.ID) godwit.JobAnswer {
	b.Helper()
	a, err := b.store.Get(b.ctx, []godwit.ID{id})
	b.ok(err)
	return a[0]
}
