#!/bin/sh
# Installs PostgreSQL for the tests where it is missing, on Debian and its kin.
# It makes no cluster and starts no service: the tests start servers of their
# own. `make test` and CI run it; one that waits for another finds the work done.
set -eu

found() {
	if command -v initdb >/dev/null && command -v pg_ctl >/dev/null; then return 0; fi
	for program in /usr/lib/postgresql/*/bin/initdb; do
		if [ -x "$program" ]; then return 0; fi
	done
	return 1
}

if found; then exit 0; fi
if ! command -v apt-get >/dev/null; then
	echo "PostgreSQL is missing and there is no apt-get: install it, or set GODWIT_TEST_POSTGRES" >&2
	exit 1
fi
if [ "$(id -u)" -ne 0 ]; then
	echo "PostgreSQL is missing and only root may install it: apt-get install postgresql, or set GODWIT_TEST_POSTGRES" >&2
	exit 1
fi

exec 9>/var/lock/godwit-pgtest-install
flock 9
if found; then exit 0; fi

echo "installing PostgreSQL for the tests (Debian package postgresql; no cluster, no service)"
export DEBIAN_FRONTEND=noninteractive
apt-get update -q
apt-get install -q -y --no-install-recommends postgresql-common
sed -i 's/^#\{0,1\}create_main_cluster.*/create_main_cluster = false/' /etc/postgresql-common/createcluster.conf
apt-get install -q -y --no-install-recommends postgresql
