package sqlite

import (
	"fmt"
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/godwit-go/godwit"
)

// BenchmarkLife measures the raw store: jobs of 200 bytes are submitted, claimed and settled with a small result, a batch a
// call, one call after the other, every call fsynced. A job is an operation; with prune it is also pruned in the end.
// GODWIT_BENCH_DIR names the directory of the file, when the default is not on the disk to be measured.
func BenchmarkLife(b *testing.B) {
	for _, size := range []int{1000, 100, 1} {
		for _, prune := range []bool{false, true} {
			b.Run(fmt.Sprintf("batch=%d/prune=%v", size, prune), func(b *testing.B) { life(b, size, prune) })
		}
	}
}

func benchStore(b *testing.B) *bundle {
	b.Helper()
	dir := os.Getenv("GODWIT_BENCH_DIR")
	if dir == "" {
		dir = b.TempDir()
	} else {
		var err error
		if dir, err = os.MkdirTemp(dir, "godwit-bench"); err != nil {
			b.Fatal(err)
		}
		b.Cleanup(func() {
			if err := os.RemoveAll(dir); err != nil {
				b.Error(err)
			}
		})
	}
	t := &bundle{TB: b, ctx: b.Context(), path: filepath.Join(dir, "bench.db")}
	s, err := Open(t.ctx, Config{Path: t.path})
	t.ok(err)
	t.store = s
	return t
}

func life(b *testing.B, size int, prune bool) {
	t := benchStore(b)
	session := t.session("mail")
	payload := make([]byte, 200)
	for i := range payload {
		payload[i] = 'x'
	}
	var spent [4]time.Duration
	timed := func(i int, f func()) {
		start := time.Now()
		f()
		spent[i] += time.Since(start)
	}
	b.ResetTimer()
	for done := 0; done < b.N; done += size {
		n := min(size, b.N-done)
		batch := t.jobs(n, "mail")
		for i := range batch {
			batch[i].Args.Data = payload
			if prune {
				batch[i].KeepSucceeded = time.Microsecond
			}
		}
		timed(0, func() { t.submit(batch...) })
		var jobs []godwit.Job
		timed(1, func() { jobs = t.claim(session, n) })
		timed(2, func() {
			if _, err := t.store.Settle(t.ctx, succeed(jobs)); err != nil {
				b.Fatal(err)
			}
		})
		if prune {
			timed(3, func() {
				if _, err := t.store.Prune(t.ctx, 2*n); err != nil {
					b.Fatal(err)
				}
			})
		}
	}
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "jobs/s")
	for i, name := range []string{"submit", "claim", "settle", "prune"} {
		b.ReportMetric(float64(spent[i].Nanoseconds())/float64(b.N), name+"-ns/job")
	}
	t.ok(t.store.Close())
}

// BenchmarkSubmitByMany measures what the group commit makes of many callers with one job each.
func BenchmarkSubmitByMany(b *testing.B) {
	t := benchStore(b)
	b.SetParallelism(32)
	b.ResetTimer()
	b.RunParallel(func(pb *testing.PB) {
		for pb.Next() {
			if _, err := t.store.Submit(t.ctx, t.jobs(1, "mail")); err != nil {
				b.Error(err)
			}
		}
	})
	b.StopTimer()
	b.ReportMetric(float64(b.N)/b.Elapsed().Seconds(), "jobs/s")
	t.ok(t.store.Close())
}
