#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# statements.def is a contract: the database has to keep it, and a person hears when it does not.

bats_require_minimum_version 1.5.0
load steward
load matches

setup() {
	main_job_setup
}

teardown() {
	steward_teardown
}

@test "every statement finds its function, with these parameters and columns" {
	run "${STEWARD_BUILD:-build}/tests/system/statements"
	echo "$output"
	[ "$status" -eq 0 ]
}

# fail FUNCTION - it raises what PL/pgSQL's own WHEN OTHERS lets through; mend FUNCTION ends it
fail() {
	sql -c "SELECT pg_get_functiondef('steward.$1'::regproc)" >"$STEWARD_DIR/$1.sql"
	sql -v name="$1" <<-'SQL'
		SELECT regexp_replace(pg_get_functiondef(('steward.' || :'name')::regproc), '\nAS \$function\$.*',
		                      E'\nAS $f$ BEGIN ASSERT false, ''the words of '|| :'name' || E'''; END $f$') \gexec
	SQL
}

mend() { sql -f "$STEWARD_DIR/$1.sql"; }

# What may have come due is looked at now.
nudge() { sql -c 'NOTIFY steward_provisioning' -c 'NOTIFY steward_sla' -c 'NOTIFY queue_process_needed' -c 'NOTIFY steward_schedule'; }

notice_of() { # KIND
	"$STEWARD_DIR/bin/stewardctl" -c "$STEWARD_DIR/steward.conf" worker list --json |
		jq -r --arg kind "$1" '.items[] | select(.kind == $kind) | .notice // ""'
}

tells_of() { nudge && [[ $(notice_of "$2") == "$1 fails since "*": the words of $1" ]]; } # FUNCTION KIND
tells_nothing() { nudge && [ -z "$(notice_of "$1")" ]; }

failed_again() { nudge && [ "$(grep -c "event=statement_failed.*statement=$1 " "$STEWARD_DIR/log")" -gt "$(($2 + 1))" ]; } # FUNCTION BEFORE

@test "status tells of each statement that fails while the database is up, since when and why, until it succeeds" {
	steward_set workers.provisioning.processes 1
	steward_set provisioning.upkeep 200
	# What fails again in the same words is seen by who debugs.
	steward_set log.level '"debug"'
	start_steward
	while read -r kind function; do
		fail "$function"
		wait_until 5 tells_of "$function" "$kind"
		database_is up
		"$STEWARD_DIR/bin/stewardctl" -c "$STEWARD_DIR/steward.conf" status | grep "! $function fails since 20"
		first=$(notice_of "$kind")
		# The moment is that of the first failure, and what other statements manage does not end it.
		before=$(grep -c "event=statement_failed.*statement=$function " "$STEWARD_DIR/log")
		wait_until 10 failed_again "$function" "$before"
		[ "$(notice_of "$kind")" = "$first" ]
		mend "$function"
		wait_until 10 tells_nothing "$kind"
	done <<-'LIST'
		provisioning provision_batch
		provisioning provision_upkeep
		sla_monitor sla_turn
		queue_fallback queue_drain
		capacity_snapshot job_start
		escalation_cleanup job_start
	LIST
}

@test "what fails again and again in the same words does not fill the log: the first is told, and at the end how often" {
	steward_set workers.queue_fallback.processes 1
	start_steward
	fail queue_drain
	sql -c 'CREATE SEQUENCE public.tries' -c 'GRANT USAGE ON SEQUENCE public.tries TO PUBLIC'
	sql -c "CREATE OR REPLACE FUNCTION steward.queue_drain(worker text, most int, past boolean DEFAULT false)
	        RETURNS TABLE (assigned int, tried int, more boolean, busy boolean) LANGUAGE plpgsql SECURITY DEFINER AS
	        \$\$ BEGIN PERFORM nextval('public.tries'); ASSERT false, 'the same words'; END \$\$"
	tried() { nudge && [ "$(sql -c 'SELECT last_value FROM public.tries')" -ge 5 ]; }
	wait_until 30 tried
	[ "$(grep -c 'event=statement_failed .*statement=queue_drain .*the same words' "$STEWARD_DIR/log")" = 1 ]
	grep -q 'event=statement_failed .*statement=queue_drain .*times=1 .*the same words' "$STEWARD_DIR/log"
	mend queue_drain
	is_told() { nudge && grep -q 'event=statement_succeeded .*statement=queue_drain failures=[0-9]' "$STEWARD_DIR/log"; }
	wait_until 10 is_told
	failures=$(grep -o 'statement=queue_drain failures=[0-9]*' "$STEWARD_DIR/log" | grep -o '[0-9]*$')
	[ "$failures" -ge 5 ]
}
