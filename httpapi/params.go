package httpapi

import (
	"fmt"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/suggest"
)

// params reads query parameters. The first error sticks, so that a call reads them all and asks once.
type params struct {
	values url.Values
	err    error
}

// manyAllowed are the parameters that may be given more than once.
var manyAllowed = []string{"tag"}

// bareAllowed are the parameters that may be given without a value, which is true.
var bareAllowed = []string{"all", "dry_run", "unique_by_args"}

// zeroIsNone are the parameters of which zero says nothing.
var zeroIsNone = []string{"version", "max_attempts", "timeout", "deadline", "idempotency_for"}

// newParams checks the names against those that the call knows, and that each says something: an empty filter would select all, and an
// empty key none, where the caller had one in mind.
func newParams(rawQuery string, known []string) (*params, error) {
	values, err := url.ParseQuery(rawQuery)
	if err != nil {
		return nil, malformed("query", "cannot be read: %v", err)
	}
	for name, given := range values {
		if !slices.Contains(known, name) {
			return nil, unknownName("query parameter", "", name, known)
		}
		if len(given) > 1 && !slices.Contains(manyAllowed, name) {
			return nil, invalid(name, "must be given once, got %d", len(given))
		}
		if slices.Contains(given, "") && !slices.Contains(bareAllowed, name) {
			return nil, invalid(name, "is given and empty (leave it out, or give it a value)")
		}
	}
	return &params{values: values}, nil
}

// unknownName says that a name, below a path, is not known.
func unknownName(what, path, name string, known []string) error {
	hint := suggest.DidYouMean(name, known)
	if hint == "" {
		hint = " (known: " + strings.Join(known, ", ") + ")"
		if len(known) == 0 {
			hint = " (this call takes none)"
		}
	}
	return invalid(path+short(name), "is no %s of this call%s", what, hint)
}

func short(name string) string {
	if len(name) > 64 {
		return strings.ToValidUTF8(name[:64], "?")
	}
	return name
}

func (p *params) fail(err error) {
	if p.err == nil {
		p.err = err
	}
}

func (p *params) text(name string) string { return p.values.Get(name) }

// parse reads a parameter that is there.
func parse[T comparable](p *params, name string, read func(string) (T, error), must string) T {
	var none T
	if !p.values.Has(name) {
		return none
	}
	text := p.text(name)
	v, err := read(text)
	if err != nil {
		p.fail(invalid(name, "must be %s, got %s", must, quoteShort(text)))
		return none
	}
	if v == none && slices.Contains(zeroIsNone, name) {
		p.fail(invalid(name, "is given and zero (leave it out for the default)"))
	}
	return v
}

func (p *params) integer(name string) int { return parse(p, name, strconv.Atoi, "a whole number") }

// aDuration is what a duration must be. Some are too long to be read, let alone checked: so the bound is said here too.
var aDuration = fmt.Sprintf("a duration such as 1m30s, at most %gh", godwit.DelayMax.Hours())

func (p *params) duration(name string) time.Duration {
	return parse(p, name, time.ParseDuration, aDuration)
}

func (p *params) boolean(name string) bool {
	return parse(p, name, func(s string) (bool, error) {
		if s == "" { // ?dry_run
			return true, nil
		}
		return strconv.ParseBool(s)
	}, "true or false")
}

func (p *params) id(name string) godwit.ID {
	return parse(p, name, godwit.ParseID, "a UUID such as 0190a6f2-7b3c-7def-8123-456789abcdef")
}

// limit reads the length of a page.
func (p *params) limit() int {
	n := p.integer("limit")
	if p.values.Has("limit") && (n < 1 || n > godwit.PageMax) {
		p.fail(invalid("limit", "must be from 1 to %d, got %s", godwit.PageMax, quoteShort(p.text("limit"))))
	}
	return n
}

// sequence reads a cursor that is a number.
func (p *params) sequence(name string) int64 {
	return parse(p, name, func(s string) (int64, error) {
		n, err := strconv.ParseInt(s, 10, 64)
		if err == nil && n < 0 {
			err = strconv.ErrRange
		}
		return n, err
	}, "the cursor of an earlier page")
}

func (p *params) time(name string) time.Time {
	return parse(p, name, func(s string) (time.Time, error) { return time.Parse(time.RFC3339Nano, s) }, "a time in RFC 3339")
}

// page gives the reference to the page that follows, relative to this one.
func (p *params) page(cursor string) string {
	next := url.Values{}
	for name, given := range p.values {
		next[name] = given
	}
	next.Set("cursor", cursor)
	return "<?" + next.Encode() + `>; rel="next"`
}
