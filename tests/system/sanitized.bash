# SPDX-License-Identifier: Apache-2.0
# shellcheck shell=bash

# again FILE - a .bats file once more with the programs that were built with ASan and UBSan, whose reports fail their test
again() {
	local tree=$BATS_TEST_DIRNAME/../..
	STEWARD_BUILD=$tree/build-san run bats --tap "$BATS_TEST_DIRNAME/$1"
	grep -E '^(not ok|#)' <<<"$output" | head -n 60 || true
	[ "$status" -eq 0 ]
}
