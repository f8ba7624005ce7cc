package httpapi

import (
	"net/http"
	"regexp"
	"strings"

	"github.com/godwit-go/godwit"
)

// The headers of a trace context (https://www.w3.org/TR/trace-context/), of a request and of a job.
const (
	headerTraceparent = "traceparent"
	headerTracestate  = "tracestate"

	tracestateBytesMax   = 512 // what every participant must hand on
	tracestateMembersMax = 32
)

var (
	traceparent = regexp.MustCompile(`^([0-9a-f]{2})-([0-9a-f]{32})-([0-9a-f]{16})-[0-9a-f]{2}(-.*)?$`)
	member      = regexp.MustCompile(`^[a-z0-9][a-z0-9_*/@-]{0,255}=[\x20-\x2b\x2d-\x3c\x3e-\x7e]{0,255}[\x21-\x2b\x2d-\x3c\x3e-\x7e]$`)
)

// withTrace adds the trace context of a request to the headers of a job, unless they have one, so that the spans of its handler have
// that of the request above them. One that is not as the recommendation has it is passed over, as that demands.
func withTrace(headers map[string]string, h http.Header) map[string]string {
	parent := traceparentOf(h)
	if _, given := headers[headerTraceparent]; parent == "" || given || len(headers)+2 > godwit.HeadersMax {
		return headers
	}
	if headers == nil {
		headers = map[string]string{}
	}
	headers[headerTraceparent] = parent
	if state := tracestateOf(h); state != "" {
		headers[headerTracestate] = state
	}
	return headers
}

func traceparentOf(h http.Header) string {
	given := h.Values(headerTraceparent)
	if len(given) != 1 || len(given[0]) > tracestateBytesMax {
		return ""
	}
	value := strings.TrimSpace(given[0])
	parts := traceparent.FindStringSubmatch(value)
	switch {
	case parts == nil, parts[1] == "ff", parts[1] == "00" && parts[4] != "": // a version that may not be, and what the first one does not have
		return ""
	case strings.Trim(parts[2], "0") == "", strings.Trim(parts[3], "0") == "":
		return ""
	}
	return value
}

// tracestateOf joins the members of the headers; empty when one is not well-formed or they are more than are handed on.
func tracestateOf(h http.Header) string {
	var members []string
	for part := range strings.SplitSeq(strings.Join(h.Values(headerTracestate), ","), ",") {
		part = strings.Trim(part, " \t")
		if part == "" {
			continue
		}
		if !member.MatchString(part) {
			return ""
		}
		members = append(members, part)
	}
	state := strings.Join(members, ",")
	if len(members) > tracestateMembersMax || len(state) > tracestateBytesMax {
		return ""
	}
	return state
}
