package sqlite

import (
	"embed"
	"errors"
	"fmt"
	"io/fs"

	"zombiezen.com/go/sqlite/sqlitex"

	"github.com/godwit-go/godwit"
)

// applicationID marks our files in their header: "Gdwt".
const applicationID = 0x47647774

//go:embed migrations/*.sql
var migrationFiles embed.FS

// migrations gives the scripts in order; the number of a script is its place, from 1.
func migrations() ([]string, error) {
	names, err := fs.Glob(migrationFiles, "migrations/*.sql")
	if err != nil {
		return nil, err
	}
	scripts := make([]string, len(names))
	for i, name := range names {
		text, err := migrationFiles.ReadFile(name)
		if err != nil {
			return nil, err
		}
		scripts[i] = string(text)
	}
	return scripts, nil
}

// migrate brings the file to the newest schema, each step in a transaction of its own. There is no way back.
func (s *Store) migrate() error {
	scripts, err := migrations()
	if err != nil {
		return err
	}
	version, err := s.schemaVersion()
	if err != nil {
		return err
	}
	if version > len(scripts) {
		return &godwit.Error{
			Code: godwit.CodeCorrupt,
			Message: fmt.Sprintf("%s has schema version %d and this program knows versions up to %d (use the newer program that wrote it)",
				s.path, version, len(scripts)),
		}
	}
	for i := version; i < len(scripts); i++ {
		if err := migrateOne(s.writer, scripts[i], i+1); err != nil {
			return fmt.Errorf("migrate to schema version %d: %w", i+1, err)
		}
	}
	return nil
}

// schemaVersion gives the version of one of our files, 0 for a new one, and refuses any other file.
func (s *Store) schemaVersion() (int, error) {
	app, err := number(s.writer, "PRAGMA application_id")
	if err != nil {
		return 0, err
	}
	tables, err := number(s.writer, "SELECT count(*) FROM sqlite_schema")
	if err != nil {
		return 0, err
	}
	switch {
	case app == applicationID:
		version, err := number(s.writer, "PRAGMA user_version")
		return int(version), err
	case app == 0 && tables == 0:
		return 0, nil
	}
	return 0, foreign(s.path, "is the database of another program")
}

func migrateOne(c *conn, script string, version int) error {
	if err := c.exec("BEGIN IMMEDIATE"); err != nil {
		return err
	}
	err := sqlitex.ExecuteScript(c.db, script, nil)
	if err == nil {
		err = c.exec(fmt.Sprintf("PRAGMA user_version = %d", version))
	}
	if err == nil {
		err = c.exec(fmt.Sprintf("PRAGMA application_id = %d", applicationID))
	}
	if err == nil {
		return c.exec("COMMIT")
	}
	if !c.db.AutocommitEnabled() {
		err = errors.Join(err, c.exec("ROLLBACK"))
	}
	return err
}

// number reads one number.
func number(c *conn, sql string, args ...any) (int64, error) {
	var n int64
	err := c.query(sql, func(s *row) error {
		n = s.ColumnInt64(0)
		return nil
	}, args...)
	return n, err
}
