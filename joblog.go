package godwit

import (
	"context"
	"fmt"
	"log/slog"
	"strings"
)

// Logger gives a handler a logger that writes to the log lines of its job, to be read with [Client.Logs], from level Info on, and
// to the client's logger. Outside a handler it is slog.Default(). A job keeps at most [LogLinesMax] lines.
func Logger(ctx context.Context) *slog.Logger {
	r := runFrom(ctx)
	if r == nil {
		return slog.Default()
	}
	own := r.w.c.log.With("task", r.job.Task, "job", r.job.ID, "run", r.job.Run)
	return slog.New(&jobLog{r: r, own: own.Handler()})
}

// jobLog is a slog.Handler that writes to two places.
type jobLog struct {
	r      *run
	own    slog.Handler // of the client
	prefix string       // of keys: the open groups
	attrs  string       // rendered
}

func (l *jobLog) Enabled(ctx context.Context, level slog.Level) bool {
	return level >= slog.LevelInfo || l.own.Enabled(ctx, level)
}

func (l *jobLog) Handle(ctx context.Context, record slog.Record) error {
	if record.Level >= slog.LevelInfo {
		var b strings.Builder
		b.WriteString(record.Message)
		b.WriteString(l.attrs)
		record.Attrs(func(a slog.Attr) bool {
			render(&b, l.prefix, a)
			return true
		})
		l.r.say(LogLine{At: l.r.w.store.Now(), Level: record.Level.String(), Message: cut(b.String(), MessageMax)})
	}
	if l.own.Enabled(ctx, record.Level) {
		return l.own.Handle(ctx, record)
	}
	return nil
}

func (l *jobLog) WithAttrs(attrs []slog.Attr) slog.Handler {
	var b strings.Builder
	b.WriteString(l.attrs)
	for _, a := range attrs {
		render(&b, l.prefix, a)
	}
	return &jobLog{r: l.r, own: l.own.WithAttrs(attrs), prefix: l.prefix, attrs: b.String()}
}

func (l *jobLog) WithGroup(name string) slog.Handler {
	if name == "" {
		return l
	}
	return &jobLog{r: l.r, own: l.own.WithGroup(name), prefix: l.prefix + name + ".", attrs: l.attrs}
}

// render writes an attribute as key=value, groups with their keys joined by dots.
func render(b *strings.Builder, prefix string, a slog.Attr) {
	v := a.Value.Resolve()
	if v.Kind() == slog.KindGroup {
		if a.Key != "" {
			prefix += a.Key + "."
		}
		for _, member := range v.Group() {
			render(b, prefix, member)
		}
		return
	}
	text := v.String()
	if text == "" || strings.ContainsAny(text, " =\"\n") {
		text = fmt.Sprintf("%q", text)
	}
	fmt.Fprintf(b, " %s%s=%s", prefix, a.Key, text)
}

// say keeps a log line until the reporter writes it.
func (r *run) say(line LogLine) {
	r.said.mu.Lock()
	switch {
	case r.said.over || r.said.full:
	case len(r.said.logs) >= logsBufferedMax:
		r.said.dropped++
	default:
		r.said.logs = append(r.said.logs, line)
	}
	r.said.mu.Unlock()
	r.w.reporter.mark(r, false)
}
