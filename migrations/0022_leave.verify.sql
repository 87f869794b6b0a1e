DO $$
BEGIN
    PERFORM steward.require('function',
        'steward.leave_locks(public.staff_profiles)', 'steward.leave_work(public.staff_profiles, uuid[])',
        'steward.set_availability(uuid, uuid, public.availability_status, timestamptz, text, text, uuid)', 'steward.staff_goes()');
    PERFORM steward.require('trigger', 'public.staff_profiles.staff_goes');
END $$;
