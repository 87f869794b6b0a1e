#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
# Jobs at their time: a real worker that has nothing but jobs, and what operators ask and do about them.

bats_require_minimum_version 1.5.0
load steward
load matches

setup() {
	end_sessions
	steward_setup
	cp "$STEWARD_BUILD/tests/system/scheduled_worker" "$STEWARD_DIR/bin/workers/provisioning"
	steward_set database.conninfo "\"host=$PGHOST dbname=$PGDATABASE user=steward\""
	sql <<-'SQL'
		TRUNCATE steward.job_schedule, steward.job_run;
		CREATE TABLE IF NOT EXISTS public.job_effect (slot timestamptz);
		TRUNCATE public.job_effect;
		ALTER TABLE public.job_effect OWNER TO steward_owner;
		CREATE OR REPLACE FUNCTION public.job_good(slot timestamptz, OUT rows bigint, OUT message text) LANGUAGE sql AS $$
		    INSERT INTO public.job_effect VALUES (slot) RETURNING 1, 'done' $$;
		CREATE OR REPLACE FUNCTION public.job_bad(slot timestamptz, OUT rows bigint, OUT message text) LANGUAGE plpgsql AS $$
		BEGIN RAISE EXCEPTION 'it went wrong'; END $$;
		-- Slow the first time, until somebody has ended it.
		CREATE OR REPLACE FUNCTION public.job_slow(slot timestamptz, OUT rows bigint, OUT message text) LANGUAGE plpgsql AS $$
		BEGIN
		    PERFORM pg_sleep(60) WHERE NOT EXISTS (SELECT FROM public.job_effect);
		    INSERT INTO public.job_effect VALUES (slot);
		    rows := 1;
		END $$;
	SQL
}

teardown() {
	[ -z "${slow:-}" ] || kill -CONT "$slow" 2>/dev/null || true
	sql -c 'GRANT EXECUTE ON FUNCTION steward.job_start(text, text) TO steward_worker'
	steward_teardown
}

ctl() { "$STEWARD_DIR/bin/stewardctl" -c "$STEWARD_DIR/steward.conf" "$@"; }

# job NAME FUNCTION SCHEDULE [COLUMN=VALUE] - of the kind that this test's worker is
job() {
	sql -v name="$1" -v call="public.$2(timestamptz)" -v schedule="$3" <<-'SQL'
		INSERT INTO steward.job_schedule (name, worker, call, schedule) VALUES (:'name', 'provisioning', :'call', :'schedule');
	SQL
	[ -z "${4:-}" ] || sql -c "UPDATE steward.job_schedule SET $4 WHERE name = '$1'"
}

NEVER='0 0 29 2 *' # but when a test says so

# runs AT_LEAST CONDITION
runs() { [ "$(count "steward.job_run WHERE $2")" -ge "$1" ]; }

SLEEPS="wait_event = 'PgSleep' AND datname = current_database()"
goes_on() { runs 1 "status = 'running'" && [ "$(count "pg_stat_activity WHERE $SLEEPS")" = 1 ]; }
none_runs() { ! runs 1 "status = 'running'"; }
does_not_sleep() { [ "$(count "pg_stat_activity WHERE $SLEEPS")" = 0 ]; }

@test "a job is run at its time, never before it, and written down" {
	start_steward
	wait_until 5 has_state provisioning 0 ready
	# Only now: the worker hears of it.
	job tick job_good '2 s'
	within 20 runs 3 "status = 'completed' AND job = 'tick'"
	sql -c "SELECT steward.job_enable('tick', false)" >/dev/null
	wait_until 5 none_runs
	[ "$(count "steward.job_run WHERE started_at < scheduled_at")" = 0 ]
	[ "$(count "steward.job_run WHERE status <> 'completed' OR rows <> 1 OR message <> 'done' OR worker NOT LIKE 'worker-%' OR manual")" = 0 ]
	[ "$(count "steward.job_run r WHERE NOT EXISTS (SELECT FROM public.job_effect f WHERE f.slot = r.scheduled_at)")" = 0 ]
	logged 'event=job_completed .*job=tick rows=1'
	[ "$(sql -c "SELECT count(DISTINCT scheduled_at) = 1 + extract(epoch FROM max(scheduled_at) - min(scheduled_at)) / 2 FROM steward.job_run")" = t ]
}

@test "a job that fails is written down with its reason, and hinders nobody" {
	job bad job_bad '1 s'
	job good job_good '1 s'
	start_steward
	wait_until 8 runs 2 "status = 'failed' AND job = 'bad' AND error = 'P0001: it went wrong'"
	runs 1 "status = 'completed' AND job = 'good'"
	logged 'event=job_failed .*job=bad .*reason="P0001: it went wrong" hint="stewardctl schedule history bad"'
	[ "$(field provisioning 0 restarts)" = 0 ]
	run -0 ctl schedule history --failed --json
	jq -e '.items | length >= 2 and all(.[]; .job == "bad" and .status == "failed" and (.message | contains("it went wrong")))' <<<"$output"
}

@test "kill -9 in the middle: its work is undone, it has failed, and it runs again" {
	job slow job_slow "$NEVER"
	sql -c "UPDATE steward.job_schedule SET next_at = steward.now()"
	start_steward
	wait_until 5 goes_on
	wait_until 5 eval '[ "$(field provisioning 0 activity)" = slow ]'
	kill_worker provisioning 0
	# Nobody has to wait for what the dead one began.
	wait_until 5 does_not_sleep
	[ "$(count public.job_effect)" = 0 ]
	sql -c 'INSERT INTO public.job_effect VALUES (NULL)'
	# Ten seconds are its due; the test has no time for them.
	sql -c "UPDATE steward.job_run SET claimed_at = claimed_at - interval '10 s'"
	sql -c 'NOTIFY steward_schedule'
	within 20 runs 1 "status = 'completed' AND message LIKE 'again: the worker that ran the slot of%'"
	runs 1 "status = 'failed' AND error = 'the worker that ran it went away'"
	[ "$(count "steward.job_run")" = 2 ]
}

@test "a connection that is lost in the middle: the same run is performed when it is back" {
	job slow job_slow "$NEVER"
	sql -c "UPDATE steward.job_schedule SET next_at = steward.now()"
	start_steward
	wait_until 5 goes_on
	sql -c "INSERT INTO public.job_effect VALUES (NULL)" -c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE $SLEEPS" >/dev/null
	wait_until 5 runs 1 "status = 'completed'"
	[ "$(count "steward.job_run")" = 1 ]
	[ "$(field provisioning 0 restarts)" = 0 ]
}

@test "a revoked grant: status says so all the time, it is tried ever more seldom, and goes on by itself" {
	# A worker whose own work succeeds all the while.
	for kind in provisioning sla_monitor capacity_snapshot escalation_cleanup; do steward_set workers.$kind.processes 0; done
	steward_set queue_fallback.tick 100
	steward_set log.level '"debug"'
	job tick job_good '1 s' "worker = 'queue_fallback'"
	start_steward
	wait_until 5 runs 1 "status = 'completed'"
	sql -c 'REVOKE EXECUTE ON FUNCTION steward.job_start(text, text) FROM steward_worker'
	failed_often() { [ "$(failures)" -ge 2 ]; }
	failures() { grep -c 'event=statement_failed .*statement=job_start' "$STEWARD_DIR/log" || true; }
	is_denied() { ask ask_status | grep -q '^node .* database=down ' && [[ $(database_detail) == *"permission denied"*job_start* ]]; }
	wait_until 5 is_denied
	# What other statements do meanwhile does not hide it.
	local until=$((SECONDS + 3)) looks=0
	while ((SECONDS < until)); do
		looks=$((looks + 1))
		is_denied || { echo "look $looks: $(ask ask_status | head -n 1) $(database_detail)"; false; }
		sleep 0.05
	done
	echo "failures: $(failures), looks: $looks"
	wait_until 5 failed_often
	[ "$(failures)" -lt 30 ]
	[ "$(grep -c 'level=warning event=statement_failed' "$STEWARD_DIR/log")" = 1 ]
	before=$(count "steward.job_run WHERE status = 'completed'")
	sql -c 'GRANT EXECUTE ON FUNCTION steward.job_start(text, text) TO steward_worker'
	wait_until 5 runs "$((before + 2))" "status = 'completed'"
	wait_until 5 database_is up
	[ "$(field queue_fallback 0 restarts)" = 0 ]
}

@test "asked to stop in the middle of a job, a worker finishes it" {
	sql <<-'SQL'
		CREATE OR REPLACE FUNCTION public.job_second(slot timestamptz, OUT rows bigint, OUT message text) LANGUAGE plpgsql AS $$
		BEGIN PERFORM pg_sleep(1); END $$;
	SQL
	job second job_second "$NEVER"
	sql -c "UPDATE steward.job_schedule SET next_at = steward.now()"
	start_steward
	wait_until 5 goes_on
	stop_steward
	[ "$(count "steward.job_run WHERE status = 'completed'")" = 1 ]
}

@test "disabled and paused: nothing runs, also after a restart; then it goes on" {
	job tick job_good '1 s'
	start_steward
	wait_until 5 runs 1 "status = 'completed'"
	run -0 ctl schedule disable tick
	wait_until 5 none_runs
	before=$(count steward.job_run)
	sleep 1.5
	[ "$(count steward.job_run)" = "$before" ]
	stop_steward
	start_steward
	sleep 1.5
	[ "$(count steward.job_run)" = "$before" ]
	ctl worker pause provisioning
	wait_until 5 has_state provisioning 0 paused
	run -0 ctl schedule enable tick
	sleep 1.5
	[ "$(count steward.job_run)" = "$before" ]
	ctl worker resume provisioning
	within 20 runs "$((before + 1))" "true"
}

@test "two nodes with two processes each run a slot once" {
	steward_set workers.provisioning.processes 2
	job tick job_good '2 s'
	start_steward
	start_second
	from=$(count steward.job_run)
	wait_until 10 runs "$((from + 5))" "status = 'completed'"
	sql -c "SELECT steward.job_enable('tick', false)" >/dev/null
	stop_second
	stop_steward
	[ "$(count public.job_effect)" = "$(sql -c 'SELECT count(DISTINCT slot) FROM public.job_effect')" ]
	[ "$(count "steward.job_run WHERE status = 'completed'")" = "$(count public.job_effect)" ]
	[ "$(count "steward.job_run WHERE status NOT IN ('completed', 'skipped')")" = 0 ]
	# Each node had slots enough to lose.
	[ "$(sql -c "SELECT count(DISTINCT scheduled_at) = 1 + extract(epoch FROM max(scheduled_at) - min(scheduled_at)) / 2 FROM steward.job_run")" = t ]
}

@test "list, show, next and history" {
	# No clock is changed at noon.
	job night job_good '30 12 * * *' "time_zone = 'Europe/Berlin'"
	job tick job_good '1 hour'
	run -0 ctl schedule list --json
	jq -e '.items | map(.name) == ["night", "tick"]' <<<"$output"
	jq -e '.items[0] | .enabled and .worker == "provisioning" and .schedule == "30 12 * * *" and .time_zone == "Europe/Berlin" and .last_status == null and (.next_at | endswith("Z"))' <<<"$output"
	run -0 ctl schedule list
	[[ $output == *night*"30 12 * * *"*Europe/Berlin* ]]
	run -0 ctl schedule next night 3 --json
	jq -e '.items | length == 3 and all(.[]; .local_time | contains("12:30:00 Europe/Berlin"))' <<<"$output"
	run -0 ctl schedule next night --json
	jq -e '.enabled and (.items | length == 5)' <<<"$output"
	run -0 ctl schedule next night
	[[ $output != *disabled* ]]
	run ctl schedule next night many
	[ "$status" -eq 64 ]
	run -0 ctl schedule history
	[[ $output == "no run yet" ]]
	run -0 ctl schedule show night
	[[ $output == *"upcoming"*"12:30:00 Europe/Berlin"* ]]
	[[ $output =~ call\ +public\.job_good\(timestamptz\) && $output =~ updated_by\ +postgres ]]
	run -0 ctl schedule disable night
	run -0 ctl schedule show night
	[[ $output =~ updated_by\ +(.*)$'\n' && ${BASH_REMATCH[1]} != postgres* ]]
	run -0 ctl schedule next night 1
	[[ $output == "night is disabled; its slots would be:"*"12:30:00 Europe/Berlin" ]]
	run -0 ctl schedule next night 1 --json
	jq -e '.enabled == false and (.items | length == 1)' <<<"$output"
	run -0 ctl schedule next night 1 -o local_time
	[[ $output != *disabled* ]]
	run -0 ctl schedule enable night
	run -0 ctl schedule show night --json
	jq -e '.name == "night" and (.upcoming | length) == 5 and .history == []' <<<"$output"
	run ctl schedule show nihgt
	[ "$status" -eq 4 ]
	[[ $output == *'there is no job "nihgt"; did you mean "night"?' ]]
	run ctl schedule history something_else_entirely
	[ "$status" -eq 4 ]
	[[ $output == *'see: stewardctl schedule list' ]]
}

@test "run does it now, without any worker, and its exit status says how it went" {
	job night job_good '@daily'
	job bad job_bad '@daily'
	run -0 ctl schedule run night
	[[ $output == "night completed in "*" ms, 1 rows: done" ]]
	[ "$(count public.job_effect)" = 1 ]
	run -0 ctl schedule run night --json
	jq -e '.job == "night" and .status == "completed" and .manual and .rows == 1 and .message == "done"' <<<"$output"
	run ctl schedule run bad
	[ "$status" -eq 1 ]
	[[ $output == "bad failed in "*": P0001: it went wrong" ]]
	run ctl schedule run badd
	[ "$status" -eq 4 ]
	sql -c "INSERT INTO steward.job_run (job, scheduled_at, started_at, status, worker, claimed_at) VALUES ('night', '2026-01-01', '2026-01-01', 'running', 'somebody', clock_timestamp())"
	run ctl schedule run night
	[ "$status" -eq 1 ]
	[[ $output == *"job night is running since 2026-01-01T00:00:00.000Z, by somebody" ]]
	run -0 ctl schedule disable night
	[[ $output == "night is disabled" ]]
	run -0 ctl schedule enable night
	[[ $output == "night is enabled and runs next at "* ]]
	[ "$(sql -c "SELECT updated_by FROM steward.job_schedule WHERE name = 'night'")" = "$(id -un)" ]
}

@test "the clock of a test database is moved, and jobs follow; no other clock is" {
	admin="host=$PGHOST user=postgres dbname=$PGDATABASE"
	sql -c 'DELETE FROM steward.test_database'
	run ctl clock advance 1d --admin "$admin"
	[ "$status" -eq 1 ]
	[[ $output == *"database $PGDATABASE is not marked as one for tests, so its clock is not moved; mark one with: stewardctl db setup --test" ]]
	run -0 ctl db setup --test --admin "$admin"
	[[ $output == *"marked the database as one for tests"* ]]
	run ctl clock set '2031-02-03' --admin "host=$PGHOST user=steward dbname=$PGDATABASE"
	echo "$output"
	[ "$status" -eq 77 ]
	# Its next slot is 18 hours away, whenever this runs.
	job night job_good "$(date -u -d '6 hours ago' '+%M %H') * * *"
	start_steward
	wait_until 5 has_state provisioning 0 ready
	run -0 ctl clock show --json
	jq -e '.offset_ms == 0 and .movable' <<<"$output"
	run -0 ctl clock advance 1d --admin "$admin"
	within 20 runs 1 "status = 'completed'"
	run -0 ctl clock advance 48h --admin "$admin" --json
	jq -e '.offset_ms == 3 * 86400 * 1000' <<<"$output"
	within 20 runs 2 "status = 'completed'"
	[ "$(count "steward.job_run WHERE started_at BETWEEN scheduled_at AND scheduled_at + interval '1 day'")" = 2 ]
	run -0 ctl clock set '2031-02-03 04:05:06+00' --admin "$admin"
	[[ $output == 2031-02-03\ 04:05:* ]]
	# A run that is under way would be what the worker looks at next.
	within 20 runs 3 "status = 'completed'"
	run ctl clock set yesterdy --admin "$admin"
	[ "$status" -eq 65 ]
	run ctl clock advance soon --admin "$admin"
	[ "$status" -eq 64 ]
	run -0 ctl clock set now --admin "$admin"
	[[ $output == *"the real time"* ]]
	run -0 ctl schedule next night 1 --json
	# The slot of 2031 is brought back by the worker.
	wait_until 5 runs_soon
}

runs_soon() { [ "$(sql -c "SELECT next_at < now() + interval '1 day' FROM steward.job_schedule WHERE name = 'night'")" = t ]; }

@test "a clock that is moved while a worker connects is taken up" {
	for kind in sla_monitor queue_fallback capacity_snapshot escalation_cleanup; do steward_set workers.$kind.processes 0; done
	# A session has read what the database sets for it, and is not there for two seconds.
	steward_set database.conninfo "\"host=$PGHOST dbname=$PGDATABASE user=steward options='-c post_auth_delay=2'\""
	move_clock() { sql -c "ALTER DATABASE $PGDATABASE SET steward.clock_offset = '$1'; NOTIFY steward_schema"; }
	beginning() { pgrep -f "^postgres: steward $PGDATABASE \\[local\\] startup"; }
	none_begins() { [ -z "$(beginning)" ]; }
	one_begins() { [ "$(beginning | wc -l)" = 1 ]; }
	listener() { sql -c "SELECT pid FROM pg_stat_activity WHERE application_name = 'steward/provisioning[0]/listen' AND datname = current_database() AND query LIKE 'LISTEN%'"; }
	listens_anew() { [ -n "$(listener)" ] && [ "$(listener)" != "$1" ]; }
	job night job_good "$(date -u -d '6 hours ago' '+%M %H') * * *"
	start_steward
	wait_until 5 listens_anew ''
	move_clock '1800 days'
	wait_until 5 runs 1 "status = 'completed'"
	wait_until 5 none_begins
	listener=$(listener)
	sql -c "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'steward/provisioning[0]' AND datname = current_database()" >/dev/null
	wait_until 5 one_begins
	slow=$(beginning)
	kill -STOP "$slow"
	move_clock 0
	wait_until 5 listens_anew "$listener"
	kill -CONT "$slow"
	within 20 runs_soon
	sql -c "ALTER DATABASE $PGDATABASE RESET steward.clock_offset"
}
