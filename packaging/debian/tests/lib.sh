# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=sh
#
# lib.sh - what the tests of the installed package share.  They need systemd, and some a PostgreSQL.
set -eu

fail() {
	echo "not so: $*" >&2
	systemctl status --no-pager --lines 40 steward >&2 || true
	exit 1
}

# until_true SECONDS COMMAND... - poll, with a deadline; a busy machine has four times as long
until_true() {
	tries=$(($1 * 40))
	shift
	until "$@" >/dev/null 2>&1; do
		[ "$tries" -gt 0 ] || fail "$*"
		tries=$((tries - 1))
		sleep 0.1
	done
}

as_postgres() { runuser -u postgres -- psql -XqAt -v ON_ERROR_STOP=1 "$@"; }

# A running cluster, where there is none yet.
have_cluster() {
	[ -n "$(pg_lsclusters --no-header)" ] || pg_createcluster "$(basename /usr/lib/postgresql/*)" main
	pg_lsclusters --no-header | while read -r version name _ state _; do
		[ "$state" = online ] || systemctl start "postgresql@$version-$name"
	done
	until_true 30 as_postgres -d postgres -c 'SELECT 1'
}

have_database() {
	have_cluster
	stewardctl db setup
	systemctl is-active --quiet steward || systemctl start steward
	until_true 30 database_is up
}

database_is() { stewardctl status --json | grep -q "\"state\": *\"$1\""; }

main_pid() { systemctl show --value -p MainPID steward; }

is_replaced() { [ "$(main_pid)" != "$1" ] && [ "$(main_pid)" != 0 ]; }

# N matches with both approvals, as any client of the tables may write them.
make_jobs() {
	as_postgres -d steward -v n="$1" <<-'SQL'
		WITH people AS (
		    INSERT INTO auth.users (email) SELECT gen_random_uuid() || '@example.org' FROM generate_series(1, 2 * :n) RETURNING id
		), numbered AS (
		    SELECT id, row_number() OVER () AS i FROM people
		), project AS (
		    INSERT INTO public.projects (owner_id, name) SELECT id, 'p' || i FROM numbered WHERE i <= :n RETURNING id, owner_id, name
		)
		INSERT INTO public.advisor_match_requests (project_id, requested_by, match_criteria, matched_advisor_id, expires_at)
		SELECT project.id, project.owner_id, '{}', advisor.id, steward.now() + interval '2 hours'
		  FROM project JOIN numbered advisor ON 'p' || (advisor.i - :n) = project.name;
		UPDATE public.advisor_match_requests SET status = 'matched' WHERE status = 'pending';
		UPDATE public.advisor_match_requests SET status = 'client_approved' WHERE status = 'matched';
		UPDATE public.advisor_match_requests SET status = 'finalized' WHERE status = 'client_approved';
	SQL
}

count() { as_postgres -d steward -c "SELECT count(*) FROM $*"; }

# Every finalized match has its one completed job and its one member.
all_done() {
	[ "$(count "workspace_provisioning_queue WHERE status <> 'completed'")" = 0 ] &&
		[ "$(count "advisor_match_requests r WHERE status = 'finalized' AND 1 <> (SELECT count(*) FROM project_advisors a
			WHERE a.project_id = r.project_id AND a.advisor_id = r.matched_advisor_id)")" = 0 ]
}
