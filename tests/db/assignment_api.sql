-- The operations of the assignment engine, as the people who call them.

\ir setup.psql

SELECT plan(693);

CREATE FUNCTION pg_temp.call(who uuid, operation text, request jsonb DEFAULT '{}', role text DEFAULT 'authenticated',
                             OUT status int, OUT headers jsonb, OUT body jsonb) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('request.jwt.claims', CASE WHEN who IS NULL THEN '' ELSE jsonb_build_object('sub', who)::text END, true);
    EXECUTE format('SET LOCAL ROLE %I', role);
    EXECUTE format('SELECT c.* FROM api.%I($1) c', operation) INTO status, headers, body USING request;
    RESET ROLE;
END $$;
CREATE FUNCTION pg_temp.staff(unit uuid, named text, skills text[] DEFAULT '{}', most int DEFAULT 5, role text DEFAULT 'staff') RETURNS uuid LANGUAGE plpgsql AS $$
DECLARE
    person uuid := pg_temp.person();
BEGIN
    UPDATE auth.users SET raw_user_meta_data = jsonb_build_object('full_name', named) WHERE id = person;
    INSERT INTO staff_profiles (user_id, unit_id, skills, individual_wip_limit, role)
    SELECT person, u.id, ARRAY(SELECT s.id FROM public.skills s WHERE s.organization_id = u.organization_id AND s.name_en = ANY (staff.skills)), most, staff.role
      FROM organizational_units u WHERE u.id = unit;
    RETURN person;
END $$;
CREATE FUNCTION pg_temp.give(person uuid, item text, kind work_item_type DEFAULT 'ticket', urgency priority_level DEFAULT 'normal', age interval DEFAULT '0') RETURNS uuid
    LANGUAGE sql AS $$
    INSERT INTO assignments (work_item_id, work_item_type, assignee_id, priority, assigned_at) VALUES (item, kind, person, urgency, steward.now() - age) RETURNING id
$$;
CREATE FUNCTION pg_temp.fill(person uuid, prefix text, n int) RETURNS bigint LANGUAGE sql AS $$
    SELECT count(pg_temp.give(person, prefix || i)) FROM generate_series(1, n) i
$$;

-- Of the smallest id, so that it is not by chance that the default organisation comes first.
INSERT INTO organizations (id, name) VALUES ('00000000-0000-4000-8000-000000000000', 'another') RETURNING id AS another
\gset
INSERT INTO skills (name_en, name_ar) VALUES ('arabic', 'عربي'), ('writing', 'كتابة'), ('analysis', 'تحليل'), ('legal', 'قانون'), ('rare', 'نادر');
INSERT INTO skills (name_en, name_ar, organization_id) VALUES ('foreign', 'أجنبي', :'another') RETURNING id AS foreign_skill
\gset
INSERT INTO organizational_units (name_en, name_ar, unit_wip_limit) VALUES ('Translation', 'ترجمة', 20) RETURNING id AS translation
\gset
INSERT INTO organizational_units (name_en, name_ar, unit_wip_limit) VALUES ('Analysis', 'تحليل', 30) RETURNING id AS analysis
\gset
INSERT INTO organizational_units (name_en, name_ar, unit_wip_limit, organization_id) VALUES ('Elsewhere', 'هناك', 20, :'another') RETURNING id AS elsewhere
\gset
SELECT id AS arabic FROM skills WHERE name_en = 'arabic'
\gset
SELECT pg_temp.staff(:'translation', 'Tara', '{arabic,writing}') AS tara, pg_temp.staff(:'translation', 'Tim', '{arabic}') AS tim,
       pg_temp.staff(:'translation', 'Sue', '{arabic}', 8, 'supervisor') AS sue, pg_temp.staff(:'analysis', 'Ann', '{analysis}') AS ann,
       pg_temp.staff(:'analysis', 'Sam', '{}', 8, 'supervisor') AS sam, pg_temp.staff(:'analysis', 'Ada', '{}', 5, 'admin') AS ada,
       pg_temp.staff(:'elsewhere', 'Eve', '{foreign}', 5, 'admin') AS eve, pg_temp.staff(:'elsewhere', 'Ed', '{foreign}') AS ed, pg_temp.person() AS nobody
\gset

-- Names are known where one works.
CREATE FUNCTION pg_temp.name_for(who uuid, person uuid, role text DEFAULT 'authenticated', OUT name text) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('request.jwt.claims', CASE WHEN who IS NULL THEN '' ELSE jsonb_build_object('sub', who)::text END, true);
    EXECUTE format('SET LOCAL ROLE %I', role);
    SELECT steward.staff_name(person) INTO name;
    RESET ROLE;
END $$;
SELECT is(pg_temp.name_for(:'tim', :'tara'), 'Tara', 'a colleague has a name'), is(pg_temp.name_for(:'tim', :'ed'), NULL, 'somebody of another organisation has none'),
       is(pg_temp.name_for(:'tim', :'nobody'), NULL, 'nor who is not staff'), is(pg_temp.name_for(:'nobody', :'tara'), NULL, 'and none is told to such a one'), is(pg_temp.name_for(NULL, :'ed', 'service_role'), 'Ed', 'the trusted backend knows all');

-- ---------------------------------------------------------------- auto-assign
SELECT (d).status, (d).body, (d).body ->> 'assignment_id' AS first
  FROM pg_temp.call(:'tim', 'assignments_auto_assign', '{"work_item_id": "ticket-001", "work_item_type": "ticket", "required_skills": ["arabic"], "priority": "normal", "correlation_id": "c-1"}') d
\gset
SELECT is(:status, 200, 'somebody is found: 200'), is(:'body'::jsonb ->> 'assignee_id', :'tara', 'of two equal ones the one who can do more'),
       is(:'body'::jsonb ->> 'assignee_name', 'Tara', 'who is named'), is((:'body'::jsonb ->> 'time_remaining_seconds')::int, 172800, 'with 48 hours left'),
       is(:'body'::jsonb ->> 'sla_status', 'ok', 'which is well'), is(:'body'::jsonb ->> 'status', 'assigned', 'the status is assigned'),
       is(:'body'::jsonb ->> 'priority', 'normal', 'the priority the one asked for'), is((:'body'::jsonb ->> 'score')::numeric, 95.0, 'and the score is told'),
       is(:'body'::jsonb ->> 'success', 'true', 'the envelope says success'), is(:'body'::jsonb ->> 'correlationId', 'c-1', 'and whose answer it is'),
       ok(:'body'::jsonb ? 'assigned_at' AND :'body'::jsonb ? 'sla_deadline' AND :'body'::jsonb ? 'id', 'nothing of the documented shape is missing');
SELECT results_eq($$SELECT assignee_id::text, status::text, sla_deadline - assigned_at FROM assignments WHERE work_item_id = 'ticket-001'$$,
    format($$VALUES (%L, 'assigned', interval '48 hours')$$, :'tara'), 'the row says the same');
SELECT is((d).status, 200, 'the same item again is no error'), is((d).body ->> 'assignment_id', :'first', 'and the same assignment'),
       is((d).body ->> 'duplicate', 'true', 'marked as a duplicate')
  FROM pg_temp.call(:'sue', 'assignments_auto_assign', '{"work_item_id": "ticket-001", "work_item_type": "ticket", "required_skills": ["arabic"], "priority": "low"}') d;
SELECT is((d).status, 200, 'a skill may be named by id, in capitals too, or in Arabic')
  FROM pg_temp.call(:'tim', 'assignments_auto_assign', jsonb_build_object('work_item_id', 'ticket-002', 'work_item_type', 'ticket', 'priority', 'normal',
                    'required_skills', jsonb_build_array(upper(:'arabic'), 'كتابة'))) d;
SELECT is((d).status, 200, 'somebody with the target unit is preferred') , is((d).body ->> 'unit_id', :'analysis', 'and is of that unit')
  FROM pg_temp.call(:'tim', 'assignments_auto_assign', jsonb_build_object('work_item_id', 'd-1', 'work_item_type', 'dossier', 'priority', 'urgent',
                    'required_skills', '["analysis"]'::jsonb, 'target_unit_id', :'analysis')) d;
SELECT is((d).status, 200, 'explaining is for who leads'), is((d).body ->> 'would', 'assigned', 'it says what would happen'),
       ok(jsonb_array_length((d).body -> 'candidates') >= 4, 'with everybody looked at')
  FROM pg_temp.call(:'sue', 'assignments_auto_assign', '{"work_item_id": "t-x", "work_item_type": "ticket", "required_skills": ["arabic"], "priority": "normal", "explain": "true"}') d;
SELECT is((d).status, 403, 'and not for staff')
  FROM pg_temp.call(:'tim', 'assignments_auto_assign', '{"work_item_id": "t-x", "work_item_type": "ticket", "required_skills": ["arabic"], "priority": "normal", "explain": true}') d;
SELECT is(count(*), 0::bigint, 'nothing was written') FROM assignments WHERE work_item_id = 't-x';

SELECT pg_temp.fill(:'tara', 'fill-tara-', 3), pg_temp.fill(:'tim', 'fill-tim-', 5), pg_temp.fill(:'sue', 'fill-sue-', 8)
\gset
SELECT (d).status, (d).body FROM pg_temp.call(:'tim', 'assignments_auto_assign', '{"work_item_id": "ticket-006", "work_item_type": "ticket", "required_skills": ["arabic"], "priority": "urgent"}') d
\gset
SELECT is(:status, 202, 'everybody is full: 202'), is(:'body'::jsonb ->> 'queued', 'true', 'it is queued'), is(:'body'::jsonb ->> 'queue_position', '1', 'as the first'),
       is(:'body'::jsonb ->> 'reason', 'All staff at WIP limit', 'for this reason'), is((:'body'::jsonb ->> 'attempts')::int, 0, 'not tried again yet'),
       ok(:'body'::jsonb ? 'queue_id' AND :'body'::jsonb ? 'queued_at' AND :'body'::jsonb ? 'estimated_wait_minutes' AND :'body'::jsonb ? 'estimated_assignment_time', 'with an estimate, if there is any'),
       matches(:'body'::jsonb ->> 'queued_at', '^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$', 'moments are ISO 8601 in UTC');
SELECT is(priority::text, 'urgent', 'the row says the same') FROM assignment_queue WHERE id = (:'body'::jsonb ->> 'queue_id')::uuid;
SELECT is((d).status, 202, 'asking again'), is((d).body ->> 'queue_id', :'body'::jsonb ->> 'queue_id', 'finds it in the queue'), is((d).body ->> 'duplicate', 'true', 'and says so')
  FROM pg_temp.call(:'tim', 'assignments_auto_assign', '{"work_item_id": "ticket-006", "work_item_type": "ticket", "required_skills": ["arabic"], "priority": "urgent"}') d;
SELECT is((d).status, 404, 'a user who is not staff has no organisation to assign in'), is((d).body ->> 'code', 'RESOURCE_NOT_FOUND', 'and is told so')
  FROM pg_temp.call(:'nobody', 'assignments_auto_assign', '{"work_item_id": "n", "work_item_type": "ticket", "required_skills": ["arabic"], "priority": "normal"}') d;
SELECT is((d).body ->> 'code', 'INVALID_WORK_ITEM_TYPE', format('a type that is none has its own code: %s', o.operation))
  FROM (VALUES ('assignments_auto_assign', '{"work_item_id": "n", "work_item_type": "riddle", "required_skills": ["arabic"], "priority": "normal"}'::jsonb), ('assignments_queue', '{"work_item_type": "riddle"}'),
               ('escalations_report', '{"work_item_type": "riddle"}')) o(operation, request), pg_temp.call(:'sue', o.operation, o.request) d;
BEGIN;
SELECT pg_temp.give(:'tim', 'done-today') \gset
UPDATE assignments SET status = 'completed' WHERE work_item_id = 'done-today';
SELECT is((d).status, 202, 'where something was done today'), cmp_ok(((d).body ->> 'estimated_wait_minutes')::int, '>', 0, 'a wait can be estimated'),
       is((d).body ->> 'estimated_assignment_time', steward.iso(steward.now() + make_interval(mins => ((d).body ->> 'estimated_wait_minutes')::int)), 'and its end')
  FROM pg_temp.call(:'tim', 'assignments_auto_assign', '{"work_item_id": "estimated", "work_item_type": "ticket", "required_skills": ["arabic"], "priority": "normal"}') d;
ROLLBACK;

-- ---------------------------------------------------------------- manual override
CREATE FUNCTION pg_temp.override(who uuid, item text, assignee uuid, more jsonb DEFAULT '{}', OUT status int, OUT body jsonb) LANGUAGE sql AS $$
    SELECT c.status, c.body FROM pg_temp.call(who, 'assignments_manual_override',
        jsonb_build_object('work_item_id', item, 'work_item_type', 'ticket', 'assignee_id', assignee, 'override_reason', 'she knows this customer') || more) c
$$;
SELECT (d).status, (d).body FROM pg_temp.override(:'sue', 'o-1', :'tara') d
\gset
SELECT is(:status, 200, 'a supervisor gives work to her own people'), is(:'body'::jsonb ->> 'assigned_by', :'sue', 'and is named'), is(:'body'::jsonb ->> 'override_by', :'sue', 'in both words'),
       is(:'body'::jsonb ->> 'override_reason', 'she knows this customer', 'with the reason'), is(:'body'::jsonb ->> 'status', 'assigned', 'assigned'),
       is(:'body'::jsonb ->> 'priority', 'normal', 'normal where nothing was said'), is(:'body'::jsonb ->> 'capacity_warning', 'Assignee is at or over WIP limit (5/5)', 'with a warning'),
       ok(:'body'::jsonb ?& '{created_at,updated_at,assigned_at,sla_deadline,assignee_name}', 'nothing of the documented shape is missing');
SELECT is((d).status, 200, 'an administrator gives work to anybody'), ok(NOT (d).body ? 'capacity_warning', 'without a warning where there is room') FROM pg_temp.override(:'ada', 'o-2', :'ann') d;
SELECT is((d).status, 409, 'an item that somebody has is a conflict'), is((d).body ->> 'error', 'Work item already has active assignment', 'in these words'), is((d).body ->> 'code', 'ALREADY_ASSIGNED', 'with this code')
  FROM pg_temp.override(:'ada', 'o-2', :'tara') d;
SELECT is((d).status, 403, 'a supervisor takes nothing from another unit') FROM pg_temp.override(:'sue', 'o-2', :'tara', '{"reassign": true}') d;
SELECT is((d).status, 200, 'an administrator does, when told to'), is((d).body ->> 'reassigned', 'true', 'and it is said') FROM pg_temp.override(:'ada', 'o-2', :'tara', '{"reassign": "true"}') d;
-- What was flagged for review stays where it is when whoever leads says so.
BEGIN;
SELECT pg_temp.give(:'tara', 'o-flagged', urgency => 'high', age => '1 hour') AS flagged
\gset
UPDATE assignments SET needs_review = true, review_reason = 'staff on leave', flagged_at = steward.now(), override_reason = 'as before' WHERE id = :'flagged';
SELECT is((d).status, 409, 'a flagged item is a conflict, too') FROM pg_temp.override(:'sue', 'o-flagged', :'tara') d;
SELECT is((d).status, 403, 'which another unit''s supervisor does not settle') FROM pg_temp.override(:'sam', 'o-flagged', :'tara', '{"reassign": true}') d;
SELECT ok(needs_review, 'it waits for somebody to decide') FROM assignments WHERE id = :'flagged';
SELECT is((d).status, 200, 'the unit''s does'), is((d).body ->> 'assignment_id', :'flagged', 'it is the same assignment'), is((d).body -> 'needs_review', 'false', 'without the flag'),
       is((d).body -> 'reassigned', 'false', 'nobody else has it'), is((d).body ->> 'override_by', :'sue', 'by whom is told'), is((d).body ->> 'override_reason', 'she knows this customer', 'and why')
  FROM pg_temp.override(:'sue', 'o-flagged', :'tara', '{"reassign": true}') d;
SELECT is(num_nonnulls(review_reason, flagged_at), 0, 'nothing of the flag is left'), is(assignee_id, :'tara', 'the assignee is the same'), is(sla_deadline, assigned_at + interval '24 hours', 'and so is the promise'),
       is(steward.now() - assigned_at, interval '1 hour', 'which began when it did'), is(reassigned_from, NULL, 'it came from nobody'), is(priority::text, 'high', 'and is as urgent') FROM assignments WHERE id = :'flagged';
SELECT is(action, 'assignment_manual_override', 'the history knows'), is(actor_id, :'sue', 'who'), is(detail ->> 'reason', 'she knows this customer', 'why'), is(detail ->> 'reviewed', 'staff on leave', 'and what about')
  FROM assignment_history WHERE assignment_id = :'flagged' ORDER BY id DESC LIMIT 1;
SELECT is((d).status, 409, 'once it is settled it is a conflict again') FROM pg_temp.override(:'sue', 'o-flagged', :'tara', '{"reassign": true}') d;
ROLLBACK;
SELECT is((d).status, 403, 'staff override nothing'), matches((d).body ->> 'error', 'Insufficient permissions', 'in these words'), is((d).body ->> 'code', 'INSUFFICIENT_PERMISSIONS', 'with this code')
  FROM pg_temp.override(:'tim', 'o-3', :'tim') d;
SELECT is((d).status, 403, 'a supervisor gives no work to another unit') FROM pg_temp.override(:'sue', 'o-3', :'ann') d;
SELECT is((d).status, 400, 'a user of another organisation is no assignee'), matches((d).body ->> 'error', 'Invalid assignee_id', 'in these words'), is((d).body ->> 'field', 'assignee_id', 'the field is named')
  FROM pg_temp.override(:'sue', 'o-3', :'ed') d;
SELECT is((d).status, 400, 'nor is somebody who is not staff') FROM pg_temp.override(:'ada', 'o-3', :'nobody') d;
SELECT is((d).body ->> 'error', 'override_reason is required', 'a reason is needed') FROM pg_temp.override(:'sue', 'o-3', :'tara', '{"override_reason": null}') d;
SELECT is((d).body ->> 'error', 'override_reason must be at least 10 characters', 'a real one') FROM pg_temp.override(:'sue', 'o-3', :'tara', '{"override_reason": "because"}') d;
SELECT is((d).body ->> 'error', 'override_reason must be at least 10 characters', 'of more than spaces') FROM pg_temp.override(:'sue', 'o-3', :'tara', '{"override_reason": "because            "}') d;
SELECT is((d).body ->> 'field', 'required_skills', 'a skill of another organisation does not exist') FROM pg_temp.override(:'sue', 'o-3', :'tara', jsonb_build_object('required_skills', jsonb_build_array(:'foreign_skill'))) d;
SELECT is(count(*), 0::bigint, 'none of this wrote anything') FROM assignments WHERE work_item_id = 'o-3';
SELECT is((d).status, 200, 'a queued item may be given to somebody') FROM pg_temp.override(:'sue', 'ticket-006', :'tim') d;
SELECT is(count(*), 0::bigint, 'and waits no more') FROM assignment_queue WHERE work_item_id = 'ticket-006';
SELECT results_eq($$SELECT actor_id::text, detail ->> 'wip' FROM assignment_history WHERE action = 'assignment_manual_override' AND work_item_id = 'ticket-006'$$,
    format($$VALUES (%L, '5/5')$$, :'sue'), 'the history knows who and how full');

-- ---------------------------------------------------------------- the queue
INSERT INTO assignment_queue (work_item_id, work_item_type, required_skills, priority, target_unit_id, created_at, notes)
SELECT q.item, q.kind::work_item_type, ARRAY[:'arabic'::uuid], q.urgency::priority_level, q.unit::uuid, steward.now() - q.age::interval, 'a note'
  FROM (VALUES ('q-normal', 'ticket', 'normal', :'translation', '5 min'), ('q-high', 'ticket', 'high', :'translation', '8 min'), ('q-urgent-2', 'dossier', 'urgent', :'translation', '1 min'),
               ('q-urgent-1', 'ticket', 'urgent', :'translation', '2 min'), ('q-other', 'ticket', 'low', :'analysis', '10 min'), ('q-any', 'task', 'low', NULL, '3 min')) q(item, kind, urgency, unit, age);
INSERT INTO assignment_queue (work_item_id, work_item_type, required_skills, priority, organization_id) VALUES ('q-foreign', 'ticket', ARRAY[:'foreign_skill'::uuid], 'urgent', :'another') RETURNING id AS foreign_queued
\gset
CREATE FUNCTION pg_temp.queue(who uuid, request jsonb DEFAULT '{}', role text DEFAULT 'authenticated', OUT status int, OUT body jsonb, OUT items text) LANGUAGE sql AS $$
    SELECT c.status, c.body, (SELECT string_agg(i ->> 'work_item_id', ' ' ORDER BY n) FROM jsonb_array_elements(c.body -> 'items') WITH ORDINALITY e(i, n))
      FROM pg_temp.call(who, 'assignments_queue', request, role) c
$$;
SELECT is((d).items, 'q-urgent-1 q-urgent-2 q-high q-normal q-any', 'a supervisor sees what waits for her unit or for any: urgent first, then oldest'),
       is(jsonb_path_query_array((d).body, '$.items[*].queue_position'), '[1, 2, 3, 4, 6]', 'with positions in the queue'), is(jsonb_path_query_array((d).body, '$.items[*].position'), '[1, 2, 3, 4, 5]', 'and in this list'),
       is((d).body ->> 'total_count', '5', 'five in all'), is((d).body ->> 'total_count_exact', 'true', 'exactly'), is((d).body -> 'pagination', '{"page": 1, "page_size": 50, "total_items": 5, "total_pages": 1}', 'also in the nested shape'),
       is((d).body #> '{items,0,required_skills}', jsonb_build_array(jsonb_build_object('skill_id', :'arabic', 'skill_name_en', 'arabic', 'skill_name_ar', 'عربي')), 'skills have their names'),
       ok((d).body #> '{items,0}' ?& '{id,queue_id,created_at,queued_at,attempts,last_attempt_at,notes,target_unit_id,priority,work_item_type}', 'nothing of the documented shape is missing')
  FROM pg_temp.queue(:'sue') d;
SELECT is((d).items, 'q-urgent-1 q-urgent-2 q-high q-normal q-other q-any', 'an administrator sees all of the organisation, and of no other') FROM pg_temp.queue(:'ada') d;
BEGIN;
INSERT INTO staff_profiles (user_id, unit_id, role) VALUES (:'ada', :'elsewhere', 'admin');
SELECT is((d).items, 'q-urgent-1 q-urgent-2 q-high q-normal q-other q-any', 'who works in several calls for the default one'), is((e).items, 'q-foreign', 'unless another is named')
  FROM pg_temp.queue(:'ada') d, pg_temp.queue(:'ada', jsonb_build_object('organization_id', :'another')) e;
ROLLBACK;
BEGIN;
INSERT INTO assignment_queue (work_item_id, work_item_type, required_skills, priority) SELECT 'many ' || i, 'position', '{}', 'low' FROM generate_series(1, 300) i;
SELECT is((d).body -> 'total_count', '250', 'two hundred behind the page are counted'), is((d).body -> 'total_count_exact', 'false', 'and it is said that there may be more') FROM pg_temp.queue(:'ada', '{"work_item_type": "position"}') d;
SELECT is((d).body -> 'total_count', '300', 'further on'), is((d).body -> 'total_count_exact', 'true', 'there are no more') FROM pg_temp.queue(:'ada', '{"work_item_type": "position", "page": 3}') d;
ROLLBACK;
SELECT is((d).status, 403, 'a supervisor gives nobody what waits for another unit') FROM pg_temp.override(:'sue', 'q-other', :'tara') d;
SELECT is(count(*), 1::bigint, 'and it waits on') FROM assignment_queue WHERE work_item_id = 'q-other';
SELECT is((d).items, 'q-foreign', 'nor do others see this one') FROM pg_temp.queue(:'eve') d;
SELECT is((d).status, 403, 'staff see no queue') FROM pg_temp.queue(:'tim') d;
SELECT is((d).status, 404, 'who is not staff has no profile'), is((d).body ->> 'error', 'Staff profile not found', 'in these words') FROM pg_temp.queue(:'nobody') d;
SELECT is((d).items, 'q-urgent-1 q-urgent-2', 'filtered by priority') FROM pg_temp.queue(:'sue', '{"priority": "urgent"}') d;
SELECT is((d).items, 'q-urgent-2', 'filtered by type') FROM pg_temp.queue(:'sue', '{"work_item_type": "dossier"}') d;
SELECT is((d).items, 'q-urgent-1 q-urgent-2 q-high q-normal', 'filtered by unit') FROM pg_temp.queue(:'ada', jsonb_build_object('unit_id', :'translation')) d;
SELECT is((d).items, 'q-urgent-1 q-urgent-2 q-high q-normal', 'a supervisor may name her own unit') FROM pg_temp.queue(:'sue', jsonb_build_object('unit_id', :'translation')) d;
SELECT is((d).status, 403, 'and no other') FROM pg_temp.queue(:'sue', jsonb_build_object('unit_id', :'analysis')) d;
SELECT is((d).status, 404, 'one of another organisation is not there'), is((d).body ->> 'error', 'Organizational unit not found', 'in these words') FROM pg_temp.queue(:'ada', jsonb_build_object('unit_id', :'elsewhere')) d;
SELECT is((a).items, 'q-urgent-1 q-urgent-2', 'the first page'), is((b).items, 'q-high q-normal', 'the second'), is((c).items, 'q-any', 'the last'), is((a).body ->> 'has_next_page', 'true', 'more follow'),
       is((c).body ->> 'has_next_page', 'false', 'until the end'), is((c).body #>> '{items,0,position}', '5', 'positions go on'), is((a).body ->> 'total_pages', '3', 'of three'), is((z).body -> 'items', '[]', 'behind it is nothing')
  FROM pg_temp.queue(:'sue', '{"page_size": 2}') a, pg_temp.queue(:'sue', '{"page": "2", "page_size": "2"}') b, pg_temp.queue(:'sue', '{"page": 3, "page_size": 2}') c, pg_temp.queue(:'sue', '{"page": 4, "page_size": 2}') z;
-- A cursor goes on behind what was seen, whatever came before it or went.
CREATE FUNCTION pg_temp.pages(who uuid, operation text, request jsonb, list text, meanwhile text DEFAULT 'SELECT') RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    answer record;
    seen   text[] := '{}';
BEGIN
    LOOP
        SELECT * INTO answer FROM pg_temp.call(who, operation, request);
        IF answer.status <> 200 THEN
            RETURN answer.status || ' ' || (answer.body ->> 'error');
        END IF;
        seen := seen || (SELECT COALESCE(string_agg(COALESCE(i ->> 'position', '') || (i ->> 'work_item_id'), ' ' ORDER BY n), 'nothing') FROM jsonb_array_elements(answer.body -> list) WITH ORDINALITY e(i, n));
        EXIT WHEN answer.body ->> 'next_cursor' IS NULL OR cardinality(seen) > 10;
        request := (request - 'page' - 'offset') || jsonb_build_object('cursor', answer.body -> 'next_cursor');
        EXECUTE meanwhile;
    END LOOP;
    RETURN array_to_string(seen, ' | ');
END $$;
SELECT is(pg_temp.pages(who, 'assignments_queue', request, 'items'), pages, format('by cursor: %s of %s', request, name))
  FROM (VALUES (:'sue'::uuid, 'a supervisor', '{"page_size": 2}'::jsonb, '1q-urgent-1 2q-urgent-2 | 3q-high 4q-normal | 5q-any'), (:'sue', 'a supervisor', '{"page_size": 2, "page": 2}', '3q-high 4q-normal | 5q-any'),
               (:'sue', 'a supervisor', '{"page_size": 1, "priority": "urgent"}', '1q-urgent-1 | 2q-urgent-2'), (:'sue', 'a supervisor', '{"page_size": 5}', '1q-urgent-1 2q-urgent-2 3q-high 4q-normal 5q-any'),
               (:'ada', 'an administrator', '{"page_size": 4}', '1q-urgent-1 2q-urgent-2 3q-high 4q-normal | 5q-other 6q-any'), (:'ada', 'an administrator', '{"page_size": 1, "work_item_type": "task"}', '1q-any'),
               (:'tara', 'staff', '{"page_size": 1}', '403 Insufficient permissions')) v(who, name, request, pages);
BEGIN;
SELECT is(pg_temp.pages(:'sue', 'assignments_queue', '{"page_size": 2}', 'items', $$DELETE FROM assignment_queue WHERE work_item_id LIKE 'q-urgent%'$$), '1q-urgent-1 2q-urgent-2 | 3q-high 4q-normal | 5q-any', 'what was seen and went makes nobody miss the next');
ROLLBACK;
SELECT is((d).status || ' ' || ((d).body ->> 'field'), '400 cursor', format('no cursor: %s', c)) FROM unnest(ARRAY['x', '00', 'zz', encode('[1]', 'hex'), encode('"a"', 'hex'), encode('{}', 'hex'), encode('{"place": -1, "priority": "low", "moment": "2026-01-01", "id": "00000000-0000-0000-0000-000000000000"}', 'hex'),
       encode('{"place": 1, "priority": "lowest", "moment": "2026-01-01", "id": "00000000-0000-0000-0000-000000000000"}', 'hex'), encode('{"place": 1e99, "priority": "low", "moment": "2026-01-01", "id": "1"}', 'hex')]) c, pg_temp.queue(:'sue', jsonb_build_object('cursor', c)) d;
SELECT is((d).status || ' ' || ((d).body ->> 'error'), '400 cursor goes without page', 'a cursor or a page') FROM pg_temp.queue(:'sue', '{"page": 2, "cursor": "00"}') d;
SELECT is((d).body ->> 'page_size', '100', 'a page has at most a hundred') FROM pg_temp.queue(:'sue', '{"page_size": 1000}') d;
SELECT is((d).body -> 'items', '[]', 'an empty queue is an empty list'), is((d).body ->> 'total_count', '0', 'of zero') FROM pg_temp.queue(:'sue', '{"priority": "normal", "work_item_type": "position"}') d;
SELECT is((d).items, 'q-urgent-1 q-urgent-2 q-high q-normal q-other q-any', 'the trusted backend sees the default organisation'), is((e).items, 'q-foreign', 'or the one that it names')
  FROM pg_temp.queue(NULL, '{}', 'service_role') d, pg_temp.queue(NULL, jsonb_build_object('organization_id', :'another'), 'service_role') e;
SELECT is((d).status, 400, 'which must exist'), is((d).body ->> 'field', 'organization_id', 'it is named') FROM pg_temp.queue(NULL, '{"organization_id": "00000000-0000-0000-0000-000000000001"}', 'service_role') d;
SELECT is((d).status, 404, 'a user is not let into an organisation by naming it') FROM pg_temp.queue(:'ada', jsonb_build_object('organization_id', :'another')) d;

-- ---------------------------------------------------------------- my assignments
SELECT pg_temp.staff(:'translation', 'Mia', '{rare}', 10) AS mia
\gset
SELECT pg_temp.give(:'mia', 'm-ok', 'ticket', 'normal', '2 hours') AS m_ok, pg_temp.give(:'mia', 'm-warning', 'position', 'urgent', '3 hours 30 min') AS m_warning,
       pg_temp.give(:'mia', 'm-breached', 'dossier', 'normal', '50 hours') AS m_breached, pg_temp.give(:'mia', 'm-done', 'ticket', 'low', '1 hour') AS m_done
\gset
UPDATE assignments SET status = 'in_progress' WHERE id = :'m_warning';
UPDATE assignments SET status = 'completed' WHERE id = :'m_done';
CREATE FUNCTION pg_temp.mine(who uuid, request jsonb DEFAULT '{}', OUT status int, OUT body jsonb, OUT items text) LANGUAGE sql AS $$
    SELECT c.status, c.body, (SELECT string_agg(i ->> 'work_item_id', ' ' ORDER BY n) FROM jsonb_array_elements(c.body -> 'assignments') WITH ORDINALITY e(i, n))
      FROM pg_temp.call(who, 'assignments_my_assignments', request) c
$$;
SELECT is((d).items, 'm-breached m-warning m-ok', 'what is open, by deadline'), is(jsonb_path_query_array((d).body, '$.assignments[*].sla_status'), '["breached", "warning", "ok"]', 'and how it stands'),
       is((SELECT array_agg(round((i ->> 'time_remaining_seconds')::numeric / 60) ORDER BY n) FROM jsonb_array_elements((d).body -> 'assignments') WITH ORDINALITY e(i, n)), '{-120,30,2760}', 'negative when it is over'), is((d).body ->> 'total_count', '3', 'three'),
       is((d).body -> 'summary', '{"active_count": 3, "total_assignments": 3, "assigned": 2, "in_progress": 1, "at_risk_count": 1, "at_risk": 1, "breached_count": 1, "breached": 1}', 'and a summary'),
       ok((d).body #> '{assignments,0}' ?& '{id,assignment_id,work_item_id,work_item_type,work_item_title,assigned_at,sla_deadline,priority,status,warning_sent,warning_sent_at,escalated,escalated_at,escalation_recipient_id,escalation_recipient_name}',
          'nothing of the documented shape is missing')
  FROM pg_temp.mine(:'mia') d;
UPDATE sla_configs SET warning_threshold_pct = 2 WHERE work_item_type = 'ticket' AND priority = 'normal';
SELECT pg_temp.give(:'mia', 'm-early', 'ticket', 'normal', '2 hours') AS m_early
\gset
SELECT is((d).body #>> '{assignments,0,sla_status}', 'warning', 'the configured share decides') FROM pg_temp.mine(:'mia', '{"offset": 3, "limit": 1}') d;
UPDATE sla_configs SET warning_threshold_pct = 75 WHERE work_item_type = 'ticket' AND priority = 'normal';
DELETE FROM assignments WHERE work_item_id = 'm-early';
SELECT is((d).items, 'm-warning', 'filtered by status') FROM pg_temp.mine(:'mia', '{"status": "in_progress"}') d;
SELECT is((d).items, 'm-breached m-warning m-ok', 'by several'), is((e).items, 'm-breached m-warning m-ok', 'also as a text') FROM pg_temp.mine(:'mia', '{"status": ["assigned", "in_progress"]}') d, pg_temp.mine(:'mia', '{"status": "assigned,in_progress"}') e;
SELECT is((d).items, 'm-breached m-warning m-ok m-done', 'what is done only on demand'), is((d).body #>> '{assignments,3,sla_status}', 'ok', 'and as it stood then') FROM pg_temp.mine(:'mia', '{"include_completed": "true"}') d;
SELECT is((d).items, 'm-done', 'or by its status') FROM pg_temp.mine(:'mia', '{"status": ["completed"]}') d;
BEGIN;
SET LOCAL session_replication_role = replica;
UPDATE assignments SET sla_started_at = steward.now() - interval '9 h', warn_at = steward.now() - interval '3 h', sla_deadline = steward.now() - interval '1 h', completed_at = steward.now() - interval '2 h' WHERE id = :'m_done';
INSERT INTO assignments (organization_id, work_item_id, work_item_type, assignee_id, unit_id, sla_started_at, warn_at, sla_deadline, priority, status, completed_at)
SELECT organization_id, 'm-done ' || i, 'ticket', assignee_id, unit_id, sla_started_at, warn_at, sla_deadline + i * interval '1 s', priority, status, completed_at FROM assignments, generate_series(1, 299) i WHERE id = :'m_done';
SET LOCAL session_replication_role = origin;
SELECT is((d).body #>> '{assignments,0,sla_status}', 'warning', 'what was done near its deadline was, though that is over by now'), is((d).body #>> '{assignments,0,time_remaining_seconds}', '3600', 'with an hour left'),
       is((d).body -> 'total_count', '250', 'two hundred behind the list are counted'), is((d).body -> 'total_count_exact', 'false', 'and it is said that there may be more') FROM pg_temp.mine(:'mia', '{"status": "completed", "limit": 50}') d;
SELECT is((d).body -> 'total_count', '300', 'further on'), is((d).body -> 'total_count_exact', 'true', 'there are no more') FROM pg_temp.mine(:'mia', '{"status": "completed", "limit": 50, "offset": 100}') d;
ROLLBACK;
BEGIN;
INSERT INTO staff_profiles (user_id, unit_id) VALUES (:'mia', :'elsewhere');
INSERT INTO assignments (work_item_id, work_item_type, assignee_id, priority, organization_id) VALUES ('m-elsewhere', 'ticket', :'mia', 'low', :'another');
SELECT is((d).items, 'm-breached m-warning m-ok m-elsewhere', 'who works in several has the work of all'), is((e).items, 'm-elsewhere', 'or of the one that is named'), is((e).body #> '{summary,active_count}', '1', 'summed up, too')
  FROM pg_temp.mine(:'mia') d, pg_temp.mine(:'mia', jsonb_build_object('organization_id', :'another')) e;
ROLLBACK;
SELECT pg_temp.give(:'mia', 'm-named') AS named \gset
SELECT is((d).status, 404, o.operation || ' in an organisation of others'), is((d).body ->> 'error', 'Staff profile not found', 'in the words of the other operations')
  FROM (VALUES ('assignments_my_assignments', '{}'::jsonb), ('assignments_update_status', jsonb_build_object('assignment_id', :'named', 'status', 'in_progress')),
               ('assignments_escalate', jsonb_build_object('assignment_id', :'named', 'reason', 'manual')), ('queue_escalate', jsonb_build_object('queue_id', :'named')),
               ('escalations_acknowledge', jsonb_build_object('escalation_id', :'named'))) o(operation, request),
       unnest(ARRAY[:'another', '00000000-0000-0000-0000-000000000001']) organization,
       LATERAL (SELECT pg_temp.call(:'mia', o.operation, o.request || jsonb_build_object('organization_id', organization)) AS d) a;
SELECT is(status, 'assigned', 'and nothing is done'), is(escalated_at, NULL, 'at all') FROM assignments WHERE id = :'named';
DELETE FROM assignments WHERE id = :'named';
SELECT is((d).items, 'm-warning', 'a part of it'), is((d).body ->> 'total_count', '3', 'of three'), is((d).body #>> '{summary,active_count}', '3', 'the summary is of all') FROM pg_temp.mine(:'mia', '{"limit": 1, "offset": 1}') d;
SELECT is(pg_temp.pages(:'mia', 'assignments_my_assignments', request, 'assignments'), pages, format('by cursor: %s', request))
  FROM (VALUES ('{"limit": 2}'::jsonb, 'm-breached m-warning | m-ok'), ('{"limit": 1, "offset": 1}', 'm-warning | m-ok'), ('{"limit": 3, "include_completed": true}', 'm-breached m-warning m-ok | m-done'), ('{"limit": 3}', 'm-breached m-warning m-ok'),
               ('{"limit": 1, "offset": 1, "cursor": "00"}', '400 cursor goes without offset'), ('{"cursor": "00"}', '400 cursor must be the next_cursor of an answer')) v(request, pages);
SELECT is((d).body ->> 'limit', '200', 'at most two hundred') FROM pg_temp.mine(:'mia', '{"limit": 5000}') d;
SELECT is((d).body -> 'assignments', '[]', 'nothing is an empty list'), is((d).status, 200, 'and no error') FROM pg_temp.mine(:'nobody') d;
SELECT is((d).body #>> '{summary,active_count}', '8', 'a supervisor''s own work is not the unit''s') FROM pg_temp.mine(:'sue') d;
SELECT is((d).status, 401, 'the trusted backend has no work of its own') FROM pg_temp.call(NULL, 'assignments_my_assignments', '{}', 'service_role') d;

-- ---------------------------------------------------------------- escalating by hand
CREATE FUNCTION pg_temp.escalate(who uuid, assignment uuid, more jsonb DEFAULT '{}', role text DEFAULT 'authenticated', OUT status int, OUT body jsonb) LANGUAGE sql AS $$
    SELECT c.status, c.body FROM pg_temp.call(who, 'assignments_escalate', jsonb_build_object('assignment_id', assignment, 'reason', 'manual', 'notes', 'please look') || more, role) c
$$;
SELECT (d).status, (d).body, (d).body ->> 'escalation_id' AS escalation FROM pg_temp.escalate(:'mia', :'m_ok') d
\gset
SELECT is(:status, 200, 'the assignee escalates'), is(:'body'::jsonb ->> 'escalated_from_id', :'mia', 'from herself'), is(:'body'::jsonb ->> 'escalated_to_id', :'sue', 'to the supervisor'), is(:'body'::jsonb ->> 'escalated_to_name', 'Sue', 'who is named'),
       is(:'body'::jsonb ->> 'reason', 'manual', 'for this reason'), is(:'body'::jsonb ->> 'notification_sent', 'true', 'people are told'), is(jsonb_array_length(:'body'::jsonb -> 'notifications_sent'), 2, 'both'),
       ok(:'body'::jsonb ?& '{assignment_id,escalated_at}', 'nothing of the documented shape is missing');
SELECT is(notes, 'please look', 'the notes are kept') FROM escalation_events WHERE id = :'escalation';
SELECT is((d).body #>> '{assignments,0,escalated}', 'true', 'the list shows it'), is((d).body #>> '{assignments,0,escalation_recipient_name}', 'Sue', 'and to whom') FROM pg_temp.mine(:'mia', '{"limit": 1, "offset": 2}') d;
SELECT results_eq($$SELECT recipient_id::text, payload ->> 'message_en' FROM notification_outbox WHERE notification_type = 'assignment_escalated' ORDER BY 2$$,
    format($$VALUES (%L, 'You have an escalated assignment: ticket m-ok'), (%L, 'ticket m-ok was escalated to supervisor')$$, :'sue', :'mia'), 'two notifications');
SELECT is((d).status, 409, 'not twice'), matches((d).body ->> 'error', 'already escalated', 'in these words'), is((d).body ->> 'code', 'ALREADY_ESCALATED', 'with this code'), is((d).body #>> '{details,escalation_id}', :'escalation', 'and which')
  FROM pg_temp.escalate(:'sue', :'m_ok') d;
SELECT is((d).status, 409, 'nor what is done'), is((d).body ->> 'code', 'ASSIGNMENT_NOT_ACTIVE', 'with this code') FROM pg_temp.escalate(:'mia', :'m_done') d;
SELECT is((d).status, 404, 'nor what is not there'), is((d).body ->> 'error', 'Assignment not found', 'in these words') FROM pg_temp.escalate(:'mia', gen_random_uuid()) d;
SELECT is((d).status, 403, 'a colleague does not'), is((d).body ->> 'error', 'Insufficient permissions', 'in these words') FROM pg_temp.escalate(:'tim', :'m_warning') d;
SELECT is((d).status, 403, 'nor another unit''s supervisor') FROM pg_temp.escalate(:'sam', :'m_warning') d;
SELECT is((d).status, 404, 'for another organisation it does not exist') FROM pg_temp.escalate(:'eve', :'m_warning') d;
SELECT is((d).status, 404, 'nor for who is not staff') FROM pg_temp.escalate(:'nobody', :'m_warning') d;
SELECT matches((d).body ->> 'error', 'Invalid escalation reason', 'a reason is one of three') FROM pg_temp.escalate(:'mia', :'m_warning', '{"reason": "boredom"}') d;
SELECT is((d).status, 400, 'a breach that is none is refused'), is((d).body ->> 'field', 'reason', 'and the field named') FROM pg_temp.escalate(:'mia', :'m_warning', '{"reason": "sla_breach"}') d;
SELECT is((d).status, 200, 'an administrator escalates anything'), isnt((d).body ->> 'escalated_to_id', NULL, 'to somebody') FROM pg_temp.escalate(:'ada', :'m_warning', '{"reason": "capacity_exhaustion"}') d;
SELECT is((d).status, 200, 'and so does the trusted backend') FROM pg_temp.escalate(NULL, :'m_breached', '{"reason": "sla_breach"}', 'service_role') d;

CREATE FUNCTION pg_temp.acknowledge(who uuid, escalation uuid, more jsonb DEFAULT '{}', OUT status int, OUT body jsonb) LANGUAGE sql AS $$
    SELECT c.status, c.body FROM pg_temp.call(who, 'escalations_acknowledge', jsonb_build_object('escalation_id', escalation) || more) c
$$;
SELECT is((d).status, 403, 'who escalated does not answer') FROM pg_temp.acknowledge(:'mia', :'escalation') d;
SELECT is((d).status, 404, 'for another organisation it does not exist'), is((d).body ->> 'error', 'Escalation not found', 'in these words') FROM pg_temp.acknowledge(:'eve', :'escalation') d;
SELECT is((d).status, 200, 'the recipient does'), isnt((d).body ->> 'acknowledged_at', NULL, 'it is acknowledged'), is((d).body ->> 'notes', 'on my way', 'with notes'), is((d).body ->> 'resolved_at', NULL, 'not settled')
  FROM pg_temp.acknowledge(:'sue', :'escalation', '{"notes": "on my way"}') d;
SELECT is((d).status, 200, 'a second time is no error'), is((d).body ->> 'duplicate', 'true', 'but a duplicate') FROM pg_temp.acknowledge(:'sue', :'escalation') d;
SELECT is((d).status, 200, 'then it is settled'), isnt((d).body ->> 'resolved_at', NULL, 'and says when') FROM pg_temp.acknowledge(:'sue', :'escalation', '{"resolve": true}') d;
SELECT is((d).status, 200, 'afterwards it may be escalated anew') FROM pg_temp.escalate(:'mia', :'m_ok') d;

SELECT id AS queued FROM assignment_queue WHERE work_item_id = 'q-high'
\gset
CREATE FUNCTION pg_temp.escalate_queued(who uuid, queued uuid, more jsonb DEFAULT '{}', OUT status int, OUT body jsonb) LANGUAGE sql AS $$
    SELECT c.status, c.body FROM pg_temp.call(who, 'queue_escalate', jsonb_build_object('queue_id', queued, 'reason', 'capacity_exhaustion', 'notes', 'nobody free') || more) c
$$;
SELECT is((d).status, 403, 'staff do not escalate the queue') FROM pg_temp.escalate_queued(:'tim', :'queued') d;
BEGIN;
UPDATE assignment_queue SET requested_by = :'tim' WHERE id = :'queued';
SELECT is((d).status, 200, 'but what they asked for'), is((d).body ->> 'escalated_from_id', :'tim', 'in their own name') FROM pg_temp.escalate_queued(:'tim', :'queued') d;
ROLLBACK;
SELECT is((d).status, 404, 'for another organisation it is not there') FROM pg_temp.escalate_queued(:'eve', :'queued') d;
SELECT is((d).status, 404, 'nor theirs here'), is((d).body ->> 'error', 'Queued item not found', 'in these words') FROM pg_temp.escalate_queued(:'ada', :'foreign_queued') d;
SELECT is((d).status, 200, 'a supervisor does'), is((d).body ->> 'reason', 'capacity_exhaustion', 'for want of capacity'), is((d).body ->> 'queue_id', :'queued', 'naming it'), isnt((d).body ->> 'escalated_to_id', :'sue', 'and not to herself')
  FROM pg_temp.escalate_queued(:'sue', :'queued') d;
SELECT is((d).status, 409, 'not twice') FROM pg_temp.escalate_queued(:'ada', :'queued') d;
SELECT is((d).body ->> 'field', 'reason', 'for no other reason') FROM pg_temp.escalate_queued(:'ada', :'queued', '{"reason": "manual"}') d;

-- ---------------------------------------------------------------- status
CREATE FUNCTION pg_temp.move(who uuid, assignment uuid, state text, more jsonb DEFAULT '{}', OUT status int, OUT body jsonb) LANGUAGE sql AS $$
    SELECT c.status, c.body FROM pg_temp.call(who, 'assignments_update_status', jsonb_build_object('assignment_id', assignment, 'status', state) || more) c
$$;
SELECT is((d).status, 200, 'the assignee begins'), is((d).body ->> 'status', 'in_progress', 'it is in progress'), is((d).body ->> 'previous_status', 'assigned', 'and was assigned'), is((d).body ->> 'version', '1', 'the version grew')
  FROM pg_temp.move(:'mia', :'m_ok', 'in_progress', '{"version": 0}') d;
SELECT is((d).status, 409, 'A01: the second of two stale writers gets 409'), is((d).body ->> 'code', 'VERSION_CONFLICT', 'with this code'), is((d).body -> 'details', '{"version": 1, "status": "in_progress"}', 'and how it is now'), is((d).body ->> 'field', 'version', 'the field is named')
  FROM pg_temp.move(:'sue', :'m_ok', 'cancelled', '{"version": 0}') d;
SELECT is((d).status, 200, 'what it is already is no error'), is((d).body ->> 'updated', 'false', 'and no change'), is((d).body ->> 'version', '1', 'nor a new version') FROM pg_temp.move(:'mia', :'m_ok', 'in_progress') d;
SELECT is((d).status, 409, 'there is no way back'), is((d).body -> 'details', '{"from": "in_progress", "to": "assigned", "allowed": ["completed", "cancelled"]}', 'and the ways there are, are told'), is((d).body ->> 'code', 'INVALID_STATUS_TRANSITION', 'with this code')
  FROM pg_temp.move(:'mia', :'m_ok', 'assigned') d;
SELECT is((d).status, 403, 'a colleague moves nothing') FROM pg_temp.move(:'tim', :'m_ok', 'completed') d;
SELECT is((d).status, 404, 'for another organisation it does not exist') FROM pg_temp.move(:'ed', :'m_ok', 'completed') d;
SELECT is((d).status, 200, 'the supervisor may'), isnt((d).body ->> 'completed_at', NULL, 'and it has its end') FROM pg_temp.move(:'sue', :'m_ok', 'completed') d;
SELECT is((d).body #> '{details,allowed}', '[]', 'which is the end') FROM pg_temp.move(:'sue', :'m_ok', 'in_progress') d;
INSERT INTO assignments (work_item_id, work_item_type, assignee_id, priority, status) VALUES ('m-pending', 'task', :'mia', 'low', 'pending') RETURNING id AS pending
\gset
SELECT is((d).status, 409, 'nobody assigns by changing a status'), is((d).body #> '{details,allowed}', '["cancelled"]', 'past the limits') FROM pg_temp.move(:'mia', :'pending', 'assigned') d;

-- ---------------------------------------------------------------- capacity
INSERT INTO organizational_units (name_en, name_ar, unit_wip_limit) VALUES ('Capacity', 'سعة', 20) RETURNING id AS room
\gset
SELECT pg_temp.staff(:'room', 'C3') AS c3, pg_temp.staff(:'room', 'C2') AS c2, pg_temp.staff(:'room', 'C1') AS c1, pg_temp.staff(:'room', 'C4', '{}', 5) AS c4,
       pg_temp.staff(:'room', 'C5', '{}', 5, 'supervisor') AS c5
\gset
SELECT pg_temp.fill(:'c3', 'c3-', 3), pg_temp.fill(:'c2', 'c2-', 2), pg_temp.fill(:'c1', 'c1-', 1), pg_temp.fill(:'c4', 'c4-', 4)
\gset
CREATE FUNCTION pg_temp.capacity(who uuid, person uuid, unit uuid, OUT status int, OUT body jsonb) LANGUAGE sql AS $$
    SELECT c.status, c.body FROM pg_temp.call(who, 'capacity_check', jsonb_strip_nulls(jsonb_build_object('staff_id', person, 'unit_id', unit))) c
$$;
SELECT is((d).status, 200, 'everybody may know the own load'), is((d).body ->> 'type', 'individual', 'a person'), is((d).body ->> 'current_count', '3', '3'), is((d).body ->> 'wip_limit', '5', 'of 5'), is((d).body ->> 'limit', '5', 'in both words'),
       is((d).body ->> 'available_capacity', '2', '2 left'), is((d).body -> 'utilization_pct', '60.0', '60 %'), is((d).body ->> 'status', 'ok', 'is ok'), is((d).body ->> 'capacity_status', 'available', 'available'),
       is((d).body -> 'breakdown', '{"assigned": 3, "in_progress": 0, "completed_today": 0}', 'in detail')
  FROM pg_temp.capacity(:'c3', :'c3', NULL) d;
SELECT is((d).body -> 'utilization_pct', '80.00', '4 of 5 are 80 %'), is((d).body ->> 'status', 'warning', 'which is a warning'), is((d).body ->> 'capacity_status', 'near_limit', 'near the limit') FROM pg_temp.capacity(:'c5', :'c4', NULL) d;
SELECT is((d).body ->> 'status', 'critical', '5 of 5 is critical'), is((d).body ->> 'capacity_status', 'at_limit', 'at the limit'), is((d).body ->> 'available_capacity', '0', 'nothing left, never negative') FROM pg_temp.capacity(:'sue', :'tim', NULL) d;
SELECT is((d).body ->> 'current_count', '10', 'a unit of 3, 2, 1 and 4'), is((d).body -> 'utilization_pct', '50.00', 'is at 50 % of 20'), is((d).body ->> 'total_staff', '5', 'all five'), is((d).body ->> 'active_assignments', '10', 'the same that the limit is held against'),
       is((d).body ->> 'type', 'unit', 'a unit'), is((d).body ->> 'status', 'ok', 'ok'), is(jsonb_array_length((d).body -> 'staff_members'), 5, 'one by one'),
       is((d).body -> 'breakdown', '{"available_staff": 5, "staff_at_limit": 0, "total_capacity": 25, "used_capacity": 10}', 'in detail')
  FROM pg_temp.capacity(:'c5', NULL, :'room') d;
UPDATE staff_profiles SET availability_status = 'on_leave' WHERE user_id = :'c4';
SELECT is((d).body ->> 'current_count', '6', 'who is on leave is not counted'), is((d).body ->> 'total_staff', '4', 'nor as staff'), is((d).body ->> 'available_capacity', '14', 'room as the documents count it'),
       is((d).body ->> 'active_assignments', '10', 'but that work is still there'), is((d).body ->> 'assignable_capacity', '10', 'and takes the room') FROM pg_temp.capacity(:'ada', NULL, :'room') d;
BEGIN;
UPDATE staff_profiles SET individual_wip_limit = 2 WHERE user_id IN (:'c3', :'c2', :'c4');
UPDATE assignments SET status = 'completed' WHERE work_item_id = 'c1-1';
SELECT pg_temp.give(:'c1', 'yesterday', age => '3 days') \gset
UPDATE assignments SET status = 'completed', completed_at = date_trunc('day', steward.now(), 'UTC') - interval '1 s' WHERE work_item_id = 'yesterday';
SELECT is((d).body #> '{breakdown,staff_at_limit}', '2', 'of a unit those are counted who are there and full') FROM pg_temp.capacity(:'ada', NULL, :'room') d;
SELECT is((d).body -> 'breakdown', '{"assigned": 0, "in_progress": 0, "completed_today": 1}', 'what was done today, and not the second before') FROM pg_temp.capacity(:'c1', :'c1', NULL) d;
ROLLBACK;
SELECT is(steward.load_json(load, most) ->> 'utilization_level', level, format('%s of %s is %s', load, most, level))
  FROM (VALUES (0, 4, 'available'), (2, 4, 'available'), (3, 4, 'high_utilization'), (9, 10, 'at_capacity'), (4, 4, 'at_capacity'), (5, 4, 'over_capacity')) l(load, most, level);
SELECT is((d).status, 403, 'a colleague''s load is not shown') FROM pg_temp.capacity(:'c3', :'c2', NULL) d;
SELECT is((d).status, 403, 'nor a unit''s to its staff') FROM pg_temp.capacity(:'c3', NULL, :'room') d;
SELECT is((d).status, 403, 'nor another unit''s to a supervisor') FROM pg_temp.capacity(:'sue', NULL, :'room') d;
SELECT is((d).status, 403, 'nor its people''s') FROM pg_temp.capacity(:'sue', :'c3', NULL) d;
SELECT is((d).status, 200, 'an administrator sees any') FROM pg_temp.capacity(:'ada', :'c3', NULL) d;
SELECT is((d).body ->> 'error', 'Staff member not found', 'somebody who is not there') FROM pg_temp.capacity(:'ada', gen_random_uuid(), NULL) d;
SELECT is((d).status, 404, 'or elsewhere') FROM pg_temp.capacity(:'ada', :'ed', NULL) d;
SELECT is((d).body ->> 'error', 'Organizational unit not found', 'a unit that is not there'), is((d).status, 404, 'is a 404') FROM pg_temp.capacity(:'ada', NULL, :'elsewhere') d;
SELECT is((d).body ->> 'error', 'Either staff_id or unit_id must be provided', 'neither is too few'), is((d).status, 400, 'a bad request') FROM pg_temp.capacity(:'ada', NULL, NULL) d;
SELECT is((d).body ->> 'error', 'Cannot provide both staff_id and unit_id', 'both are too many'), is((d).status, 400, 'a bad request') FROM pg_temp.capacity(:'ada', :'c3', :'room') d;
SELECT is((d).status, 200, 'the trusted backend sees a unit of the organisation that it names') FROM pg_temp.call(NULL, 'capacity_check', jsonb_build_object('unit_id', :'elsewhere', 'organization_id', :'another'), 'service_role') d;

-- ---------------------------------------------------------------- availability
INSERT INTO organizational_units (name_en, name_ar, unit_wip_limit) VALUES ('Leave', 'إجازة', 30) RETURNING id AS holiday
\gset
INSERT INTO skills (name_en, name_ar) VALUES ('diving', 'غوص'), ('flying', 'طيران');
SELECT pg_temp.staff(:'holiday', 'Lee', '{diving}', 8) AS lee, pg_temp.staff(:'holiday', 'Lou', '{diving}', 8) AS lou, pg_temp.staff(:'holiday', 'Lea', '{}', 5, 'supervisor') AS lea, pg_temp.staff(:'holiday', 'Leo', '{flying}') AS leo
\gset
INSERT INTO assignments (work_item_id, work_item_type, assignee_id, priority, required_skills)
SELECT l.item, l.kind::work_item_type, :'lee', l.urgency::priority_level, ARRAY(SELECT id FROM skills WHERE name_en = 'diving')
  FROM (VALUES ('l-1', 'ticket', 'urgent'), ('l-2', 'ticket', 'urgent'), ('l-3', 'dossier', 'high'), ('l-4', 'ticket', 'normal'), ('l-5', 'ticket', 'low')) l(item, kind, urgency);
INSERT INTO assignments (work_item_id, work_item_type, assignee_id, priority, required_skills) SELECT 'f-1', 'ticket', :'leo', 'urgent', ARRAY[id] FROM skills WHERE name_en = 'flying';
CREATE FUNCTION pg_temp.availability(who uuid, person uuid, state text, more jsonb DEFAULT '{}', OUT status int, OUT body jsonb) LANGUAGE sql AS $$
    SELECT c.status, c.body FROM pg_temp.call(who, 'staff_availability', jsonb_strip_nulls(jsonb_build_object('staff_id', person, 'status', state)) || more) c
$$;
SELECT (d).status, (d).body FROM pg_temp.availability(:'lee', NULL, 'on_leave', jsonb_build_object('unavailable_until', to_char(steward.now() + interval '13 days', 'YYYY-MM-DD'), 'reason', 'the sea')) d
\gset
SELECT is(:status, 200, 'somebody goes on leave'), is(:'body'::jsonb ->> 'updated', 'true', 'it is done'), is(:'body'::jsonb ->> 'staff_id', :'lee', 'for the caller'), is(:'body'::jsonb ->> 'status', 'on_leave', 'with this status'), is(:'body'::jsonb ->> 'reason', 'the sea', 'and reason'),
       matches(:'body'::jsonb ->> 'unavailable_until', 'T00:00:00.000Z$', 'until the beginning of that day in UTC'), is(:'body'::jsonb ->> 'availability_source', 'manual', 'said by that one'),
       is((SELECT array_agg(i ->> 'work_item_id' ORDER BY i ->> 'work_item_id') FROM jsonb_array_elements(:'body'::jsonb -> 'reassigned_items') i), '{l-1,l-2,l-3}', 'urgent and high move'), is(:'body'::jsonb #>> '{reassigned_items,0,new_assignee_id}', :'lou', 'to who fits'),
       is(:'body'::jsonb #>> '{reassigned_items,0,new_assignee_name}', 'Lou', 'who is named'), is(jsonb_path_query_array(:'body'::jsonb, '$.flagged_for_review[*].work_item_id'), '["l-4", "l-5"]', 'normal and low are flagged'),
       is(jsonb_array_length(:'body'::jsonb -> 'notifications_sent'), 1, 'one is told'), is(:'body'::jsonb #>> '{notifications_sent,0,recipient_id}', :'lea', 'the supervisor'), ok(NOT :'body'::jsonb ? 'reassignment_warning', 'no warning');
SELECT results_eq(format($$SELECT work_item_id, needs_review FROM assignments WHERE assignee_id = %L ORDER BY 1$$, :'lee'), $$VALUES ('l-4', true), ('l-5', true)$$, 'flagged ones stay where they are');
SELECT is((d).status, 200, 'back again'), ok(NOT (d).body ?| '{reassigned_items,flagged_for_review}', 'nothing is moved'), is((d).body -> 'unavailable_until', 'null', 'the end is gone'), is((d).body -> 'reason', 'null', 'and the reason')
  FROM pg_temp.availability(:'lee', :'lee', 'available') d;
SELECT is((d).status, 200, 'a supervisor says so for her people'), is((d).body ->> 'availability_source', 'supervisor_override', 'which is noted'), matches((d).body ->> 'reassignment_warning', 'No available capacity', 'with a warning where nobody fits'),
       is(jsonb_path_query_array((d).body, '$.flagged_for_review[*].work_item_id'), '["f-1"]', 'and that item is flagged'), is((d).body -> 'reassigned_items', '[]', 'not moved')
  FROM pg_temp.availability(:'lea', :'leo', 'unavailable') d;
SELECT is((d).status, 200, 'an administrator for anybody') FROM pg_temp.availability(:'ada', :'leo', 'available') d;
SELECT is((d).body ->> 'availability_source', 'hr_system', 'the trusted backend is the personnel system') FROM pg_temp.call(NULL, 'staff_availability', jsonb_build_object('staff_id', :'leo', 'status', 'available'), 'service_role') d;
SELECT is((d).body ->> 'field', 'staff_id', 'which has to say whom it means') FROM pg_temp.call(NULL, 'staff_availability', '{"status": "available"}', 'service_role') d;
SELECT is((d).status, 403, 'a colleague does not'), matches((d).body ->> 'error', 'Insufficient permissions', 'in these words') FROM pg_temp.availability(:'lou', :'lee', 'on_leave') d;
SELECT is((d).status, 403, 'nor another unit''s supervisor') FROM pg_temp.availability(:'sue', :'lee', 'on_leave') d;
SELECT is((d).status, 404, 'somebody of another organisation is not there') FROM pg_temp.availability(:'ada', :'ed', 'on_leave') d;
SELECT is((d).status, 404, 'nor who is not staff') FROM pg_temp.availability(:'ada', :'nobody', 'on_leave') d;
SELECT matches((d).body ->> 'error', 'Invalid availability status', 'the status is one of three') FROM pg_temp.availability(:'lee', NULL, 'asleep') d;
SELECT is((d).status, 400, 'the end lies ahead'), is((d).body ->> 'error', 'unavailable_until must be in the future', 'in these words'), is((d).body ->> 'field', 'unavailable_until', 'the field is named')
  FROM pg_temp.availability(:'lee', NULL, 'on_leave', '{"unavailable_until": "2020-01-01T00:00:00Z"}') d;
SELECT is(availability_status::text, 'available', 'a refusal changes nothing') FROM staff_profiles WHERE user_id = :'lee';

-- ---------------------------------------------------------------- the report
INSERT INTO organizational_units (name_en, name_ar, unit_wip_limit) VALUES ('Report', 'تقرير', 30) RETURNING id AS reporting
\gset
SELECT pg_temp.staff(:'reporting', 'Rae', '{}', 9) AS rae, pg_temp.staff(:'reporting', 'Roy', '{}', 5, 'supervisor') AS roy
\gset
-- A Saturday, the Sunday after it, and the Saturday six days later: two weeks.
INSERT INTO assignments (work_item_id, work_item_type, assignee_id, priority, assigned_at)
SELECT 'r-' || i, CASE i WHEN 1 THEN 'dossier' ELSE 'ticket' END::work_item_type, :'rae', 'low', '2025-03-01T00:00:00Z'::timestamptz FROM generate_series(1, 4) i;
INSERT INTO escalation_events (assignment_id, escalated_to_id, reason, escalated_at)
SELECT a.id, :'roy', e.reason::escalation_reason, e.moment::timestamptz
  FROM (VALUES ('r-1', 'sla_breach', '2025-03-08T23:59:59Z'), ('r-1', 'manual', '2025-03-09T00:00:00Z'), ('r-2', 'sla_breach', '2025-03-15T12:00:00Z')) e(item, reason, moment) JOIN assignments a ON a.work_item_id = e.item;
UPDATE assignments SET status = 'completed', completed_at = '2025-03-20T00:00:00Z' WHERE work_item_id IN ('r-1', 'r-2');
DELETE FROM assignments WHERE work_item_id = 'r-1';
INSERT INTO assignments (work_item_id, work_item_type, assignee_id, priority, assigned_at, organization_id) VALUES ('r-elsewhere', 'ticket', :'ed', 'low', '2025-03-01T00:00:00Z', :'another');
INSERT INTO escalation_events (assignment_id, escalated_to_id, reason, escalated_at) SELECT id, :'eve', 'sla_breach', '2025-03-08T23:59:59Z' FROM assignments WHERE work_item_id = 'r-elsewhere';
CREATE FUNCTION pg_temp.report(who uuid, more jsonb DEFAULT '{}', OUT status int, OUT body jsonb) LANGUAGE sql AS $$
    SELECT c.status, c.body FROM pg_temp.call(who, 'escalations_report', '{"start_date": "2025-03-01", "end_date": "2025-03-31T23:59:59Z"}' || more) c
$$;
SELECT is((d).status, 200, 'a supervisor reads the report'),
       is((d).body -> 'summary', '{"total_escalations": 3, "affected_assignments": 2, "most_common_reason": "sla_breach", "avg_escalations_per_day": 0.10}', 'in all, with what is in the archive'),
       is((d).body -> 'time_series', '[{"date": "2025-03-08", "count": 1, "reason_breakdown": {"sla_breach": 1, "manual": 0, "capacity_exhaustion": 0}}, {"date": "2025-03-09", "count": 1, "reason_breakdown": {"sla_breach": 0, "manual": 1, "capacity_exhaustion": 0}},
           {"date": "2025-03-15", "count": 1, "reason_breakdown": {"sla_breach": 1, "manual": 0, "capacity_exhaustion": 0}}]', 'day by day'),
       is((d).body -> 'by_unit', jsonb_build_array(jsonb_build_object('unit_id', :'reporting', 'unit_name', 'Report', 'unit_name_ar', 'تقرير', 'escalation_count', 3, 'percentage', 100.0)), 'by unit'),
       is((d).body -> 'by_assignee', jsonb_build_array(jsonb_build_object('assignee_id', :'rae', 'assignee_name', 'Rae', 'escalation_count', 3, 'total_assignments', 4, 'escalation_rate', 50.0)), 'by person: two of four'),
       is((d).body -> 'by_work_type', '[{"work_item_type": "dossier", "escalation_count": 2, "percentage": 66.67}, {"work_item_type": "ticket", "escalation_count": 1, "percentage": 33.33}]', 'by type'),
       is((d).body -> 'metadata', '{"start_date": "2025-03-01T00:00:00.000Z", "end_date": "2025-03-31T23:59:59.000Z", "group_by": "day", "filters": {}}', 'and what was asked')
  FROM pg_temp.report(:'roy') d;
SELECT is(jsonb_path_query_array((d).body, '$.time_series[*].date'), '["2025-03-02", "2025-03-09"]', 'weeks begin on Sunday') FROM pg_temp.report(:'roy', '{"group_by": "week"}') d;
SELECT is(jsonb_path_query_array((d).body, '$.time_series[*].count'), '[3]', 'months are months') FROM pg_temp.report(:'roy', '{"group_by": "month"}') d;
SELECT is((d).body #>> '{summary,total_escalations}', '0', 'no time, no escalations'), is((d).body #>> '{summary,most_common_reason}', 'none', 'nor a reason'), is((d).body -> 'time_series', '[]', 'nor a series')
  FROM pg_temp.report(:'roy', '{"start_date": "2024-01-01", "end_date": "2024-02-01"}') d;
SELECT is(jsonb_path_query_array((d).body, '$.by_unit[*].unit_id'), jsonb_build_array(:'reporting'), 'one unit') FROM pg_temp.report(:'ada', jsonb_build_object('unit_id', :'reporting')) d;
SELECT is((d).body #>> '{summary,total_escalations}', '1', 'one reason') FROM pg_temp.report(:'ada', '{"reason": "manual"}') d;
SELECT is((d).body #>> '{summary,total_escalations}', '2', 'one type') FROM pg_temp.report(:'ada', '{"work_item_type": "dossier"}') d;
SELECT is((d).body #>> '{summary,total_escalations}', '3', 'one person') FROM pg_temp.report(:'ada', jsonb_build_object('assignee_id', :'rae')) d;
SELECT is((d).body #>> '{summary,total_escalations}', '0', 'and not another') FROM pg_temp.report(:'ada', jsonb_build_object('assignee_id', :'tara')) d;
SELECT is((d).body #> '{summary,avg_escalations_per_day}', '2.00', 'two in an hour are two a day') FROM pg_temp.report(:'ada', '{"start_date": "2025-03-08T23:30:00Z", "end_date": "2025-03-09T00:30:00Z"}') d;
SELECT is((d).body #>> '{summary,total_escalations}', '1', 'the trusted backend sees one organisation at a time') FROM pg_temp.call(NULL, 'escalations_report', jsonb_build_object('start_date', '2025-03-01', 'end_date', '2025-03-31', 'organization_id', :'another'), 'service_role') d;
SELECT is((d).body #>> '{summary,total_escalations}', '3', 'staff see what was escalated from them, archived or not') FROM pg_temp.report(:'rae') d;
SELECT is((d).body #>> '{summary,total_escalations}', '0', 'and of nobody else') FROM pg_temp.report(:'tim') d;
SELECT is((d).body #>> '{summary,total_escalations}', '0', 'another organisation sees nothing') FROM pg_temp.report(:'eve', jsonb_build_object('unit_id', :'reporting')) d;
SELECT is((d).status, 200, 'who is not staff sees an empty report'), is((d).body #>> '{summary,total_escalations}', '0', 'of nothing') FROM pg_temp.report(:'nobody') d;
SELECT is((d).body #>> '{summary,total_escalations}', '3', 'the trusted backend sees the organisation') FROM pg_temp.call(NULL, 'escalations_report', '{"start_date": "2025-03-01", "end_date": "2025-03-31"}', 'service_role') d;
SELECT is((d).body ->> 'field', 'start_date', 'time runs forward') FROM pg_temp.report(:'roy', '{"start_date": "2026-01-01"}') d;
SELECT is((d).status, 200, 'the last thirty days, unless told otherwise') FROM pg_temp.call(:'ada', 'escalations_report', '{}') d;

-- ---------------------------------------------------------------- health
SELECT is((d).status, 200, 'the engine is well'), is((d).body - '{correlationId,version}'::text[], '{"success": true, "status": "healthy", "checks": {"database": "connected", "pg_cron_jobs": 4, "realtime": "enabled", "edge_functions": 7}}', 'in the words of the guide')
  FROM pg_temp.call(NULL, 'health_assignment_engine', '{}') d;
-- Each alone is enough.
BEGIN;
UPDATE steward.job_schedule SET enabled = false WHERE name = 'sla-monitoring';
SELECT is((d).body ->> 'status', 'degraded', 'or not'), is((d).body -> 'checks', '{"database": "connected", "pg_cron_jobs": 3, "realtime": "enabled", "edge_functions": 7}', 'for want of a job') FROM pg_temp.call(NULL, 'health_assignment_engine', '{}') d;
ROLLBACK;
BEGIN;
ALTER PUBLICATION supabase_realtime DROP TABLE assignment_queue;
SELECT is((d).body ->> 'status', 'degraded', 'or not'), is((d).body -> 'checks', '{"database": "connected", "pg_cron_jobs": 4, "realtime": "disabled", "edge_functions": 7}', 'for want of a table that is published') FROM pg_temp.call(NULL, 'health_assignment_engine', '{}') d;
ROLLBACK;
BEGIN;
REVOKE EXECUTE ON FUNCTION api.capacity_check(jsonb) FROM authenticated;
SELECT is((d).body ->> 'status', 'degraded', 'or not'), is((d).body -> 'checks', '{"database": "connected", "pg_cron_jobs": 4, "realtime": "enabled", "edge_functions": 6}', 'for want of an operation') FROM pg_temp.call(NULL, 'health_assignment_engine', '{}') d;
ROLLBACK;

-- ---------------------------------------------------------------- claims
CREATE FUNCTION pg_temp.operations() RETURNS SETOF text LANGUAGE sql AS $$
    SELECT proname::text FROM pg_proc WHERE pronamespace = 'api'::regnamespace AND proname NOT LIKE 'match%' ORDER BY 1
$$;
SELECT set_eq('SELECT * FROM pg_temp.operations()', '{assignments_auto_assign,assignments_escalate,assignments_manual_override,assignments_my_assignments,assignments_queue,assignments_update_status,capacity_check,escalations_acknowledge,escalations_report,health_assignment_engine,queue_escalate,staff_availability}'::text[], 'these are the operations');
-- For each one a request with which nothing is wrong.
CREATE TEMPORARY TABLE valid (operation text PRIMARY KEY, request jsonb);
INSERT INTO valid VALUES
    ('assignments_auto_assign', '{"work_item_id": "v-1", "work_item_type": "ticket", "required_skills": ["arabic"], "priority": "normal"}'),
    ('assignments_manual_override', jsonb_build_object('work_item_id', 'v-2', 'work_item_type', 'ticket', 'assignee_id', :'ann', 'override_reason', 'because I say so', 'priority', 'normal')),
    ('assignments_queue', '{}'), ('assignments_my_assignments', '{}'), ('assignments_escalate', jsonb_build_object('assignment_id', :'m_warning', 'reason', 'manual')),
    ('assignments_update_status', jsonb_build_object('assignment_id', :'m_warning', 'status', 'in_progress')), ('escalations_acknowledge', jsonb_build_object('escalation_id', :'escalation')),
    ('queue_escalate', jsonb_build_object('queue_id', :'queued')), ('capacity_check', jsonb_build_object('staff_id', :'ada')), ('staff_availability', '{"status": "available"}'), ('escalations_report', '{}');
CREATE FUNCTION pg_temp.claims(claims text, operation text, request jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    answer record;
BEGIN
    PERFORM set_config('request.jwt.claims', claims, true);
    SET LOCAL ROLE authenticated;
    EXECUTE format('SELECT c.* FROM api.%I($1) c', operation) INTO answer USING request;
    RESET ROLE;
    RETURN concat_ws(' ', answer.status, answer.body ->> 'code', answer.body ->> 'error');
EXCEPTION WHEN OTHERS THEN
    RESET ROLE;
    RETURN SQLSTATE || ' ' || SQLERRM;
END $$;
SELECT is(pg_temp.claims(c.claims, v.operation, v.request), '401 AUTH_REQUIRED Unauthorized: the request names no user', format('%s with the claims "%s": 401', v.operation, c.claims))
  FROM valid v, (VALUES (''), ('{}'), ('{"sub": ""}'), ('{"sub": "user-123"}'), ('no json'), ('[]')) c(claims);
SELECT throws_ok(format('SET LOCAL ROLE anon; SELECT * FROM api.%I(''{}'')', o), '42501', NULL, format('%s is not for anon', o)) FROM pg_temp.operations() o;
RESET ROLE;

-- ---------------------------------------------------------------- bad input
-- Every field of every operation, with everything that could be wrong with it, asked
-- by an administrator, for whom only the input can be wrong.
CREATE FUNCTION pg_temp.bad(f steward.api_field) RETURNS TABLE (given jsonb) LANGUAGE sql AS $$
    SELECT 'null'::jsonb WHERE f.required
    UNION ALL SELECT g FROM unnest('{"{\"a\": 1}","[1]","[[\"assigned\"]]","[null]"}'::jsonb[]) g
    UNION ALL SELECT to_jsonb(array_fill(repeat('x', 100), ARRAY[CASE WHEN f.kind IN ('names', 'words') THEN 100000 ELSE 2000 END]))
    UNION ALL SELECT to_jsonb(repeat('x', CASE WHEN f.kind IN ('text', 'words') THEN 10000000 ELSE 200000 END))
    UNION ALL SELECT '7' WHERE f.kind NOT IN ('number', 'size')
    UNION ALL SELECT 'true' WHERE f.kind <> 'flag'
    UNION ALL SELECT to_jsonb(w) FROM unnest(ARRAY['perhaps', 'URGENT', '''', '''; DROP TABLE assignments; --', ' ', 'infinity', '-infinity', 'tomorrow', 'now', '2025-13-40', '2025-02-30',
                                 '2025-02-10T25:00:00Z', '2025-02-10T10:00:00+99:00', '10:00', 'J2451187', '+1', '1.5', '1e3', '0x10', 'NaN', '-1', '99999999999999999999', 'yes', 'TRUE']) w
                                WHERE f.kind NOT IN ('text', 'names')
    UNION ALL SELECT n FROM unnest('{-1,-2147483649,1.5,1e400}'::jsonb[]) n WHERE f.kind IN ('number', 'size')
    UNION ALL SELECT '99999999999' WHERE f.kind = 'number'
    UNION ALL SELECT '0' WHERE f.kind IN ('number', 'size') AND f.low > 0
    UNION ALL SELECT to_jsonb(u) FROM unnest(ARRAY['00000000-0000-0000-0000-00000000000', '00000000-0000-0000-0000-00000000000g', '{00000000-0000-0000-0000-000000000000}', E'00000000-0000-0000-0000-00000000000\n']) u
                                WHERE f.kind = 'uuid'
    UNION ALL SELECT '[]' WHERE f.kind IN ('names', 'words')
    UNION ALL SELECT s FROM unnest(ARRAY['["no such skill"]', '["arabic", "00000000-0000-0000-0000-000000000000"]', '["arabic''; DROP TABLE skills; --"]', '[""]', '["arabic", null]', '[{"id": 1}]']::jsonb[]) s WHERE f.kind = 'names'
    UNION ALL SELECT to_jsonb(repeat('x', f.high + 1)) WHERE f.kind = 'text'
    UNION ALL SELECT '"   "' WHERE f.kind = 'text' AND f.required
$$;
CREATE TEMPORARY TABLE judged AS
SELECT v.operation, f.field, left(b.given::text, 60) AS given, pg_temp.claims(jsonb_build_object('sub', :'ada')::text, v.operation, v.request || jsonb_build_object(f.field, b.given)) AS answer
  FROM valid v JOIN steward.api_field f ON f.operation IN (v.operation, '*') CROSS JOIN LATERAL pg_temp.bad(f) b;
SELECT cmp_ok(count(*), '>', 1000::bigint, 'every field with every bad value') FROM judged;
SELECT is(string_agg(concat_ws(' ', operation, field, given, '->', answer), E'\n'), NULL, 'all of them are answered, with 400') FROM judged WHERE answer !~ '^400 INVALID_(REQUEST_BODY|WORK_ITEM_TYPE) ';
SELECT is(string_agg(DISTINCT concat_ws(' ', operation, field, given, '->', answer), E'\n'), NULL, 'in words that name the field') FROM judged WHERE position(field IN answer) = 0 AND answer !~ 'there is no skill';
SELECT cmp_ok(max(length(answer)), '<', 300, 'and in few') FROM judged;
SELECT is(count(*), 0::bigint, 'none of them did anything') FROM assignments WHERE work_item_id LIKE 'v-%';

-- ---------------------------------------------------------------- past the operation
-- A user may call the answer itself, which says what the operation would, whatever the
-- request lacks.  All of it is undone.
CREATE FUNCTION pg_temp.outcome(who uuid, query text, request jsonb) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    answer text;
    state  text;
    field  text;
    words  text;
BEGIN
    PERFORM set_config('request.jwt.claims', jsonb_build_object('sub', who)::text, true);
    SET LOCAL ROLE authenticated;
    EXECUTE query INTO answer USING request;
    RESET ROLE;
    RAISE SQLSTATE 'ZZ000';
EXCEPTION
    WHEN SQLSTATE 'ZZ000' THEN
        RETURN answer;
    WHEN OTHERS THEN
        RESET ROLE;
        GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, field = COLUMN_NAME, words = MESSAGE_TEXT;
        RETURN CASE WHEN state LIKE 'PT___' THEN right(state, 3) WHEN words = 'insufficient permissions' THEN '403'
                    WHEN state IN ('22023', '23503', '23514') AND field <> '' THEN '400' ELSE state || ' ' || words END;
END $$;
INSERT INTO valid VALUES ('health_assignment_engine', '{}');
SELECT pg_temp.give(:'ann', 'v-3')
\gset
CREATE TEMPORARY TABLE asked AS
SELECT v.operation, p.name, r.request, pg_temp.outcome(p.who, format('SELECT status FROM api.%I($1)', v.operation), r.request) AS told,
       pg_temp.outcome(p.who, format('SELECT status FROM steward.%I($1)', 'answer_' || v.operation), r.request) AS told_directly
  FROM (SELECT x.operation, x.request FROM valid x
        UNION ALL
        SELECT x.operation, x.request || '{"work_item_id": "v-3", "reassign": true}' || jsonb_build_object('assignee_id', :'tim') FROM valid x WHERE x.operation = 'assignments_manual_override') v,
       -- With every field, and then without each, and with nothing at all.
       LATERAL (SELECT jsonb_object_agg(f.field, f.fallback) || v.request AS request FROM steward.api_field f WHERE f.operation IN (v.operation, '*')) w,
       LATERAL (SELECT w.request - f.field AS request FROM steward.api_field f WHERE f.operation IN (v.operation, '*')
                UNION ALL SELECT w.request || jsonb_build_object(f.field, NULL) FROM steward.api_field f WHERE f.operation IN (v.operation, '*')
                UNION ALL SELECT unnest(ARRAY[v.request, w.request, '{}', '[]', '7', NULL])) r,
       (VALUES (:'tim'::uuid, 'staff'), (:'sue', 'a supervisor'), (:'ada', 'an administrator'), (:'eve', 'another organisation''s')) p(who, name);
SELECT cmp_ok(count(*), '>', 500::bigint, 'every request without each field'), cmp_ok(count(DISTINCT operation), '=', 12::bigint, 'of every operation') FROM asked;
SELECT is(string_agg(concat_ws(' ', operation, name, request, '->', told_directly, 'and not', told), E'\n'), NULL, 'the answer says what the operation does')
  FROM asked WHERE told_directly IS DISTINCT FROM told;
SELECT is(string_agg(concat_ws(' ', operation, name, request, '->', told_directly), E'\n'), NULL, 'and refuses clearly') FROM asked WHERE told_directly !~ '^[245]\d\d$';
SELECT is(pg_temp.outcome(:'sue', 'SELECT status FROM steward.answer_assignments_manual_override($1)',
              jsonb_build_object('work_item_id', 'v-3', 'work_item_type', 'ticket', 'assignee_id', :'tim', 'override_reason', 'because I say')), '409',
          'what is another unit''s is not taken by a request that does not say whether to take it');
SELECT is(assignee_id, :'ann', 'and stays where it is') FROM assignments WHERE work_item_id = 'v-3';
UPDATE assignments SET status = 'cancelled' WHERE work_item_id = 'v-3';
SELECT is((d).body ->> 'field', f.field, format('%s: a bad %s is named as the field', v.operation, f.field))
  FROM valid v JOIN steward.api_field f USING (operation), pg_temp.call(:'ada', v.operation, v.request || jsonb_build_object(f.field, '{"a": 1}'::jsonb)) d;
SELECT is((d).status || ' ' || ((d).body ->> 'field'), '400 request', format('%s of %s is a bad request', o, COALESCE(r::text, 'nothing')))
  FROM pg_temp.operations() o, unnest('{null,[],[1],1,"\"text\"",true,NULL}'::jsonb[]) r, pg_temp.call(:'ada', o, r) d;
SELECT is((d).status, 400, 'unknown: ' || left(x.more::text, 60)), is((d).body ->> 'field', x.field, 'and the field is named')
  FROM (VALUES ('target_unit_id', jsonb_build_object('target_unit_id', gen_random_uuid())), ('target_unit_id', jsonb_build_object('target_unit_id', :'elsewhere')), ('required_skills', jsonb_build_object('required_skills', jsonb_build_array(:'foreign_skill'))),
               ('required_skills', jsonb_build_object('required_skills', array_fill('arabic'::text, '{101}')))) x(field, more),
       valid v, pg_temp.call(:'ada', v.operation, v.request || x.more) d WHERE v.operation = 'assignments_auto_assign';
SELECT throws_ok($$SELECT '{"work_item_id": "a\u0000b"}'::jsonb$$, '22P05', NULL, 'a NUL is refused before there is a request');
-- Text stays text.
SELECT is((d).status, 200, 'quotes, comments and controls in texts do nothing'), is((d).body ->> 'override_reason', r.reason, 'and come back as they were'), is((d).body ->> 'work_item_id', r.item, 'all of them'), is((d).body ->> 'correlationId', r.item, 'everywhere')
  FROM (VALUES ($$'); DROP TABLE assignments; --$$, E'it''s "so" \\ \n\t%s $1 :x ${y} {{z}} <script>')) r(item, reason),
       pg_temp.call(:'ada', 'assignments_manual_override', jsonb_build_object('work_item_id', r.item, 'work_item_type', 'task', 'assignee_id', :'ann', 'override_reason', r.reason, 'correlation_id', r.item)) d;
SELECT is((d).body ->> 'correlationId', 'mine', 'a refusal echoes the correlation, too') FROM pg_temp.call(:'ada', 'capacity_check', '{"correlation_id": "mine"}') d;

-- ---------------------------------------------------------------- the caller's patience, and faults that are nobody's input
SELECT dblink_connect('holder', format('host=%s port=%s user=%s dbname=%s', :'HOST', :'PORT', :'USER', current_database()))
\gset
SELECT dblink_exec('holder', 'BEGIN')
\gset
SELECT * FROM dblink('holder', format('SELECT id FROM organizational_units WHERE id = %L FOR UPDATE', :'analysis')) AS held(held uuid)
\gset
SELECT * FROM dblink('holder', format('SELECT user_id FROM staff_profiles WHERE user_id = %L FOR UPDATE', :'ann')) AS held(held uuid)
\gset
SELECT clock_timestamp() AS asked
\gset
BEGIN;
SET LOCAL statement_timeout = '1 s';
SELECT is((d).status, 504, 'a lock is held longer than the caller waits: 504'), is((d).body ->> 'code', 'STATEMENT_TIMEOUT', 'with this code'), ok((d).body ? 'correlationId', 'and an envelope')
  FROM pg_temp.call(:'ada', 'assignments_auto_assign', '{"work_item_id": "late-1", "work_item_type": "ticket", "required_skills": ["analysis"], "priority": "normal"}') d;
COMMIT;
SELECT is(current_setting('statement_timeout'), '0', 'the timeout ended with the transaction'), is(current_setting('role'), 'none', 'and the role');
SELECT ok(clock_timestamp() - :'asked'::timestamptz < interval '10 s', 'in time');
SELECT is(count(*), 0::bigint, 'nothing is half done') FROM (SELECT work_item_id FROM assignments UNION ALL SELECT work_item_id FROM assignment_queue UNION ALL SELECT work_item_id FROM assignment_history) x WHERE work_item_id = 'late-1';
BEGIN;
SET LOCAL statement_timeout = '700ms';
SELECT is((d).status, 504, 'leave that cannot begin: 504') FROM pg_temp.call(:'ann', 'staff_availability', '{"status": "on_leave"}') d;
COMMIT;
SELECT is(availability_status::text, 'available', 'and did not begin') FROM staff_profiles WHERE user_id = :'ann';
BEGIN;
SET LOCAL lock_timeout = '100ms';
SELECT is((d).status, 503, 'somebody else is in the way for too long: 503'), is((d).headers, '{"Retry-After": "1"}', 'with the advice to come again'), is((d).body ->> 'code', 'RESOURCE_BUSY', 'and this code'), ok((d).body ? 'correlationId', 'and an envelope')
  FROM pg_temp.call(:'ann', 'staff_availability', '{"status": "on_leave"}') d;
COMMIT;
SELECT is(availability_status::text, 'available', 'and nothing is half done') FROM staff_profiles WHERE user_id = :'ann';
SELECT dblink_exec('holder', 'ROLLBACK')
\gset
SELECT is((d).status, 200, 'with the lock gone it is as if it had never been asked') FROM pg_temp.call(:'ada', 'assignments_auto_assign', '{"work_item_id": "late-1", "work_item_type": "ticket", "required_skills": ["analysis"], "priority": "normal"}') d;
-- A deadlock, of which this side is the victim: the holder looks for one much later.
SELECT pg_temp.give(:'ann', 'circle') AS circle
\gset
SELECT dblink_exec('holder', 'BEGIN'), dblink_exec('holder', 'SET LOCAL deadlock_timeout = ''1 h''')
\gset
SELECT * FROM dblink('holder', format('SELECT id FROM organizational_units WHERE id = %L FOR UPDATE', :'analysis')) AS held(held uuid)
\gset
BEGIN;
SET LOCAL deadlock_timeout = '50ms';
INSERT INTO skills (id, name_en, name_ar) VALUES (md5('mine')::uuid, 'mine', 'mine');
SELECT dblink_send_query('holder', 'INSERT INTO skills (name_en, name_ar) VALUES (''mine'', ''mine'')')
\gset
DO $$ BEGIN PERFORM pg_stat_clear_snapshot(); WHILE NOT EXISTS (SELECT FROM pg_locks l WHERE NOT l.granted AND l.locktype = 'transactionid' AND l.transactionid = pg_current_xact_id()::xid) LOOP NULL; END LOOP; END $$;
SELECT is((d).status, 503, 'the victim of a deadlock is told the same'), is((d).headers, '{"Retry-After": "1"}', 'and when to come again')
  FROM pg_temp.call(:'ann', 'assignments_update_status', jsonb_build_object('assignment_id', :'circle', 'status', 'completed')) d;
SELECT is(status::text, 'assigned', 'and nothing is half done') FROM assignments WHERE id = :'circle';
ROLLBACK;
SELECT count(*) FROM dblink_get_result('holder') r(x text)
\gset
SELECT count(*) FROM dblink_get_result('holder') r(x text)
\gset
SELECT dblink_exec('holder', 'ROLLBACK')
\gset

-- Whoever has no right waits for nobody who has, and so learns nothing by waiting.
INSERT INTO assignment_queue (work_item_id, work_item_type, required_skills, priority, target_unit_id) VALUES ('held-q', 'ticket', '{}', 'low', :'translation') RETURNING id AS waiting
\gset
SELECT pg_temp.give(:'tara', 'held') AS held
\gset
INSERT INTO escalation_events (assignment_id, escalated_to_id, reason) VALUES (:'held', :'sue', 'manual') RETURNING id AS told
\gset
SELECT dblink_exec('holder', 'BEGIN')
\gset
SELECT * FROM dblink('holder', format('SELECT id FROM assignments WHERE id = %L FOR UPDATE', :'held')) AS held(held_a uuid), dblink('holder', format('SELECT id FROM assignment_queue WHERE id = %L FOR UPDATE', :'waiting')) AS w(held_q uuid),
              dblink('holder', format('SELECT id FROM escalation_events WHERE id = %L FOR UPDATE', :'told')) AS e(held_e uuid)
\gset
BEGIN;
SET LOCAL lock_timeout = '100ms';
SELECT is((d).status, w.status, format('%s for %s: %s', o.operation, w.name, w.status))
  FROM (VALUES (:'eve'::uuid, 'another organisation', 404), (:'ann', 'a colleague', 403), (:'ada', 'an administrator', 503)) w(who, name, status),
       (VALUES ('assignments_escalate', jsonb_build_object('assignment_id', :'held', 'reason', 'manual')), ('assignments_update_status', jsonb_build_object('assignment_id', :'held', 'status', 'completed')),
               ('queue_escalate', jsonb_build_object('queue_id', :'waiting')), ('escalations_acknowledge', jsonb_build_object('escalation_id', :'told'))) o(operation, request),
       pg_temp.call(w.who, o.operation, o.request) d;
SELECT is((d).status, w.status, format('overriding for %s: %s', w.name, w.status))
  FROM (VALUES (:'ann'::uuid, 'a colleague', 403), (:'sam', 'the supervisor of another unit', 403), (:'ada', 'an administrator', 503)) w(who, name, status),
       pg_temp.call(w.who, 'assignments_manual_override', jsonb_build_object('work_item_id', 'held', 'work_item_type', 'ticket', 'assignee_id', :'ann', 'override_reason', 'because I say so', 'reassign', true)) d;
ROLLBACK;
SELECT dblink_exec('holder', 'ROLLBACK')
\gset
-- Who had the right and lost it while waiting has it no more.
SELECT dblink_connect('asker', format('host=%s port=%s user=%s dbname=%s application_name=asker', :'HOST', :'PORT', :'USER', current_database())), dblink_exec('holder', 'BEGIN')
\gset
SELECT pg_temp.give(:'tara', 'held too') AS held_too
\gset
SELECT dblink_exec('holder', format('UPDATE assignments SET assignee_id = %L WHERE id = %L', :'ann', :'held'))
\gset
SELECT dblink_exec('asker', format('SET request.jwt.claims = %L; SET ROLE authenticated', jsonb_build_object('sub', :'sue')))
\gset
SELECT dblink_send_query('asker', format('SELECT status FROM api.assignments_update_status(%L)', jsonb_build_object('assignment_id', :'held', 'status', 'completed')))
\gset
DO $$ BEGIN WHILE NOT EXISTS (SELECT FROM pg_locks l JOIN pg_stat_get_activity(l.pid) a ON true WHERE NOT l.granted AND a.application_name = 'asker') LOOP NULL; END LOOP; END $$;
SELECT dblink_exec('holder', 'COMMIT')
\gset
SELECT is(status, 403, 'the right is asked for again once the lock is held') FROM dblink_get_result('asker') r(status int);
SELECT is(status::text, 'assigned', 'and nothing is done') FROM assignments WHERE id = :'held';
SELECT count(*) FROM dblink_get_result('asker') r(x int)
\gset
SELECT dblink_exec('holder', 'BEGIN'), dblink_exec('holder', format('UPDATE assignments SET assignee_id = %L WHERE id = %L', :'ann', :'held_too'))
\gset
SELECT dblink_send_query('asker', format('SELECT status FROM api.assignments_manual_override(%L)', jsonb_build_object('work_item_id', 'held too', 'work_item_type', 'ticket', 'assignee_id', :'tim', 'override_reason', 'because I say so', 'reassign', true)))
\gset
DO $$ BEGIN WHILE NOT EXISTS (SELECT FROM pg_locks l JOIN pg_stat_get_activity(l.pid) a ON true WHERE NOT l.granted AND a.application_name = 'asker') LOOP NULL; END LOOP; END $$;
SELECT dblink_exec('holder', 'COMMIT')
\gset
SELECT is(status, 403, 'also for overriding') FROM dblink_get_result('asker') r(status int);
SELECT is(assignee_id, :'ann', 'and nothing is taken') FROM assignments WHERE id = :'held_too';
SELECT dblink_disconnect('asker'), dblink_disconnect('holder')
\gset

SELECT is(array_agg(p.oid::regprocedure::text), NULL, 'every operation and answer has its comment') FROM pg_proc p
 WHERE (p.pronamespace = 'api'::regnamespace OR p.proname LIKE 'answer\_%' AND p.pronamespace = 'steward'::regnamespace) AND obj_description(p.oid) IS NULL;
