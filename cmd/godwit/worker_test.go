package main

import (
	"bufio"
	"strings"
	"syscall"
	"testing"

	"github.com/godwit-go/godwit/httpapi"
	"github.com/godwit-go/godwit/internal/config"
	"github.com/godwit-go/godwit/postgres"
	"github.com/godwit-go/godwit/sqlite"
)

func TestWorkerRunsWhatIsInTheFile(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := startServe(t, dir)
	status, job := s.call("POST", "/v1/tasks/fail?queue=images&max_attempts=1", "", `{"times":1}`)
	id, ok := job["id"].(string)
	if status != 202 || !ok {
		t.Fatalf("fail answered %d %v", status, job)
	}
	s.signal(syscall.SIGTERM)
	s.ends()

	w := program(t.Context(), t, dir, "worker", "--db", "sqlite:jobs.db", "--queues", "images=1", "--log-format", "json")
	log, err := w.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := w.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(log)
	for lines.Scan() && !strings.Contains(lines.Text(), `"msg":"godwit: run failed","task":"fail","job":"`+id) {
		t.Log(lines.Text())
	}
	if err := w.Process.Signal(syscall.SIGINT); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() {
		t.Log(lines.Text())
	}
	if err := w.Wait(); err != nil {
		t.Errorf("the worker ended with %v, want exit code 0", err)
	}

	s = startServe(t, dir)
	if _, job := s.call("GET", "/v1/jobs/"+id, "", ""); job["state"] != "failed" {
		t.Errorf("the worker left the job as %v", job)
	}
	s.signal(syscall.SIGTERM)
	s.ends()
}

func TestDefaultsAreThoseOfThePackages(t *testing.T) {
	t.Parallel()
	c, err := config.Load(config.Sources{})
	if err != nil {
		t.Fatal(err)
	}
	if c.HTTP.WaitMax != httpapi.WaitMaxDefault || c.HTTP.WaitersMax != httpapi.WaitersMaxDefault || c.HTTP.BodyBytesMax != httpapi.BodyBytesMaxDefault ||
		c.HTTP.AnswerBytesMax != httpapi.AnswerBytesMaxDefault {
		t.Errorf("the bounds of the API are %+v", c.HTTP)
	}
	if c.SQLite.LockWait != sqlite.LockWaitDefault || c.SQLite.Readers != sqlite.ReadersDefault {
		t.Errorf("the settings of SQLite are %+v", c.SQLite)
	}
	p := c.Postgres
	if p.Schema != postgres.SchemaDefault || p.Conns != postgres.ConnsDefault || p.Migrate != string(postgres.MigrateUp) || p.CallTimeout != postgres.CallTimeoutDefault {
		t.Errorf("the settings of PostgreSQL are %+v", p)
	}
}
