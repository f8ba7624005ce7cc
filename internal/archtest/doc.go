// Package archtest holds the rules of the house that no linter knows: which
// package may import which, how long files and functions may grow, how words
// are spelt, that links lead somewhere, that the Go code shown in Markdown is
// code that compiles, and its tables of figures those of a report.
//
// A rule is a function from a [Tree] to its violations. The repository is
// tested against all of them in house_test.go; each is itself tested on a small
// tree with a planted violation. A new rule needs both.
package archtest
