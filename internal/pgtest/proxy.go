package pgtest

import (
	"bytes"
	"context"
	"errors"
	"net"
	"net/url"
	"sync"
	"testing"
	"time"
)

// Proxy is a network between clients and a server, which a test may make slow, cut or
// silent. Its methods may be called at any time by any goroutine.
type Proxy struct {
	target   *url.URL
	listener net.Listener
	workers  sync.WaitGroup

	mu       sync.Mutex // guards what is below
	host     string     // to which new connections lead
	disguise bool
	links    map[*link]struct{}
	delay    time.Duration
	open     chan struct{} // closed while bytes pass; a new one while they are held
	refusing bool
	closed   bool
	traps    []*trap
}

// link is one connection of a client and the one to the server that goes with it.
type link struct {
	client, server net.Conn
	ended          chan struct{} // closed with both connections

	losing    *trap // the answer to what the client sent is to be lost; guarded by the proxy's lock
	disguised bool  // its key was changed; guarded by the proxy's lock
}

// direction is which way bytes go.
type direction int

const (
	fromClient direction = iota
	fromServer
)

// trap waits for bytes to pass, and then cuts. A trap springs once, at the first link that
// brings what it waits for.
type trap struct {
	direction direction
	text      []byte // what the client sends; nil for the trap that counts
	left      int64  // bytes from the server that still pass, of the trap that counts
	answer    bool   // lose the answer, not the query
	sprung    chan struct{}
}

// NewProxy starts a proxy before the server that a URL names. It ends with the test.
func NewProxy(t testing.TB, target string) *Proxy {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil || u.Port() == "" {
		t.Fatalf("a proxy needs a URL with a host and a port, got %q", target)
	}
	listener, err := new(net.ListenConfig).Listen(t.Context(), "tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &Proxy{target: u, listener: listener, host: u.Host, links: map[*link]struct{}{}, open: make(chan struct{})}
	close(p.open)
	p.workers.Go(p.accept)
	t.Cleanup(p.close)
	return p
}

// URL is the target's, by way of the proxy.
func (p *Proxy) URL() string {
	u := *p.target
	u.Host = p.listener.Addr().String()
	return u.String()
}

// Delay holds everything back for a time, in both directions; 0 ends that.
func (p *Proxy) Delay(d time.Duration) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.delay = d
}

// Hold lets nothing through any more, on old connections and new: neither side hears of
// the other, nor of an end. Release brings what was sent meanwhile, as a
// network does that comes back.
func (p *Proxy) Hold() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if !p.held() {
		p.open = make(chan struct{})
	}
}

// Release ends what Hold began.
func (p *Proxy) Release() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.held() {
		close(p.open)
	}
}

func (p *Proxy) held() bool {
	select {
	case <-p.open:
		return false
	default:
		return true
	}
}

// Refuse ends new connections at once, until Refuse(false); those that are there stay.
func (p *Proxy) Refuse(refuse bool) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.refusing = refuse
}

// Lead lets new connections lead to the server of another URL, as a name does after a failover; those that are there stay.
func (p *Proxy) Lead(t testing.TB, target string) {
	t.Helper()
	u, err := url.Parse(target)
	if err != nil || u.Port() == "" {
		t.Fatalf("a proxy needs a URL with a host and a port, got %q", target)
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.host = u.Host
}

// Disguise lets the proxy pass for a pooler: clients of new connections are given other numbers than those of
// the server's processes.
func (p *Proxy) Disguise() {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.disguise = true
}

// Cut resets all connections and returns how many there were.
func (p *Proxy) Cut() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	n := len(p.links)
	for l := range p.links {
		p.end(l, reset)
	}
	return n
}

// Connections is how many there are.
func (p *Proxy) Connections() int {
	p.mu.Lock()
	defer p.mu.Unlock()
	return len(p.links)
}

// CutAfter lets n more bytes from the server pass, of all connections together, and
// resets the one that brings the next. The channel is closed when that is done.
func (p *Proxy) CutAfter(n int64) <-chan struct{} {
	return p.set(&trap{direction: fromServer, left: n})
}

// LoseQuery resets the next connection on which a client sends a text (1 KiB at most), before the
// server sees it: what it asks for does not happen. The channel is closed when
// that is done.
func (p *Proxy) LoseQuery(text string) <-chan struct{} {
	return p.set(&trap{text: []byte(text)})
}

// LoseAnswer resets the next connection on which a client sends a text, when the
// server has answered it, and drops the answer: LoseAnswer("commit") makes a commit
// that has happened, and of which the client cannot know. The channel is
// closed when that is done.
func (p *Proxy) LoseAnswer(text string) <-chan struct{} {
	return p.set(&trap{text: []byte(text), answer: true})
}

func (p *Proxy) set(trap *trap) <-chan struct{} {
	trap.sprung = make(chan struct{})
	p.mu.Lock()
	defer p.mu.Unlock()
	p.traps = append(p.traps, trap)
	return trap.sprung
}

func (p *Proxy) close() {
	_ = p.listener.Close() // nobody is to come any more
	p.mu.Lock()
	p.closed = true
	p.mu.Unlock()
	p.Cut()
	p.workers.Wait()
}

func (p *Proxy) accept() {
	for {
		client, err := p.listener.Accept()
		if err != nil {
			return
		}
		p.workers.Go(func() { p.connect(client) })
	}
}

// connect joins a client with the server, unless it is refused.
func (p *Proxy) connect(client net.Conn) {
	p.mu.Lock()
	refused, host := p.refusing || p.closed, p.host
	p.mu.Unlock()
	var server net.Conn
	if !refused {
		var dialer net.Dialer
		server, _ = dialer.DialContext(context.Background(), "tcp", host) // a server that is down is one that refuses
	}
	if server == nil {
		reset(client)
		return
	}
	l := &link{client: client, server: server, ended: make(chan struct{})}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.links[l] = struct{}{}
	if p.closed {
		p.end(l, reset)
		return
	}
	p.workers.Go(func() { p.pump(l, fromClient, client, server) })
	p.workers.Go(func() { p.pump(l, fromServer, server, client) })
}

// reset closes a connection without a farewell.
func reset(conn net.Conn) {
	if tcp, ok := conn.(*net.TCPConn); ok {
		_ = tcp.SetLinger(0) // a connection that has ended already
	}
	_ = conn.Close()
}

// pump carries bytes one way until either side ends the connection.
func (p *Proxy) pump(l *link, d direction, from, to net.Conn) {
	buffer := make([]byte, 64<<10)
	var tail []byte // the end of what passed before: a text may come in two parts
	for {
		n, err := from.Read(buffer)
		if n > 0 && p.wait(l) {
			chunk, cut := p.filter(l, d, tail, buffer[:n])
			_, writeErr := to.Write(chunk)
			tail = append(tail, chunk...)
			tail = append([]byte(nil), tail[max(0, len(tail)-longestText):]...)
			err = errors.Join(err, writeErr)
			if cut != nil {
				p.spring(l, cut)
				return
			}
		}
		if err != nil {
			p.finish(l)
			return
		}
	}
}

// longestText bounds how much of the past is looked at for a text.
const longestText = 1024

// wait returns when bytes may pass, or false when the link has ended.
func (p *Proxy) wait(l *link) bool {
	p.mu.Lock()
	open, delay := p.open, p.delay
	p.mu.Unlock()
	if delay > 0 {
		timer := time.NewTimer(delay)
		defer timer.Stop()
		select {
		case <-timer.C:
		case <-l.ended:
			return false
		}
	}
	select {
	case <-open:
		return true
	case <-l.ended:
		return false
	}
}

// filter returns what of a chunk may pass, and the trap that it sprang.
func (p *Proxy) filter(l *link, d direction, tail, chunk []byte) ([]byte, *trap) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if d == fromServer && l.losing != nil {
		return nil, l.losing
	}
	if d == fromServer && p.disguise && !l.disguised {
		// The message that tells the number of the process, and comes once: K, its length, the number and a secret.
		if _, key, found := bytes.Cut(chunk, []byte{'K', 0, 0, 0, 12}); found && len(key) >= 8 {
			key[1] ^= 0x55
			l.disguised = true
		}
	}
	for i, trap := range p.traps {
		if trap.direction != d || !trap.springs(tail, chunk) {
			continue
		}
		p.traps = append(p.traps[:i:i], p.traps[i+1:]...)
		switch {
		case trap.answer:
			l.losing = trap
			return chunk, nil
		case d == fromClient:
			return nil, trap
		}
		return chunk[:trap.left], trap
	}
	return chunk, nil
}

// springs reports whether a chunk is what the trap waits for. One that counts goes on
// counting when it is not.
func (t *trap) springs(tail, chunk []byte) bool {
	if t.direction == fromServer {
		if int64(len(chunk)) > t.left {
			return true
		}
		t.left -= int64(len(chunk))
		return false
	}
	// Only what reaches into the chunk is new.
	past := tail[max(0, len(tail)-len(t.text)+1):]
	return bytes.Contains(append(bytes.Clone(past), chunk...), t.text)
}

// spring cuts the link that sprang a trap.
func (p *Proxy) spring(l *link, trap *trap) {
	p.mu.Lock()
	defer p.mu.Unlock()
	if l.losing != trap { // else its end is the end of the link
		defer close(trap.sprung)
	}
	p.end(l, reset)
}

// finish ends a link whose one side has ended. While the network is held, the
// other side does not hear of it.
func (p *Proxy) finish(l *link) {
	if !p.wait(l) {
		return
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	p.end(l, func(conn net.Conn) { _ = conn.Close() })
}

// end closes both connections of a link in the way given, once. An answer that was to
// be lost and has not come by now is.
func (p *Proxy) end(l *link, shut func(net.Conn)) {
	if _, there := p.links[l]; !there {
		return
	}
	delete(p.links, l)
	close(l.ended)
	shut(l.client)
	shut(l.server)
	if l.losing != nil {
		close(l.losing.sprung)
	}
}
