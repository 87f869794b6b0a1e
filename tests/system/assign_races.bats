#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Many sessions at once, against one database: no limit is exceeded, no item is
# given twice, nobody waits in a circle, and the outcome is that of some order.
# Sessions begin together, when a lock that all of them wait for is released.

# No statement takes as long, unless it waits for what never comes.
sql() { PGOPTIONS='-c client_min_messages=warning -c statement_timeout=300s' psql -XqAt -v ON_ERROR_STOP=1 "$@"; }

setup() {
    sql <<-'SQL'
	TRUNCATE public.assignments, public.assignment_queue, public.assignments_archive, public.staff_profiles, public.organizational_units,
	    public.assignment_rules, steward.capacity_freed CASCADE;
	INSERT INTO public.skills (id, name_ar, name_en) SELECT md5('skill ' || i)::uuid, 's' || i, 's' || i FROM generate_series(1, 4) i ON CONFLICT DO NOTHING;
	SELECT pg_stat_reset();
	SQL
}

# units COUNT LIMIT - and people COUNT LIMIT, spread over the units, who all have skill 1, and half of them skill 2
units() {
    sql -v n="$1" -v most="$2" <<-'SQL'
	INSERT INTO public.organizational_units (id, name_ar, name_en, unit_wip_limit) SELECT md5('unit ' || i)::uuid, 'u' || i, 'u' || i, :most FROM generate_series(1, :n) i;
	SQL
}
people() {
    sql -v n="$1" -v most="$2" <<-'SQL'
	INSERT INTO auth.users (id) SELECT md5('person ' || i)::uuid FROM generate_series(1, :n) i ON CONFLICT DO NOTHING;
	INSERT INTO public.staff_profiles (user_id, unit_id, skills, individual_wip_limit)
	SELECT md5('person ' || i)::uuid, md5('unit ' || 1 + i % (SELECT count(*) FROM public.organizational_units))::uuid,
	       CASE i % 2 WHEN 0 THEN ARRAY[md5('skill 1')::uuid] ELSE ARRAY[md5('skill 1')::uuid, md5('skill 2')::uuid] END, :most
	  FROM generate_series(1, :n) i;
	SQL
}

# together COMMAND... - runs `COMMAND N` as the script of session N for each line "COUNT COMMAND" read, all at the same moment
together() {
    local count script n=0 sessions=() failed=0 until
    coproc gate { exec psql -XqAt 3>&-; }
    echo 'SELECT pg_advisory_lock(20);' >&"${gate[1]}"
    read -r -t 60 <&"${gate[0]}"
    while read -r count script; do
        for ((; count > 0; count--)); do
            n=$((n + 1))
            # Whoever has to give way does so after 100 ms, and on a machine that is slow to let him a little later.
            { echo "SET deadlock_timeout = '20 s';"; echo 'SELECT pg_advisory_lock_shared(20);'; "$script" "$n"; } | sql >"$BATS_TEST_TMPDIR/out.$n" 2>"$BATS_TEST_TMPDIR/err.$n" 3>&- &
            sessions+=($!)
        done
    done
    # One that is lost does not come: then the others go, and the test has failed.
    until=$((SECONDS + 120))
    until [ "$(sql -c "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND objid = 20 AND NOT granted AND database = (SELECT oid FROM pg_database WHERE datname = current_database())")" = "$n" ]; do
        ((SECONDS < until)) || { echo "not all of $n sessions are there" >&2; failed=1; break; }
    done
    echo 'SELECT pg_advisory_unlock(20);' >&"${gate[1]}"
    read -r -t 60 <&"${gate[0]}"
    for pid in "${sessions[@]}"; do wait "$pid" || failed=1; done
    eval "exec ${gate[1]}>&-"
    cat "$BATS_TEST_TMPDIR"/err.* >&2
    [ "$failed" = 0 ]
}

# what must hold after anything; prints what does not
right() {
    local wrong
    wrong=$(sql <<-'SQL'
	SELECT 'person above the limit: ' || count(*) FROM public.staff_profiles WHERE current_assignment_count > individual_wip_limit HAVING count(*) > 0;
	SELECT 'unit above the limit: ' || count(*) FROM public.organizational_units WHERE current_assignment_count > unit_wip_limit HAVING count(*) > 0;
	SELECT 'wrong count: ' || r.what FROM steward.recount_assignments(false) r;
	SELECT 'both given and waiting: ' || q.work_item_id FROM public.assignment_queue q JOIN public.assignments a USING (organization_id, work_item_id, work_item_type)
	 WHERE a.status IN ('assigned', 'in_progress');
	SELECT 'deadlocks: ' || deadlocks FROM pg_stat_database WHERE datname = current_database() AND deadlocks > 0;
	SQL
    )
    [ -z "$wrong" ] || { echo "$wrong" >&2; return 1; }
}

loads() { sql -c "SELECT string_agg(current_assignment_count::text, ' ' ORDER BY individual_wip_limit, current_assignment_count) FROM public.staff_profiles"; }
count() { sql -c "SELECT count(*) FROM $*"; }

assigns() { # SESSION - four items of its own
    local i
    for i in 1 2 3 4; do
        echo "SELECT steward.auto_assign('item $1.$i', 'ticket', ARRAY[md5('skill 1')::uuid], 'normal') ->> 'outcome';"
    done
}

@test "fifty sessions on one unit fill it to its limit, as evenly as one would have" {
    units 1 37
    people 10 5
    sql -c "UPDATE public.staff_profiles SET individual_wip_limit = 3 + ('x' || substr(user_id::text, 1, 1))::bit(4)::int % 5"
    for n in $(seq 50); do assigns "$n"; done | sql >/dev/null
    serial=$(loads)
    sql -c 'DELETE FROM public.assignments' -c 'DELETE FROM public.assignment_queue' -c 'UPDATE public.staff_profiles SET last_assigned_at = NULL'

    together <<<'50 assigns'
    right
    [ "$(count 'public.assignments')" = 37 ]
    [ "$(count 'public.assignment_queue')" = 163 ]
    [ "$(loads)" = "$serial" ]
}

@test "fifty sessions over twenty units fill every person" {
    units 20 8
    people 60 3
    together <<<'50 assigns'
    right
    [ "$(count 'public.assignments')" = 160 ]
    [ "$(count 'public.assignment_queue')" = 40 ]
}

same() { echo "SELECT steward.auto_assign('the same', 'ticket', ARRAY[md5('skill 1')::uuid], 'normal') ->> 'outcome';"; }

@test "an item that sixteen sessions ask for is given once" {
    units 4 10
    people 20 5
    together <<<'16 same'
    right
    [ "$(cat "$BATS_TEST_TMPDIR"/out.* | grep -c assigned)" = 1 ]
    [ "$(cat "$BATS_TEST_TMPDIR"/out.* | grep -c exists)" = 15 ]
    [ "$(count 'public.assignments')" = 1 ]
}

@test "an item that nobody can take and sixteen sessions ask for waits once" {
    units 1 10
    together <<<'16 same'
    right
    [ "$(cat "$BATS_TEST_TMPDIR"/out.* | grep -c queued)" = 1 ]
    [ "$(count 'public.assignment_queue')" = 1 ]
}

drains() { for _ in $(seq 30); do echo "SELECT assigned FROM steward.queue_drain('session $1', 20);"; done; }

@test "two who drain at once give every item once, urgent first" {
    units 4 20
    people 20 5
    sql <<-'SQL'
	INSERT INTO public.assignment_queue (work_item_id, work_item_type, required_skills, priority, created_at)
	SELECT 'waits ' || i, 'ticket', ARRAY[md5('skill ' || 1 + i % 2)::uuid], (enum_range(NULL::public.priority_level))[1 + i % 4], steward.now() - i * interval '1 min' FROM generate_series(1, 160) i;
	SQL
    together <<<'2 drains'
    # What one of them found in the hands of the other is left to the next look.
    sql -c "SELECT steward.queue_drain('afterwards', 200)" >/dev/null
    right
    # 80 places: whoever drains takes the best that is left, so nothing more urgent than what was given still waits.
    [ "$(count 'public.assignments')" = 80 ]
    [ "$(count "public.assignment_queue WHERE priority > 'normal'")" = 0 ]
}

overrides() {
    local i
    for i in 1 2 3; do
        echo "SELECT steward.assign_override((SELECT id FROM public.organizations WHERE is_default), 'item $((i * 7)).1', 'ticket', md5('boss')::uuid, NULL, 'it has to be so', md5('boss')::uuid, reassign => true) ->> 'outcome';"
    done
}
finishes() {
    local i
    for i in $(seq 10); do
        echo "UPDATE public.assignments SET status = 'completed' WHERE id = (SELECT id FROM public.assignments WHERE status = 'assigned' ORDER BY md5(id::text || '$1.$i') LIMIT 1 FOR UPDATE SKIP LOCKED);"
    done
}
deletes() {
    echo "DELETE FROM public.assignments WHERE id = ANY (ARRAY(SELECT id FROM public.assignments WHERE status = 'assigned' ORDER BY id LIMIT 3 FOR UPDATE));"
}
# Of somebody by the function, of the next one as a client of the table writes it; who was in the way is tried again.
leaves() {
    local person=$((1 + $1 % 40))
    cat <<-SQL
	DO \$\$
	BEGIN
	    LOOP
	        BEGIN
	            IF $person % 2 = 0 THEN
	                PERFORM steward.set_availability(p.organization_id, p.user_id, 'on_leave') FROM public.staff_profiles p WHERE p.user_id = md5('person $person')::uuid;
	            ELSE
	                UPDATE public.staff_profiles SET availability_status = 'on_leave' WHERE user_id = md5('person $person')::uuid;
	            END IF;
	            EXIT;
	        EXCEPTION WHEN lock_not_available THEN
	            NULL;
	        END;
	    END LOOP;
	END \$\$;
	SQL
}

@test "assigning, finishing, deleting, leaving, overriding and draining at once" {
    units 5 22
    people 40 4
    sql <<-'SQL'
	INSERT INTO auth.users (id) VALUES (md5('boss')::uuid) ON CONFLICT DO NOTHING;
	INSERT INTO public.organizational_units (id, name_ar, name_en, unit_wip_limit) VALUES (md5('unit boss')::uuid, 'boss', 'boss', 100);
	INSERT INTO public.staff_profiles (user_id, unit_id, individual_wip_limit) VALUES (md5('boss')::uuid, md5('unit boss')::uuid, 20);
	SQL
    for n in 100 101 102 103 104 105 106 107 108 109; do assigns "$n"; done | sql >/dev/null
    together <<-'EOT'
	30 assigns
	6 finishes
	2 deletes
	4 leaves
	3 overrides
	3 drains
	EOT
    right
    # What capacity there is in the end, the queue has used up.
    drains 0 | sql >/dev/null
    right
    [ "$(sql -c "SELECT count(*) FROM (SELECT steward.assign_claim(q.organization_id, q.required_skills, q.target_unit_id) AS c FROM public.assignment_queue q) x WHERE (c).user_id IS NOT NULL")" = 0 ]
}
