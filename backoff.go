package godwit

import (
	"math"
	"math/rand/v2"
	"time"
)

// Backoff is the time between the attempts of a job: Base after the first, Factor times as long after each further one, at
// most Max, and each time more or less by up to the share Jitter, so that jobs that failed together do not come back
// together.
type Backoff struct {
	Base   time.Duration // Defaults to 1 s.
	Factor float64       // From 1. Defaults to 2.
	Max    time.Duration // Defaults to 10 min, or to Base if that is longer.
	Jitter float64       // From 0 to 1. Defaults to 0.2; negative: none.
}

func (b Backoff) withDefaults() Backoff {
	b.Base = orDefault(b.Base, time.Second)
	b.Factor = orDefault(b.Factor, 2)
	b.Max = orDefault(b.Max, max(10*time.Minute, b.Base))
	b.Jitter = orDefault(b.Jitter, 0.2)
	return b
}

func (b Backoff) check() error {
	switch {
	case b.Base < 0 || b.Base > DelayMax:
		return invalid("Backoff.Base", "must be from 0 to %v, got %v", DelayMax, b.Base)
	case math.IsNaN(b.Factor) || b.Factor < 1 || b.Factor > 1000:
		return invalid("Backoff.Factor", "must be from 1 to 1000, got %v", b.Factor)
	case b.Max < b.Base || b.Max > DelayMax:
		return invalid("Backoff.Max", "must be from Base (%v) to %v, got %v", b.Base, DelayMax, b.Max)
	case math.IsNaN(b.Jitter) || b.Jitter > 1:
		return invalid("Backoff.Jitter", "must be at most 1, got %v", b.Jitter)
	}
	return nil
}

// Delay says how long to wait after the attempt, counted from 1, failed.
func (b Backoff) Delay(attempt int) time.Duration {
	b = b.withDefaults()
	d := float64(b.Base) * math.Pow(b.Factor, float64(max(attempt, 1)-1))
	d = min(d, float64(b.Max)) // also when the power is infinite
	if b.Jitter > 0 {
		d *= 1 + b.Jitter*(2*rand.Float64()-1)
	}
	return time.Duration(d)
}

// jittered gives d more or less by a tenth, so that processes started together do not poll together.
func jittered(d time.Duration) time.Duration {
	return time.Duration(float64(d) * (0.9 + 0.2*rand.Float64()))
}
