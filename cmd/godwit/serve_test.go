package main

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"os/signal"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
)

// served is a running `godwit serve`, or a worker, which has no url.
type served struct {
	*exec.Cmd
	t     *testing.T
	url   string
	lines *bufio.Scanner // of its output
	log   *bytes.Buffer  // to be read after its end
}

// start starts the binary and reads its output to the line that says it is there.
func start(t *testing.T, dir string, args ...string) *served {
	t.Helper()
	s := &served{Cmd: program(t.Context(), t, dir, args...), t: t, log: &bytes.Buffer{}}
	pipe, err := s.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	s.Stderr = s.log
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	s.lines = bufio.NewScanner(pipe)
	line := s.waitFor("godwit ")
	s.url = regexp.MustCompile(`http://\S+`).FindString(line)
	return s
}

// waitFor reads the output up to a line.
func (s *served) waitFor(part string) string {
	s.t.Helper()
	for s.lines.Scan() {
		if strings.Contains(s.lines.Text(), part) {
			return s.lines.Text()
		}
	}
	err := s.Wait()
	s.t.Fatalf("it ended without %q: %v\n%s", part, err, s.log)
	return ""
}

// ends waits for the end, and wants exit code 0.
func (s *served) ends() {
	s.t.Helper()
	for s.lines.Scan() { // so that it never waits for its reader
	}
	if err := s.Wait(); err != nil {
		s.t.Errorf("it ended with %v, want exit code 0\n%s", err, s.log)
	}
}

func (s *served) signal(sig os.Signal) {
	s.t.Helper()
	if err := s.Process.Signal(sig); err != nil {
		s.t.Fatal(err)
	}
}

func startServe(t *testing.T, dir string, args ...string) *served {
	t.Helper()
	return start(t, dir, append([]string{"serve", "--listen", "127.0.0.1:0", "--db", "sqlite:jobs.db"}, args...)...)
}

// call makes a request and gives the status and the JSON answered.
func (s *served) call(method, path, prefer, body string) (int, map[string]any) {
	s.t.Helper()
	r, err := http.NewRequestWithContext(s.t.Context(), method, s.url+path, strings.NewReader(body))
	if err != nil {
		s.t.Fatal(err)
	}
	r.Header.Set("Prefer", prefer)
	answer, err := http.DefaultClient.Do(r)
	if err != nil {
		s.t.Fatal(err)
	}
	defer answer.Body.Close() //nolint:errcheck // only read
	var got map[string]any
	if err := json.NewDecoder(answer.Body).Decode(&got); err != nil {
		s.t.Fatal(err)
	}
	return answer.StatusCode, got
}

func TestServeKeepsWhatItAcknowledgedOverAKill(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	s := startServe(t, dir)
	if status, job := s.call("POST", "/v1/tasks/echo", "wait=30", `{"a":1}`); status != 200 || job["state"] != "succeeded" {
		t.Fatalf("echo answered %d %v", status, job)
	}
	status, later := s.call("POST", "/v1/tasks/echo?delay=1h", "respond-async", `{"b":2}`)
	if status != http.StatusAccepted || later["state"] != "scheduled" {
		t.Fatalf("a delayed echo answered %d %v", status, later)
	}
	if err := s.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := s.Wait(); err == nil {
		t.Fatal("serve ended before it could be killed")
	}

	s = startServe(t, dir)
	id, ok := later["id"].(string)
	if !ok {
		t.Fatalf("no id in %v", later)
	}
	if status, job := s.call("GET", "/v1/jobs/"+id, "", ""); status != 200 || job["state"] != "scheduled" {
		t.Errorf("after the kill the delayed job answered %d %v", status, job)
	}
	if status, job := s.call("POST", "/v1/tasks/nonsense", "", `{}`); status != 404 || job["code"] != "unknown_task" {
		t.Errorf("an unknown task answered %d %v", status, job)
	}
	s.signal(syscall.SIGTERM)
	s.ends()
}

// running submits a job and gives its id when it runs.
func (s *served) running(task, body string) string {
	s.t.Helper()
	status, job := s.call("POST", "/v1/tasks/"+task, "", body)
	id, ok := job["id"].(string)
	if status != http.StatusAccepted || !ok {
		s.t.Fatalf("%s answered %d %v", task, status, job)
	}
	for job["state"] != "running" {
		_, job = s.call("GET", "/v1/jobs/"+id, "", "")
	}
	return id
}

func TestServeStopsInGoodOrder(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		signal os.Signal
		grace  string
		sleep  string
		state  string
	}{
		"the job finishes":  {syscall.SIGTERM, "30s", "600ms", "succeeded"},
		"the job goes back": {syscall.SIGINT, "300ms", "30m", "ready"},
		"no grace":          {syscall.SIGTERM, "0s", "30m", "ready"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			s := startServe(t, dir, "--grace", c.grace)
			id := s.running("sleep", `{"for":"`+c.sleep+`"}`)
			s.signal(c.signal)
			s.waitFor("godwit stops")
			s.ends()

			again := startServe(t, dir, "--queues", "other=1")
			if _, job := again.call("GET", "/v1/jobs/"+id, "", ""); job["state"] != c.state || job["attempt"] == 2.0 || job["crashes"] != 0.0 {
				t.Errorf("after the stop the job is %v", job)
			}
			again.signal(syscall.SIGTERM)
			again.ends()
			if !strings.Contains(again.log.String(), "the queue default is not worked here") {
				t.Errorf("without the queue default the log says %q", again.log)
			}
		})
	}
}

func TestServeIsNotReadyWhileItStopsAndAnswersWhoWaits(t *testing.T) {
	t.Parallel()
	s := startServe(t, t.TempDir(), "--grace", "5s")
	if status, _ := s.call("GET", "/readyz", "", ""); status != http.StatusOK {
		t.Errorf("readyz answered %d before the stop", status)
	}
	id := s.running("sleep", `{"for":"2s"}`)
	waited := make(chan map[string]any, 1)
	go func() {
		_, job := s.call("GET", "/v1/jobs/"+id, "wait=60", "")
		waited <- job
	}()
	s.signal(syscall.SIGTERM)
	s.waitFor("godwit stops")
	if status, _ := s.call("GET", "/readyz", "", ""); status != http.StatusServiceUnavailable {
		t.Errorf("readyz answered %d while it stops, want 503", status)
	}
	if status, _ := s.call("GET", "/healthz", "", ""); status != http.StatusOK {
		t.Errorf("healthz answered %d while it stops, want 200", status)
	}
	if job := <-waited; job["state"] != "succeeded" {
		t.Errorf("who waited got %v", job)
	}
	s.ends()
	if strings.Contains(s.log.String(), "level=ERROR") {
		t.Errorf("a stop in good order logs errors: %s", s.log)
	}
}

// TestStopAnswersWhoWaitsForAJobThatGoesBack stops a server with a waiter that would wait for a minute.
func TestStopAnswersWhoWaitsForAJobThatGoesBack(t *testing.T) {
	t.Parallel()
	s := startServe(t, t.TempDir(), "--grace", "0s")
	id := s.running("sleep", `{"for":"30m"}`)
	waited := make(chan string, 1)
	go func() {
		status, job := s.call("GET", "/v1/jobs/"+id, "wait=60", "")
		waited <- fmt.Sprint(status, " ", job["state"])
	}()
	s.signal(syscall.SIGTERM)
	s.waitFor("godwit stops")
	if got := <-waited; got != "200 ready" {
		t.Errorf("who waited got %s, want the job as it stands", got)
	}
	s.ends()
}

func TestSecondSignalStopsAtOnce(t *testing.T) {
	t.Parallel()
	s := startServe(t, t.TempDir(), "--grace", "1h")
	s.running("sleep", `{"for":"30m"}`)
	s.signal(syscall.SIGTERM)
	s.waitFor("godwit stops")
	s.signal(syscall.SIGTERM)
	var exit *exec.ExitError
	if err := s.Wait(); !errors.As(err, &exit) || exit.ExitCode() != -1 {
		t.Errorf("after a second signal it ended with %v, want the signal", err)
	}
}

// TestStartsThatFail runs starts that must end by themselves, with an error that helps.
func TestStartsThatFail(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	taken := startServe(t, dir)
	if err := os.WriteFile(filepath.Join(dir, "corrupt.db"), []byte("this is no database at all"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "bad.yaml"), []byte("lese: 3s\nlease: 12\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "short.yaml"), []byte("sqlite: {lock_wait: 100ms}\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	address := strings.TrimPrefix(taken.url, "http://")
	for name, c := range map[string]struct {
		args []string
		code int
		want []string
	}{
		"address in use":        {[]string{"serve", "--db", "memory:", "--listen", address}, exitFailed, []string{"listen on " + address, "address already in use", "choose another port by --listen"}},
		"... for a new file":    {[]string{"serve", "--db", "sqlite:new.db", "--listen", address}, exitFailed, []string{"listen on " + address, "address already in use"}},
		"database held":         {[]string{"serve", "--db", "sqlite:jobs.db", "--config", "short.yaml"}, exitFailed, []string{fmt.Sprintf("godwit: process %d on ", taken.Process.Pid), "holds "}},
		"database corrupt":      {[]string{"serve", "--db", "sqlite:corrupt.db"}, exitFailed, []string{"corrupt.db is no SQLite database"}},
		"database unknown":      {[]string{"worker", "--db", "oracle:x"}, exitUsage, []string{"oracle"}},
		"directory not there":   {[]string{"worker", "--db", "sqlite:no/such/a.db"}, exitFailed, []string{"check that its directory exists"}},
		"worker on memory":      {[]string{"worker", "--db", "memory:"}, exitUsage, []string{"--db must be a database that others can put jobs into"}},
		"listen to all":         {[]string{"serve", "--listen", "0.0.0.0:0"}, exitUsage, []string{"--listen must be a loopback address", "--insecure-listen"}},
		"no workers":            {[]string{"serve", "--workers", "0"}, exitUsage, []string{"--workers must be from 1 to 10000, got 0"}},
		"queue name":            {[]string{"worker", "--queues", "a b=1"}, exitUsage, []string{`--queues must be named by at most 128 letters`}},
		"unknown kind, checked": {[]string{"serve", "--db", "mysql://x", "--check-config"}, exitUsage, []string{`has the scheme "mysql", which is none of sqlite, postgres, memory`}},
		"configuration":         {[]string{"serve", "--config", "bad.yaml", "--check-config"}, exitUsage, []string{"bad.yaml:1:1: lese is no key", "bad.yaml:2:8: lease must be a duration"}},
		"no configuration":      {[]string{"serve", "--config", "gone.yaml"}, exitUsage, []string{"gone.yaml: cannot be opened: no such file"}},
		"configuration unnamed": {[]string{"serve", "--config", ""}, exitUsage, []string{"--config is given and empty"}},
	} {
		t.Run(name, func(t *testing.T) {
			out, err := program(t.Context(), t, dir, c.args...).CombinedOutput()
			var exit *exec.ExitError
			if !errors.As(err, &exit) || exit.ExitCode() != c.code {
				t.Errorf("it ended with %v, want exit code %d", err, c.code)
			}
			for _, want := range c.want {
				if !strings.Contains(string(out), want) {
					t.Errorf("it said %q, without %q", out, want)
				}
			}
		})
	}
	if left, err := filepath.Glob(filepath.Join(dir, "new.db*")); err != nil || len(left) > 0 {
		t.Errorf("a server that could not listen left %v, %v", left, err)
	}
	taken.signal(syscall.SIGTERM)
	taken.ends()
}

func TestCheckConfigShowsWhatIsInEffect(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.yaml"), []byte("lease: 3s\ndb: postgres://u:hush@h/db\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	cmd := program(t.Context(), t, dir, "serve", "--config", "a.yaml", "--check-config", "--grace", "1s")
	cmd.Env = append(cmd.Env, "GODWIT_LOG_FORMAT=json", "GODWIT_LEESE=3s")
	var log bytes.Buffer
	cmd.Stderr = &log
	out, err := cmd.Output()
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(log.String(), "misspelt") || !strings.Contains(log.String(), "GODWIT_LEESE") {
		t.Errorf("it does not tell of a variable that is misspelt: %q", &log)
	}
	for _, want := range []string{
		"lease: 3s # a.yaml:1:8", `db: "postgres://u:***@h/db" # a.yaml:2:5`, "stop_grace: 1s # --grace", "  format: json # GODWIT_LOG_FORMAT", "hard_grace: 5s # default",
	} {
		if !strings.Contains(string(out), want+"\n") {
			t.Errorf("the configuration lacks %q:\n%s", want, out)
		}
	}
}

func TestSignalWhileWaitingForTheDatabaseEndsInGoodOrder(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	first := startServe(t, dir)
	second := program(t.Context(), t, dir, "serve", "--db", "sqlite:jobs.db")
	log, err := second.StderrPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := second.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(log)
	if !lines.Scan() || !strings.Contains(lines.Text(), "waits for the database") {
		t.Errorf("it says %q", lines.Text())
	}
	if err := second.Process.Signal(syscall.SIGTERM); err != nil {
		t.Fatal(err)
	}
	for lines.Scan() {
		t.Logf("further: %s", lines.Text())
	}
	if err := second.Wait(); err != nil {
		t.Errorf("it ended with %v, want exit code 0", err)
	}
	first.signal(syscall.SIGTERM)
	first.ends()
}

func TestServeCallsURLsThatItsConfigurationAllows(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		content string
		state   string
		part    string
	}{
		"none of its own": {"log: {level: error}\n", "failed", "127.0.0.1 is a loopback address, which jobs may not reach (tasks.http.allow_private "},
		"allowed":         {"tasks: {http: {allow_private: [127.0.0.0/8]}}\n", "succeeded", "status:200"},
		"switched off":    {"tasks: {http: {enabled: false}}\n", "", "http"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			dir := t.TempDir()
			if err := os.WriteFile(filepath.Join(dir, "a.yaml"), []byte(c.content), 0o600); err != nil {
				t.Fatal(err)
			}
			s := startServe(t, dir, "--config", "a.yaml")
			status, job := s.call("POST", "/v1/tasks/http", "wait=30", `{"url":"`+s.url+`/v1/tasks"}`)
			if c.state == "" && status != http.StatusNotFound || c.state != "" && job["state"] != c.state || !strings.Contains(fmt.Sprint(job), c.part) {
				t.Errorf("it answered %d %v", status, job)
			}
			s.signal(syscall.SIGTERM)
			s.ends()
		})
	}
}

func TestServeKnowsTheNamesThatItsConfigurationGives(t *testing.T) {
	t.Parallel()
	dir := t.TempDir()
	if err := os.WriteFile(filepath.Join(dir, "a.yaml"), []byte("hosts: [jobs.example.com]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	s := startServe(t, dir, "--config", "a.yaml")
	for host, want := range map[string]int{"jobs.example.com": http.StatusOK, "evil.example.com": http.StatusForbidden} {
		r, err := http.NewRequestWithContext(t.Context(), http.MethodGet, s.url+"/v1/queues", nil)
		if err != nil {
			t.Fatal(err)
		}
		r.Host = host
		answer, err := http.DefaultClient.Do(r)
		if err != nil {
			t.Fatal(err)
		}
		_ = answer.Body.Close() // its status is all
		if answer.StatusCode != want {
			t.Errorf("as %s it answered %s, want %d", host, answer.Status, want)
		}
	}
	s.signal(syscall.SIGTERM)
	s.ends()
}

func TestAHangUpStopsInGoodOrder(t *testing.T) {
	t.Parallel()
	if signal.Ignored(syscall.SIGHUP) {
		t.Skip("hang-ups are ignored here, as under nohup, and so by all that is started")
	}
	s := startServe(t, t.TempDir())
	s.signal(syscall.SIGHUP)
	s.waitFor("godwit stops")
	s.ends()
}
