//go:build unix

package builtin

import (
	"context"
	"fmt"
	"os/exec"
	"runtime"
	"syscall"
	"time"
)

// group is a running program with all that it starts: a process group of its own, which is told to end, and killed, as a whole.
type group struct {
	cmd    *exec.Cmd
	exited chan struct{} // closed when the program itself has ended
}

// startGroup starts a program. Where the system can, it dies with this process, which then cannot see to it: that hangs on the
// thread that started it, so a thread is kept for it.
func startGroup(cmd *exec.Cmd) (*group, error) {
	cmd.SysProcAttr = groupAttributes()
	g := &group{cmd: cmd, exited: make(chan struct{})}
	started := make(chan error)
	go func() {
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		started <- err
		if err == nil {
			_ = cmd.Wait() // what became of it is in cmd.ProcessState
			close(g.exited)
		}
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start: %w", err)
	}
	return g, nil
}

// wait waits for the end of the program and kills what it left behind. When ctx ends before it, the program is told to end
// and, when that takes too long, killed; then the error is why ctx ended, also when the program says that all is well: it was
// cut short.
func (g *group) wait(ctx context.Context, grace time.Duration) error {
	defer g.signal(syscall.SIGKILL)
	select {
	case <-g.exited:
		return nil
	case <-ctx.Done():
	}
	g.signal(syscall.SIGTERM)
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-g.exited:
	case <-timer.C:
		g.signal(syscall.SIGKILL)
		<-g.exited
	}
	return context.Cause(ctx)
}

// signal tells the whole group. That nobody of it is left is no fault.
func (g *group) signal(s syscall.Signal) {
	_ = syscall.Kill(-g.cmd.Process.Pid, s)
}
