#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# The counts of people and units while several sessions assign, finish, delete,
# reassign and move at random: nobody waits in a circle, and at the end every
# count is COUNT(*).  COUNTS_SEED=N repeats a run as far as the scheduler allows.

bats_require_minimum_version 1.5.0

sql() { psql -XqAt -v ON_ERROR_STOP=1 "$@"; }

helpers=$BATS_TEST_DIRNAME/../db/assignments.psql

setup_file() {
    sql -f "$helpers" -c 'SELECT pg_temp.crowd(12)' >/dev/null
}

setup() {
    seed=${COUNTS_SEED:-$RANDOM}
    echo "COUNTS_SEED=$seed"
}

# many SESSION - a hundred and fifty things, each its own transaction; prints how each kind of error went
many() {
    sql -v session="$1" -v seed="$seed" -f "$helpers" -f - <<'SQL'
SET client_min_messages = error;
-- Whoever has to give way does so after 100 ms, and on a machine that is slow to let him a little later.
SET deadlock_timeout = '20 s';
SELECT setseed(((:seed * 31 + :session) % 1000) / 1000.0) \g /dev/null
CREATE TEMP TABLE failure (state text);
CREATE PROCEDURE pg_temp.work_on(session text) LANGUAGE plpgsql AS $$
DECLARE
    detail  text;
    context text;
BEGIN
    FOR i IN 1 .. 150 LOOP
        BEGIN
            PERFORM pg_temp.step(session || '-');
        EXCEPTION WHEN serialization_failure OR lock_not_available OR deadlock_detected THEN
            GET STACKED DIAGNOSTICS detail = PG_EXCEPTION_DETAIL, context = PG_EXCEPTION_CONTEXT;
            INSERT INTO failure SELECT concat_ws(' ', SQLSTATE, CASE WHEN SQLSTATE = '40P01' THEN detail || context END);
        END;
        COMMIT;
    END LOOP;
END $$;
CALL pg_temp.work_on(:'session');
SELECT state FROM failure;
SQL
}

@test "eight sessions at once: no deadlock, and counts that equal COUNT(*)" {
    local session pids=()
    for session in 1 2 3 4 5 6 7 8; do
        many "$session" >"$BATS_TEST_TMPDIR/$session" 2>&1 3>&- &
        pids+=($!)
    done
    for session in "${pids[@]}"; do wait "$session"; done
    sort "$BATS_TEST_TMPDIR"/[1-8] | uniq -c
    run ! grep -hvE '^(40001|55P03)$' "$BATS_TEST_TMPDIR"/[1-8]
    # Most of what was tried has to have happened, or nothing was shown.
    [ "$(cat "$BATS_TEST_TMPDIR"/[1-8] | wc -l)" -lt 300 ]
    [ "$(sql -c 'SELECT count(*) > 100 FROM assignments')" = t ]
    [ "$(sql -c 'SELECT deadlocks FROM pg_stat_database WHERE datname = current_database()')" = 0 ]
    drift=$(sql -f "$helpers" -c 'SELECT pg_temp.drift()')
    echo "$drift"
    [ -z "$drift" ]
    [ -z "$(sql -c 'SELECT * FROM steward.recount_assignments()')" ]
}

@test "recounting while others work repairs what is planted, and nothing else" {
    local session pids=()
    for session in 1 2 3; do
        many "$session" >"$BATS_TEST_TMPDIR/$session" 2>&1 3>&- &
        pids+=($!)
    done
    sql -c "UPDATE organizational_units SET current_assignment_count = current_assignment_count + 7 WHERE name_en = 'unit 1'"
    for ((session = 0; session < 40; session++)); do
        sql -c 'SELECT what, stored - counted FROM steward.recount_assignments()' >>"$BATS_TEST_TMPDIR/drift" 3>&-
    done
    for session in "${pids[@]}"; do wait "$session"; done
    run ! grep -hvE '^(40001|55P03)$' "$BATS_TEST_TMPDIR"/[1-3]
    cat "$BATS_TEST_TMPDIR/drift"
    [ "$(sort "$BATS_TEST_TMPDIR/drift" | uniq -c | tr -s ' ')" = " 2 unit|7" ]
    drift=$(sql -f "$helpers" -c 'SELECT pg_temp.drift()')
    echo "$drift"
    [ -z "$drift" ]
}
