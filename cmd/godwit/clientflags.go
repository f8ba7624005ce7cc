package main

import (
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/godwit-go/godwit/internal/config"
)

// Defaults of the client commands.
const (
	serverDefault       = "http://127.0.0.1:8080"
	callTimeoutDefault  = 30 * time.Second
	retryForDefault     = 2 * time.Second  // a person waits for the answer
	waitRetryForDefault = 30 * time.Second // a job is waited for: a restart of the server must not end it
	durationFlagMax     = 365 * 24 * time.Hour
)

// Formats of --output.
const (
	formatTable = "table"
	formatJSON  = "json"
)

// clientFlags are the flags of every command that asks a server or a database.
type clientFlags struct {
	server   string
	token    string
	db       string
	schema   string
	output   string
	timeout  time.Duration
	retryFor time.Duration

	flags *pflag.FlagSet // of the command
}

// bind gives a command the flags. What the environment says is looked up when they are used, so that the help shows no token.
func (f *clientFlags) bind(cmd *cobra.Command) {
	f.flags = cmd.Flags()
	f.bindReach(cmd)
	f.bindOutput(cmd)
	cmd.Flags().DurationVar(&f.timeout, "timeout", callTimeoutDefault, "give up after so long; 0 for never")
	cmd.Flags().DurationVar(&f.retryFor, "retry-for", retryForDefault, "go on trying so long while the server does not answer (30s while a job is waited for)")
}

// bindReach gives a command the flags that say whom it asks.
func (f *clientFlags) bindReach(cmd *cobra.Command) {
	cmd.Flags().StringVar(&f.server, "server", "", "`URL` of the server (env GODWIT_SERVER; otherwise "+serverDefault+")")
	cmd.Flags().StringVar(&f.token, "token", "", "`TOKEN` that the server asks for (env GODWIT_TOKEN, which other users of the machine cannot see)")
	cmd.Flags().StringVar(&f.db, "db", "", "open the database `URL` instead: postgres://..., beside its servers, or sqlite:PATH, when nobody serves it")
	bindSchema(cmd, &f.schema)
}

func (f *clientFlags) bindOutput(cmd *cobra.Command) {
	cmd.Flags().StringVarP(&f.output, "output", "o", formatTable, "`FORMAT`: table or json")
	completeFlag(cmd, "output", formatTable, formatJSON)
}

// given reports whether somebody gave a flag.
func (f *clientFlags) given(flag string) bool { return f.flags.Changed(flag) }

// check checks the values, once they are read.
func (f *clientFlags) check() error {
	if f.db != "" && (f.server != "" || f.token != "") {
		return usagef("--db excludes --server and --token: give the one or the other")
	}
	if f.schema != "" && !isPostgres(f.db) {
		return usagef("--schema is that of a PostgreSQL database: give --db postgres://... too")
	}
	if err := oneOf("output", f.output, formatTable, formatJSON); err != nil {
		return err
	}
	if err := checkDuration("timeout", f.timeout); err != nil {
		return err
	}
	return checkDuration("retry-for", f.retryFor)
}

func checkDuration(flag string, d time.Duration) error {
	if d < 0 || d > durationFlagMax {
		return usagef("--%s must be from 0s to %s, got %s", flag, durationFlagMax, d)
	}
	return nil
}

// url is the server's, and whether somebody named it.
func (f *clientFlags) url() (url string, named bool) {
	if f.server != "" {
		return f.server, true
	}
	env := fromEnv("GODWIT_SERVER", "")
	if env != "" {
		return env, true
	}
	return serverDefault, false
}

// redacted gives a URL without its password.
func redacted(db string) string { return config.Redacted(db) }

// again gives the flags that reach the same server or database, for commands to be typed.
func (f *clientFlags) again() string {
	switch {
	case f.db != "":
		if f.schema != "" {
			return " --db " + shellWord(redacted(f.db)) + " --schema " + shellWord(f.schema)
		}
		return " --db " + shellWord(redacted(f.db))
	case f.server != "":
		return " --server " + shellWord(f.server)
	}
	return ""
}
