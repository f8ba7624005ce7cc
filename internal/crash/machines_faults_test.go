//go:build unix

package crash_test

import (
	"context"
	"math/rand/v2"
	"slices"
	"syscall"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/godwit-go/godwit/internal/crash"
	"github.com/godwit-go/godwit/internal/crash/victim"
	"github.com/godwit-go/godwit/internal/pgtest"
)

// ways are what is done to a cluster, with how often of some hundred times; those that are brief are in the shortest run.
var ways = []struct {
	name   string
	weight int
	brief  bool
	do     func(m *machines)
}{
	{"kill", 18, true, (*machines).killOne},
	{"kill at a point", 16, false, (*machines).killAtPoint},
	{"freeze", 8, true, (*machines).freezeOne},
	{"stop", 4, false, (*machines).replaceOne},
	{"terminate", 8, true, (*machines).terminate},
	{"restart", 7, false, (*machines).restart},
	{"pool", 4, false, (*machines).useUpPool},
	{"full", 4, false, (*machines).fillServer},
	{"delay", 4, false, (*machines).delay},
	{"silence", 5, false, (*machines).silence},
	{"cut", 8, false, (*machines).cut},
	{"ambiguous", 10, true, (*machines).cutCommits},
	{"listeners", 4, false, (*machines).cutListeners},
	{"deaf", 4, false, (*machines).deafen},
	{"astray", 4, false, (*machines).leadAstray},
	{"read only", 4, false, (*machines).makeReadOnly},
	{"switch", 4, false, (*machines).switchOver},
	{"promote", 6, true, (*machines).promote},
	{"kill and promote", 3, false, (*machines).killAmidFailover},
	{"hang", 4, false, (*machines).hang},
}

// planMachines draws n rounds, or more: each way once, in a short run those that are brief, and then by weight.
func planMachines(rng *rand.Rand, n int) []int {
	var all, drawn []int
	for i, w := range ways {
		if *machineWay == w.name {
			return slices.Repeat([]int{i}, max(n, 1))
		}
		for range w.weight {
			drawn = append(drawn, i)
		}
		if w.weight > 0 && (w.brief || longMachines()) {
			all = append(all, i)
		}
	}
	for len(all) < n {
		all = append(all, drawn[rng.IntN(len(drawn))])
	}
	rng.Shuffle(len(all), func(i, j int) { all[i], all[j] = all[j], all[i] })
	return all
}

// pointLines is how much a process says that does not come to the point where it is to die.
const pointLines = 400

// times is how often a fault is injected in one round: half as often in a short run.
func (m *machines) times(n int) int {
	if longMachines() {
		return n
	}
	return (n + 1) / 2
}

// killOne kills a process at a random moment and starts another one in its place. The round is over when its session is.
func (m *machines) killOne() {
	i := m.c.draw(spare)
	s := m.processes[i]
	pause(m.c.t.Context(), time.Duration(m.c.draw(20))*time.Millisecond)
	m.fault("kill -9")
	m.kill(s, round{kind: kill}, "random")
	m.begin(i, victim.Orders{})
	m.awaitRescued(s)
}

// killAtPoint lets one more worker come and kill itself at a point.
func (m *machines) killAtPoint() {
	points := victim.Points(false)
	point := points[m.c.draw(len(points))]
	s := m.begin(spare, victim.Orders{Point: point, Nth: 1 + m.c.draw(timesOf(point))})
	m.processes[spare] = nil
	end := point
	select {
	case <-s.ended:
	case <-s.mark(pointLines):
		end = "random instead of " + point
	case <-time.After(roundMax):
		end = "random instead of " + point
	}
	m.fault("kill -9 at a point")
	m.kill(s, round{kind: kill}, end)
	m.awaitRescued(s)
}

// freezeOne stops a worker until others have taken its jobs, and lets it go on.
func (m *machines) freezeOne() {
	i := 1 + m.c.draw(workersOf)
	s := m.processes[i]
	s.signal(syscall.SIGSTOP)
	m.c.write(crash.Event{Kind: crash.Fault, Life: s.life, Point: "SIGSTOP past the lease"})
	m.awaitRescued(s)
	s.signal(syscall.SIGCONT)
	m.says(i, s, flowLines)
}

// replaceOne ends a process in good order and starts another one in its place, as an upgrade does.
func (m *machines) replaceOne() {
	i := m.c.draw(spare)
	m.fault("SIGTERM")
	m.stopInOrder(m.processes[i], round{kind: stop})
	m.begin(i, victim.Orders{})
}

// terminate ends the connections of all processes or of one.
func (m *machines) terminate() {
	for range m.times(3) {
		condition := "application_name LIKE 'godwit%'"
		if m.c.draw(2) == 0 {
			condition = "application_name = '" + appName(m.c.draw(spare)) + "'"
		}
		m.fault("pg_terminate_backend")
		m.primary.Terminate(m.c.t, condition)
		m.says(0, m.processes[0], 1+m.c.draw(8))
	}
}

func (m *machines) restart() {
	m.fault("immediate restart of the server")
	m.primary.Restart(m.c.t, pgtest.Immediate)
}

// useUpPool blocks all writes for longer than a lease, so that every connection for work is taken: the leases are renewed all the
// same.
func (m *machines) useUpPool() {
	t := m.c.t
	const sessions = "SELECT coalesce(array_agg(pid), '{}') FROM godwit.sessions"
	before, err := ask[[]int64](m, sessions)
	m.must(err)
	conn, err := pgx.Connect(t.Context(), m.primary.URL("postgres"))
	m.must(err)
	defer func() { _ = conn.Close(context.WithoutCancel(t.Context())) }() // ends its transaction too
	m.fault("all connections of a pool in use")
	_, err = conn.Exec(t.Context(), "BEGIN; LOCK TABLE godwit.places IN EXCLUSIVE MODE")
	m.must(err)
	m.await("a pool is used up", "SELECT count(*) >= $2 FROM pg_stat_activity WHERE application_name = $1 AND wait_event_type = 'Lock'", appName(smallPool), smallConns)
	pause(t.Context(), lease*3/2)
	after, err := ask[[]int64](m, sessions)
	m.must(err)
	if len(after) < len(before)-1 { // one may have been late: the machine is busy
		t.Errorf("of the sessions of %v those of %v are left, while nothing but the pools was used up", before, after)
	}
}

// fillServer takes every connection that the server has, and ends those of the processes.
func (m *machines) fillServer() {
	t := m.c.t
	var taken []*pgx.Conn
	defer func() {
		for _, conn := range taken {
			_ = conn.Close(context.WithoutCancel(t.Context())) // it was only there
		}
	}()
	fill := func() {
		for {
			conn, err := pgx.Connect(t.Context(), m.direct())
			if err != nil {
				return // there is none left
			}
			taken = append(taken, conn)
		}
	}
	fill()
	m.fault("no connection left on the server")
	m.primary.Terminate(t, "application_name LIKE 'godwit%'")
	fill()
	pause(t.Context(), time.Duration(m.c.draw(int(lease))))
}

// delay makes the network slow.
func (m *machines) delay() {
	by := time.Duration(5+m.c.draw(40)) * time.Millisecond
	m.fault("network slow")
	m.network(func(p *pgtest.Proxy) { p.Delay(by) })
	m.flow(flowLines)
	m.network(func(p *pgtest.Proxy) { p.Delay(0) })
}

// silence lets nothing through, for less than a lease or for more.
func (m *machines) silence() {
	m.fault("network silent")
	m.network((*pgtest.Proxy).Hold)
	pause(m.c.t.Context(), lease/4+time.Duration(m.c.draw(int(lease*5/4))))
	m.network((*pgtest.Proxy).Release)
}

// cut cuts all connections, or the one that brings a certain byte.
func (m *machines) cut() {
	for range m.times(6) {
		m.fault("connections cut")
		if m.c.draw(2) == 0 {
			m.network(func(p *pgtest.Proxy) { p.Cut() })
		} else {
			m.sprung(m.leading().CutAfter(int64(m.c.draw(20_000))))
		}
		m.says(0, m.processes[0], 1+m.c.draw(8))
	}
}

// cutCommits cuts connections around a commit: before the server has it, or before its answer is through.
func (m *machines) cutCommits() {
	for range m.times(6) {
		m.fault("commit or its answer lost")
		if m.c.draw(2) == 0 {
			m.sprung(m.leading().LoseQuery("commit\x00"))
		} else {
			m.sprung(m.leading().LoseAnswer("commit\x00"))
		}
	}
}

// sprung waits for a trap.
func (m *machines) sprung(trap <-chan struct{}) {
	m.c.t.Helper()
	select {
	case <-trap:
	case <-time.After(awaitMax):
		m.tellStall()
		m.c.t.Fatal("nothing came that was to be cut")
	}
}

// cutListeners ends the connections on which processes listen, again and again.
func (m *machines) cutListeners() {
	for range m.times(4) {
		m.fault("listening connection ended")
		m.primary.Terminate(m.c.t, "query LIKE 'LISTEN%'")
		m.flow(flowLines / 2)
	}
}

// deafen drops every notification, while everybody believes that he hears.
func (m *machines) deafen() {
	m.fault("notifications dropped")
	m.network(func(p *pgtest.Proxy) { p.Deafen(true) })
	m.flow(2 * flowLines)
	m.network(func(p *pgtest.Proxy) { p.Deafen(false) })
}

// leadAstray lets every address lead to the standby, which only reads.
func (m *machines) leadAstray() {
	t := m.c.t
	there := m.standby.URL("postgres")
	m.fault("every host only reads")
	for _, p := range m.hosts {
		p.Lead(t, there)
		p.Cut()
	}
	m.name.Lead(t, there)
	m.name.Cut()
	pause(t.Context(), lease/4+time.Duration(m.c.draw(int(lease))))
	for i, p := range m.hosts {
		p.Lead(t, m.leads[i].URL("postgres"))
	}
	m.name.Lead(t, m.primary.URL("postgres"))
}

// makeReadOnly makes the primary refuse writes for a while, without an end of its connections.
func (m *machines) makeReadOnly() {
	t := m.c.t
	m.fault("server set read-only")
	m.primary.Set(t, "default_transaction_read_only", "on")
	pause(t.Context(), time.Duration(m.c.draw(int(lease))))
	m.primary.Exec(t, "SET default_transaction_read_only = off", "ALTER SYSTEM RESET default_transaction_read_only", "SELECT pg_reload_conf()")
	m.await("writes are taken again", "SELECT current_setting('default_transaction_read_only') = 'off'")
}

// switchOver stops the primary in good order, lets the standby take over, and the old primary follow it: its address only reads from
// then on.
func (m *machines) switchOver() {
	m.primary.AwaitStandby(m.c.t, m.standby)
	m.fault("planned switch to the standby")
	m.primary.Stop(m.c.t, pgtest.Fast)
	m.standby.Promote(m.c.t)
	m.primary, m.standby = m.standby, m.primary
	m.name.Lead(m.c.t, m.primary.URL("postgres"))
	m.standby.Follow(m.c.t, m.primary)
}

// promote kills the primary and promotes the standby under load; then there is a new standby at the old address.
func (m *machines) promote() {
	m.primary.AwaitStandby(m.c.t, m.standby)
	m.fault("primary dead, standby promoted")
	m.primary.Stop(m.c.t, pgtest.Immediate)
	m.succeed()
	m.flow(flowLines)
	m.newStandby()
}

// killAmidFailover kills a worker when its server has just been lost too.
func (m *machines) killAmidFailover() {
	i := 1 + m.c.draw(workersOf)
	s := m.processes[i]
	m.processes[i] = nil
	m.fault("kill -9")
	m.kill(s, round{kind: kill}, "random, amid a failover")
	m.promote()
	m.begin(i, victim.Orders{})
	m.awaitRescued(s)
}

// hang lets the primary hang instead: nobody hears an end of his connections to it.
func (m *machines) hang() {
	old := m.primary
	old.AwaitStandby(m.c.t, m.standby)
	m.fault("primary hangs, standby promoted")
	old.Pause(m.c.t)
	m.succeed()
	m.flow(flowLines)
	old.Resume(m.c.t)
	old.Stop(m.c.t, pgtest.Immediate)
	m.newStandby()
}

// succeed makes the standby the primary.
func (m *machines) succeed() {
	m.standby.Promote(m.c.t)
	m.primary, m.standby = m.standby, nil
	m.name.Lead(m.c.t, m.primary.URL("postgres"))
}

// newStandby makes a standby at the address that led to the old primary.
func (m *machines) newStandby() {
	m.standby = m.primary.Standby(m.c.t)
	for i, s := range m.leads {
		if s != m.primary {
			m.leads[i] = m.standby
			m.hosts[i].Lead(m.c.t, m.standby.URL("postgres"))
		}
	}
}
