DO $$
BEGIN
    PERFORM steward.require('row security', 'public.escalation_events', 'public.assignments_archive',
        'public.escalation_events_archive');
    PERFORM steward.require('function', 'steward.led_people()', 'steward.gone_units()');
    PERFORM steward.require('trigger', 'public.escalation_events.escalation_check',
        'public.escalation_events.escalation_organization_exists',
        'public.escalation_events.escalation_lifecycle', 'public.escalation_events.queue_escalation_archive',
        'public.assignments.assignment_archive', 'public.assignments.assignment_stays');
    PERFORM steward.require('relation', 'public.idx_escalation_once', 'public.idx_escalation_queue',
        'public.idx_escalation_to', 'public.idx_escalation_from', 'public.idx_escalation_unit', 'public.idx_escalation_date_reason',
        'public.idx_escalation_cleanup', 'public.idx_escalation_by', 'public.idx_escalation_archive_assignment',
        'public.idx_assignments_archive_date', 'public.idx_assignments_archive_assigned');
    IF (SELECT count(*) FROM pg_publication_tables
         WHERE pubname = 'supabase_realtime' AND schemaname = 'public'
           AND tablename IN ('assignments', 'assignment_queue', 'escalation_events')) <> 3 THEN
        RAISE EXCEPTION 'publication supabase_realtime lacks assignments, assignment_queue or escalation_events';
    END IF;
END $$;
