package wire

import (
	"bytes"
	"encoding/json"
)

// DepthOf gives how deep JSON is nested. Of what is not JSON it gives a number that means nothing.
func DepthOf(data []byte) int {
	depth, deepest := 0, 0
	for i := 0; i < len(data); i++ {
		switch data[i] {
		case '[', '{':
			depth++
			deepest = max(deepest, depth)
		case ']', '}':
			depth--
		case '"':
			i += stringLength(data[i:]) - 1
		}
	}
	return deepest
}

// Members goes through the members of a JSON object in their order, those given twice too, which encoding/json does not tell. Of
// what is not a valid object it goes through nothing that matters.
func Members(object []byte, yield func(name string, value []byte) bool) {
	rest, found := bytes.CutPrefix(bytes.TrimSpace(object), []byte("{"))
	for rest = bytes.TrimSpace(rest); found && len(rest) > 0 && rest[0] == '"'; {
		n := stringLength(rest)
		name := nameOf(rest[:n])
		rest = bytes.TrimSpace(bytes.TrimPrefix(bytes.TrimSpace(rest[n:]), []byte(":")))
		n = valueLength(rest)
		if !yield(name, rest[:n]) {
			return
		}
		rest, found = bytes.CutPrefix(bytes.TrimSpace(rest[n:]), []byte(","))
		rest = bytes.TrimSpace(rest)
	}
}

func nameOf(quoted []byte) string {
	if bytes.IndexByte(quoted, '\\') < 0 && len(quoted) > 1 {
		return string(quoted[1 : len(quoted)-1])
	}
	var name string
	if err := json.Unmarshal(quoted, &name); err != nil {
		return string(quoted)
	}
	return name
}

// valueLength gives the length in bytes of the value that data begins with.
func valueLength(data []byte) int {
	depth := 0
	for i := 0; i < len(data); i++ {
		switch data[i] {
		case '"':
			i += stringLength(data[i:]) - 1
		case '[', '{':
			depth++
		case ']', '}':
			if depth == 0 {
				return i
			}
			depth--
		case ',', ' ', '\t', '\r', '\n':
			if depth == 0 {
				return i
			}
		}
	}
	return len(data)
}

// stringLength gives the length in bytes of the string of JSON that data begins with, quotes included; all of data when it does not
// end.
func stringLength(data []byte) int {
	for i := 1; i < len(data); i++ {
		n := bytes.IndexAny(data[i:], `"\`)
		if n < 0 {
			return len(data)
		}
		if i += n; data[i] == '"' {
			return i + 1
		}
		i++ // what is escaped
	}
	return len(data)
}
