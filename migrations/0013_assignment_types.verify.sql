DO $$
BEGIN
    PERFORM steward.require('type', 'public.priority_level', 'public.availability_status', 'public.work_item_type',
        'public.assignment_status', 'public.escalation_reason');
    PERFORM steward.require('function', 'public.increment_version_column()');
    IF 'urgent'::public.priority_level < 'low'::public.priority_level THEN
        RAISE EXCEPTION 'priority_level is declared the wrong way round: DESC must give urgent first';
    END IF;
END $$;
