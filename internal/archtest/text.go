package archtest

import (
	"fmt"
	"go/ast"
	"regexp"
	"strconv"
	"strings"
)

// american finds the spelling that the project does not use; foreign holds the
// names and messages of others, which are spelt as they are spelt.
var (
	american = regexp.MustCompile(`[Cc]ancel(?:ed|ing)|CANCEL(?:ED|ING)`)
	foreign  = strings.NewReplacer(
		"context.Canceled", "", "context canceled", "",
		"codes.Canceled", "",
		"query_canceled", "", "QueryCanceled", "", "canceling statement", "",
	)
)

// Spelling returns the lines that do not write "cancelled" with two l.
func Spelling(t *Tree) []Violation {
	return grep(t.prose(), func(line string) string {
		if word := american.FindString(foreign.Replace(line)); word != "" {
			return fmt.Sprintf("%q: the project writes cancelled and cancelling", word)
		}
		return ""
	})
}

// machinePath finds absolute paths of one machine, but not parts of a URL;
// registryHost finds names of package registries.
var (
	machinePath  = regexp.MustCompile(`(?:^|//|[^\w.}\-/])(/(?:work|root)/)`)
	registryHost = regexp.MustCompile(`(?:proxy|sum)\.golang\.org|registry\.(?:npmjs\.org|yarnpkg\.com)|(?:deb|security)\.debian\.org|index\.crates\.io|\bpypi\.org`)
)

// Places returns the lines that name a place which only some machines have.
func Places(t *Tree) []Violation {
	return grep(t.prose(), func(line string) string {
		if match := machinePath.FindStringSubmatch(line); match != nil {
			return fmt.Sprintf("names %s..., a path of one machine", match[1])
		}
		if host := registryHost.FindString(line); host != "" {
			return fmt.Sprintf("names the registry %s; the tools know theirs", host)
		}
		return ""
	})
}

func grep(files []*file, refuse func(line string) string) []Violation {
	var found []Violation
	for _, f := range files {
		for i, line := range f.lines {
			if why := refuse(line); why != "" {
				found = append(found, Violation{f.path, i + 1, why})
			}
		}
	}
	return found
}

// Sleeps returns the calls of time.Sleep in tests. Within synctest.Test time is
// virtual, and sleeping is how it passes.
func Sleeps(t *Tree) []Violation {
	var found []Violation
	for _, f := range t.goFiles() {
		if !f.isTest() {
			continue
		}
		clock, virtual := importName(f.ast, "time"), importName(f.ast, "testing/synctest")
		ast.Inspect(f.ast, func(node ast.Node) bool {
			call, ok := node.(*ast.CallExpr)
			switch {
			case !ok:
				return true
			case isSelector(call.Fun, virtual, "Test"):
				return false
			case isSelector(call.Fun, clock, "Sleep"):
				found = append(found, Violation{f.path, t.line(call.Pos()), "sleeps; wait for what is awaited, or use testing/synctest"})
			}
			return true
		})
	}
	return found
}

// importName returns the name that a file knows a package by, or nothing.
func importName(f *ast.File, imported string) string {
	for _, spec := range f.Imports {
		if name, err := strconv.Unquote(spec.Path.Value); err != nil || name != imported {
			continue
		}
		if spec.Name != nil {
			return spec.Name.Name
		}
		return imported[strings.LastIndex(imported, "/")+1:]
	}
	return ""
}

func isSelector(expr ast.Expr, pkg, name string) bool {
	selector, ok := expr.(*ast.SelectorExpr)
	if !ok || pkg == "" {
		return false
	}
	x, ok := selector.X.(*ast.Ident)
	return ok && x.Name == pkg && selector.Sel.Name == name
}
