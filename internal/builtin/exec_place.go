package builtin

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"

	"github.com/godwit-go/godwit"
)

// place is where a program runs: its directory, and the file that it reads.
type place struct {
	dir   string
	own   bool     // the directory goes with the run
	stdin *os.File // nil: nothing to read
}

// place makes the place of a run. What a program reads lies in a file without a name, so that nobody has to wait for it to read.
func (r *runner) place(stdin []byte) (p *place, err error) {
	p = &place{dir: r.conf.Dir}
	if p.dir == "" {
		if p.dir, err = os.MkdirTemp("", "godwit-exec-"); err != nil {
			return nil, fmt.Errorf("make a directory for the program: %w", err)
		}
		p.own = true
	}
	if len(stdin) == 0 {
		return p, nil
	}
	if p.stdin, err = os.CreateTemp("", "godwit-stdin-"); err == nil {
		err = errors.Join(os.Remove(p.stdin.Name()), fill(p.stdin, stdin))
	}
	if err != nil {
		return nil, fmt.Errorf("keep the input of the program: %w", errors.Join(err, p.clear()))
	}
	return p, nil
}

func fill(f *os.File, data []byte) error {
	if _, err := f.Write(data); err != nil {
		return err
	}
	_, err := f.Seek(0, io.SeekStart)
	return err
}

// leave removes what was made for the run.
func (p *place) leave(ctx context.Context) {
	if err := p.clear(); err != nil {
		godwit.Logger(ctx).Warn("the directory of the program was not removed", "err", err)
	}
}

func (p *place) clear() (err error) {
	if p.stdin != nil {
		err = p.stdin.Close()
	}
	if p.own {
		err = errors.Join(err, os.RemoveAll(p.dir))
	}
	return err
}
