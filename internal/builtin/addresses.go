package builtin

import (
	"fmt"
	"net/netip"
	"slices"
)

// special are the ranges that are not public, or that carry addresses which may not be, as the registries of special-purpose
// addresses have them (RFC 6890 and those after it). What IPv6 has outside of 2000::/3 is not public as a whole.
var special = []struct {
	kind   string
	ranges []netip.Prefix
}{
	{"an unspecified address", prefixes("0.0.0.0/8", "::/128")},
	{"a loopback address", prefixes("127.0.0.0/8", "::1/128")},
	{"a private address", prefixes("10.0.0.0/8", "172.16.0.0/12", "192.168.0.0/16", "fc00::/7", "fec0::/10")},
	{"a link-local address", prefixes("169.254.0.0/16", "fe80::/10")},
	{"an address shared by carriers", prefixes("100.64.0.0/10")},
	{"a multicast address", prefixes("224.0.0.0/4", "ff00::/8")},
	{"a documentation address", prefixes("192.0.2.0/24", "198.51.100.0/24", "203.0.113.0/24", "2001:db8::/32", "3fff::/20")},
	{"a benchmarking address", prefixes("198.18.0.0/15", "2001:2::/48")},
	{"a translated address (NAT64)", prefixes("64:ff9b::/96", "64:ff9b:1::/48", "::ffff:0:0:0/96")},
	{"a tunnelled address (6to4)", prefixes("192.88.99.0/24", "2002::/16")},
	{"an address of a cloud's platform", prefixes("168.63.129.16/32")},
	{"a reserved address", prefixes("192.0.0.0/24", "240.0.0.0/4", "2001::/23")},
}

var publicIPv6 = netip.MustParsePrefix("2000::/3")

func prefixes(texts ...string) []netip.Prefix {
	var found []netip.Prefix
	for _, t := range texts {
		found = append(found, netip.MustParsePrefix(t))
	}
	return found
}

// kindOf says what kind of address is not public; nothing when it is. An IPv4 address in IPv6 form is what it maps.
func kindOf(addr netip.Addr) string {
	addr = addr.Unmap().WithZone("")
	for _, s := range special {
		if within(s.ranges, addr) {
			return s.kind
		}
	}
	if addr.Is6() && !publicIPv6.Contains(addr) {
		return "a reserved address"
	}
	return ""
}

func within(ranges []netip.Prefix, addr netip.Addr) bool {
	return slices.ContainsFunc(ranges, func(p netip.Prefix) bool { return p.Contains(addr) })
}

// refusedError is an address that jobs may not reach.
type refusedError struct {
	addr netip.Addr
	kind string
}

func (e *refusedError) Error() string {
	return fmt.Sprintf("%s is %s, which jobs may not reach (tasks.http.allow_private in the server's configuration allows ranges of addresses)", e.addr, e.kind)
}

// mayReach refuses addresses that are neither public nor allowed.
func mayReach(addr netip.Addr, allowed []netip.Prefix) error {
	kind := kindOf(addr)
	if kind == "" || within(allowed, addr.Unmap().WithZone("")) {
		return nil
	}
	return &refusedError{addr, kind}
}
