package main

import (
	"bytes"
	"encoding/hex"
	"io"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
)

// collector takes traces, as they come.
type collector struct {
	mu   sync.Mutex
	body []byte // guarded by mu
	auth string // guarded by mu
	path string // guarded by mu
}

func (c *collector) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	body, err := io.ReadAll(r.Body)
	if err != nil {
		http.Error(w, err.Error(), http.StatusBadRequest)
		return
	}
	c.mu.Lock()
	defer c.mu.Unlock()
	c.body, c.auth, c.path = append(c.body, body...), r.Header.Get("Authorization"), r.URL.Path
}

func (s *served) get(path string) string {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), http.MethodGet, s.url+path, nil)
	if err != nil {
		s.t.Fatal(err)
	}
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer func() { _ = answer.Body.Close() }()
	body, err := io.ReadAll(answer.Body)
	if err != nil {
		s.t.Fatal(err)
	}
	return answer.Status + "\n" + string(body)
}

// configured makes a file of configuration, and gives the flags that name it.
func configured(t *testing.T, dir, text string) []string {
	t.Helper()
	if err := os.WriteFile(filepath.Join(dir, "godwit.yaml"), []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	return []string{"--config", "godwit.yaml"}
}

func TestServeShowsMetricsAndSendsTraces(t *testing.T) {
	t.Parallel()
	var got collector
	server := httptest.NewServer(&got)
	defer server.Close()
	endpoint := strings.Replace(server.URL, "http://", "http://me:hush@", 1) + "/otlp"
	dir := t.TempDir()
	s := startServe(t, dir, configured(t, dir, "tracing: {otlp_endpoint: \""+endpoint+"\"}\n")...)
	const traceID = "4bf92f3577b34da6a3ce929d0e0e4736"
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, s.url+"/v1/tasks/echo", strings.NewReader(`{"a":1}`))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("traceparent", "00-"+traceID+"-00f067aa0ba902b7-01")
	r.Header.Set("Prefer", "wait=30")
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	_ = answer.Body.Close()
	if answer.StatusCode != http.StatusOK {
		t.Fatalf("echo answered %s", answer.Status)
	}
	const counted = `godwit_http_requests_total{route="POST /v1/tasks/{task}",status="200"} 1`
	metrics := s.get("/metrics")
	for range 1000 { // a request is counted once it was answered
		if strings.Contains(metrics, counted) {
			break
		}
		metrics = s.get("/metrics")
	}
	for _, want := range []string{
		"200 OK", "godwit_up 1\n", `godwit_runs_total{code="",outcome="succeeded",queue="default",task="echo"} 1`,
		counted, "go_goroutines", `godwit_slots{queue="default"}`,
	} {
		if !strings.Contains(metrics, want) {
			t.Errorf("no %s in /metrics", want)
		}
	}
	s.signal(syscall.SIGTERM)
	s.ends() // which sends the last spans
	got.mu.Lock()
	defer got.mu.Unlock()
	if got.path != "/otlp/v1/traces" || got.auth != "Basic bWU6aHVzaA==" {
		t.Errorf("the collector was asked at %q with %q", got.path, got.auth)
	}
	id, err := hex.DecodeString(traceID)
	if err != nil {
		t.Fatal(err)
	}
	for _, want := range [][]byte{id, []byte("submit echo"), []byte("run echo"), []byte("service.name")} {
		if !bytes.Contains(got.body, want) {
			t.Errorf("no %q in %d bytes of traces", want, len(got.body))
		}
	}
}

func TestServeWithoutMetricsHasNone(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := startServe(t, dir, configured(t, dir, "metrics: {enabled: false}\n")...)
	if got := s.get("/metrics"); !strings.HasPrefix(got, "404") {
		t.Errorf("got %s", got)
	}
	s.signal(syscall.SIGTERM)
	s.ends()
}

func TestACollectorThatIsNotThereHoldsNothingUp(t *testing.T) {
	t.Parallel()
	gone := httptest.NewServer(nil)
	gone.Close()
	dir := t.TempDir()
	s := startServe(t, dir, configured(t, dir, "tracing: {otlp_endpoint: \""+strings.Replace(gone.URL, "://", "://me:hush@", 1)+"\"}\n")...)
	if status, job := s.call("POST", "/v1/tasks/echo", "wait=30", `1`); status != 200 {
		t.Fatalf("echo answered %d %v", status, job)
	}
	s.signal(syscall.SIGTERM)
	s.ends()
	if log := s.log.String(); !strings.Contains(log, "traces are lost") || strings.Contains(log, "hush") {
		t.Errorf("the log says %s", log)
	}
}
