-- Advisors, requesters and projects deleted before, during and after; what upkeep finds later.

\ir setup.psql
CREATE EXTENSION IF NOT EXISTS dblink;

SELECT plan(57);

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
SELECT is(count(*), 0::bigint, 'membership and session are gone') FROM project_advisors WHERE project_id = :'project';
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
SELECT lives_ok(format('DELETE FROM auth.users WHERE id = %L', :'requester'), 'a requester with a workspace can be deleted');

-- The project, before and after.
SELECT pg_temp.project(:'client') AS p1, pg_temp.project(:'client') AS p2
\gset
SELECT pg_temp.finalized_match(:'p1', :'advisor');
SELECT steward.provision_batch('test', 5);
SELECT pg_temp.finalized_match(:'p2', :'advisor');
SELECT lives_ok(format('DELETE FROM projects WHERE id IN (%L, %L)', :'p1', :'p2'), 'projects with and without a workspace can be deleted');
SELECT is(count(*), 0::bigint, 'with their jobs') FROM workspace_provisioning_queue WHERE project_id IN (:'p1', :'p2');
SELECT is(count(*), 0::bigint, 'and their numbers') FROM project_chat_seq WHERE project_id IN (:'p1', :'p2');
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

-- A lock that nobody holds: two minutes, one attempt, at most three of them.
UPDATE workspace_provisioning_queue SET status = 'processing', locked_at = steward.now() - interval '1 minute', locked_by = 'worker-1-abcdef01', attempt_count = 1 WHERE match_id = :'m2';
UPDATE workspace_provisioning_queue SET status = 'processing', locked_at = steward.now() - interval '3 minutes', locked_by = 'worker-2-abcdef01', attempt_count = 2 WHERE match_id = :'m3';
SELECT is(reaped, 1, 'only the old lock is reaped') FROM steward.provision_upkeep('test');
SELECT is(status || ' ' || attempt_count, 'failed 3', 'its third attempt ends in a rollback') FROM workspace_provisioning_queue WHERE match_id = :'m3';
SET steward.clock_offset = '2 minutes';
SELECT is(reaped, 1, 'the other one later, by any call') FROM steward.provision_batch('test', 5);
SELECT is(status || ' ' || attempt_count, 'pending 2', 'counted, and tried again after its pause') FROM workspace_provisioning_queue WHERE match_id = :'m2';

-- Retention.
SET steward.clock_offset = '100 days';
SELECT steward.provision_batch('test', 5);
SET steward.clock_offset = '191 days';
SELECT cmp_ok(pruned, '>', 10, 'old events, job runs and completed jobs are removed') FROM steward.provision_upkeep('test');

-- More than one round removes: it says so as long as a round was full.
INSERT INTO steward.event (organization_id, project_id, seq, name, data, created_at)
SELECT organization_id, id, 10000 + i, 'old', '{}', steward.now() - interval '31 days' FROM (SELECT * FROM projects LIMIT 1) p, generate_series(1, 2000) i;
SELECT results_eq('SELECT u.pruned, u.more FROM generate_series(1, 3) CROSS JOIN LATERAL steward.provision_upkeep(''test'' || generate_series) u',
    'VALUES (1000, true), (1000, true), (0, false)', 'a full round says that there may be more');

SELECT * FROM finish();
