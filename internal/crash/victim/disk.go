package victim

import (
	"fmt"
	"os"
	"strings"
	"sync"
	"unsafe"

	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"
)

// disk wraps SQLite's file system for the whole process: it passes the points at which a commit can be cut, and keeps the shadow
// files that the package crash tells of. SQLite calls plain functions, so there is one disk.
var disk struct {
	pass   func(point string)
	shadow bool
	lie    bool              // the shadow is never brought up to date
	under  *lib.Tsqlite3_vfs // SQLite's own

	mu      sync.Mutex
	files   map[uintptr]*diskFile // guarded by mu: open files by the address of their sqlite3_file
	methods map[uintptr]uintptr   // guarded by mu: SQLite's own methods to ours
	shadows map[string]*shadowFile
}

// diskFile is an open file.
type diskFile struct {
	methods *lib.Tsqlite3_io_methods // SQLite's own
	name    string                   // "wal" or "db", in the names of points
	shadow  *shadowFile
}

// shadowFile is what has been synced of a file, whoever opened it.
type shadowFile struct {
	path string

	mu      sync.Mutex
	pending []pendingWrite // guarded by mu
}

// pendingWrite is a write, or a truncation when data is nil, that was not synced.
type pendingWrite struct {
	at   int64
	data []byte
}

// ShadowOf names the shadow of a file.
func ShadowOf(path string) string { return path + ".shadow" }

// installDisk makes every database that is opened from now on use the wrapped file system.
func installDisk(pass func(string), shadow, lie bool) error {
	tls := libc.NewTLS()
	own := lib.Xsqlite3_vfs_find(tls, 0)
	mine := lib.Xsqlite3_malloc(tls, int32(unsafe.Sizeof(lib.Tsqlite3_vfs{})))
	name, err := libc.CString("godwit-crash")
	if own == 0 || mine == 0 || err != nil {
		return fmt.Errorf("wrap SQLite's file system: %w", err)
	}
	disk.pass, disk.shadow, disk.lie, disk.under = pass, shadow, lie, at[lib.Tsqlite3_vfs](own)
	disk.files, disk.methods, disk.shadows = map[uintptr]*diskFile{}, map[uintptr]uintptr{}, map[string]*shadowFile{}
	vfs := at[lib.Tsqlite3_vfs](mine)
	*vfs = *disk.under
	vfs.FpNext, vfs.FzName, vfs.FxOpen = 0, name, pointerTo(diskOpen)
	if code := lib.Xsqlite3_vfs_register(tls, mine, 1); code != lib.SQLITE_OK {
		return fmt.Errorf("wrap SQLite's file system: code %d", code)
	}
	return nil
}

// at gives what lies at an address outside Go's memory.
func at[T any](p uintptr) *T { return *(**T)(unsafe.Pointer(&p)) }

// pointerTo gives the address of a plain function as SQLite's translated code calls it.
func pointerTo(fn any) uintptr { return (*[2]uintptr)(unsafe.Pointer(&fn))[1] }

// call makes a function of such an address.
func call[F any](p uintptr) F { return *(*F)(unsafe.Pointer(&struct{ uintptr }{p})) }

type (
	openFunc     = func(tls *libc.TLS, vfs, name, file uintptr, flags int32, out uintptr) int32
	writeFunc    = func(tls *libc.TLS, file, data uintptr, n int32, at int64) int32
	truncateFunc = func(tls *libc.TLS, file uintptr, size int64) int32
	syncFunc     = func(tls *libc.TLS, file uintptr, flags int32) int32
)

func diskOpen(tls *libc.TLS, vfs, name, file uintptr, flags int32, out uintptr) int32 {
	code := call[openFunc](disk.under.FxOpen)(tls, vfs, name, file, flags, out)
	if code != lib.SQLITE_OK || flags&(lib.SQLITE_OPEN_MAIN_DB|lib.SQLITE_OPEN_WAL) == 0 {
		return code
	}
	disk.mu.Lock()
	defer disk.mu.Unlock()
	head := at[lib.Tsqlite3_file](file)
	own := at[lib.Tsqlite3_io_methods](head.FpMethods)
	mine := disk.methods[head.FpMethods]
	if mine == 0 {
		mine = lib.Xsqlite3_malloc(tls, int32(unsafe.Sizeof(*own)))
		methods := at[lib.Tsqlite3_io_methods](mine)
		*methods = *own
		methods.FxWrite, methods.FxTruncate, methods.FxSync = pointerTo(diskWrite), pointerTo(diskTruncate), pointerTo(diskSync)
		disk.methods[head.FpMethods] = mine
	}
	path, f := libc.GoString(name), &diskFile{methods: own, name: "db"}
	if strings.HasSuffix(path, "-wal") {
		f.name = "wal"
	}
	if disk.shadows[path] == nil {
		disk.shadows[path] = &shadowFile{path: ShadowOf(path)}
	}
	f.shadow = disk.shadows[path]
	disk.files[file] = f
	head.FpMethods = mine
	return code
}

func fileAt(file uintptr) *diskFile {
	disk.mu.Lock()
	defer disk.mu.Unlock()
	return disk.files[file]
}

func diskWrite(tls *libc.TLS, file, data uintptr, n int32, offset int64) int32 {
	f := fileAt(file)
	disk.pass("write-" + f.name)
	code := call[writeFunc](f.methods.FxWrite)(tls, file, data, n, offset)
	if code == lib.SQLITE_OK {
		f.shadow.add(pendingWrite{offset, unsafe.Slice(at[byte](data), n)})
	}
	return code
}

func diskTruncate(tls *libc.TLS, file uintptr, size int64) int32 {
	f := fileAt(file)
	code := call[truncateFunc](f.methods.FxTruncate)(tls, file, size)
	if code == lib.SQLITE_OK {
		f.shadow.add(pendingWrite{size, nil})
	}
	return code
}

func diskSync(tls *libc.TLS, file uintptr, flags int32) int32 {
	f := fileAt(file)
	disk.pass("before-sync-" + f.name)
	code := call[syncFunc](f.methods.FxSync)(tls, file, flags)
	if code == lib.SQLITE_OK {
		if err := f.shadow.sync(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			return lib.SQLITE_IOERR
		}
		disk.pass("after-sync-" + f.name)
	}
	return code
}

// add keeps a write until the next sync.
func (s *shadowFile) add(w pendingWrite) {
	if !disk.shadow {
		return
	}
	w.data = append([]byte(nil), w.data...)
	s.mu.Lock()
	defer s.mu.Unlock()
	s.pending = append(s.pending, w)
}

// sync brings the shadow up to date.
func (s *shadowFile) sync() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if len(s.pending) == 0 || disk.lie {
		return nil
	}
	f, err := os.OpenFile(s.path, os.O_CREATE|os.O_WRONLY, 0o644)
	if err != nil {
		return fmt.Errorf("sync shadow: %w", err)
	}
	for _, w := range s.pending {
		if w.data == nil {
			err = f.Truncate(w.at)
		} else {
			_, err = f.WriteAt(w.data, w.at)
		}
		if err != nil {
			return fmt.Errorf("sync shadow: %w", err)
		}
	}
	s.pending = nil
	return f.Close()
}
