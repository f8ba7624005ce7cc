package pgtest

import (
	"context"
	"errors"
	"fmt"
	"os"
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
	s.AwaitStandby(t, standby)
	return standby
}

// Follow makes a server that was stopped the synchronous standby of another one, which was its standby and has been promoted: as after a
// planned switch. It must have been stopped in good order ([Fast]), so that it has nothing that the other lacks.
func (s *Server) Follow(t testing.TB, leader *Server) {
	t.Helper()
	name := filepath.Base(s.dir)
	settings := fmt.Sprintf("primary_conninfo = %s\nsynchronous_standby_names = ''\n",
		quoted(fmt.Sprintf("host=%s port=%d user=%s application_name=%s", leader.dir, leader.port, userName, name)))
	// What ALTER SYSTEM and a former promotion have written there goes before postgresql.conf; of one name the last line counts.
	if err := appendTo(filepath.Join(s.data(), "postgresql.auto.conf"), settings); err != nil {
		t.Fatalf("make a standby: %v", err)
	}
	sign := filepath.Join(s.data(), "standby.signal")
	if err := os.WriteFile(sign, nil, 0o600); err != nil {
		t.Fatalf("make a standby: %v", err)
	}
	if err := os.Chown(sign, s.host.uid, s.host.gid); err != nil {
		t.Fatalf("make a standby: %v", err)
	}
	s.Start(t)
	leader.Set(t, "synchronous_standby_names", name)
	leader.AwaitStandby(t, s)
}

func appendTo(path, text string) error {
	file, err := os.OpenFile(path, os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		return err
	}
	_, err = file.WriteString(text)
	return errors.Join(err, file.Close())
}

// AwaitStandby waits until a standby follows synchronously: from then on it lacks nothing that was acknowledged.
func (s *Server) AwaitStandby(t testing.TB, standby *Server) {
	t.Helper()
	name := filepath.Base(standby.dir)
	s.await(t, "have its standby follow", func(ctx context.Context, conn *pgx.Conn) (follows bool, err error) {
		err = conn.QueryRow(ctx, "SELECT EXISTS (SELECT FROM pg_stat_replication WHERE application_name = $1 AND sync_state = 'sync')", name).Scan(&follows)
		return follows, err
	})
}
