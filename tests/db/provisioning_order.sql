-- A batch comes to its projects in the order of their ids, so that a client who writes
-- into several of them in the same order never waits for it in a circle.

\ir setup.psql

SELECT plan(10);

SELECT pg_temp.person() AS client \gset
SELECT dblink_connect(name, format('host=%s port=%s user=%s dbname=%s application_name=%s', :'HOST', :'PORT', :'USER', current_database(), name))
  FROM unnest('{writer,batch}'::text[]) name \g /dev/null
SELECT dblink_exec('batch', 'SET ROLE steward_owner') \g /dev/null
-- Due the other way round, and stored in no order.
CREATE FUNCTION pg_temp.backlog(projects int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    job record;
BEGIN
    PERFORM pg_temp.finalized_match(pg_temp.project(pg_temp.person()), pg_temp.person()) FROM generate_series(1, projects);
    INSERT INTO project_chat_seq (project_id, last_seq, last_event_seq)
    SELECT project_id, 0, 0 FROM workspace_provisioning_queue WHERE status = 'pending' ON CONFLICT DO NOTHING;
    FOR job IN SELECT q.id, row_number() OVER (ORDER BY q.project_id) AS place FROM workspace_provisioning_queue q ORDER BY q.id LOOP
        UPDATE workspace_provisioning_queue SET next_retry_at = steward.now() - job.place * interval '1 min' WHERE id = job.id;
    END LOOP;
END $$;

-- Somebody writes into the first project, and then into the others.
SELECT pg_temp.backlog(4) \g /dev/null
SELECT min(project_id::text) AS first FROM workspace_provisioning_queue \gset
SELECT count(*) FROM dblink('writer', format('BEGIN; SELECT project_id FROM project_chat_seq WHERE project_id = %L FOR UPDATE', :'first')) r(id uuid) \g /dev/null
SELECT dblink_send_query('batch', 'SELECT completed FROM steward.provision_apply(NULL, 100, 10000, false)') \g /dev/null
SELECT ok(pg_temp.waits_for_a_lock('batch'), 'a batch waits for the first of its projects');
SELECT is(count(*), 3::bigint, 'and has none of the others yet')
  FROM (SELECT FROM project_chat_seq WHERE project_id <> :'first' FOR UPDATE SKIP LOCKED) free;
SELECT dblink_exec('writer', 'COMMIT') \g /dev/null
SELECT is(r.completed, 4, 'then it does them all') FROM dblink_get_result('batch') r(completed int);
SELECT count(*) FROM dblink_get_result('batch') r(completed int) \g /dev/null

-- The ways by which a batch is judged first, or tried in parts.
CREATE TABLE met (place int GENERATED ALWAYS AS IDENTITY, project uuid);
CREATE TABLE poison (project uuid);
CREATE FUNCTION meet() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS $$
BEGIN
    IF NEW.project_id IN (SELECT p.project FROM public.poison p) THEN
        RAISE EXCEPTION 'poison' USING ERRCODE = 'check_violation';
    END IF;
    INSERT INTO public.met (project) VALUES (NEW.project_id);
    RETURN NULL;
END $$;
CREATE TRIGGER meet AFTER INSERT ON project_chat_log_minimal FOR EACH ROW EXECUTE FUNCTION meet();
CREATE FUNCTION pg_temp.order_met() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    part record;
    said text;
BEGIN
    DELETE FROM met;
    SET LOCAL ROLE steward_owner;
    part := steward.provision_batch('test', 100);
    RESET ROLE;
    SELECT format('%s done, %s', part.completed, CASE WHEN bool_and(m.project > m.former) THEN 'ascending' ELSE 'in no order' END) INTO said
      FROM (SELECT project, lag(project, 1, '00000000-0000-0000-0000-000000000000') OVER (ORDER BY place) AS former FROM met) m;
    RETURN said;
END $$;
SELECT pg_temp.backlog(20) \g /dev/null
SELECT is(pg_temp.order_met(), '20 done, ascending', 'a batch of ordinary jobs');
SELECT pg_temp.backlog(20) \g /dev/null
INSERT INTO poison SELECT project_id FROM workspace_provisioning_queue WHERE status = 'pending' ORDER BY project_id OFFSET 12 LIMIT 1;
SELECT is(pg_temp.order_met(), '19 done, ascending', 'one with a poisoned row, which is tried in parts');
SELECT pg_temp.backlog(20) \g /dev/null
INSERT INTO project_advisors (organization_id, project_id, advisor_id, status, added_by, assigned_at)
SELECT organization_id, project_id, pg_temp.person(), 'active', requested_by, steward.now() - interval '1 day' FROM workspace_provisioning_queue WHERE status = 'pending';
SELECT is(pg_temp.order_met(), '20 done, ascending', 'those that have to be judged');
SELECT pg_temp.backlog(20) \g /dev/null
INSERT INTO project_advisors (organization_id, project_id, advisor_id, status, added_by, assigned_at)
SELECT organization_id, project_id, pg_temp.person(), 'active', requested_by, steward.now() - interval '1 day' FROM workspace_provisioning_queue WHERE status = 'pending';
INSERT INTO poison SELECT project_id FROM workspace_provisioning_queue WHERE status = 'pending' ORDER BY project_id OFFSET 12 LIMIT 1;
SELECT is(pg_temp.order_met(), '19 done, ascending', 'and those of them that are tried in parts');
-- The second job of a project is left to the next call, which is said to be due.
SELECT pg_temp.backlog(20) \g /dev/null
INSERT INTO poison SELECT project_id FROM workspace_provisioning_queue WHERE status = 'pending' ORDER BY project_id OFFSET 12 LIMIT 1;
SELECT pg_temp.finalized_match(project_id, pg_temp.person()) FROM workspace_provisioning_queue WHERE status = 'pending' ORDER BY project_id LIMIT 1 \g /dev/null
SELECT is(completed, 19, 'a batch that is tried in parts does one job of a project'), is(next_due_ms, 0::bigint, 'and another call is due for the other') FROM steward.provision_batch('test', 100);
SELECT is(completed, 1, 'which does it') FROM steward.provision_batch('test', 100);
SELECT dblink_disconnect('writer'), dblink_disconnect('batch') \g /dev/null

SELECT * FROM finish();
