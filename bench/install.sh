#!/bin/sh
# Installs what the peers of the benchmark need, on Debian and its kin: servers by apt, where they are missing and it runs as root, and
# Node's packages by npm, as node/package-lock.json pins them. It starts no service. A peer whose needs are not met is left
# out of the report, which says so.
set -u
cd "$(dirname "$0")"

missing=""
command -v redis-server >/dev/null || missing="$missing redis-server"
command -v beanstalkd >/dev/null || missing="$missing beanstalkd"
command -v strace >/dev/null || missing="$missing strace"
command -v npm >/dev/null || missing="$missing npm"
if [ -n "$missing" ]; then
	if [ "$(id -u)" -eq 0 ] && command -v apt-get >/dev/null; then
		policy=/usr/sbin/policy-rc.d # its answer 101 keeps packages from starting services
		if [ ! -e "$policy" ]; then
			trap 'rm -f "$policy"' EXIT
			trap 'exit 1' INT TERM
			printf '#!/bin/sh\nexit 101\n' >"$policy" && chmod +x "$policy"
		fi
		apt-get update -q
		for package in $missing; do # one that is not to be had keeps none of the others away
			DEBIAN_FRONTEND=noninteractive apt-get install -q -y --no-install-recommends "$package" || echo "bench: without $package" >&2
		done
	else
		echo "bench: missing, and only root on Debian can install them here:$missing" >&2
	fi
fi
sh ../internal/pgtest/install.sh || echo "bench: without PostgreSQL" >&2

# No script of a package runs: Node itself comes as a package too, since that of the system is often older than the peers ask for.
if [ node/node_modules/.package-lock.json -nt node/package-lock.json ]; then
	: # they are there
elif command -v npm >/dev/null; then
	npm ci --prefix node --ignore-scripts --no-audit --no-fund --loglevel=error || echo "bench: without the peers of Node" >&2
fi
