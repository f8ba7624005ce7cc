package httpapi

import (
	"bytes"
	"errors"
	"io"
	"net/http"
)

// lineReader reads the lines of a body one by one, in memory that counts against the server's bound: the buffer by its capacity, since room
// for more is memory too, and what is made of a line by the line's length.
type lineReader struct {
	r      *request
	body   io.Reader
	buf    []byte // what was read and not given out is buf[from:]
	from   int
	number int // of the line given out last, from 1
	ended  bool
}

// lines gives a body that is read line by line, at most bound bytes of it.
func (r *request) lines(bound int64) (*lineReader, error) {
	if err := r.refuseLong(bound); err != nil {
		return nil, err
	}
	return &lineReader{r: r, body: http.MaxBytesReader(r.w, r.Body, bound)}, nil
}

// next gives the next line without its end, and io.EOF after the last one. The line is good until the following call; it counts until the
// request is over. A body that cannot be read to its end has no last line: what came of it is not what its sender wrote.
func (l *lineReader) next() ([]byte, error) {
	for looked := l.from; ; {
		if i := bytes.IndexByte(l.buf[looked:], '\n'); i >= 0 {
			return l.give(looked+i, looked+i+1)
		}
		switch {
		case len(l.buf)-l.from > BatchLineMax:
			return nil, tooLarge("body", "must have lines of at most %d bytes, line %d is longer", BatchLineMax, l.number+1)
		case l.ended && l.from == len(l.buf):
			return nil, io.EOF
		case l.ended:
			return l.give(len(l.buf), len(l.buf))
		}
		looked = len(l.buf) - l.from // once the line stands at the beginning
		if err := l.room(); err != nil {
			return nil, err
		}
		n, err := l.body.Read(l.buf[len(l.buf):cap(l.buf)])
		l.buf = l.buf[:len(l.buf)+n]
		if l.ended = errors.Is(err, io.EOF); err != nil && !l.ended {
			return nil, bodyError(err)
		}
	}
}

func (l *lineReader) give(end, next int) ([]byte, error) {
	line, size := l.buf[l.from:end], next-l.from
	l.from = next
	l.number++
	return line, l.r.hold(int64(size))
}

// room moves what is left to the beginning of the buffer, and makes the buffer larger if that leaves no room.
func (l *lineReader) room() error {
	left := l.buf[l.from:]
	switch {
	case l.from > 0:
		l.buf, l.from = l.buf[:copy(l.buf, left)], 0
		return nil
	case len(left) < cap(l.buf):
		return nil
	}
	size := min(max(2*int64(cap(l.buf)), lineBytesMin), BatchLineMax+1) // a byte for the line's end
	if most := l.r.ContentLength + 1; most > int64(cap(l.buf)) {        // ... or for the body's, of which so much is announced
		size = min(size, most)
	}
	if err := l.r.hold(size); err != nil {
		return err
	}
	_ = l.r.hold(-int64(cap(l.buf))) // giving back is never refused
	l.buf, l.from = append(make([]byte, 0, size), left...), 0
	return nil
}
