-- Advisors, requesters and projects deleted before, during and after; what upkeep finds later.

\ir setup.psql
CREATE EXTENSION IF NOT EXISTS dblink;

SELECT plan(105);

SELECT pg_temp.person() AS client, pg_temp.person('admin') AS admin
\gset

-- The advisor, before the job is done.
SELECT pg_temp.project(:'client') AS project, pg_temp.person() AS advisor
\gset
SELECT pg_temp.finalized_match(:'project', :'advisor') AS match
\gset
DELETE FROM auth.users WHERE id = :'advisor';
SELECT is(status, 'pending', 'the match looks for another advisor'), is(matched_advisor_id, NULL, 'and has none'), is(previous_status, 'finalized', 'it was finalized')
  FROM advisor_match_requests WHERE id = :'match';
SELECT is(count(*), 0::bigint, 'the job is gone with the advisor') FROM workspace_provisioning_queue WHERE match_id = :'match';
SELECT is(count(*), 1::bigint, 'but left a trace') FROM steward.job_run WHERE job = 'provisioning:' || :'match' AND status = 'failed';
SELECT is(count(*), 1::bigint, 'one intervention') FROM admin_matching_interventions WHERE project_id = :'project';
SELECT is(count(*), 1::bigint, 'one alert') FROM notification_outbox WHERE match_request_id = :'match';
SELECT results_eq(format('SELECT recipient_id, data ->> ''code'' FROM steward.event WHERE project_id = %L', :'project'),
    format('VALUES (%L::uuid, ''advisor_gone'')', :'client'), 'and the client hears of it');
SELECT is(claimed, 0, 'nothing is left to do') FROM steward.provision_batch('test', 5);

-- The same match with another advisor.
SELECT pg_temp.person() AS advisor
\gset
UPDATE advisor_match_requests SET status = 'matched', matched_advisor_id = :'advisor' WHERE id = :'match';
UPDATE advisor_match_requests SET status = 'client_approved' WHERE id = :'match';
UPDATE advisor_match_requests SET status = 'finalized' WHERE id = :'match';
SELECT is(completed, 1, 'another advisor gets the workspace') FROM steward.provision_batch('test', 5);

-- After the job is done: the promise goes as well, and the next advisor is welcomed too.
DELETE FROM auth.users WHERE id = :'advisor';
SELECT is(status, 'pending', 'a finalized match without an advisor cannot remain') FROM advisor_match_requests WHERE id = :'match';
SELECT is(count(*), 0::bigint, 'the membership is gone') FROM project_advisors WHERE project_id = :'project';
SELECT is(count(*), 0::bigint, 'and the session with it') FROM unified_chat_sessions WHERE project_id = :'project';
SELECT pg_temp.person() AS advisor
\gset
UPDATE advisor_match_requests SET status = 'matched', matched_advisor_id = :'advisor' WHERE id = :'match';
UPDATE advisor_match_requests SET status = 'client_approved' WHERE id = :'match';
UPDATE advisor_match_requests SET status = 'finalized' WHERE id = :'match';
SELECT is(completed, 1, 'a third advisor') FROM steward.provision_batch('test', 5);
SELECT is(count(*) FILTER (WHERE response_data ->> 'advisor_id' = :'advisor'), 1::bigint, 'is welcomed by name'), is(count(*), 2::bigint, 'beside the welcome of the second')
  FROM project_chat_log_minimal WHERE project_id = :'project';
SELECT is(count(*), 2::bigint, 'and announced') FROM steward.event WHERE project_id = :'project' AND name = 'advisor.workspace_ready';

-- An advisor of several matches, one of them beside an open one.
SELECT pg_temp.project(:'client') AS p1, pg_temp.project(:'client') AS p2, pg_temp.person() AS advisor
\gset
SELECT pg_temp.finalized_match(:'p1', :'advisor') AS m1, pg_temp.finalized_match(:'p1', :'advisor') AS m2, pg_temp.finalized_match(:'p2', :'advisor') AS m3
\gset
INSERT INTO advisor_match_requests (project_id, requested_by, match_criteria, expires_at) VALUES (:'p2', :'client', '{}', steward.now() + interval '1 hour');
SELECT lives_ok(format('DELETE FROM auth.users WHERE id = %L', :'advisor'), 'an advisor of several matches can be deleted');
SELECT is(array_agg(status ORDER BY status), '{pending,expired}', 'of two of one project only one is open again') FROM advisor_match_requests WHERE project_id = :'p1';
SELECT is(status, 'expired', 'beside an open match it expires') FROM advisor_match_requests WHERE id = :'m3';

-- A match that was only proposed.
SELECT pg_temp.project(:'client') AS project, pg_temp.person() AS advisor
\gset
SELECT pg_temp.approved_match(:'project', :'advisor') AS match
\gset
DELETE FROM auth.users WHERE id = :'advisor';
SELECT is(status, 'pending', 'an approved match without an advisor is pending again') FROM advisor_match_requests WHERE id = :'match';
SELECT is(count(*), 0::bigint, 'which is nobody''s failure') FROM admin_matching_interventions WHERE project_id = :'project';

-- The requester, before and after.
SELECT pg_temp.person() AS requester, pg_temp.person() AS advisor
\gset
SELECT pg_temp.project(:'requester') AS project
\gset
SELECT pg_temp.finalized_match(:'project', :'advisor') AS match
\gset
SELECT lives_ok(format('DELETE FROM auth.users WHERE id = %L', :'requester'), 'a requester with a waiting job can be deleted');
SELECT is(count(*), 0::bigint, 'with the match') FROM advisor_match_requests WHERE id = :'match';
SELECT is(count(*), 0::bigint, 'and the job') FROM workspace_provisioning_queue WHERE match_id = :'match';
SELECT is(claimed, 0, 'nothing is left to do') FROM steward.provision_batch('test', 5);
SELECT pg_temp.person() AS requester
\gset
SELECT pg_temp.project(:'requester') AS project
\gset
SELECT pg_temp.finalized_match(:'project', :'advisor') AS match
\gset
SELECT steward.provision_batch('test', 5);
INSERT INTO unified_chat_sessions (project_id, user_id) VALUES (:'project', :'requester');
SELECT lives_ok(format('DELETE FROM auth.users WHERE id = %L', :'requester'), 'a requester with a workspace can be deleted');
SELECT is(count(*), 0::bigint, 'no session of the project remains') FROM unified_chat_sessions WHERE project_id = :'project';

-- Only the sessions of who is gone: an owner's other projects and an advisor's other memberships.
SELECT pg_temp.person() AS owner, pg_temp.person() AS guest
\gset
SELECT pg_temp.project(:'owner') AS p1, pg_temp.project(:'client') AS p2
\gset
SELECT pg_temp.finalized_match(:'p1', :'guest'), pg_temp.finalized_match(:'p2', :'guest');
SELECT steward.provision_batch('test', 5);
INSERT INTO unified_chat_sessions (project_id, user_id) VALUES (:'p1', :'owner'), (:'p2', :'client');
DELETE FROM project_advisors WHERE project_id = :'p2';
SELECT results_eq(format('SELECT project_id, user_id FROM unified_chat_sessions WHERE project_id IN (%1$L, %2$L) ORDER BY project_id = %2$L, user_id = %3$L', :'p1', :'p2', :'guest'),
    format('VALUES (%1$L::uuid, %3$L::uuid), (%1$L, %5$L), (%2$L, %4$L)', :'p1', :'p2', :'owner', :'client', :'guest'), 'a membership that is deleted takes its own session along');
DELETE FROM auth.users WHERE id = :'guest';
SELECT results_eq(format('SELECT project_id, user_id FROM unified_chat_sessions WHERE project_id IN (%1$L, %2$L) ORDER BY project_id = %2$L', :'p1', :'p2'),
    format('VALUES (%1$L::uuid, %3$L::uuid), (%2$L, %4$L)', :'p1', :'p2', :'owner', :'client'), 'an advisor who is deleted the own ones');
UPDATE projects SET owner_id = NULL WHERE id = :'p1';
SELECT results_eq(format('SELECT project_id, user_id FROM unified_chat_sessions WHERE project_id IN (%L, %L)', :'p1', :'p2'),
    format('VALUES (%L::uuid, %L::uuid)', :'p2', :'client'), 'and so does an owner');

-- The project, before and after.
SELECT pg_temp.project(:'client') AS p1, pg_temp.project(:'client') AS p2
\gset
SELECT pg_temp.finalized_match(:'p1', :'advisor');
SELECT steward.provision_batch('test', 5);
SELECT pg_temp.finalized_match(:'p2', :'advisor');
SELECT lives_ok(format('DELETE FROM projects WHERE id IN (%L, %L)', :'p1', :'p2'), 'projects with and without a workspace can be deleted');
SELECT is(count(*), 0::bigint, 'with their jobs') FROM workspace_provisioning_queue WHERE project_id IN (:'p1', :'p2');
SELECT is(count(*), 0::bigint, 'and their numbers') FROM project_chat_seq WHERE project_id IN (:'p1', :'p2');

-- A session proves its project, whoever writes it, and goes with it.
SELECT pg_temp.project(:'client') AS project, gen_random_uuid() AS nothing
\gset
WITH other AS (INSERT INTO organizations (name) VALUES ('another') RETURNING id)
INSERT INTO projects (owner_id, organization_id) SELECT :'client', id FROM other RETURNING id AS foreign_project, organization_id AS other
\gset
SELECT throws_ok(format('INSERT INTO unified_chat_sessions (project_id, user_id) VALUES (%L, %L)', :'nothing', :'client'), '23503', NULL, 'no session without a project');
SELECT throws_ok(format('INSERT INTO unified_chat_sessions (organization_id, project_id, user_id) VALUES (%L, %L, %L)', :'other', :'project', :'client'), '23503', NULL, 'nor in another organisation');
INSERT INTO unified_chat_sessions (project_id, user_id) VALUES (:'project', :'client'), (:'foreign_project', :'client');
SELECT is(s.organization_id, p.organization_id, 'the organisation is the project''s') FROM unified_chat_sessions s JOIN projects p ON p.id = s.project_id WHERE p.id IN (:'project', :'foreign_project');
SELECT throws_ok(format('UPDATE unified_chat_sessions SET %s = %L WHERE project_id = %L', c, v, :'project'), '23503', NULL, format('a change of %s is held to the same', c))
  FROM (VALUES ('project_id', :'nothing'), ('organization_id', :'other')) change(c, v);
DELETE FROM projects WHERE id IN (:'project', :'foreign_project');
SELECT is(count(*), 0::bigint, 'a session goes with its project') FROM unified_chat_sessions WHERE project_id IN (:'project', :'foreign_project');
SELECT is(claimed, 0, 'nothing is left to do') FROM steward.provision_batch('test', 5);

-- An administrator with a history.
INSERT INTO admin_matching_interventions (project_id, admin_id, intervention_type, reason) SELECT id, :'admin', 'test', 'test' FROM projects LIMIT 1;
SELECT lives_ok(format('DELETE FROM auth.users WHERE id = %L', :'admin'), 'an administrator can be deleted');
SELECT is(admin_id, NULL, 'the history stays') FROM admin_matching_interventions WHERE intervention_type = 'test';

-- During: the worker has the job, the deletion waits for it, then undoes it.
SELECT pg_temp.project(:'client') AS project, pg_temp.person() AS advisor
\gset
SELECT pg_temp.finalized_match(:'project', :'advisor') AS match
\gset
SELECT dblink_connect('worker', format('host=%s port=%s user=%s dbname=%s', :'HOST', :'PORT', :'USER', current_database()));
SELECT dblink_connect('other', format('host=%s port=%s user=%s dbname=%s application_name=other', :'HOST', :'PORT', :'USER', current_database()));
SELECT dblink_exec('worker', 'BEGIN');
SELECT is((SELECT c FROM dblink('worker', 'SELECT completed FROM steward.provision_batch(''worker'', 5)') AS r(c int)), 1, 'a worker is about to commit');
SELECT dblink_send_query('other', format('DELETE FROM auth.users WHERE id = %L', :'advisor'));
SELECT ok(pg_temp.waits_for_a_lock('other'), 'the deletion waits for it');
SELECT dblink_exec('worker', 'COMMIT');
SELECT is((SELECT c FROM dblink_get_result('other') AS r(c text)), 'DELETE 1', 'the deletion comes after it');
SELECT c FROM dblink_get_result('other') AS r(c text);
SELECT is(status, 'pending', 'and takes the promise back') FROM advisor_match_requests WHERE id = :'match';
SELECT is(count(*), 0::bigint, 'and the session that was being made') FROM unified_chat_sessions WHERE project_id = :'project';
SELECT pg_temp.project(:'client') AS project
\gset
SELECT dblink_exec('worker', 'BEGIN');
SELECT dblink_exec('worker', format('INSERT INTO unified_chat_sessions (project_id, user_id) VALUES (%L, %L)', :'project', :'client'));
SELECT dblink_send_query('other', format('DELETE FROM projects WHERE id = %L', :'project'));
SELECT dblink_exec('worker', 'COMMIT');
SELECT is((SELECT c FROM dblink_get_result('other') AS r(c text)), 'DELETE 1', 'a project that is deleted waits for a session that is being made');
SELECT c FROM dblink_get_result('other') AS r(c text);
SELECT is(count(*), 0::bigint, 'and takes it along') FROM unified_chat_sessions WHERE project_id = :'project';
-- Likewise the requester, who owns the project, and the project.
CREATE FUNCTION pg_temp.left_of(project uuid) RETURNS text LANGUAGE sql AS $$
    SELECT concat_ws(' ', (SELECT count(*) FROM workspace_provisioning_queue WHERE project_id = project),
                     (SELECT count(*) FROM advisor_match_requests WHERE project_id = project),
                     (SELECT count(*) FROM steward.job_run WHERE status = 'failed' AND detail ->> 'project_id' = project::text))
$$;
SELECT pg_temp.person() AS requester, pg_temp.person() AS advisor
\gset
SELECT pg_temp.project(:'requester') AS p1, pg_temp.project(:'client') AS p2
\gset
SELECT pg_temp.finalized_match(:'p1', :'advisor');
SELECT dblink_exec('worker', 'BEGIN');
SELECT is((SELECT c FROM dblink('worker', 'SELECT completed FROM steward.provision_batch(''worker'', 5)') AS r(c int)), 1, 'a worker is about to commit');
SELECT dblink_send_query('other', format('DELETE FROM auth.users WHERE id = %L', :'requester'));
SELECT ok(pg_temp.waits_for_a_lock('other'), 'a requester''s deletion waits for it');
SELECT dblink_exec('worker', 'COMMIT');
SELECT is((SELECT c FROM dblink_get_result('other') AS r(c text)), 'DELETE 1', 'and comes after it');
SELECT c FROM dblink_get_result('other') AS r(c text);
SELECT is(pg_temp.left_of(:'p1'), '0 0 0', 'job and match go with the requester, and nobody failed');
SELECT pg_temp.finalized_match(:'p2', :'advisor');
SELECT dblink_exec('worker', 'BEGIN');
SELECT is((SELECT c FROM dblink('worker', 'SELECT completed FROM steward.provision_batch(''worker'', 5)') AS r(c int)), 1, 'a worker is about to commit');
SELECT dblink_send_query('other', format('DELETE FROM projects WHERE id = %L', :'p2'));
SELECT ok(pg_temp.waits_for_a_lock('other'), 'a project''s deletion waits for it');
SELECT dblink_exec('worker', 'COMMIT');
SELECT is((SELECT c FROM dblink_get_result('other') AS r(c text)), 'DELETE 1', 'and comes after it');
SELECT c FROM dblink_get_result('other') AS r(c text);
SELECT is(pg_temp.left_of(:'p2'), '0 0 0', 'job and match go with the project, and nobody failed');
SELECT is(count(*), 0::bigint, 'and so do workspace and numbers')
  FROM (SELECT FROM project_advisors WHERE project_id = :'p2' UNION ALL SELECT FROM project_chat_seq WHERE project_id = :'p2'
        UNION ALL SELECT FROM project_chat_log_minimal WHERE project_id = :'p2') w;

-- What upkeep finds: a match that lost its advisor where no trigger saw it, and a
-- finalized match whose job somebody deleted.
SELECT pg_temp.project(:'client') AS p1, pg_temp.project(:'client') AS p2, pg_temp.project(:'client') AS p3, pg_temp.person() AS advisor
\gset
SELECT pg_temp.finalized_match(:'p1', :'advisor') AS m1, pg_temp.finalized_match(:'p2', :'advisor') AS m2, pg_temp.finalized_match(:'p3', :'advisor') AS m3
\gset
SET session_replication_role = replica;
UPDATE advisor_match_requests SET matched_advisor_id = NULL WHERE id = :'m1';
SET session_replication_role = origin;
DELETE FROM workspace_provisioning_queue WHERE match_id = :'m2';
SELECT results_eq('SELECT reaped, swept, pruned FROM steward.provision_upkeep(''test'')', 'VALUES (0, 2, 0)', 'upkeep finds both');
SELECT is(status, 'pending', 'one is put back') FROM advisor_match_requests WHERE id = :'m1';
SELECT is(status, 'failed', 'with its job') FROM workspace_provisioning_queue WHERE match_id = :'m1';
SELECT is(status, 'pending', 'the other queued again') FROM workspace_provisioning_queue WHERE match_id = :'m2';
SELECT is(swept, 0, 'once') FROM steward.provision_upkeep('test');
SELECT is(completed, 2, 'and done') FROM steward.provision_batch('test', 5);

-- Only one node at a time keeps up.
DELETE FROM workspace_provisioning_queue WHERE match_id = :'m2';
DELETE FROM project_advisors WHERE project_id = :'p2';
DELETE FROM project_chat_log_minimal WHERE project_id = :'p2';
SELECT dblink_exec('worker', 'BEGIN');
SELECT is((SELECT s FROM dblink('worker', 'SELECT swept FROM steward.provision_upkeep(''worker'')') AS r(s int)), 1, 'one node keeps up');
SELECT results_eq('SELECT swept, trouble FROM steward.provision_upkeep(''test'')', 'VALUES (0, NULL::text)', 'another does not begin');
SELECT dblink_exec('worker', 'ROLLBACK');
SELECT is(swept, 1, 'until the first one ends') FROM steward.provision_upkeep('test');
SELECT steward.provision_batch('test', 5);

-- Who has the membership or the welcome was served, whatever became of the job.
DELETE FROM workspace_provisioning_queue WHERE match_id IN (:'m2', :'m3');
DELETE FROM project_chat_log_minimal WHERE project_id = :'p2';
DELETE FROM project_advisors WHERE project_id = :'p3';
SELECT is(swept, 0, 'a membership, or a welcome, is enough') FROM steward.provision_upkeep('test');
UPDATE project_advisors SET status = 'invited' WHERE project_id = :'p2';
SELECT is(swept, 1, 'an invitation is not') FROM steward.provision_upkeep('test');
DELETE FROM project_chat_log_minimal WHERE project_id = :'p3';
SELECT is(swept, 1, 'nor is nothing') FROM steward.provision_upkeep('test');
SELECT is(completed, 2, 'and both are served again') FROM steward.provision_batch('test', 5);

-- The sweep goes on where it stopped, and starts over at its end.
UPDATE steward.upkeep SET batch = 1;
SELECT count(*) AS matches FROM advisor_match_requests WHERE status = 'finalized'
\gset
CREATE FUNCTION pg_temp.forget(direction text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    m advisor_match_requests;
BEGIN
    EXECUTE format('SELECT * FROM advisor_match_requests WHERE status = ''finalized'' ORDER BY finalized_at %s, id %1$s LIMIT 1', direction) INTO m;
    DELETE FROM workspace_provisioning_queue WHERE match_id = m.id;
    DELETE FROM project_advisors WHERE project_id = m.project_id;
    DELETE FROM project_chat_log_minimal WHERE project_id = m.project_id;
END $$;
CREATE FUNCTION pg_temp.rounds(n int) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
    found int := 0;
BEGIN
    FOR i IN 1 .. n LOOP
        found := found + (SELECT swept FROM steward.provision_upkeep('test'));
    END LOOP;
    RETURN found;
END $$;
SELECT cmp_ok(:matches, '>', 2, 'several finalized matches');
SELECT pg_temp.forget('DESC');
SELECT is(pg_temp.rounds(:matches - 1), 0, 'one by one the sweep comes');
SELECT is(pg_temp.rounds(1), 1, 'to the last of them');
SELECT pg_temp.forget('ASC');
SELECT is(pg_temp.rounds(2), 1, 'and starts over');
SELECT is(completed, 2, 'for both') FROM steward.provision_batch('test', 5);
UPDATE steward.upkeep SET batch = DEFAULT, swept_until = DEFAULT, swept_until_id = DEFAULT;

-- Another advisor in a match that had its workspace: the completed job is taken up.
SELECT pg_temp.project(:'client') AS project, pg_temp.person() AS first, pg_temp.person() AS second
\gset
SELECT pg_temp.finalized_match(:'project', :'first') AS match
\gset
SELECT steward.provision_batch('test', 5);
UPDATE advisor_match_requests SET status = 'expired' WHERE id = :'match';
UPDATE advisor_match_requests SET status = 'pending' WHERE id = :'match';
UPDATE advisor_match_requests SET status = 'matched', matched_advisor_id = :'second' WHERE id = :'match';
UPDATE advisor_match_requests SET status = 'client_approved' WHERE id = :'match';
UPDATE advisor_match_requests SET status = 'finalized' WHERE id = :'match';
SELECT is(status || ' ' || advisor_id, 'pending ' || :'second', 'the same job, for the other one') FROM workspace_provisioning_queue WHERE match_id = :'match';
SELECT is(completed, 1, 'is done') FROM steward.provision_batch('test', 5);
SELECT results_eq(format('SELECT advisor_id, status FROM project_advisors WHERE project_id = %L ORDER BY status', :'project'),
    format('VALUES (%L::uuid, ''active''), (%L::uuid, ''removed'')', :'second', :'first'), 'and replaces the first');

-- What other clients' triggers and constraints refuse keeps only itself.
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ASSERT false, 'not this one'; END $$;
CREATE TEMP TABLE forgotten AS SELECT i, pg_temp.finalized_match(pg_temp.project(:'client'), pg_temp.person()) AS match FROM generate_series(1, 7) i;
DELETE FROM workspace_provisioning_queue WHERE match_id IN (SELECT match FROM forgotten);
SET session_replication_role = replica;
UPDATE advisor_match_requests SET matched_advisor_id = NULL WHERE id IN (SELECT match FROM forgotten WHERE i >= 6);
SET session_replication_role = origin;
SELECT format('CREATE TRIGGER refuse BEFORE INSERT ON workspace_provisioning_queue FOR EACH ROW WHEN (NEW.match_id = %L) EXECUTE FUNCTION refuse()', match) FROM forgotten WHERE i = 2
\gexec
SELECT is(swept || ' ' || trouble, '6 match ' || (SELECT match FROM forgotten WHERE i = 2) || ' could not be queued: not this one', 'one match cannot be queued, the others are') FROM steward.provision_upkeep('test');
DROP TRIGGER refuse ON workspace_provisioning_queue;
SET session_replication_role = replica;
UPDATE advisor_match_requests SET status = 'finalized' WHERE id IN (SELECT match FROM forgotten WHERE i >= 6);
SET session_replication_role = origin;
SELECT format('CREATE TRIGGER refuse BEFORE UPDATE ON advisor_match_requests FOR EACH ROW WHEN (NEW.id = %L) EXECUTE FUNCTION refuse()', match) FROM forgotten WHERE i = 7
\gexec
SELECT is(swept || ' ' || trouble, '2 match ' || (SELECT match FROM forgotten WHERE i = 7) || ' could not be put back: not this one', 'one match cannot be put back, another can') FROM steward.provision_upkeep('test');
DROP TRIGGER refuse ON advisor_match_requests;
SELECT is(swept || ' ' || COALESCE(trouble, 'no trouble'), '1 no trouble', 'until it can') FROM steward.provision_upkeep('test');
SELECT is(completed, 5, 'and all five are served') FROM steward.provision_batch('test', 50);

-- A lock that nobody holds: two minutes, one attempt, at most three of them.
UPDATE workspace_provisioning_queue SET status = 'processing', locked_at = steward.now() - interval '1 minute', locked_by = 'worker-1-abcdef01', attempt_count = 1 WHERE match_id = :'m2';
UPDATE workspace_provisioning_queue SET status = 'processing', locked_at = steward.now() - interval '3 minutes', locked_by = 'worker-2-abcdef01', attempt_count = 2 WHERE match_id = :'m3';
SELECT is(reaped, 1, 'only the old lock is reaped') FROM steward.provision_upkeep('test');
SELECT is(status || ' ' || attempt_count, 'failed 3', 'its third attempt ends in a rollback') FROM workspace_provisioning_queue WHERE match_id = :'m3';
SET steward.clock_offset = '2 minutes';
SELECT results_eq('SELECT reaped, next_due_ms FROM steward.provision_batch(''test'', 5)', 'VALUES (1, 0::bigint)', 'the other one later, by any call, which then looks anew at what is due');
SELECT is(status || ' ' || attempt_count, 'pending 2', 'counted, and tried again after its pause') FROM workspace_provisioning_queue WHERE match_id = :'m2';

-- Retention: a row each side of every limit; one that somebody refers to keeps only itself.
RESET steward.clock_offset;
SELECT is(pruned, 0, 'nothing is old') FROM steward.provision_upkeep('test');
BEGIN;
INSERT INTO steward.event (organization_id, project_id, seq, name, data, created_at)
SELECT organization_id, id, 1000 + i, 'old', '{}', steward.now() - interval '30 days' + i * interval '1 minute' FROM projects p, unnest('{-1,1}'::int[]) i WHERE id = :'project';
INSERT INTO steward.job_run (job, scheduled_at, status, created_at)
SELECT 'old', steward.now() + i * interval '1 minute', 'completed', steward.now() - interval '30 days' + i * interval '1 minute' FROM unnest('{-1,1}'::int[]) i;
CREATE TEMP TABLE kept AS SELECT q.id, row_number() OVER () AS n FROM workspace_provisioning_queue q JOIN forgotten ON match = match_id WHERE status = 'completed';
SELECT is(count(*), 5::bigint, 'five that are done') FROM kept;
SET session_replication_role = replica;
UPDATE workspace_provisioning_queue q SET updated_at = steward.now() - interval '90 days' + CASE WHEN n = 5 THEN 1 ELSE -1 END * interval '1 minute' FROM kept k WHERE k.id = q.id;
SET session_replication_role = origin;
CREATE TABLE invoice (job uuid REFERENCES workspace_provisioning_queue);
INSERT INTO invoice SELECT id FROM kept WHERE n = 2;
SELECT results_eq('SELECT pruned, trouble LIKE ''old rows of public.workspace_provisioning_queue cannot be removed, as that of id %: %invoice%'' FROM steward.provision_upkeep(''test'')', 'VALUES (5, true)', 'what is too old goes');
SELECT is(array_agg(seq), '{1001}', 'events: 30 days') FROM steward.event WHERE name = 'old';
SELECT is(array_agg(scheduled_at), ARRAY[steward.now() + interval '1 minute'], 'job runs: 30 days') FROM steward.job_run WHERE job = 'old';
SELECT is(array_agg(n ORDER BY n), '{2,5}', 'completed jobs: 90 days, but for the one of the invoice') FROM kept JOIN workspace_provisioning_queue USING (id);
SET session_replication_role = replica;
UPDATE workspace_provisioning_queue q SET updated_at = steward.now() - interval '90 days' - interval '30 s' FROM kept k WHERE k.id = q.id AND n = 5;
SET session_replication_role = origin;
UPDATE steward.upkeep SET batch = 1;
SELECT is(sum(u.pruned), 1::bigint, 'where a round is one row, the next one passes it over') FROM generate_series(1, 3), LATERAL steward.provision_upkeep('test' || generate_series) u;
SELECT is(array_agg(n), '{2}', 'and what is behind it goes') FROM kept JOIN workspace_provisioning_queue USING (id);
UPDATE steward.upkeep SET batch = DEFAULT;
DROP TABLE invoice;
SELECT results_eq('SELECT pruned, trouble FROM steward.provision_upkeep(''test'')', 'VALUES (1, NULL::text)', 'which goes when nobody refers to it');
COMMIT;
SET steward.clock_offset = '100 days';
SELECT steward.provision_batch('test', 5);
SET steward.clock_offset = '191 days';
SELECT cmp_ok(pruned, '>', 10, 'old events, job runs and completed jobs are removed') FROM steward.provision_upkeep('test');

-- A round of rows that cannot be removed is passed over, until the end; then they are tried again.
UPDATE steward.upkeep SET batch = 10;
INSERT INTO steward.event (organization_id, project_id, seq, name, data, created_at)
SELECT organization_id, id, 20000 + i, CASE WHEN i <= 12 THEN 'kept' ELSE 'old' END, '{}', steward.now() - interval '40 days' + i * interval '1 s' FROM (SELECT * FROM projects LIMIT 1) p, generate_series(1, 25) i;
INSERT INTO steward.job_run (job, scheduled_at, status, created_at)
SELECT CASE WHEN i <= 12 THEN 'kept' ELSE 'old' END, steward.now() + i * interval '1 s', 'completed', steward.now() - interval '40 days' + i * interval '1 s' FROM generate_series(1, 25) i;
CREATE FUNCTION pg_temp.keeps() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'kept'; END $$;
CREATE TRIGGER keeps BEFORE DELETE ON steward.event FOR EACH ROW WHEN (OLD.name = 'kept') EXECUTE FUNCTION pg_temp.keeps();
CREATE TRIGGER keeps BEFORE DELETE ON steward.job_run FOR EACH ROW WHEN (OLD.job = 'kept') EXECUTE FUNCTION pg_temp.keeps();
SELECT is(sum(u.pruned), 26::bigint, 'three rounds remove what is behind more than one round of those that stay'), alike(min(u.trouble), 'old rows of steward.event cannot be removed, as that of project_id % seq 20001: kept', 'and say which do, and why')
  FROM generate_series(1, 3), LATERAL steward.provision_upkeep('test' || generate_series) u;
SELECT is((SELECT count(*) FROM steward.event WHERE name = 'kept') + (SELECT count(*) FROM steward.job_run WHERE job = 'kept'), 24::bigint, 'which stay');
DROP TRIGGER keeps ON steward.event;
DROP TRIGGER keeps ON steward.job_run;
SELECT is(sum(u.pruned), 24::bigint, 'until they can be removed, too') FROM generate_series(1, 3), LATERAL steward.provision_upkeep('test' || generate_series) u;
SELECT is((passed_events, passed_job_runs, passed_jobs)::text, '(0,0,0)', 'at the end it starts over') FROM steward.upkeep;
UPDATE steward.upkeep SET batch = DEFAULT;

-- More than one round removes: it says so as long as a round was full.
INSERT INTO steward.event (organization_id, project_id, seq, name, data, created_at)
SELECT organization_id, id, 10000 + i, 'old', '{}', steward.now() - interval '31 days' FROM (SELECT * FROM projects LIMIT 1) p, generate_series(1, 2000) i;
SELECT results_eq('SELECT u.pruned, u.more FROM generate_series(1, 3) CROSS JOIN LATERAL steward.provision_upkeep(''test'' || generate_series) u',
    'VALUES (1000, true), (1000, true), (0, false)', 'a full round says that there may be more');

SELECT * FROM finish();
