package httpapi_test

import (
	"errors"
	"io"
	"net"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/godwit-go/godwit/httpapi"
)

// pipe is a listener of one connection, without a network and its buffers.
type pipe struct {
	conns chan net.Conn
}

func (p pipe) Accept() (net.Conn, error) {
	c, open := <-p.conns
	if !open {
		return nil, net.ErrClosed
	}
	return c, nil
}

func (p pipe) Close() error   { return nil }
func (p pipe) Addr() net.Addr { return &net.UnixAddr{} }

// ask sends a request without waiting until it is read.
func ask(c net.Conn) {
	go io.WriteString(c, "GET /v1/jobs HTTP/1.1\r\nHost: x\r\n\r\n") //nolint:errcheck // seen by its answer
}

// Who asks and does not read the answer is let go after a while; who reads in time keeps the connection, however long it is idle.
func TestAnswersMustBeTakenInTime(t *testing.T) {
	t.Parallel()
	synctest.Test(t, func(t *testing.T) {
		b := setup(t, httpapi.Config{})
		b.want(t, http.StatusAccepted, http.MethodPost, "/v1/tasks/echo?delay=1h", `"`+strings.Repeat("x", 1000)+`"`)
		near, far := net.Pipe()
		gone := make(chan time.Time, 1)
		server := &http.Server{Handler: b, ConnState: func(_ net.Conn, s http.ConnState) { //nolint:gosec // nobody is slow to send
			if s == http.StateClosed {
				gone <- time.Now()
			}
		}}
		served := make(chan error, 1)
		l := pipe{make(chan net.Conn, 1)}
		l.conns <- far
		go func() { served <- server.Serve(l) }()

		for range 2 {
			ask(near)
			if n, err := near.Read(make([]byte, 64<<10)); err != nil || n == 0 {
				t.Fatalf("read %d bytes, %v", n, err)
			}
			<-time.After(10 * time.Minute)
		}
		asked := time.Now()
		ask(near)
		if took := (<-gone).Sub(asked); took != 10*time.Second {
			t.Errorf("who does not read was let go after %v", took)
		}
		close(l.conns)
		if err := <-served; !errors.Is(err, net.ErrClosed) {
			t.Error(err)
		}
		if err := near.Close(); err != nil {
			t.Error(err)
		}
	})
}
