DO $$
BEGIN
    PERFORM steward.require('row security', 'public.assignment_queue');
    PERFORM steward.require('relation', 'steward.capacity_freed', 'public.idx_queue_priority_created', 'public.idx_queue_order',
        'public.idx_queue_serveable', 'public.idx_queue_target', 'public.idx_queue_new', 'public.idx_queue_stale_items',
        'public.idx_queue_sla_breach', 'public.idx_queue_recipient', 'public.idx_queue_sla_warning');
    PERFORM steward.require('function', 'public.process_queue_on_capacity_change()', 'steward.queue_renew()');
    PERFORM steward.require('trigger', 'public.assignments.assignment_completion_trigger',
        'public.assignments.assignment_deletion_trigger', 'public.staff_profiles.staff_arrival_trigger',
        'public.staff_profiles.staff_capacity_trigger', 'public.organizational_units.unit_capacity_trigger',
        'public.assignment_queue.queue_arrival_trigger', 'public.assignment_queue.queue_check', 'public.skills.skill_in_queue',
        'public.assignment_rules.rule_capacity_trigger', 'public.assignment_queue.queue_renew',
        'public.assignment_queue.queue_renewal_trigger', 'public.assignment_queue.queue_promise', 'public.assignment_queue.queue_promise_change');
    PERFORM steward.require('constraint', 'public.assignment_queue.unique_queued_item',
        'public.assignment_queue.assignment_queue_target_fkey');
END $$;
