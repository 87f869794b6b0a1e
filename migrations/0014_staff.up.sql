-- Who there is to give work to: units, skills and people.

-- The checks of a table are read anew by every statement that counts something in it,
-- those of a type only where a column is written.
CREATE DOMAIN steward.unit_limit AS int CONSTRAINT unit_limit_check CHECK (VALUE BETWEEN 1 AND 100);
CREATE DOMAIN steward.own_limit AS int CONSTRAINT own_limit_check CHECK (VALUE BETWEEN 1 AND 20);
CREATE DOMAIN steward.staff_source AS varchar(20) CONSTRAINT staff_source_check CHECK (VALUE IN ('manual', 'hr_system', 'supervisor_override'));
CREATE DOMAIN steward.staff_role AS varchar(50) CONSTRAINT staff_role_check CHECK (VALUE IN ('staff', 'supervisor', 'admin'));
COMMENT ON DOMAIN steward.unit_limit IS 'how many assignments a unit may have';
COMMENT ON DOMAIN steward.own_limit IS 'how many assignments somebody may have';
COMMENT ON DOMAIN steward.staff_source IS 'who said whether somebody is available';
COMMENT ON DOMAIN steward.staff_role IS 'what somebody is in the organisation';

CREATE TABLE public.organizational_units (
    id                       uuid               PRIMARY KEY DEFAULT gen_random_uuid(),
    organization_id          uuid               NOT NULL REFERENCES public.organizations,
    name_ar                  varchar(255)       NOT NULL,
    name_en                  varchar(255)       NOT NULL,
    unit_wip_limit           steward.unit_limit NOT NULL,
    current_assignment_count int                NOT NULL DEFAULT 0
        CONSTRAINT organizational_units_count_check CHECK (current_assignment_count >= 0),
    parent_unit_id           uuid,
    created_at               timestamptz        NOT NULL DEFAULT steward.now(),
    updated_at               timestamptz        NOT NULL DEFAULT steward.now(),
    CONSTRAINT organizational_units_organization_key UNIQUE (organization_id, id),
    CONSTRAINT organizational_units_parent_fkey FOREIGN KEY (organization_id, parent_unit_id)
        REFERENCES public.organizational_units (organization_id, id) ON DELETE SET NULL (parent_unit_id)
) WITH (fillfactor = 50);
CREATE INDEX idx_org_units_parent ON public.organizational_units (parent_unit_id);
CREATE UNIQUE INDEX idx_org_units_name_ar_parent ON public.organizational_units
    (organization_id, name_ar, COALESCE(parent_unit_id, '00000000-0000-0000-0000-000000000000'));
CREATE UNIQUE INDEX idx_org_units_name_en_parent ON public.organizational_units
    (organization_id, name_en, COALESCE(parent_unit_id, '00000000-0000-0000-0000-000000000000'));
COMMENT ON TABLE public.organizational_units IS 'the tree of units; the row lock of a unit is what assigning into it takes';
COMMENT ON COLUMN public.organizational_units.unit_wip_limit IS 'most active assignments of all its people together';
COMMENT ON COLUMN public.organizational_units.current_assignment_count IS 'active assignments of the unit, kept by the triggers of assignments';
COMMENT ON INDEX public.idx_org_units_parent IS 'the children of a unit';
COMMENT ON INDEX public.idx_org_units_name_ar_parent IS 'names are unique among siblings';
COMMENT ON INDEX public.idx_org_units_name_en_parent IS 'names are unique among siblings';

CREATE FUNCTION steward.organization_of_unit(unit uuid) RETURNS uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT COALESCE((SELECT u.organization_id FROM public.organizational_units u WHERE u.id = unit),
                    (SELECT o.id FROM public.organizations o WHERE o.is_default))
$$;
COMMENT ON FUNCTION steward.organization_of_unit(uuid) IS 'the organisation of a unit, else the default one';

CREATE FUNCTION steward.unit_parent_check() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    ancestor uuid := NEW.parent_unit_id;
    steps    int := 0;
BEGIN
    IF NEW.organization_id IS NULL THEN
        NEW.organization_id := steward.organization_of_unit(NEW.parent_unit_id);
    END IF;
    IF TG_OP = 'UPDATE' AND ancestor IS NOT NULL THEN
        -- Two who hang one unit under the other's at the same moment would both see a tree.
        PERFORM FROM public.organizations o WHERE o.id = NEW.organization_id FOR NO KEY UPDATE;
    END IF;
    WHILE ancestor IS NOT NULL LOOP
        steps := steps + 1;
        IF ancestor = NEW.id OR steps > 100 THEN
            RAISE EXCEPTION 'unit % cannot be below itself', NEW.id
                USING ERRCODE = 'check_violation', HINT = 'choose a parent_unit_id that is not below this unit';
        END IF;
        SELECT u.parent_unit_id INTO ancestor FROM public.organizational_units u WHERE u.id = ancestor;
    END LOOP;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION steward.unit_parent_check() IS 'fills organization_id and keeps the tree a tree';
CREATE TRIGGER unit_parent_check BEFORE INSERT OR UPDATE OF parent_unit_id ON public.organizational_units
    FOR EACH ROW EXECUTE FUNCTION steward.unit_parent_check();
COMMENT ON TRIGGER unit_parent_check ON public.organizational_units IS 'fills organization_id and keeps the tree a tree';
CREATE TRIGGER update_org_unit_timestamp
    BEFORE UPDATE OF name_ar, name_en, unit_wip_limit, parent_unit_id ON public.organizational_units
    FOR EACH ROW WHEN (NEW.updated_at IS NOT DISTINCT FROM OLD.updated_at) EXECUTE FUNCTION public.update_updated_at_column();
COMMENT ON TRIGGER update_org_unit_timestamp ON public.organizational_units IS 'stamps updated_at; counting does not';

CREATE TABLE public.skills (
    id              uuid         PRIMARY KEY DEFAULT gen_random_uuid(),
    organization_id uuid         NOT NULL REFERENCES public.organizations,
    name_ar         varchar(255) NOT NULL CONSTRAINT skills_name_ar_check CHECK (length(btrim(name_ar)) > 0),
    name_en         varchar(255) NOT NULL CONSTRAINT skills_name_en_check CHECK (length(btrim(name_en)) > 0),
    category        varchar(100),
    created_at      timestamptz  NOT NULL DEFAULT steward.now(),
    CONSTRAINT skills_name_ar_key UNIQUE (organization_id, name_ar),
    CONSTRAINT skills_name_en_key UNIQUE (organization_id, name_en)
);
CREATE INDEX idx_skills_category ON public.skills (category);
COMMENT ON TABLE public.skills IS 'what people can do and work items need';
COMMENT ON INDEX public.idx_skills_category IS 'the skills of a category';
CREATE TRIGGER skills_organization BEFORE INSERT ON public.skills
    FOR EACH ROW WHEN (NEW.organization_id IS NULL) EXECUTE FUNCTION steward.organization_default();
COMMENT ON TRIGGER skills_organization ON public.skills IS 'fills organization_id where the client did not';

-- Skills are stored sorted and once each, so that equal sets are equal arrays.
-- Whoever writes them keeps the organisation's skills from being deleted until he is done;
-- a lock of their rows, as a foreign key takes, would be a write of rows that all share.
CREATE FUNCTION steward.skills_stay(organization uuid) RETURNS void
    LANGUAGE sql AS $$ SELECT pg_advisory_xact_lock_shared(uuid_hash_extended(organization, 22)) $$;
COMMENT ON FUNCTION steward.skills_stay(uuid) IS 'no skill of the organisation is deleted before this transaction ends';
CREATE FUNCTION steward.skill_set(organization uuid, wanted uuid[]) RETURNS uuid[]
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    known   uuid[];
    unknown uuid;
BEGIN
    known := ARRAY(SELECT s.id FROM public.skills s WHERE s.organization_id = organization AND s.id = ANY (wanted) ORDER BY s.id);
    IF NOT known @> wanted THEN
        SELECT COALESCE(w.id, '00000000-0000-0000-0000-000000000000') INTO unknown
          FROM unnest(wanted) w(id) WHERE w.id IS NULL OR w.id <> ALL (known) LIMIT 1;
        RAISE EXCEPTION 'there is no skill %', unknown
            USING ERRCODE = 'foreign_key_violation', HINT = 'the skills of the organisation are the rows of public.skills';
    END IF;
    RETURN known;
END $$;
COMMENT ON FUNCTION steward.skill_set(uuid, uuid[]) IS 'a set of skills as it is stored: sorted, once each; raises on one that does not exist';

CREATE TABLE public.staff_profiles (
    id                       uuid                       PRIMARY KEY DEFAULT gen_random_uuid(),
    organization_id          uuid                       NOT NULL,
    user_id                  uuid                       NOT NULL REFERENCES auth.users ON DELETE CASCADE,
    unit_id                  uuid                       NOT NULL,
    skills                   uuid[]                     NOT NULL DEFAULT '{}',
    individual_wip_limit     steward.own_limit          NOT NULL DEFAULT 5,
    current_assignment_count int                        NOT NULL DEFAULT 0
        CONSTRAINT staff_profiles_count_check CHECK (current_assignment_count >= 0),
    last_assigned_at         timestamptz,
    availability_status      public.availability_status NOT NULL DEFAULT 'available',
    unavailable_until        timestamptz,
    unavailable_reason       text,
    availability_source      steward.staff_source       NOT NULL DEFAULT 'manual',
    escalation_chain_id      uuid                       REFERENCES auth.users ON DELETE SET NULL,
    hr_employee_id           varchar(50),
    role                     steward.staff_role         NOT NULL DEFAULT 'staff',
    version                  int                        NOT NULL DEFAULT 0,
    created_at               timestamptz                NOT NULL DEFAULT steward.now(),
    updated_at               timestamptz                NOT NULL DEFAULT steward.now(),
    CONSTRAINT staff_profiles_user_key UNIQUE (organization_id, user_id),
    CONSTRAINT staff_profiles_unit_fkey FOREIGN KEY (organization_id, unit_id)
        REFERENCES public.organizational_units (organization_id, id) ON DELETE RESTRICT,
    CONSTRAINT chk_escalation_not_self CHECK (escalation_chain_id <> user_id),
    CONSTRAINT chk_available_no_until CHECK (availability_status <> 'available' OR unavailable_until IS NULL)
) WITH (fillfactor = 70);
CREATE INDEX idx_staff_unit ON public.staff_profiles (unit_id);
CREATE INDEX idx_staff_availability ON public.staff_profiles (availability_status) WHERE availability_status = 'available';
CREATE INDEX idx_staff_skills ON public.staff_profiles USING gin (skills);
CREATE UNIQUE INDEX idx_staff_hr_id ON public.staff_profiles (organization_id, hr_employee_id) WHERE hr_employee_id IS NOT NULL;
CREATE INDEX idx_staff_user ON public.staff_profiles (user_id);
CREATE INDEX idx_staff_leads ON public.staff_profiles (organization_id, role, unit_id, user_id) WHERE role <> 'staff';
CREATE INDEX idx_staff_chain ON public.staff_profiles (escalation_chain_id) WHERE escalation_chain_id IS NOT NULL;
CREATE INDEX idx_staff_returns ON public.staff_profiles (unavailable_until)
    WHERE availability_status <> 'available' AND unavailable_until IS NOT NULL;
COMMENT ON TABLE public.staff_profiles IS 'who can be given work: unit, skills, limit, availability; counted, never scanned for';
COMMENT ON COLUMN public.staff_profiles.current_assignment_count IS 'active assignments, kept by the triggers of assignments';
COMMENT ON COLUMN public.staff_profiles.last_assigned_at IS 'when the last work was given; the longest idle wins a tie';
COMMENT ON COLUMN public.staff_profiles.escalation_chain_id IS 'the user who gets this person''s escalations first; NULL: the unit''s supervisor';
COMMENT ON COLUMN public.staff_profiles.version IS 'grows with every change but counting';
COMMENT ON INDEX public.idx_staff_unit IS 'the people of a unit';
COMMENT ON INDEX public.idx_staff_availability IS 'who is available';
COMMENT ON INDEX public.idx_staff_skills IS 'who has all of these skills';
COMMENT ON INDEX public.idx_staff_hr_id IS 'the person whom the personnel system means';
COMMENT ON INDEX public.idx_staff_user IS 'the profiles of a user';
COMMENT ON INDEX public.idx_staff_leads IS 'supervisors of a unit, administrators of an organisation';
COMMENT ON INDEX public.idx_staff_chain IS 'what deleting a user looks through';
COMMENT ON INDEX public.idx_staff_returns IS 'whose leave ends next';

CREATE FUNCTION steward.staff_check() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.organization_id IS NULL THEN
        NEW.organization_id := steward.organization_of_unit(NEW.unit_id);
    END IF;
    PERFORM steward.skills_stay(NEW.organization_id);
    NEW.skills := steward.skill_set(NEW.organization_id, NEW.skills);
    RETURN NEW;
END $$;
COMMENT ON FUNCTION steward.staff_check() IS 'fills organization_id from the unit; skills must exist';
CREATE TRIGGER staff_check BEFORE INSERT OR UPDATE OF skills ON public.staff_profiles
    FOR EACH ROW EXECUTE FUNCTION steward.staff_check();
COMMENT ON TRIGGER staff_check ON public.staff_profiles IS 'fills organization_id from the unit; skills must exist';
-- Also stamps updated_at.  Counting is not a change that a second writer has to know of.
CREATE TRIGGER increment_staff_version
    BEFORE UPDATE OF unit_id, skills, individual_wip_limit, availability_status, unavailable_until, unavailable_reason,
        availability_source, escalation_chain_id, hr_employee_id, role ON public.staff_profiles
    FOR EACH ROW EXECUTE FUNCTION public.increment_version_column();
COMMENT ON TRIGGER increment_staff_version ON public.staff_profiles IS 'optimistic locking';

-- 232792560 is divided by every limit from 1 to 20, so that shares of different
-- limits compare exactly and a tie is a tie.
CREATE FUNCTION steward.free_share(count int, most int) RETURNS int
    LANGUAGE sql IMMUTABLE AS $$ SELECT GREATEST(most - count, 0) * (232792560 / most) $$;
COMMENT ON FUNCTION steward.free_share(int, int) IS 'the share of a limit that is free, in parts of 232792560';

-- Where every unit is worth the same, the order of this index is the order of the
-- score, so a decision looks at the head of it instead of everybody with the skill.
CREATE TABLE steward.skill_holder (
    organization_id  uuid NOT NULL,
    user_id          uuid NOT NULL,
    skill_id         uuid NOT NULL,
    share            int  NOT NULL,
    breadth          int  NOT NULL,
    last_assigned_at timestamptz,
    PRIMARY KEY (organization_id, user_id, skill_id),
    CONSTRAINT skill_holder_person_fkey FOREIGN KEY (organization_id, user_id)
        REFERENCES public.staff_profiles (organization_id, user_id) ON DELETE CASCADE
);
CREATE INDEX idx_skill_holder_order ON steward.skill_holder
    (organization_id, skill_id, share DESC, breadth DESC, last_assigned_at NULLS FIRST, user_id);
COMMENT ON TABLE steward.skill_holder IS 'who is available and below the own limit, once for each skill; kept by a trigger of staff_profiles';
COMMENT ON COLUMN steward.skill_holder.share IS 'what is free of the own limit, as steward.free_share says it';
COMMENT ON COLUMN steward.skill_holder.breadth IS 'how many skills the person has';
COMMENT ON INDEX steward.idx_skill_holder_order IS 'the holders of a skill, the one to be given work next first';
SELECT steward.protect('steward.skill_holder');
REVOKE ALL ON steward.skill_holder FROM service_role;

-- Without a mode for its plans: who counts has set it, and nearly always it is called by that.
CREATE FUNCTION steward.staff_ranks() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET enable_seqscan = off
    AS $$
DECLARE
    free int := CASE WHEN NEW.availability_status = 'available'
                     THEN steward.free_share(NEW.current_assignment_count, NEW.individual_wip_limit) ELSE 0 END;
BEGIN
    IF TG_OP = 'UPDATE' THEN
        IF free > 0 AND NEW.skills = OLD.skills THEN
            UPDATE steward.skill_holder h SET share = free, last_assigned_at = NEW.last_assigned_at
             WHERE h.organization_id = NEW.organization_id AND h.user_id = NEW.user_id;
            IF FOUND THEN
                RETURN NULL;
            END IF;
        END IF;
        DELETE FROM steward.skill_holder h WHERE h.organization_id = NEW.organization_id AND h.user_id = NEW.user_id;
    END IF;
    INSERT INTO steward.skill_holder (organization_id, user_id, skill_id, share, breadth, last_assigned_at)
    SELECT NEW.organization_id, NEW.user_id, s.id, free, cardinality(NEW.skills), NEW.last_assigned_at
      FROM unnest(NEW.skills) s(id) WHERE free > 0;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION steward.staff_ranks() IS 'keeps skill_holder';
CREATE TRIGGER staff_ranks
    AFTER INSERT OR UPDATE OF skills, individual_wip_limit, availability_status, current_assignment_count, last_assigned_at
    ON public.staff_profiles FOR EACH ROW EXECUTE FUNCTION steward.staff_ranks();
COMMENT ON TRIGGER staff_ranks ON public.staff_profiles IS 'keeps the order in which people are given work';

CREATE FUNCTION steward.ranks() RETURNS SETOF steward.skill_holder
    LANGUAGE sql STABLE AS $$
    SELECT p.organization_id, p.user_id, s.id, steward.free_share(p.current_assignment_count, p.individual_wip_limit),
           cardinality(p.skills), p.last_assigned_at
      FROM public.staff_profiles p CROSS JOIN unnest(p.skills) s(id)
     WHERE p.availability_status = 'available' AND p.current_assignment_count < p.individual_wip_limit
$$;
COMMENT ON FUNCTION steward.ranks() IS 'what skill_holder has to be';
CREATE FUNCTION steward.rank_everybody() RETURNS void
    LANGUAGE sql AS $$
    DELETE FROM steward.skill_holder;
    INSERT INTO steward.skill_holder SELECT * FROM steward.ranks();
$$;
COMMENT ON FUNCTION steward.rank_everybody() IS 'fills skill_holder where people were loaded past their triggers';

-- Arrays have no foreign keys.  Every table with skills has one such trigger, whose
-- arguments are the table, its column, the rows that count, and what they are.
-- Those who write are waited for, and not for long: others queue behind.
CREATE FUNCTION steward.skill_in_use() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '200ms' AS $$
DECLARE
    used boolean;
BEGIN
    PERFORM pg_advisory_xact_lock(uuid_hash_extended(OLD.organization_id, 22));
    EXECUTE format('SELECT EXISTS (SELECT FROM %s x WHERE x.%I @> ARRAY[$1] AND %s)', TG_ARGV[0], TG_ARGV[1], TG_ARGV[2])
       INTO used USING OLD.id;
    IF used THEN
        RAISE EXCEPTION 'skill % is still needed by %', OLD.name_en, TG_ARGV[3]
            USING ERRCODE = 'foreign_key_violation', HINT = format('take it from %s first', TG_ARGV[0]);
    END IF;
    RETURN OLD;
END $$;
COMMENT ON FUNCTION steward.skill_in_use() IS 'a skill that something needs is not deleted; 55P03, to be tried again, while somebody writes what may need it';
CREATE TRIGGER skill_in_use BEFORE DELETE ON public.skills
    FOR EACH ROW EXECUTE FUNCTION steward.skill_in_use('public.staff_profiles', 'skills', 'true', 'somebody who has it');
COMMENT ON TRIGGER skill_in_use ON public.skills IS 'a skill that somebody has is not deleted';

-- Inside a definer function current_user is its owner; the setting still names the
-- caller.  Rights and not names decide, as they do for row security: a login that was
-- only granted authenticated is no backend, and one that would first have to SET ROLE
-- (NOINHERIT) is not either until it does.
CREATE FUNCTION steward.is_backend() RETURNS boolean
    LANGUAGE plpgsql STABLE AS $$
DECLARE
    caller name := COALESCE(NULLIF(current_setting('role'), 'none'), session_user);
BEGIN
    RETURN pg_has_role(caller, 'service_role', 'USAGE') OR pg_has_role(caller, 'steward_worker', 'USAGE')
        OR pg_has_role(caller, 'steward_owner', 'USAGE');
END $$;
COMMENT ON FUNCTION steward.is_backend() IS
    'whether the role that called, also inside a definer function, has the rights of the trusted backend, a worker or the owner';
GRANT EXECUTE ON FUNCTION steward.is_backend() TO authenticated, service_role;

-- One look-up per statement; policies wrap these in a SELECT.  Being supervisor or
-- administrator is a set of units, so that every branch of a policy is an index.
-- In plpgsql, because a SQL function is planned again by every statement.
CREATE FUNCTION steward.visible_units() RETURNS uuid[]
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    caller uuid := auth.uid();
BEGIN
    RETURN COALESCE((
        SELECT array_agg(v.unit)
          FROM (SELECT p.unit_id AS unit FROM public.staff_profiles p WHERE p.user_id = caller AND p.role = 'supervisor'
                UNION ALL
                SELECT u.id
                  FROM public.staff_profiles p JOIN public.organizational_units u ON u.organization_id = p.organization_id
                 WHERE p.user_id = caller AND p.role = 'admin') v), '{}');
END $$;
COMMENT ON FUNCTION steward.visible_units() IS 'the units whose rows the user of the claims may see: a supervisor''s own, an administrator''s all';
GRANT EXECUTE ON FUNCTION steward.visible_units() TO authenticated;
CREATE FUNCTION steward.own_organizations() RETURNS uuid[]
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    caller uuid := auth.uid();
BEGIN
    RETURN COALESCE((SELECT array_agg(p.organization_id) FROM public.staff_profiles p WHERE p.user_id = caller), '{}');
END $$;
COMMENT ON FUNCTION steward.own_organizations() IS 'the organisations in which the user of the claims is staff';
GRANT EXECUTE ON FUNCTION steward.own_organizations() TO authenticated;
CREATE FUNCTION steward.led_organizations(rank text DEFAULT NULL) RETURNS uuid[]
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    caller uuid := auth.uid();
BEGIN
    RETURN COALESCE((
        SELECT array_agg(p.organization_id) FROM public.staff_profiles p
         WHERE p.user_id = caller AND CASE WHEN rank IS NULL THEN p.role <> 'staff' ELSE p.role = rank END), '{}');
END $$;
COMMENT ON FUNCTION steward.led_organizations(text) IS
    'the organisations in which the user of the claims is supervisor or administrator, or one of the two';
GRANT EXECUTE ON FUNCTION steward.led_organizations(text) TO authenticated;

SELECT steward.protect('public.organizational_units');
CREATE POLICY member ON public.organizational_units FOR SELECT TO authenticated
    USING (organization_id = ANY ((SELECT steward.own_organizations())::uuid[]));
COMMENT ON POLICY member ON public.organizational_units IS 'staff see the units of their organisation';
SELECT steward.protect('public.skills');
CREATE POLICY member ON public.skills FOR SELECT TO authenticated
    USING (organization_id = ANY ((SELECT steward.own_organizations())::uuid[]));
COMMENT ON POLICY member ON public.skills IS 'staff see the skills of their organisation';
SELECT steward.protect('public.staff_profiles');
CREATE POLICY visible ON public.staff_profiles FOR SELECT TO authenticated
    USING (user_id = (SELECT auth.uid()) OR unit_id = ANY ((SELECT steward.visible_units())::uuid[]));
COMMENT ON POLICY visible ON public.staff_profiles IS 'everybody the own profile, supervisors their unit, administrators their organisation';
GRANT SELECT ON public.organizational_units, public.skills, public.staff_profiles TO authenticated;

SELECT steward.quarantine_restore('public.organizational_units');
SELECT steward.quarantine_restore('public.skills');
SELECT steward.quarantine_restore('public.staff_profiles');
SELECT steward.rank_everybody();
