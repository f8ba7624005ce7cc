package postgres

import (
	"sync"
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

// Many submissions that come to a program which has just begun need the same lane. Were it made by the transaction of one of them, the
// others would wait for that one, and then go one by one.
func TestManyFirstSubmissionsShareALaneThatNoneOfThemMakes(t *testing.T) {
	t.Parallel()
	b := setup(t)
	var all sync.WaitGroup
	for range 100 {
		n := newJob()
		n.Task = "of many"
		all.Go(func() {
			if answers, err := b.store.Submit(t.Context(), []godwit.NewJob{n}); err != nil || !answers[0].Created {
				t.Errorf("submit: %+v, %v", answers, err)
			}
		})
	}
	all.Wait()
	var lanes, jobs, shared int
	err := connect(t, b.url).QueryRow(t.Context(), `SELECT count(DISTINCT l.id), count(*), count(*) FILTER (WHERE l.xmin = p.xmin)
		FROM godwit.lanes l JOIN godwit.places p ON p.lane = l.id WHERE l.task = 'of many'`).Scan(&lanes, &jobs, &shared)
	if err != nil || lanes != 1 || jobs != 100 || shared != 0 {
		t.Errorf("%d lanes, %d jobs, %d of them of the transaction that made the lane, %v", lanes, jobs, shared, err)
	}
}
