#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# statements.def is a contract: the database has to keep it.

@test "every statement finds its function, with these parameters and columns" {
    run "${STEWARD_BUILD:-build}/tests/system/statements"
    echo "$output"
    [ "$status" -eq 0 ]
}
