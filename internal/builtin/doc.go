// Package builtin holds the tasks that the binary knows by itself: http calls a URL, exec runs a program, and echo, sleep and fail are for
// trying things out. docs/builtin-tasks.md describes them.
package builtin
