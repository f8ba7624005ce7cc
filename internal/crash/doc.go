// Package crash proves on the real command what docs/reliability.md promises. Its tests build cmd/godwit with the tag crashpoints,
// start `godwit serve` on a database, and use it over HTTP as many users do: they submit jobs of every kind, wait for them, cancel some
// and retry some by hand. Meanwhile the server is killed, at random moments and at named points, loses power, is stopped
// past its lease, and told to end, many times over, and each time started anew. A call that is cut off is made again with the same id.
//
// What the users asked for and were told stands in a log outside the database ([Event]), and beside it, by package victim, what the
// server's store answered and what its handlers did. At the end all work is worked off, and [Check] holds log and database
// against each other.
//
// # What is done to a server
//
//   - SIGKILL after a random number of lines of the log.
//   - SIGKILL by its own hand at a named point: before or after a call of the store, between the effect of a handler and its settle,
//     or amid a commit: before a write of the write-ahead log, on either side of the sync, or while a checkpoint writes to the
//     database itself (package victim wraps SQLite's file system).
//   - SIGSTOP for longer than the lease, then SIGCONT. One process owns a file, so nobody else takes the jobs meanwhile: the
//     resumed process must fence itself. In half of these rounds a second server is started on the file while the first is stopped: it must
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
