//go:build !unix

package builtin

import (
	"errors"
	"os"
)

// checkProgram refuses what cannot be run.
func checkProgram(path string) error {
	info, err := os.Stat(path)
	if err != nil {
		return err
	}
	if !info.Mode().IsRegular() {
		return errors.New("is no program that can be run")
	}
	return nil
}
