#!/bin/sh
# Installs PostgreSQL and PgBouncer for the tests where they are missing, on
# Debian and its kin. It makes no cluster and starts no service: the tests
# start servers of their own. `make test` and CI run it; one that waits for
# another finds the work done.
set -eu

server() {
	if command -v initdb >/dev/null && command -v pg_ctl >/dev/null; then return 0; fi
	for program in /usr/lib/postgresql/*/bin/initdb; do
		if [ -x "$program" ]; then return 0; fi
	done
	return 1
}

pooler() { command -v pgbouncer >/dev/null || [ -x /usr/sbin/pgbouncer ]; }

missing() {
	server || echo PostgreSQL
	pooler || echo PgBouncer
}

if [ -z "$(missing)" ]; then exit 0; fi
if ! command -v apt-get >/dev/null; then
	echo "missing and there is no apt-get:" $(missing) "(install it; for PostgreSQL, GODWIT_TEST_POSTGRES may name a server)" >&2
	exit 1
fi
if [ "$(id -u)" -ne 0 ]; then
	echo "missing and only root may install it:" $(missing) "(apt-get install postgresql pgbouncer; for PostgreSQL, GODWIT_TEST_POSTGRES may name a server)" >&2
	exit 1
fi

exec 9>/var/lock/godwit-pgtest-install
flock 9
if [ -z "$(missing)" ]; then exit 0; fi

echo "installing for the tests:" $(missing) "(Debian packages; no cluster, no service)"
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
if ! server; then
	apt-get install -q -y --no-install-recommends postgresql-common
	sed -i 's/^#\{0,1\}create_main_cluster.*/create_main_cluster = false/' /etc/postgresql-common/createcluster.conf
	apt-get install -q -y --no-install-recommends postgresql
fi
if ! pooler; then
	# By this Debian's packages ask whether they may start their services.
	policy=/usr/sbin/policy-rc.d
	if [ ! -e "$policy" ]; then
		trap 'rm -f "$policy"' EXIT
		printf '#!/bin/sh\nexit 101\n' >"$policy"
		chmod +x "$policy"
	fi
	apt-get install -q -y --no-install-recommends pgbouncer
fi
