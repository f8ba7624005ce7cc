//go:build !unix

package sqlite

import "os"

// links tells how many names a file has, as far as can be known: here, one.
func links(os.FileInfo) uint64 { return 1 }
