-- Each class of error, and a poisoned row among two hundred.

\ir setup.psql
CREATE EXTENSION IF NOT EXISTS dblink;

SELECT plan(89);

-- A trigger on the membership raises what its row's project asks for.
CREATE TABLE poison (project_id uuid PRIMARY KEY, code text);
CREATE FUNCTION poison() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
DECLARE
    wanted text := (SELECT p.code FROM public.poison p WHERE p.project_id = NEW.project_id);
BEGIN
    ASSERT wanted IS DISTINCT FROM 'P0004', 'asserted';
    IF wanted = 'other' THEN
        RAISE EXCEPTION 'no more today';
    ELSIF wanted IS NOT NULL THEN
        RAISE EXCEPTION 'poisoned' USING ERRCODE = wanted;
    END IF;
    RETURN NEW;
END $$;
CREATE TRIGGER poison BEFORE INSERT ON project_advisors FOR EACH ROW EXECUTE FUNCTION poison();

CREATE FUNCTION pg_temp.poisoned_job(code text) RETURNS uuid LANGUAGE plpgsql AS $$
DECLARE
    project uuid := pg_temp.project(pg_temp.person());
    match   uuid := pg_temp.finalized_match(project, pg_temp.person());
BEGIN
    INSERT INTO poison VALUES (project, code);
    RETURN (SELECT id FROM workspace_provisioning_queue WHERE match_id = match);
END $$;
SELECT pg_temp.person('admin');

-- The row is to blame and will be next time.
SELECT pg_temp.poisoned_job(code) FROM unnest('{22003,23502,23503,23505,23514}'::text[]) code;
SELECT results_eq('SELECT claimed, completed, retried, rolled_back FROM steward.provision_batch(''test'', 50)', 'VALUES (5, 0, 0, 5)',
    'classes 22 and 23 are rolled back at once');
SELECT is(q.status || ' ' || q.attempt_count, 'failed 1', p.code || ': one attempt, then failed'), is(m.status, 'client_approved', p.code || ': the match is back'),
       ok(q.last_error_at IS NOT NULL AND q.last_error = p.code || ': poisoned', p.code || ': the error is kept')
  FROM poison p JOIN workspace_provisioning_queue q USING (project_id) JOIN advisor_match_requests m ON m.id = q.match_id ORDER BY p.code;
SELECT is(count(*), 5::bigint, 'one intervention each') FROM admin_matching_interventions;
SELECT is(count(*), 0::bigint, 'and nothing of a workspace') FROM project_advisors;
TRUNCATE poison;

-- It may pass: three attempts with pauses of 1 and 5 seconds, then it is enough.
SELECT pg_temp.poisoned_job(code) FROM unnest('{40001,40P01,55P03,P0001,P0004,other}'::text[]) code;
-- In one moment, or the pauses are over before somebody looks.
BEGIN;
SELECT results_eq('SELECT claimed, completed, retried, rolled_back FROM steward.provision_batch(''test'', 50)', 'VALUES (6, 0, 6, 0)',
    'class 40, lock waits and everything else are tried again');
SELECT is(q.status || ' ' || q.attempt_count, 'pending 1', p.code || ': counted'),
       ok(q.next_retry_at - q.last_error_at >= interval '1 s' AND q.next_retry_at - q.last_error_at < interval '2 s', p.code || ': pause of one to two seconds')
  FROM poison p JOIN workspace_provisioning_queue q USING (project_id) ORDER BY p.code;
SELECT ok(next_due_ms BETWEEN 500 AND 2000, 'the worker is told when the next is due') FROM steward.provision_batch('test', 50);
COMMIT;
SET steward.clock_offset = '3 s';
SELECT is(retried, 6, 'the second attempts') FROM steward.provision_batch('test', 50);
SELECT ok(bool_and(q.next_retry_at - q.last_error_at >= interval '5 s' AND q.next_retry_at - q.last_error_at < interval '10 s'), 'pause of five to ten seconds')
  FROM poison p JOIN workspace_provisioning_queue q USING (project_id);
SET steward.clock_offset = '20 s';
SELECT results_eq('SELECT claimed, retried, rolled_back FROM steward.provision_batch(''test'', 50)', 'VALUES (6, 0, 6)', 'the third failures roll back');
SELECT is(q.status || ' ' || q.attempt_count || ' ' || jsonb_array_length(q.error_history), 'failed 3 3', p.code || ': three attempts, all kept')
  FROM poison p JOIN workspace_provisioning_queue q USING (project_id) ORDER BY p.code;
TRUNCATE poison;

-- A fourth pause needs more attempts than the default.
SELECT pg_temp.poisoned_job('40001') AS job
\gset
UPDATE workspace_provisioning_queue SET max_attempts = 5, attempt_count = 2 WHERE id = :'job';
SELECT steward.provision_batch('test', 50);
SELECT ok(next_retry_at - last_error_at >= interval '25 s' AND next_retry_at - last_error_at < interval '50 s', 'after the third failure: 25 to 50 seconds')
  FROM workspace_provisioning_queue WHERE id = :'job';
DELETE FROM workspace_provisioning_queue WHERE id = :'job';
TRUNCATE poison;
RESET steward.clock_offset;

-- Not the row's fault: nothing is counted, the worker hears it.
SELECT pg_temp.poisoned_job('08006') AS job
\gset
SELECT project_id AS environment FROM workspace_provisioning_queue WHERE id = :'job'
\gset
CREATE FUNCTION pg_temp.with_code(project uuid, code text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    UPDATE poison p SET code = with_code.code WHERE p.project_id = project;
    PERFORM steward.provision_batch('test', 50);
    RETURN 'done';
EXCEPTION WHEN OTHERS THEN
    RETURN SQLSTATE;
END $$;
SELECT is(pg_temp.with_code(:'environment', code), code, code || ' reaches the worker') FROM unnest('{08006,28000,42P01,42501,53100,53200,57P03,58030,XX000}'::text[]) code;
SELECT is(status || ' ' || attempt_count, 'pending 0', 'and no attempt is counted') FROM workspace_provisioning_queue WHERE id = :'job';
TRUNCATE poison;
SELECT is(completed, 1, 'once the database is well the job is done') FROM steward.provision_batch('test', 50);

-- One in two hundred.
CREATE FUNCTION pg_temp.batch_with(kind text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    project uuid := pg_temp.project(pg_temp.person());
    match   uuid;
    line    text;
BEGIN
    PERFORM count(pg_temp.finalized_match(pg_temp.project(pg_temp.person()), pg_temp.person())) FROM generate_series(1, 199);
    match := pg_temp.finalized_match(project, pg_temp.person());
    INSERT INTO poison VALUES (project, kind);
    SELECT format('%s %s %s %s', claimed, completed, retried, rolled_back) INTO line FROM steward.provision_batch('test', 200);
    TRUNCATE poison;
    UPDATE workspace_provisioning_queue SET next_retry_at = 'infinity' WHERE status = 'pending';
    RETURN line;
END $$;
SELECT is(pg_temp.batch_with(NULL), '200 200 0 0', 'two hundred good rows');
SELECT is(pg_temp.batch_with('23505'), '200 199 0 1', 'unique: one rolled back, its neighbours done');
SELECT is(pg_temp.batch_with('23503'), '200 199 0 1', 'foreign key');
SELECT is(pg_temp.batch_with('23514'), '200 199 0 1', 'check');
SELECT is(pg_temp.batch_with('P0001'), '200 199 1 0', 'a trigger that raises: one retried, its neighbours done');
SELECT is(pg_temp.batch_with('P0004'), '200 199 1 0', 'and one that asserts, which WHEN OTHERS does not catch');

-- A lock that somebody holds on a row the effect needs.
SELECT pg_temp.project(pg_temp.person()) AS project, pg_temp.person() AS advisor
\gset
SELECT pg_temp.finalized_match(:'project', :'advisor') AS match
\gset
SELECT count(pg_temp.finalized_match(pg_temp.project(pg_temp.person()), pg_temp.person())) FROM generate_series(1, 49);
SELECT dblink_connect('holder', format('host=%s port=%s user=%s dbname=%s', :'HOST', :'PORT', :'USER', current_database()));
SELECT dblink_exec('holder', 'BEGIN');
SELECT is((SELECT n FROM dblink('holder', format('SELECT 1 FROM auth.users WHERE id = %L FOR UPDATE', :'advisor')) AS r(n int)), 1, 'somebody holds the advisor');
SELECT results_eq('SELECT claimed, completed, retried, rolled_back FROM steward.provision_batch(''test'', 50)', 'VALUES (50, 49, 1, 0)',
    'a lock wait delays one job and not its neighbours');
SELECT is(left(last_error, 5), '55P03', 'which is told why') FROM workspace_provisioning_queue WHERE match_id = :'match';
SELECT dblink_exec('holder', 'ROLLBACK');

-- Many of them: after two seconds nobody is waited for, and neither the good ones nor those behind are kept.
UPDATE workspace_provisioning_queue SET next_retry_at = 'infinity' WHERE status = 'pending';
CREATE TABLE crowd AS SELECT i, pg_temp.project(pg_temp.person()) AS project FROM generate_series(1, 100) i;
INSERT INTO project_chat_seq (project_id) SELECT project FROM crowd;
SELECT count(pg_temp.finalized_match(project, pg_temp.person())) FROM crowd;
SELECT dblink_exec('holder', 'BEGIN');
SELECT is((SELECT count(*) FROM dblink('holder', 'SELECT project_id FROM project_chat_seq WHERE project_id IN (SELECT project FROM crowd WHERE i <= 50) FOR UPDATE') AS r(id uuid)), 50::bigint, 'somebody holds fifty of a hundred');
SELECT clock_timestamp() AS began
\gset
SELECT completed, retried, rolled_back FROM steward.provision_batch('test', 100)
\gset
SELECT cmp_ok(clock_timestamp() - :'began', '<', interval '9 s', 'which takes less than the ten seconds of fifty waits');
SELECT is(:completed, 50, 'the others are done'), is(:rolled_back, 0, 'and nobody is given up');
SELECT cmp_ok(:retried, '<', 15, 'some were waited for and counted'),
       is(count(*) FILTER (WHERE attempt_count = 0), 50 - :retried::bigint, 'the rest were not'),
       is(count(*) FILTER (WHERE attempt_count = 0 AND next_retry_at < last_error_at + interval '5 s'), 0::bigint, 'but put off as well'),
       is(count(*) FILTER (WHERE last_error LIKE '55P03%'), 50::bigint, 'and told why')
  FROM workspace_provisioning_queue WHERE project_id IN (SELECT project FROM crowd WHERE i <= 50) AND status = 'pending';
-- Three seconds after it began, whenever that is: those that were put off are not due yet.
BEGIN;
SELECT set_config('steward.clock_offset', (:'began'::timestamptz + interval '3 s' - now())::text, true);
SELECT pg_temp.finalized_match(pg_temp.project(pg_temp.person()), pg_temp.person());
SELECT results_eq('SELECT completed, claimed < 15 FROM steward.provision_batch(''test'', 100)', 'VALUES (1, true)', 'so that who comes next is done at once');
COMMIT;
SELECT dblink_exec('holder', 'ROLLBACK');
SET steward.clock_offset = '1 minute';
SELECT is(completed, 50, 'and all of them once they are free') FROM steward.provision_batch('test', 100);
RESET steward.clock_offset;

-- The foreseeable ones cost no exception, and so no second run of the batch.
CREATE SEQUENCE tries;
CREATE FUNCTION count_tries() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$ BEGIN PERFORM nextval('public.tries'); RETURN NEW; END $$;
CREATE TRIGGER count_tries BEFORE INSERT ON project_advisors FOR EACH ROW EXECUTE FUNCTION count_tries();
SELECT pg_temp.project(pg_temp.person()) AS taken, pg_temp.project(pg_temp.person()) AS orphan, pg_temp.project(pg_temp.person()) AS changed, pg_temp.person() AS other
\gset
SELECT count(pg_temp.finalized_match(p, pg_temp.person())) FROM unnest(ARRAY[:'taken', :'orphan', :'changed']::uuid[]) p;
SELECT count(pg_temp.finalized_match(pg_temp.project(pg_temp.person()), pg_temp.person())) FROM generate_series(1, 10);
INSERT INTO project_advisors (project_id, advisor_id, status, added_by) VALUES (:'taken', :'other', 'active', :'other');
UPDATE projects SET owner_id = NULL WHERE id = :'orphan';
UPDATE advisor_match_requests SET status = 'client_approved' WHERE project_id = :'changed';
SELECT setval('tries', 1);
SELECT results_eq('SELECT claimed, completed, retried, rolled_back FROM steward.provision_batch(''test'', 50)', 'VALUES (13, 10, 0, 3)',
    'what can be foreseen is routed to rollback');
SELECT is(currval('tries'), 11::bigint, 'without an attempt at it');
SELECT is(split_part(last_error, ':', 1), 'advisor_conflict', 'another advisor since') FROM workspace_provisioning_queue WHERE project_id = :'taken';
SELECT is(split_part(last_error, ':', 1), 'owner_missing', 'no owner') FROM workspace_provisioning_queue WHERE project_id = :'orphan';
SELECT is(split_part(last_error, ':', 1), 'match_changed', 'not finalized any more') FROM workspace_provisioning_queue WHERE project_id = :'changed';
SELECT is(count(*), 0::bigint, 'the latter is no intervention: nothing was put back') FROM admin_matching_interventions WHERE project_id = :'changed';

-- Where it arose is kept, and makes the class of the error.
CREATE FUNCTION injected() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'injected'; END $$;
CREATE FUNCTION deeper() RETURNS void LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'injected'; END $$;
CREATE FUNCTION injected_deeper() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM public.deeper(); RETURN NEW; END $$;
CREATE FUNCTION pg_temp.class_of(source regclass, injector text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    project uuid := pg_temp.project(pg_temp.person());
    match   uuid := pg_temp.finalized_match(project, pg_temp.person());
    line    text;
BEGIN
    UPDATE workspace_provisioning_queue SET max_attempts = 1 WHERE match_id = match;
    EXECUTE format('CREATE TRIGGER injected BEFORE INSERT ON %s FOR EACH ROW EXECUTE FUNCTION %s()', source, injector);
    PERFORM steward.provision_batch('test', 50);
    EXECUTE format('DROP TRIGGER injected ON %s', source);
    -- Unable to write the event of the rollback either, it is left as rollback_needed, which groups as well.
    SELECT q.error_history -> 0 ->> 'table' || ': ' || steward.error_class(q.last_error, q.error_history) INTO line
      FROM workspace_provisioning_queue q WHERE q.match_id = match;
    RETURN line;
END $$;
UPDATE workspace_provisioning_queue SET next_retry_at = 'infinity' WHERE status = 'pending';
SELECT is(pg_temp.class_of('project_advisors', 'injected'), 'project_advisors: membership', 'a fault in the membership');
SELECT is(pg_temp.class_of('unified_chat_sessions', 'injected'), 'unified_chat_sessions: chat session creation', 'in the chat session');
SELECT is(pg_temp.class_of('project_chat_log_minimal', 'injected'), 'project_chat_log_minimal: broadcast', 'in the welcome');
SELECT is(pg_temp.class_of('steward.event', 'injected_deeper'), 'event: broadcast', 'in the event, below its trigger');
ALTER TABLE unified_chat_sessions ADD CONSTRAINT none CHECK (actor_type <> 'advisor') NOT VALID;
SELECT pg_temp.finalized_match(pg_temp.project(pg_temp.person()), pg_temp.person()) AS match
\gset
SELECT steward.provision_batch('test', 50);
SELECT is(steward.error_class(last_error, error_history), 'chat session creation', 'a constraint names its table itself') FROM workspace_provisioning_queue WHERE match_id = :'match';
ALTER TABLE unified_chat_sessions DROP CONSTRAINT none;
SELECT results_eq('SELECT class, count FROM steward.provisioning_error_groups() WHERE last_error = ''P0001: injected'' ORDER BY class',
    $$VALUES ('broadcast', 2::bigint), ('chat session creation', 1), ('membership', 1)$$, 'the same words in different places are different groups');
SELECT is(steward.error_class(error, '[]'), wanted, error || ': ' || wanted)
  FROM (VALUES ('08006: connection lost', 'db connection'), ('connection refused', 'db connection'), ('23503: gone', 'foreign key'),
               ('40001: could not serialize', 'transient'), ('whatever', 'other')) v(error, wanted);

SELECT * FROM finish();
