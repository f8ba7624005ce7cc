package postgres

import (
	"syscall"
	"time"
)

// unansweredMax bounds how long what was sent may go unacknowledged by the other machine.
const unansweredMax = 10 * time.Second

// boundUnanswered lets a connection fail on which nothing is acknowledged. Otherwise the kernel would go on sending for a quarter of an
// hour.
func boundUnanswered(network, _ string, raw syscall.RawConn) error {
	const tcpUserTimeout = 18 // of linux/tcp.h
	if network == "unix" {
		return nil
	}
	// A kernel that does not know it goes on as before.
	return raw.Control(func(fd uintptr) {
		_ = syscall.SetsockoptInt(int(fd), syscall.IPPROTO_TCP, tcpUserTimeout, int(unansweredMax.Milliseconds()))
	})
}
