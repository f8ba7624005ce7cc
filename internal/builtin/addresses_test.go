package builtin

import (
	"context"
	"net"
	"net/http"
	"net/netip"
	"net/url"
	"strings"
	"sync/atomic"
	"testing"
)

func TestAddressesThatAreNotPublic(t *testing.T) {
	t.Parallel()
	for addr, want := range map[string]string{
		"8.8.8.8": "", "1.1.1.1": "", "2606:4700::1111": "", "192.0.1.1": "", "172.32.0.1": "", "100.128.0.1": "", "::ffff:8.8.8.8": "", "2003::1": "",
		"0.0.0.0": "unspecified", "0.1.2.3": "unspecified", "::": "unspecified", "::ffff:0.0.0.0": "unspecified",
		"127.0.0.1": "loopback", "127.255.0.1": "loopback", "::1": "loopback", "::ffff:127.0.0.1": "loopback", "::ffff:7f00:1": "loopback",
		"10.0.0.1": "private", "172.16.0.1": "private", "172.31.255.255": "private", "192.168.1.1": "private", "fd00::1": "private", "fc00::1": "private",
		"fec0::1": "private", "fd00:ec2::254": "private", "::ffff:192.168.1.1": "private",
		"169.254.169.254": "link-local", "fe80::1": "link-local", "fe80::1%eth0": "link-local",
		"100.64.0.1": "shared", "100.100.100.200": "shared", "100.127.255.255": "shared",
		"224.0.0.1": "multicast", "239.255.255.255": "multicast", "ff02::1": "multicast",
		"192.0.2.1": "documentation", "198.51.100.1": "documentation", "203.0.113.1": "documentation", "2001:db8::1": "documentation", "3fff::1": "documentation",
		"198.18.0.1": "benchmarking", "64:ff9b::7f00:1": "NAT64", "64:ff9b::808:808": "NAT64", "64:ff9b:1::1": "NAT64", "::ffff:0:7f00:1": "NAT64",
		"2002:7f00:1::": "6to4", "192.88.99.1": "6to4", "168.63.129.16": "cloud", "192.0.0.192": "reserved", "240.0.0.1": "reserved", "255.255.255.255": "reserved",
		"2001::1": "reserved", "::127.0.0.1": "reserved", "100::1": "reserved", "5f00::1": "reserved", "4000::1": "reserved",
	} {
		if got := kindOf(netip.MustParseAddr(addr)); got == "" != (want == "") || !strings.Contains(got, want) {
			t.Errorf("%s is %q, want %q", addr, got, want)
		}
	}
}

func TestAllowedAddressesMayBeReachedInEveryForm(t *testing.T) {
	t.Parallel()
	allowed := prefixes("10.1.0.0/16", "fd00::/16")
	for addr, want := range map[string]bool{"10.1.2.3": true, "::ffff:10.1.2.3": true, "fd00::1": true, "10.2.0.1": false, "fe80::1": false, "8.8.8.8": true} {
		if err := mayReach(netip.MustParseAddr(addr), allowed); (err == nil) != want {
			t.Errorf("%s: %v", addr, err)
		}
	}
}

func TestHTTPRefusesAddressesInTheURL(t *testing.T) {
	t.Parallel()
	conf := httpConfig()
	conf.AllowPrivate = nil
	for _, host := range []string{"127.0.0.1", "[::1]", "[::ffff:127.0.0.1]", "[::]", "0.0.0.0", "169.254.169.254", "[fe80::1%25eth0]", "localhost", "10.0.0.1:99"} {
		_, err := calling(t, conf, HTTPArgs{URL: "http://" + host + "/"})
		if !isPermanent(err) || !strings.Contains(err.Error(), "jobs may not reach (tasks.http.allow_private ") {
			t.Errorf("%s gave %v", host, err)
		}
	}
}

// nameServer resolves every name to the address that it has at the time.
type nameServer struct {
	address atomic.Pointer[netip.Addr]
	asked   atomic.Int32
}

// resolver starts a name server, and gives a resolver that asks it.
func (n *nameServer) resolver(t *testing.T) *net.Resolver {
	t.Helper()
	conn, err := (&net.ListenConfig{}).ListenPacket(t.Context(), "udp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = conn.Close() }) // which ends the loop
	go func() {
		query := make([]byte, 512)
		for {
			size, from, err := conn.ReadFrom(query)
			if err != nil {
				return
			}
			_, _ = conn.WriteTo(n.answer(query[:size]), from) // a lost packet is asked for again
		}
	}()
	return &net.Resolver{PreferGo: true, Dial: func(ctx context.Context, _, _ string) (net.Conn, error) {
		return (&net.Dialer{}).DialContext(ctx, "udp", conn.LocalAddr().String())
	}}
}

// answer makes the answer to a query for one name (RFC 1035): to A the address, to all else nothing.
func (n *nameServer) answer(query []byte) []byte {
	end := 12
	for query[end] != 0 {
		end += int(query[end]) + 1
	}
	question := query[12 : end+5]
	isA := question[len(question)-3] == 1
	a := append([]byte{query[0], query[1], 0x81, 0x80, 0, 1, 0, 0, 0, 0, 0, 0}, question...)
	if isA {
		n.asked.Add(1)
		a[7] = 1
		ip := n.address.Load().As4()
		a = append(a, 0xc0, 12, 0, 1, 0, 1, 0, 0, 0, 0, 0, 4)
		a = append(a, ip[:]...)
	}
	return a
}

func (n *nameServer) point(addr string) {
	a := netip.MustParseAddr(addr)
	n.address.Store(&a)
}

func TestHTTPRefusesANameThatLeadsElsewhereTheSecondTime(t *testing.T) {
	t.Parallel()
	s := server(t, func(http.ResponseWriter, *http.Request) {})
	var names nameServer
	names.point("127.0.0.1")
	c := newCaller(httpConfig(), names.resolver(t))
	at := strings.Replace(s.URL, "127.0.0.1", "rebind.example.", 1)
	if _, err := c.call(t.Context(), HTTPArgs{URL: at}); err != nil {
		t.Fatal(err)
	}
	c.client.CloseIdleConnections()
	names.point("127.0.0.2")
	_, err := c.call(t.Context(), HTTPArgs{URL: at})
	if !isPermanent(err) || !strings.Contains(err.Error(), "127.0.0.2 is a loopback address") {
		t.Errorf("the second time it gave %v", err)
	}
	if names.asked.Load() < 2 {
		t.Errorf("the name was resolved %d times, want twice", names.asked.Load())
	}
}

func TestHTTPRefusesRedirectsToWhereItMayNotGo(t *testing.T) {
	t.Parallel()
	var names nameServer
	names.point("127.0.0.2")
	var to string
	s := server(t, func(w http.ResponseWriter, r *http.Request) { http.Redirect(w, r, to, http.StatusFound) })
	c := newCaller(httpConfig(), names.resolver(t))
	t.Cleanup(c.client.CloseIdleConnections)
	for location, want := range map[string]string{
		"http://127.0.0.2/":         "127.0.0.2 is a loopback address",
		"http://inside.example./":   "127.0.0.2 is a loopback address",
		"http://169.254.169.254/":   "link-local",
		"http://[::ffff:10.0.0.1]/": "private",
		"ftp://example.com/":        "url must begin with http:// or https://",
		"http://me:hush@127.0.0.1/": "url must not hold a user or a password",
		s.URL + "/again":            "there were more than 3",
	} {
		to = location
		_, err := c.call(t.Context(), HTTPArgs{URL: s.URL})
		if !isPermanent(err) || !strings.Contains(err.Error(), want) || strings.Contains(err.Error(), "hush") {
			t.Errorf("a redirect to %s gave %v, want %s", location, err, want)
		}
	}
	conf := httpConfig()
	conf.RedirectsMax = 0
	if got, err := calling(t, conf, HTTPArgs{URL: s.URL}); err != nil || got.Status != http.StatusFound || got.Headers["Location"] != to {
		t.Errorf("a redirect that is not to be followed gave %+v, %v", got, err)
	}
}

func TestHTTPTakesNoSecretsToAnotherSite(t *testing.T) {
	t.Parallel()
	headers := make(chan http.Header, 3)
	other := server(t, func(_ http.ResponseWriter, r *http.Request) { headers <- r.Header })
	s := server(t, func(w http.ResponseWriter, r *http.Request) {
		headers <- r.Header
		switch r.URL.Path {
		case "/":
			http.Redirect(w, r, "/here?x=1", http.StatusTemporaryRedirect)
		case "/here":
			http.Redirect(w, r, other.URL, http.StatusTemporaryRedirect)
		}
	})
	a := args(t, `{"url":"`+s.URL+`/?token=hush","body":{},"headers":{"Authorization":"hush","X-Api-Key":"hush","Accept":"text/*"}}`)
	if _, err := calling(t, httpConfig(), a); err != nil {
		t.Fatal(err)
	}
	first, second, third := <-headers, <-headers, <-headers
	for name, got := range map[string]http.Header{"first": first, "second": second} {
		if got.Get("Authorization") != "hush" || got.Get("X-Api-Key") != "hush" || got.Get("Referer") != "" {
			t.Errorf("the %s request to the same site had %v", name, got)
		}
	}
	if third.Get("Accept") != "text/*" || third.Get("Content-Type") != "application/json" {
		t.Errorf("the other site lacks what does no harm: %v", third)
	}
	for name, values := range third {
		if strings.Contains(strings.Join(values, ""), "hush") {
			t.Errorf("the other site got %s", name)
		}
	}
}

func TestEncryptedAddressesDoNotLeadToPlainOnes(t *testing.T) {
	t.Parallel()
	c := newCaller(httpConfig(), nil)
	parse := func(raw string) *url.URL {
		u, err := url.Parse(raw)
		if err != nil {
			t.Fatal(err)
		}
		return u
	}
	next := func(from, to string) error {
		before := []*http.Request{{URL: parse(from), Header: http.Header{}}}
		return c.checkRedirect(&http.Request{URL: parse(to), Header: http.Header{}}, before)
	}
	if err := next("https://a/", "http://a/"); err == nil || !strings.Contains(err.Error(), "is not encrypted") {
		t.Errorf("from https to http: %v", err)
	}
	if err := next("http://a/", "https://a/"); err != nil {
		t.Errorf("from http to https: %v", err)
	}
	for pair, want := range map[[2]string]bool{
		{"http://a/", "https://A/x"}: true, {"http://a:80/", "http://a/"}: true, {"https://a/", "https://a:8443/"}: false, {"https://a/", "https://b.a/"}: false,
	} {
		if got := sameSite(parse(pair[0]), parse(pair[1])); got != want {
			t.Errorf("%v are one site: %t", pair, got)
		}
	}
}
