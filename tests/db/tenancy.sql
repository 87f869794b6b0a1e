-- Who sees what, and who may call what.

\ir setup.psql

SELECT plan(39);

SELECT pg_temp.person() AS client, pg_temp.person() AS advisor, pg_temp.person() AS stranger, pg_temp.person('admin') AS admin
\gset
SELECT pg_temp.project(:'client') AS project, pg_temp.project(:'stranger') AS other
\gset
SELECT pg_temp.finalized_match(:'project', :'advisor') AS match, pg_temp.finalized_match(:'other', pg_temp.person()) AS another
\gset
SELECT steward.provision_batch('test', 10);

CREATE FUNCTION pg_temp.sees(who uuid, query text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    n bigint;
BEGIN
    PERFORM set_config('request.jwt.claims', jsonb_build_object('sub', who)::text, true);
    SET LOCAL ROLE authenticated;
    EXECUTE 'SELECT count(*) FROM ' || query INTO n;
    RESET ROLE;
    RETURN n;
END $$;
SELECT is(pg_temp.sees(:'client', 'projects'), 1::bigint, 'the client sees the own project'), is(pg_temp.sees(:'advisor', 'projects'), 1::bigint, 'the advisor the one he advises'),
       is(pg_temp.sees(:'admin', 'projects'), 0::bigint, 'nobody else any');
SELECT is(pg_temp.sees(:'client', 'advisor_match_requests'), 1::bigint, 'the client sees the match'), is(pg_temp.sees(:'advisor', 'advisor_match_requests'), 1::bigint, 'the advisor too');
SELECT is(pg_temp.sees(:'advisor', 'project_advisors'), 1::bigint, 'the advisor sees the membership'), is(pg_temp.sees(:'client', 'project_advisors'), 1::bigint, 'the client too');
SELECT is(pg_temp.sees(:'advisor', 'project_chat_log_minimal'), 1::bigint, 'a provisioned advisor reads the chat'), is(pg_temp.sees(:'client', 'project_chat_log_minimal'), 1::bigint, 'the client too'),
       is(pg_temp.sees(:'stranger', format('project_chat_log_minimal WHERE project_id = %L', :'project')), 0::bigint, 'a stranger not');
SELECT is(pg_temp.sees(:'advisor', 'steward.event'), 1::bigint, 'the advisor sees the event'), is(pg_temp.sees(:'client', 'steward.event'), 1::bigint, 'the client too');
SELECT is(pg_temp.sees(:'advisor', 'unified_chat_sessions'), 1::bigint, 'everybody sees the own session'), is(pg_temp.sees(:'client', 'unified_chat_sessions'), 0::bigint, 'and no other');
UPDATE project_advisors SET status = 'removed' WHERE advisor_id = :'advisor';
SELECT is(pg_temp.sees(:'advisor', 'project_chat_log_minimal'), 0::bigint, 'an advisor who was removed reads no more');
UPDATE project_advisors SET status = 'active' WHERE advisor_id = :'advisor';
SELECT steward.event_append(:'project', (SELECT organization_id FROM projects WHERE id = :'project'), 'for.one', '{}', :'advisor');
SELECT is(pg_temp.sees(:'advisor', 'steward.event'), 2::bigint, 'an event for one is seen by that one'), is(pg_temp.sees(:'client', 'steward.event'), 1::bigint, 'and by no other');

SELECT throws_ok(format('SET LOCAL ROLE %I; SELECT FROM %s', r, t), '42501', NULL, format('%s may not read %s', r, t))
  FROM unnest('{anon,authenticated}'::text[]) r, unnest('{workspace_provisioning_queue,auth.users,steward.feature_flag,steward.job_run}'::text[]) t;
RESET ROLE;
SELECT throws_ok('SET LOCAL ROLE authenticated; SELECT steward.provision_batch(''x'', 1)', '42501', NULL, 'a user may not run the worker''s function');
RESET ROLE;
SELECT throws_ok('SET LOCAL ROLE authenticated; UPDATE advisor_match_requests SET status = ''finalized''', '42501', NULL, 'a user may not write a match past the api');
RESET ROLE;
SELECT throws_ok('SET LOCAL ROLE steward_worker; SELECT FROM projects', '42501', NULL, 'the worker reads no table');
RESET ROLE;
SELECT lives_ok('SET LOCAL ROLE steward_worker; SELECT steward.provision_batch(''x'', 1), steward.provision_upkeep(''x''), steward.schema_version(); SELECT FROM steward.provisioning_list', 'but calls its functions');
RESET ROLE;
SELECT is(array_agg(c.relname ORDER BY c.relname), NULL, 'every tenant table but the queue forces row security') FROM pg_class c
 WHERE c.relkind = 'r' AND c.relname <> 'workspace_provisioning_queue' AND c.relname NOT IN ('poison', 'migration', 'quarantine') AND NOT (c.relrowsecurity AND c.relforcerowsecurity)
   AND EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = 'organization_id' AND c.relnamespace IN ('public'::regnamespace, 'steward'::regnamespace));
SELECT is(array_agg(c.relname), NULL, 'every view is security_invoker') FROM pg_class c
 WHERE c.relkind = 'v' AND c.relnamespace IN ('public'::regnamespace, 'steward'::regnamespace)
   AND pg_get_userbyid(c.relowner) = 'steward_owner' AND NOT 'security_invoker=true' = ANY (COALESCE(c.reloptions, '{}'));
SELECT is(array_agg(p.oid::regprocedure::text), NULL, 'every definer function has a pinned search_path') FROM pg_proc p
 WHERE pg_get_userbyid(p.proowner) = 'steward_owner' AND p.prosecdef AND NOT EXISTS (SELECT FROM unnest(p.proconfig) s WHERE s LIKE 'search_path=%');
SELECT is(array_agg(p.oid::regprocedure::text), NULL, 'no definer function is open to everybody') FROM pg_proc p
 WHERE pg_get_userbyid(p.proowner) = 'steward_owner' AND p.prosecdef AND has_function_privilege('anon', p.oid, 'EXECUTE');
SELECT is(array_agg(p.oid::regprocedure::text), NULL, 'the api runs as the caller') FROM pg_proc p WHERE p.pronamespace = 'api'::regnamespace AND p.prosecdef;
SELECT is(array_agg(d.what), NULL, 'everything says what it is for') FROM (
    SELECT 'function ' || p.oid::regprocedure AS what FROM pg_proc p WHERE pg_get_userbyid(p.proowner) = 'steward_owner' AND obj_description(p.oid, 'pg_proc') IS NULL
    UNION ALL SELECT 'relation ' || c.oid::regclass FROM pg_class c WHERE pg_get_userbyid(c.relowner) = 'steward_owner' AND obj_description(c.oid, 'pg_class') IS NULL
       AND (c.relkind IN ('r', 'v') OR (c.relkind = 'i' AND NOT EXISTS (SELECT FROM pg_constraint k WHERE k.conindid = c.oid))) AND c.relnamespace <> 'pg_toast'::regnamespace
    UNION ALL SELECT 'trigger ' || t.tgname FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid WHERE pg_get_userbyid(c.relowner) = 'steward_owner' AND NOT t.tgisinternal AND obj_description(t.oid, 'pg_trigger') IS NULL
    UNION ALL SELECT 'policy ' || polname FROM pg_policy WHERE obj_description(oid, 'pg_policy') IS NULL) d;
SELECT is(count(*), 0::bigint, 'no role bypasses row security') FROM pg_roles WHERE rolname IN ('steward_owner', 'steward_worker', 'steward_gateway', 'anon', 'authenticated', 'service_role') AND (rolbypassrls OR rolcanlogin OR rolsuper);

-- Organisations.
INSERT INTO organizations (name) VALUES ('second') RETURNING id AS second
\gset
INSERT INTO projects (owner_id, organization_id) VALUES (:'client', :'second') RETURNING id AS theirs
\gset
SELECT is(organization_id, :'second', 'a match belongs to its project''s organisation') FROM advisor_match_requests WHERE id = pg_temp.approved_match(:'theirs', :'advisor');
SELECT is(o.is_default, true, 'a row without a parent to the default one') FROM projects p JOIN organizations o ON o.id = p.organization_id WHERE p.id = :'project';
SELECT throws_ok(format('INSERT INTO project_advisors (project_id, advisor_id, status, added_by, organization_id) VALUES (%L, %L, ''invited'', %L, %L)', :'project', :'stranger', :'client', :'second'),
    '23503', NULL, 'another organisation than the project''s is refused');
SELECT throws_ok(format('INSERT INTO notification_outbox (match_request_id, recipient_id, notification_type, delivery_method, payload, organization_id) VALUES (%L, %L, ''x'', ''email'', ''{}'', %L)', :'match', :'client', :'second'),
    '23503', NULL, 'and than the match''s');

SELECT * FROM finish();
