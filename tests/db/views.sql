-- What operators are told, against numbers counted by hand.

\ir setup.psql

SELECT plan(42);

SET ROLE steward_worker;
SELECT is(success_rate_pct, NULL, 'an empty queue has no success rate'), is(total, 0::bigint, 'and no jobs'), is(p95_seconds, NULL, 'and no latency') FROM steward.provisioning_performance;
SELECT is(ok, NULL, 'and cannot be judged') FROM steward.provisioning_accept('24 hours') WHERE criterion = 'success rate';
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
UPDATE workspace_provisioning_queue q SET status = 'pending', completed_at = NULL, created_at = steward.now() - interval '90 s' FROM job WHERE match_id = match AND n BETWEEN 10 AND 11;
UPDATE workspace_provisioning_queue q SET next_retry_at = steward.now() + interval '10 s' FROM job WHERE match_id = match AND n = 11;
UPDATE workspace_provisioning_queue q SET status = 'processing', completed_at = NULL, locked_by = 'worker-7-aaaaaaaa', locked_at = steward.now() - interval '6 minutes' FROM job WHERE match_id = match AND n = 12;
UPDATE workspace_provisioning_queue q SET created_at = steward.now() - interval '2 days' FROM job WHERE match_id = match AND n = 1000;
SET session_replication_role = origin;

SET ROLE steward_worker;
SELECT results_eq('SELECT status, count FROM steward.provisioning_health', $$VALUES ('completed', 988::bigint), ('failed', 9), ('pending', 2), ('processing', 1)$$, 'jobs per status');
SELECT is(total, 999::bigint, 'of the last day'), is(success_rate_pct, 98.80, 'the success rate'), is(failed_count, 9::bigint, 'failed'), is(pending_count, 2::bigint, 'pending'), is(processing_count, 1::bigint, 'processing'),
       is(avg_seconds, 1.52, 'the average'), is(p95_seconds, 2.85, 'and the 95th percentile') FROM steward.provisioning_performance;
SELECT results_eq('SELECT last_error FROM steward.provisioning_errors LIMIT 2', $$VALUES ('something else'), ('40001: could not serialize')$$, 'the latest errors first');
SELECT is(count(*), 9::bigint, 'all of the day') FROM steward.provisioning_errors;
SELECT results_eq('SELECT last_error, count, cause FROM steward.provisioning_error_groups',
    $$VALUES ('23503: advisor is gone', 5::bigint, 'advisor, requester or project was deleted'), ('40001: could not serialize', 3, 'concurrent updates'), ('something else', 1, 'not known')$$,
    'errors by frequency with their cause');
SELECT is(count(*), 0::bigint, 'each has a remedy') FROM steward.provisioning_error_groups WHERE remedy IS NULL;
RESET ROLE;
SELECT is((SELECT c.cause FROM steward.error_catalogue() WITH ORDINALITY c(pattern, cause, remedy, n) WHERE e.error ~* c.pattern ORDER BY n LIMIT 1), e.wanted, 'the catalogue knows: ' || e.error)
  FROM (VALUES ('relation "users" does not exist', 'the schema is not the expected one'), ('null value in column "user_id" of relation', 'the chat log still demands an author'),
               ('foreign_key_violation: foreign key', 'advisor, requester or project was deleted'), ('serialization_failure', 'concurrent updates')) e(error, wanted);
SET ROLE steward_worker;
SELECT results_eq('SELECT locked_by, stuck_duration > interval ''5 minutes'' FROM steward.provisioning_stuck', $$VALUES ('worker-7-aaaaaaaa', true)$$, 'the stuck lock');
SELECT is(array_agg(cause ORDER BY cause), '{"no worker has taken it","waiting for its next attempt"}', 'why jobs are stale') FROM steward.provisioning_stale;
SELECT is(count(*), 1000::bigint, 'the list') FROM steward.provisioning_list;
SELECT is(array_agg(ok ORDER BY criterion), '{t,f,f,f,NULL,t}', 'six criteria judged') FROM steward.provisioning_accept('24 hours') WHERE criterion <> 'ready events written';
SELECT results_eq('SELECT criterion, ok FROM steward.provisioning_accept(''24 hours'') WHERE criterion LIKE ''%written''', $$VALUES ('ready events written', true), ('welcome messages written', true)$$, 'events and messages are all there');

SELECT is(count(*), 0::bigint, 'nothing to release at ten minutes') FROM steward.provisioning_unstick('10 minutes');
SELECT is(locked_by, 'worker-7-aaaaaaaa', 'released at five') FROM steward.provisioning_unstick('5 minutes');
RESET ROLE;
SELECT is(status || ' ' || attempt_count, 'pending 0', 'without counting an attempt') FROM workspace_provisioning_queue q JOIN job ON match = match_id WHERE n = 12;

SELECT match AS good FROM job WHERE n = 500
\gset
SELECT is(array_agg(tick || ' ' || ok), '{"match true","job true","membership true","session true","message true"}', 'five ticks') FROM steward.provisioning_verify(:'good');
DELETE FROM project_chat_log_minimal WHERE client_msg_id = :'good';
SELECT is(array_agg(tick), '{message}', 'one artefact less, one tick less') FROM steward.provisioning_verify(:'good') WHERE NOT ok;
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
SELECT is(ok, true, 'a failed job can be tried again') FROM steward.provisioning_retry(:'job');
SELECT is(ok, true, 'and asking twice does no harm') FROM steward.provisioning_retry(:'job');
SELECT is(completed, 1, 'it is done') FROM steward.provision_batch('test', 200);
SELECT is(ok, false, 'a completed job cannot') FROM steward.provisioning_retry(:'job');
SELECT is(count(*), 0::bigint, 'an unknown one is not there') FROM steward.provisioning_retry(gen_random_uuid());

-- Backfill obeys the flag and its percentage.
SELECT steward.flag_set('advisor_auto_provision', false);
SELECT count(pg_temp.finalized_match(pg_temp.project(:'client'), pg_temp.person())) FROM generate_series(1, 40);
SELECT is((SELECT count(*) FROM steward.provisioning_backfill(100)), 0::bigint, 'off: nothing is queued');
SELECT steward.flag_set('advisor_auto_provision', true, 50);
SELECT ok((SELECT count(*) FROM steward.provisioning_backfill(100)) BETWEEN 8 AND 32, 'half: about half');
SELECT steward.flag_set('advisor_auto_provision', true, 100);
SELECT is((SELECT count(*) FROM steward.provisioning_backfill(3)), 3::bigint, 'no more than asked for');

SELECT * FROM finish();
