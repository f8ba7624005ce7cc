// Package godwittest tests programs that use godwit: without a database, with a clock that stands still until it is told to
// move.
//
// A [Harness] is a [godwit.Client] on a store in memory. Register the handlers of the program under test, or submit without
// any and look at what was submitted:
//
//	h := godwittest.New(t, godwit.Config{})
//	godwit.Handle(h.Client, Resize, resizer.Resize)
//	img, err := godwittest.Run(t, h, Resize, ResizeArgs{"cat.jpg"})
//
// # Running
//
// [Run] does one job to its end, with its retries and with whatever it starts, moving the clock over back-offs and delays.
// [Harness.Drain] does all that can be done without moving the clock, [Harness.Finish] all there is.
//
// # Time
//
// Delays, deadlines, back-offs, retention and godwit.Sleep go by [Harness.Now], which [Harness.Advance] moves. Timeouts of
// runs go by the real clock. Inside a bubble of testing/synctest both are virtual.
//
// # What was submitted
//
// [AssertSubmitted], [AssertNotSubmitted] and [Submitted] look at the jobs of a task, whoever submitted them and whatever
// became of them.
package godwittest
