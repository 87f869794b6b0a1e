DO $$
BEGIN
    PERFORM steward.require('type', 'public.notification_status');
    PERFORM steward.require('row security', 'public.notification_outbox', 'public.admin_matching_interventions');
    PERFORM steward.require('relation', 'public.uniq_outbox_dedupe', 'public.idx_outbox_processing',
        'public.idx_interventions_created');
    PERFORM steward.require('trigger', 'public.notification_outbox.outbox_organization',
        'public.notification_outbox.outbox_organization_exists', 'public.admin_matching_interventions.interventions_organization');
END $$;
