-- The jobs of the assignment engine: what they keep and what they remove, and what
-- operators see.  Faults X11 to X14 and X19 of the seeds' queries are absent.

\ir setup.psql
\ir assignments.psql

SELECT plan(102);

CREATE FUNCTION pg_temp.job(name text, slot timestamptz DEFAULT steward.now(), OUT rows bigint, OUT message text) LANGUAGE plpgsql AS $$
DECLARE
    called text;
BEGIN
    SELECT regexp_replace(s.call, '\(.*', '') INTO called FROM steward.job_schedule s WHERE s.name = job.name;
    EXECUTE format('SELECT * FROM %s($1)', called) INTO rows, message USING slot;
END $$;

-- The schedule.
SELECT results_eq('SELECT name, worker, schedule, time_zone, enabled, overlap, missed FROM steward.job_schedule ORDER BY name', $$ VALUES
    ('archive-assignments', 'escalation_cleanup', '15 2 * * *', 'UTC', true, 'skip', 'once'),
    ('capacity-snapshot', 'capacity_snapshot', '0 0 * * *', 'UTC', true, 'skip', 'once'),
    ('escalation-cleanup', 'escalation_cleanup', '0 2 * * *', 'UTC', true, 'skip', 'once'),
    ('queue-fallback-processor', 'queue_fallback', '* * * * *', 'UTC', true, 'skip', 'skip'),
    ('recount-assignments', 'escalation_cleanup', '30 2 * * *', 'UTC', true, 'skip', 'once'),
    ('sla-monitoring', 'sla_monitor', '30 seconds', 'UTC', true, 'skip', 'skip') $$, 'the jobs, as the seeds mean them');
SELECT ok(next_at - steward.now() <= CASE name WHEN 'sla-monitoring' THEN interval '30 s' WHEN 'queue-fallback-processor' THEN interval '1 minute' ELSE interval '1 day' END,
          'with the next slot of ' || name) FROM steward.job_schedule ORDER BY name;

SELECT pg_temp.unit('full', 10) AS unit, pg_temp.unit('empty') AS empty, pg_temp.unit('away') AS away \gset
SELECT pg_temp.staff(:'unit', role => 'supervisor') AS boss, pg_temp.staff(:'unit', most => 4) AS ann, pg_temp.staff(:'away', most => 2) AS ben \gset

-- sla-monitoring and the queue, by their jobs.
SELECT pg_temp.work(:'ann', 'urgent', started => steward.now() - interval '100 minutes') AS warned, pg_temp.work(:'ann', 'urgent', started => steward.now() - interval '2 hours') AS breached \gset
SELECT results_eq('SELECT * FROM pg_temp.job(''sla-monitoring'')', 'VALUES (2::bigint, ''1 warned, 1 escalated'')', 'sla-monitoring does what is due and says so');
SELECT results_eq('SELECT * FROM pg_temp.job(''sla-monitoring'')', 'VALUES (0::bigint, NULL::text)', 'and has nothing to say where nothing is');
BEGIN;
SET LOCAL session_replication_role = replica;
INSERT INTO assignments (organization_id, work_item_id, work_item_type, assignee_id, unit_id, assigned_at, sla_started_at, warn_at, sla_deadline, priority)
SELECT pg_temp.home(), 'crowd ' || i, 'task', :'ann', :'unit', d.day, d.day, d.day, d.day, 'low' FROM generate_series(1, 1001) i, (SELECT steward.now() - interval '1 s' AS day) d;
SET LOCAL session_replication_role = origin;
SELECT is(message, '1000 escalated, more is due', 'and what is left, where more is due than a turn takes') FROM pg_temp.job('sla-monitoring');
ROLLBACK;
SELECT pg_temp.skill('arabic') AS arabic \gset
INSERT INTO assignment_queue (work_item_id, work_item_type, required_skills, priority, created_at) VALUES ('waits', 'ticket', ARRAY[:'arabic']::uuid[], 'low', steward.now() - interval '1 hour');
UPDATE staff_profiles SET skills = ARRAY[:'arabic']::uuid[] WHERE user_id = :'boss';
SELECT results_eq('SELECT * FROM pg_temp.job(''queue-fallback-processor'')', 'VALUES (1::bigint, ''1 assigned'')', 'queue-fallback-processor serves the queue');

-- capacity-snapshot: every unit, the day of the slot, again and again.
SELECT pg_temp.work(:'ben'), pg_temp.work(:'ben'), pg_temp.work(:'ben'), pg_temp.work(:'ben'), pg_temp.work(:'ben') \g /dev/null
SELECT results_eq('SELECT * FROM pg_temp.job(''capacity-snapshot'', ''2025-10-02 00:00+00'')', 'VALUES (3::bigint, ''3 units on 2025-10-02'')', 'a snapshot of every unit');
SELECT results_eq('SELECT unit_id, total_staff, available_staff, total_capacity, active_assignments, utilization_pct FROM capacity_snapshots WHERE snapshot_date = ''2025-10-02'' ORDER BY total_staff DESC, active_assignments',
    format('VALUES (%L::uuid, 2, 2, 9, 3, 33.33), (%L::uuid, 1, 1, 2, 5, 250.00), (%L::uuid, 0, 0, 0, 0, 0.00)', :'unit', :'away', :'empty'), 'also of one above 200 percent and of one with nobody');
UPDATE staff_profiles SET availability_status = 'on_leave' WHERE user_id = :'ben';
SELECT rows FROM pg_temp.job('capacity-snapshot', '2025-10-02 23:59+00') \g /dev/null
SELECT is(count(*), 3::bigint, 'a second one the same day replaces the first') FROM capacity_snapshots;
SELECT is(active_assignments, 5, 'the work of people on leave is still work'), is(utilization_pct, NULL, 'of no capacity') FROM capacity_snapshots WHERE unit_id = :'away';
SELECT is(message, '3 units on 2025-12-31', 'ninety days later the first are kept') FROM pg_temp.job('capacity-snapshot', '2025-12-31 00:00+00');
SELECT is(message, '3 units on 2026-01-01, 3 old rows removed', 'and then removed') FROM pg_temp.job('capacity-snapshot', '2026-01-01 00:00+00');
SELECT set_eq('SELECT DISTINCT snapshot_date FROM capacity_snapshots', ARRAY['2025-12-31', '2026-01-01']::date[], 'the days that stay');

-- escalation-cleanup: resolved, no breach, 90 days ago.
UPDATE assignments SET status = 'in_progress' WHERE id = :'warned';
SELECT (steward.escalate(:'warned', 'manual') ->> 'escalation_id')::uuid AS old \gset
SELECT steward.escalation_answer(:'old', NULL, true), steward.escalate(:'warned', 'manual') \g /dev/null
SELECT steward.escalation_answer(id, NULL, true) FROM escalation_events WHERE assignment_id = :'breached' \g /dev/null
SET steward.clock_offset = '89 days';
SELECT results_eq('SELECT * FROM pg_temp.job(''escalation-cleanup'')', 'VALUES (0::bigint, ''0 resolved escalations removed'')', 'for 90 days everything is kept');
SET steward.clock_offset = '91 days';
SELECT results_eq('SELECT * FROM pg_temp.job(''escalation-cleanup'')', 'VALUES (1::bigint, ''1 resolved escalations removed'')', 'then what was resolved goes');
SELECT is(count(*), 0::bigint, 'that one') FROM escalation_events WHERE id = :'old';
SELECT is(count(*), 1::bigint, 'an open one stays') FROM escalation_events WHERE reason = 'manual' AND resolved_at IS NULL;
SELECT is(count(*), 1::bigint, 'and so does a breach, resolved or not') FROM escalation_events WHERE reason = 'sla_breach' AND resolved_at IS NOT NULL;
RESET steward.clock_offset;

-- X19: archive-assignments moves assignments with their escalations.
UPDATE assignments SET status = 'completed' WHERE id = :'breached';
UPDATE assignments SET status = 'cancelled' WHERE id = :'warned';
SELECT id AS open FROM assignments WHERE assignee_id = :'boss' \gset
SET steward.clock_offset = '89 days';
SELECT is(message, '0 assignments archived', 'X19: what was finished less than 90 days ago stays') FROM pg_temp.job('archive-assignments');
SET steward.clock_offset = '91 days';
SELECT is(message, '2 assignments archived', 'X19: later it is archived, cancelled work too') FROM pg_temp.job('archive-assignments');
SELECT set_eq('SELECT id FROM assignments_archive', ARRAY[:'breached', :'warned']::uuid[], 'X19: nothing is lost'), ok(EXISTS (SELECT FROM assignments WHERE id = :'open'), 'and open work stays however old it is');
SELECT is(count(*), 0::bigint, 'X19: the escalations went along') FROM escalation_events WHERE assignment_id IN (:'breached', :'warned');
SELECT is(count(*) FILTER (WHERE reason = 'sla_breach'), 1::bigint, 'X19: the breach among them'), is(count(*) FILTER (WHERE resolved_at IS NULL), 1::bigint, 'and what is open') FROM escalation_events_archive;
UPDATE escalation_events_archive SET resolved_at = steward.now() - interval '91 days' WHERE reason = 'manual';
SELECT is(rows, 1::bigint, 'escalation-cleanup removes archived ones too') FROM pg_temp.job('escalation-cleanup');
SELECT set_eq('SELECT reason::text FROM escalation_events_archive', ARRAY['sla_breach'], 'but no breach, ever');
SELECT is(pg_temp.drift(), NULL, 'and every count is right');
RESET steward.clock_offset;
-- Trouble is forgotten when nobody will come to its item any more.
INSERT INTO assignment_queue (work_item_id, work_item_type, required_skills, priority) VALUES ('in trouble', 'task', '{}', 'low') RETURNING id AS queued \gset
INSERT INTO steward.sla_trouble (item, step, retry_at, state, problem)
SELECT v.item, v.step, steward.now() - v.age, 'P0001', v.what
  FROM (VALUES (:'breached'::uuid, 'breach', interval '25 hours', 'long gone'), (:'breached', 'warning', '23 hours', 'just gone'), (:'open', 'breach', '25 hours', 'open'),
               (:'queued', 'queued breach', '25 hours', 'waiting'), (gen_random_uuid(), 'return', '25 hours', 'on leave')) v(item, step, age, what);
SELECT message FROM pg_temp.job('archive-assignments') \g /dev/null
SELECT set_eq('SELECT problem FROM steward.sla_trouble', '{just gone,open,waiting,on leave}'::text[], 'trouble is forgotten with the item, a day later');
DELETE FROM steward.sla_trouble;
DELETE FROM assignment_queue WHERE id = :'queued';
-- More than a batch at once, bounded.
UPDATE steward.upkeep SET batch = 10, assignment_days = 30;
UPDATE staff_profiles SET individual_wip_limit = 20 WHERE user_id = :'ann';
SET session_replication_role = replica;
INSERT INTO assignments (organization_id, work_item_id, work_item_type, assignee_id, unit_id, sla_started_at, warn_at, sla_deadline, priority, status, completed_at)
SELECT pg_temp.home(), 'old' || i, 'task', :'ann', :'unit', now() - interval '40 days', now(), now(), 'low', 'completed', now() - interval '31 days' FROM generate_series(1, 205) i;
SET session_replication_role = origin;
SELECT is(message, '200 assignments archived', 'twenty batches in one night'), is(rows, 200::bigint, 'counted') FROM pg_temp.job('archive-assignments');
SELECT is(rows, 5::bigint, 'and the rest in the next') FROM pg_temp.job('archive-assignments');
UPDATE steward.upkeep SET batch = DEFAULT, assignment_days = DEFAULT;
-- What somebody holds is left to the next night, and nothing waits for it.
UPDATE steward.upkeep SET assignment_days = 30;
SELECT dblink_connect('holder', format('host=%s port=%s user=%s dbname=%s', split_part(current_setting('unix_socket_directories'), ',', 1), current_setting('port'), current_user, current_database())) \g /dev/null
SET session_replication_role = replica;
INSERT INTO assignments (organization_id, work_item_id, work_item_type, assignee_id, unit_id, assigned_at, sla_started_at, warn_at, sla_deadline, priority, status, completed_at, updated_at)
SELECT pg_temp.home(), 'kept ' || status, 'task', :'ann', :'unit', now() - interval '40 days', now() - interval '40 days', now(), now(), 'low', status, CASE status WHEN 'completed' THEN now() - interval '31 days' END, now() - interval '31 days'
  FROM unnest('{completed,cancelled}'::assignment_status[]) status;
INSERT INTO escalation_events (organization_id, assignment_id, work_item_id, work_item_type, unit_id, escalated_from_id, reason, escalated_at, resolved_at)
SELECT pg_temp.home(), gen_random_uuid(), 'kept', 'task', :'unit', :'ann', 'manual', now() - interval '99 days', now() - interval '98 days';
INSERT INTO escalation_events_archive (id, organization_id, assignment_id, work_item_id, work_item_type, unit_id, escalated_from_id, reason, escalated_at, resolved_at, created_at)
SELECT gen_random_uuid(), pg_temp.home(), gen_random_uuid(), 'kept', 'task', :'unit', :'ann', 'manual', now() - interval '99 days', now() - interval '98 days', now() - interval '99 days';
SET session_replication_role = origin;
SELECT dblink_exec('holder', 'BEGIN') \g /dev/null
SELECT * FROM dblink('holder', $$SELECT 'held' FROM (SELECT FROM assignments WHERE work_item_id LIKE 'kept %' FOR UPDATE) a, (SELECT FROM escalation_events WHERE work_item_id = 'kept' FOR UPDATE) e, (SELECT FROM escalation_events_archive WHERE work_item_id = 'kept' FOR UPDATE) x$$) h(held text) \g /dev/null
SET lock_timeout = '5s';
SELECT is(rows, 0::bigint, 'what somebody holds is not archived') FROM pg_temp.job('archive-assignments');
SELECT is(rows, 0::bigint, 'nor is it removed') FROM pg_temp.job('escalation-cleanup');
RESET lock_timeout;
SELECT dblink_exec('holder', 'ROLLBACK'), dblink_disconnect('holder') \g /dev/null
SELECT is(rows, 2::bigint, 'until it is let go') FROM pg_temp.job('archive-assignments');
SELECT is(rows, 2::bigint, 'which goes for both') FROM pg_temp.job('escalation-cleanup');
UPDATE steward.upkeep SET assignment_days = DEFAULT;
-- What a client's trigger or foreign key keeps stays, is named, and keeps nothing behind it.
CREATE FUNCTION pg_temp.keeps() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RAISE EXCEPTION 'the auditors are here' USING ERRCODE = TG_ARGV[0]; END $$;
CREATE FUNCTION pg_temp.finished(name text, age interval, status assignment_status DEFAULT 'completed') RETURNS uuid LANGUAGE plpgsql AS $$
DECLARE
    made uuid;
BEGIN
    SET LOCAL session_replication_role = replica;
    INSERT INTO assignments (organization_id, work_item_id, work_item_type, assignee_id, unit_id, assigned_at, sla_started_at, warn_at, sla_deadline, priority, status, completed_at, updated_at)
    SELECT p.organization_id, name, 'task', p.user_id, p.unit_id, d.day, d.day, d.day, d.day, 'low', finished.status, CASE finished.status WHEN 'completed' THEN d.day END, d.day
      FROM (SELECT * FROM staff_profiles LIMIT 1) p, (SELECT steward.now() - interval '90 days' - age AS day) d RETURNING id INTO made;
    SET LOCAL session_replication_role = origin;
    RETURN made;
END $$;
CREATE FUNCTION pg_temp.told(name text, age interval) RETURNS uuid LANGUAGE plpgsql AS $$
DECLARE
    made uuid;
BEGIN
    SET LOCAL session_replication_role = replica;
    INSERT INTO escalation_events (organization_id, assignment_id, work_item_id, work_item_type, unit_id, escalated_from_id, reason, escalated_at, resolved_at)
    SELECT p.organization_id, gen_random_uuid(), name, 'task', p.unit_id, p.user_id, 'manual', d.day, d.day
      FROM (SELECT * FROM staff_profiles LIMIT 1) p, (SELECT steward.now() - interval '90 days' - age AS day) d RETURNING id INTO made;
    IF name LIKE 'archived%' THEN
        WITH gone AS (DELETE FROM escalation_events e WHERE e.id = made RETURNING e.*) INSERT INTO escalation_events_archive SELECT * FROM gone;
    END IF;
    SET LOCAL session_replication_role = origin;
    RETURN made;
END $$;
BEGIN;
SELECT pg_temp.finished('kept', interval '3 days') AS kept, pg_temp.finished('kept too', interval '3 days', 'cancelled') AS cancelled,
       pg_temp.finished('gone', interval '2 days') AS gone, pg_temp.finished('gone too', interval '2 days', 'cancelled') AS gone2 \gset
CREATE TABLE invoice (assignment uuid REFERENCES assignments DEFERRABLE INITIALLY DEFERRED);
INSERT INTO invoice VALUES (:'kept');
SET CONSTRAINTS ALL IMMEDIATE;
SET CONSTRAINTS ALL DEFERRED;
CREATE TRIGGER keeps BEFORE INSERT ON assignments_archive FOR EACH ROW WHEN (NEW.work_item_id = 'kept too') EXECUTE FUNCTION pg_temp.keeps('P0001');
SELECT is(rows, 2::bigint, 'what can be archived is'),
       is(message, format('2 assignments archived, old rows of public.assignments cannot be removed, as that of id %s: %s, old rows of public.assignments cannot be removed, as that of id %s: %s',
                          :'kept', 'update or delete on table "assignments" violates foreign key constraint "invoice_assignment_fkey" on table "invoice"', :'cancelled', 'the auditors are here'),
          'and what cannot is named, with why') FROM pg_temp.job('archive-assignments');
SELECT set_eq($$SELECT work_item_id FROM assignments WHERE work_item_id ~ '^(kept|gone)'$$, '{kept,kept too}'::text[], 'which stays');
UPDATE steward.upkeep SET batch = 1;
SELECT pg_temp.finished('behind ' || i, interval '1 day') FROM generate_series(1, 20) i \g /dev/null
SELECT is(rows, 19::bigint, 'where a round is one row, the next one passes it over') FROM pg_temp.job('archive-assignments');
SELECT is((passed_completed, passed_cancelled)::text, '(1,0)', 'and the next night does, until the end is reached') FROM steward.upkeep;
SELECT is(message, '1 assignments archived, old rows of public.assignments cannot be removed, as that of id ' || :'cancelled' || ': the auditors are here', 'which goes on where it was') FROM pg_temp.job('archive-assignments');
SELECT is((passed_completed, passed_cancelled)::text, '(0,0)', 'and there it starts over') FROM steward.upkeep;
DROP TABLE invoice;
DROP TRIGGER keeps ON assignments_archive;
SELECT is(message, '2 assignments archived', 'what was kept goes when nobody keeps it') FROM pg_temp.job('archive-assignments');
ROLLBACK;
BEGIN;
SELECT pg_temp.told('kept', interval '3 days') AS kept, pg_temp.told('gone', interval '2 days') AS gone,
       pg_temp.told('archived kept', interval '3 days') AS archived, pg_temp.told('archived gone', interval '2 days') AS gone2 \gset
CREATE TRIGGER keeps BEFORE DELETE ON escalation_events FOR EACH ROW WHEN (OLD.work_item_id = 'kept') EXECUTE FUNCTION pg_temp.keeps('P0001');
CREATE TRIGGER keeps BEFORE DELETE ON escalation_events_archive FOR EACH ROW WHEN (OLD.work_item_id = 'archived kept') EXECUTE FUNCTION pg_temp.keeps('P0001');
SELECT is(rows, 2::bigint, 'escalations that can be removed are'),
       is(message, format('2 resolved escalations removed, old rows of %s cannot be removed, as that of id %s: %s, old rows of %s cannot be removed, as that of id %s: %3$s',
                          'public.escalation_events', :'kept', 'the auditors are here', 'public.escalation_events_archive', :'archived'),
          'and those that cannot are named') FROM pg_temp.job('escalation-cleanup');
UPDATE steward.upkeep SET batch = 1;
SELECT pg_temp.told(kind || i, interval '1 day') FROM generate_series(1, 20) i, unnest('{behind,archived behind}'::text[]) kind \g /dev/null
SELECT is(rows, 38::bigint, 'where a round is one row, the next one passes them over') FROM pg_temp.job('escalation-cleanup');
SELECT is((passed_escalations, passed_archived_escalations)::text, '(1,1)', 'and the next night does, until the end is reached') FROM steward.upkeep;
SELECT is(message, '2 resolved escalations removed', 'which goes on where it was') FROM pg_temp.job('escalation-cleanup');
SELECT is((passed_escalations, passed_archived_escalations)::text, '(0,0)', 'and there it starts over') FROM steward.upkeep;
ROLLBACK;
-- What waits no more keeps its escalations until they are resolved or old; then they are archived, breaches for ever.
BEGIN;
SELECT pg_temp.staff(:'empty') AS asks, pg_temp.skill('nobody has it') AS skill \gset
INSERT INTO assignment_queue (work_item_id, work_item_type, required_skills, priority, requested_by, target_unit_id, created_at)
SELECT w.item, 'ticket', ARRAY[:'skill']::uuid[], 'urgent', :'asks', :'unit', steward.now() - interval '3 h' FROM unnest('{settled,open,waits}'::text[]) w(item);
SELECT sla_check_and_escalate() \g /dev/null
SELECT steward.queue_escalate(id, :'asks') FROM assignment_queue WHERE work_item_id = 'settled' \g /dev/null
INSERT INTO escalation_events (queue_id, organization_id, work_item_id, work_item_type, escalated_from_id, escalated_to_id, reason) SELECT id, organization_id, work_item_id, work_item_type, :'asks', :'boss', 'capacity_exhaustion' FROM assignment_queue;
SELECT steward.escalation_answer(id, :'boss', true) FROM escalation_events WHERE work_item_id IN ('settled', 'waits') \g /dev/null
DELETE FROM assignment_queue WHERE work_item_id <> 'waits';
SELECT is(count(*), 6::bigint, 'an item that leaves the queue leaves its escalations') FROM escalation_events WHERE queue_id IS NOT NULL;
SELECT is(message, '0 resolved escalations removed, 2 of the queue archived', 'the next night archives what is resolved') FROM pg_temp.job('escalation-cleanup');
SELECT is((SELECT array_agg(DISTINCT work_item_id) FROM escalation_events_archive WHERE queue_id IS NOT NULL), '{settled}', 'of what is gone');
SELECT is((SELECT array_agg(DISTINCT work_item_id ORDER BY work_item_id) FROM escalation_events WHERE queue_id IS NOT NULL), '{open,waits}', 'what is open or waits stays');
SET LOCAL steward.clock_offset = '91 days';
CREATE TRIGGER keeps BEFORE DELETE ON escalation_events FOR EACH ROW WHEN (OLD.work_item_id = 'open' AND OLD.reason = 'sla_breach') EXECUTE FUNCTION pg_temp.keeps('P0001');
SELECT matches(message, '^2 resolved escalations removed, 2 of the queue archived, old rows of public.escalation_events cannot be removed', 'later also what is open, and where somebody keeps one, it is named') FROM pg_temp.job('escalation-cleanup');
DROP TRIGGER keeps ON escalation_events;
SELECT is(message, '0 resolved escalations removed, 1 of the queue archived', 'until nobody does') FROM pg_temp.job('escalation-cleanup');
SELECT results_eq('SELECT work_item_id, reason::text FROM escalation_events WHERE queue_id IS NOT NULL', $$VALUES ('waits', 'sla_breach')$$, 'the breach of what still waits stays where it is');
SELECT bag_eq('SELECT work_item_id, reason::text, resolved_at IS NULL FROM escalation_events_archive WHERE queue_id IS NOT NULL',
    $$VALUES ('settled', 'sla_breach', false), ('open', 'sla_breach', true), ('open', 'capacity_exhaustion', true)$$, 'breaches and what is open are archived, and never removed');
DELETE FROM assignment_queue;
SELECT steward.escalation_answer(id, :'boss', true) FROM escalation_events WHERE queue_id IS NOT NULL \g /dev/null
SELECT pg_temp.job('escalation-cleanup') \g /dev/null
SELECT is(array_agg(work_item_id ORDER BY work_item_id), '{open,settled,waits}', 'the archive names who asked') FROM escalation_events_archive WHERE escalated_from_id = :'asks' AND reason = 'sla_breach';
DELETE FROM staff_profiles WHERE user_id = :'asks';
SELECT lives_ok(format('DELETE FROM auth.users WHERE id = %L', :'asks'), 'who can then be deleted');
ROLLBACK;
BEGIN;
SELECT pg_temp.finished('kept', interval '3 days'), pg_temp.told('kept', interval '3 days') \g /dev/null
CREATE TRIGGER keeps BEFORE DELETE ON assignments FOR EACH ROW EXECUTE FUNCTION pg_temp.keeps('53100');
CREATE TRIGGER keeps BEFORE DELETE ON escalation_events FOR EACH ROW EXECUTE FUNCTION pg_temp.keeps('53100');
SELECT throws_ok($$SELECT * FROM pg_temp.job('archive-assignments')$$, '53100', 'the auditors are here', 'but a server that is ill is not passed over'),
       throws_ok($$SELECT * FROM pg_temp.job('escalation-cleanup')$$, '53100', 'the auditors are here', 'by neither job');
ROLLBACK;
BEGIN;
INSERT INTO assignment_history (id, organization_id, unit_id, assignment_id, work_item_id, action, created_at)
SELECT -i, pg_temp.home(), :'unit', gen_random_uuid(), CASE i WHEN 3 THEN 'kept' ELSE 'gone' END, 'old', steward.now() - interval '366 days' FROM generate_series(1, 5) i;
CREATE TRIGGER keeps BEFORE DELETE ON assignment_history FOR EACH ROW WHEN (OLD.work_item_id = 'kept') EXECUTE FUNCTION pg_temp.keeps('P0001');
SELECT is(message, '0 assignments archived, 4 lines of history removed, old rows of public.assignment_history cannot be removed, as that of id -3: the auditors are here', 'a line of history that stays stops nothing') FROM pg_temp.job('archive-assignments');
CREATE TRIGGER keeps BEFORE DELETE ON capacity_snapshots FOR EACH ROW WHEN (OLD.total_staff = 0) EXECUTE FUNCTION pg_temp.keeps('P0001');
SELECT alike(message, '3 units on 2027-01-01, 4 old rows removed, old rows of public.capacity_snapshots cannot be removed, as that of % the auditors are here', 'nor does a snapshot') FROM pg_temp.job('capacity-snapshot', '2027-01-01 00:00+00');
ROLLBACK;
-- History.
INSERT INTO assignment_history (organization_id, unit_id, assignment_id, work_item_id, action, created_at) VALUES (pg_temp.home(), :'unit', gen_random_uuid(), 'x', 'old', steward.now() - interval '366 days');
SELECT count(*) AS lines FROM assignment_history WHERE action = 'old' \gset
UPDATE assignment_history SET id = -1 WHERE action = 'old';
SELECT is(message, '0 assignments archived, 1 lines of history removed', 'history is forgotten after a year') FROM pg_temp.job('archive-assignments');

-- The oldest of it are looked at, not all of it.
UPDATE steward.upkeep SET batch = 10;
INSERT INTO assignment_history (id, organization_id, unit_id, assignment_id, work_item_id, action, created_at)
SELECT -1000 + i, pg_temp.home(), :'unit', gen_random_uuid(), 'x', 'old', steward.now() - interval '366 days' FROM generate_series(1, 300) i;
SELECT is(message, '0 assignments archived, 200 lines of history removed', 'twenty batches of history in one night') FROM pg_temp.job('archive-assignments');
UPDATE steward.upkeep SET batch = DEFAULT;

-- recount-assignments.
SELECT results_eq('SELECT * FROM pg_temp.job(''recount-assignments'')', 'VALUES (0::bigint, ''every count is right'')', 'counts are compared');
SET ROLE steward_owner;
UPDATE staff_profiles SET current_assignment_count = 9 WHERE user_id = :'ann';
RESET ROLE;
SET client_min_messages = error;
SELECT results_eq('SELECT * FROM pg_temp.job(''recount-assignments'')', format('VALUES (1::bigint, ''1 counts were wrong: {"person %s had 9, has 0"}'')', :'ann'), 'drift is repaired and reported');
SET client_min_messages = warning;
SELECT is(pg_temp.drift(), NULL, 'and every count is right');

-- The views, first with next to nothing to see (X12).
DELETE FROM assignment_queue;
UPDATE assignments SET status = 'cancelled' WHERE status IN ('assigned', 'in_progress');
SET session_replication_role = replica;
DELETE FROM assignments; DELETE FROM escalation_events; DELETE FROM escalation_events_archive;
SET session_replication_role = origin;
SELECT steward.recount_assignments() \g /dev/null
SELECT results_eq('SELECT * FROM steward.escalation_rate', 'VALUES (0::bigint, 0::bigint, NULL::numeric, false)', 'X12: a rate of nothing is not known, and no error');
SELECT results_eq('SELECT priority::text, completed, compliance_pct, target_met FROM steward.sla_compliance',
    'VALUES (''urgent'', 0::bigint, NULL::numeric, NULL::boolean), (''high'', 0, NULL, NULL), (''normal'', 0, NULL, NULL), (''low'', 0, NULL, NULL)', 'X12: nor is compliance');
SELECT results_eq('SELECT queue_depth, oldest, alert FROM steward.queue_depth', 'VALUES (0::bigint, NULL::timestamptz, false)', 'an empty queue');
SELECT results_eq('SELECT runs, avg_seconds, alert FROM steward.sla_monitor_duration', 'VALUES (0::bigint, NULL::numeric, false)', 'no run');
SELECT is(sum(escalations), 0::numeric, 'no escalation'), is(count(*), 12::bigint, 'in twelve weeks') FROM steward.escalation_trend;
-- X14: a hundred open in the window, eleven of them escalated in it; what was over before counts on neither side.
SET session_replication_role = replica;
INSERT INTO assignments (organization_id, work_item_id, work_item_type, assignee_id, unit_id, sla_started_at, warn_at, sla_deadline, priority, status, completed_at)
SELECT pg_temp.home(), 'rate' || i, 'task', :'ann', :'unit', now() - interval '9 days', now() + interval '1 day', now() - interval '1 hour', CASE WHEN i <= 60 THEN 'urgent' ELSE 'high' END::priority_level,
       CASE WHEN i <= 50 THEN 'assigned' ELSE 'completed' END::assignment_status, CASE WHEN i > 100 THEN now() - interval '5 days' WHEN i > 55 THEN now() - interval '2 hours' WHEN i > 50 THEN now() END
  FROM generate_series(1, 1000) i;
INSERT INTO escalation_events (organization_id, assignment_id, work_item_id, work_item_type, unit_id, escalated_from_id, reason, escalated_at, sla_deadline)
SELECT a.organization_id, a.id, a.work_item_id, 'task', a.unit_id, a.assignee_id, r::escalation_reason, now() - CASE WHEN i <= 11 THEN 1 ELSE 4 END * interval '1 day' + interval '1 minute', CASE r WHEN 'sla_breach' THEN a.sla_deadline END
  FROM generate_series(1, 20) i JOIN assignments a ON a.work_item_id = 'rate' || i CROSS JOIN (VALUES ('sla_breach'), ('manual')) v(r);
SET session_replication_role = origin;
SELECT results_eq('SELECT escalated, assignments, escalation_pct, alert FROM steward.escalation_rate', 'VALUES (11::bigint, 100::bigint, 11.00, true)', 'X14: eleven of a hundred is 11 percent, and an alert');
SELECT results_eq('SELECT priority::text, completed, in_time, compliance_pct, target_met FROM steward.sla_compliance WHERE completed > 0',
    'VALUES (''urgent'', 10::bigint, 5::bigint, 50.00, false), (''high'', 940, 940, 100.00, true)', 'compliance by priority against its target');
SELECT is(escalations, 40::bigint, 'the escalations of seven days'), is(sla_breach, 20::bigint, 'of which breaches'), is(manual, 20::bigint, 'and by hand'), is(unresolved, 40::bigint, 'open') FROM steward.escalation_trend LIMIT 1;
-- X11, X13: durations by the name of the job, rounded.
INSERT INTO steward.job_run (job, scheduled_at, started_at, finished_at, status)
SELECT 'sla-monitoring', steward.now() - i * interval '30 s', steward.now() - i * interval '30 s', steward.now() - i * interval '30 s' + i * interval '1 s', CASE i WHEN 10 THEN 'failed' ELSE 'completed' END FROM generate_series(1, 10) i;
SELECT results_eq('SELECT * FROM steward.sla_monitor_duration', 'VALUES (10::bigint, 1::bigint, 5.500, 10.000, true)', 'X11, X13: the mean duration of the runs of a job, rounded, and an alert above five seconds');
-- S10, S11, Q07: what is an alert there is told, by the job that looks every minute.
BEGIN;
SELECT pg_temp.person('admin') AS root \gset
UPDATE staff_profiles SET availability_status = 'on_leave';
SELECT is(message, 'alert: sla-monitoring takes 5.500 seconds on average', 'S10: slow runs are an alert') FROM pg_temp.job('queue-fallback-processor', '2025-10-02 10:01+00');
SELECT is(message, 'alert: sla-monitoring takes 5.500 seconds on average, alert: 11.00 % of the assignments were escalated within a day', 'S11: and many escalations, once an hour') FROM pg_temp.job('queue-fallback-processor', '2025-10-02 11:00+00');
DELETE FROM steward.job_run;
INSERT INTO assignment_queue (work_item_id, work_item_type, required_skills, priority, last_attempt_at) SELECT 'depth ' || i, 'task', '{}', 'low', steward.now() FROM generate_series(1, 100) i;
SELECT is(message, NULL, 'Q07: a hundred that wait are none') FROM pg_temp.job('queue-fallback-processor', '2025-10-02 11:01+00');
INSERT INTO assignment_queue (work_item_id, work_item_type, required_skills, priority, last_attempt_at) VALUES ('depth', 'task', '{}', 'low', steward.now());
SELECT is(message, 'alert: 101 work items wait for somebody', 'Q07: one more is one') FROM pg_temp.job('queue-fallback-processor', '2025-10-02 11:02+00');
SELECT rows FROM pg_temp.job('queue-fallback-processor', '2025-10-02 11:03+00') \g /dev/null
SELECT results_eq('SELECT notification_type, payload ->> ''message_en'', payload ->> ''message_ar'' FROM notification_outbox WHERE payload ->> ''reference_type'' = ''alert'' AND recipient_id = ' || quote_literal(:'root') || ' ORDER BY 1', $$ VALUES
    ('escalation_rate', '11.00 % of the assignments were escalated within a day', 'تم تصعيد 11.00 % من المهام خلال يوم'),
    ('queue_depth', '101 work items wait for somebody', '101 من بنود العمل في قائمة الانتظار'),
    ('sla_monitor_duration', 'sla-monitoring takes 5.500 seconds on average', 'تستغرق مراقبة المواعيد النهائية 5.500 ثانية في المتوسط') $$, 'an administrator is told of each, once');
UPDATE notification_outbox SET created_at = steward.now() - interval '23 hours' WHERE recipient_id = :'root';
SELECT rows FROM pg_temp.job('queue-fallback-processor', '2025-10-02 11:03+00') \g /dev/null
SELECT is(count(*), 1::bigint, 'for a day') FROM notification_outbox WHERE notification_type = 'queue_depth';
UPDATE notification_outbox SET created_at = steward.now() - interval '25 hours' WHERE recipient_id = :'root';
SELECT rows FROM pg_temp.job('queue-fallback-processor', '2025-10-02 11:04+00') \g /dev/null
SELECT is(count(*), 2::bigint, 'and a day later of what lasts, again') FROM notification_outbox WHERE notification_type = 'queue_depth';
ROLLBACK;
SELECT steward.recount_assignments() \g /dev/null
UPDATE staff_profiles SET individual_wip_limit = 20, current_assignment_count = 15 WHERE user_id = :'ann';
SELECT results_eq(format('SELECT user_id, utilization_pct, state FROM steward.staff_load'), format('VALUES (%L::uuid, 75.00, ''near_limit'')', :'ann'), 'who is near the limit');
SELECT results_eq('SELECT unit_id, total_staff, available_staff, total_capacity, state FROM steward.unit_capacity ORDER BY total_staff DESC',
    format('VALUES (%L::uuid, 2::bigint, 2::bigint, 25::bigint, ''at_limit''), (%L, 1, 0, 0, ''available''), (%L, 0, 0, 0, ''available'')', :'unit', :'away', :'empty'), 'how full the units are');
-- Row security narrows them; workers see everything by function.
CREATE FUNCTION pg_temp.seen_by(who uuid, view text) RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    n bigint;
BEGIN
    PERFORM set_config('request.jwt.claims', CASE WHEN who IS NULL THEN '' ELSE jsonb_build_object('sub', who)::text END, true);
    SET LOCAL ROLE authenticated;
    EXECUTE format('SELECT count(*) FROM steward.%I', view) INTO n;
    RESET ROLE;
    RETURN n;
END $$;
SELECT is(pg_temp.seen_by(:'boss', 'staff_load'), 1::bigint, 'the supervisor sees the own unit'), is(pg_temp.seen_by(:'ben', 'staff_load'), 0::bigint, 'another person not'), is(pg_temp.seen_by(NULL, 'unit_capacity'), 0::bigint, 'and nobody nothing');
SET ROLE steward_worker;
SELECT is((SELECT queue_depth FROM steward.queue_depth()), 0::bigint, 'a worker asks by function'), throws_ok('SELECT * FROM steward.queue_depth', '42501', NULL, 'and reads no table');
RESET ROLE;

SELECT * FROM finish();
