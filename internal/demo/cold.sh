#!/bin/sh
# Measures how long a newcomer waits: from `git clone` to the first job that is durably done, with nothing in the caches of Go. The
# clone is of the folder that this script is in, so a clone over the network comes on top; the modules are downloaded.
set -eu

top=$(cd "$(dirname "$0")/../.." && pwd)
dir=$(mktemp -d)
demo=
trap 'kill $demo 2>/dev/null || :; chmod -R u+w "$dir" && rm -rf "$dir"' EXIT
trap 'exit 1' HUP INT TERM

export GOMODCACHE="$dir/modules" GOCACHE="$dir/builds" GOFLAGS=
load() { uptime | sed 's/.*average[s]*: *//'; }

before=$(load)
start=$(date +%s)
git clone --quiet "$top" "$dir/godwit"
cd "$dir/godwit"
go run ./cmd/godwit demo --once --pace 0 --listen 127.0.0.1:0 >"$dir/said" &
demo=$!
until grep -q '^ *[1-9][0-9]* of [0-9]* months' "$dir/said"; do # a line for each tenth
	kill -0 "$demo" 2>/dev/null || {
		cat "$dir/said"
		echo "the demo ended before a job was done" >&2
		exit 1
	}
	sleep 0.2
done
took=$(($(date +%s) - start))
wait "$demo"
echo "$took s from git clone to the first result ($(git log -1 --format=%h), $(go env GOVERSION), $(getconf _NPROCESSORS_ONLN) cores, load average $before before and $(load) after)"
