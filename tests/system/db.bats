#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# stewardctl db, against a cluster of its own: these tests count the roles of the
# whole cluster, take locks and log in with passwords, which nobody else's may see.

bats_require_minimum_version 1.5.0

ctl=${STEWARD_BUILD:-build}/stewardctl
pgbin=$(pg_config --bindir)

as_cluster_user() {
    if [ "$(id -u)" = 0 ]; then runuser -u postgres -- env -C / "$@"; else "$@"; fi
}

# BATS_FILE_TMPDIR is root's alone, and a socket's path must fit in 107 bytes.
setup_file() {
    unset PGHOST PGPORT PGDATABASE PGUSER PGOPTIONS PGPASSWORD CREDENTIALS_DIRECTORY
    cluster=$(mktemp -d /tmp/steward-db.XXXXXX)
    chmod 755 "$cluster"
    if [ "$(id -u)" = 0 ]; then chown postgres "$cluster"; fi
    as_cluster_user "$pgbin/initdb" -D "$cluster/data" -U postgres -A trust -E UTF8 --locale=C.UTF-8 -N >/dev/null
    as_cluster_user sed -i -e '1i local all with_password scram-sha-256' -e '1i local all daemon peer' \
        "$cluster/data/pg_hba.conf"
    as_cluster_user "$pgbin/pg_ctl" -D "$cluster/data" -w -s -l "$cluster/log" start \
        -o "-k $cluster -c listen_addresses= -c fsync=off" 3>&-
    export cluster PGHOST=$cluster PGUSER=postgres
}

teardown_file() {
    as_cluster_user "$pgbin/pg_ctl" -D "$cluster/data" -s -m immediate stop || true
    rm -rf "$cluster"
}

# Every test has its own database, and its own login where the name matters.
setup() {
    db=test_$BATS_TEST_NUMBER
    admin="host=$cluster user=postgres dbname=postgres"
    configure "dbname=$db user=steward"
}

# configure CONNINFO [SETTING] - the rest of the conninfo, further settings of the group database
configure() {
    printf 'run_directory = "%s"; database = { conninfo = "host=%s %s"; %s };\n' \
        "$BATS_TEST_TMPDIR" "$cluster" "${1//\"/\\\"}" "${2:-}" >"$BATS_TEST_TMPDIR/steward.conf"
}

db() {
    local verb=$1
    shift
    if [ "$verb" = sql ]; then
        "$ctl" db sql "$@"
    else
        "$ctl" -c "$BATS_TEST_TMPDIR/steward.conf" db "$verb" --admin "$admin" "$@"
    fi
}

sql() { psql -XqAt -v ON_ERROR_STOP=1 -d "${2:-$db}" -c "$1"; }

newest() { db status --json | jq .expected; }

# The newer releases of pg_dump write a random word into every dump.
without_noise() { grep -v '^.\(un\)\?restrict '; }

schema() { pg_dump -s -d "$db" | without_noise; }

globals() { pg_dumpall --globals-only | without_noise; }

# Everything a second run might have touched.
dump() {
    globals
    schema
}

# wait_for SECONDS COMMAND... - until the command succeeds; looks 20 times a second
wait_for() {
    local until=$((SECONDS + $1))
    shift
    until "$@"; do
        [ "$SECONDS" -lt "$until" ] || return 1
        read -rt 0.05 <> <(:) || true
    done
}

# hold SQL - keep a transaction with this statement open; let_go ends it
hold() {
    coproc holder { exec psql -XqAt -d "$db" 3>&-; }
    printf '%s\n' "BEGIN; $1; \\echo held" >&"${holder[1]}"
    local line
    while read -r line <&"${holder[0]}"; do
        [ "$line" != held ] || return 0
    done
    return 1
}

let_go() {
    local pid=$holder_PID
    printf '\\q\n' >&"${holder[1]}"
    wait "$pid" || true
}

# ------------------------------------------------------------------- setup
@test "a dry run of setup prints SQL and makes nothing" {
    before=$(pg_dumpall | without_noise)
    run --separate-stderr db setup --dry-run
    [ "$status" -eq 0 ]
    [[ $output == *"CREATE ROLE steward LOGIN"* || $output == *'CREATE ROLE "steward" LOGIN'* ]]
    [[ $output == *"CREATE DATABASE"*"OWNER steward_owner"* ]]
    [[ $output == *"CREATE TABLE public.advisor_match_requests"* ]]
    [ "$(pg_dumpall | without_noise)" = "$before" ]
}

@test "setup makes roles, login, database and schema, a line each" {
    run --separate-stderr db setup
    [ "$status" -eq 0 ]
    for line in "created role steward_owner" "created role steward" "granted steward_worker to steward" \
        "granted steward_gateway to steward" "created database $db" "applied 0001_platform"; do
        grep -qxF "$line" <<<"$output"
    done
    [ "$(sql 'SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()')" = steward_owner ]
    [ "$(sql "SELECT rolsuper OR rolcreaterole OR rolcreatedb OR rolbypassrls FROM pg_roles WHERE rolname = 'steward'")" = f ]
    [ "$(sql "SELECT pg_has_role('steward', 'steward_owner', 'MEMBER')")" = f ]
}

@test "a second setup changes nothing and says so" {
    db setup
    before=$(dump)
    run --separate-stderr db setup
    [ "$status" -eq 0 ]
    [[ $output == "nothing to do"* ]]
    [ "${#lines[@]}" -eq 1 ]
    [ "$(dump)" = "$before" ]
    run --separate-stderr db setup --json
    [ "$(jq -c '[.changes, .schema == .expected]' <<<"$output")" = '[[],true]' ]
    run --separate-stderr db setup --dry-run
    [ "$status" -eq 0 ]
    [[ $output == "nothing to do"* ]]
    [ "$(dump)" = "$before" ]
}

@test "as root setup and the rest take on the local account postgres" {
    [ "$(id -u)" = 0 ] || skip "not root"
    run --separate-stderr "$ctl" -c "$BATS_TEST_TMPDIR/steward.conf" db setup
    [ "$status" -eq 0 ]
    run --separate-stderr "$ctl" -c "$BATS_TEST_TMPDIR/steward.conf" db status
    [ "$status" -eq 0 ]
    configure "dbname=${db}_absent user=steward"
    run --separate-stderr "$ctl" -c "$BATS_TEST_TMPDIR/steward.conf" db status
    [ "$status" -eq 77 ]
    [[ $stderr == *"does not exist"*"stewardctl db setup"* ]]
}

@test "odd names are quoted" {
    db="odd \"na me; DROP"
    configure "dbname='$db' user='st-ew \"ard'"
    run --separate-stderr db setup
    [ "$status" -eq 0 ]
    grep -qxF "created role st-ew \"ard" <<<"$output"
    grep -qxF "created database $db" <<<"$output"
    before=$(globals)
    run --separate-stderr db setup
    [[ $output == "nothing to do"* ]]
    [ "$(globals)" = "$before" ]
    run --separate-stderr db status
    [ "$status" -eq 0 ]
}

@test "a role of that name that is not steward's is explained and left alone" {
    sql "CREATE ROLE taken_super SUPERUSER LOGIN; CREATE ROLE taken_group; CREATE ROLE taken_bypass LOGIN BYPASSRLS" postgres
    before=$(globals)
    for case in "taken_super:is a superuser" "taken_group:may not log in" "taken_bypass:bypasses row security" \
        "steward_owner:may not log in"; do
        configure "dbname=$db user=${case%%:*}"
        run --separate-stderr db setup
        [ "$status" -eq 1 ]
        [[ $stderr == *"role ${case%%:*} exists and ${case#*:}"* ]]
    done
    [ "$(globals)" = "$before" ]
    [ "$(sql "SELECT count(*) FROM pg_database WHERE datname = '$db'" postgres)" = 0 ]
}

@test "a database that belongs to somebody else stays theirs and gets what is needed" {
    sql "CREATE ROLE landlord" postgres
    sql "CREATE DATABASE $db OWNER landlord" postgres
    run --separate-stderr db setup
    [ "$status" -eq 0 ]
    [[ $output == *"granted CREATE on the database to steward_owner"* ]]
    [ "$(sql 'SELECT pg_get_userbyid(datdba) FROM pg_database WHERE datname = current_database()')" = landlord ]
    run --separate-stderr db setup
    [[ $output == "nothing to do"* ]]
}

@test "a database of another encoding is refused" {
    sql "CREATE DATABASE $db TEMPLATE template0 ENCODING 'LATIN1' LOCALE 'C'" postgres
    run --separate-stderr db setup
    [ "$status" -eq 1 ]
    [[ $stderr == *LATIN1*UTF8* ]]
}

@test "an administrator who is no superuser will do" {
    db setup >/dev/null
    sql "CREATE ROLE manager LOGIN CREATEROLE CREATEDB" postgres
    admin="host=$cluster user=manager dbname=postgres"
    db=${db}_managed
    configure "dbname=$db user=managed"
    run --separate-stderr db setup
    echo "$stderr"
    [ "$status" -eq 0 ]
    [[ $output == *"granted steward_owner to manager"* ]]
    run --separate-stderr db setup
    [[ $output == "nothing to do"* ]]
}

@test "two setups at once end well" {
    db setup --json >"$BATS_TEST_TMPDIR/one" 2>&1 3>&- &
    first=$!
    db setup --json >"$BATS_TEST_TMPDIR/two" 2>&1 3>&- &
    second=$!
    wait "$first"
    wait "$second"
    [ "$(sql 'SELECT count(*) = max(version) FROM steward.migration')" = t ]
}

# --------------------------------------------------------------- passwords
@test "a configured password is given to a new role and stands in no output" {
    (umask 077 && echo s3cret-word >"$BATS_TEST_TMPDIR/password")
    configure "dbname=$db user=with_password" "password_file = \"$BATS_TEST_TMPDIR/password\";"
    run db setup --dry-run
    [[ $output != *s3cret-word* ]]
    run db setup
    [ "$status" -eq 0 ]
    [[ $output != *s3cret-word* ]]
    [[ $(sql "SELECT rolpassword FROM pg_authid WHERE rolname = 'with_password'") == SCRAM-SHA-256* ]]
    run --separate-stderr "$ctl" -c "$BATS_TEST_TMPDIR/steward.conf" flag list
    [ "$status" -eq 0 ]
}

@test "a wrong password is a sentence without the password" {
    configure "dbname=$db user=with_password password=right-word"
    db setup >/dev/null
    sql "ALTER ROLE with_password PASSWORD 'right-word'"
    configure "dbname=$db user=with_password password=wr0ng-word"
    run "$ctl" -c "$BATS_TEST_TMPDIR/steward.conf" flag list
    [ "$status" -eq 77 ]
    [[ $output == *"password authentication failed"* ]]
    [[ $output != *wr0ng-word* ]]
    configure "dbname=$db user=with_password"
    run "$ctl" -c "$BATS_TEST_TMPDIR/steward.conf" provisioning list
    [ "$status" -eq 77 ]
    [[ $output == *"wants a password for role with_password"* ]]
}

@test "a password file that others may read, or that is missing, is refused" {
    db setup >/dev/null
    echo s3cret-word >"$BATS_TEST_TMPDIR/password"
    chmod 640 "$BATS_TEST_TMPDIR/password"
    configure "dbname=$db user=steward" "password_file = \"$BATS_TEST_TMPDIR/password\";"
    run "$ctl" -c "$BATS_TEST_TMPDIR/steward.conf" flag list
    [ "$status" -eq 78 ]
    [[ $output == *"$BATS_TEST_TMPDIR/password"*chmod* && $output != *s3cret-word* ]]
    configure "dbname=$db user=steward" "password_file = \"$BATS_TEST_TMPDIR/nothing\";"
    run "$ctl" -c "$BATS_TEST_TMPDIR/steward.conf" flag list
    [ "$status" -eq 78 ]
    [[ $output == *"$BATS_TEST_TMPDIR/nothing"* ]]
}

@test "no server is exit 69, no configuration 78" {
    printf 'database = { conninfo = "host=%s/nowhere dbname=x user=y"; };\n' "$cluster" >"$BATS_TEST_TMPDIR/steward.conf"
    run --separate-stderr "$ctl" -c "$BATS_TEST_TMPDIR/steward.conf" flag list
    [ "$status" -eq 69 ]
    [[ $stderr == *"$cluster/nowhere"* ]]
    run --separate-stderr "$ctl" -c "$BATS_TEST_TMPDIR/nowhere.conf" db status
    [ "$status" -eq 78 ]
}

@test "for root the login's own account answers to peer authentication" {
    [ "$(id -u)" = 0 ] || skip "not root"
    configure "dbname=$db user=daemon"
    db setup >/dev/null
    run --separate-stderr "$ctl" -c "$BATS_TEST_TMPDIR/steward.conf" flag list
    [ "$status" -eq 0 ]
    [[ $output == *advisor_auto_provision* ]]
    run --separate-stderr "$ctl" -c "$BATS_TEST_TMPDIR/steward.conf" flag set advisor_auto_provision on --json
    [ "$(jq -r .updated_by <<<"$output")" = "${SUDO_USER:-root}" ]
}

# --------------------------------------------------------------- migrating
@test "down and up again leaves the same schema at every version" {
    db setup >/dev/null
    top=$(newest)
    db revert --to 0
    for n in $(seq 1 "$top"); do
        db migrate --to "$n" >/dev/null
        schema >"$BATS_TEST_TMPDIR/up.$n"
    done
    for n in $(seq $((top - 1)) -1 1); do
        db revert --to "$n" >/dev/null
        schema | diff "$BATS_TEST_TMPDIR/up.$n" -
    done
    db migrate
    schema | diff "$BATS_TEST_TMPDIR/up.$top" -
    db verify
}

@test "status counts what is pending and exits 1, 0 when there is nothing" {
    db setup >/dev/null
    top=$(newest)
    run --separate-stderr db status
    [ "$status" -eq 0 ]
    [ "$output" = "schema $top, nothing pending" ]
    db revert --to $((top - 1)) >/dev/null
    run --separate-stderr db status
    [ "$status" -eq 1 ]
    [[ $output =~ ^"schema $((top - 1)), binary knows $top: 1 pending ("[0-9a-z_]+")"$ ]]
    [ -z "$stderr" ]
    run --separate-stderr db status --json
    [ "$status" -eq 1 ]
    [ "$(jq -c '[.schema, .expected, (.pending | length)]' <<<"$output")" = "[$((top - 1)),$top,1]" ]
}

@test "status of a database without any schema says that all is pending" {
    sql "CREATE DATABASE $db" postgres
    run --separate-stderr db status --json
    [ "$status" -eq 1 ]
    [ "$(jq '.schema == 0 and (.pending | length) == .expected' <<<"$output")" = true ]
}

@test "a newer schema is exit 57, everywhere" {
    db setup >/dev/null
    sql "INSERT INTO steward.migration VALUES (9999, '9999_future', 'x')"
    for verb in status migrate "revert --to 1" verify setup; do
        run --separate-stderr db $verb
        [ "$status" -eq 57 ]
        [[ "$output$stderr" == *"upgrade steward"* ]]
    done
}

@test "an edited migration is exit 78 and its file is named" {
    db setup >/dev/null
    sql "UPDATE steward.migration SET sha256 = repeat('0', 64) WHERE version = 2"
    for verb in migrate "revert --to 1" verify setup; do
        run --separate-stderr db $verb
        [ "$status" -eq 78 ]
        [[ $stderr == *"migrations/0002_"*".up.sql"*"edited"* ]]
    done
}

@test "a missing predecessor is named" {
    db setup >/dev/null
    sql "DELETE FROM steward.migration WHERE version = 2"
    run --separate-stderr db migrate
    [ "$status" -eq 1 ]
    [[ $stderr == *"0003_"*"predecessor 0002_"* ]]
}

@test "migrate does not go back, revert not forward, and revert needs --to" {
    db setup >/dev/null
    run --separate-stderr db migrate --to 2
    [ "$status" -eq 1 ]
    [[ $stderr == *"db revert --to 2"* ]]
    db revert --to 2 >/dev/null
    run --separate-stderr db revert --to 3
    [ "$status" -eq 1 ]
    [[ $stderr == *"db migrate --to 3"* ]]
    run --separate-stderr db revert
    [ "$status" -eq 64 ]
    run --separate-stderr db migrate --to 9999
    [ "$status" -eq 64 ]
    run --separate-stderr db migrate --to 2
    [ "$output" = "nothing to do, the schema is at 2" ]
}

@test "a dry run of migrate and revert prints SQL and does nothing" {
    db setup >/dev/null
    top=$(newest)
    before=$(dump)
    run --separate-stderr db revert --to $((top - 1)) --dry-run
    [ "$status" -eq 0 ]
    [[ $output == *".down.sql"*DROP* ]]
    [ "$(dump)" = "$before" ]
    db revert --to $((top - 1)) >/dev/null
    before=$(dump)
    run --separate-stderr db migrate --dry-run --json
    [ "$status" -eq 0 ]
    [ "$(jq '.sql | length' <<<"$output")" -eq 1 ]
    [ "$(dump)" = "$before" ]
}

@test "a migration that fails leaves nothing of itself, and its file and reason are told" {
    db setup >/dev/null
    db revert --to 1 >/dev/null
    sql "CREATE TABLE public.projects (x int)"
    run --separate-stderr db migrate
    [ "$status" -ne 0 ]
    [[ $stderr == *"migrations/0002_projects.up.sql: "*'"projects" already exists'* ]]
    [ "$(sql 'SELECT max(version) FROM steward.migration')" = 1 ]
    sql "DROP TABLE public.projects"
    db migrate
}

@test "a role that may not act as the owner is told what to do" {
    db setup >/dev/null
    admin="host=$cluster user=steward dbname=postgres"
    run --separate-stderr db migrate
    [ "$status" -eq 77 ]
    [[ $stderr == *"role steward may not act as steward_owner"*"--admin"* ]]
    run --separate-stderr db status
    [ "$status" -eq 0 ]
}

@test "workers that wait for a schema are told" {
    db setup >/dev/null
    db revert --to 1 >/dev/null
    run psql -XqAt -d "$db" -c 'LISTEN steward_schema' -c 'SELECT 1' \
        -c "\\! $ctl -c $BATS_TEST_TMPDIR/steward.conf db migrate --admin '$admin' >/dev/null" -c 'SELECT 1'
    [[ $output == *'notification "steward_schema"'* ]]
}

# ------------------------------------------------------------------- locks
@test "a second run waits for the first, and says so" {
    db setup >/dev/null
    db revert --to 1 >/dev/null
    hold "SELECT pg_advisory_lock(1937007991, 1634886656)"
    db migrate >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" 3>&- &
    migrate=$!
    wait_for 60 grep -q "waiting for its end" "$BATS_TEST_TMPDIR/err"
    [ "$(sql 'SELECT max(version) FROM steward.migration')" = 1 ]
    let_go
    wait "$migrate"
    grep -q "^applied 0002_" "$BATS_TEST_TMPDIR/out"
}

@test "a table lock delays a migration and does not make it fail" {
    db setup >/dev/null
    db revert --to 1 >/dev/null
    hold "LOCK TABLE public.organizations IN ACCESS EXCLUSIVE MODE"
    db migrate --to 2 >"$BATS_TEST_TMPDIR/out" 2>"$BATS_TEST_TMPDIR/err" 3>&- &
    migrate=$!
    wait_for 60 grep -q "0002_.*lock timeout; trying again" "$BATS_TEST_TMPDIR/err"
    let_go
    wait "$migrate"
    [ "$(sql 'SELECT max(version) FROM steward.migration')" = 2 ]
}

# ------------------------------------------------------------------ verify
@test "verify names what is missing" {
    db setup >/dev/null
    run --separate-stderr db verify
    [ "$status" -eq 0 ]
    sql "DROP FUNCTION steward.rollout_bucket(text, uuid) CASCADE; DROP TABLE public.user_preferences"
    before=$(dump)
    run --separate-stderr db verify
    [ "$status" -eq 1 ]
    [[ $output == *"0001_platform: "*"public.user_preferences"* ]]
    [[ $output == *"steward.rollout_bucket(text, uuid)"* || $output == *"steward.rollout_bucket(text,uuid)"* ]]
    run --separate-stderr db verify --json
    [ "$status" -eq 1 ]
    [ "$(jq -r '.items[] | select(.name == "0001_platform") | .ok' <<<"$output")" = false ]
    [ "$(dump)" = "$before" ]
}

@test "what was damaged before a migration is still missed after it" {
    db setup >/dev/null
    db revert --to "$(($(newest) - 1))" >/dev/null
    sql "DROP TRIGGER staff_ranks ON public.staff_profiles; ALTER TABLE public.assignments NO FORCE ROW LEVEL SECURITY;
         GRANT INSERT ON public.assignments TO authenticated"
    db migrate >/dev/null
    run --separate-stderr db verify
    [ "$status" -eq 1 ]
    [[ $output == *"trigger public.staff_profiles.staff_ranks is missing"* ]]
    [[ $output == *'table public.assignments was "row security, forced" and is "row security"'* ]]
    [[ $output == *'access to public.assignments was '*'and is "authenticated INSERT, authenticated SELECT, '* ]]
}

@test "sql prints the file, and 4 when there is none" {
    run --separate-stderr db sql 1
    [ "$status" -eq 0 ]
    db sql 1 | diff "$BATS_TEST_DIRNAME"/../../migrations/0001_*.up.sql -
    run --separate-stderr db sql 9999
    [ "$status" -eq 4 ]
}

# --------------------------------------------------- flags and the questions
@test "a flag is listed and set through the login" {
    db setup >/dev/null
    flag() { "$ctl" -c "$BATS_TEST_TMPDIR/steward.conf" flag "$@"; }
    run --separate-stderr flag list --json
    [ "$(jq -c '.items[] | select(.name == "advisor_auto_provision") | [.enabled, .percent == 100]' <<<"$output")" = '[true,true]' ]
    run --separate-stderr flag set advisor_auto_provision on --percent 12.5
    [ "$status" -eq 0 ]
    [ "$(sql 'SELECT enabled, percent FROM steward.feature_flag')" = "t|12.50" ]
    flag set advisor_auto_provision off
    [ "$(sql 'SELECT enabled, percent FROM steward.feature_flag')" = "f|12.50" ]
    [ "$(sql 'SELECT updated_by FROM steward.feature_flag')" = "${SUDO_USER:-$(id -un)}" ]
    for wrong in "x maybe" "x on --percent 101" "x on --percent 5x"; do
        run --separate-stderr flag set $wrong
        [ "$status" -eq 64 ]
    done
    [ "$(sql 'SELECT count(*) FROM steward.feature_flag')" = 1 ]
}

@test "the questions about the queue answer as JSON, with their exit status" {
    db setup >/dev/null
    ask() { "$ctl" -c "$BATS_TEST_TMPDIR/steward.conf" provisioning "$@"; }
    for question in health errors stuck list unstick backfill; do
        run --separate-stderr ask $question --json
        [ "$status" -eq 0 ]
        [ "$(jq '.items | type' <<<"$output")" = '"array"' ]
    done
    run --separate-stderr ask accept --json
    [ "$status" -eq 1 ]
    [ "$(jq '.accepted' <<<"$output")" = false ]
    nobody=00000000-0000-0000-0000-000000000000
    for question in show retry verify; do
        run --separate-stderr ask $question "$nobody"
        [ "$status" -eq 4 ]
        run --separate-stderr ask $question nonsense
        [ "$status" -eq 65 ]
    done
    run --separate-stderr ask unstick --older soon
    [ "$status" -eq 64 ]
    db revert --to 1 >/dev/null
    run --separate-stderr ask health
    [ "$status" -eq 1 ]
    [[ $stderr == *"stewardctl db migrate"* ]]
}
