-- Who had to look at what, and the archive: no deletion takes history along.

-- Only people are foreign keys, which are what an escalation costs most.  The organisation
-- is that of the assignment or the queued item.  An assignment is locked by whoever
-- escalates it and takes its escalations along when it goes.
CREATE TABLE public.escalation_events (
    id                uuid                     PRIMARY KEY DEFAULT gen_random_uuid(),
    organization_id   uuid                     NOT NULL,
    assignment_id     uuid,
    queue_id          uuid,
    work_item_id      text                     NOT NULL,
    work_item_type    public.work_item_type    NOT NULL,
    unit_id           uuid,
    escalated_from_id uuid                     NOT NULL REFERENCES auth.users,
    escalated_to_id   uuid                     REFERENCES auth.users,
    escalated_by      uuid                     REFERENCES auth.users,
    reason            public.escalation_reason NOT NULL,
    sla_deadline      timestamptz,
    escalated_at      timestamptz              NOT NULL DEFAULT steward.now(),
    acknowledged_at   timestamptz,
    resolved_at       timestamptz,
    notes             text                     CONSTRAINT escalation_events_notes_check CHECK (length(notes) <= 1000),
    created_at        timestamptz              NOT NULL DEFAULT steward.now(),
    CONSTRAINT escalation_events_subject_check CHECK (num_nonnulls(assignment_id, queue_id) = 1),
    CONSTRAINT escalation_events_breach_check CHECK ((reason = 'sla_breach') = (sla_deadline IS NOT NULL)),
    CONSTRAINT escalation_events_acknowledged_check CHECK (acknowledged_at >= escalated_at),
    CONSTRAINT escalation_events_resolved_check CHECK (resolved_at >= escalated_at AND resolved_at >= acknowledged_at)
);
CREATE UNIQUE INDEX idx_escalation_once ON public.escalation_events (assignment_id, sla_deadline);
CREATE INDEX idx_escalation_queue ON public.escalation_events (queue_id) WHERE queue_id IS NOT NULL;
CREATE INDEX idx_escalation_to ON public.escalation_events (escalated_to_id, escalated_at);
CREATE INDEX idx_escalation_from ON public.escalation_events (escalated_from_id, escalated_at);
CREATE INDEX idx_escalation_unit ON public.escalation_events (unit_id, escalated_at);
CREATE INDEX idx_escalation_date_reason ON public.escalation_events (escalated_at, reason);
CREATE INDEX idx_escalation_cleanup ON public.escalation_events (resolved_at) WHERE reason <> 'sla_breach' AND resolved_at IS NOT NULL;
CREATE INDEX idx_escalation_by ON public.escalation_events (escalated_by) WHERE escalated_by IS NOT NULL;
COMMENT ON TABLE public.escalation_events IS 'who had to look at an assignment or a queued item, and why; only the answer to it changes';
COMMENT ON COLUMN public.escalation_events.queue_id IS 'the queued item, where nobody has it yet; the row may be gone';
COMMENT ON COLUMN public.escalation_events.escalated_to_id IS 'NULL: there was nobody to tell, and the administrators were alerted';
COMMENT ON COLUMN public.escalation_events.escalated_by IS 'who did it by hand; NULL when steward did';
COMMENT ON COLUMN public.escalation_events.sla_deadline IS 'the deadline that was missed';
COMMENT ON INDEX public.idx_escalation_once IS 'one breach is escalated once, whatever crashes; also the escalations of an assignment';
COMMENT ON INDEX public.idx_escalation_queue IS 'the escalations of a queued item';
COMMENT ON INDEX public.idx_escalation_to IS 'what somebody was told';
COMMENT ON INDEX public.idx_escalation_from IS 'what was escalated away from somebody';
COMMENT ON INDEX public.idx_escalation_unit IS 'the escalations of a unit';
COMMENT ON INDEX public.idx_escalation_date_reason IS 'the report; ascending, for then the writer only ever adds at the end';
COMMENT ON INDEX public.idx_escalation_by IS 'what deleting a user looks through';
COMMENT ON INDEX public.idx_escalation_cleanup IS 'what retention removes';

CREATE FUNCTION steward.escalation_check() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    a public.assignments;
BEGIN
    IF NEW.assignment_id IS NOT NULL THEN
        SELECT * INTO a FROM public.assignments x WHERE x.id = NEW.assignment_id FOR KEY SHARE;
        IF NOT FOUND OR NEW.organization_id <> a.organization_id THEN
            RAISE EXCEPTION 'there is no assignment % in that organisation', NEW.assignment_id
                USING ERRCODE = 'foreign_key_violation', COLUMN = 'assignment_id', HINT = 'the organisation is the assignment''s';
        END IF;
        NEW.organization_id := a.organization_id;
        NEW.work_item_id := COALESCE(NEW.work_item_id, a.work_item_id);
        NEW.work_item_type := COALESCE(NEW.work_item_type, a.work_item_type);
        NEW.unit_id := COALESCE(NEW.unit_id, a.unit_id);
        NEW.escalated_from_id := COALESCE(NEW.escalated_from_id, a.assignee_id);
        IF NEW.reason = 'sla_breach' THEN
            NEW.sla_deadline := COALESCE(NEW.sla_deadline, a.sla_deadline);
        END IF;
    END IF;
    IF NEW.organization_id IS NULL THEN
        SELECT o.id INTO NEW.organization_id FROM public.organizations o WHERE o.is_default;
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION steward.escalation_check() IS 'fills from the assignment what the client did not say';
CREATE TRIGGER escalation_check BEFORE INSERT ON public.escalation_events
    FOR EACH ROW WHEN (current_user <> 'steward_owner' OR NEW.organization_id IS NULL OR NEW.work_item_id IS NULL
                       OR NEW.work_item_type IS NULL OR NEW.escalated_from_id IS NULL
                       OR (NEW.reason = 'sla_breach' AND NEW.sla_deadline IS NULL))
    EXECUTE FUNCTION steward.escalation_check();
COMMENT ON TRIGGER escalation_check ON public.escalation_events IS 'fills from the assignment what the client did not say';
CREATE TRIGGER escalation_organization_exists BEFORE INSERT ON public.escalation_events
    FOR EACH ROW WHEN (NEW.assignment_id IS NULL AND current_user <> 'steward_owner') EXECUTE FUNCTION steward.organization_exists();
COMMENT ON TRIGGER escalation_organization_exists ON public.escalation_events IS 'a client names an organisation that exists';

-- The audit: an event is told once, acknowledged once, resolved once, and leaves
-- only into the archive or by retention, both of which act as the owner.
CREATE FUNCTION steward.escalation_lifecycle() RETURNS trigger
    LANGUAGE plpgsql AS $$
BEGIN
    IF TG_OP = 'DELETE' THEN
        IF current_user = 'steward_owner' THEN
            RETURN OLD;
        END IF;
        RAISE EXCEPTION 'an escalation is not deleted'
            USING ERRCODE = 'check_violation', HINT = 'resolved ones leave by retention, 90 days later; breaches of an SLA never';
    END IF;
    IF (OLD.acknowledged_at IS NOT NULL AND NEW.acknowledged_at IS DISTINCT FROM OLD.acknowledged_at)
       OR (OLD.resolved_at IS NOT NULL AND NEW.resolved_at IS DISTINCT FROM OLD.resolved_at) THEN
        RAISE EXCEPTION 'escalation % is already %', OLD.id, CASE WHEN OLD.resolved_at IS NOT NULL THEN 'resolved' ELSE 'acknowledged' END
            USING ERRCODE = 'check_violation';
    END IF;
    IF (to_jsonb(NEW) - '{acknowledged_at,resolved_at,notes}'::text[]) <> (to_jsonb(OLD) - '{acknowledged_at,resolved_at,notes}'::text[]) THEN
        RAISE EXCEPTION 'of an escalation only acknowledged_at, resolved_at and notes change'
            USING ERRCODE = 'check_violation';
    END IF;
    IF NEW.resolved_at IS NOT NULL THEN
        NEW.acknowledged_at := COALESCE(NEW.acknowledged_at, NEW.resolved_at);
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION steward.escalation_lifecycle() IS 'open, acknowledged, resolved, and never back; nothing else of an event changes';
CREATE TRIGGER escalation_lifecycle BEFORE UPDATE OR DELETE ON public.escalation_events
    FOR EACH ROW EXECUTE FUNCTION steward.escalation_lifecycle();
COMMENT ON TRIGGER escalation_lifecycle ON public.escalation_events IS 'keeps the audit';

CREATE TABLE public.assignments_archive (LIKE public.assignments);
ALTER TABLE public.assignments_archive ADD PRIMARY KEY (id),
    ADD COLUMN archived_at timestamptz NOT NULL DEFAULT steward.now();
CREATE INDEX idx_assignments_archive_item ON public.assignments_archive (organization_id, work_item_id);
CREATE INDEX idx_assignments_archive_assignee ON public.assignments_archive (assignee_id, assigned_at);
CREATE INDEX idx_assignments_archive_date ON public.assignments_archive (archived_at);
CREATE INDEX idx_assignments_archive_assigned ON public.assignments_archive (assigned_at);
COMMENT ON TABLE public.assignments_archive IS 'assignments that were deleted or finished long ago, as they were';
COMMENT ON INDEX public.idx_assignments_archive_item IS 'the past of a work item';
COMMENT ON INDEX public.idx_assignments_archive_assignee IS 'the past of a person';
COMMENT ON INDEX public.idx_assignments_archive_date IS 'what was archived last, for whoever may see much of it';
COMMENT ON INDEX public.idx_assignments_archive_assigned IS 'the same by the moment of assigning';
CREATE TABLE public.escalation_events_archive (LIKE public.escalation_events);
ALTER TABLE public.escalation_events_archive ADD PRIMARY KEY (id),
    ADD COLUMN archived_at timestamptz NOT NULL DEFAULT steward.now();
CREATE INDEX idx_escalation_archive_assignment ON public.escalation_events_archive (assignment_id);
CREATE INDEX idx_escalation_archive_date ON public.escalation_events_archive (escalated_at);
CREATE INDEX idx_escalation_archive_cleanup ON public.escalation_events_archive (resolved_at)
    WHERE reason <> 'sla_breach' AND resolved_at IS NOT NULL;
COMMENT ON TABLE public.escalation_events_archive IS 'the escalations of archived assignments and of items that left the queue; breaches of an SLA stay for ever';
COMMENT ON INDEX public.idx_escalation_archive_assignment IS 'the escalations of an archived assignment';
COMMENT ON INDEX public.idx_escalation_archive_date IS 'the report over long periods';
COMMENT ON INDEX public.idx_escalation_archive_cleanup IS 'what retention removes';

-- Whoever deletes an assignment, in whatever way, archives it.  A plan that was made while
-- the archive was empty would read all of it for each row.
CREATE FUNCTION steward.assignment_archive() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
BEGIN
    WITH gone AS (DELETE FROM public.escalation_events e WHERE e.assignment_id = OLD.id RETURNING e.*)
    INSERT INTO public.escalation_events_archive SELECT g.* FROM gone g ON CONFLICT (id) DO NOTHING;
    -- An id that comes back and goes again is archived as it was last.
    DELETE FROM public.assignments_archive x WHERE x.id = OLD.id;
    INSERT INTO public.assignments_archive SELECT OLD.*;
    RETURN OLD;
END $$;
COMMENT ON FUNCTION steward.assignment_archive() IS 'moves an assignment that is deleted, and its escalations, into the archive';
CREATE TRIGGER assignment_archive BEFORE DELETE ON public.assignments
    FOR EACH ROW EXECUTE FUNCTION steward.assignment_archive();
COMMENT ON TRIGGER assignment_archive ON public.assignments IS 'no deletion takes history along';
-- Those of a queued item outlive it, since it may have gone to somebody late; retention
-- takes them when nobody waits for an answer any more.
CREATE FUNCTION steward.queue_escalation_archive() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO public.escalation_events_archive SELECT OLD.* ON CONFLICT (id) DO NOTHING;
    RETURN OLD;
END $$;
COMMENT ON FUNCTION steward.queue_escalation_archive() IS 'moves an escalation of a queued item that is deleted into the archive';
CREATE TRIGGER queue_escalation_archive BEFORE DELETE ON public.escalation_events
    FOR EACH ROW WHEN (OLD.queue_id IS NOT NULL) EXECUTE FUNCTION steward.queue_escalation_archive();
COMMENT ON TRIGGER queue_escalation_archive ON public.escalation_events IS 'no retention takes a breach along';
CREATE FUNCTION steward.assignment_stays() RETURNS trigger
    LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'an assignment keeps its id' USING ERRCODE = 'check_violation', COLUMN = 'id', HINT = 'its history names it';
END $$;
COMMENT ON FUNCTION steward.assignment_stays() IS 'refuses another id, which would leave the escalations behind';
CREATE TRIGGER assignment_stays BEFORE UPDATE OF id ON public.assignments
    FOR EACH ROW WHEN (NEW.id <> OLD.id) EXECUTE FUNCTION steward.assignment_stays();
COMMENT ON TRIGGER assignment_stays ON public.assignments IS 'keeps escalations and their assignment together';

-- Only of supervisors: an administrator sees the whole organisation by its units.  Who is
-- led in one organisation, and not in another where the caller leads too, is left out.
CREATE FUNCTION steward.led_people() RETURNS uuid[]
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    caller uuid := auth.uid();
BEGIN
    RETURN COALESCE((
        SELECT array_agg(s.user_id)
          FROM public.staff_profiles p
          JOIN public.staff_profiles s ON s.organization_id = p.organization_id AND s.unit_id = p.unit_id
         WHERE p.user_id = caller AND p.role = 'supervisor'
           AND NOT EXISTS (SELECT FROM public.staff_profiles l
                             JOIN public.staff_profiles o ON o.organization_id = l.organization_id AND o.unit_id <> l.unit_id
                            WHERE l.user_id = caller AND l.role = 'supervisor' AND l.organization_id <> p.organization_id
                              AND o.user_id = s.user_id)), '{}');
END $$;
COMMENT ON FUNCTION steward.led_people() IS 'the users of the units in which the user of the claims is supervisor';
GRANT EXECUTE ON FUNCTION steward.led_people() TO authenticated;

-- Escalations of what waited keep the unit it waited for.  To name such units, and not
-- the organisation, keeps the policy on an index for everybody.  The walk steps from one
-- unit to the next, and only for administrators.
CREATE FUNCTION steward.gone_units() RETURNS uuid[]
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET jit = off AS $$
DECLARE
    led uuid[] := steward.led_organizations('admin');
BEGIN
    IF led = '{}' THEN
        RETURN '{}';
    END IF;
    RETURN COALESCE((
        WITH RECURSIVE named (unit, organization) AS (
            (SELECT e.unit_id, e.organization_id FROM public.escalation_events e WHERE e.unit_id IS NOT NULL ORDER BY e.unit_id LIMIT 1)
            UNION ALL
            SELECT x.unit_id, x.organization_id
              FROM named n
             CROSS JOIN LATERAL (SELECT e.unit_id, e.organization_id FROM public.escalation_events e
                                  WHERE e.unit_id > n.unit ORDER BY e.unit_id LIMIT 1) x)
        SELECT array_agg(n.unit) FROM named n
         WHERE n.organization = ANY (led) AND NOT EXISTS (SELECT FROM public.organizational_units u WHERE u.id = n.unit)), '{}');
END $$;
COMMENT ON FUNCTION steward.gone_units() IS 'the units that escalations name and that are gone, of the organisations whose administrator the user of the claims is';
GRANT EXECUTE ON FUNCTION steward.gone_units() TO authenticated;

SELECT steward.protect('public.escalation_events');
CREATE POLICY visible ON public.escalation_events FOR SELECT TO authenticated
    USING (escalated_to_id = (SELECT auth.uid()) OR escalated_from_id = (SELECT auth.uid())
           OR unit_id = ANY ((SELECT steward.visible_units())::uuid[])
           OR (escalated_to_id = ANY ((SELECT steward.led_people())::uuid[])
               AND organization_id = ANY ((SELECT steward.led_organizations('supervisor'))::uuid[]))
           OR ((unit_id IS NULL OR unit_id = ANY ((SELECT steward.gone_units())::uuid[]))
               AND organization_id = ANY ((SELECT steward.led_organizations('admin'))::uuid[])));
COMMENT ON POLICY visible ON public.escalation_events IS 'both sides, supervisors what comes from their unit or goes to its people, administrators their organisation''s, of units that are gone, too';
SELECT steward.protect('public.assignments_archive');
CREATE POLICY visible ON public.assignments_archive FOR SELECT TO authenticated
    USING (assignee_id = (SELECT auth.uid()) OR unit_id = ANY ((SELECT steward.visible_units())::uuid[])
           OR organization_id = ANY ((SELECT steward.led_organizations('admin'))::uuid[]));
COMMENT ON POLICY visible ON public.assignments_archive IS 'everybody the own past work, supervisors their unit''s, administrators their organisation''s';
SELECT steward.protect('public.escalation_events_archive');
CREATE POLICY visible ON public.escalation_events_archive FOR SELECT TO authenticated
    USING (escalated_to_id = (SELECT auth.uid()) OR escalated_from_id = (SELECT auth.uid())
           OR unit_id = ANY ((SELECT steward.visible_units())::uuid[])
           OR (escalated_to_id = ANY ((SELECT steward.led_people())::uuid[])
               AND organization_id = ANY ((SELECT steward.led_organizations('supervisor'))::uuid[]))
           OR organization_id = ANY ((SELECT steward.led_organizations('admin'))::uuid[]));
COMMENT ON POLICY visible ON public.escalation_events_archive IS 'as of escalation_events';
GRANT SELECT ON public.escalation_events, public.assignments_archive, public.escalation_events_archive TO authenticated;
-- Only the triggers and retention, which act as the owner, write the archive.
REVOKE INSERT, UPDATE, DELETE ON public.assignments_archive, public.escalation_events_archive FROM service_role;

-- The publication may be the platform's; only these three tables are ours in it.
DO $$
BEGIN
    IF NOT EXISTS (SELECT FROM pg_publication WHERE pubname = 'supabase_realtime') THEN
        -- Without wal_level = logical nobody can subscribe, which is the platform's choice.
        SET LOCAL client_min_messages = error;
        CREATE PUBLICATION supabase_realtime;
        RESET client_min_messages;
    END IF;
    ALTER PUBLICATION supabase_realtime ADD TABLE public.assignments, public.assignment_queue, public.escalation_events;
END $$;

SELECT steward.quarantine_restore('public.escalation_events');
SELECT steward.quarantine_restore('public.assignments_archive');
SELECT steward.quarantine_restore('public.escalation_events_archive');
