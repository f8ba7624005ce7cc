package sqlite

import (
	"sync"

	"modernc.org/libc"
	lib "modernc.org/sqlite/lib"
)

// The memory that SQLite asks for whenever it balances a tree, a page for a moment.
const (
	scratchPage  = 4096 // of a page, without what a cached page has besides: pages of the cache do not fit
	scratchPages = 16
)

// keepScratch keeps memory for what SQLite needs when it balances a tree. Else it asks the system for it and gives it back each time,
// which takes up a tenth of the writer's time: the allocator beneath keeps nothing that is empty. It is for the whole process, and
// works before the first database is opened; where another package has opened one, SQLite refuses it, and goes on as it was
// (https://sqlite.org/c3ref/c_config_covering_index_scan.html, SQLITE_CONFIG_PAGECACHE).
var keepScratch = sync.OnceFunc(func() {
	tls := libc.NewTLS()
	defer tls.Close()
	pages := libc.Xmalloc(tls, scratchPage*scratchPages)
	args := libc.Xmalloc(tls, 64)
	if pages == 0 || args == 0 {
		return
	}
	defer libc.Xfree(tls, args)
	if lib.Xsqlite3_config(tls, lib.SQLITE_CONFIG_PAGECACHE, libc.VaList(args, pages, int32(scratchPage), int32(scratchPages))) != lib.SQLITE_OK {
		libc.Xfree(tls, pages)
	}
})
