package postgres

import (
	"fmt"
	"testing"
	"time"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/pgtest"
)

// server is a database whose clock a test may set: clock_timestamp is found in a schema of its own before that of the system.
type server struct {
	*testing.T
	url string
}

func newServer(t *testing.T) *server {
	t.Helper()
	s := &server{t, pgtest.Database(t)}
	exec(t, connect(t, s.url), `CREATE SCHEMA set_clock;
		CREATE TABLE set_clock.off (by interval);
		INSERT INTO set_clock.off VALUES ('0');
		CREATE FUNCTION set_clock.clock_timestamp() RETURNS timestamptz LANGUAGE sql VOLATILE AS
			'SELECT pg_catalog.clock_timestamp() + by FROM set_clock.off';
		DO $$ BEGIN EXECUTE format('ALTER DATABASE %I SET search_path = set_clock, pg_catalog', current_database()); END $$`)
	return s
}

func (s *server) set(by time.Duration) {
	s.Helper()
	exec(s.T, connect(s.T, s.url), fmt.Sprintf("UPDATE set_clock.off SET by = '%d ms'", by.Milliseconds()))
}

// near expects that the stores have the same time, that of the machine with so much added.
func near(t *testing.T, by time.Duration, stores ...*Store) {
	t.Helper()
	const slack = 10 * time.Second // the hour is what matters, and the machine may be busy
	for i, s := range stores {
		if off := s.Now().Sub(time.Now().Add(by)); off.Abs() > slack {
			t.Errorf("store %d is %v off the time that it should have", i, off)
		}
	}
}

// measures lets stores notice what has become of the server's clock.
func (b *bundle) measures(stores ...*Store) {
	b.Helper()
	for _, s := range stores {
		s.readTime(b.Context())
	}
}

func (b *bundle) beats(s *Store, session godwit.ID, want godwit.Code) {
	b.Helper()
	if a, err := s.Heartbeat(b.Context(), godwit.HeartbeatRequest{Session: session}); err != nil || a.Code != want {
		b.Errorf("heartbeat: %+v, %v, want %q", a, err, want)
	}
}

func TestAServerWhoseClockIsSetBackStopsNoTime(t *testing.T) {
	t.Parallel()
	server := newServer(t)
	b := setupOn(t, Config{URL: server.url})
	b.beats(b.store, b.session, "")
	server.set(-time.Hour)
	b.measures(b.store)
	near(t, 0, b.store)
	before := b.store.Now()
	b.eventually("time goes on", func() bool { return b.store.Now().After(before) })

	second := b.open(Config{URL: server.url}) // begins while the clock is wrong
	near(t, 0, second)
	dead := b.starts(second, godwit.LeaseMin)
	b.submit(newJob())
	live := b.session
	b.session = dead
	b.claim(second, 1)
	b.session = live
	late := newJob()
	late.Delay = 10 * time.Millisecond
	b.submit(late)
	b.eventually("a dead worker is rescued", func() bool {
		a, err := b.store.Rescue(t.Context(), 10)
		return err == nil && len(a.Sessions) == 1 && a.Sessions[0] == dead
	})
	b.eventually("what was scheduled is ready", func() bool {
		_, err := second.Advance(t.Context(), 10)
		return err == nil && b.state(late.ID) == godwit.StateReady
	})
	b.beats(second, live, "")
	server.set(0)
	b.measures(b.store, second)
	near(t, 0, b.store, second)
}

func TestAServerWhoseClockIsSetForwardEndsNoLease(t *testing.T) {
	t.Parallel()
	server := newServer(t)
	b := setupOn(t, Config{URL: server.url})
	second := b.open(Config{URL: server.url})
	other := b.starts(second, time.Minute)
	late := newJob()
	late.Delay = 30 * time.Minute
	b.submit(late)
	server.set(time.Hour)
	b.measures(b.store) // the second one has not noticed yet
	near(t, time.Hour, b.store)
	if a, err := b.store.Rescue(t.Context(), 10); err != nil || len(a.Sessions) != 0 {
		t.Errorf("sessions of living workers were ended: %+v, %v", a, err)
	}
	b.beats(b.store, b.session, "")
	b.measures(second)
	b.beats(second, other, "")
	near(t, time.Hour, b.store, second)
	if _, err := b.store.Advance(t.Context(), 10); err != nil || b.state(late.ID) != godwit.StateReady {
		t.Errorf("what was scheduled within the hour is not ready, %v", err)
	}
	b.claim(b.store, 1)
}

func TestTimeIsMeasuredOnReconnecting(t *testing.T) {
	t.Parallel()
	server := newServer(t)
	b := setupOn(t, Config{URL: server.url})
	server.set(time.Hour) // as another host's that takes over
	b.store.lose(time.Now())
	b.submit(newJob())
	near(t, time.Hour, b.store)
}

// The clock of a worker's machine is not read at all, so none that is wrong changes what its store says; what it says for longest is
// what its monotonic clock adds between two measurements.
func TestAMachineIsBelievedNoLongerThanItsPaceIsRight(t *testing.T) {
	t.Parallel()
	c := &clock{}
	start := time.Now()
	c.set(1_000_000_000, 0, start)
	for _, step := range []struct{ server, floor, want int64 }{
		{server: 1_000_900_000, want: 1_000_900_000},                       // it runs slow: the server is followed
		{server: 1_000_800_000, want: 1_000_800_000},                       // a little back: likewise, and what was said stands meanwhile
		{server: 1, floor: 1_000_000_000, want: 1_000_800_000},             // set back: it goes on
		{server: 1, floor: 1_010_000_000, want: 1_010_000_000},             // somebody else is ahead
		{server: 2_000_000_000, floor: 1_010_000_000, want: 2_000_000_000}, // set forward
	} {
		c.set(step.server, step.floor, start)
		if c.anchor != step.want {
			t.Errorf("measured %d and %d: it says %d, want %d", step.server, step.floor, c.anchor, step.want)
		}
	}
	if c.leaseBeyond() >= 0 {
		t.Errorf("after a jump leases up to %v are said to be over", c.leaseBeyond())
	}
}
