// Package crash proves on the real command what docs/reliability.md promises. Its tests build cmd/godwit with the tag crashpoints,
// start `godwit serve` on a database, and use it over HTTP as many users do: they submit jobs of every kind and wait for them; they cancel,
// retry, reschedule and delete some by hand, one by one and in bulk, and pause and resume a task and a queue. Meanwhile the server is
// killed, at random moments and at named points, loses power, is stopped past its lease, and told to end, many times over, and each time
// started anew. A call that is cut off is made again with the same id.
//
// What the users asked for and were told stands in a log outside the database ([Event]), and beside it, by package victim, what the
// server's store answered and what its handlers did. At the end all work is worked off, and [Check] holds log and database
// against each other.
//
// # What is promised, and what proves it
//
// Each line of docs/reliability.md has a rule here, or a test that proves it elsewhere:
//
//	a call that changes something is on disk        RuleLost, RuleForgotten, RuleItems of jobs, settles and items; RuleCancelled,
//	when it answers                                 RuleAgain, RulePaused, RuleMoved and RuleDeleted of what people do to them
//	a run is fenced, and its number never falls     RuleWinner, RuleGrows, RuleZombie, RuleOrder
//	a worker that cannot renew stops its jobs       TestWorkerThatCannotRenewEndsItsRunsBeforeItsLease of package godwit, in virtual time.
//	                                                Here nothing is seen of it: after SIGCONT the timers of the handlers and that of the
//	                                                fence are due at once, and go off in any order. What its late writes come to is
//	                                                RuleZombie, in the rounds of SIGSTOP
//	a promise settles once                          RuleOnce, RuleResult
//	submission happens once, by id and by key       RuleID, RuleKey, RuleUnique, RuleChild
//	effects happen once that are committed with     the tests of SubmitTx and SettleTx of packages sqlite and postgres: the
//	the settle or the submission                    command has no handler with a transaction of its own
//	a dead worker's jobs run elsewhere in seconds   RuleBack
//	crashes, attempts and releases count apart      RuleCounts, RuleCause
//	one semantics on every store                    package storetest
//	bad input is refused at the door                the tests of packages godwit, httpapi and config
//	times hold, over restarts too                   RuleEarly, RuleMoved; skewed clocks in the tests of the stores
//	what is finished is kept for its time, no       RuleKept, and the jobs of crash.pinning, which need the result of a child that
//	longer, pinned while it is needed, and then     is over its time; ids that are forgotten in the end in storetest, as that
//	answers expired                                 takes an hour
//
// # What is done to a server
//
//   - SIGKILL after a random number of lines of the log.
//   - SIGKILL by its own hand at a named point: before or after a call of the store, between the effect of a handler and its settle,
//     or amid a commit: before a write of the write-ahead log, on either side of the sync, or while a checkpoint writes to the
//     database itself (package victim wraps SQLite's file system).
//   - SIGSTOP for longer than the lease, then SIGCONT. One process owns a file, so nobody else takes the jobs meanwhile: the
//     resumed process must begin anew, and lose or repeat nothing. In half of these rounds a second server is started on the file while the first is stopped: it must
//     wait for as long as that lives, and take over when it dies.
//   - SIGTERM: it must give back what it runs, count no crash, and exit with 0.
//   - Loss of power: see below.
//
// # Loss of power
//
// The wrapped file system keeps a shadow of the database and of its write-ahead log: a write reaches the shadow only when the file is
// synced, before the caller learns of the sync. After SIGKILL the shadow is what a disk without its cache holds. The image that the next
// start finds is made of it, and of a random part of what was written and not synced: each sector's bytes come through, do not, or
// come through garbled.
//
// Simulated are thus lost, reordered and torn writes, and a file's length that did not come through. Not simulated are a disk that
// lies about a sync, damage to bytes nobody wrote (SQLite too takes it that a disk does not do that: "powersafe overwrite"), a file
// system that loses the name of a file it has synced, a rollback journal (only the very first start of a file has one) and a kernel
// that fails a sync.
//
// # Many machines
//
// On PostgreSQL a server and three workers run at the same time, which reach a primary and its synchronous standby through a network
// that can be broken (package pgtest): by a URL with two hosts, one of them by a name that moves. An application beside them submits jobs
// in the transactions that write rows of its own. A round does one thing to the cluster, and is over when every process works again:
//
//   - SIGKILL of a process, at random or at a point, SIGSTOP of a worker until others have its jobs, SIGTERM;
//   - connections ended by the server, an immediate restart, a server without a connection left, a pool of which every connection waits;
//   - a network that is slow, silent, cut, or cut around a commit, so that nobody knows whether it happened;
//   - notifications that are lost, with their connection or without anybody's knowing;
//   - servers that only read: by their setting, since every host leads to the standby, or after a planned switch;
//   - the death of the primary and the promotion of its standby, under load.
//
// Meanwhile every process settles, again and again, runs of which it read in the log that another one took their place. The store times
// of processes differ by as much as [Slack] says; otherwise the same rules hold.
package crash
