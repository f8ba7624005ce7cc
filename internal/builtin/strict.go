package builtin

import (
	"bytes"
	"encoding/base64"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/godwit-go/godwit/internal/suggest"
)

// encodingBase64 tags a text field that holds bytes which are no text.
const encodingBase64 = "base64"

// decodeStrict decodes an object whose fields are all among the known ones: a mistyped field would otherwise do nothing.
func decodeStrict(data []byte, into any, known ...string) error {
	var fields map[string]json.RawMessage
	if err := json.Unmarshal(data, &fields); err != nil || fields == nil {
		return errors.New("must be an object")
	}
	for name := range fields {
		if !slices.Contains(known, name) {
			return fmt.Errorf("%s is no field%s", quoteShort(name), suggest.DidYouMean(name, known))
		}
	}
	err := json.Unmarshal(data, into)
	var wrong *json.UnmarshalTypeError
	if errors.As(err, &wrong) {
		return fmt.Errorf("%s must be %s, got %s", wrong.Field, kindName(wrong.Type), wrong.Value)
	}
	var text durationError
	if errors.As(err, &text) {
		return fmt.Errorf("%s %w", durationField(reflect.TypeOf(into).Elem()), err)
	}
	return err
}

// durationField names the field of a struct that is a duration, of which there is one.
func durationField(t reflect.Type) string {
	for i := range t.NumField() {
		if t.Field(i).Type == reflect.TypeFor[Duration]() {
			name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
			return name
		}
	}
	return "a field"
}

// kindName names a type as JSON does.
func kindName(t reflect.Type) string {
	switch {
	case t == reflect.TypeFor[Duration]():
		return `a duration such as "150ms"`
	case t.Kind() == reflect.String:
		return "a text"
	case t.Kind() == reflect.Int:
		return "a whole number"
	case t.Kind() == reflect.Slice:
		return "a list"
	}
	return "an object"
}

// asText gives bytes as text, or in base64 with the name of that encoding when they are no UTF-8, or when as text they would have
// more than limit bytes in JSON.
func asText(data []byte, limit int) (text, encoding string) {
	if utf8.Valid(data) && jsonLen(data) <= limit {
		return string(data), ""
	}
	return base64.StdEncoding.EncodeToString(data), encodingBase64
}

// jsonLen is how many bytes a text has in JSON, without its quotes.
func jsonLen(data []byte) int {
	n := len(data)
	for _, b := range data {
		switch {
		case b == '"' || b == '\\' || b == '\n' || b == '\r' || b == '\t':
			n++
		case b < ' ' || b == '<' || b == '>' || b == '&':
			n += 5
		}
	}
	return n + 3*bytes.Count(data, []byte("\u2028")) + 3*bytes.Count(data, []byte("\u2029"))
}

// quoteShort quotes at most 64 bytes, so that a huge input does not make a huge message.
func quoteShort(s string) string {
	if len(s) > 64 {
		return fmt.Sprintf("%q...", s[:64])
	}
	return fmt.Sprintf("%q", s)
}
