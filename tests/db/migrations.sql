-- Up, verify, down, up of every migration, with data in the tables: a schema dump
-- before `up` equals the one after `down`, and nothing that was stored is lost.
--
-- The quarantine belongs to the ledger, which is outside every migration, so the
-- dumps are equal whatever it holds.  A new migration is two lines in
-- every_up.psql and in each of the lists here, and one at the end.

\set QUIET on
\set other :DBNAME _migrations
\set home :DBNAME
\set looking true
SELECT format('DROP DATABASE IF EXISTS %I', :'other') AS drop_other, format('CREATE DATABASE %I TEMPLATE template0 OWNER steward_owner', :'other') AS create_other
\gset
SET client_min_messages = warning;
:drop_other;
:create_other;
\connect :other
SET client_min_messages = warning;
SET ROLE steward_owner;
\o /dev/null

BEGIN;
\ir ../../migrations/ledger.sql
COMMIT;
BEGIN;
\ir ../../migrations/ledger.sql
COMMIT;
\ir every_up.psql
\set before_end `pg_dump -s -h :'HOST' -p :'PORT' -U :'USER' :'other' | grep -v '^.\(un\)\{0,1\}restrict' | md5sum`

-- Something in every table, and rows that no older shape can hold.
INSERT INTO auth.users (id, email, raw_app_meta_data)
SELECT format('00000000-0000-4000-8000-0000000000%s', lpad(i::text, 2, '0'))::uuid, 'user' || i, CASE WHEN i = 9 THEN '{"role": "admin"}' ELSE '{}' END::jsonb
  FROM generate_series(1, 9) i;
INSERT INTO user_preferences (user_id, preferred_locale) VALUES ('00000000-0000-4000-8000-000000000001', 'fr');
INSERT INTO organizations (name) VALUES ('another');
INSERT INTO projects (id, owner_id, name)
SELECT format('10000000-0000-4000-8000-0000000000%s', lpad(i::text, 2, '0'))::uuid, '00000000-0000-4000-8000-000000000001', 'project ' || i
  FROM generate_series(1, 3) i;
INSERT INTO advisor_availability (advisor_id) VALUES ('00000000-0000-4000-8000-000000000002');
INSERT INTO project_chat_log_minimal (project_id, user_id, mode, message_text)
VALUES ('10000000-0000-4000-8000-000000000001', '00000000-0000-4000-8000-000000000001', 'plan', 'anybody here?');
INSERT INTO advisor_match_requests (id, project_id, requested_by, match_criteria, expires_at)
SELECT format('20000000-0000-4000-8000-0000000000%s', lpad(i::text, 2, '0'))::uuid,
       format('10000000-0000-4000-8000-0000000000%s', lpad(i::text, 2, '0'))::uuid,
       '00000000-0000-4000-8000-000000000001', '{}', steward.now() + interval '2 hours'
  FROM generate_series(1, 3) i;
UPDATE advisor_match_requests SET status = 'matched', matched_advisor_id = '00000000-0000-4000-8000-000000000002';
SELECT set_config('request.jwt.claims', '{"sub": "00000000-0000-4000-8000-000000000001"}', false);
SELECT d.* FROM advisor_match_requests m, api.match_client_decision(jsonb_build_object('match_id', m.id, 'decision', 'approved')) d;
UPDATE advisor_match_requests SET status = 'finalized';
UPDATE projects SET owner_id = NULL WHERE name = 'project 2';
UPDATE workspace_provisioning_queue SET next_retry_at = steward.now() + interval '1 hour' WHERE project_id = '10000000-0000-4000-8000-000000000003';
SELECT steward.provision_batch('worker', 10);
INSERT INTO project_chat_log_minimal (project_id, user_id, mode, message_text, parent_message_id)
SELECT project_id, '00000000-0000-4000-8000-000000000002', 'plan', 'thank you', id FROM project_chat_log_minimal WHERE message_type = 'system';
SELECT steward.flag_set('advisor_auto_provision', true, 62.5, 'test');
SELECT nextval('project_timeline_seq');
CREATE FUNCTION pg_temp.job(slot timestamptz, OUT rows bigint, OUT message text) LANGUAGE sql AS 'SELECT 1, ''''';
INSERT INTO steward.test_database DEFAULT VALUES;
INSERT INTO steward.job_schedule (name, worker, call, schedule, enabled) VALUES ('nightly', 'provisioning', 'pg_temp.job(timestamptz)', '@daily', false);
SELECT p.status FROM steward.job_run_now('nightly', 'somebody') run, steward.job_perform(run, 'somebody') p;
-- Units, people, work in every state, what waits, what was escalated, and the archive.
INSERT INTO organizational_units (id, name_ar, name_en, unit_wip_limit, parent_unit_id)
SELECT format('30000000-0000-4000-8000-00000000000%s', i)::uuid, 'unit ' || i, 'unit ' || i, 20,
       CASE WHEN i > 1 THEN '30000000-0000-4000-8000-000000000001'::uuid END FROM generate_series(1, 3) i;
INSERT INTO skills (id, name_ar, name_en) SELECT format('40000000-0000-4000-8000-00000000000%s', i)::uuid, 'skill ' || i, 'skill ' || i FROM generate_series(1, 3) i;
INSERT INTO staff_profiles (user_id, unit_id, skills, role, escalation_chain_id)
SELECT format('00000000-0000-4000-8000-00000000000%s', i)::uuid, format('30000000-0000-4000-8000-00000000000%s', 1 + i % 3)::uuid,
       '{40000000-0000-4000-8000-000000000002, 40000000-0000-4000-8000-000000000001}', CASE WHEN i = 3 THEN 'supervisor' ELSE 'staff' END,
       CASE WHEN i = 4 THEN '00000000-0000-4000-8000-000000000003'::uuid END
  FROM generate_series(3, 8) i;
UPDATE staff_profiles SET availability_status = 'on_leave', unavailable_until = steward.now() + interval '3 days' WHERE user_id = '00000000-0000-4000-8000-000000000005';
INSERT INTO assignment_rules (name_ar, name_en, unit_id, required_skills)
VALUES ('rule', 'rule', '30000000-0000-4000-8000-000000000002', '{40000000-0000-4000-8000-000000000001}');
UPDATE sla_configs SET deadline_hours = 47.5, warning_threshold_pct = 60 WHERE work_item_type = 'task' AND priority = 'normal';
INSERT INTO assignments (id, work_item_id, work_item_type, assignee_id, priority, status)
SELECT format('50000000-0000-4000-8000-00000000000%s', i)::uuid, 'item ' || i, 'task', format('00000000-0000-4000-8000-00000000000%s', 2 + i)::uuid, 'normal',
       (enum_range(NULL::assignment_status))[i] FROM generate_series(1, 5) i;
INSERT INTO assignments (id, work_item_id, work_item_type, assignee_id, priority)
VALUES ('50000000-0000-4000-8000-000000000006', 'item 6', 'ticket', '00000000-0000-4000-8000-000000000008', 'urgent');
UPDATE assignments SET status = 'in_progress' WHERE work_item_id = 'item 2';
UPDATE assignments SET status = 'completed' WHERE work_item_id = 'item 6';
INSERT INTO assignments (id, work_item_id, work_item_type, assignee_id, priority)
VALUES ('50000000-0000-4000-8000-000000000007', 'item 7', 'ticket', '00000000-0000-4000-8000-000000000004', 'urgent');
INSERT INTO escalation_events (assignment_id, escalated_to_id, reason)
SELECT id, '00000000-0000-4000-8000-000000000003', 'sla_breach' FROM assignments WHERE work_item_id IN ('item 2', 'item 7');
UPDATE escalation_events SET acknowledged_at = escalated_at, notes = 'seen' WHERE work_item_id = 'item 2';
DELETE FROM assignments WHERE work_item_id = 'item 7';
INSERT INTO assignment_queue (work_item_id, work_item_type, required_skills, priority, target_unit_id)
VALUES ('item 8', 'dossier', '{40000000-0000-4000-8000-000000000003}', 'low', '30000000-0000-4000-8000-000000000002');
SELECT steward.capacity_snapshot(current_date);
INSERT INTO steward.sla_trouble (item, step, retry_at, state, problem) VALUES ('50000000-0000-4000-8000-000000000002', 'breach', steward.now(), 'P0001', 'not today');
UPDATE steward.upkeep SET assignment_days = 100;
UPDATE steward.job_schedule SET enabled = false, schedule = '5 3 * * *' WHERE name = 'escalation-cleanup';

\o
SELECT md5(string_agg(c.oid::regclass || query_to_xml(format('SELECT to_jsonb(t) AS r FROM %s t ORDER BY to_jsonb(t)::text', c.oid::regclass), true, false, '')::text, '' ORDER BY c.oid::regclass::text)) AS data_before,
       sum((xpath('/row/c/text()', query_to_xml(format('SELECT count(*) AS c FROM %s', c.oid::regclass), false, true, '')))[1]::text::int) AS data_before_rows,
       min((xpath('/row/c/text()', query_to_xml(format('SELECT count(*) AS c FROM %s', c.oid::regclass), false, true, '')))[1]::text::int) AS data_before_least
  FROM pg_class c
 WHERE c.relkind = 'r' AND c.relnamespace IN ('public'::regnamespace, 'auth'::regnamespace, 'steward'::regnamespace)
   AND c.oid NOT IN ('steward.migration'::regclass, 'steward.migration_object'::regclass, 'steward.quarantine'::regclass)
\gset
\o /dev/null
\set m 0024_assignment_api
\ir down.psql
\set m 0023_assignment_upkeep
\ir down.psql
\set m 0022_leave
\ir down.psql
\set m 0021_sla
\ir down.psql
\set m 0020_assign
\ir down.psql
\set m 0019_capacity_snapshots
\ir down.psql
\set m 0018_escalations
\ir down.psql
\set m 0017_assignment_queue
\ir down.psql
\set m 0016_assignments
\ir down.psql
\set m 0015_assignment_rules
\ir down.psql
\set m 0014_staff
\ir down.psql
\set m 0013_assignment_types
\ir down.psql
\set m 0012_schedule
\ir down.psql
\set m 0011_provisioning_views
\ir down.psql
\set m 0010_match_decisions
\ir down.psql
\set m 0009_provisioning_batch
\ir down.psql
\set m 0008_workspace_provisioning
\ir down.psql
\set m 0007_engine
\ir down.psql
\set m 0006_notifications
\ir down.psql
\set m 0005_chat
\ir down.psql
\set m 0004_matches
\ir down.psql
\set m 0003_advisors
\ir down.psql
\set m 0002_projects
\ir down.psql
\set m 0001_platform
\ir down.psql
\set looking false
\o
SELECT count(*) AS kept FROM steward.quarantine
\gset
\o /dev/null
\ir every_up.psql
\set after_end `pg_dump -s -h :'HOST' -p :'PORT' -U :'USER' :'other' | grep -v '^.\(un\)\{0,1\}restrict' | md5sum`
\o
SELECT md5(string_agg(c.oid::regclass || query_to_xml(format('SELECT to_jsonb(t) AS r FROM %s t ORDER BY to_jsonb(t)::text', c.oid::regclass), true, false, '')::text, '' ORDER BY c.oid::regclass::text)) AS data_after,
       sum((xpath('/row/c/text()', query_to_xml(format('SELECT count(*) AS c FROM %s', c.oid::regclass), false, true, '')))[1]::text::int) AS data_after_rows,
       min((xpath('/row/c/text()', query_to_xml(format('SELECT count(*) AS c FROM %s', c.oid::regclass), false, true, '')))[1]::text::int) AS data_after_least
  FROM pg_class c
 WHERE c.relkind = 'r' AND c.relnamespace IN ('public'::regnamespace, 'auth'::regnamespace, 'steward'::regnamespace)
   AND c.oid NOT IN ('steward.migration'::regclass, 'steward.migration_object'::regclass, 'steward.quarantine'::regclass)
\gset
SELECT count(*) AS left_over FROM steward.quarantine
\gset
-- One step only: system messages go, the rest of the chat stays; a project that is
-- deleted meanwhile leaves its rows in the quarantine, with the reason.
\o /dev/null
\set m 0024_assignment_api
\ir down.psql
\set m 0023_assignment_upkeep
\ir down.psql
\set m 0022_leave
\ir down.psql
\set m 0021_sla
\ir down.psql
\set m 0020_assign
\ir down.psql
\set m 0019_capacity_snapshots
\ir down.psql
\set m 0018_escalations
\ir down.psql
\set m 0017_assignment_queue
\ir down.psql
\set m 0016_assignments
\ir down.psql
\set m 0015_assignment_rules
\ir down.psql
\set m 0014_staff
\ir down.psql
\set m 0013_assignment_types
\ir down.psql
\set m 0012_schedule
\ir down.psql
\set m 0011_provisioning_views
\ir down.psql
\set m 0010_match_decisions
\ir down.psql
\set m 0009_provisioning_batch
\ir down.psql
\set m 0008_workspace_provisioning
\ir down.psql
\o
SELECT count(*) AS chat_below, count(*) FILTER (WHERE user_id IS NULL) AS chat_below_null FROM project_chat_log_minimal
\gset
\o /dev/null
DELETE FROM projects WHERE id = '10000000-0000-4000-8000-000000000001';
DELETE FROM auth.users WHERE id = '00000000-0000-4000-8000-000000000008';
\set m 0008_workspace_provisioning
\ir up.psql
\set m 0009_provisioning_batch
\ir up.psql
\set m 0010_match_decisions
\ir up.psql
\set m 0011_provisioning_views
\ir up.psql
\set m 0012_schedule
\ir up.psql
\set m 0013_assignment_types
\ir up.psql
\set m 0014_staff
\ir up.psql
\set m 0015_assignment_rules
\ir up.psql
\set m 0016_assignments
\ir up.psql
\set m 0017_assignment_queue
\ir up.psql
\set m 0018_escalations
\ir up.psql
\set m 0019_capacity_snapshots
\ir up.psql
\set m 0020_assign
\ir up.psql
\set m 0021_sla
\ir up.psql
\set m 0022_leave
\ir up.psql
\set m 0023_assignment_upkeep
\ir up.psql
\set m 0024_assignment_api
\ir up.psql
\o
SELECT count(*) AS misfits, count(problem) AS explained FROM steward.quarantine
\gset
SELECT count(*) AS jobs_back FROM workspace_provisioning_queue
\gset
SELECT count(*) AS work_back, count(*) FILTER (WHERE assignee_id = '00000000-0000-4000-8000-000000000008') AS work_of_gone FROM assignments
\gset
SELECT count(*) AS drifted FROM steward.recount_assignments(false)
\gset

\connect :home
SET client_min_messages = warning;
:drop_other;
SELECT plan(35);
SELECT is(:'after_0001_platform'::text, :'before_0001_platform'::text, 'the schema after the down of 0001_platform is the one before its up');
SELECT is(:'after_0002_projects'::text, :'before_0002_projects'::text, 'the schema after the down of 0002_projects is the one before its up');
SELECT is(:'after_0003_advisors'::text, :'before_0003_advisors'::text, 'the schema after the down of 0003_advisors is the one before its up');
SELECT is(:'after_0004_matches'::text, :'before_0004_matches'::text, 'the schema after the down of 0004_matches is the one before its up');
SELECT is(:'after_0005_chat'::text, :'before_0005_chat'::text, 'the schema after the down of 0005_chat is the one before its up');
SELECT is(:'after_0006_notifications'::text, :'before_0006_notifications'::text, 'the schema after the down of 0006_notifications is the one before its up');
SELECT is(:'after_0007_engine'::text, :'before_0007_engine'::text, 'the schema after the down of 0007_engine is the one before its up');
SELECT is(:'after_0008_workspace_provisioning'::text, :'before_0008_workspace_provisioning'::text, 'the schema after the down of 0008_workspace_provisioning is the one before its up');
SELECT is(:'after_0009_provisioning_batch'::text, :'before_0009_provisioning_batch'::text, 'the schema after the down of 0009_provisioning_batch is the one before its up');
SELECT is(:'after_0010_match_decisions'::text, :'before_0010_match_decisions'::text, 'the schema after the down of 0010_match_decisions is the one before its up');
SELECT is(:'after_0011_provisioning_views'::text, :'before_0011_provisioning_views'::text, 'the schema after the down of 0011_provisioning_views is the one before its up');
SELECT is(:'after_0012_schedule'::text, :'before_0012_schedule'::text, 'the schema after the down of 0012_schedule is the one before its up');
SELECT is(:'after_0013_assignment_types'::text, :'before_0013_assignment_types'::text, 'the schema after the down of 0013_assignment_types is the one before its up');
SELECT is(:'after_0014_staff'::text, :'before_0014_staff'::text, 'the schema after the down of 0014_staff is the one before its up');
SELECT is(:'after_0015_assignment_rules'::text, :'before_0015_assignment_rules'::text, 'the schema after the down of 0015_assignment_rules is the one before its up');
SELECT is(:'after_0016_assignments'::text, :'before_0016_assignments'::text, 'the schema after the down of 0016_assignments is the one before its up');
SELECT is(:'after_0017_assignment_queue'::text, :'before_0017_assignment_queue'::text, 'the schema after the down of 0017_assignment_queue is the one before its up');
SELECT is(:'after_0018_escalations'::text, :'before_0018_escalations'::text, 'the schema after the down of 0018_escalations is the one before its up');
SELECT is(:'after_0019_capacity_snapshots'::text, :'before_0019_capacity_snapshots'::text, 'the schema after the down of 0019_capacity_snapshots is the one before its up');
SELECT is(:'after_0020_assign'::text, :'before_0020_assign'::text, 'the schema after the down of 0020_assign is the one before its up');
SELECT is(:'after_0021_sla'::text, :'before_0021_sla'::text, 'the schema after the down of 0021_sla is the one before its up');
SELECT is(:'after_0022_leave'::text, :'before_0022_leave'::text, 'the schema after the down of 0022_leave is the one before its up');
SELECT is(:'after_0023_assignment_upkeep'::text, :'before_0023_assignment_upkeep'::text, 'the schema after the down of 0023_assignment_upkeep is the one before its up');
SELECT is(:'after_0024_assignment_api'::text, :'before_0024_assignment_api'::text, 'the schema after the down of 0024_assignment_api is the one before its up');
SELECT is(:'after_end'::text, :'before_end'::text, 'down and up again end at the same schema');
SELECT cmp_ok(:data_before_least, '>', 0, 'every table had rows');
SELECT cmp_ok(:kept, '>', 20, 'going down kept the rows in the quarantine');
SELECT is(:'data_after'::text, :'data_before'::text, 'and coming up brought back every row as it was');
SELECT is(:left_over::int, 0, 'and left nothing in the quarantine');
SELECT is(:chat_below::int, 2, 'below 0008 only messages with an author are in the chat');
SELECT is(:chat_below_null::int, 0, 'and none without');
SELECT ok(:misfits > 0 AND :explained = :misfits, 'rows of a project that was deleted meanwhile stay in the quarantine with the reason');
SELECT is(:jobs_back::int, 2, 'and do not keep the others from coming back');
SELECT ok(:work_back = 5 AND :work_of_gone = 0, 'nor does work of somebody who was deleted');
SELECT is(:drifted::int, 0, 'and the counts that came back are the work that came back');
SELECT * FROM finish();
