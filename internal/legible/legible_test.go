package legible_test

import (
	"encoding/json"
	"testing"

	"github.com/godwit-go/godwit/internal/legible"
)

func TestWhatActsOnATerminalIsEscaped(t *testing.T) {
	t.Parallel()
	for given, want := range map[string]string{
		"plain, ünïcode, 名前 👩\u200d🚀\n\ttab": "plain, ünïcode, 名前 👩\u200d🚀\n\ttab",
		"\x1b]0;title\a\x1b[31m":             `\u001b]0;title\u0007\u001b[31m`,
		"\u009b31m":                          `\u009b31m`,
		"\x9b31m":                            `\x9b31m`,
		"over\rwritten\b\x7f":                `over\u000dwritten\u0008\u007f`,
		"\u202egnp.exe \u2066\u200f":         `\u202egnp.exe \u2066\u200f`,
		"a\u2028b\u2029":                     `a\u2028b\u2029`,
		"\ufffd":                             "\ufffd",
	} {
		if got := legible.Escape(given); got != want {
			t.Errorf("%q became %q, want %q", given, got, want)
		}
		if got := legible.Escape(legible.Escape(given)); got != want {
			t.Errorf("%q became %q at the second time, want %q", given, got, want)
		}
	}
	if got := legible.Line("a\nb\u009bc\u202ed\u2028e"); got != "a b c d e" {
		t.Errorf("the line is %q", got)
	}
}

func FuzzJSONRemainsTheSame(f *testing.F) {
	f.Add("\u009b \u202e \x7f \u2028 \\u009b")
	f.Fuzz(func(t *testing.T, text string) {
		encoded, err := json.Marshal(text)
		if err != nil {
			t.Fatal(err)
		}
		var want, got string
		if err := json.Unmarshal(encoded, &want); err != nil {
			t.Fatal(err)
		}
		if err := json.Unmarshal([]byte(legible.Escape(string(encoded))), &got); err != nil || got != want {
			t.Errorf("%s became %q, %v", encoded, got, err)
		}
	})
}
