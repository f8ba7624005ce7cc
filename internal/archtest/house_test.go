package archtest

import (
	"flag"
	"os"
	"path/filepath"
	"testing"
)

var update = flag.Bool("update", false, "copy regions of Go files into the Markdown that shows them")

// longFunctions is the ratchet of [FunctionLengths]. It only gets shorter.
var longFunctions = map[string]int{}

// linkedModulesMax bounds what a user links beside us: nothing for the root, and
// for a store its driver with what that needs.
var linkedModulesMax = []struct {
	name     string
	packages []string
	limit    int
}{
	{"root", []string{""}, 0},
	{"root and sqlite", []string{"", "sqlite"}, 10},
	{"root and postgres", []string{"", "postgres"}, 6},
}

func house(t *testing.T) (*Tree, string) {
	t.Helper()
	top := filepath.Join("..", "..")
	tree, err := Load(os.DirFS(top))
	if err != nil {
		t.Fatal(err)
	}
	if tree.modulePath == "" || !tree.HasPackage("internal/archtest") {
		t.Fatalf("%s is not the top of the repository", top)
	}
	return tree, top
}

func TestHouse(t *testing.T) {
	t.Parallel()
	tree, _ := house(t)
	rules := map[string]func(*Tree) []Violation{
		"imports point to the root":       Imports,
		"public packages have a doc.go":   DocFiles,
		"files are short":                 FileLengths,
		"functions are short":             func(t *Tree) []Violation { return FunctionLengths(t, longFunctions) },
		"spelling is British":             Spelling,
		"no text names a machine's place": Places,
		"tests do not sleep":              Sleeps,
		"links lead somewhere":            Links,
	}
	for name, rule := range rules {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			report(t, rule(tree))
		})
	}
}

func TestSnippetsAreRegionsOfCompiledFiles(t *testing.T) {
	t.Parallel()
	tree, top := house(t)
	if *update {
		for name, content := range RenderedSnippets(tree) {
			if err := os.WriteFile(filepath.Join(top, name), []byte(content), 0o644); err != nil {
				t.Fatal(err)
			}
			t.Logf("wrote %s", name)
		}
		tree, _ = house(t)
	}
	report(t, Snippets(tree))
}

func TestUsersLinkFewModules(t *testing.T) {
	t.Parallel()
	tree, top := house(t)
	for _, bound := range linkedModulesMax {
		t.Run(bound.name, func(t *testing.T) {
			t.Parallel()
			var packages []string
			for _, dir := range bound.packages {
				if !tree.HasPackage(dir) {
					t.Skipf("there is no package in %q yet", dir)
				}
				packages = append(packages, "./"+dir)
			}
			modules, err := LinkedModules(t.Context(), top, packages...)
			if err != nil {
				t.Fatal(err)
			}
			t.Logf("%s: %d modules of others: %v", bound.name, len(modules), modules)
			if len(modules) > bound.limit {
				t.Errorf("%s links %d modules of others, at most %d: %v", bound.name, len(modules), bound.limit, modules)
			}
		})
	}
}

func report(t *testing.T, found []Violation) {
	t.Helper()
	for _, violation := range found {
		t.Error(violation)
	}
}
