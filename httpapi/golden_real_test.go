package httpapi_test

import (
	"bufio"
	"fmt"
	"io"
	"net/http"
	"os"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/godwit-go/godwit"
)

// onlyInProcess are exchanges of the scripts that the program answers otherwise, and why. Those with a task that it has not, and with the
// jobs of such a task, are left out by themselves.
var onlyInProcess = map[string]string{
	"delete what succeeded": "counts jobs of tasks that the program has not",
	"the tasks":             "the program has others",
	"the workers":           "the program has other tasks and slots",
}

var (
	taskOfTests = regexp.MustCompile(`/v1/tasks/(broken|block|family|talk)\b|task=(broken|block|family|talk)\b`)
	jobOfScript = regexp.MustCompile(`\{\{id(\d+)\}\}`)
)

// playScript has the program answer a script, but for what is only in process: with the same status, headers and body.
func (r *real) playScript(t *testing.T, file string) {
	t.Helper()
	script, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	_, exchanges, _ := strings.Cut(string(script), "### ")
	p, missing, played := &player{}, map[string]bool{}, 0
	for exchange := range strings.SplitSeq(exchanges, "\n### ") {
		request, want, _ := strings.Cut(exchange, "\n<<< ")
		title, _, _ := strings.Cut(request, "\n")
		out := taskOfTests.MatchString(request) || onlyInProcess[title] != ""
		for _, id := range jobOfScript.FindAllString(exchange, -1) {
			out = out || missing[id]
		}
		if !out {
			played++
			r.playExchange(t, p, title, request, strings.TrimSpace(want))
			continue
		}
		for _, m := range jobOfScript.FindAllStringSubmatch(want, -1) { // the program has not made them: their numbers are passed over
			for fmt.Sprint(len(p.ids)) < m[1] {
				p.ids = append(p.ids, godwit.NewID().String())
				missing[fmt.Sprintf("{{id%d}}", len(p.ids))] = true
			}
		}
	}
	t.Logf("%s: %d exchanges, %d of them not", file, played, strings.Count(exchanges, "\n<<< ")-played)
	if all := strings.Count(exchanges, "\n<<< "); played < all/2 {
		t.Errorf("the program played only %d of %d exchanges", played, all)
	}
}

// playExchange compares an answer. A read is repeated until it is as it should, since jobs take their time; before anything else they are
// awaited.
func (r *real) playExchange(t *testing.T, p *player, title, request, want string) {
	t.Helper()
	q := p.read(t, request)
	var got string
	if q.method == http.MethodGet {
		ids := p.ids
		for end := time.Now().Add(10 * time.Second); time.Now().Before(end) && got != want; {
			p.ids = ids[:len(ids):len(ids)]
			got = strings.TrimSpace(r.answerTo(t, p, q))
		}
	} else {
		eventually(t, "no job can run", r.idle)
		got = strings.TrimSpace(r.answerTo(t, p, q))
	}
	if got != want {
		t.Errorf("%s: the program answers otherwise: %s\n%s", title, firstDifference(want, got), got)
	}
}

// answerTo sends a request as it stands.
func (r *real) answerTo(t *testing.T, p *player, q asked) string {
	t.Helper()
	c := dial(t, r.address)
	defer c.Close() //nolint:errcheck // it is of no more use
	head := fmt.Sprintf("%s %s HTTP/1.1\r\nHost: %s\r\nContent-Length: %d\r\n", q.method, q.target, r.address, len(q.body))
	for _, h := range q.headers {
		head += h + "\r\n"
	}
	write(t, c, head+"\r\n"+q.body)
	a, err := http.ReadResponse(bufio.NewReader(c), &http.Request{Method: q.method})
	if err != nil {
		t.Fatal(err)
	}
	body, err := io.ReadAll(a.Body)
	if closed := a.Body.Close(); err == nil {
		err = closed
	}
	if err != nil {
		t.Fatal(err)
	}
	return p.show(t, a.StatusCode, a.Header, body)
}

// idle reports whether no job runs, but for those that sleep, or could.
func (r *real) idle() bool {
	var running struct{ Jobs []struct{ Task string } }
	if err := r.get("/v1/jobs?state=running", &running); err != nil {
		return false
	}
	for _, j := range running.Jobs {
		if j.Task != "sleep" {
			return false
		}
	}
	var all struct {
		Queues []struct {
			Depth map[string]int
			Held  int
		}
	}
	if err := r.get("/v1/queues", &all); err != nil {
		return false
	}
	for _, q := range all.Queues {
		if q.Depth["ready"] > q.Held {
			return false
		}
	}
	return true
}
