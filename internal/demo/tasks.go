package demo

import (
	"context"
	"errors"
	"hash/fnv"
	"time"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/demodata"
)

// ReportArgs is what the parent is asked for. Where the report is written to is no part of it: that is the process's matter, so that a
// start with another path goes on with the same work.
type ReportArgs struct {
	Ledger string        `json:"ledger"` // file that the children append to, the same however often the demo is started
	Pace   time.Duration `json:"pace"`   // extra time a child takes, so that there is something to see and to kill
}

func (a ReportArgs) ledger() *Ledger { return OpenLedger(a.Ledger) }

// MonthArgs is what a child is asked for.
type MonthArgs struct {
	Part   demodata.Part `json:"part"`
	Report ReportArgs    `json:"report"`
}

// Months is how many parts the data has, and how many children a report.
const Months = 96

// The tasks of the demo.
var (
	WeatherReport = godwit.NewTask[ReportArgs, Report]("weather.report", godwit.Policy{Timeout: time.Hour})
	WeatherMonth  = godwit.NewTask[MonthArgs, Month]("weather.month", godwit.Policy{
		MaxAttempts: 5,
		Backoff:     godwit.Backoff{Base: 500 * time.Millisecond},
	})
)

// errStation is the failure that some children meet at their first attempt.
var errStation = errors.New("the weather station did not answer (an error made up by the demo: every fifth month fails once)")

// Workload has the handlers.
type Workload struct {
	Client *godwit.Client
	Path   string // of the file that a report is written to
}

// Handle registers the handlers.
func (w *Workload) Handle() {
	godwit.Handle(w.Client, WeatherReport, w.report)
	godwit.Handle(w.Client, WeatherMonth, w.month)
}

// report fans out a child for each part, awaits them all and writes the file. When it runs again after a crash it meets the
// children it made before, and the file it writes is the same.
func (w *Workload) report(ctx context.Context, args ReportArgs) (Report, error) {
	parts, err := demodata.Parts()
	if err != nil {
		return Report{}, godwit.Permanent(err)
	}
	children := make([]godwit.Submission, 0, len(parts))
	for _, part := range parts {
		children = append(children, WeatherMonth.Job(MonthArgs{part, args}, godwit.SubmitOptions{Name: part.String()}))
	}
	answers, err := w.Client.SubmitAll(ctx, children) // all of them or none, in one commit
	if err != nil {
		return Report{}, err
	}
	promises := make([]*godwit.Promise[Month], 0, len(parts))
	for _, a := range answers {
		promises = append(promises, godwit.PromiseOf[Month](w.Client, a.ID))
	}
	months, err := godwit.AwaitAll(ctx, promises...)
	if err != nil {
		return Report{}, err
	}
	years := byYear(months)
	if err := write(w.Path, years); err != nil {
		if CheckPath(w.Path) != nil { // trying again does not mend it, as it may a full disk
			err = godwit.Permanent(err)
		}
		return Report{}, err
	}
	return Report{Parts: len(months), Years: years, Path: w.Path}, nil
}

// month computes the statistics of one part.
func (w *Workload) month(ctx context.Context, args MonthArgs) (Month, error) {
	info := godwit.Info(ctx)
	if info.Attempt == 1 && unlucky(args.Part) {
		return Month{}, errStation
	}
	select {
	case <-time.After(args.Report.Pace):
	case <-ctx.Done():
		return Month{}, context.Cause(ctx)
	}
	stats, err := Summarise(demodata.Rows(args.Part))
	if err != nil {
		return Month{}, godwit.Permanent(err)
	}
	if err := args.Report.ledger().Note(info.ID, info.Run, args.Part.String()); err != nil {
		return Month{}, err
	}
	return Month{args.Part, stats}, nil
}

// unlucky picks about every fifth part, always the same ones.
func unlucky(p demodata.Part) bool {
	h := fnv.New32a()
	h.Write([]byte(p.String()))
	return h.Sum32()%5 == 0
}

// Submit submits the report, or meets the one that is not finished yet.
func Submit(ctx context.Context, c *godwit.Client, args ReportArgs) (*godwit.Promise[Report], error) {
	return WeatherReport.Submit(ctx, c, args, godwit.SubmitOptions{Unique: godwit.Unique{Key: "the report"}})
}
