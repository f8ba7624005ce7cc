package doctor_test

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/godwit-go/godwit/internal/doctor"
	"github.com/godwit-go/godwit/sqlite"
)

// sound is a file about which there is nothing to say.
var sound = doctor.SQLiteFile{
	Path: "jobs.db", DirExists: true, Exists: true, Size: 1 << 20, Mode: 0o600, IsSQLite: true, ApplicationID: 0x47647774,
	SchemaVersion: 3, Free: 100 << 30, Writable: true,
}

func TestSQLiteFileFindings(t *testing.T) {
	t.Parallel()
	cases := map[string]struct {
		change  func(*doctor.SQLiteFile)
		worst   doctor.Severity
		message string
	}{
		"sound":                     {func(*doctor.SQLiteFile) {}, doctor.OK, "1024 KiB, schema version 3"},
		"new":                       {func(f *doctor.SQLiteFile) { f.ApplicationID, f.SchemaVersion = 0, 0 }, doctor.OK, "nothing written back yet"},
		"no folder":                 {func(f *doctor.SQLiteFile) { f.DirExists = false }, doctor.Error, "the folder of jobs.db is not there"},
		"not there":                 {func(f *doctor.SQLiteFile) { f.Exists = false }, doctor.Error, "jobs.db is not there"},
		"a folder":                  {func(f *doctor.SQLiteFile) { f.Mode |= os.ModeDir }, doctor.Error, "jobs.db is a folder"},
		"no database":               {func(f *doctor.SQLiteFile) { f.IsSQLite = false }, doctor.Error, "is no SQLite database"},
		"another program's":         {func(f *doctor.SQLiteFile) { f.ApplicationID = 5 }, doctor.Error, "is the database of another program"},
		"not writable":              {func(f *doctor.SQLiteFile) { f.Writable = false }, doctor.Error, "may not be written"},
		"writable by every user":    {func(f *doctor.SQLiteFile) { f.Mode = 0o666 }, doctor.Warning, "every user of the machine may write"},
		"readable by every user":    {func(f *doctor.SQLiteFile) { f.Mode = 0o644 }, doctor.Info, "every user of the machine may read"},
		"held":                      {func(f *doctor.SQLiteFile) { f.Holder = "process 1 on h, since now," }, doctor.Info, "process 1 on h, since now holds it"},
		"a log that grows":          {func(f *doctor.SQLiteFile) { f.WALSize = 1 << 30 }, doctor.Warning, "jobs.db-wal has grown to 1024 MiB"},
		"a disk nearly full":        {func(f *doctor.SQLiteFile) { f.Free = 500 << 20 }, doctor.Warning, "only 500 MiB left"},
		"a disk full":               {func(f *doctor.SQLiteFile) { f.Free = 5 << 20 }, doctor.Error, "only 5120 KiB left"},
		"a disk that tells nothing": {func(f *doctor.SQLiteFile) { f.Free = -1 }, doctor.OK, "nobody holds it"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			t.Parallel()
			f := sound
			c.change(&f)
			findings, told := f.Findings(), ""
			for _, finding := range findings {
				told += string(finding.Severity) + " " + finding.Message + "\n"
			}
			if got := doctor.Worst(findings); got != c.worst || !strings.Contains(told, c.message) {
				t.Errorf("worst %s, want %s with %q:\n%s", got, c.worst, c.message, told)
			}
		})
	}
}

func TestReadSQLiteFileSeesAStore(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "jobs.db")
	if f, err := doctor.ReadSQLiteFile(path); err != nil || f.Exists || !f.DirExists {
		t.Errorf("before it is made: %+v, %v", f, err)
	}
	store, err := sqlite.Open(t.Context(), sqlite.Config{Path: path})
	if err != nil {
		t.Fatal(err)
	}
	f, err := doctor.ReadSQLiteFile(path)
	if err != nil || !f.Exists || !f.IsSQLite || !f.Writable || !strings.Contains(f.Holder, "process ") {
		t.Errorf("while it is held: %+v, %v", f, err)
	}
	if err := store.Close(); err != nil {
		t.Fatal(err)
	}
	f, err = doctor.ReadSQLiteFile(path)
	if err != nil || f.ApplicationID != 0x47647774 || f.SchemaVersion < 1 || f.Holder != "" || f.Size == 0 {
		t.Errorf("when it is free: %+v, %v", f, err)
	}
	if worst := doctor.Worst(f.Findings()); worst == doctor.Error {
		t.Errorf("a sound file has errors: %v", f.Findings())
	}
}

func TestSQLitePath(t *testing.T) {
	t.Parallel()
	for url, want := range map[string]string{
		"sqlite:a.db": "a.db", "sqlite:///var/a.db": "/var/a.db", "sqlite:/var/a.db": "/var/a.db", "memory:": "", "postgres://h/d": "", "sqlite:": "", "": "",
	} {
		if got, ok := doctor.SQLitePath(url); got != want || ok != (want != "") {
			t.Errorf("%q: got %q, %t", url, got, ok)
		}
	}
}

func TestSQLiteHolderIsUnknownWithoutAWord(t *testing.T) {
	t.Parallel()
	path := filepath.Join(t.TempDir(), "jobs.db")
	if who, known := doctor.SQLiteHolder(path); known || who != "another process" {
		t.Errorf("got %q, %t", who, known)
	}
	if err := os.WriteFile(path+".lock", []byte(`{"pid":7,"host":"h","since":"2030-01-31T12:00:00Z"}`), 0o600); err != nil {
		t.Fatal(err)
	}
	if who, known := doctor.SQLiteHolder(path); !known || who != "process 7 on h, since 2030-01-31T12:00:00Z," {
		t.Errorf("got %q, %t", who, known)
	}
}
