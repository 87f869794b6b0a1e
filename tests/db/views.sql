-- What operators are told, against numbers counted by hand.

\ir setup.psql

SELECT plan(87);

SET ROLE steward_worker;
SELECT is(success_rate_pct, NULL, 'an empty queue has no success rate'), is(total, 0::bigint, 'and no jobs'), is(p95_seconds, NULL, 'and no latency') FROM steward.provisioning_performance;
SELECT is(ok, NULL, 'and cannot be judged') FROM steward.provisioning_accept('24 hours') WHERE criterion = 'success rate';
SELECT results_eq('SELECT ok FROM steward.provisioning_accept(''24 hours'') WHERE NOT ok', 'VALUES (false)', 'nor accepted');
SELECT is(count(*), 0::bigint, 'an empty health') FROM steward.provisioning_health;
RESET ROLE;

SELECT pg_temp.person() AS client
\gset
CREATE TEMP TABLE job AS SELECT i AS n, pg_temp.finalized_match(pg_temp.project(:'client'), pg_temp.person()) AS match FROM generate_series(1, 1000) i;
SELECT is(sum((SELECT completed FROM steward.provision_batch('test', 200 + 0 * i))), 1000::bigint, 'a thousand jobs') FROM generate_series(1, 5) i;
SET session_replication_role = replica;
UPDATE workspace_provisioning_queue q SET completed_at = created_at + n * interval '3 ms', locked_at = NULL FROM job WHERE match_id = match;
UPDATE workspace_provisioning_queue q SET status = 'failed', last_error = CASE WHEN n <= 5 THEN '23503: advisor is gone' WHEN n <= 8 THEN '40001: could not serialize' ELSE 'something else' END,
       last_error_at = steward.now() + n * interval '1 s', completed_at = NULL FROM job WHERE match_id = match AND n <= 9;
INSERT INTO steward.job_run (job, scheduled_at, status, detail) SELECT 'provisioning:' || match, steward.now(), 'failed', '{"restoredStatus": "client_approved"}' FROM job WHERE n <= 9;
UPDATE workspace_provisioning_queue q SET status = 'rollback_needed' FROM job WHERE match_id = match AND n = 9;
UPDATE workspace_provisioning_queue q SET status = 'pending', completed_at = NULL, created_at = steward.now() - interval '90 s' FROM job WHERE match_id = match AND n BETWEEN 10 AND 11;
UPDATE workspace_provisioning_queue q SET next_retry_at = steward.now() + interval '1 hour' FROM job WHERE match_id = match AND n = 11;
UPDATE workspace_provisioning_queue q SET status = 'processing', completed_at = NULL, locked_by = 'worker-7-aaaaaaaa', locked_at = steward.now() - interval '6 minutes' FROM job WHERE match_id = match AND n = 12;
UPDATE workspace_provisioning_queue q SET created_at = steward.now() - interval '2 days' FROM job WHERE match_id = match AND n = 1000;
SET session_replication_role = origin;

SET ROLE steward_worker;
SELECT results_eq('SELECT status, count FROM steward.provisioning_health', $$VALUES ('completed', 988::bigint), ('failed', 8), ('pending', 2), ('processing', 1), ('rollback_needed', 1)$$, 'jobs per status');
SELECT is(total, 999::bigint, 'of the last day'), is(success_rate_pct, 98.80, 'the success rate'), is(failed_count, 9::bigint, 'failed'), is(pending_count, 2::bigint, 'pending'), is(processing_count, 1::bigint, 'processing'),
       is(avg_seconds, 1.52, 'the average'), is(p95_seconds, 2.85, 'and the 95th percentile') FROM steward.provisioning_performance;
SELECT results_eq('SELECT last_error FROM steward.provisioning_errors LIMIT 2', $$VALUES ('something else'), ('40001: could not serialize')$$, 'the latest errors first');
SELECT is(count(*), 9::bigint, 'all of the day') FROM steward.provisioning_errors;
SELECT results_eq('SELECT last_error, count, cause FROM steward.provisioning_error_groups',
    $$VALUES ('23503: advisor is gone', 5::bigint, 'advisor, requester or project was deleted'), ('40001: could not serialize', 3, 'concurrent updates'), ('something else', 1, 'not known')$$,
    'errors by frequency with their cause');
SELECT is(remedy, 'stewardctl provisioning show ID tells the whole history', 'what is not known has a remedy too') FROM steward.provisioning_error_groups WHERE cause = 'not known';
RESET ROLE;
CREATE TEMP TABLE known (error text, cause text, remedy text);
INSERT INTO known VALUES
    ('advisor_gone: the advisor was deleted', 'the advisor was deleted', 'none: the match was put back; find another advisor'),
    ('advisor_conflict: another advisor', 'another advisor became active meanwhile', 'remove that advisor, then: stewardctl provisioning retry ID'),
    ('owner_missing: the project', 'the project has no owner', 'give the project an owner, then: stewardctl provisioning retry ID'),
    ('match_changed: the match', 'the match was changed after it was queued', 'none: finalize the match again if it is wanted'),
    ('stale_lock: somebody', 'a client took the job and vanished', 'none: it is retried; look after the client that locked it'),
    ('23503: gone', 'advisor, requester or project was deleted', 'none: the match was put back'),
    ('foreign_key_violation: foreign key', 'advisor, requester or project was deleted', 'none: the match was put back'),
    ('23502: the column user_id', 'the chat log still demands an author', 'apply the migration: stewardctl db migrate'),
    ('null value in column "user_id" of relation', 'the chat log still demands an author', 'apply the migration: stewardctl db migrate'),
    ('relation "users" does not exist', 'the schema is not the expected one', 'stewardctl db verify, then stewardctl db migrate'),
    ('42P01: gone', 'the schema is not the expected one', 'stewardctl db verify, then stewardctl db migrate'),
    ('serialization_failure', 'concurrent updates', 'none: it is retried'),
    ('40P01: deadlock', 'concurrent updates', 'none: it is retried'),
    ('55P03: canceling statement', 'somebody held a row for too long', 'none: it is retried; look for long transactions'),
    ('23505: duplicate key', 'a row that should be new was there already', 'look at the row the error names, then: stewardctl provisioning retry ID'),
    ('23514: check', 'a value the schema refuses', 'correct the data the error names, then: stewardctl provisioning retry ID'),
    ('22003: out of range', 'a value the schema refuses', 'correct the data the error names, then: stewardctl provisioning retry ID'),
    ('P0001: no', 'a trigger of this database refused', 'read the words of the error; they are the trigger''s own');
SELECT is(k.cause || ' > ' || k.remedy, e.cause || ' > ' || e.remedy, 'the catalogue knows: ' || e.error)
  FROM known e, LATERAL (SELECT c.cause, c.remedy FROM steward.error_catalogue() WITH ORDINALITY c(pattern, cause, remedy, n) WHERE e.error ~* c.pattern ORDER BY n LIMIT 1) k;
SELECT is(count(*), 0::bigint, 'and knows nothing else') FROM steward.error_catalogue() c WHERE NOT EXISTS (SELECT FROM known e WHERE e.error ~* c.pattern);
SET ROLE steward_worker;
SELECT results_eq('SELECT locked_by, stuck_duration > interval ''5 minutes'' FROM steward.provisioning_stuck', $$VALUES ('worker-7-aaaaaaaa', true)$$, 'the stuck lock');
SELECT is(array_agg(cause ORDER BY cause), '{"no worker has taken it","waiting for its next attempt"}', 'why jobs are stale') FROM steward.provisioning_stale;
SELECT is(count(*), 1000::bigint, 'the list') FROM steward.provisioning_list;
SELECT is(array_agg(ok ORDER BY criterion), '{t,t,f,f,f,NULL,t}', 'the others judged') FROM steward.provisioning_accept('24 hours') WHERE criterion <> 'ready events written';
SELECT results_eq('SELECT criterion, ok FROM steward.provisioning_accept(''24 hours'') WHERE criterion LIKE ''%written''', $$VALUES ('ready events written', true), ('welcome messages written', true)$$, 'events and messages are all there');

SELECT is(count(*), 0::bigint, 'nothing to release at ten minutes') FROM steward.provisioning_unstick('10 minutes');
SELECT is(locked_by, 'worker-7-aaaaaaaa', 'released at five') FROM steward.provisioning_unstick('5 minutes');
RESET ROLE;
SELECT is(status || ' ' || attempt_count, 'pending 0', 'without counting an attempt') FROM workspace_provisioning_queue q JOIN job ON match = match_id WHERE n = 12;

SELECT match AS good FROM job WHERE n = 500
\gset
SELECT is(array_agg(tick || ' ' || ok), '{"match true","job true","membership true","session true","message true"}', 'five ticks') FROM steward.provisioning_verify(:'good');
UPDATE advisor_match_requests SET status = 'client_approved' WHERE id = (SELECT match FROM job WHERE n = 501);
DELETE FROM workspace_provisioning_queue WHERE match_id = (SELECT match FROM job WHERE n = 502);
-- Leaving the project takes the session along.
DELETE FROM project_advisors WHERE project_id = (SELECT project_id FROM advisor_match_requests JOIN job ON match = id WHERE n = 503);
DELETE FROM unified_chat_sessions WHERE project_id = (SELECT project_id FROM advisor_match_requests JOIN job ON match = id WHERE n = 504);
DELETE FROM project_chat_log_minimal WHERE client_msg_id = (SELECT match FROM job WHERE n = 505);
UPDATE workspace_provisioning_queue SET status = 'failed', completed_at = NULL WHERE match_id = (SELECT match FROM job WHERE n = 506);
UPDATE project_advisors SET status = 'removed' WHERE project_id = (SELECT project_id FROM advisor_match_requests JOIN job ON match = id WHERE n = 507);
UPDATE unified_chat_sessions SET session_state = 'closed' WHERE project_id = (SELECT project_id FROM advisor_match_requests JOIN job ON match = id WHERE n = 508);
SELECT results_eq('SELECT v.tick, v.detail FROM job CROSS JOIN LATERAL steward.provisioning_verify(match) v WHERE n BETWEEN 500 AND 508 AND NOT v.ok ORDER BY n',
    $$VALUES ('match', 'the match is client_approved'), ('job', 'there is no job'), ('membership', 'the advisor is not in the project'), ('session', 'there is no chat session'), ('session', 'there is no chat session'),
             ('message', 'there is no welcome message'), ('job', 'the job is failed'), ('membership', 'the advisor is removed in the project'), ('session', 'the chat session is closed')$$,
    'one artefact less, one tick less, which says what is missing');
SELECT is(count(*), 0::bigint, 'an unknown match has no ticks') FROM steward.provisioning_verify(gen_random_uuid());
SELECT is(match_id, :'good', 'a job is shown by its match''s id') FROM steward.provisioning_show(:'good');

-- Retry: only while the match stands where the rollback put it.
SELECT pg_temp.project(:'client') AS project
\gset
SELECT pg_temp.finalized_match(:'project', pg_temp.person()) AS match
\gset
UPDATE projects SET owner_id = NULL WHERE id = :'project';
SELECT steward.provision_batch('test', 200);
UPDATE projects SET owner_id = :'client' WHERE id = :'project';
SELECT id AS job FROM workspace_provisioning_queue WHERE match_id = :'match'
\gset
SELECT format('SELECT status, advisor_id = %L, attempt_count, last_error FROM steward.provisioning_errors WHERE match_id = %L', (SELECT matched_advisor_id FROM advisor_match_requests WHERE id = :'match'), :'match') AS its_errors \gset
SELECT results_eq(:'its_errors', $$VALUES ('failed', true, 1, 'owner_missing: the project has no owner')$$, 'a job that failed is there once');
SELECT is(ok, true, 'a failed job can be tried again') FROM steward.provisioning_retry(:'job');
SELECT results_eq(:'its_errors', $$VALUES ('pending', true, 1, 'owner_missing: the project has no owner')$$, 'that it failed is still told');
SELECT is(ok, true, 'and asking twice does no harm'), is(detail, 'the job is waiting for a worker', 'also by the match') FROM steward.provisioning_retry(:'match');
SELECT is(completed, 1, 'it is done') FROM steward.provision_batch('test', 200);
SELECT results_eq(:'its_errors', $$VALUES ('completed', true, 1, 'owner_missing: the project has no owner')$$, 'also after it was done');
SET steward.clock_offset = '25 hours';
SELECT is_empty(:'its_errors', 'for a day');
RESET steward.clock_offset;
SELECT is(ok, false, 'a completed job cannot'), is(detail, 'the job is completed, only a failed one can be tried again', 'and says so') FROM steward.provisioning_retry(:'job');
SELECT is(count(*), 0::bigint, 'an unknown one is not there') FROM steward.provisioning_retry(gen_random_uuid());

CREATE FUNCTION pg_temp.failed_job() RETURNS uuid LANGUAGE plpgsql AS $$
DECLARE
    owner   uuid := pg_temp.person();
    project uuid := pg_temp.project(owner);
    match   uuid := pg_temp.finalized_match(project, pg_temp.person());
BEGIN
    UPDATE projects SET owner_id = NULL WHERE id = project;
    PERFORM steward.provision_batch('test', 200);
    UPDATE projects SET owner_id = owner WHERE id = project;
    RETURN (SELECT id FROM workspace_provisioning_queue WHERE match_id = match);
END $$;
SELECT pg_temp.failed_job() AS declined, pg_temp.failed_job() AS unflagged
\gset
UPDATE advisor_match_requests SET status = 'advisor_accepted' WHERE id = (SELECT match_id FROM workspace_provisioning_queue WHERE id = :'declined');
SELECT results_eq(format('SELECT ok, detail FROM steward.provisioning_retry(%L)', :'declined'), $$VALUES (false, 'the match is advisor_accepted by now and has to be approved again')$$,
    'nor one whose match went on by itself');
UPDATE advisor_match_requests SET status = 'client_declined' WHERE id = (SELECT match_id FROM workspace_provisioning_queue WHERE id = :'declined');
SELECT results_eq(format('SELECT ok, detail FROM steward.provisioning_retry(%L)', :'declined'), $$VALUES (false, 'the match is client_declined by now and has to be approved again')$$,
    'or was declined');
SELECT steward.flag_set('advisor_auto_provision', false);
SELECT results_eq(format('SELECT ok, detail FROM steward.provisioning_retry(%L)', :'unflagged'), $$VALUES (false, 'the flag advisor_auto_provision is off for the project')$$,
    'nor while the flag is off');
SELECT is(m.status || ' ' || q.status, 'client_approved failed', 'which changes nothing') FROM workspace_provisioning_queue q JOIN advisor_match_requests m ON m.id = q.match_id WHERE q.id = :'unflagged';
SELECT steward.flag_set('advisor_auto_provision', true);

-- Accepting, on a day of its own: what happened counts, not what is left of it, and no other day.
SET steward.clock_offset = '3 days';
CREATE FUNCTION pg_temp.verdict(criterion text) RETURNS text LANGUAGE sql AS $$
    SELECT a.actual || COALESCE(': ' || a.ok, '') FROM steward.provisioning_accept('24 hours') a WHERE a.criterion = verdict.criterion
$$;
SELECT count(pg_temp.finalized_match(pg_temp.project(:'client'), pg_temp.person())) FROM generate_series(1, 4);
SELECT pg_temp.failed_job() AS job
\gset
SELECT is(pg_temp.verdict('jobs'), '5: true', 'jobs of the day'), is(pg_temp.verdict('rollback rate'), '20.000 %: false', 'one of five was rolled back'),
       is(pg_temp.verdict('ready events written'), '4 of 4: true', 'events of the day'), is(pg_temp.verdict('welcome messages written'), '4 of 4: true', 'messages of the day');
SELECT steward.provisioning_retry(:'job');
SELECT steward.provision_batch('test', 200);
SELECT is(pg_temp.verdict('success rate'), '100.00 % of 5: true', 'tried again it is a success'), is(pg_temp.verdict('rollback rate'), '16.667 %: false', 'but the rollback happened');
DELETE FROM steward.event WHERE data ->> 'matchId' = (SELECT match FROM job WHERE n = 600)::text;
DELETE FROM project_chat_log_minimal WHERE client_msg_id = (SELECT match FROM job WHERE n = 600);
SELECT is(pg_temp.verdict('ready events written'), '5 of 5: true', 'what an older job lacks is not judged'), is(pg_temp.verdict('welcome messages written'), '5 of 5: true', 'nor its message');
SELECT match_id AS match FROM workspace_provisioning_queue WHERE id = :'job'
\gset
DELETE FROM steward.event WHERE name = 'advisor.workspace_ready' AND data ->> 'matchId' = :'match';
SELECT is(pg_temp.verdict('ready events written'), '4 of 5: false', 'an event is missing');
DELETE FROM project_chat_log_minimal WHERE client_msg_id = :'match';
SELECT is(pg_temp.verdict('welcome messages written'), '4 of 5: false', 'a message is missing');
SET steward.clock_offset = '5 days';
SELECT is(pg_temp.verdict('jobs'), '0: false', 'a day without jobs is not accepted'), is(pg_temp.verdict('rollback rate'), 'n/a', 'and has no rollback rate');

-- One row each side of every limit, in one transaction and so in one moment.
BEGIN;
SET session_replication_role = replica;
DELETE FROM workspace_provisioning_queue;
CREATE FUNCTION pg_temp.waiting(status text, age interval, locked interval DEFAULT NULL) RETURNS uuid LANGUAGE sql AS $$
    INSERT INTO workspace_provisioning_queue (organization_id, match_id, project_id, advisor_id, requested_by, status, created_at, last_error, last_error_at, locked_at, locked_by)
    SELECT m.organization_id, gen_random_uuid(), m.project_id, gen_random_uuid(), m.requested_by, waiting.status, steward.now() - age, age::text, steward.now() - age,
           steward.now() - locked, CASE WHEN locked IS NOT NULL THEN 'somebody' END
      FROM advisor_match_requests m LIMIT 1
    RETURNING id
$$;
SELECT pg_temp.waiting('failed', '23:59:59'), pg_temp.waiting('failed', '24:00:01'), pg_temp.waiting('rollback_needed', '23:59:58'),
       pg_temp.waiting('processing', '3 minutes', '00:01:59'), pg_temp.waiting('processing', '3 minutes', '00:02:01'),
       pg_temp.waiting('pending', '00:00:59'), pg_temp.waiting('pending', '00:01:01');
SELECT results_eq('SELECT status, last_error FROM steward.provisioning_errors', $$VALUES ('rollback_needed', '23:59:58'), ('failed', '23:59:59')$$, 'recent errors: a day, rollbacks that are needed as well');
SELECT results_eq('SELECT last_error, count FROM steward.provisioning_error_groups ORDER BY 1', $$VALUES ('23:59:58', 1::bigint), ('23:59:59', 1), ('24:00:01', 1)$$, 'groups know no limit');
SELECT results_eq('SELECT stuck_duration FROM steward.provisioning_stuck', $$VALUES (interval '00:02:01')$$, 'stuck: two minutes');
SELECT results_eq('SELECT waiting, cause FROM steward.provisioning_stale', $$VALUES (interval '00:01:01', 'no worker has taken it')$$, 'stale: a minute');
SELECT steward.flag_set('advisor_auto_provision', false);
SELECT is(cause, 'the flag is off for the project', 'or the flag is off') FROM steward.provisioning_stale;
SELECT steward.flag_set('advisor_auto_provision', true);
SELECT count(pg_temp.waiting('failed', i * interval '1 minute')) FROM generate_series(1, 12) i;
SELECT results_eq('SELECT last_error FROM steward.provisioning_errors', 'SELECT (i * interval ''1 minute'')::text FROM generate_series(1, 10) i', 'of more than ten the ten newest, in order');
DELETE FROM workspace_provisioning_queue;
SET session_replication_role = origin;
COMMIT;
RESET steward.clock_offset;

-- Backfill obeys the flag and its percentage.
SELECT steward.flag_set('advisor_auto_provision', false);
SELECT count(pg_temp.finalized_match(pg_temp.project(:'client'), pg_temp.person())) FROM generate_series(1, 40);
SELECT is((SELECT count(*) FROM steward.provisioning_backfill(100)), 0::bigint, 'off: nothing is queued');
SELECT steward.flag_set('advisor_auto_provision', true, 50);
SELECT count(*) AS half FROM advisor_match_requests m WHERE m.status = 'finalized' AND steward.match_unserved(m) AND steward.flag_is_on('advisor_auto_provision', m.project_id)
\gset
SELECT is((SELECT count(*) FROM steward.provisioning_backfill(100)), :half::bigint, 'half: those whose bucket is on');
SELECT steward.flag_set('advisor_auto_provision', true, 100);
SELECT is((SELECT count(*) FROM steward.provisioning_backfill(3)), 3::bigint, 'no more than asked for');

-- One that the database refuses keeps only itself.
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'not this one'; END $$;
SELECT format('CREATE TRIGGER refuse BEFORE INSERT ON workspace_provisioning_queue FOR EACH ROW WHEN (NEW.match_id = %L) EXECUTE FUNCTION refuse()', m.id)
  FROM advisor_match_requests m WHERE m.status = 'finalized' AND steward.match_unserved(m) ORDER BY m.finalized_at, m.id LIMIT 1
\gexec
SELECT count(*) - 1 AS others FROM advisor_match_requests m WHERE m.status = 'finalized' AND steward.match_unserved(m)
\gset
SELECT results_eq('SELECT count(job_id), count(*) - count(job_id), min(right(trouble, 12)) FROM steward.provisioning_backfill(100)', format($$VALUES (%L::bigint, 1::bigint, 'not this one')$$, :'others'),
    'one that is refused keeps only itself, and says why');

SELECT * FROM finish();
