#!/usr/bin/env bats
# SPDX-License-Identifier: Apache-2.0
#
# Monitors beside each other, in sessions of their own, some of which die: each
# breach is escalated once, each warning given once, and nothing stays behind.

load matches

setup() {
    sql <<-'SQL'
	TRUNCATE public.assignments, public.assignments_archive, public.escalation_events, public.escalation_events_archive,
	         public.notification_outbox, public.staff_profiles, public.organizational_units, steward.sla_trouble CASCADE;
	DROP FUNCTION IF EXISTS public.dawdle() CASCADE;
	INSERT INTO public.organizational_units (name_ar, name_en, unit_wip_limit) SELECT 'u' || i, 'u' || i, 100 FROM generate_series(1, 5) i;
	WITH people AS (INSERT INTO auth.users (email) SELECT gen_random_uuid() || '@example.org' FROM generate_series(1, 50) RETURNING id)
	INSERT INTO public.staff_profiles (user_id, unit_id, role)
	SELECT p.id, u.id, CASE WHEN p.i <= 5 THEN 'supervisor' ELSE 'staff' END
	  FROM (SELECT id, row_number() OVER () AS i FROM people) p JOIN public.organizational_units u ON u.name_en = 'u' || 1 + p.i % 5;
	SQL
}

# due N - N breaches and N warnings of this second
due() {
    sql -v n="$1" <<-'SQL'
	SET session_replication_role = replica;
	INSERT INTO public.assignments (organization_id, work_item_id, work_item_type, assignee_id, unit_id, sla_started_at, warn_at, sla_deadline, priority)
	SELECT p.organization_id, w.what || i, 'task', p.user_id, p.unit_id, steward.now() - interval '1 day', steward.now() - interval '1 s',
	       steward.now() + CASE w.what WHEN 'breach' THEN interval '-1 s' ELSE '1 day' END, 'normal'
	  FROM generate_series(1, :n) i CROSS JOIN (VALUES ('breach'), ('warning')) w(what)
	  JOIN (SELECT *, row_number() OVER (ORDER BY user_id) AS place FROM public.staff_profiles WHERE role = 'staff') p ON p.place = 1 + i % 45;
	SQL
}

# monitor NAME MOST - turns until nothing is due, whatever becomes of one of them; for a minute at most
monitor() {
    local until=$((SECONDS + 60))
    until [ "$(sql -c "SET application_name = 'monitor'; SET statement_timeout = '60s'" \
        -c "SELECT COALESCE(next_due_ms, -1) <= 1000 FROM steward.sla_turn('$1', $2)" 2>>"$BATS_TEST_TMPDIR/err.$1")" = f ]; do
        ((SECONDS < until)) || { echo "something is still due for $1" >&2; return 1; }
    done
}

# end_in_batch - terminates a monitor that has written something of its batch, and prints which, if there is one
end_in_batch() {
    sql -c "SELECT pid FROM (SELECT pid FROM pg_stat_activity WHERE application_name = 'monitor' AND datname = current_database()
               AND state = 'active' AND backend_xid IS NOT NULL LIMIT 1) m WHERE pg_terminate_backend(pid)"
}

# once N - each breach has one event and two notices, each warning one notice, all of them stamped
once() {
    [ "$(count "public.escalation_events")" = "$1" ]
    [ "$(sql -c 'SELECT count(DISTINCT assignment_id) FROM public.escalation_events')" = "$1" ]
    [ "$(count "public.notification_outbox WHERE notification_type = 'sla_escalation'")" = $((2 * $1)) ]
    [ "$(count "public.notification_outbox WHERE notification_type = 'sla_warning'")" = "$1" ]
    [ "$(sql -c "SELECT count(DISTINCT payload ->> 'reference_id') FROM public.notification_outbox WHERE notification_type = 'sla_warning'")" = "$1" ]
    [ "$(count "public.assignments WHERE warning_sent_at IS NULL OR (breached_at IS NULL AND sla_deadline < steward.now())")" = 0 ]
    [ "$(count "steward.sla_trouble")" = 0 ]
}

@test "four monitors at once escalate each breach once and warn once" {
    due 1000
    local pids=()
    for i in 1 2 3 4; do monitor "m$i" 20 3>&- & pids+=($!); done
    for pid in "${pids[@]}"; do wait "$pid"; done
    once 1000
}

@test "monitors that are killed in the middle of a batch leave nothing half done, and nothing twice" {
    due 300
    sql <<-'SQL'
	CREATE FUNCTION public.dawdle() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM pg_sleep(0.002); RETURN NEW; END $$;
	CREATE TRIGGER dawdle BEFORE INSERT ON public.escalation_events FOR EACH ROW EXECUTE FUNCTION public.dawdle();
	CREATE TRIGGER dawdle BEFORE INSERT ON public.notification_outbox FOR EACH ROW EXECUTE FUNCTION public.dawdle();
	SQL
    local pids=() hits=() ended=0
    for i in 1 2; do monitor "m$i" 40 3>&- & pids+=($!); done
    for i in $(seq 12); do
        sleep 0.15
        if [ $((i % 2)) = 0 ]; then
            hits+=($(end_in_batch))
        else
            shell=$(pgrep -P "${pids[0]}" | head -1)
            victim=$(pgrep -P "${shell:-0}" -x psql | head -1)
            [ -z "$victim" ] || kill -9 "$victim" 2>/dev/null || true
        fi
    done
    for pid in "${pids[@]}"; do wait "$pid"; done
    # The server's word that the statement did not end before; to a client that was killed it says nothing.
    for pid in "${hits[@]}"; do
        ! grep -q "\[$pid\] FATAL:  terminating connection due to administrator command" "$STEWARD_TEST_CLUSTER/run/log" || ended=$((ended + 1))
    done
    echo "terminated in the middle of a batch: $ended"
    [ "$ended" -ge 1 ]
    once 300
}

@test "what a client holds is passed by, and done when it lets go" {
    due 50
    coproc HOLDER { psql -XqAt 2>&1 3>&-; }
    echo "BEGIN; SELECT 'held' FROM public.assignments WHERE work_item_id IN ('breach1', 'warning1') FOR UPDATE;" >&"${HOLDER[1]}"
    read -r -t 60 answer <&"${HOLDER[0]}"
    [ "$answer" = held ]
    run sql -c "SELECT warned, escalated, next_due_ms FROM steward.sla_turn('m', 1000)"
    [ "$output" = '49|49|1000' ]
    echo 'ROLLBACK; \q' >&"${HOLDER[1]}"
    wait "$HOLDER_PID" || true
    run sql -c "SELECT warned, escalated, next_due_ms > 1000 FROM steward.sla_turn('m', 1000)"
    [ "$output" = '1|1|t' ]
    once 50
}

@test "a person whom somebody holds costs the monitor that person's work, for a while" {
    due 50
    sql -c "INSERT INTO auth.users (email, raw_app_meta_data) VALUES ('root@example.org', '{\"role\": \"admin\"}') ON CONFLICT DO NOTHING"
    coproc HOLDER { psql -XqAt 2>&1 3>&-; }
    echo "BEGIN; SELECT 'held' FROM auth.users WHERE id = (SELECT assignee_id FROM public.assignments WHERE work_item_id = 'breach1') FOR UPDATE;" >&"${HOLDER[1]}"
    read -r -t 60 answer <&"${HOLDER[0]}"
    [ "$answer" = held ]
    run sql -c "SELECT warned + escalated >= 90 FROM steward.sla_turn('m', 1000)"
    echo "$output"
    [ "${lines[-1]}" = t ]
    [ "$(count "steward.sla_trouble WHERE state = '55P03'")" -ge 1 ]
    [ "$(count "public.notification_outbox WHERE notification_type = 'sla_trouble'")" = 0 ]
    echo 'ROLLBACK; \q' >&"${HOLDER[1]}"
    wait "$HOLDER_PID" || true
    sql -c "UPDATE steward.sla_trouble SET retry_at = steward.now()" -c "SELECT steward.sla_turn('m', 1000)" >/dev/null
    once 50
}

@test "leaves beside assigning, finishing, draining and monitoring: no error, no deadlock, no drift, nothing urgent left behind" {
    sql <<-'SQL'
	INSERT INTO public.skills (name_ar, name_en) VALUES ('leave', 'leave') ON CONFLICT DO NOTHING;
	UPDATE public.staff_profiles SET skills = ARRAY(SELECT id FROM public.skills WHERE name_en = 'leave'), individual_wip_limit = 8;
	UPDATE public.organizational_units SET unit_wip_limit = 40;
	DROP SEQUENCE IF EXISTS public.leave_item;
	CREATE SEQUENCE public.leave_item;
	SQL
    cat >"$BATS_TEST_TMPDIR/step.sql" <<-'SQL'
	\set what random(1, 10)
	\set who random(0, 49)
	\if :what <= 5
	SELECT steward.auto_assign('leave-' || nextval('leave_item'), 'ticket', ARRAY(SELECT id FROM skills WHERE name_en = 'leave'), (enum_range(NULL::priority_level))[1 + :who % 4]);
	\elif :what <= 7
	SELECT steward.set_availability((SELECT id FROM organizations WHERE is_default), (SELECT user_id FROM staff_profiles ORDER BY user_id OFFSET :who LIMIT 1), (enum_range(NULL::availability_status))[:what - 5]);
	\elif :what = 8
	SELECT steward.queue_drain('chaos', 20);
	\elif :what = 9
	SELECT steward.sla_turn('chaos', 50);
	\else
	UPDATE assignments SET status = 'completed' WHERE id = (SELECT id FROM assignments WHERE status = 'assigned' ORDER BY random() LIMIT 1);
	\endif
	SQL
    run "$(pg_config --bindir)/pgbench" -n -c 12 -j 2 -T 5 -f "$BATS_TEST_TMPDIR/step.sql"
    echo "$output"
    [ "$status" -eq 0 ]
    [[ "$output" =~ 'number of failed transactions: 0' ]]
    [[ ! "$output" =~ ERROR ]]
    [ "$(sql -c 'SELECT count(*) FROM steward.recount_assignments(false)')" = 0 ]
    [ "$(count "public.staff_profiles WHERE current_assignment_count > individual_wip_limit")" = 0 ]
    [ "$(count "public.assignments a JOIN public.staff_profiles p ON p.user_id = a.assignee_id
                WHERE a.status = 'assigned' AND a.priority >= 'high' AND p.availability_status <> 'available' AND NOT a.needs_review")" = 0 ]
}

@test "a leave beside assigning to the same units, where others have room: all that is urgent moves" {
    sql <<-'SQL'
	INSERT INTO public.skills (name_ar, name_en) VALUES ('leave', 'leave') ON CONFLICT DO NOTHING;
	UPDATE public.staff_profiles SET skills = ARRAY(SELECT id FROM public.skills WHERE name_en = 'leave'), individual_wip_limit = 20;
	SQL
    cat >"$BATS_TEST_TMPDIR/step.sql" <<-'SQL'
	SELECT steward.auto_assign('beside-' || gen_random_uuid(), 'task', ARRAY(SELECT id FROM skills WHERE name_en = 'leave'), 'low') ->> 'assignment_id' AS item \gset
	UPDATE assignments SET status = 'cancelled' WHERE id = ':item';
	SQL
    # It goes on for as long as the leaves take.
    until [ -e "$BATS_TEST_TMPDIR/enough" ]; do
        "$(pg_config --bindir)/pgbench" -n -c 8 -j 2 -t 50 -f "$BATS_TEST_TMPDIR/step.sql" || break
    done >"$BATS_TEST_TMPDIR/bench" 2>&1 3>&- &
    local bench=$!
    for i in $(seq 8); do
        sql -v i="$i" <<-'SQL' >>"$BATS_TEST_TMPDIR/leaves"
	SELECT organization_id AS organization, user_id AS person FROM public.staff_profiles WHERE role = 'staff' ORDER BY user_id OFFSET :i LIMIT 1 \gset
	INSERT INTO public.assignments (work_item_id, work_item_type, assignee_id, priority, required_skills)
	SELECT 'leave' || :i || '-' || n, 'ticket', :'person', 'urgent', s.skills FROM generate_series(1, 5) n, public.staff_profiles s WHERE s.user_id = :'person';
	SELECT jsonb_path_query_array(l, '$.reassigned_items[*] ? (@.work_item_id like_regex "^leave")') #>> '{4,priority}',
	       jsonb_path_query_array(l, '$.flagged_for_review[*].reason') FROM steward.set_availability(:'organization', :'person', 'on_leave') l;
	SQL
    done
    touch "$BATS_TEST_TMPDIR/enough"
    wait "$bench"
    cat "$BATS_TEST_TMPDIR/leaves" "$BATS_TEST_TMPDIR/bench"
    grep -q 'number of failed transactions: 0' "$BATS_TEST_TMPDIR/bench"
    [ "$(grep -c 'failed transactions: [1-9]' "$BATS_TEST_TMPDIR/bench")" = 0 ]
    [ "$(grep -c ERROR "$BATS_TEST_TMPDIR/bench")" = 0 ]
    [ "$(count "public.assignments WHERE work_item_id LIKE 'leave%' AND reassigned_from IS NOT NULL AND NOT needs_review")" = 40 ]
    [ "$(count "public.assignments a JOIN public.staff_profiles p ON p.user_id = a.assignee_id
                WHERE a.work_item_id LIKE 'leave%' AND a.status = 'assigned' AND p.availability_status <> 'available'")" = 0 ]
    [ "$(sql -c 'SELECT count(*) FROM steward.recount_assignments(false)')" = 0 ]
}
