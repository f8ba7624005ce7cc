package main

import (
	"fmt"
	"io"
	"log/slog"
	"os"

	"github.com/spf13/cobra"

	"github.com/godwit-go/godwit/internal/config"
)

// settings are the flags of a command that is configured: serve and worker. What the flags say is taken with the file and the
// environment, so that all faults are told at once.
type settings struct {
	cmd    *cobra.Command
	listen bool // the command serves the HTTP API
	file   string
	check  bool
	flags  []config.Flag // in the order in which they count, without values
}

// newSettings adds the flags that all configured commands have.
func newSettings(cmd *cobra.Command, listen bool) *settings {
	s := &settings{cmd: cmd, listen: listen}
	cmd.Flags().StringVar(&s.file, "config", os.Getenv("GODWIT_CONFIG"), "configuration file, in YAML (env GODWIT_CONFIG)")
	cmd.Flags().BoolVar(&s.check, "check-config", false, "print the configuration in effect, without secrets, and end")
	s.add("db", "db", "url", "database, as sqlite:PATH or postgres://user@host/database")
	s.add("schema", "postgres.schema", "name", "schema of a PostgreSQL --db that holds the jobs")
	s.add("queues", "queues", "name=concurrency,...", "queues to work, and how many jobs of each run at a time")
	s.entry("workers", "queues", "default", "jobs of the queue default run at a time: the same as default=N among the queues")
	s.add("grace", "stop_grace", "duration", "how long running jobs may take to finish when it stops")
	s.add("log-level", "log.level", "level", "the least that is logged: debug, info, warn or error")
	s.add("log-format", "log.format", "format", "text or json")
	return s
}

// add adds a flag that sets a key of the configuration.
func (s *settings) add(name, key, kind, usage string) {
	usage = fmt.Sprintf("%s (env %s)", usage, config.Variable(key))
	s.cmd.Flags().Var(&word{text: config.Default(key), kind: kind}, name, usage)
	s.flags = append(s.flags, config.Flag{Name: "--" + name, Key: key})
}

// entry adds a flag that sets one entry of a mapping.
func (s *settings) entry(name, key, entry, usage string) {
	s.cmd.Flags().Var(&word{kind: "int"}, name, usage)
	s.flags = append(s.flags, config.Flag{Name: "--" + name, Key: key, Entry: entry})
}

// word is the value of a flag that is checked later, with all others.
type word struct{ text, kind string }

func (w *word) String() string     { return w.text }
func (w *word) Type() string       { return w.kind }
func (w *word) Set(s string) error { w.text = s; return nil }

// load gives the configuration in effect.
func (s *settings) load() (*config.Config, error) {
	sources := config.Sources{File: s.file, Env: os.LookupEnv, Listens: s.listen}
	for _, f := range s.flags {
		if given := s.cmd.Flags().Lookup(f.Name[len("--"):]); given.Changed {
			f.Value = given.Value.String()
			sources.Flags = append(sources.Flags, f)
		}
	}
	c, err := config.Load(sources)
	if err != nil {
		return nil, usageError{err}
	}
	if s.cmd.Flags().Changed("schema") && !isPostgres(c.DB) {
		return nil, usagef("--schema is that of a PostgreSQL database, and --db is %s", quoteShort(redacted(c.DB)))
	}
	return c, nil
}

// run loads the configuration and either shows it or does the command's work with it.
func (s *settings) run(work func(*config.Config) error) error {
	c, err := s.load()
	if err != nil {
		return err
	}
	if s.check {
		warnOfMisspelt(newLog(c.Log, s.cmd.ErrOrStderr()))
		return c.Print(&outlet{w: s.cmd.OutOrStdout()})
	}
	return work(c)
}

// warnOfMisspelt tells of variables of the environment that were probably meant for the configuration, and are no part of it.
func warnOfMisspelt(log *slog.Logger) {
	for _, line := range config.Misspelt(os.Environ()) {
		log.Warn("godwit: a variable of the environment is misspelt", "variable", line)
	}
}

// newLog makes the log that the configuration asks for.
func newLog(l config.Log, out io.Writer) *slog.Logger {
	var level slog.Level
	if err := level.UnmarshalText([]byte(l.Level)); err != nil {
		level = slog.LevelInfo // the configuration has none but these
	}
	options := &slog.HandlerOptions{Level: level}
	if l.Format == "json" {
		return slog.New(slog.NewJSONHandler(out, options))
	}
	return slog.New(slog.NewTextHandler(out, options))
}
