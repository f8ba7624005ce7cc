package postgres

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"slices"
	"time"

	"github.com/godwit-go/godwit"
)

const (
	newsMax      = 7500 // bytes of a notification, of which PostgreSQL takes 7999
	newsSucceeds = 32   // of jobs that succeeded, as many are named; of more it is told that there are some
)

// news is what one notification carries: what changed, as far as it may wake somebody in another process.
type news struct {
	From    string    `json:"from,omitempty"` // the store that tells, which leaves out its own; empty: it is for all
	Echo    string    `json:"echo,omitempty"` // of a store that looks whether it hears
	Any     bool      `json:"any,omitempty"`
	Queues  []string  `json:"queues,omitempty"`
	RunAt   int64     `json:"run_at,omitempty"`
	Settled bool      `json:"settled,omitempty"`
	Jobs    []jobNews `json:"jobs,omitempty"`

	succeeds int // how many of Jobs succeeded
}

// jobNews is the news of one job.
type jobNews struct {
	Kind   godwit.EventKind `json:"kind"`
	ID     godwit.ID        `json:"id"`
	Run    int64            `json:"run,omitempty"`
	Code   godwit.Code      `json:"code,omitempty"`
	Reason string           `json:"reason,omitempty"`
}

// channelOf names the channel of a schema. A name of a fixed length always fits.
func channelOf(schema string) string {
	h := fnv.New64a()
	_, _ = h.Write([]byte(schema)) // it never fails
	return fmt.Sprintf("godwit_%016x", h.Sum64())
}

// add merges events into the news.
func (n *news) add(events []godwit.Event) {
	for i := range events {
		e := &events[i]
		switch {
		case n.Any:
			return
		case e.Kind == godwit.EventQueueResumed, e.Kind == godwit.EventTaskResumed:
			n.giveUp()
		case e.Kind == godwit.EventSucceeded && n.succeeds == newsSucceeds:
			n.Settled = true
		case e.Kind == godwit.EventSucceeded, e.Kind == godwit.EventFailed, e.Kind == godwit.EventCancelled, e.Kind == godwit.EventCancelRequested:
			n.addJob(jobNews{e.Kind, e.Job, e.Run, e.Code, e.Reason})
		case e.State == godwit.StateReady:
			n.addQueue(e.Queue)
		case e.State == godwit.StateScheduled && !e.RunAt.IsZero():
			n.addRunAt(micros(e.RunAt))
		}
	}
}

func (n *news) addJob(j jobNews) {
	if j.Kind == godwit.EventSucceeded {
		n.succeeds++
	}
	n.Jobs = append(n.Jobs, j)
	if len(n.Jobs) > newsMax/50 { // none is so short that more would fit
		n.giveUp()
	}
}

func (n *news) addQueue(name string) {
	if !slices.Contains(n.Queues, name) {
		n.Queues = append(n.Queues, name)
	}
	if len(n.Queues) > newsMax/4 {
		n.giveUp()
	}
}

func (n *news) addRunAt(us int64) {
	if n.RunAt == 0 || us < n.RunAt {
		n.RunAt = us
	}
}

// giveUp says that anything may have changed, which is always short.
func (n *news) giveUp() { *n = news{From: n.From, Echo: n.Echo, Any: true} }

// empty reports whether there is nothing to tell.
func (n *news) empty() bool {
	return n.Echo == "" && !n.Any && !n.Settled && n.RunAt == 0 && len(n.Queues) == 0 && len(n.Jobs) == 0
}

// payload gives the text of the notification.
func (n news) payload() string {
	text, err := json.Marshal(n)
	if err != nil || len(text) > newsMax {
		n.giveUp()
		text, _ = json.Marshal(n) // short names and a bool cannot fail
	}
	return string(text)
}

// hint makes of news what the runtime is told at that store time.
func (n *news) hint(at time.Time) godwit.Hint {
	h := godwit.Hint{Any: n.Any, Queues: n.Queues, RunAt: fromMicros(n.RunAt), Settled: n.Settled}
	for _, j := range n.Jobs {
		h.Jobs = append(h.Jobs, godwit.Event{
			Kind: j.Kind, At: at, Job: j.ID, State: stateAfter[j.Kind], Run: j.Run, Code: j.Code, Reason: j.Reason,
		})
	}
	return h
}

var stateAfter = map[godwit.EventKind]godwit.State{
	godwit.EventSucceeded: godwit.StateSucceeded, godwit.EventFailed: godwit.StateFailed, godwit.EventCancelled: godwit.StateCancelled,
	godwit.EventCancelRequested: godwit.StateRunning,
}

// notification is the statement that tells. What it tells is a hint: its transaction, which holds up other notifying ones while it
// commits, does not wait for the disk.
func (s *Store) notification(n news) stmt {
	return do("SELECT set_config('synchronous_commit', 'off', true), pg_notify($1, $2)", s.channel, n.payload())
}
