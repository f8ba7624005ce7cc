package wire

import (
	"bytes"
	"encoding/json"
	"time"

	"github.com/godwit-go/godwit"
)

// Duration is a Go duration in JSON, as a string: "1m30s".
type Duration time.Duration

// MarshalText gives "1m30s".
func (d Duration) MarshalText() ([]byte, error) { return []byte(time.Duration(d).String()), nil }

// UnmarshalText reads it.
func (d *Duration) UnmarshalText(text []byte) error {
	v, err := time.ParseDuration(string(text))
	*d = Duration(v)
	return err
}

// Problem is an error of RFC 9457. Its type is about:blank, so the title is the status; the code is what programs go by.
type Problem struct {
	Title  string      `json:"title"`
	Status int         `json:"status"`
	Detail string      `json:"detail"`
	Code   godwit.Code `json:"code"`
	Field  string      `json:"field,omitempty"`

	Job   godwit.ID    `json:"job,omitzero"`    // of the result that was asked for
	State godwit.State `json:"state,omitempty"` // of that job
	Stack string       `json:"stack,omitempty"` // of a handler's panic
}

// Encode writes JSON as the API writes it: without HTML escapes, with a line's end.
func Encode(v any) ([]byte, error) {
	var b bytes.Buffer
	e := json.NewEncoder(&b)
	e.SetEscapeHTML(false)
	if err := e.Encode(v); err != nil {
		return nil, err
	}
	return b.Bytes(), nil
}
