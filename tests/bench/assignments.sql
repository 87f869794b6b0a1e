-- What the assignment benchmark adds to a migrated database, as its
-- administrator: fast ways to fill it.  Triggers and keys rest meanwhile, but for
-- those of assignment_due; what the others would have written is written here.

CREATE EXTENSION pg_prewarm;
CREATE SCHEMA bench AUTHORIZATION steward_owner;

-- Limits beyond what people set, so that a run does not end because everybody is full.
ALTER DOMAIN steward.unit_limit DROP CONSTRAINT unit_limit_check;
ALTER DOMAIN steward.own_limit DROP CONSTRAINT own_limit_check;

CREATE FUNCTION bench.quiet() RETURNS void LANGUAGE sql AS $$ SELECT set_config('session_replication_role', 'replica', false) $$;

-- units in a tree of tens, each with a supervisor who is the chain of nobody; one administrator.
CREATE FUNCTION bench.staff(units int, per_unit int, skills int, skills_min int, skills_max int, own_limit int, unit_limit int)
    RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    home  uuid := (SELECT id FROM public.organizations WHERE is_default);
    known uuid[];
BEGIN
    PERFORM bench.quiet();
    INSERT INTO public.skills (organization_id, name_ar, name_en)
    SELECT home, 'skill ' || n, 'skill ' || n FROM generate_series(1, skills) n;
    known := ARRAY(SELECT id FROM public.skills);

    CREATE TABLE bench.unit AS SELECT n, gen_random_uuid() AS id FROM generate_series(1, units) n;
    INSERT INTO public.organizational_units (id, organization_id, name_ar, name_en, unit_wip_limit, parent_unit_id)
    SELECT u.id, home, 'unit ' || u.n, 'unit ' || u.n, unit_limit, p.id
      FROM bench.unit u LEFT JOIN bench.unit p ON p.n = u.n / 10;

    CREATE TABLE bench.person AS
    SELECT m.n, gen_random_uuid() AS id, u.id AS unit_id, m.n % per_unit = 1 AS leads
      FROM generate_series(1, units * per_unit) m(n) JOIN bench.unit u ON u.n = 1 + (m.n - 1) / per_unit;
    INSERT INTO auth.users (id, email) SELECT p.id, 'person' || p.n || '@bench.example' FROM bench.person p;
    INSERT INTO public.staff_profiles (organization_id, user_id, unit_id, skills, individual_wip_limit, role)
    SELECT home, p.id, p.unit_id,
           (SELECT array_agg(s.id ORDER BY s.id)
              FROM (SELECT DISTINCT known[1 + floor(random() * skills)::int] AS id
                      FROM generate_series(1, skills_min + (random() * (skills_max - skills_min))::int + 0 * p.n)) s),
           own_limit, CASE WHEN p.n = 1 THEN 'admin' WHEN p.leads THEN 'supervisor' ELSE 'staff' END
      FROM bench.person p;

    -- What work may need: one to three skills that some person holds together.
    CREATE TABLE bench.need AS
    SELECT row_number() OVER () AS n, p.skills[1:1 + (random() * 2)::int] AS skills
      FROM (SELECT s.skills FROM public.staff_profiles s
             CROSS JOIN generate_series(1, 1 + 1000 / (SELECT count(*)::int FROM bench.person))
             ORDER BY random() LIMIT 1000) p;
    ALTER TABLE bench.need ADD PRIMARY KEY (n);
    PERFORM steward.rank_everybody();
END $$;

-- Open work, spread over everybody, due within 30 days but not within one.
CREATE FUNCTION bench.work(items int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    home   uuid := (SELECT id FROM public.organizations WHERE is_default);
    people int := (SELECT count(*) FROM bench.person);
BEGIN
    PERFORM bench.quiet();
    INSERT INTO public.assignments
           (organization_id, work_item_id, work_item_type, assignee_id, unit_id, assigned_at, sla_started_at, warn_at, sla_deadline, priority)
    SELECT home, 'item ' || w.n, 'ticket', p.id, p.unit_id, steward.now(), steward.now(),
           steward.now() + interval '1 day' + w.late, steward.now() + interval '2 days' + w.late,
           (ARRAY['low', 'normal', 'high', 'urgent'])[1 + w.n % 4]::public.priority_level
      FROM (SELECT n, random() * interval '30 days' AS late FROM generate_series(1, items) n ORDER BY random()) w
      JOIN bench.person p ON p.n = 1 + w.n % people;
    UPDATE public.staff_profiles s SET current_assignment_count = c.n
      FROM (SELECT assignee_id, count(*) AS n FROM public.assignments GROUP BY assignee_id) c WHERE c.assignee_id = s.user_id;
    UPDATE public.organizational_units u SET current_assignment_count = c.n
      FROM (SELECT unit_id, count(*) AS n FROM public.assignments GROUP BY unit_id) c WHERE c.unit_id = u.id;
    PERFORM steward.rank_everybody();
END $$;

-- Everybody and every unit is exactly full.
CREATE FUNCTION bench.fill() RETURNS void LANGUAGE sql AS $$
    SELECT bench.quiet();
    UPDATE public.staff_profiles SET individual_wip_limit = GREATEST(current_assignment_count, 1);
    UPDATE public.organizational_units SET unit_wip_limit = GREATEST(current_assignment_count, 1);
    SELECT steward.rank_everybody();
$$;

CREATE FUNCTION bench.queue(items int) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM bench.quiet();
    INSERT INTO public.assignment_queue (organization_id, work_item_id, work_item_type, required_skills, target_unit_id, priority, created_at,
                                         last_attempt_at, warn_at, sla_deadline)
    SELECT (SELECT id FROM public.organizations WHERE is_default), 'queued ' || q.n, 'task', d.skills,
           CASE WHEN q.n % 2 = 0 THEN u.id END, (ARRAY['low', 'normal', 'high', 'urgent'])[1 + q.n % 4]::public.priority_level,
           steward.now() - random() * interval '1 hour', steward.now(),
           steward.now() + (24 + random() * 100) * interval '1 hour', steward.now() + (125 + random() * 100) * interval '1 hour'
      FROM (SELECT n FROM generate_series(1, items) n ORDER BY random()) q
      JOIN bench.need d ON d.n = 1 + q.n % 1000
      JOIN bench.unit u ON u.n = 1 + q.n % (SELECT count(*) FROM bench.unit);
END $$;

-- That many random assignments, warned already, whose deadline is a second ago.
CREATE FUNCTION bench.due(items int) RETURNS void LANGUAGE sql AS $$
    SELECT bench.quiet();
    UPDATE public.assignments SET warning_sent_at = steward.now(), sla_deadline = steward.now() - interval '1 second'
     WHERE id = ANY (ARRAY(SELECT id FROM public.assignments WHERE breached_at IS NULL ORDER BY random() LIMIT items));
$$;

-- What giving work away comes to at least, where a unit has one door: its row is
-- locked, somebody chosen, and the item written and counted.  Without rules, SLA,
-- queue and history, and called where triggers and keys rest.
CREATE FUNCTION bench.plain_assign(item text, wanted uuid[]) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    AS $$
DECLARE
    home record;
    best uuid;
BEGIN
    SELECT u.organization_id, u.id INTO home FROM public.organizational_units u LIMIT 1 FOR NO KEY UPDATE;
    SELECT p.user_id INTO best FROM public.staff_profiles p
     WHERE p.unit_id = home.id AND p.skills @> wanted AND p.availability_status = 'available'
       AND p.current_assignment_count < p.individual_wip_limit
     ORDER BY 30.0 * (p.individual_wip_limit - p.current_assignment_count) / p.individual_wip_limit DESC, cardinality(p.skills) DESC,
              p.last_assigned_at NULLS FIRST, p.user_id LIMIT 1;
    INSERT INTO public.assignments (organization_id, work_item_id, work_item_type, assignee_id, unit_id, sla_started_at, warn_at, sla_deadline,
                                    priority, required_skills)
    VALUES (home.organization_id, item, 'ticket', best, home.id, now(), now() + interval '1 day', now() + interval '2 days', 'normal', wanted);
    UPDATE public.staff_profiles p SET current_assignment_count = p.current_assignment_count + 1, last_assigned_at = now()
     WHERE p.organization_id = home.organization_id AND p.user_id = best;
    UPDATE public.organizational_units u SET current_assignment_count = u.current_assignment_count + 1 WHERE u.id = home.id;
END $$;
