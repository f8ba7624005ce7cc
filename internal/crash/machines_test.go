//go:build unix

package crash_test

import (
	"context"
	"fmt"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/godwit-go/godwit/internal/crash"
	"github.com/godwit-go/godwit/internal/crash/victim"
	"github.com/godwit-go/godwit/internal/pgtest"
)

const (
	workersOf  = 3
	spare      = workersOf + 1 // the place of one more worker, which is there to die at a point
	byName     = workersOf     // this worker reaches the database by one name, which is led to another server after a failover
	smallPool  = 1             // this one has so few connections that its calls wait for each other
	smallConns = 2

	flowLines = 12               // that every process says after a fault before it is taken to work again
	flowMax   = time.Minute      // in which it does so
	awaitMax  = 30 * time.Second // for whatever is bound to happen

	// clocksApart is how far the store times of two processes may lie apart on a machine that has more to do than it can.
	clocksApart = 30 * time.Millisecond
	// callMax is how long a call may have taken that came to an end all the same: what is injected holds none up for longer.
	callMax = 10 * time.Second
)

// machines are a cluster on PostgreSQL: a server and three workers, the users of the server and an application with transactions of
// its own, and a primary with a synchronous standby behind a network that can be broken.
type machines struct {
	*harness
	primary, standby *pgtest.Server // standby nil: there is none

	hosts []*pgtest.Proxy  // those of the URL
	leads []*pgtest.Server // where each of them leads
	name  *pgtest.Proxy    // a name that leads to the primary

	processes [spare + 1]*server // the server first; nil: there is none
	app       *application
}

// newMachines starts PostgreSQL, with a standby or without, and the processes.
func newMachines(t *testing.T, fault victim.Fault, standby bool) *machines {
	t.Helper()
	m := &machines{primary: pgtest.Start(t, pgtest.Config{Unsynced: !longMachines(), Settings: map[string]string{
		"max_connections":             "60",    // soon used up
		"wal_retrieve_retry_interval": "200ms", // until a standby looks for its primary again: commits wait for it
	}})}
	// A role without rights of its own, so that a server that is full of it still lets the harness in.
	m.primary.Exec(t, "CREATE ROLE app LOGIN PASSWORD 'app'", "GRANT CREATE ON DATABASE postgres TO app", "CREATE SCHEMA app AUTHORIZATION app")
	m.leads = append(m.leads, m.primary)
	if standby {
		m.standby = m.primary.Standby(t)
		m.leads = append(m.leads, m.standby)
	}
	addresses := make([]string, len(m.leads))
	for i, s := range m.leads {
		m.hosts = append(m.hosts, pgtest.NewProxy(t, s.URL("postgres")))
		addresses[i] = hostOf(t, m.hosts[i].URL())
	}
	m.name = pgtest.NewProxy(t, m.primary.URL("postgres"))
	c := newCluster(t, appURL(addresses...), "", *seed)
	c.fault = fault
	if fault != victim.NoFault {
		c.complain = t.Logf
	}
	m.harness = newHarness(c)
	for range openMax / 2 { // five processes and two servers have enough to do with the rest
		m.driver.open <- struct{}{}
	}
	m.app = newApplication(m)
	for i := range spare {
		m.begin(i, victim.Orders{})
	}
	return m
}

// appURL is how processes reach the database at some addresses.
func appURL(addresses ...string) string {
	return "postgres://app:app@" + strings.Join(addresses, ",") + "/postgres?sslmode=disable"
}

func hostOf(t *testing.T, given string) string {
	t.Helper()
	u, err := url.Parse(given)
	if err != nil {
		t.Fatal(err)
	}
	return u.Host
}

// appName is what a process calls itself at the database.
func appName(i int) string { return fmt.Sprintf("godwit machine %d", i) }

// begin starts a process and waits until it works; one that is to die by its own hand may have done so before.
func (m *machines) begin(i int, o victim.Orders) *server {
	m.c.t.Helper()
	o.Machines = true
	args := []string{"worker", "--db", m.c.url, "--queues", "default=8," + victim.PausedQueue + "=2", "--grace", "200ms"}
	conns := 4
	switch i {
	case 0:
		args = []string{"serve", "--db", m.c.url, "--listen", "127.0.0.1:0", "--queues", "default=2," + victim.PausedQueue + "=2", "--grace", "200ms"}
	case smallPool:
		conns = smallConns
	case byName:
		args[2] = appURL(hostOf(m.c.t, m.name.URL()))
	}
	s := m.c.launch(o, []string{"PGAPPNAME=" + appName(i), fmt.Sprintf("GODWIT_POSTGRES_CONNS=%d", conns)}, args...)
	m.processes[i] = s
	select {
	case <-s.ready:
	case <-s.ended:
		if o.Point == "" {
			m.c.t.Fatal("it did not come to work: ", describe(s, round{}))
		}
	case <-time.After(awaitMax):
		m.c.t.Fatalf("process %d did not come to work within %v", i, awaitMax)
	}
	return s
}

// fault tells of one that is about to be injected.
func (m *machines) fault(what string) { m.c.write(crash.Event{Kind: crash.Fault, Point: what}) }

// flow waits until every process has said some lines: it works again.
func (m *machines) flow(lines int) {
	m.c.t.Helper()
	for i, s := range m.processes {
		if s != nil {
			m.says(i, s, lines)
		}
	}
}

// says waits until a process has said some lines more.
func (m *machines) says(i int, s *server, lines int) {
	m.c.t.Helper()
	limit := time.After(flowMax)
	for _, done := range []<-chan struct{}{s.ready, s.mark(lines)} {
		select {
		case <-done:
		case <-s.ended:
			m.c.t.Fatal("ended by itself: ", describe(s, round{}))
		case <-limit:
			m.tellStall()
			s.signal(syscall.SIGQUIT) // it tells what it is doing
			<-s.ended
			m.c.t.Fatalf("process %d does not work any more: %s", i, describe(s, round{}))
		}
	}
}

// tellStall logs what the connections to the database do.
func (m *machines) tellStall() {
	const sql = `SELECT coalesce(string_agg(concat_ws(' ', pid, application_name, state, wait_event_type, wait_event, now() - state_change, 'blocked by',
		pg_blocking_pids(pid)::text, left(query, 100)), E'\n' ORDER BY application_name), 'none') FROM pg_stat_activity WHERE usename = 'app'`
	if text, err := ask[string](m, sql); err == nil {
		m.c.t.Logf("connections to the primary:\n%s", text)
	}
}

// ask asks the primary, past the network that is broken.
func ask[T any](m *machines, sql string, args ...any) (answer T, err error) {
	ctx, cancel := context.WithTimeout(m.c.t.Context(), awaitMax)
	defer cancel()
	conn, err := pgx.Connect(ctx, m.primary.URL("postgres"))
	if err != nil {
		return answer, err
	}
	defer func() { _ = conn.Close(ctx) }() // it has answered
	err = conn.QueryRow(ctx, sql, args...).Scan(&answer)
	return answer, err
}

// await waits until the primary answers a question with yes.
func (m *machines) await(what, sql string, args ...any) {
	m.c.t.Helper()
	for limit := time.Now().Add(awaitMax); ; pause(m.c.t.Context(), 10*time.Millisecond) {
		yes, err := ask[bool](m, sql, args...)
		if err == nil && yes {
			return
		}
		if time.Now().After(limit) {
			m.tellStall()
			m.c.t.Fatalf("it did not come to this within %v: %s (%v)", awaitMax, what, err)
		}
	}
}

// awaitRescued waits until the session of a process has been ended.
func (m *machines) awaitRescued(s *server) {
	m.c.t.Helper()
	m.await("a dead worker's session is ended", "SELECT NOT EXISTS (SELECT FROM godwit.sessions WHERE pid = $1)", s.cmd.Process.Pid)
}

// leading gives the host by which most processes reach the primary.
func (m *machines) leading() *pgtest.Proxy {
	for i, s := range m.leads {
		if s == m.primary {
			return m.hosts[i]
		}
	}
	m.c.t.Fatal("no host leads to the primary")
	return nil
}

// direct is how the primary is reached past the network that is broken.
func (m *machines) direct() string { return appURL(hostOf(m.c.t, m.primary.URL("postgres"))) }

// network does something to all of it.
func (m *machines) network(do func(p *pgtest.Proxy)) {
	for _, p := range m.hosts {
		do(p)
	}
	do(m.name)
}

// retire stops the processes in good order.
func (m *machines) retire() {
	m.c.t.Helper()
	for i := len(m.processes) - 1; i >= 0; i-- {
		if s := m.processes[i]; s != nil {
			m.stopInOrder(s, round{kind: drain})
			m.processes[i] = nil
		}
	}
}

// finish works off everything, ends all processes and checks what they left.
func (m *machines) finish() crash.Report {
	t := m.c.t
	t.Helper()
	defer m.cancel()
	if t.Failed() {
		m.endDriver()
	} else {
		m.driver.finish(m.ctx)
		m.retire()
	}
	events, cut, err := crash.ReadLog(m.c.path)
	m.must(err)
	if cut > m.c.lives {
		t.Errorf("%d lines of the log are cut off, and there were only %d deaths", cut, m.c.lives)
	}
	m.c.url = m.direct() // nobody else uses it any more
	finals := m.finals()
	m.app.check(finals)
	return crash.CheckWithin(events, finals, crash.Slack{Clocks: clocksApart, Call: callMax})
}
