-- A match that cannot be provisioned is put back, once, and everybody is told.

\ir setup.psql
CREATE EXTENSION IF NOT EXISTS dblink;
SELECT dblink_connect(name, format('host=%s port=%s user=%s dbname=%s application_name=%s', :'HOST', :'PORT', :'USER', current_database(), name))
  FROM unnest('{subscriber,first,second}'::text[]) name;
SELECT dblink_exec('subscriber', 'LISTEN steward_event');

SELECT plan(46);

SELECT pg_temp.person() AS client, pg_temp.person() AS advisor, pg_temp.person('admin') AS admin1, pg_temp.person('admin') AS admin2
\gset
SELECT pg_temp.project(:'client') AS project
\gset
CREATE FUNCTION pg_temp.fail(project uuid) RETURNS void LANGUAGE sql AS $$
    UPDATE projects SET owner_id = NULL WHERE id = project;
    SELECT steward.provision_batch('test', 50);
$$;
SELECT pg_temp.finalized_match(:'project', :'advisor') AS match
\gset
UPDATE advisor_match_requests SET match_score = 87.5 WHERE id = :'match';
SELECT pg_temp.fail(:'project');
SELECT is(status, 'client_approved', 'the match is back where it was finalized from'), is(previous_status, 'finalized', 'and remembers that it was finalized')
  FROM advisor_match_requests WHERE id = :'match';
SELECT is(status, 'failed', 'the job is failed'), ok(locked_at IS NULL, 'without a lock') FROM workspace_provisioning_queue WHERE match_id = :'match';
SELECT is(count(*), 1::bigint, 'one intervention'), is(min(intervention_type), 'workspace_provisioning_failure', 'of the documented type'),
       is(min(reason), 'the project has no owner', 'with the reason'), is(min(automated_match_score), 87.5, 'and the score'),
       is(count(admin_id), 0::bigint, 'made by nobody'), ok(bool_and((intervention_metadata ->> 'rollback')::boolean AND intervention_metadata ->> 'matchId' = :'match'), 'with the rollback''s data')
  FROM admin_matching_interventions WHERE project_id = :'project';
SELECT is(count(*), 2::bigint, 'one alert per administrator'), ok(bool_and(recipient_id IN (:'admin1', :'admin2')), 'to each of them'),
       is(min(notification_type), 'workspace_provisioning_failure', 'of the documented type'), is(min(delivery_method), 'in_app', 'in the application'),
       ok(bool_and((SELECT array_agg(k ORDER BY k) FROM jsonb_object_keys(payload) k) = '{matchId,projectId,reason,timestamp}'), 'with exactly four keys')
  FROM notification_outbox WHERE match_request_id = :'match';
SELECT is(u.alerts_waiting, (SELECT count(*)::int FROM notification_outbox), 'upkeep counts it as waiting') FROM steward.provision_upkeep('test') u;
SELECT results_eq(format('SELECT recipient_id FROM steward.event WHERE project_id = %L AND name = ''advisor.workspace_failed'' ORDER BY seq', :'project'),
    format('VALUES (%L::uuid), (%L::uuid)', :'client', :'advisor'), 'client and advisor hear of it');
SELECT ok(bool_and(data ->> 'status' = 'client_approved' AND data ->> 'code' = 'owner_missing' AND (data ->> 'administrators')::int = 2
                   AND data ->> 'matchId' = :'match' AND (data ->> 'seq')::bigint = seq AND NOT data ? 'reason'), 'without the words of the database')
  FROM steward.event WHERE project_id = :'project';
SELECT one FROM dblink('subscriber', 'SELECT 1') AS r(one int);
SELECT is((SELECT array_agg(notify_name) FROM dblink_get_notify('subscriber')), '{steward_event}', 'and subscribers are woken, once');
SELECT is(count(*), 1::bigint, 'the attempt is in job_run'), is(min(status), 'failed', 'as failed') FROM steward.job_run WHERE job = 'provisioning:' || :'match';
SELECT is(count(*), 0::bigint, 'and no workspace') FROM project_advisors WHERE project_id = :'project';

-- A second rollback writes nothing.
SELECT is(steward.match_rollback(:'match', 'again', 'again'), NULL, 'a second rollback does nothing');
SELECT is(status, 'client_approved', 'to the match') FROM advisor_match_requests WHERE id = :'match';
SELECT is(count(*), 1::bigint, 'nor elsewhere') FROM admin_matching_interventions WHERE project_id = :'project';

-- Approving again is a fresh start of the same job.
UPDATE projects SET owner_id = :'client' WHERE id = :'project';
SELECT id AS job FROM workspace_provisioning_queue WHERE match_id = :'match'
\gset
UPDATE advisor_match_requests SET status = 'finalized' WHERE id = :'match';
SELECT is(id::text, :'job', 'the same row'), is(status || ' ' || attempt_count, 'pending 0', 'starts again at zero'), is(last_error, NULL, 'without an error'),
       is(jsonb_array_length(error_history), 1, 'but with its history')
  FROM workspace_provisioning_queue WHERE match_id = :'match';
SELECT is(completed, 1, 'and succeeds') FROM steward.provision_batch('test', 50);
SELECT is(count(*), 1::bigint, 'the failed attempt stays in job_run') FROM steward.job_run WHERE job = 'provisioning:' || :'match';
UPDATE advisor_match_requests SET status = 'client_approved' WHERE id = :'match';
UPDATE advisor_match_requests SET status = 'finalized' WHERE id = :'match';
SELECT is(status, 'completed', 'a completed job is not started again') FROM workspace_provisioning_queue WHERE match_id = :'match';

-- From advisor_accepted, and from a row older than previous_status.
SELECT pg_temp.project(:'client') AS project
\gset
SELECT pg_temp.approved_match(:'project', :'advisor') AS match
\gset
UPDATE advisor_match_requests SET status = 'advisor_accepted' WHERE id = :'match';
UPDATE advisor_match_requests SET status = 'finalized' WHERE id = :'match';
SELECT pg_temp.fail(:'project');
SELECT is(status, 'advisor_accepted', 'back to advisor_accepted') FROM advisor_match_requests WHERE id = :'match';
SELECT pg_temp.project(:'client') AS project
\gset
SELECT pg_temp.finalized_match(:'project', :'advisor') AS match
\gset
UPDATE advisor_match_requests SET previous_status = NULL WHERE id = :'match';
SELECT pg_temp.fail(:'project');
SELECT is(status, 'matched', 'back to matched where nothing is known') FROM advisor_match_requests WHERE id = :'match';

-- Another match of the project is open by then.
SELECT pg_temp.project(:'client') AS project
\gset
SELECT pg_temp.finalized_match(:'project', :'advisor') AS match
\gset
INSERT INTO advisor_match_requests (project_id, requested_by, match_criteria, expires_at) VALUES (:'project', :'client', '{}', steward.now() + interval '1 hour');
SELECT pg_temp.fail(:'project');
SELECT is(status, 'expired', 'a match beside an open one expires') FROM advisor_match_requests WHERE id = :'match';
SELECT matches(reason, 'another match of the project is open', 'and the intervention says why') FROM admin_matching_interventions WHERE project_id = :'project';

-- Two at once: the second waits for the first, and then has nothing to do.
SELECT pg_temp.project(:'client') AS project
\gset
SELECT pg_temp.finalized_match(:'project', :'advisor') AS match
\gset
SELECT dblink_exec('first', 'BEGIN');
SELECT is((SELECT s FROM dblink('first', format('SELECT steward.match_rollback(%L, ''x'', ''first'')', :'match')) AS r(s text)), 'client_approved', 'the first of two rollbacks puts the match back');
SELECT dblink_send_query('second', format('SELECT steward.match_rollback(%L, ''x'', ''second'')', :'match'));
SELECT ok(pg_temp.waits_for_a_lock('second'), 'the second waits for it');
SELECT dblink_exec('first', 'COMMIT');
SELECT is((SELECT s FROM dblink_get_result('second') AS r(s text)), NULL, 'and does nothing');
SELECT s FROM dblink_get_result('second') AS r(s text);
SELECT is(string_agg(reason, ' '), 'first', 'so there is one intervention') FROM admin_matching_interventions WHERE project_id = :'project';

-- Another match is opened after the look for one.
SELECT pg_temp.project(:'client') AS project
\gset
SELECT pg_temp.finalized_match(:'project', :'advisor') AS match
\gset
UPDATE advisor_match_requests SET previous_status = NULL WHERE id = :'match';
SELECT dblink_exec('first', 'BEGIN');
SELECT dblink_exec('first', format('INSERT INTO advisor_match_requests (project_id, requested_by, match_criteria, expires_at) VALUES (%L, %L, ''{}'', now() + interval ''1 hour'')', :'project', :'client'));
SELECT dblink_send_query('second', format('SELECT steward.match_rollback(%L, ''x'', ''too late'')', :'match'));
SELECT ok(pg_temp.waits_for_a_lock('second'), 'a rollback waits for a match that is just being opened');
SELECT dblink_exec('first', 'COMMIT');
SELECT is((SELECT s FROM dblink_get_result('second') AS r(s text)), 'expired', 'and expires beside it');
SELECT s FROM dblink_get_result('second') AS r(s text);

-- Nobody to alert: the event says so.
UPDATE auth.users SET raw_app_meta_data = '{}' WHERE id IN (:'admin1', :'admin2');
SELECT pg_temp.project(:'client') AS project
\gset
SELECT pg_temp.finalized_match(:'project', :'advisor') AS match
\gset
SELECT pg_temp.fail(:'project');
SELECT ok(bool_and((data ->> 'administrators')::int = 0), 'without administrators the event says so') FROM steward.event WHERE project_id = :'project';

-- Even putting the match back can fail; then the job waits, and is finished later.
SELECT pg_temp.project(:'client') AS project
\gset
SELECT pg_temp.finalized_match(:'project', :'advisor') AS match
\gset
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN ASSERT false, 'not today'; END $$;
CREATE TRIGGER refuse BEFORE INSERT ON admin_matching_interventions FOR EACH ROW EXECUTE FUNCTION refuse();
SELECT pg_temp.fail(:'project');
SELECT is(status, 'rollback_needed', 'a rollback that fails is kept as needed') FROM workspace_provisioning_queue WHERE match_id = :'match';
DROP TRIGGER refuse ON admin_matching_interventions;
SET steward.clock_offset = '1 minute';
SELECT is(reaped, 1, 'and is finished by a later call') FROM steward.provision_batch('test', 50);
SELECT is(m.status || ' ' || q.status, 'client_approved failed', 'match back, job failed')
  FROM advisor_match_requests m JOIN workspace_provisioning_queue q ON q.match_id = m.id WHERE m.id = :'match';

SELECT * FROM finish();
