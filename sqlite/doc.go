// Package sqlite keeps Godwit's jobs in one SQLite file, which survives crashes and needs no server and no C compiler.
//
// # Opening
//
// [Open] makes the file when it is not there, brings an older one to the newest schema, and refuses one that is damaged, newer or
// not Godwit's. One process at a time works with a file: a second one waits, as long as [Config.LockWait] says, and is then told who
// holds it. When the process ends, however it ends, the file is free again, and the next owner's first rescue moves the jobs
// that were running.
//
// # Durability
//
// A call that changes something returns when its transaction is on disk (journal_mode=WAL, synchronous=FULL). One goroutine
// writes; what waits for it is merged into one transaction and shares its fsync, so many callers at once cost little more than
// one. When the disk is full or fails, calls answer [godwit.CodeUnavailable] and nothing of them happened, until the disk takes
// writes again.
//
// Reads go over connections of their own, see what is committed, and do not wait for the writer.
//
// # Beside your own tables
//
// All tables begin with "godwit_". Tables of an application may stand in the same file, and [Store.Tx] changes both in one
// transaction: an order and the job that ships it are there together or not at all.
//
//	err := store.Tx(ctx, func(tx *sqlite.Tx) error {
//		if err := sqlitex.Execute(tx.Conn(), "INSERT INTO orders (id) VALUES (?)", options); err != nil {
//			return err
//		}
//		_, err := tx.Submit(Ship.Job(order, godwit.SubmitOptions{}))
//		return err // also when the job was refused: then the order is not there either
//	})
//
// # Looking after it
//
// [Store.Backup] copies the store while it works. [Store.Check] looks through the file: whether SQLite finds it sound, and
// whether what Godwit keeps fits together. schema.sql explains every table; any SQLite shell may read the file while it is in use.
package sqlite
