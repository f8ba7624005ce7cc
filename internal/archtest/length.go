package archtest

import (
	"fmt"
	"go/ast"
)

const (
	fileLinesMax         = 600
	functionLinesMax     = 70
	testFunctionLinesMax = 120 // a table of cases is long without being hard
)

// FileLengths returns the Go files that are too long, generated ones aside.
func FileLengths(t *Tree) []Violation {
	var found []Violation
	for _, f := range t.goFiles() {
		if n := len(f.lines); n > fileLinesMax && !ast.IsGenerated(f.ast) {
			found = append(found, Violation{f.path, 0, fmt.Sprintf("%d lines, at most %d", n, fileLinesMax)})
		}
	}
	return found
}

// FunctionLengths returns the functions that are too long. The ratchet holds
// the length of those that were too long when the rule came, by file and name
// ("sqlite/store.go:Store.Claim"); it only goes down: a function shorter than its
// entry is a violation too, until the entry is lowered or gone.
func FunctionLengths(t *Tree, ratchet map[string]int) []Violation {
	var found []Violation
	unused := make(map[string]bool)
	for name := range ratchet {
		unused[name] = true
	}
	for _, f := range t.goFiles() {
		if ast.IsGenerated(f.ast) {
			continue
		}
		limit := functionLinesMax
		if f.isTest() {
			limit = testFunctionLinesMax
		}
		for _, decl := range f.ast.Decls {
			fn, ok := decl.(*ast.FuncDecl)
			if !ok {
				continue
			}
			key := f.path + ":" + functionName(fn)
			delete(unused, key)
			n := t.line(fn.End()) - t.line(fn.Pos()) + 1
			if why := lengthRefusal(n, limit, ratchet[key]); why != "" {
				found = append(found, Violation{f.path, t.line(fn.Pos()), functionName(fn) + why})
			}
		}
	}
	for key := range unused {
		found = append(found, Violation{key, 0, "is in the ratchet and nowhere else: take it out"})
	}
	return found
}

func lengthRefusal(n, limit, ratchet int) string {
	switch {
	case ratchet == 0 && n > limit:
		return fmt.Sprintf(" has %d lines, at most %d", n, limit)
	case ratchet != 0 && n > ratchet:
		return fmt.Sprintf(" has %d lines, and had %d: it may only get shorter", n, ratchet)
	case ratchet != 0 && n < ratchet:
		return fmt.Sprintf(" has %d lines, and %d in the ratchet: lower the entry", n, ratchet)
	}
	return ""
}

// functionName returns "Func" or "Type.Method".
func functionName(fn *ast.FuncDecl) string {
	if fn.Recv == nil {
		return fn.Name.Name
	}
	receiver := fn.Recv.List[0].Type
	for {
		switch x := receiver.(type) {
		case *ast.StarExpr:
			receiver = x.X
		case *ast.IndexExpr:
			receiver = x.X
		case *ast.IndexListExpr:
			receiver = x.X
		case *ast.Ident:
			return x.Name + "." + fn.Name.Name
		default:
			return fn.Name.Name
		}
	}
}
