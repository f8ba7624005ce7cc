package main

import (
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/spf13/pflag"

	"github.com/godwit-go/godwit"
)

// reworded is an error in the words of its reader, and the same to errors.Is.
type reworded struct {
	text string
	err  error
}

func (r reworded) Error() string { return r.text }
func (r reworded) Unwrap() error { return r.err }

// otherwise are the fields of a job that flags name differently.
var otherwise = map[string]string{"version": "task-version", "timeout": "run-timeout", "tags": "tag", "headers": "header"}

var dashed = strings.NewReplacer("_", "-", ".", "-")

// flagFor names the flag of a command that sets a field.
func flagFor(flags *pflag.FlagSet, field string) (name string, ok bool) {
	name, ok = otherwise[field]
	if !ok {
		name = dashed.Replace(field)
	}
	return "--" + name, flags.Lookup(name) != nil
}

// compound are names of fields that are no words of English.
var compound = regexp.MustCompile(`\b[a-z]+([._][a-z]+)+\b`)

// asFlags names flags where an error names fields, since flags are what its reader gave. What is quoted is left alone: it is the
// reader's own.
func asFlags(flags *pflag.FlagSet, err error) error {
	var e *godwit.Error
	if flags == nil || !errors.As(err, &e) || e.Field == "" {
		return err
	}
	text := err.Error()
	if flag, ok := flagFor(flags, e.Field); ok {
		text = strings.Replace(text, e.Field+" ", flag+" ", 1)
	}
	said, quoted, cut := strings.Cut(text, `"`)
	said = compound.ReplaceAllStringFunc(said, func(field string) string {
		if flag, ok := flagFor(flags, field); ok {
			return flag
		}
		return field
	})
	if cut {
		said += `"` + quoted
	}
	return reworded{said, err}
}

// clashMends are how the library and the API say what to do about a unique key that is held.
var clashMends = strings.NewReplacer("use ClashExisting", "use --unique-on-clash existing",
	"submit with unique_on_clash existing", "use --unique-on-clash existing")

// clashAsFlag says it with the flag.
func clashAsFlag(err error) error {
	if !errors.Is(err, godwit.ErrUniqueConflict) {
		return err
	}
	return reworded{clashMends.Replace(err.Error()), err}
}

// ofDatabase rewords the error of opening a database, whose URL its reader knows by one name.
func ofDatabase(name string, err error) error {
	var e *godwit.Error
	if !errors.As(err, &e) {
		return err
	}
	text := err.Error()
	switch e.Field {
	case "Path": // the message names the file
		text = strings.Replace(text, "Path ", "", 1)
	case "url", "URL":
		text = strings.Replace(text, e.Field+" ", name+" ", 1)
	}
	return reworded{text, err}
}

// kinds say what a flag of a type takes.
var kinds = map[string]string{"int": "a whole number", "duration": "a duration such as 1m30s", "bool": "true or false"}

// invalidValue says what a flag takes instead of what it was given.
func invalidValue(err *pflag.InvalidValueError) error {
	name, value := err.GetFlag().Name, err.GetValue()
	if own := (usageError{}); errors.As(err, &own) {
		return fmt.Errorf("--%s %w, got %s", name, own, quoteShort(value))
	}
	kind, known := kinds[err.GetFlag().Value.Type()]
	if !known {
		return err
	}
	return fmt.Errorf("--%s must be %s, got %s", name, kind, quoteShort(value))
}
