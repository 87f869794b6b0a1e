-- Advisors: who is available, and who works on which project.

CREATE TYPE public.advisor_status AS ENUM ('available', 'busy', 'offline');
COMMENT ON TYPE public.advisor_status IS 'what an advisor says about the own time';

CREATE TABLE public.advisor_availability (
    advisor_id               uuid                  PRIMARY KEY REFERENCES auth.users ON DELETE CASCADE,
    organization_id          uuid                  NOT NULL REFERENCES public.organizations,
    status                   public.advisor_status NOT NULL DEFAULT 'available',
    max_concurrent_projects  int                   DEFAULT 3
        CONSTRAINT advisor_availability_max_check CHECK (max_concurrent_projects > 0),
    last_active              timestamptz           NOT NULL DEFAULT steward.now(),
    availability_preferences jsonb                 NOT NULL DEFAULT '{}',
    updated_at               timestamptz           NOT NULL DEFAULT steward.now()
);
CREATE INDEX idx_advisor_availability_status ON public.advisor_availability (status, last_active DESC);
COMMENT ON TABLE public.advisor_availability IS 'one row per advisor; the load is counted in advisor_active_projects, never stored';
COMMENT ON INDEX public.idx_advisor_availability_status IS 'available advisors, last seen first';
CREATE TRIGGER advisor_availability_organization BEFORE INSERT ON public.advisor_availability
    FOR EACH ROW WHEN (NEW.organization_id IS NULL) EXECUTE FUNCTION steward.organization_default();
COMMENT ON TRIGGER advisor_availability_organization ON public.advisor_availability IS 'fills organization_id where the client did not';
CREATE TRIGGER advisor_availability_updated_at BEFORE UPDATE ON public.advisor_availability
    FOR EACH ROW WHEN (NEW.updated_at IS NOT DISTINCT FROM OLD.updated_at) EXECUTE FUNCTION public.update_updated_at_column();
COMMENT ON TRIGGER advisor_availability_updated_at ON public.advisor_availability IS 'stamps updated_at';

SELECT steward.protect('public.advisor_availability');
CREATE POLICY own ON public.advisor_availability FOR SELECT TO authenticated USING (advisor_id = (SELECT auth.uid()));
COMMENT ON POLICY own ON public.advisor_availability IS 'an advisor sees the own row';
GRANT SELECT ON public.advisor_availability TO authenticated;

-- updated_at comes with workspace provisioning, which is what first needs it.
CREATE TABLE public.project_advisors (
    organization_id       uuid        NOT NULL,
    project_id            uuid        NOT NULL,
    advisor_id            uuid        NOT NULL REFERENCES auth.users ON DELETE CASCADE,
    status                text        NOT NULL
        CONSTRAINT project_advisors_status_check
        CHECK (status = ANY ('{invited, pending_approval, active, inactive, removed}')),
    role                  text        NOT NULL DEFAULT 'advisor',
    added_by              uuid        NOT NULL REFERENCES auth.users ON DELETE CASCADE,
    assigned_at           timestamptz NOT NULL DEFAULT steward.now(),
    metadata              jsonb       NOT NULL DEFAULT '{}',
    created_at            timestamptz NOT NULL DEFAULT steward.now(),
    workspace_permissions jsonb       DEFAULT '{"view_code": true, "view_logs": true}'
        CONSTRAINT chk_workspace_permissions_keys
        CHECK (workspace_permissions @> '{}' AND workspace_permissions ?& '{view_code, view_logs}'),
    workspace_granted_by  uuid        REFERENCES auth.users ON DELETE SET NULL,
    workspace_granted_at  timestamptz DEFAULT steward.now(),
    PRIMARY KEY (project_id, advisor_id),
    CONSTRAINT project_advisors_project_fkey FOREIGN KEY (organization_id, project_id)
        REFERENCES public.projects (organization_id, id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX uniq_one_active_advisor_per_project ON public.project_advisors (project_id)
    WHERE status IN ('pending_approval', 'active');
CREATE INDEX idx_project_advisors_advisor ON public.project_advisors (advisor_id)
    WHERE status IN ('pending_approval', 'active');
COMMENT ON TABLE public.project_advisors IS 'who works on a project; only active rows open the workspace';
COMMENT ON COLUMN public.project_advisors.assigned_at IS 'since when the advisor has the status active';
COMMENT ON INDEX public.uniq_one_active_advisor_per_project IS 'a project has one advisor at a time';
COMMENT ON INDEX public.idx_project_advisors_advisor IS 'an advisor''s load and projects';
CREATE TRIGGER project_advisors_organization BEFORE INSERT ON public.project_advisors
    FOR EACH ROW WHEN (NEW.organization_id IS NULL) EXECUTE FUNCTION steward.organization_from_project();
COMMENT ON TRIGGER project_advisors_organization ON public.project_advisors IS 'fills organization_id where the client did not';

CREATE VIEW public.advisor_active_projects WITH (security_invoker = true) AS
SELECT advisor_id, count(*)::int AS active_count
  FROM public.project_advisors
 WHERE status IN ('pending_approval', 'active')
 GROUP BY advisor_id;
COMMENT ON VIEW public.advisor_active_projects IS 'how many projects an advisor carries, counted and never stored';

CREATE FUNCTION steward.member_projects() RETURNS uuid[]
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT COALESCE(array_agg(id), '{}') FROM (
        SELECT p.id FROM public.projects p WHERE p.owner_id = auth.uid()
        UNION
        SELECT a.project_id FROM public.project_advisors a WHERE a.advisor_id = auth.uid() AND a.status = 'active') mine
$$;
COMMENT ON FUNCTION steward.member_projects() IS 'the projects the user of the claims owns or advises';
GRANT EXECUTE ON FUNCTION steward.member_projects() TO authenticated;

SELECT steward.protect('public.project_advisors');
CREATE POLICY member ON public.project_advisors FOR SELECT TO authenticated
    USING (advisor_id = (SELECT auth.uid()) OR project_id = ANY ((SELECT steward.member_projects())::uuid[]));
COMMENT ON POLICY member ON public.project_advisors IS 'the project''s owner and advisors see who works on it';
GRANT SELECT ON public.project_advisors TO authenticated;
GRANT SELECT ON public.advisor_active_projects TO authenticated, service_role;

CREATE POLICY advised ON public.projects FOR SELECT TO authenticated
    USING (id = ANY ((SELECT steward.member_projects())::uuid[]));
COMMENT ON POLICY advised ON public.projects IS 'an advisor sees the projects that he advises';

SELECT steward.quarantine_restore('public.advisor_availability');
SELECT steward.quarantine_restore('public.project_advisors');
