package main

import (
	"context"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"github.com/mattn/go-isatty"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/demo"
)

const (
	barWidth = 40
	barEvery = 200 * time.Millisecond
)

// bar draws progress: over itself on a terminal, a line each tenth elsewhere.
type bar struct {
	out   io.Writer
	live  bool
	tenth int // the last one printed, when not live
}

func newBar(out io.Writer) *bar {
	f, ok := out.(*os.File)
	return &bar{out: out, live: ok && isatty.IsTerminal(f.Fd()), tenth: -1}
}

func (b *bar) draw(p demo.Progress) {
	if p.Total == 0 {
		return
	}
	done := len(p.Finished)
	text := fmt.Sprintf("%3d of %d months, %d retried", done, p.Total, p.Retried)
	if b.live {
		full := barWidth * done / p.Total
		fmt.Fprintf(b.out, "\r[%s%s] %s", strings.Repeat("#", full), strings.Repeat(".", barWidth-full), text)
		return
	}
	if tenth := 10 * done / p.Total; tenth > b.tenth {
		b.tenth = tenth
		fmt.Fprintln(b.out, text)
	}
}

func (b *bar) end() {
	if b.live {
		fmt.Fprintln(b.out)
	}
}

// watch draws the progress of the report until it is done.
func watch(ctx context.Context, c *godwit.Client, l *demo.Ledger, p *godwit.Promise[demo.Report], out io.Writer) (demo.Report, error) {
	type outcome struct {
		report demo.Report
		err    error
	}
	done := make(chan outcome, 1)
	go func() {
		report, err := p.Await(ctx)
		done <- outcome{report, err}
	}()
	b := newBar(out)
	defer b.end()
	tick := time.NewTicker(barEvery)
	defer tick.Stop()
	for {
		select {
		case o := <-done:
			if o.err != nil {
				return o.report, o.err
			}
			progress, err := demo.Look(ctx, c, l)
			b.draw(progress)
			return o.report, err
		case <-tick.C:
			progress, err := demo.Look(ctx, c, l)
			if err != nil {
				<-done
				return demo.Report{}, err
			}
			b.draw(progress)
		}
	}
}
