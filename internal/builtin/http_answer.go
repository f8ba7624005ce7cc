package builtin

import (
	"errors"
	"fmt"
	"net/http"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"time"
	"unicode/utf8"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/legible"
)

// verdict says whether an answer is one to be tried for again, or a failure for good; nil when it is a result.
func verdict(name string, response *http.Response, body []byte, now time.Time) error {
	status := response.StatusCode
	if status < 400 {
		return nil
	}
	err := fmt.Errorf("%s answered %d %s%s", name, status, http.StatusText(status), excerpt(body[:min(len(body), excerptMax)]))
	if status < 500 && status != http.StatusRequestTimeout && status != http.StatusTooManyRequests {
		return godwit.Permanent(err)
	}
	if after, ok := retryAfter(response.Header, now); ok {
		return godwit.RetryAfter(after, err)
	}
	return err
}

// excerpt gives a part of a text for an error, as one line; of bytes that are none, nothing.
func excerpt(part []byte) string {
	text := strings.TrimSpace(string(wholeRunes(part)))
	if text == "" || !utf8.ValidString(text) {
		return ""
	}
	return ": " + legible.Line(text)
}

// retryAfter reads Retry-After, in seconds or as a date, which counts from the server's own Date if it sent one. A time that is
// not ahead says nothing.
func retryAfter(h http.Header, now time.Time) (time.Duration, bool) {
	text := h.Get("Retry-After")
	if seconds, err := strconv.ParseUint(text, 10, 64); err == nil || errors.Is(err, strconv.ErrRange) {
		seconds = min(seconds, uint64(retryAfterMax/time.Second))
		return time.Duration(seconds) * time.Second, seconds > 0
	}
	at, err := http.ParseTime(text)
	if err != nil {
		return 0, false
	}
	if date, err := http.ParseTime(h.Get("Date")); err == nil {
		now = date
	}
	after := min(at.Sub(now), retryAfterMax)
	return after, after > 0
}

// redirectError is a redirect that is not followed.
type redirectError struct{ err error }

func (e *redirectError) Error() string { return "redirect: " + e.err.Error() }
func (e *redirectError) Unwrap() error { return e.err }

// harmless are the headers that go along to another site. All others may hold secrets that are meant for the first one.
var harmless = []string{"Accept", "Accept-Encoding", "Accept-Language", "Content-Type", "User-Agent"}

// checkRedirect decides whether a redirect is followed, and what goes along.
func (c *caller) checkRedirect(next *http.Request, before []*http.Request) error {
	first := before[0]
	if c.conf.RedirectsMax == 0 {
		return http.ErrUseLastResponse
	}
	if len(before) > c.conf.RedirectsMax {
		return &redirectError{fmt.Errorf("there were more than %d", c.conf.RedirectsMax)}
	}
	if err := c.checkURL(next.URL); err != nil {
		return &redirectError{err}
	}
	if first.URL.Scheme == "https" && next.URL.Scheme == "http" {
		return &redirectError{fmt.Errorf("%s is not encrypted, and the first address was", shown(next.URL))}
	}
	if first.Header.Get("Referer") == "" {
		next.Header.Del("Referer") // it would show the first address, its query included
	}
	if !sameSite(first.URL, next.URL) {
		for name := range next.Header {
			if !slices.Contains(harmless, name) {
				next.Header.Del(name)
			}
		}
	}
	return nil
}

// sameSite reports whether two addresses are of one server, or the second is the encrypted one of the first.
func sameSite(first, next *url.URL) bool {
	if !strings.EqualFold(first.Hostname(), next.Hostname()) {
		return false
	}
	return port(first) == port(next) || port(first) == "80" && port(next) == "443"
}

func port(u *url.URL) string {
	if p := u.Port(); p != "" {
		return p
	}
	if u.Scheme == "https" {
		return "443"
	}
	return "80"
}

// wholeRunes drops a character that was cut in two at the end of a text.
func wholeRunes(data []byte) []byte {
	for i := 1; i < utf8.UTFMax && i <= len(data); i++ {
		if b := data[len(data)-i]; utf8.RuneStart(b) {
			if !utf8.FullRune(data[len(data)-i:]) {
				return data[:len(data)-i]
			}
			break
		}
	}
	return data
}

// cutText bounds a text, and says so when it had to.
func cutText(s string, limit int) string {
	if len(s) <= limit {
		return s
	}
	return string(wholeRunes([]byte(s[:limit]))) + "..."
}
