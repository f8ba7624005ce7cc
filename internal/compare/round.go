package compare

import (
	"context"
	"fmt"
	"math"
	"slices"
	"sync"
	"time"
)

// never is the time of what did not happen.
const never = time.Duration(math.MaxInt64)

// patience is how long a round may take beyond the work itself.
const patience = time.Minute

// Round is what was measured of all requests of one way.
type Round struct {
	Answered int
	Direct   int // answers that had the result in them, and not the URL of a job
	TimedOut int
	Refused  int
	Done     int // results that their client received
	Lost     int // work begun, or done, for a client that had left

	Responses   []time.Duration // of all requests, in order of size; those that were not answered at the end, as [never]
	Completions []time.Duration // until the result was there, in the same way

	Answering time.Duration // until the last answer, or the end of the last client's patience
	Wall      time.Duration // until the last result
	CPU       time.Duration // of the process, clients included
	Refusal   string        // why the first refused one was
}

// runRound sends all requests of a round and follows them to their end. It fails when anything ran twice or came out wrong.
func runRound(ctx context.Context, cfg *Config, way Way, name string) (r Round, err error) {
	w := newWork(cfg.Work, nil, cfg.Requests)
	s, err := startService(ctx, cfg, way, w, name)
	if err != nil {
		return r, err
	}
	prefer := ""
	if way == Wait {
		prefer = waitFor(cfg.Wait)
	}
	v := newVisitor(s, cfg, cfg.Timeout, prefer)
	visits, r, err := v.visitAll(ctx, cfg)
	v.close()
	if err == nil {
		err = verify(ctx, s, visits)
	}
	if stopErr := s.stop(ctx); err == nil {
		err = stopErr
	}
	if err != nil {
		return r, fmt.Errorf("%s: %w", way, err)
	}
	r.count(visits, w)
	return r, nil
}

// visitAll sends the requests, as many at a time as there are clients.
func (v *visitor) visitAll(ctx context.Context, cfg *Config) (visits []visit, r Round, err error) {
	bound := patience + cfg.Work*time.Duration(1+cfg.Requests/cfg.Workers)
	ctx, cancel := context.WithTimeoutCause(ctx, bound, fmt.Errorf("the round is not over after %s", bound))
	defer cancel()
	numbers := make(chan int, cfg.Requests)
	for n := range cfg.Requests {
		numbers <- n
	}
	close(numbers)
	visits = make([]visit, cfg.Requests)
	errs := make(chan error, 1)
	fail := func(err error) {
		if err != nil {
			select {
			case errs <- err:
				cancel()
			default:
			}
		}
	}
	cpu, begun := cpuTime(), time.Now()
	var clients, followers sync.WaitGroup
	for range min(cfg.Concurrency, cfg.Requests) {
		clients.Go(func() {
			for n := range numbers {
				sent := time.Now()
				got, err := v.send(ctx, n)
				fail(err)
				visits[n] = got
				if got.follow != "" {
					followers.Go(func() {
						fail(v.follow(ctx, n, got.follow, waitFor(cfg.Wait)))
						visits[n].done = time.Since(sent)
					})
				}
			}
		})
	}
	clients.Wait()
	r.Answering = time.Since(begun)
	followers.Wait()
	r.Wall, r.CPU = time.Since(begun), cpuTime()-cpu
	select {
	case err = <-errs:
	default:
	}
	return visits, r, err
}

// verify checks that what was answered was done once, and nothing twice.
func verify(ctx context.Context, s *service, visits []visit) error {
	accepted, unknown := 0, 0
	for n, v := range visits {
		begun, done := s.work.begun[n].Load(), s.work.done[n].Load()
		if v.outcome != answered {
			unknown++
		} else {
			accepted++
			if begun != 1 || done != 1 {
				return fmt.Errorf("request %d was answered, and its work was begun %d times and done %d times, want once", n, begun, done)
			}
		}
		if begun > 1 {
			return fmt.Errorf("the work of request %d was begun %d times", n, begun)
		}
	}
	if s.store == nil {
		return nil
	}
	kept, err := s.succeeded(ctx)
	if err == nil && (kept < accepted || kept > accepted+unknown) {
		err = fmt.Errorf("the store has %d jobs that succeeded, but %d requests were answered", kept, accepted)
	}
	return err
}

// count sums up the visits.
func (r *Round) count(visits []visit, w *work) {
	for n, v := range visits {
		switch v.outcome {
		case answered:
			r.Answered++
			if v.follow == "" {
				r.Direct++
			}
		case timedOut:
			r.TimedOut++
		case refused:
			r.Refused++
			if r.Refusal == "" {
				r.Refusal = v.why
			}
		}
		if v.done != never {
			r.Done++
		} else if w.begun[n].Load() > 0 {
			r.Lost++
		}
		r.Responses = append(r.Responses, v.response)
		r.Completions = append(r.Completions, v.done)
	}
	slices.Sort(r.Responses)
	slices.Sort(r.Completions)
}
