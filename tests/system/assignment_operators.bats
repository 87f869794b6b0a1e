# SPDX-License-Identifier: Apache-2.0
# What an operator asks about assignments with stewardctl.  It only reads, so no worker is at work.

bats_require_minimum_version 1.5.0
load steward
load matches
load staff

setup() {
	main_job_setup
	make_staff
}

teardown() {
	steward_teardown
}

ctl() { "$STEWARD_DIR/bin/stewardctl" -c "$STEWARD_DIR/steward.conf" assignments "$@"; }

# wanted FILTER - what jq finds in the answer
wanted() { jq -er "$1" <<<"$output"; }

@test "with nobody at work every question has an answer" {
	run -0 ctl health
	[[ $output == *"nothing waits"* && $output == *"0 past the deadline"* && $output == *"no assignment in the last 24 hours"* ]]
	run -0 ctl queue
	[ "$output" = "nothing waits" ]
	run -0 ctl overdue
	[ "$output" = "nothing is past its deadline" ]
	run -0 ctl escalations
	[ "$output" = "no escalation is unresolved" ]
	run -0 ctl load
	[[ $output == *"nobody has three quarters of the own limit"* && $output == *Translation* ]]
	for question in health queue overdue escalations load; do
		run -0 ctl "$question" --json
		wanted '.items | type == "array"'
	done
}

@test "queue tells what waits, in its order, and why" {
	busy lawyer 5
	for item in first second; do
		as director assignments_auto_assign "$(jq -nc --arg item $item '{work_item_id: $item, work_item_type: "ticket", required_skills: ["legal"], priority: "normal"}')"
	done
	as director assignments_auto_assign '{"work_item_id": "hurry", "work_item_type": "task", "required_skills": ["legal"], "priority": "urgent"}'
	run -0 ctl queue --json
	[ "$(wanted '[.items[].work_item_id] | join(" ")')" = "hurry first second" ]
	[ "$(wanted '[.items[].place] | join(" ")')" = "1 2 3" ]
	[ "$(wanted '.items[0] | "\(.reason), \(.required_skills)"')" = "All staff at WIP limit, legal" ]
	run -0 ctl queue
	[[ $output == *hurry*first*second* && $output == *"All staff at WIP limit"* ]]
	run -0 ctl health
	[[ $output == *"3 wait, the first since"* ]]
	sql -c "UPDATE assignment_queue SET attempts = 10 WHERE work_item_id = 'first'"
	run -0 ctl health
	[[ $output == *"1 of them could not be given away in ten attempts"* ]]
	run -0 ctl health --json
	[ "$(wanted '.queue.needs_review')" = 1 ]
	run -0 ctl escalations --json
	[ "$(wanted '.items[] | "\(.work_item_id) \(.reason) \(.escalated_to)"')" = "first capacity_exhaustion director@example.org" ]
}

@test "load names who has too much, fullest first" {
	busy lawyer 5
	busy translator1 4
	busy analyst 1
	sql -c "UPDATE staff_profiles SET individual_wip_limit = 4 WHERE user_id = md5('lawyer')::uuid"
	run -0 ctl load --json
	[ "$(wanted '[.items[] | "\(.person) \(.state)"] | join(", ")')" = "lawyer@example.org over_limit, translator1@example.org near_limit" ]
	[ "$(wanted '.units[] | select(.name_en == "Translation") | .current_assignment_count')" = 4 ]
	run -0 ctl load
	[[ $output == *lawyer@example.org*over_limit* && $output == *Translation*available* ]]
}

@test "overdue and escalations tell what breached and who was told" {
	assign late translator1 "steward.now() - interval '2 hours'"
	assign later translator2 "steward.now() - interval '1 hour'"
	assign fine translator2 "steward.now() + interval '1 hour'"
	sql -c 'SELECT * FROM steward.sla_turn('\''test'\'', 100)'
	run -0 ctl overdue --json
	[ "$(wanted '[.items[] | "\(.work_item_id) \(.assignee) \(.escalated_to)"] | join(", ")')" = \
		"late translator1@example.org supervisor@example.org, later translator2@example.org supervisor@example.org" ]
	[ "$(wanted '.items[0].overdue_seconds')" -ge 7200 ]
	run -0 ctl overdue
	[[ $output == *late*"2 h"*supervisor@example.org* && $output != *fine* ]]
	run -0 ctl escalations --json
	[ "$(wanted '[.items[].reason] | unique | join(" ")')" = sla_breach ]
	[ "$(wanted '.items | length')" = 2 ]
	sql -c "UPDATE escalation_events SET resolved_at = steward.now() WHERE work_item_id = 'late'"
	run -0 ctl escalations --json
	[ "$(wanted '[.items[].work_item_id] | join(" ")')" = later ]
	run -0 ctl health
	[[ $output == *"2 past the deadline; see: stewardctl assignments overdue"* ]]
	sql -c "UPDATE assignments SET escalation_recipient_id = NULL WHERE work_item_id = 'late'"
	run -0 ctl health
	[[ $output == *"1 escalated to nobody"* ]]
}

@test "what waits too long is overdue, too" {
	queue waits legal urgent 180
	sql -c 'SELECT * FROM steward.sla_turn('\''test'\'', 100)'
	run -0 ctl overdue --json
	[ "$(wanted '.items[] | "\(.work_item_id) \(.status) \(.assignee) \(.escalated_to)"')" = "waits queued null director@example.org" ]
	run -0 ctl health
	[[ $output == *"1 wait, the first since"*"1 past the deadline"* ]]
	run -0 ctl show waits --json
	[ "$(wanted '[.story[].event] | join(", ")')" = "queued, escalated: sla_breach, warned" ]
}

@test "show tells where an item is and its whole story, by any of its ids" {
	assign late translator1 "steward.now() - interval '2 hours'"
	sql -c 'SELECT * FROM steward.sla_turn('\''test'\'', 100)'
	complete late
	run -0 ctl show late --json
	[ "$(wanted '.items[0] | "\(.status) \(.assignee)"')" = "completed translator1@example.org" ]
	[ "$(wanted '[.story[].event] | join(", ")')" = "assigned, warned, escalated: sla_breach, completed" ]
	id=$(wanted '.items[0].id')
	run -0 ctl show "$id" --json
	[ "$(wanted '.items[0].work_item_id')" = late ]
	sql -c "DELETE FROM assignments WHERE work_item_id = 'late'"
	run -0 ctl show late --json
	[ "$(wanted '.items[0].status')" = "completed, archived" ]
	[ "$(wanted '[.story[].event] | join(", ")')" = "assigned, escalated: sla_breach, completed" ]
	queue waits legal high 90
	run -0 ctl show waits
	[[ $output == *"status           queued"* && $output == *legal* && $output == *queued* ]]
	run -4 ctl show nothing
	[[ $output == *"no work item nothing was ever assigned or queued; see: stewardctl assignments queue"* ]]
	run -64 ctl show
	run -4 ctl show "it's"
}
