package builtin

import (
	"bytes"
	"errors"
	"io"
	"log/slog"
	"os"
	"time"
	"unicode/utf8"
)

// drainTimeout is how long output may still come when the program has ended: what left its group may hold the pipes for ever.
const drainTimeout = time.Second

// outputs are the standard output and the standard error of a program.
type outputs struct {
	stdout, stderr output
	lines          *lineLog // of the standard error
}

// output is one of them: a pipe, read to its end all the time, so that the program never waits.
type output struct {
	tail
	read, write *os.File
	done        chan struct{}
}

func newOutputs(limit int, lines *lineLog) (o *outputs, err error) {
	o = &outputs{lines: lines, stdout: output{tail: tail{limit: limit}}, stderr: output{tail: tail{limit: limit}}}
	if o.stdout.read, o.stdout.write, err = os.Pipe(); err != nil {
		return nil, err
	}
	if o.stderr.read, o.stderr.write, err = os.Pipe(); err != nil {
		return nil, errors.Join(err, o.stdout.read.Close(), o.stdout.write.Close())
	}
	o.stdout.begin(&o.stdout.tail)
	o.stderr.begin(io.MultiWriter(&o.stderr.tail, lines))
	return o, nil
}

func (o *output) begin(to io.Writer) {
	o.done = make(chan struct{})
	go func() {
		defer close(o.done)
		_, _ = io.Copy(to, o.read) // it ends with the last writer, or with the deadline
	}()
}

// began lets go of the ends that the program has now, or never got.
func (o *outputs) began() {
	_ = o.stdout.write.Close() // nothing was written by this process
	_ = o.stderr.write.Close()
}

// ended reads what is left.
func (o *outputs) ended() {
	for _, each := range []*output{&o.stdout, &o.stderr} {
		if err := each.read.SetReadDeadline(time.Now().Add(drainTimeout)); err != nil {
			_ = each.read.Close() // so that the reader ends in any case
		}
		<-each.done
		_ = each.read.Close()
	}
	o.lines.end()
}

func (o *outputs) result(code int) ExecResult {
	r := ExecResult{ExitCode: code}
	r.Stdout, r.StdoutEncoding, r.StdoutCut = o.stdout.text()
	r.Stderr, r.StderrEncoding, r.StderrCut = o.stderr.text()
	return r
}

// tail keeps the last bytes that were written to it.
type tail struct {
	limit int
	kept  []byte
	total int64
}

// Write takes all of data.
func (t *tail) Write(data []byte) (int, error) {
	t.total += int64(len(data))
	t.kept = append(t.kept, data...)
	if len(t.kept) > 2*t.limit { // not at every write, so that each byte moves once or twice
		t.kept = append(t.kept[:0], t.kept[len(t.kept)-t.limit:]...)
	}
	return len(data), nil
}

// last gives at most so many bytes of the end, from the beginning of a character on.
func (t *tail) last(limit int) []byte {
	kept := t.kept[max(0, len(t.kept)-limit):]
	if int64(len(kept)) == t.total {
		return kept
	}
	for i := 0; i < utf8.UTFMax && i < len(kept); i++ {
		if utf8.RuneStart(kept[i]) {
			return kept[i:]
		}
	}
	return kept
}

// text gives what is kept, and how many bytes are not.
func (t *tail) text() (text, encoding string, cut int64) {
	kept := t.last(t.limit)
	text, encoding = asText(kept, outputTextMax)
	return text, encoding, t.total - int64(len(kept))
}

// Bounds of what becomes log lines.
const (
	linesMax = 1000
	lineMax  = 4 << 10 // bytes
)

// lineLog makes log lines of a program's lines, until there were many. A nil one makes none.
type lineLog struct {
	log   *slog.Logger
	part  []byte // of a line whose end has not come
	lines int
}

// Write takes all of data.
func (l *lineLog) Write(data []byte) (int, error) {
	if l == nil {
		return len(data), nil
	}
	for rest := data; len(rest) > 0; {
		piece, after, whole := bytes.Cut(rest, []byte("\n"))
		rest = after
		if room := lineMax - len(l.part); len(piece) > room {
			piece = piece[:room]
		}
		l.part = append(l.part, piece...)
		if whole {
			l.flush()
		}
	}
	return len(data), nil
}

// end takes the last line, which may have no end of its own.
func (l *lineLog) end() {
	if l != nil {
		l.flush()
	}
}

func (l *lineLog) flush() {
	line := string(bytes.TrimRight(l.part, "\r"))
	l.part = l.part[:0]
	if line == "" {
		return
	}
	l.lines++
	switch {
	case l.lines <= linesMax:
		l.log.Info(line)
	case l.lines == linesMax+1:
		l.log.Warn("there are more lines, which are not logged")
	}
}
