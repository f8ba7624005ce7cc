package doctor

import (
	"context"
	"fmt"
	"time"

	"github.com/godwit-go/godwit"
)

// Limits say from when on something is worth a finding. The zero value is useful.
type Limits struct {
	// Now is the time that ages are counted from. Defaults to time.Now().
	Now time.Time
	// Alone says that no worker can be at the store now: sessions are those of workers that ended without a word. Defaults to
	// false.
	Alone bool
	// OldestReady is how long a job may be ready without being run. Defaults to 5 min.
	OldestReady time.Duration
	// LongRun is how long a run without a timeout may take. Defaults to 1 h.
	LongRun time.Duration
	// Late is how late a due job, a timeout, a lease or a cancel may be carried out. Defaults to 30 s.
	Late time.Duration
	// Recent is how far back finished jobs are counted. Defaults to 1 h.
	Recent time.Duration
	// FailedShare is the share of recently finished jobs of a task that may have failed, from 0 to 1. Defaults to 0.2.
	FailedShare float64
	// Scanned is how many jobs of a state are looked at, the newest. Defaults to 5000.
	Scanned int
}

func (l Limits) withDefaults() Limits {
	if l.Now.IsZero() {
		l.Now = time.Now()
	}
	orDefault := func(d *time.Duration, otherwise time.Duration) {
		if *d == 0 {
			*d = otherwise
		}
	}
	orDefault(&l.OldestReady, 5*time.Minute)
	orDefault(&l.LongRun, time.Hour)
	orDefault(&l.Late, 30*time.Second)
	orDefault(&l.Recent, time.Hour)
	if l.FailedShare == 0 {
		l.FailedShare = 0.2
	}
	if l.Scanned == 0 {
		l.Scanned = 5000
	}
	return l
}

// overview is what the checks look at, read once.
type overview struct {
	Limits
	queues   []godwit.QueueInfo
	tasks    []godwit.TaskInfo
	sessions []godwit.SessionInfo
	jobs     map[godwit.State]jobs
}

// jobs are the newest of a state.
type jobs struct {
	newest []godwit.Job
	more   bool // there are others, which were not looked at
}

// checks are all there are, in the order in which their findings are told.
var checks = []func(*overview) []Finding{
	checkWorkers, checkLeases, checkQueues, checkTasks, checkAges, checkOverdue, checkRuns, checkCrashes, checkFailures,
}

// Examine looks at the jobs, queues, tasks and workers of a store. Each check makes at least one finding. The error is that of the
// store or the server.
func Examine(ctx context.Context, a godwit.Admin, limits Limits) ([]Finding, error) {
	o := &overview{Limits: limits.withDefaults(), jobs: map[godwit.State]jobs{}}
	var err error
	if o.queues, err = a.Queues(ctx); err != nil {
		return nil, fmt.Errorf("read the queues: %w", err)
	}
	if o.tasks, err = a.Tasks(ctx); err != nil {
		return nil, fmt.Errorf("read the tasks: %w", err)
	}
	if o.sessions, err = a.Sessions(ctx); err != nil {
		return nil, fmt.Errorf("read the sessions: %w", err)
	}
	if o.Alone {
		o.sessions = nil
	}
	for _, state := range []godwit.State{
		godwit.StateScheduled, godwit.StateReady, godwit.StateRunning, godwit.StateSucceeded, godwit.StateFailed,
	} {
		if o.jobs[state], err = newest(ctx, a, state, o.Scanned); err != nil {
			return nil, fmt.Errorf("list the jobs that are %s: %w", state, err)
		}
	}
	var findings []Finding
	for _, check := range checks {
		findings = append(findings, check(o)...)
	}
	return findings, nil
}

func newest(ctx context.Context, a godwit.Admin, state godwit.State, n int) (jobs, error) {
	var found jobs
	filter := godwit.ListFilter{State: state}
	for {
		filter.Limit = min(n-len(found.newest), godwit.PageMax)
		page, err := a.List(ctx, filter)
		if err != nil {
			return found, err
		}
		found.newest = append(found.newest, page.Jobs...)
		if filter.Before = page.Next; filter.Before.IsZero() {
			return found, nil
		}
		if len(found.newest) >= n {
			found.more = true
			return found, nil
		}
	}
}

// unfinished counts jobs that are not final.
func unfinished(depth map[godwit.State]int) int {
	n := 0
	for state, k := range depth {
		if !state.Final() {
			n += k
		}
	}
	return n
}
