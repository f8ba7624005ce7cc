package pgtest_test

import (
	"strings"
	"testing"
)

func TestADeafConnectionHearsEverythingButNotifications(t *testing.T) {
	t.Parallel()
	p, direct, conn := proxied(t)
	exec1(t, conn, "LISTEN c")
	other := connect(t, direct)
	p.Deafen(true)
	for i := range 3 {
		exec1(t, other, "SELECT pg_notify('c', '"+strings.Repeat("x", 2000*i)+"')")
		if got := show(t, p.URL(), "SELECT repeat('x', 100000)"); len(got) != 100000 {
			t.Errorf("%d bytes came, want 100000", len(got))
		}
	}
	exec1(t, conn, "SELECT 1") // what was notified came before the answer
	if got := p.Dropped(); got != 3 {
		t.Errorf("%d notifications were dropped, want 3", got)
	}
	p.Deafen(false)
	exec1(t, other, "NOTIFY c, 'heard'")
	if n, err := conn.WaitForNotification(t.Context()); err != nil || n.Payload != "heard" {
		t.Errorf("heard %+v, %v", n, err)
	}
}
