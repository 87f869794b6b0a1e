-- Corners of the assignment engine: roads that little is walked on.

\ir setup.psql
\ir staff.psql

SELECT plan(96);

SELECT pg_temp.unit('home', 100), pg_temp.unit('other', 100), pg_temp.unit('top', 100), pg_temp.skills('a', 'b', 'c');
UPDATE organizational_units SET parent_unit_id = md5('unit top')::uuid WHERE name_en IN ('home', 'other');
SELECT id AS org FROM organizations WHERE is_default
\gset
CREATE FUNCTION pg_temp.lead(name text, unit text, rank text DEFAULT 'supervisor') RETURNS uuid LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_temp.staff(name, unit, '{}');
    UPDATE staff_profiles SET role = rank WHERE user_id = md5('staff ' || name)::uuid;
    RETURN md5('staff ' || name)::uuid;
END $$;
-- an item that waits, flagged after ten attempts
CREATE FUNCTION pg_temp.flagged(item text, skills text[], target text DEFAULT NULL) RETURNS uuid LANGUAGE sql AS $$
    INSERT INTO assignment_queue (work_item_id, work_item_type, required_skills, priority, target_unit_id, attempts, last_attempt_at, needs_review, flagged_at)
    VALUES (item, 'ticket', pg_temp.skills(VARIADIC skills), 'normal', md5('unit ' || target)::uuid, 10, steward.now(), true, steward.now()) RETURNING id
$$;
-- who has the item once the queue was drained
CREATE FUNCTION pg_temp.drained(item text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    PERFORM steward.queue_drain('test', 100);
    RETURN (SELECT pg_temp.who(assignee_id) FROM assignments WHERE work_item_id = item);
END $$;
CREATE FUNCTION pg_temp.as_user(name text, query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    answer text;
BEGIN
    PERFORM set_config('request.jwt.claims', jsonb_build_object('sub', md5('staff ' || name)::uuid)::text, true);
    SET LOCAL ROLE authenticated;
    EXECUTE query INTO answer;
    RESET ROLE;
    PERFORM set_config('request.jwt.claims', '', true);
    RETURN answer;
END $$;

-- Capacity comes free by every road, also for what is flagged.
BEGIN;
SELECT pg_temp.unit('home', 5), pg_temp.staff('one', 'home', '{a}', 5, 10), pg_temp.flagged('i', '{a}');
DELETE FROM steward.capacity_freed;
SELECT is(pg_temp.drained('i'), NULL, 'a unit is full');
INSERT INTO assignment_rules (name_ar, name_en, unit_id, required_skills, capacity_check_enabled) VALUES ('r', 'r', md5('unit home')::uuid, pg_temp.skills('a'), false);
SELECT is(pg_temp.drained('i'), 'one', 'a new rule that lifts its limit is capacity');
ROLLBACK;
BEGIN;
SELECT pg_temp.unit('home', 5), pg_temp.staff('one', 'home', '{a}', 5, 10);
INSERT INTO assignment_rules (name_ar, name_en, unit_id, required_skills, capacity_check_enabled) VALUES ('r', 'r', md5('unit home')::uuid, pg_temp.skills('a'), false);
UPDATE assignment_rules SET is_active = false;
SELECT pg_temp.flagged('i', '{a}');
DELETE FROM steward.capacity_freed;
UPDATE assignment_rules SET is_active = true;
SELECT is(pg_temp.drained('i'), 'one', 'so is one that is active again');
ROLLBACK;
BEGIN;
SELECT pg_temp.staff('one', 'home', '{b}'), pg_temp.flagged('i', '{c}');
DELETE FROM steward.capacity_freed;
SELECT is(pg_temp.drained('i'), NULL, 'nobody has the skill');
UPDATE assignment_queue SET required_skills = pg_temp.skills('b');
SELECT ok(attempts = 0 AND NOT needs_review AND flagged_at IS NULL AND last_attempt_at IS NULL, 'an item that needs another is a new one') FROM assignment_queue;
SELECT is(pg_temp.drained('i'), 'one', 'which is looked at');
ROLLBACK;
BEGIN;
SELECT pg_temp.staff('here', 'home', '{a}', 5), pg_temp.staff('there', 'other', '{a}');
INSERT INTO assignment_rules (name_ar, name_en, unit_id, required_skills, unit_is_must) VALUES ('r', 'r', md5('unit home')::uuid, pg_temp.skills('a'), true), ('r', 'r', md5('unit other')::uuid, pg_temp.skills('a'), true);
SELECT pg_temp.flagged('i', '{a}', 'home');
DELETE FROM steward.capacity_freed;
SELECT is(pg_temp.drained('i'), NULL, 'nobody of the required unit is free');
UPDATE assignment_queue SET target_unit_id = md5('unit other')::uuid;
SELECT is(pg_temp.drained('i'), 'there', 'an item for another unit is a new one');
ROLLBACK;
BEGIN;
SELECT pg_temp.flagged('i', '{a}');
UPDATE assignment_queue SET priority = 'urgent';
SELECT ok(attempts = 0 AND NOT needs_review AND last_attempt_at IS NULL, 'and so is one that is more urgent') FROM assignment_queue;
UPDATE assignment_queue SET attempts = 10, last_attempt_at = steward.now();
UPDATE assignment_queue SET priority = 'urgent', required_skills = required_skills, notes = 'nobody knows';
SELECT ok(attempts = 10 AND needs_review AND last_attempt_at IS NOT NULL, 'but not one that stays as it was') FROM assignment_queue;
ROLLBACK;
SELECT dblink_connect('listener', format('host=%s port=%s user=%s dbname=%s', split_part(current_setting('unix_socket_directories'), ',', 1), current_setting('port'), current_user, current_database())),
       pg_temp.flagged('i', '{a}') \g /dev/null
SELECT dblink_exec('listener', 'LISTEN queue_process_needed') \g /dev/null
UPDATE assignment_queue SET priority = 'urgent';
SELECT n FROM dblink('listener', 'SELECT 1') r(n int), dblink('listener', 'SELECT 2') s(m int) \g /dev/null
SELECT is(count(*), 1::bigint, 'the drain is woken for it') FROM dblink_get_notify('listener') WHERE notify_name = 'queue_process_needed';
SELECT dblink_disconnect('listener') \g /dev/null
DELETE FROM assignment_queue;
BEGIN;
SELECT pg_temp.staff('one', 'home', '{a}', 1), pg_temp.flagged('i', '{a}');
SET LOCAL ROLE steward_owner;
UPDATE staff_profiles SET current_assignment_count = 5;
UPDATE organizational_units SET current_assignment_count = 100;
RESET ROLE;
DELETE FROM steward.capacity_freed;
SELECT is(pg_temp.drained('i'), NULL, 'a wrong count is a limit');
SELECT steward.recount_assignments(false);
SELECT is(pg_temp.drained('i'), NULL, 'even if somebody looks');
SELECT steward.recount_assignments();
SELECT is(pg_temp.drained('i'), 'one', 'and setting it right is capacity');
ROLLBACK;

-- Giving flagged work away by hand is the decision that the flag asked for.
BEGIN;
SELECT pg_temp.staff('away', 'home', '{a}', 1), pg_temp.staff('free', 'home', '{b}');
SELECT steward.set_availability(:'org', md5('staff away')::uuid, 'on_leave');
SELECT ok(needs_review AND review_reason IS NOT NULL AND flagged_at IS NOT NULL, 'a leave flags what stays') FROM assignments;
SELECT steward.assign_override(:'org', 'away 1', 'task', md5('staff free')::uuid, NULL, 'because of the leave', md5('staff away')::uuid, reassign => true);
SELECT ok(NOT needs_review AND review_reason IS NULL AND flagged_at IS NULL, 'until somebody decides who gets it') FROM assignments;
ROLLBACK;

-- Work that is given by hand to somebody who is away.
BEGIN;
SELECT pg_temp.staff('one', 'home', '{a}', 5), pg_temp.staff('boss', 'home', '{}');
SELECT ok(NOT e ? 'availability_warning', 'no warning about who is there') FROM steward.assign_override(:'org', 'i', 'ticket', md5('staff boss')::uuid, NULL, 'it cannot wait', md5('staff boss')::uuid) e;
UPDATE staff_profiles SET availability_status = 'on_leave' WHERE user_id = md5('staff one')::uuid;
SELECT is(e ->> 'outcome', 'assigned', 'somebody on leave may get work'), is(e ->> 'availability_warning', 'Assignee is on leave', 'with a warning'),
       is(e ->> 'capacity_warning', 'Assignee is at or over WIP limit (5/5)', 'beside the other')
  FROM steward.assign_override(:'org', 'j', 'ticket', md5('staff one')::uuid, NULL, 'it cannot wait', md5('staff boss')::uuid) e;
SELECT is(detail ->> 'warning', 'Assignee is at or over WIP limit (5/5); Assignee is on leave', 'and the history has both') FROM assignment_history WHERE work_item_id = 'j' AND action = 'assignment_manual_override';
UPDATE staff_profiles SET availability_status = 'unavailable' WHERE user_id = md5('staff one')::uuid;
SELECT is(e ->> 'availability_warning', 'Assignee is unavailable', 'or somebody who is unavailable')
  FROM steward.assign_override(:'org', 'k', 'ticket', md5('staff one')::uuid, NULL, 'it cannot wait', md5('staff boss')::uuid) e;
ROLLBACK;

-- Whoever escalates has looked at it already.
CREATE FUNCTION pg_temp.escalated(by text, item text) RETURNS text LANGUAGE sql AS $$
    SELECT COALESCE(pg_temp.who((pg_temp.as_user(by, format('SELECT steward.escalate(%L, ''manual'') ->> ''escalated_to_id''', a.id)))::uuid), 'nobody')
      FROM assignments a WHERE a.work_item_id = item
$$;
BEGIN;
SELECT pg_temp.staff('ann', 'home', '{a}', 3), pg_temp.lead('sue', 'home');
SELECT is(pg_temp.escalated('ann', 'ann 1'), 'sue', 'what somebody escalates goes to the supervisor');
SELECT is(pg_temp.escalated('sue', 'ann 2'), 'nobody', 'what she escalates herself not to her');
SELECT pg_temp.lead('max', 'top');
SELECT is(pg_temp.escalated('sue', 'ann 3'), 'max', 'but to the next one up');
ROLLBACK;
BEGIN;
SELECT pg_temp.staff('ann', 'home', '{a}', 1), pg_temp.lead('sue', 'home'), pg_temp.lead('max', 'top');
UPDATE staff_profiles SET escalation_chain_id = md5('staff sue')::uuid WHERE user_id = md5('staff ann')::uuid;
SELECT is(pg_temp.escalated('sue', 'ann 1'), 'max', 'whom the person named is no exception');
ROLLBACK;
BEGIN;
SELECT pg_temp.lead('sue', 'home'), pg_temp.lead('sam', 'home'), pg_temp.lead('max', 'top');
INSERT INTO assignments (work_item_id, work_item_type, assignee_id, priority) VALUES ('sams', 'task', md5('staff sam')::uuid, 'low');
SELECT is(pg_temp.escalated('sue', 'sams'), 'max', 'and of two supervisors neither gets what one asks for the other');
ROLLBACK;

-- Who could be given work is asked within what row security shows.
BEGIN;
SELECT pg_temp.staff('ann', 'home', '{a}'), pg_temp.staff('bob', 'other', '{a}'), pg_temp.staff('col', 'home', '{a}'), pg_temp.lead('sue', 'home'), pg_temp.lead('ada', 'other', 'admin');
SELECT is(pg_temp.as_user(who, format($$SELECT array_agg(hr) FROM (SELECT split_part(user_id::text, '-', 1) AS hr FROM find_eligible_staff_for_assignment(%L) ORDER BY 1) x$$, pg_temp.skills('a'))),
          (SELECT array_agg(split_part(md5('staff ' || n)::uuid::text, '-', 1) ORDER BY split_part(md5('staff ' || n)::uuid::text, '-', 1)) FROM unnest(seen) n)::text, format('%s sees %s', who, seen))
  FROM (VALUES ('ann', '{ann}'::text[]), ('sue', '{ann,col}'), ('ada', '{ann,bob,col}')) v(who, seen);
-- A decision is among everybody, and so is its explanation, for who leads.
SELECT is(pg_temp.as_user('sue', $$SELECT c.body #>> '{candidates,2,eligible}' FROM api.assignments_auto_assign('{"work_item_id": "i", "work_item_type": "ticket", "required_skills": ["a"], "priority": "normal", "explain": true}') c$$),
          'true', 'an explanation shows a supervisor those of other units too');
ROLLBACK;

-- An escalation is seen from both units.
BEGIN;
SELECT pg_temp.staff('ann', 'home', '{a}', 1), pg_temp.staff('pat', 'other', '{a}'), pg_temp.lead('sue', 'home'), pg_temp.lead('oli', 'other'), pg_temp.lead('max', 'top'), pg_temp.staff('tim', 'other', '{a}');
UPDATE staff_profiles SET escalation_chain_id = md5('staff pat')::uuid WHERE user_id = md5('staff ann')::uuid;
SELECT is(pg_temp.escalated('ann', 'ann 1'), 'pat', 'somebody of another unit is named');
SELECT is(pg_temp.as_user(who, 'SELECT count(*) FROM escalation_events'), seen, format('%s sees %s of it', who, seen))
  FROM (VALUES ('ann', '1'), ('pat', '1'), ('sue', '1'), ('oli', '1'), ('max', '0'), ('tim', '0')) v(who, seen);
INSERT INTO organizations (name) VALUES ('another') RETURNING id AS another
\gset
INSERT INTO organizational_units (organization_id, name_ar, name_en, unit_wip_limit) VALUES (:'another', 'x', 'x', 5) RETURNING id AS abroad
\gset
INSERT INTO staff_profiles (user_id, unit_id, role) VALUES (md5('staff max')::uuid, :'abroad', 'supervisor'), (md5('staff pat')::uuid, :'abroad', 'staff');
SELECT is(pg_temp.as_user('max', 'SELECT count(*) FROM escalation_events'), '0', 'who leads the recipient in another organisation only sees nothing');
ROLLBACK;

-- Everybody is warned of what is theirs.
BEGIN;
SELECT pg_temp.staff('ann', 'home', '{a}'), pg_temp.staff('bob', 'home', '{a}');
INSERT INTO assignments (work_item_id, work_item_type, assignee_id, priority, assigned_at, required_skills) VALUES ('i', 'ticket', md5('staff ann')::uuid, 'high', steward.now() - interval '20 hours', pg_temp.skills('a'));
SELECT sla_deadline AS deadline FROM assignments
\gset
CREATE FUNCTION pg_temp.warned() RETURNS text[] LANGUAGE plpgsql AS $$
BEGIN
    PERFORM steward.sla_turn('test', 100);
    RETURN (SELECT array_agg(pg_temp.who(recipient_id) ORDER BY pg_temp.who(recipient_id)) FROM notification_outbox WHERE notification_type = 'sla_warning');
END $$;
SELECT is(pg_temp.warned(), '{ann}', 'somebody is warned');
SELECT steward.set_availability(:'org', md5('staff ann')::uuid, 'on_leave');
SELECT is(pg_temp.who(assignee_id), 'bob', 'goes on leave'), is(sla_deadline, :'deadline'::timestamptz, 'and the promise stays') FROM assignments;
SELECT is(pg_temp.warned(), '{ann,bob}', 'who gets the item is warned too');
SELECT is(pg_temp.warned(), '{ann,bob}', 'once');
UPDATE assignments SET status = 'in_progress', unit_id = unit_id;
SELECT is(pg_temp.warned(), '{ann,bob}', 'and not for a change of something else');
SET steward.clock_offset = '5 hours';
SELECT steward.sla_turn('test', 100);
UPDATE staff_profiles SET availability_status = 'available';
UPDATE assignments SET assignee_id = md5('staff ann')::uuid;
SELECT ok(warning_sent_at IS NOT NULL AND breached_at IS NOT NULL, 'what is over is not warned about') FROM assignments;
RESET steward.clock_offset;
ROLLBACK;
SELECT dblink_connect('listener', format('host=%s port=%s user=%s dbname=%s', split_part(current_setting('unix_socket_directories'), ',', 1), current_setting('port'), current_user, current_database())),
       pg_temp.staff('ann', 'home', '{a}'), pg_temp.staff('bob', 'home', '{a}') \g /dev/null
INSERT INTO assignments (work_item_id, work_item_type, assignee_id, priority, assigned_at) VALUES ('i', 'ticket', md5('staff ann')::uuid, 'high', steward.now() - interval '20 hours');
SELECT steward.sla_turn('test', 100) \g /dev/null
SELECT dblink_exec('listener', 'LISTEN steward_sla') \g /dev/null
UPDATE assignments SET assignee_id = md5('staff bob')::uuid;
SELECT n FROM dblink('listener', 'SELECT 1') r(n int), dblink('listener', 'SELECT 2') s(m int) \g /dev/null
SELECT is(count(*), 1::bigint, 'the monitor is woken for it') FROM dblink_get_notify('listener') WHERE notify_name = 'steward_sla';
SELECT dblink_disconnect('listener') \g /dev/null
DELETE FROM assignments;
DELETE FROM staff_profiles;
DELETE FROM auth.users;

-- What is archived can still be answered.
BEGIN;
SELECT pg_temp.staff('ann', 'home', '{a}', 1), pg_temp.lead('sue', 'home');
SELECT pg_temp.escalated('ann', 'ann 1');
SELECT pg_temp.finish_item('ann 1');
DELETE FROM assignments;
SELECT id AS event FROM escalation_events_archive
\gset
CREATE FUNCTION pg_temp.answered(by text, event uuid, resolve boolean, notes text DEFAULT NULL) RETURNS text LANGUAGE sql AS $$
    SELECT pg_temp.as_user(by, format('SELECT steward.escalation_answer(%L, NULL, %L, %L) ->> ''outcome''', event, resolve, notes))
$$;
SELECT throws_ok(format($$SELECT pg_temp.answered('ann', %L, true)$$, :'event'), '42501', 'insufficient permissions', 'not by everybody');
SELECT is(pg_temp.answered('sue', :'event', false, 'seen'), 'acknowledged', 'an escalation of archived work is acknowledged');
SELECT is(pg_temp.answered('sue', :'event', false), 'already_acknowledged', 'once');
SELECT is(pg_temp.as_user('sue', format($$SELECT c.status || ' ' || (c.body ->> 'duplicate') FROM api.escalations_acknowledge(jsonb_build_object('escalation_id', %L::text, 'resolve', true)) c$$, :'event')), '200 false', 'and resolved');
SELECT is(pg_temp.answered('sue', :'event', true), 'already_resolved', 'once');
SELECT ok(acknowledged_at IS NOT NULL AND resolved_at IS NOT NULL, 'which the archive says'), is(notes, 'seen', 'with the notes') FROM escalation_events_archive;
SELECT is(array_agg(action ORDER BY id), '{escalation_acknowledged,escalation_resolved}', 'and the history') FROM assignment_history WHERE action LIKE 'escalation%';
SET steward.clock_offset = '91 days';
SELECT steward.job_escalation_cleanup(steward.now());
SELECT is(count(*), 0::bigint, 'so that it leaves one day') FROM escalation_events_archive;
RESET steward.clock_offset;
ROLLBACK;

-- Nobody settles the own breach, whomever he leads; what waits is nobody's breach.
BEGIN;
SELECT pg_temp.staff('ann', 'home', '{a}'), pg_temp.lead('sue', 'home'), pg_temp.lead('second', 'home'), pg_temp.lead('root', 'top', 'admin'), pg_temp.lead('other', 'top', 'admin');
INSERT INTO assignments (work_item_id, work_item_type, assignee_id, priority, assigned_at) SELECT 'late ' || i, 'ticket', md5('staff sue')::uuid, 'urgent', steward.now() - interval '3 h' FROM generate_series(1, 3) i;
INSERT INTO assignment_queue (work_item_id, work_item_type, required_skills, priority, requested_by, target_unit_id) VALUES ('waits', 'ticket', pg_temp.skills('b'), 'normal', md5('staff sue')::uuid, md5('unit home')::uuid);
SELECT pg_temp.as_user('sue', format('SELECT steward.queue_escalate(%L)', id)) FROM assignment_queue \g /dev/null
SELECT sla_check_and_escalate() \g /dev/null
INSERT INTO escalation_events (assignment_id, escalated_from_id, escalated_to_id, reason) SELECT id, assignee_id, md5('staff sue')::uuid, 'manual' FROM assignments WHERE work_item_id = 'late 3';
DELETE FROM assignments WHERE work_item_id = 'late 2';
CREATE FUNCTION pg_temp.settled(by text, item text, whose text, why escalation_reason DEFAULT 'sla_breach') RETURNS text LANGUAGE sql AS $$
    SELECT pg_temp.as_user(by, format('SELECT c.status::text FROM api.escalations_acknowledge(%L) c', jsonb_build_object('escalation_id', e.id, 'resolve', true)))
      FROM (SELECT id, work_item_id, reason, escalated_from_id FROM escalation_events UNION ALL SELECT id, work_item_id, reason, escalated_from_id FROM escalation_events_archive) e
     WHERE e.work_item_id = item AND e.reason = why AND e.escalated_from_id = md5('staff ' || whose)::uuid
$$;
SELECT is(pg_temp.settled('sue', item, 'sue'), '403', format('a supervisor does not settle the own breach: %s', item)),
       is(pg_temp.settled('ann', item, 'sue'), '403', 'nor does staff'), is(pg_temp.settled(by, item, 'sue'), '200', format('but %s does', by))
  FROM (VALUES ('late 1', 'second'), ('late 2', 'other')) v(item, by);
SELECT is(pg_temp.settled('sue', 'late 3', 'sue', 'manual'), '200', 'unless she is named as its recipient');
SELECT is(pg_temp.settled('sue', 'waits', 'sue', 'capacity_exhaustion'), '200', 'who asked for what waits has broken no promise');
ROLLBACK;

-- Open work comes along to a new unit only where there is room for it.
BEGIN;
SELECT pg_temp.unit('tiny', 1), pg_temp.staff('one', 'tiny', '{a}', 1), pg_temp.staff('two', 'home', '{a}', 1), pg_temp.staff('idle', 'home', '{a}');
SELECT throws_ok($$UPDATE staff_profiles SET unit_id = md5('unit tiny')::uuid WHERE user_id = md5('staff two')::uuid$$, '23514', 'unit tiny has no room for the open work that comes along: it would have 2/1', 'nobody brings work into a full unit');
UPDATE staff_profiles SET unit_id = md5('unit tiny')::uuid WHERE user_id = md5('staff idle')::uuid;
SELECT is(unit_id, md5('unit tiny')::uuid, 'who has none may come') FROM staff_profiles WHERE user_id = md5('staff idle')::uuid;
INSERT INTO assignments (work_item_id, work_item_type, assignee_id, priority, status) VALUES ('p', 'task', md5('staff idle')::uuid, 'low', 'pending');
UPDATE staff_profiles SET unit_id = md5('unit home')::uuid WHERE user_id = md5('staff idle')::uuid;
UPDATE staff_profiles SET unit_id = md5('unit tiny')::uuid WHERE user_id = md5('staff idle')::uuid;
SELECT is(unit_id, md5('unit tiny')::uuid, 'and what nobody began does not count') FROM assignments WHERE work_item_id = 'p';
UPDATE organizational_units SET unit_wip_limit = 2 WHERE name_en = 'tiny';
UPDATE staff_profiles SET unit_id = md5('unit tiny')::uuid WHERE user_id = md5('staff two')::uuid;
SELECT is(current_assignment_count, 2, 'up to the limit there is room') FROM organizational_units WHERE name_en = 'tiny';
ROLLBACK;

-- A report until a day has that day in it.
BEGIN;
SELECT pg_temp.staff('ann', 'home', '{a}', 1), pg_temp.lead('ada', 'home', 'admin');
INSERT INTO escalation_events (assignment_id, escalated_to_id, reason, escalated_at) SELECT id, md5('staff ada')::uuid, 'manual', '2025-10-02T23:59:59.5Z' FROM assignments;
CREATE FUNCTION pg_temp.reported(since text, until text) RETURNS text LANGUAGE sql AS $$
    SELECT pg_temp.as_user('ada', format($q$SELECT concat_ws(' ', c.body #>> '{summary,total_escalations}', c.body #>> '{metadata,end_date}', c.body ->> 'error') FROM api.escalations_report(%L) c$q$,
                                         jsonb_build_object('start_date', since, 'end_date', until)))
$$;
SELECT is(pg_temp.reported('2025-10-01', '2025-10-02'), '1 2025-10-02T23:59:59.999Z', 'a date is until the end of that day');
SELECT is(pg_temp.reported('2025-10-02', '2025-10-02'), '1 2025-10-02T23:59:59.999Z', 'even of the same');
SELECT is(pg_temp.reported('2025-10-01', '2025-10-02T00:00:00Z'), '0 2025-10-02T00:00:00.000Z', 'a moment is that moment');
SELECT is(pg_temp.reported('2025-10-01', '2025-10-32'), 'end_date must be a date, as 2025-10-15 or 2025-10-15T08:00:00Z', 'and what is no date is none');
ROLLBACK;

-- Queued work without a target is escalated from where it comes from.
BEGIN;
SELECT pg_temp.staff('ann', 'home', '{a}', 5), pg_temp.lead('sue', 'home'), pg_temp.lead('max', 'top');
CREATE FUNCTION pg_temp.raised(by text, item text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    queued uuid;
BEGIN
    INSERT INTO assignment_queue (work_item_id, work_item_type, required_skills, priority, requested_by) VALUES (item, 'task', pg_temp.skills('a'), 'low', md5('staff ann')::uuid) RETURNING id INTO queued;
    RETURN pg_temp.who((pg_temp.as_user(by, format('SELECT steward.queue_escalate(%L) ->> ''escalated_to_id''', queued)))::uuid);
END $$;
SELECT is(pg_temp.raised('ann', 'i'), 'sue', 'the supervisor of who asked for it is told');
SELECT is(pg_temp.raised('sue', 'j'), 'max', 'who tells the next one up');
INSERT INTO assignment_queue (work_item_id, work_item_type, required_skills, priority) VALUES ('k', 'task', pg_temp.skills('a'), 'low') RETURNING id AS queued
\gset
SELECT is(pg_temp.who((steward.queue_escalate(:'queued', md5('staff ann')::uuid) ->> 'escalated_to_id')::uuid), 'sue', 'where nobody asked for it, that of who escalates');
ROLLBACK;

-- A place in a list is not the place in the queue.
BEGIN;
SELECT pg_temp.lead('sue', 'home'), pg_temp.lead('ada', 'home', 'admin');
INSERT INTO assignment_queue (work_item_id, work_item_type, required_skills, priority, target_unit_id, created_at)
SELECT item, 'ticket', pg_temp.skills('a'), urgency::priority_level, md5('unit ' || target)::uuid, steward.now() - age * interval '1 min'
  FROM (VALUES ('o1', 'urgent', 'other', 1), ('h1', 'normal', 'home', 9), ('o2', 'normal', 'other', 8), ('n1', 'normal', NULL, 7), ('o3', 'low', 'other', 99), ('h2', 'low', 'home', 1)) v(item, urgency, target, age);
CREATE FUNCTION pg_temp.places(by text, request jsonb DEFAULT '{}') RETURNS text LANGUAGE sql AS $$
    SELECT pg_temp.as_user(by, format($q$SELECT string_agg(format('%%s %%s %%s', i ->> 'work_item_id', i ->> 'position', i ->> 'queue_position'), ', ' ORDER BY (i ->> 'position')::int)
                                           FROM api.assignments_queue(%L) c, jsonb_array_elements(c.body -> 'items') i$q$, request))
$$;
SELECT is(pg_temp.places('sue'), 'h1 1 2, n1 2 4, h2 3 6', 'a supervisor hears both');
SELECT is(pg_temp.places('sue', '{"page": 2, "page_size": 2}'), 'h2 3 6', 'on any page');
SELECT is(pg_temp.places('ada', '{"priority": "normal"}'), 'h1 1 2, o2 2 3, n1 3 4', 'and so does who asks for some of it');
SELECT is(pg_temp.places('ada'), 'o1 1 1, h1 2 2, o2 3 3, n1 4 4, o3 5 5, h2 6 6', 'whoever sees all sees no difference');
SELECT is((steward.auto_assign('h2', 'ticket', pg_temp.skills('a'), 'low') ->> 'queue_position')::int, 6, 'nor what asks for its place');
SELECT id AS queued FROM assignment_queue WHERE work_item_id = 'o1'
\gset
INSERT INTO organizations (name) VALUES ('another') RETURNING id AS another
\gset
INSERT INTO organizational_units (organization_id, name_ar, name_en, unit_wip_limit) VALUES (:'another', 'x', 'x', 5) RETURNING id AS abroad
\gset
SELECT pg_temp.person() AS zed
\gset
INSERT INTO staff_profiles (user_id, unit_id, role) VALUES (:'zed', :'abroad', 'admin');
SELECT set_config('request.jwt.claims', jsonb_build_object('sub', :'zed')::text, true);
SET ROLE authenticated;
SELECT is(count(*), 0::bigint, 'another organisation is told no place') FROM steward.queue_places(ARRAY[:'queued']::uuid[]);
RESET ROLE;
ROLLBACK;

-- What comes finished was finished.
BEGIN;
SELECT pg_temp.staff('ann', 'home', '{a}');
INSERT INTO assignments (work_item_id, work_item_type, assignee_id, priority, status) VALUES ('i', 'task', md5('staff ann')::uuid, 'low', 'completed'), ('j', 'task', md5('staff ann')::uuid, 'low', 'cancelled');
INSERT INTO assignments (work_item_id, work_item_type, assignee_id, priority, status, assigned_at, completed_at) VALUES ('k', 'task', md5('staff ann')::uuid, 'low', 'completed', steward.now() - interval '2 h', steward.now() - interval '1 h');
INSERT INTO assignments (work_item_id, work_item_type, assignee_id, priority, status, assigned_at) VALUES ('l', 'task', md5('staff ann')::uuid, 'low', 'completed', steward.now() + interval '1 h');
SELECT is(completed_at, steward.now(), 'what is inserted as completed was completed now') FROM assignments WHERE work_item_id = 'i';
SELECT is(completed_at, NULL, 'what was cancelled never') FROM assignments WHERE work_item_id = 'j';
SELECT is(completed_at, steward.now() - interval '1 h', 'or when the client says') FROM assignments WHERE work_item_id = 'k';
SELECT is(completed_at, sla_started_at, 'but not before it began') FROM assignments WHERE work_item_id = 'l';
ROLLBACK;

-- A clock that stands behind the one by which work began: steward's stamps are never before the beginning.
BEGIN;
SELECT pg_temp.lead('boss', 'home'), pg_temp.staff('ann', 'home', '{a}');
CREATE FUNCTION pg_temp.begins(item text, work_deadline timestamptz DEFAULT NULL) RETURNS uuid LANGUAGE sql AS $$
    INSERT INTO assignments (work_item_id, work_item_type, assignee_id, priority, assigned_at, sla_deadline)
    VALUES (item, 'task', md5('staff ann')::uuid, 'low', steward.now() + interval '1 h', work_deadline) RETURNING id
$$;
SELECT pg_temp.begins('i') AS i, pg_temp.begins('j') AS j, pg_temp.begins('k', steward.now() - interval '1 min') AS k
\gset
SELECT lives_ok(format('UPDATE assignments SET status = ''completed'' WHERE id = %L', :'i'), 'work that began later is completed');
SELECT is(completed_at, sla_started_at, 'when it began') FROM assignments WHERE id = :'i';
SELECT is(pg_temp.as_user('ann', format('SELECT c.status::text FROM api.assignments_escalate(%L) c', jsonb_build_object('assignment_id', :'j', 'reason', 'manual'))), '200', 'and escalated');
SELECT is(escalated_at, sla_started_at, 'when it began, too') FROM assignments WHERE id = :'j';
INSERT INTO assignment_queue (work_item_id, work_item_type, required_skills, priority, created_at, sla_deadline)
VALUES ('w', 'ticket', pg_temp.skills('a'), 'normal', steward.now() + interval '1 h', steward.now() - interval '1 min');
SELECT is(escalations_created, 2, 'what was due before it began is escalated') FROM sla_check_and_escalate();
SELECT is(escalated_at, sla_started_at, 'when it began') FROM assignments WHERE id = :'k';
SELECT is(pg_temp.drained('w'), 'ann', 'and what was while it waited is still given away');
SELECT is(escalated_at, sla_started_at, 'with its breach') FROM assignments WHERE work_item_id = 'w';
ROLLBACK;

-- A name that two skills have names neither.
BEGIN;
INSERT INTO skills (name_en, name_ar) VALUES ('x', 'y'), ('y', 'z');
SELECT throws_ok(format('SELECT steward.skill_ids(%L, %L)', :'org', '["x", "y"]'), '22023', '"y" names several skills', 'the English name of one and the Arabic name of another is neither''s');
SELECT is(cardinality(steward.skill_ids(:'org', '["x", "x", "z"]')), 2, 'one skill twice is no doubt');
SELECT pg_temp.staff('ann', 'home', '{a}');
SELECT is(pg_temp.as_user('ann', $$SELECT c.status || ' ' || (c.body ->> 'field') FROM api.assignments_auto_assign('{"work_item_id": "i", "work_item_type": "ticket", "required_skills": ["y"], "priority": "normal"}') c$$), '400 required_skills', 'and the field is named');
ROLLBACK;

-- No finish(): it counts what the rollbacks took back.
