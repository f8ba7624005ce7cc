package pgtest

import (
	"cmp"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"syscall"
	"testing"
)

// programs are those that a server needs; they lie in one folder.
var programs = []string{"initdb", "pg_ctl", "postgres", "pg_basebackup"}

// findPrograms returns the folder with the server's programs.
func findPrograms() (string, error) {
	if dir, ok := lookPrograms(); ok {
		return dir, nil
	}
	return "", errors.New("its programs are neither on PATH nor below /usr/lib/postgresql (make postgres installs them, or set GODWIT_TEST_POSTGRES)")
}

func lookPrograms() (string, bool) {
	if initdb, err := exec.LookPath("initdb"); err == nil {
		if real, err := filepath.EvalSymlinks(initdb); err == nil && complete(filepath.Dir(real)) {
			return filepath.Dir(real), true
		}
	}
	dirs, _ := filepath.Glob("/usr/lib/postgresql/*/bin") // the pattern is well formed
	dirs = slices.DeleteFunc(dirs, func(dir string) bool { return !complete(dir) })
	if len(dirs) == 0 {
		return "", false
	}
	return slices.MaxFunc(dirs, func(a, b string) int { return cmp.Compare(majorOf(a), majorOf(b)) }), true
}

// majorOf reads the version from the name of Debian's folder.
func majorOf(bin string) int {
	major, _ := strconv.Atoi(filepath.Base(filepath.Dir(bin))) // a name that is no number comes last
	return major
}

func complete(dir string) bool {
	return !slices.ContainsFunc(programs, func(name string) bool {
		_, err := exec.LookPath(filepath.Join(dir, name))
		return err != nil
	})
}

// account is who the servers run as: PostgreSQL refuses to be root.
type account struct {
	credential *syscall.Credential // nil when it is whoever runs the test
	uid, gid   int
}

func findAccount() (account, error) {
	if os.Getuid() != 0 {
		return account{nil, os.Getuid(), os.Getgid()}, nil
	}
	for _, name := range []string{"postgres", "nobody"} {
		found, err := user.Lookup(name)
		if err != nil {
			continue
		}
		uid, errUID := strconv.ParseUint(found.Uid, 10, 32)
		gid, errGID := strconv.ParseUint(found.Gid, 10, 32)
		if err := errors.Join(errUID, errGID); err != nil {
			return account{}, err
		}
		return account{&syscall.Credential{Uid: uint32(uid), Gid: uint32(gid)}, int(uid), int(gid)}, nil
	}
	return account{}, errors.New("run PostgreSQL: it refuses to be root, and there is no user postgres or nobody")
}

// makeFolder returns a new folder of the account's, in a place that it can
// reach.
func (a account) makeFolder() (string, error) {
	var errs []error
	for _, parent := range []string{os.TempDir(), "/tmp", "/var/tmp"} {
		if a.credential != nil && !open(parent) {
			continue
		}
		// The name of a socket in it must not be longer than 107 bytes.
		dir, err := os.MkdirTemp(parent, "godwit-pg-")
		if err == nil && len(dir) > 80 {
			err = errors.Join(fmt.Errorf("%s is too long a name for a folder with sockets", dir), os.Remove(dir))
		}
		if err == nil {
			return dir, os.Chown(dir, a.uid, a.gid)
		}
		errs = append(errs, err)
	}
	return "", fmt.Errorf("make a folder for PostgreSQL: %w", errors.Join(errs...))
}

// open reports whether everyone may pass through a folder and those above it.
func open(dir string) bool {
	for dir = filepath.Clean(dir); ; dir = filepath.Dir(dir) {
		if info, err := os.Stat(dir); err != nil || info.Mode()&0o001 == 0 {
			return false
		}
		if dir == filepath.Dir(dir) {
			return true
		}
	}
}

// unavailable ends a test for which there is no server.
func unavailable(t testing.TB, err error) {
	t.Helper()
	if inCI(os.Getenv("CI")) {
		t.Fatalf("a test needs PostgreSQL, and CI=%s forbids to skip it: %v", os.Getenv("CI"), err)
	}
	t.Skipf("no PostgreSQL for this test: %v", err)
}

// lastLines returns the end of a program's output, to be shown.
// inCI reports whether the environment's CI says that this is a continuous integration: services set it to true, 1 or their name.
func inCI(value string) bool {
	said, err := strconv.ParseBool(value)
	return said || err != nil && value != ""
}

func lastLines(output []byte) string {
	lines := strings.Split(strings.TrimSpace(string(output)), "\n")
	return strings.Join(lines[max(0, len(lines)-15):], "\n")
}
