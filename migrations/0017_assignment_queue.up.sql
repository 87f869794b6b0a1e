-- What fits nobody waits here, and every road by which capacity comes free leaves
-- a note for whoever drains the queue.

CREATE TABLE public.assignment_queue (
    id              uuid                  PRIMARY KEY DEFAULT gen_random_uuid(),
    organization_id uuid                  NOT NULL REFERENCES public.organizations,
    work_item_id    text                  NOT NULL
        CONSTRAINT assignment_queue_work_item_check CHECK (length(work_item_id) BETWEEN 1 AND 255),
    work_item_type  public.work_item_type NOT NULL,
    required_skills uuid[]                NOT NULL
        CONSTRAINT assignment_queue_skills_check CHECK (cardinality(required_skills) <= 100),
    target_unit_id  uuid,
    priority        public.priority_level NOT NULL,
    created_at      timestamptz           NOT NULL DEFAULT steward.now(),
    attempts        int                   NOT NULL DEFAULT 0 CONSTRAINT assignment_queue_attempts_check CHECK (attempts >= 0),
    last_attempt_at timestamptz,
    refused_at      timestamptz,
    reason          text,
    requested_by    uuid                  REFERENCES auth.users ON DELETE SET NULL,
    needs_review    boolean               NOT NULL DEFAULT false,
    flagged_at      timestamptz,
    notes           text,
    warn_at         timestamptz,
    sla_deadline    timestamptz,
    warning_sent_at timestamptz,
    breached_at     timestamptz,
    escalation_recipient_id uuid          REFERENCES auth.users,
    CONSTRAINT unique_queued_item UNIQUE (organization_id, work_item_id, work_item_type),
    CONSTRAINT assignment_queue_target_fkey FOREIGN KEY (organization_id, target_unit_id)
        REFERENCES public.organizational_units (organization_id, id) ON DELETE SET NULL (target_unit_id)
) WITH (fillfactor = 80);
CREATE INDEX idx_queue_priority_created ON public.assignment_queue (priority DESC, created_at, id);
CREATE INDEX idx_queue_order ON public.assignment_queue (organization_id, priority DESC, created_at, id);
CREATE INDEX idx_queue_serveable ON public.assignment_queue (organization_id, required_skills, priority DESC, created_at, id);
CREATE INDEX idx_queue_target ON public.assignment_queue (organization_id, target_unit_id, priority DESC, created_at, id);
CREATE INDEX idx_queue_new ON public.assignment_queue (priority DESC, created_at, id) WHERE last_attempt_at IS NULL;
CREATE INDEX idx_queue_stale_items ON public.assignment_queue (priority DESC, created_at, id) INCLUDE (last_attempt_at)
    WHERE NOT needs_review;
-- None for requested_by, which nearly every item has: deleting a user reads the queue once.
CREATE INDEX idx_queue_recipient ON public.assignment_queue (escalation_recipient_id) WHERE escalation_recipient_id IS NOT NULL;
CREATE INDEX idx_queue_sla_breach ON public.assignment_queue (sla_deadline) WHERE breached_at IS NULL;
CREATE INDEX idx_queue_sla_warning ON public.assignment_queue (warn_at) WHERE warning_sent_at IS NULL;
COMMENT ON CONSTRAINT assignment_queue_skills_check ON public.assignment_queue IS 'what an entry of idx_queue_serveable has room for';
COMMENT ON TABLE public.assignment_queue IS 'work items that fit nobody at the moment; urgent first, then oldest first';
COMMENT ON COLUMN public.assignment_queue.attempts IS 'how often a pass of the fallback found nobody, or giving it away raised; at ten somebody has to look, and the item stays';
COMMENT ON COLUMN public.assignment_queue.refused_at IS 'when giving it away raised, as in a trigger of another client, where that is what came of the last attempt; then it rests for a minute';
COMMENT ON COLUMN public.assignment_queue.reason IS 'why it fitted nobody, or what refused it, the last time';
COMMENT ON COLUMN public.assignment_queue.sla_deadline IS 'the deadline that the assignment will have: the clock runs since created_at; NULL is not watched';
COMMENT ON COLUMN public.assignment_queue.warning_sent_at IS 'when whoever can find capacity was warned; once for a deadline';
COMMENT ON COLUMN public.assignment_queue.breached_at IS 'when the breach of this deadline was escalated, or stamped where nobody could be told; the assignment takes it over';
COMMENT ON INDEX public.idx_queue_recipient IS 'what deleting a user looks through';
COMMENT ON INDEX public.idx_queue_sla_breach IS 'the next breach among what waits';
COMMENT ON INDEX public.idx_queue_sla_warning IS 'the next warning among what waits';
COMMENT ON INDEX public.idx_queue_priority_created IS 'the order in which the whole queue is served';
COMMENT ON INDEX public.idx_queue_order IS 'the order in which the queue of an organisation is served';
COMMENT ON INDEX public.idx_queue_serveable IS 'the next item of each set of skills; sets are sorted, so a walk finds those that somebody has';
COMMENT ON INDEX public.idx_queue_target IS 'the queue as the supervisor of a unit sees it: the unit''s, and what has no target';
COMMENT ON INDEX public.idx_queue_new IS 'what nobody looked at since it was queued';
COMMENT ON INDEX public.idx_queue_stale_items IS 'what the fallback tries next';

CREATE FUNCTION steward.queue_check() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NEW.organization_id IS NULL THEN
        NEW.organization_id := steward.organization_of_unit(NEW.target_unit_id);
    END IF;
    PERFORM steward.skills_stay(NEW.organization_id);
    NEW.required_skills := steward.skill_set(NEW.organization_id, NEW.required_skills);
    RETURN NEW;
END $$;
COMMENT ON FUNCTION steward.queue_check() IS 'fills organization_id from the target unit; skills must exist';
CREATE TRIGGER queue_check BEFORE INSERT OR UPDATE OF required_skills, organization_id ON public.assignment_queue
    FOR EACH ROW EXECUTE FUNCTION steward.queue_check();
COMMENT ON TRIGGER queue_check ON public.assignment_queue IS 'fills organization_id from the target unit; skills must exist';

CREATE TRIGGER skill_in_queue BEFORE DELETE ON public.skills
    FOR EACH ROW EXECUTE FUNCTION steward.skill_in_use('public.assignment_queue', 'required_skills', 'true', 'an item that waits');
COMMENT ON TRIGGER skill_in_queue ON public.skills IS 'a skill that waiting work needs is not deleted';

-- The same promise as that of an assignment: from the same start, and kept when it is given to somebody.
CREATE FUNCTION steward.queue_promise() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    moments record;
BEGIN
    IF TG_OP = 'INSERT' THEN
        moments := steward.sla_moments(NEW.organization_id, NEW.work_item_type, NEW.priority, NEW.created_at, NEW.sla_deadline);
        NEW.sla_deadline := moments.sla_deadline;
        NEW.warn_at := COALESCE(NEW.warn_at, moments.warn_at);
        RETURN NEW;
    END IF;
    moments := steward.sla_moments(NEW.organization_id, NEW.work_item_type, NEW.priority, NEW.created_at,
        CASE WHEN NEW.sla_deadline <> OLD.sla_deadline THEN NEW.sla_deadline END);
    NEW.sla_deadline := moments.sla_deadline;
    NEW.warn_at := moments.warn_at;
    -- A promise that holds again is watched again.
    IF NEW.warn_at > steward.now() THEN
        NEW.warning_sent_at := NULL;
    END IF;
    IF NEW.sla_deadline > steward.now() THEN
        NEW.breached_at := NULL;
        NEW.escalation_recipient_id := NULL;
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION steward.queue_promise() IS 'fills both moments of the SLA, and recomputes them when what they follow from changes; a given deadline stays';
CREATE TRIGGER queue_promise BEFORE INSERT ON public.assignment_queue
    FOR EACH ROW EXECUTE FUNCTION steward.queue_promise();
COMMENT ON TRIGGER queue_promise ON public.assignment_queue IS 'fills both moments of the SLA';
CREATE TRIGGER queue_promise_change BEFORE UPDATE OF priority, work_item_type, created_at, sla_deadline ON public.assignment_queue
    FOR EACH ROW WHEN (NEW.priority <> OLD.priority OR NEW.work_item_type <> OLD.work_item_type
                       OR NEW.created_at <> OLD.created_at OR NEW.sla_deadline <> OLD.sla_deadline)
    EXECUTE FUNCTION steward.queue_promise();
COMMENT ON TRIGGER queue_promise_change ON public.assignment_queue IS 'the moments of the SLA follow priority, type and start';

CREATE FUNCTION steward.queue_flag() RETURNS trigger
    LANGUAGE plpgsql AS $$
BEGIN
    NEW.needs_review := true;
    NEW.flagged_at := COALESCE(NEW.flagged_at, steward.now());
    RETURN NEW;
END $$;
COMMENT ON FUNCTION steward.queue_flag() IS 'flags an item for review';
CREATE TRIGGER queue_flag BEFORE UPDATE OF attempts ON public.assignment_queue
    FOR EACH ROW WHEN (NEW.attempts >= 10 AND OLD.attempts < 10) EXECUTE FUNCTION steward.queue_flag();
COMMENT ON TRIGGER queue_flag ON public.assignment_queue IS 'the tenth failed attempt flags an item, which stays';

CREATE TABLE steward.capacity_freed (
    id              bigint      GENERATED BY DEFAULT AS IDENTITY PRIMARY KEY,
    organization_id uuid        NOT NULL,
    unit_id         uuid        NOT NULL,
    user_id         uuid,
    created_at      timestamptz NOT NULL DEFAULT steward.now()
);
CREATE INDEX idx_capacity_freed ON steward.capacity_freed (organization_id, id);
COMMENT ON TABLE steward.capacity_freed IS 'whose capacity grew since the queue was last drained; the drain removes what it has used';
COMMENT ON INDEX steward.idx_capacity_freed IS 'whether anything has come free in an organisation';
COMMENT ON COLUMN steward.capacity_freed.user_id IS 'NULL: anybody of the unit';
SELECT steward.protect('steward.capacity_freed');
REVOKE ALL ON steward.capacity_freed FROM service_role;

-- The note is the truth, the notification only wakes whoever drains the queue.
-- The payload stays far below the limit of 8000 bytes however many skills there are.
CREATE FUNCTION public.process_queue_on_capacity_change() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    organization uuid;
    unit         uuid;
    person       uuid;
    skills       uuid[] := '{}';
BEGIN
    organization := COALESCE(NEW.organization_id, OLD.organization_id);
    CASE TG_TABLE_NAME
        WHEN 'assignments' THEN
            unit := OLD.unit_id;
            person := OLD.assignee_id;
        WHEN 'staff_profiles' THEN
            unit := NEW.unit_id;
            person := NEW.user_id;
            INSERT INTO steward.capacity_freed (organization_id, unit_id)
            SELECT organization, OLD.unit_id WHERE OLD.unit_id <> NEW.unit_id;
        WHEN 'organizational_units' THEN
            unit := NEW.id;
        WHEN 'assignment_rules' THEN
            -- A rule that must be kept, or must no longer, concerns every unit.
            INSERT INTO steward.capacity_freed (organization_id, unit_id)
            SELECT organization, u.id FROM public.organizational_units u WHERE u.organization_id = organization;
        WHEN 'assignment_queue' THEN
            unit := NEW.target_unit_id;
    END CASE;
    IF unit IS NOT NULL AND TG_TABLE_NAME <> 'assignment_queue' THEN
        INSERT INTO steward.capacity_freed (organization_id, unit_id, user_id) VALUES (organization, unit, person);
        SELECT p.skills[1:50] INTO skills FROM public.staff_profiles p
         WHERE p.organization_id = organization AND p.user_id = person;
    END IF;
    PERFORM pg_notify('queue_process_needed', json_build_object(
        'unit_id', unit, 'freed_skills', COALESCE(skills, '{}'), 'timestamp', steward.iso(steward.now()))::text);
    RETURN NULL;
END $$;
COMMENT ON FUNCTION public.process_queue_on_capacity_change() IS
    'notes whose capacity grew and wakes whoever drains the queue, on the channel queue_process_needed';
CREATE TRIGGER assignment_completion_trigger AFTER UPDATE OF status, assignee_id ON public.assignments
    FOR EACH ROW WHEN (OLD.status IN ('assigned', 'in_progress')
                       AND (NEW.status NOT IN ('assigned', 'in_progress') OR NEW.assignee_id <> OLD.assignee_id))
    EXECUTE FUNCTION public.process_queue_on_capacity_change();
COMMENT ON TRIGGER assignment_completion_trigger ON public.assignments IS 'finishing, cancelling and giving away work frees capacity';
CREATE TRIGGER assignment_deletion_trigger AFTER DELETE ON public.assignments
    FOR EACH ROW WHEN (OLD.status IN ('assigned', 'in_progress'))
    EXECUTE FUNCTION public.process_queue_on_capacity_change();
COMMENT ON TRIGGER assignment_deletion_trigger ON public.assignments IS 'deleting open work frees capacity';
CREATE TRIGGER staff_arrival_trigger AFTER INSERT ON public.staff_profiles
    FOR EACH ROW WHEN (NEW.availability_status = 'available')
    EXECUTE FUNCTION public.process_queue_on_capacity_change();
COMMENT ON TRIGGER staff_arrival_trigger ON public.staff_profiles IS 'new people are capacity';
CREATE TRIGGER staff_capacity_trigger
    AFTER UPDATE OF individual_wip_limit, availability_status, skills, unit_id ON public.staff_profiles
    FOR EACH ROW WHEN (NEW.unit_id <> OLD.unit_id
                       OR (NEW.availability_status = 'available'
                           AND (OLD.availability_status <> 'available' OR NEW.individual_wip_limit > OLD.individual_wip_limit
                                OR NEW.skills <> OLD.skills)))
    EXECUTE FUNCTION public.process_queue_on_capacity_change();
COMMENT ON TRIGGER staff_capacity_trigger ON public.staff_profiles IS 'a higher limit, a return, a new skill is capacity, and moving to another unit is for both';
CREATE TRIGGER unit_capacity_trigger AFTER UPDATE OF unit_wip_limit ON public.organizational_units
    FOR EACH ROW WHEN (NEW.unit_wip_limit > OLD.unit_wip_limit)
    EXECUTE FUNCTION public.process_queue_on_capacity_change();
COMMENT ON TRIGGER unit_capacity_trigger ON public.organizational_units IS 'a higher limit of a unit is capacity';
CREATE TRIGGER rule_capacity_trigger AFTER INSERT OR UPDATE OR DELETE ON public.assignment_rules
    FOR EACH ROW EXECUTE FUNCTION public.process_queue_on_capacity_change();
COMMENT ON TRIGGER rule_capacity_trigger ON public.assignment_rules IS 'another rule may let somebody serve what waits';
-- Capacity may have come free between the look that found none and this commit.
CREATE TRIGGER queue_arrival_trigger AFTER INSERT ON public.assignment_queue
    FOR EACH ROW EXECUTE FUNCTION public.process_queue_on_capacity_change();
COMMENT ON TRIGGER queue_arrival_trigger ON public.assignment_queue IS 'what was just queued is looked at once more';

CREATE FUNCTION steward.queue_renew() RETURNS trigger
    LANGUAGE plpgsql AS $$
BEGIN
    NEW.attempts := 0;
    NEW.last_attempt_at := NULL;
    NEW.refused_at := NULL;
    NEW.needs_review := false;
    NEW.flagged_at := NULL;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION steward.queue_renew() IS 'forgets the attempts that an item had as it was before';
CREATE TRIGGER queue_renew BEFORE UPDATE OF required_skills, target_unit_id, priority ON public.assignment_queue
    FOR EACH ROW WHEN (NEW.required_skills <> OLD.required_skills OR NEW.target_unit_id IS DISTINCT FROM OLD.target_unit_id
                       OR NEW.priority <> OLD.priority)
    EXECUTE FUNCTION steward.queue_renew();
COMMENT ON TRIGGER queue_renew ON public.assignment_queue IS 'an item that needs something else is a new one';
CREATE TRIGGER queue_renewal_trigger AFTER UPDATE OF required_skills, target_unit_id, priority ON public.assignment_queue
    FOR EACH ROW WHEN (OLD.last_attempt_at IS NOT NULL AND NEW.last_attempt_at IS NULL)
    EXECUTE FUNCTION public.process_queue_on_capacity_change();
COMMENT ON TRIGGER queue_renewal_trigger ON public.assignment_queue IS 'and looked at like one';

SELECT steward.protect('public.assignment_queue');
CREATE POLICY visible ON public.assignment_queue FOR SELECT TO authenticated
    USING (organization_id = ANY ((SELECT steward.led_organizations())::uuid[])
           AND (target_unit_id IS NULL OR target_unit_id = ANY ((SELECT steward.visible_units())::uuid[])));
COMMENT ON POLICY visible ON public.assignment_queue IS 'supervisors what waits for their unit or for any, administrators their organisation''s';
GRANT SELECT ON public.assignment_queue TO authenticated;

SELECT steward.quarantine_restore('public.assignment_queue');
SELECT steward.quarantine_restore('steward.capacity_freed');
SELECT setval(pg_get_serial_sequence('steward.capacity_freed', 'id'), COALESCE(max(id), 0) + 1, false) FROM steward.capacity_freed;
