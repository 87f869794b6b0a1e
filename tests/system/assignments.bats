# SPDX-License-Identifier: Apache-2.0
# The acceptance scenarios with real processes, and what the four workers of the assignment engine promise.

bats_require_minimum_version 1.5.0
load steward
load matches
load staff
load scenarios

setup() {
	main_job_setup
	steward_set workers.provisioning.processes 0
	start_steward
	wait_until 10 database_is up
}

teardown() {
	steward_teardown
}

@test "scenario 1: the best match by skill" {
	scenario_skill_match
	wait_until 5 assignments_are_right
}

@test "scenario 2a: nobody goes over the own limit, and freed capacity drains the queue" {
	scenario_individual_limit
	wait_until 5 assignments_are_right
}

@test "scenario 2b: a unit has a limit, too" {
	scenario_unit_limit
	wait_until 5 assignments_are_right
}

@test "scenario 3: a deadline warns, then escalates" {
	punctual scenario_sla
	wait_until 5 assignments_are_right
}

@test "scenario 4: urgent first, then oldest" {
	scenario_priorities
	wait_until 5 assignments_are_right
}

@test "scenario 5: the queue drains in order and positions move up" {
	scenario_drain
	wait_until 5 assignments_are_right
}

@test "scenario 6: somebody goes on leave, and comes back" {
	scenario_leave
	wait_until 5 assignments_are_right
}

@test "A17: the server's log tells the way of an item by its name: what it needs, how many could take it, who got it or why nobody" {
	make_staff
	busy lawyer 4
	item="logged-$BASHPID"
	logged() { [ "$(grep -c "assign $item-$1\$" "$STEWARD_TEST_CLUSTER/run/log")" = 1 ]; }
	lawyer=$(sql -c "SELECT md5('lawyer')::uuid")
	for i in 1 2; do
		as supervisor assignments_auto_assign "{\"work_item_id\": \"$item-$i\", \"work_item_type\": \"ticket\", \"required_skills\": [\"legal\"], \"priority\": \"normal\"}"
	done
	logged '1: a ticket of priority normal needs 1 skills'
	logged '1: 1 eligible'
	logged "1: given to $lawyer with score 71.00"
	logged '2: 0 eligible'
	logged '2: queued, All staff at WIP limit'
	complete "$item-1"
	wait_until 10 logged "2: taken from the queue, given to $lawyer with score 71.00"
}

@test "A28: stewardctl, the health of the engine and the package have one version" {
	version=$("$STEWARD_DIR/bin/stewardctl" --socket "$STEWARD_RUN/control.ipc" version --json | jq -r .version)
	[ "$(sql -c "SELECT body ->> 'version' FROM api.health_assignment_engine('{}') h")" = "$version" ]
	[[ "$(head -n 1 "$BATS_TEST_DIRNAME/../../packaging/debian/changelog")" = "steward ($version)"* ]]
}
