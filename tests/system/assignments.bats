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
	assignments_are_right
}

@test "scenario 2a: nobody goes over the own limit, and freed capacity drains the queue" {
	scenario_individual_limit
	assignments_are_right
}

@test "scenario 2b: a unit has a limit, too" {
	scenario_unit_limit
	assignments_are_right
}

@test "scenario 3: a deadline warns, then escalates" {
	scenario_sla
	assignments_are_right
}

@test "scenario 4: urgent first, then oldest" {
	scenario_priorities
	assignments_are_right
}

@test "scenario 5: the queue drains in order and positions move up" {
	scenario_drain
	assignments_are_right
}

@test "scenario 6: somebody goes on leave, and comes back" {
	scenario_leave
	assignments_are_right
}

@test "A28: stewardctl, the health of the engine and the package have one version" {
	version=$("$STEWARD_DIR/bin/stewardctl" --socket "$STEWARD_RUN/control.ipc" version --json | jq -r .version)
	[ "$(sql -c "SELECT body ->> 'version' FROM api.health_assignment_engine('{}') h")" = "$version" ]
	[[ "$(head -n 1 "$BATS_TEST_DIRNAME/../../packaging/debian/changelog")" = "steward ($version)"* ]]
}
