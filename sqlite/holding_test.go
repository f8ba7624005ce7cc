package sqlite

import (
	"errors"
	"fmt"
	"slices"
	"testing"

	"github.com/godwit-go/godwit"
)

// held gives the runs that a session holds, by what it is told it did not name.
func (b *bundle) held(session godwit.ID) []godwit.ID {
	b.Helper()
	a, err := b.store.Heartbeat(b.ctx, godwit.HeartbeatRequest{Session: session})
	b.ok(err)
	ids := make([]godwit.ID, 0, len(a.Unnamed))
	for _, t := range a.Unnamed {
		ids = append(ids, t.Job)
	}
	return ids
}

func (b *bundle) wantHeld(what string, session godwit.ID, want ...godwit.ID) {
	b.Helper()
	slices.SortFunc(want, godwit.ID.Compare)
	if got := b.held(session); !slices.Equal(got, want) {
		b.Errorf("%s the session holds %v, want %v", what, got, want)
	}
}

func TestWhatASessionHoldsFollowsRollbacks(t *testing.T) {
	t.Parallel()
	b := setup(t)
	worker := b.session("mail")
	b.submit(b.jobs(3, "mail")...)
	jobs := b.claim(worker, 3)
	ids := []godwit.ID{jobs[0].ID, jobs[1].ID, jobs[2].ID}
	b.wantHeld("after the claim", worker, ids...)

	settle := func(fail error) error {
		return b.store.Tx(b.ctx, func(tx *Tx) error {
			_, err := tx.Settle(succeed(jobs[:1])...)
			return errors.Join(err, fail)
		})
	}
	if err := settle(errors.New("no")); err == nil {
		t.Error("the transaction was committed")
	}
	b.wantHeld("after a transaction that failed", worker, ids...)
	b.ok(settle(nil))
	b.wantHeld("after one that was committed", worker, ids[1:]...)

	// The group of calls is rolled back, and each is done again by itself.
	_, err := write(b.ctx, b.store, func(u *unit) (struct{}, error) {
		if _, err := u.settleAll(succeed(jobs[1:2])); err != nil {
			return struct{}{}, err
		}
		return struct{}{}, errors.Join(u.flush(), u.c.exec("SELECT no_such_function()"))
	})
	if err == nil {
		t.Error("a broken statement was not noticed")
	}
	b.wantHeld("after a rollback", worker, ids[1:]...)

	b.reopen()
	b.wantHeld("after the file was opened again", worker, ids[1:]...)
	list, err := b.store.Sessions(b.ctx)
	b.ok(err)
	slow, err := read(b.ctx, b.store, (*reader).sessions)
	b.ok(err)
	if len(list) != 1 || list[0].Running != 2 || fmt.Sprint(slow) != fmt.Sprint(list) {
		t.Errorf("sessions: %+v, by walking the file: %+v", list, slow)
	}
	if _, err := b.store.EndSession(b.ctx, worker); err != nil {
		t.Fatal(err)
	}
	for _, id := range ids[1:] {
		if j := b.get(id).Job; j.State != godwit.StateReady || j.Releases != 1 {
			t.Errorf("%s is %s after %d releases", id, j.State, j.Releases)
		}
	}
	b.ok(b.store.Check(b.ctx))
}
