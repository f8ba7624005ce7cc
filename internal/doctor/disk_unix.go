//go:build linux || darwin

package doctor

import "syscall"

// freeBytes gives the bytes left for us on the disk of a folder, a negative number when that is not known.
func freeBytes(dir string) int64 {
	var s syscall.Statfs_t
	if err := syscall.Statfs(dir, &s); err != nil {
		return -1
	}
	return int64(s.Bavail) * int64(s.Bsize) //nolint:unconvert // an int32 on some systems
}
