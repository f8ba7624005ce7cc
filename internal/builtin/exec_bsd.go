//go:build unix && !linux

package builtin

import "syscall"

// groupAttributes make a process group.
func groupAttributes() *syscall.SysProcAttr { return &syscall.SysProcAttr{Setpgid: true} }
