// Package groupcommit merges the writes of many callers into few transactions, so that they share one fsync. A store hands it
// the four verbs of its transactions; callers hand it functions to run inside one.
//
// A group is closed when nothing more arrives while the writer has yielded a few times: closing it too early halves what is
// shared. It is also closed when it has lasted for its time, as large items make it: what is urgent goes first, but not into a
// transaction that is being committed. When an item fails the group is rolled back and its items are run again one by one, so that only
// the guilty item fails. When the disk fails everything in the group fails, and so does all that comes later, until a probe succeeds.
//
// A caller whose context ends does not disturb the others. Before its item has run it is withdrawn; afterwards the caller may
// leave, and is told that the outcome is unknown.
package groupcommit
