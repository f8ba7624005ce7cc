package compare

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"path/filepath"
	"sync/atomic"
	"time"

	"github.com/godwit-go/godwit"
)

const (
	readHeaderTimeout = 10 * time.Second
	stopTimeout       = 5 * time.Second
)

// service does the work of requests in one of the ways.
type service struct {
	way  Way
	work *work
	url  string // that requests are sent to

	http   *http.Server
	origin string // http://host:port
	ended  chan error
	open   atomic.Int64 // requests under way

	store  godwit.Store // of the durable ways
	client *godwit.Client
}

// startService starts it. name is that of a database that does not exist yet.
func startService(ctx context.Context, cfg *Config, way Way, w *work, name string) (s *service, err error) {
	s = &service{way: way, work: w, ended: make(chan error, 1)}
	path, handler := "/work", s.handleSync(cfg.Workers)
	if way != Sync {
		if s.store, err = cfg.Open(ctx, filepath.Join(cfg.Dir, name+".db")); err != nil {
			return nil, err
		}
		s.client, err = godwit.New(s.store, godwit.Config{
			Queues: map[string]godwit.QueueConfig{godwit.QueueDefault: {Concurrency: cfg.Workers}},
			Logger: slog.New(slog.DiscardHandler), StopGrace: -1,
		})
		if err == nil {
			godwit.Handle(s.client, Task, w.do)
			err = s.client.Start(context.WithoutCancel(ctx))
		}
		if err != nil {
			return nil, errors.Join(err, s.store.Close())
		}
		path, handler = "/v1/tasks/"+Task.Name(), cfg.API(s.client)
	}
	var lc net.ListenConfig
	listener, err := lc.Listen(ctx, "tcp", "127.0.0.1:0")
	if err != nil {
		return nil, errors.Join(err, s.stopJobs(ctx))
	}
	s.origin = "http://" + listener.Addr().String()
	s.url = s.origin + path
	s.http = &http.Server{Handler: s.count(handler), ReadHeaderTimeout: readHeaderTimeout}
	go func() { s.ended <- s.http.Serve(listener) }()
	return s, nil
}

// handleSync answers when the work is done, as many at a time as there are workers. A client that leaves takes its work with it.
func (s *service) handleSync(workers int) http.Handler {
	slots := make(chan struct{}, workers)
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		var request int
		if err := json.NewDecoder(r.Body).Decode(&request); err != nil {
			http.Error(rw, err.Error(), http.StatusBadRequest)
			return
		}
		select {
		case slots <- struct{}{}:
			defer func() { <-slots }()
		case <-r.Context().Done():
			return
		}
		answer, err := s.work.do(r.Context(), request)
		if err != nil {
			http.Error(rw, err.Error(), http.StatusServiceUnavailable)
			return
		}
		rw.Header().Set("Content-Type", "application/json")
		_ = json.NewEncoder(rw).Encode(answer) // whoever does not hear it counts as not answered
	})
}

func (s *service) count(next http.Handler) http.Handler {
	return http.HandlerFunc(func(rw http.ResponseWriter, r *http.Request) {
		s.open.Add(1)
		defer s.open.Add(-1)
		next.ServeHTTP(rw, r)
	})
}

// succeeded counts the jobs that the store has as succeeded.
func (s *service) succeeded(ctx context.Context) (int, error) {
	n := 0
	filter := godwit.ListFilter{State: godwit.StateSucceeded, Limit: godwit.PageMax}
	for {
		page, err := s.client.List(ctx, filter)
		if err != nil {
			return n, fmt.Errorf("count jobs: %w", err)
		}
		n += len(page.Jobs)
		if page.Next.IsZero() {
			return n, nil
		}
		filter.Before = page.Next
	}
}

func (s *service) stop(ctx context.Context) error {
	short, cancel := context.WithTimeout(context.WithoutCancel(ctx), stopTimeout)
	defer cancel()
	err := s.http.Shutdown(short)
	if err != nil {
		err = s.http.Close() // requests that nobody waits for any more
	}
	if served := <-s.ended; !errors.Is(served, http.ErrServerClosed) {
		err = errors.Join(err, served)
	}
	return errors.Join(err, s.stopJobs(ctx))
}

func (s *service) stopJobs(ctx context.Context) error {
	if s.store == nil {
		return nil
	}
	return errors.Join(s.client.Stop(context.WithoutCancel(ctx)), s.store.Close())
}
