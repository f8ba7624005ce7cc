// Package builtin holds the tasks that the binary knows by itself, for trying things out: echo, sleep and fail.
package builtin
