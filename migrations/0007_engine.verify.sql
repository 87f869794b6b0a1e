DO $$
BEGIN
    PERFORM steward.require('relation', 'steward.event', 'steward.job_run', 'steward.feature_flag', 'steward.idx_event_created');
    PERFORM steward.require('row security', 'steward.event');
    PERFORM steward.require('constraint', 'steward.event.event_pkey', 'steward.job_run.job_run_slot_key',
        'steward.feature_flag.feature_flag_percent_check');
    PERFORM steward.require('function', 'steward.event_append(uuid, uuid, text, jsonb, uuid)',
        'steward.rollout_bucket(text, uuid)', 'steward.flag_is_on(text, uuid)',
        'steward.flag_set(text, boolean, numeric, text)', 'steward.flag_list()');
END $$;
