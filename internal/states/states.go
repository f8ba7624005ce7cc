// Package states holds the transition table of a job: for each operation and state, under which condition, what is answered
// and what changes. The stores decide by it, the tests enumerate it, docs/states.md is written from it.
package states

import (
	_ "embed"
	"fmt"
	"strings"

	"github.com/godwit-go/godwit"
)

//go:embed states.tsv
var source string

// Place is a state as the table has it: those of [godwit.State] and three more.
type Place string

// Places besides the states that a user sees.
const (
	None   Place = "none"   // never seen, or forgotten
	Pruned Place = "pruned" // answers expired
	Held   Place = "held"   // ready, but kept out of the claim path
)

// Same in a row's To means that the place does not change.
const Same Place = "="

// Cond is a set of conditions that hold, a bit each.
type Cond uint32

// The conditions of the table.
const (
	SessionEnded    Cond = 1 << iota // the token's session is not live
	OtherRun                         // the run named is not the job's newest
	CancelRequested                  // the running job was asked to stop
	AttemptsUsed                     // Attempt >= MaxAttempts
	CrashesUsed                      // Crashes+1 >= MaxCrashes
	Deadline                         // the job's next start (now + delay) is not before its deadline
	Delayed                          // the new RunAt is after now
	Cycle                            // a job to be awaited is the job itself or an ancestor
	UnknownPromise                   // a job to be awaited is not there
	Satisfied                        // what is to be awaited has settled
	Repeated                         // the report, or a later one of the run, was recorded before
	Limit                            // the report goes over the bound on log lines or items
	UniqueHeld                       // another job holds the unique key
	Pinned                           // the parent exists and has not succeeded
	Kept                             // KeepUntil has not come
	Due                              // RunAt has come
	Pending                          // something awaited has not settled yet
	Unheld                           // no session holds the waiting job
)

var condNames = map[string]Cond{
	"session_ended": SessionEnded, "other_run": OtherRun, "cancel_requested": CancelRequested,
	"attempts_used": AttemptsUsed, "crashes_used": CrashesUsed, "deadline": Deadline, "delayed": Delayed,
	"cycle": Cycle, "unknown_promise": UnknownPromise, "satisfied": Satisfied, "repeated": Repeated, "limit": Limit,
	"unique_held": UniqueHeld, "pinned": Pinned, "kept": Kept, "due": Due, "pending": Pending, "unheld": Unheld,
}

// Op names an operation of the table.
type Op string

// The operations of the table.
const (
	OpClaim        Op = "claim"
	OpSucceed      Op = "succeed"
	OpFail         Op = "fail"
	OpReject       Op = "reject"
	OpRetry        Op = "retry"
	OpSnooze       Op = "snooze"
	OpRelease      Op = "release"
	OpPark         Op = "park"
	OpResume       Op = "resume"
	OpReport       Op = "report"
	OpCancel       Op = "cancel"
	OpRetryByHand  Op = "retry_by_hand"
	OpReschedule   Op = "reschedule"
	OpDelete       Op = "delete"
	OpComeDue      Op = "come_due"
	OpPassDeadline Op = "pass_deadline"
	OpCascade      Op = "cascade"
	OpWake         Op = "wake"
	OpRescue       Op = "rescue"
	OpEndSession   Op = "end_session"
	OpPrune        Op = "prune"
)

// Count says what happens to a counter.
type Count int8

// What happens to a counter.
const (
	Keep  Count = 0
	Plus  Count = 1
	Minus Count = -1
	Zero  Count = 2
)

// Apply gives the counter's next value.
func (c Count) Apply(n int) int {
	if c == Zero {
		return 0
	}
	return n + int(c)
}

// Row is one cell of the table: what an operation does to a job in a state when the conditions hold.
type Row struct {
	Index int // of the row among [Table]
	Op    Op
	From  Place
	When  Cond // all of these hold; zero: always
	Code  godwit.Code
	To    Place // Same: unchanged

	Run, Attempt, Crashes, Releases, Retries Count

	Record string           // outcome of the attempt record left; empty: none
	Event  godwit.EventKind // empty: none
}

// Changes reports whether the row changes anything of the job.
func (r *Row) Changes() bool { return r.Event != "" || r.Record != "" || r.To != Same }

// Name gives "op/from/condition".
func (r *Row) Name() string {
	return fmt.Sprintf("%s/%s/%s", r.Op, r.From, r.When)
}

// String names the conditions, joined by "&"; "-" when there are none.
func (c Cond) String() string {
	var names []string
	for bit := Cond(1); bit <= Unheld; bit <<= 1 {
		if c&bit == 0 {
			continue
		}
		for name, b := range condNames {
			if b == bit {
				names = append(names, name)
			}
		}
	}
	if len(names) == 0 {
		return "-"
	}
	return strings.Join(names, "&")
}

type cell struct {
	op   Op
	from Place
}

var (
	table []Row
	cells = map[cell][]*Row{}
)

func init() {
	rows, err := parse(source)
	if err != nil {
		panic(err) // the table is part of the program
	}
	table = rows
	for i := range table {
		r := &table[i]
		k := cell{r.Op, r.From}
		cells[k] = append(cells[k], r)
	}
}

// Table lists every row, one for each from-state. The rows are shared and read-only.
func Table() []Row { return table }

// Decide finds the row for an operation on a job at a place under the conditions that hold. It panics when the table has none,
// which a test excludes.
func Decide(op Op, from Place, holds Cond) *Row {
	for _, r := range cells[cell{op, from}] {
		if r.When&^holds == 0 {
			return r
		}
	}
	panic(fmt.Sprintf("states: no row for %s on %s when %s", op, from, holds))
}

// OpOf gives the operation of the table for a run's outcome; ok is false for an outcome that is none.
func OpOf(o godwit.Outcome) (op Op, ok bool) {
	switch o {
	case godwit.OutcomeSucceed, godwit.OutcomeFail, godwit.OutcomeReject, godwit.OutcomeRetry, godwit.OutcomeSnooze,
		godwit.OutcomeRelease:
		return Op(o), true
	}
	return "", false
}

// FailureKept gives the failure that a job keeps after a row: own, the failure of the run itself, unless the row cancels the job or its
// deadline overtook it.
func FailureKept(r *Row, own *godwit.Failure, cancelReason string) *godwit.Failure {
	switch {
	case r.To == Place(godwit.StateCancelled):
		return godwit.CancelledFailure(cancelReason)
	case r.When == Deadline:
		return godwit.DeadlineFailure(own)
	}
	return own
}

func parse(text string) ([]Row, error) {
	var rows []Row
	for n, line := range strings.Split(text, "\n") {
		if line == "" || strings.HasPrefix(line, "#") {
			continue
		}
		f := strings.Split(line, "\t")
		if len(f) != 12 {
			return nil, fmt.Errorf("states.tsv:%d: %d columns, want 12", n+1, len(f))
		}
		r := Row{Op: Op(f[0]), Code: godwit.Code(dash(f[3])), To: Place(f[4]), Record: dash(f[10])}
		r.Event = godwit.EventKind(dash(f[11]))
		if f[2] != "-" {
			for name := range strings.SplitSeq(f[2], "&") {
				bit, ok := condNames[name]
				if !ok {
					return nil, fmt.Errorf("states.tsv:%d: unknown condition %q", n+1, name)
				}
				r.When |= bit
			}
		}
		for i, c := range []*Count{&r.Run, &r.Attempt, &r.Crashes, &r.Releases, &r.Retries} {
			v, ok := map[string]Count{"=": Keep, "+1": Plus, "-1": Minus, "0": Zero}[f[5+i]]
			if !ok {
				return nil, fmt.Errorf("states.tsv:%d: unknown counter change %q", n+1, f[5+i])
			}
			*c = v
		}
		for from := range strings.SplitSeq(f[1], ",") {
			r.From, r.Index = Place(from), len(rows)
			rows = append(rows, r)
		}
	}
	return rows, nil
}

func dash(s string) string {
	if s == "-" {
		return ""
	}
	return s
}
