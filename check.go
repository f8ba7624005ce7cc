package godwit

import (
	"strings"
	"time"
	"unicode/utf8"

	"github.com/godwit-go/godwit/internal/suggest"
)

// checkTask checks a task's name and its policy, which has its defaults.
func checkTask(name string, p Policy) error {
	if err := checkName("name", name); err != nil {
		return err
	}
	if strings.HasPrefix(name, reservedPrefix) && name != timerTask {
		return invalid("name", "must not begin with %q, which is kept for tasks of godwit itself, got %s", reservedPrefix, quoteShort(name))
	}
	return p.check()
}

func (p Policy) check() error {
	for _, alias := range p.Aliases {
		if err := checkName("Aliases", alias); err != nil {
			return err
		}
		if strings.HasPrefix(alias, reservedPrefix) {
			return invalid("Aliases", "must not begin with %q, which is kept for tasks of godwit itself, got %s", reservedPrefix, quoteShort(alias))
		}
	}
	switch {
	case p.Version < 1 || p.Version > VersionMax:
		return invalid("Version", "must be from 1 to %d, got %d", VersionMax, p.Version)
	case p.MinVersion < 1 || p.MinVersion > p.Version:
		return invalid("MinVersion", "must be from 1 to Version (%d), got %d", p.Version, p.MinVersion)
	case p.MaxCrashes < 1 || p.MaxCrashes > MaxCrashesMax:
		return invalid("MaxCrashes", "must be from 1 to %d, got %d", MaxCrashesMax, p.MaxCrashes)
	case p.KeepSucceeded > KeepMax:
		return invalid("KeepSucceeded", "must be at most %v, got %v", KeepMax, p.KeepSucceeded)
	case p.KeepFailed > KeepMax:
		return invalid("KeepFailed", "must be at most %v, got %v", KeepMax, p.KeepFailed)
	case p.Deadline < 0:
		return invalid("Deadline", "must not be negative, got %v", p.Deadline)
	}
	if err := checkName("Queue", p.Queue); err != nil {
		return err
	}
	if err := checkBudget("Priority", p.Priority, "MaxAttempts", p.MaxAttempts); err != nil {
		return err
	}
	return p.Backoff.check()
}

func checkBudget(priorityField string, priority int, attemptsField string, attempts int) error {
	if priority < -PriorityMax || priority > PriorityMax {
		return invalid(priorityField, "must be from %d to %d, got %d", -PriorityMax, PriorityMax, priority)
	}
	if attempts < 1 || attempts > MaxAttemptsMax {
		return invalid(attemptsField, "must be from 1 to %d, got %d", MaxAttemptsMax, attempts)
	}
	return nil
}

// checkName checks the name of a task or a queue: it becomes part of URLs and of metrics.
func checkName(field, name string) error {
	if name == "" {
		return invalid(field, "must not be empty")
	}
	if len(name) > NameMax {
		return tooLarge(field, "must be at most %d bytes, got %s", NameMax, quoteShort(name))
	}
	for _, r := range name {
		if !isNameRune(r) {
			return invalid(field, `must hold letters, digits and "._:-" only, got %s`, quoteShort(name))
		}
	}
	return nil
}

func isNameRune(r rune) bool {
	return r >= 'a' && r <= 'z' || r >= 'A' && r <= 'Z' || r >= '0' && r <= '9' || strings.ContainsRune("._:-", r)
}

// checkText checks a text that people give: a key, a tag, the name of a child.
func checkText(field, s string, bound int) error {
	switch {
	case len(s) > bound:
		return tooLarge(field, "must be at most %d bytes, got %s", bound, quoteShort(s))
	case !utf8.ValidString(s):
		return invalid(field, "must be valid UTF-8, got %s", quoteShort(s))
	case strings.ContainsRune(s, 0):
		return invalid(field, "must not hold a zero byte, got %s", quoteShort(s))
	}
	return nil
}

// checkJob checks what a submission came to, before keys and fingerprint are made.
func checkJob(j *NewJob, o SubmitOptions, deadline time.Duration, now time.Time) error {
	if err := checkName("task", j.Task); err != nil {
		return err
	}
	if err := checkName("queue", j.Queue); err != nil {
		return err
	}
	if err := checkBudget("priority", j.Priority, "max_attempts", j.MaxAttempts); err != nil {
		return err
	}
	if j.Version < 1 || j.Version > VersionMax {
		return invalid("version", "must be from 1 to %d, got %d", VersionMax, j.Version)
	}
	if len(j.Args.Data) > PayloadMax {
		return tooLarge("args", "must be at most %d bytes encoded, got %d (store the data elsewhere and pass its address)",
			PayloadMax, len(j.Args.Data))
	}
	if err := checkTimes(o, deadline, now); err != nil {
		return err
	}
	if err := checkID(o.ID, now); err != nil {
		return err
	}
	if err := checkKeys(o); err != nil {
		return err
	}
	return checkLabels(o)
}

func checkTimes(o SubmitOptions, deadline time.Duration, now time.Time) error {
	switch {
	case o.Delay < 0:
		return invalid("delay", "must not be negative, got %v", o.Delay)
	case o.Delay > DelayMax:
		return invalid("delay", "must be at most %v, got %v", DelayMax, o.Delay)
	case o.Delay > 0 && !o.RunAt.IsZero():
		return invalid("run_at", "excludes delay: give one of them")
	case o.RunAt.After(now.Add(DelayMax)):
		return invalid("run_at", "must be at most %v ahead, got %s", DelayMax, o.RunAt.Format(time.RFC3339))
	case deadline > DelayMax:
		return invalid("deadline", "must be at most %v, got %v", DelayMax, deadline)
	case deadline > 0 && (deadline <= o.Delay || !now.Add(deadline).After(o.RunAt)):
		return invalid("deadline", "must be after the first start of the job, got %v after submission", deadline)
	}
	return nil
}

// checkID checks an id, if one was given. One of a time to come would stand before all others in every list, and be the greatest of the
// store for as long. The process's own clock counts as well, and what it made ids by: in a test it may not be that of the store.
func checkID(id ID, now time.Time) error {
	latest := now
	for _, own := range []time.Time{time.Now(), idsOfProcess.newest()} {
		if own.After(latest) {
			latest = own
		}
	}
	switch {
	case id.IsZero():
		return nil
	case id[6]>>4 != 7 || id[8]>>6 != 2:
		return invalid("id", "must be a UUIDv7, got %s (make it with godwit.NewID)", id)
	case id.Time().After(latest.Add(idAheadMax)):
		return invalid("id", "must be stamped at most %v ahead, got %s of %s", idAheadMax, id, id.Time().Format(time.RFC3339))
	}
	return nil
}

func checkKeys(o SubmitOptions) error {
	if err := checkText("idempotency_key", o.IdempotencyKey, KeyMax); err != nil {
		return err
	}
	if o.IdempotencyFor != 0 && o.IdempotencyKey == "" {
		return invalid("idempotency_for", "needs an idempotency_key")
	}
	if err := checkText("caller", o.Caller, NameMax); err != nil {
		return err
	}
	if o.IdempotencyFor < 0 || o.IdempotencyFor > KeepMax {
		return invalid("idempotency_for", "must be from 0 to %v, got %v", KeepMax, o.IdempotencyFor)
	}
	u := o.Unique
	if err := checkText("unique.key", u.Key, KeyMax); err != nil {
		return err
	}
	if !u.ByArgs && u.Key == "" && u != (Unique{}) {
		return invalid("unique.key", "must be given, or unique.by_args")
	}
	if u.ByArgs && u.Key != "" {
		return invalid("unique.key", "excludes unique.by_args: give one of them")
	}
	if err := checkOneOf("unique.scope", u.Scope, ScopeTask, ScopeQueue, ScopeGlobal); err != nil {
		return err
	}
	if err := checkOneOf("unique.while", u.While, UniqueUnfinished, UniqueUnstarted); err != nil {
		return err
	}
	return checkOneOf("unique.on_clash", u.OnClash, ClashExisting, ClashRefuse)
}

func checkOneOf[T ~string](field string, v T, known ...T) error {
	names := make([]string, 0, len(known))
	for _, k := range known {
		if v == k || v == "" {
			return nil
		}
		names = append(names, string(k))
	}
	return invalid(field, "must be one of %s, got %s%s", strings.Join(names, ", "), quoteShort(string(v)), suggest.DidYouMean(string(v), names))
}

func checkLabels(o SubmitOptions) error {
	if len(o.Tags) > TagsMax {
		return tooLarge("tags", "must be at most %d, got %d", TagsMax, len(o.Tags))
	}
	for _, tag := range o.Tags {
		if tag == "" {
			return invalid("tags", "must not be empty")
		}
		if err := checkText("tags", tag, TagMax); err != nil {
			return err
		}
	}
	if len(o.Headers) > HeadersMax {
		return tooLarge("headers", "must be at most %d, got %d", HeadersMax, len(o.Headers))
	}
	for name, value := range o.Headers {
		switch {
		case name == "":
			return invalid("headers", "must have a name")
		case len(name)+len(value) > HeaderMax:
			return tooLarge("headers", "must be at most %d bytes of name and value, got %s", HeaderMax, quoteShort(name))
		}
		if err := checkText("headers", name+value, HeaderMax); err != nil {
			return err
		}
	}
	return checkText("name", o.Name, NameMax)
}

// check checks a filter by the rules for what it selects by, so that every store answers it alike.
func (f *ListFilter) check() error {
	if f.Limit < 0 || f.Limit > PageMax {
		return invalid("limit", "must be from 1 to %d, got %d", PageMax, f.Limit)
	}
	if err := checkOneOf("state", f.State, States()...); err != nil {
		return err
	}
	if f.Queue != "" {
		if err := checkName("queue", f.Queue); err != nil {
			return err
		}
	}
	if f.Task != "" {
		if err := checkName("task", f.Task); err != nil {
			return err
		}
	}
	return checkText("tag", f.Tag, TagMax)
}

// validUTF8 replaces what is not UTF-8, so that every store and every JSON form can hold the text.
func validUTF8(s string) string { return strings.ToValidUTF8(strings.ReplaceAll(s, "\x00", "?"), "?") }
