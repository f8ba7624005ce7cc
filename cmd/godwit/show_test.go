package main

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/httpapi"
	"github.com/godwit-go/godwit/open"
)

// family is a task whose jobs make children, log, and say how far they are.
var (
	family = godwit.NewTask[int, int]("family", godwit.Policy{MaxAttempts: 1})
	member = godwit.NewTask[int, int]("member", godwit.Policy{MaxAttempts: 1})
)

// startFamily serves a client that runs the family.
func startFamily(t *testing.T) (url string, c *godwit.Client) {
	t.Helper()
	store, err := open.Store(t.Context(), "memory:")
	if err != nil {
		t.Fatal(err)
	}
	c, err = godwit.New(store, godwit.Config{Logger: slog.New(slog.DiscardHandler)})
	if err != nil {
		t.Fatal(err)
	}
	godwit.Handle(c, member, func(_ context.Context, n int) (int, error) {
		if n == 1 {
			return 0, errors.New("the first one fails")
		}
		return n, nil
	})
	godwit.Handle(c, family, func(ctx context.Context, n int) (int, error) {
		godwit.Logger(ctx).Info("begins", "members", n)
		var promises []*godwit.Promise[int]
		for i := range n {
			p, err := member.Submit(ctx, c, i, godwit.SubmitOptions{Name: fmt.Sprintf("nr-%d", i)})
			if err != nil {
				return 0, err
			}
			promises = append(promises, p)
		}
		if _, err := godwit.AwaitAll(ctx, promises...); err != nil {
			godwit.Logger(ctx).Warn("goes on without", "err", err)
		}
		return n, godwit.Emit(ctx, map[string]int{"members": n})
	})
	if err := c.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	server := httptest.NewServer(httpapi.New(c, httpapi.Config{}))
	t.Cleanup(func() {
		server.Close()
		if err := errors.Join(c.Stop(context.Background()), store.Close()); err != nil {
			t.Error(err)
		}
	})
	return server.URL, c
}

// client runs the program as a client of a server.
func client(t *testing.T, url string, args ...string) (code int, stdout, stderr string) {
	t.Helper()
	var out, errOut bytes.Buffer
	code = run(append(args, "--server", url), &out, &errOut)
	return code, out.String(), errOut.String()
}

func TestShowTellsTheFamilyOfAJob(t *testing.T) {
	t.Parallel()
	url, c := startFamily(t)
	p, err := family.Submit(t.Context(), c, 5, godwit.SubmitOptions{})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Await(t.Context()); err != nil {
		t.Fatal(err)
	}
	id := p.ID().String()
	code, out, errOut := client(t, url, "job", "show", id, "--children", "3")
	if code != exitDone {
		t.Fatalf("exit code %d: %s", code, errOut)
	}
	for _, want := range []string{
		"state       succeeded", "Children (5: 4 succeeded, 1 failed)", "├─ ", " member nr-4  took ", "└─ ... and 2 more",
		"INFO  run 1  begins members=5", "WARN  run 1  goes on without", "created", "run 1 started", "succeeded      in all ",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("the page lacks %q:\n%s", want, out)
		}
	}
	code, out, _ = client(t, url, "job", "show", id, "-o", "json")
	var page struct {
		Job      struct{ State string }
		Children []struct{ Job struct{ Task string } }
		Logs     []struct{ Message string }
	}
	if err := json.Unmarshal([]byte(out), &page); err != nil || code != exitDone {
		t.Fatalf("exit code %d, %v: %s", code, err, out)
	}
	if page.Job.State != "succeeded" || len(page.Children) != 5 || page.Children[0].Job.Task != "member" || len(page.Logs) != 2 {
		t.Errorf("got %+v", page)
	}
	if code, out, _ := client(t, url, "job", "items", id); code != exitDone || out != "{\"members\":5}\n" {
		t.Errorf("items: exit code %d, %q", code, out)
	}
	if code, out, _ := client(t, url, "job", "logs", id, "--tail", "1"); code != exitDone || strings.Count(out, "\n") != 1 || !strings.Contains(out, "goes on") {
		t.Errorf("the last log line: exit code %d, %q", code, out)
	}
	if code, out, _ := client(t, url, "job", "list", "--parent", id, "--state", "failed"); code != exitDone || !strings.Contains(out, "the first one fails") {
		t.Errorf("the children that failed: exit code %d, %q", code, out)
	}
}

func TestLogsAreFollowedToTheEnd(t *testing.T) {
	t.Parallel()
	url, c := startFamily(t)
	p, err := family.Submit(t.Context(), c, 3, godwit.SubmitOptions{Delay: 100 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	code, out, errOut := client(t, url, "job", "logs", p.ID().String(), "--follow")
	if code != exitDone || strings.Count(out, "\n") != 2 || !strings.Contains(out, "begins") || !strings.Contains(out, "goes on without") {
		t.Errorf("exit code %d, %q, %q; want both lines", code, out, errOut)
	}
	if _, out, _ := client(t, url, "job", "logs", p.ID().String(), "--follow", "--tail", "1", "-o", "json"); strings.Count(out, "\n") != 1 {
		t.Errorf("the last line alone: %q", out)
	}
}

// The JSON that the commands print is that of the HTTP API.
func TestJSONIsThatOfTheAPI(t *testing.T) {
	t.Parallel()
	url, c := startFamily(t)
	p, err := family.Submit(t.Context(), c, 2, godwit.SubmitOptions{Tags: []string{"x"}})
	if err != nil {
		t.Fatal(err)
	}
	if _, err := p.Await(t.Context()); err != nil {
		t.Fatal(err)
	}
	_, out, _ := client(t, url, "job", "get", p.ID().String(), "-o", "json")
	answer, err := http.Get(url + "/v1/jobs/" + p.ID().String()) //nolint:noctx // the test's end closes the server
	if err != nil {
		t.Fatal(err)
	}
	defer answer.Body.Close() //nolint:errcheck // only read
	var printed, served map[string]any
	if err := json.NewDecoder(answer.Body).Decode(&served); err != nil {
		t.Fatal(err)
	}
	if err := json.Unmarshal([]byte(out), &printed); err != nil {
		t.Fatal(err)
	}
	if a, b := fmt.Sprint(printed), fmt.Sprint(served); a != b {
		t.Errorf("the command prints\n%s\nand the API answers\n%s", a, b)
	}
}

func TestServersThatAreNoneOfOurs(t *testing.T) {
	t.Parallel()
	for name, c := range map[string]struct {
		status int
		body   string
		code   int
		want   string
	}{
		"one that wants a token": {401, `{"code":"unauthorized","detail":"a token is needed","status":401}`, exitFailed, "a token is needed (give the token of "},
		"a proxy that wants one": {401, "go away", exitUsage, "with --token or GODWIT_TOKEN)"},
		"another program":        {200, "<html>", exitFailed, "is it a godwit server?"},
		"a proxy without one":    {502, "bad gateway", exitFailed, "the server answered 502 Bad Gateway"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			server := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) {
				w.WriteHeader(c.status)
				_, _ = w.Write([]byte(c.body))
			}))
			defer server.Close()
			code, _, errOut := client(t, server.URL, "job", "list", "--retry-for", "0s")
			if code != c.code || !strings.Contains(errOut, c.want) {
				t.Errorf("exit code %d, %q; want %d and %q", code, errOut, c.code, c.want)
			}
		})
	}
}

func TestServersThatDoNotAnswerInTime(t *testing.T) {
	t.Parallel()
	let := make(chan struct{})
	server := httptest.NewServer(http.HandlerFunc(func(_ http.ResponseWriter, r *http.Request) {
		select {
		case <-let:
		case <-r.Context().Done():
		}
	}))
	t.Cleanup(server.Close)
	t.Cleanup(func() { close(let) })
	const id = "01900000-0000-7000-8000-000000000001"
	for name, c := range map[string]struct {
		args []string
		want string
	}{
		"a read":       {[]string{"job", "get", id}, "no answer within 50ms (give it longer with --timeout)"},
		"a submission": {[]string{"submit", "echo", "1", "--id", id}, "repeat it safely with --id " + id},
		"a cancel":     {[]string{"job", "cancel", id}, "may or may not have happened"},
		"a wait":       {[]string{"job", "wait", id}, "not finished after 50ms: it goes on (godwit job wait --server " + server.URL + " " + id + ")"},
	} {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			code, out, errOut := client(t, server.URL, append(c.args, "--timeout", "50ms")...)
			if code != exitFailed || !strings.Contains(errOut, c.want) || out != "" {
				t.Errorf("exit code %d, %q, %q; want %d and %q", code, out, errOut, exitFailed, c.want)
			}
		})
	}
}
