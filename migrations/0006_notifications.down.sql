SELECT steward.quarantine_put('public.admin_matching_interventions');
SELECT steward.quarantine_put('public.notification_outbox');

DROP TABLE public.admin_matching_interventions;
DROP TABLE public.notification_outbox;
DROP FUNCTION steward.organization_exists();
DROP TYPE public.notification_status;
