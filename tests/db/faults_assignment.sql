-- The faults of the reference's assignment engine, by number: each is absent here.

\ir setup.psql
\ir assignments.psql

SELECT plan(112);

CREATE TEMP TABLE tested (number int);
CREATE FUNCTION pg_temp.fault(number int, passes boolean, what text) RETURNS text LANGUAGE sql AS $$
    INSERT INTO tested VALUES (number);
    SELECT ok(passes, lpad(number::text, 2, '0') || ' ' || what);
$$;
CREATE FUNCTION pg_temp.raises(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
    RETURN NULL;
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE;
END $$;
CREATE FUNCTION pg_temp.as_user(who uuid, statement text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    answer text;
BEGIN
    PERFORM set_config('request.jwt.claims', json_build_object('sub', who)::text, true);
    SET LOCAL ROLE authenticated;
    BEGIN
        EXECUTE statement INTO answer;
    EXCEPTION WHEN OTHERS THEN
        answer := SQLSTATE;
    END;
    RESET ROLE;
    PERFORM set_config('request.jwt.claims', '', true);
    RETURN answer;
END $$;
-- 'status: body' of an operation, as a user calls it.
CREATE FUNCTION pg_temp.call(who uuid, operation text, request jsonb) RETURNS text LANGUAGE sql AS $$
    SELECT pg_temp.as_user(who, format('SELECT status || '': '' || body FROM api.%I(%L)', operation, request))
$$;
CREATE FUNCTION pg_temp.assign(item text, skills uuid[], priority priority_level DEFAULT 'normal', target uuid DEFAULT NULL) RETURNS jsonb LANGUAGE sql AS $$
    SELECT steward.auto_assign(item, 'ticket', skills, priority, target)
$$;
CREATE FUNCTION pg_temp.finish(item text) RETURNS void LANGUAGE sql AS $$ UPDATE assignments SET status = 'completed' WHERE work_item_id = item AND status IN ('assigned', 'in_progress') $$;
CREATE FUNCTION pg_temp.connection(name text) RETURNS int LANGUAGE sql AS $$
    SELECT dblink_connect(name, format('host=%s port=%s user=%s dbname=%s', current_setting('test.host'), current_setting('test.port'), current_user, current_database()));
    SELECT pid FROM dblink(name, 'SELECT pg_backend_pid()') AS r(pid int);
$$;
SELECT set_config('test.host', :'HOST', false), set_config('test.port', :'PORT', false);
-- Until a session waits for a lock.
CREATE FUNCTION pg_temp.waits(session int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    WHILE NOT EXISTS (SELECT FROM pg_locks l WHERE l.pid = session AND NOT l.granted) LOOP
        IF clock_timestamp() > now() + interval '1 minute' THEN
            RAISE EXCEPTION 'session % waits for nothing', session;
        END IF;
    END LOOP;
END $$;

SELECT pg_temp.person('admin') AS operator
\gset
SELECT pg_temp.unit('Translation', 20) AS translation, pg_temp.unit('Analysis', 30) AS analysis, pg_temp.skill('arabic') AS arabic, pg_temp.skill('writing') AS writing, pg_temp.skill('legal') AS legal
\gset
SELECT ARRAY[:'arabic']::uuid[] AS wants_arabic, ARRAY[:'legal']::uuid[] AS wants_legal
\gset
SELECT pg_temp.staff(:'translation', '{}', 'supervisor') AS lead, pg_temp.staff(:'analysis', '{}', 'supervisor') AS other_lead, pg_temp.staff(:'analysis', '{}', 'admin') AS chief
\gset
SELECT pg_temp.staff(:'translation', ARRAY[:'arabic', :'writing']::uuid[]) AS ann, pg_temp.staff(:'translation', ARRAY[:'arabic']::uuid[]) AS ben
\gset

-- 01, 16: it works at all, and leave is one transaction.
SELECT pg_temp.fault(1, a ->> 'outcome' = 'assigned' AND a ->> 'assignee_id' = :'ann', 'the decision can be made: the one with more skills gets it') FROM pg_temp.assign('f01', :'wants_arabic', 'urgent') a;
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'not today'; END $$;
SELECT pg_temp.work(:'ann', 'low') AS low
\gset
CREATE TRIGGER refuse BEFORE INSERT ON notification_outbox FOR EACH ROW EXECUTE FUNCTION refuse();
SELECT pg_temp.raises(format('SELECT steward.set_availability(%L, %L, ''on_leave'')', pg_temp.home(), :'ann')) AS state
\gset
SELECT pg_temp.fault(16, :'state' = 'P0001' AND p.availability_status = 'available' AND p.current_assignment_count = 2 AND NOT a.needs_review, 'a leave that cannot be told is not taken')
  FROM staff_profiles p JOIN assignments a ON a.id = :'low' WHERE p.user_id = :'ann';
DROP TRIGGER refuse ON notification_outbox;
SELECT steward.set_availability(pg_temp.home(), :'ann', 'on_leave') AS leave
\gset
SELECT pg_temp.fault(1, jsonb_array_length(:'leave'::jsonb -> 'reassigned_items') = 1 AND assignee_id = :'ben', 'and so can that of a leave') FROM assignments WHERE work_item_id = 'f01';
SELECT pg_temp.fault(16, jsonb_array_length(:'leave'::jsonb -> 'flagged_for_review') = 1 AND a.needs_review AND a.assignee_id = :'ann', 'what is flagged is flagged where it is') FROM assignments a WHERE a.id = :'low';
SELECT steward.set_availability(pg_temp.home(), :'ann', 'available');
SELECT pg_temp.finish('f01'), pg_temp.finish(work_item_id) FROM assignments WHERE id = :'low';

-- 02, 03, 31: who may read, write and call.
SELECT pg_temp.fault(2, bool_and(pg_temp.as_user(w, 'SELECT count(*) FROM ' || t) ~ '^\d{1,3}$'), 'no policy asks itself: ' || t)
  FROM unnest('{staff_profiles,assignments,assignment_queue,escalation_events}'::text[]) t, unnest(ARRAY[:'ann', :'lead', :'chief']::uuid[]) w GROUP BY t;
SELECT pg_temp.fault(3, bool_and(pg_temp.as_user(w, s) = '42501'), 'no user may: ' || left(s, 50))
  FROM unnest(ARRAY[:'ann', :'lead', :'chief']::uuid[]) w,
       unnest('{INSERT INTO assignment_queue DEFAULT VALUES,DELETE FROM assignment_queue,INSERT INTO assignments DEFAULT VALUES,INSERT INTO escalation_events DEFAULT VALUES,UPDATE escalation_events SET notes = NULL,
                UPDATE staff_profiles SET role = ''admin'',UPDATE staff_profiles SET individual_wip_limit = 20,UPDATE staff_profiles SET unit_id = unit_id,UPDATE staff_profiles SET current_assignment_count = 0,
                DELETE FROM skills,DELETE FROM organizational_units,UPDATE sla_configs SET deadline_hours = 1,DELETE FROM assignment_rules,DELETE FROM capacity_snapshots}'::text[]) s GROUP BY s;
SELECT pg_temp.fault(31, pg_temp.as_user(:'ann', format('SELECT steward.auto_assign(''f31'', ''ticket'', %L, ''low'')', :'wants_arabic')) = '42501', 'users do not reach the engine past the api');
SELECT pg_temp.fault(31, bool_and(pg_temp.call(w, 'assignments_auto_assign', jsonb_build_object('work_item_id', 'f31', 'work_item_type', 'ticket', 'required_skills', :'wants_arabic'::uuid[], 'priority', 'low')) LIKE '401: %')
           AND NOT EXISTS (SELECT FROM assignments WHERE work_item_id = 'f31'), 'which asks who is calling') FROM unnest(ARRAY[NULL]::uuid[]) w;

-- 05, 06, 07, 08, 09, 22: assigning, waiting, draining.
SELECT pg_temp.fault(5, a ->> 'outcome' = 'assigned', 'an item that was completed can come again') FROM pg_temp.assign('f01', :'wants_arabic') a;
SELECT pg_temp.finish('f01');
SELECT pg_temp.staff(:'analysis', ARRAY[:'legal', :'writing']::uuid[], 'staff', 1) AS lea
\gset
SELECT pg_temp.assign('busy', :'wants_legal');
SELECT pg_temp.assign('f06 low', :'wants_legal', 'low'), pg_temp.assign('f06 urgent', :'wants_legal', 'urgent'), pg_temp.assign('f06 normal', :'wants_legal', 'normal');
SELECT pg_temp.fault(6, array_agg(work_item_id ORDER BY priority DESC, created_at) = '{f06 urgent,f06 normal,f06 low}', 'urgent is served first') FROM assignment_queue;
SELECT pg_temp.fault(6, array_agg((a ->> 'queue_position')::int ORDER BY a ->> 'queue_position') = '{1,2,3}' AND (array_agg(i ORDER BY a ->> 'queue_position'))[1] = 'f06 urgent', 'and its position says so')
  FROM unnest('{f06 low,f06 urgent,f06 normal}'::text[]) i, LATERAL (SELECT pg_temp.assign(i, :'wants_legal')) x(a);
SELECT pg_temp.finish('busy');
SELECT assigned AS n FROM steward.queue_drain('test', 10)
\gset
SELECT pg_temp.fault(7, :n = 1 AND assignee_id = :'lea' AND NOT EXISTS (SELECT FROM assignment_queue WHERE work_item_id = 'f06 urgent'), 'freed capacity gives away the next item, one that needs a part of the freed skills')
  FROM assignments WHERE work_item_id = 'f06 urgent';
SELECT pg_temp.fault(22, q.created_at < steward.now() AND a.sla_started_at < a.assigned_at, 'the clock of an item that waited began when it was queued')
  FROM assignments a, assignment_queue q WHERE a.work_item_id = 'f06 urgent' AND q.work_item_id = 'f06 low';
SELECT steward.queue_escalate(id, :'chief') ->> 'outcome' AS outcome FROM assignment_queue WHERE work_item_id = 'f06 low'
\gset
SELECT pg_temp.fault(22, :'outcome' = 'escalated' AND count(*) = 1 AND bool_and(reason = 'capacity_exhaustion'), 'what waits can be escalated for want of capacity') FROM escalation_events WHERE queue_id IS NOT NULL;
CREATE PROCEDURE pg_temp.minutes(n int) LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN 1 .. n LOOP
        PERFORM set_config('steward.clock_offset', format('%s minutes', 2 * i), false);
        PERFORM public.process_stale_queue_items();
        COMMIT;
    END LOOP;
END $$;
CALL pg_temp.minutes(12);
SELECT pg_temp.fault(8, attempts = 10 AND needs_review AND flagged_at IS NOT NULL, 'the tenth attempt flags the item, which stays') FROM assignment_queue WHERE work_item_id = 'f06 normal';
SELECT pg_temp.fault(22, count(*) = 1 AND bool_and(e.reason = 'capacity_exhaustion' AND e.escalated_by IS NULL AND e.escalated_to_id IS NOT NULL), 'and is escalated by itself')
  FROM escalation_events e JOIN assignment_queue q ON q.id = e.queue_id WHERE q.work_item_id = 'f06 normal';
SET steward.clock_offset = '3 days';
SELECT steward.sla_turn('test', 1000);
RESET steward.clock_offset;
SELECT pg_temp.fault(22, count(*) = 1 AND bool_and(q.breached_at = e.escalated_at AND e.sla_deadline = q.created_at + interval '48 hours'), 'and its deadline escalates while it waits')
  FROM escalation_events e JOIN assignment_queue q ON q.id = e.queue_id WHERE q.work_item_id = 'f06 normal' AND e.reason = 'sla_breach';
SELECT pg_temp.finish('f06 urgent');
SELECT steward.queue_drain('test', 10);
SET steward.clock_offset = '3 days';
SELECT steward.sla_turn('test', 1000);
RESET steward.clock_offset;
SELECT pg_temp.fault(22, count(*) = 1, 'once, also when it is given to somebody later') FROM escalation_events WHERE work_item_id = 'f06 normal' AND reason = 'sla_breach';
SELECT pg_temp.fault(8, count(*) = 1, 'and is served when there is capacity') FROM assignments WHERE work_item_id = 'f06 normal';
RESET steward.clock_offset;
SELECT pg_temp.unit('small', 2) AS small
\gset
SELECT pg_temp.skill('rare') AS rare, pg_temp.skill('rarer') AS rarer
\gset
SELECT pg_temp.staff(:'small', ARRAY[:'rare']::uuid[]) AS one, pg_temp.staff(:'small', ARRAY[:'rarer']::uuid[]) AS two
\gset
SELECT pg_temp.assign('f09 1', ARRAY[:'rare']::uuid[]), pg_temp.assign('f09 2', ARRAY[:'rare']::uuid[]);
SELECT pg_temp.fault(9, a ->> 'outcome' = 'queued' AND a ->> 'reason' = 'Unit WIP limit reached (2/2)', 'a unit''s limit is a limit') FROM pg_temp.assign('f09 3', ARRAY[:'rarer']::uuid[]) a;
INSERT INTO assignment_rules (name_ar, name_en, unit_id, required_skills, capacity_check_enabled) VALUES ('r', 'r', :'small', ARRAY[:'rare']::uuid[], false);
SELECT pg_temp.fault(9, a ->> 'outcome' = 'assigned', 'that a rule can lift') FROM pg_temp.assign('f09 4', ARRAY[:'rare']::uuid[]) a;
UPDATE assignments SET status = 'cancelled' WHERE work_item_id = 'f09 4';
DELETE FROM assignment_rules;
SELECT steward.queue_drain('test', 10);
SELECT pg_temp.finish('f09 1');
SELECT steward.queue_drain('test', 10);
SELECT pg_temp.fault(7, count(*) = 1 AND bool_and(assignee_id = :'two'), 'room in a full unit serves whoever of it fits, not only who made it') FROM assignments WHERE work_item_id = 'f09 3';
INSERT INTO assignment_rules (name_ar, name_en, unit_id, required_skills, priority_weight) VALUES ('r', 'r', :'translation', :'wants_arabic', 10);
SELECT pg_temp.fault(9, (c ->> 'unit_score')::numeric = 10, 'and rules have a weight')
  FROM jsonb_array_elements(steward.auto_assign('f09', 'ticket', :'wants_arabic', 'low', explain => true) -> 'candidates') c WHERE c ->> 'user_id' = :'ann';
DELETE FROM assignment_rules;

-- 10, 11: two sessions.
SELECT pg_temp.skill('single') AS single
\gset
SELECT pg_temp.staff(:'analysis', ARRAY[:'single']::uuid[], 'staff', 1) AS sole
\gset
SELECT pg_temp.connection('a') AS a, pg_temp.connection('b') AS b
\gset
SELECT dblink_exec('a', 'BEGIN');
SELECT outcome AS first FROM dblink('a', format('SELECT steward.auto_assign(''f10 a'', ''ticket'', %L, ''low'') ->> ''outcome''', ARRAY[:'single']::uuid[])) AS r(outcome text)
\gset
SELECT dblink_send_query('b', format('SELECT steward.auto_assign(''f10 b'', ''ticket'', %L, ''urgent'') ->> ''outcome''', ARRAY[:'single']::uuid[]));
SELECT pg_temp.waits(:b);
SELECT dblink_exec('a', 'COMMIT');
SELECT outcome AS second FROM dblink_get_result('b') AS r(outcome text)
\gset
SELECT * FROM dblink_get_result('b') AS r(outcome text);
SELECT pg_temp.fault(10, :'first' = 'assigned' AND :'second' = 'queued' AND current_assignment_count = 1, 'two decisions at once do not give one person more than the limit') FROM staff_profiles WHERE user_id = :'sole';
SELECT pg_temp.skill('double') AS double
\gset
SELECT pg_temp.staff(:'analysis', ARRAY[:'double']::uuid[], 'staff', 5) AS two
\gset
SELECT pg_temp.assign('f25', ARRAY[:'double']::uuid[]);
SELECT pg_temp.fault(25, p.xmax = p.xmin AND u.xmax = u.xmin, 'what locks a unit and a person is what writes, so their rows remember one transaction')
  FROM staff_profiles p JOIN organizational_units u ON u.id = p.unit_id WHERE p.user_id = :'two';
INSERT INTO assignments (work_item_id, work_item_type, assignee_id, priority, status) VALUES ('f10 c', 'ticket', :'two', 'low', 'pending');
SELECT dblink_exec('a', 'BEGIN'), dblink_exec('a', 'UPDATE assignments SET status = ''assigned'' WHERE work_item_id = ''f10 c''');
SELECT dblink_send_query('b', format('SELECT steward.auto_assign(''f10 c'', ''ticket'', %L, ''low'') ->> ''outcome''', ARRAY[:'double']::uuid[]));
SELECT pg_temp.waits(:b);
SELECT dblink_exec('a', 'COMMIT');
SELECT outcome AS second FROM dblink_get_result('b') AS r(outcome text)
\gset
SELECT * FROM dblink_get_result('b') AS r(outcome text);
SELECT pg_temp.fault(10, :'second' = 'exists' AND current_assignment_count = 2, 'what somebody began by hand meanwhile is his, and counted once') FROM staff_profiles WHERE user_id = :'two';
SELECT pg_temp.work(:'ann', 'urgent', 'ticket', 'assigned', steward.now() - interval '3 hours') AS late
\gset
SELECT dblink_exec('a', 'BEGIN');
SELECT n AS monitor_a FROM dblink('a', 'SELECT escalated FROM steward.sla_turn(''a'', 100)') AS r(n int)
\gset
SELECT n AS monitor_b FROM dblink('b', 'SELECT escalated FROM steward.sla_turn(''b'', 100)') AS r(n int)
\gset
SELECT dblink_exec('a', 'COMMIT');
SELECT n AS monitor_c FROM dblink('b', 'SELECT escalated FROM steward.sla_turn(''b'', 100)') AS r(n int)
\gset
SELECT pg_temp.fault(11, :monitor_a = 1 AND :monitor_b = 0 AND :monitor_c = 0 AND count(*) = 1, 'two monitors at once escalate a breach once') FROM escalation_events WHERE assignment_id = :'late';
SELECT pg_temp.fault(11, pg_temp.raises(format('INSERT INTO escalation_events (assignment_id, escalated_to_id, reason) VALUES (%L, %L, ''sla_breach'')', :'late', :'lead')) = '23505', 'and a key says so');

-- 04, 14, 17: recipients and notices.
SELECT pg_temp.fault(14, array_agg(recipient_id ORDER BY recipient_id) = (SELECT array_agg(i ORDER BY i) FROM unnest(ARRAY[:'ann', :'lead']::uuid[]) i), 'both sides hear of an escalation')
  FROM notification_outbox WHERE notification_type = 'sla_escalation' AND payload ->> 'reference_id' = :'late';
SELECT pg_temp.work(:'ann', 'normal', 'dossier', 'assigned', steward.now() - interval '36 hours 30 seconds') AS warned
\gset
SELECT steward.sla_turn('test', 100);
SELECT steward.sla_turn('test', 100);
SELECT pg_temp.fault(14, count(*) = 1 AND bool_and(recipient_id = :'ann'), 'and the assignee, once, of a warning') FROM notification_outbox WHERE notification_type = 'sla_warning' AND payload ->> 'reference_id' = :'warned';
SELECT pg_temp.fault(4, pg_temp.raises(format('UPDATE staff_profiles SET escalation_chain_id = (SELECT id FROM staff_profiles WHERE user_id = %L) WHERE user_id = %L', :'lead', :'ben')) = '23503', 'a chain names users, not profiles');
SELECT pg_temp.person() AS outsider
\gset
UPDATE staff_profiles SET escalation_chain_id = :'outsider' WHERE user_id = :'ben';
UPDATE staff_profiles SET escalation_chain_id = :'chief' WHERE user_id = :'ann';
SELECT pg_temp.work(:'ben', 'urgent', 'ticket', 'assigned', steward.now() - interval '3 hours') AS bens, pg_temp.work(:'ann', 'urgent', 'ticket', 'assigned', steward.now() - interval '3 hours') AS anns
\gset
SELECT escalated AS n FROM steward.sla_turn('test', 100)
\gset
SELECT pg_temp.fault(4, :n = 2 AND count(*) = 2 AND bool_and(e.escalated_to_id = CASE WHEN e.assignment_id = :'anns' THEN :'chief' ELSE :'lead' END::uuid), 'a chain that leads nowhere keeps nobody''s breach from being escalated')
  FROM escalation_events e WHERE e.assignment_id IN (:'bens', :'anns');
UPDATE staff_profiles SET escalation_chain_id = NULL;
SELECT pg_temp.fault(17, get_escalation_recipient(:'lead') = :'chief', 'nobody is the own recipient');
UPDATE staff_profiles SET availability_status = 'on_leave' WHERE user_id = :'lead';
SELECT pg_temp.fault(17, get_escalation_recipient(:'ann') = :'chief', 'nobody on leave is one');
UPDATE staff_profiles SET availability_status = 'available' WHERE user_id = :'lead';
SELECT pg_temp.staff(:'translation', '{}', 'supervisor') AS lead2
\gset
SELECT pg_temp.fault(17, count(DISTINCT get_escalation_recipient(:'ann')) = 1 AND bool_and(get_escalation_recipient(:'ann') = LEAST(:'lead', :'lead2')::uuid), 'of two the same every time') FROM generate_series(1, 5);
DELETE FROM staff_profiles WHERE user_id = :'lead2';
SELECT pg_temp.work(:'ann', 'urgent') AS manual
\gset
SELECT steward.escalate(:'manual', 'manual', :'ann', 'help');
SET steward.clock_offset = '3 hours';
SELECT steward.sla_turn('test', 100);
SELECT pg_temp.fault(17, array_agg(reason ORDER BY reason) = '{sla_breach,manual}', 'an escalation by hand does not hide the later breach') FROM escalation_events WHERE assignment_id = :'manual';
RESET steward.clock_offset;
INSERT INTO organizations (name) VALUES ('headless') RETURNING id AS headless
\gset
SELECT pg_temp.staff(pg_temp.unit('alone', 5, NULL, :'headless')) AS alone
\gset
SELECT pg_temp.work(:'alone', 'urgent', 'ticket', 'assigned', steward.now() - interval '3 hours') AS headless_work
\gset
SELECT unserved AS n FROM steward.sla_turn('test', 100)
\gset
SELECT pg_temp.fault(17, :n = 1 AND breached_at IS NOT NULL AND (SELECT count(*) = 1 FROM notification_outbox WHERE recipient_id = :'operator' AND notification_type = 'sla_no_recipient' AND payload ->> 'reference_id' = :'headless_work'), 'without a recipient the operators are alerted, at once')
  FROM assignments WHERE id = :'headless_work';
SELECT pg_temp.fault(17, warned + escalated + unserved = 0, 'once, and it is in nobody''s way') FROM steward.sla_turn('test', 100);

-- 12, 13, 23, 25: counts, clocks, versions.
INSERT INTO assignments (work_item_id, work_item_type, assignee_id, priority, status) SELECT 'f12 ' || s, 'task', :'two', 'low', s FROM unnest(enum_range(NULL::assignment_status)) s;
UPDATE assignments SET status = 'cancelled' WHERE work_item_id = 'f12 pending';
DELETE FROM assignments WHERE work_item_id = 'f12 completed';
UPDATE assignments SET assignee_id = :'one' WHERE work_item_id = 'f12 cancelled';
SELECT pg_temp.fault(12, pg_temp.drift() IS NULL AND pg_temp.raises('UPDATE assignments SET status = ''assigned'' WHERE work_item_id = ''f12 cancelled''') = '23514', 'counts are right whatever is inserted, cancelled, deleted, reassigned; nothing is reopened');
SELECT pg_temp.fault(12, count(*) = 0, 'and there is a function that would say otherwise') FROM steward.recount_assignments();
SELECT pg_temp.work(:'ann', 'urgent', 'ticket', 'assigned', steward.now() - interval '100 minutes') AS clock
\gset
SELECT steward.sla_turn('test', 100);
UPDATE assignments SET priority = 'high' WHERE id = :'clock';
SELECT pg_temp.fault(13, sla_deadline = sla_started_at + interval '24 hours' AND warning_sent_at IS NULL, 'another priority is another deadline, watched anew') FROM assignments WHERE id = :'clock';
UPDATE assignments SET assignee_id = :'ben', assigned_at = steward.now() WHERE id = :'clock';
SELECT pg_temp.fault(13, sla_deadline = sla_started_at + interval '24 hours' AND sla_started_at < assigned_at, 'another assignee is not') FROM assignments WHERE id = :'clock';
INSERT INTO assignments (work_item_id, work_item_type, assignee_id, priority, sla_deadline) VALUES ('f13', 'task', :'ben', 'low', steward.now() + interval '1 hour');
SELECT pg_temp.fault(13, sla_deadline - assigned_at = interval '1 hour', 'a given deadline stays') FROM assignments WHERE work_item_id = 'f13';
UPDATE sla_configs SET warning_threshold_pct = 50 WHERE work_item_type = 'position' AND priority = 'urgent';
SELECT pg_temp.work(:'ben', 'urgent', 'position', 'assigned', steward.now() - interval '121 minutes') AS half
\gset
SELECT version AS v, xmin AS x FROM staff_profiles WHERE user_id = :'ben'
\gset
SELECT steward.sla_turn('test', 100);
SELECT pg_temp.fault(23, warning_sent_at IS NOT NULL AND breached_at IS NULL, 'the warning comes at the configured share') FROM assignments WHERE id = :'half';
SELECT pg_temp.fault(25, version = :v AND xmin = :'x'::xid, 'marking an assignment does not touch its assignee') FROM staff_profiles WHERE user_id = :'ben';
UPDATE assignments SET status = 'completed' WHERE id = :'half';
SELECT pg_temp.fault(25, version = :v AND xmin <> :'x'::xid, 'counting makes no new version') FROM staff_profiles WHERE user_id = :'ben';
SELECT pg_temp.fault(25, count(*) = 0, 'rows are counted by statement') FROM pg_trigger WHERE tgfoid = 'update_staff_assignment_count'::regproc AND tgtype & 1 = 1;

-- 15: override.
SELECT pg_temp.assign('f15', ARRAY[:'single']::uuid[]) ->> 'outcome' AS outcome
\gset
SELECT steward.assign_override(pg_temp.home(), 'f15', 'ticket', :'sole', 'high', 'nobody else can do it', :'chief') AS over
\gset
SELECT pg_temp.fault(15, :'outcome' = 'queued' AND :'over'::jsonb ->> 'outcome' = 'assigned' AND :'over'::jsonb ->> 'capacity_warning' = 'Assignee is at or over WIP limit (1/1)'
           AND NOT EXISTS (SELECT FROM assignment_queue WHERE work_item_id = 'f15'), 'an override passes the limit, says so, and takes the item out of the queue');
SELECT pg_temp.fault(15, steward.assign_override(pg_temp.home(), 'f15', 'ticket', :'ann', 'high', 'nobody else can do it', :'chief') ->> 'outcome' = 'conflict', 'a second one is a conflict');
SELECT pg_temp.fault(15, pg_temp.call(:'lead', 'assignments_manual_override', jsonb_build_object('work_item_id', 'f15', 'work_item_type', 'ticket', 'assignee_id', :'ann', 'override_reason', 'mine from now on', 'reassign', true, 'priority', 'low')) ~ '^(403|404|409): '
           AND (SELECT assignee_id FROM assignments WHERE work_item_id = 'f15') = :'sole', 'a supervisor does not take work of another unit');
SELECT pg_temp.fault(15, count(*) = 1, 'it is written down') FROM assignment_history WHERE work_item_id = 'f15' AND action = 'assignment_manual_override' AND actor_id = :'chief';

-- 18: the schedule means what it says.
SELECT pg_temp.fault(18, count(*) = 4, 'the four jobs have the times they are meant to have')
  FROM steward.job_schedule s JOIN (VALUES ('sla-monitoring', '30 seconds'), ('capacity-snapshot', '0 0 * * *'), ('queue-fallback-processor', '* * * * *'), ('escalation-cleanup', '0 2 * * *')) w(name, text) ON s.name = w.name AND s.schedule = w.text AND s.enabled;
SELECT pg_temp.fault(18, steward.schedule_next('*/30 * * * * *', 'UTC', '2025-10-02 10:00:01Z') = '2025-10-02 10:00:30Z' AND steward.schedule_next('30 seconds', 'UTC', '2025-10-02 10:00:01Z') = '2025-10-02 10:00:30Z', 'six fields begin with seconds, and intervals are understood'),
       pg_temp.fault(18, steward.schedule_next('* * * * *', 'UTC', '2025-10-02 10:00:01Z') = '2025-10-02 10:01Z' AND steward.schedule_next('0 * * * *', 'UTC', '2025-10-02 10:00:01Z') = '2025-10-02 11:00Z', 'every minute is every minute, and minute 0 is hourly');
SELECT pg_temp.fault(18, bool_and(j.status = 'completed'), 'and each can be run')
  FROM (SELECT r.name, steward.job_run_now(r.name, 'test') AS run FROM steward.job_schedule r WHERE r.call LIKE 'steward.job%') n, LATERAL steward.job_perform(n.run, 'test') j;

-- 19, 23, 24, 26, 28: indexes, and what a look costs when nothing is due.
SELECT pg_temp.fault(19, count(*) >= 40 AND bool_and(i.indisvalid AND i.indisready), 'every index exists and is valid')
  FROM pg_index i JOIN pg_class t ON t.oid = i.indrelid
 WHERE t.relname IN ('organizational_units', 'skills', 'staff_profiles', 'assignment_rules', 'sla_configs', 'assignments', 'assignment_queue', 'escalation_events', 'capacity_snapshots');
SELECT pg_temp.fault(19, count(*) = 4, 'those with the seeds'' names too') FROM pg_indexes
 WHERE indexname IN ('idx_assignments_assignee_status_sla', 'idx_assignments_status_sla_covering', 'idx_assignments_sla_partial', 'idx_escalation_date_reason');
SELECT pg_temp.fault(28, count(*) = 0, 'no index is the beginning of another: ' || COALESCE(string_agg(a.indexrelid::regclass || ' of ' || b.indexrelid::regclass, ', '), 'none'))
  FROM pg_index a JOIN pg_index b ON a.indrelid = b.indrelid AND a.indexrelid <> b.indexrelid
  JOIN pg_class t ON t.oid = a.indrelid JOIN pg_class ai ON ai.oid = a.indexrelid JOIN pg_class bi ON bi.oid = b.indexrelid
 WHERE t.relname IN ('organizational_units', 'skills', 'staff_profiles', 'assignment_rules', 'sla_configs', 'assignments', 'assignment_queue', 'escalation_events', 'capacity_snapshots')
   AND ai.relam = bi.relam AND NOT a.indisunique AND a.indexprs IS NULL AND b.indexprs IS NULL
   AND pg_get_expr(a.indpred, a.indrelid) IS NOT DISTINCT FROM pg_get_expr(b.indpred, b.indrelid)
   AND b.indkey::text || ' ' LIKE a.indkey::text || ' %' AND b.indoption::text || ' ' LIKE a.indoption::text || ' %';
SET session_replication_role = replica;
INSERT INTO assignments (organization_id, work_item_id, work_item_type, assignee_id, unit_id, sla_started_at, warn_at, sla_deadline, priority, status)
SELECT pg_temp.home(), 'many ' || n, 'ticket', :'ann', :'translation', now(), now() + interval '1 day' + n * interval '1 s', now() + interval '2 days' + n * interval '1 s', 'normal', 'assigned' FROM generate_series(1, 20000) n;
SET session_replication_role = origin;
ANALYZE assignments;
SELECT steward.sla_turn('test', 1000);
-- Counters of earlier statements are added up first.
SELECT pg_stat_force_next_flush();
BEGIN;
SELECT steward.sla_turn('test', 1000);
SELECT pg_temp.fault(24, seq_tup_read = 0 AND idx_tup_fetch < 10, 'a look at 20,000 open items when nothing is due reads next to none: ' || seq_tup_read || ', ' || idx_tup_fetch) FROM pg_stat_xact_user_tables WHERE relname = 'assignments';
COMMIT;
CREATE FUNCTION pg_temp.plan_of(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    line  text;
    whole text := '';
BEGIN
    FOR line IN EXECUTE 'EXPLAIN ' || query LOOP
        whole := whole || line || E'\n';
    END LOOP;
    RETURN whole;
END $$;
SELECT pg_temp.fault(23, pg_temp.plan_of('SELECT assignment_id FROM steward.assignment_due WHERE due_at <= steward.now() ORDER BY due_at LIMIT 100') ~ 'Index Cond: \(due_at <= ', 'and warnings are found by an index');
SET session_replication_role = replica;
INSERT INTO auth.users (id) SELECT md5('s' || n)::uuid FROM generate_series(1, 5000) n;
INSERT INTO staff_profiles (organization_id, user_id, unit_id) SELECT pg_temp.home(), md5('s' || n)::uuid, :'analysis' FROM generate_series(1, 5000) n;
UPDATE assignments SET sla_deadline = now() - interval '1 s', warn_at = now() - interval '1 hour', warning_sent_at = now(), assignee_id = md5('s' || substr(work_item_id, 6))::uuid, unit_id = :'analysis' WHERE work_item_id LIKE 'many %' AND substr(work_item_id, 6)::int <= 100;
SET session_replication_role = origin;
ANALYZE staff_profiles, assignments;
SELECT pg_stat_force_next_flush();
BEGIN;
SELECT escalated AS n FROM steward.sla_turn('test', 1000)
\gset
SELECT pg_temp.fault(26, :n = 100 AND seq_tup_read = 0 AND idx_tup_fetch <= 300, 'a hundred recipients are found by index, each once: ' || idx_tup_fetch) FROM pg_stat_xact_user_tables WHERE relname = 'staff_profiles';
COMMIT;
SELECT pg_temp.fault(26, count(*) = 100 AND bool_and(escalated_to_id IN (:'chief', :'other_lead')), 'and they are right') FROM escalation_events WHERE work_item_id LIKE 'many %';
DELETE FROM assignments WHERE work_item_id LIKE 'many %';
-- These were written past the triggers that count.
SELECT count(*) FROM steward.recount_assignments();

-- 20: snapshots.
SELECT pg_temp.staff(pg_temp.unit('three hundred'), '{}', 'staff', 1) AS busy, pg_temp.staff(pg_temp.unit('away')) AS away
\gset
SELECT pg_temp.work(:'busy') FROM generate_series(1, 3);
SELECT pg_temp.work(:'away');
UPDATE staff_profiles SET availability_status = 'on_leave' WHERE user_id = :'away';
-- In one transaction, and so on one day.
BEGIN;
INSERT INTO capacity_snapshots (organization_id, snapshot_date, unit_id, total_staff, available_staff, total_capacity, active_assignments)
SELECT pg_temp.home(), (steward.now() AT TIME ZONE 'UTC')::date - d, :'small', 1, 1, 1, 1 FROM unnest('{89,92}'::int[]) d;
SELECT steward.job_capacity_snapshot(steward.now());
SELECT pg_temp.fault(20, (SELECT utilization_pct FROM capacity_snapshots s JOIN organizational_units u ON u.id = s.unit_id AND u.name_en = 'three hundred') = 300
           AND (SELECT count(DISTINCT unit_id) FROM capacity_snapshots WHERE snapshot_date = (steward.now() AT TIME ZONE 'UTC')::date) = (SELECT count(*) FROM organizational_units), 'a unit at 300 % keeps no other from its row'),
       pg_temp.fault(20, (SELECT active_assignments = 1 AND available_staff = 0 FROM capacity_snapshots s JOIN organizational_units u ON u.id = s.unit_id AND u.name_en = 'away'), 'and the work of people on leave counts'),
       pg_temp.fault(20, (SELECT count(*) FROM capacity_snapshots WHERE snapshot_date < (steward.now() AT TIME ZONE 'UTC')::date) = 1, 'and old days go');
COMMIT;

-- 21: the audit.
SELECT pg_temp.finish(work_item_id) FROM assignments WHERE id = :'late';
DELETE FROM assignments WHERE id = :'late';
SELECT pg_temp.fault(21, count(*) = 1, 'an escalation outlives its assignment') FROM escalation_events_archive WHERE assignment_id = :'late' AND reason = 'sla_breach';
SET ROLE service_role;
SELECT pg_temp.raises('DELETE FROM escalation_events') || pg_temp.raises('UPDATE escalation_events SET escalated_to_id = escalated_from_id') || pg_temp.raises('DELETE FROM escalation_events_archive') AS states
\gset
RESET ROLE;
SELECT pg_temp.fault(21, :'states' = '235142351442501', 'and nobody rewrites or deletes it');
UPDATE escalation_events SET resolved_at = GREATEST(steward.now(), escalated_at) WHERE queue_id IS NOT NULL;
SET steward.clock_offset = '91 days';
SELECT j.status FROM unnest('{archive-assignments,escalation-cleanup}'::text[]) name, LATERAL (SELECT steward.job_run_now(name, 'test') AS run) n, LATERAL steward.job_perform(n.run, 'test') j;
SELECT pg_temp.fault(21, (SELECT count(*) FROM escalation_events WHERE queue_id IS NOT NULL AND reason <> 'sla_breach') = 0 AND (SELECT count(*) FROM escalation_events_archive WHERE assignment_id = :'late') = 1 AND (SELECT count(*) FROM escalation_events WHERE reason = 'sla_breach') > 0,
    'retention removes what was resolved long ago, and never a breach');
RESET steward.clock_offset;

-- 27, 29: capacity that comes free, by whatever road, and what is said of it.
INSERT INTO skills (name_ar, name_en) SELECT 'skill ' || n, 'skill ' || n FROM generate_series(1, 200) n;
SELECT pg_temp.staff(:'analysis', (SELECT array_agg(id) FROM skills), 'staff', 5) AS expert
\gset
SELECT pg_temp.work(:'expert') AS w1, pg_temp.work(:'expert') AS w2, pg_temp.work(:'expert') AS w3, pg_temp.work(:'expert') AS w4
\gset
LISTEN queue_process_needed;
SELECT dblink_exec('a', 'LISTEN queue_process_needed');
SELECT pg_temp.raises(format('UPDATE assignments SET status = ''completed'' WHERE id = %L', :'w1')) IS NULL AS done
\gset
SELECT * FROM dblink('a', 'SELECT 1') AS r(n int);
SELECT pg_temp.fault(27, :'done' AND count(*) = 1 AND max(length(extra)) < 8000 AND bool_and(extra::jsonb ? 'unit_id' AND extra::jsonb ? 'freed_skills' AND extra::jsonb ? 'timestamp'), 'somebody with 203 skills completes work, and the notification fits')
  FROM dblink_get_notify('a') WHERE notify_name = 'queue_process_needed';
UNLISTEN *;
CREATE FUNCTION pg_temp.frees(change text) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    DELETE FROM steward.capacity_freed;
    EXECUTE change;
    RETURN EXISTS (SELECT FROM steward.capacity_freed);
END $$;
SELECT pg_temp.fault(29, pg_temp.frees(format('UPDATE assignments SET status = ''cancelled'' WHERE id = %L', :'w2')), 'is noted: a cancellation');
SELECT pg_temp.fault(29, pg_temp.frees(format('DELETE FROM assignments WHERE id = %L', :'w3')), 'is noted: a deletion');
SELECT pg_temp.fault(29, pg_temp.frees(format('UPDATE assignments SET assignee_id = %L WHERE id = %L', :'ann', :'w4')), 'is noted: a reassignment');
SELECT pg_temp.fault(29, pg_temp.frees(format('UPDATE staff_profiles SET individual_wip_limit = 6 WHERE user_id = %L', :'expert')), 'is noted: a higher limit');
SELECT pg_temp.fault(29, NOT pg_temp.frees(format('UPDATE staff_profiles SET individual_wip_limit = 5 WHERE user_id = %L', :'expert')), 'a lower one is not');
SELECT pg_temp.fault(29, NOT pg_temp.frees(format('UPDATE staff_profiles SET availability_status = ''on_leave'' WHERE user_id = %L', :'expert')), 'nor a leave');
SELECT pg_temp.fault(29, pg_temp.frees(format('UPDATE staff_profiles SET availability_status = ''available'' WHERE user_id = %L', :'expert')), 'is noted: a return');
SELECT pg_temp.fault(29, pg_temp.frees(format('UPDATE organizational_units SET unit_wip_limit = unit_wip_limit + 1 WHERE id = %L', :'small')), 'is noted: a higher limit of a unit');
SELECT pg_temp.fault(29, pg_temp.frees(format('SELECT pg_temp.staff(%L)', :'small')), 'is noted: somebody new');
UPDATE organizational_units SET unit_wip_limit = 20 WHERE id = :'small';
DELETE FROM steward.capacity_freed;
UPDATE staff_profiles SET unit_id = :'small' WHERE user_id = :'busy';
SELECT pg_temp.fault(29, count(*) FILTER (WHERE user_id = :'busy' AND unit_id = :'small') = 1 AND count(*) FILTER (WHERE user_id IS NULL AND unit_id <> :'small') > 0, 'is noted: somebody who moves, for the new unit and for the old') FROM steward.capacity_freed;

-- 30, 32: what was missing, and what contradicted itself.
SELECT pg_temp.fault(30, pg_temp.call(:'ann', 'assignments_auto_assign', request) LIKE '400: %' || field || '%', 'answered with 400 and the field: ' || left(request::text, 60))
  FROM (VALUES ('work_item_type', '{"work_item_id": "x", "work_item_type": "letter", "required_skills": ["arabic"], "priority": "low"}'::jsonb), ('priority', '{"work_item_id": "x", "work_item_type": "task", "required_skills": ["arabic"], "priority": "medium"}'),
               ('required_skills', '{"work_item_id": "x", "work_item_type": "task", "required_skills": ["nope"], "priority": "low"}'), ('work_item_id', '{"work_item_type": "task", "required_skills": ["arabic"], "priority": "low"}')) v(field, request);
SELECT pg_temp.fault(30, pg_temp.call(:'lead', 'assignments_queue', request) LIKE '400: %', 'and so is a page that is none: ' || request::text) FROM (VALUES ('{"page": "x"}'::jsonb), ('{"page": 0}'), ('{"page_size": -1}')) v(request);
SELECT pg_temp.fault(30, a ->> 'outcome' = 'exists' AND (SELECT count(*) FROM assignment_queue WHERE work_item_id = 'f06 low') = 1, 'asking again for what waits is no error and no second row') FROM pg_temp.assign('f06 low', :'wants_legal') a;
SELECT pg_temp.fault(30, array_agg(p.proname ORDER BY p.proname) = '{assignments_auto_assign,assignments_escalate,assignments_manual_override,assignments_my_assignments,assignments_queue,assignments_update_status,capacity_check,escalations_acknowledge,escalations_report,health_assignment_engine,queue_escalate,staff_availability}', 'every operation is there')
  FROM pg_proc p WHERE p.pronamespace = 'api'::regnamespace AND p.proname NOT LIKE 'match%';
SELECT pg_temp.fault(30, pg_temp.call(:'ann', 'health_assignment_engine', '{}') LIKE '200: %', 'health as well');
SELECT pg_temp.work(:'ann') AS stamped
\gset
SET steward.clock_offset = '1 minute';
UPDATE assignments SET status = 'in_progress' WHERE id = :'stamped' AND version = 0;
SELECT pg_temp.fault(30, version = 1 AND updated_at > created_at, 'assignments have a version and a time of change') FROM assignments WHERE id = :'stamped';
RESET steward.clock_offset;
SELECT pg_temp.fault(32, a ->> 'outcome' IN ('assigned', 'queued'), 'an item is named by any text') FROM pg_temp.assign('ticket-001', :'wants_arabic') a;
SELECT pg_temp.fault(32, steward.skill_ids(pg_temp.home(), jsonb_build_array('arabic', :'writing'::text)) = (SELECT array_agg(i ORDER BY i) FROM unnest(ARRAY[:'arabic', :'writing']::uuid[]) i), 'a skill by id or by name');
DELETE FROM assignment_queue;
SELECT pg_temp.fault(32, (status, body ? 'assignment_id', body ? 'assignee_id', body ? 'sla_deadline', body ? 'time_remaining_seconds', body ->> 'status')::text = '(200,t,t,t,t,assigned)', 'and the answer has one shape, which is the union of theirs')
  FROM (SELECT split_part(t, ': ', 1)::int AS status, substr(t, 6)::jsonb AS body
          FROM pg_temp.call(:'ann', 'assignments_auto_assign', jsonb_build_object('work_item_id', 'ticket-002', 'work_item_type', 'ticket', 'required_skills', '["arabic"]'::jsonb, 'priority', 'normal')) t) r;
SELECT pg_temp.fault(32, count(*) = 1, 'process_queue_for_unit, which only tests know, exists') FROM public.process_queue_for_unit(:'small');

SELECT is(pg_temp.drift(), NULL, 'after all of this the counts are right');
SELECT is((SELECT array_agg(n) FROM generate_series(1, 32) n WHERE n NOT IN (SELECT number FROM tested)), NULL, 'no number is missing');
SELECT * FROM finish();
