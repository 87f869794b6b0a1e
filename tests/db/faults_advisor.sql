-- The faults of the reference, by number: each has a test here, or is somebody else's.

\ir setup.psql
CREATE EXTENSION IF NOT EXISTS dblink;

SELECT plan(35);

-- Numbers whose objects come with later parts.  A number that is neither here
-- nor tested below fails the last test.
CREATE TEMP TABLE later (number int PRIMARY KEY, part text NOT NULL);
INSERT INTO later VALUES
    (1, 'gateway: every route is registered'),
    (2, 'gateway: transactions are pinned to their connection'),
    (10, 'gateway: dashboards'),
    (11, 'gateway: availability'),
    (24, 'matching: an open match that is expired by the clock'),
    (25, 'matching: two creations at once'),
    (26, 'matching: capacity'),
    (30, 'matching: scores'),
    (32, 'gateway: signed claims'),
    (33, 'gateway: nonces'),
    (34, 'gateway: signed bodies'),
    (35, 'gateway: signature windows'),
    (38, 'gateway: debug routes'),
    (47, 'gateway: work hours, time off'),
    (48, 'gateway: parameters of administrators'),
    (49, 'gateway: slots of streams');
CREATE TEMP TABLE tested (number int);
CREATE FUNCTION pg_temp.fault(number int, passes boolean, what text) RETURNS text LANGUAGE sql AS $$
    INSERT INTO tested VALUES (number);
    SELECT ok(passes, number || ' ' || what);
$$;
CREATE FUNCTION pg_temp.raises(statement text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE statement;
    RETURN NULL;
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE;
END $$;
CREATE FUNCTION pg_temp.decide(who uuid, side text, match uuid, decision text) RETURNS int LANGUAGE plpgsql AS $$
DECLARE
    answer int;
BEGIN
    PERFORM set_config('request.jwt.claims', jsonb_build_object('sub', who)::text, true);
    SET LOCAL ROLE authenticated;
    EXECUTE format('SELECT status FROM api.match_%s_decision($1)', side) INTO answer USING jsonb_build_object('match_id', match, 'decision', decision);
    RESET ROLE;
    RETURN answer;
END $$;
CREATE FUNCTION pg_temp.matched(project uuid, advisor uuid) RETURNS uuid LANGUAGE plpgsql AS $$
DECLARE
    match uuid;
BEGIN
    INSERT INTO advisor_match_requests (project_id, requested_by, match_criteria, expires_at)
    SELECT project, owner_id, '{}', steward.now() + interval '2 hours' FROM projects WHERE id = project RETURNING id INTO match;
    UPDATE advisor_match_requests SET status = 'matched', matched_advisor_id = advisor WHERE id = match;
    RETURN match;
END $$;

SELECT pg_temp.person() AS client, pg_temp.person() AS advisor, pg_temp.person() AS second, pg_temp.person('admin') AS admin
\gset
SELECT pg_temp.project(:'client') AS project
\gset
SELECT pg_temp.fault(3, pg_temp.raises(format('SELECT pg_temp.matched(%L, %L)', pg_temp.project(:'client'), :'advisor')) IS NULL, 'a match can become matched');
SELECT pg_temp.matched(:'project', :'advisor') AS match
\gset
SELECT pg_temp.fault(31, pg_temp.decide(:'second', 'client', :'match', 'approved') = 404 AND pg_temp.decide(:'second', 'advisor', :'match', 'approved') = 404, 'only the people of a match decide about it');
SELECT pg_temp.fault(45, pg_temp.decide(:'advisor', 'advisor', :'match', 'approve') = 200, 'approve is understood like approved');
SELECT pg_temp.decide(:'client', 'client', :'match', 'approved') AS answer
\gset
SELECT pg_temp.fault(4, :answer = 200 AND status = 'finalized', 'the advisor may be first, the client second') FROM advisor_match_requests WHERE id = :'match';
SELECT pg_temp.fault(46, count(*) = 2, 'approvals are written down') FROM advisor_match_approvals WHERE match_request_id = :'match';
SELECT pg_temp.fault(20, status = 'pending', 'finalized and queued are one transaction') FROM workspace_provisioning_queue WHERE match_id = :'match';
SELECT dblink_connect('ears', format('host=%s port=%s user=%s dbname=%s', :'HOST', :'PORT', :'USER', current_database()));
SELECT dblink_exec('ears', 'LISTEN steward_provisioning');
-- The round trip makes sure that what was sent has arrived.
CREATE FUNCTION pg_temp.heard() RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    PERFORM * FROM dblink('ears', 'SELECT 1') AS r(n int);
    RETURN (SELECT count(*) FROM dblink_get_notify('ears'));
END $$;
SELECT pg_temp.finalized_match(pg_temp.project(:'client'), :'second');
SELECT pg_temp.fault(41, pg_temp.heard() = 1, 'workers are woken, and told when to wake up next');
SELECT completed AS c FROM steward.provision_batch('test', 10)
\gset
SELECT pg_temp.fault(9, :c = 2, 'membership, session and system message can all be written');
SELECT pg_temp.fault(40, response_data ->> 'event_code' = 'advisor_joined' AND response_data ? 'advisor_id', 'the welcome carries a key and parameters to translate') FROM project_chat_log_minimal WHERE project_id = :'project';
SELECT set_config('request.jwt.claims', jsonb_build_object('sub', :'advisor')::text, false);
SET ROLE authenticated;
SELECT (SELECT count(*) FROM project_chat_log_minimal) AS reads, (SELECT count(*) FROM steward.event WHERE project_id = :'project' AND seq > 0) AS replays
\gset
RESET ROLE;
RESET request.jwt.claims;
SELECT pg_temp.fault(37, :reads > 0, 'a provisioned advisor reads the chat');
SELECT pg_temp.fault(44, :replays > 0, 'events are rows that can be read again');

UPDATE workspace_provisioning_queue SET status = 'pending', completed_at = NULL WHERE match_id = :'match';
SELECT steward.provision_batch('test', 10);
SELECT pg_temp.fault(22, count(*) = 1, 'a job that is run again welcomes once') FROM project_chat_log_minimal WHERE project_id = :'project';
UPDATE advisor_match_requests SET status = 'client_approved' WHERE id = :'match' AND previous_status = 'client_approved';
UPDATE advisor_match_requests SET status = 'advisor_accepted' WHERE id = :'match' AND status = 'finalized';
UPDATE advisor_match_requests SET status = 'finalized' WHERE id = :'match';
SELECT pg_temp.fault(21, status = 'completed', 'finalizing again does not reset a completed job') FROM workspace_provisioning_queue WHERE match_id = :'match';
SELECT pg_temp.finalized_match(:'project', :'second');
SELECT completed AS c FROM steward.provision_batch('test', 10)
\gset
SELECT pg_temp.fault(29, :c = 1 AND count(*) = 1, 'a second advisor replaces the first') FROM project_advisors WHERE project_id = :'project' AND status = 'active' AND advisor_id = :'second';

-- Leaving processing.
SELECT pg_temp.project(:'client') AS project
\gset
SELECT pg_temp.finalized_match(:'project', :'advisor') AS match
\gset
UPDATE workspace_provisioning_queue SET status = 'processing', locked_at = steward.now(), locked_by = 'worker-1-abcdef01' WHERE match_id = :'match';
SELECT steward.provisioning_unstick('-1 s');
SELECT pg_temp.fault(6, status = 'pending' AND locked_by IS NULL, 'leaving processing clears the lock') FROM workspace_provisioning_queue WHERE match_id = :'match';
UPDATE workspace_provisioning_queue SET status = 'processing', locked_at = steward.now() - interval '3 minutes', locked_by = 'worker-1-abcdef01' WHERE match_id = :'match';
SELECT steward.provision_upkeep('test');
SELECT pg_temp.fault(14, attempt_count = 1 AND last_error LIKE 'stale_lock%' AND status = 'pending', 'a reaped lock counts as an attempt and says so') FROM workspace_provisioning_queue WHERE match_id = :'match';
SELECT pg_temp.fault(27, next_retry_at - last_error_at BETWEEN interval '1 s' AND interval '2 s', 'the pause is one second times one to two') FROM workspace_provisioning_queue WHERE match_id = :'match';
UPDATE workspace_provisioning_queue SET status = 'rollback_needed', next_retry_at = steward.now(), attempt_count = 3 WHERE match_id = :'match';
SELECT steward.provision_batch('test', 10);
SELECT pg_temp.fault(12, q.status = 'failed', 'a job that needs a rollback gets one and no further attempt'),
       pg_temp.fault(13, q.status = 'failed' AND q.attempt_count = 3, 'also when its attempts are used up'),
       pg_temp.fault(15, m.status = 'client_approved', 'and nobody turns it into a retry'),
       pg_temp.fault(5, m.previous_status = 'finalized', 'the guard lets a rollback pass')
  FROM workspace_provisioning_queue q JOIN advisor_match_requests m ON m.id = q.match_id WHERE q.match_id = :'match';
SELECT pg_temp.fault(7, count(*) = 1 AND count(admin_id) = 0, 'an intervention needs no administrator') FROM admin_matching_interventions WHERE project_id = :'project';
SELECT pg_temp.fault(8, count(*) = 1 AND bool_and(recipient_id = :'admin'), 'the alert reaches the administrators') FROM notification_outbox WHERE match_request_id = :'match';
SELECT pg_temp.fault(39, array_agg(recipient_id ORDER BY seq) = ARRAY[:'client', :'advisor']::uuid[], 'client and advisor hear of the failure'),
       pg_temp.fault(36, bool_and(NOT data ? 'reason' AND NOT data::text LIKE '%stale_lock:%'), 'and not in the words of the database')
  FROM steward.event WHERE project_id = :'project';
SELECT pg_temp.fault(18, steward.match_rollback(:'match', 'again', 'again') IS NULL AND status = 'client_approved', 'a second rollback does not toggle') FROM advisor_match_requests WHERE id = :'match';
SELECT id AS job FROM workspace_provisioning_queue WHERE match_id = :'match'
\gset
SELECT pg_temp.fault(42, ok, 'a failed job can be tried again by hand') FROM steward.provisioning_retry(:'job');

-- Somebody else finishes while a claim is open: nobody does it twice.
SELECT dblink_connect('worker', format('host=%s port=%s user=%s dbname=%s', :'HOST', :'PORT', :'USER', current_database()));
SELECT dblink_exec('worker', 'BEGIN');
SELECT * FROM dblink('worker', 'SELECT completed FROM steward.provision_batch(''worker'', 10)') AS r(c int);
SELECT claimed AS c FROM steward.provision_batch('test', 10)
\gset
SELECT dblink_exec('worker', 'COMMIT');
SELECT pg_temp.fault(16, :c = 0 AND status = 'completed' AND (SELECT count(*) FROM project_chat_log_minimal WHERE client_msg_id = :'match') = 1, 'claim and effect are one transaction, so nothing is done twice')
  FROM workspace_provisioning_queue WHERE match_id = :'match';

-- The flag.
SELECT pg_temp.finalized_match(pg_temp.project(:'client'), :'advisor') AS match
\gset
SELECT steward.flag_set('advisor_auto_provision', false);
SELECT steward.provision_batch('test', 10), steward.provision_upkeep('test');
SELECT pg_temp.fault(17, m.status = 'finalized' AND q.status = 'pending', 'switching the flag off rolls nothing back')
  FROM advisor_match_requests m JOIN workspace_provisioning_queue q ON q.match_id = m.id WHERE m.id = :'match';
SELECT steward.flag_set('advisor_auto_provision', true);

-- Telling fails after the match was put back: both are undone, and done again.
UPDATE projects SET owner_id = NULL WHERE id = (SELECT project_id FROM advisor_match_requests WHERE id = :'match');
CREATE FUNCTION refuse() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'not today'; END $$;
CREATE TRIGGER refuse BEFORE INSERT ON notification_outbox FOR EACH ROW EXECUTE FUNCTION refuse();
SELECT steward.provision_batch('test', 10);
SELECT status AS between FROM advisor_match_requests WHERE id = :'match'
\gset
DROP TRIGGER refuse ON notification_outbox;
SET steward.clock_offset = '1 minute';
SELECT steward.provision_batch('test', 10);
SELECT pg_temp.fault(19, :'between' = 'finalized' AND status = 'client_approved' AND (SELECT count(*) FROM admin_matching_interventions WHERE intervention_metadata ->> 'matchId' = :'match') = 1,
    'putting back and telling are one transaction') FROM advisor_match_requests WHERE id = :'match';

SELECT pg_temp.project(:'client') AS project
\gset
SELECT pg_temp.finalized_match(:'project', :'advisor') AS match
\gset
UPDATE advisor_match_requests SET previous_status = NULL WHERE id = :'match';
INSERT INTO advisor_match_requests (project_id, requested_by, match_criteria, expires_at) VALUES (:'project', :'client', '{}', steward.now() + interval '1 hour');
UPDATE projects SET owner_id = NULL WHERE id = :'project';
SELECT steward.provision_batch('test', 10);
SELECT pg_temp.fault(23, status = 'expired', 'a rollback does not collide with an open match') FROM advisor_match_requests WHERE id = :'match';

SELECT pg_temp.fault(28, min(project_bucket(id)) = 0 AND max(project_bucket(id)) = 9 AND count(*) FILTER (WHERE project_bucket(id) <= 4) BETWEEN 4700 AND 5300, 'buckets are 0 to 9 and half of them is half')
  FROM (SELECT md5(i::text)::uuid AS id FROM generate_series(1, 10000) i) s;
SET steward.clock_offset = '200 days';
SELECT pruned AS gone FROM steward.provision_upkeep('test')
\gset
SELECT pg_temp.fault(43, :gone > 0 AND count(*) = 0, 'completed jobs are cleaned up') FROM workspace_provisioning_queue WHERE status = 'completed';
SELECT pg_temp.fault(50, pg_temp.raises(format('DELETE FROM auth.users WHERE id = %L', :'admin')) IS NULL, 'an administrator can be deleted');

SELECT is((SELECT array_agg(n) FROM generate_series(1, 50) n WHERE n NOT IN (SELECT number FROM tested UNION ALL SELECT number FROM later)), NULL, 'no number is missing');

SELECT * FROM finish();
