-- Who sees what of the assignment engine, and that nobody but the trusted backend
-- writes its tables.  Another organisation is absence; a claim that names nobody
-- sees nothing and raises nothing.

\ir setup.psql
\ir assignments.psql

SELECT plan(291);

INSERT INTO organizations (name) VALUES ('another') RETURNING id AS another
\gset
SELECT pg_temp.unit('north') AS north, pg_temp.unit('south') AS south, pg_temp.unit('abroad', 20, NULL, :'another') AS abroad, pg_temp.skill('arabic') AS arabic, pg_temp.skill('arabic', :'another') AS foreign_arabic
\gset
SELECT pg_temp.staff(:'north') AS ann, pg_temp.staff(:'north') AS ben, pg_temp.staff(:'north', '{}', 'supervisor') AS nora, pg_temp.staff(:'south') AS sue, pg_temp.staff(:'south', '{}', 'supervisor') AS sam,
       pg_temp.staff(:'south', '{}', 'admin') AS ada, pg_temp.staff(:'abroad') AS zoe, pg_temp.staff(:'abroad', '{}', 'admin') AS zed, pg_temp.person() AS nobody
\gset
-- Two items each, one of them escalated to the unit's supervisor; one archived each.
CREATE TEMP TABLE people AS SELECT p.user_id, p.unit_id, u.name_en AS unit,
       COALESCE((SELECT l.user_id FROM staff_profiles l WHERE l.unit_id = p.unit_id AND l.role = 'supervisor'), (SELECT l.user_id FROM staff_profiles l WHERE l.unit_id = p.unit_id AND l.role = 'admin')) AS lead
  FROM staff_profiles p JOIN organizational_units u ON u.id = p.unit_id WHERE p.role = 'staff';
SELECT pg_temp.work(user_id), pg_temp.work(user_id, 'high') FROM people;
INSERT INTO escalation_events (assignment_id, escalated_to_id, reason)
SELECT a.id, p.lead, 'sla_breach' FROM people p JOIN assignments a ON a.assignee_id = p.user_id WHERE a.priority = 'high';
SELECT pg_temp.work(user_id, 'low') FROM people;
INSERT INTO escalation_events (assignment_id, escalated_to_id, reason)
SELECT a.id, p.lead, 'manual' FROM people p JOIN assignments a ON a.assignee_id = p.user_id WHERE a.priority = 'low';
UPDATE assignments SET status = 'completed' WHERE priority = 'low';
DELETE FROM assignments WHERE priority = 'low';
INSERT INTO assignment_queue (work_item_id, work_item_type, required_skills, priority, target_unit_id, organization_id)
VALUES ('for north', 'task', '{}', 'low', :'north', NULL), ('for south', 'task', '{}', 'low', :'south', NULL), ('for any', 'task', '{}', 'low', NULL, NULL),
       ('for abroad', 'task', '{}', 'low', :'abroad', NULL), ('for any abroad', 'task', '{}', 'low', NULL, :'another');
INSERT INTO assignment_rules (name_ar, name_en, unit_id, required_skills) VALUES ('r', 'r', :'north', ARRAY[:'arabic']::uuid[]), ('r', 'r', :'abroad', ARRAY[:'foreign_arabic']::uuid[]);
INSERT INTO sla_configs (organization_id, work_item_type, priority, deadline_hours) VALUES (:'another', 'task', 'low', 1);
SELECT steward.capacity_snapshot('2025-10-02');

CREATE FUNCTION pg_temp.sees(claims text, query text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    n bigint;
BEGIN
    PERFORM set_config('request.jwt.claims', claims, true);
    SET LOCAL ROLE authenticated;
    EXECUTE 'SELECT count(*) FROM ' || query INTO n;
    RESET ROLE;
    RETURN n;
END $$;
-- Per table, what Ann and Ben (staff in the north), Nora (their supervisor), Sue
-- (staff in the south), Sam (her supervisor), Ada (administrator), Zoe and Zed
-- (staff and administrator of another organisation) and somebody without a profile see.
SELECT is(ARRAY[pg_temp.sees(c.ann, t), pg_temp.sees(c.ben, t), pg_temp.sees(c.nora, t), pg_temp.sees(c.sue, t), pg_temp.sees(c.sam, t), pg_temp.sees(c.ada, t), pg_temp.sees(c.zoe, t), pg_temp.sees(c.zed, t), pg_temp.sees(c.nobody, t)]::int[],
          wanted, format('%s: staff the own, supervisors their unit''s, administrators their organisation''s, others none', t))
  FROM (SELECT json_build_object('sub', :'ann')::text AS ann, json_build_object('sub', :'ben')::text AS ben, json_build_object('sub', :'nora')::text AS nora, json_build_object('sub', :'sue')::text AS sue,
               json_build_object('sub', :'sam')::text AS sam, json_build_object('sub', :'ada')::text AS ada, json_build_object('sub', :'zoe')::text AS zoe, json_build_object('sub', :'zed')::text AS zed,
               json_build_object('sub', :'nobody')::text AS nobody) c,
       (VALUES ('staff_profiles',            '{1,1,3,1,3,6,1,2,0}'::int[]),
               ('assignments',               '{2,2,4,2,2,6,2,2,0}'),
               ('assignment_queue',          '{0,0,2,0,2,3,0,2,0}'),
               ('escalation_events',         '{1,1,2,1,1,3,1,1,0}'),
               ('assignments_archive',       '{1,1,2,1,1,3,1,1,0}'),
               ('escalation_events_archive', '{1,1,2,1,1,3,1,1,0}'),
               ('assignment_history',        '{0,0,2,0,1,3,0,1,0}'),
               ('capacity_snapshots',        '{0,0,1,0,1,2,0,1,0}'),
               ('organizational_units',      '{2,2,2,2,2,2,1,1,0}'),
               ('skills',                    '{1,1,1,1,1,1,1,1,0}'),
               ('assignment_rules',          '{1,1,1,1,1,1,1,1,0}'),
               ('sla_configs',               '{16,16,16,16,16,16,1,1,0}')) v(t, wanted);
SELECT is(pg_temp.sees(json_build_object('sub', :'ann')::text, format('assignments WHERE assignee_id <> %L', :'ann')), 0::bigint, 'what staff see is their own');
SELECT is(pg_temp.sees(json_build_object('sub', :'nora')::text, format('assignments WHERE unit_id <> %L', :'north')), 0::bigint, 'what a supervisor sees is the unit''s');
SELECT is(pg_temp.sees(json_build_object('sub', :'nora')::text, format('assignment_queue WHERE target_unit_id <> %L OR work_item_id LIKE ''%%abroad''', :'north')), 0::bigint, 'or waits for any unit');
SELECT is(pg_temp.sees(json_build_object('sub', :'ada')::text, format('assignments WHERE organization_id = %L', :'another')), 0::bigint, 'an administrator''s organisation ends where another begins');
-- Whoever an escalation names sees it, though he leads nothing, and his supervisor; one of no unit is the administrators'.
BEGIN;
INSERT INTO escalation_events (assignment_id, escalated_to_id, reason) SELECT id, :'ben', 'manual' FROM assignments WHERE assignee_id = :'sue' AND priority = 'normal';
INSERT INTO escalation_events (organization_id, queue_id, work_item_id, work_item_type, escalated_from_id, reason)
SELECT organization_id, id, work_item_id, work_item_type, :'nora', 'capacity_exhaustion' FROM assignment_queue WHERE work_item_id = 'for any';
SELECT is(pg_temp.sees(json_build_object('sub', who)::text, format('escalation_events WHERE escalated_to_id = %L AND reason = ''manual''', :'ben')), n::bigint, format('escalated to somebody who leads nothing: for %s', whose)),
       is(pg_temp.sees(json_build_object('sub', who)::text, 'escalation_events WHERE unit_id IS NULL'), q::bigint, format('escalated from the queue of no unit: for %s', whose))
  FROM (VALUES (:'ben'::uuid, 'the one it names', 1, 0), (:'ann', 'a colleague', 0, 0), (:'nora', 'the supervisor of that one, who escalated the other', 1, 1), (:'ada', 'an administrator', 1, 1), (:'zed', 'one of elsewhere', 0, 0)) v(who, whose, n, q);
ROLLBACK;
-- A unit that is gone has no supervisor; its past is the administrators', and of those whom it names.
BEGIN;
SELECT pg_temp.unit('closed') AS closed
\gset
SELECT pg_temp.staff(:'closed') AS last
\gset
SELECT pg_temp.work(:'last') AS item
\gset
INSERT INTO escalation_events (assignment_id, escalated_to_id, reason) VALUES (:'item', :'nora', 'sla_breach');
UPDATE assignments SET status = 'completed' WHERE id = :'item';
DELETE FROM assignments WHERE id = :'item';
DELETE FROM staff_profiles WHERE user_id = :'last';
DELETE FROM organizational_units WHERE id = :'closed';
SELECT is(ARRAY[pg_temp.sees(json_build_object('sub', :'ada')::text, x.past), pg_temp.sees(json_build_object('sub', :'nora')::text, x.past), pg_temp.sees(json_build_object('sub', :'zed')::text, x.past)], ARRAY[1, named, 0]::bigint[], format('%s of a unit that is gone: an administrator''s, and of whom it names', t))
  FROM (VALUES ('assignments_archive', 0), ('escalation_events_archive', 1), ('assignment_history', 0)) v(t, named), format('%s WHERE unit_id = %L', t, :'closed') x(past);
ROLLBACK;
INSERT INTO staff_profiles (user_id, unit_id) VALUES (:'nora', :'abroad');
SELECT is(pg_temp.sees(json_build_object('sub', :'nora')::text, 'assignments'), 4::bigint, 'who leads here and works there sees nothing more there');
SELECT is(pg_temp.sees(json_build_object('sub', :'nora')::text, 'organizational_units'), 3::bigint, 'but both sets of units');
UPDATE staff_profiles SET unit_id = :'south' WHERE user_id = :'ann';
SELECT is(ARRAY[pg_temp.sees(json_build_object('sub', :'nora')::text, 'assignments'), pg_temp.sees(json_build_object('sub', :'sam')::text, 'assignments')], '{2,4}'::bigint[], 'open work is seen by the supervisor of the new unit');

-- Claims that name nobody.
SELECT is(sum(pg_temp.sees(claims, t)), 0::numeric, format('claims %s: nothing is seen, nothing raised', what))
  FROM (VALUES ('', 'empty'), ('{}', 'without sub'), ('{"sub": ""}', 'with an empty sub'), ('{"sub": null}', 'with a null sub'), ('{"sub": "user-123"}', 'whose sub is no uuid'), ('{"sub": 5}', 'whose sub is a number'),
               ('{"sub": ["a"]}', 'whose sub is an array'), ('{', 'cut off'), ('null', 'null'), ('[]', 'an array'), ('"x"', 'a string'), ('{"sub": "\u0000"}', 'with a NUL'), (repeat('[', 100000), 'too deep'),
               ('{"user_metadata": {"sub": "x"}}', 'with a sub further down')) c(claims, what),
       unnest('{staff_profiles,assignments,assignment_queue,escalation_events,assignments_archive,escalation_events_archive,assignment_history,capacity_snapshots,organizational_units,skills,assignment_rules,sla_configs,projects,advisor_match_requests,project_chat_log_minimal,user_preferences}'::text[]) t
 GROUP BY what ORDER BY what;
SELECT is(pg_temp.sees(format('{"user_metadata": {"sub": "%s"}, "sub": "%s"}', :'ada', :'ann'), 'assignments'), 2::bigint, 'a sub elsewhere in the claims is nobody''s identity');
SELECT set_config('request.jwt.claim.sub', 'user-123', false), set_config('request.jwt.claims', '', false);
SELECT is(auth.uid(), NULL, 'the older setting may be broken too');
SELECT set_config('request.jwt.claim.sub', :'ann', false);
SELECT is(auth.uid(), :'ann', 'or name somebody');
RESET request.jwt.claim.sub;
RESET request.jwt.claims;
SELECT is(auth.uid(), NULL, 'no claims, nobody');

-- Who is nobody, or of another organisation, gets nothing done through the functions that users may call.
CREATE FUNCTION pg_temp.says(claims text, call text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    answer text;
BEGIN
    PERFORM set_config('request.jwt.claims', claims, true);
    SET LOCAL ROLE authenticated;
    BEGIN
        EXECUTE 'SELECT ' || call INTO answer;
    EXCEPTION WHEN insufficient_privilege THEN
        answer := 'refused';
    END;
    RESET ROLE;
    RETURN answer;
END $$;
SELECT id AS item FROM assignments WHERE assignee_id = :'ann' LIMIT 1
\gset
SELECT id AS event FROM escalation_events WHERE escalated_from_id = :'ann' LIMIT 1
\gset
SELECT id AS waiting FROM assignment_queue WHERE work_item_id = 'for north'
\gset
SELECT is(pg_temp.says(claims, format(call, id, :'ada')), 'not_found', format('claims of %s, with an administrator as actor: %s', whose, split_part(call, '(', 1)))
  FROM (VALUES ('{"sub": "user-123"}', 'no uuid'), ('{', 'no JSON'), ('', 'nothing'), (json_build_object('sub', :'nobody')::text, 'nobody here'), (json_build_object('sub', :'zed')::text, 'another organisation')) c(claims, whose),
       (VALUES ('steward.escalate(%L, ''manual'', %L) ->> ''outcome''', :'item'), ('steward.queue_escalate(%L, %L) ->> ''outcome''', :'waiting'), ('steward.escalation_answer(%L, %L, true) ->> ''outcome''', :'event'),
               (format('steward.set_availability(%L, %%L, ''on_leave'', actor => %%L) ->> ''outcome''', pg_temp.home()), :'ann')) f(call, id);
SELECT is(pg_temp.says(claims, format('(SELECT status FROM api.%I(%L))', operation, request)), '401', format('claims of %s: %s asks who is calling', whose, operation))
  FROM (VALUES ('{"sub": "user-123"}', 'no uuid'), ('{', 'no JSON'), ('', 'nothing')) c(claims, whose),
       (SELECT p.proname AS operation,
               jsonb_build_object('work_item_id', 'x', 'work_item_type', 'task', 'required_skills', '["arabic"]'::jsonb, 'priority', 'low', 'assignee_id', :'ann', 'override_reason', 'because I say so',
                   'assignment_id', :'item', 'escalation_id', :'event', 'queue_id', :'waiting', 'staff_id', :'ann', 'reason', CASE p.proname WHEN 'queue_escalate' THEN 'capacity_exhaustion' ELSE 'manual' END,
                   'status', CASE p.proname WHEN 'staff_availability' THEN 'available' ELSE 'in_progress' END) AS request
          FROM pg_proc p WHERE p.pronamespace = 'api'::regnamespace AND p.proname <> 'health_assignment_engine' AND p.proname NOT LIKE 'match%') o;
SELECT is(count(*), 4::bigint, 'nothing happened') FROM escalation_events;

-- Without claims it is the rights of the login that count, whatever it is called.
BEGIN;
CREATE ROLE test_member LOGIN IN ROLE authenticated;
CREATE ROLE test_gateway LOGIN NOINHERIT IN ROLE authenticated, service_role;
CREATE ROLE test_half LOGIN IN ROLE authenticated, test_gateway;
CREATE ROLE test_backend LOGIN IN ROLE service_role;
CREATE ROLE test_owner LOGIN IN ROLE steward_owner;
CREATE FUNCTION pg_temp.login_says(login text, become text, claims text, call text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    answer text;
BEGIN
    PERFORM set_config('request.jwt.claims', claims, true);
    BEGIN
        EXECUTE format('SET LOCAL SESSION AUTHORIZATION %I', login);
        EXECUTE format('SET LOCAL ROLE %I', become);
        EXECUTE 'SELECT ' || call INTO answer;
    EXCEPTION WHEN insufficient_privilege THEN
        answer := 'refused';
    END;
    RESET SESSION AUTHORIZATION;
    RETURN answer;
END $$;
SELECT format('steward.escalate(%L, ''manual'', %L) ->> ''outcome''', :'item', :'ada') AS escalate, format('count(*) FROM find_eligible_staff_for_assignment(''{}'', NULL, 50)') AS eligible
\gset
SELECT is(pg_temp.login_says(l.login, l.become, '', :'escalate'), l.escalated, format('%s as %s without claims: escalating', l.login, l.become)),
       is(pg_temp.login_says(l.login, l.become, '', :'eligible'), l.seen, format('%s as %s without claims: who is eligible', l.login, l.become))
  FROM (VALUES ('test_member', 'none', 'not_found', '0'), ('test_gateway', 'none', 'refused', 'refused'), ('test_gateway', 'authenticated', 'not_found', '0'),
               ('test_half', 'none', 'not_found', '0'), ('test_half', 'service_role', 'already_escalated', '9'), ('test_backend', 'none', 'already_escalated', '9'),
               ('test_backend', 'service_role', 'already_escalated', '9'), ('test_owner', 'none', 'already_escalated', '9'), ('postgres', 'none', 'already_escalated', '9'),
               ('postgres', 'authenticated', 'not_found', '0')) l(login, become, escalated, seen);
SELECT is(pg_temp.login_says('test_member', 'none', json_build_object('sub', :'zed')::text, :'eligible'), '3', 'with claims a member of authenticated sees the own organisation''s'),
       is(pg_temp.login_says('test_member', 'none', json_build_object('sub', :'zed')::text, :'escalate'), 'not_found', 'and another''s work is not there'),
       is(pg_temp.login_says('test_member', 'none', '', format('status FROM api.staff_availability(''{"staff_id": "%s", "status": "available"}'')', :'ann')), '401', 'the operations ask who is calling'),
       is(pg_temp.login_says('test_backend', 'none', '', format('status FROM api.staff_availability(''{"staff_id": "%s", "status": "available"}'')', :'ann')), '200', 'and know the backend by its rights');
ROLLBACK;

-- Writing.
SELECT set_config('request.jwt.claims', json_build_object('sub', :'ada')::text, false);
SELECT throws_ok(format('SET LOCAL ROLE %I; %s', r, format(w, t)), '42501', NULL, format('%s: %s', r, format(w, t)))
  FROM unnest('{anon,authenticated}'::text[]) r,
       unnest('{staff_profiles,assignments,assignment_queue,escalation_events,assignments_archive,escalation_events_archive,assignment_history,capacity_snapshots,organizational_units,skills,assignment_rules,sla_configs,steward.capacity_freed}'::text[]) t,
       unnest('{INSERT INTO %s DEFAULT VALUES,UPDATE %s SET organization_id = organization_id,DELETE FROM %s,TRUNCATE %s}'::text[]) w;
SELECT throws_ok(format('SET LOCAL ROLE anon; SELECT FROM %s', t), '42501', NULL, format('anon does not even read %s', t))
  FROM unnest('{staff_profiles,assignments,assignment_queue,escalation_events,assignments_archive,escalation_events_archive,assignment_history,capacity_snapshots,organizational_units,skills,assignment_rules,sla_configs,steward.capacity_freed}'::text[]) t;
SELECT throws_ok(format('SET LOCAL ROLE %I; SELECT FROM steward.capacity_freed', r), '42501', NULL, format('%s does not read the notes', r)) FROM unnest('{authenticated,service_role,steward_worker}'::text[]) r;
RESET ROLE;
SET ROLE service_role;
SELECT is(count(*), 8::bigint, 'the trusted backend sees every assignment') FROM assignments;
SELECT lives_ok('UPDATE assignments SET override_reason = ''because'' WHERE priority = ''high''', 'and writes them');
RESET ROLE;
RESET request.jwt.claims;

-- What the catalogue says.
SELECT is(array_agg(c.oid::regclass::text ORDER BY c.relname), NULL, 'every table of the engine enables and forces row security')
  FROM pg_class c WHERE c.oid = ANY ('{staff_profiles,assignments,assignment_queue,escalation_events,assignments_archive,escalation_events_archive,assignment_history,capacity_snapshots,organizational_units,skills,assignment_rules,sla_configs,steward.capacity_freed}'::regclass[])
   AND NOT (c.relrowsecurity AND c.relforcerowsecurity);
SELECT is(array_agg(p.tablename || ' ' || p.policyname), NULL, 'users have policies to read only, each through one look-up for the whole statement')
  FROM pg_policies p WHERE 'authenticated' = ANY (p.roles)
   AND p.tablename = ANY ('{staff_profiles,assignments,assignment_queue,escalation_events,assignments_archive,escalation_events_archive,assignment_history,capacity_snapshots,organizational_units,skills,assignment_rules,sla_configs}')
   AND (p.cmd <> 'SELECT' OR p.qual !~ 'SELECT (steward|auth|uid)' OR regexp_replace(p.qual, '\( SELECT [a-z_.]*\([^()]*\)[^)]*\)', '', 'g') ~ '(visible_units|own_organizations|led_organizations|uid)\(');
SELECT is(array_agg(g.table_name || ' ' || g.privilege_type), NULL, 'and no right to write')
  FROM information_schema.role_table_grants g WHERE g.grantee IN ('anon', 'authenticated', 'PUBLIC') AND g.privilege_type <> 'SELECT'
   AND g.table_name = ANY ('{staff_profiles,assignments,assignment_queue,escalation_events,assignments_archive,escalation_events_archive,assignment_history,capacity_snapshots,organizational_units,skills,assignment_rules,sla_configs,capacity_freed}');

SELECT is(array_agg(format('%s %s', t, w)), NULL, 'the archive and the history are written by the engine alone; the backend adds to the history')
  FROM unnest('{assignments_archive,escalation_events_archive,assignment_history}'::text[]) t, unnest('{INSERT,UPDATE,DELETE,TRUNCATE}'::text[]) w
 WHERE has_table_privilege('service_role', t, w) AND (t, w) <> ('assignment_history', 'INSERT');
-- What waited for a unit that is gone is an administrator's, too, to see and to settle.
BEGIN;
SELECT pg_temp.unit('closed') AS closed, pg_temp.unit('closed abroad', 20, NULL, :'another') AS closed_abroad, pg_temp.staff(pg_temp.unit('attic'), '{}', 'admin') AS abe
\gset
UPDATE staff_profiles SET availability_status = 'unavailable' WHERE user_id = :'ada';
INSERT INTO assignment_queue (work_item_id, work_item_type, required_skills, priority, target_unit_id, requested_by, created_at)
VALUES ('left', 'ticket', '{}', 'urgent', :'closed', :'ann', steward.now() - interval '3 h'), ('left abroad', 'ticket', '{}', 'urgent', :'closed_abroad', :'zoe', steward.now() - interval '3 h');
SELECT sla_check_and_escalate() \g /dev/null
DELETE FROM organizational_units WHERE id IN (:'closed', :'closed_abroad');
SELECT is(pg_temp.sees(json_build_object('sub', who)::text, 'escalation_events WHERE work_item_id LIKE ''left%'''), n::bigint, format('what waited for a unit that is gone: for %s', whose))
  FROM (VALUES (:'abe'::uuid, 'the administrator it was told to', 1), (:'ada', 'any other', 1), (:'ann', 'who asked', 1), (:'sam', 'a supervisor', 0), (:'ben', 'a colleague', 0), (:'zed', 'one of elsewhere', 1)) v(who, whose, n);
SELECT is(pg_temp.sees(json_build_object('sub', :'ada')::text, 'escalation_events WHERE work_item_id = ''left abroad'''), 0::bigint, 'but not of elsewhere');
SELECT is(pg_temp.says(json_build_object('sub', :'ada')::text, '(SELECT c.body #>> ''{summary,total_escalations}'' FROM api.escalations_report(''{}'') c)'),
          (SELECT sum(n)::text FROM (SELECT count(*) AS n FROM escalation_events WHERE organization_id = pg_temp.home() UNION ALL SELECT count(*) FROM escalation_events_archive WHERE organization_id = pg_temp.home()) e), 'it is reported');
SELECT is(pg_temp.says(json_build_object('sub', who)::text, format('(SELECT c.status FROM api.escalations_acknowledge(%L) c)', jsonb_build_object('escalation_id', e.id, 'resolve', true))), status, format('%s settles it: %s', whose, status))
  FROM escalation_events e, (VALUES (:'sam'::uuid, 'a supervisor', '403'), (:'zed', 'one of elsewhere', '404'), (:'ada', 'any administrator', '200')) v(who, whose, status) WHERE e.work_item_id = 'left';
SELECT set_config('request.jwt.claims', json_build_object('sub', :'ada')::text, true) \g /dev/null
SELECT is(steward.gone_units(), ARRAY[:'closed']::uuid[], 'nor is such a unit of another organisation named');
ROLLBACK;

SELECT is(array_agg(c.oid::regclass::text), NULL, 'a worker reads and writes no table, only by functions and the views that it was given')
  FROM pg_class c, unnest('{SELECT,INSERT,UPDATE,DELETE,TRUNCATE}'::text[]) w
 WHERE c.relkind IN ('r', 'p', 'm') AND c.relnamespace = ANY ('{public,steward,auth,api}'::regnamespace[]) AND has_table_privilege('steward_worker', c.oid, w);

-- At fifty thousand: no policy makes a query read a whole table.
SET session_replication_role = replica;
INSERT INTO auth.users (id, email) SELECT md5('u' || i)::uuid, 'u' || i FROM generate_series(1, 5000) i;
INSERT INTO organizational_units (id, organization_id, name_ar, name_en, unit_wip_limit) SELECT md5('unit' || i)::uuid, pg_temp.home(), 'u' || i, 'u' || i, 100 FROM generate_series(0, 249) i;
INSERT INTO staff_profiles (organization_id, user_id, unit_id, role) SELECT pg_temp.home(), md5('u' || i)::uuid, md5('unit' || i % 250)::uuid, CASE WHEN i <= 250 THEN 'supervisor' ELSE 'staff' END FROM generate_series(1, 5000) i;
INSERT INTO assignments (organization_id, work_item_id, work_item_type, assignee_id, unit_id, sla_started_at, warn_at, sla_deadline, priority, status)
SELECT pg_temp.home(), 'big-' || n, 'ticket', md5('u' || 1 + n % 5000)::uuid, md5('unit' || (1 + n % 5000) % 250)::uuid, now(), now() + interval '1 day', now() + n * interval '1 minute', 'normal', 'assigned' FROM generate_series(1, 50000) n;
INSERT INTO escalation_events (organization_id, assignment_id, work_item_id, work_item_type, unit_id, escalated_from_id, escalated_to_id, reason, sla_deadline)
SELECT organization_id, id, work_item_id, work_item_type, unit_id, assignee_id, md5('u' || 1 + abs(hashtext(work_item_id)) % 5000)::uuid, 'manual', NULL FROM assignments WHERE work_item_id LIKE 'big-%' AND assignee_id <> md5('u1')::uuid;
INSERT INTO assignment_queue (organization_id, work_item_id, work_item_type, required_skills, target_unit_id, priority) SELECT pg_temp.home(), 'big-' || n, 'task', '{}', md5('unit' || n % 250)::uuid, 'low' FROM generate_series(1, 50000) n;
SET session_replication_role = origin;
ANALYZE assignments, staff_profiles, organizational_units, escalation_events, assignment_queue;
CREATE FUNCTION pg_temp.plan_for(who uuid, query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    line  text;
    whole text := '';
BEGIN
    PERFORM set_config('request.jwt.claims', json_build_object('sub', who)::text, true);
    SET LOCAL ROLE authenticated;
    FOR line IN EXECUTE 'EXPLAIN (ANALYZE, TIMING OFF, SUMMARY OFF, COSTS OFF) ' || query LOOP
        whole := whole || line || E'\n';
    END LOOP;
    RESET ROLE;
    RETURN whole;
END $$;
SELECT unalike(p.plan, '%Seq Scan%', format('%s, %s: no table is read whole', t, who)), matches(p.plan, 'InitPlan', format('%s, %s: who may see what is asked once', t, who))
  FROM unnest('{assignments,escalation_events,assignment_queue,staff_profiles}'::text[]) t, (VALUES ('staff', md5('u777')::uuid), ('supervisor', md5('u7')::uuid)) w(who, id), LATERAL (SELECT pg_temp.plan_for(w.id, 'SELECT * FROM ' || t) AS plan) p;
SELECT is((SELECT sum(rows::int) FROM regexp_matches(pg_temp.plan_for(md5('u777')::uuid, 'SELECT * FROM assignments'), '^[^\n]*rows=(\d+)') AS m(r), unnest(m.r) rows), 10::bigint, 'mine are ten');
SELECT is((SELECT sum(rows::int) FROM regexp_matches(pg_temp.plan_for(md5('u7')::uuid, 'SELECT * FROM assignments'), '^[^\n]*rows=(\d+)') AS m(r), unnest(m.r) rows), 200::bigint, 'my unit''s two hundred');
SELECT unalike(pg_temp.plan_for(md5('u777')::uuid, 'SELECT * FROM assignments ORDER BY sla_deadline LIMIT 20'), '%Seq Scan%', 'nor with an order');
SELECT unalike(pg_temp.plan_for(md5('u7')::uuid, 'SELECT * FROM assignment_queue ORDER BY priority DESC, created_at LIMIT 10'), '%Seq Scan%', 'nor of the queue');

-- Deep in a list a cursor costs what a page costs.
CREATE FUNCTION pg_temp.blocks(who uuid, query text) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
    plan json;
BEGIN
    PERFORM set_config('request.jwt.claims', json_build_object('sub', who)::text, true);
    SET LOCAL ROLE authenticated;
    EXECUTE query;      -- what is planned once
    EXECUTE 'EXPLAIN (ANALYZE, BUFFERS, FORMAT json) ' || query INTO plan;
    RESET ROLE;
    RETURN (plan #>> '{0,Plan,Shared Hit Blocks}')::int + (plan #>> '{0,Plan,Shared Read Blocks}')::int;
END $$;
UPDATE assignment_queue SET created_at = steward.now() - right(work_item_id, -4)::int * interval '1 s' WHERE work_item_id LIKE 'big-%';
SELECT (10000, 'low', q.created_at, q.id)::steward.page_end AS deep FROM assignment_queue q WHERE q.work_item_id = 'big-10000'
\gset
SELECT cmp_ok(pg_temp.blocks(who, format('SELECT steward.queue_walk(%L, %L, 250)', '{}', :'deep')), '<', 300, format('the queue of %s in its depth', name))
  FROM (VALUES (:'ada'::uuid, 'an administrator'), (md5('u7')::uuid, 'a supervisor')) w(who, name);
SELECT cmp_ok(pg_temp.blocks(:'ada', 'SELECT steward.gone_units()'), '<', 2000, 'units that are gone are found by steps, not by reading');
SELECT cmp_ok(pg_temp.blocks(md5('u777')::uuid, 'SELECT steward.work_walk(NULL, ''{assigned}'', ROW (0, ''low'', ''-infinity'', ''00000000-0000-0000-0000-000000000000'')::steward.page_end, 5)'), '<', 100, 'and the own work');

SELECT * FROM finish();
