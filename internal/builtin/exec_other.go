//go:build !unix

package builtin

import (
	"context"
	"errors"
	"os/exec"
	"time"
)

// group is a running program. There is none here: the configuration takes no programs.
type group struct{}

func startGroup(*exec.Cmd) (*group, error) {
	return nil, errors.New("the task exec needs a Unix")
}

func (*group) wait(context.Context, time.Duration) error { return nil }
