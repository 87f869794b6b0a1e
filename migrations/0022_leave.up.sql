-- Leave.  Whoever goes keeps what can wait, flagged for somebody to decide about;
-- what is urgent or high moves to somebody who fits, or is flagged as well.  All of
-- it is one transaction: a leave is never half taken.

-- The locks, in the order that everybody takes them: work, units, people.  What
-- was given to the person while the units were waited for would be missed; then
-- everything is let go and begun anew.  Several leaves in one transaction have no
-- such order between them, so nobody waits for long enough to be a deadlock.
CREATE FUNCTION steward.leave_locks(p public.staff_profiles) RETURNS uuid[]
    LANGUAGE plpgsql AS $$
DECLARE
    items uuid[];
    units uuid[];
BEGIN
    LOOP
        BEGIN
            SELECT array_agg(l.id) INTO items
              FROM (SELECT x.id FROM public.assignments x
                     WHERE x.organization_id = p.organization_id AND x.assignee_id = p.user_id AND x.status IN ('assigned', 'in_progress')
                     ORDER BY x.id FOR NO KEY UPDATE) l;
            units := ARRAY(
                SELECT p.unit_id AS id
                UNION
                SELECT s.unit_id FROM public.assignments x
                  JOIN public.staff_profiles s ON s.organization_id = p.organization_id AND s.skills @> x.required_skills
                 WHERE x.id = ANY (items) AND x.priority >= 'high' AND x.required_skills <> '{}'
                 ORDER BY id);
            -- Who assigns queues for a unit before he waits for its row; in front of him
            -- the leave would have the row and never the unit.
            PERFORM pg_advisory_xact_lock(hashtextextended(u.id::text, 21)) FROM unnest(units) u(id);
            PERFORM FROM public.organizational_units u WHERE u.id = ANY (units) ORDER BY u.id FOR NO KEY UPDATE;
            IF NOT EXISTS (
                SELECT FROM public.assignments x
                 WHERE x.organization_id = p.organization_id AND x.assignee_id = p.user_id AND x.status IN ('assigned', 'in_progress')
                   AND (items IS NULL OR x.id <> ALL (items))) THEN
                RETURN items;
            END IF;
            RAISE SQLSTATE 'SWLET';
        EXCEPTION
            WHEN SQLSTATE 'SWLET' THEN
                NULL;
            WHEN lock_not_available THEN
                RAISE EXCEPTION 'somebody else is changing the work of user % or a unit that it may go to', p.user_id
                    USING ERRCODE = 'lock_not_available', HINT = 'try again, from the beginning of the transaction';
        END;
    END LOOP;
END $$;
COMMENT ON FUNCTION steward.leave_locks(public.staff_profiles) IS
    'locks the active work of somebody who goes, and the units that it may go to; returns the work.  Waits no longer than lock_timeout';

CREATE FUNCTION steward.leave_work(p public.staff_profiles, items uuid[]) RETURNS jsonb
    LANGUAGE plpgsql AS $$
DECLARE
    stamp    timestamptz := steward.now();
    a        public.assignments;
    home     uuid;
    best     steward.choice;
    why      text;
    moved    jsonb := '[]';
    flagged  jsonb;
    unplaced int := 0;
    told     jsonb;
    answer   jsonb;
BEGIN
    why := CASE p.availability_status WHEN 'on_leave' THEN 'assignee is on leave' ELSE 'assignee is unavailable' END;
    FOR a IN SELECT x.* FROM public.assignments x WHERE x.id = ANY (items) AND x.priority >= 'high'
              ORDER BY x.priority DESC, x.sla_deadline, x.id
    LOOP
        -- Units are held here, so nobody is waited for.  Where nobody said which skills
        -- the work needs, only the own unit can know; and the supervisor, who has the
        -- leave to deal with, gets what nobody else can take.
        home := CASE WHEN a.required_skills = '{}' THEN p.unit_id END;
        best := steward.assign_claim(p.organization_id, a.required_skills, a.target_unit_id, p.user_id, home, 'staff');
        IF best.user_id IS NULL THEN
            best := steward.assign_claim(p.organization_id, a.required_skills, a.target_unit_id, p.user_id, home);
        END IF;
        IF best.user_id IS NULL THEN
            unplaced := unplaced + 1;
            UPDATE public.assignments x
               SET needs_review = true, flagged_at = CASE WHEN x.needs_review THEN x.flagged_at ELSE stamp END,
                   review_reason = why || '; ' || COALESCE(best.reason, 'the best person is being changed at the moment')
             WHERE x.id = a.id;
            CONTINUE;
        END IF;
        UPDATE public.assignments x
           SET assignee_id = best.user_id, assigned_at = stamp, reassigned_from = p.user_id, reassignment_reason = why,
               needs_review = false, review_reason = NULL, flagged_at = NULL
         WHERE x.id = a.id;
        moved := moved || jsonb_build_object('assignment_id', a.id, 'work_item_id', a.work_item_id, 'work_item_type', a.work_item_type,
            'priority', a.priority, 'new_assignee_id', best.user_id, 'new_unit_id', best.unit_id, 'reassigned_at', stamp);
    END LOOP;
    UPDATE public.assignments x
       SET needs_review = true, review_reason = why, flagged_at = CASE WHEN x.needs_review THEN x.flagged_at ELSE stamp END
     WHERE x.id = ANY (items) AND x.priority < 'high';

    SELECT COALESCE(jsonb_agg(jsonb_build_object('assignment_id', x.id, 'work_item_id', x.work_item_id,
                                  'priority', x.priority, 'reason', x.review_reason) ORDER BY x.priority DESC, x.sla_deadline, x.id), '[]')
      INTO flagged
      FROM public.assignments x WHERE x.id = ANY (items) AND x.assignee_id = p.user_id;
    WITH told AS (
        INSERT INTO public.notification_outbox (organization_id, recipient_id, notification_type, delivery_method, payload)
        SELECT p.organization_id, r.recipient_id, 'staff_leave_items_for_review', 'in_app',
               jsonb_build_object('reference_type', 'staff_profile', 'reference_id', p.user_id,
                   'message_en', format('%s items need review: their %s', jsonb_array_length(flagged), why),
                   'message_ar', format('%s من البنود تحتاج إلى مراجعة: المكلف بها غير متاح', jsonb_array_length(flagged)),
                   'metadata', jsonb_build_object('staff_id', p.user_id,
                       'flagged_items', jsonb_path_query_array(flagged, '$[*].assignment_id')))
          FROM steward.escalation_recipients(ARRAY[p.organization_id], ARRAY[p.unit_id], ARRAY[NULL::uuid]) r
         WHERE flagged <> '[]' AND r.recipient_id IS NOT NULL
        RETURNING recipient_id, notification_type
    )
    SELECT COALESCE(jsonb_agg(jsonb_build_object('recipient_id', t.recipient_id, 'type', t.notification_type,
                                  'item_count', jsonb_array_length(flagged))), '[]')
      INTO told FROM told t;

    answer := jsonb_build_object('reassigned_items', moved, 'flagged_for_review', flagged, 'notifications_sent', told);
    IF unplaced > 0 THEN
        answer := answer || jsonb_build_object('reassignment_warning', format(
            'No available capacity for %s of %s urgent or high items', unplaced, unplaced + jsonb_array_length(moved)));
    END IF;
    RETURN answer;
END $$;
COMMENT ON FUNCTION steward.leave_work(public.staff_profiles, uuid[]) IS
    'moves or flags locked work of somebody who is away by now, tells the nearest supervisor what is flagged, and returns all that';

CREATE FUNCTION steward.set_availability(organization uuid, person uuid, status public.availability_status,
                                         until timestamptz DEFAULT NULL, reason text DEFAULT NULL, source text DEFAULT NULL,
                                         actor uuid DEFAULT NULL) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET lock_timeout = '800ms'
    AS $$
DECLARE
    stamp  timestamptz := steward.now();
    caller uuid := COALESCE(auth.uid(), actor, person);
    p      public.staff_profiles;
    items  uuid[];
    answer jsonb;
BEGIN
    SELECT * INTO p FROM public.staff_profiles x WHERE x.organization_id = organization AND x.user_id = person;
    IF NOT FOUND OR NOT steward.must_be_allowed(person = auth.uid() OR steward.may_lead(p.organization_id, p.unit_id), organization) THEN
        RETURN '{"outcome": "not_found"}';
    ELSIF status IS NULL THEN
        RAISE EXCEPTION 'status must be available, on_leave or unavailable'
            USING ERRCODE = 'invalid_parameter_value', COLUMN = 'status';
    ELSIF status <> 'available' AND (until <= stamp OR NOT isfinite(until)) THEN
        RAISE EXCEPTION '%', CASE WHEN until <= stamp THEN 'unavailable_until must be in the future'
                                  ELSE 'unavailable_until must be a moment' END
            USING ERRCODE = 'invalid_parameter_value', COLUMN = 'unavailable_until', HINT = 'leave it out where the end is not known';
    ELSIF length(reason) > 500 THEN
        RAISE EXCEPTION 'reason must be at most 500 characters' USING ERRCODE = 'invalid_parameter_value', COLUMN = 'reason';
    ELSIF source IS NOT NULL AND NOT steward.is_backend() THEN
        RAISE EXCEPTION 'source follows from who calls' USING ERRCODE = 'invalid_parameter_value', COLUMN = 'source',
            HINT = 'leave it out; only the trusted backend speaks for the personnel system';
    END IF;

    IF status <> 'available' THEN
        items := steward.leave_locks(p);
    END IF;

    UPDATE public.staff_profiles x
       SET availability_status = set_availability.status,
           unavailable_until = CASE WHEN set_availability.status <> 'available' THEN until END,
           unavailable_reason = CASE WHEN set_availability.status <> 'available' THEN reason END,
           availability_source = COALESCE(source, CASE WHEN caller = person THEN 'manual' ELSE 'supervisor_override' END)
     WHERE x.id = p.id
    RETURNING * INTO p;
    answer := jsonb_build_object('outcome', 'updated', 'staff_id', person, 'status', p.availability_status,
        'unavailable_until', p.unavailable_until, 'reason', p.unavailable_reason, 'availability_source', p.availability_source);
    IF status <> 'available' THEN
        answer := answer || steward.leave_work(p, items);
    END IF;
    RETURN answer;
END $$;
COMMENT ON FUNCTION steward.set_availability(uuid, uuid, public.availability_status, timestamptz, text, text, uuid) IS
    'makes somebody available or not, for that person or whoever leads the unit; open work is moved or flagged, and the nearest supervisor hears what is flagged.  Being available again leaves the flags to be decided about.  55P03, to be tried again, where it would have to wait for long';
GRANT EXECUTE ON FUNCTION steward.set_availability(uuid, uuid, public.availability_status, timestamptz, text, text, uuid)
    TO authenticated, service_role;

-- A client that knows only the seeds writes the column.  Here the person is locked
-- before work and units, against the order of locks, so we give up long before those
-- who wait for the person look for a deadlock (see steward.staff_moves).
CREATE FUNCTION steward.staff_goes() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET lock_timeout = '100ms' AS $$
BEGIN
    PERFORM steward.leave_work(NEW, steward.leave_locks(NEW));
    RETURN NULL;
END $$;
COMMENT ON FUNCTION steward.staff_goes() IS
    'moves or flags the open work of whom a client sets away, as steward.set_availability does; 55P03, to be tried again, while somebody changes that work or a unit that it may go to';
CREATE TRIGGER staff_goes AFTER UPDATE OF availability_status ON public.staff_profiles
    FOR EACH ROW WHEN (NEW.availability_status <> 'available' AND NEW.availability_status <> OLD.availability_status
                       AND current_user <> 'steward_owner')
    EXECUTE FUNCTION steward.staff_goes();
COMMENT ON TRIGGER staff_goes ON public.staff_profiles IS 'a leave that a client writes is a leave';
