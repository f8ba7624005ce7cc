// Package doctor looks for what keeps jobs from being done, and says what to do about it.
//
// [Examine] asks a godwit.Admin, and so sees any store, here or over HTTP: it reads an overview once, and each check is a
// function of that overview. What only one kind of database has is looked at in a file of its own, which makes findings of the
// same form: sqlite.go for a file and what lies beside it, postgres.go for a server (rights, clocks, old snapshots, locks, vacuum).
package doctor
