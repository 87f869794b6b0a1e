DO $$
DECLARE
    called text;
BEGIN
    PERFORM steward.require('column', 'steward.upkeep.assignment_days', 'steward.upkeep.escalation_days',
        'steward.upkeep.snapshot_days', 'steward.upkeep.history_days',
        'steward.upkeep.passed_completed', 'steward.upkeep.passed_cancelled',
        'steward.upkeep.passed_escalations', 'steward.upkeep.passed_queue_escalations', 'steward.upkeep.passed_archived_escalations');
    PERFORM steward.require('relation', 'public.idx_assignments_closed', 'steward.queue_depth', 'steward.escalation_rate',
        'steward.sla_compliance', 'steward.sla_monitor_duration', 'steward.escalation_trend', 'steward.staff_load',
        'steward.unit_capacity');
    PERFORM steward.require('function', 'steward.job_sla_monitoring(timestamptz)',
        'steward.job_queue_fallback_processor(timestamptz)', 'steward.job_capacity_snapshot(timestamptz)',
        'steward.job_escalation_cleanup(timestamptz)', 'steward.job_archive_assignments(timestamptz)',
        'steward.job_recount_assignments(timestamptz)', 'steward.engine_alerts(timestamptz)');
    FOREACH called IN ARRAY '{queue_depth(),escalation_rate(),sla_compliance(),sla_monitor_duration(),escalation_trend(),staff_load(),unit_capacity(),
                              queue_list(int),overdue_list(int),overdue_count(),escalation_list(int),load_list(),item_show(text),item_story(text)}'::text[] LOOP
        IF NOT has_function_privilege('steward_worker', 'steward.' || called, 'EXECUTE') THEN
            RAISE EXCEPTION 'steward_worker may not call %', called;
        END IF;
    END LOOP;
END $$;
