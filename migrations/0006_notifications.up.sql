-- What people are told (the outbox) and what administrators have to know about
-- a match that did not go by itself (interventions).

CREATE TYPE public.notification_status AS ENUM ('pending', 'queued', 'delivered', 'failed');
COMMENT ON TYPE public.notification_status IS 'how far a notification has come';

-- The organisation is that of the fact, which has the foreign key; another one here
-- would be paid for by every notice.
CREATE TABLE public.notification_outbox (
    id                uuid                       PRIMARY KEY DEFAULT gen_random_uuid(),
    organization_id   uuid                       NOT NULL,
    match_request_id  uuid                       REFERENCES public.advisor_match_requests ON DELETE CASCADE,
    recipient_id      uuid                       NOT NULL REFERENCES auth.users ON DELETE CASCADE,
    notification_type text                       NOT NULL,
    delivery_method   text                       NOT NULL,
    payload           jsonb                      NOT NULL,
    status            public.notification_status NOT NULL DEFAULT 'pending',
    attempts          int                        NOT NULL DEFAULT 0,
    max_attempts      int                        NOT NULL DEFAULT 3,
    next_attempt_at   timestamptz                NOT NULL DEFAULT steward.now(),
    delivered_at      timestamptz,
    dead_letter       boolean                    NOT NULL DEFAULT false,
    created_at        timestamptz                NOT NULL DEFAULT steward.now()
);
CREATE UNIQUE INDEX uniq_outbox_dedupe ON public.notification_outbox
    (match_request_id, recipient_id, notification_type, delivery_method) WHERE match_request_id IS NOT NULL AND status IN ('pending', 'queued');
CREATE INDEX idx_outbox_processing ON public.notification_outbox (next_attempt_at) WHERE status IN ('pending', 'queued');
CREATE INDEX idx_outbox_dead_letter ON public.notification_outbox (created_at) WHERE dead_letter;
CREATE INDEX idx_outbox_recipient ON public.notification_outbox (recipient_id);
COMMENT ON TABLE public.notification_outbox IS 'what somebody has to be told; written with the fact, delivered later';
COMMENT ON INDEX public.uniq_outbox_dedupe IS 'nobody is told the same thing about a match twice while the first one waits';
COMMENT ON INDEX public.idx_outbox_processing IS 'undelivered notifications by due time';
COMMENT ON INDEX public.idx_outbox_dead_letter IS 'notifications that were given up';
COMMENT ON INDEX public.idx_outbox_recipient IS 'what a user was told; also what deleting a user looks through';
CREATE TRIGGER outbox_organization BEFORE INSERT ON public.notification_outbox
    FOR EACH ROW WHEN (NEW.organization_id IS NULL OR NEW.match_request_id IS NOT NULL) EXECUTE FUNCTION steward.organization_from_match();
COMMENT ON TRIGGER outbox_organization ON public.notification_outbox IS 'fills or checks organization_id';
CREATE FUNCTION steward.organization_exists() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM FROM public.organizations o WHERE o.id = NEW.organization_id FOR KEY SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no organisation %', NEW.organization_id
            USING ERRCODE = 'foreign_key_violation', COLUMN = 'organization_id';
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION steward.organization_exists() IS 'refuses an organisation that does not exist, where no foreign key does';
CREATE TRIGGER outbox_organization_exists BEFORE INSERT OR UPDATE OF organization_id ON public.notification_outbox
    FOR EACH ROW WHEN (current_user <> 'steward_owner') EXECUTE FUNCTION steward.organization_exists();
COMMENT ON TRIGGER outbox_organization_exists ON public.notification_outbox IS 'a client names an organisation that exists';

SELECT steward.protect('public.notification_outbox');
CREATE POLICY own ON public.notification_outbox FOR SELECT TO authenticated USING (recipient_id = (SELECT auth.uid()));
COMMENT ON POLICY own ON public.notification_outbox IS 'everybody sees what they were told';
GRANT SELECT ON public.notification_outbox TO authenticated;

CREATE TABLE public.admin_matching_interventions (
    id                    uuid         PRIMARY KEY DEFAULT gen_random_uuid(),
    organization_id       uuid         NOT NULL REFERENCES public.organizations,
    project_id            uuid,
    admin_id              uuid         REFERENCES auth.users ON DELETE SET NULL,
    intervention_type     text         NOT NULL,
    original_advisor_id   uuid         REFERENCES auth.users ON DELETE SET NULL,
    new_advisor_id        uuid         REFERENCES auth.users ON DELETE SET NULL,
    reason                text         NOT NULL,
    automated_match_score numeric(5,2),
    intervention_metadata jsonb,
    created_at            timestamptz  NOT NULL DEFAULT steward.now(),
    -- The history outlives the project, and keeps its organisation.
    CONSTRAINT admin_matching_interventions_project_fkey FOREIGN KEY (organization_id, project_id)
        REFERENCES public.projects (organization_id, id) ON DELETE SET NULL (project_id)
);
CREATE INDEX idx_interventions_created ON public.admin_matching_interventions (created_at DESC);
CREATE INDEX idx_interventions_project ON public.admin_matching_interventions (organization_id, project_id);
COMMENT ON TABLE public.admin_matching_interventions IS 'every time a match did not go its automatic way, and why';
COMMENT ON COLUMN public.admin_matching_interventions.admin_id IS 'who stepped in; NULL when steward did';
COMMENT ON INDEX public.idx_interventions_created IS 'the latest first';
COMMENT ON INDEX public.idx_interventions_project IS 'a project''s history; also what deleting a project looks through';
CREATE TRIGGER interventions_organization BEFORE INSERT ON public.admin_matching_interventions
    FOR EACH ROW WHEN (NEW.organization_id IS NULL) EXECUTE FUNCTION steward.organization_from_project();
COMMENT ON TRIGGER interventions_organization ON public.admin_matching_interventions IS 'fills organization_id where the client did not';
SELECT steward.protect('public.admin_matching_interventions');

SELECT steward.quarantine_restore('public.notification_outbox');
SELECT steward.quarantine_restore('public.admin_matching_interventions');
