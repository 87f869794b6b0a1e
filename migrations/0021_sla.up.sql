-- The clock of assignments: who is warned when, who gets to look at a breach, and
-- the escalations that people ask for.  One turn is one transaction over at most a
-- thousand items, claimed by due time and past what somebody else holds; so any
-- number of monitors share the work, and a killed one leaves nothing behind.
--
-- Every item that was looked at leaves its index: it is warned, escalated, stamped
-- where nobody can be told, or put off where it raises.  Nothing blocks a batch.

-- What could not be done, and when it is tried again.  Not a mark on the item,
-- for writing to that may be just what raises.
CREATE TABLE steward.sla_trouble (
    item     uuid        NOT NULL,
    step     text        NOT NULL CONSTRAINT sla_trouble_step_check CHECK (step IN ('breach', 'warning', 'return', 'queued breach', 'queued warning')),
    attempts int         NOT NULL DEFAULT 1,
    retry_at timestamptz NOT NULL,
    state    text        NOT NULL,
    problem  text        NOT NULL,
    worker   text,
    since    timestamptz NOT NULL DEFAULT steward.now(),
    PRIMARY KEY (item, step)
);
CREATE INDEX idx_sla_trouble_retry ON steward.sla_trouble (retry_at);
COMMENT ON TABLE steward.sla_trouble IS 'items that raised when the monitor came to them; normally empty';
COMMENT ON COLUMN steward.sla_trouble.item IS 'an assignment, a queued item, or for a return a staff profile';
COMMENT ON COLUMN steward.sla_trouble.state IS 'the SQLSTATE';
COMMENT ON INDEX steward.idx_sla_trouble_retry IS 'what is tried again next';

CREATE INDEX idx_outbox_late ON public.notification_outbox (recipient_id, notification_type)
    WHERE status = 'pending' AND payload -> 'metadata' ? 'late_seconds';
COMMENT ON INDEX public.idx_outbox_late IS 'what somebody is told too late and has not heard yet; it is folded into one';

-- ------------------------------------------------------------------- recipients
-- Whom the person names if that one is available, else the nearest available
-- supervisor on the way up the tree, else an administrator; among equals the
-- lowest user_id.  One candidate is enough where that is nobody who asks, and two
-- always are.  A unit is climbed from once, however many of its people ask.
CREATE FUNCTION steward.escalation_recipients(organizations uuid[], units uuid[], people uuid[])
    RETURNS TABLE (organization_id uuid, unit_id uuid, user_id uuid, recipient_id uuid)
    LANGUAGE sql STABLE AS $$
    WITH RECURSIVE asked AS MATERIALIZED (
        SELECT w.organization, w.unit, w.person,
               (SELECT c.user_id
                  FROM public.staff_profiles p
                  JOIN public.staff_profiles c ON c.organization_id = p.organization_id AND c.user_id = p.escalation_chain_id
                 WHERE p.organization_id = w.organization AND p.user_id = w.person
                   AND c.availability_status = 'available') AS chosen
          -- Here and not in FROM, which would write down what comes out first.
          FROM (SELECT unnest(organizations) AS organization, unnest(units) AS unit, unnest(people) AS person) w
    ), climb(organization, start, people, unit, leads) AS (
        SELECT a.organization, a.unit, array_agg(a.person), a.unit,
               ARRAY(SELECT s.user_id FROM public.staff_profiles s
                      WHERE s.organization_id = a.organization AND s.role = 'supervisor' AND s.unit_id = a.unit
                        AND s.availability_status = 'available'
                      ORDER BY s.user_id LIMIT 2)
          FROM asked a WHERE a.chosen IS NULL GROUP BY a.organization, a.unit
        UNION ALL
        -- Above the last unit, where it is NULL, stand the administrators.
        SELECT c.organization, c.start, c.people, n.unit,
               c.leads || ARRAY(
                   SELECT l.user_id
                     FROM (SELECT s.user_id FROM public.staff_profiles s
                            WHERE s.organization_id = c.organization AND s.role = 'supervisor' AND s.unit_id = n.unit
                              AND s.availability_status = 'available'
                           UNION ALL
                           SELECT s.user_id FROM public.staff_profiles s
                            WHERE s.organization_id = c.organization AND s.role = 'admin' AND n.unit IS NULL
                              AND s.availability_status = 'available') l
                    ORDER BY l.user_id LIMIT 2)
               || CASE WHEN n.unit IS NULL THEN ARRAY[NULL, NULL]::uuid[] END
          FROM climb c
         CROSS JOIN LATERAL (SELECT (SELECT u.parent_unit_id FROM public.organizational_units u WHERE u.id = c.unit) AS unit OFFSET 0) n
         WHERE cardinality(c.leads) < 2 AND (c.leads[1] <> ALL (c.people)) IS NOT TRUE
    )
    SELECT a.organization, a.unit, a.person, a.chosen FROM asked a WHERE a.chosen IS NOT NULL
    UNION ALL
    SELECT l.organization, l.start, l.person, CASE WHEN l.leads[1] = l.person THEN l.leads[2] ELSE l.leads[1] END
      FROM (SELECT c.organization, c.start, c.leads, unnest(c.people) AS person
              FROM climb c WHERE cardinality(c.leads) >= 2 OR c.leads[1] <> ALL (c.people)) l
$$;
COMMENT ON FUNCTION steward.escalation_recipients(uuid[], uuid[], uuid[]) IS
    'who looks at what these people of these units missed: never themselves, never somebody who is not available, NULL when there is nobody';

CREATE FUNCTION public.get_escalation_recipient(staff_id uuid) RETURNS uuid
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT r.recipient_id
      FROM public.staff_profiles p JOIN public.organizations o ON o.id = p.organization_id
     CROSS JOIN LATERAL steward.escalation_recipients(ARRAY[p.organization_id], ARRAY[p.unit_id], ARRAY[p.user_id]) r
     WHERE p.user_id = staff_id
     ORDER BY o.is_default DESC LIMIT 1
$$;
COMMENT ON FUNCTION public.get_escalation_recipient(uuid) IS
    'the user who looks at what this user missed, NULL when there is nobody';
GRANT EXECUTE ON FUNCTION public.get_escalation_recipient(uuid) TO service_role;

-- ---------------------------------------------------------------------- telling
-- Three notices of a kind that come too late are three notices; more are one that
-- counts them, names the first fifty and is about the first.  It takes the place of
-- those that were not delivered yet, whichever turn wrote them; what is being delivered
-- stays.
CREATE FUNCTION steward.outbox_fold(kind text, recipients uuid[]) RETURNS void
    LANGUAGE sql AS $$
    WITH waiting AS MATERIALIZED (
        SELECT o.id, o.organization_id, o.recipient_id, o.created_at,
               COALESCE((o.payload #>> '{metadata,count}')::bigint, 1) AS count,
               (o.payload #>> '{metadata,late_seconds}')::bigint AS late_seconds, o.payload ->> 'reference_type' AS subject,
               COALESCE(o.payload #> '{metadata,items}', jsonb_build_array(o.payload -> 'reference_id')) AS items
          FROM public.notification_outbox o
         WHERE o.recipient_id = ANY (recipients) AND o.status = 'pending' AND o.payload -> 'metadata' ? 'late_seconds'
           AND (o.notification_type = kind OR (o.notification_type = 'sla_digest' AND o.payload #>> '{metadata,of}' = kind))
           FOR UPDATE SKIP LOCKED
    ), crowd AS MATERIALIZED (
        SELECT w.organization_id, w.recipient_id, array_agg(w.id) AS rows, min(w.created_at) AS since,
               sum(w.count) AS count, max(w.late_seconds) AS late_seconds,
               (array_agg(w.subject ORDER BY w.created_at, w.count DESC, w.id))[1] AS subject,
               jsonb_path_query_array(jsonb_path_query_array(
                   jsonb_agg(w.items ORDER BY w.created_at, w.count DESC, w.id), '$[*][*]'), '$[0 to 49]') AS items
          FROM waiting w GROUP BY w.organization_id, w.recipient_id HAVING count(*) > 1 AND sum(w.count) > 3
    ), gone AS (
        DELETE FROM public.notification_outbox WHERE id = ANY (ARRAY(SELECT unnest(c.rows) FROM crowd c))
    )
    INSERT INTO public.notification_outbox (organization_id, recipient_id, notification_type, delivery_method, payload, created_at)
    SELECT c.organization_id, c.recipient_id,
           CASE WHEN kind IN ('sla_warning', 'sla_escalation') THEN 'sla_digest' ELSE kind END, 'in_app',
           jsonb_build_object('reference_type', c.subject, 'reference_id', c.items -> 0,
               'message_en', c.count || CASE kind
                   WHEN 'sla_warning'      THEN ' work items come close to their deadline'
                   WHEN 'sla_escalation'   THEN ' work items missed their deadline'
                   WHEN 'sla_no_recipient' THEN ' work items missed their deadline, and there is nobody to escalate them to'
                   ELSE ' work items could not be watched' END,
               'message_ar', c.count || CASE kind
                   WHEN 'sla_warning'      THEN ' من بنود العمل تقترب من موعدها النهائي'
                   WHEN 'sla_escalation'   THEN ' من بنود العمل تجاوزت موعدها النهائي'
                   WHEN 'sla_no_recipient' THEN ' من بنود العمل تجاوزت موعدها النهائي ولا يوجد من تُصعَّد إليه'
                   ELSE ' من بنود العمل تعذّرت متابعتها' END,
               'metadata', jsonb_build_object('of', kind, 'count', c.count, 'late_seconds', c.late_seconds, 'items', c.items)),
           c.since
      FROM crowd c
$$;
COMMENT ON FUNCTION steward.outbox_fold(text, uuid[]) IS
    'makes one notice of more than three late ones of a kind that these people have not heard yet';

-- Administrators are alerted to what has nobody else; folded, like all that comes in crowds.
CREATE FUNCTION steward.sla_alert(kind text, items uuid[], organizations uuid[], words_en text[], words_ar text[], late bigint[])
    RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    alerted uuid[];
BEGIN
    WITH told AS (
        INSERT INTO public.notification_outbox (organization_id, recipient_id, notification_type, delivery_method, payload)
        SELECT w.organization, u.id, kind, 'in_app',
               jsonb_build_object('reference_type', CASE WHEN EXISTS (SELECT FROM public.assignment_queue q WHERE q.id = w.item)
                                                         THEN 'assignment_queue' ELSE 'assignment' END,
                                  'reference_id', w.item, 'message_en', w.en, 'message_ar', w.ar,
                                  'metadata', jsonb_build_object('late_seconds', w.seconds))
          FROM auth.users u
         CROSS JOIN unnest(items, organizations, words_en, words_ar, late) w(item, organization, en, ar, seconds)
         WHERE u.raw_app_meta_data ->> 'role' = 'admin'
        RETURNING recipient_id
    )
    SELECT array_agg(DISTINCT t.recipient_id) INTO alerted FROM told t;
    PERFORM steward.outbox_fold(kind, alerted);
END $$;
COMMENT ON FUNCTION steward.sla_alert(text, uuid[], uuid[], text[], text[], bigint[]) IS
    'tells the administrators of the installation; one element per item';

-- -------------------------------------------------------------------- the steps
-- What is locked is looked at again: assignment_due only says where to look.  It is taken
-- out of there, and whatever of it stays to be watched is put back by the turn.  Places
-- are those of the rows, which are locked and so stay there.  Of how many are due the
-- planner knows nothing, and would read all that are open.
CREATE FUNCTION steward.assignments_claim(most int, stamp timestamptz, OUT breaches uuid[], OUT breach_places tid[],
                                          OUT warnings uuid[], OUT warning_places tid[], OUT others uuid[])
    LANGUAGE plpgsql
    SET enable_hashjoin = off
    SET enable_mergejoin = off
    AS $$
BEGIN
    WITH seen AS MATERIALIZED (
        SELECT d.ctid AS due, a.ctid AS place, a.id,
               CASE WHEN a.status NOT IN ('assigned', 'in_progress') THEN NULL
                    WHEN a.breached_at IS NULL AND a.sla_deadline <= stamp THEN 'breach'
                    WHEN a.warning_sent_at IS NULL AND a.warn_at <= stamp THEN 'warning' END AS step
          FROM steward.assignment_due d JOIN public.assignments a ON a.id = d.assignment_id
         WHERE d.due_at <= stamp
           AND (a.id, CASE WHEN a.breached_at IS NULL AND a.sla_deadline <= stamp THEN 'breach' ELSE 'warning' END)
               NOT IN (SELECT t.item, t.step FROM steward.sla_trouble t WHERE t.retry_at > stamp)
         ORDER BY d.due_at LIMIT most FOR NO KEY UPDATE OF a SKIP LOCKED
    ), taken AS (
        DELETE FROM steward.assignment_due d WHERE d.ctid = ANY (ARRAY(SELECT s.due FROM seen s))
    )
    SELECT array_agg(s.id) FILTER (WHERE s.step = 'breach'), array_agg(s.place) FILTER (WHERE s.step = 'breach'),
           array_agg(s.id) FILTER (WHERE s.step = 'warning'), array_agg(s.place) FILTER (WHERE s.step = 'warning'),
           array_agg(s.id) FILTER (WHERE s.step IS NULL)
      INTO breaches, breach_places, warnings, warning_places, others
      FROM seen s;
END $$;
COMMENT ON FUNCTION steward.assignments_claim(int, timestamptz) IS
    'locks and takes out assignments that are due, the longest due first, and passes over what somebody else holds; others: those that are not due after all';

CREATE FUNCTION steward.sla_claim(step text, most int, stamp timestamptz) RETURNS uuid[]
    LANGUAGE plpgsql AS $$
DECLARE
    items uuid[];
BEGIN
    CASE step
    WHEN 'return' THEN
        SELECT array_agg(d.id) INTO items FROM (
            SELECT p.id FROM public.staff_profiles p
             WHERE p.availability_status <> 'available' AND p.unavailable_until <= stamp
               AND (SELECT t.retry_at FROM steward.sla_trouble t
                     WHERE t.item = p.id AND t.step = 'return' AND t.retry_at > stamp) IS NULL
             ORDER BY p.unavailable_until LIMIT most FOR NO KEY UPDATE OF p SKIP LOCKED) d;
    WHEN 'queued breach' THEN
        SELECT array_agg(d.id) INTO items FROM (
            SELECT q.id FROM public.assignment_queue q
             WHERE q.breached_at IS NULL AND q.sla_deadline <= stamp
               AND (SELECT t.retry_at FROM steward.sla_trouble t
                     WHERE t.item = q.id AND t.step = 'queued breach' AND t.retry_at > stamp) IS NULL
             ORDER BY q.sla_deadline LIMIT most FOR NO KEY UPDATE OF q SKIP LOCKED) d;
    WHEN 'queued warning' THEN
        SELECT array_agg(d.id) INTO items FROM (
            SELECT q.id FROM public.assignment_queue q
             WHERE q.warning_sent_at IS NULL AND q.warn_at <= stamp
               AND (SELECT t.retry_at FROM steward.sla_trouble t
                     WHERE t.item = q.id AND t.step = 'queued warning' AND t.retry_at > stamp) IS NULL
             ORDER BY q.warn_at LIMIT most FOR NO KEY UPDATE OF q SKIP LOCKED) d;
    END CASE;
    RETURN items;
END $$;
COMMENT ON FUNCTION steward.sla_claim(text, int, timestamptz) IS
    'locks what else is due for a step, the longest due first, and passes over what somebody else holds; NULL when there is nothing';

-- An event that somebody wrote for this deadline already is not written twice, and
-- nobody hears of it twice; the item is stamped all the same.  What was never
-- warned about counts as warned: being told of the breach says it all.
CREATE FUNCTION steward.sla_breach(items uuid[], places tid[], stamp timestamptz, OUT done int, OUT unserved int, OUT settled int)
    LANGUAGE plpgsql AS $$
DECLARE
    -- Ids are random in front and counted behind, which makes those of a turn neighbours, too.
    run       text := left(gen_random_uuid()::text, 24);
    other_run text := left(gen_random_uuid()::text, 24);
    late      uuid[];
    is_wary   boolean := false;
BEGIN
    -- That is seldom, and ON CONFLICT would be paid for by every event: only who runs into one looks first.
    LOOP
        BEGIN
            WITH due AS MATERIALIZED (
                SELECT a.ctid AS place, a.id, a.organization_id, a.unit_id, a.assignee_id, a.work_item_id, a.work_item_type, a.sla_deadline
                  FROM public.assignments a WHERE a.ctid = ANY (places)
            ), answer AS (
                SELECT r.*
                  FROM (SELECT array_agg(d.organization_id) AS organizations, array_agg(d.unit_id) AS units, array_agg(d.assignee_id) AS people
                          FROM (SELECT DISTINCT x.organization_id, x.unit_id, x.assignee_id FROM due x) d) w
                 CROSS JOIN LATERAL steward.escalation_recipients(w.organizations, w.units, w.people) r
            ), resolved AS MATERIALIZED (
                -- FULL, because it cannot be a nested loop, which a low estimate would make it.  In the
                -- order of units and people, for so neighbours meet in the indexes of what is written.
                SELECT d.*, r.recipient_id,
                       (run || 100000000000 + row_number() OVER (ORDER BY d.unit_id, d.assignee_id ROWS UNBOUNDED PRECEDING))::uuid AS event_id
                  FROM due d FULL JOIN answer r
                    ON r.organization_id = d.organization_id AND r.unit_id = d.unit_id AND r.user_id = d.assignee_id
            ), stamped AS (
                UPDATE public.assignments a
                   SET breached_at = stamp, escalated_at = GREATEST(stamp, a.sla_started_at), escalation_recipient_id = r.recipient_id,
                       warning_sent_at = COALESCE(a.warning_sent_at, stamp)
                  FROM resolved r WHERE a.ctid = r.place
                RETURNING steward.due_at(a.status, a.warn_at, a.warning_sent_at, a.sla_deadline, a.breached_at) AS due_at
            ), event AS (
                INSERT INTO public.escalation_events
                       (id, organization_id, assignment_id, work_item_id, work_item_type, unit_id, escalated_from_id, escalated_to_id,
                        reason, sla_deadline, escalated_at, created_at)
                SELECT r.event_id, r.organization_id, r.id, r.work_item_id, r.work_item_type, r.unit_id, r.assignee_id, r.recipient_id,
                       'sla_breach', r.sla_deadline, stamp, stamp
                  FROM resolved r
                 WHERE NOT is_wary OR (SELECT e.id FROM public.escalation_events e
                                        WHERE e.assignment_id = r.id AND e.sla_deadline = r.sla_deadline) IS NULL
                RETURNING id, organization_id, assignment_id, work_item_id, work_item_type, escalated_from_id, escalated_to_id, sla_deadline
            ), told AS (
                INSERT INTO public.notification_outbox
                       (id, organization_id, recipient_id, notification_type, delivery_method, payload, next_attempt_at, created_at)
                SELECT t.id, m.organization_id, t.recipient, 'sla_escalation', 'in_app',
                       jsonb_set(jsonb_object(ARRAY['message_ar', t.ar, 'message_en', t.en,
                           'reference_id', m.assignment_id::text, 'reference_type', 'assignment']), '{metadata}', m.metadata), stamp, stamp
                  -- OFFSET 0, or each mention would be computed anew.  Keys in the order of jsonb, which
                  -- then need no sorting.
                  FROM (SELECT w.*,
                               jsonb_object(ARRAY['sla_deadline', w.deadline, 'work_item_id', w.work_item_id,
                                   'escalation_id', w.name, 'work_item_type', w.kind,
                                   'escalated_to_id', w.escalated_to_id::text, 'escalated_from_id', w.escalated_from_id::text])
                               || CASE WHEN w.sla_deadline <= stamp - interval '61 s'
                                       THEN jsonb_build_object('late_seconds', floor(extract(epoch FROM stamp - w.sla_deadline))) ELSE '{}' END AS metadata
                          FROM (SELECT e.*, e.id::text AS name, e.work_item_type::text AS kind, steward.iso(e.sla_deadline) AS deadline
                                  FROM event e OFFSET 0) w OFFSET 0) m
                 -- Not VALUES, which compiles its expressions anew for each row.
                 CROSS JOIN LATERAL (
                       SELECT m.id, m.escalated_from_id,
                              'Your ' || m.kind || ' ' || m.work_item_id || ' missed its deadline of ' || m.deadline
                              || CASE WHEN m.escalated_to_id IS NULL THEN '' ELSE ' and was escalated to supervisor' END,
                              'تجاوز العنصر ' || m.work_item_id || ' موعده النهائي ' || m.deadline
                              || CASE WHEN m.escalated_to_id IS NULL THEN '' ELSE ' وتم تصعيده إلى المشرف' END
                       UNION ALL
                       SELECT (other_run || right(m.name, 12))::uuid, m.escalated_to_id,
                              'You have an escalated assignment: ' || m.kind || ' ' || m.work_item_id || ' missed its deadline of ' || m.deadline,
                              'لديك مهمة مصعّدة: تجاوز العنصر ' || m.work_item_id || ' موعده النهائي ' || m.deadline) t(id, recipient, en, ar)
                 WHERE t.recipient IS NOT NULL
            )
            SELECT count(*), count(*) FILTER (WHERE e.escalated_to_id IS NULL),
                   array_agg(e.escalated_from_id) FILTER (WHERE e.sla_deadline < stamp - interval '60 s')
                   || array_agg(e.escalated_to_id) FILTER (WHERE e.sla_deadline < stamp - interval '60 s' AND e.escalated_to_id IS NOT NULL),
                   (SELECT count(*) FROM stamped s WHERE s.due_at IS NULL)
              INTO done, unserved, late, settled
              FROM event e;
            EXIT;
        EXCEPTION WHEN unique_violation THEN
            IF is_wary THEN
                RAISE;
            END IF;
            is_wary := true;
        END;
    END LOOP;

    IF late IS NOT NULL THEN
        PERFORM steward.outbox_fold('sla_escalation', late);
    END IF;
    IF unserved > 0 THEN
        PERFORM steward.sla_alert('sla_no_recipient', array_agg(e.assignment_id), array_agg(e.organization_id),
                    array_agg(format('%s %s missed its deadline, and there is nobody to escalate it to', e.work_item_type, e.work_item_id)),
                    array_agg(format('تجاوز العنصر %s موعده النهائي ولا يوجد من يُصعَّد إليه', e.work_item_id)),
                    array_agg(floor(extract(epoch FROM stamp - e.sla_deadline))::bigint))
           FROM public.escalation_events e
          WHERE e.assignment_id = ANY (items) AND e.reason = 'sla_breach' AND e.escalated_at = stamp AND e.escalated_to_id IS NULL;
    END IF;
END $$;
COMMENT ON FUNCTION steward.sla_breach(uuid[], tid[], timestamptz) IS
    'escalates claimed assignments: event, stamps and two notices each; unserved: those that nobody could be told of but the administrators; settled: those with nothing more to come';

-- What is past its deadline by now is stamped without a word: its breach is, or
-- was, told instead.
CREATE FUNCTION steward.sla_warn(places tid[], stamp timestamptz, OUT done int)
    LANGUAGE plpgsql AS $$
DECLARE
    late uuid[];
BEGIN
    WITH stamped AS (
        UPDATE public.assignments a SET warning_sent_at = stamp WHERE a.ctid = ANY (places)
        RETURNING a.id, a.organization_id, a.assignee_id, a.work_item_id, a.work_item_type, a.priority, a.warn_at, a.sla_deadline
    ), told AS (
        INSERT INTO public.notification_outbox (organization_id, recipient_id, notification_type, delivery_method, payload)
        SELECT s.organization_id, s.assignee_id, 'sla_warning', 'in_app',
               jsonb_build_object('reference_type', 'assignment', 'reference_id', s.id,
                   'message_en', format('Your %s %s is due at %s', s.work_item_type, s.work_item_id, m.deadline),
                   'message_ar', format('العنصر %s مستحق في %s', s.work_item_id, m.deadline),
                   'metadata', jsonb_build_object('work_item_id', s.work_item_id, 'work_item_type', s.work_item_type,
                                   'priority', s.priority, 'sla_deadline', m.deadline)
                               || CASE WHEN m.age > 60 THEN jsonb_build_object('late_seconds', m.age) ELSE '{}' END)
          FROM stamped s
         CROSS JOIN LATERAL (SELECT steward.iso(s.sla_deadline) AS deadline, floor(extract(epoch FROM stamp - s.warn_at)) AS age OFFSET 0) m
         WHERE s.sla_deadline > stamp
        RETURNING recipient_id, payload -> 'metadata' ? 'late_seconds' AS late
    )
    SELECT count(*), array_agg(t.recipient_id) FILTER (WHERE t.late) INTO done, late FROM told t;
    IF late IS NOT NULL THEN
        PERFORM steward.outbox_fold('sla_warning', late);
    END IF;
END $$;
COMMENT ON FUNCTION steward.sla_warn(tid[], timestamptz) IS 'warns the assignees of claimed assignments, once for a deadline';

-- What waits has no assignee: whoever leads its unit can find capacity or give it
-- to somebody by hand, and who asked for it is the other side.  What is for no unit
-- comes from one.
CREATE FUNCTION steward.queue_unit(q public.assignment_queue, caller uuid DEFAULT NULL) RETURNS uuid
    LANGUAGE sql STABLE AS $$
    SELECT COALESCE(q.target_unit_id,
                    (SELECT p.unit_id FROM public.staff_profiles p
                      WHERE p.organization_id = q.organization_id AND p.user_id = COALESCE(q.requested_by, caller)))
$$;
COMMENT ON FUNCTION steward.queue_unit(public.assignment_queue, uuid) IS
    'from where a queued item is escalated: its target unit, without one that of who asked for it; NULL: by the administrators';
CREATE FUNCTION steward.queue_recipients(items uuid[])
    RETURNS TABLE (id uuid, organization_id uuid, unit_id uuid, requested_by uuid, work_item_id text, work_item_type public.work_item_type,
                   priority public.priority_level, warn_at timestamptz, sla_deadline timestamptz, recipient_id uuid)
    LANGUAGE sql STABLE AS $$
    WITH due AS MATERIALIZED (
        SELECT q.*, steward.queue_unit(q) AS start FROM public.assignment_queue q WHERE q.id = ANY (items)
    ), answer AS (
        SELECT r.*
          FROM (SELECT array_agg(d.organization_id) AS organizations, array_agg(d.start) AS units
                  FROM (SELECT DISTINCT x.organization_id, x.start FROM due x) d) w
         CROSS JOIN LATERAL steward.escalation_recipients(w.organizations, w.units, '{}') r
    )
    -- FULL, because it cannot be a nested loop, which a low estimate would make it.
    SELECT d.id, d.organization_id, d.target_unit_id, d.requested_by, d.work_item_id, d.work_item_type, d.priority, d.warn_at,
           d.sla_deadline, r.recipient_id
      FROM due d FULL JOIN answer r ON r.organization_id = d.organization_id
                                   AND COALESCE(r.unit_id, r.organization_id) = COALESCE(d.start, d.organization_id)
$$;
COMMENT ON FUNCTION steward.queue_recipients(uuid[]) IS 'queued items with whoever leads their unit, without one that of who asked for them; NULL when there is nobody';

CREATE FUNCTION steward.queue_breach(items uuid[], stamp timestamptz, OUT done int, OUT unserved int)
    LANGUAGE plpgsql AS $$
DECLARE
    late uuid[];
BEGIN
    WITH resolved AS MATERIALIZED (
        SELECT * FROM steward.queue_recipients(items)
    ), stamped AS (
        UPDATE public.assignment_queue q
           SET breached_at = GREATEST(stamp, q.created_at), escalation_recipient_id = r.recipient_id,
               warning_sent_at = COALESCE(q.warning_sent_at, stamp)
          FROM resolved r WHERE q.id = ANY (ARRAY[r.id])
    ), event AS (
        INSERT INTO public.escalation_events
               (organization_id, queue_id, work_item_id, work_item_type, unit_id, escalated_from_id, escalated_to_id,
                reason, sla_deadline, escalated_at)
        SELECT r.organization_id, r.id, r.work_item_id, r.work_item_type, r.unit_id, COALESCE(r.requested_by, r.recipient_id), r.recipient_id,
               'sla_breach', r.sla_deadline, stamp
          FROM resolved r
         WHERE COALESCE(r.requested_by, r.recipient_id) IS NOT NULL
        RETURNING id, organization_id, queue_id, work_item_id, work_item_type, escalated_from_id, escalated_to_id, sla_deadline
    ), told AS (
        INSERT INTO public.notification_outbox (organization_id, recipient_id, notification_type, delivery_method, payload)
        SELECT e.organization_id, t.recipient, 'sla_escalation', 'in_app',
               jsonb_build_object('reference_type', 'assignment_queue', 'reference_id', e.queue_id,
                   'message_en', t.en, 'message_ar', t.ar, 'metadata', w.metadata)
          FROM event e
         CROSS JOIN LATERAL (SELECT steward.iso(e.sla_deadline) AS deadline, floor(extract(epoch FROM stamp - e.sla_deadline)) AS age OFFSET 0) m
         CROSS JOIN LATERAL (
               SELECT jsonb_build_object('escalation_id', e.id, 'work_item_id', e.work_item_id, 'work_item_type', e.work_item_type,
                          'sla_deadline', m.deadline, 'escalated_from_id', e.escalated_from_id, 'escalated_to_id', e.escalated_to_id)
                      || CASE WHEN m.age > 60 THEN jsonb_build_object('late_seconds', m.age) ELSE '{}' END AS metadata OFFSET 0) w
         CROSS JOIN LATERAL (VALUES
               (CASE WHEN e.escalated_from_id IS DISTINCT FROM e.escalated_to_id THEN e.escalated_from_id END,
                format('%s %s still waits and missed its deadline of %s%s', e.work_item_type, e.work_item_id, m.deadline,
                       CASE WHEN e.escalated_to_id IS NOT NULL THEN '; it was escalated to supervisor' END),
                format('لا يزال العنصر %s في الانتظار وتجاوز موعده النهائي %s%s', e.work_item_id, m.deadline,
                       CASE WHEN e.escalated_to_id IS NOT NULL THEN ' وتم تصعيده إلى المشرف' END)),
               (e.escalated_to_id,
                format('You have an escalated item: %s %s waits in the queue and missed its deadline of %s', e.work_item_type, e.work_item_id, m.deadline),
                format('لديك عنصر مصعّد: العنصر %s في قائمة الانتظار وتجاوز موعده النهائي %s', e.work_item_id, m.deadline))) t(recipient, en, ar)
         WHERE t.recipient IS NOT NULL
        RETURNING recipient_id, payload -> 'metadata' ? 'late_seconds' AS late
    )
    SELECT (SELECT count(*) FROM resolved), (SELECT count(*) FROM resolved r WHERE r.recipient_id IS NULL),
           array_agg(DISTINCT t.recipient_id) FILTER (WHERE t.late)
      INTO done, unserved, late
      FROM told t;

    IF late IS NOT NULL THEN
        PERFORM steward.outbox_fold('sla_escalation', late);
    END IF;
    IF unserved > 0 THEN
        PERFORM steward.sla_alert('sla_no_recipient', array_agg(q.id), array_agg(q.organization_id),
                    array_agg(format('%s %s waits and missed its deadline, and there is nobody to escalate it to', q.work_item_type, q.work_item_id)),
                    array_agg(format('العنصر %s في الانتظار وتجاوز موعده النهائي ولا يوجد من يُصعَّد إليه', q.work_item_id)),
                    array_agg(floor(extract(epoch FROM stamp - q.sla_deadline))::bigint))
           FROM public.assignment_queue q
          WHERE q.id = ANY (items) AND q.escalation_recipient_id IS NULL;
    END IF;
END $$;
COMMENT ON FUNCTION steward.queue_breach(uuid[], timestamptz) IS
    'escalates claimed queued items: event, stamps and two notices each; unserved: those that nobody could be told of but the administrators and who asked';

CREATE FUNCTION steward.queue_warn(items uuid[], stamp timestamptz, OUT done int)
    LANGUAGE plpgsql AS $$
DECLARE
    late uuid[];
BEGIN
    WITH resolved AS MATERIALIZED (
        SELECT * FROM steward.queue_recipients(items)
    ), stamped AS (
        UPDATE public.assignment_queue q SET warning_sent_at = stamp WHERE q.id = ANY (items)
    ), told AS (
        INSERT INTO public.notification_outbox (organization_id, recipient_id, notification_type, delivery_method, payload)
        SELECT r.organization_id, COALESCE(r.recipient_id, r.requested_by), 'sla_warning', 'in_app',
               jsonb_build_object('reference_type', 'assignment_queue', 'reference_id', r.id,
                   'message_en', format('%s %s waits in the queue and is due at %s', r.work_item_type, r.work_item_id, m.deadline),
                   'message_ar', format('العنصر %s في قائمة الانتظار ومستحق في %s', r.work_item_id, m.deadline),
                   'metadata', jsonb_build_object('work_item_id', r.work_item_id, 'work_item_type', r.work_item_type,
                                   'priority', r.priority, 'sla_deadline', m.deadline)
                               || CASE WHEN m.age > 60 THEN jsonb_build_object('late_seconds', m.age) ELSE '{}' END)
          FROM resolved r
         CROSS JOIN LATERAL (SELECT steward.iso(r.sla_deadline) AS deadline, floor(extract(epoch FROM stamp - r.warn_at)) AS age OFFSET 0) m
         WHERE r.sla_deadline > stamp AND COALESCE(r.recipient_id, r.requested_by) IS NOT NULL
        RETURNING recipient_id, payload -> 'metadata' ? 'late_seconds' AS late
    )
    SELECT count(*), array_agg(DISTINCT t.recipient_id) FILTER (WHERE t.late) INTO done, late FROM told t;
    IF late IS NOT NULL THEN
        PERFORM steward.outbox_fold('sla_warning', late);
    END IF;
END $$;
COMMENT ON FUNCTION steward.queue_warn(uuid[], timestamptz) IS
    'warns whoever leads the unit of claimed queued items, else who asked for them, once for a deadline';

-- Tries claimed items together, and when that raises in eighths, until what raises
-- is alone.  That is put off, for longer each time, and an administrator hears of
-- it: at once, or where others were only in the way, when it does not pass.
CREATE FUNCTION steward.sla_step(step text, items uuid[], places tid[], stamp timestamptz, worker text,
                                 OUT done int, OUT unserved int, OUT settled int)
    LANGUAGE plpgsql AS $$
DECLARE
    size    int := (cardinality(items) + 7) / 8;
    first   int := 1;
    part    record;
    state   text;
    problem text;
    times   int;
BEGIN
    unserved := 0;
    settled := 0;
    BEGIN
        CASE step
        WHEN 'breach' THEN
            SELECT b.done, b.unserved, b.settled INTO done, unserved, settled FROM steward.sla_breach(items, places, stamp) b;
        WHEN 'warning' THEN
            done := steward.sla_warn(places, stamp);
        WHEN 'return' THEN
            UPDATE public.staff_profiles SET availability_status = 'available', unavailable_until = NULL, unavailable_reason = NULL
             WHERE id = ANY (items);
            GET DIAGNOSTICS done = ROW_COUNT;
        WHEN 'queued breach' THEN
            SELECT b.done, b.unserved INTO done, unserved FROM steward.queue_breach(items, stamp) b;
        WHEN 'queued warning' THEN
            done := steward.queue_warn(items, stamp);
        END CASE;
        -- By what is tried again: there is next to nothing in it, and many items.
        DELETE FROM steward.sla_trouble t WHERE t.retry_at <= stamp AND t.item = ANY (items) AND t.step = sla_step.step;
        RETURN;
    EXCEPTION WHEN OTHERS OR ASSERT_FAILURE THEN
        GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, problem = MESSAGE_TEXT;
        IF steward.is_environment(state) THEN
            RAISE;
        END IF;
    END;

    done := 0;
    IF cardinality(items) > 1 THEN
        WHILE first <= cardinality(items) LOOP
            part := steward.sla_step(step, items[first:first + size - 1], places[first:first + size - 1], stamp, worker);
            done := done + part.done;
            unserved := unserved + part.unserved;
            settled := settled + part.settled;
            first := first + size;
        END LOOP;
        RETURN;
    END IF;

    RAISE WARNING 'SLA: the % of % could not be done: %', step, items[1], problem USING ERRCODE = state;
    INSERT INTO steward.sla_trouble AS t (item, step, retry_at, state, problem, worker)
    VALUES (items[1], step, stamp + interval '10 s', state, problem, worker)
    ON CONFLICT ON CONSTRAINT sla_trouble_pkey DO UPDATE
       SET attempts = t.attempts + 1, retry_at = stamp + LEAST(interval '10 s' * 5 ^ LEAST(t.attempts, 9), interval '1 hour'),
           state = excluded.state, problem = excluded.problem, worker = excluded.worker
    RETURNING t.attempts INTO times;
    IF times = (CASE WHEN left(state, 2) IN ('40', '55') THEN 3 ELSE 1 END) THEN
        BEGIN
            PERFORM steward.sla_alert('sla_trouble', items, ARRAY[o.id], ARRAY[format('The %s of %s could not be done: %s', step, items[1], problem)],
                                      ARRAY[format('تعذّرت متابعة العنصر %s: %s', items[1], problem)], ARRAY[0])
               FROM public.organizations o
              WHERE o.id = COALESCE((SELECT a.organization_id FROM public.assignments a WHERE a.id = items[1]),
                                    (SELECT p.organization_id FROM public.staff_profiles p WHERE p.id = items[1]),
                                    (SELECT q.organization_id FROM public.assignment_queue q WHERE q.id = items[1]));
        EXCEPTION WHEN OTHERS OR ASSERT_FAILURE THEN
            -- The outbox may be what raises; the row of sla_trouble says it anyway.
            RAISE WARNING 'SLA: no administrator could be alerted: %', SQLERRM;
        END;
    END IF;
END $$;
COMMENT ON FUNCTION steward.sla_step(text, uuid[], tid[], timestamptz, text) IS
    'does a step for claimed items and leaves only those behind that cannot be done; settled: of breaches, those with nothing more to come';

-- Nearly always this is to come, and says all.  Without the ORDER BY another index would be walked.
CREATE FUNCTION steward.sla_first() RETURNS timestamptz
    LANGUAGE plpgsql STABLE AS $$
BEGIN
    RETURN LEAST((SELECT d.due_at FROM steward.assignment_due d ORDER BY d.due_at LIMIT 1),
                 (SELECT p.unavailable_until FROM public.staff_profiles p
                   WHERE p.availability_status <> 'available' AND p.unavailable_until IS NOT NULL ORDER BY p.unavailable_until LIMIT 1),
                 (SELECT q.warn_at FROM public.assignment_queue q WHERE q.warning_sent_at IS NULL ORDER BY q.warn_at LIMIT 1),
                 (SELECT q.sla_deadline FROM public.assignment_queue q WHERE q.breached_at IS NULL ORDER BY q.sla_deadline LIMIT 1),
                 (SELECT t.retry_at FROM steward.sla_trouble t ORDER BY t.retry_at LIMIT 1));
END $$;
COMMENT ON FUNCTION steward.sla_first() IS 'the first of all moments at which something is, or was, to be done; NULL when nothing waits';

-- What is due and still there is held by somebody else, and looked at again a second later.
CREATE FUNCTION steward.sla_next_due(stamp timestamptz, first timestamptz) RETURNS bigint
    LANGUAGE plpgsql STABLE AS $$
DECLARE
    next timestamptz := first;
BEGIN
    IF first <= stamp THEN
        SELECT min(m.moment) INTO next
          FROM (VALUES
               ((SELECT d.due_at FROM steward.assignment_due d WHERE d.due_at > stamp ORDER BY d.due_at LIMIT 1)),
               ((SELECT p.unavailable_until FROM public.staff_profiles p
                  WHERE p.availability_status <> 'available' AND p.unavailable_until > stamp
                  ORDER BY p.unavailable_until LIMIT 1)),
               ((SELECT q.warn_at FROM public.assignment_queue q
                  WHERE q.warning_sent_at IS NULL AND q.warn_at > stamp ORDER BY q.warn_at LIMIT 1)),
               ((SELECT q.sla_deadline FROM public.assignment_queue q
                  WHERE q.breached_at IS NULL AND q.sla_deadline > stamp ORDER BY q.sla_deadline LIMIT 1)),
               ((SELECT t.retry_at FROM steward.sla_trouble t WHERE t.retry_at > stamp ORDER BY t.retry_at LIMIT 1)),
               ((SELECT stamp + interval '1 s' FROM steward.assignment_due d
                  WHERE d.due_at <= stamp
                    AND (SELECT t.item FROM steward.sla_trouble t WHERE t.item = d.assignment_id LIMIT 1) IS NULL
                  ORDER BY d.due_at LIMIT 1)),
               ((SELECT stamp + interval '1 s' FROM public.staff_profiles p
                  WHERE p.availability_status <> 'available' AND p.unavailable_until <= stamp
                    AND (SELECT t.item FROM steward.sla_trouble t WHERE t.item = p.id AND t.step = 'return') IS NULL
                  ORDER BY p.unavailable_until LIMIT 1)),
               ((SELECT stamp + interval '1 s' FROM public.assignment_queue q
                  WHERE q.breached_at IS NULL AND q.sla_deadline <= stamp
                    AND (SELECT t.item FROM steward.sla_trouble t WHERE t.item = q.id AND t.step = 'queued breach') IS NULL
                  ORDER BY q.sla_deadline LIMIT 1)),
               ((SELECT stamp + interval '1 s' FROM public.assignment_queue q
                  WHERE q.warning_sent_at IS NULL AND q.warn_at <= stamp
                    AND (SELECT t.item FROM steward.sla_trouble t WHERE t.item = q.id AND t.step = 'queued warning') IS NULL
                  ORDER BY q.warn_at LIMIT 1))
               ) m(moment);
    END IF;
    RETURN CASE WHEN next IS NOT NULL THEN ceil(extract(epoch FROM LEAST(next, stamp + interval '1 day') - stamp) * 1000) END;
END $$;
COMMENT ON FUNCTION steward.sla_next_due(timestamptz, timestamptz) IS
    'milliseconds until something is due, at most a day, given the first moment of all; NULL when nothing waits';

-- The planner is told what it cannot know: few rows, always by index and in its order.
CREATE FUNCTION steward.sla_turn(worker text, most int)
    RETURNS TABLE (warned int, escalated int, unserved int, returned int, next_due_ms bigint)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
    SET jit = off
    SET lock_timeout = '200ms'
    AS $$
DECLARE
    stamp timestamptz := steward.now();
    room  int := LEAST(GREATEST(most, 1), 1000);
    due   record;
    again uuid[];
    first timestamptz;
    items uuid[];
    step  text;
    part  record;
BEGIN
    warned := 0; escalated := 0; unserved := 0; returned := 0;
    due := steward.assignments_claim(room, stamp);
    again := due.warnings || due.others;
    room := room - COALESCE(cardinality(due.breaches), 0) - COALESCE(cardinality(again), 0);
    IF due.breaches IS NOT NULL THEN
        part := steward.sla_step('breach', due.breaches, due.breach_places, stamp, worker);
        escalated := part.done;
        unserved := part.unserved;
        IF part.settled < cardinality(due.breaches) THEN
            again := again || due.breaches;
        END IF;
    END IF;
    IF due.warnings IS NOT NULL THEN
        part := steward.sla_step('warning', due.warnings, due.warning_places, stamp, worker);
        warned := part.done;
    END IF;
    IF again IS NOT NULL THEN
        -- Whatever became of them: what has still something to come is watched.
        PERFORM steward.watch_again(again);
    END IF;
    IF room > 0 THEN
        first := steward.sla_first();
    END IF;
    -- What waits comes last: whoever gives it away by hand holds units when he comes to it, and
    -- nothing after this waits for units.
    FOREACH step IN ARRAY '{return, queued breach, queued warning}'::text[] LOOP
        EXIT WHEN room = 0 OR first IS NULL OR first > stamp;
        items := steward.sla_claim(step, room, stamp);
        CONTINUE WHEN items IS NULL;
        part := steward.sla_step(step, items, NULL, stamp, worker);
        CASE step
        WHEN 'queued breach' THEN
            escalated := escalated + part.done;
            unserved := unserved + part.unserved;
        WHEN 'queued warning' THEN
            warned := warned + part.done;
        WHEN 'return' THEN
            returned := part.done;
        END CASE;
        room := room - cardinality(items);
    END LOOP;
    IF room > 0 THEN
        next_due_ms := steward.sla_next_due(stamp, first);
    ELSE
        -- More follows at once, and brings this to disk with it; what a machine that
        -- stops in between forgets is due again, and was told to nobody.
        next_due_ms := 0;
        PERFORM set_config('synchronous_commit', 'off', true);
    END IF;
    RETURN NEXT;
END $$;
COMMENT ON FUNCTION steward.sla_turn(text, int) IS
    'escalates, warns and ends leaves, at most that many and at most a thousand; next_due_ms is 0 when more may be due, NULL when nothing waits';
GRANT EXECUTE ON FUNCTION steward.sla_turn(text, int) TO steward_worker;

CREATE FUNCTION public.sla_check_and_escalate() RETURNS TABLE (warnings_sent int, escalations_created int)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    turn record;
BEGIN
    warnings_sent := 0;
    escalations_created := 0;
    FOR i IN 1 .. 10 LOOP
        SELECT * INTO turn FROM steward.sla_turn('sla_check_and_escalate', 1000);
        warnings_sent := warnings_sent + turn.warned;
        escalations_created := escalations_created + turn.escalated;
        EXIT WHEN turn.next_due_ms IS DISTINCT FROM 0;
    END LOOP;
    RETURN NEXT;
END $$;
COMMENT ON FUNCTION public.sla_check_and_escalate() IS
    'warns about and escalates what is due, at most ten thousand; the monitor does the same in smaller transactions by itself';
GRANT EXECUTE ON FUNCTION public.sla_check_and_escalate() TO steward_worker, service_role;

-- ---------------------------------------------------------------- waking the monitor
-- It looks every thirty seconds whatever happens, so only what lies nearer needs a call.
-- Assignments call it themselves.
CREATE FUNCTION steward.sla_wake() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pg_notify('steward_sla', '');
    RETURN NULL;
END $$;
COMMENT ON FUNCTION steward.sla_wake() IS 'wakes the monitor, on the channel steward_sla';
CREATE TRIGGER sla_wake AFTER INSERT OR UPDATE OF priority, work_item_type, created_at, sla_deadline ON public.assignment_queue
    FOR EACH ROW WHEN (NEW.breached_at IS NULL
                       AND LEAST(CASE WHEN NEW.warning_sent_at IS NULL THEN NEW.warn_at END, NEW.sla_deadline) <= steward.now() + interval '40 s')
    EXECUTE FUNCTION steward.sla_wake();
COMMENT ON TRIGGER sla_wake ON public.assignment_queue IS 'a deadline that comes soon for what waits';
CREATE TRIGGER sla_wake AFTER INSERT OR UPDATE OF availability_status, unavailable_until ON public.staff_profiles
    FOR EACH ROW WHEN (NEW.availability_status <> 'available' AND NEW.unavailable_until <= steward.now() + interval '40 s')
    EXECUTE FUNCTION steward.sla_wake();
COMMENT ON TRIGGER sla_wake ON public.staff_profiles IS 'a leave that ends soon';

-- --------------------------------------------------------------------- by hand
-- For an end user these look at the rights of whom the claims name: what that one
-- may not see is not there.  The trusted backend says itself who acts.  Rights are a
-- condition of the look that locks, which PostgreSQL asks before it waits for the lock
-- and again when the row has changed meanwhile: a stranger holds up nobody.

-- In plpgsql, because a SQL function is planned again by every call.
CREATE FUNCTION steward.escalation_notify(subject text, reference uuid, event public.escalation_events, what text, recipients uuid[])
    RETURNS jsonb LANGUAGE plpgsql AS $$
DECLARE
    notices jsonb;
BEGIN
    WITH told AS (
        INSERT INTO public.notification_outbox (organization_id, recipient_id, notification_type, delivery_method, payload)
        SELECT event.organization_id, t.recipient, 'assignment_escalated', 'in_app',
               jsonb_build_object('reference_type', subject, 'reference_id', reference,
                   'message_en', CASE WHEN t.recipient = event.escalated_to_id THEN 'You have an escalated assignment: ' || what
                                      WHEN event.escalated_to_id IS NULL THEN format('%s was escalated to the administrators', what)
                                      ELSE format('%s was escalated to supervisor', what) END,
                   'message_ar', CASE WHEN t.recipient = event.escalated_to_id THEN format('لديك مهمة مصعّدة: %s', event.work_item_id)
                                      WHEN event.escalated_to_id IS NULL THEN format('تم تصعيد العنصر %s إلى المسؤولين', event.work_item_id)
                                      ELSE format('تم تصعيد العنصر %s إلى المشرف', event.work_item_id) END,
                   'metadata', jsonb_build_object('escalation_id', event.id, 'work_item_id', event.work_item_id,
                       'work_item_type', event.work_item_type, 'reason', event.reason, 'notes', event.notes,
                       'escalated_from_id', event.escalated_from_id, 'escalated_to_id', event.escalated_to_id))
          FROM unnest(recipients) t(recipient) WHERE t.recipient IS NOT NULL
        RETURNING recipient_id, notification_type, created_at
    )
    SELECT COALESCE(jsonb_agg(jsonb_build_object('recipient_id', t.recipient_id, 'type', t.notification_type,
                                                 'sent_at', steward.iso(t.created_at))), '[]')
      INTO notices FROM told t;
    RETURN notices;
END $$;
COMMENT ON FUNCTION steward.escalation_notify(text, uuid, public.escalation_events, text, uuid[]) IS
    'tells people of an escalation that somebody asked for, and returns who was told';

CREATE FUNCTION steward.escalation_said(outcome text, event public.escalation_events, notifications jsonb DEFAULT NULL) RETURNS jsonb
    LANGUAGE sql STABLE AS $$
    SELECT jsonb_strip_nulls(jsonb_build_object('outcome', outcome, 'escalation_id', event.id, 'assignment_id', event.assignment_id,
        'queue_id', event.queue_id, 'notifications', notifications))
        || jsonb_build_object('escalated_from_id', event.escalated_from_id, 'escalated_to_id', event.escalated_to_id,
               'reason', event.reason, 'notes', event.notes, 'escalated_at', steward.iso(event.escalated_at),
               'acknowledged_at', steward.iso(event.acknowledged_at), 'resolved_at', steward.iso(event.resolved_at))
$$;
COMMENT ON FUNCTION steward.escalation_said(text, public.escalation_events, jsonb) IS 'an escalation as the functions about it answer';

CREATE FUNCTION steward.may_lead(organization uuid, unit uuid) RETURNS boolean
    LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN auth.uid() IS NULL THEN steward.is_backend()
                WHEN unit IS NULL THEN organization = ANY (steward.led_organizations())
                -- An administrator also what a unit left that is gone.
                ELSE unit = ANY (steward.visible_units()) OR organization = ANY (steward.led_organizations('admin')) END
$$;
COMMENT ON FUNCTION steward.may_lead(uuid, uuid) IS
    'whether the user of the claims leads a unit, or without a unit anything in the organisation; the backend without claims may all';

-- Who asked for a queued item has broken no promise.
CREATE FUNCTION steward.may_settle(organization uuid, unit uuid, recipient uuid, late uuid) RETURNS boolean
    LANGUAGE sql STABLE AS $$
    SELECT recipient = auth.uid() OR ((late = auth.uid()) IS NOT TRUE AND steward.may_lead(organization, unit))
$$;
COMMENT ON FUNCTION steward.may_settle(uuid, uuid, uuid, uuid) IS
    'whether the user of the claims may answer an escalation: its recipient, or who leads the unit and is not the one whose work it is about';

CREATE FUNCTION steward.must_be_allowed(allowed boolean, organization uuid) RETURNS boolean
    LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF allowed IS NOT TRUE AND organization = ANY (steward.own_organizations()) THEN
        RAISE EXCEPTION 'insufficient permissions' USING ERRCODE = 'insufficient_privilege';
    END IF;
    RETURN allowed IS TRUE;
END $$;
COMMENT ON FUNCTION steward.must_be_allowed(boolean, uuid) IS
    'raises for the organisation''s own people; false for anybody else, to whom what they ask about does not exist';

-- Two people to leave out, of whom escalation_recipients knows one: where it answers
-- the other, the next unit up is asked.
CREATE FUNCTION steward.escalation_beyond(organization uuid, unit uuid, person uuid, caller uuid) RETURNS uuid
    LANGUAGE plpgsql STABLE AS $$
DECLARE
    recipient uuid;
BEGIN
    LOOP
        SELECT r.recipient_id INTO recipient
          FROM steward.escalation_recipients(ARRAY[organization], ARRAY[unit], ARRAY[caller]) r;
        IF recipient IS DISTINCT FROM person THEN
            RETURN recipient;
        ELSIF unit IS NULL THEN
            RETURN NULL;
        END IF;
        SELECT u.parent_unit_id INTO unit FROM public.organizational_units u WHERE u.id = unit;
    END LOOP;
END $$;
COMMENT ON FUNCTION steward.escalation_beyond(uuid, uuid, uuid, uuid) IS
    'who looks at what the recipient of somebody''s escalations escalates: neither of the two';

CREATE FUNCTION steward.escalate(assignment uuid, reason public.escalation_reason, actor uuid DEFAULT NULL, notes text DEFAULT NULL)
    RETURNS jsonb LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    stamp  timestamptz := steward.now();
    caller uuid := COALESCE(auth.uid(), actor);
    a      public.assignments;
    e      public.escalation_events;
BEGIN
    SELECT * INTO a FROM public.assignments x
     WHERE x.id = assignment
       AND steward.must_be_allowed(x.assignee_id = auth.uid() OR steward.may_lead(x.organization_id, x.unit_id), x.organization_id)
       FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN '{"outcome": "not_found"}';
    ELSIF a.status NOT IN ('assigned', 'in_progress') THEN
        RETURN jsonb_build_object('outcome', 'not_active', 'assignment_id', a.id, 'status', a.status);
    END IF;
    SELECT * INTO e FROM public.escalation_events x
     WHERE x.assignment_id = a.id AND x.escalated_from_id = a.assignee_id AND x.resolved_at IS NULL
     ORDER BY x.escalated_at DESC LIMIT 1;
    IF FOUND THEN
        RETURN steward.escalation_said('already_escalated', e);
    ELSIF reason = 'sla_breach' AND (a.sla_deadline > stamp OR a.breached_at IS NOT NULL) THEN
        RAISE EXCEPTION 'assignment % %', a.id, CASE WHEN a.breached_at IS NULL
                THEN format('has not missed its deadline of %s', steward.iso(a.sla_deadline))
                ELSE 'was escalated for this deadline before, which was resolved' END
            USING ERRCODE = 'invalid_parameter_value', COLUMN = 'reason', HINT = 'the reason of an escalation by choice is manual';
    END IF;

    INSERT INTO public.escalation_events
           (organization_id, assignment_id, work_item_id, work_item_type, unit_id, escalated_from_id, escalated_to_id, escalated_by,
            reason, sla_deadline, escalated_at, notes)
    SELECT a.organization_id, a.id, a.work_item_id, a.work_item_type, a.unit_id, a.assignee_id,
           CASE WHEN r.recipient_id = caller THEN steward.escalation_beyond(a.organization_id, a.unit_id, a.assignee_id, caller)
                ELSE r.recipient_id END,
           caller, escalate.reason, CASE WHEN escalate.reason = 'sla_breach' THEN a.sla_deadline END, stamp, escalate.notes
      FROM steward.escalation_recipients(ARRAY[a.organization_id], ARRAY[a.unit_id], ARRAY[a.assignee_id]) r
    RETURNING * INTO e;
    UPDATE public.assignments x
       SET escalated_at = GREATEST(stamp, x.sla_started_at), escalation_recipient_id = e.escalated_to_id,
           breached_at = CASE WHEN escalate.reason = 'sla_breach' THEN stamp ELSE x.breached_at END
     WHERE x.id = a.id;
    INSERT INTO public.assignment_history (organization_id, unit_id, assignment_id, work_item_id, action, actor_id, detail)
    VALUES (a.organization_id, a.unit_id, a.id, a.work_item_id, 'assignment_escalated', caller,
            jsonb_build_object('escalation_id', e.id, 'reason', e.reason, 'escalated_to_id', e.escalated_to_id, 'notes', e.notes));
    IF e.escalated_to_id IS NULL THEN
        PERFORM steward.sla_alert('sla_no_recipient', ARRAY[a.id], ARRAY[a.organization_id],
            ARRAY[format('%s %s was escalated, and there is nobody to escalate it to', a.work_item_type, a.work_item_id)],
            ARRAY[format('تم تصعيد العنصر %s ولا يوجد من يُصعَّد إليه', a.work_item_id)], ARRAY[0]);
    END IF;
    RETURN steward.escalation_said('escalated', e, steward.escalation_notify('assignment', a.id, e,
        format('%s %s', a.work_item_type, a.work_item_id), ARRAY[e.escalated_from_id, e.escalated_to_id]));
END $$;
COMMENT ON FUNCTION steward.escalate(uuid, public.escalation_reason, uuid, text) IS
    'escalates open work by hand, for its assignee or whoever leads the unit, and never to who asks; not again while the assignee''s last escalation is unresolved, and without taking the place of a later breach';

-- Who asked for the item is one side, whoever leads its unit the other; the caller knows.
CREATE FUNCTION steward.queue_raise(q public.assignment_queue, caller uuid, notes text) RETURNS jsonb
    LANGUAGE plpgsql AS $$
DECLARE
    e         public.escalation_events;
    recipient uuid;
BEGIN
    SELECT r.recipient_id INTO recipient
      FROM steward.escalation_recipients(ARRAY[q.organization_id], ARRAY[steward.queue_unit(q, caller)], ARRAY[caller]) r;
    IF recipient IS NULL THEN
        PERFORM steward.sla_alert('sla_no_recipient', ARRAY[q.id], ARRAY[q.organization_id],
            ARRAY[format('%s %s waits in the queue, and there is nobody to escalate it to', q.work_item_type, q.work_item_id)],
            ARRAY[format('العنصر %s في قائمة الانتظار ولا يوجد من يُصعَّد إليه', q.work_item_id)], ARRAY[0]);
    END IF;
    IF COALESCE(caller, q.requested_by, recipient) IS NULL THEN
        RETURN NULL;
    END IF;
    INSERT INTO public.escalation_events
           (organization_id, queue_id, work_item_id, work_item_type, unit_id, escalated_from_id, escalated_to_id, escalated_by,
            reason, notes)
    VALUES (q.organization_id, q.id, q.work_item_id, q.work_item_type, q.target_unit_id, COALESCE(caller, q.requested_by, recipient),
            recipient, caller, 'capacity_exhaustion', queue_raise.notes)
    RETURNING * INTO e;
    RETURN steward.escalation_said('escalated', e, steward.escalation_notify('assignment_queue', q.id, e,
        format('%s %s in the queue', q.work_item_type, q.work_item_id),
        ARRAY(SELECT DISTINCT t.told FROM unnest(ARRAY[e.escalated_from_id, recipient]) t(told) WHERE t.told IS DISTINCT FROM caller)));
END $$;
COMMENT ON FUNCTION steward.queue_raise(public.assignment_queue, uuid, text) IS
    'escalates a queued item for want of capacity to whoever leads its target unit, without one that of who asked for it, never to who asks; NULL when nobody has a part in it but the administrators, who were alerted';

CREATE FUNCTION steward.queue_escalate(queue uuid, actor uuid DEFAULT NULL, notes text DEFAULT NULL) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    q      public.assignment_queue;
    e      public.escalation_events;
    answer jsonb;
BEGIN
    SELECT * INTO q FROM public.assignment_queue x
     WHERE x.id = queue
       AND steward.must_be_allowed(x.requested_by = auth.uid() OR steward.may_lead(x.organization_id, x.target_unit_id), x.organization_id)
       FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN '{"outcome": "not_found"}';
    END IF;
    SELECT * INTO e FROM public.escalation_events x WHERE x.queue_id = q.id AND x.resolved_at IS NULL LIMIT 1;
    IF FOUND THEN
        RETURN steward.escalation_said('already_escalated', e);
    END IF;
    answer := steward.queue_raise(q, COALESCE(auth.uid(), actor), queue_escalate.notes);
    IF answer IS NULL THEN
        RAISE EXCEPTION 'nobody is named who escalates queued item %', q.id
            USING ERRCODE = 'invalid_parameter_value', COLUMN = 'actor', HINT = 'name the user who asks for it';
    END IF;
    RETURN answer;
END $$;
COMMENT ON FUNCTION steward.queue_escalate(uuid, uuid, text) IS
    'escalates a queued item for want of capacity to whoever leads its target unit, without one that of who asked for it, never to who asks; not again while the last one is unresolved';

-- Telling must not keep the fallback from trying the others: the flag says it anyway.
CREATE FUNCTION steward.queue_exhausted() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM public.escalation_events e
                WHERE e.queue_id = NEW.id AND e.reason = 'capacity_exhaustion' AND (e.resolved_at IS NULL OR e.escalated_by IS NULL)) THEN
        RETURN NULL;
    END IF;
    PERFORM steward.queue_raise(NEW, NULL, left(format('%s attempts %s%s', NEW.attempts,
        CASE WHEN NEW.refused_at IS NULL THEN 'found nobody' ELSE 'failed' END, ': ' || NEW.reason), 1000));
    RETURN NULL;
EXCEPTION WHEN OTHERS OR ASSERT_FAILURE THEN
    IF steward.is_environment(SQLSTATE) THEN
        RAISE;
    END IF;
    RAISE WARNING 'queued item % could not be escalated: %', NEW.id, SQLERRM USING ERRCODE = SQLSTATE;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION steward.queue_exhausted() IS
    'escalates an item that is flagged for review: once by itself, and not while somebody else''s escalation of it is unresolved';
CREATE TRIGGER queue_exhausted AFTER UPDATE OF attempts ON public.assignment_queue
    FOR EACH ROW WHEN (NEW.attempts >= 10 AND OLD.attempts < 10) EXECUTE FUNCTION steward.queue_exhausted();
COMMENT ON TRIGGER queue_exhausted ON public.assignment_queue IS 'the tenth failed attempt is told to whoever can find capacity';

CREATE FUNCTION steward.escalation_answer(escalation uuid, actor uuid, resolve boolean, notes text DEFAULT NULL) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    e     public.escalation_events;
    stamp timestamptz;
BEGIN
    SELECT * INTO e FROM public.escalation_events x
     WHERE x.id = escalation
       AND steward.must_be_allowed(steward.may_settle(x.organization_id, x.unit_id, x.escalated_to_id,
               CASE WHEN x.assignment_id IS NOT NULL THEN x.escalated_from_id END), x.organization_id)
       FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        -- What it was about is archived, and nobody has said yet that it is settled.
        SELECT (jsonb_populate_record(NULL::public.escalation_events, to_jsonb(x))).* INTO e FROM public.escalation_events_archive x
         WHERE x.id = escalation
           AND steward.must_be_allowed(steward.may_settle(x.organization_id, x.unit_id, x.escalated_to_id,
                   CASE WHEN x.assignment_id IS NOT NULL THEN x.escalated_from_id END), x.organization_id)
           FOR NO KEY UPDATE;
    END IF;
    IF NOT FOUND THEN
        RETURN '{"outcome": "not_found"}';
    ELSIF e.resolved_at IS NOT NULL THEN
        RETURN steward.escalation_said('already_resolved', e);
    ELSIF e.acknowledged_at IS NOT NULL AND resolve IS NOT TRUE THEN
        RETURN steward.escalation_said('already_acknowledged', e);
    END IF;
    stamp := GREATEST(steward.now(), e.escalated_at, e.acknowledged_at);
    e.acknowledged_at := COALESCE(e.acknowledged_at, stamp);
    e.resolved_at := CASE WHEN resolve THEN stamp END;
    e.notes := COALESCE(escalation_answer.notes, e.notes);
    UPDATE public.escalation_events x SET acknowledged_at = e.acknowledged_at, resolved_at = e.resolved_at, notes = e.notes WHERE x.id = e.id;
    IF NOT FOUND THEN
        UPDATE public.escalation_events_archive x SET acknowledged_at = e.acknowledged_at, resolved_at = e.resolved_at, notes = e.notes WHERE x.id = e.id;
    END IF;
    IF e.assignment_id IS NOT NULL THEN
        INSERT INTO public.assignment_history (organization_id, unit_id, assignment_id, work_item_id, action, actor_id, detail)
        VALUES (e.organization_id, e.unit_id, e.assignment_id, e.work_item_id,
                CASE WHEN resolve THEN 'escalation_resolved' ELSE 'escalation_acknowledged' END, COALESCE(auth.uid(), actor),
                jsonb_strip_nulls(jsonb_build_object('escalation_id', e.id, 'notes', escalation_answer.notes)));
    END IF;
    RETURN steward.escalation_said(CASE WHEN resolve THEN 'resolved' ELSE 'acknowledged' END, e);
END $$;
COMMENT ON FUNCTION steward.escalation_answer(uuid, uuid, boolean, text) IS
    'acknowledges or resolves an escalation, an archived one too, once each, for its recipient or whoever else leads the unit';
GRANT EXECUTE ON FUNCTION steward.escalate(uuid, public.escalation_reason, uuid, text), steward.queue_escalate(uuid, uuid, text),
    steward.escalation_answer(uuid, uuid, boolean, text) TO authenticated, service_role;

SELECT steward.quarantine_restore('steward.sla_trouble');
