# SPDX-License-Identifier: Apache-2.0
#
# From the version before, whose schema lacks the last migration, to this one.

bats_require_minimum_version 1.5.0
load machine
load ../system/matches
load operator

setup_file() {
	SKIP=$(machine_possible) || { export SKIP; return 0; }
	package_build
	package_build --prev
	machine_start
	cp "$PACKAGE" "$MACHINE/root/root/steward.deb"
	cp "$PACKAGE_PREV" "$MACHINE/root/root/steward-prev.deb"
}

teardown_file() {
	machine_stop
}

setup() {
	[ -z "${SKIP:-}" ] || skip "$SKIP"
}

teardown() {
	show_failure
}

schema() { machine stewardctl db status --json | jq -r .schema; }

expected() { machine stewardctl db status --json | jq -r .expected; }

@test "the version before works" {
	run -0 apt_install /root/steward-prev.deb
	machine stewardctl db setup
	wait_until 10 is_up
	make_matches 20
	finalize
	wait_until 10 nothing_waits
	books_are_right
}

@test "the upgrade keeps an edited steward.conf without a question, and restarts" {
	sed -i 's/#level = "info"/level = "debug"/' "$MACHINE/root/etc/steward/steward.conf"
	pid=$(main_pid)
	make_matches 200
	finalize_together
	run -0 apt_install /root/steward.deb
	[[ $output != *"Configuration file"* ]]
	grep -q '^ *level = "debug"' "$MACHINE/root/etc/steward/steward.conf"
	wait_until 10 is_other main_pid "$pid"
}

@test "on the schema before it works, and says what to migrate" {
	wait_until 10 is_waiting 'run: sudo stewardctl db migrate'
	[ "$(machine stewardctl status --json | jq -r .database.state)" = schema_old ]
	run -1 machine stewardctl db status
	[ "$(schema)" = $(($(expected) - 1)) ]
	make_matches 5
	finalize
	wait_until 20 nothing_waits
}

@test "db migrate: it goes on by itself" {
	pid=$(main_pid)
	make_matches 5
	finalize
	run -0 machine stewardctl db migrate
	[ "$(schema)" = "$(expected)" ]
	wait_until 10 is_up
	wait_until 20 nothing_waits
	[ "$(count "workspace_provisioning_queue WHERE status = 'completed'")" = 230 ]
	books_are_right
	[ "$(main_pid)" = "$pid" ]
	run -0 machine stewardctl db verify
}

@test "back to the version before, where the schema is newer: it waits and says so" {
	run -0 apt_install --allow-downgrades /root/steward-prev.deb
	wait_until 10 is_waiting 'upgrade steward'
	run -57 machine stewardctl db status
	run -0 apt_install /root/steward.deb
	wait_until 10 is_up
}
