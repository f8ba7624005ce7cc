//go:build !unix

package builtin

import "errors"

// checkProgram refuses every program: a program and all that it starts cannot be ended together here.
func checkProgram(string) error {
	return errors.New("cannot be run on this system: the task exec needs a Unix")
}
