-- Projects, and the way every row below a project finds its organisation.

CREATE TABLE public.projects (
    id                      uuid         PRIMARY KEY DEFAULT gen_random_uuid(),
    organization_id         uuid         NOT NULL REFERENCES public.organizations,
    owner_id                uuid         REFERENCES auth.users ON DELETE SET NULL,
    name                    text         NOT NULL DEFAULT 'untitled',
    technology_stack        jsonb        NOT NULL DEFAULT '{}',
    project_complexity      text         CONSTRAINT projects_complexity_check CHECK (project_complexity IN ('simple', 'medium', 'complex')),
    estimated_advisor_hours numeric(4,1),
    created_at              timestamptz  NOT NULL DEFAULT steward.now(),
    updated_at              timestamptz  NOT NULL DEFAULT steward.now(),
    -- Lets a child prove project and organisation with one foreign key check, and
    -- that check compare the column that tells projects apart first.
    CONSTRAINT projects_organization_key UNIQUE (id, organization_id)
);
CREATE INDEX idx_projects_owner ON public.projects (owner_id);
COMMENT ON TABLE public.projects IS 'what clients want advice on';
COMMENT ON INDEX public.idx_projects_owner IS 'a user''s projects';

CREATE TRIGGER projects_organization BEFORE INSERT ON public.projects
    FOR EACH ROW WHEN (NEW.organization_id IS NULL) EXECUTE FUNCTION steward.organization_default();
COMMENT ON TRIGGER projects_organization ON public.projects IS 'fills organization_id where the client did not';
CREATE TRIGGER projects_updated_at BEFORE UPDATE ON public.projects
    FOR EACH ROW WHEN (NEW.updated_at IS NOT DISTINCT FROM OLD.updated_at) EXECUTE FUNCTION public.update_updated_at_column();
COMMENT ON TRIGGER projects_updated_at ON public.projects IS 'stamps updated_at';

-- Only called where the client named no organisation; one that was named wrongly
-- is refused by the composite foreign key.  The default makes an unknown project
-- a foreign key violation rather than a null in a column the client never heard of.
CREATE FUNCTION steward.organization_from_project() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    NEW.organization_id := COALESCE(
        (SELECT p.organization_id FROM public.projects p WHERE p.id = NEW.project_id),
        (SELECT o.id FROM public.organizations o WHERE o.is_default));
    RETURN NEW;
END $$;
COMMENT ON FUNCTION steward.organization_from_project() IS 'fills organization_id from the project, else from the default organisation';

-- One look-up per statement instead of one per row; policies wrap it in a SELECT.
CREATE FUNCTION steward.owned_projects() RETURNS uuid[]
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$ SELECT COALESCE(array_agg(p.id), '{}') FROM public.projects p WHERE p.owner_id = auth.uid() $$;
COMMENT ON FUNCTION steward.owned_projects() IS 'the projects of the user whom the claims name';
GRANT EXECUTE ON FUNCTION steward.owned_projects() TO authenticated;

SELECT steward.protect('public.projects');
CREATE POLICY own ON public.projects FOR SELECT TO authenticated USING (owner_id = (SELECT auth.uid()));
COMMENT ON POLICY own ON public.projects IS 'an owner sees the own projects';
GRANT SELECT ON public.projects TO authenticated;

SELECT steward.quarantine_restore('public.projects');
