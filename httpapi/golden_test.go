package httpapi_test

import (
	"bytes"
	"encoding/json"
	"flag"
	"fmt"
	"net/http"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/httpapi"
)

var update = flag.Bool("update", false, "write what is answered into the scripts")

// A script is a list of exchanges, each with a title after "###", a request, and after "<<<" what is answered. Ids are numbered
// as they come up; {{id1}} stands for the first in requests too, {{etag}} for the newest tag, {{tomorrow}} for a time. "@2s" before a request lets that time
// pass. Time is virtual.
func TestScripts(t *testing.T) {
	t.Parallel()
	files, err := filepath.Glob("testdata/*.http")
	if err != nil || len(files) == 0 {
		t.Fatalf("no scripts: %v", err)
	}
	for _, file := range files {
		t.Run(strings.TrimSuffix(filepath.Base(file), ".http"), func(t *testing.T) {
			t.Parallel()
			before, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			var after string
			synctest.Test(t, func(t *testing.T) { after = play(t, setup(t, httpapi.Config{}), string(before)) })
			if *update {
				if err := os.WriteFile(file, []byte(after), 0o644); err != nil {
					t.Fatal(err)
				}
			} else if after != string(before) {
				t.Errorf("%s: answers differ (-update writes them):\n%s", file, firstDifference(string(before), after))
			}
		})
	}
}

// player masks what differs from run to run.
type player struct {
	ids  []string
	etag string
}

func play(t *testing.T, b bundle, script string) string {
	t.Helper()
	p := &player{}
	var out strings.Builder
	head, rest, _ := strings.Cut(script, "### ")
	out.WriteString(head)
	for exchange := range strings.SplitSeq(rest, "\n### ") {
		request, _, _ := strings.Cut(exchange, "\n<<<")
		out.WriteString("### " + strings.TrimSpace(request) + "\n<<< " + p.answer(t, b, request) + "\n")
	}
	return out.String()
}

func (p *player) answer(t *testing.T, b bundle, request string) string {
	t.Helper()
	q := p.read(t, request)
	if q.pause > 0 {
		<-time.After(q.pause)
	}
	synctest.Wait()
	w := b.send(t.Context(), q.method, q.target, q.body, q.headers...)
	return p.show(t, w.Code, w.Header(), w.Body.Bytes())
}

// asked is a request of a script.
type asked struct {
	pause          time.Duration
	method, target string
	headers        []string
	body           string
}

func (p *player) read(t *testing.T, request string) (q asked) {
	t.Helper()
	request, body, _ := strings.Cut(p.fill(request), "\n\n")
	lines := strings.Split(strings.TrimSpace(request), "\n")[1:] // without the title
	if pause, found := strings.CutPrefix(lines[0], "@"); found {
		var err error
		if q.pause, err = time.ParseDuration(pause); err != nil {
			t.Fatal(err)
		}
		lines = lines[1:]
	}
	q.method, q.target, _ = strings.Cut(lines[0], " ")
	q.headers, q.body = lines[1:], strings.TrimSpace(body)
	return q
}

// show gives an answer as a script has it.
func (p *player) show(t *testing.T, status int, header http.Header, body []byte) string {
	t.Helper()
	if tag := header.Get("ETag"); tag != "" {
		p.etag = tag
	}
	var out strings.Builder
	fmt.Fprintf(&out, "%d %s\n", status, http.StatusText(status))
	var names []string
	for name := range header {
		if name == "Content-Length" || name == "Date" { // they differ with the times
			continue
		}
		names = append(names, name)
	}
	slices.Sort(names)
	for _, name := range names {
		fmt.Fprintf(&out, "%s: %s\n", name, strings.Join(header[name], ", "))
	}
	if len(body) > 0 {
		var pretty bytes.Buffer
		if err := json.Indent(&pretty, body, "", "  "); err != nil {
			t.Errorf("answered what is no JSON: %s", body)
		}
		out.WriteString("\n" + strings.TrimSpace(pretty.String()) + "\n")
	}
	return p.mask(out.String())
}

var (
	uuid    = regexp.MustCompile(`[0-9a-f]{8}-[0-9a-f]{4}-7[0-9a-f]{3}-[0-9a-f]{4}-[0-9a-f]{12}`)
	stamps  = regexp.MustCompile(`\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d(\.\d+)?Z`)
	session = regexp.MustCompile(`("session": "|in session )[0-9a-f-]{36}`)
	host    = regexp.MustCompile(`"host": ".*"`)
	pid     = regexp.MustCompile(`"pid": \d+`)
	tags    = regexp.MustCompile(`"[0-9a-f]{24}"`)
	ages    = regexp.MustCompile(`\n *"oldest_age_seconds": [0-9.]+,`) // left out when it is zero, as in virtual time
)

func (p *player) mask(s string) string {
	s = session.ReplaceAllString(s, "${1}{{session}}")
	s = uuid.ReplaceAllStringFunc(s, func(id string) string {
		i := slices.Index(p.ids, id)
		if i < 0 {
			p.ids = append(p.ids, id)
			i = len(p.ids) - 1
		}
		return fmt.Sprintf("{{id%d}}", i+1)
	})
	s = ages.ReplaceAllString(s, "")
	s = stamps.ReplaceAllString(s, "{{time}}")
	s = host.ReplaceAllString(s, `"host": "{{host}}"`)
	s = pid.ReplaceAllString(s, `"pid": 1`)
	return tags.ReplaceAllString(s, "{{etag}}")
}

func (p *player) fill(s string) string {
	for i, id := range slices.Backward(p.ids) {
		s = strings.ReplaceAll(s, fmt.Sprintf("{{id%d}}", i+1), id)
	}
	s = strings.ReplaceAll(s, "{{newid}}", godwit.NewID().String())
	s = strings.ReplaceAll(s, "{{tomorrow}}", time.Now().AddDate(0, 0, 1).UTC().Format(time.RFC3339))
	return strings.ReplaceAll(s, "{{etag}}", p.etag)
}

func firstDifference(want, got string) string {
	w, g := strings.Split(want, "\n"), strings.Split(got, "\n")
	for i := range min(len(w), len(g)) {
		if w[i] != g[i] {
			return fmt.Sprintf("line %d: want %q, got %q", i+1, w[i], g[i])
		}
	}
	return fmt.Sprintf("want %d lines, got %d", len(w), len(g))
}
