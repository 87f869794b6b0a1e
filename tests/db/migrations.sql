-- Up, verify, down, up of every migration, with data in the tables: a schema dump
-- before `up` equals the one after `down`, and nothing that was stored is lost.
--
-- The quarantine belongs to the ledger, which is outside every migration, so the
-- dumps are equal whatever it holds.  A new migration is four blocks of lines here.

\set QUIET on
\set other :DBNAME _migrations
\set home :DBNAME
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
\set before_0001 `pg_dump -s -h :'HOST' -p :'PORT' -U :'USER' :'other' | grep -v '^.\(un\)\{0,1\}restrict' | md5sum`
BEGIN;
\ir ../../migrations/0001_platform.up.sql
COMMIT;
BEGIN;
\ir ../../migrations/0001_platform.verify.sql
COMMIT;
\set before_0002 `pg_dump -s -h :'HOST' -p :'PORT' -U :'USER' :'other' | grep -v '^.\(un\)\{0,1\}restrict' | md5sum`
BEGIN;
\ir ../../migrations/0002_projects.up.sql
COMMIT;
BEGIN;
\ir ../../migrations/0002_projects.verify.sql
COMMIT;
\set before_0003 `pg_dump -s -h :'HOST' -p :'PORT' -U :'USER' :'other' | grep -v '^.\(un\)\{0,1\}restrict' | md5sum`
BEGIN;
\ir ../../migrations/0003_advisors.up.sql
COMMIT;
BEGIN;
\ir ../../migrations/0003_advisors.verify.sql
COMMIT;
\set before_0004 `pg_dump -s -h :'HOST' -p :'PORT' -U :'USER' :'other' | grep -v '^.\(un\)\{0,1\}restrict' | md5sum`
BEGIN;
\ir ../../migrations/0004_matches.up.sql
COMMIT;
BEGIN;
\ir ../../migrations/0004_matches.verify.sql
COMMIT;
\set before_0005 `pg_dump -s -h :'HOST' -p :'PORT' -U :'USER' :'other' | grep -v '^.\(un\)\{0,1\}restrict' | md5sum`
BEGIN;
\ir ../../migrations/0005_chat.up.sql
COMMIT;
BEGIN;
\ir ../../migrations/0005_chat.verify.sql
COMMIT;
\set before_0006 `pg_dump -s -h :'HOST' -p :'PORT' -U :'USER' :'other' | grep -v '^.\(un\)\{0,1\}restrict' | md5sum`
BEGIN;
\ir ../../migrations/0006_notifications.up.sql
COMMIT;
BEGIN;
\ir ../../migrations/0006_notifications.verify.sql
COMMIT;
\set before_0007 `pg_dump -s -h :'HOST' -p :'PORT' -U :'USER' :'other' | grep -v '^.\(un\)\{0,1\}restrict' | md5sum`
BEGIN;
\ir ../../migrations/0007_engine.up.sql
COMMIT;
BEGIN;
\ir ../../migrations/0007_engine.verify.sql
COMMIT;
\set before_0008 `pg_dump -s -h :'HOST' -p :'PORT' -U :'USER' :'other' | grep -v '^.\(un\)\{0,1\}restrict' | md5sum`
BEGIN;
\ir ../../migrations/0008_workspace_provisioning.up.sql
COMMIT;
BEGIN;
\ir ../../migrations/0008_workspace_provisioning.verify.sql
COMMIT;
\set before_0009 `pg_dump -s -h :'HOST' -p :'PORT' -U :'USER' :'other' | grep -v '^.\(un\)\{0,1\}restrict' | md5sum`
BEGIN;
\ir ../../migrations/0009_provisioning_batch.up.sql
COMMIT;
BEGIN;
\ir ../../migrations/0009_provisioning_batch.verify.sql
COMMIT;
\set before_0010 `pg_dump -s -h :'HOST' -p :'PORT' -U :'USER' :'other' | grep -v '^.\(un\)\{0,1\}restrict' | md5sum`
BEGIN;
\ir ../../migrations/0010_match_decisions.up.sql
COMMIT;
BEGIN;
\ir ../../migrations/0010_match_decisions.verify.sql
COMMIT;
\set before_0011 `pg_dump -s -h :'HOST' -p :'PORT' -U :'USER' :'other' | grep -v '^.\(un\)\{0,1\}restrict' | md5sum`
BEGIN;
\ir ../../migrations/0011_provisioning_views.up.sql
COMMIT;
BEGIN;
\ir ../../migrations/0011_provisioning_views.verify.sql
COMMIT;
\set before_0012 `pg_dump -s -h :'HOST' -p :'PORT' -U :'USER' :'other' | grep -v '^.\(un\)\{0,1\}restrict' | md5sum`
BEGIN;
\ir ../../migrations/0012_schedule.up.sql
COMMIT;
BEGIN;
\ir ../../migrations/0012_schedule.verify.sql
COMMIT;
\set before_0013 `pg_dump -s -h :'HOST' -p :'PORT' -U :'USER' :'other' | grep -v '^.\(un\)\{0,1\}restrict' | md5sum`
BEGIN;
\ir ../../migrations/0013_assignment_types.up.sql
COMMIT;
BEGIN;
\ir ../../migrations/0013_assignment_types.verify.sql
COMMIT;
\set before_0014 `pg_dump -s -h :'HOST' -p :'PORT' -U :'USER' :'other' | grep -v '^.\(un\)\{0,1\}restrict' | md5sum`
BEGIN;
\ir ../../migrations/0014_staff.up.sql
COMMIT;
BEGIN;
\ir ../../migrations/0014_staff.verify.sql
COMMIT;
\set before_0015 `pg_dump -s -h :'HOST' -p :'PORT' -U :'USER' :'other' | grep -v '^.\(un\)\{0,1\}restrict' | md5sum`
BEGIN;
\ir ../../migrations/0015_assignment_rules.up.sql
COMMIT;
BEGIN;
\ir ../../migrations/0015_assignment_rules.verify.sql
COMMIT;
\set before_0016 `pg_dump -s -h :'HOST' -p :'PORT' -U :'USER' :'other' | grep -v '^.\(un\)\{0,1\}restrict' | md5sum`
BEGIN;
\ir ../../migrations/0016_assignments.up.sql
COMMIT;
BEGIN;
\ir ../../migrations/0016_assignments.verify.sql
COMMIT;
\set before_0017 `pg_dump -s -h :'HOST' -p :'PORT' -U :'USER' :'other' | grep -v '^.\(un\)\{0,1\}restrict' | md5sum`
BEGIN;
\ir ../../migrations/0017_assignment_queue.up.sql
COMMIT;
BEGIN;
\ir ../../migrations/0017_assignment_queue.verify.sql
COMMIT;
\set before_0018 `pg_dump -s -h :'HOST' -p :'PORT' -U :'USER' :'other' | grep -v '^.\(un\)\{0,1\}restrict' | md5sum`
BEGIN;
\ir ../../migrations/0018_escalations.up.sql
COMMIT;
BEGIN;
\ir ../../migrations/0018_escalations.verify.sql
COMMIT;
\set before_0019 `pg_dump -s -h :'HOST' -p :'PORT' -U :'USER' :'other' | grep -v '^.\(un\)\{0,1\}restrict' | md5sum`
BEGIN;
\ir ../../migrations/0019_capacity_snapshots.up.sql
COMMIT;
BEGIN;
\ir ../../migrations/0019_capacity_snapshots.verify.sql
COMMIT;
\set before_0020 `pg_dump -s -h :'HOST' -p :'PORT' -U :'USER' :'other' | grep -v '^.\(un\)\{0,1\}restrict' | md5sum`
BEGIN;
\ir ../../migrations/0020_assign.up.sql
COMMIT;
BEGIN;
\ir ../../migrations/0020_assign.verify.sql
COMMIT;
\set before_0021 `pg_dump -s -h :'HOST' -p :'PORT' -U :'USER' :'other' | grep -v '^.\(un\)\{0,1\}restrict' | md5sum`
BEGIN;
\ir ../../migrations/0021_sla.up.sql
COMMIT;
BEGIN;
\ir ../../migrations/0021_sla.verify.sql
COMMIT;
\set before_0022 `pg_dump -s -h :'HOST' -p :'PORT' -U :'USER' :'other' | grep -v '^.\(un\)\{0,1\}restrict' | md5sum`
BEGIN;
\ir ../../migrations/0022_leave.up.sql
COMMIT;
BEGIN;
\ir ../../migrations/0022_leave.verify.sql
COMMIT;
\set before_0023 `pg_dump -s -h :'HOST' -p :'PORT' -U :'USER' :'other' | grep -v '^.\(un\)\{0,1\}restrict' | md5sum`
BEGIN;
\ir ../../migrations/0023_assignment_upkeep.up.sql
COMMIT;
BEGIN;
\ir ../../migrations/0023_assignment_upkeep.verify.sql
COMMIT;
\set before_0024 `pg_dump -s -h :'HOST' -p :'PORT' -U :'USER' :'other' | grep -v '^.\(un\)\{0,1\}restrict' | md5sum`
BEGIN;
\ir ../../migrations/0024_assignment_api.up.sql
COMMIT;
BEGIN;
\ir ../../migrations/0024_assignment_api.verify.sql
COMMIT;
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
BEGIN;
\ir ../../migrations/0024_assignment_api.down.sql
COMMIT;
\set after_0024 `pg_dump -s -h :'HOST' -p :'PORT' -U :'USER' :'other' | grep -v '^.\(un\)\{0,1\}restrict' | md5sum`
BEGIN;
\ir ../../migrations/0023_assignment_upkeep.down.sql
COMMIT;
\set after_0023 `pg_dump -s -h :'HOST' -p :'PORT' -U :'USER' :'other' | grep -v '^.\(un\)\{0,1\}restrict' | md5sum`
BEGIN;
\ir ../../migrations/0022_leave.down.sql
COMMIT;
\set after_0022 `pg_dump -s -h :'HOST' -p :'PORT' -U :'USER' :'other' | grep -v '^.\(un\)\{0,1\}restrict' | md5sum`
BEGIN;
\ir ../../migrations/0021_sla.down.sql
COMMIT;
\set after_0021 `pg_dump -s -h :'HOST' -p :'PORT' -U :'USER' :'other' | grep -v '^.\(un\)\{0,1\}restrict' | md5sum`
BEGIN;
\ir ../../migrations/0020_assign.down.sql
COMMIT;
\set after_0020 `pg_dump -s -h :'HOST' -p :'PORT' -U :'USER' :'other' | grep -v '^.\(un\)\{0,1\}restrict' | md5sum`
BEGIN;
\ir ../../migrations/0019_capacity_snapshots.down.sql
COMMIT;
\set after_0019 `pg_dump -s -h :'HOST' -p :'PORT' -U :'USER' :'other' | grep -v '^.\(un\)\{0,1\}restrict' | md5sum`
BEGIN;
\ir ../../migrations/0018_escalations.down.sql
COMMIT;
\set after_0018 `pg_dump -s -h :'HOST' -p :'PORT' -U :'USER' :'other' | grep -v '^.\(un\)\{0,1\}restrict' | md5sum`
BEGIN;
\ir ../../migrations/0017_assignment_queue.down.sql
COMMIT;
\set after_0017 `pg_dump -s -h :'HOST' -p :'PORT' -U :'USER' :'other' | grep -v '^.\(un\)\{0,1\}restrict' | md5sum`
BEGIN;
\ir ../../migrations/0016_assignments.down.sql
COMMIT;
\set after_0016 `pg_dump -s -h :'HOST' -p :'PORT' -U :'USER' :'other' | grep -v '^.\(un\)\{0,1\}restrict' | md5sum`
BEGIN;
\ir ../../migrations/0015_assignment_rules.down.sql
COMMIT;
\set after_0015 `pg_dump -s -h :'HOST' -p :'PORT' -U :'USER' :'other' | grep -v '^.\(un\)\{0,1\}restrict' | md5sum`
BEGIN;
\ir ../../migrations/0014_staff.down.sql
COMMIT;
\set after_0014 `pg_dump -s -h :'HOST' -p :'PORT' -U :'USER' :'other' | grep -v '^.\(un\)\{0,1\}restrict' | md5sum`
BEGIN;
\ir ../../migrations/0013_assignment_types.down.sql
COMMIT;
\set after_0013 `pg_dump -s -h :'HOST' -p :'PORT' -U :'USER' :'other' | grep -v '^.\(un\)\{0,1\}restrict' | md5sum`
BEGIN;
\ir ../../migrations/0012_schedule.down.sql
COMMIT;
\set after_0012 `pg_dump -s -h :'HOST' -p :'PORT' -U :'USER' :'other' | grep -v '^.\(un\)\{0,1\}restrict' | md5sum`
BEGIN;
\ir ../../migrations/0011_provisioning_views.down.sql
COMMIT;
\set after_0011 `pg_dump -s -h :'HOST' -p :'PORT' -U :'USER' :'other' | grep -v '^.\(un\)\{0,1\}restrict' | md5sum`
BEGIN;
\ir ../../migrations/0010_match_decisions.down.sql
COMMIT;
\set after_0010 `pg_dump -s -h :'HOST' -p :'PORT' -U :'USER' :'other' | grep -v '^.\(un\)\{0,1\}restrict' | md5sum`
BEGIN;
\ir ../../migrations/0009_provisioning_batch.down.sql
COMMIT;
\set after_0009 `pg_dump -s -h :'HOST' -p :'PORT' -U :'USER' :'other' | grep -v '^.\(un\)\{0,1\}restrict' | md5sum`
BEGIN;
\ir ../../migrations/0008_workspace_provisioning.down.sql
COMMIT;
\set after_0008 `pg_dump -s -h :'HOST' -p :'PORT' -U :'USER' :'other' | grep -v '^.\(un\)\{0,1\}restrict' | md5sum`
BEGIN;
\ir ../../migrations/0007_engine.down.sql
COMMIT;
\set after_0007 `pg_dump -s -h :'HOST' -p :'PORT' -U :'USER' :'other' | grep -v '^.\(un\)\{0,1\}restrict' | md5sum`
BEGIN;
\ir ../../migrations/0006_notifications.down.sql
COMMIT;
\set after_0006 `pg_dump -s -h :'HOST' -p :'PORT' -U :'USER' :'other' | grep -v '^.\(un\)\{0,1\}restrict' | md5sum`
BEGIN;
\ir ../../migrations/0005_chat.down.sql
COMMIT;
\set after_0005 `pg_dump -s -h :'HOST' -p :'PORT' -U :'USER' :'other' | grep -v '^.\(un\)\{0,1\}restrict' | md5sum`
BEGIN;
\ir ../../migrations/0004_matches.down.sql
COMMIT;
\set after_0004 `pg_dump -s -h :'HOST' -p :'PORT' -U :'USER' :'other' | grep -v '^.\(un\)\{0,1\}restrict' | md5sum`
BEGIN;
\ir ../../migrations/0003_advisors.down.sql
COMMIT;
\set after_0003 `pg_dump -s -h :'HOST' -p :'PORT' -U :'USER' :'other' | grep -v '^.\(un\)\{0,1\}restrict' | md5sum`
BEGIN;
\ir ../../migrations/0002_projects.down.sql
COMMIT;
\set after_0002 `pg_dump -s -h :'HOST' -p :'PORT' -U :'USER' :'other' | grep -v '^.\(un\)\{0,1\}restrict' | md5sum`
BEGIN;
\ir ../../migrations/0001_platform.down.sql
COMMIT;
\set after_0001 `pg_dump -s -h :'HOST' -p :'PORT' -U :'USER' :'other' | grep -v '^.\(un\)\{0,1\}restrict' | md5sum`
\o
SELECT count(*) AS kept FROM steward.quarantine
\gset
\o /dev/null
BEGIN;
\ir ../../migrations/0001_platform.up.sql
COMMIT;
BEGIN;
\ir ../../migrations/0001_platform.verify.sql
COMMIT;
BEGIN;
\ir ../../migrations/0002_projects.up.sql
COMMIT;
BEGIN;
\ir ../../migrations/0002_projects.verify.sql
COMMIT;
BEGIN;
\ir ../../migrations/0003_advisors.up.sql
COMMIT;
BEGIN;
\ir ../../migrations/0003_advisors.verify.sql
COMMIT;
BEGIN;
\ir ../../migrations/0004_matches.up.sql
COMMIT;
BEGIN;
\ir ../../migrations/0004_matches.verify.sql
COMMIT;
BEGIN;
\ir ../../migrations/0005_chat.up.sql
COMMIT;
BEGIN;
\ir ../../migrations/0005_chat.verify.sql
COMMIT;
BEGIN;
\ir ../../migrations/0006_notifications.up.sql
COMMIT;
BEGIN;
\ir ../../migrations/0006_notifications.verify.sql
COMMIT;
BEGIN;
\ir ../../migrations/0007_engine.up.sql
COMMIT;
BEGIN;
\ir ../../migrations/0007_engine.verify.sql
COMMIT;
BEGIN;
\ir ../../migrations/0008_workspace_provisioning.up.sql
COMMIT;
BEGIN;
\ir ../../migrations/0008_workspace_provisioning.verify.sql
COMMIT;
BEGIN;
\ir ../../migrations/0009_provisioning_batch.up.sql
COMMIT;
BEGIN;
\ir ../../migrations/0009_provisioning_batch.verify.sql
COMMIT;
BEGIN;
\ir ../../migrations/0010_match_decisions.up.sql
COMMIT;
BEGIN;
\ir ../../migrations/0010_match_decisions.verify.sql
COMMIT;
BEGIN;
\ir ../../migrations/0011_provisioning_views.up.sql
COMMIT;
BEGIN;
\ir ../../migrations/0011_provisioning_views.verify.sql
COMMIT;
BEGIN;
\ir ../../migrations/0012_schedule.up.sql
COMMIT;
BEGIN;
\ir ../../migrations/0012_schedule.verify.sql
COMMIT;
BEGIN;
\ir ../../migrations/0013_assignment_types.up.sql
COMMIT;
BEGIN;
\ir ../../migrations/0013_assignment_types.verify.sql
COMMIT;
BEGIN;
\ir ../../migrations/0014_staff.up.sql
COMMIT;
BEGIN;
\ir ../../migrations/0014_staff.verify.sql
COMMIT;
BEGIN;
\ir ../../migrations/0015_assignment_rules.up.sql
COMMIT;
BEGIN;
\ir ../../migrations/0015_assignment_rules.verify.sql
COMMIT;
BEGIN;
\ir ../../migrations/0016_assignments.up.sql
COMMIT;
BEGIN;
\ir ../../migrations/0016_assignments.verify.sql
COMMIT;
BEGIN;
\ir ../../migrations/0017_assignment_queue.up.sql
COMMIT;
BEGIN;
\ir ../../migrations/0017_assignment_queue.verify.sql
COMMIT;
BEGIN;
\ir ../../migrations/0018_escalations.up.sql
COMMIT;
BEGIN;
\ir ../../migrations/0018_escalations.verify.sql
COMMIT;
BEGIN;
\ir ../../migrations/0019_capacity_snapshots.up.sql
COMMIT;
BEGIN;
\ir ../../migrations/0019_capacity_snapshots.verify.sql
COMMIT;
BEGIN;
\ir ../../migrations/0020_assign.up.sql
COMMIT;
BEGIN;
\ir ../../migrations/0020_assign.verify.sql
COMMIT;
BEGIN;
\ir ../../migrations/0021_sla.up.sql
COMMIT;
BEGIN;
\ir ../../migrations/0021_sla.verify.sql
COMMIT;
BEGIN;
\ir ../../migrations/0022_leave.up.sql
COMMIT;
BEGIN;
\ir ../../migrations/0022_leave.verify.sql
COMMIT;
BEGIN;
\ir ../../migrations/0023_assignment_upkeep.up.sql
COMMIT;
BEGIN;
\ir ../../migrations/0023_assignment_upkeep.verify.sql
COMMIT;
BEGIN;
\ir ../../migrations/0024_assignment_api.up.sql
COMMIT;
BEGIN;
\ir ../../migrations/0024_assignment_api.verify.sql
COMMIT;
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
BEGIN;
\ir ../../migrations/0024_assignment_api.down.sql
COMMIT;
BEGIN;
\ir ../../migrations/0023_assignment_upkeep.down.sql
COMMIT;
BEGIN;
\ir ../../migrations/0022_leave.down.sql
COMMIT;
BEGIN;
\ir ../../migrations/0021_sla.down.sql
COMMIT;
BEGIN;
\ir ../../migrations/0020_assign.down.sql
COMMIT;
BEGIN;
\ir ../../migrations/0019_capacity_snapshots.down.sql
COMMIT;
BEGIN;
\ir ../../migrations/0018_escalations.down.sql
COMMIT;
BEGIN;
\ir ../../migrations/0017_assignment_queue.down.sql
COMMIT;
BEGIN;
\ir ../../migrations/0016_assignments.down.sql
COMMIT;
BEGIN;
\ir ../../migrations/0015_assignment_rules.down.sql
COMMIT;
BEGIN;
\ir ../../migrations/0014_staff.down.sql
COMMIT;
BEGIN;
\ir ../../migrations/0013_assignment_types.down.sql
COMMIT;
BEGIN;
\ir ../../migrations/0012_schedule.down.sql
COMMIT;
BEGIN;
\ir ../../migrations/0011_provisioning_views.down.sql
COMMIT;
BEGIN;
\ir ../../migrations/0010_match_decisions.down.sql
COMMIT;
BEGIN;
\ir ../../migrations/0009_provisioning_batch.down.sql
COMMIT;
BEGIN;
\ir ../../migrations/0008_workspace_provisioning.down.sql
COMMIT;
\o
SELECT count(*) AS chat_below, count(*) FILTER (WHERE user_id IS NULL) AS chat_below_null FROM project_chat_log_minimal
\gset
\o /dev/null
DELETE FROM projects WHERE id = '10000000-0000-4000-8000-000000000001';
DELETE FROM auth.users WHERE id = '00000000-0000-4000-8000-000000000008';
BEGIN;
\ir ../../migrations/0008_workspace_provisioning.up.sql
COMMIT;
BEGIN;
\ir ../../migrations/0008_workspace_provisioning.verify.sql
COMMIT;
BEGIN;
\ir ../../migrations/0009_provisioning_batch.up.sql
COMMIT;
BEGIN;
\ir ../../migrations/0009_provisioning_batch.verify.sql
COMMIT;
BEGIN;
\ir ../../migrations/0010_match_decisions.up.sql
COMMIT;
BEGIN;
\ir ../../migrations/0010_match_decisions.verify.sql
COMMIT;
BEGIN;
\ir ../../migrations/0011_provisioning_views.up.sql
COMMIT;
BEGIN;
\ir ../../migrations/0011_provisioning_views.verify.sql
COMMIT;
BEGIN;
\ir ../../migrations/0012_schedule.up.sql
COMMIT;
BEGIN;
\ir ../../migrations/0012_schedule.verify.sql
COMMIT;
BEGIN;
\ir ../../migrations/0013_assignment_types.up.sql
COMMIT;
BEGIN;
\ir ../../migrations/0013_assignment_types.verify.sql
COMMIT;
BEGIN;
\ir ../../migrations/0014_staff.up.sql
COMMIT;
BEGIN;
\ir ../../migrations/0014_staff.verify.sql
COMMIT;
BEGIN;
\ir ../../migrations/0015_assignment_rules.up.sql
COMMIT;
BEGIN;
\ir ../../migrations/0015_assignment_rules.verify.sql
COMMIT;
BEGIN;
\ir ../../migrations/0016_assignments.up.sql
COMMIT;
BEGIN;
\ir ../../migrations/0016_assignments.verify.sql
COMMIT;
BEGIN;
\ir ../../migrations/0017_assignment_queue.up.sql
COMMIT;
BEGIN;
\ir ../../migrations/0017_assignment_queue.verify.sql
COMMIT;
BEGIN;
\ir ../../migrations/0018_escalations.up.sql
COMMIT;
BEGIN;
\ir ../../migrations/0018_escalations.verify.sql
COMMIT;
BEGIN;
\ir ../../migrations/0019_capacity_snapshots.up.sql
COMMIT;
BEGIN;
\ir ../../migrations/0019_capacity_snapshots.verify.sql
COMMIT;
BEGIN;
\ir ../../migrations/0020_assign.up.sql
COMMIT;
BEGIN;
\ir ../../migrations/0020_assign.verify.sql
COMMIT;
BEGIN;
\ir ../../migrations/0021_sla.up.sql
COMMIT;
BEGIN;
\ir ../../migrations/0021_sla.verify.sql
COMMIT;
BEGIN;
\ir ../../migrations/0022_leave.up.sql
COMMIT;
BEGIN;
\ir ../../migrations/0022_leave.verify.sql
COMMIT;
BEGIN;
\ir ../../migrations/0023_assignment_upkeep.up.sql
COMMIT;
BEGIN;
\ir ../../migrations/0023_assignment_upkeep.verify.sql
COMMIT;
BEGIN;
\ir ../../migrations/0024_assignment_api.up.sql
COMMIT;
BEGIN;
\ir ../../migrations/0024_assignment_api.verify.sql
COMMIT;
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
SELECT is(:'after_0001'::text, :'before_0001'::text, 'the schema after the down of 0001_platform is the one before its up');
SELECT is(:'after_0002'::text, :'before_0002'::text, 'the schema after the down of 0002_projects is the one before its up');
SELECT is(:'after_0003'::text, :'before_0003'::text, 'the schema after the down of 0003_advisors is the one before its up');
SELECT is(:'after_0004'::text, :'before_0004'::text, 'the schema after the down of 0004_matches is the one before its up');
SELECT is(:'after_0005'::text, :'before_0005'::text, 'the schema after the down of 0005_chat is the one before its up');
SELECT is(:'after_0006'::text, :'before_0006'::text, 'the schema after the down of 0006_notifications is the one before its up');
SELECT is(:'after_0007'::text, :'before_0007'::text, 'the schema after the down of 0007_engine is the one before its up');
SELECT is(:'after_0008'::text, :'before_0008'::text, 'the schema after the down of 0008_workspace_provisioning is the one before its up');
SELECT is(:'after_0009'::text, :'before_0009'::text, 'the schema after the down of 0009_provisioning_batch is the one before its up');
SELECT is(:'after_0010'::text, :'before_0010'::text, 'the schema after the down of 0010_match_decisions is the one before its up');
SELECT is(:'after_0011'::text, :'before_0011'::text, 'the schema after the down of 0011_provisioning_views is the one before its up');
SELECT is(:'after_0012'::text, :'before_0012'::text, 'the schema after the down of 0012_schedule is the one before its up');
SELECT is(:'after_0013'::text, :'before_0013'::text, 'the schema after the down of 0013_assignment_types is the one before its up');
SELECT is(:'after_0014'::text, :'before_0014'::text, 'the schema after the down of 0014_staff is the one before its up');
SELECT is(:'after_0015'::text, :'before_0015'::text, 'the schema after the down of 0015_assignment_rules is the one before its up');
SELECT is(:'after_0016'::text, :'before_0016'::text, 'the schema after the down of 0016_assignments is the one before its up');
SELECT is(:'after_0017'::text, :'before_0017'::text, 'the schema after the down of 0017_assignment_queue is the one before its up');
SELECT is(:'after_0018'::text, :'before_0018'::text, 'the schema after the down of 0018_escalations is the one before its up');
SELECT is(:'after_0019'::text, :'before_0019'::text, 'the schema after the down of 0019_capacity_snapshots is the one before its up');
SELECT is(:'after_0020'::text, :'before_0020'::text, 'the schema after the down of 0020_assign is the one before its up');
SELECT is(:'after_0021'::text, :'before_0021'::text, 'the schema after the down of 0021_sla is the one before its up');
SELECT is(:'after_0022'::text, :'before_0022'::text, 'the schema after the down of 0022_leave is the one before its up');
SELECT is(:'after_0023'::text, :'before_0023'::text, 'the schema after the down of 0023_assignment_upkeep is the one before its up');
SELECT is(:'after_0024'::text, :'before_0024'::text, 'the schema after the down of 0024_assignment_api is the one before its up');
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
