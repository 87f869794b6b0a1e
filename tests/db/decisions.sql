-- Approving and declining through the two api functions, as the people themselves.

\ir setup.psql
CREATE EXTENSION IF NOT EXISTS dblink;

SELECT plan(54);

CREATE FUNCTION pg_temp.decide(who uuid, side text, match text, decision text, more jsonb DEFAULT '{}',
                               OUT status int, OUT headers jsonb, OUT body jsonb)
    LANGUAGE plpgsql AS $$
BEGIN
    PERFORM set_config('request.jwt.claims', CASE WHEN who IS NULL THEN '' ELSE jsonb_build_object('sub', who)::text END, true);
    SET LOCAL ROLE authenticated;
    EXECUTE format('SELECT d.* FROM api.match_%s_decision($1) d', side)
       INTO status, headers, body USING jsonb_build_object('match_id', match, 'decision', decision) || more;
    RESET ROLE;
END $$;
CREATE FUNCTION pg_temp.matched() RETURNS TABLE (client uuid, advisor uuid, project uuid, match uuid) LANGUAGE plpgsql AS $$
BEGIN
    client := pg_temp.person();
    advisor := pg_temp.person();
    project := pg_temp.project(client);
    INSERT INTO advisor_match_requests (project_id, requested_by, match_criteria, expires_at)
    VALUES (project, client, '{}', steward.now() + interval '2 hours') RETURNING id INTO match;
    UPDATE advisor_match_requests SET status = 'matched', matched_advisor_id = advisor WHERE id = match;
    RETURN NEXT;
END $$;

SELECT * FROM pg_temp.matched()
\gset
SELECT is((d).status, 200, 'the client approves first'), is((d).body #>> '{data,status}', 'client_approved', 'and the match waits for the advisor'),
       ok(NOT (d).body -> 'data' ? 'workspaceProvisioning', 'nothing is queued yet'),
       ok((d).body ? 'correlationId' AND ((d).body ->> 'success')::boolean, 'the envelope is the documented one')
  FROM pg_temp.decide(:'client', 'client', :'match', 'approve') d;
SELECT is((d).status, 200, 'the same decision again is no error'), is((d).body #>> '{data,duplicate}', 'true', 'but marked as a duplicate')
  FROM pg_temp.decide(:'client', 'client', :'match', 'approved') d;
SELECT is((d).status, 409, 'the opposite decision is a conflict') FROM pg_temp.decide(:'client', 'client', :'match', 'declined') d;
SELECT is((d).status, 200, 'the advisor approves second'),
       is((d).body -> 'data', '{"status": "finalized", "workspaceProvisioning": "queued"}', 'which finalizes and queues')
  FROM pg_temp.decide(:'advisor', 'advisor', :'match', 'approved', '{"reason": "with pleasure"}') d;
SELECT is((d).body -> 'data', '{"status": "finalized", "duplicate": true}', 'again: a duplicate, queued only once')
  FROM pg_temp.decide(:'advisor', 'advisor', :'match', 'approved') d;
SELECT is((d).status, 409, 'a finalized match cannot be declined') FROM pg_temp.decide(:'client', 'client', :'match', 'decline') d;
SELECT results_eq(format('SELECT approver_type, decision, reason FROM advisor_match_approvals WHERE match_request_id = %L ORDER BY decided_at', :'match'),
    $$VALUES ('client', 'approved', NULL), ('advisor', 'approved', 'with pleasure')$$, 'each decision is written once, in one spelling');
SELECT is(match_reason, 'with pleasure', 'a reason is kept with the match') FROM advisor_match_requests WHERE id = :'match';
SELECT is(count(*), 1::bigint, 'one job') FROM workspace_provisioning_queue WHERE match_id = :'match';

SELECT * FROM pg_temp.matched()
\gset
SELECT is((d).body #>> '{data,status}', 'advisor_accepted', 'the advisor may be first') FROM pg_temp.decide(:'advisor', 'advisor', :'match', 'approved') d;
SELECT is((d).body #>> '{data,workspaceProvisioning}', 'queued', 'then the client finalizes') FROM pg_temp.decide(:'client', 'client', :'match', 'approved') d;

SELECT * FROM pg_temp.matched()
\gset
SELECT is((d).body #>> '{data,status}', 'client_declined', 'the client declines') FROM pg_temp.decide(:'client', 'client', :'match', 'decline') d;
SELECT is((d).body #>> '{data,duplicate}', 'true', 'declining again is a duplicate') FROM pg_temp.decide(:'client', 'client', :'match', 'declined') d;
SELECT is((d).status, 412, 'the advisor cannot accept what was declined') FROM pg_temp.decide(:'advisor', 'advisor', :'match', 'approved') d;
SELECT * FROM pg_temp.matched()
\gset
SELECT is((d).body #>> '{data,status}', 'advisor_declined', 'the advisor declines') FROM pg_temp.decide(:'advisor', 'advisor', :'match', 'decline') d;
SELECT is((d).status, 412, 'the client cannot approve what was declined') FROM pg_temp.decide(:'client', 'client', :'match', 'approved') d;

SELECT * FROM pg_temp.matched()
\gset
SELECT is((d).status, 404, 'the advisor is not the client') FROM pg_temp.decide(:'advisor', 'client', :'match', 'approved') d;
SELECT is((d).status, 404, 'the client is not the advisor') FROM pg_temp.decide(:'client', 'advisor', :'match', 'approved') d;
SELECT is((d).status, 404, 'a stranger sees no match') FROM pg_temp.decide(pg_temp.person(), 'client', :'match', 'approved') d;
SELECT is((d).status, 404, 'nor does anybody one that is not there') FROM pg_temp.decide(:'client', 'client', gen_random_uuid()::text, 'approved') d;
SELECT is((d).status, 401, 'without claims nobody decides') FROM pg_temp.decide(NULL, 'client', :'match', 'approved') d;
SELECT is((d).body ->> 'field', 'match_id', 'a bad id is named') FROM pg_temp.decide(:'client', 'client', 'seven', 'approved') d;
SELECT is((d).body ->> 'field', 'decision', 'a bad decision is named') FROM pg_temp.decide(:'client', 'client', :'match', 'perhaps') d;
SELECT is((d).body ->> 'field', 'decision', 'also one that is no text') FROM pg_temp.decide(:'client', 'client', :'match', 'x', '{"decision": ["approved"]}') d;
SELECT is((d).body ->> 'field', 'reason', 'a reason that is too long is named') FROM pg_temp.decide(:'client', 'client', :'match', 'approved', jsonb_build_object('reason', repeat('x', 501))) d;
SELECT is((d).body ->> 'field', 'reason', 'a reason that is no text is named') FROM pg_temp.decide(:'client', 'client', :'match', 'approved', '{"reason": 7}') d;
SELECT is((d).status, 400, 'all of which is a bad request') FROM pg_temp.decide(:'client', 'client', 'seven', 'approved') d;
SELECT is((SELECT status FROM api.match_client_decision(NULL)), 400, 'no request at all is a bad request');
SELECT is((SELECT body ->> 'field' FROM api.match_client_decision('[1]')), 'request', 'and so is one that is no object');
SELECT is(status, 'matched', 'none of this changed the match') FROM advisor_match_requests WHERE id = :'match';

SET steward.clock_offset = '3 hours';
SELECT is((d).status, 412, 'what is expired by the clock cannot be approved') FROM pg_temp.decide(:'client', 'client', :'match', 'approved') d;
RESET steward.clock_offset;

SELECT steward.flag_set('advisor_auto_provision', false);
SELECT pg_temp.decide(:'client', 'client', :'match', 'approved');
SELECT is((d).body -> 'data', '{"status": "finalized"}', 'with the flag off a match is finalized and says nothing of provisioning')
  FROM pg_temp.decide(:'advisor', 'advisor', :'match', 'approved') d;
SELECT is(count(*), 0::bigint, 'and no job is made') FROM workspace_provisioning_queue WHERE match_id = :'match';
SELECT steward.flag_set('advisor_auto_provision', true);

-- Two people at the same moment: the second waits for the first, then finalizes.
SELECT * FROM pg_temp.matched()
\gset
SELECT dblink_connect('one', format('host=%s port=%s user=%s dbname=%s', :'HOST', :'PORT', :'USER', current_database()));
SELECT dblink_connect('two', format('host=%s port=%s user=%s dbname=%s', :'HOST', :'PORT', :'USER', current_database()));
SELECT dblink_exec('one', format($$BEGIN; SET LOCAL request.jwt.claims = '{"sub": "%s"}'$$, :'client'));
SELECT dblink_exec('two', format($$BEGIN; SET LOCAL request.jwt.claims = '{"sub": "%s"}'$$, :'advisor'));
SELECT is((SELECT s FROM dblink('one', format($$SELECT body #>> '{data,status}' FROM api.match_client_decision('{"match_id": "%s", "decision": "approved"}')$$, :'match')) AS r(s text)),
    'client_approved', 'one approves');
SELECT is(dblink_send_query('two', format($$SELECT body #>> '{data,status}' FROM api.match_advisor_decision('{"match_id": "%s", "decision": "approved"}')$$, :'match')),
    1, 'the other one approves before the first has committed');
SELECT dblink_exec('one', 'COMMIT');
SELECT is((SELECT s FROM dblink_get_result('two') AS r(s text)), 'finalized', 'and it is the second that finalizes');
SELECT * FROM dblink_get_result('two') AS r(s text);
SELECT dblink_exec('two', 'COMMIT');
SELECT is(count(*), 1::bigint, 'exactly once') FROM workspace_provisioning_queue WHERE match_id = :'match';

-- After a rollback the first approval still stands: one more suffices.
UPDATE projects SET owner_id = NULL WHERE id = :'project';
SELECT steward.provision_batch('test', 200);
UPDATE projects SET owner_id = :'client' WHERE id = :'project';
SELECT is(status, 'client_approved', 'after a rollback the match is where it was finalized from') FROM advisor_match_requests WHERE id = :'match';
SELECT is((d).body #>> '{data,workspaceProvisioning}', 'queued', 'and one further approval finalizes it again')
  FROM pg_temp.decide(:'advisor', 'advisor', :'match', 'approved') d;

-- Somebody holds the match: who cannot wait is told to come again, and nothing has happened.
SELECT * FROM pg_temp.matched()
\gset
SELECT dblink_exec('one', 'BEGIN; SET LOCAL deadlock_timeout = ''1 h''; SET LOCAL application_name = ''one''');
SELECT FROM dblink('one', format('SELECT id FROM advisor_match_requests WHERE id = %L FOR UPDATE', :'match')) AS r(id uuid);
BEGIN;
SET LOCAL lock_timeout = '50ms';
SELECT is((d).status, 503, 'a match that somebody else is changing: 503'), is((d).headers, '{"Retry-After": "1"}', 'with the advice to come again'),
       is((d).body ->> 'code', 'RESOURCE_BUSY', 'and this code'), is((d).body ->> 'correlationId', 'mine', 'and the envelope')
  FROM pg_temp.decide(:'client', 'client', :'match', 'approved', '{"correlation_id": "mine"}') d;
COMMIT;
BEGIN;
SET LOCAL statement_timeout = '50ms';
SELECT is((d).status, 504, 'the caller''s time is over first: 504'), is((d).headers, '{}', 'without advice'), is((d).body ->> 'code', 'STATEMENT_TIMEOUT', 'and this code')
  FROM pg_temp.decide(:'client', 'client', :'match', 'approved') d;
COMMIT;
BEGIN;
SET LOCAL deadlock_timeout = '50ms';
SELECT pg_advisory_xact_lock(7);
SELECT dblink_send_query('one', 'SELECT pg_advisory_xact_lock(7)');
SELECT ok(pg_temp.waits_for_a_lock('one'), 'two wait in a circle');
SELECT is((d).status, 503, 'the victim of a deadlock is told the same') FROM pg_temp.decide(:'client', 'client', :'match', 'approved') d;
ROLLBACK;
SELECT * FROM dblink_get_result('one', false) AS r(x text);
SELECT * FROM dblink_get_result('one', false) AS r(x text);
SELECT dblink_exec('one', 'ROLLBACK');
SELECT is(r.status::text, 'matched', 'and nothing is half done') FROM advisor_match_requests r
 WHERE r.id = :'match' AND NOT EXISTS (SELECT FROM advisor_match_approvals a WHERE a.match_request_id = r.id);

SELECT * FROM finish();
