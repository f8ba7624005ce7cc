package postgres

import (
	"testing"
	"time"

	"github.com/godwit-go/godwit"
)

// backlog leaves the store amid a backlog: of ten jobs three were claimed.
func (b *bundle) backlog() []godwit.Token {
	b.Helper()
	for range 10 {
		b.submit(newJob())
	}
	return b.claim(b.store, 3)
}

// resumes reports whether the next claim goes on where the last one stopped.
func (b *bundle) resumes() bool {
	look := b.store.cursors.start("queue", false)
	b.store.cursors.stop(look, nil, true)
	return !look.whole
}

func TestAClaimGoesOnWhereTheLastOneStopped(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.backlog()
	b.store.cursors.queueLocked("queue").recall = time.Now().Add(time.Hour)
	if !b.resumes() {
		t.Fatal("it begins at the beginning though there is a backlog")
	}
	b.claim(b.store, 5)
	b.claim(b.store, 2)
}

func TestWhatComesBackBelowIsClaimedFirst(t *testing.T) {
	t.Parallel()
	b := setup(t)
	tokens := b.backlog()
	b.store.cursors.queueLocked("queue").recall = time.Now().Add(time.Hour)
	release := godwit.Settlement{Token: tokens[1], Outcome: godwit.OutcomeRelease}
	if a, err := b.store.Settle(t.Context(), []godwit.Settlement{release}); err != nil || a[0].Code != "" {
		t.Fatalf("release: %+v, %v", a, err)
	}
	if !b.resumes() {
		t.Fatal("it begins at the beginning")
	}
	if got := b.claim(b.store, 1)[0].Job; got != tokens[1].Job {
		t.Errorf("claimed %s before the older %s, which had come back", got, tokens[1].Job)
	}
	urgent := newJob()
	urgent.Priority = 5
	b.submit(urgent)
	if !b.resumes() {
		t.Fatal("it begins at the beginning")
	}
	if got := b.claim(b.store, 1)[0].Job; got != urgent.ID {
		t.Errorf("claimed %s before the urgent %s", got, urgent.ID)
	}
	b.claim(b.store, 7)
}

func TestWhatOtherProcessesMakeReadyBelowIsFound(t *testing.T) {
	t.Parallel()
	b := setup(t)
	other := b.open(Config{URL: b.url})
	tokens := b.backlog()
	b.store.cursors.queueLocked("queue").recall = time.Now().Add(time.Hour)
	releases := []godwit.Settlement{{Token: tokens[0], Outcome: godwit.OutcomeRelease}, {Token: tokens[1], Outcome: godwit.OutcomeRelease}}
	if _, err := other.Settle(t.Context(), releases); err != nil {
		t.Fatal(err)
	}
	if got := b.claim(b.store, 1)[0].Job; got == tokens[0].Job {
		t.Fatal("the claim began at the beginning, and shows nothing")
	}
	b.store.cursors.queueLocked("queue").recall = time.Now() // it is time to look
	if got := b.claim(b.store, 1)[0].Job; got != tokens[0].Job {
		t.Errorf("claimed %s, not %s", got, tokens[0].Job)
	}
	b.store.cursors.queueLocked("queue").recall = time.Now().Add(time.Hour)
	claimed := 0
	for {
		a, err := b.store.Claim(t.Context(), godwit.ClaimRequest{Session: b.session, Queue: "queue", Limit: 4})
		if err != nil || a.Code != "" {
			t.Fatalf("claim: %q, %v", a.Code, err)
		}
		if len(a.Jobs) == 0 {
			break
		}
		claimed += len(a.Jobs)
	}
	if claimed != 7 {
		t.Errorf("%d jobs were claimed after the others, of 7: an answer of none came while one was ready", claimed)
	}
}

func TestSpansLeaveOutWhatWasClaimedAndNothingElse(t *testing.T) {
	t.Parallel()
	at := func(n int64) point { return point{runAt: n} }
	q := &cursor{at: map[file]point{{7, -3}: at(30), {7, 2}: at(20), {9, -32768}: at(90)}}
	s := q.spans()
	inside := func(lane int32, rank int16, p point) (in bool) {
		named := false
		for i := range s.lanes {
			if s.lanes[i] != lane {
				continue
			}
			named = true
			above := int32(rank) > s.from[i] || int32(rank) == s.from[i] && p.runAt >= s.runAts[i]
			in = in || above && int32(rank) <= s.to[i]
		}
		return in || !named
	}
	for lane := int32(7); lane <= 9; lane++ {
		for _, rank := range []int16{-32768, -32767, -4, -3, -2, 1, 2, 3, 32767} {
			for _, runAt := range []int64{-1 << 63, 0, 19, 20, 29, 30, 89, 90, 1<<63 - 1} {
				stopped, known := q.at[file{lane, rank}]
				if want := !known || runAt >= stopped.runAt; inside(lane, rank, at(runAt)) != want {
					t.Errorf("lane %d, rank %d, at %d: looked at %v, want %v", lane, rank, runAt, !want, want)
				}
			}
		}
	}
}
