-- The verification queries of seed 002, word for word where they run, and as the
-- decisions correct them where they do not.

\ir setup.psql
\ir assignments.psql

SELECT plan(57);

-- Step 3: tables and foreign keys.
SELECT is(count(*), 9::bigint, 'the nine tables exist') FROM information_schema.tables
 WHERE table_schema = 'public' AND table_name IN ('organizational_units', 'skills', 'staff_profiles', 'assignment_rules', 'sla_configs', 'assignments', 'assignment_queue', 'escalation_events', 'capacity_snapshots');
SELECT set_has($$SELECT constraint_name::text, table_name::text FROM information_schema.table_constraints WHERE constraint_type = 'FOREIGN KEY' AND table_name = 'staff_profiles'$$,
    $$VALUES ('staff_profiles_unit_fkey', 'staff_profiles'), ('staff_profiles_user_id_fkey', 'staff_profiles'), ('staff_profiles_escalation_chain_id_fkey', 'staff_profiles')$$, 'staff profiles have their foreign keys');

-- Step 4: functions and triggers.
SELECT bag_eq($$SELECT proname::text FROM pg_proc WHERE proname IN ('calculate_sla_deadline_fn', 'update_staff_assignment_count', 'process_queue_on_capacity_change', 'sla_check_and_escalate', 'get_escalation_recipient')$$,
    $$VALUES ('calculate_sla_deadline_fn'), ('get_escalation_recipient'), ('process_queue_on_capacity_change'), ('sla_check_and_escalate'), ('update_staff_assignment_count')$$, 'the functions exist, once each');
SELECT set_has($$SELECT proname::text FROM pg_proc WHERE pronamespace = 'public'::regnamespace$$,
    $$VALUES ('increment_version_column'), ('update_updated_at_column'), ('process_stale_queue_items'), ('process_queue_for_unit'), ('find_eligible_staff_for_assignment'), ('calculate_sla_deadline')$$, 'and the others that the seeds name');
SELECT set_has($$SELECT trigger_name::text, event_object_table::text FROM information_schema.triggers WHERE event_object_table IN ('assignments', 'staff_profiles')$$,
    $$VALUES ('calculate_sla_deadline', 'assignments'), ('update_assignment_count', 'assignments'), ('assignment_completion_trigger', 'assignments'), ('increment_staff_version', 'staff_profiles')$$, 'the triggers exist');
SELECT bag_eq($$SELECT typname::text FROM pg_type WHERE typname IN ('availability_status', 'work_item_type', 'priority_level', 'assignment_status', 'escalation_reason') AND typtype = 'e'$$,
    $$VALUES ('assignment_status'), ('availability_status'), ('escalation_reason'), ('priority_level'), ('work_item_type')$$, 'and the five enumerations');

-- Step 5: jobs.  cron.job is steward's own schedule; every minute is not '0 * * * *'.
SELECT results_eq($$SELECT name, schedule, enabled, next_at > steward.now() - interval '1 day' FROM steward.schedule_list() WHERE name IN ('sla-monitoring', 'capacity-snapshot', 'queue-fallback-processor', 'escalation-cleanup') ORDER BY name$$,
    $$VALUES ('capacity-snapshot', '0 0 * * *', true, true), ('escalation-cleanup', '0 2 * * *', true, true), ('queue-fallback-processor', '* * * * *', true, true), ('sla-monitoring', '30 seconds', true, true)$$, 'the four jobs are scheduled and active');

-- Step 6: row security.
SELECT is(count(*), 4::bigint, 'row security is on for the four tables') FROM pg_tables WHERE tablename IN ('staff_profiles', 'assignments', 'escalation_events', 'assignment_queue') AND rowsecurity;
SELECT is(count(DISTINCT tablename), 2::bigint, 'and has policies') FROM pg_policies WHERE schemaname = 'public' AND tablename IN ('staff_profiles', 'assignments') AND 'authenticated' = ANY (roles);

-- Step 7: publication and indexes.
SELECT bag_eq($$SELECT schemaname::text, tablename::text FROM pg_publication_tables WHERE pubname = 'supabase_realtime' AND tablename IN ('assignments', 'assignment_queue', 'escalation_events')$$,
    $$VALUES ('public', 'assignment_queue'), ('public', 'assignments'), ('public', 'escalation_events')$$, 'three tables are published');
SELECT set_has($$SELECT indexname::text FROM pg_indexes WHERE tablename = 'assignments' AND indexname LIKE 'idx_%'$$,
    $$VALUES ('idx_assignments_assignee_status_sla'), ('idx_assignments_status_sla_covering'), ('idx_assignments_sla_partial')$$, 'the three named indexes exist');
SELECT cmp_ok((SELECT count(*) FROM information_schema.table_constraints WHERE constraint_type = 'FOREIGN KEY'), '>=', 20::bigint, 'foreign keys are intact');
SELECT cmp_ok((SELECT count(*) FROM information_schema.triggers), '>=', 20::bigint, 'triggers are active');

-- Manual testing of the jobs, first with nothing to do.
SELECT is(sla_check_and_escalate()::text, '(0,0)', 'nothing is due');
SELECT is(process_stale_queue_items(), 0, 'nothing waits');
SELECT is((queue_depth, alert)::text, '(0,f)', 'the queue is empty') FROM steward.queue_depth;
SELECT is((escalated, assignments, escalation_pct, alert)::text, '(0,0,,f)', 'a rate of nothing is none, and no error') FROM steward.escalation_rate;

-- Five hundred people in twenty units, ten thousand assignments, a thousand in the queue.
SELECT pg_temp.skill('skill-arabic') AS arabic, pg_temp.person('admin') AS operator
\gset
SET session_replication_role = replica;
INSERT INTO organizational_units (id, organization_id, name_ar, name_en, unit_wip_limit) SELECT md5('unit' || i)::uuid, pg_temp.home(), 'unit-' || i, 'unit-' || i, 100 FROM generate_series(0, 19) i;
INSERT INTO auth.users (id, email) SELECT md5('u' || i)::uuid, 'u' || i FROM generate_series(1, 500) i;
INSERT INTO staff_profiles (organization_id, user_id, unit_id, skills, role) SELECT pg_temp.home(), md5('u' || i)::uuid, md5('unit' || i % 20)::uuid, CASE WHEN i % 2 = 0 THEN ARRAY[:'arabic']::uuid[] ELSE '{}' END, CASE WHEN i <= 20 THEN 'supervisor' ELSE 'staff' END FROM generate_series(1, 500) i;
INSERT INTO assignments (organization_id, work_item_id, work_item_type, assignee_id, unit_id, assigned_at, sla_started_at, warn_at, sla_deadline, priority, status, completed_at)
SELECT pg_temp.home(), 'item-' || n, 'ticket', md5('u' || 21 + n % 480)::uuid, md5('unit' || (21 + n % 480) % 20)::uuid, steward.now() - interval '36 hours' - n * interval '1 s', steward.now() - interval '36 hours' - n * interval '1 s',
       steward.now() + n * interval '1 minute', steward.now() + interval '1 day' + n * interval '1 minute', 'normal', CASE WHEN n % 20 = 0 THEN 'completed' ELSE 'assigned' END::assignment_status, CASE WHEN n % 20 = 0 THEN steward.now() - interval '1 hour' END
  FROM generate_series(1, 10000) n;
INSERT INTO assignment_queue (organization_id, work_item_id, work_item_type, required_skills, priority, created_at)
SELECT pg_temp.home(), 'waiting-' || n, 'task', ARRAY[:'arabic']::uuid[], (enum_range(NULL::priority_level))[1 + n % 4], steward.now() - n * interval '1 minute' FROM generate_series(1, 1000) n;
SET session_replication_role = origin;
VACUUM ANALYZE assignments, assignment_queue, staff_profiles, organizational_units;
CREATE FUNCTION pg_temp.plan_of(query text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    line  text;
    whole text := '';
BEGIN
    FOR line IN EXECUTE 'EXPLAIN (ANALYZE, TIMING OFF) ' || query LOOP
        whole := whole || line || E'\n';
    END LOOP;
    RETURN whole;
END $$;
SELECT matches(pg_temp.plan_of(format('SELECT * FROM assignments WHERE assignee_id = %L AND status = ''assigned'' ORDER BY sla_deadline', md5('u77')::uuid)), 'idx_assignments_assignee_status_sla', 'my assignments by deadline are in an index');
-- Whether the heap may be left out, an autoanalyze of this moment decides as well; whether it could be, only the index.
SET enable_seqscan = off; SET enable_bitmapscan = off; SET enable_indexscan = off;
SELECT matches(pg_temp.plan_of('SELECT assignee_id, priority, sla_deadline FROM assignments WHERE status = ''assigned'' AND sla_deadline < steward.now() + interval ''30 hours'''), 'Index Only Scan using idx_assignments_status_sla_covering', 'open work by deadline comes from one alone');
RESET enable_seqscan; RESET enable_bitmapscan; RESET enable_indexscan;
SELECT matches(pg_temp.plan_of('SELECT id FROM assignments WHERE status IN (''assigned'', ''in_progress'') AND breached_at IS NULL AND sla_deadline <= steward.now() ORDER BY sla_deadline LIMIT 100'), 'Index Scan using idx_assignments_sla_partial', 'the next breaches too');

-- Query performance validation.  The seed passes one jsonb; the function takes skills, a unit and a number.
-- In ms on the CPU: how long others had it is no matter of the query's.
CREATE FUNCTION pg_temp.on_cpu() RETURNS numeric LANGUAGE sql VOLATILE AS $$ SELECT split_part(pg_read_file('/proc/self/schedstat'), ' ', 1)::numeric / 1000000 $$;
CREATE FUNCTION pg_temp.took(query text) RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE
    began numeric := pg_temp.on_cpu();
BEGIN
    EXECUTE query;
    RETURN pg_temp.on_cpu() - began;
END $$;
SELECT is((count(*), count(DISTINCT user_id), bool_and(skills @> ARRAY[:'arabic']::uuid[] AND availability_status = 'available' AND unit_id = md5('unit4')::uuid AND current_assignment_count < individual_wip_limit))::text, '(25,25,t)', 'test 1: those of a unit who have the skill')
  FROM find_eligible_staff_for_assignment(ARRAY[:'arabic']::uuid[], md5('unit4')::uuid);
SELECT is(count(*), 50::bigint, 'at most fifty') FROM find_eligible_staff_for_assignment(ARRAY[:'arabic']::uuid[]);
SELECT is(pg_typeof(f)::text, 'staff_profiles', 'as rows of staff_profiles') FROM find_eligible_staff_for_assignment(ARRAY[:'arabic']::uuid[], NULL, 1) f;
SELECT cmp_ok(pg_temp.took(format('SELECT * FROM find_eligible_staff_for_assignment(ARRAY[%L]::uuid[])', :'arabic')), '<', 500::numeric, 'in less than 500 ms');
SELECT cmp_ok(pg_temp.took('SELECT sla_check_and_escalate()'), '<', 5000::numeric, 'test 2: the SLA of 10,000 assignments in less than 5 s');
UPDATE assignments SET sla_deadline = steward.now() - interval '1 s', warn_at = steward.now() - interval '1 hour' WHERE work_item_id IN ('item-1', 'item-2', 'item-3') OR work_item_id LIKE 'item-_11';
SELECT cmp_ok(pg_temp.took('SELECT sla_check_and_escalate()'), '<', 5000::numeric, 'also when some are due');
SELECT is((count(*), count(DISTINCT assignment_id), count(escalated_to_id))::text, '(12,12,12)', 'which are escalated, once each, to somebody') FROM escalation_events;
SELECT matches(pg_temp.plan_of('SELECT * FROM assignment_queue ORDER BY priority DESC, created_at ASC LIMIT 10'), 'Index Scan using idx_queue_priority_created', 'test 3: the head of the queue is the head of an index');
SELECT is(array_agg(work_item_id), '{waiting-999,waiting-995,waiting-991}', 'which is urgent first, then oldest') FROM (SELECT work_item_id FROM assignment_queue ORDER BY priority DESC, created_at ASC LIMIT 3) q;
SELECT cmp_ok(pg_temp.took('SELECT * FROM assignment_queue ORDER BY priority DESC, created_at ASC LIMIT 10'), '<', 1000::numeric, 'in less than a second');

-- Monitoring.  job_run_details has no jobname and is steward's own history; both sides of the rate have one window.
SELECT is(p.status, 'completed', 'a job can be run by hand: ' || name) FROM unnest('{sla-monitoring,queue-fallback-processor,capacity-snapshot,escalation-cleanup}'::text[]) name, LATERAL (SELECT steward.job_run_now(name, 'test') AS run) r, LATERAL steward.job_perform(r.run, 'test') p;
SELECT is(count(*), 4::bigint, 'and its run is in the history, with start, end, status and message') FROM steward.schedule_history(most => 20) WHERE status = 'completed' AND started_at IS NOT NULL AND finished_at >= started_at AND manual;
SELECT ok(runs = 1 AND avg_seconds < 5 AND NOT alert, 'the monitor took less than 5 seconds on average') FROM steward.sla_monitor_duration;
UPDATE steward.job_run SET started_at = finished_at - interval '6 s' WHERE job = 'sla-monitoring';
SELECT ok(alert, 'and would alert above') FROM steward.sla_monitor_duration;
SELECT is(count(*), 20::bigint, 'every unit has its snapshot') FROM capacity_snapshots;
DELETE FROM assignment_queue WHERE work_item_id IN (SELECT work_item_id FROM assignment_queue ORDER BY work_item_id OFFSET 100);
SELECT is((queue_depth, alert)::text, '(100,f)', 'a hundred items in the queue are no alert') FROM steward.queue_depth;
INSERT INTO assignment_queue (work_item_id, work_item_type, required_skills, priority) VALUES ('one more', 'task', '{}', 'low');
SELECT is((queue_depth, alert)::text, '(101,t)', 'one more is') FROM steward.queue_depth;
DELETE FROM assignments WHERE work_item_id NOT IN (SELECT work_item_id FROM assignments WHERE status = 'assigned' ORDER BY breached_at NULLS LAST, work_item_id LIMIT 100);
SELECT is((escalated, assignments, escalation_pct, alert)::text, '(12,100,12.00,t)', 'twelve of a hundred escalated are an alert') FROM steward.escalation_rate;
UPDATE assignments SET status = 'cancelled' WHERE breached_at IS NULL AND work_item_id IN (SELECT work_item_id FROM assignments WHERE breached_at IS NULL LIMIT 1);
SELECT is((escalated, assignments)::text, '(12,100)', 'what was closed today is in the window') FROM steward.escalation_rate;
SET steward.clock_offset = '25 hours';
SELECT is((escalated, alert)::text, '(0,f)', 'and what was escalated yesterday is not') FROM steward.escalation_rate;
RESET steward.clock_offset;

-- Realtime: the claim of the seed names no uuid, and current_user_id() is auth.uid().
SET request.jwt.claims TO '{"sub": "user-123"}';
SET ROLE authenticated;
SELECT is((SELECT count(*) FROM assignments WHERE assignee_id = auth.uid()) + (SELECT count(*) FROM assignments), 0::bigint, 'user-123 sees nothing and raises nothing');
RESET ROLE;
SELECT set_config('request.jwt.claims', json_build_object('sub', assignee_id)::text, false) FROM assignments WHERE status = 'assigned' LIMIT 1;
SET ROLE authenticated;
SELECT ok(count(*) > 0 AND bool_and(assignee_id = auth.uid()), 'somebody sees only the own') FROM assignments;
RESET ROLE;
RESET request.jwt.claims;

-- Troubleshooting: the trigger is there, a manual run works, and the channel speaks.
SELECT is(count(*), 1::bigint, 'assignment_completion_trigger exists') FROM pg_trigger WHERE tgname = 'assignment_completion_trigger';
SELECT dblink_connect('ears', format('host=%s port=%s user=%s dbname=%s', :'HOST', :'PORT', :'USER', current_database()));
SELECT dblink_exec('ears', 'LISTEN queue_process_needed');
UPDATE assignments SET status = 'completed' WHERE id = (SELECT id FROM assignments WHERE status = 'assigned' AND breached_at IS NOT NULL LIMIT 1);
-- The round trip makes sure that what was sent has arrived.
SELECT * FROM dblink('ears', 'SELECT 1') AS r(n int);
SELECT is(array_agg(k ORDER BY k), '{freed_skills,timestamp,unit_id}'::text[], 'completing an assignment is heard on queue_process_needed') FROM dblink_get_notify('ears') n, jsonb_object_keys(n.extra::jsonb) k;

-- Maintenance.  Deleting archives.
UPDATE assignments SET completed_at = steward.now() WHERE status = 'completed';
SELECT count(*) AS had FROM assignments_archive
\gset
SET steward.clock_offset = '89 days';
DELETE FROM assignments WHERE completed_at < steward.now() - interval '90 days';
SELECT is(count(*), :had::bigint, 'what was completed 89 days ago stays') FROM assignments_archive;
SET steward.clock_offset = '91 days';
DELETE FROM assignments WHERE completed_at < steward.now() - interval '90 days';
SELECT is(count(*), :had + 1::bigint, 'after 91 days it goes to the archive') FROM assignments_archive;
SELECT ok(count(*) > 0, 'with its escalations') FROM escalation_events_archive e JOIN assignments_archive a ON a.id = e.assignment_id;
RESET steward.clock_offset;
SELECT is((SELECT count(*) FROM escalation_events WHERE escalated_at > now() - interval '7 days') + (SELECT count(*) FROM escalation_events_archive), 12::bigint, 'no escalation got lost');
SELECT is(escalations, 12::bigint, 'and the trend has the week''s') FROM steward.escalation_trend ORDER BY since DESC LIMIT 1;
VACUUM ANALYZE assignments, assignment_queue;
REINDEX TABLE assignments;

-- Rollback: the jobs stop one by one.
SELECT is((steward.job_enable(name, false, 'test')).enabled, false, 'can be stopped: ' || name) FROM unnest('{sla-monitoring,queue-fallback-processor,capacity-snapshot,escalation-cleanup}'::text[]) name;
SELECT is(count(*), 0::bigint, 'and then have no next run') FROM steward.schedule_list() WHERE name IN ('sla-monitoring', 'capacity-snapshot', 'queue-fallback-processor', 'escalation-cleanup') AND enabled;

SELECT * FROM finish();
