package sqlite

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/godwit-go/godwit"
)

// childDB names the file that a test binary works with when it is started as the child of a crash test.
const childDB = "GODWIT_SQLITE_TEST_CHILD"

func TestMain(m *testing.M) {
	if path := os.Getenv(childDB); path != "" {
		fmt.Fprintln(os.Stderr, work(path))
		os.Exit(1) // it is killed before
	}
	os.Exit(m.Run())
}

// work submits, claims and settles without end, from several goroutines, and says on stdout what was acknowledged.
func work(path string) error {
	ctx := context.Background()
	s, err := Open(ctx, Config{Path: path})
	if err != nil {
		return err
	}
	var ids godwit.IDs
	session := godwit.NewSession{
		ID: ids.New(), Lease: time.Hour, Queues: []string{"default"}, Tasks: []godwit.Capability{{Task: "mail", MinVersion: 1, MaxVersion: 1}},
	}
	a, err := s.StartSession(ctx, session)
	if err != nil {
		return err
	}
	ids.Observe(a.MaxID)
	var mu sync.Mutex
	say := func(word string, id godwit.ID) {
		mu.Lock()
		defer mu.Unlock()
		fmt.Println(word, id) // one write: a line is whole or not there
	}
	b := &bundle{}
	errs := make(chan error)
	for range 4 {
		go func() {
			for {
				job := b.job("mail")
				job.ID = ids.New()
				if _, err := s.Submit(ctx, []godwit.NewJob{job}); err != nil {
					errs <- err
				}
				say("submitted", job.ID)
			}
		}()
	}
	for range 2 {
		go func() {
			for {
				a, err := s.Claim(ctx, godwit.ClaimRequest{Session: session.ID, Queue: "default", Limit: 3})
				if err != nil {
					errs <- err
				}
				if _, err := s.Settle(ctx, succeed(a.Jobs)); err != nil {
					errs <- err
				}
				for i := range a.Jobs {
					say("succeeded", a.Jobs[i].ID)
				}
			}
		}()
	}
	return <-errs
}

func TestAcknowledgedSurvivesKill(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "test.db")
	acknowledged := map[string]string{} // what was said last, by id
	for round := range 4 {
		runAndKill(t, path, 150+100*round, acknowledged)
		s, err := Open(t.Context(), Config{Path: path})
		if err != nil {
			t.Fatal(err)
		}
		if err := s.Check(t.Context()); err != nil {
			t.Fatalf("round %d: %v", round, err)
		}
		for text, word := range acknowledged {
			id, err := godwit.ParseID(text)
			if err != nil {
				t.Fatal(err)
			}
			a, err := s.Outcomes(t.Context(), []godwit.ID{id})
			if err != nil {
				t.Fatal(err)
			}
			if a[0].Code != "" || word == "succeeded" && a[0].State != godwit.StateSucceeded {
				t.Errorf("round %d: %s was acknowledged as %s and is %+v", round, id, word, a[0])
			}
		}
		if _, err := s.Rescue(t.Context(), 10); err != nil {
			t.Error(err)
		}
		if err := s.Close(); err != nil {
			t.Error(err)
		}
	}
	t.Logf("%d jobs acknowledged in 4 rounds, none lost", len(acknowledged))
}

// runAndKill runs a child until it has acknowledged some, kills it, and notes everything that it acknowledged.
func runAndKill(t *testing.T, path string, lines int, acknowledged map[string]string) {
	t.Helper()
	child := exec.CommandContext(t.Context(), os.Args[0])
	child.Env = append(os.Environ(), childDB+"="+path)
	var complaints strings.Builder
	child.Stderr = &complaints
	out, err := child.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := child.Start(); err != nil {
		t.Fatal(err)
	}
	n := 0
	for lineReader := bufio.NewScanner(out); lineReader.Scan(); n++ {
		if word, id, ok := strings.Cut(lineReader.Text(), " "); ok && len(id) == godwit.IDLength && acknowledged[id] != "succeeded" {
			acknowledged[id] = word
		}
		if n == lines {
			if err := child.Process.Kill(); err != nil {
				t.Fatal(err)
			}
		}
	}
	var exit *exec.ExitError
	if err := child.Wait(); !errors.As(err, &exit) || n < lines {
		t.Fatalf("the child ended after %d lines: %v\n%s", n, err, complaints.String())
	}
}

func TestFullDiskIsRefusedAndRecovers(t *testing.T) {
	t.Parallel()
	b := setup(t)
	b.submit(b.jobs(100, "mail")...)
	pages := func(n int) {
		_, err := write(b.ctx, b.store, func(u *unit) (struct{}, error) {
			return struct{}{}, u.c.exec(fmt.Sprintf("PRAGMA max_page_count = %d", n))
		})
		b.ok(err)
	}
	pages(60)
	var err error
	kept := 100
	for err == nil {
		jobs := b.jobs(50, "mail")
		if _, err = b.store.Submit(b.ctx, jobs); err == nil {
			kept += len(jobs)
		}
	}
	if !errors.Is(err, godwit.ErrUnavailable) || !strings.Contains(err.Error(), "disk is full") {
		t.Errorf("a full disk: %v", err)
	}
	if q, err := b.store.Queues(b.ctx); err != nil || q[0].Depth[godwit.StateReady] != kept {
		t.Errorf("reading goes on: %+v, %v, want %d", q, err, kept)
	}
	b.ok(b.store.Check(b.ctx))
	// Space is freed: the probe finds the door open again, without a restart.
	pages(1_000_000)
	b.submit(b.jobs(50, "mail")...)
}
