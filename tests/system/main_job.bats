# SPDX-License-Identifier: Apache-2.0
# The main job with real processes: approved matches become workspaces, whatever is killed meanwhile.

bats_require_minimum_version 1.5.0
load steward
load matches

setup() {
	main_job_setup
	sql -c 'TRUNCATE auth.users, public.projects, steward.event, steward.job_run CASCADE'
}

teardown() {
	steward_teardown
}

all_done() {
	nothing_waits && [ "$(count "advisor_match_requests WHERE status = 'client_approved'")" = 0 ]
}

@test "a finalized match has its workspace, welcome and event before anybody polls" {
	steward_set provisioning.tick 30000
	start_steward
	make_matches 20
	finalize
	within 20 nothing_waits
	[ "$(count "workspace_provisioning_queue WHERE status = 'completed'")" = 20 ]
	books_are_right
}

@test "a backlog that was there before steward is worked off in batches" {
	make_matches 500
	finalize_together
	start_steward
	wait_until 10 nothing_waits
	[ "$(count "workspace_provisioning_queue WHERE status = 'completed'")" = 500 ]
	books_are_right
}

@test "without a single notification the safety poll finds the job" {
	start_steward
	make_matches 1
	sql -c 'ALTER TABLE workspace_provisioning_queue DISABLE TRIGGER USER'
	finalize
	wait_until 5 nothing_waits
	sql -c 'ALTER TABLE workspace_provisioning_queue ENABLE TRIGGER USER'
	books_are_right
}

@test "kill -9 of a worker in the middle of a batch loses nothing and repeats nothing" {
	steward_set workers.provisioning.processes 1
	make_matches 50
	finalize_together
	hold_batch
	start_steward
	wait_until 5 is_stuck_on_a_lock
	victim=$(pid_of provisioning 0)
	kill -KILL "$victim"
	release_lock
	wait_until 5 is_replaced provisioning 0 "$victim"
	wait_until 15 nothing_waits
	sql -c 'DROP FUNCTION public.hold_batch() CASCADE'
	[ "$(count "workspace_provisioning_queue WHERE status = 'completed'")" = 50 ]
	books_are_right
}

@test "kill -9 again and again while matches are finalized leaves the books right" {
	steward_set supervisor.restart_delay_min 1
	steward_set supervisor.restart_delay_max 5
	steward_set supervisor.restart_limit 1000
	start_steward
	make_matches 200
	finalize &
	for _ in $(seq 10); do
		wait_until 5 has_state provisioning 0 ready
		kill_worker provisioning 0
		wait_until 5 has_state provisioning 1 ready
		kill_worker provisioning 1
	done
	wait $!
	wait_until 15 all_done
	books_are_right
}

workers_leave_with_the_supervisor() {
	start_steward || return
	kill -KILL "$STEWARD_PID" && within 1 has_no_processes
}

@test "kill -9 of the supervisor: workers leave within a second, the next one goes on" {
	make_matches 100
	finalize &
	local finalizing=$!
	punctual workers_leave_with_the_supervisor
	wait "$finalizing"
	start_steward
	wait_until 10 all_done
	books_are_right
}

@test "a worker that is stopped longer than any timeout is replaced; woken, it changes nothing" {
	steward_set supervisor.hang_timeout 500
	steward_set supervisor.abort_grace 200
	steward_set workers.provisioning.processes 1
	start_steward
	victim=$(pid_of provisioning 0)
	kill -STOP "$victim"
	make_matches 20
	finalize
	wait_until 10 is_replaced provisioning 0 "$victim"
	kill -CONT "$victim" 2>/dev/null || true
	wait_until 10 nothing_waits
	books_are_right
}

@test "backends that are terminated come back; nothing is lost" {
	start_steward
	make_matches 200
	finalize &
	for _ in $(seq 10); do
		sql -c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'steward/%' AND datname = current_database()" >/dev/null
		wait_until 5 database_is up
	done
	wait $!
	wait_until 15 all_done
	wait_until 5 database_is up
	books_are_right
}

@test "a listener that was terminated listens again, long before the next poll" {
	steward_set provisioning.tick 30000
	steward_set workers.provisioning.processes 1
	start_steward
	sql -c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'steward/%/listen' AND datname = current_database()" >/dev/null
	make_matches 5
	finalize
	within 20 nothing_waits
	books_are_right
	sessions() { count "pg_stat_activity WHERE application_name LIKE 'steward/provisioning%' AND datname = current_database() AND backend_start < now() - interval '$1'"; }
	both_are_there() { [ "$(sessions '0 s')" = 2 ]; }
	wait_until 5 both_are_there
	sleep 1
	[ "$(sessions '0.9 s')" = 2 ] # and stay
}

keep_their_time() { [ "$(count "public.workspace_provisioning_queue WHERE completed_at > next_retry_at + interval '0.3 seconds'")" = 0 ]; }

jobs_put_off_keep_their_time() {
	# In one transaction, and so with one notification.
	make_matches 2
	sql -c "UPDATE public.advisor_match_requests SET status = 'finalized' WHERE status = 'client_approved';
		UPDATE public.workspace_provisioning_queue SET next_retry_at = now() + interval '2 seconds'
		 WHERE id = (SELECT id FROM public.workspace_provisioning_queue WHERE status = 'pending' LIMIT 1)"
	within 10 nothing_waits
	# It is learnt of, and another comes before its time.
	make_matches 1
	sql -c "UPDATE public.advisor_match_requests SET status = 'finalized' WHERE status = 'client_approved';
		UPDATE public.workspace_provisioning_queue SET next_retry_at = now() + interval '2 seconds' WHERE status = 'pending'"
	make_matches 1
	sql -c "SELECT pg_sleep_until(next_retry_at - interval '0.5 seconds') FROM public.workspace_provisioning_queue WHERE status = 'pending'"
	finalize
	within 10 nothing_waits
	keep_their_time || { sql -c 'DELETE FROM public.workspace_provisioning_queue'; return 1; }
}

@test "a job that was put off keeps its time when others are done before it" {
	steward_set provisioning.tick 30000
	steward_set workers.provisioning.processes 1
	start_steward
	make_matches 1
	finalize
	wait_until 5 nothing_waits
	punctual jobs_put_off_keep_their_time
}

@test "two nodes on one database share the work, nothing twice" {
	steward_set workers.provisioning.processes 1
	start_steward
	start_second
	# One is held in its first job; the other does the rest.
	make_matches 1
	hold_batch
	finalize
	wait_until 5 is_stuck_on_a_lock
	make_matches 299
	finalize
	others_are_done() { [ "$(count "workspace_provisioning_queue WHERE status = 'completed'")" = 299 ]; }
	wait_until 15 others_are_done
	is_stuck_on_a_lock
	release_lock
	wait_until 15 all_done
	sql -c 'DROP FUNCTION public.hold_batch() CASCADE'
	books_are_right
	[ "$(count "workspace_provisioning_queue WHERE status = 'completed'")" = 300 ]
	stop_second
	stop_steward
}

@test "a second approval of the project replaces the advisor, in one workspace" {
	start_steward
	make_matches 1
	finalize
	wait_until 5 nothing_waits
	sql <<-'SQL'
		WITH person AS (INSERT INTO auth.users (email) VALUES ('second@example.org') RETURNING id)
		INSERT INTO advisor_match_requests (project_id, requested_by, match_criteria, matched_advisor_id, expires_at)
		SELECT m.project_id, m.requested_by, '{}', person.id, steward.now() + interval '1 hour' FROM advisor_match_requests m, person;
		UPDATE advisor_match_requests SET status = 'matched' WHERE status = 'pending';
		UPDATE advisor_match_requests SET status = 'advisor_accepted' WHERE status = 'matched';
		UPDATE advisor_match_requests SET status = 'finalized' WHERE status = 'advisor_accepted';
	SQL
	wait_until 5 nothing_waits
	[ "$(count "project_advisors WHERE status = 'active'")" = 1 ]
	books_are_right
}

@test "advisors, clients and projects deleted under load leave no half promise" {
	start_steward
	make_matches 200
	finalize &
	for _ in $(seq 15); do
		sql -c "DELETE FROM auth.users WHERE id = (SELECT matched_advisor_id FROM advisor_match_requests WHERE matched_advisor_id IS NOT NULL ORDER BY random() LIMIT 1)" || true
		sql -c "DELETE FROM auth.users WHERE id = (SELECT owner_id FROM projects WHERE owner_id IS NOT NULL ORDER BY random() LIMIT 1)" || true
		sql -c "DELETE FROM projects WHERE id = (SELECT id FROM projects ORDER BY random() LIMIT 1)" || true
	done
	wait $! || true
	finalize
	wait_until 15 all_done
	books_are_right
	[ "$(count "advisor_match_requests WHERE status = 'finalized' AND matched_advisor_id IS NULL")" = 0 ]
}

@test "the flag switched off rests a backlog, switched on continues it" {
	steward_set provisioning.tick 30000
	start_steward
	make_matches 30
	sql -c "SELECT steward.flag_set('advisor_auto_provision', true, 0, 'test')" >/dev/null
	finalize 10
	[ "$(count workspace_provisioning_queue)" = 0 ]
	sql -c "SELECT steward.flag_set('advisor_auto_provision', true, 100, 'test')" >/dev/null
	ask ask_pause kind=provisioning paused=true
	wait_until 5 has_state provisioning 0 paused
	wait_until 5 has_state provisioning 1 paused
	finalize 10
	[ "$(count "workspace_provisioning_queue WHERE status = 'pending'")" = 10 ]
	sql -c "SELECT steward.flag_set('advisor_auto_provision', false, 100, 'test')" >/dev/null
	ask ask_pause kind=provisioning paused=false
	wait_until 5 has_state provisioning 0 ready
	wait_until 5 has_state provisioning 1 ready
	[ "$(count "workspace_provisioning_queue WHERE status = 'pending' AND attempt_count = 0")" = 10 ]
	sql -c "SELECT steward.flag_set('advisor_auto_provision', true, 100, 'test')" >/dev/null
	within 20 nothing_waits
	[ "$(count "workspace_provisioning_queue WHERE status = 'completed'")" = 10 ]
}

@test "a row that another client left in processing is reaped, one attempt counted" {
	steward_set provisioning.upkeep 200
	make_matches 1
	finalize
	sql -c "UPDATE workspace_provisioning_queue SET status = 'processing', locked_by = 'somebody', locked_at = steward.now() - interval '3 minutes'"
	start_steward
	wait_until 10 nothing_waits
	[ "$(count "workspace_provisioning_queue WHERE status = 'completed' AND attempt_count = 1")" = 1 ]
	books_are_right
}

@test "more old rows than one upkeep removes go at once, and batches take turns with it" {
	steward_set workers.provisioning.processes 1
	steward_set provisioning.tick 30000
	steward_set provisioning.upkeep 3600000
	steward_set provisioning.batch 1
	make_matches 5
	finalize
	sql <<-'SQL'
		INSERT INTO steward.event (organization_id, project_id, seq, name, data, created_at)
		SELECT organization_id, id, 1000 + i, 'old', '{}', steward.now() - interval '31 days'
		  FROM (SELECT * FROM projects LIMIT 1) p, generate_series(1, 5000) i;
		CREATE TABLE public.round (number int GENERATED ALWAYS AS IDENTITY, completed int);
		CREATE FUNCTION public.round() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN
		    INSERT INTO public.round (completed) SELECT count(*) FROM public.workspace_provisioning_queue WHERE status = 'completed';
		    RETURN NULL;
		END $$;
		CREATE TRIGGER round AFTER DELETE ON steward.event FOR EACH STATEMENT EXECUTE FUNCTION public.round();
	SQL
	start_steward
	is_over() { [ "$(count round)" -ge 6 ]; }
	wait_until 5 is_over
	[ "$(count "steward.event WHERE name = 'old'")" = 0 ]
	wait_until 5 nothing_waits
	# Five full rounds with a job between each two, and one that finds nothing more.
	[ "$(sql -c "SELECT string_agg(completed::text, ' ' ORDER BY number) FROM round")" = '0 1 2 3 4 5' ]
	sql -c 'DROP TABLE public.round' -c 'DROP FUNCTION public.round() CASCADE'
}

# ------------------------------------------------- the database is not as it should be
@test "a revoked grant: status says so, nothing is counted, it goes on by itself" {
	start_steward
	sql -c 'REVOKE EXECUTE ON FUNCTION steward.provision_batch(text, int, boolean) FROM steward_worker'
	make_matches 3
	finalize
	wait_until 5 database_is down
	[[ $(database_detail) == *"permission denied"*provision_batch*"stewardctl db verify"* ]]
	logged 'event=database_changed .*state=down .*permission denied.*provision_batch.*stewardctl db verify'
	[ "$(count "workspace_provisioning_queue WHERE status = 'pending' AND attempt_count = 0")" = 3 ]
	sql -c 'GRANT EXECUTE ON FUNCTION steward.provision_batch(text, int, boolean) TO steward_worker'
	wait_until 5 nothing_waits
	wait_until 5 database_is up
	[ "$(field provisioning 0 restarts)" = 0 ]
	books_are_right
}

@test "a dropped function: status names the command, nothing is counted, it goes on by itself" {
	start_steward
	sql -c 'ALTER FUNCTION steward.provision_batch(text, int, boolean) RENAME TO gone'
	make_matches 3
	finalize
	wait_until 5 database_is schema_old
	[[ $(database_detail) == *provision_batch*"stewardctl db verify"* ]]
	logged 'event=database_changed .*state=schema_old .*provision_batch.*stewardctl db verify'
	[ "$(count "workspace_provisioning_queue WHERE status = 'pending' AND attempt_count = 0")" = 3 ]
	sql -c 'ALTER FUNCTION steward.gone(text, int, boolean) RENAME TO provision_batch'
	wait_until 5 nothing_waits
	wait_until 5 database_is up
	[ "$(field provisioning 0 restarts)" = 0 ]
}

@test "a schema that is newer, then older, than the program: it waits and says what to do" {
	start_steward
	sql -c "INSERT INTO steward.migration (version, name, sha256) VALUES (9999, 'from the future', '')"
	sql -c 'NOTIFY steward_schema'
	wait_until 5 database_is schema_new
	[[ $(database_detail) == *"schema 9999"*"upgrade steward"* ]]
	logged 'event=database_changed .*state=schema_new .*schema 9999.*upgrade steward'
	sql -c "DELETE FROM steward.migration WHERE version = 9999"
	wait_until 5 database_is up
	sql -c "CREATE TABLE newest AS SELECT * FROM steward.migration ORDER BY version DESC LIMIT 1"
	sql -c "DELETE FROM steward.migration WHERE version = (SELECT version FROM newest)"
	sql -c 'NOTIFY steward_schema'
	wait_until 5 database_is schema_old
	[[ $(database_detail) == *"at work on schema"*"stewardctl db migrate"* ]]
	logged 'event=database_changed .*state=schema_old .*at work on schema.*stewardctl db migrate'
	make_matches 2
	finalize
	wait_until 5 nothing_waits
	books_are_right
	sql -c "CREATE TABLE two AS SELECT * FROM steward.migration ORDER BY version DESC LIMIT 1" -c "DELETE FROM steward.migration WHERE version = (SELECT version FROM two)"
	sql -c 'NOTIFY steward_schema'
	waits_for_a_migration() { [[ $(database_detail) == *"this program needs"* ]]; }
	wait_until 5 waits_for_a_migration
	sql -c "INSERT INTO steward.migration SELECT * FROM two; DROP TABLE two"
	sql -c "INSERT INTO steward.migration SELECT * FROM newest; DROP TABLE newest"
	sql -c 'NOTIFY steward_schema'
	wait_until 5 database_is up
	[ "$(field provisioning 0 restarts)" = 0 ]
}

@test "a server that has become read-only: nothing is counted, a new session is tried until one writes" {
	steward_set workers.provisioning.processes 1
	sql -c "ALTER ROLE steward IN DATABASE $PGDATABASE SET default_transaction_read_only = on"
	start_steward
	make_matches 2
	finalize
	wait_until 5 database_is down
	[[ $(database_detail) == *"read-only transaction"* ]]
	logged 'event=database_changed .*state=down .*read-only transaction'
	sql -c "ALTER ROLE steward IN DATABASE $PGDATABASE RESET default_transaction_read_only"
	wait_until 5 nothing_waits
	wait_until 5 database_is up
	[ "$(count "workspace_provisioning_queue WHERE attempt_count > 0")" = 0 ]
	books_are_right
}

@test "an error with long foreign words is shown, and costs no worker" {
	name=$(printf 'ü%.0s' {1..31})
	steward_set database.conninfo "\"host=$PGHOST dbname=$PGDATABASE user=$name\""
	steward_set supervisor.hang_timeout 2000
	start_steward
	wait_until 5 database_is down
	[[ $(database_detail) == *ü* ]]
	logged 'event=database_changed .*state=down .*ü'
	has_beaten_on() { [ "$(field provisioning 0 uptime_seconds)" -ge 4 ]; }
	wait_until 5 has_beaten_on
	[ "$(field provisioning 0 restarts)" = 0 ]
}

@test "the supervisor dies while a statement runs: the worker waits for it without spinning" {
	sql <<-'SQL'
		ALTER FUNCTION steward.provision_batch(text, int, boolean) RENAME TO provision_batch_at_once;
		CREATE FUNCTION steward.provision_batch(worker text, batch_limit int, looks_ahead boolean)
		    RETURNS TABLE (claimed int, completed int, retried int, rolled_back int, next_due_ms bigint, reaped int)
		    LANGUAGE sql SECURITY DEFINER AS $$ SELECT pg_sleep(2); SELECT * FROM steward.provision_batch_at_once(worker, batch_limit, looks_ahead) $$;
		GRANT EXECUTE ON FUNCTION steward.provision_batch(text, int, boolean) TO steward_worker;
	SQL
	steward_set workers.provisioning.processes 1
	start_steward
	is_asleep() { [ "$(count "pg_stat_activity WHERE application_name = 'steward/provisioning[0]' AND datname = current_database() AND wait_event = 'PgSleep'")" = 1 ]; }
	wait_until 5 is_asleep
	worker=$(pid_of provisioning 0)
	kill -KILL "$STEWARD_PID"
	# Ticks of 10 ms, read until it is gone: a spinning worker uses nearly 200 of them.
	used=0
	while ticks=$(awk '{ print $14 + $15 }' "/proc/$worker/stat" 2>/dev/null) && [ -n "$ticks" ]; do
		used=$ticks
		sleep 0.05
	done
	[ "$used" -lt 40 ]
	sql -c 'DROP FUNCTION steward.provision_batch(text, int, boolean)' \
		-c 'ALTER FUNCTION steward.provision_batch_at_once(text, int, boolean) RENAME TO provision_batch'
}
