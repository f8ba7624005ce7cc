package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/demo"
)

const (
	barWidth = 40
	barEvery = 200 * time.Millisecond
)

// bar draws progress: over itself on a terminal, a line each tenth elsewhere.
type bar struct {
	out    io.Writer
	live   bool
	up     string // when live: back to the bar from the line below it, where the cursor stays for whatever ends the process
	tenth  int    // the last one printed, when not live
	failed int    // the attempt at the report whose failure was printed last
	killAt int    // months done at which the process kills itself; 0: never
}

func newBar(out io.Writer, killAt int) *bar {
	return &bar{out: out, live: isTerminal(out), tenth: -1, killAt: killAt}
}

func (b *bar) draw(p demo.Progress) {
	if p.Total == 0 {
		return
	}
	if p.TriedAgain() && p.Attempt > b.failed {
		b.failed = p.Attempt
		if b.live { // in the place of the bar, which goes on below
			fmt.Fprint(b.out, b.up+"\x1b[K")
			b.up = ""
		}
		newTeller(b.out).failed(p)
	}
	done := len(p.Finished)
	text := fmt.Sprintf("%3d of %d months, %d failed once", done, p.Total, p.Retried)
	if b.live {
		full := barWidth * done / p.Total
		fmt.Fprintf(b.out, "%s%s%s %s\x1b[K\n", b.up, strings.Repeat("█", full), strings.Repeat("░", barWidth-full), text)
		b.up = "\r\x1b[1A"
	} else if tenth := 10 * done / p.Total; tenth > b.tenth {
		b.tenth = tenth
		fmt.Fprintln(b.out, text)
	}
	if b.killAt > 0 && done >= b.killAt && done < p.Total {
		b.kill(done)
	}
}

// kill ends the process as kill -9 does: nothing is put in order.
func (b *bar) kill(done int) {
	newTeller(b.out).killedAt(done)
	self, err := os.FindProcess(os.Getpid())
	if err == nil {
		err = self.Kill()
	}
	if err != nil {
		fmt.Fprintln(b.out, "kill:", err)
		return
	}
	select {} // until it is so
}

// watch draws the progress of the report until it is done. When it is to kill the process at a count it looks at each month that
// is done, so that few are done beyond it.
func watch(ctx context.Context, c *godwit.Client, p *godwit.Promise[demo.Report], b *bar) (demo.Report, error) {
	type outcome struct {
		report demo.Report
		err    error
	}
	done := make(chan outcome, 1)
	go func() {
		report, err := p.Await(ctx)
		done <- outcome{report, err}
	}()
	tick := time.NewTicker(barEvery)
	defer tick.Stop()
	var finished <-chan godwit.Event // never ready, but for --kill-at
	if b.killAt > 0 {
		events, err := c.Subscribe(godwit.EventFilter{Task: demo.WeatherMonth.Name(), Kinds: []godwit.EventKind{godwit.EventSucceeded}})
		if err != nil {
			return demo.Report{}, err
		}
		defer events.Close()
		finished = events.Events()
	}
	for {
		var o outcome
		final := false
		select {
		case o = <-done:
			final = true
		case <-tick.C:
		case <-finished:
		}
		if o.err != nil {
			return o.report, o.err
		}
		progress, err := demo.Look(ctx, c)
		if err == nil {
			b.draw(progress)
		}
		switch {
		case final:
			return o.report, err
		case err != nil:
			<-done
			return demo.Report{}, err
		}
	}
}
