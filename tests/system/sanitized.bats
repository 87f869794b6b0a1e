# SPDX-License-Identifier: Apache-2.0
# The same real processes once more, built with ASan and UBSan: a report of theirs fails its test.

load sanitized

@test "the main job under the sanitizers" {
	again main_job.bats
}

@test "the supervisor under the sanitizers" {
	again supervisor.bats
}

@test "the schedule under the sanitizers" {
	again schedule.bats
}
