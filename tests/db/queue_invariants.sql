-- What no client may write into the queue and the chat, and what is numbered and stamped for it.

\ir setup.psql
CREATE EXTENSION IF NOT EXISTS dblink;

SELECT plan(46);

SELECT pg_temp.person() AS client, pg_temp.person() AS advisor
\gset
SELECT pg_temp.project(:'client') AS project
\gset
SELECT pg_temp.finalized_match(:'project', :'advisor') AS match
\gset
CREATE FUNCTION pg_temp.refuses(change text, what text) RETURNS SETOF text LANGUAGE sql AS $$
    SELECT throws_ok('UPDATE workspace_provisioning_queue SET ' || change, '23514', NULL, what)
$$;
SELECT pg_temp.refuses('status = ''half''', 'a sixth state');
SELECT pg_temp.refuses('attempt_count = -1', 'fewer than no attempts');
SELECT pg_temp.refuses('attempt_count = 4', 'more attempts than the most');
SELECT pg_temp.refuses('max_attempts = 0', 'no attempt at all');
SELECT pg_temp.refuses('max_attempts = 11', 'more than ten');
SELECT pg_temp.refuses('status = ''processing''', 'processing without a lock');
SELECT pg_temp.refuses('status = ''processing'', locked_by = ''me''', 'processing with half a lock');
SELECT pg_temp.refuses('locked_by = ''me'', locked_at = now()', 'a lock while pending');
SELECT pg_temp.refuses('locked_at = now()', 'half a lock while pending');
SELECT lives_ok('UPDATE workspace_provisioning_queue SET status = ''processing'', locked_at = steward.now(), locked_by = ''worker-1-abcdef01''', 'processing with its lock is fine');
SELECT throws_ok(format('UPDATE workspace_provisioning_queue SET status = %L', s), '23514', NULL, format('%s that keeps the lock', s))
  FROM unnest('{pending,completed,failed,rollback_needed}'::text[]) s;
SELECT lives_ok('UPDATE workspace_provisioning_queue SET status = ''pending'', locked_at = NULL, locked_by = NULL', 'and back without it');
SELECT throws_ok(format('INSERT INTO workspace_provisioning_queue (match_id, project_id, advisor_id, requested_by, status) VALUES (%L, %L, %L, %L, ''pending'')',
    :'match', :'project', :'advisor', :'client'), '23505', NULL, 'a second job for a match');
SELECT is(relrowsecurity, false, 'row security is off') FROM pg_class WHERE oid = 'workspace_provisioning_queue'::regclass;
SELECT is(count(*), 6::bigint, 'six named indexes') FROM pg_indexes WHERE tablename = 'workspace_provisioning_queue' AND indexname LIKE 'idx%';
SELECT is(count(*), 3::bigint, 'three named triggers') FROM pg_trigger WHERE tgname IN ('trg_match_prev_status', 'trg_queue_updated_at', 'trg_project_advisors_updated_at');

SELECT updated_at AS before FROM workspace_provisioning_queue
\gset
SET steward.clock_offset = '1 minute';
UPDATE workspace_provisioning_queue SET max_attempts = 4;
SELECT ok(updated_at > :'before', 'a change moves updated_at') FROM workspace_provisioning_queue;
SELECT steward.provision_batch('test', 5);
SELECT updated_at AS before FROM project_advisors
\gset
SET steward.clock_offset = '2 minutes';
UPDATE project_advisors SET metadata = '{"a": 1}';
SELECT ok(updated_at > :'before', 'of an advisor too') FROM project_advisors;
SELECT throws_ok(format('UPDATE project_advisors SET workspace_permissions = %L', p), '23514', NULL, format('permissions %s', p))
  FROM unnest('{"{}","{\"view_code\": true}","{\"view_logs\": true}","[\"view_code\", \"view_logs\"]","\"view_code\"","null"}'::text[]) p;
SELECT lives_ok($$UPDATE project_advisors SET workspace_permissions = '{"view_code": false, "view_logs": null, "more": 1}'$$, 'permissions that name both are fine');
SELECT ok(reltuples >= 0, relname || ' was analysed by the migration') FROM pg_class WHERE oid = 'workspace_provisioning_queue'::regclass;

-- A job written by hand is picked up, and wakes the workers.
SELECT pg_temp.project(:'client') AS project
\gset
SELECT pg_temp.approved_match(:'project', :'advisor') AS match
\gset
SELECT dblink_connect('ears', format('host=%s port=%s user=%s dbname=%s', :'HOST', :'PORT', :'USER', current_database()));
SELECT dblink_exec('ears', 'LISTEN steward_provisioning');
-- The round trip makes sure that what was sent has arrived.
CREATE FUNCTION pg_temp.heard() RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    PERFORM * FROM dblink('ears', 'SELECT 1') AS r(n int);
    RETURN (SELECT count(*) FROM dblink_get_notify('ears'));
END $$;
INSERT INTO workspace_provisioning_queue (match_id, project_id, advisor_id, requested_by, status, attempt_count, next_retry_at)
VALUES (:'match', :'project', :'advisor', :'client', 'pending', 0, now());
SELECT is(pg_temp.heard(), 1::bigint, 'a job by hand sends one nudge');
SELECT is(completed, 1, 'and is done') FROM steward.provision_batch('test', 5);
SELECT is(pg_temp.heard(), 0::bigint, 'completing it sends none');
SELECT count(pg_temp.approved_match(pg_temp.project(:'client'), :'advisor')) FROM generate_series(1, 4);
INSERT INTO workspace_provisioning_queue (match_id, project_id, advisor_id, requested_by, status)
SELECT id, project_id, matched_advisor_id, requested_by, 'failed' FROM advisor_match_requests m
 WHERE status = 'client_approved' AND NOT EXISTS (SELECT FROM workspace_provisioning_queue q WHERE q.match_id = m.id) LIMIT 2;
SELECT is(pg_temp.heard(), 0::bigint, 'jobs that do not wait send none');
INSERT INTO workspace_provisioning_queue (match_id, project_id, advisor_id, requested_by, status)
SELECT id, project_id, matched_advisor_id, requested_by, 'pending' FROM advisor_match_requests m
 WHERE status = 'client_approved' AND NOT EXISTS (SELECT FROM workspace_provisioning_queue q WHERE q.match_id = m.id);
SELECT is(pg_temp.heard(), 1::bigint, 'several that do send one');
DELETE FROM workspace_provisioning_queue;
UPDATE advisor_match_requests SET status = status WHERE status = 'finalized';
SELECT is((SELECT count(*) FROM workspace_provisioning_queue), 0::bigint, 'a finalized match that is finalized again has no second job');
SELECT is(pg_temp.heard(), 0::bigint, 'and sends none');
UPDATE advisor_match_requests SET status = 'finalized' WHERE status = 'client_approved';
SELECT is(pg_temp.heard(), 1::bigint, 'several that are finalized in one statement send one');
SELECT steward.provision_batch('test', 50);
UPDATE workspace_provisioning_queue SET status = 'pending';
SELECT is(pg_temp.heard(), 1::bigint, 'several that become pending in one statement send one');
UPDATE workspace_provisioning_queue SET next_retry_at = next_retry_at + interval '1 hour';
SELECT is(pg_temp.heard(), 0::bigint, 'a job that is put off sends none');
UPDATE workspace_provisioning_queue SET next_retry_at = next_retry_at - interval '1 hour';
SELECT is(pg_temp.heard(), 1::bigint, 'one that is due earlier sends one');

-- The chat.
SELECT throws_ok(format('INSERT INTO project_chat_log_minimal (project_id, mode, message_text, message_type, user_id) VALUES (%L, ''plan'', ''x'', %L, %L)', :'project', t, u),
    '23514', NULL, what)
  FROM (VALUES ('user', NULL, 'a message of nobody'), ('system', :'client', 'a system message of somebody'), ('error', NULL, 'an error of nobody')) v(t, u, what);
SELECT lives_ok(format('INSERT INTO project_chat_log_minimal (project_id, mode, message_text, message_type, seq) VALUES (%L, ''plan'', ''x'', ''system'', 9)', :'project'), 'a system message of nobody is fine');
SELECT is(max(seq), count(*), 'and is numbered, whatever it asked for') FROM project_chat_log_minimal WHERE project_id = :'project';
SELECT throws_ok(format('INSERT INTO workspace_provisioning_queue (match_id, project_id, advisor_id, requested_by, status, organization_id) VALUES (%L, %L, %L, %L, ''pending'', %L)',
    pg_temp.approved_match(pg_temp.project(:'client'), :'advisor'), :'project', :'advisor', :'client', gen_random_uuid()), '23503', NULL, 'an organisation that is not the project''s');

SELECT * FROM finish();
