-- What the benchmark adds to a migrated database, as its administrator: a way to
-- fill it, and what steward's batch is measured against.  Variables: none.

CREATE EXTENSION pg_prewarm;
CREATE SCHEMA bench AUTHORIZATION steward_owner;
GRANT USAGE ON SCHEMA bench TO steward_worker;
SET ROLE steward_owner;

CREATE VIEW bench.backlog AS
SELECT match_id FROM public.workspace_provisioning_queue WHERE status = 'pending' ORDER BY next_retry_at;

-- Random ids everywhere, as in production: an index over them has no warm end.
CREATE FUNCTION bench.people(clients int, advisors int) RETURNS void LANGUAGE sql AS $$
    INSERT INTO auth.users (email, raw_app_meta_data) VALUES ('admin@bench.example', '{"role": "admin"}');
    INSERT INTO auth.users (email) SELECT format('client%s@bench.example', n) FROM generate_series(1, clients) n;
    WITH advisor AS (
        INSERT INTO auth.users (email) SELECT format('advisor%s@bench.example', n) FROM generate_series(1, advisors) n
        RETURNING id)
    INSERT INTO public.advisor_availability (advisor_id, max_concurrent_projects) SELECT id, 1000 FROM advisor;
    INSERT INTO public.user_preferences (user_id, preferred_locale)
    SELECT id, (ARRAY['en', 'ar', 'fr', 'es'])[1 + (random() * 3)::int] FROM auth.users WHERE email LIKE 'client%';
$$;

-- Matches that both sides but one have approved, each of a project of its own.
CREATE FUNCTION bench.propose(matches int) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    clients  uuid[] := ARRAY(SELECT user_id FROM public.user_preferences);
    advisors uuid[] := ARRAY(SELECT advisor_id FROM public.advisor_availability);
BEGIN
    WITH project AS (
        INSERT INTO public.projects (owner_id, name)
        SELECT clients[1 + n % cardinality(clients)], 'bench ' || n FROM generate_series(1, matches) n
        RETURNING id, owner_id)
    INSERT INTO public.advisor_match_requests (project_id, requested_by, match_criteria, matched_advisor_id, match_score, expires_at)
    SELECT id, owner_id, '{}', advisors[1 + (random() * (cardinality(advisors) - 1))::int], 88, steward.now() + interval '1 day'
      FROM project;
    -- The triggers' plans were made for empty tables.
    ANALYZE;
    UPDATE public.advisor_match_requests SET status = 'matched' WHERE status = 'pending';
    UPDATE public.advisor_match_requests SET status = 'client_approved' WHERE status = 'matched';
END $$;

-- The triggers make the jobs; afterwards each is a millisecond older than the
-- next, as if every match had been finalized by itself.
CREATE FUNCTION bench.finalize() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    UPDATE public.advisor_match_requests SET status = 'finalized' WHERE status = 'client_approved';
    ANALYZE public.workspace_provisioning_queue;
    WITH age AS (
        SELECT id, steward.now() - interval '1 ms' * row_number() OVER (ORDER BY ctid DESC) AS moment
          FROM public.workspace_provisioning_queue WHERE status = 'pending')
    UPDATE public.workspace_provisioning_queue q SET created_at = age.moment, next_retry_at = age.moment
      FROM age WHERE q.id = age.id;
END $$;

-- One job as a peer does it: every write of steward.provision_apply but the one
-- to steward's own queue, whose place the peer's queue takes, and no NOTIFY.
CREATE FUNCTION bench.provision_one(match uuid) RETURNS void
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    AS $$
DECLARE
    stamp  timestamptz := steward.now();
    moment text := steward.iso(stamp);
BEGIN
    WITH j AS MATERIALIZED (
        SELECT r.organization_id, r.id AS match_id, r.project_id, r.matched_advisor_id AS advisor_id, r.requested_by,
               gen_random_uuid() AS session,
               COALESCE((SELECT u.preferred_locale FROM public.projects p
                           JOIN public.user_preferences u ON u.user_id = p.owner_id
                          WHERE p.id = r.project_id), 'en') AS locale,
               jsonb_object(ARRAY['matchId', r.id::text, 'advisorId', r.matched_advisor_id::text,
                                  'projectId', r.project_id::text, 'timestamp', moment]) AS content
          FROM public.advisor_match_requests r
         WHERE r.id = match AND r.status = 'finalized'
           AND NOT EXISTS (SELECT FROM public.project_chat_log_minimal m
                            WHERE m.project_id = r.project_id AND m.client_msg_id = r.id)
    ), member AS (
        INSERT INTO public.project_advisors AS a
               (organization_id, project_id, advisor_id, status, role, added_by, assigned_at, created_at,
                workspace_granted_at, updated_at)
        SELECT j.organization_id, j.project_id, j.advisor_id, 'active', 'advisor', j.requested_by, stamp, stamp, stamp, stamp
          FROM j
        ON CONFLICT (project_id, advisor_id) DO UPDATE
           SET status = 'active', assigned_at = stamp, updated_at = stamp
         WHERE a.status <> 'active'
    ), session AS (
        INSERT INTO public.unified_chat_sessions AS s
               (id, session_id, organization_id, project_id, user_id, actor_type, session_state, preferred_locale,
                created_at, last_active)
        SELECT j.session, j.session::text, j.organization_id, j.project_id, j.advisor_id, 'advisor', 'active', j.locale,
               stamp, stamp
          FROM j
        ON CONFLICT (project_id, user_id) DO UPDATE
           SET session_state = 'active', last_active = stamp
         WHERE s.session_state <> 'active'
    ), number AS (
        INSERT INTO public.project_chat_seq AS x (project_id, last_seq, last_event_seq)
        SELECT j.project_id, 1, 1 FROM j
        ON CONFLICT (project_id) DO UPDATE
           SET last_seq = x.last_seq + 1, last_event_seq = x.last_event_seq + 1
        RETURNING project_id, last_seq, last_event_seq
    ), message AS (
        INSERT INTO public.project_chat_log_minimal
               (organization_id, project_id, user_id, actor_type, message_type, mode, message_text, seq, client_msg_id,
                created_at, response_data)
        SELECT j.organization_id, j.project_id, NULL, 'system', 'system', 'plan',
               'Advisor has joined the workspace and is ready to help!', n.last_seq, j.match_id, stamp,
               jsonb_object(ARRAY['event_code', 'advisor_joined', 'advisor_id', j.advisor_id::text,
                                  'match_id', j.match_id::text, 'timestamp', moment])
          FROM j JOIN number n USING (project_id)
    )
    INSERT INTO steward.event (organization_id, project_id, seq, name, data, created_at)
    SELECT j.organization_id, j.project_id, n.last_event_seq, 'advisor.workspace_ready',
           j.content || jsonb_build_object('seq', n.last_event_seq, 'userId', 'system', 'content', j.content),
           stamp
      FROM j JOIN number n USING (project_id);
END $$;

-- The same claim and the same rows as steward.provision_batch, without events,
-- without judging, without a way out when a row is bad; bench.drop_keys() goes with it.
CREATE FUNCTION bench.floor_batch(worker text, batch_limit int) RETURNS int
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
    SET jit = off
    AS $$
DECLARE
    stamp  timestamptz := steward.now();
    moment text := steward.iso(stamp);
    done   int;
BEGIN
    WITH j AS MATERIALIZED (
        SELECT l.*, gen_random_uuid() AS session,
               COALESCE((SELECT u.preferred_locale FROM public.user_preferences u WHERE u.user_id = l.owner_id), 'en') AS locale,
               (SELECT m.id FROM public.project_chat_log_minimal m
                 WHERE m.project_id = l.project_id AND m.client_msg_id = l.match_id) IS NULL AS unwelcomed
          FROM (SELECT q.id, q.organization_id, q.match_id, q.project_id, q.advisor_id, q.requested_by, p.owner_id
                  FROM public.workspace_provisioning_queue q JOIN public.projects p ON p.id = ANY (ARRAY[q.project_id])
                 WHERE q.status = 'pending' AND q.next_retry_at <= stamp
                 ORDER BY q.next_retry_at
                 LIMIT batch_limit
                   FOR UPDATE OF q SKIP LOCKED FOR NO KEY UPDATE OF p SKIP LOCKED) l
         ORDER BY l.project_id
    ), member AS (
        INSERT INTO public.project_advisors AS a
               (organization_id, project_id, advisor_id, status, role, added_by, assigned_at, created_at,
                workspace_granted_at, updated_at)
        SELECT j.organization_id, j.project_id, j.advisor_id, 'active', 'advisor', j.requested_by, stamp, stamp, stamp, stamp
          FROM j
        ON CONFLICT (project_id, advisor_id) DO UPDATE
           SET status = 'active', assigned_at = stamp, updated_at = stamp
         WHERE a.status <> 'active'
    ), session AS (
        INSERT INTO public.unified_chat_sessions AS s
               (id, session_id, organization_id, project_id, user_id, actor_type, session_state, preferred_locale,
                created_at, last_active)
        SELECT j.session, j.session::text, j.organization_id, j.project_id, j.advisor_id, 'advisor', 'active', j.locale,
               stamp, stamp
          FROM j
        ON CONFLICT (project_id, user_id) DO UPDATE
           SET session_state = 'active', last_active = stamp
         WHERE s.session_state <> 'active'
    ), number AS (
        INSERT INTO public.project_chat_seq AS x (project_id, last_seq)
        SELECT j.project_id, 1 FROM j WHERE j.unwelcomed
        ON CONFLICT (project_id) DO UPDATE SET last_seq = x.last_seq + 1
        RETURNING project_id, last_seq
    ), numbered AS MATERIALIZED (
        SELECT j.organization_id, j.project_id, j.match_id, j.advisor_id, n.last_seq
          FROM j FULL JOIN number n ON n.project_id = j.project_id
    ), message AS (
        INSERT INTO public.project_chat_log_minimal
               (organization_id, project_id, user_id, actor_type, message_type, mode, message_text, seq, client_msg_id,
                created_at, response_data)
        SELECT n.organization_id, n.project_id, NULL, 'system', 'system', 'plan',
               'Advisor has joined the workspace and is ready to help!', n.last_seq, n.match_id, stamp,
               jsonb_object(ARRAY['event_code', 'advisor_joined', 'advisor_id', n.advisor_id::text,
                                  'match_id', n.match_id::text, 'timestamp', moment])
          FROM numbered n WHERE n.last_seq IS NOT NULL
    ), completed AS (
        UPDATE public.workspace_provisioning_queue q
           SET status = 'completed', completed_at = stamp, updated_at = stamp, locked_at = NULL, locked_by = NULL
         WHERE q.id = ANY (ARRAY(SELECT j.id FROM j))
    )
    SELECT count(*) INTO done FROM j;
    RETURN done;
END $$;
GRANT EXECUTE ON FUNCTION bench.floor_batch(text, int) TO steward_worker;

CREATE FUNCTION bench.drop_keys() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    k record;
BEGIN
    FOR k IN SELECT conrelid::regclass AS source, conname FROM pg_constraint WHERE contype = 'f' AND connamespace = 'public'::regnamespace
    LOOP
        EXECUTE format('ALTER TABLE %s DROP CONSTRAINT %I', k.source, k.conname);
    END LOOP;
END $$;

-- One job in `every` cannot be done.  Foreseeable: somebody else has become the
-- project's advisor.  Unforeseeable: a CHECK that only the write itself meets.
CREATE FUNCTION bench.poison(every int, kind text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    bad_advisor uuid;
BEGIN
    INSERT INTO auth.users (email) VALUES ('poison@bench.example') RETURNING id INTO bad_advisor;
    IF kind = 'advisor' THEN
        INSERT INTO public.project_advisors (project_id, advisor_id, status, added_by)
        SELECT project_id, bad_advisor, 'active', requested_by
          FROM (SELECT q.*, row_number() OVER (ORDER BY next_retry_at) AS n
                  FROM public.workspace_provisioning_queue q WHERE status = 'pending') waiting
         WHERE n % every = every / 2;
    ELSE
        UPDATE public.projects p SET owner_id = bad_advisor
          FROM (SELECT q.project_id, row_number() OVER (ORDER BY next_retry_at) AS n
                  FROM public.workspace_provisioning_queue q WHERE status = 'pending') waiting
         WHERE p.id = waiting.project_id AND n % every = every / 2;
        INSERT INTO public.user_preferences (user_id, preferred_locale) VALUES (bad_advisor, 'poison');
        ALTER TABLE public.unified_chat_sessions ADD CONSTRAINT bench_poison
            CHECK (preferred_locale <> 'poison');
    END IF;
END $$;

-- Jobs a second from the first to the last moment that any was written in; those
-- of the last moment lie outside.  The clock is the start of their transactions.
CREATE FUNCTION bench.rate(since timestamptz, source text) RETURNS numeric LANGUAGE plpgsql AS $$
DECLARE
    result numeric;
BEGIN
    EXECUTE format('SELECT count(*) FILTER (WHERE t < last) / NULLIF(extract(epoch FROM max(last) - min(t)), 0)
                      FROM (SELECT t, max(t) OVER () AS last FROM %s) moments',
        CASE source
            WHEN 'queue' THEN format('(SELECT completed_at AS t FROM public.workspace_provisioning_queue
                                        WHERE status = ''completed'' AND completed_at > %L) x', since)
            WHEN 'event' THEN format('(SELECT created_at AS t FROM steward.event
                                        WHERE name = ''advisor.workspace_ready'' AND created_at > %L) x', since)
        END) INTO result;
    RETURN result;
END $$;
