// Package victim is what the command has more when it is built with the tag crashpoints, for the harness of package crash to
// kill it: tasks of every kind, whose handlers tell a log outside the database what they do; a store that tells the same log what it
// was asked and answered; and named points at which the program kills itself. Without the tag nothing of it is linked.
package victim
