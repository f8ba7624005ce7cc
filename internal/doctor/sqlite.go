package doctor

import (
	"encoding/binary"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"
)

// SQLitePath gives the file that a database URL names; false when it names no file.
func SQLitePath(url string) (path string, ok bool) {
	rest, ok := strings.CutPrefix(url, "sqlite:")
	if !ok || rest == "" {
		return "", false
	}
	return strings.TrimPrefix(rest, "//"), true
}

// SQLiteHolder says who works with a database file, as the holder wrote it beside the file: "process 4711 on host, since ...";
// "another process" and false when nothing is written there.
func SQLiteHolder(path string) (holder string, known bool) {
	if real, err := filepath.EvalSymlinks(path); err == nil {
		path = real
	}
	var who struct {
		PID   int       `json:"pid"`
		Host  string    `json:"host"`
		Since time.Time `json:"since"`
	}
	text, err := os.ReadFile(path + ".lock")
	if err != nil || json.Unmarshal(text, &who) != nil {
		return "another process", false
	}
	return fmt.Sprintf("process %d on %s, since %s,", who.PID, who.Host, who.Since.Format(time.RFC3339)), true
}

// SQLiteFile is what can be seen of a database file without opening it.
type SQLiteFile struct {
	Path   string
	Exists bool
	Size   int64 // bytes
	Mode   fs.FileMode

	IsSQLite      bool   // by its header; also when it is empty
	ApplicationID uint32 // whose database it is; 0 while nothing was written back into the file
	SchemaVersion uint32

	WALSize   int64 // bytes; 0: there is none
	Free      int64 // bytes left on the disk; negative: unknown
	Writable  bool
	Holder    string // who works with it, as said beside it; empty: nobody says so
	DirExists bool
}

// ReadSQLiteFile looks at a database file and at what lies beside it, and changes nothing.
func ReadSQLiteFile(path string) (SQLiteFile, error) {
	f := SQLiteFile{Path: path, Free: freeBytes(filepath.Dir(path))}
	if info, err := os.Stat(filepath.Dir(path)); err == nil && info.IsDir() {
		f.DirExists = true
	}
	info, err := os.Stat(path)
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	if err != nil {
		return f, err
	}
	f.Exists, f.Size, f.Mode = true, info.Size(), info.Mode()
	if info.IsDir() {
		return f, nil
	}
	if wal, err := os.Stat(path + "-wal"); err == nil {
		f.WALSize = wal.Size()
	}
	if holder, known := SQLiteHolder(path); known {
		f.Holder = holder
	}
	if w, err := os.OpenFile(path, os.O_RDWR, 0); err == nil {
		f.Writable = true
		_ = w.Close() // nothing was written
	}
	return f, f.readHeader()
}

// readHeader reads what the file says of itself (sqlite.org/fileformat.html, section 1.3).
func (f *SQLiteFile) readHeader() error {
	file, err := os.Open(f.Path)
	if err != nil {
		return err
	}
	defer file.Close() //nolint:errcheck // only read
	head := make([]byte, 100)
	n, err := io.ReadFull(file, head)
	switch {
	case n == 0 && errors.Is(err, io.EOF):
		f.IsSQLite = true // to be made
		return nil
	case err != nil && !errors.Is(err, io.ErrUnexpectedEOF):
		return err
	}
	f.IsSQLite = string(head[:16]) == "SQLite format 3\x00"
	f.SchemaVersion = binary.BigEndian.Uint32(head[60:64])
	f.ApplicationID = binary.BigEndian.Uint32(head[68:72])
	return nil
}

// godwitID marks the files of package sqlite in their header: "Gdwt".
const godwitID = 0x47647774

// Bounds on a database file.
const (
	freeLow  = 1 << 30   // bytes left on the disk that are few
	freeOut  = 100 << 20 // ... that are too few
	walLarge = 256 << 20 // bytes of a log that should have been written back
)

// Findings says what is to be said about the file.
func (f SQLiteFile) Findings() []Finding {
	const check = "file"
	switch {
	case !f.DirExists:
		return []Finding{finding(Error, check, "make the folder, or correct the path", "", "the folder of %s is not there", f.Path)}
	case !f.Exists:
		return []Finding{finding(Error, check, "correct the path, or make it with godwit serve --db sqlite:"+f.Path, "", "%s is not there", f.Path)}
	case f.Mode.IsDir():
		return []Finding{finding(Error, check, "correct the path", "", "%s is a folder", f.Path)}
	case !f.IsSQLite:
		return []Finding{finding(Error, check, "restore a backup, or correct the path", "", "%s is no SQLite database", f.Path)}
	case f.ApplicationID != godwitID && f.ApplicationID != 0:
		return []Finding{finding(Error, check, "correct the path: give Godwit a file of its own", "", "%s is the database of another program", f.Path)}
	}
	version := "nothing written back yet"
	if f.SchemaVersion > 0 {
		version = fmt.Sprintf("schema version %d", f.SchemaVersion)
	}
	found := []Finding{finding(OK, check, "", "", "%s: %s, %s", f.Path, bytesText(f.Size), version)}
	found = append(found, f.permissions()...)
	found = append(found, f.room()...)
	if f.Holder != "" {
		return append(found, finding(Info, "holder", "", "", "%s holds it", strings.TrimSuffix(f.Holder, ",")))
	}
	return append(found, finding(OK, "holder", "", "", "nobody holds it"))
}

func (f SQLiteFile) permissions() []Finding {
	const check = "permissions"
	switch {
	case !f.Writable:
		return []Finding{finding(Error, check, "let the user that runs godwit write it", "", "%s may not be written (%s)", f.Path, f.Mode.Perm())}
	case f.Mode.Perm()&0o002 != 0:
		return []Finding{finding(Warning, check, "chmod o-w "+f.Path, "", "every user of the machine may write %s (%s)", f.Path, f.Mode.Perm())}
	case f.Mode.Perm()&0o004 != 0:
		return []Finding{finding(Info, check, "if arguments or results are secret: chmod o-r "+f.Path, "", "every user of the machine may read %s (%s)", f.Path, f.Mode.Perm())}
	}
	return []Finding{finding(OK, check, "", "", "%s", f.Mode.Perm())}
}

func (f SQLiteFile) room() []Finding {
	found := []Finding{finding(OK, "wal", "", "", "%s not yet written back", bytesText(f.WALSize))}
	if f.WALSize > walLarge {
		found = []Finding{finding(Warning, "wal", "end the program, such as an SQL shell, that reads the file for so long", "",
			"%s-wal has grown to %s: somebody reads an old state of the file", f.Path, bytesText(f.WALSize))}
	}
	switch {
	case f.Free < 0:
	case f.Free < freeOut:
		found = append(found, finding(Error, "disk", "free space: when the disk is full nothing is accepted", "", "only %s left on the disk of %s", bytesText(f.Free), f.Path))
	case f.Free < freeLow:
		found = append(found, finding(Warning, "disk", "free space", "", "only %s left on the disk of %s", bytesText(f.Free), f.Path))
	default:
		found = append(found, finding(OK, "disk", "", "", "%s left", bytesText(f.Free)))
	}
	return found
}

// bytesText gives a size as people read it.
func bytesText(n int64) string {
	switch {
	case n >= 10<<30:
		return fmt.Sprintf("%d GiB", n>>30)
	case n >= 10<<20:
		return fmt.Sprintf("%d MiB", n>>20)
	case n >= 10<<10:
		return fmt.Sprintf("%d KiB", n>>10)
	}
	return fmt.Sprintf("%d bytes", n)
}
