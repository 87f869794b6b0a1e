-- The tables of the assignment engine: what they refuse, what they fill in, what
-- follows what, and that nothing that is counted can drift.

\ir setup.psql
\ir assignments.psql

SELECT plan(253);

-- Words.
SELECT is(enum_range(NULL::priority_level)::text, '{low,normal,high,urgent}', 'priorities rise, so DESC is urgent first');
SELECT is(enum_range(NULL::availability_status)::text, '{available,on_leave,unavailable}', 'availability');
SELECT is(enum_range(NULL::work_item_type)::text, '{dossier,ticket,position,task}', 'types of work');
SELECT is(enum_range(NULL::assignment_status)::text, '{pending,assigned,in_progress,completed,cancelled}', 'states of an assignment');
SELECT is(enum_range(NULL::escalation_reason)::text, '{sla_breach,manual,capacity_exhaustion}', 'reasons to escalate');

-- Two organisations.
SELECT pg_temp.home() AS home
\gset
INSERT INTO organizations (name) VALUES ('another') RETURNING id AS another
\gset
SELECT pg_temp.unit('Translation') AS translation, pg_temp.unit('Abroad', 20, NULL, :'another') AS abroad
\gset
SELECT pg_temp.unit('Arabic', 20, :'translation') AS arabic
\gset
SELECT pg_temp.unit('Dialects', 20, :'arabic') AS dialects, pg_temp.skill('arabic') AS a, pg_temp.skill('writing') AS b, pg_temp.skill('arabic', :'another') AS foreign_skill
\gset
SELECT pg_temp.staff(:'translation', ARRAY[:'a', :'b']::uuid[]) AS ann, pg_temp.staff(:'arabic', ARRAY[:'a']::uuid[]) AS bob, pg_temp.staff(:'abroad') AS zoe
\gset

-- Units.
SELECT is(organization_id, :'home', 'a unit without an organisation belongs to its parent''s') FROM organizational_units WHERE id = :'arabic';
SELECT lives_ok(format('INSERT INTO organizational_units (name_ar, name_en, unit_wip_limit) VALUES (%L, %L, %s)', n, n, n), format('a unit may have a limit of %s', n))
  FROM unnest('{1,100}'::int[]) n;
SELECT throws_ok(format('INSERT INTO organizational_units (name_ar, name_en, unit_wip_limit) VALUES (''x'', ''x'', %s)', n), '23514', NULL, format('but not of %s', n))
  FROM unnest('{0,-1,101}'::int[]) n;
SELECT throws_ok('INSERT INTO organizational_units (name_ar, name_en) VALUES (''x'', ''x'')', '23502', NULL, 'a unit has a limit');
SELECT throws_ok(format('SELECT pg_temp.unit(''Arabic'', 5, %L)', :'translation'), '23505', NULL, 'siblings have different names');
SELECT throws_ok('SELECT pg_temp.unit(''Translation'')', '23505', NULL, 'those without a parent too');
SELECT lives_ok(format('SELECT pg_temp.unit(''Arabic'', 5, %L)', :'dialects'), 'cousins may share one');
SELECT lives_ok(format('SELECT pg_temp.unit(''Translation'', 5, NULL, %L)', :'another'), 'and organisations');
SELECT throws_ok(format('SELECT pg_temp.unit(''x'', 5, %L, %L)', :'translation', :'another'), '23503', NULL, 'a parent in another organisation is refused');
SELECT throws_ok(format('UPDATE organizational_units SET parent_unit_id = id WHERE id = %L', :'arabic'), '23514', NULL, 'a unit is not its own parent');
SELECT throws_ok(format('UPDATE organizational_units SET parent_unit_id = %L WHERE id = %L', :'arabic', :'translation'), '23514', NULL, 'nor below its child');
SELECT throws_ok(format('UPDATE organizational_units SET parent_unit_id = %L WHERE id = %L', :'dialects', :'translation'), '23514', NULL, 'nor below its grandchild');
SELECT lives_ok(format('UPDATE organizational_units SET parent_unit_id = %L WHERE id = %L', :'translation', :'dialects'), 'but moves elsewhere');
SELECT dblink_connect('tree', format('host=%s port=%s user=%s dbname=%s', :'HOST', :'PORT', :'USER', current_database()));
SELECT pg_temp.unit('left') AS l, pg_temp.unit('right') AS r
\gset
SELECT dblink_exec('tree', format('BEGIN; UPDATE organizational_units SET parent_unit_id = %L WHERE id = %L', :'r', :'l'));
SET lock_timeout = '50ms';
SELECT throws_ok(format('UPDATE organizational_units SET parent_unit_id = %L WHERE id = %L', :'l', :'r'), '55P03', NULL, 'two at once do not close a circle: the second waits');
RESET lock_timeout;
SELECT dblink_exec('tree', 'COMMIT');
SELECT throws_ok(format('UPDATE organizational_units SET parent_unit_id = %L WHERE id = %L', :'l', :'r'), '23514', NULL, 'and is refused then');
SELECT updated_at AS before FROM organizational_units WHERE id = :'arabic'
\gset
SET steward.clock_offset = '1 minute';
UPDATE organizational_units SET unit_wip_limit = 30 WHERE id = :'arabic';
SELECT ok(updated_at > :'before', 'a change stamps updated_at') FROM organizational_units WHERE id = :'arabic';
RESET steward.clock_offset;
SELECT throws_ok(format('DELETE FROM organizational_units WHERE id = %L', :'arabic'), '23503', NULL, 'a unit with people is not deleted');
SELECT pg_temp.unit('Gone', 5, :'translation') AS gone
\gset
SELECT pg_temp.unit('Orphan', 5, :'gone') AS orphan
\gset
DELETE FROM organizational_units WHERE id = :'gone';
SELECT is(parent_unit_id, NULL, 'the children of a deleted unit have no parent') FROM organizational_units WHERE id = :'orphan';

-- Skills.
SELECT throws_ok('SELECT pg_temp.skill(''arabic'')', '23505', NULL, 'a skill has one name in an organisation');
SELECT throws_ok(format('INSERT INTO skills (name_ar, name_en) VALUES (%L, %L)', x, y), '23514', NULL, 'and it is not blank') FROM (VALUES ('x', '  '), ('', 'x')) v(x, y);
SELECT throws_ok(format('DELETE FROM skills WHERE id = %L', :'b'), '23503', NULL, 'a skill that somebody holds is not deleted');
SELECT is(skills, (SELECT array_agg(s ORDER BY s) FROM unnest(ARRAY[:'a', :'b']::uuid[]) s), 'skills are stored sorted') FROM staff_profiles WHERE user_id = :'ann';
UPDATE staff_profiles SET skills = ARRAY[:'b', :'a', :'b', :'a']::uuid[] WHERE user_id = :'ann';
SELECT is(skills, (SELECT array_agg(s ORDER BY s) FROM unnest(ARRAY[:'a', :'b']::uuid[]) s), 'and once each') FROM staff_profiles WHERE user_id = :'ann';
SELECT throws_ok(format('UPDATE staff_profiles SET skills = ARRAY[%L]::uuid[] WHERE user_id = %L', gen_random_uuid(), :'ann'), '23503', NULL, 'an unknown skill is refused');
SELECT throws_ok(format('UPDATE staff_profiles SET skills = ARRAY[%L]::uuid[] WHERE user_id = %L', :'foreign_skill', :'ann'), '23503', NULL, 'another organisation''s is unknown');
SELECT throws_ok(format('UPDATE staff_profiles SET skills = ARRAY[NULL]::uuid[] WHERE user_id = %L', :'ann'), '23503', NULL, 'and so is none');

-- People.
SELECT is(organization_id, :'another', 'somebody belongs to the organisation of the unit') FROM staff_profiles WHERE user_id = :'zoe';
SELECT throws_ok(format('INSERT INTO staff_profiles (user_id, unit_id) VALUES (%L, %L)', :'ann', :'arabic'), '23505', NULL, 'one profile in an organisation');
SELECT lives_ok(format('INSERT INTO staff_profiles (user_id, unit_id) VALUES (%L, %L)', :'ann', :'abroad'), 'another in another');
DELETE FROM staff_profiles WHERE user_id = :'ann' AND organization_id = :'another';
SELECT throws_ok(format('INSERT INTO staff_profiles (organization_id, user_id, unit_id) VALUES (%L, %L, %L)', :'another', :'ann', :'arabic'), '23503', NULL, 'and with a unit of that one');
SELECT throws_ok(format('INSERT INTO staff_profiles (user_id, unit_id) VALUES (gen_random_uuid(), %L)', :'arabic'), '23503', NULL, 'a profile is somebody''s');
SELECT throws_ok(format('UPDATE staff_profiles SET %s WHERE user_id = %L', change, :'ann'), '23514', NULL, 'refused: ' || change)
  FROM unnest('{individual_wip_limit = 0,individual_wip_limit = 21,current_assignment_count = -1,availability_source = ''guess'',role = ''boss'',unavailable_until = now(),escalation_chain_id = user_id}'::text[]) change;
SELECT throws_ok(format('UPDATE staff_profiles SET user_id = %L WHERE user_id = %L', :'zoe', :'ann'), '23514', NULL, 'a profile does not change hands');
SELECT throws_ok(format('UPDATE staff_profiles SET organization_id = %L, unit_id = %L WHERE user_id = %L', :'another', :'abroad', :'ann'), '23514', NULL, 'nor the organisation');
SELECT is(individual_wip_limit::int, 5, 'five at once, when nothing is said') FROM staff_profiles WHERE user_id = :'ann';
UPDATE staff_profiles SET hr_employee_id = 'E1' WHERE user_id = :'ann';
SELECT throws_ok(format('UPDATE staff_profiles SET hr_employee_id = ''E1'' WHERE user_id = %L', :'bob'), '23505', NULL, 'an employee number is one person''s');
SELECT lives_ok(format('UPDATE staff_profiles SET hr_employee_id = ''E1'' WHERE user_id = %L', :'zoe'), 'in an organisation');
UPDATE staff_profiles SET escalation_chain_id = :'bob' WHERE user_id = :'ann';
SELECT version AS v FROM staff_profiles WHERE user_id = :'ann'
\gset
UPDATE staff_profiles SET individual_wip_limit = 6 WHERE user_id = :'ann' AND version = :v;
SELECT is(version, :v + 1, 'an edit makes a new version') FROM staff_profiles WHERE user_id = :'ann';
UPDATE staff_profiles SET individual_wip_limit = 7 WHERE user_id = :'ann' AND version = :v;
SELECT is(individual_wip_limit::int, 6, 'so an edit of the old one finds nobody') FROM staff_profiles WHERE user_id = :'ann';
SELECT pg_temp.work(:'ann') AS counted
\gset
SELECT ok(version = :v + 1 AND current_assignment_count = 1 AND last_assigned_at IS NOT NULL, 'counting makes no new version') FROM staff_profiles WHERE user_id = :'ann';
SELECT is(current_assignment_count, 1, 'the unit counts too') FROM organizational_units WHERE id = :'translation';
SELECT throws_ok(format('DELETE FROM staff_profiles WHERE user_id = %L', :'ann'), '23503', NULL, 'nobody leaves with open work');
SELECT throws_ok(format('DELETE FROM auth.users WHERE id = %L', :'ann'), '23503', NULL, 'and no user with a history is deleted');

-- Rules and promises.
SELECT throws_ok(format('INSERT INTO assignment_rules (name_ar, name_en, unit_id, required_skills, priority_weight) VALUES (''r'', ''r'', %L, %L, %s)', :'arabic', skills, weight), state, NULL, what)
  FROM (VALUES ('{}', 5, '23514', 'a rule is about a skill'), (format('{%s}', :'a'), 0, '23514', 'and weighs at least one'), (format('{%s}', :'a'), 11, '23514', 'and at most ten'),
               (format('{%s}', gen_random_uuid()), 5, '23503', 'and the skill exists')) v(skills, weight, state, what);
INSERT INTO assignment_rules (name_ar, name_en, unit_id, required_skills) VALUES ('r', 'r', :'orphan', ARRAY[:'b', :'a', :'b']::uuid[]) RETURNING id AS rule
\gset
SELECT ok(organization_id = :'home' AND cardinality(required_skills) = 2 AND priority_weight = 5 AND capacity_check_enabled AND is_active AND NOT unit_is_must, 'a rule has its defaults') FROM assignment_rules WHERE id = :'rule';
DELETE FROM organizational_units WHERE id = :'orphan';
SELECT is(count(*), 0::bigint, 'a unit''s rules go with it') FROM assignment_rules WHERE id = :'rule';
SELECT is(steward.sla_moments(:'home', kind::work_item_type, urgency::priority_level, '2025-10-02 10:00Z')::text,
          (timestamptz '2025-10-02 10:00Z' + warned * interval '1 hour', timestamptz '2025-10-02 10:00Z' + hours * interval '1 hour', true)::text,
          format('%s, %s: %s hours, warned about after %s', kind, urgency, hours, warned))
  FROM (VALUES ('dossier', 'urgent', 8, 6), ('dossier', 'high', 24, 18), ('dossier', 'normal', 48, 36), ('dossier', 'low', 120, 90),
               ('ticket', 'urgent', 2, 1.5), ('ticket', 'high', 24, 18), ('ticket', 'normal', 48, 36), ('ticket', 'low', 120, 90),
               ('position', 'urgent', 4, 3), ('position', 'high', 24, 18), ('position', 'normal', 48, 36), ('position', 'low', 120, 90),
               ('task', 'urgent', 4, 3), ('task', 'high', 24, 18), ('task', 'normal', 48, 36), ('task', 'low', 120, 90)) m(kind, urgency, hours, warned);
SELECT is(calculate_sla_deadline('position', 'low', '2025-10-02 10:00Z'), '2025-10-07 10:00Z'::timestamptz, 'the seeds'' function says the same');
SELECT throws_ok('INSERT INTO sla_configs (work_item_type, priority, deadline_hours) VALUES (''task'', ''low'', 3)', '23505', NULL, 'one promise for a kind and a priority');
SELECT throws_ok(format('UPDATE sla_configs SET %s', change), '23514', NULL, 'refused: ' || change) FROM unnest('{deadline_hours = 0,deadline_hours = -1,warning_threshold_pct = -1,warning_threshold_pct = 101}'::text[]) change;
SET timezone = 'Europe/Berlin';
SELECT is(m::text, '("2025-10-27 00:00:00+01","2025-10-27 12:00:00+01",t)', 'a promise is as long when the clocks change, and is warned about at the same share')
  FROM (SELECT warn_at + interval '1 hour' AS warn_at, sla_deadline + interval '1 hour' AS sla_deadline, configured FROM steward.sla_moments(:'home', 'ticket', 'normal', '2025-10-25 12:00+02')) m;
SELECT is(warn_at, timestamptz '2025-10-25 12:00+02' + interval '36 hours', 'that is after 36 hours') FROM steward.sla_moments(:'home', 'ticket', 'normal', '2025-10-25 12:00+02');
RESET timezone;
INSERT INTO sla_configs (organization_id, work_item_type, priority, deadline_hours, warning_threshold_pct) VALUES (:'another', 'task', 'low', 0.5, 50), (:'another', 'task', 'high', 10, 0), (:'another', 'task', 'urgent', 10, 100);
SELECT pg_temp.work(:'zoe', p, 'task') FROM unnest('{low,high,urgent}'::priority_level[]) p;
SELECT is(array_agg(warn_at - assigned_at ORDER BY priority), '{15 minutes,0,10:00}'::interval[], 'the share is the configuration''s: 50 % of half an hour, 0 %, 100 %') FROM assignments WHERE assignee_id = :'zoe';
SELECT is(sla_deadline - assigned_at, interval '48 hours', 'an organisation without an own row has the default one''s') FROM assignments WHERE id = pg_temp.work(:'zoe', 'normal', 'dossier');

-- Assignments are filled in.
SELECT * FROM assignments WHERE id = :'counted'
\gset a_
SELECT ok(:'a_organization_id' = :'home' AND :'a_unit_id' = :'translation' AND :'a_status' = 'assigned' AND :'a_version' = '0', 'organisation, unit and state come from the assignee');
SELECT is(sla_started_at, assigned_at, 'the promise starts with the assignment') FROM assignments WHERE id = :'counted';
SELECT throws_ok(format('SELECT pg_temp.work(%L)', pg_temp.person()), '23503', NULL, 'who has no profile is given nothing');
SELECT throws_ok(format('INSERT INTO assignments (organization_id, work_item_id, work_item_type, assignee_id, priority) VALUES (%L, ''x'', ''task'', %L, ''low'')', :'another', :'ann'), '23503', NULL, 'nor in an organisation where there is none');
SELECT throws_ok(format('INSERT INTO assignments (work_item_id, work_item_type, assignee_id, priority) VALUES (%L, ''task'', %L, ''low'')', item, :'ann'), '23514', NULL, 'an item has a name of at most 255 characters') FROM (VALUES (''), (repeat('x', 256))) v(item);
SELECT throws_ok(format('INSERT INTO assignments (work_item_id, work_item_type, assignee_id, priority) VALUES (%L, %L, %L, %L)', 'x', kind, :'ann', urgency), '22P02', NULL, 'an unknown word is no word') FROM (VALUES ('letter', 'low'), ('task', 'medium')) v(kind, urgency);
SELECT throws_ok(format('INSERT INTO assignments (work_item_id, work_item_type, assignee_id, priority, required_skills) VALUES (''x'', ''task'', %L, ''low'', ARRAY[%L]::uuid[])', :'ann', gen_random_uuid()), '23503', NULL, 'nor an unknown skill one');
SELECT throws_ok(format('INSERT INTO assignments (work_item_id, work_item_type, assignee_id, priority, target_unit_id) VALUES (''x'', ''task'', %L, ''low'', %L)', :'ann', :'abroad'), '23503', NULL, 'nor another organisation''s unit a target');
SELECT throws_ok(format('INSERT INTO assignments (work_item_id, work_item_type, assignee_id, priority, completed_at) VALUES (''x'', ''task'', %L, ''low'', steward.now() - interval ''1 s'')', :'ann'), '23514', NULL, 'nothing is done before it starts');
SELECT throws_ok(format('INSERT INTO assignments (work_item_id, work_item_type, assignee_id, priority) SELECT work_item_id, work_item_type, %L, ''low'' FROM assignments WHERE id = %L', :'bob', :'counted'), '23505', NULL, 'an item is with one person at a time');
SELECT lives_ok(format('INSERT INTO assignments (work_item_id, work_item_type, assignee_id, priority) SELECT work_item_id, ''dossier'', %L, ''low'' FROM assignments WHERE id = %L', :'bob', :'counted'), 'of another kind it is another item');
SELECT lives_ok(format('INSERT INTO assignments (work_item_id, work_item_type, assignee_id, priority) SELECT work_item_id, work_item_type, %L, ''low'' FROM assignments WHERE id = %L', :'zoe', :'counted'), 'in another organisation too');
INSERT INTO assignments (work_item_id, work_item_type, assignee_id, priority, sla_deadline, assigned_at) VALUES ('given', 'ticket', :'ann', 'normal', steward.now() + interval '8 hours', steward.now()) RETURNING id AS given
\gset
SELECT is(ARRAY[warn_at - assigned_at, sla_deadline - assigned_at], '{06:00,08:00}'::interval[], 'a given deadline stays and is warned about at its share') FROM assignments WHERE id = :'given';

-- What the moments follow.
CREATE FUNCTION pg_temp.hours(which uuid) RETURNS numeric[] LANGUAGE sql AS $$
    SELECT ARRAY[extract(epoch FROM warn_at - sla_started_at) / 3600, extract(epoch FROM sla_deadline - sla_started_at) / 3600]::numeric(6,2)[] FROM assignments WHERE id = which
$$;
SELECT pg_temp.work(:'ann', 'normal', 'ticket', 'assigned', steward.now() - interval '1 hour') AS it
\gset
UPDATE assignments SET priority = 'urgent' WHERE id = :'it';
SELECT is(pg_temp.hours(:'it'), '{1.50,2.00}', 'another priority: other moments, from the same start');
SELECT ok(assigned_at = steward.now() - interval '1 hour' OR assigned_at < steward.now() - interval '1 hour', 'which does not move') FROM assignments WHERE id = :'it';
UPDATE assignments SET work_item_type = 'dossier' WHERE id = :'it';
SELECT is(pg_temp.hours(:'it'), '{6.00,8.00}', 'another kind too');
SELECT sla_deadline AS deadline, warn_at AS warned FROM assignments WHERE id = :'it'
\gset
UPDATE assignments SET assignee_id = :'bob', assigned_at = steward.now(), reassigned_from = assignee_id, reassignment_reason = 'holiday' WHERE id = :'it';
SELECT ok(sla_deadline = :'deadline' AND warn_at = :'warned' AND unit_id = :'arabic', 'being given to somebody else keeps the promise and changes the unit') FROM assignments WHERE id = :'it';
UPDATE assignments SET assigned_at = assigned_at - interval '10 hours' WHERE id = :'it';
SELECT ok(sla_started_at = assigned_at AND pg_temp.hours(id) = '{6.00,8.00}', 'correcting when the work began moves its end') FROM assignments WHERE id = :'it';
UPDATE assignments SET warning_sent_at = steward.now(), breached_at = steward.now() WHERE id = :'it';
UPDATE assignments SET priority = 'high' WHERE id = :'it';
SELECT ok(warning_sent_at IS NULL AND breached_at IS NULL, 'a promise that holds again is watched again') FROM assignments WHERE id = :'it';
UPDATE assignments SET warning_sent_at = steward.now(), breached_at = steward.now() WHERE id = :'it';
UPDATE assignments SET sla_deadline = sla_started_at + interval '11 hours' WHERE id = :'it';
SELECT ok(warning_sent_at IS NOT NULL AND breached_at IS NULL AND pg_temp.hours(id) = '{8.25,11.00}', 'an extended deadline is watched, the warning that is past is not sent again') FROM assignments WHERE id = :'it';
UPDATE assignments SET breached_at = steward.now() WHERE id = :'it';
UPDATE assignments SET priority = 'urgent' WHERE id = :'it';
SELECT ok(breached_at IS NOT NULL, 'what is broken stays broken') FROM assignments WHERE id = :'it';
UPDATE assignments SET warn_at = sla_started_at + interval '1 hour' WHERE id = :'it';
SELECT is(pg_temp.hours(:'it'), '{1.00,8.00}', 'a warning may be given by hand');
SELECT version AS v FROM assignments WHERE id = :'it'
\gset
UPDATE assignments SET escalated_at = steward.now(), escalation_recipient_id = :'ann', warning_sent_at = steward.now() WHERE id = :'it';
SELECT is(version, :v, 'the marks of the SLA make no new version') FROM assignments WHERE id = :'it';
UPDATE assignments SET needs_review = true WHERE id = :'it' AND version = :v;
UPDATE assignments SET needs_review = false WHERE id = :'it' AND version = :v;
SELECT ok(needs_review AND version = :v + 1, 'an edit does, and an edit of the old one finds nothing') FROM assignments WHERE id = :'it';
DELETE FROM sla_configs WHERE work_item_type = 'position' AND priority = 'low' AND organization_id = :'home';
SET client_min_messages = error;
SELECT is(pg_temp.hours(pg_temp.work(:'ann', 'low', 'position')), '{36.00,48.00}', 'without a configuration there are 48 hours');
SET client_min_messages = warning;
INSERT INTO sla_configs (work_item_type, priority, deadline_hours) VALUES ('position', 'low', 120);

-- The lifecycle, cell by cell.
SELECT CASE WHEN f <> t AND NOT (f, t) IN (('pending', 'assigned'), ('pending', 'cancelled'), ('assigned', 'in_progress'), ('assigned', 'completed'), ('assigned', 'cancelled'),
                                           ('in_progress', 'completed'), ('in_progress', 'cancelled'))
            THEN throws_ok(format('UPDATE assignments SET status = %L WHERE id = %L', t, pg_temp.work(:'zoe', 'low', 'task', f)), '23514', NULL, format('%s to %s is refused', f, t))
            ELSE lives_ok(format('UPDATE assignments SET status = %L WHERE id = %L', t, pg_temp.work(:'zoe', 'low', 'task', f)), format('%s to %s is allowed', f, t)) END
  FROM unnest(enum_range(NULL::assignment_status)) f, unnest(enum_range(NULL::assignment_status)) t;
SELECT ok(completed_at IS NULL, 'what is open is not done') FROM assignments WHERE id = :'it';
UPDATE assignments SET status = 'completed' WHERE id = :'it';
SELECT is(completed_at, updated_at, 'completing stamps when') FROM assignments WHERE id = :'it';
SELECT lives_ok(format('INSERT INTO assignments (work_item_id, work_item_type, assignee_id, priority) SELECT work_item_id, work_item_type, %L, ''low'' FROM assignments WHERE id = %L', :'bob', :'it'), 'what is done can come again');

-- History.
SELECT is(array_agg(action ORDER BY id), '{assignment_reprioritized,assignment_reassigned,assignment_reprioritized,assignment_reprioritized,assignment_completed}'::text[], 'what happened is written down, in order')
  FROM assignment_history WHERE assignment_id = :'it';
SELECT is(detail, jsonb_build_object('from_assignee', :'ann', 'to_assignee', :'bob', 'reason', 'holiday'), 'with whom and why') FROM assignment_history WHERE assignment_id = :'it' AND action = 'assignment_reassigned';
SELECT set_config('request.jwt.claims', json_build_object('sub', :'ann')::text, false);
UPDATE assignments SET status = 'in_progress' WHERE id = :'counted';
RESET request.jwt.claims;
SELECT is(actor_id, :'ann', 'and by whom') FROM assignment_history WHERE assignment_id = :'counted';
SET ROLE service_role;
SELECT throws_ok(q, '42501', NULL, 'not even the trusted backend rewrites it: ' || left(q, 40))
  FROM unnest('{UPDATE assignment_history SET action = ''x'',DELETE FROM assignment_history,DELETE FROM assignments_archive,UPDATE assignments_archive SET priority = ''low'',DELETE FROM escalation_events_archive,UPDATE escalation_events_archive SET notes = ''''}'::text[]) q;
RESET ROLE;

-- Escalations.
SELECT throws_ok(format('INSERT INTO escalation_events (assignment_id, escalated_to_id, reason) VALUES (%L, %L, ''manual'')', gen_random_uuid(), :'bob'), '23503', NULL, 'an escalation is about something');
SELECT throws_ok(format('INSERT INTO escalation_events (assignment_id, queue_id, escalated_to_id, reason) VALUES (%L, %L, %L, ''manual'')', :'counted', gen_random_uuid(), :'bob'), '23514', NULL, 'about one thing');
SELECT throws_ok(format('INSERT INTO escalation_events (assignment_id, escalated_to_id, reason, organization_id) VALUES (%L, %L, ''manual'', %L)', :'counted', :'bob', :'another'), '23503', NULL, 'in its organisation');
SELECT throws_ok(format('INSERT INTO escalation_events (assignment_id, escalated_to_id, reason, notes) VALUES (%L, %L, ''manual'', %L)', :'counted', :'bob', repeat('x', 1001)), '23514', NULL, 'in at most a thousand characters');
INSERT INTO escalation_events (assignment_id, escalated_to_id, reason) VALUES (:'counted', :'bob', 'sla_breach') RETURNING id AS event
\gset
SELECT ok(e.organization_id = a.organization_id AND e.unit_id = a.unit_id AND e.work_item_id = a.work_item_id AND e.escalated_from_id = :'ann' AND e.sla_deadline = a.sla_deadline, 'what is not said is the assignment''s')
  FROM escalation_events e JOIN assignments a ON a.id = e.assignment_id WHERE e.id = :'event';
SELECT throws_ok(format('INSERT INTO escalation_events (assignment_id, escalated_to_id, reason) VALUES (%L, %L, ''sla_breach'')', :'counted', :'bob'), '23505', NULL, 'a breach is escalated once');
SELECT lives_ok(format('INSERT INTO escalation_events (assignment_id, escalated_to_id, reason) VALUES (%L, %L, ''manual'')', :'counted', :'bob'), 'by hand as often as somebody wants');
CREATE FUNCTION pg_temp.touches(change text) RETURNS text LANGUAGE sql AS $$ SELECT format('UPDATE escalation_events SET %s WHERE id = %L', change, current_setting('test.event')) $$;
SELECT set_config('test.event', :'event', false);
SET ROLE service_role;
SELECT throws_ok(pg_temp.touches(change), '23514', NULL, 'of an escalation nobody changes ' || change)
  FROM unnest('{escalated_to_id = escalated_from_id,reason = ''manual'',escalated_at = escalated_at - interval ''1 s'',sla_deadline = now(),work_item_id = ''y'',unit_id = NULL,escalated_by = escalated_to_id,created_at = now()}'::text[]) change;
SELECT throws_ok(format('DELETE FROM escalation_events WHERE id = %L', :'event'), '23514', NULL, 'nor deletes it');
SELECT throws_ok('TRUNCATE escalation_events', '42501', NULL, 'nor all of them');
SELECT throws_ok(pg_temp.touches('acknowledged_at = escalated_at - interval ''1 s'''), '23514', NULL, 'it is not acknowledged before it happens');
SELECT throws_ok(pg_temp.touches('resolved_at = escalated_at - interval ''1 s'''), '23514', NULL, 'nor resolved');
SELECT lives_ok(pg_temp.touches('acknowledged_at = steward.now(), notes = ''on it'''), 'it is acknowledged');
SELECT throws_ok(pg_temp.touches('acknowledged_at = ' || v), '23514', NULL, 'once, and not taken back') FROM unnest('{"NULL",steward.now() + interval ''1 s''}'::text[]) v;
SELECT throws_ok(pg_temp.touches('resolved_at = escalated_at - interval ''0.1 s'''), '23514', NULL, 'it is resolved after that');
SELECT lives_ok(pg_temp.touches('resolved_at = steward.now()'), 'it is resolved');
SELECT throws_ok(pg_temp.touches('resolved_at = ' || v), '23514', NULL, 'once, and not reopened') FROM unnest('{"NULL",steward.now() + interval ''1 s''}'::text[]) v;
SELECT lives_ok(pg_temp.touches('notes = ''done'''), 'notes are added at any time');
UPDATE escalation_events SET resolved_at = steward.now() WHERE assignment_id = :'counted' AND reason = 'manual';
RESET ROLE;
SELECT is(acknowledged_at, resolved_at, 'resolving acknowledges') FROM escalation_events WHERE assignment_id = :'counted' AND reason = 'manual';

-- Every way to delete archives.
SELECT pg_temp.work(:'ann') AS one, pg_temp.work(:'ann') AS two, pg_temp.work(:'ann', 'low', 'task', 'completed') AS three
\gset
INSERT INTO escalation_events (assignment_id, escalated_to_id, reason) SELECT i, :'bob', 'sla_breach' FROM unnest(ARRAY[:'one', :'two', :'three']::uuid[]) i;
SET ROLE service_role;
DELETE FROM assignments WHERE id = :'counted';
RESET ROLE;
DELETE FROM assignments WHERE id IN (:'one', :'three');
WITH d AS (DELETE FROM assignments WHERE id = :'two' RETURNING 1) SELECT count(*) FROM d
\gset gone_
SELECT is((SELECT count(*) FROM assignments WHERE id IN (:'counted', :'one', :'two', :'three')), 0::bigint, 'deleted by the backend, by an administrator, in a larger statement');
SELECT is((SELECT count(*) FROM assignments_archive WHERE id IN (:'counted', :'one', :'two', :'three') AND archived_at IS NOT NULL), 4::bigint, 'they are in the archive');
SELECT is((SELECT count(*) FROM escalation_events_archive WHERE assignment_id IN (:'counted', :'one', :'two', :'three')), 5::bigint, 'with their escalations');
SELECT is((SELECT count(*) FROM escalation_events WHERE assignment_id IN (:'counted', :'one', :'two', :'three')), 0::bigint, 'which are there only');
SELECT is((SELECT to_jsonb(e) - 'archived_at' FROM escalation_events_archive e WHERE e.id = :'event') ->> 'notes', 'done', 'as they were');
SELECT ok((SELECT count(*) FROM assignment_history WHERE assignment_id = :'counted') > 0, 'the history stays');
INSERT INTO assignments (id, work_item_id, work_item_type, assignee_id, priority) VALUES (:'one', 'again', 'task', :'ann', 'low');
SELECT lives_ok(format('DELETE FROM assignments WHERE id = %L', :'one'), 'an id that came back goes again');
SELECT is(array_agg(work_item_id), '{again}', 'and is archived once, as it was last') FROM assignments_archive WHERE id = :'one';

-- The queue.
SELECT throws_ok(format('INSERT INTO assignment_queue (work_item_id, work_item_type, required_skills, priority, attempts) VALUES (%L, ''task'', %L, ''low'', %s)', item, skills, attempts), state, NULL, what)
  FROM (VALUES ('', '{}', 0, '23514', 'an item that waits has a name'), ('q', '{}', -1, '23514', 'and no negative attempts'), ('q', format('{%s}', gen_random_uuid()), 0, '23503', 'and known skills')) v(item, skills, attempts, state, what);
INSERT INTO assignment_queue (work_item_id, work_item_type, required_skills, priority, target_unit_id) VALUES ('q', 'task', ARRAY[:'b', :'a', :'b']::uuid[], 'low', :'dialects') RETURNING id AS q
\gset
SELECT ok(organization_id = :'home' AND cardinality(required_skills) = 2 AND required_skills[1] < required_skills[2], 'its skills are a set') FROM assignment_queue WHERE id = :'q';
SELECT throws_ok('INSERT INTO assignment_queue (work_item_id, work_item_type, required_skills, priority) VALUES (''q'', ''task'', ''{}'', ''low'')', '23505', NULL, 'an item waits once');
SELECT lives_ok(format('INSERT INTO assignment_queue (organization_id, work_item_id, work_item_type, required_skills, priority) VALUES (%L, ''q'', ''task'', ''{}'', ''low'')', :'another'), 'in an organisation');
INSERT INTO skills (name_ar, name_en) SELECT 's' || i, 's' || i FROM generate_series(1, 101) i;
SELECT throws_ok('INSERT INTO assignment_queue (work_item_id, work_item_type, required_skills, priority) SELECT ''many'', ''task'', array_agg(id), ''low'' FROM skills WHERE name_en LIKE ''s%''', '23514', NULL, 'and does not need more than a hundred skills');
SELECT lives_ok('INSERT INTO assignment_queue (work_item_id, work_item_type, required_skills, priority) SELECT ''many'', ''task'', array_agg(id), ''low'' FROM (SELECT id FROM skills WHERE name_en LIKE ''s%'' LIMIT 100) s', 'but a hundred');
UPDATE assignment_queue SET attempts = 10 WHERE id = :'q';
SELECT is(attempts, 10, 'a tenth attempt fits') FROM assignment_queue WHERE id = :'q';
DELETE FROM organizational_units WHERE id = :'dialects' RETURNING 1 AS x
\gset gone_
SELECT is(target_unit_id, NULL, 'a target that is gone is no target') FROM assignment_queue WHERE id = :'q';

-- Snapshots.
SELECT pg_temp.unit('over') AS over, pg_temp.unit('away') AS away, pg_temp.unit('empty') AS empty
\gset
SELECT pg_temp.staff(:'over', '{}', 'staff', 1) AS busy, pg_temp.staff(:'away') AS ill
\gset
SELECT pg_temp.work(:'busy') FROM generate_series(1, 3);
SELECT pg_temp.work(:'ill');
UPDATE staff_profiles SET availability_status = 'on_leave' WHERE user_id = :'ill';
SELECT is(steward.capacity_snapshot('2025-10-02'), (SELECT count(*)::int FROM organizational_units), 'every unit has a snapshot');
SELECT is((total_staff, available_staff, total_capacity, active_assignments, utilization_pct)::text, '(1,1,1,3,300.00)', 'above 200 % too') FROM capacity_snapshots WHERE unit_id = :'over';
SELECT is((total_staff, available_staff, total_capacity, active_assignments, utilization_pct)::text, '(1,0,0,1,)', 'with work and nobody available') FROM capacity_snapshots WHERE unit_id = :'away';
SELECT is((total_staff, available_staff, total_capacity, active_assignments, utilization_pct)::text, '(0,0,0,0,0.00)', 'and without anybody') FROM capacity_snapshots WHERE unit_id = :'empty';
UPDATE assignments SET status = 'cancelled' WHERE assignee_id = :'ill';
SELECT steward.capacity_snapshot('2025-10-02');
SELECT is((count(*), sum(active_assignments))::text, '(1,0)', 'a second one of the day replaces the first') FROM capacity_snapshots WHERE unit_id = :'away';
SELECT steward.capacity_snapshot('2025-10-03');
SELECT is(count(*), 2::bigint, 'the next day''s stands beside it') FROM capacity_snapshots WHERE unit_id = :'away';

-- Counts after things that happen at random.
SELECT is(pg_temp.drift(), NULL, 'after all of this the counts are right');
SELECT pg_temp.crowd(12);
-- What chance gives knows no limit, and moving somebody asks for one.
UPDATE organizational_units SET unit_wip_limit = 100;
SELECT diag('seed 0.4711') FROM setseed(0.4711);
CREATE TEMP TABLE step (what text);
\set happen 'INSERT INTO step SELECT pg_temp.step() FROM generate_series(1, 300);'
:happen
SELECT is(pg_temp.drift(), NULL, 'right after 300 things that happened at random');
:happen
SELECT is(pg_temp.drift(), NULL, 'right after 600');
:happen
SELECT is(pg_temp.drift(), NULL, 'right after 900');
:happen
SELECT is(pg_temp.drift(), NULL, 'right after 1200');
:happen
SELECT is(pg_temp.drift(), NULL, 'right after 1500');
:happen
SELECT is(pg_temp.drift(), NULL, 'right after 1800');
:happen
SELECT is(pg_temp.drift(), NULL, 'right after 2100');
:happen
SELECT is(pg_temp.drift(), NULL, 'right after 2400');
SELECT is(count(DISTINCT split_part(what, ' ', 1)), 16::bigint, 'all sixteen kinds happened') FROM step WHERE what NOT LIKE '%refused';
SELECT is((SELECT count(*) FROM steward.recount_assignments()), 0::bigint, 'a recount finds nothing to repair');
UPDATE organizational_units SET current_assignment_count = current_assignment_count + 3 WHERE id = :'translation';
SET ROLE steward_owner;
UPDATE staff_profiles SET current_assignment_count = current_assignment_count + 2 WHERE user_id = :'busy';
RESET ROLE;
SELECT set_eq('SELECT what, id, stored - counted FROM steward.recount_assignments(false)', format('VALUES (''unit'', %L::uuid, 3), (''person'', %L::uuid, 2)', :'translation', :'busy'), 'drift that somebody plants is reported');
SELECT isnt(pg_temp.drift(), NULL, 'and left alone when asked so');
SELECT is((SELECT count(*) FROM steward.recount_assignments()), 2::bigint, 'reported again');
SELECT is(pg_temp.drift(), NULL, 'and repaired');
SELECT is((SELECT count(*) FROM steward.recount_assignments()), 0::bigint, 'once');
-- The ranks by which people are given work are looked at, too: gone, wrong, and too many.
SELECT pg_temp.skill('first') AS first, pg_temp.skill('second') AS second \gset
SELECT pg_temp.staff(:'translation', ARRAY[:'first', :'second']::uuid[]) AS gone, pg_temp.staff(:'translation', ARRAY[:'first', :'second']::uuid[]) AS wrong,
       pg_temp.staff(:'translation', ARRAY[:'first']::uuid[]) AS away \gset
UPDATE staff_profiles SET availability_status = 'unavailable' WHERE user_id = :'away';
CREATE TEMP TABLE ranks AS SELECT * FROM steward.skill_holder;
DELETE FROM steward.skill_holder WHERE user_id = :'gone' AND skill_id = :'second';
UPDATE steward.skill_holder SET share = share / 2, breadth = 1 WHERE user_id = :'wrong';
INSERT INTO steward.skill_holder SELECT organization_id, :'away', skill_id, share, 1 FROM ranks WHERE user_id = :'gone' AND skill_id = :'first';
SELECT set_eq('SELECT * FROM steward.recount_assignments(false)', format('VALUES (''ranks'', %L::uuid, 1, 0), (''ranks'', %L, 2, 0), (''ranks'', %L, 1, 0)', :'gone', :'wrong', :'away'), 'ranks that are wrong are reported');
SELECT is((SELECT count(*) FROM steward.recount_assignments()), 3::bigint, 'reported again');
SELECT set_eq('SELECT * FROM steward.skill_holder', 'SELECT * FROM ranks', 'and repaired');
SELECT is((SELECT count(*) FROM steward.recount_assignments()), 0::bigint, 'once');
CREATE TEMP TABLE lost AS SELECT d.* FROM steward.assignment_due d ORDER BY d.due_at LIMIT 2;
DELETE FROM steward.assignment_due d USING lost l WHERE d.assignment_id = l.assignment_id;
INSERT INTO steward.assignment_due VALUES (steward.now(), md5('nothing')::uuid);
SELECT set_eq('SELECT what, id, stored - counted AS drift FROM steward.recount_assignments()',
    format('SELECT ''due'' AS what, assignment_id AS id, -1 AS drift FROM lost UNION ALL VALUES (''due'', %L::uuid, 1)', md5('nothing')), 'so is what nobody would look at, and what is not there any more');
SELECT is_empty('SELECT FROM lost l WHERE NOT EXISTS (SELECT FROM steward.assignment_due d WHERE d.due_at = l.due_at AND d.assignment_id = l.assignment_id)', 'which is watched again'),
       is((SELECT count(*) FROM steward.recount_assignments()), 0::bigint, 'and forgotten');

-- Until a session waits for a lock.
CREATE FUNCTION pg_temp.waits(session int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    WHILE NOT EXISTS (SELECT FROM pg_locks l WHERE l.pid = session AND NOT l.granted) LOOP
        IF clock_timestamp() > now() + interval '1 minute' THEN
            RAISE EXCEPTION 'session % waits for nothing', session;
        END IF;
    END LOOP;
END $$;
-- Two sessions: who is just moving elsewhere is not given work in the old unit.
-- Whom chance left of the others, nobody knows.
SELECT pg_temp.staff(:'arabic', most => 20) AS bob
\gset
SELECT dblink_connect('mover', format('host=%s port=%s user=%s dbname=%s', :'HOST', :'PORT', :'USER', current_database()));
SELECT dblink_exec('mover', format('BEGIN; UPDATE staff_profiles SET unit_id = %L WHERE user_id = %L', :'translation', :'bob'));
SET lock_timeout = '50ms';
SELECT throws_ok(format('SELECT pg_temp.work(%L)', :'bob'), '55P03', NULL, 'the assignment waits for the move');
RESET lock_timeout;
SELECT dblink_connect('giver', format('host=%s port=%s user=%s dbname=%s', :'HOST', :'PORT', :'USER', current_database()));
SELECT pid AS giver FROM dblink('giver', 'SELECT pg_backend_pid()') AS r(pid int)
\gset
SELECT dblink_send_query('giver', format('INSERT INTO assignments (work_item_id, work_item_type, assignee_id, priority) VALUES (''late'', ''task'', %L, ''low'')', :'bob'));
SELECT pg_temp.waits(:giver);
SELECT dblink_exec('mover', 'COMMIT');
SELECT throws_ok('SELECT * FROM dblink_get_result(''giver'') AS r(x text)', '40001', NULL, 'and is to be tried again when the move is done');
SELECT lives_ok(format('SELECT pg_temp.work(%L)', :'bob'), 'which then works');
SELECT * FROM dblink_get_result('giver') AS r(x text);
SELECT dblink_exec('mover', format('BEGIN; UPDATE staff_profiles SET unit_id = %L WHERE user_id = %L', :'arabic', :'bob'));
SELECT dblink_send_query('giver', format('INSERT INTO assignments (work_item_id, work_item_type, assignee_id, priority) SELECT ''late '' || i, ''task'', %L, ''low'' FROM generate_series(1, 2) i', :'bob'));
SELECT pg_temp.waits(:giver);
SELECT dblink_exec('mover', 'COMMIT');
SELECT throws_ok('SELECT * FROM dblink_get_result(''giver'') AS r(x text)', '40001', NULL, 'so are several in one statement');
UPDATE staff_profiles SET unit_id = :'translation' WHERE user_id = :'bob';
SELECT is(pg_temp.drift(), NULL, 'and nothing was counted that is not there');

-- A move that would close a circle of waiting lets the others go first.
SELECT pg_temp.work(:'bob') AS held
\gset
SELECT dblink_exec('mover', format('BEGIN; UPDATE assignments SET priority = ''urgent'' WHERE id = %L', :'held'));
SELECT throws_ok(format('UPDATE staff_profiles SET unit_id = %L WHERE user_id = %L', :'arabic', :'bob'), '55P03', NULL, 'somebody whose work is just being changed does not move');
SELECT dblink_exec('mover', 'COMMIT');
SELECT lives_ok(format('UPDATE staff_profiles SET unit_id = %L WHERE user_id = %L', :'arabic', :'bob'), 'but afterwards');
SELECT is(pg_temp.drift(), NULL, 'and takes the work along');

-- A skill goes when nothing needs it any more.
SELECT pg_temp.skill('needed') AS needed
\gset
INSERT INTO assignment_rules (name_ar, name_en, unit_id, required_skills) VALUES ('r', 'r', :'arabic', ARRAY[:'needed']::uuid[]) RETURNING id AS rule
\gset
SELECT throws_ok(format('DELETE FROM skills WHERE id = %L', :'needed'), '23503', 'skill needed is still needed by an active rule', 'a skill that a rule is about is not deleted');
UPDATE assignment_rules SET is_active = false WHERE id = :'rule';
INSERT INTO assignments (work_item_id, work_item_type, assignee_id, priority, required_skills) VALUES ('needs it', 'task', :'bob', 'low', ARRAY[:'needed']::uuid[]);
SELECT throws_ok(format('DELETE FROM skills WHERE id = %L', :'needed'), '23503', 'skill needed is still needed by an open assignment', 'nor one that open work needs');
UPDATE assignments SET status = 'cancelled' WHERE work_item_id = 'needs it';
INSERT INTO assignment_queue (work_item_id, work_item_type, required_skills, priority) VALUES ('needs it', 'task', ARRAY[:'needed']::uuid[], 'low');
SELECT throws_ok(format('DELETE FROM skills WHERE id = %L', :'needed'), '23503', 'skill needed is still needed by an item that waits', 'nor one that waiting work needs');
DELETE FROM assignment_queue WHERE work_item_id = 'needs it';
SELECT lives_ok(format('DELETE FROM skills WHERE id = %L', :'needed'), 'with all of that gone it can go');
SELECT throws_ok(format('UPDATE assignment_rules SET is_active = true WHERE id = %L', :'rule'), '23503', NULL, 'and a rule about it does not come back');
SELECT lives_ok($$UPDATE assignments SET required_skills = required_skills, override_reason = 'kept' WHERE work_item_id = 'needs it'$$, 'finished work is kept as it was');
SELECT throws_ok(format('UPDATE assignments SET required_skills = required_skills || %L::uuid WHERE work_item_id = ''needs it''', :'a'), '23503', 'there is no skill ' || :'needed', 'and is not changed to need it');
UPDATE assignments SET required_skills = ARRAY[:'b', :'a', :'b']::uuid[] WHERE work_item_id = 'needs it' RETURNING required_skills AS changed \gset
SELECT ok(required_skills @> ARRAY[:'a', :'b']::uuid[] AND cardinality(required_skills) = 2 AND required_skills[1] < required_skills[2], 'the skills of an assignment that changes are a set') FROM assignments WHERE required_skills = :'changed';
SELECT throws_ok($$UPDATE assignments SET required_skills = ARRAY[NULL::uuid] WHERE work_item_id = 'needs it'$$, '23503', NULL, 'of skills');

-- What is planned follows its assignee, too, and keeps him.
BEGIN;
SELECT pg_temp.unit('plans') AS plans
\gset
SELECT pg_temp.staff(:'plans') AS planner
\gset
SELECT pg_temp.work(:'planner', status => 'pending') AS planned
\gset
SELECT throws_ok(format('DELETE FROM staff_profiles WHERE user_id = %L', :'planner'), '23503', format('user %s still has open assignments', :'planner'), 'nobody leaves with work that is planned');
SET LOCAL session_replication_role = replica;
UPDATE assignments SET unit_id = :'arabic' WHERE id = :'planned';
SET LOCAL session_replication_role = origin;
UPDATE assignments SET status = 'assigned' WHERE id = :'planned';
SELECT is(unit_id, :'plans', 'what begins does so where its assignee is') FROM assignments WHERE id = :'planned';
SELECT throws_ok(format('UPDATE assignments SET escalated_at = sla_started_at - interval ''1 s'' WHERE id = %L', :'planned'), '23514',
    'new row for relation "assignments" violates check constraint "assignments_escalated_check"', 'nothing is escalated before it began');
-- A client may bring a count; it counts for the unit.
INSERT INTO auth.users (id, email) VALUES (md5('told')::uuid, 'told@example.org');
INSERT INTO staff_profiles (user_id, unit_id, current_assignment_count) VALUES (md5('told')::uuid, :'plans', 3);
SELECT is(current_assignment_count, 4, 'what a client says about somebody new is added to the unit') FROM organizational_units WHERE id = :'plans';
UPDATE staff_profiles SET current_assignment_count = 1 WHERE user_id = md5('told')::uuid;
SELECT is(current_assignment_count, 2, 'and what it says later takes the place of that') FROM organizational_units WHERE id = :'plans';
-- A rule is stamped.
INSERT INTO assignment_rules (name_ar, name_en, unit_id, required_skills) VALUES ('stamped', 'stamped', :'plans', ARRAY[:'a']::uuid[]);
SET LOCAL steward.clock_offset = '1 minute';
UPDATE assignment_rules SET priority_weight = 9 WHERE name_en = 'stamped';
SELECT is(updated_at, steward.now(), 'a change of a rule stamps it') FROM assignment_rules WHERE name_en = 'stamped';
ROLLBACK;
-- Locks are finite: of many items in one transaction only the first thousand are locked.
BEGIN;
INSERT INTO assignments (work_item_id, work_item_type, assignee_id, priority) SELECT 'bulk ' || i, 'task', :'ann', 'low' FROM generate_series(1, 1100) i;
SELECT is(count(*), 1000::bigint, 'a bulk load locks a thousand items and no more') FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory';
ROLLBACK;

-- What deleting a user or a unit looks through: every foreign key that can be is the
-- beginning of an index, but for the three that are filled all the time and asked for never.
SELECT set_eq($$
    SELECT format('%s.%s', c.conrelid::regclass, a.attname)
      FROM pg_constraint c JOIN pg_attribute a ON a.attrelid = c.conrelid AND a.attnum = c.conkey[cardinality(c.conkey)]
     WHERE c.contype = 'f' AND c.confrelid IN ('auth.users'::regclass, 'organizational_units'::regclass)
       AND c.conrelid IN ('assignments'::regclass, 'assignment_queue'::regclass, 'escalation_events'::regclass, 'staff_profiles'::regclass)
       AND NOT EXISTS (SELECT FROM pg_index i
                        WHERE i.indrelid = c.conrelid AND (i.indkey[0] = a.attnum OR (i.indkey[0] = c.conkey[1] AND i.indkey[1] = a.attnum))
                          AND (i.indpred IS NULL OR pg_get_expr(i.indpred, i.indrelid) = format('(%I IS NOT NULL)', a.attname)))$$,
    '{assignment_queue.requested_by,assignments.target_unit_id}'::text[], 'deleting a user reads no table whole but the queue, deleting a unit only the work');

SELECT * FROM finish();
