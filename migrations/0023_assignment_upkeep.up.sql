-- What runs by the clock, what is kept for how long, and what operators ask.

ALTER TABLE steward.upkeep
    ADD COLUMN assignment_days int NOT NULL DEFAULT 90,
    ADD COLUMN escalation_days int NOT NULL DEFAULT 90,
    ADD COLUMN snapshot_days   int NOT NULL DEFAULT 90,
    ADD COLUMN history_days    int NOT NULL DEFAULT 365,
    ADD COLUMN passed_completed            int NOT NULL DEFAULT 0,
    ADD COLUMN passed_cancelled            int NOT NULL DEFAULT 0,
    ADD COLUMN passed_escalations          int NOT NULL DEFAULT 0,
    ADD COLUMN passed_queue_escalations    int NOT NULL DEFAULT 0,
    ADD COLUMN passed_archived_escalations int NOT NULL DEFAULT 0,
    ADD CONSTRAINT upkeep_assignments_check
        CHECK (assignment_days > 0 AND escalation_days > 0 AND snapshot_days > 0 AND history_days > 0);
COMMENT ON COLUMN steward.upkeep.assignment_days IS 'how long finished assignments stay where they are; then they are archived, for good';
COMMENT ON COLUMN steward.upkeep.escalation_days IS 'how long resolved escalations are kept; breaches of an SLA and open ones always are';
COMMENT ON COLUMN steward.upkeep.history_days IS 'how long it is remembered what was done with assignments';
COMMENT ON COLUMN steward.upkeep.passed_completed IS
    'how many assignments with a completed_at could not be archived and are passed over, until the end is reached';
COMMENT ON COLUMN steward.upkeep.passed_cancelled IS 'the same for those without';
COMMENT ON COLUMN steward.upkeep.passed_escalations IS 'the same for escalations that could not be removed';
COMMENT ON COLUMN steward.upkeep.passed_queue_escalations IS 'the same for those of queued items that could not be archived';
COMMENT ON COLUMN steward.upkeep.passed_archived_escalations IS 'the same for archived ones';
UPDATE steward.upkeep
   SET assignment_days = (q.content ->> 'assignment_days')::int, escalation_days = (q.content ->> 'escalation_days')::int,
       snapshot_days = (q.content ->> 'snapshot_days')::int, history_days = (q.content ->> 'history_days')::int
  FROM steward.quarantine q WHERE q.source = 'steward.upkeep 0023';
DELETE FROM steward.quarantine WHERE source = 'steward.upkeep 0023';

CREATE INDEX idx_assignments_closed ON public.assignments (updated_at)
    WHERE status IN ('completed', 'cancelled') AND completed_at IS NULL;
COMMENT ON INDEX public.idx_assignments_closed IS 'cancelled work, which has no completed_at, for the archive';

-- --------------------------------------------------------------------- the jobs
CREATE FUNCTION steward.job_sla_monitoring(slot timestamptz, OUT rows bigint, OUT message text)
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT t.warned + t.escalated + t.returned,
           NULLIF(concat_ws(', ', NULLIF(t.warned, 0) || ' warned', NULLIF(t.escalated, 0) || ' escalated',
                            NULLIF(t.unserved, 0) || ' of them to nobody', NULLIF(t.returned, 0) || ' back from leave',
                            CASE WHEN t.next_due_ms = 0 THEN 'more is due' END), '')
      FROM steward.sla_turn('sla-monitoring', 1000) t
$$;
COMMENT ON FUNCTION steward.job_sla_monitoring(timestamptz) IS 'one turn of the monitor, for when nothing woke it';

CREATE FUNCTION steward.job_queue_fallback_processor(slot timestamptz, OUT rows bigint, OUT message text)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    SELECT p.processed_count INTO rows FROM public.process_stale_queue_items() p;
    message := NULLIF(concat_ws(', ', NULLIF(rows, 0) || ' assigned', steward.engine_alerts(slot)), '');
END $$;
COMMENT ON FUNCTION steward.job_queue_fallback_processor(timestamptz) IS 'tries queued work for which no capacity was reported, and looks once at what is to alert administrators';

-- The day is the slot's, in UTC, however late it runs.
CREATE FUNCTION steward.job_capacity_snapshot(slot timestamptz, OUT rows bigint, OUT message text)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    day     date := (slot AT TIME ZONE 'UTC')::date;
    removed record;
BEGIN
    rows := steward.capacity_snapshot(day);
    removed := steward.prune('public.capacity_snapshots', ARRAY(
        SELECT s.ctid FROM public.capacity_snapshots s, steward.upkeep k WHERE s.snapshot_date < day - k.snapshot_days));
    message := concat_ws(', ', format('%s units on %s', rows, day), NULLIF(removed.pruned, 0) || ' old rows removed', removed.trouble);
END $$;
COMMENT ON FUNCTION steward.job_capacity_snapshot(timestamptz) IS 'takes the snapshot of a day for every unit, and removes old ones';

-- In batches, each past what somebody holds and what cannot be removed; what is left
-- over after twenty is left to the next night.
CREATE FUNCTION steward.job_escalation_cleanup(slot timestamptz, OUT rows bigint, OUT message text)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    old    CONSTANT text := 'x.reason <> ''sla_breach'' AND x.resolved_at < $1 ORDER BY x.resolved_at FOR UPDATE SKIP LOCKED';
    keep   steward.upkeep;
    before timestamptz;
    queued record;
    live   record;
    gone   record;
BEGIN
    SELECT * INTO STRICT keep FROM steward.upkeep;
    before := steward.now() - make_interval(days => keep.escalation_days);
    -- The trigger of escalations is what archives those of queued items: before they are old
    -- where the item is gone, for those whom they name can then be deleted.
    queued := steward.prune_old('public.escalation_events',
        'x.queue_id IS NOT NULL AND (x.reason <> ''sla_breach'' AND x.resolved_at < $1
          OR (x.resolved_at IS NOT NULL OR x.escalated_at < $1)
             AND NOT EXISTS (SELECT FROM public.assignment_queue q WHERE q.id = x.queue_id))
          ORDER BY x.queue_id FOR UPDATE SKIP LOCKED', before, keep.batch, 20, keep.passed_queue_escalations);
    live := steward.prune_old('public.escalation_events', 'x.queue_id IS NULL AND ' || old, before, keep.batch, 20, keep.passed_escalations);
    gone := steward.prune_old('public.escalation_events_archive', old, before, keep.batch, 20, keep.passed_archived_escalations);
    UPDATE steward.upkeep u
       SET passed_escalations = live.passed, passed_queue_escalations = queued.passed, passed_archived_escalations = gone.passed
     WHERE (u.passed_escalations, u.passed_queue_escalations, u.passed_archived_escalations) <> (live.passed, queued.passed, gone.passed);
    rows := live.pruned + gone.pruned;
    message := concat_ws(', ', format('%s resolved escalations removed', rows), NULLIF(queued.pruned, 0) || ' of the queue archived',
                         queued.trouble, live.trouble, gone.trouble);
END $$;
COMMENT ON FUNCTION steward.job_escalation_cleanup(timestamptz) IS
    'removes escalations that were resolved long ago, archived ones too; never a breach of an SLA, never an open one; and archives those of items that left the queue, once they are resolved or old';

CREATE FUNCTION steward.job_archive_assignments(slot timestamptz, OUT rows bigint, OUT message text)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    keep      steward.upkeep;
    before    timestamptz;
    completed record;
    cancelled record;
    forgotten record;
BEGIN
    SELECT * INTO STRICT keep FROM steward.upkeep;
    before := steward.now() - make_interval(days => keep.assignment_days);
    -- The trigger of assignments is what archives.
    completed := steward.prune_old('public.assignments',
        'x.status IN (''completed'', ''cancelled'') AND x.completed_at < $1 ORDER BY x.completed_at FOR UPDATE SKIP LOCKED',
        before, keep.batch, 20, keep.passed_completed);
    cancelled := steward.prune_old('public.assignments',
        'x.status IN (''completed'', ''cancelled'') AND x.completed_at IS NULL AND x.updated_at < $1
          ORDER BY x.updated_at FOR UPDATE SKIP LOCKED',
        before, keep.batch, 20, keep.passed_cancelled);
    UPDATE steward.upkeep u
       SET passed_completed = completed.passed, passed_cancelled = cancelled.passed
     WHERE (u.passed_completed, u.passed_cancelled) <> (completed.passed, cancelled.passed);
    rows := completed.pruned + cancelled.pruned;
    forgotten := steward.prune('public.assignment_history', ARRAY(
        SELECT h.ctid FROM (SELECT x.ctid, x.created_at FROM public.assignment_history x ORDER BY x.id LIMIT 20 * keep.batch) h
         WHERE h.created_at < steward.now() - make_interval(days => keep.history_days)));
    -- What is not watched any more cannot be in trouble.
    DELETE FROM steward.sla_trouble t
     WHERE t.retry_at < steward.now() - interval '1 day' AND t.step <> 'return'
       AND NOT EXISTS (SELECT FROM public.assignments a WHERE a.id = t.item AND a.status IN ('assigned', 'in_progress'))
       AND NOT EXISTS (SELECT FROM public.assignment_queue q WHERE q.id = t.item);
    message := concat_ws(', ', format('%s assignments archived', rows), NULLIF(forgotten.pruned, 0) || ' lines of history removed',
                         completed.trouble, cancelled.trouble, forgotten.trouble);
END $$;
COMMENT ON FUNCTION steward.job_archive_assignments(timestamptz) IS
    'archives assignments that were finished long ago, with their escalations, and forgets old history';

-- Counting without the lock is right, for it is one statement; only drift is worth the lock.
CREATE FUNCTION steward.job_recount_assignments(slot timestamptz, OUT rows bigint, OUT message text)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    rows := 0;
    message := 'every count is right';
    IF EXISTS (SELECT FROM steward.recount_assignments(repair => false)) THEN
        SELECT count(*), format('%s counts were wrong: %s', count(*),
                                (array_agg(format('%s %s had %s, has %s', r.what, r.id, r.stored, r.counted)))[1:10])
          INTO rows, message FROM steward.recount_assignments(repair => true) r;
        RAISE WARNING '%', message;
    END IF;
END $$;
COMMENT ON FUNCTION steward.job_recount_assignments(timestamptz) IS 'compares counts, ranks and what is due with what they follow from, repairs and reports';

SELECT steward.quarantine_restore('steward.job_schedule', 'steward.job_schedule 0023');
INSERT INTO steward.job_schedule (name, worker, call, schedule, missed)
SELECT j.* FROM (VALUES
    ('sla-monitoring',           'sla_monitor',        'steward.job_sla_monitoring(timestamptz)',           '30 seconds', 'skip'),
    ('queue-fallback-processor', 'queue_fallback',     'steward.job_queue_fallback_processor(timestamptz)', '* * * * *',  'skip'),
    ('capacity-snapshot',        'capacity_snapshot',  'steward.job_capacity_snapshot(timestamptz)',        '0 0 * * *',  'once'),
    ('escalation-cleanup',       'escalation_cleanup', 'steward.job_escalation_cleanup(timestamptz)',       '0 2 * * *',  'once'),
    ('archive-assignments',      'escalation_cleanup', 'steward.job_archive_assignments(timestamptz)',      '15 2 * * *', 'once'),
    ('recount-assignments',      'escalation_cleanup', 'steward.job_recount_assignments(timestamptz)',      '30 2 * * *', 'once')
    ) AS j(name, worker, call, schedule, missed)
 WHERE NOT EXISTS (SELECT FROM steward.job_schedule s
                    WHERE s.worker IN ('sla_monitor', 'queue_fallback', 'capacity_snapshot', 'escalation_cleanup'));

-- -------------------------------------------------------------------- the views
-- Row security narrows each to what its reader may see.  An empty window answers
-- NULL for a rate, with the number that it stands on beside it.

CREATE VIEW steward.queue_depth WITH (security_invoker = true) AS
    SELECT count(*) AS queue_depth, count(*) FILTER (WHERE q.needs_review) AS needs_review, min(q.created_at) AS oldest,
           count(*) > 100 AS alert
      FROM public.assignment_queue q;
COMMENT ON VIEW steward.queue_depth IS 'how much work waits; alert above 100';

CREATE VIEW steward.escalation_rate WITH (security_invoker = true) AS
    SELECT count(e.assignment_id) AS escalated, count(*) AS assignments,
           round(100.0 * count(e.assignment_id) / NULLIF(count(*), 0), 2) AS escalation_pct,
           COALESCE(100.0 * count(e.assignment_id) / NULLIF(count(*), 0) > 10, false) AS alert
      FROM public.assignments a
      LEFT JOIN (SELECT DISTINCT x.assignment_id FROM public.escalation_events x
                  WHERE x.escalated_at > steward.now() - interval '24 hours') e ON e.assignment_id = a.id
     WHERE a.status IN ('assigned', 'in_progress')
        OR (a.status IN ('completed', 'cancelled') AND COALESCE(a.completed_at, a.updated_at) > steward.now() - interval '24 hours');
COMMENT ON VIEW steward.escalation_rate IS
    'of the assignments that were open at some time of the last 24 hours, those that were escalated in them; alert above 10 %';

CREATE VIEW steward.sla_compliance WITH (security_invoker = true) AS
    SELECT t.priority, count(a.id) AS completed, count(a.id) FILTER (WHERE a.completed_at <= a.sla_deadline) AS in_time,
           round(100.0 * count(a.id) FILTER (WHERE a.completed_at <= a.sla_deadline) / NULLIF(count(a.id), 0), 2) AS compliance_pct,
           t.target AS target_pct,
           100.0 * count(a.id) FILTER (WHERE a.completed_at <= a.sla_deadline) / NULLIF(count(a.id), 0) > t.target AS target_met
      FROM (VALUES ('urgent'::public.priority_level, 95), ('high', 90), ('normal', 85), ('low', 85)) t(priority, target)
      LEFT JOIN public.assignments a
        ON a.priority = t.priority AND a.status = 'completed' AND a.completed_at > steward.now() - interval '30 days'
     GROUP BY t.priority, t.target ORDER BY t.priority DESC;
COMMENT ON VIEW steward.sla_compliance IS 'work completed in the last 30 days by priority, how much of it in time, and whether that is above the target';

CREATE VIEW steward.sla_monitor_duration WITH (security_invoker = true) AS
    SELECT count(*) AS runs, count(*) FILTER (WHERE r.status = 'failed') AS failed,
           round(avg(extract(epoch FROM r.finished_at - r.started_at)), 3) AS avg_seconds,
           round(max(extract(epoch FROM r.finished_at - r.started_at)), 3) AS max_seconds,
           COALESCE(avg(extract(epoch FROM r.finished_at - r.started_at)) > 5, false) AS alert
      FROM steward.job_run r
     WHERE r.job = 'sla-monitoring' AND r.scheduled_at > steward.now() - interval '1 hour' AND r.finished_at IS NOT NULL
       AND r.started_at IS NOT NULL;
COMMENT ON VIEW steward.sla_monitor_duration IS 'how long the runs of sla-monitoring took in the last hour; alert above 5 seconds on average';

CREATE VIEW steward.escalation_trend WITH (security_invoker = true) AS
    SELECT w.since, w.since + interval '7 days' AS until, count(e.reason) AS escalations,
           count(*) FILTER (WHERE e.reason = 'sla_breach') AS sla_breach, count(*) FILTER (WHERE e.reason = 'manual') AS manual,
           count(*) FILTER (WHERE e.reason = 'capacity_exhaustion') AS capacity_exhaustion,
           count(*) FILTER (WHERE e.reason IS NOT NULL AND e.resolved_at IS NULL) AS unresolved
      FROM (SELECT steward.now() - i * interval '7 days' AS since FROM generate_series(1, 12) i) w
      LEFT JOIN (SELECT x.reason, x.escalated_at, x.resolved_at FROM public.escalation_events x
                 UNION ALL
                 SELECT x.reason, x.escalated_at, x.resolved_at FROM public.escalation_events_archive x) e
        ON e.escalated_at > w.since AND e.escalated_at <= w.since + interval '7 days'
     GROUP BY w.since ORDER BY w.since DESC;
COMMENT ON VIEW steward.escalation_trend IS 'escalations of the last twelve times seven days, the last seven days first';

CREATE VIEW steward.staff_load WITH (security_invoker = true) AS
    SELECT p.organization_id, p.unit_id, p.user_id, p.availability_status, p.current_assignment_count, p.individual_wip_limit,
           round(100.0 * p.current_assignment_count / p.individual_wip_limit, 2) AS utilization_pct,
           CASE WHEN p.current_assignment_count > p.individual_wip_limit THEN 'over_limit'
                WHEN p.current_assignment_count = p.individual_wip_limit THEN 'at_limit' ELSE 'near_limit' END AS state
      FROM public.staff_profiles p
     WHERE p.current_assignment_count >= 0.75 * p.individual_wip_limit
     ORDER BY utilization_pct DESC, p.user_id;
COMMENT ON VIEW steward.staff_load IS 'people with three quarters of their limit or more, the fullest first';

CREATE VIEW steward.unit_capacity WITH (security_invoker = true) AS
    SELECT u.organization_id, u.id AS unit_id, u.name_en, u.name_ar, count(p.id) AS total_staff,
           count(p.id) FILTER (WHERE p.availability_status = 'available') AS available_staff,
           COALESCE(sum(p.individual_wip_limit) FILTER (WHERE p.availability_status = 'available'), 0) AS total_capacity,
           u.current_assignment_count, u.unit_wip_limit,
           round(100.0 * u.current_assignment_count / u.unit_wip_limit, 2) AS utilization_pct,
           CASE WHEN u.current_assignment_count >= u.unit_wip_limit THEN 'at_limit'
                WHEN u.current_assignment_count >= 0.75 * u.unit_wip_limit THEN 'near_limit' ELSE 'available' END AS state
      FROM public.organizational_units u LEFT JOIN public.staff_profiles p ON p.unit_id = u.id
     GROUP BY u.id ORDER BY utilization_pct DESC, u.id;
COMMENT ON VIEW steward.unit_capacity IS 'units by how full they are';

GRANT SELECT ON steward.queue_depth, steward.escalation_rate, steward.sla_compliance, steward.escalation_trend, steward.staff_load,
    steward.unit_capacity TO authenticated, service_role;

-- A rate over all that is open is worth a look an hour.  What lasts is told again a day later.
CREATE FUNCTION steward.engine_alerts(slot timestamptz) RETURNS text
    LANGUAGE sql AS $$
    WITH alert AS (
        -- The view counts all that waits, which every minute would be too often.
        SELECT 'queue_depth' AS kind, format('%s work items wait for somebody', q.depth) AS en, format('%s من بنود العمل في قائمة الانتظار', q.n) AS ar
          FROM (SELECT count(*) AS n, count(*) || CASE WHEN count(*) = 10000 THEN ' or more' ELSE '' END AS depth
                  FROM (SELECT FROM public.assignment_queue LIMIT 10000) x) q
         WHERE q.n > 100
        UNION ALL
        SELECT 'sla_monitor_duration', format('sla-monitoring takes %s seconds on average', m.avg_seconds), format('تستغرق مراقبة المواعيد النهائية %s ثانية في المتوسط', m.avg_seconds)
          FROM steward.sla_monitor_duration m WHERE m.alert
        UNION ALL
        SELECT 'escalation_rate', format('%s %% of the assignments were escalated within a day', r.escalation_pct), format('تم تصعيد %s %% من المهام خلال يوم', r.escalation_pct)
          FROM steward.escalation_rate r WHERE extract(minute FROM slot) = 0 AND r.alert
    ), told AS (
        INSERT INTO public.notification_outbox (organization_id, recipient_id, notification_type, delivery_method, payload)
        SELECT o.id, u.id, a.kind, 'in_app', jsonb_build_object('reference_type', 'alert', 'reference_id', a.kind, 'message_en', a.en, 'message_ar', a.ar, 'metadata', '{}'::jsonb)
          FROM alert a CROSS JOIN auth.users u CROSS JOIN public.organizations o
         WHERE u.raw_app_meta_data ->> 'role' = 'admin' AND o.is_default
           AND NOT EXISTS (SELECT FROM public.notification_outbox x
                            WHERE x.recipient_id = u.id AND x.notification_type = a.kind AND x.created_at > steward.now() - interval '1 day')
    )
    SELECT string_agg('alert: ' || a.en, ', ') FROM alert a
$$;
COMMENT ON FUNCTION steward.engine_alerts(timestamptz) IS
    'what the views call an alert, in words; tells the administrators of the installation, of each kind once a day';

-- The same for workers, who may read no table: over all organisations.
CREATE FUNCTION steward.queue_depth() RETURNS SETOF steward.queue_depth
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ SELECT * FROM steward.queue_depth $$;
COMMENT ON FUNCTION steward.queue_depth() IS 'the view of this name, over all organisations';
CREATE FUNCTION steward.escalation_rate() RETURNS SETOF steward.escalation_rate
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ SELECT * FROM steward.escalation_rate $$;
COMMENT ON FUNCTION steward.escalation_rate() IS 'the view of this name, over all organisations';
CREATE FUNCTION steward.sla_compliance() RETURNS SETOF steward.sla_compliance
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ SELECT * FROM steward.sla_compliance $$;
COMMENT ON FUNCTION steward.sla_compliance() IS 'the view of this name, over all organisations';
CREATE FUNCTION steward.sla_monitor_duration() RETURNS SETOF steward.sla_monitor_duration
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ SELECT * FROM steward.sla_monitor_duration $$;
COMMENT ON FUNCTION steward.sla_monitor_duration() IS 'the view of this name';
CREATE FUNCTION steward.escalation_trend() RETURNS SETOF steward.escalation_trend
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ SELECT * FROM steward.escalation_trend $$;
COMMENT ON FUNCTION steward.escalation_trend() IS 'the view of this name, over all organisations';
CREATE FUNCTION steward.staff_load() RETURNS SETOF steward.staff_load
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ SELECT * FROM steward.staff_load $$;
COMMENT ON FUNCTION steward.staff_load() IS 'the view of this name, over all organisations';
CREATE FUNCTION steward.unit_capacity() RETURNS SETOF steward.unit_capacity
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$ SELECT * FROM steward.unit_capacity $$;
COMMENT ON FUNCTION steward.unit_capacity() IS 'the view of this name, over all organisations';
GRANT EXECUTE ON FUNCTION steward.queue_depth(), steward.escalation_rate(), steward.sla_compliance(), steward.sla_monitor_duration(),
    steward.escalation_trend(), steward.staff_load(), steward.unit_capacity() TO steward_worker;

-- ------------------------------------------------------- what stewardctl shows
CREATE FUNCTION steward.person_email(person uuid) RETURNS text
    LANGUAGE sql STABLE AS $$ SELECT COALESCE((SELECT u.email FROM auth.users u WHERE u.id = person), person::text) $$;
COMMENT ON FUNCTION steward.person_email(uuid) IS 'how an operator recognises somebody';

CREATE FUNCTION steward.queue_list(most int DEFAULT 1000)
    RETURNS TABLE (place bigint, id uuid, work_item_id text, work_item_type public.work_item_type, priority public.priority_level,
                   unit text, required_skills text, created_at timestamptz, waiting_seconds bigint, sla_deadline timestamptz, attempts int,
                   needs_review boolean, reason text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT row_number() OVER (PARTITION BY q.organization_id ORDER BY q.priority DESC, q.created_at, q.id),
           q.id, q.work_item_id, q.work_item_type, q.priority,
           (SELECT u.name_en FROM public.organizational_units u WHERE u.id = q.target_unit_id),
           (SELECT string_agg(s.name_en, ', ' ORDER BY s.name_en) FROM public.skills s WHERE s.id = ANY (q.required_skills)),
           q.created_at, extract(epoch FROM steward.now() - q.created_at)::bigint, q.sla_deadline, q.attempts, q.needs_review, q.reason
      FROM (SELECT * FROM public.assignment_queue x ORDER BY x.priority DESC, x.created_at, x.id LIMIT most) q
     ORDER BY q.priority DESC, q.created_at, q.id
$$;
COMMENT ON FUNCTION steward.queue_list(int) IS 'what waits, in the order in which it is served, and why; place is within the organisation';

CREATE FUNCTION steward.overdue_list(most int DEFAULT 1000)
    RETURNS TABLE (id uuid, work_item_id text, work_item_type public.work_item_type, priority public.priority_level, status text,
                   assignee text, unit text, sla_deadline timestamptz, overdue_seconds bigint, escalated_at timestamptz, escalated_to text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT o.id, o.work_item_id, o.work_item_type, o.priority, o.status, steward.person_email(o.assignee_id),
           (SELECT u.name_en FROM public.organizational_units u WHERE u.id = o.unit_id), o.sla_deadline,
           extract(epoch FROM steward.now() - o.sla_deadline)::bigint, o.escalated_at, steward.person_email(o.escalation_recipient_id)
      FROM (SELECT a.id, a.work_item_id, a.work_item_type, a.priority, a.status::text, a.assignee_id, a.unit_id, a.sla_deadline,
                   a.escalated_at, a.escalation_recipient_id
              FROM public.assignments a WHERE a.status IN ('assigned', 'in_progress') AND a.sla_deadline <= steward.now()
            UNION ALL
            SELECT q.id, q.work_item_id, q.work_item_type, q.priority, 'queued', NULL, q.target_unit_id, q.sla_deadline,
                   q.breached_at, q.escalation_recipient_id
              FROM public.assignment_queue q WHERE q.sla_deadline <= steward.now()
             ORDER BY sla_deadline, id LIMIT most) o
     ORDER BY o.sla_deadline, o.id
$$;
COMMENT ON FUNCTION steward.overdue_list(int) IS 'open and waiting work past its deadline, the longest first, and to whom that was escalated';

CREATE FUNCTION steward.overdue_count() RETURNS TABLE (overdue bigint, unserved bigint, oldest timestamptz)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT count(*), count(*) FILTER (WHERE o.breached_at IS NOT NULL AND o.escalation_recipient_id IS NULL), min(o.sla_deadline)
      FROM (SELECT a.breached_at, a.escalation_recipient_id, a.sla_deadline FROM public.assignments a
             WHERE a.status IN ('assigned', 'in_progress') AND a.sla_deadline <= steward.now()
            UNION ALL
            SELECT q.breached_at, q.escalation_recipient_id, q.sla_deadline FROM public.assignment_queue q
             WHERE q.sla_deadline <= steward.now()) o
$$;
COMMENT ON FUNCTION steward.overdue_count() IS 'how much open and waiting work is past its deadline, and how much of it nobody was told of but the administrators';

CREATE FUNCTION steward.escalation_list(most int DEFAULT 1000)
    RETURNS TABLE (id uuid, reason public.escalation_reason, work_item_id text, work_item_type public.work_item_type, unit text,
                   escalated_from text, escalated_to text, escalated_at timestamptz, age_seconds bigint, acknowledged_at timestamptz, notes text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT e.id, e.reason, e.work_item_id, e.work_item_type,
           (SELECT u.name_en FROM public.organizational_units u WHERE u.id = e.unit_id),
           steward.person_email(e.escalated_from_id), steward.person_email(e.escalated_to_id), e.escalated_at,
           extract(epoch FROM steward.now() - e.escalated_at)::bigint, e.acknowledged_at, e.notes
      FROM (SELECT * FROM public.escalation_events x WHERE x.resolved_at IS NULL ORDER BY x.escalated_at DESC, x.id LIMIT most) e
     ORDER BY e.escalated_at DESC, e.id
$$;
COMMENT ON FUNCTION steward.escalation_list(int) IS 'escalations that nobody has resolved, the newest first';

CREATE FUNCTION steward.load_list()
    RETURNS TABLE (user_id uuid, person text, unit text, availability_status public.availability_status, current_assignment_count int,
                   individual_wip_limit int, utilization_pct numeric, state text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT l.user_id, steward.person_email(l.user_id), (SELECT u.name_en FROM public.organizational_units u WHERE u.id = l.unit_id),
           l.availability_status, l.current_assignment_count, l.individual_wip_limit, l.utilization_pct, l.state
      FROM steward.staff_load l ORDER BY l.utilization_pct DESC, l.user_id
$$;
COMMENT ON FUNCTION steward.load_list() IS 'the view staff_load, with names';

CREATE FUNCTION steward.item_show(wanted text)
    RETURNS TABLE (id uuid, work_item_id text, work_item_type public.work_item_type, priority public.priority_level, status text,
                   assignee text, unit text, required_skills text, started_at timestamptz, assigned_at timestamptz, sla_deadline timestamptz,
                   completed_at timestamptz, attempts int, needs_review boolean, reason text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT i.id, i.work_item_id, i.work_item_type, i.priority, i.status, steward.person_email(i.assignee_id),
           (SELECT u.name_en FROM public.organizational_units u WHERE u.id = i.unit_id),
           (SELECT string_agg(s.name_en, ', ' ORDER BY s.name_en) FROM public.skills s WHERE s.id = ANY (i.required_skills)),
           i.started_at, i.assigned_at, i.sla_deadline, i.completed_at, i.attempts, i.needs_review, i.reason
      FROM (SELECT q.id, q.work_item_id, q.work_item_type, q.priority, 'queued' AS status, NULL::uuid AS assignee_id, q.target_unit_id AS unit_id,
                   q.required_skills, q.created_at AS started_at, NULL::timestamptz AS assigned_at, q.sla_deadline,
                   NULL::timestamptz AS completed_at, q.attempts, q.needs_review, q.reason
              FROM public.assignment_queue q
            UNION ALL
            SELECT a.id, a.work_item_id, a.work_item_type, a.priority, a.status::text, a.assignee_id, a.unit_id, a.required_skills,
                   a.sla_started_at, a.assigned_at, a.sla_deadline, a.completed_at, NULL, a.needs_review,
                   COALESCE(a.review_reason, a.reassignment_reason, a.override_reason)
              FROM public.assignments a
            UNION ALL
            SELECT r.id, r.work_item_id, r.work_item_type, r.priority, r.status || ', archived', r.assignee_id, r.unit_id, r.required_skills,
                   r.sla_started_at, r.assigned_at, r.sla_deadline, r.completed_at, NULL, r.needs_review,
                   COALESCE(r.review_reason, r.reassignment_reason, r.override_reason)
              FROM public.assignments_archive r) i
     WHERE i.work_item_id = wanted OR i.id::text = lower(wanted)
     ORDER BY i.started_at DESC, i.id
$$;
COMMENT ON FUNCTION steward.item_show(text) IS 'where a work item is and was, the newest first, by its own id or that of an assignment or a place in the queue';

CREATE FUNCTION steward.item_story(wanted text) RETURNS TABLE (at timestamptz, event text, person text, detail text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH place AS MATERIALIZED (
        SELECT i.id, i.status, i.assignee, i.started_at, i.assigned_at, i.reason FROM steward.item_show(wanted) i
    ), escalation AS (
        SELECT e.* FROM public.escalation_events e WHERE COALESCE(e.assignment_id, e.queue_id) IN (SELECT p.id FROM place p) OR e.work_item_id = wanted
        UNION ALL
        SELECT r.id, r.organization_id, r.assignment_id, r.queue_id, r.work_item_id, r.work_item_type, r.unit_id, r.escalated_from_id,
               r.escalated_to_id, r.escalated_by, r.reason, r.sla_deadline, r.escalated_at, r.acknowledged_at, r.resolved_at, r.notes, r.created_at
          FROM public.escalation_events_archive r WHERE r.assignment_id IN (SELECT p.id FROM place p) OR r.work_item_id = wanted
    )
    SELECT s.at, s.event, s.person, s.detail FROM (
        SELECT p.started_at AS at, 'queued' AS event, NULL AS person, p.reason AS detail FROM place p WHERE p.status = 'queued'
        UNION ALL
        SELECT p.started_at, 'queued', NULL, NULL FROM place p WHERE p.started_at < p.assigned_at
        UNION ALL
        SELECT p.assigned_at, 'assigned', p.assignee, NULL FROM place p WHERE p.assigned_at IS NOT NULL
        UNION ALL
        SELECT a.warning_sent_at, 'warned', steward.person_email(a.assignee_id), NULL
          FROM public.assignments a WHERE a.id IN (SELECT p.id FROM place p) AND a.warning_sent_at IS NOT NULL
        UNION ALL
        SELECT q.warning_sent_at, 'warned', NULL, NULL
          FROM public.assignment_queue q WHERE q.id IN (SELECT p.id FROM place p) AND q.warning_sent_at IS NOT NULL
        UNION ALL
        SELECT e.escalated_at, 'escalated: ' || e.reason, COALESCE(steward.person_email(e.escalated_to_id), 'nobody'), e.notes FROM escalation e
        UNION ALL
        SELECT e.acknowledged_at, 'acknowledged: ' || e.reason, steward.person_email(e.escalated_to_id), e.notes
          FROM escalation e WHERE e.acknowledged_at < e.resolved_at OR e.resolved_at IS NULL AND e.acknowledged_at IS NOT NULL
        UNION ALL
        SELECT e.resolved_at, 'resolved: ' || e.reason, steward.person_email(e.escalated_to_id), e.notes FROM escalation e WHERE e.resolved_at IS NOT NULL
        UNION ALL
        SELECT h.created_at, replace(replace(h.action, 'assignment_', ''), '_', ' '), steward.person_email(h.actor_id), NULLIF(h.detail::text, '{}')
          FROM public.assignment_history h
         WHERE h.assignment_id IN (SELECT p.id FROM place p) AND h.action NOT IN ('assignment_escalated', 'escalation_acknowledged', 'escalation_resolved')
        ) s ORDER BY s.at, s.event
$$;
COMMENT ON FUNCTION steward.item_story(text) IS 'what happened to a work item, the oldest first';
GRANT EXECUTE ON FUNCTION steward.queue_list(int), steward.overdue_list(int), steward.overdue_count(), steward.escalation_list(int),
    steward.load_list(), steward.item_show(text), steward.item_story(text) TO steward_worker;
