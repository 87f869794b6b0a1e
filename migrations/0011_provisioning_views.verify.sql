DO $$
BEGIN
    PERFORM steward.require('relation', 'steward.provisioning_health', 'steward.provisioning_performance',
        'steward.provisioning_errors', 'steward.provisioning_error_groups', 'steward.provisioning_stuck',
        'steward.provisioning_stale', 'steward.provisioning_list');
    PERFORM steward.require('function', 'steward.provisioning_health()', 'steward.provisioning_performance(interval)',
        'steward.provisioning_errors()', 'steward.error_catalogue()', 'steward.error_class(text, jsonb)', 'steward.provisioning_error_groups()',
        'steward.provisioning_stuck()', 'steward.provisioning_stale()', 'steward.provisioning_list(int)',
        'steward.provisioning_show(uuid)', 'steward.alerts_waiting()', 'steward.provisioning_retry(uuid)',
        'steward.provisioning_unstick(interval)', 'steward.provisioning_verify(uuid)',
        'steward.provisioning_backfill(int)', 'steward.provisioning_accept(interval)');
END $$;
