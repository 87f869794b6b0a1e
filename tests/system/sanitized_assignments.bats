# SPDX-License-Identifier: Apache-2.0
# The workers of the assignment engine once more, built with ASan and UBSan: a report of theirs fails its test.

load sanitized

@test "the acceptance scenarios under the sanitizers" {
	again assignments.bats
}

@test "deadlines and the queue under the sanitizers" {
	again assignment_faults.bats
}
