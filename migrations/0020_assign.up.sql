-- Who is given a work item, decided and written in one transaction.
--
-- The row of a unit is the lock under which its people are counted.  Nobody waits
-- for a unit while holding another: a decision that moves to another unit lets the
-- first one go before, and whoever serves several items in one transaction waits
-- for the first unit only.  An item is locked before any unit, a person after.

CREATE FUNCTION steward.skill_ids(organization uuid, wanted jsonb) RETURNS uuid[]
    LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    known    uuid[];
    unknown  text;
    doubtful boolean;
BEGIN
    IF jsonb_typeof(wanted) IS DISTINCT FROM 'array' OR jsonb_array_length(wanted) NOT BETWEEN 1 AND 100
       OR jsonb_path_exists(wanted, 'strict $[*] ? (@.type() != "string")') THEN
        RAISE EXCEPTION 'required_skills must be a list of 1 to 100 ids or names of skills'
            USING ERRCODE = 'invalid_parameter_value', COLUMN = 'required_skills';
    END IF;
    SELECT array_agg(DISTINCT s.id ORDER BY s.id), min(w.word) FILTER (WHERE s.id IS NULL), count(*) > jsonb_array_length(wanted)
      INTO known, unknown, doubtful
      FROM jsonb_array_elements_text(wanted) w(word)
      LEFT JOIN public.skills s
        ON s.organization_id = organization
       AND (s.name_en = w.word OR s.name_ar = w.word
            OR s.id = CASE WHEN w.word ~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN w.word::uuid END);
    IF unknown IS NOT NULL THEN
        RAISE EXCEPTION 'there is no skill "%"', left(unknown, 100)
            USING ERRCODE = 'foreign_key_violation', COLUMN = 'required_skills',
                  HINT = 'a skill is named by its id, its name_en or its name_ar';
    ELSIF doubtful THEN
        RAISE EXCEPTION '"%" names several skills', left((
                SELECT w.word FROM jsonb_array_elements_text(wanted) w(word)
                 WHERE (SELECT count(*) FROM public.skills s
                         WHERE s.organization_id = organization AND w.word IN (s.name_en, s.name_ar, s.id::text)) > 1 LIMIT 1), 100)
            USING ERRCODE = 'invalid_parameter_value', COLUMN = 'required_skills', HINT = 'name it by its id';
    END IF;
    RETURN known;
END $$;
COMMENT ON FUNCTION steward.skill_ids(uuid, jsonb) IS
    'the skills of an organisation that a list of ids and names means; raises naming one that does not exist, or means several';
GRANT EXECUTE ON FUNCTION steward.skill_ids(uuid, jsonb) TO authenticated, service_role;

CREATE FUNCTION steward.unit_rules(organization uuid, wanted uuid[])
    RETURNS TABLE (unit_id uuid, weight int, is_must boolean, is_capped boolean)
    LANGUAGE sql STABLE AS $$
    SELECT r.unit_id, max(r.priority_weight), bool_or(r.unit_is_must), bool_and(r.capacity_check_enabled)
      FROM public.assignment_rules r
     WHERE r.organization_id = organization AND r.is_active AND r.required_skills <@ wanted
     GROUP BY r.unit_id
$$;
COMMENT ON FUNCTION steward.unit_rules(uuid, uuid[]) IS 'what the rules that cover an item say about their units';

CREATE FUNCTION steward.assign_candidates(organization uuid, wanted uuid[], target uuid, few boolean DEFAULT false)
    RETURNS TABLE (user_id uuid, unit_id uuid, role text, skills uuid[], stage int, points bigint, unit_points int, last_assigned_at timestamptz,
                   unit_count int, unit_limit int, person_version xid, unit_version xid)
    LANGUAGE sql STABLE AS $$
    WITH rule AS MATERIALIZED (
        SELECT * FROM steward.unit_rules(organization, wanted)
    ), must AS MATERIALIZED (
        SELECT CASE WHEN bool_or(r.unit_id = target) THEN ARRAY[target] ELSE array_agg(r.unit_id) END AS units
          FROM rule r WHERE r.is_must
    ), person AS (
        SELECT p.user_id, p.unit_id, p.role, p.skills, p.availability_status, p.current_assignment_count AS count, p.individual_wip_limit AS "limit",
               p.last_assigned_at, p.xmin AS version,
               u.current_assignment_count AS unit_count, u.unit_wip_limit AS unit_limit, u.xmin AS unit_version
          FROM public.staff_profiles p JOIN public.organizational_units u ON u.id = p.unit_id
         WHERE p.organization_id = organization AND u.organization_id = organization AND NOT few
        UNION ALL
        SELECT p.user_id, p.unit_id, p.role, p.skills, p.availability_status, p.current_assignment_count, p.individual_wip_limit,
               p.last_assigned_at, p.xmin,
               u.current_assignment_count, u.unit_wip_limit, u.xmin
          FROM steward.skill_holder h
          JOIN public.staff_profiles p ON p.organization_id = h.organization_id AND p.user_id = h.user_id
          JOIN public.organizational_units u ON u.id = p.unit_id
         WHERE h.organization_id = organization AND h.skill_id = wanted[1] AND few
    )
    SELECT p.user_id, p.unit_id, p.role, p.skills,
           CASE WHEN p.availability_status <> 'available' THEN 2
                WHEN p.count >= p."limit" THEN 3
                WHEN p.unit_id <> ALL (m.units) THEN 4
                WHEN p.unit_count >= p.unit_limit AND COALESCE(r.is_capped, true) THEN 5
                ELSE 6 END,
           30 * steward.free_share(p.count, p."limit")::bigint + x.points * 232792560::bigint,
           x.points, p.last_assigned_at, p.unit_count, p.unit_limit, p.version, p.unit_version
      FROM person p CROSS JOIN must m LEFT JOIN rule r ON r.unit_id = p.unit_id
     CROSS JOIN LATERAL (SELECT CASE WHEN target IS NULL THEN COALESCE(r.weight, 5) WHEN p.unit_id = target THEN 10 ELSE 0 END) x(points)
$$;
COMMENT ON FUNCTION steward.assign_candidates(uuid, uuid[], uuid, boolean) IS
    'everybody, or where they are few those who have the first of the skills, are available and below the own limit, with the points of capacity and unit (of 30 and 10, in parts of 232792560) and the stage at which somebody who has the skills falls out: 2 not_available, 3 at_individual_limit, 4 rule_unit, 5 unit_at_limit; 6 is eligible';

CREATE FUNCTION steward.assign_score(points bigint) RETURNS numeric
    LANGUAGE sql IMMUTABLE AS $$ SELECT round(60 + points / 232792560.0, 2) $$;
COMMENT ON FUNCTION steward.assign_score(bigint) IS 'the score of somebody who has all skills (40) and is available (20)';

-- Without a target and without a rule about it every unit is worth 5, so whoever is
-- the first of the holders of one of the skills and fits is the first of all.
-- OFFSET 0 keeps the planner from beginning with everybody who is available.
CREATE FUNCTION steward.assign_head(organization uuid, wanted uuid[])
    RETURNS TABLE (user_id uuid, unit_id uuid, points bigint, person_version xid, unit_version xid)
    LANGUAGE sql STABLE AS $$
    SELECT h.user_id, p.unit_id, 30::bigint * h.share + 5 * 232792560::bigint, p.version, u.version
      FROM (SELECT s.user_id, s.share, s.breadth, s.last_assigned_at FROM steward.skill_holder s
             WHERE s.organization_id = organization AND s.skill_id = wanted[1]
             ORDER BY s.share DESC, s.breadth DESC, s.last_assigned_at NULLS FIRST, s.user_id LIMIT 5) h
     CROSS JOIN LATERAL (
           SELECT x.unit_id, x.xmin AS version FROM public.staff_profiles x
            WHERE x.organization_id = organization AND x.user_id = h.user_id AND x.skills @> wanted
              AND x.availability_status = 'available' AND x.current_assignment_count < x.individual_wip_limit OFFSET 0) p
     CROSS JOIN LATERAL (
           SELECT x.xmin AS version FROM public.organizational_units x
            WHERE x.id = p.unit_id AND x.current_assignment_count < x.unit_wip_limit OFFSET 0) u
     ORDER BY h.share DESC, h.breadth DESC, h.last_assigned_at NULLS FIRST, h.user_id
$$;
COMMENT ON FUNCTION steward.assign_head(uuid, uuid[]) IS
    'those of the five with the most capacity for one of the skills who are eligible where no rule covers the item, the best first; nobody where others have to be looked at';

CREATE TYPE steward.choice AS (user_id uuid, unit_id uuid, score numeric, eligible bigint, reason text, is_freed boolean);
COMMENT ON TYPE steward.choice IS
    'who is given work and whose unit that is, with what score, of how many that could take it; or why nobody is; and whether capacity came free that was not drained yet';

-- Decides without a lock, locks, and is done if nothing that it decided on has
-- changed since; else it decides again under the lock, so a busy unit serves in turn.
-- What this takes has to be let go by the caller where it raises SWLET, whose message
-- and detail are the unit and the person; so a caller writes in the subtransaction
-- that locked, and the rows do not have to remember two transactions.
CREATE FUNCTION steward.assign_pick(organization uuid, wanted uuid[], target uuid, patient boolean, exclude uuid, within uuid, rank text, avoid uuid[])
    RETURNS steward.choice LANGUAGE plpgsql AS $$
DECLARE
    -- A rule that is made while an item waits for its unit is for those that come after it.
    is_plain       boolean := target IS NULL AND exclude IS NULL AND within IS NULL AND rank IS NULL
        AND NOT EXISTS (SELECT FROM public.assignment_rules r
                         WHERE r.organization_id = organization AND r.is_active AND r.required_skills <@ wanted);
    few            boolean;
    stage          int;
    unit_count     int;
    unit_limit     int;
    person_version xid;
    unit_version   xid;
    is_current     boolean;
    held           uuid;
    best           steward.choice;
BEGIN
    LOOP
        IF is_plain THEN
            -- How many could take it is not asked while others wait for the unit.
            IF held IS NULL THEN
                SELECT 6, h.user_id, h.unit_id, steward.assign_score(h.points), h.person_version, h.unit_version, count(*) OVER ()
                  INTO stage, best.user_id, best.unit_id, best.score, person_version, unit_version, best.eligible
                  FROM steward.assign_head(organization, wanted) h LIMIT 1;
            ELSE
                SELECT 6, h.user_id, h.unit_id, steward.assign_score(h.points), h.person_version, h.unit_version
                  INTO stage, best.user_id, best.unit_id, best.score, person_version, unit_version
                  FROM steward.assign_head(organization, wanted) h LIMIT 1;
            END IF;
        END IF;
        IF NOT is_plain OR NOT FOUND THEN
            -- Where nearly everybody is at the limit, the others need not be scored.
            few := wanted <> '{}' AND (SELECT count(*) FROM (
                SELECT FROM steward.skill_holder h
                 WHERE h.organization_id = assign_pick.organization AND h.skill_id = wanted[1] LIMIT 50) x) < 50;
            SELECT c.stage, c.user_id, c.unit_id, steward.assign_score(c.points), c.person_version, c.unit_version, c.unit_count, c.unit_limit,
                   count(*) FILTER (WHERE c.stage = 6) OVER ()
              INTO stage, best.user_id, best.unit_id, best.score, person_version, unit_version, unit_count, unit_limit, best.eligible
              FROM (SELECT p.user_id, p.unit_id, p.stage, p.points, cardinality(p.skills) AS breadth, p.last_assigned_at,
                           p.unit_count, p.unit_limit, p.person_version, p.unit_version
                      FROM steward.assign_candidates(organization, wanted, target, few) p
                     WHERE p.skills @> wanted AND p.user_id IS DISTINCT FROM exclude
                       AND CASE WHEN within IS NULL THEN true ELSE p.unit_id = within END
                       AND CASE WHEN rank IS NULL THEN true ELSE p.role = rank END
                     ORDER BY p.stage DESC, p.points DESC, breadth DESC, p.last_assigned_at NULLS FIRST, p.user_id
                     LIMIT 50) c
             ORDER BY c.stage DESC, c.points DESC, c.breadth DESC, c.last_assigned_at NULLS FIRST, c.user_id
             LIMIT 1;
            best.eligible := COALESCE(best.eligible, 0);
            IF NOT FOUND AND few THEN
                -- Nobody of them: why not tells one of the others.
                SELECT max(CASE p.availability_status WHEN 'available' THEN 3 ELSE 2 END) INTO stage
                  FROM public.staff_profiles p
                 WHERE p.organization_id = assign_pick.organization AND p.skills @> wanted AND p.user_id IS DISTINCT FROM exclude
                   AND CASE WHEN within IS NULL THEN true ELSE p.unit_id = within END
                   AND CASE WHEN rank IS NULL THEN true ELSE p.role = rank END;
            END IF;
        END IF;
        IF stage IS DISTINCT FROM 6 THEN
            best.reason := CASE COALESCE(stage, 1)
                WHEN 1 THEN 'No staff with the required skills'
                WHEN 2 THEN 'No staff available'
                WHEN 3 THEN 'All staff at WIP limit'
                WHEN 4 THEN 'No capacity in the required unit'
                ELSE format('Unit WIP limit reached (%s/%s)', unit_count, unit_limit) END;
            best.user_id := NULL;
            best.unit_id := NULL;
            best.score := NULL;
            RETURN best;
        END IF;
        IF best.unit_id = ANY (avoid) THEN
            best.user_id := NULL;
            RETURN best;
        END IF;
        IF held <> best.unit_id THEN
            RAISE SQLSTATE 'SWLET' USING MESSAGE = best.unit_id, DETAIL = best.user_id;
        END IF;
        -- Those who wait for a row are served in no order and some starve; for this lock they queue.
        IF held IS NULL AND NOT pg_try_advisory_xact_lock(hashtextextended(best.unit_id::text, 21)) THEN
            IF NOT patient THEN
                best.user_id := NULL;
                RETURN best;
            END IF;
            PERFORM pg_advisory_xact_lock(hashtextextended(best.unit_id::text, 21));
            held := best.unit_id;
            CONTINUE;
        END IF;
        IF NOT patient THEN
            PERFORM FROM public.organizational_units u WHERE u.id = best.unit_id FOR NO KEY UPDATE SKIP LOCKED;
            IF NOT FOUND THEN
                best.user_id := NULL;
                RETURN best;
            END IF;
        END IF;
        SELECT u.xmin = unit_version AND p.xmin = person_version,
               EXISTS (SELECT FROM steward.capacity_freed f WHERE f.organization_id = organization)
          INTO is_current, best.is_freed
          FROM public.organizational_units u JOIN public.staff_profiles p ON p.unit_id = u.id
         WHERE u.id = best.unit_id AND p.organization_id = organization AND p.user_id = best.user_id
           FOR NO KEY UPDATE OF u FOR NO KEY UPDATE OF p SKIP LOCKED;
        IF NOT FOUND THEN
            RAISE SQLSTATE 'SWLET' USING MESSAGE = best.unit_id, DETAIL = best.user_id;
        END IF;
        EXIT WHEN is_current;
        held := best.unit_id;
    END LOOP;
    RETURN best;
END $$;
COMMENT ON FUNCTION steward.assign_pick(uuid, uuid[], uuid, boolean, uuid, uuid, text, uuid[]) IS
    'the best person, if need be of one unit or one role, with unit and person locked until commit, of how many, as far as it looked, and whether capacity came free that was not drained yet; user_id NULL and a reason when nobody fits.  Who is not patient gets, where he would have to wait or the best is in a unit to avoid, that unit alone';

-- The people are in memory: to announce their pages to the kernel costs a quarter more.
CREATE FUNCTION steward.assign_claim(organization uuid, skills uuid[], target_unit uuid, exclude uuid DEFAULT NULL,
                                     within uuid DEFAULT NULL, rank text DEFAULT NULL, avoid uuid[] DEFAULT '{}') RETURNS steward.choice
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET effective_io_concurrency = 0
    AS $$
DECLARE
    best steward.choice;
BEGIN
    RETURN steward.assign_pick(organization, skills, target_unit, false, exclude, within, rank, avoid);
EXCEPTION WHEN SQLSTATE 'SWLET' THEN
    -- What was locked here is free again.
    GET STACKED DIAGNOSTICS best.unit_id = MESSAGE_TEXT;
    RETURN best;
END $$;
COMMENT ON FUNCTION steward.assign_claim(uuid, uuid[], uuid, uuid, uuid, text, uuid[]) IS
    'what assign_pick says to somebody who may hold a unit already, and so waits for nobody';

CREATE FUNCTION steward.assignment_answer(a public.assignments, outcome text) RETURNS jsonb
    LANGUAGE sql STABLE AS $$
    SELECT jsonb_build_object('assignment_id', a.id, 'assignee_id', a.assignee_id, 'unit_id', a.unit_id, 'assigned_at', a.assigned_at,
                              'sla_deadline', a.sla_deadline, 'warn_at', a.warn_at, 'priority', a.priority, 'status', a.status, 'outcome', outcome)
$$;
COMMENT ON FUNCTION steward.assignment_answer(public.assignments, text) IS 'what is said about an assignment that was just decided';

-- The wait is the place by the rate at which people with these skills finished work
-- during the last day, of which the last 200 items are looked at.
CREATE FUNCTION steward.queue_answer(q public.assignment_queue) RETURNS jsonb
    LANGUAGE plpgsql STABLE AS $$
DECLARE
    place int;
    rate  float8;   -- a minute
BEGIN
    SELECT 1 + count(*) INTO place FROM (
        SELECT FROM public.assignment_queue a
         WHERE a.organization_id = q.organization_id AND a.priority > q.priority
        UNION ALL
        SELECT FROM public.assignment_queue a
         WHERE a.organization_id = q.organization_id AND a.priority = q.priority AND (a.created_at, a.id) < (q.created_at, q.id)
         LIMIT 10000) ahead;
    SELECT count(*) FILTER (WHERE p.skills @> q.required_skills) * 60
           / extract(epoch FROM CASE WHEN count(*) < 200 THEN interval '1 day'
                                     ELSE GREATEST(steward.now() - min(d.completed_at), interval '1 s') END)
      INTO rate
      FROM (SELECT a.organization_id, a.assignee_id, a.completed_at FROM public.assignments a
             WHERE a.status IN ('completed', 'cancelled') AND a.completed_at > steward.now() - interval '1 day'
             ORDER BY a.completed_at DESC LIMIT 200) d
      LEFT JOIN public.staff_profiles p
        ON p.organization_id = d.organization_id AND p.user_id = d.assignee_id AND p.organization_id = q.organization_id;
    RETURN jsonb_build_object('queue_id', q.id, 'queue_position', place, 'queued_at', q.created_at, 'reason', q.reason,
                              'estimated_wait_minutes', ceil(place / NULLIF(rate, 0)), 'attempts', q.attempts);
END $$;
COMMENT ON FUNCTION steward.queue_answer(public.assignment_queue) IS
    'what is said about an item that waits; its position is not counted beyond ten thousand';

CREATE FUNCTION steward.assign_explain(organization uuid, wanted uuid[], target uuid) RETURNS jsonb
    LANGUAGE sql STABLE AS $$
    SELECT jsonb_build_object('outcome', 'explained',
               'would', CASE WHEN max(r.stage) = 6 THEN 'assigned' ELSE 'queued' END,
               'reason', (array_agg(CASE r.stage WHEN 6 THEN NULL WHEN 5 THEN format('Unit WIP limit reached (%s/%s)', r.unit_count, r.unit_limit)
                                                 WHEN 4 THEN 'No capacity in the required unit' WHEN 3 THEN 'All staff at WIP limit'
                                                 WHEN 2 THEN 'No staff available' ELSE 'No staff with the required skills' END ORDER BY r.rank))[1],
               'candidates', COALESCE(jsonb_agg(jsonb_build_object(
                   'user_id', r.user_id, 'unit_id', r.unit_id, 'eligible', r.stage = 6,
                   'excluded_by', ('{missing_skills,not_available,at_individual_limit,rule_unit,unit_at_limit}'::text[])[r.stage],
                   'skills_score', r.skills_score, 'capacity_score', r.capacity_score, 'availability_score', r.availability_score, 'unit_score', r.unit_points,
                   'score', CASE WHEN r.availability_score = 0 THEN -1 ELSE r.skills_score + r.capacity_score + 20 + r.unit_points END,
                   'rank', CASE WHEN r.stage = 6 THEN r.rank END) ORDER BY r.rank), '[]'))
      FROM (SELECT c.user_id, c.unit_id, h.stage, c.unit_count, c.unit_limit, c.unit_points,
                   row_number() OVER (ORDER BY h.stage DESC, c.points DESC, cardinality(c.skills) DESC, c.last_assigned_at NULLS FIRST, c.user_id) AS rank,
                   round(40.0 * (SELECT count(*) FROM unnest(wanted) w WHERE w = ANY (c.skills)) / cardinality(wanted), 2) AS skills_score,
                   steward.assign_score(c.points) - 60 - c.unit_points AS capacity_score,
                   CASE p.availability_status WHEN 'available' THEN 20 ELSE 0 END AS availability_score
              FROM steward.assign_candidates(organization, wanted, target) c
             CROSS JOIN LATERAL (SELECT CASE WHEN c.skills @> wanted THEN c.stage ELSE 1 END AS stage) h
              JOIN public.staff_profiles p ON p.organization_id = organization AND p.user_id = c.user_id) r
$$;
COMMENT ON FUNCTION steward.assign_explain(uuid, uuid[], uuid) IS
    'everybody with the parts of the score and the first rule that excludes; the same order as the decision';

CREATE FUNCTION steward.auto_assign(work_item text, kind public.work_item_type, skills uuid[], priority public.priority_level,
                                    target_unit uuid DEFAULT NULL, requested_by uuid DEFAULT NULL, organization uuid DEFAULT NULL,
                                    explain boolean DEFAULT false) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET effective_io_concurrency = 0
    AS $$
DECLARE
    tenant  uuid := organization;
    wanted  uuid[];
    moments record;
    said    jsonb;
    best    steward.choice;
    busy    uuid;
    a       public.assignments;
    q       public.assignment_queue;
BEGIN
    IF length(work_item) NOT BETWEEN 1 AND 255 OR work_item IS NULL THEN
        RAISE EXCEPTION 'work_item_id must be a text of 1 to 255 characters'
            USING ERRCODE = 'invalid_parameter_value', COLUMN = 'work_item_id';
    ELSIF kind IS NULL THEN
        RAISE EXCEPTION 'work_item_type must be given' USING ERRCODE = 'invalid_parameter_value', COLUMN = 'work_item_type';
    ELSIF auto_assign.priority IS NULL THEN
        RAISE EXCEPTION 'priority must be given' USING ERRCODE = 'invalid_parameter_value', COLUMN = 'priority';
    ELSIF cardinality(auto_assign.skills) NOT BETWEEN 1 AND 100 OR auto_assign.skills IS NULL THEN
        RAISE EXCEPTION 'required_skills must name 1 to 100 skills' USING ERRCODE = 'invalid_parameter_value', COLUMN = 'required_skills';
    END IF;
    IF tenant IS NULL THEN
        SELECT o.id INTO tenant FROM public.organizations o WHERE o.is_default;
    END IF;
    IF target_unit IS NOT NULL THEN
        PERFORM FROM public.organizational_units u WHERE u.organization_id = tenant AND u.id = target_unit;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'there is no unit %', target_unit USING ERRCODE = 'foreign_key_violation', COLUMN = 'target_unit_id';
        END IF;
    END IF;
    wanted := steward.skill_set(tenant, auto_assign.skills);
    IF explain THEN
        RETURN steward.assign_explain(tenant, wanted, target_unit);
    END IF;

    RAISE LOG 'assign %: a % of priority % needs % skills', work_item, kind, auto_assign.priority, cardinality(wanted);
    PERFORM pg_advisory_xact_lock(steward.item_lock_key(tenant, work_item, kind));
    -- Nearly always it is new, which one look tells.
    PERFORM FROM public.assignments x
      WHERE x.organization_id = tenant AND x.work_item_id = work_item AND x.work_item_type = kind AND x.status IN ('assigned', 'in_progress')
      UNION ALL
     SELECT FROM public.assignment_queue x WHERE x.organization_id = tenant AND x.work_item_id = work_item AND x.work_item_type = kind;
    IF FOUND THEN
        SELECT * INTO a FROM public.assignments x
         WHERE x.organization_id = tenant AND x.work_item_id = work_item AND x.work_item_type = kind AND x.status IN ('assigned', 'in_progress');
        IF FOUND THEN
            RETURN steward.assignment_answer(a, 'exists');
        END IF;
        SELECT * INTO q FROM public.assignment_queue x
         WHERE x.organization_id = tenant AND x.work_item_id = work_item AND x.work_item_type = kind;
        IF FOUND THEN
            RETURN steward.queue_answer(q) || '{"outcome": "exists"}';
        END IF;
    END IF;

    -- While the unit is locked others wait for it, so all that can be known is ready before.
    a.id := gen_random_uuid();
    a.assigned_at := steward.now();
    a.priority := auto_assign.priority;
    a.status := 'assigned';
    moments := steward.sla_moments(tenant, kind, a.priority, a.assigned_at);
    IF NOT moments.configured THEN
        RAISE WARNING 'no SLA is configured for a % of priority %; it gets 48 hours', kind, a.priority;
    END IF;
    a.warn_at := moments.warn_at;
    a.sla_deadline := moments.sla_deadline;
    said := steward.assignment_answer(a, 'assigned');
    LOOP
        BEGIN
            best := steward.assign_pick(tenant, wanted, target_unit, true, NULL, NULL, NULL, '{}');
            IF best.is_freed THEN
                IF steward.queue_comes_first(tenant, best.user_id, auto_assign.priority) THEN
                    best.user_id := NULL;
                    best.reason := 'Work that waits already comes first';
                END IF;
            END IF;
            EXIT WHEN best.user_id IS NULL;
            INSERT INTO public.assignments (id, organization_id, work_item_id, work_item_type, assignee_id, unit_id, assigned_at, sla_started_at,
                                            warn_at, sla_deadline, priority, required_skills, target_unit_id, created_at, updated_at)
            VALUES (a.id, tenant, work_item, kind, best.user_id, best.unit_id, a.assigned_at, a.assigned_at,
                    a.warn_at, a.sla_deadline, a.priority, wanted, target_unit, a.assigned_at, a.assigned_at);
            -- Two lines in one: writing costs, and the unit waits.
            RAISE LOG E'assign %: % eligible\nassign %: given to % with score %', work_item, best.eligible, work_item, best.user_id, best.score;
            RETURN said || jsonb_build_object('assignee_id', best.user_id, 'unit_id', best.unit_id, 'score', best.score, 'eligible', best.eligible);
        EXCEPTION
            WHEN SQLSTATE 'SWLET' THEN
                -- What was locked here is free again.
                GET STACKED DIAGNOSTICS busy = PG_EXCEPTION_DETAIL;
            WHEN unique_violation THEN
                -- Somebody has just given it away by hand.
                SELECT * INTO a FROM public.assignments x
                 WHERE x.organization_id = tenant AND x.work_item_id = work_item AND x.work_item_type = kind AND x.status IN ('assigned', 'in_progress');
                IF NOT FOUND THEN
                    RAISE;
                END IF;
                RETURN steward.assignment_answer(a, 'exists');
        END;
        -- Somebody may be editing the person, and need the unit for it.
        BEGIN
            PERFORM FROM public.staff_profiles p WHERE p.organization_id = tenant AND p.user_id = busy FOR SHARE;
            RAISE SQLSTATE 'SWLET';
        EXCEPTION WHEN SQLSTATE 'SWLET' THEN
            NULL;
        END;
    END LOOP;
    INSERT INTO public.assignment_queue (organization_id, work_item_id, work_item_type, required_skills, target_unit_id, priority, reason, requested_by)
    VALUES (tenant, work_item, kind, wanted, target_unit, auto_assign.priority, best.reason, auto_assign.requested_by)
    RETURNING * INTO q;
    RAISE LOG E'assign %: % eligible\nassign %: queued, %', work_item, best.eligible, work_item, best.reason;
    RETURN steward.queue_answer(q) || '{"outcome": "queued"}';
END $$;
COMMENT ON FUNCTION steward.auto_assign(text, public.work_item_type, uuid[], public.priority_level, uuid, uuid, uuid, boolean) IS
    'gives a work item to the best person or queues it; an item that is with somebody or waits already is only told about; explain writes nothing';
GRANT EXECUTE ON FUNCTION steward.auto_assign(text, public.work_item_type, uuid[], public.priority_level, uuid, uuid, uuid, boolean)
    TO service_role, steward_worker;

CREATE FUNCTION steward.assign_override(organization uuid, work_item text, kind public.work_item_type, assignee uuid,
                                        priority public.priority_level, override_reason text, actor uuid,
                                        skills uuid[] DEFAULT '{}', reassign boolean DEFAULT false) RETURNS jsonb
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    person  public.staff_profiles;
    a       public.assignments;
    q       public.assignment_queue;
    existed boolean;
    kept    boolean;
    review  text;
    wip     text;
    warning text;
    absence text;
BEGIN
    IF length(work_item) NOT BETWEEN 1 AND 255 OR work_item IS NULL THEN
        RAISE EXCEPTION 'work_item_id must be a text of 1 to 255 characters'
            USING ERRCODE = 'invalid_parameter_value', COLUMN = 'work_item_id';
    ELSIF kind IS NULL THEN
        RAISE EXCEPTION 'work_item_type must be given' USING ERRCODE = 'invalid_parameter_value', COLUMN = 'work_item_type';
    ELSIF length(assign_override.override_reason) NOT BETWEEN 10 AND 500 OR assign_override.override_reason IS NULL THEN
        RAISE EXCEPTION 'override_reason must be a text of 10 to 500 characters'
            USING ERRCODE = 'invalid_parameter_value', COLUMN = 'override_reason';
    END IF;
    PERFORM pg_advisory_xact_lock(steward.item_lock_key(organization, work_item, kind));
    SELECT * INTO a FROM public.assignments x
     WHERE x.organization_id = organization AND x.work_item_id = work_item AND x.work_item_type = kind
       AND x.status IN ('assigned', 'in_progress') FOR NO KEY UPDATE;
    existed := FOUND;
    kept := existed AND a.assignee_id = assignee;
    review := CASE WHEN kept THEN a.review_reason END;
    IF existed AND (reassign IS NOT TRUE OR (kept AND NOT a.needs_review)) THEN
        RETURN steward.assignment_answer(a, 'conflict');
    END IF;

    PERFORM FROM public.organizational_units u
      WHERE u.id = a.unit_id OR u.id = (SELECT p.unit_id FROM public.staff_profiles p WHERE p.organization_id = organization AND p.user_id = assignee)
      ORDER BY u.id FOR NO KEY UPDATE;
    SELECT * INTO person FROM public.staff_profiles p WHERE p.organization_id = organization AND p.user_id = assignee;
    IF NOT FOUND THEN
        RETURN '{"outcome": "no_such_assignee"}';
    END IF;
    wip := format('%s/%s', person.current_assignment_count, person.individual_wip_limit);
    IF person.current_assignment_count >= person.individual_wip_limit THEN
        warning := format('Assignee is at or over WIP limit (%s)', wip);
    END IF;
    IF person.availability_status <> 'available' THEN
        absence := 'Assignee is ' || replace(person.availability_status::text, '_', ' ');
    END IF;

    DELETE FROM public.assignment_queue x
     WHERE x.organization_id = organization AND x.work_item_id = work_item AND x.work_item_type = kind
    RETURNING * INTO q;
    IF assign_override.priority <> q.priority THEN
        -- Another priority is another promise.
        q.warn_at := NULL;
        q.sla_deadline := NULL;
        q.breached_at := NULL;
        q.escalation_recipient_id := NULL;
    END IF;
    IF kept THEN
        -- Whoever leads has looked, and it stays where it is: nothing begins anew.
        UPDATE public.assignments x
           SET assigned_by = actor, override_reason = assign_override.override_reason,
               priority = COALESCE(assign_override.priority, x.priority), needs_review = false, review_reason = NULL, flagged_at = NULL
         WHERE x.id = a.id RETURNING * INTO a;
    ELSIF existed THEN
        UPDATE public.assignments x
           SET assignee_id = assignee, assigned_at = steward.now(), assigned_by = actor, reassigned_from = a.assignee_id,
               override_reason = assign_override.override_reason, reassignment_reason = assign_override.override_reason,
               priority = COALESCE(assign_override.priority, x.priority), needs_review = false, review_reason = NULL, flagged_at = NULL
         WHERE x.id = a.id RETURNING * INTO a;
    ELSE
        INSERT INTO public.assignments (organization_id, work_item_id, work_item_type, assignee_id, assigned_by, priority, override_reason,
                                        required_skills, target_unit_id, sla_started_at, warn_at, sla_deadline, warning_sent_at, breached_at,
                                        escalated_at, escalation_recipient_id)
        VALUES (organization, work_item, kind, assignee, actor, COALESCE(assign_override.priority, q.priority, 'normal'),
                assign_override.override_reason, COALESCE(NULLIF(assign_override.skills, '{}'), q.required_skills, '{}'), q.target_unit_id,
                q.created_at, q.warn_at, q.sla_deadline, q.breached_at, q.breached_at, q.breached_at, q.escalation_recipient_id)
        RETURNING * INTO a;
    END IF;
    INSERT INTO public.assignment_history (organization_id, unit_id, assignment_id, work_item_id, action, actor_id, detail)
    VALUES (organization, a.unit_id, a.id, work_item, 'assignment_manual_override', actor,
            jsonb_build_object('work_item_id', work_item, 'work_item_type', kind, 'assignee_id', assignee,
                               'reason', assign_override.override_reason, 'warning', NULLIF(concat_ws('; ', warning, absence), ''), 'wip', wip)
            || jsonb_strip_nulls(jsonb_build_object('reviewed', review)));
    RETURN steward.assignment_answer(a, CASE WHEN kept THEN 'reviewed' WHEN existed THEN 'reassigned' ELSE 'assigned' END)
        || jsonb_build_object('assigned_by', actor, 'override_reason', a.override_reason)
        || jsonb_strip_nulls(jsonb_build_object('capacity_warning', warning, 'availability_warning', absence));
END $$;
COMMENT ON FUNCTION steward.assign_override(uuid, text, public.work_item_type, uuid, public.priority_level, text, uuid, uuid[], boolean) IS
    'gives a work item to somebody whatever the limits and whoever is away, and says so; an item that is active only when told to reassign, which for whoever has it already settles a review, and else is a conflict';
GRANT EXECUTE ON FUNCTION steward.assign_override(uuid, text, public.work_item_type, uuid, public.priority_level, text, uuid, uuid[], boolean)
    TO service_role;

-- The queue is ordered by sets of skills, of which somebody can serve those within
-- his own.  The walk over them jumps from each set that waits to the next one that
-- could fit, however many others wait between.
CREATE FUNCTION steward.next_set(waiting uuid[], skills uuid[]) RETURNS uuid[]
    LANGUAGE plpgsql IMMUTABLE AS $$
DECLARE
    place int := 1;     -- the first that is not one of the skills, or beyond the end
    bound uuid;         -- what stands there has to be greater
BEGIN
    IF skills = '{}' THEN
        RETURN NULL;
    END IF;
    WHILE skills[width_bucket(waiting[place], skills)] = waiting[place] LOOP
        place := place + 1;
    END LOOP;
    bound := COALESCE(waiting[place], waiting[place - 1], '00000000-0000-0000-0000-000000000000');
    WHILE skills[width_bucket(bound, skills) + 1] IS NULL LOOP
        place := place - 1;
        IF place < 1 THEN
            RETURN NULL;
        END IF;
        bound := waiting[place];
    END LOOP;
    RETURN waiting[:place - 1] || skills[width_bucket(bound, skills) + 1];
END $$;
COMMENT ON FUNCTION steward.next_set(uuid[], uuid[]) IS
    'the smallest set above the first, in the order of arrays, that is within the second; NULL after the last';

-- Waits for nobody: the caller may hold units, and others wait behind this item.
-- A unit to avoid is one that somebody holds who came first: what comes later may
-- not slip in when he lets it go.
CREATE FUNCTION steward.queue_try(item uuid, counted boolean, avoid uuid[], OUT outcome text, OUT unit_id uuid)
    LANGUAGE plpgsql AS $$
DECLARE
    q       public.assignment_queue;
    best    steward.choice;
    state   text;
    problem text;
    broken  text;
BEGIN
    SELECT * INTO q FROM public.assignment_queue x WHERE x.id = item FOR UPDATE SKIP LOCKED;
    IF NOT FOUND THEN
        SELECT * INTO q FROM public.assignment_queue x WHERE x.id = item;
        outcome := CASE WHEN FOUND THEN 'busy' ELSE 'taken' END;
        -- Where it will go, without taking anything.
        SELECT c.unit_id INTO unit_id
          FROM steward.assign_claim(q.organization_id, q.required_skills, q.target_unit_id,
                   avoid => ARRAY(SELECT u.id FROM public.organizational_units u WHERE u.organization_id = q.organization_id)) c
         WHERE outcome = 'busy';
        RETURN;
    END IF;
    IF NOT pg_try_advisory_xact_lock(steward.item_lock_key(q.organization_id, q.work_item_id, q.work_item_type)) THEN
        outcome := 'busy';
        RETURN;
    END IF;
    BEGIN
        IF EXISTS (SELECT FROM public.assignments a
                    WHERE a.organization_id = q.organization_id AND a.work_item_id = q.work_item_id AND a.work_item_type = q.work_item_type
                      AND a.status IN ('assigned', 'in_progress')) THEN
            DELETE FROM public.assignment_queue x WHERE x.id = item;
            outcome := 'taken';
            RETURN;
        END IF;
        best := steward.assign_claim(q.organization_id, q.required_skills, q.target_unit_id, avoid => avoid);
        IF best.user_id IS NOT NULL THEN
            DELETE FROM public.assignment_queue x WHERE x.id = item;
            -- Who waited in the queue has waited: the clock of the promise began there, and a breach that
            -- was escalated there is not again; of a deadline that is only near the assignee hears now.
            INSERT INTO public.assignments (organization_id, work_item_id, work_item_type, assignee_id, priority, required_skills, target_unit_id,
                                            sla_started_at, warn_at, sla_deadline, warning_sent_at, breached_at, escalated_at, escalation_recipient_id)
            VALUES (q.organization_id, q.work_item_id, q.work_item_type, best.user_id, q.priority, q.required_skills, q.target_unit_id,
                    q.created_at, q.warn_at, q.sla_deadline, q.breached_at, q.breached_at, q.breached_at, q.escalation_recipient_id);
            -- What is checked at the end of the transaction is checked while it can be helped.
            SET CONSTRAINTS ALL IMMEDIATE;
            RAISE LOG 'assign %: taken from the queue, given to % with score %', q.work_item_id, best.user_id, best.score;
            outcome := 'assigned';
        ELSIF best.reason IS NOT NULL THEN
            UPDATE public.assignment_queue x
               SET last_attempt_at = steward.now(), refused_at = NULL, reason = best.reason, attempts = x.attempts + counted::int
             WHERE x.id = item;
            outcome := 'unfit';
        ELSE
            outcome := 'busy';
            unit_id := best.unit_id;
        END IF;
        RETURN;
    EXCEPTION WHEN OTHERS OR ASSERT_FAILURE THEN
        GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, problem = MESSAGE_TEXT, broken = CONSTRAINT_NAME;
        IF steward.is_environment(state) THEN
            RAISE;
        ELSIF left(state, 2) = '40' OR state = '55P03' OR broken = 'idx_assignments_active_unique' THEN
            -- Somebody is giving the item away by hand, or holds what it needs.
            outcome := 'busy';
            RETURN;
        END IF;
    END;
    RAISE WARNING 'queued item % could not be given away: %', q.id, problem USING ERRCODE = state;
    outcome := 'refused';
    BEGIN
        UPDATE public.assignment_queue x
           SET last_attempt_at = steward.now(), refused_at = steward.now(), reason = left('It was refused: ' || problem, 1000),
               attempts = x.attempts + 1
         WHERE x.id = item;
    EXCEPTION WHEN OTHERS OR ASSERT_FAILURE THEN
        IF steward.is_environment(SQLSTATE) THEN
            RAISE;
        END IF;
        -- The row may be what raises; then it has no rest, and the others have their turn anyway.
        RAISE WARNING 'nor could this be written down: %', SQLERRM USING ERRCODE = SQLSTATE;
    END;
END $$;
COMMENT ON FUNCTION steward.queue_try(uuid, boolean, uuid[]) IS
    'gives a waiting item to the best person: assigned; unfit when nobody fits, which may be counted as an attempt; refused when that raises, which is undone and counted; taken when it is given away already; busy when somebody holds what it needs, and that unit';

-- To order by what is equal anyway is what makes the planner see the order of the index.
CREATE FUNCTION steward.queue_next(people uuid[], seen uuid[], most int) RETURNS uuid[]
    LANGUAGE plpgsql STABLE AS $$
DECLARE
    items uuid[];
BEGIN
    WITH RECURSIVE free AS MATERIALIZED (
        SELECT p.organization_id, p.unit_id, p.skills, u.current_assignment_count < u.unit_wip_limit AS has_room,
               sum(p.individual_wip_limit - p.current_assignment_count) AS slots, u.unit_wip_limit - u.current_assignment_count AS room
          FROM public.staff_profiles p JOIN public.organizational_units u ON u.id = p.unit_id
         WHERE p.id = ANY (people) AND p.availability_status = 'available' AND p.current_assignment_count < p.individual_wip_limit
           AND (u.current_assignment_count < u.unit_wip_limit
                OR EXISTS (SELECT FROM public.assignment_rules r WHERE r.unit_id = u.id AND r.is_active AND NOT r.capacity_check_enabled))
         GROUP BY p.organization_id, p.unit_id, p.skills, u.current_assignment_count, u.unit_wip_limit
    ), place AS MATERIALIZED (
        SELECT LEAST(most, sum(CASE WHEN f.has_room THEN LEAST(f.slots, f.room) ELSE f.slots END)) AS count
          FROM (SELECT x.unit_id, x.has_room, x.room, sum(x.slots) AS slots FROM free x GROUP BY x.unit_id, x.has_room, x.room) f
    ), walk AS (
        SELECT f.organization_id, f.unit_id, f.has_room, f.skills, n.required_skills
          FROM free f CROSS JOIN LATERAL (
               SELECT q.required_skills FROM public.assignment_queue q
                WHERE q.organization_id = f.organization_id AND q.required_skills >= '{}'
                ORDER BY q.required_skills LIMIT 1) n
        UNION ALL
        SELECT w.organization_id, w.unit_id, w.has_room, w.skills, n.required_skills
          FROM walk w CROSS JOIN LATERAL (
               SELECT q.required_skills FROM public.assignment_queue q
                WHERE q.organization_id = w.organization_id AND q.required_skills >= steward.next_set(w.required_skills, w.skills)
                ORDER BY q.required_skills LIMIT 1) n
    )
    SELECT array_agg(x.id ORDER BY x.priority DESC, x.created_at, x.id) INTO items FROM (
        SELECT DISTINCT i.id, i.priority, i.created_at
          FROM (SELECT DISTINCT w.organization_id, w.unit_id, w.has_room, w.required_skills FROM walk w WHERE w.required_skills <@ w.skills) s
         CROSS JOIN LATERAL (
               SELECT array_agg(r.unit_id) FILTER (WHERE r.is_must) AS must, bool_or(r.unit_id = s.unit_id AND NOT r.is_capped) AS is_lifted
                 FROM steward.unit_rules(s.organization_id, s.required_skills) r) rule
         CROSS JOIN LATERAL (
               SELECT q.id, q.priority, q.created_at FROM public.assignment_queue q
                WHERE q.organization_id = s.organization_id AND q.required_skills = s.required_skills AND q.id <> ALL (seen)
                  AND (q.refused_at IS NULL OR q.refused_at <= steward.now() - interval '60 s')
                  AND (rule.must IS NULL
                       OR CASE WHEN q.target_unit_id = ANY (rule.must) THEN q.target_unit_id = s.unit_id ELSE s.unit_id = ANY (rule.must) END)
                ORDER BY q.organization_id, q.required_skills, q.priority DESC, q.created_at, q.id
                LIMIT (SELECT p.count FROM place p)) i
         WHERE s.has_room OR rule.is_lifted
         ORDER BY i.priority DESC, i.created_at, i.id LIMIT (SELECT p.count FROM place p)) x;
    RETURN items;
END $$;
COMMENT ON FUNCTION steward.queue_next(uuid[], uuid[], int) IS
    'the waiting items, in their order, that these people could serve, as many as they have room for; not those seen before, nor within a minute what was refused; NULL when there is none';

-- Not to be asked while nobody's capacity grew since the last drain: nothing that waits could be served then.
CREATE FUNCTION steward.queue_comes_first(organization uuid, person uuid, urgency public.priority_level) RETURNS boolean
    LANGUAGE plpgsql AS $$
DECLARE
    q    public.assignment_queue;
    best steward.choice;
BEGIN
    SELECT x.* INTO q FROM public.assignment_queue x
     WHERE x.priority >= urgency AND x.id = ANY (steward.queue_next(ARRAY(
           SELECT p.id FROM public.staff_profiles p
            WHERE p.organization_id = queue_comes_first.organization AND p.user_id = person), '{}', 1));
    IF NOT FOUND THEN
        RETURN false;
    END IF;
    -- Whom that would go to is only asked; what was locked for the question is let go.
    BEGIN
        best := steward.assign_claim(q.organization_id, q.required_skills, q.target_unit_id);
        RAISE SQLSTATE 'SWLET';
    EXCEPTION WHEN SQLSTATE 'SWLET' THEN
        RETURN best.user_id IS NOT DISTINCT FROM person;
    END;
END $$;
COMMENT ON FUNCTION steward.queue_comes_first(uuid, uuid, public.priority_level) IS
    'whether a person that is free would be given something that waits already and is as urgent';

CREATE FUNCTION steward.queue_serve(people uuid[], most int, past boolean, OUT assigned int, OUT tried int, OUT refused int, OUT busy boolean)
    LANGUAGE plpgsql AS $$
DECLARE
    seen    uuid[] := '{}';
    items   uuid[];
    item    uuid;
    try     record;
    held    uuid[] := '{}';
BEGIN
    assigned := 0; tried := 0; refused := 0; busy := false;
    WHILE tried < most LOOP
        items := steward.queue_next(people, seen, most - tried);
        EXIT WHEN items IS NULL;
        FOREACH item IN ARRAY items LOOP
            try := steward.queue_try(item, false, held);
            tried := tried + 1;
            assigned := assigned + (try.outcome = 'assigned')::int;
            refused := refused + (try.outcome = 'refused')::int;
            CONTINUE WHEN try.outcome <> 'busy';
            busy := true;
            IF NOT past THEN
                RETURN;
            END IF;
            held := held || try.unit_id;
        END LOOP;
        seen := seen || items;
        -- Mostly what came free is used by now, which is seen without a walk through the queue.
        EXIT WHEN NOT EXISTS (SELECT FROM public.staff_profiles p WHERE p.id = ANY (people)
                                 AND p.availability_status = 'available' AND p.current_assignment_count < p.individual_wip_limit);
    END LOOP;
END $$;
COMMENT ON FUNCTION steward.queue_serve(uuid[], int, boolean) IS
    'gives waiting items away, in their order, as long as one of these people could serve the next; busy: somebody held what one of them needed, and unless past is true that was the end';

-- Where a unit is at its limit, anybody of it gains from what one person finished.
-- Those idle longest come first, so that a large unit has its turn over time.
CREATE FUNCTION steward.queue_drain(worker text, most int, past boolean DEFAULT false)
    RETURNS TABLE (assigned int, tried int, more boolean, busy boolean)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET lock_timeout = '200ms'
    AS $$
DECLARE
    people uuid[];
    notes  int;
    served record;
    item   uuid;
    try    record;
    held   uuid[] := '{}';
BEGIN
    most := GREATEST(most, 1);
    WITH note AS (
        DELETE FROM steward.capacity_freed
         WHERE id = ANY (ARRAY(SELECT f.id FROM steward.capacity_freed f ORDER BY f.id LIMIT 1000 FOR UPDATE SKIP LOCKED))
        RETURNING organization_id, unit_id, user_id
    ), unit AS (
        SELECT n.unit_id FROM note n JOIN public.organizational_units u ON u.id = n.unit_id
         GROUP BY n.unit_id, u.current_assignment_count, u.unit_wip_limit
        HAVING bool_or(n.user_id IS NULL) OR u.current_assignment_count + count(*) >= u.unit_wip_limit
    )
    SELECT ARRAY(SELECT p.id FROM note n JOIN public.staff_profiles p ON p.organization_id = n.organization_id AND p.user_id = n.user_id
                 UNION
                 (SELECT p.id FROM unit t JOIN public.staff_profiles p ON p.unit_id = t.unit_id
                   WHERE p.availability_status = 'available' AND p.current_assignment_count < p.individual_wip_limit
                   ORDER BY p.last_assigned_at NULLS FIRST LIMIT 200)),
           (SELECT count(*) FROM note)
      INTO people, notes;
    served := steward.queue_serve(people, most, past);
    assigned := served.assigned;
    tried := served.tried;
    busy := served.busy;
    more := notes = 1000;
    -- What was left is noted again; a whole pass in vain is not repeated, the fallback goes on.
    -- But what was refused rests, so the next look, which need not be now, goes on behind it.
    IF busy OR (tried >= most AND assigned + served.refused > 0) THEN
        more := more OR (NOT busy AND assigned > 0);
        INSERT INTO steward.capacity_freed (organization_id, unit_id, user_id)
        SELECT p.organization_id, p.unit_id, p.user_id FROM public.staff_profiles p
         WHERE p.id = ANY (people) AND p.availability_status = 'available' AND p.current_assignment_count < p.individual_wip_limit;
    END IF;

    FOR item IN SELECT q.id FROM public.assignment_queue q WHERE q.last_attempt_at IS NULL AND (past OR NOT busy)
                 ORDER BY q.priority DESC, q.created_at, q.id LIMIT most - tried
    LOOP
        try := steward.queue_try(item, false, held);
        tried := tried + 1;
        assigned := assigned + (try.outcome = 'assigned')::int;
        more := more OR (tried >= most AND try.outcome <> 'busy');
        CONTINUE WHEN try.outcome <> 'busy';
        busy := true;
        EXIT WHEN NOT past;
        held := held || try.unit_id;
    END LOOP;
    RETURN NEXT;
END $$;
COMMENT ON FUNCTION steward.queue_drain(text, int, boolean) IS
    'serves from the queue, in its order, what capacity freed since the last time can serve, and looks once at what is new; at most that many tries.  more: call again; busy: call again a moment later, somebody held what was needed, and nothing was to overtake; who has waited long enough for that goes past';
GRANT EXECUTE ON FUNCTION steward.queue_drain(text, int, boolean) TO steward_worker, service_role;

CREATE FUNCTION public.process_queue_for_unit(p_unit_id uuid) RETURNS TABLE (assigned int)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    AS $$
BEGIN
    SELECT s.assigned INTO assigned
      FROM steward.queue_serve(ARRAY(SELECT p.id FROM public.staff_profiles p
                                      WHERE p.unit_id = p_unit_id AND p.availability_status = 'available'
                                        AND p.current_assignment_count < p.individual_wip_limit
                                      ORDER BY p.last_assigned_at NULLS FIRST LIMIT 200), 100, true) s;
    RETURN NEXT;
END $$;
COMMENT ON FUNCTION public.process_queue_for_unit(uuid) IS 'serves from the queue what the free capacity of a unit can serve, at most a hundred items';
GRANT EXECUTE ON FUNCTION public.process_queue_for_unit(uuid) TO steward_worker, service_role;

CREATE FUNCTION public.process_stale_queue_items() RETURNS TABLE (processed_count int)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    AS $$
DECLARE
    drained record;
    item    uuid;
BEGIN
    SELECT * INTO drained FROM steward.queue_drain('fallback', 200, true);
    processed_count := drained.assigned;
    FOR item IN SELECT q.id FROM public.assignment_queue q
                 WHERE NOT q.needs_review AND (q.last_attempt_at IS NULL OR q.last_attempt_at <= steward.now() - interval '60 s')
                 ORDER BY q.priority DESC, q.created_at, q.id LIMIT GREATEST(200 - drained.tried, 50)
    LOOP
        processed_count := processed_count + ((steward.queue_try(item, true, '{}')).outcome = 'assigned')::int;
    END LOOP;
    RETURN NEXT;
END $$;
COMMENT ON FUNCTION public.process_stale_queue_items() IS
    'the fallback: drains, then tries again what nobody looked at for a minute, 200 at most; the tenth failure flags an item, which stays; returns how many were assigned';
GRANT EXECUTE ON FUNCTION public.process_stale_queue_items() TO steward_worker, service_role;

CREATE FUNCTION public.find_eligible_staff_for_assignment(required_skills uuid[], target_unit_id uuid DEFAULT NULL, max_candidates int DEFAULT 50)
    RETURNS SETOF public.staff_profiles
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    AS $$
DECLARE
    restricted boolean := NOT steward.is_backend();
    caller     uuid := auth.uid();
    units      uuid[] := steward.visible_units();
BEGIN
    IF COALESCE(max_candidates, 0) < 1 THEN
        RAISE EXCEPTION 'max_candidates must be at least 1' USING ERRCODE = 'invalid_parameter_value', COLUMN = 'max_candidates';
    ELSIF required_skills IS NULL THEN
        RAISE EXCEPTION 'required_skills must be given' USING ERRCODE = 'invalid_parameter_value', COLUMN = 'required_skills';
    END IF;
    RETURN QUERY
        SELECT p.*
          FROM public.organizations o
         CROSS JOIN LATERAL steward.assign_candidates(o.id, find_eligible_staff_for_assignment.required_skills, find_eligible_staff_for_assignment.target_unit_id) c
          JOIN public.staff_profiles p ON p.organization_id = o.id AND p.user_id = c.user_id
         WHERE c.skills @> find_eligible_staff_for_assignment.required_skills AND c.stage = 6
           AND (find_eligible_staff_for_assignment.target_unit_id IS NULL OR c.unit_id = find_eligible_staff_for_assignment.target_unit_id)
           AND (NOT restricted OR o.id = ANY (steward.own_organizations()))
           AND (NOT restricted OR p.user_id = caller OR p.unit_id = ANY (units))
         ORDER BY c.points DESC, cardinality(c.skills) DESC, c.last_assigned_at NULLS FIRST, c.user_id
         LIMIT LEAST(max_candidates, 50);
END $$;
COMMENT ON FUNCTION public.find_eligible_staff_for_assignment(uuid[], uuid, int) IS
    'who could be given such work now, best first, at most 50; here the target unit is a condition.  Users see of them whom row security shows them';
GRANT EXECUTE ON FUNCTION public.find_eligible_staff_for_assignment(uuid[], uuid, int) TO authenticated, service_role;
