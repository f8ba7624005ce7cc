package postgres

import (
	"cmp"
	"slices"

	"github.com/godwit-go/godwit"
)

// Keys are looked up without a lock first: a key that stands for a job is met, and nothing changes. A key that is free, or whose
// time is over, is locked by a row before anything is decided: an insert that meets a row of somebody else waits for it and
// locks it. There is no instant in which a key was looked up and is not locked, and yet is acted upon.

// loadKeys loads the keys of submissions.
func (u *unit) loadKeys(jobs []godwit.NewJob) error {
	var known, unique []key
	for i := range jobs {
		n := &jobs[i]
		if k := (key{n.Idempotency.Scope, n.Idempotency.Key}); k.Key != "" && u.known[k] == nil {
			u.known[k] = &knownKey{}
			known = append(known, k)
		}
		if k := (key{n.Unique.Scope, n.Unique.Key}); k.Key != "" && u.unique[k] == nil {
			u.unique[k] = &uniqueKey{}
			unique = append(unique, k)
		}
	}
	if err := u.peekKeys(known, unique); err != nil {
		return err
	}
	known = slices.DeleteFunc(known, func(k key) bool { return u.known[k].until > u.now })
	if err := u.lockKnown(known); err != nil {
		return err
	}
	unique = slices.DeleteFunc(unique, func(k key) bool { return !u.unique[k].job.IsZero() })
	return u.lockUnique(unique)
}

// keyColumns gives keys in the order in which they are locked.
func keyColumns(keys []key) (scopes, names []string) {
	slices.SortFunc(keys, func(a, b key) int { return cmp.Or(cmp.Compare(a.Scope, b.Scope), cmp.Compare(a.Key, b.Key)) })
	for _, k := range keys {
		scopes, names = append(scopes, k.Scope), append(names, k.Key)
	}
	return scopes, names
}

func (u *unit) peekKeys(known, unique []key) error {
	var list []stmt
	if len(known) > 0 {
		scopes, names := keyColumns(known)
		list = append(list, ask("SELECT k.scope, k.key, k.job, k.until FROM unnest($1::text[], $2::text[]) w (scope, key)"+
			" JOIN godwit.known_keys k ON k.scope = w.scope AND k.key = w.key", func(r scanner) error {
			var k key
			var e knownKey
			err := r.Scan(&k.Scope, &k.Key, idInto{&e.job}, &e.until)
			u.known[k] = &e
			return err
		}, scopes, names))
	}
	if len(unique) > 0 {
		scopes, names := keyColumns(unique)
		list = append(list, ask("SELECT k.scope, k.key, k.job, p.place FROM unnest($1::text[], $2::text[]) w (scope, key)"+
			" JOIN godwit.unique_keys k ON k.scope = w.scope AND k.key = w.key JOIN godwit.places p ON p.id = k.job",
			u.scanUnique, scopes, names))
	}
	return u.l.run(u.ctx, list...)
}

func (u *unit) scanUnique(r scanner) error {
	var k key
	var e uniqueKey
	var at kind
	err := r.Scan(&k.Scope, &k.Key, idInto{&e.job}, (*int16)(&at))
	e.state = at.state()
	u.unique[k] = &e
	return err
}

func (u *unit) lockKnown(keys []key) error {
	if len(keys) == 0 {
		return nil
	}
	scopes, names := keyColumns(keys)
	const sql = "INSERT INTO godwit.known_keys AS k (scope, key, job, until) SELECT w.scope, w.key, $3::uuid, 0" +
		" FROM unnest($1::text[], $2::text[]) w (scope, key) ON CONFLICT (scope, key) DO UPDATE SET job = k.job" +
		" RETURNING scope, key, job, until"
	return u.l.run(u.ctx, ask(sql, func(r scanner) error {
		var k key
		e := knownKey{locked: true}
		err := r.Scan(&k.Scope, &k.Key, idInto{&e.job}, &e.until)
		u.known[k] = &e
		return err
	}, scopes, names, uuids([]godwit.ID{{}})[0]))
}

func (u *unit) lockUnique(keys []key) error {
	if len(keys) == 0 {
		return nil
	}
	scopes, names := keyColumns(keys)
	const sql = "INSERT INTO godwit.unique_keys AS k (scope, key, job, unstarted) SELECT w.scope, w.key, $3::uuid, false" +
		" FROM unnest($1::text[], $2::text[]) w (scope, key) ON CONFLICT (scope, key) DO UPDATE SET job = k.job" +
		" RETURNING scope, key, job"
	taken := false
	err := u.l.run(u.ctx, ask(sql, func(r scanner) error {
		var k key
		e := uniqueKey{locked: true}
		err := r.Scan(&k.Scope, &k.Key, idInto{&e.job})
		u.unique[k] = &e
		taken = taken || !e.job.IsZero()
		return err
	}, scopes, names, uuids([]godwit.ID{{}})[0]))
	if err != nil || !taken {
		return err
	}
	return u.l.run(u.ctx, ask("SELECT k.scope, k.key, p.place FROM unnest($1::text[], $2::text[]) w (scope, key)"+
		" JOIN godwit.unique_keys k ON k.scope = w.scope AND k.key = w.key JOIN godwit.places p ON p.id = k.job",
		func(r scanner) error {
			var k key
			var at kind
			err := r.Scan(&k.Scope, &k.Key, (*int16)(&at))
			u.unique[k].state = at.state()
			return err
		}, scopes, names))
}

// holder gives the job that holds a unique key, and locks the key when it is free.
func (u *unit) holder(k key) (*uniqueKey, error) {
	if e := u.unique[k]; e != nil && (e.locked || !e.job.IsZero()) {
		return e, nil
	}
	err := u.lockUnique([]key{k})
	return u.unique[k], err
}

// loadChildren loads what children of these names there are. Their parents are locked.
func (u *unit) loadChildren(jobs []godwit.NewJob) error {
	var parents []godwit.ID
	var names []string
	for i := range jobs {
		n := &jobs[i]
		k := childKey{n.Parent.Job, n.ChildName}
		if p := u.jobs[k.parent]; p == nil || !p.locked || u.children[k] != nil {
			continue
		}
		u.children[k] = &child{}
		parents, names = append(parents, k.parent), append(names, k.name)
	}
	if len(parents) == 0 {
		return nil
	}
	var ids []godwit.ID
	err := u.l.run(u.ctx, ask("SELECT c.parent, c.name, c.id, c.detached, c.epoch FROM unnest($1::uuid[], $2::text[]) w (parent, name)"+
		" JOIN godwit.children c ON c.parent = w.parent AND c.name = w.name", func(r scanner) error {
		var k childKey
		e := &child{}
		err := r.Scan(idInto{&k.parent}, &k.name, idInto{&e.id}, &e.detached, &e.epoch)
		u.children[k] = e
		ids = append(ids, e.id)
		return err
	}, uuids(parents), names))
	if err != nil {
		return err
	}
	return u.load(ids, peek)
}
