DO $$
BEGIN
    PERFORM steward.require('relation', 'steward.sla_trouble', 'steward.idx_sla_trouble_retry', 'public.idx_outbox_late');
    PERFORM steward.require('function', 'steward.escalation_recipients(uuid[], uuid[], uuid[])',
        'public.get_escalation_recipient(uuid)', 'steward.outbox_fold(text, uuid[])',
        'steward.sla_alert(text, uuid[], uuid[], text[], text[], bigint[])', 'steward.sla_claim(text, int, timestamptz)',
        'steward.sla_breach(uuid[], tid[], timestamptz)', 'steward.sla_warn(tid[], timestamptz)',
        'steward.queue_unit(public.assignment_queue, uuid)', 'steward.queue_recipients(uuid[])', 'steward.queue_breach(uuid[], timestamptz)', 'steward.queue_warn(uuid[], timestamptz)',
        'steward.sla_step(text, uuid[], tid[], timestamptz, text)', 'steward.sla_first()',
        'steward.sla_next_due(timestamptz, timestamptz)', 'steward.sla_turn(text, int)',
        'public.sla_check_and_escalate()', 'steward.sla_wake()', 'steward.assignments_claim(int, timestamptz)',
        'steward.escalation_beyond(uuid, uuid, uuid, uuid)',
        'steward.escalate(uuid, public.escalation_reason, uuid, text)', 'steward.queue_escalate(uuid, uuid, text)',
        'steward.queue_raise(public.assignment_queue, uuid, text)', 'steward.queue_exhausted()',
        'steward.escalation_answer(uuid, uuid, boolean, text)', 'steward.may_lead(uuid, uuid)',
        'steward.must_be_allowed(boolean, uuid)', 'steward.may_settle(uuid, uuid, uuid, uuid)');
    PERFORM steward.require('trigger', 'public.staff_profiles.sla_wake', 'public.assignment_queue.queue_exhausted', 'public.assignment_queue.sla_wake');
    IF NOT has_function_privilege('steward_worker', 'steward.sla_turn(text, int)', 'EXECUTE') THEN
        RAISE EXCEPTION 'steward_worker may not call sla_turn';
    END IF;
END $$;
