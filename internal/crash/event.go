package crash

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"sync"
	"time"

	"github.com/godwit-go/godwit"
)

// Kind names what an [Event] tells of.
type Kind string

// The kinds of events. Those in -ing are written before a call, those in -ed after its answer: what is between them has an
// unknown outcome. The harness writes what it asks of the program and what it is told; the program what its store and its handlers
// did.
const (
	Life       Kind = "life"       // the harness saw a life of the program end; Point is how, Round what for
	Fault      Kind = "fault"      // the harness did something to a cluster: Point is what; Life, if one process alone was stopped by it
	Restarted  Kind = "restarted"  // the program has a session and is about to work
	Submitting Kind = "submitting" // Asked, Task, Args, Delay, Parent, Name, Key, Unique
	Submitted  Kind = "submitted"  // the same, with the Job that answered, Created, State, Code
	Cut        Kind = "cut"        // a call was cut off: Asked of a submission, otherwise Job
	Claimed    Kind = "claimed"    // Job, Run, Session, Crashes, Task, Queue; and when the store was asked: Begun
	Started    Kind = "started"    // the handler began: Job, Run
	Emitted    Kind = "emitted"    // the handler emitted an item, the only one of its run: Job, Run
	Effect     Kind = "effect"     // the handler did its work: Job, Run, Value
	Settling   Kind = "settling"   // Job, Run, Session, Outcome, Delay, Zombie
	Settled    Kind = "settled"    // the same, with Code and State
	Rescued    Kind = "rescued"    // a session was ended because its lease was over: Session
	Cancelled  Kind = "cancel"     // a cancel was answered: Job, Code; and how the job stood afterwards: State, Run
	Retrying   Kind = "retrying"   // somebody is about to retry the job by hand: Job, and the Run that he saw fail
	Hastening  Kind = "hastening"  // somebody is about to let the job run before its time: Job, its Run, when it was due as Value in microseconds, and when it was asked for that: Begun
	Paused     Kind = "paused"     // a pause was acknowledged: of the task or the queue that Name is
	Resuming   Kind = "resuming"   // somebody is about to resume it: Name
	Moving     Kind = "moving"     // somebody is about to reschedule the job, to the time Value in microseconds: Job
	Moved      Kind = "moved"      // the same was acknowledged
	Deleted    Kind = "deleted"    // a delete was acknowledged: Job
	Gone       Kind = "gone"       // the job was read when it was to be gone: Job, and the Code of the answer; none: it is still there
	Observed   Kind = "observed"   // a promise told its outcome: Job, State, Result or Code; and the job its Run
)

// Event is one line of the log.
type Event struct {
	Kind Kind  `json:"kind"`
	At   int64 `json:"at"`   // wall clock, in microseconds
	Life int   `json:"life"` // of the program, from 1; 0: the harness

	Job     godwit.ID `json:"job,omitzero"`
	Asked   godwit.ID `json:"asked,omitzero"`
	Run     int64     `json:"run,omitempty"`
	Session godwit.ID `json:"session,omitzero"`
	Crashes int       `json:"crashes,omitempty"`

	Task   string    `json:"task,omitempty"`
	Queue  string    `json:"queue,omitempty"`
	Begun  int64     `json:"begun,omitempty"` // wall clock, in microseconds
	Args   string    `json:"args,omitempty"`  // of type [Args]
	Parent godwit.ID `json:"parent,omitzero"`
	Name   string    `json:"name,omitempty"`   // of a child
	Key    string    `json:"key,omitempty"`    // idempotency key
	Unique string    `json:"unique,omitempty"` // unique key

	Delay   time.Duration  `json:"delay,omitempty"`
	Created bool           `json:"created,omitempty"`
	Outcome godwit.Outcome `json:"outcome,omitempty"`
	Zombie  bool           `json:"zombie,omitempty"` // a write that is known to be late, or to be a repetition with another result
	Code    godwit.Code    `json:"code,omitempty"`
	State   godwit.State   `json:"state,omitempty"`
	Value   int64          `json:"value,omitempty"`
	Result  string         `json:"result,omitempty"` // of type [Result]
	Point   string         `json:"point,omitempty"`
	Round   string         `json:"round,omitempty"`
}

// Args are the arguments of every job: what it is to do, and what must come of it.
type Args struct {
	N     int64  `json:"n"`
	Want  int64  `json:"want"`            // the value, if it succeeds
	May   string `json:"may"`             // the states it may end in, separated by commas
	Depth int    `json:"depth,omitempty"` // generations of children below it
	Mend  bool   `json:"mend,omitempty"`  // given by a retry by hand: now it succeeds

	Keep time.Duration `json:"keep,omitempty"` // for which it is kept once it has succeeded; 0: longer than the rounds last
}

// Result is the result of every job. It names the run that made it, so that it shows whose it is.
type Result struct {
	Value int64 `json:"value"`
	Run   int64 `json:"run"`
}

// Final is how the database has a job in the end.
type Final struct {
	Code     godwit.Code // of a job that is not there
	Job      godwit.Job
	Attempts []godwit.Attempt
	Items    []godwit.Item
}

// Log appends events to a file that several processes write to, each with one write. Each line begins with its line feed: one that
// was cut off by a kill ends where the next one begins.
type Log struct {
	life int
	file *os.File
	tell io.Writer  // learns the kind of each line after it was written
	mu   sync.Mutex // one line at a time, to tell in order
}

// OpenLog opens a log for one life of the program, or, as life 0, for the harness. tell, if not nil, is written a line with
// each event's kind.
func OpenLog(path string, life int, tell io.Writer) (*Log, error) {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	return &Log{life: life, file: f, tell: tell}, nil
}

// Write appends events. It returns when they are in the file.
func (l *Log) Write(events ...Event) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range events {
		e.At = time.Now().UnixMicro()
		if l.life > 0 {
			e.Life = l.life
		}
		line, err := json.Marshal(e)
		if err == nil {
			_, err = l.file.Write(append([]byte{'\n'}, line...))
		}
		if err != nil {
			return fmt.Errorf("write log: %w", err)
		}
		if l.tell != nil {
			fmt.Fprintln(l.tell, e.Kind)
		}
	}
	return nil
}

// Close closes the file.
func (l *Log) Close() error { return l.file.Close() }

// ReadLog reads the events of a log, and counts the lines that were cut off: nobody acted on those.
func ReadLog(path string) (events []Event, cut int, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, 0, fmt.Errorf("read log: %w", err)
	}
	defer f.Close() //nolint:errcheck // only read
	return readEvents(f)
}

// ReadTail reads the events of whole lines within the last n bytes of a log; none, when there is no log yet.
func ReadTail(path string, n int64) ([]Event, error) {
	f, err := os.Open(path)
	if os.IsNotExist(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read log: %w", err)
	}
	defer f.Close() //nolint:errcheck // only read
	info, err := f.Stat()
	if err != nil {
		return nil, fmt.Errorf("read log: %w", err)
	}
	events, _, err := readEvents(io.NewSectionReader(f, max(0, info.Size()-n), n))
	return events, err
}

func readEvents(r io.Reader) (events []Event, cut int, err error) {
	lines := bufio.NewReader(r)
	for !errors.Is(err, io.EOF) {
		var line []byte
		line, err = lines.ReadBytes('\n')
		if err != nil && !errors.Is(err, io.EOF) {
			return nil, 0, fmt.Errorf("read log: %w", err)
		}
		var e Event
		switch line = bytes.TrimSpace(line); {
		case len(line) == 0:
		case json.Unmarshal(line, &e) == nil:
			events = append(events, e)
		default:
			cut++
		}
	}
	return events, cut, nil
}
