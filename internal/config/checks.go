package config

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"net/url"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strconv"
	"strings"

	"github.com/godwit-go/godwit"
	"github.com/godwit-go/godwit/internal/storeurl"
)

var (
	name     = regexp.MustCompile(`^[A-Za-z0-9._:-]+$`)
	variable = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*$`)
	schema   = regexp.MustCompile(`^[a-z_][a-z0-9_]{0,62}$`)
	pattern  = regexp.MustCompile(`^[A-Za-z_][A-Za-z0-9_]*\*?$`)
)

func decimal(n int) string { return strconv.Itoa(n) }

func sorted(names []string) []string {
	slices.Sort(names)
	return slices.Compact(names)
}

func given(s string) error {
	if s == "" {
		return errors.New("must not be empty")
	}
	return nil
}

func isDatabase(s string) error {
	switch {
	case s == "":
		return errors.New("must be a URL such as sqlite:app.db")
	case !strings.Contains(s, ":"):
		return fmt.Errorf("must be a URL such as sqlite:app.db, got %s (did you mean %q?)", short(s), "sqlite:"+cut(s))
	}
	_, _, err := storeurl.Parse(s, "the configuration has them, under sqlite")
	return withoutField(err)
}

// withoutField gives what an error says of its field, whose name here is the key.
func withoutField(err error) error {
	var e *godwit.Error
	if errors.As(err, &e) {
		return errors.New(e.Message)
	}
	return err
}

// isListenURL checks the address past a pooler. Its errors do not show it, as it may hold a password.
func isListenURL(s string) error {
	if s == "" {
		return nil
	}
	_, err := storeurl.Postgres(s)
	return withoutField(err)
}

func isSchema(s string) error {
	switch {
	case !schema.MatchString(s):
		return fmt.Errorf("must be a name of at most 63 lower case letters, digits and _ that begins with none of the digits, got %s", short(s))
	case strings.HasPrefix(s, "pg_"):
		return fmt.Errorf("must not begin with pg_, which PostgreSQL keeps for itself, got %s", short(s))
	}
	return nil
}

func isName(s string) error {
	if len(s) > godwit.NameMax || !name.MatchString(s) {
		return fmt.Errorf(`must be named by at most %d letters, digits and "._:-", got %s`, godwit.NameMax, short(s))
	}
	return nil
}

func isVariable(s string) error {
	if len(s) > 128 || !variable.MatchString(s) {
		return fmt.Errorf("must be named as variables are, by letters, digits and _, got %s", short(s))
	}
	return nil
}

func parseVariable(s string) (string, error) { return s, isVariable(s) }

func parsePattern(s string) (string, error) {
	if len(s) > 128 || !pattern.MatchString(s) {
		return "", fmt.Errorf("must be the name of a variable, or the beginning of one and *, got %s", short(s))
	}
	return s, nil
}

func parseText(s string) (string, error) {
	if len(s) > textMax || strings.ContainsRune(s, 0) {
		return "", fmt.Errorf("must be at most %d bytes without a zero", textMax)
	}
	return s, nil
}

func isAddress(s string) error {
	_, port, err := net.SplitHostPort(s)
	if err != nil {
		hint := ""
		if _, err := strconv.ParseUint(s, 10, 16); err == nil {
			hint = fmt.Sprintf(" (did you mean %q?)", "127.0.0.1:"+s)
		}
		return fmt.Errorf("must be HOST:PORT, such as 127.0.0.1:8080, got %s%s", short(s), hint)
	}
	if _, err := strconv.ParseUint(port, 10, 16); err != nil {
		return fmt.Errorf("must have a port from 0 to 65535, got %s", short(s))
	}
	return nil
}

func parseHost(s string) (string, error) {
	if s == "*" {
		return s, nil
	}
	if u, err := url.Parse("http://" + s); err != nil || s == "" || len(s) > 253 || u.Host != s || u.Port() != "" {
		return "", fmt.Errorf("must be names without a port, such as jobs.example.com, got %s", short(s))
	}
	return s, nil
}

// isLoopback reports whether an address can be reached from this machine alone. Of names only localhost is known to be.
func isLoopback(address string) bool {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(host)
	if err != nil {
		return strings.EqualFold(host, "localhost")
	}
	return ip.Unmap().IsLoopback()
}

func isDirectory(s string) error {
	if s == "" {
		return nil
	}
	if !filepath.IsAbs(s) {
		return fmt.Errorf("must be an absolute path, got %s", short(s))
	}
	info, err := os.Stat(s)
	if err != nil {
		return fmt.Errorf("must be a directory: %w", err)
	}
	if !info.IsDir() {
		return fmt.Errorf("must be a directory, got the file %s", short(s))
	}
	return nil
}

func parsePrefix(s string) (netip.Prefix, error) {
	p, err := netip.ParsePrefix(s)
	if err != nil {
		addr, err := netip.ParseAddr(s)
		if err != nil || addr.Zone() != "" {
			return p, fmt.Errorf("must be addresses in CIDR form, such as 10.0.0.0/8, got %s", short(s))
		}
		p = netip.PrefixFrom(addr, addr.BitLen())
	}
	if p.Addr().Is4In6() {
		return p, fmt.Errorf("must be an IPv4 address in IPv4 form, got %s (did you mean %q?)", short(s), p.Addr().Unmap().String())
	}
	if p.Masked() != p {
		return p, fmt.Errorf("must begin at its first address, got %s (did you mean %q?)", short(s), p.Masked().String())
	}
	return p, nil
}

func parseProxy(s string) (*url.URL, error) {
	if s == "" {
		return nil, nil //nolint:nilnil // no proxy is a choice
	}
	return parseURL(s)
}

func formatProxy(u *url.URL) string {
	if u == nil {
		return quoted("")
	}
	return quoted(Redacted(u.String()))
}

func isEndpoint(s string) error {
	if s == "" {
		return nil
	}
	_, err := parseURL(s)
	return err
}

// parseURL reads a URL of a server. Its errors do not show it, as it may hold a password.
func parseURL(s string) (*url.URL, error) {
	u, err := url.Parse(s)
	if err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Hostname() == "" {
		return nil, errors.New("must be a URL such as http://host:4318")
	}
	return u, nil
}

// hidden stands for what is not shown.
const hidden = "***"

// Redacted gives a URL without its passwords, for people to read.
func Redacted(raw string) string {
	if !strings.ContainsAny(raw, "@?") {
		return raw
	}
	u, err := url.Parse(raw)
	if err != nil {
		return hidden
	}
	if _, has := u.User.Password(); has {
		u.User = url.UserPassword(u.User.Username(), hidden)
	}
	query := u.Query()
	for name := range query {
		lower := strings.ToLower(name)
		for _, word := range []string{"pass", "secret", "token", "key"} {
			if strings.Contains(lower, word) {
				query.Set(name, hidden)
			}
		}
	}
	if u.RawQuery != "" {
		u.RawQuery = query.Encode()
	}
	return strings.ReplaceAll(u.String(), "%2A%2A%2A", hidden)
}

// checkTogether checks what no key shows alone.
func (c *Config) checkTogether(l *loader, listens bool) {
	if listens && l.sound("listen", "insecure_listen") && !isLoopback(c.Listen) && !c.InsecureListen {
		l.refuse(l.origin("listen"), "listen", "must be a loopback address such as 127.0.0.1:8080, got %s: the API asks nobody who they are, so whoever reaches it may run and read jobs "+
			"(put a proxy that checks callers before it; --insecure-listen, or insecure_listen: true, listens all the same)", short(c.Listen))
	}
	if l.sound("queues") && len(c.Queues) == 0 {
		l.refuse(l.origin("queues"), "queues", "must name at least one queue, such as default=8")
	}
	if l.sound("hard_grace", "tasks.exec.kill_grace") && len(c.Tasks.Exec.Allow) > 0 && c.Tasks.Exec.KillGrace >= c.HardGrace {
		l.refuse(l.origin("tasks.exec.kill_grace"), "tasks.exec.kill_grace", "must be shorter than hard_grace (%s), got %s: a program must be gone before its job is given back",
			span(c.HardGrace), span(c.Tasks.Exec.KillGrace))
	}
}

// sound reports whether nothing is wrong with keys by themselves.
func (l *loader) sound(paths ...string) bool {
	return !slices.ContainsFunc(l.problems, func(p Problem) bool {
		return slices.ContainsFunc(paths, func(path string) bool { return p.Key == path || strings.HasPrefix(p.Key, path+".") })
	})
}

// origin says where the value of a key comes from.
func (l *loader) origin(path string) string {
	if o := l.keys[path].origin; o != "" {
		return o
	}
	return path
}
