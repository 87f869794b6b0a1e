#!/bin/sh
# SPDX-License-Identifier: Apache-2.0
#
# run.sh - a private PostgreSQL, steward in front of it, and a morning's work:
# clients and advisors approve matches, workspaces appear; tickets are assigned,
# wait, and escalate at their deadline.  Goes on until
# Ctrl-C, SIGTERM, or RUN_SECONDS.  Everything it keeps is in .run.
set -eu

top=$(cd "$(dirname "$0")/../.." && pwd)
demo=$top/tests/demo
build=$top/build
pgbin=$(pg_config --bindir)
cd / # where everybody may be
owner=$(id -un)
[ "$(id -u)" != 0 ] || owner=postgres

as_owner() {
	if [ "$(id -u)" = 0 ]; then
		runuser -u "$owner" -- "$@"
	else
		"$@"
	fi
}

say() { printf '%s  %s\n' "$(date +%H:%M:%S.%3N)" "$*"; }
fail() {
	echo "make run: $*" >&2
	exit 1
}
sql() { psql -XqAt -v ON_ERROR_STOP=1 -d steward "$@"; }

# .run itself where its owner can reach it and a socket path fits, else a link to a place that does.
find_place() {
	if [ -L "$top/.run" ] && [ -d "$top/.run/" ]; then
		place=$(readlink "$top/.run")
	elif [ -d "$top/.run/data" ]; then
		place=$top/.run
	elif [ ${#top} -lt 50 ] && [ -z "$(printf %s "$top" | tr -d 'A-Za-z0-9/._-')" ] && as_owner test -x "$top" && as_owner test -x "$build/workers"; then
		place=$top/.run
		mkdir -p "$place"
	else
		place=$(mktemp -d /tmp/steward-run.XXXXXX)
		rm -rf "$top/.run"
		ln -s "$place" "$top/.run"
	fi
	had=$(stat -c %U "$place/data" 2>/dev/null || echo "$owner")
	[ "$had" = "$owner" ] || fail "$place belongs to $had; run it as $had, or remove $place (and $top/.run) to start anew"
	exec 9>"$place/.lock"
	flock -n 9 || fail "another make run is at work in $place; end it with Ctrl-C first"
	mkdir -p "$place/sock" "$place/bin"
	# The owner may not be able to read the build; the copy is what runs.
	cp -f "$build/steward" "$build/stewardctl" "$build/workers/"* "$place/bin/"
	cp -f "$top/conf/dev.conf" "$place/steward.conf"
	[ "$(id -u)" != 0 ] || chown -R "$owner" "$place"
	chmod 755 "$place"
}

# What a killed run may have left: a supervisor that still holds the lock, a postmaster.
recover() {
	old=$(cat "$place/sock/steward.lock" 2>/dev/null || true)
	if [ -n "$old" ] && [ "$(readlink "/proc/$old/exe" 2>/dev/null | sed 's/ (deleted)$//')" = "$place/bin/steward" ]; then
		say "stopping the steward that an earlier run left (pid $old)"
		kill "$old" && tail --pid="$old" -f /dev/null
	fi
	if as_owner "$pgbin/pg_ctl" -D "$place/data" status >/dev/null 2>&1; then
		say "stopping the PostgreSQL that an earlier run left"
		as_owner "$pgbin/pg_ctl" -D "$place/data" -s -w -m fast stop
	fi
}

start_postgres() {
	if [ ! -e "$place/data/PG_VERSION" ]; then
		say "making a PostgreSQL cluster in $place/data"
		# Under its name only when it is whole.
		rm -rf "$place/data.new"
		as_owner "$pgbin/initdb" -D "$place/data.new" -U postgres -A trust -E UTF8 --locale=C.UTF-8 >"$place/initdb.log" 2>&1 9>&-
		mv "$place/data.new" "$place/data"
	fi
	# setsid: Ctrl-C is for this script, which stops things in their order.
	as_owner setsid "$pgbin/pg_ctl" -D "$place/data" -w -s -l "$place/postgres.log" start \
		-o "-k $place/sock -c listen_addresses= -c track_commit_timestamp=on" 8>&- 9>&-
	# pg_ctl may have believed the postmaster.pid that a killed one left.
	wait_for 60 "PostgreSQL does not answer; see $place/postgres.log" pg_isready -q
	say "PostgreSQL $(psql -XqAt -d postgres -c 'SHOW server_version') runs on $place/sock"
}

# wait_for SECONDS COMPLAINT COMMAND...
wait_for() {
	late=$(($(date +%s) + $1))
	complaint=$2
	shift 2
	until "$@" >/dev/null 2>&1; do
		[ "$(date +%s)" -lt $late ] || fail "$complaint"
		sleep 0.05
	done
}

works() { ctl status --json | jq -e '.state == "running" and .database.state == "up"'; }

start_steward() {
	# shellcheck disable=SC2024 # the log is this script's
	as_owner setsid "$place/bin/steward" -c "$place/steward.conf" 2>>"$place/steward.log" 8>&- 9>&- &
	until ctl ping >/dev/null 2>&1; do
		kill -0 $! 2>/dev/null || { tail -n 5 "$place/steward.log" >&2; exit 1; }
		sleep 0.05
	done
	supervisor=$(cat "$place/sock/steward.lock")
	wait_for 20 "steward does not get to work; ask $place/bin/stewardctl status, or see $place/steward.log" works
	ctl status
}

ctl() { "$place/bin/stewardctl" -c "$place/steward.conf" "$@"; }

stop_all() {
	trap - EXIT INT TERM HUP
	set +e
	# A trap runs with the redirections of what it interrupts.
	exec >&8
	echo
	say "stopping steward and PostgreSQL"
	if [ -n "${supervisor:-}" ] && kill "$supervisor" 2>/dev/null; then
		tail --pid="$supervisor" -f /dev/null
	fi
	as_owner "$pgbin/pg_ctl" -D "$place/data" -s -w -m fast stop || true
	say "done; the data stays in $place, a second make run goes on with it"
	exit "${status:-0}"
}

# print_news - new events since $since
print_news() {
	sql -v since="$since" -f "$demo/news.sql" >"$place/news"
	grep -v '^since ' "$place/news" || true
	since=$(sed -n 's/^since //p' "$place/news")
}

approve() { # side user match name
	is_client=0
	[ "$1" = client ] && is_client=1
	at=$(date +%H:%M:%S.%3N)
	status_now=$(sql -v is_client=$is_client -v who="$2" -v match="$3" -f "$demo/approve.sql")
	printf '%s  %-8s approves  %-20s -> %s\n' "$at" "$1" "$(echo "$4" | tr _ ' ')" "$status_now"
}

play() {
	n=0
	while read -r match name client advisor; do
		n=$((n + 1))
		# Either may be first.
		if [ $((n % 3)) = 0 ]; then
			approve advisor "$advisor" "$match" "$name"
			approve client "$client" "$match" "$name"
		else
			approve client "$client" "$match" "$name"
			approve advisor "$advisor" "$match" "$name"
		fi
		if [ $n = 6 ]; then
			victim=$(ctl status --json | jq -r 'first(.workers[] | select(.kind == "provisioning")).pid')
			say "kill -9 $victim: a worker dies; watch nothing happen"
			kill -9 "$victim"
		fi
		sleep 0.3
		print_news
	done <"$place/proposed"
}

# shown SECONDS FILE ARGS - what the rows say, once they say something
shown() {
	late=$(($(date +%s) + $1))
	shift
	until line=$(sql "$@") && [ -n "$line" ]; do
		[ "$(date +%s)" -lt $late ] || fail "the rows do not say what they should: $*"
		sleep 0.02
	done
	say "$line"
}

ticket() { say "petra asks          $1: $(sql -v item="$1" -f "$demo/ticket.sql")"; }

# Two tickets, one place at the desk.
desk() {
	stamp=$(date +%H%M%S)
	sql -f "$demo/team.sql"
	ticket "ticket-$stamp-1"
	ticket "ticket-$stamp-2"
	say "noor completes      ticket-$stamp-1"
	sql -c "UPDATE assignments SET status = 'completed' WHERE work_item_id = 'ticket-$stamp-1'"
	shown 10 -v completed="ticket-$stamp-1" -v waited="ticket-$stamp-2" -f "$demo/drained.sql"
	say "its deadline        is moved to half a second from now"
	sql -c "UPDATE assignments SET sla_deadline = steward.now() + interval '0.5 s' WHERE work_item_id = 'ticket-$stamp-2'"
	shown 10 -v item="ticket-$stamp-2" -f "$demo/escalated.sql"
	sql -c "UPDATE assignments SET status = 'completed' WHERE work_item_id = 'ticket-$stamp-2'"
}

find_place
export PGHOST="$place/sock" PGUSER=postgres
export STEWARD__RUN_DIRECTORY="$place/sock" STEWARD__SUPERVISOR__LIBEXEC_DIRECTORY="$place/bin"
export STEWARD__DATABASE__CONNINFO="host=$place/sock dbname=steward user=steward"
recover
trap 'status=$?; stop_all' EXIT
exec 8>&1
trap 'status=0; stop_all' INT TERM
trap 'status=129; exec 8>/dev/null 2>&1; stop_all' HUP

start_postgres
ctl db setup --admin "host=$place/sock dbname=postgres user=postgres" || case $? in
57 | 78) fail "the database of an earlier run does not fit; remove $place to start anew" ;;
*) fail "the database cannot be set up" ;;
esac
start_steward

began=$(sql -c 'SELECT clock_timestamp()')
since=$began
sql -F ' ' -f "$demo/data.sql" >"$place/proposed"
say "$(wc -l <"$place/proposed") matches proposed; clients and advisors now decide"
echo
play

# Every finalized match gets its workspace; a deadline so that a fault is shown and not waited out.
deadline=$(($(date +%s) + 10))
until [ "$(sql -c "SELECT count(*) FROM workspace_provisioning_queue WHERE status <> 'completed' AND created_at >= '$began'")" = 0 ] ||
	[ "$(date +%s)" -ge $deadline ]; do sleep 0.1; done
print_news
echo
desk

cat <<END

$(sql -v since="$began" -f "$demo/summary.sql")

Try next, in another terminal:
  export STEWARD_SOCKET=$place/sock/control.ipc PGHOST=$place/sock PGUSER=postgres PGDATABASE=steward
  export STEWARD__DATABASE__CONNINFO="host=$place/sock dbname=steward user=steward"
  $place/bin/stewardctl status
  psql -c "SELECT status, count(*) FROM workspace_provisioning_queue GROUP BY 1"
  $place/bin/stewardctl -c $place/steward.conf schedule list
  kill -9 $(ctl status --json | jq -r '.workers[0].pid')    # it is back before you look
Log: $place/steward.log.  Ctrl-C stops everything.

END
seconds=0
while [ -z "${RUN_SECONDS:-}" ] || [ $seconds -lt "$RUN_SECONDS" ]; do
	sleep 1
	seconds=$((seconds + 1))
	print_news
done
