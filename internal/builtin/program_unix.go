//go:build unix

package builtin

import (
	"errors"
	"io/fs"
	"os"
	"path/filepath"
)

// checkProgram refuses what cannot be run, and what every user of the machine could replace.
func checkProgram(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	dir, err := os.Stat(filepath.Dir(path))
	if err != nil {
		return err
	}
	switch {
	case !info.Mode().IsRegular() || info.Mode().Perm()&0o111 == 0:
		return errors.New("is no program that can be run")
	case info.Mode().Perm()&0o002 != 0:
		return errors.New("every user of this machine may write to (chmod o-w)")
	case dir.Mode().Perm()&0o002 != 0 && dir.Mode()&fs.ModeSticky == 0:
		return errors.New("lies in a directory that every user of this machine may write to (chmod o-w)")
	}
	return nil
}
