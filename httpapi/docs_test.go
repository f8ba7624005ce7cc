package httpapi_test

import (
	"fmt"
	"os"
	"regexp"
	"slices"
	"strings"
	"testing"
	"testing/synctest"

	"github.com/godwit-go/godwit/httpapi"
)

// docs/http.md has a section for each route, and none for another; each begins its examples with a call of that route.
func TestTheDocumentDescribesTheRoutes(t *testing.T) {
	t.Parallel()
	document, err := os.ReadFile("../docs/http.md")
	if err != nil {
		t.Fatal(err)
	}
	routes := httpapi.Patterns(setup(t, httpapi.Config{}).Handler)
	var described []string
	for section := range strings.SplitSeq(string(document), "\n### ") {
		pattern, text, found := strings.Cut(strings.TrimPrefix(section, "`"), "`\n")
		if !found || strings.HasPrefix(section, "# ") {
			continue
		}
		described = append(described, pattern)
		example := "(?m)^" + regexp.MustCompile(`\\\{\w+\\\}`).ReplaceAllString(regexp.QuoteMeta(pattern), `[$$\w]+`) + `(\?|$)`
		if !regexp.MustCompile(example).MatchString(text) {
			t.Errorf("%s has no example", pattern)
		}
	}
	slices.Sort(routes)
	slices.Sort(described)
	if len(routes) < 25 || !slices.Equal(routes, described) {
		t.Errorf("the routes are\n%s\nthe document describes\n%s", strings.Join(routes, "\n"), strings.Join(described, "\n"))
	}
}

// The examples of docs/http.md answer as it says.
func TestTheDocumentsExamples(t *testing.T) {
	t.Parallel()
	document, err := os.ReadFile("../docs/http.md")
	if err != nil {
		t.Fatal(err)
	}
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, httpapi.Config{})
		id := ""
		for _, m := range regexp.MustCompile("(?s)```http\n(.*?)\n```").FindAllStringSubmatch(string(document), -1) {
			parts := strings.Split(strings.ReplaceAll(m[1], "$ID", id), "\n\n")
			lines := strings.Split(parts[0], "\n")
			method, target, _ := strings.Cut(lines[0], " ")
			body := strings.Join(parts[1:len(parts)-1], "\n\n")
			w := b.send(t.Context(), method, target, body, lines[1:]...)
			if want := parts[len(parts)-1]; !strings.HasPrefix(want, fmt.Sprintf("%d ", w.Code)) {
				t.Errorf("%s answered %d %s, the document says %s", lines[0], w.Code, w.Body, want)
			}
			if at := w.Header().Get("Location"); at != "" {
				id = strings.TrimPrefix(at, "/v1/jobs/")
			}
		}
	})
}

// The codes that only HTTP has stand in its document.
func TestTheDocumentNamesTheCodes(t *testing.T) {
	t.Parallel()
	document, err := os.ReadFile("../docs/http.md")
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("problem.go")
	if err != nil {
		t.Fatal(err)
	}
	for _, m := range regexp.MustCompile(`godwit\.Code = "([a-z_]+)"`).FindAllStringSubmatch(string(source), -1) {
		if !strings.Contains(string(document), "`"+m[1]+"`") {
			t.Errorf("code %s is not in the document", m[1])
		}
	}
}
