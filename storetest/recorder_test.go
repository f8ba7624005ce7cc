package storetest

import (
	"fmt"
	"runtime"
	"sync"
	"testing"
)

// recorder is a testing.TB that notes failures instead of failing the test. It has to be used within [failure].
type recorder struct {
	testing.TB

	mu    sync.Mutex
	first string // guarded by mu: the first failure
	bad   bool   // guarded by mu
	ended []func()
}

// failure runs a check and gives its first failure; ok is false when it has none.
func failure(t testing.TB, check func(t testing.TB)) (text string, failed bool) {
	t.Helper()
	r := &recorder{TB: t}
	done := make(chan struct{})
	go func() {
		defer close(done)
		defer r.cleanUp()
		check(r)
	}()
	<-done
	return r.first, r.bad
}

func (r *recorder) cleanUp() {
	for i := len(r.ended) - 1; i >= 0; i-- {
		r.ended[i]()
	}
}

func (r *recorder) note(text string) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if !r.bad {
		r.first = text
	}
	r.bad = true
}

func (r *recorder) Cleanup(f func())             { r.ended = append(r.ended, f) }
func (r *recorder) Error(args ...any)            { r.note(fmt.Sprint(args...)) }
func (r *recorder) Errorf(f string, args ...any) { r.note(fmt.Sprintf(f, args...)) }
func (r *recorder) Log(...any)                   {}
func (r *recorder) Logf(string, ...any)          {}
func (r *recorder) Fail()                        { r.note("failed") }
func (r *recorder) FailNow()                     { r.Fail(); runtime.Goexit() }
func (r *recorder) Fatal(args ...any)            { r.Error(args...); runtime.Goexit() }
func (r *recorder) Fatalf(f string, args ...any) { r.Errorf(f, args...); runtime.Goexit() }
func (r *recorder) Failed() bool                 { r.mu.Lock(); defer r.mu.Unlock(); return r.bad }
