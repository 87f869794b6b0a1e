-- Leave: what moves, what stays and is flagged, who hears of it.

\ir setup.psql
\ir assignments.psql

SELECT plan(88);

CREATE FUNCTION pg_temp.leave(person uuid, status availability_status DEFAULT 'on_leave', until timestamptz DEFAULT NULL) RETURNS jsonb LANGUAGE sql AS $$
    SELECT steward.set_availability(p.organization_id, person, status, until, 'a reason', 'manual', person) FROM staff_profiles p WHERE p.user_id = person
$$;
CREATE FUNCTION pg_temp.given(assignee uuid, skills uuid[], priority priority_level, kind work_item_type DEFAULT 'ticket') RETURNS uuid LANGUAGE sql AS $$
    INSERT INTO assignments (work_item_id, work_item_type, assignee_id, priority, required_skills)
    VALUES ('item-' || nextval('pg_temp.item'), kind, assignee, priority, skills) RETURNING id
$$;

-- Scenario 6 of the seeds.
SELECT pg_temp.unit('translation') AS translation, pg_temp.skill('arabic') AS arabic, pg_temp.skill('writing') AS writing \gset
SELECT pg_temp.staff(:'translation', ARRAY[:'arabic', :'writing']::uuid[]) AS first, pg_temp.staff(:'translation', ARRAY[:'arabic']::uuid[]) AS second,
       pg_temp.staff(:'translation', ARRAY[:'arabic']::uuid[], 'supervisor', 8) AS supervisor \gset
SELECT pg_temp.given(:'second', ARRAY[:'arabic']::uuid[], 'low'), pg_temp.given(:'second', ARRAY[:'arabic']::uuid[], 'low') \g /dev/null
SELECT pg_temp.given(:'first', ARRAY[:'arabic']::uuid[], 'urgent') AS u1, pg_temp.given(:'first', ARRAY[:'arabic']::uuid[], 'urgent') AS u2,
       pg_temp.given(:'first', ARRAY[:'arabic']::uuid[], 'high', 'dossier') AS h1,
       pg_temp.given(:'first', ARRAY[:'arabic']::uuid[], 'normal') AS n1, pg_temp.given(:'first', ARRAY[:'arabic']::uuid[], 'low') AS n2 \gset
SELECT sla_deadline AS deadline, sla_started_at AS started FROM assignments WHERE id = :'u1' \gset
SELECT pg_temp.leave(:'first', until => steward.now() + interval '10 days') AS r \gset
SELECT is(:'r'::jsonb ->> 'outcome', 'updated', 'somebody goes on leave'), is(:'r'::jsonb ->> 'status', 'on_leave', 'which is said'),
       is(:'r'::jsonb ->> 'staff_id', :'first', 'of whom'), is(:'r'::jsonb ->> 'reason', 'a reason', 'and why'), ok((:'r'::jsonb ->> 'unavailable_until')::timestamptz > steward.now(), 'until when');
SELECT is(jsonb_array_length(:'r'::jsonb -> 'reassigned_items'), 3, 'three items move'), is(jsonb_array_length(:'r'::jsonb -> 'flagged_for_review'), 2, 'two are flagged'),
       ok(NOT :'r'::jsonb ? 'reassignment_warning', 'and nothing is missing');
SELECT set_eq(format('SELECT assignment_id FROM jsonb_to_recordset(%L::jsonb -> ''reassigned_items'') r(assignment_id uuid, new_assignee_id uuid) WHERE new_assignee_id = %L', :'r', :'second'),
    ARRAY[:'u1', :'u2', :'h1']::uuid[], 'what is urgent or high goes to the colleague');
SELECT set_eq(format('SELECT id FROM assignments WHERE assignee_id = %L AND reassigned_from = %L AND NOT needs_review', :'second', :'first'), ARRAY[:'u1', :'u2', :'h1']::uuid[], 'in the table too');
SELECT is(sla_deadline, :'deadline'::timestamptz, 'with the old deadline'), is(sla_started_at, :'started'::timestamptz, 'from the old start'), ok(assigned_at > sla_started_at, 'assigned now'),
       is(reassignment_reason, 'assignee is on leave', 'and the reason') FROM assignments WHERE id = :'u1';
SELECT set_eq(format('SELECT id FROM assignments WHERE assignee_id = %L AND needs_review AND review_reason = ''assignee is on leave'' AND flagged_at IS NOT NULL', :'first'),
    ARRAY[:'n1', :'n2']::uuid[], 'what is normal or low stays and is flagged');
SELECT is(current_assignment_count, 2, 'three fewer with the one'), is(availability_status, 'on_leave', 'who is on leave'), is(availability_source::text, 'manual', 'as entered') FROM staff_profiles WHERE user_id = :'first';
SELECT is(current_assignment_count, 5, 'three more with the other') FROM staff_profiles WHERE user_id = :'second';
SELECT is(pg_temp.drift(), NULL, 'and every count is right');
SELECT is(recipient_id, :'supervisor', 'the supervisor hears of it'), is(payload ->> 'reference_type', 'staff_profile', 'that it is about a person'), is(payload ->> 'reference_id', :'first', 'this one'),
       matches(payload ->> 'message_en', '^2 items need review', 'in words'), is(payload #>> '{metadata,staff_id}', :'first', 'and data'),
       is(payload #> '{metadata,flagged_items}' @> jsonb_build_array(:'n1', :'n2'), true, 'with the items')
  FROM notification_outbox WHERE notification_type = 'staff_leave_items_for_review';
SELECT is(:'r'::jsonb -> 'notifications_sent', jsonb_build_array(jsonb_build_object('recipient_id', :'supervisor', 'type', 'staff_leave_items_for_review', 'item_count', 2)), 'which the answer says');

-- Back again.
SELECT pg_temp.leave(:'first', 'available') AS r \gset
SELECT is(:'r'::jsonb ->> 'status', 'available', 'and back'), ok(NOT :'r'::jsonb ?| '{reassigned_items,flagged_for_review}', 'without lists');
SELECT is(unavailable_until, NULL, 'no end'), is(unavailable_reason, NULL, 'no reason') FROM staff_profiles WHERE user_id = :'first';
SELECT is(count(*), 2::bigint, 'the flags stay to be decided about') FROM assignments WHERE assignee_id = :'first' AND needs_review;

-- The supervisor takes what nobody else can.
UPDATE assignments SET status = 'cancelled' WHERE assignee_id = :'first';
SELECT pg_temp.given(:'first', ARRAY[:'arabic']::uuid[], 'high') AS h1 \gset
SELECT is(pg_temp.leave(:'first') #>> '{reassigned_items,0,new_assignee_id}', :'supervisor', 'the supervisor takes what nobody else can');
SELECT pg_temp.leave(:'first', 'available') \g /dev/null
UPDATE staff_profiles SET skills = '{}' WHERE user_id = :'supervisor';

-- Work that nobody said the skills of stays in the unit, whoever is idle elsewhere.
SELECT pg_temp.unit('legal') AS legal \gset
SELECT pg_temp.staff(:'legal', '{}') AS lawyer, pg_temp.staff(:'translation', '{}') AS colleague \gset
SELECT pg_temp.given(:'colleague', '{}', 'low'), pg_temp.given(:'first', '{}', 'urgent') \g /dev/null
SELECT is(pg_temp.leave(:'first') #>> '{reassigned_items,0,new_assignee_id}', :'colleague', 'work of unknown skills stays in the unit');
SELECT pg_temp.leave(:'first', 'available') \g /dev/null
UPDATE assignments SET status = 'cancelled' WHERE assignee_id IN (:'supervisor', :'colleague');

-- The target of the work is what it was, and who keeps nothing troubles nobody.
SELECT pg_temp.skill('seals') AS seals, pg_temp.unit('sealing') AS sealing \gset
SELECT pg_temp.staff(:'legal', ARRAY[:'seals']::uuid[]) AS leaving, pg_temp.staff(:'legal', ARRAY[:'seals']::uuid[]) AS idle, pg_temp.staff(:'sealing', ARRAY[:'seals']::uuid[]) AS target, pg_temp.staff(:'legal', role => 'supervisor') AS counsel \gset
SELECT pg_temp.given(:'target', '{}', 'low'), pg_temp.given(:'leaving', ARRAY[:'seals']::uuid[], 'urgent') AS item \gset
UPDATE assignments SET target_unit_id = :'sealing' WHERE id = :'item';
SELECT count(*) AS notices FROM notification_outbox \gset
SELECT pg_temp.leave(:'leaving') AS r \gset
SELECT is(:'r'::jsonb #>> '{reassigned_items,0,new_assignee_id}', :'target', 'what moves goes to its target'), is(:'r'::jsonb -> 'notifications_sent', '[]', 'and where nothing stays, nobody is told'),
       is((SELECT count(*) FROM notification_outbox), :'notices'::bigint, 'which is so');

-- Nobody fits: flagged, and said so.  Being unavailable is the same.
UPDATE assignments SET status = 'cancelled' WHERE assignee_id = :'first';
SELECT pg_temp.given(:'first', ARRAY[:'writing']::uuid[], 'urgent') AS u1, pg_temp.given(:'first', ARRAY[:'arabic']::uuid[], 'high') AS h1 \gset
SELECT pg_temp.leave(:'first', 'unavailable') AS r \gset
SELECT is(jsonb_array_length(:'r'::jsonb -> 'reassigned_items'), 0, 'nothing moves where nobody fits'), is(:'r'::jsonb ->> 'reassignment_warning', 'No available capacity for 2 of 2 urgent or high items', 'which is said'),
       is(:'r'::jsonb -> 'unavailable_until', 'null', 'and the end may be unknown');
SELECT is(review_reason, 'assignee is unavailable; No staff with the required skills', 'one for want of skills') FROM assignments WHERE id = :'u1';
SELECT is(review_reason, 'assignee is unavailable; All staff at WIP limit', 'one for want of capacity') FROM assignments WHERE id = :'h1';
SELECT flagged_at AS flagged FROM assignments WHERE id = :'h1' \gset
UPDATE staff_profiles SET individual_wip_limit = 6 WHERE user_id = :'second';
SELECT pg_temp.leave(:'first', until => steward.now() + interval '1 day') AS r \gset
SELECT is(jsonb_array_length(:'r'::jsonb -> 'reassigned_items'), 1, 'asked again, what fits by now moves'), is(:'r'::jsonb #>> '{flagged_for_review,0,assignment_id}', :'u1', 'and the rest is flagged still');
SELECT ok(NOT needs_review AND review_reason IS NULL AND flagged_at IS NULL, 'what moved needs no review any more') FROM assignments WHERE id = :'h1';
SELECT is(flagged_at, :'flagged'::timestamptz, 'the other has needed it since the first time') FROM assignments WHERE id = :'u1';
UPDATE staff_profiles SET individual_wip_limit = 20 WHERE user_id = :'second';
UPDATE organizational_units SET unit_wip_limit = 6 WHERE id = :'translation';
SELECT pg_temp.leave(:'first', 'available') \g /dev/null
UPDATE assignments SET status = 'cancelled' WHERE id = :'u1';
SELECT pg_temp.given(:'first', ARRAY[:'arabic']::uuid[], 'urgent') AS u3 \gset
SELECT pg_temp.leave(:'first') AS r \gset
SELECT is(review_reason, 'assignee is on leave; Unit WIP limit reached (7/6)', 'a full unit is full for a leave too') FROM assignments WHERE id = :'u3';
UPDATE organizational_units SET unit_wip_limit = 50 WHERE id = :'translation';

-- The supervisor's own leave is heard of above.
SELECT pg_temp.staff(:'translation', role => 'admin') AS boss \gset
SELECT pg_temp.given(:'supervisor', '{}', 'normal') AS item \gset
SELECT is(pg_temp.leave(:'supervisor') #>> '{notifications_sent,0,recipient_id}', :'boss', 'a supervisor''s leave goes to an administrator, where there is no unit above');

-- What is wrong.
SELECT throws_ok(format('SELECT pg_temp.leave(%L, until => steward.now())', :'second'), '22023', 'unavailable_until must be in the future', 'an end that is not in the future is refused');
SELECT is(availability_status, 'available', 'and nothing is done') FROM staff_profiles WHERE user_id = :'second';
SELECT throws_ok(format('SELECT steward.set_availability(%L, %L, ''on_leave'', NULL, NULL, ''astrology'')', pg_temp.home(), :'second'), '23514', NULL, 'a source that is none too');
SELECT throws_ok(format('SELECT steward.set_availability(%L, %L, NULL)', pg_temp.home(), :'second'), '22023', NULL, 'and no status');
SELECT throws_ok(format('SELECT pg_temp.leave(%L, until => ''infinity'')', :'second'), '22023', 'unavailable_until must be a moment', 'an end that never comes is left out instead'),
       throws_ok(format('SELECT steward.set_availability(%L, %L, ''on_leave'', reason => repeat(''x'', 501))', pg_temp.home(), :'second'), '22023', 'reason must be at most 500 characters', 'and a reason is short');
SELECT is(steward.set_availability(pg_temp.home(), gen_random_uuid(), 'on_leave') ->> 'outcome', 'not_found', 'a stranger is not found');

-- Rights, by the claims; the source follows who does it.
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
SELECT format('SELECT steward.set_availability(%L, %L, ''available'') ->> ''availability_source''', pg_temp.home(), :'second') AS change \gset
SELECT is(pg_temp.as_user(:'second', :'change'), 'manual', 'everybody the own availability'), is(pg_temp.as_user(:'boss', :'change'), 'supervisor_override', 'and whoever leads the unit'),
       throws_ok(format('SELECT pg_temp.as_user(%L, %L)', :'second', replace(:'change', '''available'')', '''available'', source => ''hr_system'')')), '22023', 'source follows from who calls', 'whom nobody believes to be the personnel system'),
       throws_ok(format('SELECT pg_temp.as_user(%L, %L)', :'first', :'change'), '42501', 'insufficient permissions', 'a colleague not'), is(pg_temp.as_user(NULL, :'change'), NULL, 'nor without claims');

-- What is given to somebody while the leave waits for the unit moves along.
SELECT dblink_connect(name, format('host=%s port=%s user=%s dbname=%s application_name=%s', split_part(current_setting('unix_socket_directories'), ',', 1), current_setting('port'), current_user, current_database(), name))
  FROM unnest('{giver,leaver}'::text[]) name \g /dev/null
CREATE PROCEDURE pg_temp.until_waiting(who text) LANGUAGE plpgsql AS $$
BEGIN
    LOOP
        EXIT WHEN EXISTS (SELECT FROM pg_stat_activity WHERE application_name = who AND datname = current_database() AND wait_event_type = 'Lock') OR dblink_is_busy(who) = 0;
        COMMIT;     -- what was seen of the others is seen anew
    END LOOP;
END $$;
-- For as long as a busy machine takes for three statements.
SELECT split_part(c, '=', 2) AS patience FROM pg_proc, unnest(proconfig) c WHERE oid = 'steward.set_availability'::regproc AND c LIKE 'lock_timeout=%' \gset
ALTER FUNCTION steward.set_availability SET lock_timeout = '1 min';
UPDATE staff_profiles SET skills = ARRAY[:'arabic']::uuid[] WHERE user_id = :'boss';
SELECT pg_temp.given(:'second', ARRAY[:'arabic']::uuid[], 'urgent') \g /dev/null
SELECT dblink_exec('giver', format('BEGIN; INSERT INTO assignments (work_item_id, work_item_type, assignee_id, priority, required_skills) VALUES (''late'', ''task'', %L, ''urgent'', ARRAY[%L]::uuid[])', :'second', :'arabic')) \g /dev/null
SELECT dblink_send_query('leaver', format('SELECT steward.set_availability(%L, %L, ''on_leave'')', pg_temp.home(), :'second')) \g /dev/null
CALL pg_temp.until_waiting('leaver');
SELECT is(dblink_is_busy('leaver'), 1, 'a leave waits for the unit');
SELECT dblink_exec('giver', 'COMMIT') \g /dev/null
SELECT is(count(*), 1::bigint, 'and finds what came meanwhile') FROM dblink_get_result('leaver') r(answer jsonb)
 CROSS JOIN jsonb_to_recordset(r.answer -> 'reassigned_items') i(work_item_id text) WHERE i.work_item_id = 'late';
SELECT is(count(*), 0::bigint, 'so nothing urgent stays behind') FROM assignments WHERE assignee_id = :'second' AND priority >= 'high' AND status = 'assigned' AND NOT needs_review;
SELECT is(pg_temp.drift(), NULL, 'and every count is right');
ALTER FUNCTION steward.set_availability SET lock_timeout = :'patience';

-- Several leaves in one transaction have no order of locks between them.  Two who cross
-- are no deadlock, of which PostgreSQL would choose the victim: one gives up in time.
SELECT pg_temp.unit('left') AS left_unit, pg_temp.unit('right') AS right_unit \gset
SELECT pg_temp.staff(:'left_unit', '{}') AS lefty, pg_temp.staff(:'right_unit', '{}') AS righty \gset
CREATE FUNCTION pg_temp.outcome_of(who text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    answer text;
BEGIN
    SELECT r.outcome INTO answer FROM dblink_get_result(who) r(outcome text);
    RETURN answer;
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE;
END $$;
SELECT count(*) FROM dblink_get_result('leaver') r(x text) \g /dev/null
SELECT cmp_ok(:'patience'::interval, '<', (boot_val || unit)::interval, 'whoever gives up does so before somebody looks for a deadlock') FROM pg_settings WHERE name = 'deadlock_timeout';
-- Also where the machine lets nobody look in time.
SELECT dblink_exec(name, 'SET deadlock_timeout = ''1 min'''), dblink_exec(name, 'BEGIN') FROM unnest('{giver,leaver}'::text[]) name \g /dev/null
SELECT format('SELECT steward.set_availability(%L, %L, ''on_leave'') ->> ''outcome''', pg_temp.home(), :'lefty') AS left_leaves,
       format('SELECT steward.set_availability(%L, %L, ''on_leave'') ->> ''outcome''', pg_temp.home(), :'righty') AS right_leaves \gset
SELECT is(l.outcome, 'updated', 'one goes on leave'), is(r.outcome, 'updated', 'and in another transaction another one')
  FROM dblink('giver', :'left_leaves') l(outcome text), dblink('leaver', :'right_leaves') r(outcome text);
SELECT dblink_send_query('giver', :'right_leaves') \g /dev/null
CALL pg_temp.until_waiting('giver');
SELECT dblink_send_query('leaver', :'left_leaves') \g /dev/null
SELECT pg_temp.outcome_of('giver') AS giver, pg_temp.outcome_of('leaver') AS leaver \gset
SELECT ok('55P03' IN (:'giver', :'leaver') AND ARRAY[:'giver', :'leaver'] <@ '{updated,55P03}', format('crossing: one of them is told to try again (%s, %s)', :'giver', :'leaver'));
SELECT (SELECT count(*) FROM dblink_get_result('giver') r(x text)), (SELECT count(*) FROM dblink_get_result('leaver') l(x text)) \g /dev/null
SELECT dblink_exec(name, 'ROLLBACK') FROM unnest('{leaver,giver}'::text[]) name \g /dev/null
SELECT is(r.outcome, 'updated', 'who tries again succeeds') FROM dblink('giver', :'right_leaves') r(outcome text);

-- Somebody who is being changed when the leave ends is back a moment later.
UPDATE staff_profiles SET unavailable_until = steward.now() WHERE user_id = :'righty';
SELECT dblink_exec('giver', 'BEGIN') \g /dev/null
SELECT count(*) FROM dblink('giver', :'right_leaves') r(outcome text) \g /dev/null
SELECT is(returned, 0, 'who is being changed is not back yet'), is(next_due_ms, 1000::bigint, 'and looked at again in a second') FROM steward.sla_turn('test', 100);
SELECT dblink_exec('giver', 'ROLLBACK') \g /dev/null
SELECT is(returned, 1, 'when he is back') FROM steward.sla_turn('test', 100);
SELECT is(count(*), 0::bigint, 'without any trouble') FROM steward.sla_trouble;
-- A client that knows only the seeds writes the column, which says the same.
SELECT pg_temp.unit('direct') AS direct, pg_temp.skill('direct') AS direction \gset
SELECT pg_temp.staff(:'direct', ARRAY[:'direction']::uuid[]) AS goes, pg_temp.staff(:'direct', ARRAY[:'direction']::uuid[]) AS stays, pg_temp.staff(:'direct', role => 'supervisor') AS leads \gset
SELECT pg_temp.given(:'goes', ARRAY[:'direction']::uuid[], 'urgent') AS u1, pg_temp.given(:'goes', ARRAY[:'direction']::uuid[], 'low') AS l1 \gset
UPDATE staff_profiles SET availability_status = 'on_leave', unavailable_until = steward.now() + interval '1 day' WHERE user_id = :'goes';
SELECT is(assignee_id, :'stays', 'a leave by SQL: what is urgent moves'), is(reassignment_reason, 'assignee is on leave', 'and says why') FROM assignments WHERE id = :'u1';
SELECT is(assignee_id, :'goes', 'what is low stays'), is(review_reason, 'assignee is on leave', 'flagged') FROM assignments WHERE id = :'l1' AND needs_review;
SELECT is(payload #> '{metadata,flagged_items}', jsonb_build_array(:'l1'), 'and the supervisor hears of it') FROM notification_outbox WHERE recipient_id = :'leads';
SELECT is(pg_temp.drift(), NULL, 'every count is right');
SELECT pg_temp.given(:'goes', ARRAY[:'direction']::uuid[], 'high') AS h1 \gset
UPDATE staff_profiles SET availability_status = 'on_leave', unavailable_reason = 'rest' WHERE user_id = :'goes';
SELECT is(assignee_id, :'goes', 'who writes a profile as it was moves nothing') FROM assignments WHERE id = :'h1';
UPDATE staff_profiles SET availability_status = 'available', unavailable_until = NULL WHERE user_id = :'goes';
SELECT ok(needs_review, 'back again, the flags stay to be decided about') FROM assignments WHERE id = :'l1';
UPDATE staff_profiles SET availability_status = 'unavailable' WHERE user_id IN (:'goes', :'stays');
SELECT is(string_agg(DISTINCT review_reason, ''), 'assignee is unavailable; No staff available', 'of two who go at once neither gets the other''s work')
  FROM assignments WHERE id IN (:'u1', :'h1') AND needs_review;
UPDATE staff_profiles SET availability_status = 'available' WHERE user_id IN (:'goes', :'stays');
-- What is only planned stays planned, and is given to whom it was planned for.
INSERT INTO assignments (work_item_id, work_item_type, assignee_id, priority, required_skills, status)
VALUES ('planned', 'task', :'goes', 'urgent', ARRAY[:'direction']::uuid[], 'pending') RETURNING id AS planned \gset
SELECT is(pg_temp.leave(:'goes') -> 'reassigned_items' @> jsonb_build_array(jsonb_build_object('assignment_id', :'planned')), false, 'a leave does not move what is pending');
SELECT is((assignee_id, status, needs_review)::text, format('(%s,pending,f)', :'goes'), 'nor flags it') FROM assignments WHERE id = :'planned';
UPDATE assignments SET status = 'assigned' WHERE id = :'planned';
SELECT is(assignee_id, :'goes', 'and a client that makes it assigned is obeyed') FROM assignments WHERE id = :'planned' AND unit_id = :'direct' AND status = 'assigned';
UPDATE assignments SET status = 'cancelled' WHERE id = :'planned';
SELECT pg_temp.leave(:'goes', 'available') \g /dev/null
SELECT pg_temp.given(:'goes', ARRAY[:'direction']::uuid[], 'high') AS h1 \gset
-- Somebody has the unit: we do not wait until that is a circle.
SELECT count(*) FROM dblink('giver', format('BEGIN; SELECT id FROM organizational_units WHERE id = %L FOR UPDATE', :'direct')) r(id uuid) \g /dev/null
SELECT throws_ok(format('UPDATE staff_profiles SET availability_status = ''on_leave'' WHERE user_id = %L', :'goes'), '55P03',
    format('somebody else is changing the work of user %s or a unit that it may go to', :'goes'), 'a leave by SQL gives up while somebody has the unit');
SELECT is(availability_status, 'available', 'and is not begun') FROM staff_profiles WHERE user_id = :'goes';
SELECT dblink_exec('giver', 'ROLLBACK') \g /dev/null
UPDATE staff_profiles SET availability_status = 'on_leave' WHERE user_id = :'goes';
SELECT is(assignee_id, :'stays', 'then it is as if it had never been tried') FROM assignments WHERE id = :'h1';

SELECT dblink_disconnect('giver'), dblink_disconnect('leaver') \g /dev/null

SELECT * FROM finish();
