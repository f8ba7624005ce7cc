package postgres

import (
	"testing"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/pgtest"
)

// A standby that follows from afar may lack the newest commits of the server whose place it takes, and give the numbers of their lanes
// to others.
func TestLanesThatAFailoverLostAreMadeAnew(t *testing.T) {
	t.Parallel()
	lost := pgtest.Start(t, pgtest.Config{Unsynced: true}).URL("postgres")
	left := pgtest.Start(t, pgtest.Config{Unsynced: true}).URL("postgres")
	proxy := pgtest.NewProxy(t, lost)
	b := setupOn(t, Config{URL: proxy.URL()})
	b.submit(newJob())

	other := b.open(Config{URL: left})
	foreign := newJob()
	foreign.Task, foreign.Queue = "other", "elsewhere"
	if _, err := other.Submit(t.Context(), []godwit.NewJob{foreign}); err != nil {
		t.Fatal(err)
	}

	proxy.Lead(t, left)
	proxy.Cut()
	for name, n := range map[string]godwit.NewJob{"merged": newJob(), "single": keyed()} {
		id := b.submit(n)
		jobs, err := other.Get(t.Context(), []godwit.ID{id})
		if err != nil || len(jobs) != 1 || jobs[0].Job.Task != n.Task || jobs[0].Job.Queue != n.Queue {
			t.Errorf("%s: submitted for task %q in queue %q, and found %+v, %v", name, n.Task, n.Queue, jobs, err)
		}
	}
}
