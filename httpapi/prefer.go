package httpapi

import (
	"errors"
	"net/http"
	"strconv"
	"strings"
	"time"
)

// preference is what a request's Prefer headers ask for (RFC 7240): what is unknown or cannot be read is ignored, as the RFC
// demands.
type preference struct {
	async bool
	wait  time.Duration
	waits bool // wait was given
}

// parsePrefer reads the headers; of a preference given twice the first counts. A wait is cut to the bound.
func parsePrefer(h http.Header, bound time.Duration) preference {
	var p preference
	seen := false
	for part := range strings.SplitSeq(strings.Join(h.Values("Prefer"), ","), ",") {
		part, _, _ = strings.Cut(part, ";") // parameters of a preference
		name, value, _ := strings.Cut(part, "=")
		switch strings.ToLower(strings.TrimSpace(name)) {
		case "respond-async":
			p.async = true
		case "wait":
			seconds, err := strconv.ParseUint(strings.Trim(strings.TrimSpace(value), `"`), 10, 31)
			if err != nil && !errors.Is(err, strconv.ErrRange) || seen { // a number out of range is a long wait
				continue
			}
			seen = true
			p.wait = min(time.Duration(seconds)*time.Second, bound)
			p.waits = p.wait > 0
		}
	}
	return p
}

// applied gives the value of Preference-Applied, empty when no preference was followed.
func (p preference) applied(waited bool) string {
	var names []string
	if p.async {
		names = append(names, "respond-async")
	}
	if waited {
		names = append(names, "wait="+strconv.Itoa(int(p.wait/time.Second)))
	}
	return strings.Join(names, ", ")
}
