-- Every schedule that calls what is dropped below, under whatever name.
SELECT steward.quarantine_put('steward.job_schedule', 'to_regprocedure(call) = ANY (ARRAY[
    ''steward.job_sla_monitoring(timestamptz)'',
    ''steward.job_queue_fallback_processor(timestamptz)'',
    ''steward.job_capacity_snapshot(timestamptz)'',
    ''steward.job_escalation_cleanup(timestamptz)'',
    ''steward.job_archive_assignments(timestamptz)'',
    ''steward.job_recount_assignments(timestamptz)'']::regprocedure[])', 'steward.job_schedule 0023');
DELETE FROM steward.job_schedule WHERE to_regprocedure(call) = ANY (ARRAY[
    'steward.job_sla_monitoring(timestamptz)',
    'steward.job_queue_fallback_processor(timestamptz)',
    'steward.job_capacity_snapshot(timestamptz)',
    'steward.job_escalation_cleanup(timestamptz)',
    'steward.job_archive_assignments(timestamptz)',
    'steward.job_recount_assignments(timestamptz)']::regprocedure[]);
SELECT steward.quarantine_put('steward.upkeep', 'true', 'steward.upkeep 0023');

DROP FUNCTION steward.item_story(text);
DROP FUNCTION steward.item_show(text);
DROP FUNCTION steward.load_list();
DROP FUNCTION steward.escalation_list(int);
DROP FUNCTION steward.overdue_count();
DROP FUNCTION steward.overdue_list(int);
DROP FUNCTION steward.queue_list(int);
DROP FUNCTION steward.person_email(uuid);
DROP FUNCTION steward.unit_capacity();
DROP FUNCTION steward.staff_load();
DROP FUNCTION steward.escalation_trend();
DROP FUNCTION steward.sla_monitor_duration();
DROP FUNCTION steward.sla_compliance();
DROP FUNCTION steward.escalation_rate();
DROP FUNCTION steward.queue_depth();
DROP FUNCTION steward.engine_alerts(timestamptz);
DROP VIEW steward.unit_capacity;
DROP VIEW steward.staff_load;
DROP VIEW steward.escalation_trend;
DROP VIEW steward.sla_monitor_duration;
DROP VIEW steward.sla_compliance;
DROP VIEW steward.escalation_rate;
DROP VIEW steward.queue_depth;
DROP FUNCTION steward.job_recount_assignments(timestamptz);
DROP FUNCTION steward.job_archive_assignments(timestamptz);
DROP FUNCTION steward.job_escalation_cleanup(timestamptz);
DROP FUNCTION steward.job_capacity_snapshot(timestamptz);
DROP FUNCTION steward.job_queue_fallback_processor(timestamptz);
DROP FUNCTION steward.job_sla_monitoring(timestamptz);
DROP INDEX public.idx_assignments_closed;
ALTER TABLE steward.upkeep
    DROP CONSTRAINT upkeep_assignments_check,
    DROP COLUMN assignment_days, DROP COLUMN escalation_days, DROP COLUMN snapshot_days, DROP COLUMN history_days,
    DROP COLUMN passed_completed, DROP COLUMN passed_cancelled,
    DROP COLUMN passed_escalations, DROP COLUMN passed_queue_escalations, DROP COLUMN passed_archived_escalations;
