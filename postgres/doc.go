// Package postgres keeps Godwit's jobs in one schema of a PostgreSQL database (14 or later), with which any number of processes work
// at once.
//
// # Opening
//
// [Open] makes the schema or brings it up to date, unless [Config.Migrate] says otherwise. Whatever happens to the server
// afterwards (a restart, a failover to another host of the URL, a cut network), the store connects again by itself. A call whose
// connection was lost before its COMMIT was sent is made anew, for a few seconds; one that was cut off during the COMMIT answers
// [godwit.CodeOutcomeUnknown] and may be repeated. A server that hangs is left like one that is gone: a call that takes
// long looks whether the server still answers, and within some seconds it is cut off and the next ones look for another host. A server that
// takes no writes, a standby or one set to default_transaction_read_only, is left too: calls answer [godwit.CodeUnavailable] until
// there is one that takes them.
//
// [Migrate] and [Migrations] are for a database whose owner migrates it by hand, and [GrantsSQL] for a role that may work with rows
// and do nothing else. Migrations go forward only; the program before the newest one works with the schema after it.
//
// # Durability
//
// A call that changes something returns when its transaction is on the server's disk, and on those of its synchronous standbys:
// synchronous_commit is turned on where it is less (off, local, remote_write), for each connection, or behind a pooler for each
// transaction. Submissions without keys, and runs that succeed, of all callers that come together share one transaction.
//
// # Many processes
//
// Each call is atomic, and calls of different processes are seen in one order. Every decision is made over rows that are locked, by
// the same table as in every other store; schema.sql says in which order. A claim passes over jobs that other claims are just taking. It
// chooses at one instant and takes at a later one: a job that becomes ready while the claim is under way may be left for the
// next. A job that somebody else has locked is waited for, for some seconds and once a minute, and then passed over, with those behind it
// claimed.
//
// What one process changes it tells the others by NOTIFY: after the commit, merged, a hundred times a second at most. Each store that
// works jobs or waits for results listens on one connection more than [Config.Conns] says. A notification is a hint and may get
// lost; a store that does not hear its own says so ([Store.Hears]), and is asked more often.
//
// Store time is the server's clock, read every ten seconds and on every new connection, and carried on by the monotonic clock in
// between. No process's own clock decides a lease. When the server's clock is set back, or another host takes over whose clock
// is behind, time goes on at its pace in all processes; when it is set forward they follow, and no lease ends by that.
//
// # Beside your own tables
//
// [Store.SubmitTx] and [Store.SettleTx] work in a transaction of the application's, pgx's or, as [Store.SubmitSQL] and
// [Store.SettleSQL], that of database/sql over pgx:
//
//	tx, err := pool.Begin(ctx)
//	...
//	_, err = tx.Exec(ctx, "INSERT INTO orders (id) VALUES ($1)", order.ID)
//	...
//	_, err = store.SubmitTx(ctx, tx, Ship.Job(order, godwit.SubmitOptions{}))
//	...
//	err = tx.Commit(ctx) // the order and the job that ships it are there together or not at all
//
// # Poolers
//
// A pooler is noticed, since it gives another number than that of the server's process: from then on nothing is prepared by name, and
// nothing set for a session. [Config.Pooler] says so from the start. No call needs more of a connection than one transaction. Notifications
// do not pass such a pooler: set [Config.ListenURL] to reach the server directly, or jobs of other processes are found by asking.
//
// # Looking after it
//
// schema.sql explains every table; any client may read them. Depths of queues are counted when they are asked for.
package postgres
