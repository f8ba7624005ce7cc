package postgres

import (
	"context"
	"slices"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/pgtest"
)

// at is a clock that a test moves.
type at struct{ now atomic.Int64 }

func (a *at) Now() time.Time { return time.UnixMicro(a.now.Load()) }

func (a *at) move(d time.Duration) { a.now.Add(d.Microseconds()) }

// timed sets up a store on a clock that the test moves.
func timed(t *testing.T) (*bundle, *at) {
	t.Helper()
	clock := &at{}
	clock.now.Store(time.Now().UnixMicro())
	return setupOn(t, Config{URL: pgtest.Database(t), Now: clock.Now}), clock
}

// starts starts another session with the same queue and task.
func (b *bundle) starts(s *Store, lease time.Duration) godwit.ID {
	b.Helper()
	n := godwit.NewSession{
		ID: godwit.NewID(), Lease: lease, Queues: []string{"queue"}, Tasks: []godwit.Capability{{Task: "task", MinVersion: 1, MaxVersion: 1}},
	}
	if a, err := s.StartSession(b.Context(), n); err != nil || a.Code != "" {
		b.Fatalf("start a session: %+v, %v", a, err)
	}
	return n.ID
}

// begin begins a transaction of an application's, which ends with the test.
func (b *bundle) begin() pgx.Tx {
	b.Helper()
	tx, err := connect(b.T, b.url).Begin(b.Context())
	if err != nil {
		b.Fatal(err)
	}
	b.Cleanup(func() { _ = tx.Rollback(context.WithoutCancel(b.Context())) }) // most have ended
	return tx
}

func locks(t *testing.T, tx pgx.Tx, sql string, id godwit.ID) {
	t.Helper()
	if tag, err := tx.Exec(t.Context(), sql, uuid(id)); err != nil || tag.RowsAffected() != 1 {
		t.Fatalf("%s: %v, %v", sql, tag, err)
	}
}

// rescued rescues, and expects these sessions to be ended.
func (b *bundle) rescued(want ...godwit.ID) {
	b.Helper()
	ctx, cancel := context.WithTimeout(b.Context(), CallTimeoutDefault/2)
	defer cancel()
	a, err := b.store.Rescue(ctx, 10)
	if err != nil || !slices.Equal(a.Sessions, want) || a.Retried != len(want) {
		b.Fatalf("rescued %+v, %v, want the sessions %v", a, err, want)
	}
}

func TestWhoHoldsASessionHoldsUpTheRescueOfNoOther(t *testing.T) {
	t.Parallel()
	for name, sql := range map[string]string{
		"its row": "SELECT 1 FROM godwit.sessions WHERE id = $1 FOR KEY SHARE",
		"a job":   "SELECT 1 FROM godwit.places WHERE session = $1 FOR UPDATE",
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			b, clock := timed(t)
			held, other := b.session, b.starts(b.store, 2*time.Minute)
			for _, session := range []godwit.ID{held, other} {
				b.submit(newJob())
				b.session = session
				b.claim(b.store, 1)
			}
			tx := b.begin()
			locks(t, tx, sql, held)
			clock.move(time.Hour)
			b.rescued(other)
			if err := tx.Commit(t.Context()); err != nil {
				t.Fatal(err)
			}
			b.rescued(held)
		})
	}
}

func TestATransactionWhoseProcessWasStoppedHoldsUpNobodyForLong(t *testing.T) {
	t.Parallel()
	b, clock := timed(t)
	b.submit(newJob())
	token := b.claim(b.store, 1)[0]
	stopped := b.open(Config{URL: b.url, Now: clock.Now})
	amid, resume, done := make(chan struct{}), make(chan struct{}), make(chan error, 1)
	var answers []godwit.SettleAnswer
	stop := sync.OnceFunc(func() {
		close(amid)
		<-resume
	})
	go func() {
		var err error
		answers, err = write(t.Context(), stopped, func(u *unit) ([]godwit.SettleAnswer, error) {
			if err := u.loadTokens([]godwit.Token{token}); err != nil {
				return nil, err
			}
			stop() // the first time
			return u.settleAll([]godwit.Settlement{succeed(token)})
		})
		done <- err
	}()
	<-amid
	clock.move(time.Hour)
	b.eventually("its session is rescued", func() bool {
		a, err := b.store.Rescue(t.Context(), 10)
		return err == nil && len(a.Sessions) == 1
	})
	close(resume)
	if err := <-done; err != nil || answers[0].Code != godwit.CodeSessionEnded {
		t.Errorf("what it was about to do, begun anew: %+v, %v", answers, err)
	}
	if got := b.state(token.Job); got != godwit.StateReady {
		t.Errorf("the job is %s", got)
	}
}

func TestAdvancePassesOverWhatIsLocked(t *testing.T) {
	t.Parallel()
	b, clock := timed(t)
	child := func(parent godwit.Token, name string) godwit.NewJob {
		n := newJob()
		n.Parent, n.ChildName = parent, name
		return n
	}
	parent := b.submit(newJob())
	token := b.claim(b.store, 1)[0]
	children := []godwit.ID{b.submit(child(token, "a")), b.submit(child(token, "b"))}
	later := newJob()
	later.Delay = time.Minute
	locked, free := later, later
	locked.ID, free.ID = godwit.NewID(), godwit.NewID()
	b.submit(locked)
	b.submit(free)
	late := newJob()
	late.Deadline = clock.Now().Add(time.Minute)
	b.submit(late)
	if _, err := b.store.Cancel(t.Context(), []godwit.CancelRequest{{ID: parent}}); err != nil {
		t.Fatal(err)
	}
	if _, err := b.store.Settle(t.Context(), []godwit.Settlement{{Token: token, Outcome: godwit.OutcomeRelease}}); err != nil {
		t.Fatal(err)
	}
	tx := b.begin()
	for _, id := range []godwit.ID{locked.ID, late.ID, children[1]} {
		locks(t, tx, "SELECT 1 FROM godwit.places WHERE id = $1 FOR UPDATE", id)
	}
	clock.move(2 * time.Minute)
	advance := func(want godwit.AdvanceAnswer) {
		t.Helper()
		ctx, cancel := context.WithTimeout(t.Context(), CallTimeoutDefault/2)
		defer cancel()
		for {
			a, err := b.store.Advance(ctx, 10)
			if err != nil {
				t.Fatal(err)
			}
			want.Ready, want.Expired, want.Cancelled = want.Ready-a.Ready, want.Expired-a.Expired, want.Cancelled-a.Cancelled
			if !a.More {
				break
			}
		}
		if want.Ready != 0 || want.Expired != 0 || want.Cancelled != 0 {
			t.Errorf("of what was to be done %+v is left", want)
		}
	}
	advance(godwit.AdvanceAnswer{Ready: 1, Cancelled: 1})
	a, err := b.store.Advance(t.Context(), 10)
	if want := clock.Now().Add(lockedPause); err != nil || a.More || !a.NextAt.Equal(want) {
		t.Errorf("while they are locked advance answers %+v, %v, want it to be called again at %v", a, err, want)
	}
	if err := tx.Commit(t.Context()); err != nil {
		t.Fatal(err)
	}
	advance(godwit.AdvanceAnswer{Ready: 1, Expired: 1, Cancelled: 1})
	for id, want := range map[godwit.ID]godwit.State{
		locked.ID: godwit.StateReady, free.ID: godwit.StateReady, late.ID: godwit.StateFailed,
		children[0]: godwit.StateCancelled, children[1]: godwit.StateCancelled,
	} {
		if got := b.state(id); got != want {
			t.Errorf("job %s is %s, want %s", id, got, want)
		}
	}
}
