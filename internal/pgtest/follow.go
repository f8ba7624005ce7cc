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
