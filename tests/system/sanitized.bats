# SPDX-License-Identifier: Apache-2.0
# The same real processes once more, built with ASan and UBSan: a report of theirs fails its test.

again() {
	local tree=$BATS_TEST_DIRNAME/../..
	STEWARD_BUILD=$tree/build-san run bats --tap "$BATS_TEST_DIRNAME/$1"
	grep -E '^(not ok|#)' <<<"$output" | head -n 60 || true
	[ "$status" -eq 0 ]
}

@test "the main job under the sanitizers" {
	again main_job.bats
}

@test "the supervisor under the sanitizers" {
	again supervisor.bats
}
