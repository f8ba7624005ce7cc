package httpapi

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"os"
	"path"
	"slices"
	"strings"

	"github.com/godwit-go/godwit"
)

// admit refuses a request for what its headers say, before anything of its body is read.
func (s *server) admit(r *http.Request) error {
	if !s.knows(r.Context(), r.Host) {
		return &godwit.Error{Code: CodeForbiddenHost, Field: "Host", Message: "must be an address, localhost or a name that the server is " +
			"configured for (" + s.config.HostsName + "), got " + quoteShort(r.Host)}
	}
	if err := s.origins.Check(r); err != nil {
		return &godwit.Error{Code: CodeForbiddenOrigin, Message: "a browser sent this on behalf of another site"}
	}
	for _, encoding := range r.Header.Values("Content-Encoding") {
		if !strings.EqualFold(strings.TrimSpace(encoding), "identity") {
			return &godwit.Error{Code: CodeUnsupportedEncoding, Field: "Content-Encoding", Message: "must not be given: bodies are taken as they are, got " +
				quoteShort(encoding)}
		}
	}
	for _, name := range []string{"If-Match", "If-Unmodified-Since"} {
		if r.Header.Get(name) != "" { // passed over in silence it would do what must not be done
			return invalid(name, "is no condition that this call knows (a retry can name the run that it follows)")
		}
	}
	return nil
}

// knows reports whether the server may be called by a name. A site whose own name is made to point at the loopback interface can
// have a browser call what listens there as if it were that site (DNS rebinding): the Host header still has the site's name.
// Addresses cannot be rebound, and nobody on the net has a name under localhost or internal.
func (s *server) knows(ctx context.Context, host string) bool {
	if !s.exposed(ctx) && len(s.config.Hosts) == 0 {
		return true
	}
	name := strings.ToLower(host)
	if only, _, err := net.SplitHostPort(name); err == nil {
		name = only
	}
	name = strings.TrimSuffix(strings.Trim(name, "[]"), ".")
	if _, err := netip.ParseAddr(name); err == nil {
		return true
	}
	return name == "" || name == "localhost" || strings.HasSuffix(name, ".localhost") || strings.HasSuffix(name, ".internal") ||
		slices.Contains(s.hosts, "*") || slices.Contains(s.hosts, name)
}

// hostsOf lists the names by which a server knows itself: those configured, and the machine's own, which often resolves to the loopback
// interface.
func hostsOf(config Config) []string {
	var names []string
	for _, name := range config.Hosts {
		names = append(names, strings.ToLower(name))
	}
	if own, err := os.Hostname(); err == nil {
		names = append(names, strings.ToLower(own))
	}
	return names
}

// exposed reports whether the request came over the loopback interface, behind which callers feel safe.
func (s *server) exposed(ctx context.Context) bool {
	at, ok := ctx.Value(http.LocalAddrContextKey).(*net.TCPAddr)
	return ok && at.IP.IsLoopback()
}

// clean reports whether a path is as it is written in the routes. Others are not found: http.ServeMux would redirect to another
// path, which may be another call (/v1/tasks//pause is not the task "pause").
func clean(p string) bool { return p == "*" || path.Clean(p) == p }
