-- What the provisioning worker calls.  One call is one transaction: the claim and
-- everything that the jobs promise are committed together or not at all, so a
-- killed worker leaves nothing behind.
--
-- Locks are always taken in the order queue, project, match, and within a table
-- by project: overlapping batches stay disjoint instead of deadlocking.

-- What the database or the schema says about itself rather than about a row.
-- No attempt is counted; the worker waits and says so.
CREATE FUNCTION steward.is_environment(code text) RETURNS boolean
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT left(code, 2) IN ('08', '28', '42', '53', '57', '58', 'XX') $$;
COMMENT ON FUNCTION steward.is_environment(text) IS 'whether a SQLSTATE is about the server or the schema, so that no job is to blame';

-- The settings of upkeep, and how far its sweep has come.
CREATE TABLE steward.upkeep (
    singleton       boolean     PRIMARY KEY DEFAULT true CONSTRAINT upkeep_singleton_check CHECK (singleton),
    event_days      int         NOT NULL DEFAULT 30,
    job_run_days    int         NOT NULL DEFAULT 30,
    completed_days  int         NOT NULL DEFAULT 90,
    batch           int         NOT NULL DEFAULT 1000,
    swept_until     timestamptz NOT NULL DEFAULT '-infinity',
    swept_until_id  uuid        NOT NULL DEFAULT '00000000-0000-0000-0000-000000000000',
    passed_events   int         NOT NULL DEFAULT 0,
    passed_job_runs int         NOT NULL DEFAULT 0,
    passed_jobs     int         NOT NULL DEFAULT 0,
    CONSTRAINT upkeep_positive_check CHECK (event_days > 0 AND job_run_days > 0 AND completed_days > 0 AND batch > 0)
);
COMMENT ON TABLE steward.upkeep IS 'how long things are kept, how much one round removes, and where the sweep goes on; one row';
COMMENT ON COLUMN steward.upkeep.swept_until IS 'finalized_at of the last match the sweep looked at; it starts over at the end';
COMMENT ON COLUMN steward.upkeep.passed_events IS 'how many old rows could not be removed and are passed over, until the end is reached';
COMMENT ON COLUMN steward.upkeep.passed_job_runs IS 'the same for steward.job_run';
COMMENT ON COLUMN steward.upkeep.passed_jobs IS 'the same for workspace_provisioning_queue';
INSERT INTO steward.upkeep DEFAULT VALUES;
DELETE FROM steward.upkeep WHERE EXISTS (SELECT FROM steward.quarantine WHERE source = 'steward.upkeep');
SELECT steward.quarantine_restore('steward.upkeep');

CREATE INDEX idx_outbox_alerts ON public.notification_outbox (created_at)
    WHERE notification_type = 'workspace_provisioning_failure' AND status IN ('pending', 'queued');
COMMENT ON INDEX public.idx_outbox_alerts IS 'failure alerts that no administrator has got yet; upkeep counts them';

-- Tells everybody whom a match that was put back concerns.  The people get a
-- code; the words of the database are for administrators only.
CREATE FUNCTION steward.match_tell(match uuid, advisor uuid, restored public.match_status, code text, reason text)
    RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    m              public.advisor_match_requests;
    client         uuid;
    present        uuid;    -- the advisor, unless he is just being deleted
    moment         text := steward.iso(steward.now());
    administrators int;
    recipient      uuid;
    content        jsonb;
BEGIN
    SELECT * INTO STRICT m FROM public.advisor_match_requests WHERE id = match;
    SELECT COALESCE(p.owner_id, m.requested_by) INTO client FROM public.projects p WHERE p.id = m.project_id;
    SELECT u.id INTO present FROM auth.users u WHERE u.id = advisor;

    IF restored = 'expired' THEN
        reason := reason || '; the match expired because another match of the project is open';
    END IF;

    INSERT INTO public.admin_matching_interventions
           (organization_id, project_id, admin_id, intervention_type, original_advisor_id, reason, automated_match_score,
            intervention_metadata)
    VALUES (m.organization_id, m.project_id, NULL, 'workspace_provisioning_failure', present, reason, m.match_score,
            jsonb_build_object('matchId', m.id, 'rollback', true, 'restoredStatus', restored, 'code', code));

    INSERT INTO public.notification_outbox
           (organization_id, match_request_id, recipient_id, notification_type, delivery_method, payload)
    SELECT m.organization_id, m.id, u.id, 'workspace_provisioning_failure', 'in_app',
           jsonb_build_object('matchId', m.id, 'projectId', m.project_id, 'reason', reason, 'timestamp', moment)
      FROM auth.users u WHERE u.raw_app_meta_data ->> 'role' = 'admin'
    ON CONFLICT DO NOTHING;
    SELECT count(*) INTO administrators FROM auth.users u WHERE u.raw_app_meta_data ->> 'role' = 'admin';

    content := jsonb_build_object('matchId', m.id, 'advisorId', advisor, 'projectId', m.project_id, 'timestamp', moment);
    FOREACH recipient IN ARRAY array_remove(ARRAY[client, present], NULL) LOOP
        PERFORM steward.event_append(m.project_id, m.organization_id, 'advisor.workspace_failed',
            content || jsonb_build_object('userId', 'system', 'status', restored, 'code', code,
                                          'administrators', administrators, 'content', content),
            recipient);
    END LOOP;
    PERFORM pg_notify('steward_event', '');
END $$;
COMMENT ON FUNCTION steward.match_tell(uuid, uuid, public.match_status, text, text) IS
    'one intervention, one alert per administrator, one advisor.workspace_failed event for client and advisor each';

CREATE FUNCTION steward.match_rollback(match uuid, code text, reason text) RETURNS public.match_status
    LANGUAGE plpgsql AS $$
DECLARE
    m      public.advisor_match_requests;
    target public.match_status;
BEGIN
    SELECT * INTO m FROM public.advisor_match_requests WHERE id = match AND status = 'finalized' FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN NULL;
    END IF;

    target := COALESCE(m.previous_status, 'matched');
    IF EXISTS (SELECT FROM public.advisor_match_requests o
                WHERE o.project_id = m.project_id AND o.id <> m.id AND o.status IN ('pending', 'matched')) THEN
        target := 'expired';
    END IF;
    BEGIN
        UPDATE public.advisor_match_requests SET status = target WHERE id = m.id;
    EXCEPTION WHEN unique_violation THEN
        -- Somebody opened a match after the look above.
        target := 'expired';
        UPDATE public.advisor_match_requests SET status = target WHERE id = m.id;
    END;
    PERFORM steward.match_tell(m.id, m.matched_advisor_id, target, code, reason);
    RETURN target;
END $$;
COMMENT ON FUNCTION steward.match_rollback(uuid, text, text) IS
    'puts a finalized match back and tells everybody; NULL and no write when it is not finalized (any more)';

-- A promise without an advisor cannot remain.  Deleting a user reaches a match
-- as an update to NULL by the foreign key, on every platform, so the rule hangs
-- there and not on a table of users that may not be ours.
CREATE FUNCTION steward.match_forsaken() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    NEW.previous_status := OLD.status;
    NEW.status := CASE WHEN EXISTS (
        SELECT FROM public.advisor_match_requests o
         WHERE o.project_id = NEW.project_id AND o.id <> NEW.id AND o.status IN ('pending', 'matched'))
        THEN 'expired' ELSE 'pending' END;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION steward.match_forsaken() IS 'sends a match whose advisor is gone back to pending, or to expired beside another open one';
CREATE TRIGGER match_forsaken BEFORE UPDATE OF matched_advisor_id ON public.advisor_match_requests
    FOR EACH ROW WHEN (NEW.matched_advisor_id IS NULL
                       AND NEW.status IN ('matched', 'client_approved', 'advisor_accepted', 'finalized'))
    EXECUTE FUNCTION steward.match_forsaken();
COMMENT ON TRIGGER match_forsaken ON public.advisor_match_requests IS 'an advisor who is deleted takes no promise along';

CREATE FUNCTION steward.match_forsaken_tell() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    UPDATE public.workspace_provisioning_queue q
       SET status = 'failed', locked_at = NULL, locked_by = NULL,
           last_error = 'advisor_gone: the advisor was deleted', last_error_at = steward.now()
     WHERE q.match_id = NEW.id AND q.status IN ('pending', 'processing', 'rollback_needed');
    PERFORM steward.match_tell(NEW.id, OLD.matched_advisor_id, NEW.status, 'advisor_gone', 'the advisor was deleted');
    RETURN NULL;
END $$;
COMMENT ON FUNCTION steward.match_forsaken_tell() IS 'ends the job of a finalized match whose advisor is gone, and tells everybody';
CREATE TRIGGER match_forsaken_tell AFTER UPDATE OF matched_advisor_id ON public.advisor_match_requests
    FOR EACH ROW WHEN (NEW.matched_advisor_id IS NULL AND OLD.status = 'finalized')
    EXECUTE FUNCTION steward.match_forsaken_tell();
COMMENT ON TRIGGER match_forsaken_tell ON public.advisor_match_requests IS 'somebody is told when a finalized match loses its advisor';

-- The end of a job that will not be tried again.  When even putting the match
-- back fails, the job waits as rollback_needed instead of blocking its batch.
CREATE FUNCTION steward.provision_give_up(job uuid, worker text, code text, reason text) RETURNS void
    LANGUAGE plpgsql AS $$
DECLARE
    q        public.workspace_provisioning_queue;
    restored public.match_status;
    problem  text;
    state    text;
BEGIN
    SELECT * INTO STRICT q FROM public.workspace_provisioning_queue WHERE id = job FOR NO KEY UPDATE;
    BEGIN
        restored := steward.match_rollback(q.match_id, code, reason);
        UPDATE public.workspace_provisioning_queue SET status = 'failed', locked_at = NULL, locked_by = NULL WHERE id = job;
        INSERT INTO steward.job_run (job, scheduled_at, finished_at, status, worker, error, detail)
        VALUES ('provisioning:' || q.match_id, q.created_at, steward.now(), 'failed', worker, q.last_error,
                to_jsonb(q) || jsonb_build_object('code', code, 'restoredStatus', restored))
        ON CONFLICT ON CONSTRAINT job_run_slot_key DO NOTHING;
        RETURN;
    EXCEPTION WHEN OTHERS OR ASSERT_FAILURE THEN
        GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, problem = MESSAGE_TEXT;
        IF steward.is_environment(state) THEN
            RAISE;
        END IF;
    END;
    UPDATE public.workspace_provisioning_queue
       SET status = 'rollback_needed', locked_at = NULL, locked_by = NULL,
           next_retry_at = steward.now() + interval '25 s' * (1 + random()),
           last_error = COALESCE(last_error, code || ': ' || reason),
           error_history = COALESCE(error_history, '[]') || jsonb_build_object(
               'rollback', true, 'error', problem, 'sqlstate', state, 'timestamp', steward.iso(steward.now()))
     WHERE id = job;
END $$;
COMMENT ON FUNCTION steward.provision_give_up(uuid, text, text, text) IS
    'puts the match back and ends the job as failed; as rollback_needed, to be tried again, when that is not possible';

-- Where in the effect an error arose.  A constraint names its table; a trigger
-- names only its function in the context, the innermost first, and the function
-- the tables it hangs on.
CREATE FUNCTION steward.error_place(source text, context text) RETURNS text
    LANGUAGE sql STABLE AS $$
    SELECT COALESCE(NULLIF(source, ''), (
        SELECT string_agg(DISTINCT c.relname, ', ' ORDER BY c.relname)
          FROM regexp_matches(context, '^PL/pgSQL function (.+\)) line ', 'gn') WITH ORDINALITY AS f(name, depth)
          JOIN pg_catalog.pg_proc p
            ON f.name[1] IN (quote_ident(p.proname) || '()', p.pronamespace::regnamespace || '.' || quote_ident(p.proname) || '()')
          JOIN pg_catalog.pg_trigger t ON t.tgfoid = p.oid
          JOIN pg_catalog.pg_class c ON c.oid = t.tgrelid
         GROUP BY f.depth ORDER BY f.depth LIMIT 1))
$$;
COMMENT ON FUNCTION steward.error_place(text, text) IS 'the table an error is about, of its TABLE_NAME and context; NULL when they do not tell';

-- One failed attempt.  SQLSTATE classes 22 and 23 are about the row and will be
-- the same next time; everything else may pass.
CREATE FUNCTION steward.provision_failed(job uuid, worker text, code text, problem text, may_pass boolean, place text DEFAULT NULL)
    RETURNS boolean
    LANGUAGE plpgsql AS $$
DECLARE
    stamp timestamptz := steward.now();
    q     public.workspace_provisioning_queue;
    again boolean;
BEGIN
    UPDATE public.workspace_provisioning_queue x
       SET attempt_count = LEAST(x.attempt_count + 1, x.max_attempts),
           status = 'pending', locked_at = NULL, locked_by = NULL,
           last_error = code || ': ' || problem, last_error_at = stamp,
           next_retry_at = stamp + (ARRAY[interval '1 s', '5 s', '25 s'])[LEAST(x.attempt_count + 1, 3)] * (1 + random()),
           error_history = COALESCE(x.error_history, '[]') || jsonb_build_object(
               'attempt', x.attempt_count + 1, 'error', problem, 'code', code, 'recoverable', may_pass, 'table', place,
               'worker', worker, 'timestamp', steward.iso(stamp))
     WHERE x.id = job
    RETURNING * INTO STRICT q;

    again := may_pass AND q.attempt_count < q.max_attempts;
    IF NOT again THEN
        PERFORM steward.provision_give_up(job, worker, code,
            CASE WHEN may_pass THEN format('workspace provisioning failed after %s attempts: %s', q.attempt_count, problem)
                 ELSE problem END);
    END IF;
    RETURN again;
END $$;
COMMENT ON FUNCTION steward.provision_failed(uuid, text, text, text, boolean, text) IS
    'counts a failed attempt; true when the job is tried again after its pause, false when it was given up';

-- A function that is not inlined: a statement sets up every call written in it,
-- also those that a share of all never makes.
CREATE FUNCTION steward.is_in_share(project uuid, share int) RETURNS boolean
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE
    AS $$ BEGIN RETURN steward.rollout_bucket('advisor_auto_provision', project) < share; END $$;
COMMENT ON FUNCTION steward.is_in_share(uuid, int) IS 'whether a project''s bucket is among those that the rollout has reached';

-- Claim and effect of up to that many jobs in one statement, because starting a
-- statement is most of what a lone job costs; for the same reason it holds no node
-- that only the odd job needs.  Odd jobs - not an ordinary finalized match of a
-- project that has an owner and no other advisor - are claimed, left alone and
-- handed back, to come again when they are judged.  A list of jobs narrows the
-- claim to them.
--
-- Two jobs of one project are refused where both would write: its number is drawn
-- once a statement.
--
-- What must never become a scan of a whole table is written so that the planner,
-- who knows neither how many jobs there are nor, on a new database, how much else,
-- has no choice: = ANY (ARRAY[..]) is neither hashed nor merged, a sub-select in
-- the select list stays a look-up, and where the primary key is meant, no
-- condition implies a partial index.
CREATE FUNCTION steward.provision_apply(jobs uuid[], most int, share int, judged boolean,
                                        OUT claimed int, OUT completed int, OUT odd uuid[])
    LANGUAGE plpgsql AS $$
DECLARE
    stamp  timestamptz := steward.now();
    moment text := steward.iso(stamp);
    oldest timestamptz := '-infinity';
    newest timestamptz := stamp;
BEGIN
    -- The index of ready jobs keeps every job that was done since the last vacuum;
    -- listed ones are not looked for in front of the first of them.
    IF jobs IS NOT NULL THEN
        SELECT min(q.next_retry_at), LEAST(max(q.next_retry_at), stamp) INTO oldest, newest
          FROM public.workspace_provisioning_queue q WHERE q.id = ANY (jobs);
    END IF;

    WITH j AS MATERIALIZED (
        SELECT l.*, gen_random_uuid() AS session,
               COALESCE((SELECT u.preferred_locale FROM public.user_preferences u WHERE u.user_id = l.owner_id), 'en') AS locale,
               (SELECT m.id FROM public.project_chat_log_minimal m
                 WHERE m.project_id = l.project_id AND m.client_msg_id = l.match_id) IS NULL AS unwelcomed,
               judged OR l.owner_id IS NOT NULL
               AND (SELECT r.status = 'finalized' AND r.matched_advisor_id = l.advisor_id
                      FROM public.advisor_match_requests r WHERE r.id = l.match_id) IS TRUE
               AND (SELECT a.advisor_id FROM public.project_advisors a
                     WHERE a.project_id = l.project_id AND a.status <> ALL ('{invited, inactive, removed}')
                       AND a.advisor_id <> l.advisor_id) IS NULL AS ordinary
          FROM (SELECT q.id, q.organization_id, q.match_id, q.project_id, q.advisor_id, q.requested_by, p.owner_id
                  FROM public.workspace_provisioning_queue q JOIN public.projects p ON p.id = ANY (ARRAY[q.project_id])
                 WHERE q.status = 'pending' AND q.next_retry_at >= oldest AND q.next_retry_at <= newest
                   AND (jobs IS NULL OR q.id = ANY (jobs))
                   AND (share = 10000 OR steward.is_in_share(q.project_id, share))
                 ORDER BY q.next_retry_at
                 LIMIT most
                   FOR UPDATE OF q SKIP LOCKED FOR NO KEY UPDATE OF p SKIP LOCKED) l
         ORDER BY l.project_id
    ), member AS (
        INSERT INTO public.project_advisors AS a
               (organization_id, project_id, advisor_id, status, role, added_by, assigned_at, created_at,
                workspace_granted_at, updated_at)
        SELECT j.organization_id, j.project_id, j.advisor_id, 'active', 'advisor', j.requested_by, stamp, stamp, stamp, stamp
          FROM j WHERE j.ordinary
        ON CONFLICT (project_id, advisor_id) DO UPDATE
           SET status = 'active', assigned_at = stamp, updated_at = stamp
         WHERE a.status <> 'active'
    ), session AS (
        INSERT INTO public.unified_chat_sessions AS s
               (id, session_id, organization_id, project_id, user_id, actor_type, session_state, preferred_locale,
                created_at, last_active)
        SELECT j.session, j.session::text, j.organization_id, j.project_id, j.advisor_id, 'advisor', 'active', j.locale,
               stamp, stamp
          FROM j WHERE j.ordinary
        ON CONFLICT (project_id, user_id) DO UPDATE
           SET session_state = 'active', last_active = stamp
         WHERE s.session_state <> 'active'
    ), number AS (
        -- Numbers are taken only for what will be written, or there would be gaps.
        INSERT INTO public.project_chat_seq AS x (project_id, last_seq, last_event_seq)
        SELECT j.project_id, 1, 1 FROM j WHERE j.ordinary AND j.unwelcomed
        ON CONFLICT (project_id) DO UPDATE
           SET last_seq = x.last_seq + 1, last_event_seq = x.last_event_seq + 1
        RETURNING project_id, last_seq, last_event_seq
    ), numbered AS MATERIALIZED (
        -- FULL, because it cannot be a nested loop, which a low estimate would make it.  All of j,
        -- so that two of a project come to the same number, which their messages cannot share.
        -- jsonb_object takes text as it is, where jsonb_build_object looks up the type of each value.
        SELECT j.organization_id, j.project_id, j.match_id, j.advisor_id, n.last_seq, n.last_event_seq,
               jsonb_object(ARRAY['matchId', j.match_id::text, 'advisorId', j.advisor_id::text,
                                  'projectId', j.project_id::text, 'timestamp', moment]) AS content
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
    ), event AS (
        INSERT INTO steward.event (organization_id, project_id, seq, name, data, created_at)
        SELECT n.organization_id, n.project_id, n.last_event_seq, 'advisor.workspace_ready',
               n.content || jsonb_build_object('seq', n.last_event_seq, 'userId', 'system', 'content', n.content),
               stamp
          FROM numbered n WHERE n.last_seq IS NOT NULL
    ), completed AS (
        UPDATE public.workspace_provisioning_queue q
           SET status = 'completed', completed_at = stamp, updated_at = stamp, locked_at = NULL, locked_by = NULL
         WHERE q.id = ANY (ARRAY(SELECT j.id FROM j WHERE j.ordinary))
    )
    SELECT count(*), array_agg(j.id) FILTER (WHERE NOT j.ordinary)
      INTO claimed, odd
      FROM j;
    completed := claimed - COALESCE(cardinality(odd), 0);

    IF completed > 0 THEN
        PERFORM pg_notify('steward_event', '');
    END IF;
END $$;
COMMENT ON FUNCTION steward.provision_apply(uuid[], int, int, boolean) IS
    'claims ready jobs and does them: membership, session, welcome, event, completion; raises when one of them cannot be had';

-- The claim alone, for a batch that was refused: its jobs stay locked while they
-- are tried in parts.  Of a project the first is tried, the others come again.
CREATE FUNCTION steward.provision_claim(most int, share int, OUT claimed int, OUT jobs uuid[])
    LANGUAGE plpgsql AS $$
BEGIN
    WITH locked AS MATERIALIZED (
        SELECT q.id, q.project_id, q.next_retry_at, q.created_at
          FROM public.workspace_provisioning_queue q JOIN public.projects p ON p.id = ANY (ARRAY[q.project_id])
         WHERE q.status = 'pending' AND q.next_retry_at <= steward.now()
           AND (share = 10000 OR steward.is_in_share(q.project_id, share))
         ORDER BY q.next_retry_at
         LIMIT most
           FOR UPDATE OF q SKIP LOCKED FOR NO KEY UPDATE OF p SKIP LOCKED
    )
    SELECT (SELECT count(*) FROM locked), array_agg(c.id ORDER BY c.project_id)
      INTO claimed, jobs
      FROM (SELECT DISTINCT ON (l.project_id) l.id, l.project_id
              FROM locked l ORDER BY l.project_id, l.next_retry_at, l.created_at) c;
END $$;
COMMENT ON FUNCTION steward.provision_claim(int, int) IS
    'locks ready jobs; how many, and the one of each project that comes first';

-- Jobs that are claimed already, as one; when they are refused, in parts, until the
-- poison is alone.
--
-- Two seconds into a call nobody is waited for any more, or many held rows would
-- keep the neighbours from being committed.  Who is then found held was not given
-- his time: he is put off beyond the end of the call, not counted, and so stands
-- in front of nobody.
CREATE FUNCTION steward.provision_try(jobs uuid[], share int, judged boolean, worker text,
                                      OUT completed int, OUT retried int, OUT rolled_back int)
    LANGUAGE plpgsql AS $$
DECLARE
    odd     uuid[];
    state   text;
    problem text;
    source  text;
    context text;
    hurried boolean;
    part    record;
BEGIN
    retried := 0;
    rolled_back := 0;
    BEGIN
        IF judged THEN
            UPDATE public.project_advisors a SET status = 'removed', updated_at = steward.now()
              FROM public.workspace_provisioning_queue q
             WHERE q.id = ANY (jobs) AND a.project_id = ANY (ARRAY[q.project_id]) AND a.advisor_id <> q.advisor_id
               AND a.status <> ALL ('{invited, inactive, removed}');
        END IF;
        part := steward.provision_apply(jobs, cardinality(jobs), share, judged);
        completed := part.completed;
        odd := part.odd;
    EXCEPTION WHEN OTHERS OR ASSERT_FAILURE THEN
        GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, problem = MESSAGE_TEXT, source = TABLE_NAME,
            context = PG_EXCEPTION_CONTEXT;
        IF steward.is_environment(state) THEN
            RAISE;
        END IF;
    END;

    IF state IS NULL THEN
        IF odd IS NOT NULL THEN
            part := steward.provision_odd(odd, share, worker);
            completed := completed + part.completed;
            retried := part.retried;
            rolled_back := part.rolled_back;
        END IF;
        RETURN;
    END IF;

    completed := 0;
    hurried := state = '55P03' AND current_setting('lock_timeout') = '1ms';
    IF state = '55P03' AND clock_timestamp() > statement_timestamp() + interval '2 s' THEN
        PERFORM set_config('lock_timeout', '1ms', true);
    END IF;
    IF cardinality(jobs) > 1 THEN
        part := steward.provision_split(jobs, share, judged, worker);
        completed := part.completed;
        retried := part.retried;
        rolled_back := part.rolled_back;
    ELSIF hurried THEN
        UPDATE public.workspace_provisioning_queue q
           SET next_retry_at = steward.now() + interval '5 s' * (1 + random()),
               last_error = state || ': ' || problem, last_error_at = steward.now()
         WHERE q.id = jobs[1];
    ELSIF steward.provision_failed(jobs[1], worker, state, problem, left(state, 2) NOT IN ('22', '23'),
                                   steward.error_place(source, context)) THEN
        retried := 1;
    ELSE
        rolled_back := 1;
    END IF;
END $$;
COMMENT ON FUNCTION steward.provision_try(uuid[], int, boolean, text) IS
    'provision_apply for claimed jobs that leaves only those behind that cannot be done';

-- Eighths rather than halves: the work that is thrown away is a quarter more than
-- the batch instead of twice it, and a lock that somebody holds is waited for four
-- times instead of nine.
CREATE FUNCTION steward.provision_split(jobs uuid[], share int, judged boolean, worker text,
                                        OUT completed int, OUT retried int, OUT rolled_back int)
    LANGUAGE plpgsql AS $$
DECLARE
    size int := (cardinality(jobs) + 7) / 8;
    part record;
BEGIN
    completed := 0;
    retried := 0;
    rolled_back := 0;
    FOR i IN 1 .. cardinality(jobs) BY size LOOP
        part := steward.provision_try(jobs[i:i + size - 1], share, judged, worker);
        completed := completed + part.completed;
        retried := retried + part.retried;
        rolled_back := rolled_back + part.rolled_back;
    END LOOP;
END $$;
COMMENT ON FUNCTION steward.provision_split(uuid[], int, boolean, text) IS 'tries jobs that were refused together in parts';

CREATE FUNCTION steward.provision_odd(jobs uuid[], share int, worker text,
                                      OUT completed int, OUT retried int, OUT rolled_back int)
    LANGUAGE plpgsql AS $$
DECLARE
    ready     uuid[];
    hopeless  uuid[];
    obstacles text[];
    part      record;
BEGIN
    completed := 0;
    retried := 0;
    rolled_back := 0;
    WITH judged AS (
        -- Of a project the first; the others come again.
        -- The LIMITs keep these look-ups from being joined any other way, and the
        -- OFFSET keeps the maximum from being looked for among all finalized matches.
        SELECT DISTINCT ON (q.project_id) q.id, q.project_id,
               CASE WHEN p.owner_id IS NULL THEN 'owner_missing'
                    -- A job that was written by hand for a match nobody finalized yet is its writer's business.
                    WHEN m.status <> 'finalized' AND m.finalized_at IS NOT NULL THEN 'match_changed'
                    WHEN m.status = 'finalized' AND m.matched_advisor_id IS DISTINCT FROM q.advisor_id THEN 'match_changed'
                    WHEN o.since > COALESCE(m.finalized_at, q.created_at) THEN 'advisor_conflict'
               END AS obstacle
          FROM public.workspace_provisioning_queue q
          JOIN public.projects p ON p.id = ANY (ARRAY[q.project_id])
          CROSS JOIN LATERAL (
               SELECT r.status, r.finalized_at, r.matched_advisor_id
                 FROM public.advisor_match_requests r WHERE r.id = q.match_id LIMIT 1) m
          LEFT JOIN LATERAL (
               SELECT COALESCE((SELECT max(e.finalized_at)
                                  FROM (SELECT f.finalized_at FROM public.advisor_match_requests f
                                         WHERE f.project_id = a.project_id AND f.status::text = 'finalized'
                                           AND f.matched_advisor_id = a.advisor_id OFFSET 0) e),
                               a.assigned_at) AS since
                 FROM public.project_advisors a
                WHERE a.project_id = q.project_id AND a.status <> ALL ('{invited, inactive, removed}')
                  AND a.advisor_id <> q.advisor_id
                LIMIT 1) o ON true
         WHERE q.id = ANY (jobs)
         ORDER BY q.project_id, q.next_retry_at, q.created_at
    )
    SELECT array_agg(g.id ORDER BY g.project_id) FILTER (WHERE g.obstacle IS NULL),
           array_agg(g.id ORDER BY g.project_id) FILTER (WHERE g.obstacle IS NOT NULL),
           array_agg(g.obstacle ORDER BY g.project_id) FILTER (WHERE g.obstacle IS NOT NULL)
      INTO ready, hopeless, obstacles
      FROM judged g;

    IF ready IS NOT NULL THEN
        part := steward.provision_try(ready, share, true, worker);
        completed := part.completed;
        retried := part.retried;
        rolled_back := part.rolled_back;
    END IF;
    FOR i IN 1 .. COALESCE(cardinality(hopeless), 0) LOOP
        PERFORM steward.provision_failed(hopeless[i], worker, obstacles[i], CASE obstacles[i]
            WHEN 'owner_missing'    THEN 'the project has no owner'
            WHEN 'match_changed'    THEN 'the match is no longer finalized with this advisor'
            WHEN 'advisor_conflict' THEN 'another advisor has become active in the project since'
            END, false);
        rolled_back := rolled_back + 1;
    END LOOP;
END $$;
COMMENT ON FUNCTION steward.provision_odd(uuid[], int, text) IS
    'judges jobs that are not ordinary: those that replace an advisor or were written by hand are done, the others given up';

-- What other clients of the table left: locks nobody holds any more, and jobs
-- whose match still has to be put back.
CREATE FUNCTION steward.provision_reap(worker text, older interval, most int) RETURNS int
    LANGUAGE plpgsql AS $$
DECLARE
    q      record;
    reaped int := 0;
BEGIN
    FOR q IN SELECT x.id, x.locked_by FROM public.workspace_provisioning_queue x
              WHERE x.status = 'processing' AND x.locked_at < steward.now() - older
              ORDER BY x.locked_at LIMIT most FOR NO KEY UPDATE SKIP LOCKED
    LOOP
        PERFORM steward.provision_failed(q.id, worker, 'stale_lock', format('%s held the job and did not finish it', q.locked_by), true);
        reaped := reaped + 1;
    END LOOP;
    FOR q IN SELECT x.id, x.last_error FROM public.workspace_provisioning_queue x
              WHERE x.status = 'rollback_needed' AND x.next_retry_at <= steward.now()
              ORDER BY x.updated_at LIMIT most FOR NO KEY UPDATE SKIP LOCKED
    LOOP
        PERFORM steward.provision_give_up(q.id, worker, 'rollback_needed', COALESCE(q.last_error, 'a rollback was asked for'));
        reaped := reaped + 1;
    END LOOP;
    RETURN reaped;
END $$;
COMMENT ON FUNCTION steward.provision_reap(text, interval, int) IS
    'counts an attempt for every lock older than that and finishes rollbacks that were left; returns how many';

-- The planner is told what it cannot know: few rows, always by index and in its
-- order, for a bitmap of all that is ready would defeat the limit.  Planning anew
-- at each call would cost more than a small batch itself.  What is called from
-- here has no SET of its own, and would pay for it.
--
-- Who looks ahead is told when the next job is due.  Who need not, because what it
-- was told still holds, does its jobs without that question, which somebody waits
-- for; what it may have missed meanwhile it asks for a second later.
CREATE FUNCTION steward.provision_batch(worker text, batch_limit int, looks_ahead boolean DEFAULT true)
    RETURNS TABLE (claimed int, completed int, retried int, rolled_back int, next_due_ms bigint, reaped int)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET enable_bitmapscan = off
    SET lock_timeout = '200ms'
    AS $$
DECLARE
    share int;            -- the buckets below it are on
    most  int;
    taken int;
    held  int := 0;
    rest  uuid[];         -- what was not done with the others
    refused boolean := false;
    part  record;
    -- Kept, because the clock written out is five calls wherever a statement reads it.
    stamp     timestamptz;
    stale     timestamptz;
    left_over boolean;
    due       timestamptz;
BEGIN
    claimed := 0; completed := 0; retried := 0; rolled_back := 0; reaped := 0;
    batch_limit := GREATEST(batch_limit, 1);

    SELECT (f.percent * 100)::int INTO share
      FROM steward.feature_flag f WHERE f.name = 'advisor_auto_provision' AND f.enabled;
    IF COALESCE(share, 0) = 0 THEN
        RETURN NEXT;
        RETURN;
    END IF;

    -- A hundred at a time: more gains nothing, and a poison throws less away.
    LOOP
        most := LEAST(batch_limit - held, 100);
        BEGIN
            part := steward.provision_apply(NULL, most, share, false);
            taken := part.claimed;
            completed := completed + part.completed;
            rest := part.odd;
        EXCEPTION WHEN OTHERS OR ASSERT_FAILURE THEN
            IF steward.is_environment(SQLSTATE) THEN
                RAISE;
            END IF;
            part := steward.provision_claim(most, share);
            taken := part.claimed;
            rest := part.jobs;
            refused := true;
        END;
        held := held + taken;
        IF rest IS NOT NULL THEN
            IF refused THEN
                part := steward.provision_split(rest, share, false, worker);
                refused := false;
            ELSE
                part := steward.provision_odd(rest, share, worker);
            END IF;
            completed := completed + part.completed;
            retried := retried + part.retried;
            rolled_back := rolled_back + part.rolled_back;
        END IF;
        EXIT WHEN taken < most OR held >= batch_limit;
    END LOOP;
    claimed := completed + retried + rolled_back;

    -- More may be ready when the batch was full or left some, as it does with a second
    -- one of a project.  The rest is then left to the next call, and what is stale to
    -- that or to upkeep.
    IF held >= batch_limit OR held > claimed THEN
        next_due_ms := 0;
        RETURN NEXT;
        RETURN;
    END IF;
    IF NOT looks_ahead AND completed = claimed AND claimed > 0 THEN
        next_due_ms := 1000;
        RETURN NEXT;
        RETURN;
    END IF;
    stamp := steward.now();
    stale := stamp - interval '2 minutes';
    SELECT EXISTS (SELECT FROM public.workspace_provisioning_queue q WHERE q.status = 'processing' AND q.locked_at < stale)
           OR EXISTS (SELECT FROM public.workspace_provisioning_queue q
                       WHERE q.status = 'rollback_needed' AND q.next_retry_at <= stamp),
           (SELECT q.next_retry_at FROM public.workspace_provisioning_queue q
             WHERE q.status = 'pending' AND q.next_retry_at > stamp
               AND (share = 10000 OR steward.is_in_share(q.project_id, share))
             ORDER BY q.next_retry_at LIMIT 1)
      INTO left_over, due;
    IF left_over THEN
        reaped := steward.provision_reap(worker, interval '2 minutes', batch_limit);
    END IF;
    -- What was reaped is due at a new moment, and somebody may have put a job off to infinity.
    IF reaped > 0 THEN
        next_due_ms := 0;
    ELSIF due IS NOT NULL THEN
        next_due_ms := ceil(extract(epoch FROM LEAST(due, stamp + interval '1 day') - stamp) * 1000);
    END IF;
    RETURN NEXT;
END $$;
COMMENT ON FUNCTION steward.provision_batch(text, int, boolean) IS
    'does up to that many ready jobs, of a project one at a time; claimed is how many were brought to an end of their attempt, next_due_ms when to call again: 0 when more are ready, NULL when none waits, a second when it did not look ahead';
GRANT EXECUTE ON FUNCTION steward.provision_batch(text, int, boolean) TO steward_worker;

-- Never provisioned: no job, no membership that came after an invitation, no welcome.
CREATE FUNCTION steward.match_unserved(m public.advisor_match_requests) RETURNS boolean
    LANGUAGE sql STABLE AS $$
    SELECT NOT EXISTS (SELECT FROM public.workspace_provisioning_queue q WHERE q.match_id = m.id)
       AND NOT EXISTS (SELECT FROM public.project_advisors a
                        WHERE a.project_id = m.project_id AND a.advisor_id = m.matched_advisor_id AND a.status <> 'invited')
       AND NOT EXISTS (SELECT FROM public.project_chat_log_minimal c
                        WHERE c.project_id = m.project_id AND c.client_msg_id = m.id)
       AND steward.flag_is_on('advisor_auto_provision', m.project_id)
$$;
COMMENT ON FUNCTION steward.match_unserved(public.advisor_match_requests) IS
    'whether a finalized match waits for a workspace that nobody queued, and the flag is on for it';

-- What another client's triggers and constraints refuse keeps only itself, and the
-- words of it go back to who asked.
CREATE FUNCTION steward.provision_forgotten(match uuid, OUT job uuid, OUT trouble text)
    LANGUAGE plpgsql AS $$
DECLARE
    state text;
BEGIN
    job := steward.provision_enqueue(match);
EXCEPTION WHEN OTHERS OR ASSERT_FAILURE THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, trouble = MESSAGE_TEXT;
    IF steward.is_environment(state) THEN
        RAISE;
    END IF;
    trouble := format('match %s could not be queued: %s', match, trouble);
END $$;
COMMENT ON FUNCTION steward.provision_forgotten(uuid) IS 'provision_enqueue for a match that was found without a job; trouble when that is refused';

CREATE FUNCTION steward.provision_forsaken(match uuid, OUT done boolean, OUT trouble text)
    LANGUAGE plpgsql AS $$
DECLARE
    state text;
BEGIN
    -- Setting the NULL again is what makes the trigger look.
    UPDATE public.advisor_match_requests SET matched_advisor_id = NULL WHERE id = match;
    done := true;
EXCEPTION WHEN OTHERS OR ASSERT_FAILURE THEN
    GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, trouble = MESSAGE_TEXT;
    IF steward.is_environment(state) THEN
        RAISE;
    END IF;
    done := false;
    trouble := format('match %s could not be put back: %s', match, trouble);
END $$;
COMMENT ON FUNCTION steward.provision_forsaken(uuid) IS 'puts a finalized match without an advisor back; trouble when that is refused';

CREATE FUNCTION steward.prune(source regclass, old tid[], OUT pruned int, OUT trouble text)
    LANGUAGE plpgsql AS $$
DECLARE
    size    int := (cardinality(old) + 7) / 8;
    first   int := 1;
    state   text;
    problem text;
    part    record;
BEGIN
    BEGIN
        EXECUTE format('DELETE FROM %s WHERE ctid = ANY ($1)', source) USING old;
        GET DIAGNOSTICS pruned = ROW_COUNT;
        -- What is checked at the end of the transaction is checked while it can be helped.
        SET CONSTRAINTS ALL IMMEDIATE;
        RETURN;
    EXCEPTION WHEN OTHERS OR ASSERT_FAILURE THEN
        GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, problem = MESSAGE_TEXT;
        IF steward.is_environment(state) THEN
            RAISE;
        END IF;
    END;
    pruned := 0;
    IF cardinality(old) = 1 THEN
        EXECUTE format($q$SELECT string_agg(format('%%s %%s', k.attname, to_jsonb(x) ->> k.attname), ' ' ORDER BY k.attnum)
                            FROM %s x, pg_index i JOIN pg_attribute k ON k.attrelid = i.indrelid AND k.attnum = ANY (i.indkey)
                           WHERE x.ctid = $1 AND i.indrelid = $2 AND i.indisprimary$q$, source)
           INTO trouble USING old[1], source;
        trouble := format('old rows of %s cannot be removed, as that of %s: %s', source, trouble, problem);
    END IF;
    WHILE cardinality(old) > 1 AND first <= cardinality(old) LOOP
        part := steward.prune(source, old[first:first + size - 1]);
        pruned := pruned + part.pruned;
        trouble := COALESCE(trouble, part.trouble);
        first := first + size;
    END LOOP;
END $$;
COMMENT ON FUNCTION steward.prune(regclass, tid[]) IS
    'deletes rows, in eighths where one of them cannot be deleted; how many went, and the first that did not, and why';

-- What cannot be removed keeps nothing behind it: the next round passes it over, until
-- the end is reached; then it is tried again.
CREATE FUNCTION steward.prune_old(source regclass, old text, before timestamptz, most int, rounds int,
                                  INOUT passed int, OUT pruned int, OUT trouble text)
    LANGUAGE plpgsql AS $$
DECLARE
    batch tid[];
    part  record;
BEGIN
    pruned := 0;
    FOR i IN 1 .. rounds LOOP
        EXECUTE format('SELECT ARRAY(SELECT x.ctid FROM %s x WHERE %s OFFSET $2 LIMIT $3)', source, old)
           INTO batch USING before, passed, most;
        part := steward.prune(source, batch);
        pruned := pruned + part.pruned;
        trouble := COALESCE(trouble, part.trouble);
        IF cardinality(batch) < most THEN
            passed := 0;
            EXIT;
        END IF;
        passed := passed + most - part.pruned;
    END LOOP;
END $$;
COMMENT ON FUNCTION steward.prune_old(regclass, text, timestamptz, int, int, int) IS
    'deletes that many rounds of rows, each of at most so many; old is the condition on x with $1 for before, and may order and lock; passed: how many the next round passes over';

CREATE FUNCTION steward.provision_upkeep(worker text)
    RETURNS TABLE (reaped int, swept int, pruned int, alerts_waiting int, more boolean, trouble text)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET enable_seqscan = off
    SET lock_timeout = '200ms'
    AS $$
DECLARE
    keep    steward.upkeep;
    seen    int := 0;
    visited record;
    part    record;
BEGIN
    reaped := 0; swept := 0; pruned := 0; more := false;
    SELECT count(*) INTO alerts_waiting FROM (
        SELECT FROM public.notification_outbox o
         WHERE o.notification_type = 'workspace_provisioning_failure' AND o.status IN ('pending', 'queued') LIMIT 1000) o;
    -- One node at a time is enough, and the others need not wait for it.
    IF NOT pg_try_advisory_xact_lock(hashtextextended('steward.provision_upkeep', 0)) THEN
        RETURN NEXT;
        RETURN;
    END IF;
    SELECT * INTO STRICT keep FROM steward.upkeep;

    reaped := steward.provision_reap(worker, interval '2 minutes', keep.batch);

    FOR visited IN
        SELECT f.id FROM public.advisor_match_requests f
         WHERE f.status = 'finalized' AND f.matched_advisor_id IS NULL
         LIMIT keep.batch FOR NO KEY UPDATE SKIP LOCKED
    LOOP
        part := steward.provision_forsaken(visited.id);
        swept := swept + part.done::int;
        trouble := COALESCE(trouble, part.trouble);
    END LOOP;

    FOR visited IN
        SELECT p.finalized_at, p.id,
               p.matched_advisor_id IS NOT NULL AND steward.match_unserved(p) AS unserved
          FROM public.advisor_match_requests p
         WHERE p.status = 'finalized' AND (p.finalized_at, p.id) > (keep.swept_until, keep.swept_until_id)
         ORDER BY p.finalized_at, p.id LIMIT keep.batch
    LOOP
        seen := seen + 1;
        IF visited.unserved THEN
            part := steward.provision_forgotten(visited.id);
            swept := swept + (part.job IS NOT NULL)::int;
            trouble := COALESCE(trouble, part.trouble);
        END IF;
    END LOOP;
    -- Few matches fit into one round, which then has nothing to remember.
    IF seen = keep.batch THEN
        UPDATE steward.upkeep SET swept_until = visited.finalized_at, swept_until_id = visited.id;
    ELSIF keep.swept_until <> '-infinity' THEN
        UPDATE steward.upkeep SET swept_until = DEFAULT, swept_until_id = DEFAULT;
    END IF;

    part := steward.prune_old('steward.event', 'x.created_at < $1',
        steward.now() - make_interval(days => keep.event_days), keep.batch, 1, keep.passed_events);
    keep.passed_events := part.passed;
    pruned := pruned + part.pruned;
    trouble := COALESCE(trouble, part.trouble);
    part := steward.prune_old('steward.job_run', 'x.created_at < $1 ORDER BY x.created_at',
        steward.now() - make_interval(days => keep.job_run_days), keep.batch, 1, keep.passed_job_runs);
    keep.passed_job_runs := part.passed;
    pruned := pruned + part.pruned;
    trouble := COALESCE(trouble, part.trouble);
    part := steward.prune_old('public.workspace_provisioning_queue', 'x.status = ''completed'' AND x.updated_at < $1 ORDER BY x.updated_at FOR UPDATE SKIP LOCKED',
        steward.now() - make_interval(days => keep.completed_days), keep.batch, 1, keep.passed_jobs);
    keep.passed_jobs := part.passed;
    pruned := pruned + part.pruned;
    trouble := COALESCE(trouble, part.trouble);
    UPDATE steward.upkeep u
       SET passed_events = keep.passed_events, passed_job_runs = keep.passed_job_runs, passed_jobs = keep.passed_jobs
     WHERE (u.passed_events, u.passed_job_runs, u.passed_jobs) <> (keep.passed_events, keep.passed_job_runs, keep.passed_jobs);
    more := GREATEST(reaped, swept, pruned) >= keep.batch;
    RETURN NEXT;
END $$;
COMMENT ON FUNCTION steward.provision_upkeep(text) IS
    'reaps old locks, queues finalized matches that were forgotten, puts back those without an advisor, removes what is too old; bounded.  more: there may be more of it; alerts_waiting: failure alerts that nobody delivered yet; trouble: the first thing it could not do';
GRANT EXECUTE ON FUNCTION steward.provision_upkeep(text) TO steward_worker;
