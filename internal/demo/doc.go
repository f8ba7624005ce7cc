// Package demo is the work that `godwit demo` does: a parent job fans out one child for each city and month of the daily
// weather in package demodata, awaits them all and writes a report. Some children fail at their first attempt, on purpose,
// and are retried. Each child notes in a ledger that it ran, so that a resumed demo can count what was repeated instead of
// claiming it.
package demo
