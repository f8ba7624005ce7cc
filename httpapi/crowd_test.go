package httpapi_test

import (
	"bufio"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"runtime"
	"strings"
	"sync"
	"testing"
	"time"
)

// exchange is something sent on a connection of its own, and the statuses of the answers to it, after which the connection is as it
// may be.
type exchange struct {
	name  string
	send  string
	want  []int
	never string // what no answer may hold
}

// badConnections sends what no client would, byte by byte.
func (r *real) badConnections(t *testing.T) {
	t.Helper()
	const host = "Host: localhost\r\n"
	chunk := fmt.Sprintf("%x\r\n%s\r\n", 64<<10, strings.Repeat("1", 64<<10))
	for _, x := range []exchange{
		{name: "pipelined", send: "GET /healthz HTTP/1.1\r\n" + host + "\r\nPOST /v1/tasks/echo HTTP/1.1\r\n" + host + "Content-Length: 1\r\n\r\n1GET /v1/nothing HTTP/1.1\r\n" + host + "\r\n", want: []int{200, 202, 404}},
		{name: "chunks", send: "POST /v1/tasks/echo HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n2\r\n[1\r\n2;x=y\r\n,2\r\n1\r\n]\r\n0\r\n\r\n", want: []int{202}},
		{name: "chunks without end", send: "POST /v1/tasks/echo HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\n" + strings.Repeat(chunk, 20), want: []int{413}},
		{name: "chunks of nonsense", send: "POST /v1/tasks/echo HTTP/1.1\r\n" + host + "Transfer-Encoding: chunked\r\n\r\nzz\r\n", want: []int{400}},
		{name: "a promise of too much", send: "POST /v1/tasks/echo HTTP/1.1\r\n" + host + "Content-Length: 99999999\r\nExpect: 100-continue\r\n\r\n", want: []int{413}},
		{name: "a promise of enough", send: "POST /v1/tasks/echo HTTP/1.1\r\n" + host + "Content-Length: 1\r\nExpect: 100-continue\r\n\r\n1", want: []int{100, 202}},
		{name: "another expectation", send: "POST /v1/tasks/echo HTTP/1.1\r\n" + host + "Content-Length: 1\r\nExpect: tea\r\n\r\n1", want: []int{417}},
		{name: "two lengths", send: "POST /v1/tasks/echo HTTP/1.1\r\n" + host + "Content-Length: 1\r\nContent-Length: 2\r\n\r\n1", want: []int{400}},
		{name: "a negative length", send: "POST /v1/tasks/echo HTTP/1.1\r\n" + host + "Content-Length: -1\r\n\r\n", want: []int{400}},
		{name: "length and chunks", send: "POST /v1/tasks/echo HTTP/1.1\r\n" + host + "Content-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n1\r\n1\r\n0\r\n\r\nGET /healthz HTTP/1.1\r\n" + host + "\r\n", want: []int{202}},
		{name: "no host", send: "GET /healthz HTTP/1.1\r\n\r\n", want: []int{400}},
		{name: "two hosts", send: "GET /healthz HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n", want: []int{400}},
		{name: "a rebound host", send: "GET /v1/jobs HTTP/1.1\r\nHost: evil.example\r\n\r\n", want: []int{403}, never: "jobs\""},
		{name: "a rebound target", send: "GET http://evil.example/v1/jobs HTTP/1.1\r\n" + host + "\r\n", want: []int{403}, never: "jobs\""},
		{name: "HTTP/1.0", send: "GET /healthz HTTP/1.0\r\n\r\n", want: []int{200}},
		{name: "huge headers", send: "GET /healthz HTTP/1.1\r\n" + host + "X: " + strings.Repeat("x", 2<<20), want: []int{431}},
		{name: "everything", send: "OPTIONS * HTTP/1.1\r\n" + host + "\r\n", want: []int{200}},
		{name: "a tunnel", send: "CONNECT localhost:22 HTTP/1.1\r\n" + host + "\r\n", want: []int{404}},
		{name: "TLS", send: "\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03\r\n\r\n", want: []int{400}},
		{name: "half a body", send: "POST /v1/tasks/echo HTTP/1.1\r\n" + host + "Content-Length: 10\r\n\r\n[1,", want: []int{400}},
		{name: "half a batch", send: "POST /v1/jobs HTTP/1.1\r\n" + host + "Content-Length: 99\r\n\r\n{\"task\":\"echo\",\"args\":1}\n", want: []int{400}},
	} {
		t.Run(x.name, func(t *testing.T) { x.play(t, r.address) })
	}
	for range 100 { // and what is gone before it can be answered
		c := dial(t, r.address)
		write(t, c, "GET /v1/jobs HTTP/1.1\r\n"+host+"\r\nPOST /v1/tasks/echo HTTP/1.1\r\n"+host+"Content-Length: 100\r\n\r\n[")
		reset(t, c)
	}
	var page struct{ Jobs []json.RawMessage }
	if err := r.get("/v1/jobs", &page); err != nil || len(page.Jobs) != 4 {
		t.Errorf("%d jobs were made, want the 4 that were answered 202 (%v)", len(page.Jobs), err)
	}
	r.stop(t)
}

func (x exchange) play(t *testing.T, address string) {
	t.Helper()
	c := dial(t, address)
	defer c.Close() //nolint:errcheck // it is of no more use
	if err := c.SetDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	go func() { // the server may answer, and close, before it has read all
		_, _ = io.WriteString(c, x.send)
		if tcp, ok := c.(*net.TCPConn); ok {
			_ = tcp.CloseWrite()
		}
	}()
	answers := bufio.NewReader(c)
	for _, want := range x.want {
		a, err := http.ReadResponse(answers, nil)
		if err != nil {
			t.Fatalf("want %d, got %v", want, err)
		}
		body, err := io.ReadAll(a.Body)
		if closed := a.Body.Close(); err == nil {
			err = closed
		}
		if err != nil || a.StatusCode != want || x.never != "" && strings.Contains(string(body), x.never) {
			t.Fatalf("want %d, got %d %s, %v", want, a.StatusCode, body, err)
		}
	}
}

// get reads JSON.
func (r *real) get(path string, into any) error {
	a, err := http.Get("http://" + r.address + path) //nolint:noctx // of a test on the loopback interface
	if err != nil {
		return err
	}
	defer a.Body.Close() //nolint:errcheck // only read
	return json.NewDecoder(a.Body).Decode(into)
}

// crowd has half of two thousand connections hold half-written requests, while the others submit and wait. Nothing that was acknowledged is
// lost, and neither memory nor descriptors are.
func (r *real) crowd(t *testing.T) {
	t.Helper()
	const each = 500 // of half headers, half bodies, and twice that many who submit
	var idle []net.Conn
	for i := range 2 * each {
		c := dial(t, r.address)
		half := "POST /v1/tasks/echo HTTP/1.1\r\nHost: localhost\r\nX-Slow: "
		if i%2 == 0 {
			half = "POST /v1/jobs HTTP/1.1\r\nHost: localhost\r\nContent-Length: 100000\r\n\r\n" + strings.Repeat(`{"task":"echo","args":1}`+"\n", 10)
		}
		write(t, c, half)
		idle = append(idle, c)
	}
	transport := &http.Transport{}
	defer transport.CloseIdleConnections()
	var wg sync.WaitGroup
	ids := make(chan string, 2*each)
	for i := range 2 * each {
		wg.Go(func() {
			id, err := r.submitAndWait(t, transport, i)
			if err != nil {
				t.Error(err)
			}
			ids <- id
		})
	}
	wg.Wait()
	close(ids)
	states := map[string]int{}
	for id := range ids {
		var job struct{ ID, State string }
		if err := r.get("/v1/jobs/"+id+"", &job); err != nil || job.ID != id {
			t.Errorf("job %s, which was acknowledged: %+v, %v", id, job, err)
		}
		states[job.State]++
	}
	if states["succeeded"] != 2*each {
		t.Errorf("of %d jobs acknowledged: %v", 2*each, states)
	}
	t.Logf("the program used %d MiB and %d descriptors", r.memory(), r.files())
	if runtime.GOOS == "linux" && (r.memory() == 0 || r.memory() > 512) {
		t.Errorf("it used %d MiB", r.memory())
	}
	// Half a header is waited for 10 s, then nobody is there to be told.
	if err := idle[1].SetReadDeadline(time.Now().Add(time.Minute)); err != nil {
		t.Fatal(err)
	}
	if text, err := io.ReadAll(idle[1]); err != nil || strings.Contains(string(text), " 20") {
		t.Errorf("half a header was answered %q, %v", text, err)
	}
	for _, c := range idle {
		reset(t, c)
	}
	transport.CloseIdleConnections()
	eventually(t, "the descriptors are free", func() bool { return r.files() < 100 })
	r.stop(t)
}

// submitAndWait submits a job over a connection of its own, and waits until it is over.
func (r *real) submitAndWait(t *testing.T, transport http.RoundTripper, i int) (id string, err error) {
	t.Helper()
	path, body := "/v1/tasks/echo", fmt.Sprintf(`{"number":%d,"text":%q}`, i, strings.Repeat("x", 10_000))
	if i%4 == 0 {
		path, body = "/v1/tasks/sleep", `{"for":"10ms"}`
	}
	for prefer, method := "wait=60", http.MethodPost; ; method = http.MethodGet {
		q, err := http.NewRequestWithContext(t.Context(), method, "http://"+r.address+path, strings.NewReader(body))
		if err != nil {
			return id, err
		}
		q.Header.Set("Prefer", prefer)
		a, err := transport.RoundTrip(q)
		if err != nil {
			return id, err
		}
		var job struct{ ID, State string }
		err = json.NewDecoder(a.Body).Decode(&job)
		if closed := a.Body.Close(); err == nil {
			err = closed
		}
		switch {
		case err != nil:
			return id, err
		case a.StatusCode == http.StatusOK && job.State == "succeeded":
			return job.ID, nil
		case a.StatusCode != http.StatusAccepted && a.StatusCode != http.StatusOK:
			return id, fmt.Errorf("answered %d", a.StatusCode)
		}
		id, path, body = job.ID, "/v1/jobs/"+job.ID, ""
	}
}

// stopUnderWaiters stops the program while many wait: all are answered, and at once.
func (r *real) stopUnderWaiters(t *testing.T) {
	t.Helper()
	const waiters = 200
	var wg sync.WaitGroup
	for range waiters {
		wg.Go(func() {
			status, text, err := r.post(t, "/v1/tasks/sleep", `{"for":"10m"}`, "wait=60")
			if err != nil || status != http.StatusAccepted {
				t.Errorf("who waited was answered %d %s, %v", status, text, err)
			}
		})
	}
	eventually(t, "all were submitted", func() bool {
		var page struct{ Jobs []json.RawMessage }
		return r.get("/v1/jobs?task=sleep&limit=1000", &page) == nil && len(page.Jobs) == waiters
	})
	start := time.Now()
	r.stop(t)
	wg.Wait()
	if took := time.Since(start); took > 30*time.Second {
		t.Errorf("it took %v", took)
	}
}

// greedy has a thousand connections ask for a large job and not read it. The program's memory stays bounded, it answers others, and keeps
// its lease. All of them are answered once the first bytes of each were read.
func (r *real) greedy(t *testing.T) {
	t.Helper()
	var job, running struct{ ID string }
	for path, into := range map[string]any{"/v1/tasks/echo": &job, "/v1/tasks/sleep": &running} {
		body := `{"for":"1h"}`
		if into == &job {
			body = large
		}
		status, answer, err := r.post(t, path, body, "")
		if err == nil {
			err = json.Unmarshal([]byte(answer), into)
		}
		if err != nil || status != http.StatusAccepted {
			t.Fatalf("%s: answered %d, %v", path, status, err)
		}
	}
	var conns []net.Conn
	for range 1000 {
		c := dial(t, r.address)
		if tcp, ok := c.(*net.TCPConn); ok {
			if err := tcp.SetReadBuffer(4 << 10); err != nil {
				t.Fatal(err)
			}
		}
		write(t, c, "GET /v1/jobs/"+job.ID+" HTTP/1.1\r\nHost: localhost\r\n\r\n")
		conns = append(conns, c)
	}
	answers := map[string]int{}
	for _, c := range conns {
		answers[status(t, c)]++
	}
	t.Logf("the program used %d MiB, and answered %v", r.memory(), answers)
	if runtime.GOOS == "linux" && (r.memory() == 0 || r.memory() > 600) {
		t.Errorf("it used %d MiB", r.memory())
	}
	if answers["200"] == 0 || answers["200"]+answers["503"] != len(conns) {
		t.Errorf("it answered %v", answers)
	}
	var after struct {
		State    string
		Run      int
		Attempts []json.RawMessage
	}
	if err := r.get("/v1/jobs/"+running.ID, &after); err != nil || after.State != "running" || after.Run != 1 || len(after.Attempts) != 0 {
		t.Errorf("the job that ran meanwhile is %+v, %v", after, err)
	}
	for _, c := range conns {
		reset(t, c)
	}
	r.stop(t)
}
