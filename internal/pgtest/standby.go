package pgtest

import (
	"context"
	"fmt"
	"path/filepath"
	"testing"

	"github.com/jackc/pgx/v5"
)

// Standby starts a second server that follows this one, synchronously: from now on a
// commit here returns when it is on the standby's disk too. While the standby is
// stopped, commits wait. To fail over, stop this one and [Server.Promote] the other.
func (s *Server) Standby(t testing.TB) *Server {
	t.Helper()
	standby, err := s.host.newServer()
	if err != nil {
		t.Fatalf("make a standby: %v", err)
	}
	name := filepath.Base(standby.dir)
	t.Cleanup(func() { standby.remove(t) })
	s.must(t, "copy", func(ctx context.Context) error {
		source := fmt.Sprintf("host=%s port=%d user=%s application_name=%s", s.dir, s.port, userName, name)
		return s.host.run(ctx, "pg_basebackup", "-D", standby.data(), "-d", source, "--write-recovery-conf",
			"--wal-method=stream", "--checkpoint=fast", "--no-sync")
	})
	if err := standby.configure(map[string]string{"unix_socket_directories": standby.dir}); err != nil {
		t.Fatalf("make a standby: %v", err)
	}
	standby.must(t, "start a standby of", standby.startOnFreePort)
	s.Set(t, "synchronous_standby_names", name)
	t.Cleanup(func() {
		if s.running() {
			s.Set(t, "synchronous_standby_names", "") // what is committed then does not wait for what is gone
		}
	})
	s.await(t, "have its standby follow", func(ctx context.Context, conn *pgx.Conn) (follows bool, err error) {
		err = conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_stat_replication WHERE application_name = $1 AND sync_state = 'sync')", name).Scan(&follows)
		return follows, err
	})
	return standby
}
