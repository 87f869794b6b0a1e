-- Matches: a project, the advisor proposed for it, and two approvals.

CREATE TYPE public.match_status AS ENUM (
    'pending', 'matched', 'client_approved', 'client_declined',
    'advisor_accepted', 'advisor_declined', 'finalized', 'expired');
COMMENT ON TYPE public.match_status IS 'the states of a match; enforce_match_status_transitions() knows the ways between them';

CREATE TABLE public.advisor_match_requests (
    id                 uuid                PRIMARY KEY DEFAULT gen_random_uuid(),
    organization_id    uuid                NOT NULL,
    project_id         uuid                NOT NULL,
    requested_by       uuid                NOT NULL REFERENCES auth.users ON DELETE CASCADE,
    match_criteria     jsonb               NOT NULL,
    status             public.match_status NOT NULL DEFAULT 'pending',
    matched_advisor_id uuid                REFERENCES auth.users ON DELETE SET NULL,
    match_score        numeric(5,2),
    match_reason       text,
    expires_at         timestamptz         NOT NULL,
    scoring_features   jsonb,
    finalized_at       timestamptz,
    created_at         timestamptz         NOT NULL DEFAULT steward.now(),
    updated_at         timestamptz         NOT NULL DEFAULT steward.now(),
    CONSTRAINT chk_expires_in_future CHECK (expires_at > created_at),
    CONSTRAINT advisor_match_requests_project_fkey FOREIGN KEY (organization_id, project_id)
        REFERENCES public.projects (organization_id, id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX uniq_open_match_per_project ON public.advisor_match_requests (project_id)
    WHERE status IN ('pending', 'matched');
CREATE INDEX idx_match_requests_project_status ON public.advisor_match_requests (project_id, status);
CREATE INDEX idx_match_requests_expiry ON public.advisor_match_requests (expires_at)
    WHERE status IN ('pending', 'matched');
CREATE INDEX idx_match_requests_advisor ON public.advisor_match_requests (matched_advisor_id)
    WHERE matched_advisor_id IS NOT NULL;
CREATE INDEX idx_match_requests_finalized ON public.advisor_match_requests (finalized_at, id)
    WHERE status = 'finalized';
CREATE INDEX idx_match_requests_forsaken ON public.advisor_match_requests (id)
    WHERE status = 'finalized' AND matched_advisor_id IS NULL;
COMMENT ON TABLE public.advisor_match_requests IS 'one row per request for an advisor, from the request to the workspace';
COMMENT ON COLUMN public.advisor_match_requests.finalized_at IS 'when the match was last finalized; a rollback leaves it';
COMMENT ON INDEX public.uniq_open_match_per_project IS 'a project looks for one advisor at a time';
COMMENT ON INDEX public.idx_match_requests_project_status IS 'the matches of a project';
COMMENT ON INDEX public.idx_match_requests_expiry IS 'open matches by the moment they expire';
COMMENT ON INDEX public.idx_match_requests_advisor IS 'the matches of an advisor; also what deleting a user looks through';
COMMENT ON INDEX public.idx_match_requests_finalized IS 'the sweep walks it with a cursor';
COMMENT ON INDEX public.idx_match_requests_forsaken IS 'finalized matches whose advisor is gone; empty when all is well';

CREATE TRIGGER match_requests_organization BEFORE INSERT ON public.advisor_match_requests
    FOR EACH ROW WHEN (NEW.organization_id IS NULL) EXECUTE FUNCTION steward.organization_from_project();
COMMENT ON TRIGGER match_requests_organization ON public.advisor_match_requests IS 'fills organization_id where the client did not';
CREATE TRIGGER match_requests_updated_at BEFORE UPDATE ON public.advisor_match_requests
    FOR EACH ROW WHEN (NEW.updated_at IS NOT DISTINCT FROM OLD.updated_at) EXECUTE FUNCTION public.update_updated_at_column();
COMMENT ON TRIGGER match_requests_updated_at ON public.advisor_match_requests IS 'stamps updated_at';

-- The two approvals may come in either order.  The way back from finalized leads
-- to where the match was finalized from; that column arrives with provisioning,
-- so it is read as a key that may be absent.
CREATE FUNCTION public.enforce_match_status_transitions() RETURNS trigger
    LANGUAGE plpgsql AS $$
DECLARE
    allowed public.match_status[];
BEGIN
    IF TG_OP = 'INSERT' THEN
        IF NEW.status <> 'pending' THEN
            RAISE EXCEPTION 'a match starts as pending, not as %', NEW.status;
        END IF;
        RETURN NEW;
    END IF;
    IF NEW.status = OLD.status THEN
        RETURN NEW;
    END IF;

    allowed := CASE OLD.status
        WHEN 'pending'          THEN '{matched, expired}'
        WHEN 'matched'          THEN '{client_approved, client_declined, advisor_accepted, advisor_declined, expired}'
        WHEN 'client_approved'  THEN '{advisor_accepted, finalized, advisor_declined, expired}'
        WHEN 'advisor_accepted' THEN '{client_approved, finalized, client_declined, expired}'
        WHEN 'client_declined'  THEN '{pending, expired}'
        WHEN 'advisor_declined' THEN '{pending, expired}'
        WHEN 'expired'          THEN '{pending}'
        WHEN 'finalized'        THEN ARRAY[COALESCE(to_jsonb(OLD) ->> 'previous_status', 'matched'), 'expired']::public.match_status[]
    END;
    IF NEW.status <> ALL (allowed) THEN
        RAISE EXCEPTION 'a match cannot go from % to %', OLD.status, NEW.status
            USING HINT = format('from %s it may go to %s', OLD.status, array_to_string(allowed, ', '));
    END IF;

    IF NEW.status = 'finalized' THEN
        IF NEW.matched_advisor_id IS NULL THEN
            RAISE EXCEPTION 'a match without an advisor cannot be finalized';
        END IF;
        NEW.finalized_at := steward.now();
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION public.enforce_match_status_transitions() IS
    'refuses every way between two states that the lifecycle does not draw, and stamps finalized_at';
CREATE TRIGGER match_status_transition_guard BEFORE INSERT OR UPDATE OF status ON public.advisor_match_requests
    FOR EACH ROW EXECUTE FUNCTION public.enforce_match_status_transitions();
COMMENT ON TRIGGER match_status_transition_guard ON public.advisor_match_requests IS 'keeps the lifecycle';

-- A row may name its organisation itself; here no composite key would notice a
-- wrong one, so the function does.
CREATE FUNCTION steward.organization_from_match() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    parent uuid;
BEGIN
    SELECT m.organization_id INTO parent FROM public.advisor_match_requests m WHERE m.id = NEW.match_request_id;
    IF NEW.organization_id IS NULL THEN
        NEW.organization_id := COALESCE(parent, (SELECT o.id FROM public.organizations o WHERE o.is_default));
    ELSIF NEW.organization_id <> parent THEN
        RAISE EXCEPTION 'organisation % is not the one of match %', NEW.organization_id, NEW.match_request_id
            USING ERRCODE = 'foreign_key_violation';
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION steward.organization_from_match() IS 'fills organization_id from the match, else from the default organisation; refuses another one';

CREATE TABLE public.advisor_match_approvals (
    id               uuid        PRIMARY KEY DEFAULT gen_random_uuid(),
    organization_id  uuid        NOT NULL REFERENCES public.organizations,
    match_request_id uuid        REFERENCES public.advisor_match_requests ON DELETE CASCADE,
    approver_id      uuid        NOT NULL REFERENCES auth.users ON DELETE CASCADE,
    approver_type    text        NOT NULL
        CONSTRAINT advisor_match_approvals_approver_type_check CHECK (approver_type IN ('client', 'advisor')),
    decision         text        NOT NULL
        CONSTRAINT advisor_match_approvals_decision_check CHECK (decision IN ('approved', 'declined')),
    reason           text,
    decided_at       timestamptz NOT NULL DEFAULT steward.now()
);
CREATE INDEX idx_match_approvals_match ON public.advisor_match_approvals (match_request_id);
COMMENT ON TABLE public.advisor_match_approvals IS 'every decision that changed a match: who, what, when and why';
COMMENT ON INDEX public.idx_match_approvals_match IS 'the decisions about a match';
CREATE TRIGGER match_approvals_organization BEFORE INSERT ON public.advisor_match_approvals
    FOR EACH ROW EXECUTE FUNCTION steward.organization_from_match();
COMMENT ON TRIGGER match_approvals_organization ON public.advisor_match_approvals IS 'fills or checks organization_id';

SELECT steward.protect('public.advisor_match_requests');
CREATE POLICY party ON public.advisor_match_requests FOR SELECT TO authenticated
    USING (requested_by = (SELECT auth.uid()) OR matched_advisor_id = (SELECT auth.uid())
           OR project_id = ANY ((SELECT steward.owned_projects())::uuid[]));
COMMENT ON POLICY party ON public.advisor_match_requests IS 'who asked, who was proposed and who owns the project see the match';
GRANT SELECT ON public.advisor_match_requests TO authenticated;

SELECT steward.protect('public.advisor_match_approvals');
CREATE POLICY own ON public.advisor_match_approvals FOR SELECT TO authenticated USING (approver_id = (SELECT auth.uid()));
COMMENT ON POLICY own ON public.advisor_match_approvals IS 'everybody sees the own decisions';
GRANT SELECT ON public.advisor_match_approvals TO authenticated;

SELECT steward.quarantine_restore('public.advisor_match_requests');
SELECT steward.quarantine_restore('public.advisor_match_approvals');
