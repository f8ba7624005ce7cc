package sqlite

import (
	"context"
	"errors"
	"fmt"
	"os"

	"github.com/godwit-go/godwit"
)

// invariant is a query that finds what must not be. It answers a text for each finding.
type invariant struct {
	rule  string
	query string
}

var invariants = []invariant{
	{
		"a job stands in exactly one place",
		"SELECT hex(id) || ' is in ' || n || ' places' FROM (SELECT j.id, (SELECT count(*) FROM godwit_places p WHERE p.id = j.id)" +
			" + (SELECT count(*) FROM godwit_finished f WHERE f.id = j.id) AS n FROM godwit_jobs j) WHERE n <> 1",
	},
	{
		"a place is that of a job, in the job's lane and at its priority",
		"SELECT hex(p.id) FROM godwit_places p LEFT JOIN godwit_jobs j ON j.id = p.id" +
			" WHERE j.id IS NULL OR j.lane <> p.lane OR p.rank <> -j.priority",
	},
	{
		"a finished row is that of a job, in the job's lane",
		"SELECT hex(f.id) FROM godwit_finished f LEFT JOIN godwit_jobs j ON j.id = f.id WHERE j.id IS NULL OR j.lane <> f.lane",
	},
	{
		"a pruned id has no job",
		"SELECT hex(r.id) FROM godwit_pruned r JOIN godwit_jobs j ON j.id = r.id",
	},
	{
		"an id has 16 bytes",
		"SELECT hex(id) FROM godwit_jobs WHERE length(id) <> 16 OR length(fingerprint) <> 16" +
			" UNION ALL SELECT hex(id) FROM godwit_pruned WHERE length(id) <> 16" +
			" UNION ALL SELECT hex(id) FROM godwit_sessions WHERE length(id) <> 16" +
			" UNION ALL SELECT 'of a time: ' || at FROM godwit_finished_due WHERE length(ids) = 0 OR length(ids) % 20 <> 0" +
			" UNION ALL SELECT 'of a time: ' || at FROM godwit_pruned_due WHERE length(ids) = 0 OR length(ids) % 20 <> 0",
	},
	{
		"what is kept is due at its time",
		"SELECT hex(f.id) FROM godwit_finished f LEFT JOIN godwit_finished_due d ON d.at = f.keep_until" +
			" WHERE instr(coalesce(d.ids, x''), f.id) = 0" +
			" UNION ALL SELECT hex(r.id) FROM godwit_pruned r LEFT JOIN godwit_pruned_due d ON d.at = r.until" +
			" WHERE instr(coalesce(d.ids, x''), r.id) = 0",
	},
	{
		"a job is held by a live session",
		"SELECT hex(p.id) FROM godwit_places p WHERE p.session IS NOT NULL AND p.session NOT IN (SELECT id FROM godwit_sessions)",
	},
	{
		"what sessions announced is that of live ones",
		"SELECT hex(session) FROM godwit_serves WHERE session NOT IN (SELECT id FROM godwit_sessions)" +
			" UNION ALL SELECT hex(session) FROM godwit_capabilities WHERE session NOT IN (SELECT id FROM godwit_sessions)",
	},
	{
		"a job's lane is there",
		"SELECT hex(id) FROM godwit_jobs WHERE lane NOT IN (SELECT id FROM godwit_lanes)",
	},
	{
		"the counters of a lane are right",
		"SELECT l.id || ' ' || l.queue || ' ' || l.task FROM godwit_lanes l" +
			" LEFT JOIN (SELECT lane, sum(place = 1) s, sum(place = 2) r, sum(place = 3) u, sum(place = 4) w FROM godwit_places GROUP BY lane) p" +
			" ON p.lane = l.id LEFT JOIN (SELECT lane, count(*) n FROM godwit_finished GROUP BY lane) f ON f.lane = l.id" +
			" WHERE (l.scheduled, l.ready, l.running, l.waiting, l.finished) IS NOT" +
			" (coalesce(p.s, 0), coalesce(p.r, 0), coalesce(p.u, 0), coalesce(p.w, 0), coalesce(f.n, 0))",
	},
	{
		"a key is that of a job",
		"SELECT scope || ' ' || key FROM godwit_idempotency WHERE job NOT IN (SELECT id FROM godwit_jobs)" +
			" UNION ALL SELECT scope || ' ' || key FROM godwit_unique WHERE job NOT IN (SELECT id FROM godwit_places)",
	},
	{
		"a wait is that of a waiting job for an unfinished one",
		"SELECT hex(w.waiter) FROM godwit_waits w LEFT JOIN godwit_places p ON p.id = w.waiter AND p.place = 4" +
			" LEFT JOIN godwit_places q ON q.id = w.promise WHERE p.id IS NULL OR q.id IS NULL",
	},
	{
		"a job that waits has something to wait for, or was woken",
		"SELECT hex(p.id) FROM godwit_places p WHERE p.place = 4 AND NOT p.woken AND p.id NOT IN (SELECT waiter FROM godwit_waits)",
	},
	{
		"a child is a job",
		"SELECT hex(id) FROM godwit_children WHERE id NOT IN (SELECT id FROM godwit_jobs)",
	},
	{
		"what is kept as JSON can be read",
		"SELECT hex(id) FROM godwit_jobs WHERE extra IS NOT NULL AND NOT json_valid(extra)" +
			" UNION ALL SELECT hex(id) FROM godwit_sessions WHERE NOT json_valid(queues) OR NOT json_valid(tasks)",
	},
	{
		"what hangs on a job has that job, and is counted",
		"SELECT hex(job) FROM godwit_attempts WHERE job NOT IN (SELECT id FROM godwit_jobs)" +
			" UNION ALL SELECT hex(job) FROM godwit_reports WHERE job NOT IN (SELECT id FROM godwit_jobs)" +
			" UNION ALL SELECT hex(job) FROM godwit_logs WHERE job NOT IN (SELECT job FROM godwit_reports)" +
			" UNION ALL SELECT hex(job) FROM godwit_items WHERE job NOT IN (SELECT job FROM godwit_reports)" +
			" UNION ALL SELECT hex(r.job) FROM godwit_reports r WHERE r.logs <> (SELECT count(*) FROM godwit_logs l WHERE l.job = r.job)" +
			" OR r.items <> (SELECT count(*) FROM godwit_items i WHERE i.job = r.job)",
	},
}

const findingsMax = 10 // told of each rule

// Check looks through the whole file: whether SQLite finds it sound, and whether what Godwit keeps fits together. It answers
// nil when all is well, and otherwise an [godwit.Error] with [godwit.CodeCorrupt] whose text lists what was found. It reads one
// snapshot, and disturbs no other call.
func (s *Store) Check(ctx context.Context) error {
	_, err := read(ctx, s, func(r *reader) (struct{}, error) {
		if err := pragmaCheck(r.c, "PRAGMA integrity_check(10)"); err != nil {
			return struct{}{}, err
		}
		var errs []error
		for _, inv := range invariants {
			n := 0
			err := r.c.query(inv.query, func(s *row) error {
				if n++; n <= findingsMax {
					errs = append(errs, fmt.Errorf("not so: %s: %s", inv.rule, s.ColumnText(0)))
				}
				return nil
			})
			if err != nil {
				return struct{}{}, fmt.Errorf("check that %s: %w", inv.rule, err)
			}
		}
		if len(errs) > 0 {
			return struct{}{}, corrupt(errors.Join(errs...))
		}
		return struct{}{}, nil
	})
	return err
}

// pragmaCheck runs one of SQLite's own checks.
func pragmaCheck(c *conn, pragma string) error {
	var errs []error
	err := c.query(pragma, func(s *row) error {
		if text := s.ColumnText(0); text != "ok" {
			errs = append(errs, errors.New(text))
		}
		return nil
	})
	if err != nil {
		return err
	}
	if len(errs) > 0 {
		return corrupt(errors.Join(errs...))
	}
	return nil
}

// Backup writes a copy of the store into a new file, as it stands at one instant, while other calls go on. The copy can be
// opened by itself. A file that exists is refused; when ctx ends, or the disk is full, what was written is removed.
func (s *Store) Backup(ctx context.Context, path string) error {
	if path == "" {
		return invalid("path", "must name a file")
	}
	if _, err := os.Lstat(path); err == nil {
		return invalid("path", "must name a file that is not there yet, got %s", path)
	}
	_, err := read(ctx, s, func(r *reader) (struct{}, error) {
		// VACUUM INTO cannot run inside a transaction, and is a snapshot by itself.
		if err := r.c.exec("ROLLBACK"); err != nil {
			return struct{}{}, err
		}
		if err := r.c.exec("PRAGMA query_only = OFF"); err != nil {
			return struct{}{}, err
		}
		err := r.c.exec("VACUUM INTO ?", path)
		on := r.c.exec("PRAGMA query_only = ON")
		return struct{}{}, errors.Join(err, on, r.c.exec("BEGIN"))
	})
	if err == nil {
		return syncFile(path)
	}
	if remove := os.Remove(path); remove != nil && !errors.Is(remove, os.ErrNotExist) {
		err = errors.Join(err, remove)
	}
	return err
}

// syncFile waits until a file and its name are on disk.
func syncFile(path string) error {
	f, err := os.OpenFile(path, os.O_RDWR, 0)
	if err != nil {
		return unusable(path, err)
	}
	if err := errors.Join(f.Sync(), f.Close()); err != nil {
		return &godwit.Error{Code: godwit.CodeUnavailable, Message: "the backup could not be brought to the disk", Err: err}
	}
	return nil
}
