package crash

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"sync"
	"time"

	"github.com/godwit-go/godwit"
)

// Kind names what an [Event] tells of.
type Kind string

// The kinds of events. Those in -ing are written before the store is called, those in -ed after it has answered: what is
// between them has an unknown outcome.
const (
	Life       Kind = "life"       // the harness starts the program; Point is how it will end
	Submitting Kind = "submitting" // Job, Task, Args, Parent, Name, Key, Unique
	Submitted  Kind = "submitted"  // the same, with the Job that answered, Created, State, Code; Asked is the id submitted
	Claimed    Kind = "claimed"    // Job, Run, Session, Crashes
	Started    Kind = "started"    // the handler began: Job, Run
	Effect     Kind = "effect"     // the handler did its work: Job, Run, Value
	Settling   Kind = "settling"   // Job, Run, Outcome, Zombie
	Settled    Kind = "settled"    // the same, with Code and State
	Cancelled  Kind = "cancel"     // a cancel was answered: Job, Code, State
	Retrying   Kind = "retrying"   // somebody is about to retry the job by hand: Job
	Observed   Kind = "observed"   // a promise told its outcome: Job, State, Result or Code
	Restarted  Kind = "restarted"  // the program holds the file again and is about to work
)

// Event is one line of the log.
type Event struct {
	Kind Kind  `json:"kind"`
	At   int64 `json:"at"`   // wall clock, in microseconds; for figures only
	Life int   `json:"life"` // of the program, from 1

	Job     godwit.ID `json:"job,omitzero"`
	Asked   godwit.ID `json:"asked,omitzero"`
	Run     int64     `json:"run,omitempty"`
	Session godwit.ID `json:"session,omitzero"`
	Crashes int       `json:"crashes,omitempty"`

	Task   string    `json:"task,omitempty"`
	Args   string    `json:"args,omitempty"` // of type [Args]
	Parent godwit.ID `json:"parent,omitzero"`
	Name   string    `json:"name,omitempty"`   // of a child
	Key    string    `json:"key,omitempty"`    // idempotency key
	Unique string    `json:"unique,omitempty"` // unique key

	Created bool           `json:"created,omitempty"`
	Outcome godwit.Outcome `json:"outcome,omitempty"`
	Zombie  bool           `json:"zombie,omitempty"` // a write that is known to be late, or to be a repetition with another result
	Code    godwit.Code    `json:"code,omitempty"`
	State   godwit.State   `json:"state,omitempty"`
	Value   int64          `json:"value,omitempty"`
	Result  string         `json:"result,omitempty"` // of type [Result]
	Point   string         `json:"point,omitempty"`
}

// Args are the arguments of every job: what it is to do, and what must come of it.
type Args struct {
	N     int64  `json:"n"`
	Want  int64  `json:"want"`            // the value, if it succeeds
	May   string `json:"may"`             // the states it may end in, separated by commas
	Depth int    `json:"depth,omitempty"` // generations of children below it
	Mend  bool   `json:"mend,omitempty"`  // given by a retry by hand: now it succeeds
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
}

// Log appends events to a file, each with one write: a killed program leaves whole lines, but for the last one.
type Log struct {
	life int
	mu   sync.Mutex // one line at a time
	file *os.File
	tell io.Writer // learns the kind of each line after it was written
}

// OpenLog opens a log for one life of the program, when nobody else writes to it. tell, if not nil, is written a line with each event's
// kind. A last line that was cut off by a kill is dropped: nobody acted on it.
func OpenLog(path string, life int, tell io.Writer) (*Log, error) {
	f, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_RDWR, 0o644)
	if err != nil {
		return nil, fmt.Errorf("open log: %w", err)
	}
	if err := dropCutLine(f); err != nil {
		_ = f.Close() // the first error is the one to tell
		return nil, fmt.Errorf("open log: %w", err)
	}
	return &Log{life: life, file: f, tell: tell}, nil
}

func dropCutLine(f *os.File) error {
	info, err := f.Stat()
	if err != nil {
		return err
	}
	const longest = 1 << 20
	from := max(info.Size()-longest, 0)
	end := make([]byte, info.Size()-from)
	if _, err := f.ReadAt(end, from); err != nil && !errors.Is(err, io.EOF) {
		return err
	}
	return f.Truncate(from + int64(bytes.LastIndexByte(end, '\n')+1))
}

// Write appends events. It returns when they are in the file.
func (l *Log) Write(events ...Event) error {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, e := range events {
		e.At, e.Life = time.Now().UnixMicro(), l.life
		line, err := json.Marshal(e)
		if err == nil {
			_, err = l.file.Write(append(line, '\n'))
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

// ReadLog reads the events of a log from an offset on; from within a line, it begins with the next one.
func ReadLog(path string, from int64) (events []Event, err error) {
	f, err := os.Open(path)
	if err != nil {
		return nil, fmt.Errorf("read log: %w", err)
	}
	defer f.Close() //nolint:errcheck // only read
	from = max(from, 0)
	if _, err := f.Seek(from, io.SeekStart); err != nil {
		return nil, fmt.Errorf("read log: %w", err)
	}
	lines := bufio.NewReader(f)
	if from > 0 {
		if _, err := lines.ReadString('\n'); err != nil && !errors.Is(err, io.EOF) {
			return nil, fmt.Errorf("read log: %w", err)
		}
	}
	for n := 1; ; n++ {
		line, err := lines.ReadString('\n')
		if errors.Is(err, io.EOF) && strings.TrimSpace(line) == "" {
			return events, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read log: line %d: %w", n, err)
		}
		var e Event
		if err := json.Unmarshal([]byte(line), &e); err != nil {
			return nil, fmt.Errorf("read log: line %d: %w", n, err)
		}
		events = append(events, e)
	}
}
