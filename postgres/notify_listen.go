package postgres

import (
	"context"
	"crypto/rand"
	"encoding/json"
	"errors"
	"fmt"
	mathrand "math/rand/v2"
	"slices"
	"sync"
	"sync/atomic"
	"time"

	"github.com/jackc/pgx/v5"

	"github.com/godwit-go/godwit"
)

const (
	echoTimeout  = 3 * time.Second
	echoInterval = 30 * time.Second // of silence, after which the connection is tried
	listenMin    = 100 * time.Millisecond
	listenMax    = 30 * time.Second // between two tries to listen
)

var errDeaf = errors.New("a notification to itself did not arrive")

// listener hears what other processes tell, on a connection of its own, from the first watcher of hints on. It believes in that
// connection only after an echo: behind a pooler, notifications do not arrive.
type listener struct {
	s     *Store
	hears atomic.Bool

	mu    sync.Mutex    // held while watchers are told, so that one that was stopped is not told any more
	hints []*hinted     // guarded by mu
	over  chan struct{} // guarded by mu: closed when the goroutine has ended; nil: it was never started
	end   func()        // guarded by mu: of the connection on which it listens; nil: there is none
}

type hinted struct{ fn func(godwit.Hint) }

// Hints calls fn with what other processes have changed. The first call begins to listen, on one more connection, until Close. fn
// must not block and must not call the Store.
func (s *Store) Hints(fn func(h godwit.Hint)) (stop func()) {
	l, h := s.listener, &hinted{fn}
	if s.enter() != nil {
		return func() {}
	}
	defer s.leave()
	l.mu.Lock()
	defer l.mu.Unlock()
	l.hints = append(l.hints, h)
	if l.over == nil && s.listens() {
		l.over = make(chan struct{})
		go l.run(s.background, l.over)
	}
	return func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.hints = slices.DeleteFunc(l.hints, func(other *hinted) bool { return other == h })
	}
}

// Hears reports whether what other processes tell arrives at present.
func (s *Store) Hears() bool { return s.listener.hears.Load() }

// listens reports whether there is a way to listen: a pooler gives none.
func (s *Store) listens() bool { return !s.cfg.Pooler || s.cfg.ListenURL != "" }

// tell tells the watchers.
func (l *listener) tell(h godwit.Hint) {
	l.mu.Lock()
	defer l.mu.Unlock()
	for _, one := range l.hints {
		one.fn(h)
	}
}

// turn notes whether hints arrive. Whatever has happened until then is to be looked for, and how often to ask depends on it.
func (l *listener) turn(hears bool) {
	if l.hears.Swap(hears) != hears {
		l.tell(godwit.Hint{Any: true})
	}
}

// run listens until ctx ends, connecting anew as often as need be.
func (l *listener) run(ctx context.Context, over chan struct{}) {
	defer close(over)
	for pause := listenMin; ctx.Err() == nil; pause = min(2*pause, listenMax) {
		heard := l.listening(ctx)
		l.turn(false)
		if heard {
			pause = listenMin
		}
		waitFor(ctx, pause/2+mathrand.N(pause))
	}
}

// listening listens on one connection until that fails or is cut.
func (l *listener) listening(ctx context.Context) (heard bool) {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	set := func(end func()) {
		l.mu.Lock()
		defer l.mu.Unlock()
		l.end = end
	}
	set(cancel)
	defer set(nil)
	return l.connected(ctx)
}

// cut gives up the connection on which it listens.
func (l *listener) cut() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.end != nil {
		l.end()
	}
}

// wait waits for the goroutine to end, if there is one.
func (l *listener) wait() {
	l.mu.Lock()
	over := l.over
	l.mu.Unlock()
	if over != nil {
		<-over
	}
}

// connected listens on one connection until that fails, and reports whether it ever heard. Why it fails makes no difference: until
// the next one, the others are asked.
func (l *listener) connected(ctx context.Context) (heard bool) {
	conn, err := l.connect(ctx)
	if err != nil {
		return false
	}
	defer func() {
		last, cancel := context.WithTimeout(context.WithoutCancel(ctx), time.Second)
		defer cancel()
		_ = conn.Close(last) // it is given up in any case
	}()
	for {
		if err := l.echo(ctx, conn); err != nil {
			return heard
		}
		heard = true
		l.turn(true)
		if err := l.listen(ctx, conn, echoInterval, func(n *news) bool { return false }); !errors.Is(err, errDeaf) {
			return heard
		}
	}
}

func (l *listener) connect(ctx context.Context) (*pgx.Conn, error) {
	cfg, err := listenConfig(l.s.cfg)
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, l.s.cfg.CallTimeout)
	defer cancel()
	conn, err := pgx.ConnectConfig(ctx, cfg)
	if err != nil {
		return nil, err
	}
	if _, err := conn.Exec(ctx, "LISTEN "+pgx.Identifier{l.s.channel}.Sanitize()); err != nil {
		_ = conn.Close(ctx) // the first error is the one to tell
		return nil, err
	}
	return conn, nil
}

// listenConfig says how to connect for listening.
func listenConfig(c Config) (*pgx.ConnConfig, error) {
	if c.ListenURL != "" {
		c.URL, c.Pooler = c.ListenURL, false
	}
	cfg, err := poolConfig(c)
	var refused *godwit.Error
	if errors.As(err, &refused) && c.URL == c.ListenURL {
		refused.Field = "ListenURL"
	}
	if err != nil {
		return nil, err
	}
	return cfg.ConnConfig, nil
}

// echo sends a notification on another connection, as other processes do, and waits for it.
func (l *listener) echo(ctx context.Context, conn *pgx.Conn) error {
	sign := rand.Text()
	if err := l.s.notify(ctx, news{From: l.s.name, Echo: sign}); err != nil {
		return err
	}
	return l.listen(ctx, conn, echoTimeout, func(n *news) bool { return n.Echo == sign })
}

// listen takes notifications until one is what is waited for. It answers errDeaf when none came for so long.
func (l *listener) listen(ctx context.Context, conn *pgx.Conn, silence time.Duration, enough func(n *news) bool) error {
	for {
		wait, cancel := context.WithTimeout(ctx, silence)
		got, err := conn.WaitForNotification(wait)
		quiet := wait.Err() != nil && ctx.Err() == nil && !conn.IsClosed()
		cancel()
		switch {
		case err != nil && quiet:
			return errDeaf
		case err != nil:
			return fmt.Errorf("listen: %w", err)
		}
		var n news
		if json.Unmarshal([]byte(got.Payload), &n) != nil {
			n = news{Any: true} // somebody who says it otherwise has changed something
		}
		if enough(&n) {
			return nil
		}
		if n.From != l.s.name && n.Echo == "" {
			l.tell(n.hint(l.s.Now()))
		}
	}
}
