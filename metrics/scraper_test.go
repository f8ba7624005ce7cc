package metrics_test

import (
	"context"
	"errors"
	"sync"
	"sync/atomic"
	"testing"
	"testing/synctest"
	"time"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/model"
	"github.com/godwit-go/godwit/metrics"
)

// moody is a store whose reads of queues are counted, and hang or fail while it is told so.
type moody struct {
	*model.Store
	reads atomic.Int64
	hang  atomic.Pointer[chan struct{}]
	err   atomic.Pointer[error]
}

func (m *moody) Queues(ctx context.Context) ([]godwit.QueueInfo, error) {
	m.reads.Add(1)
	if hang := m.hang.Load(); hang != nil {
		<-*hang // whatever the context says, as a disk does
	}
	if err := m.err.Load(); err != nil {
		return nil, *err
	}
	return m.Store.Queues(ctx)
}

func inBubble(t *testing.T, f func(t *testing.T, m *moody, b bundle)) {
	t.Helper()
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		m := &moody{Store: model.New(model.Config{})}
		f(t, m, setup(t, m, metrics.Config{}, godwit.Config{}))
	})
}

func TestScrapeStormReadsOnce(t *testing.T) {
	inBubble(t, func(t *testing.T, m *moody, b bundle) {
		storm := func() {
			var group sync.WaitGroup
			for range 50 {
				group.Go(func() { b.scrape(t).want(t, series{"up{}": 1}) })
			}
			group.Wait()
		}
		storm()
		storm()
		if n := m.reads.Load(); n != 1 {
			t.Errorf("100 scrapes read the store %d times, want once", n)
		}
		<-time.After(metrics.ReadEveryDefault)
		storm()
		if n := m.reads.Load(); n != 2 {
			t.Errorf("the store was read %d times, want a second time once the first was old", n)
		}
	})
}

func TestScrapeOfAStoreThatHangsIsBounded(t *testing.T) {
	inBubble(t, func(t *testing.T, m *moody, b bundle) {
		hang := make(chan struct{})
		m.hang.Store(&hang)
		b.m.ObserveRequest("GET /v1/jobs", 200, time.Second)
		start := time.Now()
		got := b.scrape(t)
		got.want(t, series{"up{}": 0, "http_requests_total{route=GET /v1/jobs,status=200}": 1})
		if _, there := got["sessions{}"]; there {
			t.Error("gauges of a store that did not answer are shown")
		}
		if took := time.Since(start); took != metrics.ReadTimeoutDefault {
			t.Errorf("the scrape took %v, want the bound %v", took, metrics.ReadTimeoutDefault)
		}
		<-time.After(time.Minute)
		start = time.Now()
		b.scrape(t).want(t, series{"up{}": 0})
		if took, n := time.Since(start), m.reads.Load(); took != 0 || n != 1 {
			t.Errorf("a later scrape took %v, and the store was read %d times beside the read that hangs", took, n)
		}
		m.hang.Store(nil)
		close(hang)
		synctest.Wait()
		<-time.After(metrics.ReadEveryDefault)
		b.scrape(t).want(t, series{"up{}": 1, "sessions{}": 0})
	})
}

func TestScrapeOfAStoreThatFailsIsNoFailure(t *testing.T) {
	inBubble(t, func(t *testing.T, m *moody, b bundle) {
		broken := errors.New("disk gone")
		m.err.Store(&broken)
		for range 10 {
			b.scrape(t).want(t, series{"up{}": 0, "stuck_runs{}": 0})
		}
		if n := m.reads.Load(); n != 1 {
			t.Errorf("a store that fails was read %d times", n)
		}
	})
}

func TestCloseWaitsForTheReadUnderWay(t *testing.T) {
	inBubble(t, func(t *testing.T, m *moody, b bundle) {
		hang := make(chan struct{})
		m.hang.Store(&hang)
		scraped := make(chan struct{})
		go func() { defer close(scraped); _, _ = b.reg.Gather() }()
		synctest.Wait()
		closed := make(chan struct{})
		go func() { b.m.Close(); close(closed) }()
		synctest.Wait()
		select {
		case <-closed:
			t.Error("closed while the store was being read")
		default:
		}
		close(hang)
		<-closed
		<-scraped
		b.m.Close()
		if got := b.scrape(t); len(got) == 0 {
			t.Error("what was counted is gone")
		}
	})
}
