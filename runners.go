package godwit

import "time"

// runnerIdle is how long a goroutine waits for the next run before it ends.
const runnerIdle = time.Second

// runners are the goroutines in which handlers run. One that is done takes the next run: a new goroutine would first have to grow
// its stack, which costs more than a short job.
type runners struct {
	next chan *run     // taken by idle ones
	over chan struct{} // closed when no run comes any more
}

func newRunners() *runners {
	return &runners{next: make(chan *run), over: make(chan struct{})}
}

// start lets an idle goroutine, or a new one, do a run.
func (rs *runners) start(r *run) {
	select {
	case rs.next <- r:
	default:
		go rs.work(r)
	}
}

// work does one run after the other. It does not outlive a handler that ends its goroutine.
func (rs *runners) work(r *run) {
	idle := time.NewTimer(runnerIdle)
	defer idle.Stop()
	for {
		r.work()
		idle.Reset(runnerIdle)
		select {
		case r = <-rs.next:
		case <-idle.C:
			return
		case <-rs.over:
			return
		}
	}
}

// halt ends the idle goroutines; the others end when their handlers return.
func (rs *runners) halt() { close(rs.over) }
