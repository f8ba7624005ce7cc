// Package wire holds the JSON forms of the HTTP API: those that its server writes and its client reads, those of submissions the
// other way, and those that the command line prints. Each form is made of a type of package godwit by a function named for it
// ([JobOf]), and gives it back with Plain.
package wire
