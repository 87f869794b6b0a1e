DO $$
BEGIN
    PERFORM steward.require('type', 'steward.choice');
    PERFORM steward.require('function',
        'steward.skill_ids(uuid, jsonb)',
        'steward.unit_rules(uuid, uuid[])',
        'steward.assign_candidates(uuid, uuid[], uuid, boolean)',
        'steward.assign_score(bigint)',
        'steward.assign_head(uuid, uuid[])',
        'steward.assign_pick(uuid, uuid[], uuid, boolean, uuid, uuid, text, uuid[])',
        'steward.assign_claim(uuid, uuid[], uuid, uuid, uuid, text, uuid[])',
        'steward.assignment_answer(public.assignments, text)',
        'steward.queue_answer(public.assignment_queue)',
        'steward.assign_explain(uuid, uuid[], uuid)',
        'steward.auto_assign(text, public.work_item_type, uuid[], public.priority_level, uuid, uuid, uuid, boolean)',
        'steward.assign_override(uuid, text, public.work_item_type, uuid, public.priority_level, text, uuid, uuid[], boolean)',
        'steward.next_set(uuid[], uuid[])',
        'steward.queue_try(uuid, boolean, uuid[])',
        'steward.queue_serve(uuid[], int, boolean)',
        'steward.queue_drain(text, int, boolean)',
        'public.process_queue_for_unit(uuid)',
        'public.process_stale_queue_items()',
        'public.find_eligible_staff_for_assignment(uuid[], uuid, int)');
END $$;
