ALTER PUBLICATION supabase_realtime DROP TABLE public.assignments, public.assignment_queue, public.escalation_events;
DO $$
BEGIN
    -- Ours when nothing is left in it and we may drop it; the platform's stays.
    IF NOT EXISTS (SELECT FROM pg_publication_tables WHERE pubname = 'supabase_realtime')
       AND EXISTS (SELECT FROM pg_publication p WHERE p.pubname = 'supabase_realtime' AND p.pubowner = current_user::regrole AND NOT p.puballtables) THEN
        DROP PUBLICATION supabase_realtime;
    END IF;
END $$;

SELECT steward.quarantine_put('public.escalation_events_archive');
SELECT steward.quarantine_put('public.assignments_archive');
SELECT steward.quarantine_put('public.escalation_events');

DROP TRIGGER assignment_stays ON public.assignments;
DROP TRIGGER assignment_archive ON public.assignments;
DROP TABLE public.escalation_events_archive;
DROP TABLE public.assignments_archive;
DROP TABLE public.escalation_events;
DROP FUNCTION steward.gone_units();
DROP FUNCTION steward.led_people();
DROP FUNCTION steward.assignment_stays();
DROP FUNCTION steward.assignment_archive();
DROP FUNCTION steward.queue_escalation_archive();
DROP FUNCTION steward.escalation_lifecycle();
DROP FUNCTION steward.escalation_check();
