# Stops the servers and poolers below folder $2 with the pg_ctl in $1, and removes the
# folder, when nobody holds the other end of its input any more: the test
# binary has ended, in whatever way.
trap '' HUP INT TERM
cat >/dev/null
for data in "$2"/*/data; do
	if read -r pid <"$data/postmaster.pid"; then
		# One that a test had stopped has to go on to end.
		kill -CONT "$pid" $(cat "/proc/$pid/task/$pid/children")
		"$1/pg_ctl" -D "$data" -m immediate -t 30 -s stop
	fi
done
for pooler in "$2"/*/pooler.pid; do
	if read -r pid <"$pooler"; then kill -KILL "$pid"; fi
done
cd /
rm -rf "$2"
