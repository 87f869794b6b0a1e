# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash
#
# The acceptance scenarios of the assignment engine, with the real workers:
# `make demo-assignments` shows them, assignments.bats tests them.  Needs
# steward.bash, matches.bash, staff.bash and a steward at work.
#
# People act through api.*, as the HTTP gateway will let them; what is older than
# the scenario (a full desk, an item assigned 36 hours ago) is written as rows.

SCENARIOS=(skill_match individual_limit unit_limit sla priorities drain leave)
declare -A TITLE=(
	[skill_match]='1   the best match by skill'
	[individual_limit]='2a  nobody goes over the own limit, and freed capacity drains the queue'
	[unit_limit]='2b  a unit has a limit, too'
	[sla]='3   a deadline warns, then escalates'
	[priorities]='4   urgent first, then oldest'
	[drain]='5   the queue drains in order and positions move up'
	[leave]='6   somebody goes on leave, and comes back'
)

# step SENTENCE CMD... - what the command prints is the result
step() {
	local result status=0
	result=$("${@:2}" 2>&1) || status=$?
	result=${result//$'\n'/; }
	if [ $status = 0 ]; then
		printf '  ok      %s%s\n' "$1" "${result:+: $result}"
	else
		printf '  not ok  %s: %s\n' "$1" "${result:-no}"
	fi
	return $status
}

# answers STATUS FILTER PERSON OPERATION REQUEST - the status of an api function, and what jq finds in its answer
answers() {
	local answer shown
	answer=$(as "${@:3}") || { echo "$answer"; return 1; }
	shown=$(jq -re "$2" <<<"${answer#* }") && [ "${answer%% *}" = "$1" ] || { echo "$answer"; return 1; }
	echo "$1, $shown"
}

# becomes SECONDS VALUE SQL - how long it took to be so; a busy machine has ten times as long
becomes() {
	local value began=${EPOCHREALTIME/[^0-9]/} until=$((SECONDS + 10 * $1 + 1))
	until value=$(sql -c "$3") && [ "$value" = "$2" ]; do
		((SECONDS < until)) || { echo "$value instead of $2"; return 1; }
		sleep 0.01
	done
	echo "$value, seen after $(((${EPOCHREALTIME/[^0-9]/} - began) / 1000)) ms"
}

# is VALUE SQL
is() {
	local value
	value=$(sql -c "$2")
	echo "$value"
	[ "$value" = "$1" ]
}

HOLDER="(SELECT split_part(u.email, '@', 1) FROM assignments a JOIN auth.users u ON u.id = a.assignee_id WHERE a.status IN ('assigned', 'in_progress') AND a.work_item_id ="

# goes SECONDS ITEM PERSON
goes() { becomes "$1" "$3" "SELECT COALESCE($HOLDER '$2'), 'nobody')"; }

auto() { # ITEM SKILL [PRIORITY]
	echo "{\"work_item_id\": \"$1\", \"work_item_type\": \"ticket\", \"required_skills\": [\"$2\"], \"priority\": \"${3:-normal}\"}"
}

# done_by PERSON ITEM - as that person says it
done_by() {
	answers 200 .status "$1" assignments_update_status \
		"$(sql -c "SELECT json_build_object('assignment_id', id, 'status', 'completed') FROM assignments WHERE work_item_id = '$2' AND status IN ('assigned', 'in_progress')")"
}

# ------------------------------------------------------------------ the scenarios
scenario_skill_match() {
	make_staff
	step 'ticket-001 needs arabic; both translators are free, one of them can do more' \
		answers 200 '"sla in \(.time_remaining_seconds) s, \(.status)"' supervisor assignments_auto_assign "$(auto ticket-001 arabic)" &&
	step 'it is with translator1' goes 0 ticket-001 translator1 &&
	step 'the deadline is 48 hours ahead' is 48 "SELECT round(extract(epoch FROM sla_deadline - assigned_at) / 3600) FROM assignments WHERE work_item_id = 'ticket-001'" &&
	step 'translator1 counts one' is 1 "SELECT current_assignment_count FROM staff_profiles WHERE user_id = md5('translator1')::uuid" &&
	step 'translator1 sees it, in time' \
		answers 200 '.assignments[] | "\(.work_item_id) \(.sla_status)" | select(. == "ticket-001 ok")' translator1 assignments_my_assignments '{}' &&
	step 'asking again assigns it no second time' \
		answers 200 .status supervisor assignments_auto_assign "$(auto ticket-001 arabic)" &&
	step 'it is assigned once' is 1 "SELECT count(*) FROM assignments WHERE work_item_id = 'ticket-001'"
}

scenario_individual_limit() {
	make_staff
	busy translator1 5 && busy translator2 5 && busy supervisor 8
	step 'everybody who knows arabic is full; ticket-006 waits' \
		answers 202 '"position \(.queue_position), \(.reason)" | select(. == "position 1, All staff at WIP limit")' \
		supervisor assignments_auto_assign "$(auto ticket-006 arabic)" &&
	step 'it is a row of the queue' is 1 "SELECT count(*) FROM assignment_queue WHERE work_item_id = 'ticket-006'" &&
	step 'translator1 finishes something' done_by translator1 load-translator1-1 &&
	step 'ticket-006 goes to translator1' goes 30 ticket-006 translator1 &&
	step 'the queue is empty' is 0 'SELECT count(*) FROM assignment_queue' &&
	step 'translator1 has five of five again' is 5 "SELECT current_assignment_count FROM staff_profiles WHERE user_id = md5('translator1')::uuid"
}

scenario_unit_limit() {
	make_staff
	sql <<-'SQL'
		INSERT INTO auth.users (id, email) VALUES (md5('translator3')::uuid, 'translator3@example.org');
		INSERT INTO staff_profiles (user_id, unit_id, skills, individual_wip_limit)
		VALUES (md5('translator3')::uuid, md5('Translation')::uuid, ARRAY[md5('arabic')::uuid], 5);
	SQL
	busy translator1 2 && busy translator2 5 && busy translator3 5 && busy supervisor 8
	step 'Translation has 20 of 20, translator1 only 2 of 5; ticket-007 waits' \
		answers 202 '.reason | select(. == "Unit WIP limit reached (20/20)")' supervisor assignments_auto_assign "$(auto ticket-007 arabic)" &&
	step 'translator2 finishes something' done_by translator2 load-translator2-1 &&
	step 'it goes to translator1, who has most room' goes 30 ticket-007 translator1 &&
	step 'Translation has 20 again' is 20 "SELECT current_assignment_count FROM organizational_units WHERE name_en = 'Translation'"
}

scenario_sla() {
	make_staff
	sql <<-'SQL'
		INSERT INTO assignments (work_item_id, work_item_type, assignee_id, priority, assigned_at)
		VALUES ('dossier-001', 'dossier', md5('translator1')::uuid, 'normal', steward.now() - interval '36 hours' + interval '0.5 s');
	SQL
	step 'dossier-001 was assigned 36 hours ago, less half a second; the warning is due in that' \
		becomes 5 t "SELECT warning_sent_at IS NOT NULL FROM assignments" &&
	step 'it was sent when it was due' is t "SELECT warning_sent_at >= warn_at AND warning_sent_at < warn_at + interval '1 s' FROM assignments" &&
	step 'translator1 is told, nobody else' is translator1:sla_warning \
		"SELECT string_agg(split_part(u.email, '@', 1) || ':' || n.notification_type, ' ') FROM notification_outbox n JOIN auth.users u ON u.id = n.recipient_id" &&
	step 'the deadline is moved to half a second from now' sql -c "UPDATE assignments SET sla_deadline = steward.now() + interval '0.5 s'" &&
	step 'the breach is escalated' becomes 5 1 'SELECT count(*) FROM escalation_events' &&
	step 'in the moment of the breach, within a second' is t \
		"SELECT e.escalated_at >= a.sla_deadline AND e.escalated_at < a.sla_deadline + interval '1 s' FROM escalation_events e JOIN assignments a ON a.id = e.assignment_id" &&
	step 'from translator1 to the supervisor of the chain' is 'translator1 supervisor sla_breach' \
		"SELECT concat_ws(' ', split_part(f.email, '@', 1), split_part(t.email, '@', 1), e.reason) FROM escalation_events e
		   JOIN auth.users f ON f.id = e.escalated_from_id JOIN auth.users t ON t.id = e.escalated_to_id" &&
	step 'the assignment says so' is t "SELECT escalated_at IS NOT NULL AND escalation_recipient_id = md5('supervisor')::uuid FROM assignments" &&
	step 'both are told' is 'supervisor translator1' \
		"SELECT string_agg(DISTINCT split_part(u.email, '@', 1), ' ') FROM notification_outbox n JOIN auth.users u ON u.id = n.recipient_id
		  WHERE n.notification_type LIKE 'sla_escalation%'" &&
	step 'the supervisor acknowledges it' answers 200 '.acknowledged_at' supervisor escalations_acknowledge \
		"$(sql -c "SELECT json_build_object('escalation_id', id, 'notes', 'I take it') FROM escalation_events")"
}

scenario_priorities() {
	make_staff
	busy lawyer 5
	queue normal-1 legal normal 5 && queue normal-2 legal normal 10 && queue urgent-1 legal urgent 2 && queue high-1 legal high 8
	step 'the queue in its order' answers 200 '[.items[].work_item_id] | join(" ") | select(. == "urgent-1 high-1 normal-2 normal-1")' \
		director assignments_queue '{}' || return
	local item n=0
	for item in urgent-1 high-1 normal-2 normal-1; do
		n=$((n + 1))
		step 'the lawyer finishes something' done_by lawyer load-lawyer-$n &&
		step "next is $item" goes 30 $item lawyer &&
		step 'and it alone' is $n "SELECT count(*) FROM assignments WHERE work_item_id NOT LIKE 'load%'" || return
	done
}

scenario_drain() {
	make_staff
	busy analyst 5
	local i
	for i in 1 2 3 4 5; do
		step "queued-00$i waits" answers 202 "\"position \\(.queue_position)\" | select(. == \"position $i\")" \
			director assignments_auto_assign "$(auto queued-00$i analysis)" || return
	done
	step 'the queue' answers 200 '[.items[] | "\(.queue_position) \(.work_item_id)"] | join(", ") | select(startswith("1 queued-001, 2 queued-002") and endswith("5 queued-005"))' \
		director assignments_queue '{}' &&
	step 'the analyst finishes something' done_by analyst load-analyst-1 &&
	step 'queued-001 goes to the analyst' goes 30 queued-001 analyst &&
	step 'and waits no longer' is 4 'SELECT count(*) FROM assignment_queue' &&
	step 'the others moved up' answers 200 '[.items[] | "\(.queue_position) \(.work_item_id)"] | join(", ") | select(startswith("1 queued-002") and endswith("4 queued-005"))' \
		director assignments_queue '{}' &&
	step 'the analyst finishes something more' done_by analyst load-analyst-2 &&
	step 'queued-002 goes to the analyst' goes 30 queued-002 analyst &&
	step 'three wait' is 3 'SELECT count(*) FROM assignment_queue'
}

scenario_leave() {
	make_staff
	busy supervisor 8
	sql <<-'SQL'
		INSERT INTO assignments (work_item_id, work_item_type, assignee_id, priority, required_skills)
		SELECT i, split_part(i, '-', 1)::work_item_type, md5('translator1')::uuid, p::priority_level, ARRAY[md5('arabic')::uuid]
		  FROM (VALUES ('ticket-urgent-1', 'urgent'), ('ticket-urgent-2', 'urgent'), ('dossier-high-1', 'high'),
		               ('ticket-normal-1', 'normal'), ('ticket-normal-2', 'normal')) v(i, p)
	SQL
	step 'translator1 goes on leave for ten days: three items move, two are flagged' \
		answers 200 '"\(.reassigned_items | length) moved, \(.flagged_for_review | length) flagged" | select(. == "3 moved, 2 flagged")' \
		translator1 staff_availability "$(sql -c "SELECT json_build_object('status', 'on_leave', 'unavailable_until', steward.now() + interval '10 days', 'reason', 'annual leave')")" &&
	step 'urgent and high are with translator2' is 3 "SELECT count(*) FROM assignments WHERE assignee_id = md5('translator2')::uuid AND priority >= 'high'" &&
	step 'their deadlines stayed' is t "SELECT bool_and(sla_started_at = created_at AND reassigned_from = md5('translator1')::uuid) FROM assignments WHERE priority >= 'high'" &&
	step 'the normal ones stay, to be reviewed' is 2 "SELECT count(*) FROM assignments WHERE assignee_id = md5('translator1')::uuid AND priority = 'normal' AND needs_review" &&
	step 'the supervisor is told once' is 'supervisor 1' \
		"SELECT split_part(u.email, '@', 1) || ' ' || count(*) FROM notification_outbox n JOIN auth.users u ON u.id = n.recipient_id
		  WHERE n.notification_type = 'staff_leave_items_for_review' GROUP BY u.email" &&
	step 'an item for writing, which only translator1 can do, waits' \
		answers 202 '.reason | select(. == "No staff available")' supervisor assignments_auto_assign "$(auto ticket-writing writing)" &&
	step 'the leave is cut short to half a second from now' sql -c "UPDATE staff_profiles SET unavailable_until = steward.now() + interval '0.5 s' WHERE user_id = md5('translator1')::uuid" &&
	step 'translator1 is back by then' becomes 5 available "SELECT availability_status FROM staff_profiles WHERE user_id = md5('translator1')::uuid" &&
	step 'and gets what waited' goes 30 ticket-writing translator1
}
