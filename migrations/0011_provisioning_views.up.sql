-- What operators ask.  Every view has a function of the same name behind it: the
-- view stays security_invoker, the function is what steward_worker may execute,
-- and nobody needs a grant on a table.

CREATE FUNCTION steward.provisioning_health() RETURNS TABLE (status text, count bigint, oldest timestamptz, newest timestamptz)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT q.status, count(*), min(q.created_at), max(q.created_at)
      FROM public.workspace_provisioning_queue q GROUP BY q.status ORDER BY count(*) DESC, q.status
$$;
COMMENT ON FUNCTION steward.provisioning_health() IS 'jobs per status, the oldest and the newest';
CREATE VIEW steward.provisioning_health WITH (security_invoker = true) AS SELECT * FROM steward.provisioning_health();
COMMENT ON VIEW steward.provisioning_health IS 'jobs per status, the oldest and the newest';

-- An empty window answers NULL for a rate, never an error.
CREATE FUNCTION steward.provisioning_performance(period interval DEFAULT '24 hours')
    RETURNS TABLE (success_rate_pct numeric, failed_count bigint, pending_count bigint, processing_count bigint, total bigint,
                   avg_seconds numeric, p95_seconds numeric)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT round(count(*) FILTER (WHERE q.status = 'completed') * 100.0 / NULLIF(count(*), 0), 2),
           count(*) FILTER (WHERE q.status IN ('failed', 'rollback_needed')),
           count(*) FILTER (WHERE q.status = 'pending'),
           count(*) FILTER (WHERE q.status = 'processing'),
           count(*),
           round(avg(t.seconds) FILTER (WHERE q.status = 'completed'), 2),
           round((percentile_cont(0.95) WITHIN GROUP (ORDER BY t.seconds) FILTER (WHERE q.status = 'completed'))::numeric, 2)
      FROM public.workspace_provisioning_queue q,
           LATERAL (SELECT extract(epoch FROM q.completed_at - q.created_at) AS seconds) t
     WHERE q.created_at >= steward.now() - period
$$;
COMMENT ON FUNCTION steward.provisioning_performance(interval) IS 'success rate, counts and latency of the jobs of the last period; NULL where there were none';
CREATE VIEW steward.provisioning_performance WITH (security_invoker = true) AS SELECT * FROM steward.provisioning_performance();
COMMENT ON VIEW steward.provisioning_performance IS 'success rate, counts and latency of the last 24 hours';

-- A job that was tried again has forgotten that it failed; job_run has not, once for
-- each approval.
CREATE FUNCTION steward.provisioning_errors()
    RETURNS TABLE (id uuid, match_id uuid, project_id uuid, advisor_id uuid, status text, attempt_count int,
                   last_error text, last_error_at timestamptz)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT f.id, f.match_id, f.project_id, f.advisor_id, f.status, f.attempt_count, f.last_error, f.last_error_at
      FROM (SELECT q.id, q.match_id, q.project_id, q.advisor_id, q.status, q.attempt_count, q.last_error, q.last_error_at,
                   COALESCE(q.last_error_at, q.created_at) AS failed_at
              FROM public.workspace_provisioning_queue q WHERE q.status IN ('failed', 'rollback_needed')
            UNION ALL
            SELECT q.id, q.match_id, q.project_id, d.advisor_id, q.status, d.attempt_count, r.error, d.last_error_at,
                   COALESCE(d.last_error_at, r.finished_at)
              FROM steward.job_run r
             CROSS JOIN LATERAL jsonb_to_record(r.detail) AS d(id uuid, advisor_id uuid, attempt_count int, last_error_at timestamptz)
              JOIN public.workspace_provisioning_queue q ON q.id = d.id
             WHERE r.job LIKE 'provisioning:%' AND r.status = 'failed' AND r.created_at >= steward.now() - interval '24 hours'
               AND (r.scheduled_at <> q.created_at OR q.status NOT IN ('failed', 'rollback_needed'))) f
     WHERE f.failed_at >= steward.now() - interval '24 hours'
     ORDER BY f.last_error_at DESC NULLS LAST, f.id LIMIT 10
$$;
COMMENT ON FUNCTION steward.provisioning_errors() IS
    'the ten latest failures of the last 24 hours, the latest first, with the state the job is in now: it may have been tried again';
CREATE VIEW steward.provisioning_errors WITH (security_invoker = true) AS SELECT * FROM steward.provisioning_errors();
COMMENT ON VIEW steward.provisioning_errors IS
    'the ten latest failures of the last 24 hours, the latest first, with the state the job is in now: it may have been tried again';

-- Known errors by what they start with: the code steward writes, or the words
-- that other clients of the table leave.
CREATE FUNCTION steward.error_catalogue() RETURNS TABLE (pattern text, cause text, remedy text)
    LANGUAGE sql IMMUTABLE AS $$
    VALUES
    ('^advisor_gone',        'the advisor was deleted',                   'none: the match was put back; find another advisor'),
    ('^advisor_conflict',    'another advisor became active meanwhile',   'remove that advisor, then: stewardctl provisioning retry ID'),
    ('^owner_missing',       'the project has no owner',                  'give the project an owner, then: stewardctl provisioning retry ID'),
    ('^match_changed',       'the match was changed after it was queued', 'none: finalize the match again if it is wanted'),
    ('^stale_lock',          'a client took the job and vanished',        'none: it is retried; look after the client that locked it'),
    ('^23503|foreign key',   'advisor, requester or project was deleted', 'none: the match was put back'),
    ('^23502.*user_id|null value in column "user_id"',
                             'the chat log still demands an author',      'apply the migration: stewardctl db migrate'),
    ('^(42P01|3F000)|relation .* does not exist',
                             'the schema is not the expected one',        'stewardctl db verify, then stewardctl db migrate'),
    ('^40|serializ|deadlock', 'concurrent updates',                       'none: it is retried'),
    ('^55P03|lock timeout',  'somebody held a row for too long',          'none: it is retried; look for long transactions'),
    ('^23505',               'a row that should be new was there already', 'look at the row the error names, then: stewardctl provisioning retry ID'),
    ('^(22|23514)',          'a value the schema refuses',                'correct the data the error names, then: stewardctl provisioning retry ID'),
    ('^P0001',               'a trigger of this database refused',        'read the words of the error; they are the trigger''s own')
$$;
COMMENT ON FUNCTION steward.error_catalogue() IS 'known errors: how they begin, what causes them, what to do; the first match counts';

-- By the code first, then by the table the last attempt failed at.  steward counts
-- no attempt for a lost connection, but other clients of the table may.
CREATE FUNCTION steward.error_class(error text, history jsonb) RETURNS text
    LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN error ~* '^(08|57P)|connection' THEN 'db connection'
                WHEN error ~* '^23503|foreign key' THEN 'foreign key'
                WHEN error ~* '^(40|55P03)|serializ|deadlock|lock timeout' THEN 'transient'
                WHEN place = 'unified_chat_sessions' THEN 'chat session creation'
                WHEN place ~ '^((project_chat_log_minimal|project_chat_seq|event)(, |$))+$' THEN 'broadcast'
                WHEN place = 'project_advisors' THEN 'membership'
                ELSE 'other' END
      FROM (SELECT jsonb_path_query_array(history, '$[*] ? (exists(@.attempt))') -> -1 ->> 'table') h(place)
$$;
COMMENT ON FUNCTION steward.error_class(text, jsonb) IS
    'db connection, foreign key, transient, chat session creation, broadcast, membership or other, of a job''s last error';

CREATE FUNCTION steward.provisioning_error_groups()
    RETURNS TABLE (last_error text, class text, count bigint, latest timestamptz, cause text, remedy text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT g.last_error, g.class, g.count, g.latest, COALESCE(k.cause, 'not known'),
           COALESCE(k.remedy, 'stewardctl provisioning show ID tells the whole history')
      FROM (SELECT q.last_error, e.class, count(*) AS count, max(q.last_error_at) AS latest
              FROM public.workspace_provisioning_queue q
              CROSS JOIN LATERAL (SELECT steward.error_class(q.last_error, q.error_history) AS class) e
             WHERE q.status IN ('failed', 'rollback_needed') GROUP BY q.last_error, e.class) g
      LEFT JOIN LATERAL (
           SELECT c.cause, c.remedy
             FROM steward.error_catalogue() WITH ORDINALITY AS c(pattern, cause, remedy, rank)
            WHERE g.last_error ~* c.pattern ORDER BY c.rank LIMIT 1) k ON true
     ORDER BY g.count DESC, g.latest DESC NULLS LAST
$$;
COMMENT ON FUNCTION steward.provisioning_error_groups() IS 'failed jobs by error text and class, the most frequent first, with cause and remedy';
CREATE VIEW steward.provisioning_error_groups WITH (security_invoker = true) AS SELECT * FROM steward.provisioning_error_groups();
COMMENT ON VIEW steward.provisioning_error_groups IS 'failed jobs by error text and class, the most frequent first, with cause and remedy';

CREATE FUNCTION steward.provisioning_stuck()
    RETURNS TABLE (id uuid, match_id uuid, locked_by text, locked_at timestamptz, stuck_duration interval)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT q.id, q.match_id, q.locked_by, q.locked_at, steward.now() - q.locked_at
      FROM public.workspace_provisioning_queue q
     WHERE q.status = 'processing' AND q.locked_at < steward.now() - interval '2 minutes'
     ORDER BY q.locked_at
$$;
COMMENT ON FUNCTION steward.provisioning_stuck() IS 'jobs locked for more than two minutes; should be empty';
CREATE VIEW steward.provisioning_stuck WITH (security_invoker = true) AS SELECT * FROM steward.provisioning_stuck();
COMMENT ON VIEW steward.provisioning_stuck IS 'jobs locked for more than two minutes; should be empty';

CREATE FUNCTION steward.provisioning_stale()
    RETURNS TABLE (id uuid, match_id uuid, attempt_count int, last_error text, next_retry_at timestamptz, waiting interval, cause text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT q.id, q.match_id, q.attempt_count, q.last_error, q.next_retry_at, steward.now() - q.created_at,
           CASE WHEN NOT steward.flag_is_on('advisor_auto_provision', q.project_id) THEN 'the flag is off for the project'
                WHEN q.next_retry_at > steward.now() THEN 'waiting for its next attempt'
                ELSE 'no worker has taken it' END
      FROM public.workspace_provisioning_queue q
     WHERE q.status = 'pending' AND q.created_at < steward.now() - interval '1 minute'
     ORDER BY q.created_at
$$;
COMMENT ON FUNCTION steward.provisioning_stale() IS 'jobs pending for more than a minute, and why';
CREATE VIEW steward.provisioning_stale WITH (security_invoker = true) AS SELECT * FROM steward.provisioning_stale();
COMMENT ON VIEW steward.provisioning_stale IS 'jobs pending for more than a minute, and why';

CREATE FUNCTION steward.provisioning_list(most int DEFAULT 1000)
    RETURNS TABLE (id uuid, match_id uuid, project_id uuid, advisor_id uuid, status text, attempt_count int,
                   created_at timestamptz, next_retry_at timestamptz, completed_at timestamptz, last_error text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT q.id, q.match_id, q.project_id, q.advisor_id, q.status, q.attempt_count,
           q.created_at, q.next_retry_at, q.completed_at, q.last_error
      FROM public.workspace_provisioning_queue q ORDER BY q.created_at DESC, q.id LIMIT most
$$;
COMMENT ON FUNCTION steward.provisioning_list(int) IS 'the newest jobs, newest first';
CREATE VIEW steward.provisioning_list WITH (security_invoker = true) AS SELECT * FROM steward.provisioning_list();
COMMENT ON VIEW steward.provisioning_list IS 'the newest thousand jobs, newest first';

CREATE FUNCTION steward.provisioning_show(wanted uuid) RETURNS SETOF public.workspace_provisioning_queue
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$ SELECT * FROM public.workspace_provisioning_queue q WHERE q.id = wanted OR q.match_id = wanted $$;
COMMENT ON FUNCTION steward.provisioning_show(uuid) IS 'one job by its own or its match''s id, with all it has been through';

CREATE FUNCTION steward.alerts_waiting() RETURNS TABLE (notification_type text, waiting bigint, oldest timestamptz)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT o.notification_type, count(*), min(o.created_at)
      FROM public.notification_outbox o
     WHERE o.status IN ('pending', 'queued') AND o.notification_type = 'workspace_provisioning_failure'
     GROUP BY o.notification_type
$$;
COMMENT ON FUNCTION steward.alerts_waiting() IS 'alerts to administrators that nobody has delivered yet';

-- Finalizing again is what makes a fresh job; it is only right while the match
-- still stands where the rollback put it.
CREATE FUNCTION steward.provisioning_retry(wanted uuid) RETURNS TABLE (ok boolean, detail text)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    q public.workspace_provisioning_queue;
    m public.advisor_match_requests;
BEGIN
    SELECT * INTO q FROM public.workspace_provisioning_queue x WHERE x.id = wanted OR x.match_id = wanted FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    IF q.status = 'pending' THEN
        UPDATE public.workspace_provisioning_queue x SET next_retry_at = steward.now()
         WHERE x.id = q.id AND x.next_retry_at > steward.now();
        RETURN QUERY SELECT true, 'the job is waiting for a worker';
        RETURN;
    END IF;
    IF q.status <> 'failed' THEN
        RETURN QUERY SELECT false, format('the job is %s, only a failed one can be tried again', q.status);
        RETURN;
    END IF;

    SELECT * INTO STRICT m FROM public.advisor_match_requests x WHERE x.id = q.match_id FOR NO KEY UPDATE;
    IF m.previous_status IS DISTINCT FROM 'finalized' OR m.status NOT IN ('client_approved', 'advisor_accepted') THEN
        RETURN QUERY SELECT false, format('the match is %s by now and has to be approved again', m.status);
        RETURN;
    END IF;
    IF NOT steward.flag_is_on('advisor_auto_provision', m.project_id) THEN
        RETURN QUERY SELECT false, 'the flag advisor_auto_provision is off for the project';
        RETURN;
    END IF;
    UPDATE public.advisor_match_requests SET status = 'finalized' WHERE id = m.id;
    RETURN QUERY SELECT true, 'the match is finalized again and its job is queued';
END $$;
COMMENT ON FUNCTION steward.provisioning_retry(uuid) IS
    'finalizes the match of a failed job again, or makes a waiting job due; by the id of either; no row when there is no such job';

CREATE FUNCTION steward.provisioning_unstick(older interval DEFAULT '5 minutes')
    RETURNS TABLE (id uuid, match_id uuid, locked_by text, stuck_duration interval)
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH stuck AS MATERIALIZED (
        SELECT x.id, x.match_id, x.locked_by, steward.now() - x.locked_at AS stuck_duration
          FROM public.workspace_provisioning_queue x
         WHERE x.status = 'processing' AND x.locked_at < steward.now() - older
         ORDER BY x.locked_at FOR NO KEY UPDATE SKIP LOCKED
    ), released AS (
        UPDATE public.workspace_provisioning_queue x
           SET status = 'pending', locked_at = NULL, locked_by = NULL, next_retry_at = steward.now()
          FROM stuck s WHERE x.id = s.id)
    SELECT s.id, s.match_id, s.locked_by, s.stuck_duration FROM stuck s
$$;
COMMENT ON FUNCTION steward.provisioning_unstick(interval) IS
    'releases locks older than that at once and counts no attempt: an operator has looked; returns what it released';

CREATE FUNCTION steward.provisioning_verify(match uuid) RETURNS TABLE (tick text, ok boolean, detail text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT t.tick, t.ok, t.detail
      FROM public.advisor_match_requests m
      LEFT JOIN public.workspace_provisioning_queue q ON q.match_id = m.id
      LEFT JOIN public.project_advisors a ON a.project_id = m.project_id AND a.advisor_id = m.matched_advisor_id
      LEFT JOIN public.unified_chat_sessions s ON s.project_id = m.project_id AND s.user_id = m.matched_advisor_id
      LEFT JOIN public.project_chat_log_minimal c
             ON c.project_id = m.project_id AND c.client_msg_id = m.id AND c.message_type = 'system' AND c.user_id IS NULL
      CROSS JOIN LATERAL (VALUES
        (1, 'match',      m.status = 'finalized', format('the match is %s', m.status)),
        (2, 'job',        COALESCE(q.status = 'completed', false), CASE WHEN q.id IS NULL THEN 'there is no job' ELSE 'the job is ' || q.status END),
        (3, 'membership', COALESCE(a.status = 'active', false), CASE WHEN a.status IS NULL THEN 'the advisor is not in the project' ELSE format('the advisor is %s in the project', a.status) END),
        (4, 'session',    COALESCE(s.session_state = 'active', false), CASE WHEN s.session_state IS NULL THEN 'there is no chat session' ELSE format('the chat session is %s', s.session_state) END),
        (5, 'message',    c.id IS NOT NULL, CASE WHEN c.id IS NULL THEN 'there is no welcome message' ELSE format('the welcome is message %s', c.seq) END)
      ) t(rank, tick, ok, detail)
     WHERE m.id = match ORDER BY t.rank
$$;
COMMENT ON FUNCTION steward.provisioning_verify(uuid) IS 'five ticks for a match; no row when there is no such match';

CREATE FUNCTION steward.provisioning_backfill(lim int DEFAULT 100) RETURNS TABLE (match_id uuid, job_id uuid, trouble text)
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH forgotten AS MATERIALIZED (
        SELECT m.id FROM public.advisor_match_requests m
         WHERE m.status = 'finalized' AND m.matched_advisor_id IS NOT NULL AND steward.match_unserved(m)
         ORDER BY m.finalized_at, m.id LIMIT lim)
    SELECT f.id, p.job, p.trouble FROM forgotten f CROSS JOIN LATERAL steward.provision_forgotten(f.id) p
$$;
COMMENT ON FUNCTION steward.provisioning_backfill(int) IS
    'queues finalized matches that never had a workspace, oldest first, where the flag is on; returns what it queued';

-- ok is NULL where nothing can be judged: an empty window, or what no table knows.
CREATE FUNCTION steward.provisioning_accept(period interval DEFAULT '24 hours')
    RETURNS TABLE (criterion text, target text, actual text, ok boolean)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    WITH p AS (SELECT * FROM steward.provisioning_performance(period)),
    done AS (
        SELECT q.match_id, q.project_id FROM public.workspace_provisioning_queue q
         WHERE q.status = 'completed' AND q.created_at >= steward.now() - period),
    n AS (
        SELECT (SELECT count(*) FROM done) AS done,
               (SELECT count(*) FROM done d WHERE EXISTS (
                   SELECT FROM public.project_chat_log_minimal c WHERE c.project_id = d.project_id AND c.client_msg_id = d.match_id)) AS messages,
               (SELECT count(*) FROM done d WHERE EXISTS (
                   SELECT FROM steward.event e WHERE e.project_id = d.project_id AND e.name = 'advisor.workspace_ready'
                      AND e.data ->> 'matchId' = d.match_id::text)) AS events,
               (SELECT count(*) FROM steward.provisioning_stuck()) AS stuck,
               -- What happened, not what is: a job that was tried again has forgotten it.
               (SELECT count(*) FROM steward.job_run r
                 WHERE r.job LIKE 'provisioning:%' AND r.detail ->> 'restoredStatus' IS NOT NULL
                   AND r.created_at >= steward.now() - period) AS rollbacks)
    SELECT t.criterion, t.target, COALESCE(t.actual, 'n/a'), t.ok
      FROM p, n, LATERAL (SELECT round(n.rollbacks * 100.0 / NULLIF(n.rollbacks + n.done, 0), 3) AS rollback_pct) x, LATERAL (VALUES
        (0, 'jobs',                      '> 0',     p.total::text,          p.total > 0),
        (1, 'success rate',              '> 99 %',  p.success_rate_pct || ' % of ' || p.total, p.success_rate_pct > 99),
        (2, 'average time',              '< 2 s',   p.avg_seconds || ' s',  p.avg_seconds < 2),
        (3, 'stuck jobs',                '0',       n.stuck::text,          n.stuck = 0),
        (4, 'rollback rate',             '< 0.1 %', x.rollback_pct || ' %', x.rollback_pct < 0.1),
        (5, 'ready events written',      'all',     CASE WHEN n.done > 0 THEN format('%s of %s', n.events, n.done) END,
                                                    CASE WHEN n.done > 0 THEN n.events = n.done END),
        (6, 'welcome messages written',  'all',     CASE WHEN n.done > 0 THEN format('%s of %s', n.messages, n.done) END,
                                                    CASE WHEN n.done > 0 THEN n.messages = n.done END),
        (7, 'user-reported issues',      '0',       'not known to the database', NULL)
      ) t(rank, criterion, target, actual, ok)
     ORDER BY t.rank
$$;
COMMENT ON FUNCTION steward.provisioning_accept(interval) IS 'judges the criteria of a deployment one by one over the last period; one without jobs is not accepted';

GRANT SELECT ON steward.provisioning_health, steward.provisioning_performance, steward.provisioning_errors,
    steward.provisioning_error_groups, steward.provisioning_stuck, steward.provisioning_stale, steward.provisioning_list
    TO steward_worker;
GRANT EXECUTE ON FUNCTION steward.provisioning_health(), steward.provisioning_performance(interval),
    steward.provisioning_errors(), steward.provisioning_error_groups(), steward.provisioning_stuck(),
    steward.provisioning_stale(), steward.provisioning_list(int), steward.provisioning_show(uuid), steward.alerts_waiting(),
    steward.provisioning_retry(uuid), steward.provisioning_unstick(interval), steward.provisioning_verify(uuid),
    steward.provisioning_backfill(int), steward.provisioning_accept(interval)
    TO steward_worker;
