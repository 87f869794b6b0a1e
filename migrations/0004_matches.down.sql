SELECT steward.quarantine_put('public.advisor_match_approvals');
SELECT steward.quarantine_put('public.advisor_match_requests');

DROP TABLE public.advisor_match_approvals;
DROP TABLE public.advisor_match_requests;
DROP FUNCTION steward.organization_from_match();
DROP FUNCTION public.enforce_match_status_transitions();
DROP TYPE public.match_status;
