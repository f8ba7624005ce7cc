package archtest

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
)

// wires are the folders that know several packages of the module and put them
// together. All else knows the root, what is internal, and itself.
var wires = []string{"open", "cmd", "storetest", "examples"}

// programs are imported by nobody.
var programs = []string{"cmd", "examples"}

// standardLibraryOnly are the packages that link no other module: a user pays
// for what a package imports.
var standardLibraryOnly = []string{"", "async"}

// notInRoot are parts of the standard library that belong to drivers, programs
// and tests.
var notInRoot = []string{"database/sql", "flag", "testing"}

// Imports returns the imports that point away from the root. Tests are free.
func Imports(t *Tree) []Violation {
	var found []Violation
	for _, f := range t.ownCode() {
		for _, spec := range f.ast.Imports {
			imported, err := strconv.Unquote(spec.Path.Value)
			if err != nil {
				continue // the parser has refused it before
			}
			if why := t.refusal(f.dir(), imported); why != "" {
				found = append(found, Violation{f.path, t.line(spec.Pos()), fmt.Sprintf("imports %s: %s", imported, why)})
			}
		}
	}
	return found
}

// refusal says why the package in folder from may not import a package, or
// nothing.
func (t *Tree) refusal(from, imported string) string {
	to, own := t.ownFolder(imported)
	if !own {
		return externalRefusal(from, imported)
	}
	switch {
	case slices.Contains(programs, family(to)):
		return "nothing imports a program"
	case slices.Contains(wires, family(from)), family(to) == family(from):
		return ""
	case family(from) == "async":
		return "async imports nothing of ours"
	case family(to) == "internal":
		return ""
	case from == "":
		return "the root imports only what is internal"
	case to != "":
		return "everything points to the root; siblings do not import siblings"
	}
	return ""
}

func externalRefusal(from, imported string) string {
	standard := !strings.Contains(strings.Split(imported, "/")[0], ".")
	switch {
	case !standard && slices.Contains(standardLibraryOnly, from):
		return "only the standard library is imported here"
	case from == "" && slices.Contains(notInRoot, imported):
		return "the root imports no driver, command line or test library"
	case imported == "testing" && !strings.HasSuffix(from, "test"):
		return "only tests, and packages for tests, import testing"
	}
	return ""
}

// ownFolder returns the folder of a package of the module.
func (t *Tree) ownFolder(imported string) (folder string, own bool) {
	if imported == t.modulePath {
		return "", true
	}
	return strings.CutPrefix(imported, t.modulePath+"/")
}

// family is the top folder that a package lies in.
func family(folder string) string {
	top, _, _ := strings.Cut(folder, "/")
	return top
}

// DocFiles returns the public packages without a doc.go whose comment begins
// with the package's name.
func DocFiles(t *Tree) []Violation {
	var found []Violation
	var seen []string
	for _, f := range t.ownCode() {
		dir := f.dir()
		if f.ast.Name.Name == "main" || slices.Contains(strings.Split(dir, "/"), "internal") || slices.Contains(seen, dir) {
			continue
		}
		seen = append(seen, dir)
		name := strings.TrimPrefix(dir+"/doc.go", "/")
		if doc, ok := t.file(name); !ok || !strings.HasPrefix(doc.ast.Doc.Text(), "Package "+doc.ast.Name.Name+" ") {
			found = append(found, Violation{name, 0, "missing, or without a comment that begins \"Package " + f.ast.Name.Name + " \""})
		}
	}
	return found
}
