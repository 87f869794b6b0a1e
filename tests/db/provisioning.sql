-- A finalized match becomes a workspace: what is written, once.

\ir setup.psql
CREATE EXTENSION IF NOT EXISTS dblink;
SELECT dblink_connect('subscriber', format('host=%s port=%s user=%s dbname=%s', :'HOST', :'PORT', :'USER', current_database()));
SELECT dblink_exec('subscriber', 'LISTEN steward_event');

SELECT plan(52);

SELECT pg_temp.person() AS client, pg_temp.person() AS advisor
\gset
SELECT pg_temp.project(:'client') AS project
\gset
INSERT INTO user_preferences (user_id, preferred_locale) VALUES (:'client', 'ar');
INSERT INTO project_chat_log_minimal (project_id, user_id, mode, message_text, seq) VALUES (:'project', :'client', 'plan', 'hello', 77);
SELECT pg_temp.finalized_match(:'project', :'advisor') AS match
\gset
SELECT results_eq(format('SELECT status, attempt_count, advisor_id, requested_by FROM workspace_provisioning_queue WHERE match_id = %L', :'match'),
    format('VALUES (''pending'', 0, %L::uuid, %L::uuid)', :'advisor', :'client'), 'finalizing leaves a job');
SELECT results_eq('SELECT * FROM steward.provision_batch(''test'', 10)', 'VALUES (1, 1, 0, 0, NULL::bigint, 0)', 'which one call takes and completes');
SELECT results_eq('SELECT * FROM steward.provision_batch(''test'', 10)', 'VALUES (0, 0, 0, 0, NULL::bigint, 0)', 'and the next finds nothing');

SELECT is(status, 'completed', 'the job is completed'), ok(completed_at IS NOT NULL, 'and says when'),
       ok(locked_at IS NULL AND locked_by IS NULL, 'and holds no lock'), is(attempt_count, 0, 'and no attempt failed')
  FROM workspace_provisioning_queue WHERE match_id = :'match';
SELECT is(status, 'active', 'the advisor is active'), is(role, 'advisor', 'as an advisor'), is(added_by, :'client', 'added by who asked'),
       ok(assigned_at IS NOT NULL, 'since now')
  FROM project_advisors WHERE project_id = :'project' AND advisor_id = :'advisor';
SELECT is(session_state, 'active', 'the session is active'), is(actor_type, 'advisor', 'of an advisor'),
       is(preferred_locale, 'ar', 'in the owner''s locale'), ok(session_id <> '', 'with an id of its own')
  FROM unified_chat_sessions WHERE project_id = :'project' AND user_id = :'advisor';
SELECT is(user_id, NULL, 'the welcome has no author'), is(actor_type, 'system', 'it is the system''s'), is(mode, 'plan', 'in plan mode'),
       is(message_text, 'Advisor has joined the workspace and is ready to help!', 'in the documented words'),
       is(seq, 2::bigint, 'after the message that was there, whatever number that asked for'),
       is(client_msg_id, :'match', 'named after the match'),
       is(response_data - 'timestamp', jsonb_build_object('event_code', 'advisor_joined', 'advisor_id', :'advisor', 'match_id', :'match'), 'with its data'),
       matches(response_data ->> 'timestamp', '^\d{4}-\d\d-\d\dT\d\d:\d\d:\d\d\.\d{3}Z$', 'and an ISO timestamp')
  FROM project_chat_log_minimal WHERE project_id = :'project' AND message_type = 'system';
SELECT is(seq, 1::bigint, 'the event is the project''s first'), is(name, 'advisor.workspace_ready', 'it says ready'), is(recipient_id, NULL, 'to everybody'),
       is((SELECT array_agg(k ORDER BY k) FROM jsonb_object_keys(data) k),
          '{advisorId,content,matchId,projectId,seq,timestamp,userId}', 'with the seven documented keys'),
       is((SELECT array_agg(k ORDER BY k) FROM jsonb_object_keys(data -> 'content') k), '{advisorId,matchId,projectId,timestamp}', 'and four inside'),
       is(data ->> 'userId', 'system', 'from the system'), is((data ->> 'seq')::bigint, seq, 'with its own number')
  FROM steward.event WHERE project_id = :'project';

SELECT one FROM dblink('subscriber', 'SELECT 1') AS r(one int);
SELECT is((SELECT array_agg(notify_name) FROM dblink_get_notify('subscriber')), '{steward_event}', 'and subscribers are woken, once');

-- Replays write nothing twice.
UPDATE workspace_provisioning_queue SET status = 'pending', completed_at = NULL WHERE match_id = :'match';
SELECT is(completed, 1, 'a job that is replayed completes again') FROM steward.provision_batch('test', 10);
SELECT is((SELECT count(*) FROM project_chat_log_minimal WHERE project_id = :'project' AND message_type = 'system'), 1::bigint, 'with one welcome'),
       is((SELECT count(*) FROM steward.event WHERE project_id = :'project'), 1::bigint, 'and one event'),
       is((SELECT count(*) FROM project_advisors WHERE project_id = :'project'), 1::bigint, 'and one membership'),
       is((SELECT last_seq FROM project_chat_seq WHERE project_id = :'project'), 2::bigint, 'and no number was lost');

-- What was left is taken up again.
UPDATE project_advisors SET status = 'removed' WHERE project_id = :'project';
UPDATE unified_chat_sessions SET session_state = 'closed' WHERE project_id = :'project';
UPDATE workspace_provisioning_queue SET status = 'pending' WHERE match_id = :'match';
SELECT steward.provision_batch('test', 10);
SELECT is(status, 'active', 'a removed advisor becomes active again') FROM project_advisors WHERE project_id = :'project';
SELECT is(session_state, 'active', 'and a closed session too') FROM unified_chat_sessions WHERE project_id = :'project';

-- Finalizing another advisor replaces the one who is there.
SELECT pg_temp.person() AS second
\gset
SELECT pg_temp.finalized_match(:'project', :'second') AS replacement
\gset
SELECT is(completed, 1, 'another advisor is provisioned') FROM steward.provision_batch('test', 10);
SELECT results_eq(format('SELECT advisor_id, status FROM project_advisors WHERE project_id = %L ORDER BY status', :'project'),
    format('VALUES (%L::uuid, ''active''), (%L::uuid, ''removed'')', :'second', :'advisor'), 'and takes the place of the first');

-- A hundred projects and several jobs of one project in a batch: each once, no gaps.
SELECT count(pg_temp.finalized_match(pg_temp.project(:'client'), pg_temp.person())) FROM generate_series(1, 120);
INSERT INTO workspace_provisioning_queue (match_id, project_id, advisor_id, requested_by, status)
SELECT pg_temp.approved_match(:'project', :'second'), :'project', :'second', :'client', 'pending' FROM generate_series(1, 3);
SELECT is(sum(completed), 123::bigint, 'a backlog is worked off, one job per project and call')
  FROM generate_series(1, 4) i, LATERAL (SELECT completed FROM steward.provision_batch('test', 200 + 0 * i)) b;
SELECT is(count(*), 0::bigint, 'without a gap in any numbering') FROM (
    SELECT project_id FROM project_chat_log_minimal GROUP BY project_id HAVING max(seq) <> count(*)
    UNION ALL SELECT project_id FROM steward.event GROUP BY project_id HAVING max(seq) <> count(*)) gaps;
SELECT is(count(*), 0::bigint, 'and every completed job has one welcome') FROM workspace_provisioning_queue q
 WHERE q.status = 'completed' AND 1 <> (SELECT count(*) FROM project_chat_log_minimal c WHERE c.project_id = q.project_id AND c.client_msg_id = q.match_id);

-- Who knows when the next job is due does not ask while somebody waits for this one.
SELECT pg_temp.finalized_match(pg_temp.project(:'client'), :'advisor') AS later \gset
UPDATE workspace_provisioning_queue SET next_retry_at = steward.now() + interval '1 hour' WHERE match_id = :'later';
SELECT pg_temp.finalized_match(pg_temp.project(:'client'), :'advisor') \g /dev/null
SELECT results_eq('SELECT claimed, completed, next_due_ms FROM steward.provision_batch(''test'', 10, false)', 'VALUES (1, 1, 1000::bigint)', 'a batch that does not look ahead asks to be called again in a second');
SELECT ok(next_due_ms BETWEEN 3590000 AND 3600000, 'one that finds nothing looks ahead all the same') FROM steward.provision_batch('test', 10, false);
UPDATE workspace_provisioning_queue SET next_retry_at = steward.now() WHERE match_id = :'later';

-- Two of one project cannot be done at once; the others of their batch can.
SELECT pg_temp.project(:'client') AS twice \gset
SELECT pg_temp.finalized_match(:'twice', :'advisor'), pg_temp.finalized_match(:'twice', :'advisor'), pg_temp.finalized_match(pg_temp.project(:'client'), :'advisor') \g /dev/null
SELECT results_eq('SELECT claimed, completed, retried, rolled_back, next_due_ms FROM steward.provision_batch(''test'', 10)', 'VALUES (3, 3, 0, 0, 0::bigint)', 'of two jobs of a project one is done, the other left to the next call');
SELECT results_eq('SELECT claimed, completed, retried, rolled_back, next_due_ms FROM steward.provision_batch(''test'', 10)', 'VALUES (1, 1, 0, 0, NULL::bigint)', 'which does it');
SELECT is((SELECT array_agg(seq ORDER BY seq) FROM steward.event WHERE project_id = :'twice'), ARRAY[1, 2]::bigint[], 'without a gap between their events');
-- Nor can two that have to be judged, for another advisor is there.
SELECT pg_temp.project(:'client') AS thrice, pg_temp.person() AS sooner, pg_temp.person() AS later
\gset
INSERT INTO project_advisors (project_id, advisor_id, status, added_by, assigned_at) VALUES (:'thrice', :'advisor', 'active', :'client', steward.now() - interval '1 day');
SELECT pg_temp.finalized_match(:'thrice', :'sooner') \g /dev/null
SELECT pg_temp.finalized_match(:'thrice', :'later') \g /dev/null
SELECT is(completed, 1, 'of two that replace the advisor one is done'), is(next_due_ms, 0::bigint, 'and another call is due') FROM steward.provision_batch('test', 10);
SELECT is(completed, 1, 'which does the other') FROM steward.provision_batch('test', 10);
SELECT is(advisor_id, :'later'::uuid, 'and the later approval stands') FROM project_advisors WHERE project_id = :'thrice' AND status = 'active';

SELECT * FROM finish();
