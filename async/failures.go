package async

import (
	"errors"
	"fmt"
	"slices"
)

// ErrorsMax is how many failures one scope, pool or ForEach keeps to return joined. Those beyond are counted in the last error.
const ErrorsMax = 32

// failureList holds the errors of a scope or a pool and watches the failed futures that nobody has looked at yet. It is bounded
// in both, whatever the number of failures.
type failureList struct {
	errs    []error
	more    int
	watched []failure
}

// watchedMax is how many unobserved failures are kept for somebody to look at before the oldest are reported.
const watchedMax = 4096

func (l *failureList) add(err error) {
	if len(l.errs) < ErrorsMax {
		l.errs = append(l.errs, err)
		return
	}
	l.more++
}

// watch keeps f for the end, when it is reported unless somebody has looked at it by then. It returns those that have waited for
// too long, for the caller to report when it holds no lock.
func (l *failureList) watch(f failure) (overdue []failure) {
	l.watched = append(l.watched, f)
	if len(l.watched) < watchedMax {
		return nil
	}
	kept := l.watched[:0]
	for _, f := range l.watched {
		if f.unobservedErr() != nil {
			kept = append(kept, f)
		}
	}
	clear(l.watched[len(kept):])
	l.watched = kept
	if over := len(kept) - watchedMax/2; over > 0 {
		overdue = slices.Clone(kept[:over])
		l.watched = slices.Clone(kept[over:])
	}
	return overdue
}

// unseen takes the errors that nobody has looked at out of a list of failures.
func unseen(failures []failure) []error {
	var errs []error
	for _, f := range failures {
		if err := f.unobservedErr(); err != nil {
			errs = append(errs, err)
		}
	}
	return errs
}

// join gives the first error as it is when it is alone.
func (l *failureList) join() error {
	errs := l.errs
	if l.more > 0 {
		errs = append(errs[:len(errs):len(errs)], fmt.Errorf("async: and %d more errors", l.more))
	}
	if len(errs) == 1 {
		return errs[0]
	}
	return errors.Join(errs...)
}
