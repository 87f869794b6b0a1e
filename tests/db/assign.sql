-- Who is given a work item: filters, score, ties, rules, limits, and the override.

\ir setup.psql
\ir staff.psql

SELECT plan(144);

SELECT pg_temp.unit('home', 100), pg_temp.unit('other', 100), pg_temp.skills('a', 'b', 'c');
SELECT id AS org FROM organizations WHERE is_default
\gset

-- Every condition alone removes somebody.
BEGIN;
SELECT pg_temp.staff('fits', 'home', '{a,b}');
SELECT is(pg_temp.assign('i', '{a,b}'), 'fits', 'somebody with all skills gets the item');
ROLLBACK;
BEGIN;
SELECT pg_temp.staff('half', 'home', '{a}');
SELECT is(pg_temp.assign('i', '{a,b}'), 'No staff with the required skills', 'one of two skills is not enough');
SELECT is(excluded_by, 'missing_skills', 'which explain says') FROM pg_temp.explain('{a,b}');
ROLLBACK;
BEGIN;
SELECT pg_temp.staff('away', 'home', '{a}'), pg_temp.staff('ill', 'home', '{a}');
UPDATE staff_profiles SET availability_status = 'on_leave' WHERE user_id = md5('staff away')::uuid;
UPDATE staff_profiles SET availability_status = 'unavailable' WHERE user_id = md5('staff ill')::uuid;
SELECT is(pg_temp.assign('i', '{a}'), 'No staff available', 'nobody who is away');
SELECT results_eq('SELECT excluded_by, score FROM pg_temp.explain(''{a}'')', $$VALUES ('not_available', -1::numeric), ('not_available', -1)$$, 'which explain says');
ROLLBACK;
BEGIN;
SELECT pg_temp.staff('busy', 'home', '{a}', 5);
SELECT is(pg_temp.assign('i', '{a}'), 'All staff at WIP limit', 'nobody at the own limit');
SELECT is(excluded_by, 'at_individual_limit', 'which explain says') FROM pg_temp.explain('{a}');
ROLLBACK;
BEGIN;
SELECT pg_temp.unit('home', 20), pg_temp.staff('busy ' || i, 'home', '{b}', 5) FROM generate_series(1, 4) i;
SELECT pg_temp.staff('idle', 'home', '{a}');
SELECT is(pg_temp.assign('i', '{a}'), 'Unit WIP limit reached (20/20)', 'nobody of a unit at its limit');
SELECT is(excluded_by, 'unit_at_limit', 'which explain says') FROM pg_temp.explain('{a}') WHERE name = 'idle';
SELECT pg_temp.finish_item('busy 1 1');
SELECT is(pg_temp.assign('j', '{a}'), 'Work that waits already comes first', 'one less and there is room for what came first');
SELECT is(pg_temp.assign('u', '{a}', 'urgent'), 'idle', 'unless what comes is more urgent than what waits');
SELECT pg_temp.finish_item('u');
DELETE FROM assignment_queue;
SELECT is(pg_temp.assign('k', '{a}'), 'idle', 'or for what comes, where nothing waits');
ROLLBACK;
BEGIN;
SELECT pg_temp.staff('free', 'other', '{a}');
INSERT INTO assignment_rules (name_ar, name_en, unit_id, required_skills, unit_is_must) VALUES ('r', 'r', md5('unit home')::uuid, pg_temp.skills('a'), true);
SELECT is(pg_temp.assign('i', '{a}'), 'No capacity in the required unit', 'nobody outside the unit that a rule requires');
SELECT is(excluded_by, 'rule_unit', 'which explain says') FROM pg_temp.explain('{a}');
ROLLBACK;
BEGIN;
SELECT pg_temp.staff('stranger', 'other', '{a}');
INSERT INTO organizations (name) VALUES ('another');
SELECT throws_ok($$SELECT steward.auto_assign('i', 'ticket', pg_temp.skills('a'), 'normal', organization => (SELECT id FROM organizations WHERE name = 'another'))$$,
    '23503', NULL, 'the skills of another organisation are not there');
ROLLBACK;

-- The score, with the vectors of the reference.
BEGIN;
SELECT pg_temp.staff('idle', 'home', '{a}', 0, 5), pg_temp.staff('three', 'home', '{a}', 3, 5), pg_temp.staff('full', 'home', '{a}', 5, 5),
       pg_temp.staff('two', 'home', '{a}', 2, 5), pg_temp.staff('two of ten', 'home', '{a}', 2, 10), pg_temp.staff('one', 'home', '{a}', 1, 5),
       pg_temp.staff('four', 'home', '{a}', 4, 5), pg_temp.staff('elsewhere', 'other', '{a}', 0, 5), pg_temp.staff('half', 'home', '{b}', 0, 5),
       pg_temp.staff('full elsewhere', 'other', '{a}', 5, 5);
SELECT is(score, wanted::numeric, format('%s is worth %s', name, wanted)), is(parts, said, 'in these parts')
  FROM pg_temp.explain('{a}', 'home') JOIN (VALUES
       ('idle', 100, '40+30+20+10'), ('three', 82, '40+12+20+10'), ('full', 70, '40+0+20+10'), ('two', 88, '40+18+20+10'),
       ('two of ten', 94, '40+24+20+10'), ('one', 94, '40+24+20+10'), ('four', 76, '40+6+20+10'), ('elsewhere', 90, '40+30+20+0'),
       ('full elsewhere', 60, '40+0+20+0'), ('half', 60, '0+30+20+10')) v(name, wanted, said) USING (name);
SELECT is(score, 95::numeric, 'without a target every unit is worth five') FROM pg_temp.explain('{a}') WHERE name = 'elsewhere';
SELECT is(score, 80::numeric, 'half of the skills are worth half') FROM pg_temp.explain('{a,b}', 'home') WHERE name = 'half';
SELECT is(array_agg(name ORDER BY rank), '{idle,two of ten,one,elsewhere,two,three,four}', 'that is the order')
  FROM pg_temp.explain('{a}', 'home') WHERE excluded_by IS NULL AND name <> 'half';
SELECT is(steward.auto_assign('i', 'ticket', pg_temp.skills('a'), 'normal', md5('unit home')::uuid) - '{assignment_id,assigned_at,sla_deadline,warn_at}'::text[],
    jsonb_build_object('outcome', 'assigned', 'assignee_id', md5('staff idle')::uuid, 'unit_id', md5('unit home')::uuid, 'priority', 'normal',
                       'status', 'assigned', 'score', 100, 'eligible', 7), 'the first gets the item, and the answer says why');
SELECT is(a.sla_deadline - a.assigned_at, interval '48 h', 'until when'), is(a.warn_at - a.assigned_at, interval '36 h', 'warned when'),
       is(a.required_skills, pg_temp.skills('a'), 'for what'), is(a.assigned_by, NULL, 'by steward')
  FROM assignments a WHERE a.work_item_id = 'i';
SELECT is(current_assignment_count, 1, 'it counts') FROM staff_profiles WHERE user_id = md5('staff idle')::uuid;
ROLLBACK;

-- Explaining writes nothing and locks nothing.
BEGIN;
SELECT pg_temp.staff('x', 'home', '{a}', 5), pg_temp.staff('y', 'home', '{b}', 5);
DELETE FROM steward.capacity_freed;
SELECT is(e ->> 'outcome', 'explained', 'explain'), is(e ->> 'would', 'queued', 'says what would be'), is(e ->> 'reason', 'All staff at WIP limit', 'and why'),
       is(jsonb_array_length(e -> 'candidates'), 2, 'with everybody')
  FROM steward.auto_assign('i', 'ticket', pg_temp.skills('a'), 'normal', explain => true) e;
SELECT is(count(*), 0::bigint, 'and queues nothing') FROM assignment_queue;
SELECT is(count(*), 10::bigint, 'and assigns nothing') FROM assignments;
SELECT is(count(*), 11::bigint, 'and holds no lock of its own, besides those of the ten items given by hand and of the skills given to people') FROM pg_locks WHERE pid = pg_backend_pid() AND locktype = 'advisory';
ROLLBACK;

-- Ties: more skills, then longest idle, then id; exact between limits that 30 does not divide.
BEGIN;
SELECT pg_temp.staff('narrow', 'home', '{a}'), pg_temp.staff('broad', 'home', '{a,b}');
SELECT is(pg_temp.assign('i', '{a}'), 'broad', 'of equals the one with more skills');
ROLLBACK;
BEGIN;
SELECT pg_temp.staff('broad', 'home', '{a,b}', 2), pg_temp.staff('narrow', 'home', '{a}', 1);
SELECT is(pg_temp.assign('i', '{a}'), 'narrow', 'less load beats more skills');
ROLLBACK;
BEGIN;
SELECT pg_temp.staff('recent', 'home', '{a}'), pg_temp.staff('idle', 'home', '{a}'), pg_temp.staff('never', 'home', '{a}');
UPDATE staff_profiles SET last_assigned_at = now() - CASE user_id WHEN md5('staff idle')::uuid THEN interval '2 h' ELSE interval '1 h' END
 WHERE user_id <> md5('staff never')::uuid;
SELECT is(array_agg(name ORDER BY rank), '{never,idle,recent}', 'then the one who never had any, then the longest idle') FROM pg_temp.explain('{a}');
ROLLBACK;
BEGIN;
SELECT pg_temp.staff('n' || i, 'home', '{a}') FROM generate_series(1, 8) i;
SELECT is(array_agg(name ORDER BY rank), (SELECT array_agg(pg_temp.who(user_id) ORDER BY user_id) FROM staff_profiles), 'then the smallest id') FROM pg_temp.explain('{a}');
ROLLBACK;
BEGIN;
SELECT pg_temp.staff('of three', 'home', '{a,b}', 1, 3), pg_temp.staff('of six', 'home', '{a}', 2, 6), pg_temp.staff('of nine', 'home', '{a,b,c}', 3, 9),
       pg_temp.staff('other third', 'other', '{a,b}', 0, 3);
SELECT results_eq($$SELECT name FROM pg_temp.explain('{a}', 'home') ORDER BY rank$$, $$VALUES ('of nine'), ('other third'), ('of three'), ('of six')$$,
    'a third is a third of any limit, and ten points of unit are a third of capacity');
ROLLBACK;

-- The target is a preference, a rule may make it more.
BEGIN;
SELECT pg_temp.staff('here', 'home', '{a}', 1), pg_temp.staff('there', 'other', '{a}');
SELECT is(pg_temp.assign('i', '{a}', target => 'home'), 'here', 'the target unit is worth ten points');
SELECT pg_temp.staff('here too', 'home', '{a,b}', 3);
SELECT is(pg_temp.assign('j', '{a,b}', target => 'other'), 'here too', 'but not a condition');
ROLLBACK;
BEGIN;
SELECT pg_temp.staff('here', 'home', '{a,b}'), pg_temp.staff('there', 'other', '{a,b}', 1);
SELECT is(array_agg(score ORDER BY rank), '{95,89}', 'without rules') FROM pg_temp.explain('{a}');
INSERT INTO assignment_rules (name_ar, name_en, unit_id, required_skills, priority_weight) VALUES ('r', 'r', md5('unit other')::uuid, pg_temp.skills('a'), 10),
       ('r', 'r', md5('unit home')::uuid, pg_temp.skills('a'), 1), ('r', 'r', md5('unit home')::uuid, pg_temp.skills('a'), 3);
SELECT results_eq($$SELECT name, score FROM pg_temp.explain('{a}')$$, $$VALUES ('there', 94.00), ('here', 93.00)$$, 'the greatest weight of a unit''s rules takes the place of five');
SELECT results_eq($$SELECT name, score FROM pg_temp.explain('{b}')$$, $$VALUES ('here', 95.00), ('there', 89.00)$$, 'a rule about other skills says nothing');
SELECT results_eq($$SELECT name, score FROM pg_temp.explain('{a}', 'home')$$, $$VALUES ('here', 100.00), ('there', 84.00)$$, 'nor does any where there is a target');
UPDATE assignment_rules SET is_active = false;
SELECT is(array_agg(score ORDER BY rank), '{95,89}', 'nor one that is not active') FROM pg_temp.explain('{a}');
ROLLBACK;
BEGIN;
SELECT pg_temp.unit('third'), pg_temp.staff('here', 'home', '{a}'), pg_temp.staff('there', 'other', '{a}');
INSERT INTO assignment_rules (name_ar, name_en, unit_id, required_skills, unit_is_must) VALUES ('r', 'r', md5('unit home')::uuid, pg_temp.skills('a'), true), ('r', 'r', md5('unit other')::uuid, pg_temp.skills('a'), true);
SELECT pg_temp.staff('beyond', 'third', '{a,b}');
SELECT is(array_agg(name ORDER BY name) FILTER (WHERE excluded_by IS NULL), '{here,there}', 'several units may be required') FROM pg_temp.explain('{a}');
SELECT is(array_agg(name) FILTER (WHERE excluded_by IS NULL), '{there}', 'of which the target is the only one') FROM pg_temp.explain('{a}', 'other');
SELECT is(count(*) FILTER (WHERE excluded_by IS NULL), 2::bigint, 'a target that is none of them does not help') FROM pg_temp.explain('{a}', 'third');
ROLLBACK;
BEGIN;
SELECT pg_temp.unit('home', 1), pg_temp.staff('one', 'home', '{a}', 1, 2);
INSERT INTO assignment_rules (name_ar, name_en, unit_id, required_skills, capacity_check_enabled) VALUES ('r', 'r', md5('unit home')::uuid, pg_temp.skills('a'), false);
SELECT is(pg_temp.assign('i', '{a}'), 'one', 'a rule may lift the limit of its unit');
SELECT is(pg_temp.assign('j', '{a}'), 'All staff at WIP limit', 'but nobody''s own');
ROLLBACK;

-- The same item is given once.
BEGIN;
SELECT pg_temp.staff('one', 'home', '{a}', 0, 1);
SELECT is(pg_temp.assign('i', '{a}'), 'one', 'an item');
SELECT is(e ->> 'outcome', 'exists', 'asked for again'), is((e ->> 'assignee_id')::uuid, md5('staff one')::uuid, 'is where it is')
  FROM steward.auto_assign('i', 'ticket', pg_temp.skills('a'), 'urgent') e;
SELECT is(pg_temp.assign('j', '{a}'), 'All staff at WIP limit', 'one that waits');
SELECT is(e - '{queue_id,queued_at}'::text[], '{"outcome": "exists", "queue_position": 1, "attempts": 0, "reason": "All staff at WIP limit", "estimated_wait_minutes": null}', 'waits on')
  FROM steward.auto_assign('j', 'ticket', pg_temp.skills('a'), 'urgent') e;
SELECT is(count(*), 1::bigint, 'once') FROM assignment_queue;
SELECT is(e ->> 'outcome', 'queued', 'another kind of item of the same name is another') FROM steward.auto_assign('i', 'dossier', pg_temp.skills('a'), 'urgent') e;
SELECT pg_temp.finish_item('i');
DELETE FROM assignment_queue;
SELECT is(pg_temp.assign('i', '{a}'), 'one', 'what is done can come again');
ROLLBACK;

-- What is wrong is named.
SELECT throws_ok(format('SELECT steward.auto_assign(%s)', args), code, message, what) FROM (VALUES
    ($$NULL, 'ticket', pg_temp.skills('a'), 'normal'$$, '22023', 'work_item_id must be a text of 1 to 255 characters', 'no item'),
    ($$'', 'ticket', pg_temp.skills('a'), 'normal'$$, '22023', 'work_item_id must be a text of 1 to 255 characters', 'an empty name'),
    ($$repeat('x', 256), 'ticket', pg_temp.skills('a'), 'normal'$$, '22023', 'work_item_id must be a text of 1 to 255 characters', 'a long name'),
    ($$'x', NULL, pg_temp.skills('a'), 'normal'$$, '22023', 'work_item_type must be given', 'no type'),
    ($$'x', 'ticket', pg_temp.skills('a'), NULL$$, '22023', 'priority must be given', 'no priority'),
    ($$'x', 'ticket', '{}', 'normal'$$, '22023', 'required_skills must name 1 to 100 skills', 'no skills'),
    ($$'x', 'ticket', NULL, 'normal'$$, '22023', 'required_skills must name 1 to 100 skills', 'NULL skills'),
    ($$'x', 'ticket', array_fill(gen_random_uuid(), '{650000}'), 'normal'$$, '22023', 'required_skills must name 1 to 100 skills', 'ten megabytes of skills'),
    ($$'x', 'ticket', '{00000000-0000-4000-8000-000000000001}', 'normal'$$, '23503', 'there is no skill 00000000-0000-4000-8000-000000000001', 'an unknown skill'),
    ($$'x', 'ticket', ARRAY[NULL::uuid], 'normal'$$, '23503', 'there is no skill 00000000-0000-0000-0000-000000000000', 'a skill that is NULL'),
    ($$'x', 'ticket', pg_temp.skills('a'), 'normal', '00000000-0000-4000-8000-000000000001'$$, '23503', 'there is no unit 00000000-0000-4000-8000-000000000001', 'an unknown unit'),
    ($$'x', 'ticket', pg_temp.skills('a'), 'normal', requested_by => '00000000-0000-4000-8000-000000000001'$$, '23503', NULL, 'an unknown requester of what has to wait')
    ) v(args, code, message, what);
SELECT is(steward.skill_ids(:'org', '["a", "b (ar)", "a"]'), (SELECT array_agg(s ORDER BY s) FROM unnest(pg_temp.skills('a', 'b')) s), 'skills are named in either language, once each');
SELECT is(steward.skill_ids(:'org', to_jsonb(pg_temp.skills('a'))), pg_temp.skills('a'), 'or by id');
SELECT throws_ok(format('SELECT steward.skill_ids(%L, %L)', :'org', wanted), code, message, what) FROM (VALUES
    ('["a", "nothing"]', '23503', 'there is no skill "nothing"', 'an unknown name'),
    ('["00000000-0000-4000-8000-000000000001"]', '23503', 'there is no skill "00000000-0000-4000-8000-000000000001"', 'an unknown id'),
    ('["a''; DROP TABLE skills; --"]', '23503', 'there is no skill "a''; DROP TABLE skills; --"', 'an injection'),
    ('[]', '22023', 'required_skills must be a list of 1 to 100 ids or names of skills', 'an empty list'),
    ('[1]', '22023', 'required_skills must be a list of 1 to 100 ids or names of skills', 'a number'),
    ('[null]', '22023', 'required_skills must be a list of 1 to 100 ids or names of skills', 'a null'),
    ('[["a"]]', '22023', 'required_skills must be a list of 1 to 100 ids or names of skills', 'a list in a list'),
    ('"a"', '22023', 'required_skills must be a list of 1 to 100 ids or names of skills', 'a word')) v(wanted, code, message, what);
SELECT throws_ok(format('SELECT steward.skill_ids(%L, NULL)', :'org'), '22023', NULL, 'nothing at all');

-- By hand: above every limit, audited, and not behind anybody's back.
BEGIN;
SELECT pg_temp.person() AS boss
\gset
SELECT pg_temp.unit('home', 6), pg_temp.staff('full', 'home', '{a}', 5, 5), pg_temp.staff('free', 'other', '{b}', 1, 5);
SELECT is(pg_temp.assign('q', '{a}', 'high', 'other'), 'All staff at WIP limit', 'what waits');
UPDATE assignment_queue SET created_at = created_at - interval '5 min';
SELECT is(e - '{assignment_id,assigned_at,sla_deadline,warn_at}'::text[],
    jsonb_build_object('outcome', 'assigned', 'assignee_id', md5('staff full')::uuid, 'unit_id', md5('unit home')::uuid, 'priority', 'high', 'status', 'assigned',
                       'assigned_by', :'boss', 'override_reason', 'it cannot wait', 'capacity_warning', 'Assignee is at or over WIP limit (5/5)'), 'may be given by hand, with a warning')
  FROM steward.assign_override(:'org', 'q', 'ticket', md5('staff full')::uuid, NULL, 'it cannot wait', :'boss') e;
SELECT is(count(*), 0::bigint, 'and waits no more') FROM assignment_queue;
SELECT is(a.required_skills, pg_temp.skills('a'), 'with the skills that it waited for'), is(a.target_unit_id, md5('unit other')::uuid, 'its target'),
       is(a.sla_started_at, steward.now() - interval '5 min', 'and the promise of when it came'), is(a.sla_deadline, a.sla_started_at + interval '24 hours', 'as long as it would have been') FROM assignments a WHERE a.work_item_id = 'q';
SELECT is(h.detail, jsonb_build_object('work_item_id', 'q', 'work_item_type', 'ticket', 'assignee_id', md5('staff full')::uuid, 'reason', 'it cannot wait',
                                       'warning', 'Assignee is at or over WIP limit (5/5)', 'wip', '5/5'), 'which the history tells'), is(h.actor_id, :'boss', 'and who did it')
  FROM assignment_history h WHERE h.action = 'assignment_manual_override';
SELECT is(current_assignment_count, 6, 'it counts') FROM staff_profiles WHERE user_id = md5('staff full')::uuid;
SELECT is(steward.assign_override(:'org', 'r', 'ticket', md5('staff full')::uuid, NULL, 'nor can this', :'boss') ->> 'outcome', 'assigned', 'above the limit of the unit too');
SELECT is(steward.assign_override(:'org', 'q', 'ticket', md5('staff free')::uuid, NULL, 'somebody else', :'boss') ->> 'outcome', 'conflict', 'what somebody has is not taken');
UPDATE assignments SET assigned_at = assigned_at - interval '1 h' WHERE work_item_id = 'q';
SELECT sla_started_at AS started, sla_deadline AS deadline FROM assignments WHERE work_item_id = 'q'
\gset
SELECT is(e ->> 'outcome', 'reassigned', 'unless that is said'), is((e ->> 'assignee_id')::uuid, md5('staff free')::uuid, 'then it moves'), ok(NOT e ? 'capacity_warning', 'without a warning where there is room')
  FROM steward.assign_override(:'org', 'q', 'ticket', md5('staff free')::uuid, NULL, 'somebody else', :'boss', reassign => true) e;
SELECT is(sla_started_at, :'started'::timestamptz, 'which restarts no clock'), is(sla_deadline, :'deadline'::timestamptz, 'and makes no new promise'), is(assigned_at, steward.now(), 'though it is assigned now') FROM assignments WHERE work_item_id = 'q';
SELECT results_eq($$SELECT pg_temp.who(user_id), current_assignment_count FROM staff_profiles ORDER BY 1$$, $$VALUES ('free', 2), ('full', 6)$$, 'and both counts follow');
SELECT results_eq($$SELECT name_en::text, current_assignment_count FROM organizational_units WHERE name_en IN ('home', 'other') ORDER BY 1$$, $$VALUES ('home', 6), ('other', 2)$$, 'and those of the units');
SELECT is(a.reassigned_from, md5('staff full')::uuid, 'from whom'), is(a.reassignment_reason, 'somebody else', 'why'), is(a.priority, 'high', 'as urgent as before') FROM assignments a WHERE a.work_item_id = 'q';
SELECT is(steward.assign_override(:'org', 'q', 'ticket', md5('staff free')::uuid, NULL, 'once more please', :'boss', reassign => true) ->> 'outcome', 'conflict', 'to the same person is no move');
SELECT is(e ->> 'priority', 'urgent', 'unless another urgency is said') FROM steward.assign_override(:'org', 'q', 'ticket', md5('staff full')::uuid, 'urgent', 'it burns by now', :'boss', reassign => true) e;
SELECT is(priority, 'normal', 'and what nobody said is normal') FROM assignments WHERE work_item_id = 'r';
SELECT is(steward.assign_override(:'org', 'z', 'ticket', :'boss', NULL, 'to a stranger', :'boss') ->> 'outcome', 'no_such_assignee', 'nor can a stranger get it');
SELECT throws_ok(format($$SELECT steward.assign_override(%L, 'z', 'ticket', md5('staff free')::uuid, NULL, 'short', NULL)$$, :'org'), '22023', 'override_reason must be a text of 10 to 500 characters', 'a short reason');
SELECT is(count(*), 0::bigint, 'no count is wrong') FROM steward.recount_assignments(false);
ROLLBACK;

-- Whoever is looked at, the choice is that of looking at everybody.
CREATE FUNCTION pg_temp.best(wanted uuid[], target uuid) RETURNS uuid LANGUAGE sql AS $$
    SELECT p.user_id
      FROM staff_profiles p JOIN organizational_units u ON u.id = p.unit_id
     CROSS JOIN LATERAL (SELECT max(r.priority_weight) AS weight, bool_and(r.capacity_check_enabled) AS is_capped
                           FROM assignment_rules r WHERE r.unit_id = u.id AND r.required_skills <@ wanted) r
     WHERE p.skills @> wanted AND p.availability_status = 'available' AND p.current_assignment_count < p.individual_wip_limit
       AND (u.current_assignment_count < u.unit_wip_limit OR NOT r.is_capped)
     ORDER BY round(30 * (p.individual_wip_limit - p.current_assignment_count)::numeric / p.individual_wip_limit
                    + CASE WHEN target IS NULL THEN COALESCE(r.weight, 5) WHEN u.id = target THEN 10 ELSE 0 END, 9) DESC,
              cardinality(p.skills) DESC, p.last_assigned_at NULLS FIRST, p.user_id
     LIMIT 1
$$;
CREATE TEMP TABLE looked_at (holders bigint);
CREATE FUNCTION pg_temp.surprises(items int) RETURNS SETOF text LANGUAGE plpgsql AS $$
DECLARE
    known  uuid[] := pg_temp.skills('a', 'b', 'c', 'd', 'e', 'f');
    wanted uuid[];
    target uuid;
    best   uuid;
    given  uuid;
BEGIN
    FOR i IN 1 .. items LOOP
        PERFORM set_config('steward.clock_offset', i || ' s', true);
        wanted := ARRAY(SELECT s FROM unnest(known) s ORDER BY random() LIMIT 1 + random()::int);
        target := (SELECT u.id FROM organizational_units u WHERE random() < 0.1 LIMIT 1);
        best := pg_temp.best(wanted, target);
        INSERT INTO looked_at SELECT count(*) FROM steward.skill_holder h
         WHERE h.skill_id = (SELECT s FROM unnest(wanted) s ORDER BY s LIMIT 1) HAVING target IS NOT NULL;
        given := steward.auto_assign('item ' || i, 'ticket', wanted, 'normal', target) ->> 'assignee_id';
        IF given IS DISTINCT FROM best THEN
            RETURN NEXT format('item %s: %s, not %s', i, pg_temp.who(given), pg_temp.who(best));
        END IF;
        UPDATE assignments SET status = 'completed' WHERE id = (SELECT a.id FROM assignments a WHERE a.status = 'assigned' AND random() < 0.02 LIMIT 1);
        UPDATE staff_profiles SET availability_status = CASE availability_status WHEN 'available' THEN 'unavailable' ELSE 'available' END::availability_status WHERE random() < 0.003;
        UPDATE staff_profiles SET individual_wip_limit = 1 + (random() * 8)::int WHERE random() < 0.003;
        UPDATE staff_profiles SET skills = ARRAY(SELECT s FROM unnest(known) s WHERE random() < 0.5) WHERE random() < 0.003;
        DELETE FROM assignment_queue;
        DELETE FROM steward.capacity_freed;
    END LOOP;
END $$;
CREATE VIEW pg_temp.ranked AS
SELECT p.organization_id, p.user_id, s.id AS skill_id, steward.free_share(p.current_assignment_count, p.individual_wip_limit) AS share,
       cardinality(p.skills) AS breadth, p.last_assigned_at
  FROM staff_profiles p CROSS JOIN unnest(p.skills) s(id)
 WHERE p.availability_status = 'available' AND p.current_assignment_count < p.individual_wip_limit;
BEGIN;
SELECT setseed(0.42);
SELECT pg_temp.unit('unit ' || i, 10 + i * 5) FROM generate_series(1, 8) i;
SELECT pg_temp.staff('person ' || i, 'unit ' || 1 + i % 8, ARRAY(SELECT s FROM unnest('{a,b,c,d,e,f}'::text[]) s WHERE random() < 0.4 + 0 * i), 0, 1 + i % 8)
  FROM generate_series(1, 160) i;
SELECT is_empty('SELECT pg_temp.surprises(300)', 'of many people the one who scores best of all gets the item');
SELECT cmp_ok(count(*), '>', 100::bigint, 'and many were given') FROM assignments;
INSERT INTO assignment_rules (name_ar, name_en, unit_id, required_skills, priority_weight, capacity_check_enabled)
VALUES ('r', 'r', md5('unit unit 3')::uuid, pg_temp.skills('c'), 8, false), ('r', 'r', md5('unit unit 4')::uuid, pg_temp.skills('a', 'b'), 1, true);
DELETE FROM assignments;
SELECT is_empty('SELECT pg_temp.surprises(200)', 'nor do rules change that');
SELECT ok(count(*) FILTER (WHERE holders < 50) > 20 AND count(*) FILTER (WHERE holders >= 50) > 20, 'neither where few are free nor where many are') FROM looked_at;
DELETE FROM staff_profiles WHERE current_assignment_count = 0 AND individual_wip_limit = 2;
SELECT set_eq('SELECT organization_id, user_id, skill_id, share, breadth, last_assigned_at FROM steward.skill_holder', 'SELECT * FROM pg_temp.ranked',
    'those who have room are ranked, and nobody else');
SELECT steward.rank_everybody();
SELECT set_eq('SELECT organization_id, user_id, skill_id, share, breadth, last_assigned_at FROM steward.skill_holder', 'SELECT * FROM pg_temp.ranked',
    'ranked anew they are the same');
ROLLBACK;
BEGIN;
SELECT pg_temp.staff('broad ' || s || i, 'home', ARRAY[s, 'c']) FROM unnest('{a,b}'::text[]) s, generate_series(1, 12) i;
SELECT pg_temp.staff('both', 'home', '{a,b}', 4);
SELECT is(pg_temp.assign('i', '{a,b}'), 'both', 'who has both skills is found behind those who have one and more room');
SELECT pg_temp.unit('crowded', 4), pg_temp.staff('crowd ' || i, 'crowded', '{c,d}', 0, 5) FROM generate_series(1, 12) i;
SELECT pg_temp.staff('filler', 'crowded', '{e}', 4), pg_temp.staff('last', 'home', '{d}', 4);
SELECT is(pg_temp.assign('j', '{d}'), 'last', 'and who is not in a unit at its limit behind those who are');
ROLLBACK;

-- The seeds' question.
BEGIN;
SELECT pg_temp.staff('best', 'home', '{a,b}'), pg_temp.staff('away', 'home', '{a}'), pg_temp.staff('full', 'home', '{a}', 5), pg_temp.staff('unskilled', 'home', '{b}'), pg_temp.staff('elsewhere', 'other', '{a}');
UPDATE staff_profiles SET availability_status = 'on_leave' WHERE user_id = md5('staff away')::uuid;
SELECT results_eq($$SELECT pg_temp.who(user_id) FROM find_eligible_staff_for_assignment(pg_temp.skills('a'))$$, $$VALUES ('best'), ('elsewhere')$$, 'only who could get it, best first');
SELECT results_eq($$SELECT pg_temp.who(user_id) FROM find_eligible_staff_for_assignment(pg_temp.skills('a'), md5('unit other')::uuid)$$, $$VALUES ('elsewhere')$$, 'here the unit is a condition');
SELECT pg_temp.staff('crowd ' || i, 'home', '{a}') FROM generate_series(1, 60) i;
SELECT is(count(*), 50::bigint, 'at most fifty') FROM find_eligible_staff_for_assignment(pg_temp.skills('a'), NULL, 1000);
SELECT is(pg_temp.who(user_id), 'best', 'with the best among them') FROM find_eligible_staff_for_assignment(pg_temp.skills('a'), max_candidates => 1);
SELECT throws_ok($$SELECT find_eligible_staff_for_assignment(pg_temp.skills('a'), NULL, -1)$$, '22023', 'max_candidates must be at least 1', 'none is not a number of people');
SELECT format('{"sub": "%s"}', md5('staff elsewhere')::uuid) AS claims
\gset
SELECT format('SELECT count(*) FROM find_eligible_staff_for_assignment(%L)', pg_temp.skills('a')) AS question
\gset
SET ROLE authenticated;
SELECT set_config('request.jwt.claims', :'claims', true);
SELECT results_eq(:'question', 'VALUES (1::bigint)', 'staff see themselves');
SELECT set_config('request.jwt.claims', '', true);
SELECT results_eq(:'question', 'VALUES (0::bigint)', 'a stranger nobody');
SELECT throws_ok($$SELECT steward.auto_assign('x', 'ticket', '{}', 'normal')$$, '42501', NULL, 'users do not assign past the api');
RESET ROLE;
ROLLBACK;

-- No finish(): it counts what the rollbacks took back.
