package archtest

import (
	"go/ast"
	"go/parser"
	"go/token"
	"os"
	"regexp"
	"slices"
	"strconv"
	"testing"
)

// codesOf gives the values of the constants of type Code.
func codesOf(t *testing.T, path string) []string {
	t.Helper()
	file, err := parser.ParseFile(token.NewFileSet(), path, nil, 0)
	if err != nil {
		t.Fatal(err)
	}
	var codes []string
	ast.Inspect(file, func(n ast.Node) bool {
		spec, ok := n.(*ast.ValueSpec)
		if !ok {
			return true
		}
		if name, isCode := spec.Type.(*ast.Ident); !isCode || name.Name != "Code" {
			return true
		}
		for _, v := range spec.Values {
			if lit, isLit := v.(*ast.BasicLit); isLit {
				code, err := strconv.Unquote(lit.Value)
				if err != nil {
					t.Fatal(err)
				}
				codes = append(codes, code)
			}
		}
		return true
	})
	slices.Sort(codes)
	return codes
}

func TestErrorCodesAreThoseOfTheDocument(t *testing.T) {
	text, err := os.ReadFile("../../docs/errors.md")
	if err != nil {
		t.Fatal(err)
	}
	var documented []string
	for _, m := range regexp.MustCompile("(?m)^\\| `([a-z_]+)` \\|").FindAllStringSubmatch(string(text), -1) {
		documented = append(documented, m[1])
	}
	slices.Sort(documented)
	defined := codesOf(t, "../../errors.go")
	if len(defined) < 30 {
		t.Fatalf("found only %d codes in errors.go", len(defined))
	}
	if !slices.Equal(defined, documented) {
		t.Errorf("errors.go defines\n%q\ndocs/errors.md lists\n%q", defined, documented)
	}
}
