-- What decides: rules about who takes which work, and how long work may take.

CREATE TABLE public.assignment_rules (
    id                     uuid         PRIMARY KEY DEFAULT gen_random_uuid(),
    organization_id        uuid         NOT NULL,
    name_ar                varchar(255) NOT NULL,
    name_en                varchar(255) NOT NULL,
    unit_id                uuid         NOT NULL,
    required_skills        uuid[]       NOT NULL
        CONSTRAINT assignment_rules_skills_check CHECK (cardinality(required_skills) >= 1),
    priority_weight        int          NOT NULL DEFAULT 5
        CONSTRAINT assignment_rules_weight_check CHECK (priority_weight BETWEEN 1 AND 10),
    capacity_check_enabled boolean      NOT NULL DEFAULT true,
    unit_is_must           boolean      NOT NULL DEFAULT false,
    is_active              boolean      NOT NULL DEFAULT true,
    created_at             timestamptz  NOT NULL DEFAULT steward.now(),
    updated_at             timestamptz  NOT NULL DEFAULT steward.now(),
    CONSTRAINT assignment_rules_unit_fkey FOREIGN KEY (organization_id, unit_id)
        REFERENCES public.organizational_units (organization_id, id) ON DELETE CASCADE
);
CREATE INDEX idx_rules_unit ON public.assignment_rules (unit_id);
CREATE INDEX idx_rules_active ON public.assignment_rules (organization_id) WHERE is_active;
CREATE INDEX idx_rules_skills ON public.assignment_rules USING gin (required_skills);
COMMENT ON TABLE public.assignment_rules IS
    'an active rule covers the work items that need all of its skills; of those it says what its unit does with them';
COMMENT ON COLUMN public.assignment_rules.priority_weight IS
    'what the unit is worth for covered work without a target unit, in points of the score; 5 is the value without a rule';
COMMENT ON COLUMN public.assignment_rules.capacity_check_enabled IS
    'false: covered work may go above the limit of the unit; nobody''s own limit is ever exceeded by a rule';
COMMENT ON COLUMN public.assignment_rules.unit_is_must IS
    'true: covered work goes to this unit, or to another whose rule says the same, or waits';
COMMENT ON INDEX public.idx_rules_unit IS 'the rules of a unit';
COMMENT ON INDEX public.idx_rules_active IS 'the rules that a decision reads';
COMMENT ON INDEX public.idx_rules_skills IS 'the rules about a skill';

CREATE FUNCTION steward.rule_check() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.organization_id IS NULL THEN
        NEW.organization_id := steward.organization_of_unit(NEW.unit_id);
    END IF;
    PERFORM steward.skills_stay(NEW.organization_id);
    NEW.required_skills := steward.skill_set(NEW.organization_id, NEW.required_skills);
    RETURN NEW;
END $$;
COMMENT ON FUNCTION steward.rule_check() IS 'fills organization_id from the unit; skills must exist';
CREATE TRIGGER rule_check BEFORE INSERT OR UPDATE OF required_skills, organization_id, is_active ON public.assignment_rules
    FOR EACH ROW EXECUTE FUNCTION steward.rule_check();
COMMENT ON TRIGGER rule_check ON public.assignment_rules IS 'fills organization_id from the unit; skills must exist';
CREATE TRIGGER skill_in_rule BEFORE DELETE ON public.skills
    FOR EACH ROW EXECUTE FUNCTION steward.skill_in_use('public.assignment_rules', 'required_skills', 'x.is_active', 'an active rule');
COMMENT ON TRIGGER skill_in_rule ON public.skills IS 'a skill that an active rule is about is not deleted';
CREATE TRIGGER update_rule_timestamp BEFORE UPDATE ON public.assignment_rules
    FOR EACH ROW WHEN (NEW.updated_at IS NOT DISTINCT FROM OLD.updated_at) EXECUTE FUNCTION public.update_updated_at_column();
COMMENT ON TRIGGER update_rule_timestamp ON public.assignment_rules IS 'stamps updated_at';

CREATE TABLE public.sla_configs (
    id                    uuid                  PRIMARY KEY DEFAULT gen_random_uuid(),
    organization_id       uuid                  NOT NULL REFERENCES public.organizations,
    work_item_type        public.work_item_type NOT NULL,
    priority              public.priority_level NOT NULL,
    deadline_hours        numeric(5,2)          NOT NULL CONSTRAINT sla_configs_hours_check CHECK (deadline_hours > 0),
    warning_threshold_pct int                   NOT NULL DEFAULT 75
        CONSTRAINT sla_configs_threshold_check CHECK (warning_threshold_pct BETWEEN 0 AND 100),
    created_at            timestamptz           NOT NULL DEFAULT steward.now(),
    CONSTRAINT unique_sla_config UNIQUE (organization_id, work_item_type, priority)
);
COMMENT ON TABLE public.sla_configs IS
    'how many hours a kind of work may take, and after which share of them somebody is warned; an organisation without an own row has the default organisation''s';
CREATE TRIGGER sla_configs_organization BEFORE INSERT ON public.sla_configs
    FOR EACH ROW WHEN (NEW.organization_id IS NULL) EXECUTE FUNCTION steward.organization_default();
COMMENT ON TRIGGER sla_configs_organization ON public.sla_configs IS 'fills organization_id where the client did not';

-- Wall-clock hours: a promise is as long over a weekend or a change of the clocks.
CREATE FUNCTION steward.sla_moments(organization uuid, kind public.work_item_type, urgency public.priority_level, start timestamptz,
                                    deadline timestamptz DEFAULT NULL,
                                    OUT warn_at timestamptz, OUT sla_deadline timestamptz, OUT configured boolean)
    LANGUAGE plpgsql STABLE AS $$
DECLARE
    hours numeric;
    share int;
BEGIN
    SELECT c.deadline_hours, c.warning_threshold_pct INTO hours, share
      FROM public.sla_configs c WHERE c.organization_id = organization AND c.work_item_type = kind AND c.priority = urgency;
    IF NOT FOUND THEN
        SELECT c.deadline_hours, c.warning_threshold_pct INTO hours, share
          FROM public.sla_configs c JOIN public.organizations o ON o.id = c.organization_id
         WHERE c.work_item_type = kind AND c.priority = urgency AND o.is_default;
    END IF;
    configured := FOUND;
    sla_deadline := COALESCE(deadline, start + COALESCE(hours, 48) * interval '1 hour');
    -- In seconds: the difference is kept in days, which a change of the clocks makes longer or shorter.
    warn_at := start + extract(epoch FROM sla_deadline - start)::float8 * COALESCE(share, 75) / 100 * interval '1 second';
END $$;
COMMENT ON FUNCTION steward.sla_moments(uuid, public.work_item_type, public.priority_level, timestamptz, timestamptz) IS
    'when work that started then is warned about and breaches, or is warned about for a given deadline; 48 hours and 75 % where nothing is configured';

CREATE FUNCTION public.calculate_sla_deadline(work_item_type public.work_item_type, priority public.priority_level, assigned_at timestamptz)
    RETURNS timestamptz LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT m.sla_deadline FROM steward.sla_moments((SELECT o.id FROM public.organizations o WHERE o.is_default), $1, $2, $3) m
$$;
COMMENT ON FUNCTION public.calculate_sla_deadline(public.work_item_type, public.priority_level, timestamptz) IS
    'the deadline of work of the default organisation that started then';
GRANT EXECUTE ON FUNCTION public.calculate_sla_deadline(public.work_item_type, public.priority_level, timestamptz)
    TO authenticated, service_role;

SELECT steward.protect('public.assignment_rules');
CREATE POLICY member ON public.assignment_rules FOR SELECT TO authenticated
    USING (organization_id = ANY ((SELECT steward.own_organizations())::uuid[]));
COMMENT ON POLICY member ON public.assignment_rules IS 'staff see the rules of their organisation';
SELECT steward.protect('public.sla_configs');
CREATE POLICY member ON public.sla_configs FOR SELECT TO authenticated
    USING (organization_id = ANY ((SELECT steward.own_organizations())::uuid[]));
COMMENT ON POLICY member ON public.sla_configs IS 'staff see what their organisation promises';
GRANT SELECT ON public.assignment_rules, public.sla_configs TO authenticated;

SELECT steward.quarantine_restore('public.assignment_rules');
SELECT steward.quarantine_restore('public.sla_configs');
INSERT INTO public.sla_configs (organization_id, work_item_type, priority, deadline_hours)
SELECT o.id, m.kind::public.work_item_type, m.urgency::public.priority_level, m.hours
  FROM public.organizations o, (VALUES
       ('dossier',  'urgent', 8), ('dossier',  'high', 24), ('dossier',  'normal', 48), ('dossier',  'low', 120),
       ('ticket',   'urgent', 2), ('ticket',   'high', 24), ('ticket',   'normal', 48), ('ticket',   'low', 120),
       ('position', 'urgent', 4), ('position', 'high', 24), ('position', 'normal', 48), ('position', 'low', 120),
       ('task',     'urgent', 4), ('task',     'high', 24), ('task',     'normal', 48), ('task',     'low', 120)
       ) AS m(kind, urgency, hours)
 WHERE o.is_default AND NOT EXISTS (SELECT FROM public.sla_configs);
