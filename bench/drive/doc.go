// Package drive is what the children of the benchmark of durable jobs share: the scenarios, the work that every contender does, and how it
// is verified. A child is one process that makes one measurement of one contender: it takes a [Spec] as its only argument and
// prints an [Outcome]. So no contender meets what another left in memory, in a cache or on disk, and the processor time
// of the process is that of the contender.
//
// It imports the standard library alone, since the peers live in a module of their own: the versions that they ask for must
// not change what Godwit is linked with.
package drive
