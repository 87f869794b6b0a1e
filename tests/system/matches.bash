# SPDX-License-Identifier: Apache-2.0
# Matches to work on, and the question whether the books are right.  Needs PGHOST and PGDATABASE.

sql() { PGOPTIONS='-c client_min_messages=warning' psql -XqAt -v ON_ERROR_STOP=1 "$@"; }

# make_matches N - N projects, each with a client and an advisor of its own and one approval still missing
make_matches() {
	sql -v n="$1" <<-'SQL'
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
	SQL
}

# finalize [N] - the missing approval for N matches (all), each its own transaction
finalize() {
	sql -v n="${1:-1000000}" <<-'SQL'
		SELECT format('UPDATE public.advisor_match_requests SET status = ''finalized'' WHERE id = %L;', id)
		  FROM public.advisor_match_requests WHERE status = 'client_approved' LIMIT :n \gexec
	SQL
}

# finalize_together - one statement for all, so that workers find a whole batch
finalize_together() {
	sql -c "UPDATE public.advisor_match_requests SET status = 'finalized' WHERE status = 'client_approved'"
}

count() { sql -c "SELECT count(*) FROM $*"; }

# no job waits any more
nothing_waits() {
	[ "$(count "public.workspace_provisioning_queue WHERE status IN ('pending', 'processing', 'rollback_needed')")" = 0 ]
}

# Every finalized match has exactly one workspace, welcome and ready event; prints what is wrong.
books_are_right() {
	local wrong
	wrong=$(sql -f "${BASH_SOURCE[0]%/*}/books.sql") || return 1
	[ -z "$wrong" ] || { printf '%s\n' "$wrong" >&2; return 1; }
}

# ------------------------------------------------------- steward on this database
# Needs steward.bash.  Retries and polls are short so that a test waits for events, not for pauses.
main_job_setup() {
	end_sessions
	steward_setup
	steward_set database.conninfo "\"host=$PGHOST dbname=$PGDATABASE user=steward\""
	steward_set workers.provisioning.processes 2
	steward_set provisioning.tick 500
}

# end_sessions - of processes that were killed: what they were at goes on, and would be met by a TRUNCATE
end_sessions() {
	sql -c "SELECT pg_terminate_backend(pid, 60000) FROM pg_stat_activity WHERE application_name LIKE 'steward/%' AND datname = current_database()" >/dev/null
}

# database_is STATE - what status says
database_is() {
	ask ask_status | grep -q "^node .* database=$1 "
}

database_detail() {
	"$STEWARD_DIR/bin/stewardctl" --socket "$STEWARD_RUN/control.ipc" status --json | jq -r '.database.detail'
}

# is_stuck_on_a_lock [KIND] - a worker's batch waits for somebody's row lock
is_stuck_on_a_lock() {
	[ "$(count "pg_stat_activity WHERE application_name LIKE 'steward/${1:-provisioning}%' AND datname = current_database() AND wait_event_type = 'Lock'")" -gt 0 ]
}

# hold_lock SQL - keep what the statement locks until release_lock
hold_lock() {
	mkfifo "$STEWARD_DIR/hold"
	psql -XqAt -v ON_ERROR_STOP=1 <"$STEWARD_DIR/hold" >"$STEWARD_DIR/held" 3>&- &
	exec 9>"$STEWARD_DIR/hold"
	printf 'BEGIN;\n%s;\nSELECT %s;\n' "$1" "'held'" >&9
	wait_until 5 grep -q held "$STEWARD_DIR/held"
}

# hold_batch - the next batch with a job stops with its work done and not committed until release_lock, or the end of
# that session; other workers' go on.  A lock of one of its rows would be waited for no longer than lock_timeout.
hold_batch() {
	make_hold
	hold_lock 'SELECT pg_advisory_lock(4711)'
}

# make_hold - the next batch stops while somebody has the advisory lock 4711
make_hold() {
	sql <<-'SQL'
		CREATE OR REPLACE FUNCTION public.hold_batch() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER SET lock_timeout = 0 AS
		    $$ BEGIN PERFORM pg_advisory_xact_lock(4711) WHERE pg_try_advisory_xact_lock(4712); RETURN NULL; END $$;
		CREATE OR REPLACE TRIGGER hold_batch AFTER INSERT ON project_chat_log_minimal FOR EACH ROW EXECUTE FUNCTION public.hold_batch();
	SQL
}

release_lock() {
	echo 'COMMIT;' >&9
	exec 9>&-
	rm "$STEWARD_DIR/hold"
}
