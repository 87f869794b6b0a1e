#!/bin/bash
# SPDX-License-Identifier: Apache-2.0
#
# assignments - the six acceptance scenarios of the assignment engine, step by
# step, on a private PostgreSQL with the real workers under the real supervisor.
# Exits with 1 when a scenario fails.  Leaves nothing behind.
set -u

system=$(cd "$(dirname "$0")/../system" && pwd)
# shellcheck source=tests/system/steward.bash
. "$system/steward.bash"
# shellcheck source=tests/system/matches.bash
. "$system/matches.bash"
# shellcheck source=tests/system/cluster.bash
. "$system/cluster.bash"
# shellcheck source=tests/system/staff.bash
. "$system/staff.bash"
# shellcheck source=tests/system/scenarios.bash
. "$system/scenarios.bash"

# shellcheck disable=SC2317,SC2329 # a trap
clean_up() {
	trap - EXIT INT TERM
	[ -z "${STEWARD_PID:-}" ] || stop_steward
	cluster_teardown
	[ ${failed:-1} = 0 ] || tail -n 40 "$STEWARD_DIR/log"
	BATS_TEST_COMPLETED=1 steward_teardown
}

everybody_works() {
	[ "$(ask ask_status | grep -c '^worker .* state=ready ')" = 5 ] && is_node running && ask ask_status | grep -q '^node .* database=up '
}

trap clean_up EXIT
trap 'exit 130' INT TERM
echo 'A private PostgreSQL and steward in front of it ...'
# shellcheck disable=SC2119 # without options
steward_setup
# shellcheck disable=SC2119
cluster_setup
# shellcheck disable=SC2119
start_steward
wait_until 20 everybody_works || exit 1
"$STEWARD_DIR/bin/stewardctl" -c "$STEWARD_DIR/steward.conf" status
"$STEWARD_DIR/bin/stewardctl" -c "$STEWARD_DIR/steward.conf" schedule list

failed=0
for scenario in "${SCENARIOS[@]}"; do
	printf '\n%s\n' "${TITLE[$scenario]}"
	held=1
	"scenario_$scenario" || held=0
	step 'the books are right' assignments_are_right || held=0
	failed=$((failed + 1 - held))
done

echo
if [ $failed = 0 ]; then
	echo "ok: every step of every scenario"
else
	echo "not ok: $failed of ${#SCENARIOS[@]} scenarios"
fi
[ $failed = 0 ]
