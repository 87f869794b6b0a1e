DO $$
BEGIN
    PERFORM steward.require('type', 'public.match_status');
    PERFORM steward.require('row security', 'public.advisor_match_requests', 'public.advisor_match_approvals');
    PERFORM steward.require('column', 'public.advisor_match_requests.finalized_at');
    PERFORM steward.require('constraint', 'public.advisor_match_requests.chk_expires_in_future',
        'public.advisor_match_requests.advisor_match_requests_project_fkey');
    PERFORM steward.require('relation', 'public.uniq_open_match_per_project', 'public.idx_match_requests_finalized',
        'public.idx_match_requests_forsaken');
    PERFORM steward.require('function', 'public.enforce_match_status_transitions()', 'steward.organization_from_match()');
    PERFORM steward.require('trigger', 'public.advisor_match_requests.match_status_transition_guard',
        'public.advisor_match_requests.match_requests_updated_at', 'public.advisor_match_approvals.match_approvals_organization');
END $$;
