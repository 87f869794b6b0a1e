-- Who works on what until when.  Two clocks run on an assignment: it is warned about
-- at warn_at and breaches at sla_deadline; both are stored, and the next that can
-- still come true is in assignment_due, so that looking for what is due costs nothing
-- when nothing is, and stamping what was touches no index.

CREATE TABLE public.assignments (
    id                      uuid                     PRIMARY KEY DEFAULT gen_random_uuid(),
    organization_id         uuid                     NOT NULL,
    work_item_id            text                     NOT NULL
        CONSTRAINT assignments_work_item_check CHECK (length(work_item_id) BETWEEN 1 AND 255),
    work_item_type          public.work_item_type    NOT NULL,
    assignee_id             uuid                     NOT NULL REFERENCES auth.users,
    unit_id                 uuid                     NOT NULL,
    assigned_at             timestamptz              NOT NULL DEFAULT steward.now(),
    assigned_by             uuid                     REFERENCES auth.users,
    sla_started_at          timestamptz              NOT NULL,
    warn_at                 timestamptz              NOT NULL,
    sla_deadline            timestamptz              NOT NULL,
    priority                public.priority_level    NOT NULL,
    status                  public.assignment_status NOT NULL DEFAULT 'assigned',
    warning_sent_at         timestamptz,
    breached_at             timestamptz,
    escalated_at            timestamptz,
    escalation_recipient_id uuid,
    completed_at            timestamptz,
    override_reason         text,
    needs_review            boolean                  NOT NULL DEFAULT false,
    review_reason           text,
    flagged_at              timestamptz,
    reassigned_from         uuid                     REFERENCES auth.users,
    reassignment_reason     text,
    required_skills         uuid[]                   NOT NULL DEFAULT '{}',
    target_unit_id          uuid,
    version                 int                      NOT NULL DEFAULT 0,
    created_at              timestamptz              NOT NULL DEFAULT steward.now(),
    updated_at              timestamptz              NOT NULL DEFAULT steward.now(),
    CONSTRAINT assignments_unit_fkey FOREIGN KEY (organization_id, unit_id)
        REFERENCES public.organizational_units (organization_id, id) ON DELETE RESTRICT,
    CONSTRAINT assignments_target_fkey FOREIGN KEY (organization_id, target_unit_id)
        REFERENCES public.organizational_units (organization_id, id) ON DELETE SET NULL (target_unit_id),
    CONSTRAINT assignments_escalated_check CHECK (escalated_at >= sla_started_at),
    CONSTRAINT assignments_completed_check CHECK (completed_at >= sla_started_at)
) WITH (fillfactor = 80);
CREATE UNIQUE INDEX idx_assignments_active_unique ON public.assignments (organization_id, work_item_id, work_item_type)
    WHERE status IN ('assigned', 'in_progress');
CREATE INDEX idx_assignments_assignee_status_sla ON public.assignments (assignee_id, status, sla_deadline);
CREATE INDEX idx_assignments_unit ON public.assignments (unit_id, sla_deadline);
CREATE INDEX idx_assignments_status_sla_covering ON public.assignments (status, sla_deadline) INCLUDE (assignee_id, priority)
    WHERE status IN ('assigned', 'in_progress');
CREATE INDEX idx_assignments_sla_partial ON public.assignments (sla_deadline) WHERE status IN ('assigned', 'in_progress');
CREATE INDEX idx_assignments_completed ON public.assignments (completed_at) WHERE status IN ('completed', 'cancelled');
-- Deleting a user would read the whole table once for each of these; few rows have any of them.
-- A target many have, so deleting a unit reads it once: an index would add a tenth to every write.
CREATE INDEX idx_assignments_assigned_by ON public.assignments (assigned_by) WHERE assigned_by IS NOT NULL;
CREATE INDEX idx_assignments_reassigned ON public.assignments (reassigned_from) WHERE reassigned_from IS NOT NULL;
COMMENT ON TABLE public.assignments IS 'one row per decision about a work item; at most one per item is active';
COMMENT ON COLUMN public.assignments.work_item_id IS 'the item''s name in the system it lives in';
COMMENT ON COLUMN public.assignments.unit_id IS 'the assignee''s unit, whose limit it counts against and whose supervisor sees it';
COMMENT ON COLUMN public.assignments.assigned_by IS 'who decided by hand; NULL when steward did';
COMMENT ON COLUMN public.assignments.sla_started_at IS 'when the clock of the promise began; being given to somebody else does not restart it';
COMMENT ON COLUMN public.assignments.warn_at IS 'when the share of the time that sla_configs says is gone';
COMMENT ON COLUMN public.assignments.warning_sent_at IS 'when the assignee was warned; each once for a deadline';
COMMENT ON COLUMN public.assignments.breached_at IS 'when the breach of this deadline was escalated, or stamped where nobody could be told';
COMMENT ON COLUMN public.assignments.escalated_at IS 'when it was last escalated, by breach or by hand';
COMMENT ON COLUMN public.assignments.escalation_recipient_id IS 'as its last escalation says, which has the foreign key';
COMMENT ON COLUMN public.assignments.needs_review IS 'somebody has to decide what becomes of it: the assignee is on leave';
COMMENT ON INDEX public.idx_assignments_active_unique IS 'a work item is with one person at a time, and can come again later';
COMMENT ON INDEX public.idx_assignments_assignee_status_sla IS 'my work by deadline';
COMMENT ON INDEX public.idx_assignments_unit IS 'a unit''s work by deadline';
COMMENT ON INDEX public.idx_assignments_status_sla_covering IS 'open work by deadline, for reports, from the index alone';
COMMENT ON INDEX public.idx_assignments_sla_partial IS 'open work by deadline, a page at a time';
COMMENT ON INDEX public.idx_assignments_assigned_by IS 'what deleting a user looks through';
COMMENT ON INDEX public.idx_assignments_reassigned IS 'what deleting a user looks through';
COMMENT ON INDEX public.idx_assignments_completed IS 'what is old enough to be archived';

-- An index by hand, and never the truth: whoever finds an assignment here looks at it
-- under its lock.  An index of assignments themselves would have what is stamped in its
-- condition, and then each stamp makes an entry in every index of the row.
CREATE TABLE steward.assignment_due (
    due_at        timestamptz NOT NULL,
    assignment_id uuid        NOT NULL,
    PRIMARY KEY (due_at, assignment_id)
) WITH (
    -- A look for what is due walks past everything that was due since the last vacuum of the index.
    autovacuum_vacuum_threshold = 1000, autovacuum_vacuum_scale_factor = 0.01, vacuum_index_cleanup = on
);
COMMENT ON TABLE steward.assignment_due IS
    'when the monitor looks at an open assignment next: whatever is to come is in it, and what is in it besides is looked at once for nothing';
SELECT steward.protect('steward.assignment_due');
REVOKE ALL ON steward.assignment_due FROM service_role;

CREATE FUNCTION steward.due_at(status public.assignment_status, warn_at timestamptz, warning_sent_at timestamptz,
                               sla_deadline timestamptz, breached_at timestamptz) RETURNS timestamptz
    LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN status IN ('assigned', 'in_progress')
                THEN LEAST(CASE WHEN warning_sent_at IS NULL THEN warn_at END, CASE WHEN breached_at IS NULL THEN sla_deadline END) END
$$;
COMMENT ON FUNCTION steward.due_at(public.assignment_status, timestamptz, timestamptz, timestamptz, timestamptz) IS
    'the next moment at which something has to be done about an assignment, NULL when there is none';

-- The monitor looks every thirty seconds whatever happens, so only what lies nearer needs a call.
CREATE FUNCTION steward.assignment_watch() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    next timestamptz;
BEGIN
    IF TG_OP <> 'INSERT' THEN
        IF TG_OP = 'TRUNCATE' THEN
            TRUNCATE steward.assignment_due;
            RETURN NULL;
        END IF;
        -- It may be there for either, since who stamps does not come by here.
        DELETE FROM steward.assignment_due d WHERE d.due_at = ANY (ARRAY[OLD.warn_at, OLD.sla_deadline]) AND d.assignment_id = OLD.id;
        IF TG_OP = 'DELETE' THEN
            RETURN NULL;
        END IF;
    END IF;
    next := steward.due_at(NEW.status, NEW.warn_at, NEW.warning_sent_at, NEW.sla_deadline, NEW.breached_at);
    IF next IS NOT NULL THEN
        INSERT INTO steward.assignment_due (due_at, assignment_id) VALUES (next, NEW.id) ON CONFLICT DO NOTHING;
        IF next <= steward.now() + interval '40 s' THEN
            PERFORM pg_notify('steward_sla', '');
        END IF;
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION steward.assignment_watch() IS
    'keeps assignment_due, and wakes the monitor, on the channel steward_sla, where something is due before it looks by itself';
CREATE TRIGGER assignment_watch AFTER INSERT OR DELETE ON public.assignments
    FOR EACH ROW EXECUTE FUNCTION steward.assignment_watch();
COMMENT ON TRIGGER assignment_watch ON public.assignments IS 'keeps the moments that are to come';
CREATE TRIGGER assignment_watch_none AFTER TRUNCATE ON public.assignments EXECUTE FUNCTION steward.assignment_watch();
COMMENT ON TRIGGER assignment_watch_none ON public.assignments IS 'keeps the moments that are to come';
-- Not when a stamp is set: the monitor has taken out what it looks at, and what somebody
-- else stamps it finds done when it looks, which is no later than what comes next.
CREATE TRIGGER assignment_watch_change
    AFTER UPDATE OF assignee_id, status, priority, work_item_type, assigned_at, sla_started_at, warn_at, sla_deadline, warning_sent_at, breached_at
    ON public.assignments
    FOR EACH ROW WHEN ((NEW.status = ANY ('{assigned,in_progress}')) <> (OLD.status = ANY ('{assigned,in_progress}'))
                       OR NEW.warn_at <> OLD.warn_at OR NEW.sla_deadline <> OLD.sla_deadline
                       OR (NEW.warning_sent_at IS NULL AND OLD.warning_sent_at IS NOT NULL)
                       OR (NEW.breached_at IS NULL AND OLD.breached_at IS NOT NULL))
    EXECUTE FUNCTION steward.assignment_watch();
COMMENT ON TRIGGER assignment_watch_change ON public.assignments IS 'keeps the moments that are to come';

CREATE FUNCTION steward.watch_again(items uuid[]) RETURNS void
    LANGUAGE sql AS $$
    INSERT INTO steward.assignment_due (due_at, assignment_id)
    SELECT w.due_at, w.id
      FROM (SELECT a.id, steward.due_at(a.status, a.warn_at, a.warning_sent_at, a.sla_deadline, a.breached_at) AS due_at
              FROM public.assignments a WHERE a.id = ANY (items)) w
     WHERE w.due_at IS NOT NULL
    ON CONFLICT DO NOTHING
$$;
COMMENT ON FUNCTION steward.watch_again(uuid[]) IS 'puts assignments that the caller has locked into assignment_due again';

CREATE FUNCTION steward.item_lock_key(organization uuid, work_item text, kind public.work_item_type) RETURNS bigint
    LANGUAGE sql STABLE AS $$ SELECT hashtextextended(organization || '/' || kind || '/' || work_item, 20) $$;
COMMENT ON FUNCTION steward.item_lock_key(uuid, text, public.work_item_type) IS
    'the advisory lock under which a work item is given to somebody or queued';

CREATE FUNCTION steward.recipient_known(recipient uuid) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM FROM auth.users u WHERE u.id = recipient FOR KEY SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is no user %', recipient
            USING ERRCODE = 'foreign_key_violation', COLUMN = 'escalation_recipient_id';
    END IF;
END $$;
COMMENT ON FUNCTION steward.recipient_known(uuid) IS 'refuses a recipient who does not exist';

CREATE FUNCTION steward.assignment_filled(given public.assignments) RETURNS public.assignments
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    a           public.assignments := given;
    moments     record;
    held_skills uuid[];
    held        int := COALESCE(NULLIF(current_setting('steward.items_held', true), '')::int, 0);
BEGIN
    IF a.organization_id IS NULL THEN
        SELECT p.organization_id INTO a.organization_id
          FROM public.staff_profiles p JOIN public.organizations o ON o.id = p.organization_id
         WHERE p.user_id = a.assignee_id ORDER BY o.is_default DESC, o.id LIMIT 1;
    END IF;
    IF a.required_skills <> '{}' THEN
        PERFORM steward.skills_stay(a.organization_id);
    END IF;
    SELECT p.unit_id, ARRAY(SELECT s.id FROM unnest(p.skills) s(id) WHERE s.id = ANY (a.required_skills)) INTO a.unit_id, held_skills
      FROM public.staff_profiles p WHERE p.organization_id = a.organization_id AND p.user_id = a.assignee_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'user % is not a member of staff', a.assignee_id
            USING ERRCODE = 'foreign_key_violation', COLUMN = 'assignee_id', HINT = 'an assignee needs a row in staff_profiles';
    END IF;
    -- A skill that somebody has exists.
    a.required_skills := CASE WHEN held_skills @> a.required_skills THEN held_skills
                              ELSE steward.skill_set(a.organization_id, a.required_skills) END;
    -- Whoever gives the item away by hand must not wait for steward, which is doing so and
    -- would wait for him.  A bulk load locks only its beginning: locks are finite.
    IF a.status IN ('assigned', 'in_progress') AND held < 1000 THEN
        IF NOT pg_try_advisory_xact_lock(steward.item_lock_key(a.organization_id, a.work_item_id, a.work_item_type)) THEN
            RAISE EXCEPTION 'work item % is being given to somebody at this moment', a.work_item_id
                USING ERRCODE = 'lock_not_available', HINT = 'try again';
        END IF;
        held := set_config('steward.items_held', (held + 1)::text, true);
    ELSIF a.status = 'completed' THEN
        a.completed_at := COALESCE(a.completed_at, GREATEST(steward.now(), a.sla_started_at, a.assigned_at));
    END IF;
    a.sla_started_at := COALESCE(a.sla_started_at, a.assigned_at);
    moments := steward.sla_moments(a.organization_id, a.work_item_type, a.priority, a.sla_started_at, a.sla_deadline);
    IF NOT moments.configured THEN
        RAISE WARNING 'no SLA is configured for a % of priority %; it gets 48 hours', a.work_item_type, a.priority;
    END IF;
    a.sla_deadline := moments.sla_deadline;
    a.warn_at := COALESCE(a.warn_at, moments.warn_at);
    IF a.escalation_recipient_id IS NOT NULL THEN
        PERFORM steward.recipient_known(a.escalation_recipient_id);
    END IF;
    RETURN a;
END $$;
COMMENT ON FUNCTION steward.assignment_filled(public.assignments) IS
    'what is inserted, with organisation and unit from the assignee, and both moments of the SLA from its configuration; a given deadline stays, and what comes completed was completed now';
GRANT EXECUTE ON FUNCTION steward.assignment_filled(public.assignments) TO service_role;
CREATE FUNCTION public.calculate_sla_deadline_fn() RETURNS trigger
    LANGUAGE plpgsql AS $$
BEGIN
    -- A decision of steward brings all of it along.
    IF current_user <> 'steward_owner' OR NEW.unit_id IS NULL THEN
        NEW := steward.assignment_filled(NEW);
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION public.calculate_sla_deadline_fn() IS 'fills organisation, unit and both moments of the SLA';
CREATE TRIGGER calculate_sla_deadline BEFORE INSERT ON public.assignments
    FOR EACH ROW EXECUTE FUNCTION public.calculate_sla_deadline_fn();
COMMENT ON TRIGGER calculate_sla_deadline ON public.assignments IS 'fills organisation, unit and both moments of the SLA';
-- Finished work may have outlived its skills, and is asked only for what is changed.
CREATE FUNCTION steward.assignment_skills() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM steward.skills_stay(NEW.organization_id);
    NEW.required_skills := steward.skill_set(NEW.organization_id, NEW.required_skills);
    RETURN NEW;
END $$;
COMMENT ON FUNCTION steward.assignment_skills() IS 'skills must exist';
CREATE TRIGGER assignment_skills BEFORE UPDATE OF required_skills, organization_id ON public.assignments
    FOR EACH ROW WHEN (NEW.required_skills <> OLD.required_skills OR NEW.organization_id <> OLD.organization_id)
    EXECUTE FUNCTION steward.assignment_skills();
COMMENT ON TRIGGER assignment_skills ON public.assignments IS 'skills must exist';
-- No index: a skill is deleted once in a while, and work is given all the time.
CREATE TRIGGER skill_in_work BEFORE DELETE ON public.skills
    FOR EACH ROW EXECUTE FUNCTION steward.skill_in_use('public.assignments', 'required_skills',
        'x.status NOT IN (''completed'', ''cancelled'')', 'an open assignment');
COMMENT ON TRIGGER skill_in_work ON public.skills IS 'a skill that open work needs is not deleted';

-- Moving assigned_at alone corrects when the work began; moving it together with
-- the assignee is a reassignment, which keeps the promise that was made.
CREATE FUNCTION steward.sla_restate() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    moments record;
BEGIN
    IF NEW.assigned_at <> OLD.assigned_at AND NEW.assignee_id = OLD.assignee_id AND NEW.sla_started_at = OLD.sla_started_at THEN
        NEW.sla_started_at := NEW.assigned_at;
    END IF;
    moments := steward.sla_moments(NEW.organization_id, NEW.work_item_type, NEW.priority, NEW.sla_started_at,
        CASE WHEN NEW.sla_deadline <> OLD.sla_deadline
               OR (NEW.priority = OLD.priority AND NEW.work_item_type = OLD.work_item_type AND NEW.sla_started_at = OLD.sla_started_at)
             THEN NEW.sla_deadline END);
    NEW.sla_deadline := moments.sla_deadline;
    IF NEW.warn_at = OLD.warn_at THEN
        NEW.warn_at := moments.warn_at;
    END IF;
    -- A promise that holds again is watched again.
    IF NEW.warn_at > steward.now() THEN
        NEW.warning_sent_at := NULL;
    END IF;
    IF NEW.sla_deadline > steward.now() THEN
        NEW.breached_at := NULL;
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION steward.sla_restate() IS 'recomputes both moments, from the same start, when what they follow from changes';
CREATE TRIGGER sla_restate BEFORE UPDATE OF priority, work_item_type, assigned_at, sla_started_at, sla_deadline, warn_at ON public.assignments
    FOR EACH ROW WHEN (NEW.priority <> OLD.priority OR NEW.work_item_type <> OLD.work_item_type
                       OR NEW.sla_started_at <> OLD.sla_started_at OR NEW.sla_deadline <> OLD.sla_deadline
                       OR NEW.warn_at <> OLD.warn_at
                       OR (NEW.assigned_at <> OLD.assigned_at AND NEW.assignee_id = OLD.assignee_id))
    EXECUTE FUNCTION steward.sla_restate();
COMMENT ON TRIGGER sla_restate ON public.assignments IS 'the moments of the SLA follow priority, type and start';

CREATE FUNCTION steward.assignment_next(status public.assignment_status) RETURNS public.assignment_status[]
    LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE status
        WHEN 'pending'     THEN '{assigned, cancelled}'
        WHEN 'assigned'    THEN '{in_progress, completed, cancelled}'
        WHEN 'in_progress' THEN '{completed, cancelled}'
        ELSE '{}'
    END::public.assignment_status[]
$$;
COMMENT ON FUNCTION steward.assignment_next(public.assignment_status) IS 'the lifecycle: where an assignment may go from here';
CREATE FUNCTION steward.assignment_lifecycle() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    allowed public.assignment_status[] := steward.assignment_next(OLD.status);
BEGIN
    IF NEW.status <> ALL (allowed) THEN
        RAISE EXCEPTION 'an assignment cannot go from % to %', OLD.status, NEW.status
            USING ERRCODE = 'check_violation', COLUMN = 'status', HINT = CASE WHEN allowed = '{}'
                THEN format('%s is the end; assign the work item anew', OLD.status)
                ELSE format('from %s it may go to %s', OLD.status, array_to_string(allowed, ', ')) END;
    END IF;
    IF NEW.status = 'completed' THEN
        -- Work may have begun after this transaction did, or by a clock that was ahead.
        NEW.completed_at := COALESCE(NEW.completed_at, GREATEST(steward.now(), NEW.sla_started_at, NEW.assigned_at));
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION steward.assignment_lifecycle() IS 'refuses every way between two states that the lifecycle does not draw, and stamps completed_at';
CREATE TRIGGER assignment_lifecycle BEFORE UPDATE OF status ON public.assignments
    FOR EACH ROW WHEN (NEW.status <> OLD.status) EXECUTE FUNCTION steward.assignment_lifecycle();
COMMENT ON TRIGGER assignment_lifecycle ON public.assignments IS 'keeps the lifecycle';
-- Also stamps updated_at.  The marks of the SLA are nobody's edit.
CREATE TRIGGER increment_assignment_version
    BEFORE UPDATE OF assignee_id, priority, work_item_type, status, needs_review, review_reason, required_skills, target_unit_id,
        override_reason, sla_deadline ON public.assignments
    FOR EACH ROW EXECUTE FUNCTION public.increment_version_column();
COMMENT ON TRIGGER increment_assignment_version ON public.assignments IS 'optimistic locking';

CREATE FUNCTION steward.recipient_exists() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM steward.recipient_known(NEW.escalation_recipient_id);
    RETURN NEW;
END $$;
COMMENT ON FUNCTION steward.recipient_exists() IS 'refuses a recipient who does not exist';
CREATE TRIGGER recipient_exists BEFORE UPDATE OF escalation_recipient_id ON public.assignments
    FOR EACH ROW WHEN (NEW.escalation_recipient_id IS NOT NULL AND current_user <> 'steward_owner')
    EXECUTE FUNCTION steward.recipient_exists();
COMMENT ON TRIGGER recipient_exists ON public.assignments IS 'a client names a recipient who exists';

CREATE FUNCTION steward.assignment_moves() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    SELECT p.unit_id INTO NEW.unit_id FROM public.staff_profiles p
     WHERE p.organization_id = NEW.organization_id AND p.user_id = NEW.assignee_id;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'user % is not a member of staff of organisation %', NEW.assignee_id, NEW.organization_id
            USING ERRCODE = 'foreign_key_violation', COLUMN = 'assignee_id', HINT = 'an assignee needs a row in staff_profiles';
    END IF;
    -- The promise stays, but whoever has to keep it now was not warned.
    IF NEW.assignee_id <> OLD.assignee_id AND NEW.breached_at IS NULL AND NEW.warning_sent_at = OLD.warning_sent_at THEN
        NEW.warning_sent_at := NULL;
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION steward.assignment_moves() IS 'an assignment belongs to the unit of its assignee, who is warned anew';
CREATE TRIGGER assignment_moves BEFORE UPDATE OF assignee_id, unit_id, organization_id, status ON public.assignments
    FOR EACH ROW WHEN (NEW.assignee_id <> OLD.assignee_id OR NEW.unit_id <> OLD.unit_id OR NEW.organization_id <> OLD.organization_id
                       OR (OLD.status = 'pending' AND NEW.status = 'assigned'))
    EXECUTE FUNCTION steward.assignment_moves();
COMMENT ON TRIGGER assignment_moves ON public.assignments IS 'the unit follows the assignee';
-- Here the person is locked before assignments and units, against the order of locks:
-- whoever is just giving or finishing this work would wait for us and we for them.  So
-- we give up long before they look for a deadlock, all waits together.
CREATE FUNCTION steward.staff_moves() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '100ms' AS $$
DECLARE
    full_unit public.organizational_units;
BEGIN
    PERFORM FROM public.assignments a
      WHERE a.organization_id = NEW.organization_id AND a.assignee_id = NEW.user_id AND a.status NOT IN ('completed', 'cancelled')
        FOR NO KEY UPDATE NOWAIT;
    UPDATE public.assignments a SET unit_id = NEW.unit_id
     WHERE a.organization_id = NEW.organization_id AND a.assignee_id = NEW.user_id AND a.status NOT IN ('completed', 'cancelled');
    -- Counted by now, and locked.
    SELECT * INTO full_unit FROM public.organizational_units u
     WHERE u.id = NEW.unit_id AND u.current_assignment_count > u.unit_wip_limit AND NEW.current_assignment_count > 0;
    IF FOUND THEN
        RAISE EXCEPTION 'unit % has no room for the open work that comes along: it would have %/%', full_unit.name_en,
                full_unit.current_assignment_count, full_unit.unit_wip_limit
            USING ERRCODE = 'check_violation', COLUMN = 'unit_id', HINT = 'give the work to somebody else first, or raise unit_wip_limit';
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION steward.staff_moves() IS 'open work goes along to the new unit, which needs room for it; 55P03, to be tried again, while somebody changes that work';
CREATE TRIGGER staff_moves AFTER UPDATE OF unit_id ON public.staff_profiles
    FOR EACH ROW WHEN (NEW.unit_id <> OLD.unit_id) EXECUTE FUNCTION steward.staff_moves();
COMMENT ON TRIGGER staff_moves ON public.staff_profiles IS 'open work goes along to the new unit';
CREATE FUNCTION steward.staff_stays() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF TG_OP = 'UPDATE' THEN
        RAISE EXCEPTION 'a profile belongs to one user of one organisation'
            USING ERRCODE = 'check_violation', COLUMN = CASE WHEN NEW.user_id <> OLD.user_id THEN 'user_id' ELSE 'organization_id' END,
                  HINT = 'make another profile';
    END IF;
    IF EXISTS (SELECT FROM public.assignments a WHERE a.organization_id = OLD.organization_id AND a.assignee_id = OLD.user_id
                  AND a.status NOT IN ('completed', 'cancelled')) THEN
        RAISE EXCEPTION 'user % still has open assignments', OLD.user_id
            USING ERRCODE = 'foreign_key_violation', HINT = 'give them to somebody else first';
    END IF;
    RETURN OLD;
END $$;
COMMENT ON FUNCTION steward.staff_stays() IS 'nobody leaves with open work, and nobody''s profile becomes somebody else''s';
CREATE TRIGGER staff_leaves BEFORE DELETE ON public.staff_profiles FOR EACH ROW EXECUTE FUNCTION steward.staff_stays();
COMMENT ON TRIGGER staff_leaves ON public.staff_profiles IS 'nobody leaves with open work';
CREATE TRIGGER staff_stays BEFORE UPDATE OF user_id, organization_id ON public.staff_profiles
    FOR EACH ROW WHEN (NEW.user_id <> OLD.user_id OR NEW.organization_id <> OLD.organization_id) EXECUTE FUNCTION steward.staff_stays();
COMMENT ON TRIGGER staff_stays ON public.staff_profiles IS 'nobody''s profile becomes somebody else''s';

-- Counting.  A whole statement is counted at once, units before people and each
-- in the order of ids, which is the order of locks everywhere: assignments,
-- units, people.  So nobody waits in a circle.
-- Planning anew what is a few rows by index every time would cost more than doing it,
-- and so would doing for one row, which is nearly always all, what many need.
CREATE FUNCTION public.update_staff_assignment_count() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    AS $$
DECLARE
    organizations uuid[];
    units         uuid[];
    people        uuid[];
    changes       int[];
    organization  uuid;
    unit          uuid;
    person        uuid;
    change        int := 1;
    is_stale      boolean;
BEGIN
    IF TG_OP = 'INSERT' THEN
        SELECT n.organization_id, n.unit_id, n.assignee_id INTO organization, unit, person
          FROM after_rows n WHERE n.status IN ('assigned', 'in_progress') AND NOT EXISTS (SELECT FROM after_rows OFFSET 1);
    END IF;
    IF person IS NULL THEN
        IF TG_OP = 'INSERT' THEN
            SELECT array_agg(n.organization_id), array_agg(n.unit_id), array_agg(n.assignee_id), array_agg(1)
              INTO organizations, units, people, changes
              FROM after_rows n WHERE n.status IN ('assigned', 'in_progress');
        ELSIF TG_OP = 'DELETE' THEN
            SELECT array_agg(o.organization_id), array_agg(o.unit_id), array_agg(o.assignee_id), array_agg(-1)
              INTO organizations, units, people, changes
              FROM before_rows o WHERE o.status IN ('assigned', 'in_progress');
        ELSE
            SELECT array_agg(c.organization_id), array_agg(c.unit_id), array_agg(c.assignee_id), array_agg(c.change)
              INTO organizations, units, people, changes
              FROM (SELECT x.organization_id, x.unit_id, x.assignee_id, sum(x.change)::int AS change
                      FROM (SELECT n.organization_id, n.unit_id, n.assignee_id, 1 AS change
                              FROM after_rows n WHERE n.status IN ('assigned', 'in_progress')
                            UNION ALL
                            SELECT o.organization_id, o.unit_id, o.assignee_id, -1
                              FROM before_rows o WHERE o.status IN ('assigned', 'in_progress')) x
                     GROUP BY x.organization_id, x.unit_id, x.assignee_id HAVING sum(x.change) <> 0) c;
        END IF;
        IF cardinality(people) = 1 THEN
            organization := organizations[1];
            unit := units[1];
            person := people[1];
            change := changes[1];
        END IF;
    END IF;
    -- Whoever is given work has to be there still, in the unit that was read before these locks were held.
    IF person IS NOT NULL THEN
        UPDATE public.organizational_units u SET current_assignment_count = GREATEST(u.current_assignment_count + change, 0)
         WHERE u.id = unit;
        UPDATE public.staff_profiles p
           SET current_assignment_count = GREATEST(p.current_assignment_count + change, 0),
               last_assigned_at = CASE WHEN change > 0 THEN GREATEST(p.last_assigned_at, steward.now()) ELSE p.last_assigned_at END
         WHERE p.organization_id = organization AND p.user_id = person AND (change < 0 OR p.unit_id = unit);
        is_stale := NOT FOUND AND change > 0;
    ELSIF cardinality(people) > 1 THEN
        PERFORM FROM public.organizational_units u WHERE u.id = ANY (units) ORDER BY u.id FOR NO KEY UPDATE;
        UPDATE public.organizational_units u SET current_assignment_count = GREATEST(u.current_assignment_count + d.change, 0)
          FROM (SELECT x.unit, sum(x.change)::int AS change FROM unnest(units, changes) x(unit, change) GROUP BY x.unit) d
         WHERE u.id = d.unit AND d.change <> 0;
        PERFORM FROM public.staff_profiles p WHERE p.user_id = ANY (people) AND p.organization_id = ANY (organizations)
          ORDER BY p.user_id, p.organization_id FOR NO KEY UPDATE;
        UPDATE public.staff_profiles p
           SET current_assignment_count = GREATEST(p.current_assignment_count + d.change, 0),
               last_assigned_at = CASE WHEN d.change > 0 THEN GREATEST(p.last_assigned_at, steward.now()) ELSE p.last_assigned_at END
          FROM (SELECT x.organization, x.person, sum(x.change)::int AS change
                  FROM unnest(organizations, people, changes) x(organization, person, change) GROUP BY x.organization, x.person) d
         WHERE p.organization_id = d.organization AND p.user_id = d.person AND d.change <> 0;
        is_stale := EXISTS (SELECT FROM unnest(organizations, units, people, changes) x(organization, unit, person, change)
                             WHERE x.change > 0 AND NOT EXISTS (SELECT FROM public.staff_profiles p
                                       WHERE p.organization_id = x.organization AND p.user_id = x.person AND p.unit_id = x.unit));
    END IF;
    IF is_stale THEN
        RAISE EXCEPTION 'the assignee has just moved to another unit, or left'
            USING ERRCODE = 'serialization_failure', HINT = 'try again';
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION public.update_staff_assignment_count() IS 'keeps the counts of people and units equal to their active assignments';
CREATE TRIGGER update_assignment_count AFTER INSERT ON public.assignments
    REFERENCING NEW TABLE AS after_rows FOR EACH STATEMENT EXECUTE FUNCTION public.update_staff_assignment_count();
COMMENT ON TRIGGER update_assignment_count ON public.assignments IS 'counts what was assigned';
CREATE TRIGGER update_assignment_count_change AFTER UPDATE ON public.assignments
    REFERENCING OLD TABLE AS before_rows NEW TABLE AS after_rows FOR EACH STATEMENT EXECUTE FUNCTION public.update_staff_assignment_count();
COMMENT ON TRIGGER update_assignment_count_change ON public.assignments IS 'counts what was finished or given to somebody else';
CREATE TRIGGER update_assignment_count_delete AFTER DELETE ON public.assignments
    REFERENCING OLD TABLE AS before_rows FOR EACH STATEMENT EXECUTE FUNCTION public.update_staff_assignment_count();
COMMENT ON TRIGGER update_assignment_count_delete ON public.assignments IS 'counts what was deleted';

-- A client that knows only the seeds may say itself how much somebody has; until it is
-- recounted that counts against the limit of the unit too.
CREATE FUNCTION steward.staff_count_told() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF pg_trigger_depth() = 1 THEN
        UPDATE public.organizational_units u
           SET current_assignment_count = GREATEST(u.current_assignment_count + NEW.current_assignment_count
                   - CASE TG_OP WHEN 'UPDATE' THEN OLD.current_assignment_count ELSE 0 END, 0)
         WHERE u.id = NEW.unit_id;
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION steward.staff_count_told() IS 'adds to the count of the unit what a client said about a person';
CREATE TRIGGER staff_count_told AFTER INSERT ON public.staff_profiles
    FOR EACH ROW WHEN (NEW.current_assignment_count > 0 AND current_user <> 'steward_owner')
    EXECUTE FUNCTION steward.staff_count_told();
COMMENT ON TRIGGER staff_count_told ON public.staff_profiles IS 'a count that a client brings counts for the unit too';
CREATE TRIGGER staff_count_retold AFTER UPDATE OF current_assignment_count ON public.staff_profiles
    FOR EACH ROW WHEN (current_user <> 'steward_owner') EXECUTE FUNCTION steward.staff_count_told();
COMMENT ON TRIGGER staff_count_retold ON public.staff_profiles IS 'a count that a client sets counts for the unit too';

CREATE FUNCTION steward.recount_assignments(repair boolean DEFAULT true)
    RETURNS TABLE (what text, id uuid, stored int, counted int)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    units    uuid[] := '{}';
    profiles uuid[] := '{}';
    watched  uuid[] := '{}';
    drift    record;
BEGIN
    FOR drift IN
        SELECT 'unit' AS kind, u.id AS key, u.id AS shown, u.current_assignment_count AS stored, COALESCE(c.n, 0) AS counted
          FROM public.organizational_units u
          LEFT JOIN (SELECT a.unit_id, count(*)::int AS n FROM public.assignments a
                      WHERE a.status IN ('assigned', 'in_progress') GROUP BY a.unit_id) c ON c.unit_id = u.id
         WHERE u.current_assignment_count <> COALESCE(c.n, 0)
        UNION ALL
        SELECT 'person', p.id, p.user_id, p.current_assignment_count, COALESCE(c.n, 0)
          FROM public.staff_profiles p
          LEFT JOIN (SELECT a.organization_id, a.assignee_id, count(*)::int AS n FROM public.assignments a
                      WHERE a.status IN ('assigned', 'in_progress') GROUP BY a.organization_id, a.assignee_id) c
            ON c.organization_id = p.organization_id AND c.assignee_id = p.user_id
         WHERE p.current_assignment_count <> COALESCE(c.n, 0)
        UNION ALL
        SELECT 'ranks', p.id, p.user_id, d.wrong, 0
          FROM (SELECT COALESCE(h.organization_id, r.organization_id) AS organization_id, COALESCE(h.user_id, r.user_id) AS user_id,
                       count(*)::int AS wrong
                  FROM steward.skill_holder h
                  FULL JOIN steward.ranks() r
                    ON r.organization_id = h.organization_id AND r.user_id = h.user_id AND r.skill_id = h.skill_id
                 WHERE (h.share, h.breadth, h.last_assigned_at) IS DISTINCT FROM (r.share, r.breadth, r.last_assigned_at)
                 GROUP BY 1, 2) d
          JOIN public.staff_profiles p ON p.organization_id = d.organization_id AND p.user_id = d.user_id
        UNION ALL
        SELECT 'due', a.id, a.id, 0, 1
          FROM (SELECT x.id, steward.due_at(x.status, x.warn_at, x.warning_sent_at, x.sla_deadline, x.breached_at) AS due_at
                  FROM public.assignments x WHERE x.status IN ('assigned', 'in_progress')) a
         WHERE a.due_at IS NOT NULL
           AND NOT EXISTS (SELECT FROM steward.assignment_due d WHERE d.assignment_id = a.id AND d.due_at <= a.due_at)
        UNION ALL
        SELECT 'due', d.assignment_id, d.assignment_id, 1, 0
          FROM steward.assignment_due d WHERE NOT EXISTS (SELECT FROM public.assignments a WHERE a.id = d.assignment_id)
    LOOP
        what := drift.kind;
        id := drift.shown;
        stored := drift.stored;
        counted := drift.counted;
        RETURN NEXT;
        CASE drift.kind
            WHEN 'unit' THEN units := units || drift.key;
            WHEN 'person', 'ranks' THEN profiles := profiles || drift.key;
            WHEN 'due' THEN watched := watched || drift.key;
        END CASE;
    END LOOP;
    IF repair THEN
        PERFORM FROM public.assignments a WHERE a.id = ANY (watched) ORDER BY a.id FOR NO KEY UPDATE;
        PERFORM steward.watch_again(watched);
        DELETE FROM steward.assignment_due d
         WHERE d.assignment_id = ANY (watched) AND NOT EXISTS (SELECT FROM public.assignments a WHERE a.id = d.assignment_id);
        -- An assignment and its counts change in one transaction, so what is counted while the
        -- row is locked is exact: what others have not committed they have not counted either.
        PERFORM FROM public.organizational_units u WHERE u.id = ANY (units) ORDER BY u.id FOR NO KEY UPDATE;
        UPDATE public.organizational_units u SET current_assignment_count =
               (SELECT count(*)::int FROM public.assignments a WHERE a.unit_id = u.id AND a.status IN ('assigned', 'in_progress'))
         WHERE u.id = ANY (units);
        PERFORM FROM public.staff_profiles p WHERE p.id = ANY (profiles) ORDER BY p.user_id, p.organization_id FOR NO KEY UPDATE;
        -- Whoever has no ranks gets them with the count.
        DELETE FROM steward.skill_holder h USING public.staff_profiles p
         WHERE p.id = ANY (profiles) AND h.organization_id = p.organization_id AND h.user_id = p.user_id;
        UPDATE public.staff_profiles p SET current_assignment_count =
               (SELECT count(*)::int FROM public.assignments a
                 WHERE a.organization_id = p.organization_id AND a.assignee_id = p.user_id AND a.status IN ('assigned', 'in_progress'))
         WHERE p.id = ANY (profiles);
        -- What was counted too high kept work waiting, where there is a queue.
        IF to_regclass('steward.capacity_freed') IS NOT NULL THEN
            INSERT INTO steward.capacity_freed (organization_id, unit_id, user_id)
            SELECT u.organization_id, u.id, NULL::uuid FROM public.organizational_units u WHERE u.id = ANY (units)
            UNION ALL
            SELECT p.organization_id, p.unit_id, p.user_id FROM public.staff_profiles p WHERE p.id = ANY (profiles);
            PERFORM pg_notify('queue_process_needed', '{}') WHERE units || profiles <> '{}';
        END IF;
    END IF;
END $$;
COMMENT ON FUNCTION steward.recount_assignments(boolean) IS
    'compares every count with the assignments, everybody''s ranks in skill_holder with the profile (of these stored is how many are wrong), and what is due with what the monitor will look at; returns what differs, and unless told not to sets it right';
GRANT EXECUTE ON FUNCTION steward.recount_assignments(boolean) TO steward_worker;

CREATE TABLE public.assignment_history (
    id              bigint      GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    organization_id uuid        NOT NULL REFERENCES public.organizations,
    unit_id         uuid        NOT NULL,
    assignment_id   uuid        NOT NULL,
    work_item_id    text        NOT NULL,
    action          text        NOT NULL,
    actor_id        uuid,
    detail          jsonb       NOT NULL DEFAULT '{}',
    created_at      timestamptz NOT NULL DEFAULT steward.now()
);
CREATE INDEX idx_assignment_history ON public.assignment_history (assignment_id, id);
COMMENT ON TABLE public.assignment_history IS 'what was done with an assignment, by whom; outlives it';
COMMENT ON COLUMN public.assignment_history.actor_id IS 'the user of the claims; NULL when steward did it';
COMMENT ON INDEX public.idx_assignment_history IS 'the story of an assignment';
CREATE FUNCTION steward.assignment_remember() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO public.assignment_history (organization_id, unit_id, assignment_id, work_item_id, action, actor_id, detail)
    VALUES (NEW.organization_id, NEW.unit_id, NEW.id, NEW.work_item_id,
            CASE WHEN NEW.assignee_id <> OLD.assignee_id THEN 'assignment_reassigned'
                 WHEN NEW.status <> OLD.status THEN 'assignment_' || NEW.status
                 ELSE 'assignment_reprioritized' END,
            auth.uid(),
            jsonb_strip_nulls(jsonb_build_object(
                'from_assignee', CASE WHEN NEW.assignee_id <> OLD.assignee_id THEN OLD.assignee_id END,
                'to_assignee', CASE WHEN NEW.assignee_id <> OLD.assignee_id THEN NEW.assignee_id END,
                'from_status', CASE WHEN NEW.status <> OLD.status THEN OLD.status END,
                'from_priority', CASE WHEN NEW.priority <> OLD.priority THEN OLD.priority END,
                'to_priority', CASE WHEN NEW.priority <> OLD.priority THEN NEW.priority END,
                'reason', CASE WHEN NEW.assignee_id <> OLD.assignee_id
                               THEN COALESCE(NEW.reassignment_reason, NEW.override_reason) END)));
    RETURN NULL;
END $$;
COMMENT ON FUNCTION steward.assignment_remember() IS 'writes what changed into the history';
CREATE TRIGGER assignment_remember AFTER UPDATE OF assignee_id, status, priority ON public.assignments
    FOR EACH ROW WHEN (NEW.assignee_id <> OLD.assignee_id OR NEW.status <> OLD.status OR NEW.priority <> OLD.priority)
    EXECUTE FUNCTION steward.assignment_remember();
COMMENT ON TRIGGER assignment_remember ON public.assignments IS 'keeps the history';

SELECT steward.protect('public.assignments');
CREATE POLICY visible ON public.assignments FOR SELECT TO authenticated
    USING (assignee_id = (SELECT auth.uid()) OR unit_id = ANY ((SELECT steward.visible_units())::uuid[]));
COMMENT ON POLICY visible ON public.assignments IS 'everybody the own work, supervisors their unit''s, administrators their organisation''s';
SELECT steward.protect('public.assignment_history');
CREATE POLICY visible ON public.assignment_history FOR SELECT TO authenticated
    USING (unit_id = ANY ((SELECT steward.visible_units())::uuid[])
           OR organization_id = ANY ((SELECT steward.led_organizations('admin'))::uuid[]));
COMMENT ON POLICY visible ON public.assignment_history IS 'supervisors their unit''s, administrators their organisation''s';
GRANT SELECT ON public.assignments, public.assignment_history TO authenticated;
-- What was done is added to, never rewritten.
REVOKE UPDATE, DELETE ON public.assignment_history FROM service_role;

SELECT steward.quarantine_restore('public.assignments');
SELECT steward.quarantine_restore('public.assignment_history');
SELECT steward.watch_again(ARRAY(SELECT a.id FROM public.assignments a));
-- Also for whoever loads work past the other triggers: what is not watched is never escalated.
ALTER TABLE public.assignments ENABLE ALWAYS TRIGGER assignment_watch, ENABLE ALWAYS TRIGGER assignment_watch_change,
    ENABLE ALWAYS TRIGGER assignment_watch_none;
SELECT setval(pg_get_serial_sequence('public.assignment_history', 'id'), COALESCE(max(id), 0) + 1, false)
  FROM public.assignment_history;
