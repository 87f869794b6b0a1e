DO $$
BEGIN
    PERFORM steward.require('function', 'steward.is_environment(text)',
        'steward.match_tell(uuid, uuid, public.match_status, text, text)', 'steward.match_rollback(uuid, text, text)',
        'steward.match_forsaken()', 'steward.match_forsaken_tell()', 'steward.provision_give_up(uuid, text, text, text)',
        'steward.error_place(text, text)', 'steward.provision_failed(uuid, text, text, text, boolean, text)', 'steward.is_in_share(uuid, int)',
        'steward.provision_apply(uuid[], int, int, boolean)',
        'steward.provision_claim(int, int)', 'steward.provision_try(uuid[], int, boolean, text)',
        'steward.provision_split(uuid[], int, boolean, text)',
        'steward.provision_odd(uuid[], int, text)', 'steward.provision_reap(text, interval, int)',
        'steward.provision_batch(text, int, boolean)', 'steward.provision_upkeep(text)',
        'steward.match_unserved(public.advisor_match_requests)', 'steward.provision_forgotten(uuid)',
        'steward.provision_forsaken(uuid)', 'steward.prune(regclass, tid[])',
        'steward.prune_old(regclass, text, timestamptz, int, int, int)');
    PERFORM steward.require('relation', 'steward.upkeep', 'public.idx_outbox_alerts');
    PERFORM steward.require('trigger', 'public.advisor_match_requests.match_forsaken',
        'public.advisor_match_requests.match_forsaken_tell');
    IF NOT has_function_privilege('steward_worker', 'steward.provision_batch(text, int, boolean)', 'EXECUTE') THEN
        RAISE EXCEPTION 'steward_worker may not call provision_batch';
    END IF;
END $$;
