-- The clock of assignments: warned once, escalated once, to whom, and what people
-- ask for themselves.

\ir setup.psql
\ir assignments.psql
SET TimeZone = 'UTC';

SELECT plan(277);

CREATE FUNCTION pg_temp.turn(most int DEFAULT 1000) RETURNS text LANGUAGE sql AS $$
    SELECT format('%s warned, %s escalated, %s unserved, %s returned', t.warned, t.escalated, t.unserved, t.returned)
      FROM steward.sla_turn('test', most) t
$$;
CREATE FUNCTION pg_temp.told(item uuid) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(o.notification_type, ',' ORDER BY o.notification_type) FROM notification_outbox o WHERE o.payload ->> 'reference_id' = item::text
$$;
-- Everything that is open goes, so that the next part begins with nothing due.
CREATE FUNCTION pg_temp.done() RETURNS void LANGUAGE sql AS $$
    UPDATE assignments SET status = 'completed' WHERE status IN ('assigned', 'in_progress');
    DELETE FROM assignment_queue;
    DELETE FROM notification_outbox;
$$;
CREATE FUNCTION pg_temp.promise(kind work_item_type, urgency priority_level, start timestamptz) RETURNS assignments LANGUAGE plpgsql AS $$
DECLARE
    item uuid := pg_temp.work((SELECT user_id FROM staff_profiles ORDER BY user_id LIMIT 1), urgency, kind, started => start);
    a    assignments;
BEGIN
    SELECT * INTO a FROM assignments x WHERE x.id = item;
    RETURN a;
END $$;
-- A monitor of its own.
CREATE FUNCTION pg_temp.connect(name text) RETURNS text LANGUAGE sql AS $$
    SELECT dblink_connect(name, format('host=%s port=%s user=%s dbname=%s', split_part(current_setting('unix_socket_directories'), ',', 1),
                                       current_setting('port'), current_user, current_database()))
$$;

SELECT pg_temp.unit('head') AS head \gset
SELECT pg_temp.unit('translation', 90, :'head') AS translation, pg_temp.unit('analysis', 30) AS analysis \gset
SELECT pg_temp.staff(:'head', role => 'supervisor') AS chief, pg_temp.staff(:'translation', role => 'supervisor', most => 8) AS supervisor \gset
SELECT pg_temp.staff(:'translation', most => 20) AS ann, pg_temp.staff(:'translation', most => 20, chain => :'chief') AS bob,
       pg_temp.staff(:'analysis', most => 20) AS cid, pg_temp.person('admin') AS root \gset

-- The matrix, moment by moment, from a start that crosses the end of a year and of summer time.
SELECT results_eq(format($q$
        SELECT k.kind::text, p.urgency::text, extract(epoch FROM a.warn_at - a.sla_started_at)::int / 60, extract(epoch FROM a.sla_deadline - a.sla_started_at)::int / 60
          FROM unnest(enum_range(NULL::work_item_type)) k(kind), unnest(enum_range(NULL::priority_level)) p(urgency),
               LATERAL pg_temp.promise(k.kind, p.urgency, %L) a ORDER BY k.kind, p.urgency DESC$q$, start),
    $q$ VALUES ('dossier', 'urgent', 360, 480), ('dossier', 'high', 1080, 1440), ('dossier', 'normal', 2160, 2880), ('dossier', 'low', 5400, 7200),
               ('ticket', 'urgent', 90, 120), ('ticket', 'high', 1080, 1440), ('ticket', 'normal', 2160, 2880), ('ticket', 'low', 5400, 7200),
               ('position', 'urgent', 180, 240), ('position', 'high', 1080, 1440), ('position', 'normal', 2160, 2880), ('position', 'low', 5400, 7200),
               ('task', 'urgent', 180, 240), ('task', 'high', 1080, 1440), ('task', 'normal', 2160, 2880), ('task', 'low', 5400, 7200) $q$,
    format('all sixteen of the matrix, from %s', start))
  FROM (VALUES ('2025-10-02 10:00+00'), ('2025-12-31 23:30+00'), ('2025-10-25 12:00+00'), ('2026-03-28 20:00+00')) v(start);
SET TimeZone = 'Europe/Berlin';
SELECT is(a.sla_deadline - a.sla_started_at, interval '120 hours', 'a promise is as long over a change of the clocks')
  FROM pg_temp.promise('ticket', 'low', '2025-10-24 09:00+02') a;
SET TimeZone = 'UTC';
SELECT is(a.warn_at, '2025-10-02 11:30+00'::timestamptz, 'an urgent ticket of 10:00 is warned about at 11:30'), is(a.sla_deadline, '2025-10-02 12:00+00'::timestamptz, 'and due at 12:00')
  FROM pg_temp.promise('ticket', 'urgent', '2025-10-02 10:00+00') a;
SELECT is(a.warn_at, '2025-10-03 22:00+00'::timestamptz, 'a normal dossier at 22:00 of the next day'), is(a.sla_deadline, '2025-10-04 10:00+00'::timestamptz, 'and the day after')
  FROM pg_temp.promise('dossier', 'normal', '2025-10-02 10:00+00') a;
SELECT is(a.warn_at, '2025-10-06 04:00+00'::timestamptz, 'a position of low priority after 90 hours'), is(a.sla_deadline, '2025-10-07 10:00+00'::timestamptz, 'of 120')
  FROM pg_temp.promise('position', 'low', '2025-10-02 10:00+00') a;
SELECT pg_temp.done() \g /dev/null

-- Exactly at 75 and at 100 percent, and a moment before.
BEGIN;
SELECT pg_temp.work(:'ann', 'normal', 'dossier', started => steward.now() - interval '36 hours') AS at75,
       pg_temp.work(:'ann', 'normal', 'dossier', started => steward.now() - interval '36 hours' + interval '1 us') AS before75,
       pg_temp.work(:'ann', 'normal', 'dossier', started => steward.now() - interval '48 hours') AS at100,
       pg_temp.work(:'ann', 'normal', 'dossier', started => steward.now() - interval '48 hours' + interval '1 us') AS before100 \gset
SELECT is(pg_temp.turn(), '2 warned, 1 escalated, 0 unserved, 0 returned', 'a turn at the exact moments');
SELECT is(pg_temp.told(:'at75'), 'sla_warning', 'at 75 percent exactly somebody is warned'), is(pg_temp.told(:'before75'), NULL, 'and not a microsecond before'),
       is(pg_temp.told(:'at100'), 'sla_escalation,sla_escalation', 'at 100 percent exactly it is escalated'), is(pg_temp.told(:'before100'), 'sla_warning', 'and not a microsecond before');
COMMIT;
SELECT is(pg_temp.turn(), '1 warned, 1 escalated, 0 unserved, 0 returned', 'a moment later the other two have come so far');
SELECT is(pg_temp.turn(), '0 warned, 0 escalated, 0 unserved, 0 returned', 'and nothing happens twice');
SELECT pg_temp.done() \g /dev/null

-- Scenario 3 of the seeds.
SELECT pg_temp.work(:'bob', 'normal', 'dossier', started => steward.now() - interval '36 hours') AS item \gset
SELECT results_eq('SELECT * FROM sla_check_and_escalate()', 'VALUES (1, 0)', 'a dossier of 36 hours ago is warned about');
SELECT ok(warning_sent_at IS NOT NULL, 'with the stamp'), is(breached_at, NULL, 'and no more') FROM assignments WHERE id = :'item';
SELECT is(recipient_id, :'bob', 'who has it is told'), is(delivery_method, 'in_app', 'in the application'),
       is(payload ->> 'reference_type', 'assignment', 'about an assignment'), is(payload ->> 'reference_id', :'item', 'this one'),
       ok(payload ?& '{message_en,message_ar,metadata}', 'in both languages'), ok(NOT payload -> 'metadata' ? 'late_seconds', 'and in time')
  FROM notification_outbox WHERE notification_type = 'sla_warning';
UPDATE assignments SET assigned_at = steward.now() - interval '49 hours', sla_deadline = steward.now() - interval '1 hour' WHERE id = :'item';
SELECT results_eq('SELECT * FROM sla_check_and_escalate()', 'VALUES (0, 1)', 'an hour after its deadline it is escalated');
SELECT is(escalated_from_id, :'bob', 'from bob'), is(escalated_to_id, :'chief', 'to whom his chain names'), is(reason, 'sla_breach', 'for the breach'),
       is(escalated_by, NULL, 'by nobody'), is(resolved_at, NULL, 'and it is open')
  FROM escalation_events WHERE assignment_id = :'item';
SELECT ok(breached_at IS NOT NULL AND escalated_at = breached_at, 'the assignment is stamped'), is(escalation_recipient_id, :'chief', 'and names the recipient')
  FROM assignments WHERE id = :'item';
SELECT set_eq('SELECT recipient_id FROM notification_outbox WHERE notification_type = ''sla_escalation''', ARRAY[:'bob'::uuid, :'chief'::uuid], 'both sides are told');
SELECT results_eq('SELECT o.recipient_id, o.payload ->> ''message_ar'' FROM notification_outbox o WHERE o.notification_type = ''sla_escalation''',
    format('SELECT t.who::uuid, format(t.words, a.work_item_id, steward.iso(a.sla_deadline)) FROM assignments a, (VALUES (%L, %L), (%L, %L)) t(who, words) WHERE a.id = %L',
           :'bob', 'تجاوز العنصر %s موعده النهائي %s وتم تصعيده إلى المشرف', :'chief', 'لديك مهمة مصعّدة: تجاوز العنصر %s موعده النهائي %s', :'item'), 'in Arabic too');
SELECT results_eq('SELECT * FROM sla_check_and_escalate()', 'VALUES (0, 0)', 'and once is enough');

-- Being given to somebody else keeps the promise; another priority makes another.
UPDATE assignments SET assignee_id = :'ann', assigned_at = steward.now() WHERE id = :'item';
SELECT is(pg_temp.turn(), '0 warned, 0 escalated, 0 unserved, 0 returned', 'a reassigned breach is no new breach');
SELECT ok(breached_at IS NOT NULL AND sla_deadline < steward.now(), 'the deadline is the old one') FROM assignments WHERE id = :'item';
UPDATE assignments SET priority = 'low' WHERE id = :'item';
SELECT ok(breached_at IS NULL AND warning_sent_at IS NULL AND sla_deadline = sla_started_at + interval '120 hours', 'a later deadline is watched anew') FROM assignments WHERE id = :'item';
SET steward.clock_offset = '3 days';
SELECT is(pg_temp.turn(), '0 warned, 1 escalated, 0 unserved, 0 returned', 'three days later that one is missed too');
SELECT is(count(*), 2::bigint, 'which is another event'), is(count(DISTINCT sla_deadline), 2::bigint, 'of another deadline') FROM escalation_events WHERE assignment_id = :'item';
RESET steward.clock_offset;
SELECT pg_temp.done() \g /dev/null

-- The clock jumps by days, there and back.
SELECT pg_temp.work(:'ann', 'low') AS item \gset
SELECT next_due_ms AS ms FROM steward.sla_turn('test', 10) \gset
SELECT ok(:ms BETWEEN 86399000 AND 86400000, 'the next moment is looked for at most a day ahead');
SET steward.clock_offset = '30 days';
SELECT is(pg_temp.turn(), '0 warned, 1 escalated, 0 unserved, 0 returned', 'a month later it is late, and warned about no more');
SELECT ok(warning_sent_at IS NOT NULL, 'but stamped as if') FROM assignments WHERE id = :'item';
SET steward.clock_offset = '-30 days';
SELECT is(pg_temp.turn(), '0 warned, 0 escalated, 0 unserved, 0 returned', 'a clock that is put back escalates nothing again');
RESET steward.clock_offset;
SELECT is(pg_temp.turn(), '0 warned, 0 escalated, 0 unserved, 0 returned', 'nor does putting it right');
SELECT pg_temp.done() \g /dev/null

-- Who is told.
SELECT is(get_escalation_recipient(:'bob'), :'chief'::uuid, 'the chain comes first'), is(get_escalation_recipient(:'ann'), :'supervisor'::uuid, 'then the unit''s supervisor'),
       is(get_escalation_recipient(:'supervisor'), :'chief'::uuid, 'a supervisor''s own goes up'), is(get_escalation_recipient(:'chief'), NULL, 'at the top there may be nobody'),
       is(get_escalation_recipient(gen_random_uuid()), NULL, 'and a stranger has none');
SELECT pg_temp.staff(pg_temp.unit('desk', parent => pg_temp.unit('branch', parent => :'translation'))) AS dee \gset
UPDATE staff_profiles SET availability_status = 'on_leave' WHERE user_id = :'supervisor';
SELECT is(get_escalation_recipient(:'dee'), :'chief'::uuid, 'the way up is as long as the tree is high');
UPDATE staff_profiles SET availability_status = 'available' WHERE user_id = :'supervisor';
UPDATE staff_profiles SET availability_status = 'on_leave' WHERE user_id = :'chief';
SELECT is(get_escalation_recipient(:'bob'), :'supervisor'::uuid, 'who is on leave is passed over, in the chain'), is(get_escalation_recipient(:'supervisor'), NULL, 'and on the way up');
UPDATE staff_profiles SET availability_status = 'unavailable' WHERE user_id = :'supervisor';
SELECT pg_temp.staff(:'analysis', role => 'admin') AS boss \gset
SELECT is(get_escalation_recipient(:'ann'), :'boss'::uuid, 'an administrator is last'), is(get_escalation_recipient(:'boss'), NULL, 'but not for the own work');
UPDATE staff_profiles SET availability_status = 'on_leave' WHERE user_id = :'boss';
SELECT is(get_escalation_recipient(:'ann'), NULL, 'nor on leave');
UPDATE staff_profiles SET availability_status = 'available' WHERE user_id = :'boss';
SELECT pg_temp.staff(:'translation', role => 'supervisor') AS second, pg_temp.staff(:'translation', role => 'supervisor') AS third \gset
SELECT is(get_escalation_recipient(:'ann'), LEAST(:'second', :'third')::uuid, 'of two supervisors it is always the same one'),
       is(get_escalation_recipient(LEAST(:'second', :'third')::uuid), GREATEST(:'second', :'third')::uuid, 'and for that one the other');
DELETE FROM staff_profiles WHERE user_id IN (:'second', :'third', :'boss');
UPDATE staff_profiles SET escalation_chain_id = :'root' WHERE user_id = :'bob';
SELECT is(get_escalation_recipient(:'bob'), NULL, 'a chain to somebody who is no staff of the organisation does not count');

-- Nobody: the item is stamped, the administrators hear at once, and nothing is blocked.
SELECT pg_temp.work(:'cid', 'urgent', started => steward.now() - interval '5 days') AS lonely \gset
UPDATE staff_profiles SET availability_status = 'available' WHERE user_id = :'supervisor';
SELECT pg_temp.work(:'ann', 'urgent', started => steward.now() - interval '4 days') AS item \gset
SELECT is(pg_temp.turn(1), '0 warned, 1 escalated, 1 unserved, 0 returned', 'what nobody can be told of comes first and goes');
SELECT is(pg_temp.turn(1), '0 warned, 1 escalated, 0 unserved, 0 returned', 'and the next is not blocked');
SELECT is(escalated_to_id, NULL, 'the event names nobody'), is(escalated_from_id, :'cid', 'but from whom') FROM escalation_events WHERE assignment_id = :'lonely';
SELECT ok(breached_at IS NOT NULL, 'the assignment is stamped') FROM assignments WHERE id = :'lonely';
SELECT is(recipient_id, :'root', 'the administrator of the installation is alerted'),
       is(payload ->> 'message_ar', format('تجاوز العنصر %s موعده النهائي ولا يوجد من يُصعَّد إليه', (SELECT work_item_id FROM assignments WHERE id = :'lonely')), 'in Arabic too') FROM notification_outbox WHERE notification_type = 'sla_no_recipient';
SELECT unalike(payload ->> 'message_ar', '%المشرف%', 'who has it hears of no supervisor') FROM notification_outbox WHERE recipient_id = :'cid' AND notification_type = 'sla_escalation';
SELECT is(pg_temp.told(:'lonely'), 'sla_escalation,sla_no_recipient', 'and who has it is told');
SELECT pg_temp.done() \g /dev/null
UPDATE staff_profiles SET availability_status = 'available' WHERE user_id = :'chief';

-- An outage: one event per item, and one notice for a crowd.
SELECT count(pg_temp.work(:'cid', 'urgent', started => steward.now() - interval '3 hours')) FROM generate_series(1, 7) \g /dev/null
SELECT is(pg_temp.turn(2), '0 warned, 2 escalated, 2 unserved, 0 returned', 'after an outage, a first turn');
SELECT is(count(*), 4::bigint, 'two late notices to two people are four') FROM notification_outbox;
SELECT is(pg_temp.turn(), '0 warned, 5 escalated, 5 unserved, 0 returned', 'and a second');
SELECT results_eq('SELECT notification_type, recipient_id, (payload #>> ''{metadata,count}'')::int, jsonb_array_length(payload #> ''{metadata,items}'') FROM notification_outbox ORDER BY 1',
    format('VALUES (''sla_digest'', %L::uuid, 7, 7), (''sla_no_recipient'', %L::uuid, 7, 7)', :'cid', :'root'), 'seven are one, over both turns');
SELECT pg_temp.work(:'cid', 'urgent', started => steward.now() - interval '3 hours') AS item \gset
SELECT is(pg_temp.turn(), '0 warned, 1 escalated, 1 unserved, 0 returned', 'one more');
SELECT is((payload #>> '{metadata,count}')::int, 8, 'goes into the one that is not delivered yet') FROM notification_outbox WHERE notification_type = 'sla_digest';
UPDATE notification_outbox SET status = 'delivered';
SELECT pg_temp.work(:'cid', 'urgent', started => steward.now() - interval '3 hours') AS item \gset
SELECT is(pg_temp.turn(), '0 warned, 1 escalated, 1 unserved, 0 returned', 'and the next');
SELECT is(pg_temp.told(:'item'), 'sla_escalation,sla_no_recipient', 'is told by itself once that is delivered');
SELECT is(count(*), 9::bigint, 'with nine events for nine breaches'), is(count(DISTINCT assignment_id), 9::bigint, 'one each')
  FROM escalation_events WHERE escalated_from_id = :'cid' AND assignment_id <> :'lonely';
SELECT pg_temp.done() \g /dev/null
SELECT count(pg_temp.work(:'ann', 'normal', started => steward.now() - interval '37 hours')) FROM generate_series(1, 5) \g /dev/null
SELECT count(pg_temp.work(:'bob', 'normal', started => steward.now() - interval '36 hours')) FROM generate_series(1, 5) \g /dev/null
SELECT is(pg_temp.turn(), '10 warned, 0 escalated, 0 unserved, 0 returned', 'warnings, half of them late');
SELECT results_eq('SELECT recipient_id, notification_type, count(*) FROM notification_outbox GROUP BY 1, 2 ORDER BY 3',
    format('VALUES (%L::uuid, ''sla_digest'', 1::bigint), (%L::uuid, ''sla_warning'', 5::bigint)', :'ann', :'bob'), 'are folded only where they are late');
SELECT pg_temp.done() \g /dev/null
SELECT count(pg_temp.work(:'ann', 'urgent', started => steward.now() - interval '3 hours')) FROM generate_series(1, 60) \g /dev/null
SELECT is(pg_temp.turn(), '0 warned, 60 escalated, 0 unserved, 0 returned', 'a crowd of sixty');
SELECT is((payload #>> '{metadata,count}')::int, 60, 'is counted'), is(jsonb_array_length(payload #> '{metadata,items}'), 50, 'and the first fifty are named')
  FROM notification_outbox WHERE recipient_id = :'supervisor';
SELECT pg_temp.done() \g /dev/null

-- By hand, which is no breach.
SELECT pg_temp.work(:'ann', 'urgent', started => steward.now() - interval '1 hour') AS item \gset
SELECT steward.escalate(:'item', 'manual', :'ann', 'need help') AS r \gset
SELECT is(:'r'::jsonb ->> 'outcome', 'escalated', 'somebody asks for help'), is(:'r'::jsonb ->> 'escalated_to_id', :'supervisor', 'from the supervisor'),
       is(:'r'::jsonb ->> 'notes', 'need help', 'with a note'), is(jsonb_array_length(:'r'::jsonb -> 'notifications'), 2, 'and both are told');
SELECT is(pg_temp.told(:'item'), 'assignment_escalated,assignment_escalated', 'in words of their own'),
       ok(bool_or(recipient_id = :'ann' AND payload ->> 'message_en' LIKE '%escalated to supervisor%'), 'the assignee'),
       ok(bool_or(recipient_id = :'supervisor' AND payload ->> 'message_en' LIKE '%escalated assignment%'), 'and the supervisor') FROM notification_outbox;
SELECT ok(escalated_at IS NOT NULL AND breached_at IS NULL, 'it is escalated, not breached'), is(escalation_recipient_id, :'supervisor', 'to the supervisor') FROM assignments WHERE id = :'item';
SELECT is(steward.escalate(:'item', 'manual', :'ann') ->> 'outcome', 'already_escalated', 'not twice'),
       is(steward.escalate(:'item', 'manual', :'ann') ->> 'escalation_id', :'r'::jsonb ->> 'escalation_id', 'but the same one'),
       is(steward.escalate(gen_random_uuid(), 'manual') ->> 'outcome', 'not_found', 'and nothing that is not there');
SELECT is(steward.escalation_answer((:'r'::jsonb ->> 'escalation_id')::uuid, :'supervisor', false, 'Acknowledged - will review') ->> 'outcome', 'acknowledged', 'it is acknowledged'),
       is(steward.escalation_answer((:'r'::jsonb ->> 'escalation_id')::uuid, :'supervisor', false) ->> 'outcome', 'already_acknowledged', 'once'),
       is(steward.escalation_answer((:'r'::jsonb ->> 'escalation_id')::uuid, :'supervisor', true) ->> 'outcome', 'resolved', 'and resolved'),
       is(steward.escalation_answer((:'r'::jsonb ->> 'escalation_id')::uuid, :'supervisor', true) ->> 'outcome', 'already_resolved', 'once'),
       is(steward.escalation_answer(gen_random_uuid(), NULL, true) ->> 'outcome', 'not_found', 'and nothing that is not there');
SELECT is(notes, 'Acknowledged - will review', 'the answer is noted'), ok(resolved_at >= acknowledged_at, 'with its moments') FROM escalation_events WHERE assignment_id = :'item';
SELECT set_eq(format('SELECT action FROM assignment_history WHERE assignment_id = %L', :'item'),
    ARRAY['assignment_escalated', 'escalation_acknowledged', 'escalation_resolved'], 'and in the history, with what the first note was');
SELECT throws_ok(format('SELECT steward.escalate(%L, ''sla_breach'', %L)', :'item', :'ann'), '22023', NULL, 'nobody declares a breach before the deadline');
SELECT is(steward.escalate(:'item', 'manual', :'ann') ->> 'outcome', 'escalated', 'what was resolved may be escalated again');
SET steward.clock_offset = '1 day';
SELECT is(pg_temp.turn(), '0 warned, 1 escalated, 0 unserved, 0 returned', 'and none of it takes the place of the breach');
RESET steward.clock_offset;
UPDATE assignments SET status = 'cancelled' WHERE id = :'item';
SELECT is(steward.escalate(:'item', 'manual', :'ann') ->> 'outcome', 'not_active', 'what is over is not escalated');
SELECT pg_temp.work(:'ann', 'urgent', started => steward.now() - interval '1 day') AS item \gset
SELECT is(steward.escalate(:'item', 'sla_breach', :'ann') ->> 'outcome', 'escalated', 'a breach that is one may be escalated by hand');
SELECT is(pg_temp.turn(), '0 warned, 0 escalated, 0 unserved, 0 returned', 'and is then not escalated a second time');
INSERT INTO assignment_queue (work_item_id, work_item_type, required_skills, target_unit_id, priority) VALUES ('q', 'ticket', '{}', :'translation', 'urgent') RETURNING id AS queued \gset
SELECT steward.queue_escalate(:'queued', :'supervisor', 'five attempts') AS r \gset
SELECT is(:'r'::jsonb ->> 'reason', 'capacity_exhaustion', 'a queued item is escalated for want of capacity'), is(:'r'::jsonb ->> 'escalated_to_id', :'chief', 'by a supervisor to the next one up'),
       is(steward.queue_escalate(:'queued', :'ann') ->> 'outcome', 'already_escalated', 'once'), is(steward.queue_escalate(gen_random_uuid()) ->> 'outcome', 'not_found', 'and only one that waits');

-- The tenth failed attempt is told by itself, to both sides, once.
CREATE FUNCTION pg_temp.tenth(item uuid) RETURNS text LANGUAGE sql AS $$
    UPDATE assignment_queue SET attempts = 9, needs_review = false WHERE id = item;
    UPDATE assignment_queue SET attempts = 10, reason = 'No staff available' WHERE id = item;
    SELECT string_agg(format('%s by %s', reason, COALESCE(escalated_by::text, 'steward')), ', ' ORDER BY escalated_at) FROM escalation_events WHERE queue_id = item
$$;
SELECT is(pg_temp.tenth(:'queued'), 'capacity_exhaustion by ' || :'supervisor', 'what somebody escalated already is not told again');
INSERT INTO assignment_queue (work_item_id, work_item_type, required_skills, target_unit_id, priority, requested_by)
VALUES ('q-10', 'ticket', '{}', :'translation', 'urgent', :'ann') RETURNING id AS queued \gset
SELECT is(pg_temp.tenth(:'queued'), 'capacity_exhaustion by steward', 'the tenth attempt is');
SELECT ok(escalated_from_id = :'ann' AND escalated_to_id = :'supervisor', 'by who asked for it, to the supervisor'), is(notes, '10 attempts found nobody: No staff available', 'with the reason') FROM escalation_events WHERE queue_id = :'queued';
SELECT results_eq(format($q$SELECT recipient_id, payload ->> 'message_en' FROM notification_outbox WHERE payload ->> 'reference_id' = %L ORDER BY recipient_id = %L$q$, :'queued', :'ann'),
    format($q$VALUES (%L::uuid, 'You have an escalated assignment: ticket q-10 in the queue'), (%L, 'ticket q-10 in the queue was escalated to supervisor')$q$, :'supervisor', :'ann'), 'and both hear of it');
UPDATE escalation_events SET resolved_at = steward.now() WHERE queue_id = :'queued';
SELECT is(pg_temp.tenth(:'queued'), 'capacity_exhaustion by steward', 'once for an item, however often it is tried anew');
BEGIN;
SELECT pg_temp.staff(:'head', role => 'admin') AS admin \gset
INSERT INTO assignment_queue (work_item_id, work_item_type, required_skills, priority) VALUES ('q-11', 'ticket', '{}', 'low') RETURNING id AS queued \gset
SELECT is(pg_temp.tenth(:'queued'), 'capacity_exhaustion by steward', 'without a unit and who asked'), is(escalated_to_id, :'admin', 'an administrator is told') FROM escalation_events WHERE queue_id = :'queued';
ROLLBACK;
BEGIN;
UPDATE staff_profiles SET availability_status = 'on_leave';
INSERT INTO assignment_queue (work_item_id, work_item_type, required_skills, priority) VALUES ('q-12', 'ticket', '{}', 'low') RETURNING id AS queued \gset
SELECT is(pg_temp.tenth(:'queued'), NULL, 'where nobody is there');
SELECT ok(q.needs_review, 'it is flagged all the same'),
       is((SELECT string_agg(notification_type, ',') FROM notification_outbox WHERE payload ->> 'reference_id' = :'queued'), 'sla_no_recipient', 'and the administrators of the installation are alerted')
  FROM assignment_queue q WHERE id = :'queued';
CREATE FUNCTION pg_temp.mute() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'no words'; END $$;
CREATE TRIGGER mute BEFORE INSERT ON notification_outbox FOR EACH ROW EXECUTE FUNCTION pg_temp.mute();
UPDATE staff_profiles SET availability_status = 'available';
INSERT INTO assignment_queue (work_item_id, work_item_type, required_skills, target_unit_id, priority) VALUES ('q-13', 'ticket', '{}', :'translation', 'low') RETURNING id AS queued \gset
SET client_min_messages = error;
SELECT is(pg_temp.tenth(:'queued'), NULL, 'what cannot be told');
CREATE OR REPLACE FUNCTION pg_temp.mute() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ASSERT false, 'no words'; END $$;
SELECT is(pg_temp.tenth(:'queued'), NULL, 'however that is refused');
RESET client_min_messages;
SELECT ok(needs_review, 'keeps nothing from being tried') FROM assignment_queue WHERE id = :'queued';
ROLLBACK;

-- What waits is watched by its own deadline, and the assignment takes it over.
CREATE FUNCTION pg_temp.queued(item text, asker uuid, unit uuid, urgency priority_level DEFAULT 'urgent') RETURNS uuid LANGUAGE sql AS $$
    INSERT INTO assignment_queue (work_item_id, work_item_type, required_skills, target_unit_id, priority, requested_by, last_attempt_at)
    VALUES (item, 'ticket', '{}', unit, urgency, asker, steward.now()) RETURNING id
$$;
CREATE FUNCTION pg_temp.after(age text) RETURNS text LANGUAGE sql AS $$
    SELECT set_config('steward.clock_offset', age, true); SELECT pg_temp.turn()
$$;
BEGIN;
SELECT pg_temp.done() \g /dev/null
SELECT pg_temp.queued('w-1', :'ann', :'translation') AS queued \gset
SELECT is(warn_at, created_at + interval '90 minutes', 'what waits has its warning'), is(sla_deadline, created_at + interval '2 hours', 'and its deadline') FROM assignment_queue;
SELECT is((SELECT next_due_ms FROM steward.sla_turn('test', 10)), 5400000::bigint, 'the monitor sleeps until then');
SELECT is(pg_temp.after('90 minutes'), '1 warned, 0 escalated, 0 unserved, 0 returned', 'its warning is given'), is(pg_temp.turn(), '0 warned, 0 escalated, 0 unserved, 0 returned', 'once');
SELECT results_eq('SELECT recipient_id, notification_type FROM notification_outbox', format('VALUES (%L::uuid, ''sla_warning'')', :'supervisor'), 'to whoever leads its unit');
SELECT is(pg_temp.after('2 hours'), '0 warned, 1 escalated, 0 unserved, 0 returned', 'its breach is escalated'), is(pg_temp.turn(), '0 warned, 0 escalated, 0 unserved, 0 returned', 'once');
SELECT results_eq(format('SELECT reason::text, queue_id, escalated_from_id, escalated_to_id, unit_id FROM escalation_events WHERE work_item_id = ''w-1'' AND sla_deadline = %L', sla_deadline),
                  format('VALUES (''sla_breach'', %L::uuid, %L::uuid, %L::uuid, %L::uuid)', :'queued', :'ann', :'supervisor', :'translation'), 'by who asked for it, to the supervisor') FROM assignment_queue;
SELECT set_eq('SELECT recipient_id FROM notification_outbox WHERE notification_type = ''sla_escalation''', ARRAY[:'ann', :'supervisor']::uuid[], 'and both hear of it');
SET LOCAL steward.clock_offset = '122 minutes';
SELECT results_eq('SELECT * FROM process_stale_queue_items()', 'VALUES (1)', 'somebody gets it at last');
SELECT ok(breached_at = escalated_at AND warning_sent_at = breached_at AND sla_deadline = sla_started_at + interval '2 hours', 'with its deadline and its breach'), is(escalation_recipient_id, :'supervisor', 'and who was told') FROM assignments WHERE work_item_id = 'w-1';
SELECT is(pg_temp.turn(), '0 warned, 0 escalated, 0 unserved, 0 returned', 'nobody is told again');
ROLLBACK;
-- A notice says what it is about, also one that stands for many.
BEGIN;
SELECT pg_temp.done() \g /dev/null
SELECT pg_temp.queued('late ' || i, NULL, :'translation'), pg_temp.queued('lost ' || i, :'ann', :'analysis') FROM generate_series(1, 5) i \g /dev/null
UPDATE staff_profiles SET availability_status = 'on_leave' WHERE role = 'admin' OR unit_id = :'analysis';
SELECT is(pg_temp.after('3 hours'), '0 warned, 10 escalated, 5 unserved, 0 returned', 'late items of the queue');
SELECT results_eq('SELECT DISTINCT notification_type, (payload #>> ''{metadata,count}'')::int, payload ->> ''reference_type'' FROM notification_outbox ORDER BY 1',
    $$VALUES ('sla_digest', 5, 'assignment_queue'), ('sla_no_recipient', 5, 'assignment_queue')$$, 'are told in notices about the queue');
ROLLBACK;

-- What is for no unit comes from one, whoever escalates it.
BEGIN;
SELECT pg_temp.done(), pg_temp.queued('w-6', :'ann', NULL) AS queued, pg_temp.queued('w-7', :'ann', NULL) AS by_hand \gset
SELECT is(steward.queue_escalate(:'by_hand', :'ann') ->> 'escalated_to_id', :'supervisor', 'what is for no unit goes to the supervisor of who asked for it, by hand');
UPDATE assignment_queue SET priority = 'low' WHERE id = :'by_hand';
SELECT is(pg_temp.after('90 minutes'), '1 warned, 0 escalated, 0 unserved, 0 returned', 'its warning');
SELECT is(pg_temp.after('2 hours'), '0 warned, 1 escalated, 0 unserved, 0 returned', 'its breach');
SELECT set_eq(format('SELECT recipient_id, notification_type FROM notification_outbox WHERE payload ->> ''reference_id'' = %L', :'queued'),
    format('VALUES (%1$L::uuid, ''sla_warning''), (%1$L, ''sla_escalation''), (%2$L, ''sla_escalation'')', :'supervisor', :'ann'), 'and by the clock');
SELECT ok(escalated_to_id = :'supervisor' AND unit_id IS NULL, 'which the event says, of no unit') FROM escalation_events WHERE queue_id = :'queued';
ROLLBACK;
BEGIN;
SELECT pg_temp.done(), pg_temp.queued('w-2', :'ann', :'translation'), pg_temp.queued('w-3', NULL, :'translation'), pg_temp.queued('w-4', :'ann', :'translation', 'low') \g /dev/null
SELECT is(pg_temp.after('91 minutes'), '2 warned, 0 escalated, 0 unserved, 0 returned', 'two are warned about');
SELECT is(steward.assign_override(pg_temp.home(), 'w-2', 'ticket', :'bob', NULL, 'given by hand today', :'supervisor') ->> 'outcome', 'assigned', 'one is given away');
SELECT is(pg_temp.turn(), '1 warned, 0 escalated, 0 unserved, 0 returned', 'so its assignee hears of the deadline, too');
SELECT is(pg_temp.after('121 minutes'), '0 warned, 2 escalated, 0 unserved, 0 returned', 'with somebody or not, both breach');
SELECT is(count(*), 1::bigint, 'where nobody asked for it one is told') FROM notification_outbox WHERE payload #>> '{metadata,work_item_id}' = 'w-3' AND notification_type = 'sla_escalation';
UPDATE assignment_queue SET priority = 'high' WHERE work_item_id = 'w-3';
SELECT ok(breached_at IS NULL AND warning_sent_at IS NULL AND sla_deadline = created_at + interval '24 hours', 'a promise that holds again is watched again') FROM assignment_queue WHERE work_item_id = 'w-3';
UPDATE assignment_queue SET priority = 'urgent' WHERE work_item_id = 'w-4';
SELECT is(pg_temp.turn(), '0 warned, 1 escalated, 0 unserved, 0 returned', 'one that is urgent by now is late at once');
SELECT is(steward.assign_override(pg_temp.home(), 'w-4', 'ticket', :'bob', 'low', 'given by hand today', :'supervisor') ->> 'outcome', 'assigned', 'with another priority');
SELECT ok(breached_at IS NULL AND sla_deadline = sla_started_at + interval '120 hours', 'it has another promise') FROM assignments WHERE work_item_id = 'w-4';
UPDATE staff_profiles SET availability_status = 'on_leave';
SELECT pg_temp.queued('w-5', NULL, NULL, 'high') \g /dev/null
UPDATE assignment_queue SET created_at = steward.now() - interval '3 days' WHERE work_item_id = 'w-5';
SELECT is(pg_temp.turn(), '0 warned, 1 escalated, 1 unserved, 0 returned', 'where nobody is there'), is(pg_temp.turn(), '0 warned, 0 escalated, 0 unserved, 0 returned', 'it is stamped');
SELECT is(string_agg(notification_type, ','), 'sla_no_recipient', 'and the administrators are alerted') FROM notification_outbox WHERE payload ->> 'message_en' LIKE '%w-5%';
ROLLBACK;
BEGIN;
SELECT pg_temp.done(), pg_temp.queued('bad', :'ann', :'translation'), pg_temp.queued('good', :'ann', :'translation') \g /dev/null
CREATE FUNCTION pg_temp.chokes() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'choked' USING ERRCODE = '22000'; END $$;
CREATE TRIGGER chokes BEFORE UPDATE ON assignment_queue FOR EACH ROW WHEN (NEW.work_item_id = 'bad') EXECUTE FUNCTION pg_temp.chokes();
SET LOCAL client_min_messages = error;
SELECT is(pg_temp.after('3 hours'), '0 warned, 1 escalated, 0 unserved, 0 returned', 'what raises keeps nothing else waiting');
SELECT set_eq('SELECT step, problem FROM steward.sla_trouble', $$VALUES ('queued breach', 'choked'), ('queued warning', 'choked')$$, 'and is put off');
DROP TRIGGER chokes ON assignment_queue;
SELECT is(pg_temp.after('3 hours 1 minute'), '0 warned, 1 escalated, 0 unserved, 0 returned', 'to be done when it can be');
SELECT is_empty('SELECT FROM steward.sla_trouble WHERE step = ''queued breach''', 'and forgotten');
SELECT pg_temp.done(), pg_temp.queued('choking', :'ann', :'translation') AS item \gset
CREATE TRIGGER chokes BEFORE UPDATE OF breached_at ON assignment_queue FOR EACH ROW EXECUTE FUNCTION pg_temp.chokes();
SELECT is(pg_temp.after('7 hours'), '0 warned, 0 escalated, 0 unserved, 0 returned', 'of a deadline that has passed nobody is warned'),
       is(pg_temp.told(:'item'), 'sla_trouble', 'even where its breach is put off');
ROLLBACK;

-- Where there is nobody to look at it, the administrators hear at once.
SELECT pg_temp.work(:'cid') AS item \gset
INSERT INTO assignment_queue (work_item_id, work_item_type, required_skills, target_unit_id, priority) VALUES ('lonely', 'ticket', '{}', :'analysis', 'urgent') RETURNING id AS waiting \gset
SELECT is(steward.escalate(:'item', 'manual', :'cid') -> 'escalated_to_id', 'null', 'work is escalated to nobody'), is(steward.queue_escalate(:'waiting', :'cid') -> 'escalated_to_id', 'null', 'and what waits');
SELECT set_eq('SELECT payload ->> ''reference_id'', recipient_id FROM notification_outbox WHERE notification_type = ''sla_no_recipient''',
    format('VALUES (%L, %L::uuid), (%L, %L)', :'item', :'root', :'waiting', :'root'), 'of both an administrator is alerted');
DELETE FROM assignment_queue WHERE id = :'waiting';

-- A breach that a client wrote down is not escalated once more.
SELECT pg_temp.work(:'ann', 'urgent', started => steward.now() - interval '1 day') AS item \gset
INSERT INTO escalation_events (assignment_id, escalated_to_id, reason) VALUES (:'item', :'chief', 'sla_breach');
SELECT is(pg_temp.turn(), '0 warned, 0 escalated, 0 unserved, 0 returned', 'what a client escalated is no breach of the monitor''s');
SELECT is(count(*), 1::bigint, 'it has one event'), is(pg_temp.told(:'item'), NULL, 'which is not told again') FROM escalation_events WHERE assignment_id = :'item';
SELECT ok(breached_at IS NOT NULL, 'and the stamp'), is((SELECT count(*) FROM steward.sla_trouble), 0::bigint, 'without any trouble') FROM assignments WHERE id = :'item';
SELECT pg_temp.done() \g /dev/null
SELECT pg_temp.work(:'ann', 'urgent', started => steward.now() - interval '1 day') AS item, pg_temp.work(:'bob', 'urgent', started => steward.now() - interval '1 day') AS other \gset
INSERT INTO escalation_events (assignment_id, escalated_to_id, reason) VALUES (:'item', :'chief', 'sla_breach');
SELECT is(pg_temp.turn(), '0 warned, 1 escalated, 0 unserved, 0 returned', 'nor is it among others, which are');
SELECT ok(bool_and(breached_at IS NOT NULL), 'both have the stamp'), is(pg_temp.told(:'other'), 'sla_escalation,sla_escalation', 'the other one is told'), is(pg_temp.told(:'item'), NULL, 'alone')
  FROM assignments WHERE id IN (:'item', :'other');
SELECT is((SELECT count(*) FROM escalation_events WHERE assignment_id IN (:'item', :'other')), 2::bigint, 'each has one event'),
       is((SELECT count(*) FROM steward.sla_trouble), 0::bigint, 'and none is any trouble');
SELECT pg_temp.done() \g /dev/null

-- Rights, by the claims.
SELECT pg_temp.work(:'ann') AS item \gset
INSERT INTO organizations (name) VALUES ('elsewhere') RETURNING id AS elsewhere \gset
SELECT pg_temp.staff(pg_temp.unit('there', organization => :'elsewhere'), role => 'admin') AS stranger \gset
CREATE FUNCTION pg_temp.as_user(who uuid, query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    answer text;
BEGIN
    PERFORM set_config('request.jwt.claims', CASE WHEN who IS NULL THEN '' ELSE jsonb_build_object('sub', who)::text END, true);
    SET LOCAL ROLE authenticated;
    EXECUTE query INTO answer;
    RESET ROLE;
    PERFORM set_config('request.jwt.claims', '', true);
    RETURN answer;
END $$;
SELECT throws_ok(format('SELECT pg_temp.as_user(%L, %L)', :'bob', format('SELECT steward.escalate(%L, ''manual'')', :'item')), '42501', 'insufficient permissions', 'a colleague may not escalate another''s work'),
       is(pg_temp.as_user(:'stranger', format('SELECT steward.escalate(%L, ''manual'') ->> ''outcome''', :'item')), 'not_found', 'for another organisation there is no such work'),
       is(pg_temp.as_user(NULL, format('SELECT steward.escalate(%L, ''manual'', %L) ->> ''outcome''', :'item', :'ann')), 'not_found', 'nor without claims'),
       is(pg_temp.as_user(:'ann', format('SELECT steward.escalate(%L, ''manual'', %L) ->> ''outcome''', :'item', :'chief')), 'escalated', 'who has it may');
SELECT is(escalated_by, :'ann', 'in the own name, whatever that says') FROM escalation_events WHERE assignment_id = :'item';
SELECT id AS event FROM escalation_events WHERE assignment_id = :'item' \gset
SELECT throws_ok(format('SELECT pg_temp.as_user(%L, %L)', :'ann', format('SELECT steward.escalation_answer(%L, NULL, true)', :'event')), '42501', 'insufficient permissions', 'but not answer it'),
       is(pg_temp.as_user(:'stranger', format('SELECT steward.escalation_answer(%L, NULL, true) ->> ''outcome''', :'event')), 'not_found', 'nor may somebody elsewhere'),
       is(pg_temp.as_user(:'supervisor', format('SELECT steward.escalation_answer(%L, NULL, true) ->> ''outcome''', :'event')), 'resolved', 'the recipient may');
SELECT pg_temp.done() \g /dev/null

-- What raises is put off alone; its neighbours are done in the same turn.
SELECT count(pg_temp.work(:'ann', 'urgent', started => steward.now() - interval '2 hours')) FROM generate_series(1, 40) \g /dev/null
SELECT pg_temp.work(:'ann', 'urgent', started => steward.now() - interval '2 hours 5 s') AS poison \gset
CREATE FUNCTION pg_temp.raises() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'poison' USING ERRCODE = TG_ARGV[0];
END $$;
SELECT format('CREATE TRIGGER poison BEFORE INSERT ON escalation_events FOR EACH ROW WHEN (NEW.assignment_id = %L) EXECUTE FUNCTION pg_temp.raises(''P0001'')', :'poison') \gexec
SET client_min_messages = error;
SELECT is(pg_temp.turn(), '0 warned, 40 escalated, 0 unserved, 0 returned', 'a row that raises leaves its neighbours alone');
SELECT results_eq('SELECT item, step, attempts, state, problem, worker FROM steward.sla_trouble', format('VALUES (%L::uuid, ''breach'', 1, ''P0001'', ''poison'', ''test'')', :'poison'), 'and is noted');
SELECT is(count(*), 1::bigint, 'and an administrator hears of it') FROM notification_outbox WHERE notification_type = 'sla_trouble' AND recipient_id = :'root';
SELECT ok(next_due_ms BETWEEN 1 AND 10000, 'it comes again') FROM steward.sla_turn('test', 10);
SET steward.clock_offset = '11 s';
SELECT is(pg_temp.turn(), '0 warned, 0 escalated, 0 unserved, 0 returned', 'and fails again');
SELECT is(attempts, 2, 'which is counted'), is(retry_at - steward.now() > interval '40 s', true, 'and waits longer') FROM steward.sla_trouble;
SELECT is(count(*), 1::bigint, 'but not told again') FROM notification_outbox WHERE notification_type = 'sla_trouble';
DROP TRIGGER poison ON escalation_events;
SET steward.clock_offset = '2 minutes';
SELECT is(pg_temp.turn(), '0 warned, 1 escalated, 0 unserved, 0 returned', 'until it can be done');
SELECT is(count(*), 0::bigint, 'which ends the trouble') FROM steward.sla_trouble;
RESET steward.clock_offset;
SELECT pg_temp.work(:'ann', 'urgent', started => steward.now() - interval '2 hours') AS item \gset
SELECT format('CREATE TRIGGER poison BEFORE INSERT ON escalation_events FOR EACH ROW WHEN (NEW.assignment_id = %L) EXECUTE FUNCTION pg_temp.raises(''53100'')', :'item') \gexec
SELECT throws_ok('SELECT steward.sla_turn(''test'', 10)', '53100', 'poison', 'but where the server is to blame, the turn is left for later');
DROP TRIGGER poison ON escalation_events;
SET client_min_messages = warning;
SELECT is(count(*), 0::bigint, 'and nothing is noted') FROM steward.sla_trouble;
SELECT is(pg_temp.turn(), '0 warned, 1 escalated, 0 unserved, 0 returned', 'and done then');
SELECT pg_temp.done() \g /dev/null

-- What raised as a warning, and waits to be tried again, keeps no breach waiting.
SELECT pg_temp.work(:'ann', 'urgent', started => steward.now() - interval '1 hour 45 minutes') AS item \gset
CREATE TRIGGER poison BEFORE INSERT ON notification_outbox FOR EACH ROW WHEN (NEW.notification_type = 'sla_warning') EXECUTE FUNCTION pg_temp.raises('P0001');
SET client_min_messages = error;
SELECT is(pg_temp.turn(), '0 warned, 0 escalated, 0 unserved, 0 returned', 'a warning that raises');
SELECT ok(retry_at > steward.now(), 'is put off') FROM steward.sla_trouble WHERE item = :'item' AND step = 'warning';
UPDATE assignments SET sla_deadline = steward.now() WHERE id = :'item';
SELECT is(pg_temp.turn(), '0 warned, 1 escalated, 0 unserved, 0 returned', 'and the breach comes in its time');
DROP TRIGGER poison ON notification_outbox;
SET client_min_messages = warning;
DELETE FROM steward.sla_trouble;
SELECT pg_temp.done() \g /dev/null

-- What is due is in a table of its own, which only says where to look.
CREATE FUNCTION pg_temp.watched(item uuid) RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(CASE d.due_at WHEN a.warn_at THEN 'warning' WHEN a.sla_deadline THEN 'deadline' ELSE d.due_at::text END, ',' ORDER BY d.due_at)
      FROM steward.assignment_due d JOIN assignments a ON a.id = d.assignment_id WHERE a.id = item
$$;
BEGIN;
SELECT pg_temp.work(:'ann') AS item \gset
SELECT is(pg_temp.watched(:'item'), 'warning', 'of new work the warning is waited for');
UPDATE assignments SET priority = 'urgent' WHERE id = :'item';
SELECT is(pg_temp.watched(:'item'), 'warning', 'of another priority the other one');
SELECT is(pg_temp.after('100 minutes'), '1 warned, 0 escalated, 0 unserved, 0 returned', 'once that is given');
SELECT is(pg_temp.watched(:'item'), 'deadline', 'the deadline is');
SELECT n_tup_upd AS updates, n_tup_hot_upd AS hot FROM pg_stat_xact_user_tables WHERE relname = 'assignments' \gset
SELECT is(pg_temp.after('2 hours'), '0 warned, 1 escalated, 0 unserved, 0 returned', 'and when that is missed');
SELECT is(pg_temp.watched(:'item'), NULL, 'nothing more');
SELECT is(ARRAY[n_tup_upd - :updates, n_tup_hot_upd - :hot], '{1,1}', 'the stamps touch no index of assignments') FROM pg_stat_xact_user_tables WHERE relname = 'assignments';
UPDATE assignments SET breached_at = NULL WHERE id = :'item';
SELECT is(pg_temp.watched(:'item'), 'deadline', 'who takes the stamp back is waited for again');
UPDATE assignments SET breached_at = steward.now() WHERE id = :'item';
SELECT is(pg_temp.turn(), '0 warned, 0 escalated, 0 unserved, 0 returned', 'who stamps by hand has stamped');
SELECT is(pg_temp.watched(:'item'), NULL, 'which the monitor sees when it looks');
UPDATE assignments SET breached_at = NULL WHERE id = :'item';
UPDATE assignments SET status = 'completed' WHERE id = :'item';
SELECT is(pg_temp.watched(:'item'), NULL, 'what is done is not waited for');
SELECT pg_temp.work(:'ann') AS item \gset
SET LOCAL session_replication_role = replica;
UPDATE assignments SET warning_sent_at = steward.now(), sla_deadline = steward.now() - interval '1 s' WHERE id = :'item';
SELECT is(pg_temp.watched(:'item'), 'deadline', 'what is loaded past the triggers is');
SET LOCAL session_replication_role = origin;
SELECT pg_temp.work(:'ann') AS item \gset
UPDATE assignments SET warning_sent_at = steward.now(), breached_at = steward.now() WHERE id = :'item';
UPDATE assignments SET sla_deadline = sla_deadline + interval '1 s' WHERE id = :'item';
DELETE FROM assignments WHERE id = :'item';
SELECT is(count(*), 0::bigint, 'of what is deleted nothing is left, whoever stamped it') FROM steward.assignment_due WHERE assignment_id = :'item';
-- Who keeps the stamp away is told once, and looked at again.
SELECT pg_temp.done() \g /dev/null
CREATE FUNCTION pg_temp.unstamped() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN NEW.breached_at := NULL; RETURN CASE TG_ARGV[0] WHEN 'stamp' THEN NEW END; END $$;
CREATE TRIGGER unstamped BEFORE UPDATE OF breached_at ON assignments FOR EACH ROW EXECUTE FUNCTION pg_temp.unstamped('stamp');
SELECT pg_temp.work(:'ann', 'urgent', started => steward.now() - interval '3 hours') AS item \gset
SELECT is(pg_temp.turn(), '0 warned, 1 escalated, 0 unserved, 0 returned', 'of a breach without a stamp'), is(pg_temp.watched(:'item'), 'deadline', 'the deadline is still waited for');
DROP TRIGGER unstamped ON assignments;
CREATE TRIGGER unstamped BEFORE UPDATE OF breached_at ON assignments FOR EACH ROW EXECUTE FUNCTION pg_temp.unstamped('row');
SELECT is(pg_temp.turn(), '0 warned, 0 escalated, 0 unserved, 0 returned', 'and told once'), is(pg_temp.watched(:'item'), 'deadline', 'also where the row is not changed at all');
DROP TRIGGER unstamped ON assignments;
SELECT pg_temp.work(:'ann') \g /dev/null
TRUNCATE assignments, assignment_history;
SELECT is(count(*), 0::bigint, 'and emptying the one table empties the other') FROM steward.assignment_due;
ROLLBACK;

-- Not even more of it than a turn takes holds up what comes after.
SELECT count(pg_temp.work(:'ann', 'urgent', started => steward.now() - interval '3 hours')) FROM generate_series(1, 15) \g /dev/null
SELECT count(pg_temp.work(:'bob', 'urgent', started => steward.now() - interval '2 hours')) FROM generate_series(1, 5) \g /dev/null
SELECT format('CREATE TRIGGER poison BEFORE UPDATE OF breached_at ON assignments FOR EACH ROW WHEN (OLD.assignee_id = %L) EXECUTE FUNCTION pg_temp.raises(''22000'')', :'ann') \gexec
SET client_min_messages = error;
SELECT is(pg_temp.turn(10), '0 warned, 0 escalated, 0 unserved, 0 returned', 'a whole turn of poison');
SELECT is(pg_temp.turn(10), '0 warned, 5 escalated, 0 unserved, 0 returned', 'is followed by the rest');
SELECT is(count(*), 15::bigint, 'and all of it is noted') FROM steward.sla_trouble;
SELECT is((payload #>> '{metadata,count}')::int, 15, 'in one alert') FROM notification_outbox WHERE notification_type = 'sla_trouble';
DROP TRIGGER poison ON assignments;
SELECT pg_temp.done() \g /dev/null
SET steward.clock_offset = '2 days';
SELECT message FROM steward.job_archive_assignments(steward.now()) \g /dev/null
RESET steward.clock_offset;
SELECT is(count(*), 0::bigint, 'which is forgotten when the work is done otherwise') FROM steward.sla_trouble;
CREATE TRIGGER poison BEFORE UPDATE OF availability_status ON staff_profiles FOR EACH ROW EXECUTE FUNCTION pg_temp.raises('P0004');
UPDATE staff_profiles SET unavailable_until = NULL WHERE user_id = :'cid';
ALTER TABLE staff_profiles DISABLE TRIGGER poison;
UPDATE staff_profiles SET availability_status = 'on_leave', unavailable_until = steward.now() - interval '1 s' WHERE user_id = :'cid';
ALTER TABLE staff_profiles ENABLE TRIGGER poison;
SELECT pg_temp.work(:'ann', 'urgent', started => steward.now() - interval '2 hours') AS item \gset
SELECT is(pg_temp.turn(), '0 warned, 1 escalated, 0 unserved, 0 returned', 'somebody who cannot be called back keeps no breach waiting');
SELECT is(step, 'return', 'and is noted too') FROM steward.sla_trouble;
DROP TRIGGER poison ON staff_profiles;
SET steward.clock_offset = '1 minute';
SELECT is(pg_temp.turn(), '0 warned, 0 escalated, 0 unserved, 1 returned', 'and comes back a little later');
RESET steward.clock_offset;
SET client_min_messages = warning;
SELECT pg_temp.done() \g /dev/null

-- Leave ends by itself.
UPDATE staff_profiles SET availability_status = 'on_leave', unavailable_until = steward.now() + interval '1 hour', unavailable_reason = 'rest', availability_source = 'hr_system' WHERE user_id = :'cid';
SELECT ok(next_due_ms BETWEEN 3590000 AND 3600000, 'the end of a leave is waited for') FROM steward.sla_turn('test', 10);
SET steward.clock_offset = '1 hour';
SELECT is(pg_temp.turn(), '0 warned, 0 escalated, 0 unserved, 1 returned', 'and then it ends');
SELECT is(availability_status, 'available', 'he is available'), is(unavailable_until, NULL, 'without an end'), is(unavailable_reason, NULL, 'or a reason'),
       is(availability_source::text, 'hr_system', 'as it was entered') FROM staff_profiles WHERE user_id = :'cid';
SELECT ok(EXISTS (SELECT FROM steward.capacity_freed WHERE user_id = :'cid'), 'and is capacity again');
RESET steward.clock_offset;
SELECT is((SELECT next_due_ms FROM steward.sla_turn('test', 10)), NULL, 'where nothing waits, nothing is due');

-- Two monitors share; what one holds the other passes by, and comes back to.
SELECT pg_temp.connect('other') \g /dev/null
SELECT count(pg_temp.work(:'ann', 'urgent', started => steward.now() - interval '2 hours')) FROM generate_series(1, 30) \g /dev/null
SELECT dblink_exec('other', 'BEGIN') \g /dev/null
SELECT is(escalated, 10, 'one takes ten') FROM dblink('other', 'SELECT escalated FROM steward.sla_turn(''other'', 10)') t(escalated int);
SELECT is(escalated, 20, 'the other the rest'), is(next_due_ms, 1000::bigint, 'and looks again after what is held') FROM steward.sla_turn('test', 1000);
SELECT dblink_exec('other', 'ROLLBACK') \g /dev/null
SELECT is(pg_temp.turn(), '0 warned, 10 escalated, 0 unserved, 0 returned', 'which it does when the first one dies');
SELECT is(count(*), 30::bigint, 'so each is escalated'), is(count(DISTINCT e.assignment_id), 30::bigint, 'once')
  FROM escalation_events e JOIN assignments a ON a.id = e.assignment_id WHERE a.status = 'assigned';
SELECT pg_temp.done() \g /dev/null

-- One climb for a unit, also where its only supervisor asks among others.
SELECT results_eq(format('SELECT user_id, recipient_id FROM steward.escalation_recipients(ARRAY[%L, %1$L]::uuid[], ARRAY[%L, %2$L]::uuid[], ARRAY[%L, %L]::uuid[]) ORDER BY user_id = %3$L DESC',
                         pg_temp.home(), :'translation', :'ann', :'supervisor'),
    format('VALUES (%L::uuid, %L::uuid), (%2$L, %L)', :'ann', :'supervisor', :'chief'), 'the people of a unit go to its supervisor, who goes to the one above');

-- What no foreign key looks at is looked at all the same, when it is a client who writes.
SELECT pg_temp.work(:'ann', 'low') AS item \gset
SELECT throws_ok(format('INSERT INTO notification_outbox (organization_id, recipient_id, notification_type, delivery_method, payload) VALUES (%L, %L, ''x'', ''in_app'', ''{}'')', gen_random_uuid(), :'ann'), '23503', NULL, 'a notice is of an organisation that exists');
INSERT INTO notification_outbox (recipient_id, notification_type, delivery_method, payload) VALUES (:'ann', 'x', 'in_app', '{}');
SELECT throws_ok(format('UPDATE notification_outbox SET organization_id = %L WHERE notification_type = ''x''', gen_random_uuid()), '23503', NULL, 'and stays so');
SELECT throws_ok(format('INSERT INTO escalation_events (organization_id, queue_id, work_item_id, work_item_type, escalated_from_id, reason) VALUES (%L, %L, ''x'', ''task'', %L, ''capacity_exhaustion'')', gen_random_uuid(), gen_random_uuid(), :'ann'), '23503', NULL, 'so is the escalation of what waits');
SELECT throws_ok(format('INSERT INTO escalation_events (assignment_id, reason, sla_deadline) VALUES (%L, ''manual'', steward.now())', :'item'), '23514', NULL, 'only a breach has a deadline');
SELECT throws_ok(format('UPDATE assignments SET escalation_recipient_id = %L WHERE id = %L', gen_random_uuid(), :'item'), '23503', NULL, 'a recipient exists');
SELECT throws_ok(format('UPDATE assignments SET id = %L WHERE id = %L', gen_random_uuid(), :'item'), '23514', NULL, 'an assignment does not leave its escalations behind');
SELECT dblink_exec('other', format('BEGIN; INSERT INTO escalation_events (assignment_id, reason) VALUES (%L, ''manual'')', :'item')) \g /dev/null
SET lock_timeout = '100ms';
SELECT throws_ok(format('DELETE FROM assignments WHERE id = %L', :'item'), '55P03', NULL, 'nor goes while somebody escalates it');
RESET lock_timeout;
SELECT dblink_exec('other', 'COMMIT') \g /dev/null
DELETE FROM assignments WHERE id = :'item';
SELECT is(count(*), 1::bigint, 'and then takes the escalation along') FROM escalation_events_archive WHERE assignment_id = :'item';
SELECT pg_temp.done() \g /dev/null

-- Only what comes soon wakes the monitor.
SELECT pg_temp.connect('ear') \g /dev/null
SELECT dblink_exec('ear', 'LISTEN steward_sla') \g /dev/null
CREATE FUNCTION pg_temp.woken() RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    heard boolean;
BEGIN
    PERFORM * FROM dblink('ear', 'SELECT 1') x(one int);
    SELECT count(*) > 0 INTO heard FROM dblink_get_notify('ear') WHERE notify_name = 'steward_sla';
    RETURN heard;
END $$;
SELECT pg_temp.work(:'ann') AS item \gset
SELECT is(pg_temp.woken(), false, 'a deadline in two days is found in time');
SELECT pg_temp.work(:'ann', 'urgent', started => steward.now() - interval '1 hour 29 minutes 30 s') AS soon \gset
SELECT is(pg_temp.woken(), true, 'a warning in thirty seconds wakes the monitor');
UPDATE assignments SET sla_deadline = steward.now() + interval '20 s' WHERE id = :'item';
SELECT is(pg_temp.woken(), true, 'and a deadline that is moved there');
UPDATE assignments SET status = 'in_progress' WHERE id = :'item';
SELECT is(pg_temp.woken(), false, 'but not starting to work on it');
UPDATE staff_profiles SET availability_status = 'on_leave', unavailable_until = steward.now() + interval '30 s' WHERE user_id = :'cid';
SELECT is(pg_temp.woken(), true, 'nor does it miss a short leave');
INSERT INTO assignment_queue (work_item_id, work_item_type, required_skills, priority) VALUES ('far', 'ticket', '{}', 'low');
SELECT isnt(pg_temp.woken(), true, 'what is queued does not');
INSERT INTO assignment_queue (work_item_id, work_item_type, required_skills, priority, created_at) VALUES ('near', 'ticket', '{}', 'urgent', steward.now() - interval '1 hour 29 minutes 30 s');
SELECT is(pg_temp.woken(), true, 'unless it has its warning soon');
UPDATE assignment_queue SET sla_deadline = steward.now() + interval '20 s' WHERE work_item_id = 'far';
SELECT is(pg_temp.woken(), true, 'or its deadline');
DELETE FROM assignment_queue;
SELECT dblink_disconnect('ear'), dblink_disconnect('other') \g /dev/null

-- A turn is bounded whatever it is asked for; the function of the seeds takes several.
SET session_replication_role = replica;
INSERT INTO assignments (organization_id, work_item_id, work_item_type, assignee_id, unit_id, assigned_at, sla_started_at, warn_at, sla_deadline, priority)
SELECT pg_temp.home(), 'crowd ' || i, 'ticket', :'ann', :'translation', s.start, s.start, s.start, s.start, 'normal'
  FROM generate_series(1, 1100) i, (SELECT steward.now() - interval '1 s' AS start) s;
SET session_replication_role = origin;
BEGIN;
SELECT is(escalated, 1000, 'a turn takes a thousand and no more'), is(next_due_ms, 0::bigint, 'and says that more is due') FROM steward.sla_turn('test', 5000);
ROLLBACK;
SELECT is(escalations_created, 1100, 'who asks for all of it gets all of it') FROM sla_check_and_escalate();
DELETE FROM assignments WHERE work_item_id LIKE 'crowd %';
SELECT pg_temp.done() \g /dev/null

-- No turn reads a table: at a hundred thousand, everything is an index.
SET session_replication_role = replica;
INSERT INTO assignments (organization_id, work_item_id, work_item_type, assignee_id, unit_id, sla_started_at, warn_at, sla_deadline, priority)
SELECT pg_temp.home(), 'bulk' || i, 'ticket', :'ann', :'translation', now(), now() + i * interval '1 minute', now() + i * interval '2 minutes', 'normal'
  FROM generate_series(1, 100000) i;
INSERT INTO assignment_queue (organization_id, work_item_id, work_item_type, required_skills, target_unit_id, priority, warn_at, sla_deadline)
SELECT pg_temp.home(), 'bulk queued' || i, 'ticket', '{}', :'translation', 'normal', now() + i * interval '1 minute', now() + i * interval '2 minutes'
  FROM generate_series(1, 100000) i;
SET session_replication_role = origin;
ANALYZE;
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
SELECT matches(pg_temp.plan_of('SELECT id FROM assignments WHERE status IN (''assigned'', ''in_progress'') AND sla_deadline <= steward.now() ORDER BY sla_deadline LIMIT 100'),
           'idx_assignments_sla_partial.*\n *Index Cond: \(sla_deadline <= \(now\(\)', 'open work by deadline is found by its index, with the clock in the condition'),
       matches(pg_temp.plan_of('SELECT assignment_id FROM steward.assignment_due WHERE due_at <= steward.now() ORDER BY due_at LIMIT 100'),
           'assignment_due_pkey.*\n *Index Cond: \(due_at <= \(now\(\)', 'and what is due by its');
SET steward.clock_offset = '4 hours';
-- Counters of earlier statements are added up first.
SELECT pg_stat_force_next_flush();
BEGIN;
SELECT is(escalated, 100, 'a turn of a hundred') FROM steward.sla_turn('test', 100);
SELECT is(string_agg(format('%s %s', relname, seq_tup_read), ', '), NULL, 'scans no table') FROM pg_stat_xact_user_tables
 WHERE seq_tup_read > 0 AND relname IN ('assignments', 'staff_profiles', 'organizational_units', 'escalation_events', 'notification_outbox', 'sla_trouble', 'assignment_due');
SELECT cmp_ok(idx_tup_fetch, '<', 2000::bigint, 'and reads little more than it writes') FROM pg_stat_xact_user_tables WHERE relname = 'assignments';
SELECT is(current_setting('synchronous_commit'), 'off', 'its commit is brought to disk by the turn that follows at once');
ROLLBACK;
BEGIN;
SELECT steward.sla_turn('test', 1000);
SELECT is(current_setting('synchronous_commit'), 'on', 'and that of the last turn waits for the disk');
ROLLBACK;
-- In one moment, for more comes due in each minute.
SELECT pg_stat_force_next_flush();
BEGIN;
SET LOCAL enable_seqscan = off;
SELECT (SELECT count(*) FROM assignments WHERE status IN ('assigned', 'in_progress') AND breached_at IS NULL AND sla_deadline <= steward.now())
     + (SELECT count(*) FROM assignment_queue WHERE breached_at IS NULL AND sla_deadline <= steward.now()) AS due,
       (SELECT count(*) FROM assignments WHERE status IN ('assigned', 'in_progress') AND warning_sent_at IS NULL AND warn_at <= steward.now() AND sla_deadline > steward.now())
     + (SELECT count(*) FROM assignment_queue WHERE warning_sent_at IS NULL AND warn_at <= steward.now() AND sla_deadline > steward.now()) AS near \gset
SET LOCAL enable_seqscan = on;
SELECT is(warned, :near, 'and one of all that is due'), is(escalated, :due, 'with somebody or waiting') FROM steward.sla_turn('test', 1000);
SELECT is(string_agg(format('%s %s', relname, seq_tup_read), ', '), NULL, 'scans no table') FROM pg_stat_xact_user_tables
 WHERE seq_tup_read > 0 AND relname IN ('assignments', 'assignment_queue', 'staff_profiles', 'organizational_units', 'escalation_events', 'notification_outbox', 'sla_trouble');
SELECT cmp_ok(idx_tup_fetch, '<', 2000::bigint, 'and reads little more than it writes') FROM pg_stat_xact_user_tables WHERE relname = 'assignment_queue';
ROLLBACK;

-- No finish(): it counts what the rollbacks took back.
