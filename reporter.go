package godwit

import (
	"context"
	"encoding/json"
	"fmt"
	"log/slog"
	"sync"
	"time"
)

const (
	logsBufferedMax = 1000 // log lines of a run that wait to be written; more are dropped, and counted
	reportBatchMax  = 1000 // runs in one report
)

// said is what a handler said and the store does not know yet.
type said struct {
	now func() time.Time // store time

	mu       sync.Mutex
	seq      int64         // guarded by mu: of the last report
	progress *Progress     // guarded by mu
	logs     []LogLine     // guarded by mu
	dropped  int           // guarded by mu: log lines
	items    []Payload     // guarded by mu
	emits    []chan error  // guarded by mu: told when the items are durable
	busy     chan struct{} // guarded by mu: closed when the report under way is over; nil without one
	full     bool          // guarded by mu: the job may have no more log lines
	over     bool          // guarded by mu: the handler returned
}

// last takes what is to be recorded with the settle; a report under way is waited for, so that nothing is lost or overtaken.
func (s *said) last() Reported {
	s.mu.Lock()
	defer s.mu.Unlock()
	for s.busy != nil {
		busy := s.busy
		s.mu.Unlock()
		<-busy
		s.mu.Lock()
	}
	s.over = true
	for _, done := range s.emits {
		done <- &Error{Code: CodeStaleRun, Message: "the handler returned before the item was written"}
	}
	s.items, s.emits = nil, nil
	return s.takeLocked()
}

func (s *said) takeLocked() Reported {
	r := Reported{Progress: s.progress, Logs: s.logs, Items: s.items}
	if s.dropped > 0 {
		r.Logs = append(r.Logs, LogLine{
			At: s.now(), Level: slog.LevelWarn.String(), Message: fmt.Sprintf("%d log lines were dropped: too many at once", s.dropped),
		})
	}
	s.progress, s.logs, s.items, s.dropped = nil, nil, nil, 0
	return r
}

// begin takes what a report writes; ok is false when there is nothing or one is under way.
func (s *said) begin(token Token) (w written, ok bool) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.over || s.busy != nil || s.progress == nil && len(s.logs) == 0 && len(s.items) == 0 {
		return written{}, false
	}
	s.busy = make(chan struct{})
	s.seq++
	w.emits, s.emits = s.emits, nil
	w.report = Report{Token: token, Seq: s.seq, Reported: s.takeLocked()}
	return w, true
}

// end ends a report.
func (s *said) end() {
	s.mu.Lock()
	defer s.mu.Unlock()
	close(s.busy)
	s.busy = nil
}

// overLimit keeps the progress of a report that was refused for its log lines or items, and takes no more lines if it was for those.
func (s *said) overLimit(r Reported) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.full = s.full || len(r.Items) == 0
	if s.progress == nil {
		s.progress = r.Progress
	}
	if s.full {
		s.logs, s.dropped = nil, 0
	}
}

// written is a report on its way to the store.
type written struct {
	r      *run
	report Report
	emits  []chan error // told when the items are durable
}

// reporter writes what handlers say while they run, that of many runs in one call. A call that failed is repeated as it was, since
// its outcome may be unknown: the store knows the reports by their numbers.
type reporter struct {
	w          *worker
	loop       *loop
	trouble    trouble
	unanswered []written // of the loop: the call that failed

	mu    sync.Mutex
	dirty map[*run]struct{} // guarded by mu
	soon  bool              // guarded by mu: somebody waits for an item
	last  time.Time         // of the loop: the last report
}

func newReporter(w *worker) *reporter {
	p := &reporter{w: w, trouble: trouble{log: w.c.log, doing: "report"}, dirty: map[*run]struct{}{}}
	p.loop = newLoop("reporter", p.step)
	return p
}

// mark says that a run has something to report, which somebody waits for when soon.
func (p *reporter) mark(r *run, soon bool) {
	p.mu.Lock()
	first := len(p.dirty) == 0
	p.dirty[r] = struct{}{}
	p.soon = p.soon || soon
	p.mu.Unlock()
	if first || soon {
		p.loop.kick()
	}
}

func (p *reporter) take() []*run {
	p.mu.Lock()
	defer p.mu.Unlock()
	if wait := p.w.c.config.ReportInterval - time.Since(p.last); wait > 0 && !p.soon {
		return nil
	}
	list := make([]*run, 0, len(p.dirty))
	for r := range p.dirty {
		if len(list) == reportBatchMax {
			break
		}
		list = append(list, r)
		delete(p.dirty, r)
	}
	p.soon = p.soon && len(p.dirty) > 0
	return list
}

// rest says how long to pause.
func (p *reporter) rest() time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	switch {
	case p.soon:
		return 0
	case len(p.dirty) > 0:
		return max(p.w.c.config.ReportInterval-time.Since(p.last), time.Millisecond)
	}
	return never
}

func (p *reporter) step(ctx context.Context) time.Duration {
	p.forgetLost()
	if len(p.unanswered) == 0 {
		for _, r := range p.take() {
			if w, ok := r.said.begin(r.token); ok {
				w.r = r
				p.unanswered = append(p.unanswered, w)
			}
		}
	}
	if len(p.unanswered) == 0 {
		return p.rest()
	}
	p.last = time.Now()
	reports := make([]Report, len(p.unanswered))
	for i, w := range p.unanswered {
		reports[i] = w.report
	}
	answers, err := p.w.store.Report(ctx, reports)
	if err != nil {
		return p.trouble.met(ctx, err)
	}
	p.trouble.over()
	for i, w := range p.unanswered {
		p.answered(w, answers[i].Code)
	}
	p.unanswered = nil
	return p.rest()
}

func (p *reporter) answered(w written, code Code) {
	if code == CodeDuplicate { // the call before this one was carried out
		code = ""
	}
	if code == CodeStaleRun || code == CodeSessionEnded {
		w.r.end(ErrLeaseLost)
	}
	for _, done := range w.emits {
		done <- refusedItem(code)
	}
	w.r.said.end()
	if code == CodeLimitReached {
		w.r.said.overLimit(w.report.Reported)
		p.mark(w.r, false)
	}
}

// forgetLost drops the unanswered reports of a session that is over: nobody takes them any more, and their runs wait for an answer.
func (p *reporter) forgetLost() {
	if len(p.unanswered) == 0 {
		return
	}
	session, ok := p.w.session.current()
	kept := p.unanswered[:0]
	for _, w := range p.unanswered {
		if ok && w.report.Session == session {
			kept = append(kept, w)
		} else {
			p.answered(w, CodeSessionEnded)
		}
	}
	p.unanswered = kept
}

// abandon lets go of the runs that wait for an answer, after the loop has ended.
func (p *reporter) abandon() {
	for _, w := range p.unanswered {
		p.answered(w, CodeSessionEnded)
	}
	p.unanswered = nil
}

func refusedItem(code Code) error {
	switch code {
	case "":
		return nil
	case CodeLimitReached:
		return &Error{Code: code, Message: fmt.Sprintf("a job may emit at most %d items and %d log lines", ItemsMax, LogLinesMax)}
	}
	return &Error{Code: code, Message: "the run was lost"}
}

// SetProgress says how far the handler is: done of total, which is 0 when unknown. It is written now and then, the newest
// only, and with the end of the run. Outside a handler it does nothing.
func SetProgress(ctx context.Context, done, total int64, message string) {
	r := runFrom(ctx)
	if r == nil {
		return
	}
	r.said.mu.Lock()
	r.said.progress = &Progress{Done: done, Total: total, Message: cut(message, MessageMax)}
	r.said.mu.Unlock()
	r.w.reporter.mark(r, false)
}

// Emit hands out an item while the handler runs, to be read with [Client.Items]. It is durable when Emit returns; the items of many
// handlers, and of one that calls from many goroutines, share a write. Items of a run that fails later stay.
func Emit(ctx context.Context, item any) error {
	r := runFrom(ctx)
	if r == nil {
		return outsideHandler("Emit")
	}
	data, err := json.Marshal(item)
	if err != nil {
		return &Error{Code: CodeInvalid, Field: "item", Message: "does not encode as JSON", Err: err}
	}
	if len(data) > ItemMax {
		return tooLarge("item", "must be at most %d bytes encoded, got %d", ItemMax, len(data))
	}
	done := make(chan error, 1)
	r.said.mu.Lock()
	over := r.said.over
	if !over {
		r.said.items = append(r.said.items, Payload{Encoding: EncodingJSON, Data: data})
		r.said.emits = append(r.said.emits, done)
	}
	r.said.mu.Unlock()
	if over {
		return &Error{Code: CodeStaleRun, Message: "the handler has returned"}
	}
	r.w.reporter.mark(r, true)
	select {
	case err := <-done:
		return err
	case <-ctx.Done():
		return &Error{Code: CodeOutcomeUnknown, Message: "the item may or may not be written", Err: ended(ctx)}
	}
}
