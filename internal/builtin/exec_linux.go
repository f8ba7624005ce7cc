package builtin

import "syscall"

// groupAttributes make a process group, whose first process dies with the thread that started it.
func groupAttributes() *syscall.SysProcAttr {
	return &syscall.SysProcAttr{Setpgid: true, Pdeathsig: syscall.SIGKILL}
}
