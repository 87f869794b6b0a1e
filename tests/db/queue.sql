-- What fits nobody waits in order, and is served by whatever capacity comes free.

\ir setup.psql
\ir staff.psql

SELECT plan(100);

SELECT pg_temp.unit('home', 100), pg_temp.unit('other', 100), pg_temp.skills('a', 'b', 'c', 'd');
SELECT id AS org FROM organizations WHERE is_default
\gset
-- an item that waits since that many minutes
CREATE FUNCTION pg_temp.wait(item text, skills text[], urgency public.priority_level DEFAULT 'normal', minutes int DEFAULT 0, target text DEFAULT NULL) RETURNS void LANGUAGE sql AS $$
    INSERT INTO assignment_queue (work_item_id, work_item_type, required_skills, priority, created_at, target_unit_id, last_attempt_at)
    VALUES (item, 'ticket', pg_temp.skills(VARIADIC skills), urgency, steward.now() - minutes * interval '1 min', md5('unit ' || target)::uuid, steward.now())
$$;
CREATE FUNCTION pg_temp.served() RETURNS text[] LANGUAGE sql AS $$
    SELECT array_agg(work_item_id ORDER BY priority DESC, sla_started_at) FROM assignments WHERE work_item_type = 'ticket'
$$;
CREATE FUNCTION pg_temp.drain() RETURNS text[] LANGUAGE plpgsql AS $$
BEGIN
    PERFORM steward.queue_drain('test', 100);
    RETURN pg_temp.served();
END $$;

-- The answer: place, reason, estimate.
BEGIN;
SELECT pg_temp.staff('one', 'home', '{a,b}', 5);
SELECT is(steward.auto_assign('n1', 'ticket', pg_temp.skills('a'), 'normal') - '{queue_id,queued_at}'::text[],
    '{"outcome": "queued", "queue_position": 1, "reason": "All staff at WIP limit", "estimated_wait_minutes": null, "attempts": 0}', 'nothing is known of how long it takes');
SELECT is((steward.auto_assign('l1', 'ticket', pg_temp.skills('b'), 'low') ->> 'queue_position')::int, 2, 'what is less urgent is behind');
SELECT is((steward.auto_assign('u1', 'ticket', pg_temp.skills('c'), 'urgent') ->> 'queue_position')::int, 1, 'what is urgent before');
SELECT is(array_agg(work_item_id || ': ' || reason ORDER BY priority DESC), '{u1: No staff with the required skills,n1: All staff at WIP limit,l1: All staff at WIP limit}', 'each has its reason') FROM assignment_queue;
SELECT pg_temp.finish_item('one ' || i) FROM generate_series(1, 4) i;
UPDATE assignments SET status = 'in_progress' WHERE work_item_id = 'one 5';
UPDATE staff_profiles SET individual_wip_limit = 1;
UPDATE assignment_queue SET created_at = created_at - interval '1 min';
SELECT is((steward.auto_assign('n2', 'ticket', pg_temp.skills('a'), 'normal') ->> 'estimated_wait_minutes')::int, 3 * 1440 / 4, 'third in line, where four were done in a day');
SELECT is((steward.auto_assign('n3', 'ticket', pg_temp.skills('d'), 'normal') ->> 'estimated_wait_minutes'), NULL, 'of which none tells about other skills');
ROLLBACK;

-- Where much is done, its rate is what was done lately, not what a day makes of it.
BEGIN;
SELECT pg_temp.staff('one', 'home', '{a}', 5);
SELECT pg_temp.wait('w' || i, '{a}', 'normal', i) FROM generate_series(1, 7) i;
SET LOCAL session_replication_role = replica;
INSERT INTO assignments (organization_id, work_item_id, work_item_type, assignee_id, unit_id, assigned_at, sla_started_at, warn_at, sla_deadline, priority, status, completed_at)
SELECT :'org', 'done ' || i, 'task', md5('staff one')::uuid, md5('unit home')::uuid, s.start, s.start, s.start, s.start, 'normal', 'completed', steward.now() - i * interval '18 s'
  FROM generate_series(1, 300) i, (SELECT steward.now() - interval '2 h' AS start) s;
SET LOCAL session_replication_role = origin;
SELECT is((steward.auto_assign('n', 'ticket', pg_temp.skills('a'), 'normal') ->> 'estimated_wait_minutes')::int, 3, 'eighth in line, where the last two hundred were done in an hour');
ROLLBACK;
-- What came at the same moment has an order too.
BEGIN;
INSERT INTO assignment_queue (id, work_item_id, work_item_type, required_skills, priority)
SELECT ('00000000-0000-4000-8000-00000000000' || i)::uuid, 'tie ' || i, 'ticket', pg_temp.skills('a'), 'normal' FROM generate_series(3, 1, -1) i;
SELECT is(array_agg(steward.auto_assign('tie ' || i, 'ticket', pg_temp.skills('a'), 'normal') ->> 'queue_position' ORDER BY i), '{1,2,3}', 'of one moment the smallest id is first') FROM generate_series(1, 3) i;
ROLLBACK;

-- The order: urgent first, then oldest, then id.
BEGIN;
SELECT pg_temp.staff('one', 'home', '{a}', 5);
SELECT pg_temp.wait('normal-1', '{a}', 'normal', 5), pg_temp.wait('normal-2', '{a}', 'normal', 10), pg_temp.wait('urgent-1', '{a}', 'urgent', 2),
       pg_temp.wait('high-1', '{a}', 'high', 8), pg_temp.wait('low-1', '{a}', 'low', 60);
DELETE FROM steward.capacity_freed;
CREATE TEMP TABLE got (n int, item text);
DO $$
BEGIN
    FOR i IN 1..5 LOOP
        PERFORM pg_temp.finish_item('one ' || i);
        PERFORM steward.queue_drain('test', 100);
        INSERT INTO got SELECT i, work_item_id FROM assignments WHERE work_item_type = 'ticket' AND work_item_id NOT IN (SELECT item FROM got);
    END LOOP;
END $$;
SELECT is(array_agg(item ORDER BY n), '{urgent-1,high-1,normal-2,normal-1,low-1}', 'one place at a time, urgent first, then oldest') FROM got;
SELECT is(count(*), 0::bigint, 'each leaves the queue') FROM assignment_queue;
SELECT is(count(*), 0::bigint, 'and no note is left') FROM steward.capacity_freed;
SELECT is(sla_started_at, assigned_at - interval '2 min', 'its clock began when it came') FROM assignments WHERE work_item_id = 'urgent-1';
ROLLBACK;

-- Every road by which capacity comes free.
CREATE FUNCTION pg_temp.blocked() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_temp.staff('one', 'home', '{a}', 5), pg_temp.staff('two', 'other', '{b}');
    PERFORM pg_temp.wait('i', '{a}');
    DELETE FROM steward.capacity_freed;
END $$;
BEGIN; SELECT pg_temp.blocked();
SELECT is(pg_temp.drain(), NULL, 'without capacity nothing moves');
SELECT pg_temp.finish_item('one 1');
SELECT is(pg_temp.drain(), '{i}', 'completion'); ROLLBACK;
BEGIN; SELECT pg_temp.blocked(), pg_temp.finish_item('one 1', 'cancelled');
SELECT is(pg_temp.drain(), '{i}', 'cancellation'); ROLLBACK;
BEGIN; SELECT pg_temp.blocked();
DELETE FROM assignments WHERE work_item_id = 'one 1';
SELECT is(pg_temp.drain(), '{i}', 'deletion'); ROLLBACK;
BEGIN; SELECT pg_temp.blocked();
UPDATE assignments SET assignee_id = md5('staff two')::uuid WHERE work_item_id = 'one 1';
SELECT is(pg_temp.drain(), '{i}', 'reassignment'); ROLLBACK;
BEGIN; SELECT pg_temp.blocked();
UPDATE staff_profiles SET individual_wip_limit = 6 WHERE user_id = md5('staff one')::uuid;
SELECT is(pg_temp.drain(), '{i}', 'a higher limit'); ROLLBACK;
BEGIN; SELECT pg_temp.blocked(), pg_temp.staff('three', 'home', '{a}');
UPDATE organizational_units SET unit_wip_limit = 5 WHERE name_en = 'home';
DELETE FROM steward.capacity_freed;
SELECT is(pg_temp.drain(), NULL, 'at the limit of the unit nothing moves');
UPDATE organizational_units SET unit_wip_limit = 6 WHERE name_en = 'home';
SELECT is(pg_temp.drain(), '{i}', 'a higher limit of the unit'); ROLLBACK;
BEGIN; SELECT pg_temp.blocked(), pg_temp.staff('three', 'home', '{a}');
UPDATE staff_profiles SET availability_status = 'on_leave' WHERE user_id = md5('staff three')::uuid;
DELETE FROM steward.capacity_freed;
SELECT is(pg_temp.drain(), NULL, 'nobody who is away serves');
UPDATE staff_profiles SET availability_status = 'available' WHERE user_id = md5('staff three')::uuid;
SELECT is(pg_temp.drain(), '{i}', 'a return from leave'); ROLLBACK;
BEGIN; SELECT pg_temp.blocked(), pg_temp.staff('three', 'home', '{a}');
SELECT is(pg_temp.drain(), '{i}', 'somebody new'); ROLLBACK;
BEGIN; SELECT pg_temp.blocked();
UPDATE staff_profiles SET skills = pg_temp.skills('a', 'b') WHERE user_id = md5('staff two')::uuid;
SELECT is(pg_temp.drain(), '{i}', 'a new skill'); ROLLBACK;
BEGIN; SELECT pg_temp.blocked(), pg_temp.staff('three', 'home', '{a}');
UPDATE organizational_units SET unit_wip_limit = 5 WHERE name_en = 'home';
DELETE FROM steward.capacity_freed;
UPDATE staff_profiles SET unit_id = md5('unit other')::uuid WHERE user_id = md5('staff three')::uuid;
SELECT is(pg_temp.drain(), '{i}', 'a move to a unit with room'); ROLLBACK;
BEGIN; SELECT pg_temp.blocked(), pg_temp.staff('three', 'home', '{a}');
UPDATE organizational_units SET unit_wip_limit = 5 WHERE name_en = 'home';
DELETE FROM steward.capacity_freed;
UPDATE staff_profiles SET unit_id = md5('unit other')::uuid WHERE user_id = md5('staff one')::uuid;
SELECT is(pg_temp.drain(), '{i}', 'and a move away, which takes open work along'); ROLLBACK;
-- Where the unit was the obstacle, anybody of it gains.
BEGIN; SELECT pg_temp.unit('home', 10), pg_temp.staff('one', 'home', '{a}', 5), pg_temp.staff('two', 'home', '{b}', 5), pg_temp.staff('three', 'home', '{c}'), pg_temp.wait('i', '{c}');
DELETE FROM steward.capacity_freed;
SELECT pg_temp.finish_item('one 1');
SELECT is(pg_temp.drain(), '{i}', 'one finishes, another of the full unit is served'); ROLLBACK;

-- Only what the freed capacity can serve, and as much as it can.
BEGIN;
SELECT pg_temp.staff('one', 'home', '{a,c}', 5), pg_temp.staff('two', 'home', '{b}', 5);
SELECT pg_temp.wait('both', '{a,b}', 'urgent'), pg_temp.wait('b', '{b}', 'urgent'), pg_temp.wait('d', '{d}', 'urgent'), pg_temp.wait('ad', '{a,d}', 'high'),
       pg_temp.wait('c', '{c}', 'normal', 1), pg_temp.wait('ac', '{a,c}', 'normal', 3), pg_temp.wait('a', '{a}', 'normal', 2), pg_temp.wait('low', '{a}', 'low', 9);
DELETE FROM steward.capacity_freed;
SELECT pg_temp.finish_item('one ' || i) FROM generate_series(1, 3) i;
SELECT results_eq($$SELECT * FROM steward.queue_drain('test', 100)$$, 'VALUES (3, 3, false, false)', 'three places, three items, none tried in vain');
SELECT is(pg_temp.served(), '{ac,a,c}', 'the oldest that one person can serve');
SELECT is(array_agg(work_item_id ORDER BY work_item_id), '{ad,b,both,d,low}', 'the others wait') FROM assignment_queue;
SELECT results_eq($$SELECT * FROM steward.queue_drain('test', 100)$$, 'VALUES (0, 0, false, false)', 'notes are used once');
ROLLBACK;
BEGIN;
SELECT pg_temp.staff('one', 'home', '{a}', 5), pg_temp.staff('two', 'other', '{a}', 5);
INSERT INTO assignment_rules (name_ar, name_en, unit_id, required_skills, unit_is_must) VALUES ('r', 'r', md5('unit other')::uuid, pg_temp.skills('a', 'b'), true);
UPDATE staff_profiles SET skills = pg_temp.skills('a', 'b');
SELECT pg_temp.wait('must ' || i, '{a,b}', 'urgent', i) FROM generate_series(1, 10) i;
SELECT pg_temp.wait('i', '{a}');
DELETE FROM steward.capacity_freed;
SELECT pg_temp.finish_item('one 1');
SELECT is(pg_temp.drain(), '{i}', 'what a rule keeps for another unit is not in the way');
ROLLBACK;
BEGIN;
SELECT pg_temp.staff('one', 'home', '{a}', 0, 20);
SELECT pg_temp.wait('i' || i, '{a}', 'normal', i) FROM generate_series(1, 8) i;
SELECT results_eq($$SELECT * FROM steward.queue_drain('test', 5)$$, 'VALUES (5, 5, true, false)', 'a call is bounded, and says that there is more');
SELECT results_eq($$SELECT * FROM steward.queue_drain('test', 5)$$, 'VALUES (3, 3, false, false)', 'which the next one does');
ROLLBACK;
BEGIN;
SELECT pg_temp.staff('one', 'home', '{a}', 0, 3), pg_temp.staff('two', 'other', '{a}', 0, 3), pg_temp.staff('away', 'other', '{a}', 5, 5);
SELECT pg_temp.wait('i' || i, '{a}', 'normal', i) FROM generate_series(1, 9) i;
SELECT results_eq($$SELECT assigned FROM process_queue_for_unit(md5('unit home')::uuid)$$, 'VALUES (6)', 'one unit is drained, and the item goes to the best of all');
SELECT is(count(*), 3::bigint, 'until nobody of the unit has room') FROM assignment_queue;
SELECT results_eq($$SELECT assigned FROM process_queue_for_unit('00000000-0000-4000-8000-000000000001')$$, 'VALUES (0)', 'an unknown unit serves nothing');
ROLLBACK;
-- What waits keeps its preference.
BEGIN;
SELECT pg_temp.staff('here', 'home', '{a}'), pg_temp.staff('there', 'other', '{a}', 1), pg_temp.wait('i', '{a}', target => 'other');
SELECT is(pg_temp.drain(), '{i}', 'an item with a target');
SELECT is(pg_temp.who(assignee_id), 'there', 'goes to its target'), is(target_unit_id, md5('unit other')::uuid, 'which it keeps') FROM assignments WHERE work_item_id = 'i';
ROLLBACK;
-- An item that needs nothing is for anybody.
BEGIN;
SELECT pg_temp.staff('one', 'home', '{a}', 4);
INSERT INTO assignment_queue (work_item_id, work_item_type, required_skills, priority, last_attempt_at) VALUES ('i', 'ticket', '{}', 'low', steward.now());
SELECT is(pg_temp.drain(), '{i}', 'work without skills');
ROLLBACK;

-- The walk over sets finds exactly what is within the skills, whatever else waits.
BEGIN;
SELECT pg_temp.skill('s' || i) FROM generate_series(1, 9) i;
SELECT setseed(0.42);
CREATE TEMP TABLE waiting AS
SELECT 'w' || n AS item, ARRAY(SELECT DISTINCT id FROM (SELECT md5('skill s' || 1 + floor(random() * 9 + 0 * n))::uuid AS id FROM generate_series(1, 1 + n % 4)) x ORDER BY id) AS skills
  FROM generate_series(1, 300) n;
UPDATE waiting SET skills = ARRAY(SELECT s FROM unnest(skills) s WHERE s IN (SELECT id FROM skills));
INSERT INTO assignment_queue (work_item_id, work_item_type, required_skills, priority, created_at, last_attempt_at)
SELECT item, 'ticket', skills, 'normal', steward.now() - substr(item, 2)::int * interval '1 s', steward.now() FROM waiting;
SELECT pg_temp.staff('many', 'home', '{s1,s3,s4,s7}', 0, 20);
SELECT pg_temp.drain();
SELECT is((SELECT array_agg(work_item_id ORDER BY sla_started_at) FROM assignments WHERE work_item_type = 'ticket'),
    (SELECT array_agg(item ORDER BY substr(item, 2)::int DESC) FROM (SELECT * FROM waiting WHERE skills <@ pg_temp.skills('s1', 's3', 's4', 's7') ORDER BY substr(item, 2)::int DESC LIMIT 20) x),
    'twenty oldest of those that fit');
SELECT set_eq(format('WITH RECURSIVE w AS (SELECT %1$L::uuid[] AS s UNION ALL SELECT n FROM w, steward.next_set(w.s, %2$L) n WHERE n IS NOT NULL) SELECT s FROM w',
                     '{}', (SELECT array_agg(s ORDER BY s) FROM unnest(pg_temp.skills('a', 'b', 'c')) s)),
    $$SELECT ARRAY(SELECT s FROM unnest(x) s WHERE s IS NOT NULL ORDER BY s) FROM (
        SELECT ARRAY[CASE WHEN i & 1 > 0 THEN md5('skill a')::uuid END, CASE WHEN i & 2 > 0 THEN md5('skill b')::uuid END, CASE WHEN i & 4 > 0 THEN md5('skill c')::uuid END] AS x FROM generate_series(0, 7) i) y$$,
    'next_set goes through all subsets');
ROLLBACK;

-- What is new is looked at once, without being counted as an attempt.
BEGIN;
INSERT INTO assignment_queue (work_item_id, work_item_type, required_skills, priority) SELECT 'n' || i, 'ticket', pg_temp.skills('a'), 'normal' FROM generate_series(1, 3) i;
SELECT results_eq($$SELECT * FROM steward.queue_drain('test', 100)$$, 'VALUES (0, 3, false, false)', 'new items are looked at');
SELECT results_eq($$SELECT * FROM steward.queue_drain('test', 100)$$, 'VALUES (0, 0, false, false)', 'once');
SELECT is(min(attempts) || ' ' || min(reason), '0 No staff with the required skills', 'for nothing') FROM assignment_queue;
SELECT pg_temp.staff('late', 'home', '{a}');
DELETE FROM steward.capacity_freed;
INSERT INTO assignment_queue (work_item_id, work_item_type, required_skills, priority) VALUES ('n4', 'ticket', pg_temp.skills('a'), 'normal');
SELECT is(pg_temp.drain(), '{n4}', 'capacity that came free in between is found');
-- Notes may be lost; the minute finds what they were about.
SELECT results_eq('SELECT * FROM process_stale_queue_items()', 'VALUES (0)', 'what was just looked at rests');
SET steward.clock_offset = '61 s';
SELECT results_eq('SELECT * FROM process_stale_queue_items()', 'VALUES (3)', 'for a minute');
RESET steward.clock_offset;
ROLLBACK;
CREATE FUNCTION pg_temp.minutes(n int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    FOR i IN 1..n LOOP
        PERFORM set_config('steward.clock_offset', COALESCE(NULLIF(current_setting('steward.clock_offset', true), ''), '0 s')::interval + interval '61 s' || '', true);
        PERFORM process_stale_queue_items();
    END LOOP;
END $$;
BEGIN;
SELECT pg_temp.staff('one', 'home', '{a}', 5), pg_temp.staff('boss', 'home', '{b}'), pg_temp.wait('i', '{a}', target => 'home');
UPDATE staff_profiles SET role = 'supervisor' WHERE user_id = md5('staff boss')::uuid;
DELETE FROM steward.capacity_freed;
SELECT pg_temp.minutes(9);
SELECT is(attempts, 9, 'every minute is an attempt'), ok(NOT needs_review, 'nine are not ten') FROM assignment_queue;
SELECT is_empty('SELECT FROM escalation_events', 'and nobody is called');
SELECT pg_temp.minutes(1);
SELECT is(attempts, 10, 'ten'), ok(needs_review, 'flag it for review'), is(flagged_at, steward.now(), 'now'), is(reason, 'All staff at WIP limit', 'and say why') FROM assignment_queue;
SELECT ok(e.queue_id = q.id AND e.escalated_at = q.flagged_at AND e.escalated_by IS NULL, 'and are told'), is(e.notes, '10 attempts found nobody: All staff at WIP limit', 'with the reason')
  FROM escalation_events e, assignment_queue q WHERE e.reason = 'capacity_exhaustion';
SELECT pg_temp.minutes(3);
SELECT is(attempts, 10, 'the fallback leaves it alone') FROM assignment_queue;
SELECT pg_temp.finish_item('one 1');
SELECT is(pg_temp.drain(), '{i}', 'capacity does not');
ROLLBACK;
BEGIN;
SELECT pg_temp.staff('one', 'home', '{a}', 5), pg_temp.wait('i', '{a}', 'low'), pg_temp.wait('u', '{a}', 'urgent');
DELETE FROM steward.capacity_freed;
SELECT pg_temp.finish_item('one 1');
SELECT results_eq('SELECT * FROM process_stale_queue_items()', 'VALUES (1)', 'the fallback uses notes that nobody used');
SELECT is(pg_temp.served(), '{u}', 'in the same order');
ROLLBACK;

-- An item that somebody has by now is not given to another.
BEGIN;
SELECT pg_temp.staff('one', 'home', '{a}', 5), pg_temp.wait('i', '{a}'), pg_temp.wait('j', '{a}', 'low');
INSERT INTO assignments (work_item_id, work_item_type, assignee_id, priority) VALUES ('i', 'ticket', md5('staff one')::uuid, 'normal');
SELECT pg_temp.finish_item('one ' || i) FROM generate_series(1, 2) i;
SELECT is(pg_temp.drain(), '{i,j}', 'it leaves the queue, the next is served');
SELECT is(count(*), 0::bigint, 'and nothing waits') FROM assignment_queue;
SELECT is(count(*), 0::bigint, 'no count is wrong') FROM steward.recount_assignments(false);
ROLLBACK;

-- What somebody else's trigger or constraint refuses keeps nobody else from being served.
CREATE FUNCTION pg_temp.refuse() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    IF (CASE TG_OP WHEN 'DELETE' THEN OLD.work_item_id ELSE NEW.work_item_id END) LIKE 'poison%' THEN
        IF TG_ARGV[0] = 'P0004' THEN
            ASSERT false, 'not this one';
        END IF;
        RAISE EXCEPTION 'not this one' USING ERRCODE = TG_ARGV[0];
    END IF;
    RETURN CASE TG_OP WHEN 'DELETE' THEN OLD ELSE NEW END;
END $$;
-- The poison is the most urgent; one of the two who could take it has room again.
CREATE FUNCTION pg_temp.poisoned(refusal text) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_temp.staff('one', 'home', '{a}', 5), pg_temp.staff('two', 'other', '{b}', 5), pg_temp.wait('good', '{a}'), pg_temp.wait('other', '{b}', 'low'), pg_temp.wait('poison', '{a}', 'urgent');
    EXECUTE refusal;
    DELETE FROM steward.capacity_freed;
    PERFORM pg_temp.finish_item('one 1'), pg_temp.finish_item('two 1');
END $$;
CREATE FUNCTION pg_temp.refusal(code text) RETURNS text LANGUAGE sql AS $$
    SELECT format('CREATE TRIGGER zz BEFORE INSERT ON assignments FOR EACH ROW EXECUTE FUNCTION pg_temp.refuse(%L)', code)
$$;
SET client_min_messages = error;
BEGIN; SELECT pg_temp.poisoned(pg_temp.refusal('P0001'));
SELECT results_eq($$SELECT * FROM steward.queue_drain('test', 100)$$, 'VALUES (2, 3, false, false)', 'one is refused, those behind it are served in the same pass');
SELECT is(pg_temp.served(), '{good,other}', 'all of them');
SELECT is((work_item_id, attempts, reason, last_attempt_at = steward.now())::text, '(poison,1,"It was refused: not this one",t)', 'it waits, the refusal is counted, and says what it was') FROM assignment_queue;
SELECT is(count(*), 0::bigint, 'nothing is left of what was done for it') FROM steward.recount_assignments(false);
SELECT pg_temp.finish_item('one 2');
SELECT is(pg_temp.assign('new', '{a}'), 'one', 'what rests comes before nobody');
SELECT pg_temp.finish_item('one 3');
SELECT results_eq($$SELECT * FROM steward.queue_drain('test', 100)$$, 'VALUES (0, 0, false, false)', 'nor is it tried again at each drain');
SELECT results_eq('SELECT * FROM process_stale_queue_items()', 'VALUES (0)', 'or by the fallback');
SELECT is(attempts, 1, 'for a minute') FROM assignment_queue;
SELECT pg_temp.staff('boss', 'home', '{c}');
UPDATE staff_profiles SET role = 'supervisor' WHERE user_id = md5('staff boss')::uuid;
UPDATE assignment_queue SET target_unit_id = md5('unit home')::uuid;
SELECT is((attempts, refused_at, last_attempt_at)::text, '(0,,)', 'an item that is changed is a new one') FROM assignment_queue;
SELECT pg_temp.drain(), pg_temp.minutes(9);
SELECT is((attempts, needs_review, flagged_at = steward.now())::text, '(10,t,t)', 'the tenth flags it') FROM assignment_queue;
SELECT is(e.notes, '10 attempts failed: It was refused: not this one', 'and is told as it was') FROM escalation_events e WHERE e.reason = 'capacity_exhaustion';
SELECT pg_temp.minutes(1);
DROP TRIGGER zz ON assignments;
SELECT pg_temp.finish_item('one 4');
SELECT is('poison' = ANY (pg_temp.drain()), true, 'what is not refused any more is served by capacity that comes free'); ROLLBACK;
BEGIN; SELECT pg_temp.poisoned(pg_temp.refusal('P0001')), pg_temp.minutes(1);
UPDATE staff_profiles SET availability_status = 'on_leave';
SELECT pg_temp.minutes(1);
SELECT is((attempts, reason, refused_at)::text, '(2,"No staff available",)', 'and what fits nobody now is not called refused') FROM assignment_queue WHERE work_item_id = 'poison'; ROLLBACK;
BEGIN; SELECT pg_temp.poisoned(pg_temp.refusal('P0001'));
SELECT throws_ok($$SELECT steward.auto_assign('poison 2', 'ticket', pg_temp.skills('b'), 'normal')$$, 'P0001', 'not this one', 'who asks for it himself is told'); ROLLBACK;
BEGIN; SELECT pg_temp.poisoned(pg_temp.refusal('53100'));
SELECT throws_ok('SELECT pg_temp.drain()', '53100', 'not this one', 'what ails the server is no item''s fault'); ROLLBACK;
BEGIN; SELECT pg_temp.poisoned(pg_temp.refusal('40P01'));
SELECT results_eq($$SELECT * FROM steward.queue_drain('test', 100, true)$$, 'VALUES (2, 3, false, true)', 'nor is it, when it is others who are in the way'); ROLLBACK;
BEGIN; SELECT pg_temp.poisoned(pg_temp.refusal('P0004'));
SELECT is(pg_temp.drain(), '{good,other}', 'an assertion is a refusal'); ROLLBACK;
BEGIN; SELECT pg_temp.poisoned('CREATE CONSTRAINT TRIGGER zz AFTER INSERT ON assignments DEFERRABLE INITIALLY DEFERRED FOR EACH ROW EXECUTE FUNCTION pg_temp.refuse(''23000'')');
SELECT is(pg_temp.drain(), '{good,other}', 'and so is what is checked at the end');
SELECT lives_ok('SET CONSTRAINTS ALL IMMEDIATE', 'of which nothing is left'); ROLLBACK;
BEGIN; SELECT pg_temp.poisoned('CREATE UNIQUE INDEX ON assignments ((1)) WHERE work_item_id IN (''poison'', ''one 2'')');
SELECT results_eq($$SELECT * FROM steward.queue_drain('test', 100)$$, 'VALUES (2, 3, false, false)', 'a key that is not steward''s own says nothing about who has the item'); ROLLBACK;
BEGIN; SELECT pg_temp.poisoned('CREATE TRIGGER zz BEFORE DELETE ON assignment_queue FOR EACH ROW EXECUTE FUNCTION pg_temp.refuse(''P0001'')');
INSERT INTO assignments (work_item_id, work_item_type, assignee_id, priority) VALUES ('poison', 'ticket', md5('staff two')::uuid, 'urgent');
SELECT is(pg_temp.drain(), '{poison,good}', 'an item that cannot leave the queue'); ROLLBACK;
BEGIN; SELECT pg_temp.poisoned(pg_temp.refusal('P0001') || '; CREATE TRIGGER zz BEFORE UPDATE ON assignment_queue FOR EACH ROW EXECUTE FUNCTION pg_temp.refuse(''P0004'')');
SELECT is(pg_temp.drain(), '{good,other}', 'nor be written to'); ROLLBACK;
BEGIN; SELECT pg_temp.poisoned(pg_temp.refusal('P0001'));
SELECT pg_temp.wait('poison ' || i, '{a}', 'urgent') FROM generate_series(1, 6) i;
SELECT results_eq($$SELECT * FROM steward.queue_drain('test', 5)$$, 'VALUES (0, 5, false, false)', 'where a whole pass is refused');
SELECT results_eq($$SELECT * FROM steward.queue_drain('test', 5)$$, 'VALUES (2, 4, false, false)', 'the next one goes on behind it'); ROLLBACK;
BEGIN; SELECT pg_temp.poisoned(pg_temp.refusal('P0001'));
UPDATE assignment_queue SET last_attempt_at = NULL;
DELETE FROM steward.capacity_freed;
SELECT results_eq($$SELECT * FROM steward.queue_drain('test', 100)$$, 'VALUES (2, 3, false, false)', 'what is new and refused');
SELECT results_eq($$SELECT * FROM steward.queue_drain('test', 100)$$, 'VALUES (0, 0, false, false)', 'was looked at');
SELECT results_eq($$SELECT assigned FROM process_queue_for_unit(md5('unit home')::uuid)$$, 'VALUES (0)', 'and rests for everybody'); ROLLBACK;
RESET client_min_messages;

-- A rule that lifts the limit of a full unit does so for the work that it covers, and for no other.
BEGIN;
SELECT pg_temp.unit('home', 1), pg_temp.staff('one', 'home', '{a,b}', 1);
INSERT INTO assignment_rules (name_ar, name_en, unit_id, required_skills, capacity_check_enabled) VALUES ('r', 'r', md5('unit home')::uuid, pg_temp.skills('b'), false);
SELECT pg_temp.wait('i' || i, '{a}', 'normal', i) FROM generate_series(1, 150) i;
SELECT pg_temp.wait('covered', '{b}', 'low');
UPDATE staff_profiles SET individual_wip_limit = 6;
SELECT results_eq($$SELECT * FROM steward.queue_drain('test', 100)$$, 'VALUES (1, 1, false, false)', 'work that no rule covers is not tried in a full unit');
SELECT is(pg_temp.served(), '{covered}', 'the covered is given');
ROLLBACK;

-- What somebody holds keeps its note, and nothing overtakes it unless asked to.
BEGIN;
SELECT pg_temp.staff('one', 'home', '{a}', 5), pg_temp.wait('first', '{a}', 'urgent'), pg_temp.wait('second', '{a}');
SELECT id AS first FROM assignment_queue WHERE work_item_id = 'first' \gset
COMMIT;
SELECT dblink_connect('other', format('host=%s dbname=%s user=%s', current_setting('unix_socket_directories'), current_database(), current_user)) \g /dev/null
SELECT dblink_exec('other', 'BEGIN') \g /dev/null
SELECT dblink_exec('other', format('UPDATE assignment_queue SET notes = ''held'' WHERE id = %L', :'first')) \g /dev/null
DELETE FROM steward.capacity_freed;
SELECT pg_temp.finish_item('one 1');
SELECT results_eq($$SELECT * FROM steward.queue_drain('test', 100)$$, 'VALUES (0, 1, false, true)', 'what somebody holds is not overtaken');
SELECT ok(EXISTS (SELECT FROM steward.capacity_freed), 'and the note is kept');
SELECT dblink_exec('other', 'COMMIT') \g /dev/null
SELECT results_eq($$SELECT * FROM steward.queue_drain('test', 100)$$, 'VALUES (1, 1, false, false)', 'when it is let go it is served');
SELECT is(work_item_id, 'second', 'and the other waits') FROM assignment_queue;
-- Giving an item away by hand while steward does does not wait for it.
SELECT dblink_exec('other', 'BEGIN') \g /dev/null
SELECT * FROM dblink('other', format('SELECT pg_advisory_xact_lock(steward.item_lock_key(%L, %L, %L))::text', :'org', 'second', 'ticket')) t(nothing text) \g /dev/null
SELECT throws_ok($$INSERT INTO assignments (work_item_id, work_item_type, assignee_id, priority) VALUES ('second', 'ticket', md5('staff one')::uuid, 'normal')$$,
    '55P03', 'work item second is being given to somebody at this moment', 'one of the two who give an item away is told to try again');
SELECT dblink_exec('other', 'ROLLBACK') \g /dev/null
SELECT dblink_disconnect('other') \g /dev/null
DELETE FROM assignment_queue;
DELETE FROM assignments;

SELECT is(count(*), 0::bigint, 'every test cleaned up') FROM assignment_queue;

-- No finish(): it counts what the rollbacks took back.
