package main

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"github.com/godwit-go/godwit/internal/suggest"
)

// checkUsage makes every error in the arguments of a command and of those below it one of usage. A command that only groups
// others refuses what is none of them, and says which may have been meant.
func checkUsage(cmd *cobra.Command) {
	check := cmd.Args
	if check == nil {
		check = noArgs
	}
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		err := refuseEmpty(cmd)
		if err == nil {
			err = check(cmd, args)
		}
		if err != nil {
			return usageError{err}
		}
		return nil
	}
	cmd.Flags().VisitAll(onlyOnce)
	for _, sub := range cmd.Commands() {
		checkUsage(sub)
	}
}

// once is a flag's value that may be given once: of two, the one that was meant cannot be told, and a filter by the wrong one acts on other
// jobs.
type once struct {
	pflag.Value
	given bool
}

// errTwice is a flag that was given twice. It holds neither value: one may be a secret.
var errTwice = errors.New("must be given once")

func (o *once) Set(text string) error {
	if o.given {
		return errTwice
	}
	o.given = true
	return o.Value.Set(text)
}

// onlyOnce lets a flag be given once, unless its values add up.
func onlyOnce(f *pflag.Flag) {
	if _, many := f.Value.(pflag.SliceValue); many {
		return
	}
	f.Value = &once{Value: f.Value}
	if f.DefValue == "0s" { // pflag knows the zero of its own values only, and would show this one
		f.DefValue = "0"
	}
}

// zeroIsNone are the flags of which zero says nothing, with what else they take for the same.
var zeroIsNone = map[string]string{
	"max-attempts": "", "task-version": "", "idempotency-for": "",
	"run-timeout": "; a negative one is no bound", "deadline": "; a negative one is no bound",
}

// refuseEmpty refuses a flag that is given and yet says nothing: --queue "$QUEUE" with a variable that is not set would select the jobs of
// every queue, and --idempotency-key "" would submit twice.
func refuseEmpty(cmd *cobra.Command) (err error) {
	cmd.Flags().Visit(func(f *pflag.Flag) {
		negative, hasZero := zeroIsNone[f.Name]
		switch {
		case err != nil:
		case isEmpty(f.Value):
			err = fmt.Errorf("--%s is given and empty (leave it out, or give it a value)", f.Name)
		case hasZero && slices.Contains([]string{"0", "0s"}, f.Value.String()):
			err = fmt.Errorf("--%s is given and zero (leave it out for the default%s)", f.Name, negative)
		}
	})
	return err
}

// isEmpty reports whether a flag's value, or one of its values, is no text.
func isEmpty(v pflag.Value) bool {
	if many, ok := v.(pflag.SliceValue); ok {
		return slices.Contains(many.GetSlice(), "")
	}
	return v.String() == ""
}

// noArgs refuses any argument of a command that takes none but, if it has commands below it, the name of one.
func noArgs(cmd *cobra.Command, args []string) error {
	if len(args) == 0 {
		return nil
	}
	var known []string
	for _, sub := range cmd.Commands() {
		if sub.IsAvailableCommand() {
			known = append(known, sub.Name())
		}
	}
	if len(known) == 0 {
		return fmt.Errorf("%s takes no arguments, got %s", cmd.CommandPath(), quoteShort(args[0]))
	}
	hint := suggest.DidYouMean(args[0], known)
	if hint == "" || cmd.Name() == completionCommand { // another shell is not meant by any name that is like it
		hint = " (known: " + strings.Join(known, ", ") + ")"
	}
	return fmt.Errorf("%s has no command %s%s", cmd.CommandPath(), quoteShort(args[0]), hint)
}

const completionCommand = "completion"

// refuseOtherShells makes completion a group like the others: a shell that it does not know is an error.
func refuseOtherShells(root *cobra.Command) {
	for _, cmd := range root.Commands() {
		if cmd.Name() != completionCommand {
			continue
		}
		cmd.Args, cmd.RunE = noArgs, func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
		for _, shell := range cmd.Commands() {
			shell.Args = noArgs
		}
	}
}

// onlyGroup marks a command that only holds others.
const onlyGroup = "group"

// newGroup makes a command that only holds others; alone it prints its help.
func newGroup(name, short string, commands ...*cobra.Command) *cobra.Command {
	group := &cobra.Command{Use: name, Short: short, Annotations: map[string]string{onlyGroup: "yes"}, RunE: func(cmd *cobra.Command, _ []string) error { return cmd.Help() }}
	group.AddCommand(commands...)
	return group
}

// flagError says which flag may have been meant.
func flagError(cmd *cobra.Command, err error) error {
	var unknown *pflag.NotExistError
	if errors.As(err, &unknown) && len(unknown.GetSpecifiedName()) > 1 {
		var known []string
		cmd.Flags().VisitAll(func(f *pflag.Flag) { known = append(known, f.Name) })
		hint := suggest.DidYouMean(unknown.GetSpecifiedName(), known) // of the bare name: dashes make any two alike
		return usageError{fmt.Errorf("%w%s", err, strings.Replace(hint, `"`, `"--`, 1))}
	}
	var invalid *pflag.InvalidValueError
	errors.As(err, &invalid)
	switch {
	case errors.Is(err, errTwice) && invalid != nil:
		return usagef("--%s %w", invalid.GetFlag().Name, errTwice)
	case invalid != nil:
		return usageError{invalidValue(invalid)}
	}
	return usageError{err}
}

// oneOf checks a flag's value against those that there are.
func oneOf(flag, value string, known ...string) error {
	for _, k := range known {
		if value == k {
			return nil
		}
	}
	return usagef("--%s must be one of %s, got %s%s", flag, strings.Join(known, ", "), quoteShort(value), suggest.DidYouMean(value, known))
}

func usagef(format string, args ...any) error { return usageError{fmt.Errorf(format, args...)} }

// quoteShort quotes at most 64 bytes of s, so that a huge input does not make a huge message.
func quoteShort(s string) string {
	if len(s) > 64 {
		return fmt.Sprintf("%q... (%d bytes)", strings.ToValidUTF8(s[:64], "?"), len(s))
	}
	return fmt.Sprintf("%q", s)
}
