package httpapi

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"reflect"
	"strings"
	"sync"
	"time"
	"unicode/utf8"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/wire"
)

// decodeStrict decodes one JSON object into a struct. It refuses what encoding/json lets through: text that is not UTF-8, and names
// that are unknown, given twice, or spelt in another case.
func decodeStrict(data []byte, in any) error {
	if !utf8.Valid(data) {
		return malformed("body", "must be UTF-8")
	}
	t := reflect.TypeOf(in).Elem()
	if err := json.Unmarshal(data, in); err != nil {
		return jsonError(err, data, t)
	}
	if !bytes.HasPrefix(bytes.TrimSpace(data), []byte("{")) {
		return invalid("body", "must be an object")
	}
	return checkNames("", data, t)
}

// checkNames checks the names of an object's members, which is decoded into a struct or a map, and of the objects in it.
func checkNames(path string, object []byte, t reflect.Type) (err error) {
	known := shapeOf(t)
	seen := make(map[string]bool, len(known.names))
	for name, value := range members(object) {
		field, found := known.fields[name]
		switch {
		case seen[name]:
			err = invalid(path+short(name), "must be given once")
		case t.Kind() != reflect.Struct:
		case !found:
			err = unknownName("field", path, name, known.names)
		case field.Kind() == reflect.Struct && field != timeType, field.Kind() == reflect.Map:
			err = checkNames(path+name+".", value, field)
		}
		if err != nil {
			return err
		}
		seen[name] = true
	}
	return nil
}

func members(object []byte) func(func(string, []byte) bool) {
	return func(yield func(string, []byte) bool) { wire.Members(object, yield) }
}

var (
	timeType     = reflect.TypeFor[time.Time]()
	durationType = reflect.TypeFor[wire.Duration]()
	idType       = reflect.TypeFor[godwit.ID]()
)

// shape is what a struct looks like in JSON.
type shape struct {
	names  []string                // in their order
	fields map[string]reflect.Type // of what pointers point to
}

// shapes keeps the shapes of the few structs that are decoded: a batch decodes one for each line.
var shapes sync.Map // of reflect.Type to *shape

// shapeOf gives the shape of a struct; that of any other type is empty.
func shapeOf(t reflect.Type) *shape {
	if kept, found := shapes.Load(t); found {
		if s, ok := kept.(*shape); ok {
			return s
		}
	}
	s := &shape{fields: map[string]reflect.Type{}}
	for i := 0; t.Kind() == reflect.Struct && i < t.NumField(); i++ {
		name, _, _ := strings.Cut(t.Field(i).Tag.Get("json"), ",")
		field := t.Field(i).Type
		if field.Kind() == reflect.Pointer {
			field = field.Elem()
		}
		s.names = append(s.names, name)
		s.fields[name] = field
	}
	shapes.Store(t, s)
	return s
}

// jsonError says what is wrong with JSON, naming the field at fault.
func jsonError(err error, data []byte, t reflect.Type) error {
	var syntax *json.SyntaxError
	if errors.As(err, &syntax) {
		if strings.HasSuffix(syntax.Error(), "after top-level value") {
			return malformed("body", "must hold one JSON value, and goes on after it")
		}
		return malformed("body", "must be JSON: %v", syntax)
	}
	field, must, got := fault("", data, t)
	if field == "" {
		return invalid("body", "must be an object, got %s", shortJSON(data))
	}
	return invalid(field, "must be %s, got %s", must, shortJSON(got))
}

// shortJSON shows a value as it was sent, at most 64 bytes of it.
func shortJSON(data []byte) string {
	if data = bytes.TrimSpace(data); len(data) > 64 {
		return fmt.Sprintf("%s... (%d bytes)", strings.ToValidUTF8(string(data[:64]), ""), len(data))
	}
	return string(data)
}

// fault finds the first member of an object that does not decode: its path, what it must be, and what it is.
func fault(path string, object []byte, t reflect.Type) (field, must string, got []byte) {
	known := shapeOf(t)
	for name, value := range members(object) {
		f, found := known.fields[name]
		if !found || json.Unmarshal(value, reflect.New(f).Interface()) == nil {
			continue
		}
		if f.Kind() == reflect.Struct && f != timeType && bytes.HasPrefix(value, []byte("{")) {
			return fault(path+name+".", value, f)
		}
		return path + name, describe(f), value
	}
	return "", "", nil
}

// describe says in words what a value of the type is in JSON.
func describe(t reflect.Type) string {
	switch t {
	case timeType:
		return "a time in RFC 3339"
	case durationType:
		return aDuration
	case idType:
		return "a UUID such as 0190a6f2-7b3c-7def-8123-456789abcdef"
	}
	switch t.Kind() {
	case reflect.Struct:
		return "an object"
	case reflect.Map:
		return "an object of strings"
	case reflect.Slice:
		if t.Elem() == idType {
			return "a list of UUIDs such as 0190a6f2-7b3c-7def-8123-456789abcdef"
		}
		return "a list of strings"
	case reflect.Bool:
		return "true or false"
	case reflect.Int, reflect.Int64:
		return "a whole number"
	}
	return "a string"
}
