package main

import (
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/pgtest"
	"github.com/godwit-go/godwit/open"
)

// TestPostgresScripts plays the scripts of testdata/postgres, each with a database of its own in $DB.
func TestPostgresScripts(t *testing.T) {
	t.Parallel()
	dir := filepath.Join("testdata", "postgres")
	scripts, err := filepath.Glob(filepath.Join(dir, "*.txtar"))
	if err != nil || len(scripts) == 0 {
		t.Fatalf("no scripts in %s: %v", dir, err)
	}
	databases := map[string]string{}
	for _, script := range scripts {
		databases["script-"+strings.TrimSuffix(filepath.Base(script), ".txtar")] = pgtest.Database(t)
	}
	playScripts(t, dir, func(script string) map[string]string { return map[string]string{"DB": databases[script]} })
}

// machines are processes of the real program at one database, and a client of this process that runs nothing.
type machines struct {
	t      *testing.T
	dir    string
	db     string
	client *godwit.Client
}

const machinesConfig = "lease: 1s\npoll_interval: 50ms\nstop_grace: 0s\n"

func newMachines(t *testing.T) *machines {
	t.Helper()
	m := &machines{t: t, dir: t.TempDir(), db: pgtest.Database(t)}
	if err := os.WriteFile(filepath.Join(m.dir, "godwit.yaml"), []byte(machinesConfig), 0o600); err != nil {
		t.Fatal(err)
	}
	store, err := open.Store(t.Context(), m.db)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = store.Close() }) // which was only read
	if m.client, err = godwit.New(store, godwit.Config{PollInterval: 5 * time.Millisecond}); err != nil {
		t.Fatal(err)
	}
	return m
}

func (m *machines) start(args ...string) *served {
	m.t.Helper()
	return start(m.t, m.dir, append(args, "--db", m.db, "--config", "godwit.yaml")...)
}

// submit puts a job in over HTTP.
func (m *machines) submit(s *served, path, body string) godwit.ID {
	m.t.Helper()
	status, job := s.call("POST", "/v1/tasks/"+path, "respond-async", body)
	text, _ := job["id"].(string)
	id, err := godwit.ParseID(text)
	if status != http.StatusAccepted || err != nil {
		m.t.Fatalf("%s answered %d %v", path, status, job)
	}
	return id
}

// runners gives, for each of some jobs that run, the process that runs it; false while one of them does not run.
func (m *machines) runners(ids []godwit.ID) (map[int]godwit.ID, bool) {
	m.t.Helper()
	sessions, err := m.client.Sessions(m.t.Context())
	if err != nil {
		m.t.Fatal(err)
	}
	processes := map[godwit.ID]int{}
	for _, s := range sessions {
		processes[s.ID] = s.PID
	}
	found := map[int]godwit.ID{}
	for _, id := range ids {
		job := m.job(id)
		if job.State != godwit.StateRunning {
			return nil, false
		}
		found[processes[job.Session]] = id
	}
	return found, true
}

func (m *machines) job(id godwit.ID) godwit.Job {
	m.t.Helper()
	job, err := m.client.Get(m.t.Context(), id)
	if err != nil {
		m.t.Fatal(err)
	}
	return job
}

// await waits until what is asked for is so.
func (m *machines) await(what string, so func() bool) {
	m.t.Helper()
	if !eventually(so) {
		m.t.Fatalf("it never came to this: %s", what)
	}
}

func TestManyProcessesShareTheJobsOfOneDatabase(t *testing.T) {
	t.Parallel()
	m := newMachines(t)
	server := m.start("serve", "--listen", "127.0.0.1:0", "--queues", "default=1")
	first := m.start("worker", "--queues", "default=1")
	second := m.start("worker", "--queues", "default=1,images=1")

	// Each process has room for one job of the queue: three that run at once run in three.
	var long []godwit.ID
	for range 3 {
		long = append(long, m.submit(server, "sleep", `{"for":"1h"}`))
	}
	var runs map[int]godwit.ID
	m.await("three jobs run", func() (ok bool) {
		runs, ok = m.runners(long)
		return ok
	})
	inFirst, inSecond := runs[first.Process.Pid], runs[second.Process.Pid]
	if len(runs) != 3 || inFirst.IsZero() || inSecond.IsZero() || runs[server.Process.Pid].IsZero() {
		t.Fatalf("they run in %v, want one in each of %d, %d and %d", runs, server.Process.Pid, first.Process.Pid, second.Process.Pid)
	}

	// The queue images is worked by the second worker alone. Who waits for a job at the server, or here, gets its result.
	if status, job := server.call("POST", "/v1/tasks/echo?queue=images", "wait=30", `{"a":1}`); status != http.StatusOK || job["state"] != "succeeded" {
		t.Errorf("a job that runs elsewhere answered %d %v", status, job)
	}
	elsewhere := m.submit(server, "echo?queue=images&delay=100ms", `"there"`)
	if result, err := godwit.PromiseOf[string](m.client, elsewhere).Await(t.Context()); err != nil || result != "there" {
		t.Errorf("awaited in another process: %q, %v", result, err)
	}

	// What is submitted before a process dies is done all the same. Its own job runs elsewhere when its lease is over.
	var others []godwit.ID
	for i := range 50 {
		others = append(others, m.submit(server, "echo", fmt.Sprint(i)))
	}
	killed := time.Now()
	if err := first.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if first.Wait() == nil {
		t.Fatal("the worker ended before it could be killed")
	}
	// A cancel at the server reaches the job that runs in the second worker, which has room then.
	if status, _ := server.call("POST", "/v1/jobs/"+inSecond.String()+"/cancel", "", `{}`); status != http.StatusOK {
		t.Errorf("cancel answered %d", status)
	}
	m.await("the job is cancelled", func() bool { return m.job(inSecond).State == godwit.StateCancelled })
	m.await("the job of the killed worker runs elsewhere", func() bool {
		job := m.job(inFirst)
		return job.State == godwit.StateRunning && job.Crashes == 1
	})
	t.Logf("its job ran elsewhere %v after the kill", time.Since(killed))
	if err := m.client.Cancel(t.Context(), inFirst, ""); err != nil { // which makes room again
		t.Error(err)
	}
	for _, id := range others {
		if result, err := godwit.PromiseOf[int](m.client, id).Await(t.Context()); err != nil || result < 0 {
			t.Fatalf("job %s: %v", id, err)
		}
	}
	second.signal(os.Interrupt)
	second.ends()
	server.signal(os.Interrupt)
	server.ends()
}
