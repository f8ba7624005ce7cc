package httpapi_test

import (
	"context"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/httpapi"
)

// overLoopback makes requests look as if they came to a server on the loopback interface.
func overLoopback(ctx context.Context) context.Context {
	return context.WithValue(ctx, http.LocalAddrContextKey, net.Addr(&net.TCPAddr{IP: net.IPv4(127, 0, 0, 1), Port: 8080}))
}

func (b bundle) at(ctx context.Context, host string) int {
	r := httptest.NewRequestWithContext(ctx, http.MethodGet, "/v1/jobs", nil)
	r.Host = host
	w := httptest.NewRecorder()
	b.ServeHTTP(w, r)
	return w.Code
}

// A site whose name is made to point at the loopback interface does not reach the jobs.
func TestUnknownHostsAreRefused(t *testing.T) {
	t.Parallel()
	plain, named, open := setup(t, httpapi.Config{}), setup(t, httpapi.Config{Hosts: []string{"Jobs.example"}}), setup(t, httpapi.Config{Hosts: []string{"*"}})
	local := overLoopback(t.Context())
	own, err := os.Hostname()
	if err != nil {
		t.Fatal(err)
	}
	for host, want := range map[string]int{
		"127.0.0.1:8080": 200, "localhost": 200, "LOCALHOST:1": 200, "[::1]:8080": 200, "[::1]": 200, "app.localhost:3": 200, "localhost.": 200, "10.0.0.1": 200, "": 200,
		own: 200, "host.docker.internal:80": 200, "internal.example": 403,
		"evil.example": 403, "evil.example:8080": 403, "localhost.evil.example": 403, "127.0.0.1.evil.example": 403, "notlocalhost": 403, "jobs.example": 403,
	} {
		if got := plain.at(local, host); got != want {
			t.Errorf("over loopback, %q: answered %d, want %d", host, got, want)
		}
		if got := plain.at(t.Context(), host); got != http.StatusOK {
			t.Errorf("on the net, %q: answered %d", host, got)
		}
		if got := open.at(local, host); got != http.StatusOK {
			t.Errorf("open to any, %q: answered %d", host, got)
		}
		if host == "jobs.example" {
			want = http.StatusOK
		}
		for _, ctx := range []context.Context{local, t.Context()} {
			if got := named.at(ctx, host); got != want {
				t.Errorf("with a name, %q: answered %d, want %d", host, got, want)
			}
		}
	}
}

// A server that shuts down answers those who wait, with the job as it stands.
func TestShutdownAnswersWhoWaits(t *testing.T) {
	t.Parallel()
	b := setup(t, httpapi.Config{})
	server := httptest.NewServer(b)
	t.Cleanup(server.Close)
	id := text(t, b.want(t, http.StatusAccepted, http.MethodPost, "/v1/tasks/block", "1"), "id")
	eventually(t, "the job runs", func() bool {
		job, err := b.client.Get(t.Context(), parse(t, id))
		return err == nil && job.State == godwit.StateRunning
	})
	tag := b.send(t.Context(), http.MethodGet, "/v1/jobs/"+id, "").Header().Get("ETag")
	var wg sync.WaitGroup
	ask := func(want int, method, path, body string, headers ...string) {
		wg.Go(func() {
			r, err := http.NewRequestWithContext(t.Context(), method, server.URL+path, strings.NewReader(body))
			if err != nil {
				t.Error(err)
				return
			}
			r.Header.Set("Prefer", "wait=60")
			for _, h := range headers {
				r.Header.Set("If-None-Match", h)
			}
			res, err := http.DefaultClient.Do(r)
			if err != nil {
				t.Errorf("%s: %v", path, err)
				return
			}
			if _, err := io.Copy(io.Discard, res.Body); err != nil || res.StatusCode != want {
				t.Errorf("%s: answered %d, %v; want %d", path, res.StatusCode, err, want)
			}
			if err := res.Body.Close(); err != nil {
				t.Error(err)
			}
		})
	}
	ask(http.StatusAccepted, http.MethodPost, "/v1/tasks/block", "2")
	ask(http.StatusOK, http.MethodGet, "/v1/jobs/"+id, "")
	ask(http.StatusConflict, http.MethodGet, "/v1/jobs/"+id+"/result", "")
	ask(http.StatusNotModified, http.MethodGet, "/v1/jobs/"+id, "", tag)
	eventually(t, "all wait", func() bool { return httpapi.Waiters(b.Handler) == 4 })
	start := time.Now()
	if err := server.Config.Shutdown(t.Context()); err != nil {
		t.Fatal(err)
	}
	wg.Wait()
	if took := time.Since(start); took > 20*time.Second {
		t.Errorf("the shutdown took %v", took)
	}
	close(b.open)
}

// The time that a server allows for reading a request does not end a wait that comes after.
func TestWaitsOutlastTheReadTimeout(t *testing.T) {
	t.Parallel()
	b := setup(t, httpapi.Config{})
	server := httptest.NewUnstartedServer(b)
	server.Config.ReadTimeout = 50 * time.Millisecond
	server.Start()
	t.Cleanup(server.Close)
	time.AfterFunc(300*time.Millisecond, func() { close(b.open) })
	r, err := http.NewRequestWithContext(t.Context(), http.MethodPost, server.URL+"/v1/tasks/block", strings.NewReader("1"))
	if err != nil {
		t.Fatal(err)
	}
	r.Header.Set("Prefer", "wait=60")
	res, err := http.DefaultClient.Do(r)
	if err != nil {
		t.Fatal(err)
	}
	if res.StatusCode != http.StatusOK {
		t.Errorf("answered %d before the job was over", res.StatusCode)
	}
	if err := res.Body.Close(); err != nil {
		t.Error(err)
	}
}

// Who waits and is cut off leaves nothing behind.
func TestCutWaitersLeave(t *testing.T) { //nolint:paralleltest // counts goroutines
	const waiters = 200
	b := setup(t, httpapi.Config{})
	server := httptest.NewServer(b)
	t.Cleanup(server.Close)
	id := text(t, b.want(t, http.StatusAccepted, http.MethodPost, "/v1/tasks/block", "1"), "id")
	eventually(t, "the job runs", func() bool {
		job, err := b.client.Get(t.Context(), parse(t, id))
		return err == nil && job.State == godwit.StateRunning
	})
	tag := b.send(t.Context(), http.MethodGet, "/v1/jobs/"+id, "").Header().Get("ETag")
	before := runtime.NumGoroutine()
	conns := make([]net.Conn, 0, waiters)
	for i := range waiters {
		c := dial(t, server.Listener.Addr().String())
		head := "GET /v1/jobs/" + id + " HTTP/1.1\r\nHost: localhost\r\nPrefer: wait=60\r\n"
		if i%2 == 0 {
			head += "If-None-Match: " + tag + "\r\n"
		}
		write(t, c, head+"\r\n")
		conns = append(conns, c)
	}
	eventually(t, "all wait", func() bool { return httpapi.Waiters(b.Handler) == waiters })
	for _, c := range conns {
		reset(t, c)
	}
	eventually(t, "all have left", func() bool {
		return httpapi.Waiters(b.Handler) == 0 && httpapi.Watched(b.Handler) == 0 && runtime.NumGoroutine() <= before+4
	})
	close(b.open)
}

func dial(t *testing.T, address string) net.Conn {
	t.Helper()
	c, err := (&net.Dialer{}).DialContext(t.Context(), "tcp", address)
	if err != nil {
		t.Fatal(err)
	}
	return c
}

func write(t *testing.T, c net.Conn, text string) {
	t.Helper()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
}

// reset closes a connection with a RST.
func reset(t *testing.T, c net.Conn) {
	t.Helper()
	if tcp, ok := c.(*net.TCPConn); ok {
		if err := tcp.SetLinger(0); err != nil {
			t.Error(err)
		}
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
}

// The trace context of a request becomes that of the job, unless it is malformed or the job has its own.
func TestTraceContext(t *testing.T) {
	t.Parallel()
	b := setup(t, httpapi.Config{})
	const parent = "00-0af7651916cd43dd8448eb211c80319c-b7ad6b7169203331-01"
	long := "tracestate: a=" + strings.Repeat("v", 256)
	for name, c := range map[string]struct {
		headers []string
		parent  string
		state   string
	}{
		"both":                     {[]string{"Traceparent: " + parent, "tracestate: rojo=00f067aa0ba902b7, congo=t61rcWkgMzE"}, parent, "rojo=00f067aa0ba902b7,congo=t61rcWkgMzE"},
		"in several headers":       {[]string{"traceparent: " + parent, "tracestate: a=1,", "tracestate: ,b@c=2 3"}, parent, "a=1,b@c=2 3"},
		"a later version":          {[]string{"traceparent: cc" + parent[2:] + "-what-comes"}, "cc" + parent[2:] + "-what-comes", ""},
		"a version that is none":   {[]string{"traceparent: ff" + parent[2:]}, "", ""},
		"more than version 0 has":  {[]string{"traceparent: " + parent + "-x"}, "", ""},
		"no trace":                 {[]string{"traceparent: 00-" + strings.Repeat("0", 32) + "-b7ad6b7169203331-01", "tracestate: a=1"}, "", ""},
		"no span":                  {[]string{"traceparent: 00-0af7651916cd43dd8448eb211c80319c-0000000000000000-01"}, "", ""},
		"capitals":                 {[]string{"traceparent: " + strings.ToUpper(parent)}, "", ""},
		"twice":                    {[]string{"traceparent: " + parent, "traceparent: " + parent}, "", ""},
		"a state that is none":     {[]string{"traceparent: " + parent, "tracestate: a=1,B=2"}, parent, ""},
		"a state that is too long": {[]string{"traceparent: " + parent, long, long[:14] + "b" + long[14:]}, parent, ""},
		"a state without a parent": {[]string{"tracestate: a=1"}, "", ""},
	} {
		for _, way := range []struct{ path, body string }{{"/v1/tasks/echo", "1"}, {"/v1/jobs", `{"task":"echo","args":1,"headers":{"k":"v"}}`}} {
			answer := b.want(t, http.StatusAccepted, http.MethodPost, way.path, way.body, c.headers...)
			if list, ok := answer["jobs"].([]any); ok {
				answer, _ = list[0].(map[string]any)
			}
			job, err := b.client.Get(t.Context(), parse(t, text(t, answer, "id")))
			if err != nil || job.Headers["traceparent"] != c.parent || job.Headers["tracestate"] != c.state {
				t.Errorf("%s, %s: the job has %v, %v", name, way.path, job.Headers, err)
			}
		}
	}
	own := `{"task":"echo","args":1,"headers":{"traceparent":"mine"}}`
	list, ok := b.want(t, http.StatusAccepted, http.MethodPost, "/v1/jobs", own, "traceparent: "+parent, "tracestate: a=1")["jobs"].([]any)
	if !ok {
		t.Fatal("no jobs")
	}
	first, _ := list[0].(map[string]any)
	job, err := b.client.Get(t.Context(), parse(t, text(t, first, "id")))
	if err != nil || job.Headers["traceparent"] != "mine" || job.Headers["tracestate"] != "" {
		t.Errorf("a job with its own has %v, %v", job.Headers, err)
	}
}
