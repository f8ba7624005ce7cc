package archtest

import (
	"bytes"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"path"
	"slices"
	"strings"
	"unicode/utf8"
)

// Violation is one place that breaks a rule.
type Violation struct {
	Path string
	Line int // counted from 1; 0 when it is the file or folder as a whole
	Text string
}

func (v Violation) String() string {
	if v.Line == 0 {
		return v.Path + ": " + v.Text
	}
	return fmt.Sprintf("%s:%d: %s", v.Path, v.Line, v.Text)
}

// Tree is the text of a repository.
type Tree struct {
	fsys       fs.FS
	modulePath string   // of the go.mod at the top
	nested     []string // folders with a go.mod of their own
	files      []*file
	fset       *token.FileSet
}

// file is one text file. Go files are parsed.
type file struct {
	path  string
	lines []string
	ast   *ast.File
}

func (f *file) dir() string {
	if dir := path.Dir(f.path); dir != "." {
		return dir
	}
	return ""
}

func (f *file) isTest() bool { return strings.HasSuffix(f.path, "_test.go") }

// Load reads a repository whose top is the root of fsys. It leaves out what is
// not text and the folders of tools: bin, node_modules and hidden ones, but for
// those of CI.
func Load(fsys fs.FS) (*Tree, error) {
	t := &Tree{fsys: fsys, fset: token.NewFileSet()}
	err := fs.WalkDir(fsys, ".", func(name string, entry fs.DirEntry, err error) error {
		switch {
		case err != nil:
			return err
		case entry.IsDir() && skipped(name):
			return fs.SkipDir
		case !entry.Type().IsRegular():
			return nil
		}
		return t.load(name)
	})
	return t, err
}

func skipped(dir string) bool {
	switch base := path.Base(dir); base {
	case ".", ".ci", ".github":
		return false
	case "bin", "node_modules":
		return true
	default:
		return strings.HasPrefix(base, ".")
	}
}

func (t *Tree) load(name string) error {
	content, err := fs.ReadFile(t.fsys, name)
	if err != nil {
		return err
	}
	if bytes.IndexByte(content, 0) >= 0 || !utf8.Valid(content) {
		return nil
	}
	f := &file{path: name, lines: strings.Split(strings.TrimSuffix(string(content), "\n"), "\n")}
	if path.Base(name) == "go.mod" {
		t.addModule(f)
	}
	if strings.HasSuffix(name, ".go") && !slices.Contains(strings.Split(f.dir(), "/"), "testdata") {
		f.ast, err = parser.ParseFile(t.fset, name, content, parser.ParseComments|parser.SkipObjectResolution)
		if err != nil {
			return err
		}
	}
	t.files = append(t.files, f)
	return nil
}

func (t *Tree) addModule(mod *file) {
	if mod.dir() != "" {
		t.nested = append(t.nested, mod.dir())
		return
	}
	for _, line := range mod.lines {
		if name, ok := strings.CutPrefix(line, "module "); ok {
			t.modulePath = strings.TrimSpace(name)
		}
	}
}

func (t *Tree) line(pos token.Pos) int { return t.fset.Position(pos).Line }

func (t *Tree) file(name string) (*file, bool) {
	for _, f := range t.files {
		if f.path == name {
			return f, true
		}
	}
	return nil, false
}

// goFiles returns the Go files, those of nested modules too.
func (t *Tree) goFiles() []*file {
	return slices.DeleteFunc(slices.Clone(t.files), func(f *file) bool { return f.ast == nil })
}

// ownCode returns the Go files of the module at the top that are not tests.
func (t *Tree) ownCode() []*file {
	return slices.DeleteFunc(t.goFiles(), func(f *file) bool { return f.isTest() || t.isNested(f) })
}

func (t *Tree) isNested(f *file) bool {
	return slices.ContainsFunc(t.nested, func(dir string) bool { return under(f.path, dir) })
}

func (t *Tree) markdown() []*file {
	return slices.DeleteFunc(slices.Clone(t.files), func(f *file) bool { return path.Ext(f.path) != ".md" })
}

// prose returns the files whose words are the project's: all but this
// package's, whose tests plant what the rules forbid.
func (t *Tree) prose() []*file {
	return slices.DeleteFunc(slices.Clone(t.files), func(f *file) bool { return under(f.path, "internal/archtest") })
}

// HasPackage reports whether there is code, tests aside, in a folder; the top
// is "".
func (t *Tree) HasPackage(dir string) bool {
	return slices.ContainsFunc(t.ownCode(), func(f *file) bool { return f.dir() == dir })
}

func under(name, dir string) bool { return name == dir || strings.HasPrefix(name, dir+"/") }
