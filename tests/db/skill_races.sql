-- A skill that is deleted at the very moment when something comes to need it.  One of
-- the two is told so, and there is never anything that needs a skill which is gone.

\ir setup.psql
\ir assignments.psql

SELECT plan(19);

SELECT pg_temp.unit('one') AS unit, pg_temp.skill('a') AS a, pg_temp.skill('b') AS b \gset
SELECT pg_temp.staff(:'unit', ARRAY[:'a']::uuid[]) AS ann, pg_temp.staff(:'unit', '{}') AS bob \gset
SELECT dblink_connect(name, format('host=%s port=%s user=%s dbname=%s application_name=%s', :'HOST', :'PORT', :'USER', current_database(), name))
  FROM unnest('{writer,holder}'::text[]) name \g /dev/null
SELECT 'DELETE FROM skills WHERE id = ' || quote_literal(:'b') AS delete_b, 'DELETE FROM skills WHERE id = ' || quote_literal(:'a') AS delete_a \gset

INSERT INTO assignments (work_item_id, work_item_type, assignee_id, priority) VALUES ('changes', 'task', :'bob', 'low');

-- Something that needs it is written, and not committed yet; then it is.
CREATE TEMP TABLE writes (place int GENERATED ALWAYS AS IDENTITY, what text, sql text, undo text);
INSERT INTO writes (what, sql, undo) VALUES
    ('a queued item', format($$INSERT INTO assignment_queue (work_item_id, work_item_type, required_skills, priority) VALUES ('q', 'task', ARRAY[%L]::uuid[], 'low')$$, :'b'),
     'DELETE FROM assignment_queue'),
    ('an assignment', format($$INSERT INTO assignments (work_item_id, work_item_type, assignee_id, required_skills, priority) VALUES ('a', 'task', %L, ARRAY[%L]::uuid[], 'low')$$, :'bob', :'b'),
     $$UPDATE assignments SET status = 'cancelled' WHERE work_item_id = 'a'$$),
    ('an assignment that changes', format($$UPDATE assignments SET required_skills = ARRAY[%L]::uuid[] WHERE work_item_id = 'changes'$$, :'b'),
     $$UPDATE assignments SET required_skills = '{}' WHERE work_item_id = 'changes'$$),
    ('a rule', format($$INSERT INTO assignment_rules (name_en, name_ar, unit_id, required_skills) VALUES ('r', 'r', %L, ARRAY[%L]::uuid[])$$, :'unit', :'b'),
     'DELETE FROM assignment_rules'),
    ('a person', format($$UPDATE staff_profiles SET skills = ARRAY[%L]::uuid[] WHERE user_id = %L$$, :'b', :'bob'),
     format($$UPDATE staff_profiles SET skills = '{}' WHERE user_id = %L$$, :'bob'));
CREATE FUNCTION pg_temp.deleting(skill text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE skill;
    RETURN 'deleted';
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE;
END $$;
CREATE FUNCTION pg_temp.meanwhile(sql text, undo text, deletion text) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
    PERFORM dblink_exec('writer', 'BEGIN');
    PERFORM dblink_exec('writer', sql);
    RETURN NEXT pg_temp.deleting(deletion);
    PERFORM dblink_exec('writer', 'COMMIT');
    RETURN NEXT pg_temp.deleting(deletion);
    PERFORM dblink_exec('writer', undo);
END $$;
SELECT is(array_agg(m.said), '{55P03,23503}', w.what || ' keeps the skill that it is about to need')
  FROM writes w CROSS JOIN LATERAL pg_temp.meanwhile(w.sql, w.undo, :'delete_b') m(said) GROUP BY w.place, w.what ORDER BY w.place;

-- The other way round: who comes later waits, and finds the skill gone.
CREATE FUNCTION pg_temp.answer_of(who text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    answer text;
BEGIN
    SELECT r.answer INTO answer FROM dblink_get_result(who) r(answer text);
    PERFORM FROM dblink_get_result(who) r(answer text);
    RETURN answer;
EXCEPTION WHEN OTHERS THEN
    PERFORM FROM dblink_get_result(who) r(answer text);
    RETURN SQLSTATE;
END $$;
CREATE FUNCTION pg_temp.afterwards(sql text, deletion text) RETURNS SETOF text LANGUAGE plpgsql AS $$
BEGIN
    PERFORM dblink_exec('holder', 'BEGIN');
    PERFORM dblink_exec('holder', deletion);
    PERFORM dblink_send_query('writer', sql);
    RETURN NEXT pg_temp.waits_for_a_lock('writer');
    PERFORM dblink_exec('holder', 'COMMIT');
    RETURN NEXT pg_temp.answer_of('writer');
    PERFORM dblink_exec('holder', format('INSERT INTO skills (id, name_en, name_ar) VALUES (%L, ''b'', ''b'')', substring(deletion from '''(.*)''')));
END $$;
SELECT is(array_agg(m.said), '{true,23503}', w.what || ' that comes while it is deleted is refused')
  FROM writes w CROSS JOIN LATERAL pg_temp.afterwards(w.sql, :'delete_b') m(said) GROUP BY w.place, w.what ORDER BY w.place;

-- The assignee had the skill when that was looked at, and loses it before the assignment is written.
SELECT count(*) FROM dblink('holder', format('BEGIN; SELECT id FROM organizational_units WHERE id = %L FOR UPDATE', :'unit')) r(id uuid) \g /dev/null
SELECT dblink_send_query('writer', format($$INSERT INTO assignments (work_item_id, work_item_type, assignee_id, required_skills, priority) VALUES ('late', 'task', %L, ARRAY[%L]::uuid[], 'low')$$, :'ann', :'a')) \g /dev/null
SELECT ok(pg_temp.waits_for_a_lock('writer'), 'an assignment to somebody who has the skill is half written');
UPDATE staff_profiles SET skills = '{}' WHERE user_id = :'ann';
SELECT is(pg_temp.deleting(:'delete_a'), '55P03', 'nobody has the skill any more, and it stays');
SELECT dblink_exec('holder', 'COMMIT') \g /dev/null
SELECT is(pg_temp.answer_of('writer'), 'INSERT 0 1', 'the assignment is written');
SELECT is(pg_temp.deleting(:'delete_a'), '23503', 'and needs the skill');
UPDATE assignments SET status = 'cancelled' WHERE work_item_id = 'late';

-- Another organisation's work, and work that needs nothing, keep nobody waiting.
INSERT INTO organizations (name) VALUES ('the other one') RETURNING id AS other \gset
SELECT pg_temp.skill('theirs', :'other') AS theirs \gset
SELECT dblink_exec('writer', 'BEGIN'), dblink_exec('writer', format($$INSERT INTO assignment_queue (organization_id, work_item_id, work_item_type, required_skills, priority) VALUES (%L, 'q', 'task', ARRAY[%L]::uuid[], 'low')$$, :'other', :'theirs')) \g /dev/null
SELECT is(pg_temp.deleting(:'delete_a'), 'deleted', 'the work of another organisation does not matter');
SELECT dblink_exec('writer', 'ROLLBACK') \g /dev/null
SELECT dblink_exec('writer', 'BEGIN'), dblink_exec('writer', format($$INSERT INTO assignments (work_item_id, work_item_type, assignee_id, priority) VALUES ('plain', 'task', %L, 'low')$$, :'bob')) \g /dev/null
SELECT is(pg_temp.deleting(:'delete_b'), 'deleted', 'nor does work that needs no skill');
SELECT dblink_exec('writer', 'ROLLBACK') \g /dev/null
SELECT is(count(*), 1::bigint, 'what is left') FROM skills;
SELECT is_empty($$SELECT x.id FROM (SELECT unnest(required_skills) AS id FROM assignments WHERE status NOT IN ('completed', 'cancelled') UNION ALL SELECT unnest(required_skills) FROM assignment_queue
    UNION ALL SELECT unnest(required_skills) FROM assignment_rules UNION ALL SELECT unnest(skills) FROM staff_profiles) x WHERE x.id NOT IN (SELECT id FROM skills)$$, 'nothing needs a skill that is gone');
SELECT is(pg_temp.drift(), NULL, 'and every count is right');
SELECT dblink_disconnect('writer'), dblink_disconnect('holder') \g /dev/null

SELECT * FROM finish();
