// Package compare measures what background work is for: the same slow work behind the same bound, asked for over HTTP, done before
// the answer, or as a durable job that is answered with 202 and followed to its end, or so after a short wait. Everything is real:
// requests over loopback, clients that lose patience, a store on disk that syncs. Every result is checked, and so is that
// everything ran once.
package compare
