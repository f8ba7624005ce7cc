package main

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"
)

const (
	docsBegin = "<!-- commands: what follows is written by go test ./cmd/godwit -run CommandLineReference -update -->"
	docsEnd   = "<!-- end of commands -->"
)

// TestCommandLineReferenceIsThatOfTheProgram holds docs/cli.md equal to the commands, their flags and the exit codes.
func TestCommandLineReferenceIsThatOfTheProgram(t *testing.T) {
	for _, variable := range os.Environ() {
		if name, _, _ := strings.Cut(variable, "="); strings.HasPrefix(name, "GODWIT_") {
			t.Setenv(name, "") // defaults are those of nobody
		}
	}
	path := filepath.Join("..", "..", "docs", "cli.md")
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	before, rest, found := strings.Cut(string(text), docsBegin)
	_, after, ended := strings.Cut(rest, docsEnd)
	if !found || !ended {
		t.Fatalf("%s lacks the lines %q and %q", path, docsBegin, docsEnd)
	}
	want := before + docsBegin + "\n\n" + reference(newRoot()) + docsEnd + after
	if want == string(text) {
		return
	}
	if *update {
		if err := os.WriteFile(path, []byte(want), 0o644); err != nil {
			t.Fatal(err)
		}
		return
	}
	t.Errorf("docs/cli.md is not that of the program (bring it up to date: go test ./cmd/godwit -run CommandLineReference -update):\n%s",
		firstDifference(string(text), want))
}

func firstDifference(have, want string) string {
	a, b := strings.Split(have, "\n"), strings.Split(want, "\n")
	for i := range min(len(a), len(b)) {
		if a[i] != b[i] {
			return fmt.Sprintf("line %d\n  has   %s\n  wants %s", i+1, a[i], b[i])
		}
	}
	return fmt.Sprintf("it has %d lines, and wants %d", len(a), len(b))
}

// reference writes every command that does something.
func reference(root *cobra.Command) string {
	var b strings.Builder
	b.WriteString("## Exit codes\n\n| code | meaning |\n| --- | --- |\n")
	for _, e := range exitMeanings {
		fmt.Fprintf(&b, "| %d | %s |\n", e.code, e.meaning)
	}
	b.WriteString("\n## Common flags\n\nOf every command that asks a server or a database:\n\n")
	flagTable(&b, commonFlags(root))
	b.WriteString("\n## Commands\n\n")
	for _, cmd := range root.Commands() {
		if cmd.Name() != "help" && cmd.Name() != "completion" {
			writeCommand(&b, cmd)
		}
	}
	b.WriteString("### `godwit completion bash|zsh|fish|powershell`\n\nPrints the script that lets the shell complete commands, flags, and the names of tasks, " +
		"queues and jobs that a server tells quickly.\n\n")
	return b.String()
}

// commonFlags are those of a command that has no others.
func commonFlags(root *cobra.Command) []*pflag.Flag {
	cmd, _, err := root.Find([]string{"job", "get"})
	if err != nil {
		panic(err)
	}
	return flagsOf(cmd, nil)
}

func flagsOf(cmd *cobra.Command, without []*pflag.Flag) []*pflag.Flag {
	var flags []*pflag.Flag
	cmd.LocalFlags().VisitAll(func(f *pflag.Flag) {
		if f.Hidden || f.Name == "help" {
			return
		}
		for _, w := range without {
			if w.Name == f.Name && w.Usage == f.Usage && w.DefValue == f.DefValue {
				return
			}
		}
		flags = append(flags, f)
	})
	return flags
}

func writeCommand(b *strings.Builder, cmd *cobra.Command) {
	if cmd.Annotations[onlyGroup] == "" {
		writeOne(b, cmd)
	}
	for _, sub := range cmd.Commands() {
		writeCommand(b, sub)
	}
}

func writeOne(b *strings.Builder, cmd *cobra.Command) {
	use := strings.TrimSuffix(strings.TrimSpace(cmd.UseLine()), " [flags]")
	fmt.Fprintf(b, "### `%s`\n\n%s.\n", use, strings.TrimSuffix(cmd.Short, "."))
	if long := strings.TrimSpace(cmd.Long); long != "" && !strings.HasPrefix(long, cmd.Short) {
		fmt.Fprintf(b, "\n%s\n", long)
	}
	if cmd.Example != "" {
		fmt.Fprintf(b, "\n```sh\n%s\n```\n", strings.ReplaceAll(strings.TrimPrefix(cmd.Example, "  "), "\n  ", "\n"))
	}
	client := cmd.Flags().Lookup("retry-for") != nil
	own := flagsOf(cmd, nil)
	if client {
		own = flagsOf(cmd, commonFlags(cmd.Root()))
	}
	if len(own) > 0 {
		b.WriteString("\n")
		flagTable(b, own)
	}
	if client {
		b.WriteString("\nAnd the [common flags](#common-flags).\n")
	}
	b.WriteString("\n")
}

func flagTable(b *strings.Builder, flags []*pflag.Flag) {
	b.WriteString("| flag | meaning | default |\n| --- | --- | --- |\n")
	for _, f := range flags {
		value, usage := pflag.UnquoteUsage(f)
		name := "--" + f.Name
		if f.Shorthand != "" {
			name = "-" + f.Shorthand + ", " + name
		}
		switch {
		case f.NoOptDefVal != "" && value != "":
			name += "[=" + value + "]"
		case value != "":
			name += " " + value
		}
		standard := f.DefValue
		switch standard {
		case "0", "0s", "false", "[]":
			standard = ""
		}
		if standard != "" {
			standard = "`" + standard + "`"
		}
		fmt.Fprintf(b, "| `%s` | %s | %s |\n", strings.ReplaceAll(name, "|", `\|`), strings.ReplaceAll(usage, "|", `\|`), standard)
	}
}
