package config

import (
	"flag"
	"fmt"
	"os"
	"strings"
	"testing"
)

var update = flag.Bool("update", false, "write the table of keys into the documentation")

const (
	docs  = "../../docs/configuration.md"
	begin = "<!-- keys: made by go test ./internal/config -update -->\n"
	end   = "<!-- /keys -->\n"
)

// table is what the documentation has to say about the keys.
func table() string {
	var b strings.Builder
	b.WriteString("| key | type | default | bounds | meaning |\n| --- | --- | --- | --- | --- |\n")
	for _, k := range keysOf(&Config{}) {
		otherwise := k.shown()
		if otherwise != "" {
			otherwise = "`" + otherwise + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s | %s | %s |\n", k.Path, k.Type, otherwise, k.Bounds, k.Meaning)
	}
	return b.String()
}

func TestDocumentationHasEveryKey(t *testing.T) {
	t.Parallel()
	text, err := os.ReadFile(docs)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, ok := strings.Cut(string(text), begin)
	old, after, closed := strings.Cut(rest, end)
	if !ok || !closed {
		t.Fatalf("%s has no place for the table", docs)
	}
	if *update {
		if err := os.WriteFile(docs, []byte(before+begin+"\n"+table()+"\n"+end+after), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	if strings.TrimSpace(old) != strings.TrimSpace(table()) {
		t.Errorf("%s has another table than the code (run go test ./internal/config -update):\n%s", docs, table())
	}
}

func TestKeysAreInOrder(t *testing.T) {
	t.Parallel()
	variables := map[string]bool{"GODWIT_CONFIG": true, "GODWIT_SERVER": true, "GODWIT_TOKEN": true}
	for _, k := range keysOf(&Config{}) {
		if variables[k.Env()] {
			t.Errorf("two things are named %s", k.Env())
		}
		variables[k.Env()] = true
		if k.Meaning == "" || !strings.HasSuffix(k.Meaning, ".") || k.Bounds == "" || k.Type == "" {
			t.Errorf("%s is not described: %+v", k.Path, k)
		}
	}
}

// TestExampleIsRight loads the example as it is, and again with every line that is commented out in effect.
func TestExampleIsRight(t *testing.T) {
	t.Parallel()
	const example = "../../examples/godwit.yaml"
	load(t, Sources{File: example})
	text, err := os.ReadFile(example)
	if err != nil {
		t.Fatal(err)
	}
	var all strings.Builder
	for line := range strings.Lines(string(text)) {
		after, ok := strings.CutPrefix(line, "#")
		if prose := strings.HasPrefix(after, " ") && !strings.HasPrefix(after, "  "); ok && !prose {
			line = after
		}
		all.WriteString(line)
	}
	c := load(t, Sources{File: write(t, all.String())})
	for _, k := range c.keys {
		if k.origin == "" {
			t.Errorf("the example does not show %s", k.Path)
		}
	}
}
