# SPDX-License-Identifier: Apache-2.0
# What an operator asks about the main job, and does about it, with stewardctl and a real worker.

bats_require_minimum_version 1.5.0
load steward
load matches

setup() {
	main_job_setup
	sql -c 'TRUNCATE auth.users, public.projects, steward.event, steward.job_run, admin_matching_interventions CASCADE'
	sql -c "SELECT steward.flag_set('advisor_auto_provision', true, 100, 'test')" >/dev/null
	start_steward
}

teardown() {
	sql -c 'DROP FUNCTION IF EXISTS public.poison() CASCADE' || true
	steward_teardown
}

ctl() { "$STEWARD_DIR/bin/stewardctl" -c "$STEWARD_DIR/steward.conf" "$@"; }

# poison - the next welcome message raises a check violation, so its job rolls back at once
poison() {
	sql <<-'SQL'
		CREATE FUNCTION public.poison() RETURNS trigger LANGUAGE plpgsql AS
		    $$ BEGIN RAISE EXCEPTION 'poisoned' USING ERRCODE = 'check_violation'; END $$;
		CREATE TRIGGER poison BEFORE INSERT ON project_chat_log_minimal FOR EACH ROW EXECUTE FUNCTION public.poison();
	SQL
}

cure() {
	sql -c 'DROP TRIGGER poison ON project_chat_log_minimal' -c 'DROP FUNCTION public.poison()'
}

one_failed() {
	[ "$(count "workspace_provisioning_queue WHERE status = 'failed'")" = 1 ]
}

fail_one() {
	poison
	make_matches 1
	finalize
	wait_until 5 one_failed
	cure
	failed_job=$(sql -c "SELECT id FROM workspace_provisioning_queue WHERE status = 'failed'")
	failed_match=$(sql -c "SELECT match_id FROM workspace_provisioning_queue WHERE status = 'failed'")
}

@test "health counts jobs by status and tells the success rate" {
	make_matches 3
	finalize
	wait_until 5 nothing_waits
	fail_one
	run -0 ctl provisioning health --json
	[ "$(jq -r '.items[] | select(.status == "completed") | .count // .jobs' <<<"$output")" = 3 ]
	[ "$(jq -r '.items[] | select(.status == "failed") | .count // .jobs' <<<"$output")" = 1 ]
	jq -e '.performance' <<<"$output"
	run -0 ctl provisioning health
	[[ $output == *completed* && $output == *failed* ]]
}

@test "errors groups failures with cause and remedy; the match is back, administrators are told, status says it" {
	sql -c "INSERT INTO auth.users (email, raw_app_meta_data) VALUES ('admin@example.org', '{\"role\": \"admin\"}')"
	steward_set provisioning.upkeep 200
	ctl reload
	fail_one
	run -0 ctl provisioning errors --json
	[[ $output == *poisoned* ]]
	jq -e '.groups | length == 1' <<<"$output"
	[ "$(jq -r '.groups[0] | [.last_error, .class, .cause, .remedy] | join(" / ")' <<<"$output")" = "23514: poisoned / broadcast / a value the schema refuses / correct the data the error names, then: stewardctl provisioning retry ID" ]
	run -0 ctl provisioning errors
	[[ $output == *"1 x 23514: poisoned"*"class:  broadcast"*"cause:  a value the schema refuses"*"remedy: correct the data"* ]]
	[ "$(count "advisor_match_requests WHERE status = 'client_approved'")" = 1 ]
	[ "$(count notification_outbox "WHERE notification_type = 'workspace_provisioning_failure'")" = 1 ]
	status_tells_of_the_alert() { ctl status | grep -q "! undelivered alerts about failed workspaces: 1"; }
	wait_until 5 status_tells_of_the_alert
}

@test "what upkeep is refused stands in status until it is not, and keeps nothing else" {
	ctl flag set advisor_auto_provision off
	make_matches 3
	finalize
	refused=$(sql -c 'SELECT id FROM advisor_match_requests ORDER BY id LIMIT 1')
	sql <<-SQL
		CREATE FUNCTION public.poison() RETURNS trigger LANGUAGE plpgsql AS \$\$ BEGIN RAISE EXCEPTION 'not this one'; END \$\$;
		CREATE TRIGGER poison BEFORE INSERT ON workspace_provisioning_queue FOR EACH ROW WHEN (NEW.match_id = '$refused') EXECUTE FUNCTION public.poison();
	SQL
	steward_set provisioning.upkeep 200
	ctl reload
	ctl flag set advisor_auto_provision on
	others_are_done() { [ "$(count "workspace_provisioning_queue WHERE status = 'completed'")" = 2 ]; }
	wait_until 5 others_are_done
	status_tells_of_it() { ctl status --json | grep -q "\"notice\": \"upkeep: match $refused could not be queued: not this one\""; }
	wait_until 5 status_tells_of_it
	logged "event=upkeep_refused.*not this one"
	run -0 ctl provisioning backfill
	[[ $output == *"match $refused could not be queued: not this one"*"0 matches queued"* ]]
	sql -c 'DROP FUNCTION public.poison() CASCADE'
	all_are_done() { [ "$(count "workspace_provisioning_queue WHERE status = 'completed'")" = 3 ]; }
	wait_until 5 all_are_done
	status_is_silent() { ! ctl status --json | grep -q "upkeep:"; }
	wait_until 5 status_is_silent
	books_are_right
}

@test "errors lists the ten newest, the groups are whole" {
	poison
	make_matches 12
	finalize
	all_failed() { [ "$(count "workspace_provisioning_queue WHERE status = 'failed'")" = 12 ]; }
	wait_until 8 all_failed
	cure
	run -0 ctl provisioning errors --json
	[ "$(jq '.items | length' <<<"$output")" = 10 ]
	[ "$(jq '.groups[0].count' <<<"$output")" = 12 ]
}

@test "show and retry of a failed job: the match is finalized again and its workspace appears" {
	fail_one
	run -0 ctl provisioning show "$failed_job"
	[[ $output == *failed* && $output == *poisoned* ]]
	run -0 ctl provisioning retry "$failed_match"
	wait_until 5 nothing_waits
	[ "$(count "workspace_provisioning_queue WHERE status = 'completed' AND match_id = '$failed_match'")" = 1 ]
	books_are_right
	run ctl provisioning retry "$failed_job"
	[ "$status" -eq 1 ]
	fail_one
	ctl flag set advisor_auto_provision off
	run ctl provisioning retry "$failed_job"
	[ "$status" -eq 1 ]
	[[ $output == *"the flag advisor_auto_provision is off for the project"* ]]
	ctl flag set advisor_auto_provision on
	sql -c "UPDATE advisor_match_requests SET status = 'advisor_declined' WHERE id = '$failed_match'"
	run ctl provisioning retry "$failed_job"
	[ "$status" -eq 1 ]
	[[ $output == *"the match is advisor_declined by now and has to be approved again"* ]]
	for verb in show retry; do
		run ctl provisioning $verb 00000000-0000-4000-8000-000000000000
		[ "$status" -eq 4 ]
	done
	run ctl provisioning show nonsense
	[ "$status" -eq 65 ] || [ "$status" -eq 64 ]
}

@test "verify prints five ticks, and names what is missing" {
	make_matches 1
	finalize
	wait_until 5 nothing_waits
	match=$(sql -c 'SELECT id FROM advisor_match_requests')
	run -0 ctl provisioning verify "$match" --json
	[ "$(jq '.items | length' <<<"$output")" = 5 ]
	jq -e 'all(.items[]; .ok)' <<<"$output"
	lacks=()
	while read -r tick table detail; do
		[ "$table" = - ] || sql -c "DELETE FROM $table"
		[ "$table" != - ] || sql -c "UPDATE advisor_match_requests SET status = 'expired'"
		lacks+=("$tick")
		run ctl provisioning verify "$match" --json
		[ "$status" -eq 1 ]
		[ "$(jq -r '[.items[] | select(.ok | not) | .tick] | sort | join(" ")' <<<"$output")" = "$(printf '%s\n' "${lacks[@]}" | sort | paste -sd ' ')" ]
		run ctl provisioning verify "$match"
		[ "$status" -eq 1 ]
		grep -qE "^\[ \] $tick +$detail$" <<<"$output"
	done <<-'END'
		session unified_chat_sessions there is no chat session
		job workspace_provisioning_queue there is no job
		membership project_advisors the advisor is not in the project
		message project_chat_log_minimal there is no welcome message
		match - the match is expired
	END
	run ctl provisioning verify 00000000-0000-4000-8000-000000000000
	[ "$status" -eq 4 ]
}

@test "unstick frees what another client locked, and only what is old enough" {
	steward_set provisioning.upkeep 3600000
	make_matches 2
	ask ask_pause kind=provisioning paused=true
	wait_until 5 has_state provisioning 0 paused
	wait_until 5 has_state provisioning 1 paused
	finalize
	sql -c "UPDATE workspace_provisioning_queue SET status = 'processing', locked_by = 'somebody', locked_at = steward.now() - interval '10 minutes'"
	sql -c "UPDATE workspace_provisioning_queue SET locked_at = steward.now() - interval '3 minutes' WHERE id = (SELECT id FROM workspace_provisioning_queue LIMIT 1)"
	run -0 ctl provisioning stuck --json
	[ "$(jq '.items | length' <<<"$output")" = 2 ]
	run -0 ctl provisioning unstick --older 5m
	[ "$(count "workspace_provisioning_queue WHERE status = 'pending' AND locked_by IS NULL")" = 1 ]
	[ "$(count "workspace_provisioning_queue WHERE status = 'processing'")" = 1 ]
	run ctl provisioning unstick --older soon
	[ "$status" -eq 64 ]
}

@test "backfill obeys flag and percentage" {
	sql -c "SELECT steward.flag_set('advisor_auto_provision', false, 100, 'test')" >/dev/null
	make_matches 40
	finalize
	[ "$(count workspace_provisioning_queue)" = 0 ]
	run ctl provisioning backfill
	[ "$(count workspace_provisioning_queue)" = 0 ]
	ctl flag set advisor_auto_provision on --percent 50
	share=$(count "advisor_match_requests WHERE steward.flag_is_on('advisor_auto_provision', project_id)")
	run -0 ctl provisioning backfill
	wait_until 5 nothing_waits
	[ "$(count "workspace_provisioning_queue WHERE status = 'completed'")" = "$share" ]
	ctl flag set advisor_auto_provision on --percent 100
	run -0 ctl provisioning backfill
	wait_until 5 nothing_waits
	books_are_right
}

@test "accept judges the criteria one by one" {
	run ctl provisioning accept
	[ "$status" -eq 1 ]
	[[ $output == *"not accepted"* ]]
	make_matches 5
	finalize
	wait_until 5 nothing_waits
	run -0 ctl provisioning accept --window 24h --json
	jq -e '.accepted == true' <<<"$output"
	jq -e '.items | length >= 4' <<<"$output"
	fail_one
	run ctl provisioning accept --window 24h --json
	[ "$status" -eq 1 ]
	jq -e '.accepted == false' <<<"$output"
	[ "$(jq -r '.items[] | select(.criterion == "rollback rate") | .actual' <<<"$output")" = "16.667 %" ]
	run -0 ctl provisioning retry "$failed_job"
	wait_until 5 nothing_waits
	run -0 ctl provisioning errors
	[[ $output == *"$failed_job"*completed*"23514: poisoned"* ]]
	run ctl provisioning accept --window 24h
	[ "$status" -eq 1 ]
	grep -qE "rollback rate +< 0.1 % +14.286 % +no" <<<"$output"

	sql -c 'TRUNCATE steward.job_run'
	run -0 ctl provisioning accept --window 24h
	for lost in "ready events written:DELETE FROM steward.event WHERE ctid = (SELECT min(ctid) FROM steward.event WHERE name = 'advisor.workspace_ready')" \
		"welcome messages written:DELETE FROM project_chat_log_minimal WHERE id = (SELECT min(id) FROM project_chat_log_minimal)"; do
		sql -c "${lost#*:}"
		run ctl provisioning accept --window 24h --json
		[ "$status" -eq 1 ]
		jq -e '.accepted == false' <<<"$output"
		[ "$(jq -r --arg name "${lost%%:*}" '.items[] | select(.criterion == $name) | "\(.actual) \(.ok)"' <<<"$output")" = "5 of 6 false" ]
	done
}

@test "flag set and list: on, off, percent, actor; a wrong percentage is refused" {
	ctl flag set advisor_auto_provision off
	run -0 ctl flag list --json
	[ "$(jq -r '.items[] | select(.name == "advisor_auto_provision") | .enabled' <<<"$output")" = false ]
	(unset SUDO_USER && ctl flag set advisor_auto_provision on --percent 12.5)
	run -0 ctl flag list --json
	[ "$(jq -r '.items[] | select(.name == "advisor_auto_provision") | .updated_by' <<<"$output")" = "$(id -un)" ]
	[ "$(jq -r '.items[] | select(.name == "advisor_auto_provision") | .percent' <<<"$output")" = 12.50 ] ||
		[ "$(jq -r '.items[] | select(.name == "advisor_auto_provision") | .percent' <<<"$output")" = 12.5 ]
	for wrong in 101 100.01 12.345 0x10 1e1 .5 5. -1 +1 nan "" "5 "; do
		run ctl flag set advisor_auto_provision on --percent "$wrong"
		[ "$status" -eq 64 ]
	done
	for right in 0 100.00 007 12.34; do
		run -0 ctl flag set advisor_auto_provision on --percent "$right"
	done
	run ctl flag set advisor_auto_provison off
	[ "$status" -eq 4 ]
	[[ $output == *'there is no flag "advisor_auto_provison"; did you mean "advisor_auto_provision"?'* ]]
	run ctl flag set something_else off
	[ "$status" -eq 4 ]
	[ "$(sql -c 'SELECT name, enabled, percent FROM steward.feature_flag')" = "advisor_auto_provision|t|12.34" ]
	run ctl flag set advisor_auto_provision maybe
	[ "$status" -eq 64 ]
}

@test "backfill --dry-run says what would be queued, and queues nothing" {
	sql -c "SELECT steward.flag_set('advisor_auto_provision', false, 100, 'test')" >/dev/null
	make_matches 3
	finalize
	ask ask_pause kind=provisioning paused=true
	wait_until 5 has_state provisioning 0 paused
	wait_until 5 has_state provisioning 1 paused
	ctl flag set advisor_auto_provision on
	run -0 ctl provisioning backfill --dry-run --json
	[ "$(jq '.queued, (.items | length)' <<<"$output" | xargs)" = '3 3' ]
	run -0 ctl provisioning backfill --dry-run
	[[ $output == *"3 matches would be queued"* ]]
	[ "$(count workspace_provisioning_queue)" = 0 ]
	run -0 ctl provisioning backfill
	[[ $output == *"3 matches queued"* ]]
	[ "$(count workspace_provisioning_queue)" = 3 ]
}

@test "stuck tells of jobs that nobody takes, and list of every job" {
	make_matches 1
	ask ask_pause kind=provisioning paused=true
	wait_until 5 has_state provisioning 0 paused
	wait_until 5 has_state provisioning 1 paused
	finalize
	sql -c "UPDATE workspace_provisioning_queue SET created_at = steward.now() - interval '1 hour', last_error = 'a word of it'"
	job=$(sql -c 'SELECT id FROM workspace_provisioning_queue')
	run -0 ctl provisioning stuck --json
	[ "$(jq -r '.stale[] | "\(.id) \(.cause)"' <<<"$output")" = "$job no worker has taken it" ]
	run -0 ctl provisioning stuck
	[[ $output == *"$job is pending for 01:00:"*": no worker has taken it"* ]]
	run -0 ctl provisioning list
	row=$(sql -F '.*' -c 'SELECT id, match_id, status, attempt_count FROM workspace_provisioning_queue')
	grep "$row.*a word of it" <<<"$output"
	run -0 ctl provisioning list --json
	[ "$(jq -r '.items[] | "\(.id) \(.status) \(.last_error)"' <<<"$output")" = "$job pending a word of it" ]
}

@test "health counts the alerts that nobody got, accept what it could not judge" {
	run ctl provisioning accept --json
	jq -e '.not_judged > 0 and .not_judged == ([.items[] | select(.ok == null)] | length)' <<<"$output"
	sql -c "INSERT INTO auth.users (email, raw_app_meta_data) VALUES ('admin@example.org', '{\"role\": \"admin\"}')"
	fail_one
	run -0 ctl provisioning health --json
	jq -e '.alerts_waiting == 1' <<<"$output"
	run -0 ctl provisioning health
	[[ $output == *"1 alerts to administrators are not delivered"* ]]
}

@test "a job put on retry waits its pause and then succeeds, its first error kept" {
	# The second attempt succeeds, however late somebody would look.
	sql <<-'SQL'
		CREATE FUNCTION public.poison() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
		BEGIN
		    IF EXISTS (SELECT FROM public.workspace_provisioning_queue WHERE project_id = NEW.project_id AND attempt_count = 0) THEN
		        RAISE EXCEPTION 'come again' USING ERRCODE = 'serialization_failure';
		    END IF;
		    RETURN NEW;
		END $$;
		CREATE TRIGGER poison BEFORE INSERT ON project_chat_log_minimal FOR EACH ROW EXECUTE FUNCTION public.poison();
	SQL
	make_matches 1
	finalize
	wait_until 8 nothing_waits
	[ "$(count "workspace_provisioning_queue WHERE status = 'completed' AND attempt_count = 1 AND error_history::text LIKE '%come again%'")" = 1 ]
	[ "$(count "workspace_provisioning_queue WHERE completed_at >= last_error_at + interval '1 s'")" = 1 ]
	books_are_right
}
