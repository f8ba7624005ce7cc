// Package crash proves on a real file what docs/reliability.md promises. Its tests run a program that submits and works jobs of
// every kind on one SQLite file, kill it at random moments and at named points, take its power away, stop it past its lease,
// and start it again on the same file, many times over. Whatever the program was told and whatever its handlers did stands, line
// by line, in a log outside the database ([Event]). At the end the file is drained, and [Check] holds log and database against each
// other.
//
// # What kills the program
//
//   - SIGKILL after a random number of lines of the log.
//   - SIGKILL by its own hand at a named point: before or after a call of the store (it wraps [godwit.Store]), between the
//     effect of a handler and its settle, or amid a commit: before a write of the write-ahead log, on either side of the sync, or while
//     a checkpoint writes to the database itself (it wraps SQLite's file system).
//   - SIGSTOP for longer than the lease, then SIGCONT. One process owns a file, so nobody else takes the jobs meanwhile: the
//     resumed process must fence itself.
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
package crash
