# SPDX-License-Identifier: Apache-2.0
# The short form of `make chaos`: everything at random, and the books are right.

@test "a minute of chaos leaves nothing wrong" {
	run "$BATS_TEST_DIRNAME/chaos" "${CHAOS_SECONDS:-60}" ${CHAOS_SEED:+"$CHAOS_SEED"}
	echo "${output//$'\n'/$'\n'# }" | sed '1s/^/# /' >&3
	[ "$status" = 0 ]
}
