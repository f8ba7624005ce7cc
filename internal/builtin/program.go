package builtin

import (
	"errors"
	"fmt"
	"os/exec"
	"path/filepath"
	"strings"
)

// ResolveProgram finds the program that a configuration names: an absolute path, or a name without a slash, to be found in PATH. Links
// are followed now, so that changing them later, or PATH, does not change what runs. Its errors complete the sentence that
// begins with a key: "must be ...".
func ResolveProgram(name string) (Program, error) {
	found := name
	switch {
	case name == "" || strings.ContainsRune(name, 0):
		return Program{}, errors.New("must name a program")
	case filepath.IsAbs(name):
	case strings.ContainsAny(name, `/\`):
		return Program{}, fmt.Errorf("must be absolute paths or names without a slash, got %q", name)
	default:
		var err error
		if found, err = exec.LookPath(name); err != nil {
			return Program{}, fmt.Errorf("names %q, which is not found in PATH (give its absolute path, or install it)", name)
		}
	}
	path, err := filepath.EvalSymlinks(found)
	if err != nil {
		return Program{}, fmt.Errorf("names %q, which is not there: %w", name, err)
	}
	if !filepath.IsAbs(path) {
		return Program{}, fmt.Errorf("names %q, which PATH finds in a directory that is relative (give its absolute path)", name)
	}
	if err := checkProgram(path); err != nil {
		return Program{}, fmt.Errorf("names %q, which %w", name, err)
	}
	return Program{Name: name, Path: path}, nil
}
