DO $$
BEGIN
    PERFORM steward.require('function',
        'steward.set_availability(uuid, uuid, public.availability_status, timestamptz, text, text, uuid)');
END $$;
