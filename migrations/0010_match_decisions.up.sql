-- Approving and declining.  The api functions run as the caller, so row security
-- decides whether there is such a match; writing needs more than a caller may
-- have, and is left to one definer function that checks the party by itself.

-- The first approval waits for the other side's, the second finalizes.  The row
-- lock makes two approvals at the same moment two approvals one after the other.
CREATE FUNCTION steward.match_decide(match uuid, side text, decision text, reason text,
                                     OUT outcome text, OUT status public.match_status, OUT queued boolean)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    m        public.advisor_match_requests;
    mine     public.match_status[];    -- approved and declined, as this side says it
    theirs   public.match_status;      -- the other side's approval
    approves boolean := decision = 'approved';
BEGIN
    queued := false;
    IF side = 'client' THEN
        mine := '{client_approved, client_declined}';
        theirs := 'advisor_accepted';
    ELSE
        mine := '{advisor_accepted, advisor_declined}';
        theirs := 'client_approved';
    END IF;

    SELECT r.* INTO m FROM public.advisor_match_requests r
     WHERE r.id = match
       AND CASE side
           WHEN 'client'  THEN EXISTS (SELECT FROM public.projects p WHERE p.id = r.project_id AND p.owner_id = auth.uid())
           WHEN 'advisor' THEN r.matched_advisor_id = auth.uid()
           END
       FOR NO KEY UPDATE OF r;
    IF NOT FOUND THEN
        outcome := 'not_found';
        RETURN;
    END IF;

    status := m.status;
    outcome := CASE
        WHEN m.status = 'finalized' OR m.status = mine[1] THEN CASE WHEN approves THEN 'duplicate' ELSE 'conflict' END
        WHEN m.status = mine[2] THEN CASE WHEN approves THEN 'conflict' ELSE 'duplicate' END
        WHEN m.status = theirs THEN 'done'
        WHEN m.status = 'matched' AND m.expires_at > steward.now() THEN 'done'
        ELSE 'invalid_state'
    END;
    IF outcome <> 'done' THEN
        RETURN;
    END IF;

    status := CASE WHEN NOT approves THEN mine[2] WHEN m.status = theirs THEN 'finalized' ELSE mine[1] END;
    INSERT INTO public.advisor_match_approvals (organization_id, match_request_id, approver_id, approver_type, decision, reason)
    VALUES (m.organization_id, m.id, auth.uid(), side, match_decide.decision, match_decide.reason);
    UPDATE public.advisor_match_requests r
       SET status = match_decide.status, match_reason = COALESCE(match_decide.reason, r.match_reason)
     WHERE r.id = m.id;
    queued := match_decide.status = 'finalized'
        AND EXISTS (SELECT FROM public.workspace_provisioning_queue q WHERE q.match_id = m.id AND q.status = 'pending');
END $$;
COMMENT ON FUNCTION steward.match_decide(uuid, text, text, text) IS
    'the decision of the user of the claims about a match of theirs; outcome is done, duplicate, conflict, invalid_state or not_found';
GRANT EXECUTE ON FUNCTION steward.match_decide(uuid, text, text, text) TO authenticated, service_role;

CREATE FUNCTION steward.api_error(code text, message text, field text, details jsonb) RETURNS jsonb
    LANGUAGE sql IMMUTABLE AS $$
    SELECT jsonb_strip_nulls(jsonb_build_object('success', false, 'error', message, 'message', message, 'code', code,
                                                'field', NULLIF(field, ''), 'details', NULLIF(details, 'null')))
$$;
COMMENT ON FUNCTION steward.api_error(text, text, text, jsonb) IS 'the body of an answer that is no';
GRANT EXECUTE ON FUNCTION steward.api_error(text, text, text, jsonb) TO authenticated, service_role;

-- Either the caller's statement_timeout is over, or somebody cancelled; or others were in
-- the way, and will not be for long.
CREATE FUNCTION steward.api_undone(state text, OUT status int, OUT headers jsonb, OUT body jsonb)
    LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE state WHEN '57014' THEN 504 ELSE 503 END,
           CASE state WHEN '57014' THEN '{}' ELSE '{"Retry-After": "1"}' END::jsonb,
           CASE state WHEN '57014'
                THEN steward.api_error('STATEMENT_TIMEOUT', 'the time for this request was over before it was done; nothing of it happened', NULL, NULL)
                ELSE steward.api_error('RESOURCE_BUSY', 'what this request needs is just being changed; nothing of it happened, try again', NULL, NULL) END
$$;
COMMENT ON FUNCTION steward.api_undone(text) IS 'the answer of an operation that was cancelled, timed out or gave way to others';
GRANT EXECUTE ON FUNCTION steward.api_undone(text) TO authenticated, service_role;

-- Planned once: the planner takes a plan of its own for each call to be cheaper,
-- without what planning costs, and auth.uid() is planned anew whenever the search
-- path is another one than at the call before.
CREATE FUNCTION steward.match_decision(request jsonb, side text) RETURNS TABLE (status int, headers jsonb, body jsonb)
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    correlation text := COALESCE(request ->> 'correlation_id', gen_random_uuid()::text);
    field       text;
    complaint   text;
    match       uuid;
    word        text;
    reason      text := request ->> 'reason';
    decided     record;
BEGIN
    headers := '{}';
    word := CASE WHEN request ->> 'decision' IN ('approved', 'approve') THEN 'approved'
                 WHEN request ->> 'decision' IN ('declined', 'decline') THEN 'declined' END;
    IF request IS NULL OR jsonb_typeof(request) <> 'object' THEN
        field := 'request';
        complaint := 'request must be an object';
    ELSIF COALESCE(request ->> 'match_id' !~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$', true) THEN
        field := 'match_id';
        complaint := 'match_id must be a uuid';
    ELSIF word IS NULL OR jsonb_typeof(request -> 'decision') <> 'string' THEN
        field := 'decision';
        complaint := 'decision must be approved or declined';
    ELSIF jsonb_typeof(request -> 'reason') NOT IN ('string', 'null') OR length(reason) > 500 THEN
        field := 'reason';
        complaint := 'reason must be a text of at most 500 characters';
    END IF;
    IF field IS NOT NULL THEN
        status := 400;
        body := jsonb_build_object('success', false, 'error', complaint, 'code', 'VALIDATION_ERROR', 'field', field,
                                   'correlationId', correlation);
        RETURN NEXT;
        RETURN;
    END IF;
    IF auth.uid() IS NULL THEN
        status := 401;
        body := jsonb_build_object('success', false, 'error', 'the request names no user', 'code', 'AUTHENTICATION_ERROR',
                                   'correlationId', correlation);
        RETURN NEXT;
        RETURN;
    END IF;

    match := (request ->> 'match_id')::uuid;
    BEGIN
        -- Row security has the first word: what the caller cannot see is not there.
        IF EXISTS (SELECT FROM public.advisor_match_requests r WHERE r.id = match) THEN
            SELECT * INTO decided FROM steward.match_decide(match, side, word, reason);
        ELSE
            SELECT 'not_found' AS outcome, NULL::public.match_status AS status, false AS queued INTO decided;
        END IF;
    EXCEPTION WHEN query_canceled OR lock_not_available OR transaction_rollback THEN
        SELECT u.status, u.headers, u.body || jsonb_build_object('correlationId', correlation)
          INTO status, headers, body FROM steward.api_undone(SQLSTATE) u;
        RETURN NEXT;
        RETURN;
    END;

    status := CASE decided.outcome
        WHEN 'done' THEN 200 WHEN 'duplicate' THEN 200
        WHEN 'not_found' THEN 404 WHEN 'conflict' THEN 409 WHEN 'invalid_state' THEN 412 END;
    IF status = 200 THEN
        body := jsonb_build_object('success', true, 'correlationId', correlation, 'data',
            jsonb_build_object('status', decided.status)
            || CASE WHEN decided.queued THEN '{"workspaceProvisioning": "queued"}' ELSE '{}' END::jsonb
            || CASE WHEN decided.outcome = 'duplicate' THEN '{"duplicate": true}' ELSE '{}' END::jsonb);
    ELSE
        body := jsonb_build_object('success', false, 'correlationId', correlation,
            'code', CASE status WHEN 404 THEN 'MATCH_NOT_FOUND' WHEN 409 THEN 'MATCH_CONFLICT' ELSE 'STATE_CHANGED' END,
            'error', CASE status
                WHEN 404 THEN 'there is no such match'
                WHEN 409 THEN format('the %s has already decided otherwise', side)
                ELSE format('a match that is %s cannot be decided', decided.status) END)
            || CASE WHEN status = 404 THEN '{}' ELSE jsonb_build_object('status', decided.status) END;
    END IF;
    RETURN NEXT;
END $$;
COMMENT ON FUNCTION steward.match_decision(jsonb, text) IS 'checks the request of a decision, has it made, and words the answer; 503 and 504 leave nothing behind';
GRANT EXECUTE ON FUNCTION steward.match_decision(jsonb, text) TO authenticated, service_role;

CREATE FUNCTION api.match_client_decision(request jsonb) RETURNS TABLE (status int, headers jsonb, body jsonb)
    LANGUAGE plpgsql AS $$ BEGIN RETURN QUERY SELECT d.* FROM steward.match_decision(request, 'client') d; END $$;
COMMENT ON FUNCTION api.match_client_decision(jsonb) IS
    'the project owner approves or declines a match: {match_id, decision: approved|declined|approve|decline, reason?}';
GRANT EXECUTE ON FUNCTION api.match_client_decision(jsonb) TO authenticated, service_role;

CREATE FUNCTION api.match_advisor_decision(request jsonb) RETURNS TABLE (status int, headers jsonb, body jsonb)
    LANGUAGE plpgsql AS $$ BEGIN RETURN QUERY SELECT d.* FROM steward.match_decision(request, 'advisor') d; END $$;
COMMENT ON FUNCTION api.match_advisor_decision(jsonb) IS
    'the matched advisor accepts or declines: {match_id, decision: approved|declined|approve|decline, reason?}';
GRANT EXECUTE ON FUNCTION api.match_advisor_decision(jsonb) TO authenticated, service_role;
