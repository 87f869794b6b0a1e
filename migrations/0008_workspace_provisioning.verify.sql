DO $$
DECLARE
    indexes int;
BEGIN
    PERFORM steward.require('relation', 'public.workspace_provisioning_queue');
    PERFORM steward.require('constraint',
        'public.workspace_provisioning_queue.workspace_provisioning_queue_status_check',
        'public.workspace_provisioning_queue.ux_queue_match_id',
        'public.workspace_provisioning_queue.chk_attempts_nonneg',
        'public.workspace_provisioning_queue.chk_attempts_capped',
        'public.workspace_provisioning_queue.chk_max_attempts',
        'public.workspace_provisioning_queue.chk_processing_lock',
        'public.project_chat_log_minimal.chk_system_user_id');
    PERFORM steward.require('relation', 'public.idx_queue_pending_ready', 'public.idx_queue_rollback',
        'public.idx_queue_created', 'public.idx_queue_match_id', 'public.idx_queue_locked', 'public.idx_queue_cleanup');
    PERFORM steward.require('column', 'public.advisor_match_requests.previous_status', 'public.project_advisors.updated_at');
    PERFORM steward.require('trigger', 'public.advisor_match_requests.trg_match_prev_status',
        'public.workspace_provisioning_queue.trg_queue_updated_at',
        'public.project_advisors.trg_project_advisors_updated_at',
        'public.advisor_match_requests.match_finalized',
        'public.workspace_provisioning_queue.queue_nudge_insert',
        'public.workspace_provisioning_queue.queue_nudge_update');
    PERFORM steward.require('function', 'public.project_bucket(uuid)', 'public.capture_prev_status()',
        'steward.provision_enqueue(uuid)', 'steward.match_finalized()');

    IF EXISTS (SELECT FROM pg_attribute WHERE attrelid = 'public.project_chat_log_minimal'::regclass
                AND attname = 'user_id' AND attnotnull) THEN
        RAISE EXCEPTION 'project_chat_log_minimal.user_id is still NOT NULL';
    END IF;
    IF EXISTS (SELECT FROM pg_class WHERE oid = 'public.workspace_provisioning_queue'::regclass AND relrowsecurity) THEN
        RAISE EXCEPTION 'row security of workspace_provisioning_queue is on';
    END IF;
    IF public.project_bucket('123e4567-e89b-12d3-a456-426614174000') <> 8 THEN
        RAISE EXCEPTION 'project_bucket answers wrongly';
    END IF;
END $$;
