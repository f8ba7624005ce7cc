package doctor

import (
	"fmt"
	"time"

	"github.com/godwit-go/godwit"
)

// checkWorkers looks whether anybody runs jobs at all.
func checkWorkers(o *overview) []Finding {
	const check = "workers"
	if len(o.sessions) > 0 {
		running := 0
		for _, s := range o.sessions {
			running += s.Running
		}
		return orOK(nil, check, "%s with %s running", count(len(o.sessions), "worker lives", "workers live"), count(running, "job", "jobs"))
	}
	jobs := 0
	for _, q := range o.queues {
		jobs += unfinished(q.Depth)
	}
	if jobs == 0 {
		return []Finding{finding(Info, check, "", "", "no worker lives, and no job waits for one")}
	}
	return []Finding{finding(Error, check, "start a worker, such as godwit serve", "",
		"no worker lives, and %s for one", count(jobs, "job waits", "jobs wait"))}
}

// checkLeases looks for sessions whose lease is over and that nobody rescues.
func checkLeases(o *overview) []Finding {
	var found []Finding
	for _, s := range o.sessions {
		if late := o.Now.Sub(s.LeaseUntil); late > o.Late {
			found = append(found, finding(Error, "leases",
				"any started client rescues its jobs, unless DisableMaintenance is set: start a worker; if one runs, compare the clocks", "session list",
				"the lease of session %s (process %d on %s) ended %s ago, and nobody rescues its %s",
				s.ID, s.PID, s.Host, span(late), count(s.Running+s.Waiting, "job", "jobs")))
		}
	}
	return orOK(found, "leases", "no lease is over")
}

// checkQueues looks for jobs in queues that are paused or that nobody serves.
func checkQueues(o *overview) []Finding {
	var found []Finding
	for _, q := range o.queues {
		jobs := unfinished(q.Depth)
		switch {
		case q.Paused && q.Held > 0:
			found = append(found, finding(Warning, "queues", "resume it", "queue resume "+q.Name,
				"queue %s is paused and holds %s", q.Name, count(q.Held, "ready job", "ready jobs")))
		case q.Paused:
			found = append(found, finding(Info, "queues", "", "queue resume "+q.Name, "queue %s is paused, and holds no ready job", q.Name))
		case q.Workers == 0 && jobs > 0 && len(o.sessions) > 0:
			found = append(found, finding(Error, "queues", "add the queue to a worker's configuration", "",
				"queue %s has %s, and no live worker serves it", q.Name, count(jobs, "job", "jobs")))
		}
	}
	return orOK(found, "queues", "%s, none paused, none without a worker", count(len(o.queues), "queue", "queues"))
}

// checkTasks looks for jobs of tasks that are paused or that nobody knows, and for other jobs that are held.
func checkTasks(o *overview) []Finding {
	var found []Finding
	for _, t := range o.tasks {
		jobs := unfinished(t.Depth)
		switch {
		case t.Paused && jobs > 0:
			found = append(found, finding(Warning, "tasks", "resume it", "task resume "+t.Name,
				"task %s is paused, and %s of it", t.Name, count(jobs, "job waits or runs", "jobs wait or run")))
		case t.Paused:
			found = append(found, finding(Info, "tasks", "", "task resume "+t.Name, "task %s is paused, and has no job", t.Name))
		case t.Workers == 0 && jobs > 0 && len(o.sessions) > 0:
			found = append(found, finding(Error, "tasks", "start a worker with a handler of the task", "job list --task "+t.Name,
				"task %s has %s, and no live worker knows it", t.Name, count(jobs, "job", "jobs")))
		}
	}
	held := map[godwit.Held]int{}
	example := map[godwit.Held]godwit.ID{}
	for _, j := range o.jobs[godwit.StateReady].newest {
		if j.Held == godwit.HeldUnknownVersion || j.Held == godwit.HeldUnservedQueue && o.serves(j.Queue) {
			held[j.Held]++
			example[j.Held] = j.ID
		}
	}
	for _, why := range []godwit.Held{godwit.HeldUnknownVersion, godwit.HeldUnservedQueue} {
		if held[why] > 0 {
			found = append(found, finding(Error, "tasks", "see what keeps one of them back", "job show "+example[why].String(), "%s held: %s",
				count(held[why], "ready job is", "ready jobs are"), heldWords[why]))
		}
	}
	return orOK(found, "tasks", "%s, none paused, none that nobody knows", count(len(o.tasks), "task", "tasks"))
}

var heldWords = map[godwit.Held]string{
	godwit.HeldUnknownVersion: "live workers know the task, but not the version of the arguments",
	godwit.HeldUnservedQueue:  "no live worker that knows the task serves the queue",
}

// serves reports whether some worker serves a queue; one that nobody serves is a finding of its own.
func (o *overview) serves(queue string) bool {
	for _, q := range o.queues {
		if q.Name == queue {
			return q.Workers > 0
		}
	}
	return false
}

// checkAges looks for queues whose workers do not keep up.
func checkAges(o *overview) []Finding {
	var found []Finding
	for _, q := range o.queues {
		free := q.Depth[godwit.StateReady] - q.Held
		age := o.Now.Sub(q.OldestReady)
		if q.Held == 0 && free > 0 && age > o.OldestReady {
			found = append(found, finding(Warning, "ages", "raise the queue's concurrency, or start another worker", "job list --state ready --queue "+q.Name,
				"in queue %s %s, the oldest for %s: its workers do not keep up", q.Name, count(free, "job is ready", "jobs are ready"), span(age)))
		}
	}
	return orOK(found, "ages", "no ready job is older than %s", span(o.OldestReady))
}

// checkOverdue looks for scheduled jobs whose time came and that nobody made ready.
func checkOverdue(o *overview) []Finding {
	n, oldest := 0, time.Duration(0)
	var example godwit.ID
	for _, j := range o.jobs[godwit.StateScheduled].newest {
		if late := o.Now.Sub(j.RunAt); late > o.Late {
			n++
			if late > oldest {
				oldest, example = late, j.ID
			}
		}
	}
	if n > 0 {
		return []Finding{finding(Error, "overdue", "start a worker: a started client makes jobs ready in their time", "job show "+example.String(),
			"%s due and not made ready, the oldest for %s: nobody advances the store", count(n, "scheduled job is", "scheduled jobs are"), span(oldest))}
	}
	return orOK(nil, "overdue", "%s", scanned(o, godwit.StateScheduled, "none overdue"))
}

// scanned says how many jobs were looked at.
func scanned(o *overview, state godwit.State, what string) string {
	j := o.jobs[state]
	if j.more {
		return fmt.Sprintf("of the newest %d %s jobs %s", len(j.newest), state, what)
	}
	return fmt.Sprintf("%s, %s", count(len(j.newest), string(state)+" job", string(state)+" jobs"), what)
}

// checkRuns looks for handlers that do not end.
func checkRuns(o *overview) []Finding {
	var found []Finding
	add := func(j *godwit.Job, mend, format string, args ...any) {
		found = append(found, finding(Warning, "runs", mend, "job show "+j.ID.String(), "job %s (%s) %s", j.ID, j.Task, fmt.Sprintf(format, args...)))
	}
	const ignores = "the handler ignores its context, and keeps its slot: mend it, and restart its worker"
	running := o.jobs[godwit.StateRunning].newest
	for i := range running {
		j := &running[i]
		took := o.Now.Sub(j.StartedAt)
		switch {
		case !j.CancelRequestedAt.IsZero() && o.Now.Sub(j.CancelRequestedAt) > o.Late:
			add(j, ignores, "was asked to stop %s ago and still runs", span(o.Now.Sub(j.CancelRequestedAt)))
		case j.Timeout > 0 && took > j.Timeout+o.Late:
			add(j, ignores, "runs for %s, and its timeout is %s", span(took), span(j.Timeout))
		case j.Timeout == 0 && took > o.LongRun:
			add(j, "if it does not end by itself, cancel it; give the task a timeout", "runs for %s, and has no timeout", span(took))
		}
		if len(found) == findingsMax {
			break
		}
	}
	return orOK(found, "runs", "%s", scanned(o, godwit.StateRunning, "none stuck"))
}

const findingsMax = 10 // of one check about single jobs

// checkCrashes looks for jobs under which workers die.
func checkCrashes(o *overview) []Finding {
	var found []Finding
	for _, state := range []godwit.State{godwit.StateRunning, godwit.StateReady, godwit.StateScheduled} {
		for _, j := range o.jobs[state].newest {
			if j.Crashes >= 2 && len(found) < findingsMax {
				found = append(found, finding(Warning, "crashes", "look into the log of its worker; cancel it if it takes workers down", "job show "+j.ID.String(),
					"workers died %d times under job %s (%s), which fails after %d", j.Crashes, j.ID, j.Task, j.MaxCrashes))
			}
		}
	}
	return orOK(found, "crashes", "no job that workers die under")
}

// checkFailures looks for tasks of which many jobs failed of late.
func checkFailures(o *overview) []Finding {
	const enough = 5 // failures of a task, below which a share says little
	failed, finished := map[string]int{}, map[string]int{}
	example := map[string]*godwit.Job{}
	var order []string
	for _, state := range []godwit.State{godwit.StateFailed, godwit.StateSucceeded} {
		list := o.jobs[state].newest
		for i := range list {
			j := &list[i]
			if o.Now.Sub(j.FinishedAt) > o.Recent {
				continue
			}
			finished[j.Task]++
			if state == godwit.StateFailed {
				if failed[j.Task]++; failed[j.Task] == 1 {
					example[j.Task] = j
					order = append(order, j.Task)
				}
			}
		}
	}
	var found []Finding
	for _, task := range order {
		share := float64(failed[task]) / float64(finished[task])
		if failed[task] < enough || share <= o.FailedShare {
			continue
		}
		j, why := example[task], ""
		if j.Failure != nil {
			why = ", the newest with: " + short(j.Failure.Message)
		}
		found = append(found, finding(Warning, "failures", "mend the cause, then retry them", "job list --state failed --task "+task,
			"%d of %d jobs of task %s that finished within %s failed (%.0f%%)%s", failed[task], finished[task], task, span(o.Recent), 100*share, why))
	}
	total := 0
	for _, n := range failed {
		total += n
	}
	return orOK(found, "failures", "%s within %s", count(total, "job failed", "jobs failed"), span(o.Recent))
}

// short cuts a message to a line.
func short(s string) string {
	const most = 120
	if r := []rune(s); len(r) > most {
		return string(r[:most]) + "…"
	}
	return s
}

// span gives a length of time as people read it.
func span(d time.Duration) string {
	switch {
	case d >= 48*time.Hour:
		return fmt.Sprintf("%d days", d/(24*time.Hour))
	case d >= 2*time.Hour:
		return fmt.Sprintf("%d hours", d/time.Hour)
	case d >= 2*time.Minute:
		return fmt.Sprintf("%d minutes", d/time.Minute)
	}
	return d.Round(time.Second).String()
}
