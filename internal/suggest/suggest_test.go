package suggest_test

import (
	"strings"
	"testing"

	"github.com/godwit-go/godwit/internal/suggest"
)

func TestDidYouMean(t *testing.T) {
	t.Parallel()
	known := []string{"image.resize", "mail.send", "queue"}
	for name, want := range map[string]string{
		"image.risize":           "image.resize",
		"maill.send":             "mail.send",
		"qeuue":                  "queue",
		"something else":         "",
		"":                       "",
		strings.Repeat("q", 500): "",
	} {
		got := suggest.DidYouMean(name, known)
		if want == "" && got != "" || want != "" && got != ` (did you mean "`+want+`"?)` {
			t.Errorf("%q: got %q, want %q", name, got, want)
		}
	}
}

func TestDistance(t *testing.T) {
	t.Parallel()
	for _, c := range []struct {
		a, b string
		want int
	}{{"", "", 0}, {"abc", "abc", 0}, {"abc", "acb", 1}, {"abc", "abd", 1}, {"abc", "abcd", 1}, {"abc", "c", 2}, {"über", "uber", 1}} {
		if got := suggest.Distance(c.a, c.b, 10); got != c.want {
			t.Errorf("%q to %q: got %d, want %d", c.a, c.b, got, c.want)
		}
	}
	if got := suggest.Distance("a", "abcdefgh", 3); got != 3 {
		t.Errorf("lengths that differ by more than the bound: got %d, want the bound", got)
	}
}
