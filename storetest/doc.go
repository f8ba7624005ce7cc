// Package storetest says what every [godwit.Store] must do, and shows that one does it.
//
// # Conformance
//
// [Run] goes through every row of the transition table, then through the rules that docs/states.md states in prose, on stores
// that a [Config] opens:
//
//	func TestConformance(t *testing.T) {
//		storetest.Run(t, storetest.Config{Open: open})
//	}
//
// # Differential
//
// [Differential] draws a stream of operations from a seed and lets the in-memory model and another store carry it out side by
// side, with one [Clock] between them. Answers, events and whole contents have to be equal at each step.
//
// # Histories
//
// [Histories] lets several goroutines work on few jobs at once and asks whether some order of the calls, one at a time,
// explains all answers (linearizability). A sequential test cannot see a cancel that is lost between two calls.
//
// # Consistency
//
// [Check] looks at a store after a test: counts, sessions, times and states have to fit together.
package storetest
