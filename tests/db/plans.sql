-- The planner takes the indexes that the design counts on, at a hundred thousand rows.

\ir setup.psql

SELECT plan(15);

SELECT pg_temp.person() AS client, pg_temp.person() AS advisor
\gset
SET session_replication_role = replica;
INSERT INTO projects (id, organization_id, owner_id) SELECT md5('p' || i)::uuid, (SELECT id FROM organizations), :'client' FROM generate_series(1, 100000) i;
INSERT INTO advisor_match_requests (id, organization_id, project_id, requested_by, match_criteria, expires_at, status, matched_advisor_id, finalized_at)
SELECT md5('m' || i)::uuid, (SELECT id FROM organizations), md5('p' || i)::uuid, :'client', '{}', now() + interval '1 day', 'finalized', :'advisor', now() FROM generate_series(1, 100000) i;
INSERT INTO workspace_provisioning_queue (organization_id, match_id, project_id, advisor_id, requested_by, status, next_retry_at, completed_at)
SELECT (SELECT id FROM organizations), md5('m' || i)::uuid, md5('p' || i)::uuid, :'advisor', :'client', CASE WHEN i % 100 = 0 THEN 'pending' ELSE 'completed' END, now() - i * interval '1 ms', now() FROM generate_series(1, 100000) i;
SET session_replication_role = origin;
ANALYZE;

CREATE FUNCTION pg_temp.plan_of(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    line  text;
    whole text := '';
BEGIN
    FOR line IN EXECUTE 'EXPLAIN ' || query LOOP
        whole := whole || line || E'\n';
    END LOOP;
    RETURN whole;
END $$;
SELECT matches(pg_temp.plan_of('SELECT id FROM workspace_provisioning_queue WHERE status = ''pending'' AND next_retry_at <= steward.now() ORDER BY next_retry_at LIMIT 100 FOR UPDATE SKIP LOCKED'),
    'idx_queue_pending_ready', 'the claim walks the index of ready jobs');
SELECT matches(pg_temp.plan_of('SELECT id FROM workspace_provisioning_queue WHERE status = ''pending'' AND next_retry_at <= steward.now() ORDER BY next_retry_at LIMIT 100'),
    'Index Cond: \(next_retry_at <= \(now\(\)', 'the clock is inlined into its condition');
SELECT is(proconfig, NULL, 'because it has no SET clause') FROM pg_proc WHERE oid = 'steward.now()'::regprocedure;

SELECT is(l.lanname, 'plpgsql', p.proname || ' keeps its plan, as somebody waits for it') FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang
 WHERE p.oid IN ('next_project_chat_seq(uuid)'::regprocedure, 'steward.escalation_notify(text, uuid, escalation_events, text, uuid[])'::regprocedure) ORDER BY p.proname;

-- The archive, as an administrator lists what came last: not all of it is read.
INSERT INTO organizational_units (name_ar, name_en, unit_wip_limit) VALUES ('u', 'u', 10) RETURNING id AS unit, organization_id AS home \gset
INSERT INTO staff_profiles (user_id, unit_id, role) VALUES (:'advisor', :'unit', 'admin');
INSERT INTO assignments (work_item_id, work_item_type, assignee_id, priority, status) SELECT i, 'task', :'advisor', 'low', 'completed' FROM generate_series(1, 10) i;
BEGIN;
DELETE FROM assignments;
SELECT is(sum(seq_tup_read), 0::numeric, 'what is archived while the statistics call the archive empty reads none of it') FROM pg_stat_xact_user_tables WHERE relname IN ('assignments_archive', 'escalation_events', 'escalation_events_archive');
COMMIT;
SET session_replication_role = replica;
INSERT INTO assignments_archive (id, organization_id, work_item_id, work_item_type, assignee_id, unit_id, assigned_at, sla_started_at, warn_at, sla_deadline,
                                 priority, status, completed_at, needs_review, required_skills, version, created_at, updated_at, archived_at)
SELECT gen_random_uuid(), :'home', i, 'task', :'client', :'unit', d.day, d.day, d.day, d.day, 'low', 'completed', d.day, false, '{}', 1, d.day, d.day, d.day
  FROM generate_series(1, 20000) i, LATERAL (SELECT now() - i * interval '1 minute' AS day) d;
INSERT INTO escalation_events_archive (id, organization_id, assignment_id, work_item_id, work_item_type, unit_id, escalated_from_id, reason, sla_deadline, escalated_at, created_at)
SELECT id, organization_id, id, work_item_id, 'task', unit_id, assignee_id, 'sla_breach', assigned_at, assigned_at, assigned_at FROM assignments_archive;
SET session_replication_role = origin;
ANALYZE assignments_archive, escalation_events_archive;
BEGIN;
SELECT set_config('request.jwt.claims', jsonb_build_object('sub', :'advisor')::text, true) \g /dev/null
GRANT EXECUTE ON FUNCTION pg_temp.plan_of(text) TO authenticated;
SET LOCAL ROLE authenticated;
SELECT matches(pg_temp.plan_of(format('SELECT * FROM %s ORDER BY %s DESC LIMIT 50', place, moment)), '\n  ->  Index Scan Backward using ' || walked, format('%s walks an index of %s', place, moment))
  FROM (VALUES ('assignments_archive', 'archived_at', 'idx_assignments_archive_date'), ('assignments_archive', 'assigned_at', 'idx_assignments_archive_assigned'),
               ('escalation_events_archive', 'escalated_at', 'idx_escalation_archive_date')) v(place, moment, walked);
COMMIT;

-- The functions themselves, as they are: no statement of a batch or of upkeep reads a whole table.
CREATE FUNCTION pg_temp.scans() RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(format('%s %s', relname, seq_tup_read), ', ' ORDER BY relname) FROM pg_stat_xact_user_tables
     WHERE seq_tup_read > 0 AND relname IN ('projects', 'advisor_match_requests', 'workspace_provisioning_queue', 'project_advisors', 'unified_chat_sessions', 'project_chat_log_minimal', 'event', 'project_chat_seq')
$$;
BEGIN;
SELECT is(completed, 100, 'a batch of a hundred') FROM steward.provision_batch('test', 100);
SELECT is(pg_temp.scans(), NULL, 'scans no table');
SELECT is(completed, 100, 'another, while the statistics still call the memberships empty') FROM steward.provision_batch('test', 100);
SELECT cmp_ok(idx_tup_fetch, '<', 1000::bigint, 'does not walk through a whole index of them for each job')
  FROM pg_stat_xact_user_tables WHERE relname = 'project_advisors';
COMMIT;
BEGIN;
SELECT is(swept, 0, 'upkeep') FROM steward.provision_upkeep('test');
SELECT is(pg_temp.scans(), NULL, 'scans no table either');
COMMIT;

SELECT * FROM finish();
