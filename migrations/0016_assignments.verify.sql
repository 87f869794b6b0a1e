DO $$
BEGIN
    PERFORM steward.require('row security', 'public.assignments', 'public.assignment_history', 'steward.assignment_due');
    PERFORM steward.require('function', 'public.calculate_sla_deadline_fn()', 'public.update_staff_assignment_count()',
        'steward.recount_assignments(boolean)', 'steward.assignment_next(public.assignment_status)',
        'steward.due_at(public.assignment_status, timestamptz, timestamptz, timestamptz, timestamptz)', 'steward.watch_again(uuid[])');
    PERFORM steward.require('trigger', 'public.skills.skill_in_work', 'public.assignments.calculate_sla_deadline', 'public.assignments.sla_restate',
        'public.assignments.assignment_skills',
        'public.assignments.assignment_lifecycle', 'public.assignments.increment_assignment_version',
        'public.assignments.recipient_exists', 'public.assignments.assignment_moves', 'public.assignments.update_assignment_count',
        'public.assignments.update_assignment_count_change', 'public.assignments.update_assignment_count_delete',
        'public.assignments.assignment_remember', 'public.assignments.assignment_watch', 'public.assignments.assignment_watch_change',
        'public.assignments.assignment_watch_none',
        'public.staff_profiles.staff_moves', 'public.staff_profiles.staff_leaves',
        'public.staff_profiles.staff_stays');
    PERFORM steward.require('relation', 'public.idx_assignments_active_unique', 'public.idx_assignments_assignee_status_sla',
        'public.idx_assignments_unit', 'public.idx_assignments_status_sla_covering', 'public.idx_assignments_sla_partial',
        'public.idx_assignments_completed', 'public.idx_assignment_history',
        'public.idx_assignments_assigned_by', 'public.idx_assignments_reassigned');
    PERFORM steward.require('constraint', 'public.assignments.assignments_unit_fkey',
        'public.assignments.assignments_target_fkey', 'public.assignments.assignments_escalated_check',
        'public.assignments.assignments_completed_check');
END $$;
