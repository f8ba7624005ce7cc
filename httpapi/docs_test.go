package httpapi_test

import (
	"fmt"
	"os"
	"reflect"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/httpapi"
	"github.com/godwit-go/godwit/internal/wire"
)

// example is a line of curl in the document, with the status that it says is answered.
type example struct{ command, status string }

var (
	blocks  = regexp.MustCompile("(?s)```sh\n(.*?)\n```")
	curls   = regexp.MustCompile(`(?ms)^(curl .*?)   # (\d{3})$`)
	calls   = regexp.MustCompile(`^curl -s(?: -X (\w+))? ['"]?localhost:8080(/[^\s'"?]*)`)
	carries = regexp.MustCompile(` (-d|--data-binary) `)
)

func document(t *testing.T) string {
	t.Helper()
	text, err := os.ReadFile("../docs/http.md")
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

// examplesIn gives the examples of a text; every line of its blocks is part of one.
func examplesIn(t *testing.T, text string) []example {
	t.Helper()
	var found []example
	for _, block := range blocks.FindAllStringSubmatch(text, -1) {
		for _, m := range curls.FindAllStringSubmatch(block[1], -1) {
			found = append(found, example{m[1], m[2]})
		}
		if rest := strings.TrimSpace(curls.ReplaceAllString(block[1], "")); rest != "" {
			t.Errorf("no example: %s", rest)
		}
	}
	return found
}

// call gives the method and the path of an example.
func (e example) call() (method, path string) {
	m := calls.FindStringSubmatch(e.command)
	switch {
	case m == nil:
		return "", ""
	case m[1] != "":
		return m[1], m[2]
	case carries.MatchString(e.command):
		return "POST", m[2]
	}
	return "GET", m[2]
}

// docs/http.md has a section for each route, and none for another; each has an example of that route.
func TestTheDocumentDescribesTheRoutes(t *testing.T) {
	t.Parallel()
	routes := httpapi.Patterns(setup(t, httpapi.Config{}).Handler)
	var described []string
	for section := range strings.SplitSeq(document(t), "\n### ") {
		pattern, text, found := strings.Cut(strings.TrimPrefix(section, "`"), "`\n")
		if !found || !strings.HasPrefix(section, "`") {
			continue
		}
		described = append(described, pattern)
		path := regexp.MustCompile("^" + regexp.MustCompile(`\\\{\w+\\\}`).ReplaceAllString(regexp.QuoteMeta(pattern), `[$$\w]+`) + "$")
		if !slices.ContainsFunc(examplesIn(t, text), func(e example) bool {
			method, target := e.call()
			return path.MatchString(method + " " + target)
		}) {
			t.Errorf("%s has no example", pattern)
		}
	}
	slices.Sort(routes)
	slices.Sort(described)
	if len(routes) < 25 || !slices.Equal(routes, described) {
		t.Errorf("the routes are\n%s\nthe document describes\n%s", strings.Join(routes, "\n"), strings.Join(described, "\n"))
	}
}

// The document's table of a job has the fields that a job has.
func TestTheDocumentNamesTheFieldsOfAJob(t *testing.T) {
	t.Parallel()
	names := map[string]bool{}
	for _, form := range []reflect.Type{reflect.TypeFor[godwit.Job](), reflect.TypeFor[wire.Job]()} {
		for f := range form.Fields() {
			if name, _, _ := strings.Cut(f.Tag.Get("json"), ","); name != "" && name != "-" {
				names[name] = true
			}
		}
	}
	_, section, found := strings.Cut(document(t), "\n## A job\n")
	section, _, _ = strings.Cut(section, "\n## ")
	for _, row := range regexp.MustCompile("(?m)^\\| (`[^|]+) \\|").FindAllStringSubmatch(section, -1) {
		for _, name := range regexp.MustCompile("`([a-z_]+)`").FindAllStringSubmatch(row[1], -1) {
			if !names[name[1]] {
				t.Errorf("a job has no field %s", name[1])
			}
			delete(names, name[1])
		}
	}
	if !found || len(names) > 0 {
		t.Errorf("the document has no %v", names)
	}
}

// The codes that only HTTP has stand in its document.
func TestTheDocumentNamesTheCodes(t *testing.T) {
	t.Parallel()
	source, err := os.ReadFile("problem.go")
	if err != nil {
		t.Fatal(err)
	}
	codesDocument, err := os.ReadFile("../docs/errors.md")
	if err != nil {
		t.Fatal(err)
	}
	codes := regexp.MustCompile(`godwit\.Code = "([a-z_]+)"`).FindAllStringSubmatch(string(source), -1)
	if len(codes) < 5 {
		t.Fatalf("found only %d codes in problem.go", len(codes))
	}
	for _, m := range codes {
		if !strings.Contains(document(t), "`"+m[1]+"`") {
			t.Errorf("code %s is not in docs/http.md", m[1])
		}
		if row := fmt.Sprintf("| %d | `%s` |", httpapi.StatusOf(godwit.Code(m[1])), m[1]); !strings.Contains(string(codesDocument), row) {
			t.Errorf("docs/errors.md has no row %q", row)
		}
	}
}
