// Package pgtest gives tests a PostgreSQL of their own, and ways to break it.
//
//	url := pgtest.Database(t)                 // a fresh, empty database
//	s := pgtest.Start(t, pgtest.Config{})     // a server that this test may stop
//	url = s.Database(t)
//	p := pgtest.NewProxy(t, url)              // a network that this test may cut
//	url = pgtest.Pooler(t, url, 4)            // through a PgBouncer
//	store, err := open.Store(ctx, p.URL())
//
// # Where the server comes from
//
// [Database] makes its databases on the server that GODWIT_TEST_POSTGRES names (a
// URL of a user who may create databases). Without it, and always for [Start], a
// server is started: with the programs on PATH, else the newest below
// /usr/lib/postgresql. A test that can get none is skipped, and says
// why, as is one of a [Pooler] where there is no PgBouncer; it fails where the
// environment has CI set, other than to false or 0. `make test` and CI install
// the packages before, where root on Debian or its kin may.
//
// # What a server is
//
// It listens on a loopback port and on a socket in its folder, asks for a password
// on the former, sorts by bytes (locale C), and runs under an account without
// rights when the test runs as root. A test binary starts one server for all
// its calls of [Database], which does not fsync: a process that dies loses
// nothing by that, only a machine would. One of [Start] does, unless told
// otherwise.
//
// A small process of its own waits for the end of the test binary, be it killed,
// stops what still runs and removes what it left.
package pgtest
