//go:build unix

package crash_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/httpclient"
	"github.com/godwit-go/godwit/internal/crash"
	"github.com/godwit-go/godwit/internal/crash/victim"
)

const (
	submitters = 3
	openMax    = 60              // jobs that the submitters wait for
	openFor    = 3 * time.Second // after which one that waits by design is no longer waited for, but by its observer
)

// driver is the users of the servers. It outlives all of them: a call that is cut off is made again, of whatever server
// answers next.
type driver struct {
	c     *cluster
	kinds map[string]*victim.Kind
	names []string      // of the kinds that are submitted here
	open  chan struct{} // holds a value for each job that is waited for
	stop  chan struct{} // closed when no more is to be submitted
	work  sync.WaitGroup
}

func drive(ctx context.Context, c *cluster) *driver {
	d := &driver{c: c, kinds: map[string]*victim.Kind{}, open: make(chan struct{}, openMax), stop: make(chan struct{})}
	for _, k := range victim.Kinds() {
		d.kinds[k.Name] = k
		if k.Name != "crash.child" && (len(c.only) == 0 || slices.Contains(c.only, k.Name)) {
			d.names = append(d.names, k.Name)
		}
	}
	for range submitters {
		d.work.Go(func() { d.submit(ctx) })
	}
	d.keepPausing(ctx)
	return d
}

// fail tells of an answer that should not have come. The end of the test is no such answer.
func (d *driver) fail(ctx context.Context, doing string, err error) {
	if ctx.Err() == nil {
		d.c.complain("%s: %v", doing, err)
	}
}

// insist makes a call until it is answered. cut is what to tell of one that was cut off.
func (d *driver) insist(ctx context.Context, cut crash.Event, call func(c *httpclient.Client) error) error {
	for {
		s, err := d.c.any(ctx)
		if err != nil {
			return err
		}
		err = call(s.client)
		switch {
		case errors.Is(err, godwit.ErrOutcomeUnknown):
			cut.Kind = crash.Cut
			d.c.write(cut)
		case !errors.Is(err, godwit.ErrUnavailable) && !errors.Is(err, godwit.ErrClosed):
			return err
		}
		select { // mostly it is about to end
		case <-s.ended:
		case <-time.After(20 * time.Millisecond):
		case <-ctx.Done():
			return context.Cause(ctx)
		}
	}
}

// submit submits until it is to stop.
func (d *driver) submit(ctx context.Context) {
	for {
		select {
		case d.open <- struct{}{}:
		case <-d.stop:
			return
		case <-ctx.Done():
			return
		}
		d.submitOnce(ctx)
		<-d.open
	}
}

func (d *driver) submitOnce(ctx context.Context) {
	k := d.kinds[d.names[d.c.draw(len(d.names))]]
	n := int64(d.c.draw(1000))
	if k.Name == "crash.keyed" {
		n = int64(d.c.draw(300)) // so that many meet one of before
	}
	jobs := []godwit.Submission{k.Submission(n, godwit.NewID())}
	for range d.c.draw(2) * d.c.draw(5) * d.c.draw(2) { // now and then a batch
		jobs = append(jobs, d.kinds["crash.plain"].Submission(int64(d.c.draw(1000)), godwit.NewID()))
	}
	answers := d.send(ctx, jobs)
	if len(answers) > 0 && d.c.draw(5) == 0 {
		answers = d.send(ctx, jobs) // as if the answer had been lost
	}
	for _, a := range answers {
		observed := make(chan struct{})
		d.work.Go(func() {
			defer close(observed)
			if a.ID == jobs[0].Options.ID && k.After == victim.Watch {
				d.watch(ctx, a.ID)
			} else {
				d.observe(ctx, a.ID)
			}
			if a.ID == jobs[0].Options.ID && k.After == victim.Delete {
				d.remove(ctx, a.ID)
			}
		})
		d.work.Go(func() { d.holdOpen(ctx, observed) })
	}
	if len(answers) == 0 {
		return
	}
	id := answers[0].ID
	switch k.After {
	case victim.CancelNow:
		d.work.Go(func() { d.cancel(ctx, id) })
	case victim.CancelSoon:
		d.work.Go(func() {
			pause(ctx, time.Duration(d.c.draw(int(30*time.Millisecond))))
			d.cancel(ctx, id)
		})
	case victim.Mend:
		d.work.Go(func() { d.mend(ctx, id) })
	case victim.Move:
		d.work.Go(func() { d.move(ctx, id) })
	}
}

// holdOpen keeps the submitters from running ahead of the servers.
func (d *driver) holdOpen(ctx context.Context, observed <-chan struct{}) {
	select {
	case d.open <- struct{}{}:
	case <-d.stop:
		return
	case <-ctx.Done():
		return
	}
	select {
	case <-observed:
	case <-time.After(openFor):
	case <-ctx.Done():
	}
	<-d.open
}

// send submits, and tells before each try and after the answer. A deadline that passed before the store came to the call is
// refused, as documented: there are no answers then.
func (d *driver) send(ctx context.Context, jobs []godwit.Submission) []godwit.SubmitAnswer {
	events := make([]crash.Event, 0, len(jobs))
	for _, j := range jobs {
		events = append(events, crash.Event{
			Asked: j.Options.ID, Task: j.Task, Args: string(j.Args.Data), Delay: j.Options.Delay, Key: j.Options.IdempotencyKey,
			Unique: j.Options.Unique.Key,
		})
	}
	var answers []godwit.SubmitAnswer
	err := d.insist(ctx, crash.Event{Asked: events[0].Asked}, func(c *httpclient.Client) (err error) {
		for _, e := range events {
			e.Kind = crash.Submitting
			d.c.write(e)
		}
		answers, err = c.SubmitAll(ctx, jobs)
		return err
	})
	var refused *godwit.Error
	if errors.As(err, &refused) && (refused.Field == "deadline" || errors.Is(err, godwit.ErrExpired)) {
		return nil // too late, or for the second time when what is kept for a short time has come and gone
	}
	if err != nil {
		d.fail(ctx, "submit", err)
		return nil
	}
	for i, a := range answers {
		e := events[i]
		e.Kind, e.Job, e.Created, e.State, e.Code = crash.Submitted, a.ID, a.Created, a.State, a.Code
		d.c.write(e)
	}
	return answers
}

// outcome waits for the end of a job.
func (d *driver) outcome(ctx context.Context, id godwit.ID) (o godwit.OutcomeAnswer, err error) {
	err = d.insist(ctx, crash.Event{Job: id}, func(c *httpclient.Client) error {
		answers, err := c.AwaitOutcomes(ctx, []godwit.ID{id})
		if err == nil {
			o = answers[0]
		}
		return err
	})
	if err == nil && o.Code != "" {
		err = fmt.Errorf("it answers %s", o.Code)
	}
	return o, err
}

func (d *driver) get(ctx context.Context, id godwit.ID) (job godwit.Job, err error) {
	err = d.insist(ctx, crash.Event{Job: id}, func(c *httpclient.Client) error {
		job, err = c.Get(ctx, id)
		return err
	})
	return job, err
}

// observe tells what the promise of a job told, and what a second reading told.
func (d *driver) observe(ctx context.Context, id godwit.ID) {
	o, err := d.outcome(ctx, id)
	if err != nil {
		d.fail(ctx, fmt.Sprintf("await job %s, which was acknowledged", id), err)
		return
	}
	job, err := d.get(ctx, id)
	if err != nil {
		d.fail(ctx, fmt.Sprintf("read job %s, which was acknowledged", id), err)
		return
	}
	for _, e := range []crash.Event{
		{State: o.State, Result: string(o.Result.Data), Code: codeOf(o.Failure)},
		{State: job.State, Result: string(job.Result.Data), Code: codeOf(job.Failure)},
	} {
		e.Kind, e.Job, e.Run = crash.Observed, id, job.Run
		d.c.write(e)
	}
}

func codeOf(f *godwit.Failure) godwit.Code {
	if f == nil {
		return ""
	}
	return f.Code
}

// finish submits nothing more, and works off what is there without waiting for times to come.
func (d *driver) finish(ctx context.Context) {
	close(d.stop)
	done := make(chan struct{})
	go func() {
		d.work.Wait()
		close(done)
	}()
	for ended := false; ; {
		left := 0
		for _, state := range []godwit.State{godwit.StateScheduled, godwit.StateReady, godwit.StateRunning, godwit.StateWaiting} {
			var page godwit.ListAnswer
			begun := time.Now()
			err := d.insist(ctx, crash.Event{}, func(c *httpclient.Client) (err error) {
				page, err = c.List(ctx, godwit.ListFilter{State: state, Limit: godwit.PageMax})
				return err
			})
			if err != nil {
				d.c.t.Fatalf("finish: %v", err)
			}
			left += len(page.Jobs)
			if state == godwit.StateScheduled {
				d.hasten(ctx, page.Jobs, begun)
			}
		}
		if ended && left == 0 { // and nobody is left who could submit
			return
		}
		select {
		case <-done:
			ended = true
		case <-time.After(20 * time.Millisecond):
		}
	}
}

func (d *driver) hasten(ctx context.Context, jobs []godwit.Job, read time.Time) {
	for _, job := range jobs {
		d.c.write(crash.Event{Kind: crash.Hastening, Job: job.ID, Run: job.Run, Value: job.RunAt.UnixMicro(), Begun: read.UnixMicro()})
		err := d.insist(ctx, crash.Event{Job: job.ID}, func(c *httpclient.Client) error { return c.RunNow(ctx, job.ID) })
		if err != nil && !errors.Is(err, godwit.ErrWrongState) && !errors.Is(err, godwit.ErrExpired) { // it came due, and may be over by now
			d.fail(ctx, "run now", err)
		}
	}
}
