package async

import (
	"fmt"
	"slices"
)

// ErrorsMax is how many failures one scope, pool or ForEach keeps to return joined. Those beyond are counted in the last error.
const ErrorsMax = 32

// failureList holds the errors of a scope or a pool and watches the failed futures that nobody has looked at yet. It is bounded
// in both, however many failures there are.
type failureList struct {
	errs    []error
	more    int
	watched []*core
	sweepAt int // the length of watched at which to look which of them are still to be watched.
}

// Bounds of failureList.watched.
const (
	// watchedMax is how many unobserved failures are kept for somebody to look at before the older half is reported.
	watchedMax = 4096

	// watchedSweep is how many failures are watched, at least, before those that somebody has looked at are let go of.
	watchedSweep = 64
)

func (l *failureList) add(err error) {
	if len(l.errs) < ErrorsMax {
		l.errs = append(l.errs, err)
		return
	}
	l.more++
}

// watch keeps f for the end, when it is reported unless somebody has looked at it by then. It returns those that have waited for
// too long, for the caller to report when it holds no lock.
func (l *failureList) watch(f *core) (overdue []*core) {
	l.watched = append(l.watched, f)
	if len(l.watched) < max(watchedSweep, l.sweepAt) {
		return nil
	}
	l.watched = slices.DeleteFunc(l.watched, func(f *core) bool { return f.unobservedErr() == nil })
	if over := len(l.watched) - watchedMax/2; over >= watchedMax/2 {
		var kept []*core
		for i, f := range l.watched {
			if i < over && !f.awaited() {
				overdue = append(overdue, f)
			} else {
				kept = append(kept, f)
			}
		}
		l.watched = kept
	}
	n := len(l.watched)
	l.sweepAt = n + min(max(n, watchedSweep), watchedMax/2)
	if n < watchedMax {
		l.sweepAt = min(l.sweepAt, watchedMax)
	}
	return overdue
}

// unseen gives the errors of those failed futures that nobody has looked at. The others' are left to those who wait for them.
func unseen(failures []*core) []error {
	var errs []error
	for _, f := range failures {
		if err := f.unobservedErr(); err != nil && !f.entrust() {
			errs = append(errs, err)
		}
	}
	return errs
}

// join gives all errors as one.
func (l *failureList) join() error {
	errs := slices.Clone(l.errs)
	if l.more > 0 {
		errs = append(errs, fmt.Errorf("async: and %d more errors", l.more))
	}
	return joinErrors(errs...)
}
