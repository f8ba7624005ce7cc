package sqlite

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"sync/atomic"
	"time"

	"github.com/godwit-go/godwit"
)

// standing watches that the files under the store's names are those that it has open. SQLite goes on with an open file that was
// deleted, moved away or replaced, and so would acknowledge what nobody finds again.
type standing struct {
	path  string
	files []standingFile               // those that hold what is committed first
	lost  atomic.Pointer[godwit.Error] // set once, and for good: why the files are not touched any more
	every time.Duration
	begun time.Time
	all   atomic.Int64 // when all were last looked at, counted from begun
}

type standingFile struct {
	name, what string
	info       os.FileInfo
}

// Each group of writes looks after the files that hold it; the others, and all files for reads, are looked after now and then.
const (
	standingEvery  = time.Second
	standingAlways = 2
)

// errAstray says that a file is not where it was. What was committed just before may be in a file that has no name.
var errAstray = errors.New("the store has lost its file")

// stand begins the watch. The connection has been used, so that SQLite's files are there.
func stand(path string) (*standing, error) {
	w := &standing{path: path, every: standingEvery, begun: time.Now()}
	for _, f := range []standingFile{
		{name: path},
		{name: path + "-wal", what: "the log of "},
		{name: path + ".lock", what: "the lock file of "},
		{name: path + "-shm", what: "the index of the log of "},
	} {
		var err error
		f.info, err = os.Stat(f.name)
		if f.name == path+"-shm" && errors.Is(err, fs.ErrNotExist) {
			continue // SQLite can keep it in memory
		}
		if err != nil {
			return nil, unusable(f.name, err)
		}
		w.files = append(w.files, f)
	}
	return w, nil
}

// look compares the files with those that were there at the start: those that hold what is committed, and the others when it is
// time to.
func (w *standing) look() error {
	if lost := w.lost.Load(); lost != nil {
		return lost
	}
	if w.due() {
		return w.lookAtAll()
	}
	return w.compare(w.files[:standingAlways])
}

// lookNowAndThen looks when nobody has for a while.
func (w *standing) lookNowAndThen() error {
	if lost := w.lost.Load(); lost != nil {
		return lost
	}
	if w.due() {
		return w.lookAtAll()
	}
	return nil
}

func (w *standing) due() bool { return time.Since(w.begun)-time.Duration(w.all.Load()) >= w.every }

func (w *standing) lookAtAll() error {
	w.all.Store(int64(time.Since(w.begun)))
	return w.compare(w.files)
}

func (w *standing) compare(files []standingFile) error {
	for i := range files {
		f := &files[i]
		now, err := os.Stat(f.name)
		switch {
		case errors.Is(err, fs.ErrNotExist):
			return w.lose(f, "was deleted or moved away")
		case err != nil:
			return &godwit.Error{
				Code: godwit.CodeUnavailable, Err: errors.Join(errAstray, err), Message: "nobody can tell whether " + f.name + " is still there",
			}
		case !os.SameFile(now, f.info):
			return w.lose(f, "was replaced by another file")
		}
	}
	return nil
}

func (w *standing) lose(f *standingFile, how string) error {
	w.lost.CompareAndSwap(nil, &godwit.Error{
		Code: godwit.CodeUnavailable, Err: errAstray,
		Message: fmt.Sprintf("%s%s %s while this process worked with it, so nothing is read or written any more"+
			" (stop this process, put the file that is to be used in its place, and start anew)", f.what, w.path, how),
	})
	return w.lost.Load()
}

// writeBack brings what stands in the log of a lost file into the file itself: whoever moved it away, or still has it open, finds
// everything in it, and no old log is left beside what has come in its place.
func (s *Store) writeBack() {
	if s.wroteBack {
		return
	}
	s.wroteBack = true
	_ = s.writer.exec("PRAGMA wal_checkpoint(TRUNCATE)") // the loss is told in any case
}
