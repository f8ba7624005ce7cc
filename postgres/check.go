package postgres

import (
	"context"
	"errors"
	"fmt"

	"github.com/godwit-go/godwit"
)

// invariant is a query that finds what must not be. It answers a text for each finding.
type invariant struct{ rule, query string }

var invariants = []invariant{
	{
		"a job stands in exactly one place",
		"SELECT j.id::text FROM godwit.jobs j LEFT JOIN godwit.places p ON p.id = j.id LEFT JOIN godwit.finished f ON f.id = j.id" +
			" WHERE (p.id IS NULL) = (f.id IS NULL)",
	},
	{
		"a place is that of a job, in the job's lane and at its priority",
		"SELECT p.id::text FROM godwit.places p LEFT JOIN godwit.jobs j ON j.id = p.id" +
			" WHERE j.id IS NULL OR j.lane <> p.lane OR p.rank <> -j.priority",
	},
	{
		"a finished row is that of a job, in the job's lane",
		"SELECT f.id::text FROM godwit.finished f LEFT JOIN godwit.jobs j ON j.id = f.id WHERE j.id IS NULL OR j.lane <> f.lane",
	},
	{"a pruned id has no job", "SELECT r.id::text FROM godwit.pruned r JOIN godwit.jobs j ON j.id = r.id"},
	{
		"a job is held by a live session",
		"SELECT p.id::text FROM godwit.places p LEFT JOIN godwit.sessions s ON s.id = p.session WHERE p.session IS NOT NULL AND s.id IS NULL",
	},
	{
		"a job's lane is there",
		"SELECT j.id::text FROM godwit.jobs j LEFT JOIN godwit.lanes l ON l.id = j.lane WHERE l.id IS NULL",
	},
	{
		"a key is that of a job, a unique one of an unfinished job",
		"SELECT scope || ' ' || key FROM godwit.known_keys k LEFT JOIN godwit.jobs j ON j.id = k.job WHERE j.id IS NULL" +
			" UNION ALL SELECT scope || ' ' || key FROM godwit.unique_keys k LEFT JOIN godwit.places p ON p.id = k.job WHERE p.id IS NULL",
	},
	{
		"a wait is that of a waiting job for an unfinished one",
		"SELECT w.waiter::text FROM godwit.waits w LEFT JOIN godwit.places p ON p.id = w.waiter AND p.place = 4" +
			" LEFT JOIN godwit.places q ON q.id = w.promise WHERE p.id IS NULL OR q.id IS NULL",
	},
	{
		"a job that waits has something to wait for, or was woken",
		"SELECT p.id::text FROM godwit.places p LEFT JOIN godwit.waits w ON w.waiter = p.id WHERE p.place = 4 AND NOT p.woken AND w.waiter IS NULL",
	},
	{"a child is a job", "SELECT c.id::text FROM godwit.children c LEFT JOIN godwit.jobs j ON j.id = c.id WHERE j.id IS NULL"},
	{
		"what hangs on a job has that job, and is counted",
		"SELECT a.job::text FROM godwit.attempts a LEFT JOIN godwit.jobs j ON j.id = a.job WHERE j.id IS NULL" +
			" UNION ALL SELECT r.job::text FROM godwit.reports r LEFT JOIN godwit.jobs j ON j.id = r.job WHERE j.id IS NULL" +
			" UNION ALL SELECT l.job::text FROM godwit.logs l LEFT JOIN godwit.reports r ON r.job = l.job WHERE r.job IS NULL" +
			" UNION ALL SELECT i.job::text FROM godwit.items i LEFT JOIN godwit.reports r ON r.job = i.job WHERE r.job IS NULL" +
			" UNION ALL SELECT r.job::text FROM godwit.reports r WHERE r.logs <> (SELECT count(*) FROM godwit.logs l WHERE l.job = r.job)" +
			" OR r.items <> (SELECT count(*) FROM godwit.items i WHERE i.job = r.job)",
	},
}

const findingsMax = 10 // told of each rule

// Check looks whether what Godwit keeps fits together. It answers nil when all is well, and otherwise an [godwit.Error] with
// [godwit.CodeCorrupt] whose text lists what was found. It reads every table in one snapshot, and disturbs no other call; in a large
// schema it takes its time.
func (s *Store) Check(ctx context.Context) error {
	_, err := read(ctx, s, func(r *reader) (struct{}, error) {
		var errs []error
		for _, inv := range invariants {
			sql := fmt.Sprintf("SELECT * FROM (%s) found LIMIT %d", inv.query, findingsMax)
			err := r.l.run(r.ctx, ask(sql, func(row scanner) error {
				var text string
				err := row.Scan(&text)
				errs = append(errs, fmt.Errorf("not so: %s: %s", inv.rule, text))
				return err
			}))
			if err != nil {
				return struct{}{}, fmt.Errorf("check that %s: %w", inv.rule, err)
			}
		}
		if len(errs) > 0 {
			return struct{}{}, &godwit.Error{
				Code: godwit.CodeCorrupt, Err: errors.Join(errs...), Message: "what is kept does not fit together (stop, and go back to a backup)",
			}
		}
		return struct{}{}, nil
	})
	return err
}
