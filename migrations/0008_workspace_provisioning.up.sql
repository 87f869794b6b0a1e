-- Workspace provisioning: a match that reaches finalized leaves a job in the
-- same transaction.  What works the job off is the next migration.

-- System messages have no author.  Rows written under the old shape had to name
-- one; it is kept so that going down can put it back.
INSERT INTO steward.quarantine (source, content)
SELECT 'author of system messages', jsonb_build_object('id', id, 'user_id', user_id)
  FROM public.project_chat_log_minimal WHERE message_type = 'system';
ALTER TABLE public.project_chat_log_minimal ALTER COLUMN user_id DROP NOT NULL;
UPDATE public.project_chat_log_minimal SET user_id = NULL WHERE message_type = 'system';
ALTER TABLE public.project_chat_log_minimal
    DROP CONSTRAINT project_chat_log_minimal_actor_type_check,
    ADD CONSTRAINT project_chat_log_minimal_actor_type_check
        CHECK (actor_type = ANY ('{client, assistant, advisor, system}')),
    -- IS NOT DISTINCT FROM: a NULL message_type counts as not system, instead of passing unseen.
    ADD CONSTRAINT chk_system_user_id CHECK ((message_type IS NOT DISTINCT FROM 'system') = (user_id IS NULL));
COMMENT ON CONSTRAINT chk_system_user_id ON public.project_chat_log_minimal IS
    'system messages have no author, all others have one';
SELECT steward.quarantine_restore('public.project_chat_log_minimal', 'system messages');
UPDATE public.project_chat_log_minimal c SET parent_message_id = (q.content ->> 'parent_message_id')::bigint
  FROM steward.quarantine q
 WHERE q.source = 'answers to system messages' AND c.id = (q.content ->> 'id')::bigint
   AND EXISTS (SELECT FROM public.project_chat_log_minimal p WHERE p.id = (q.content ->> 'parent_message_id')::bigint);
DELETE FROM steward.quarantine WHERE source = 'answers to system messages';

ALTER TABLE public.advisor_match_requests ADD COLUMN previous_status public.match_status;
COMMENT ON COLUMN public.advisor_match_requests.previous_status IS 'the status before the last change; a rollback returns to it';

ALTER TABLE public.project_advisors ADD COLUMN updated_at timestamptz DEFAULT steward.now();
COMMENT ON COLUMN public.project_advisors.updated_at IS 'when the row last changed';

-- The matches did not change by this, so updated_at must not either.
ALTER TABLE public.advisor_match_requests DISABLE TRIGGER match_requests_updated_at;
UPDATE public.advisor_match_requests m SET previous_status = (q.content ->> 'previous_status')::public.match_status
  FROM steward.quarantine q
 WHERE q.source = 'previous_status of matches' AND m.id = (q.content ->> 'id')::uuid;
ALTER TABLE public.advisor_match_requests ENABLE TRIGGER match_requests_updated_at;
UPDATE public.project_advisors a SET updated_at = (q.content ->> 'updated_at')::timestamptz
  FROM steward.quarantine q
 WHERE q.source = 'updated_at of advisors' AND a.project_id = (q.content ->> 'project_id')::uuid
   AND a.advisor_id = (q.content ->> 'advisor_id')::uuid;
DELETE FROM steward.quarantine WHERE source IN ('previous_status of matches', 'updated_at of advisors');

CREATE TABLE public.workspace_provisioning_queue (
    id              uuid        PRIMARY KEY DEFAULT gen_random_uuid(),
    organization_id uuid        NOT NULL,
    match_id        uuid        NOT NULL REFERENCES public.advisor_match_requests ON DELETE CASCADE,
    project_id      uuid        NOT NULL,
    advisor_id      uuid        NOT NULL REFERENCES auth.users ON DELETE CASCADE,
    requested_by    uuid        NOT NULL REFERENCES auth.users ON DELETE CASCADE,
    status          text        NOT NULL
        CONSTRAINT workspace_provisioning_queue_status_check
        CHECK (status = ANY ('{pending, processing, completed, failed, rollback_needed}')),
    attempt_count   int         NOT NULL DEFAULT 0,
    max_attempts    int         NOT NULL DEFAULT 3,
    locked_at       timestamptz,
    locked_by       text,
    last_error      text,
    last_error_at   timestamptz,
    error_history   jsonb       DEFAULT '[]',
    created_at      timestamptz NOT NULL DEFAULT steward.now(),
    next_retry_at   timestamptz NOT NULL DEFAULT steward.now(),
    completed_at    timestamptz,
    updated_at      timestamptz DEFAULT steward.now(),
    CONSTRAINT ux_queue_match_id UNIQUE (match_id),
    CONSTRAINT chk_attempts_nonneg CHECK (attempt_count >= 0),
    CONSTRAINT chk_attempts_capped CHECK (attempt_count <= max_attempts),
    -- Short, because each statement parses them anew: one comparison instead of two.
    CONSTRAINT chk_max_attempts CHECK (max_attempts = ANY ('{1,2,3,4,5,6,7,8,9,10}')),
    CONSTRAINT chk_processing_lock CHECK (
        (status = 'processing') = ALL (ARRAY[locked_at IS NOT NULL, locked_by IS NOT NULL])),
    CONSTRAINT workspace_provisioning_queue_project_fkey FOREIGN KEY (organization_id, project_id)
        REFERENCES public.projects (organization_id, id) ON DELETE CASCADE
) WITH (
    -- A claim walks past every job that was done since the last vacuum of the index.
    autovacuum_vacuum_threshold = 10000, autovacuum_vacuum_scale_factor = 0.005, vacuum_index_cleanup = on
);
COMMENT ON TABLE public.workspace_provisioning_queue IS
    'one job per finalized match; steward claims and completes it in one transaction, so processing is only ever another client''s state';
COMMENT ON COLUMN public.workspace_provisioning_queue.error_history IS 'every failed attempt, also of earlier approvals';
COMMENT ON CONSTRAINT chk_processing_lock ON public.workspace_provisioning_queue IS 'a job is locked while it is processing and only then';
COMMENT ON CONSTRAINT ux_queue_match_id ON public.workspace_provisioning_queue IS 'one job per match; a new approval takes up the failed one';

-- Only the service reads it: row security would cost every claim, so it is off
-- and the grants are the fence.
ALTER TABLE public.workspace_provisioning_queue DISABLE ROW LEVEL SECURITY;
REVOKE ALL ON public.workspace_provisioning_queue FROM PUBLIC, anon, authenticated;
GRANT SELECT, INSERT, UPDATE, DELETE ON public.workspace_provisioning_queue TO service_role;

CREATE INDEX idx_queue_pending_ready ON public.workspace_provisioning_queue (next_retry_at) WHERE status = 'pending';
CREATE INDEX idx_queue_rollback ON public.workspace_provisioning_queue (updated_at) WHERE status = 'rollback_needed';
CREATE INDEX idx_queue_created ON public.workspace_provisioning_queue (created_at DESC);
CREATE INDEX idx_queue_match_id ON public.workspace_provisioning_queue (match_id) WHERE status = 'failed';
CREATE INDEX idx_queue_locked ON public.workspace_provisioning_queue (locked_at, locked_by) WHERE status = 'processing';
CREATE INDEX idx_queue_cleanup ON public.workspace_provisioning_queue (updated_at) WHERE status = 'completed';
COMMENT ON INDEX public.idx_queue_pending_ready IS 'the claim: waiting jobs by the moment they are due';
COMMENT ON INDEX public.idx_queue_rollback IS 'jobs whose match still has to be put back';
COMMENT ON INDEX public.idx_queue_created IS 'the last day, for operators';
COMMENT ON INDEX public.idx_queue_match_id IS 'the failed job of a match, which a new approval takes up; of the others the unique constraint knows';
COMMENT ON INDEX public.idx_queue_locked IS 'locks by age';
COMMENT ON INDEX public.idx_queue_cleanup IS 'completed jobs by age';

-- No condition on the trigger: each statement would read it anew, and nearly every
-- one that names the status changes it.
CREATE FUNCTION public.capture_prev_status() RETURNS trigger
    LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.status <> OLD.status THEN
        NEW.previous_status := OLD.status;
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION public.capture_prev_status() IS 'remembers the status a match had before this change';
CREATE TRIGGER trg_match_prev_status BEFORE UPDATE OF status ON public.advisor_match_requests
    FOR EACH ROW EXECUTE FUNCTION public.capture_prev_status();
COMMENT ON TRIGGER trg_match_prev_status ON public.advisor_match_requests IS 'stores the prior status';

-- Set-wise code stamps updated_at itself and then pays for no trigger call.
CREATE TRIGGER trg_queue_updated_at BEFORE UPDATE ON public.workspace_provisioning_queue
    FOR EACH ROW WHEN (NEW.updated_at IS NOT DISTINCT FROM OLD.updated_at) EXECUTE FUNCTION public.update_updated_at_column();
COMMENT ON TRIGGER trg_queue_updated_at ON public.workspace_provisioning_queue IS 'stamps updated_at';
CREATE TRIGGER trg_project_advisors_updated_at BEFORE UPDATE ON public.project_advisors
    FOR EACH ROW WHEN (NEW.updated_at IS NOT DISTINCT FROM OLD.updated_at) EXECUTE FUNCTION public.update_updated_at_column();
COMMENT ON TRIGGER trg_project_advisors_updated_at ON public.project_advisors IS 'stamps updated_at';
CREATE TRIGGER queue_organization BEFORE INSERT ON public.workspace_provisioning_queue
    FOR EACH ROW WHEN (NEW.organization_id IS NULL) EXECUTE FUNCTION steward.organization_from_project();
COMMENT ON TRIGGER queue_organization ON public.workspace_provisioning_queue IS 'fills organization_id where the client did not';

CREATE FUNCTION public.project_bucket(project uuid) RETURNS int
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT (('x' || right(md5(project::text), 8))::bit(32)::bigint % 10)::int $$;
COMMENT ON FUNCTION public.project_bucket(uuid) IS 'a project''s stable bucket, 0 to 9; rollouts use steward.rollout_bucket, which is finer';
GRANT EXECUTE ON FUNCTION public.project_bucket(uuid) TO PUBLIC;

-- A nudge, never the work itself: losing it costs one tick.
CREATE FUNCTION steward.nudge_provisioning() RETURNS trigger
    LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_notify('steward_provisioning', '');
    RETURN NULL;
END $$;
COMMENT ON FUNCTION steward.nudge_provisioning() IS 'tells the provisioning workers that there may be work; the same word twice in a transaction is sent once';

-- Per row and not per statement, because a transition table costs more than the
-- call.  A condition is read anew by each statement: that of a change keeps every
-- completed job from the call, a new job would only pay for one.
CREATE FUNCTION steward.nudge_due_job() RETURNS trigger
    LANGUAGE plpgsql AS $$
BEGIN
    IF NEW.status = 'pending' AND (TG_OP = 'INSERT' OR OLD.status <> 'pending' OR NEW.next_retry_at < OLD.next_retry_at) THEN
        PERFORM pg_notify('steward_provisioning', '');
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION steward.nudge_due_job() IS 'nudges for a job that is new, waits again or is due earlier';
CREATE TRIGGER queue_nudge_insert AFTER INSERT ON public.workspace_provisioning_queue
    FOR EACH ROW EXECUTE FUNCTION steward.nudge_due_job();
COMMENT ON TRIGGER queue_nudge_insert ON public.workspace_provisioning_queue IS 'wakes the workers, also for a job written by hand';
CREATE TRIGGER queue_nudge_update AFTER UPDATE ON public.workspace_provisioning_queue
    FOR EACH ROW WHEN (NEW.status = 'pending') EXECUTE FUNCTION steward.nudge_due_job();
COMMENT ON TRIGGER queue_nudge_update ON public.workspace_provisioning_queue IS 'wakes the workers when a job becomes pending or due earlier';
CREATE TRIGGER feature_flag_nudge AFTER INSERT OR UPDATE ON steward.feature_flag
    FOR EACH ROW WHEN (NEW.name = 'advisor_auto_provision' AND NEW.enabled) EXECUTE FUNCTION steward.nudge_provisioning();
COMMENT ON TRIGGER feature_flag_nudge ON steward.feature_flag IS 'jobs that rested while the flag was off continue at once';

-- Whatever removes a job that is not finished (its advisor, match or project was
-- deleted) leaves a trace of it.
CREATE FUNCTION steward.job_vanished() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO steward.job_run (job, scheduled_at, finished_at, status, error, detail)
    VALUES ('provisioning:' || OLD.match_id, OLD.created_at, steward.now(), 'failed',
            'the job was deleted before it was finished', to_jsonb(OLD))
    ON CONFLICT ON CONSTRAINT job_run_slot_key DO NOTHING;
    RETURN OLD;
END $$;
COMMENT ON FUNCTION steward.job_vanished() IS 'copies an unfinished job to job_run before it is deleted';
CREATE TRIGGER queue_vanished BEFORE DELETE ON public.workspace_provisioning_queue
    FOR EACH ROW WHEN (OLD.status IN ('pending', 'processing', 'rollback_needed')) EXECUTE FUNCTION steward.job_vanished();
COMMENT ON TRIGGER queue_vanished ON public.workspace_provisioning_queue IS 'an unfinished job never disappears without a trace';

-- A match has one job.  A later approval takes up the failed one with a fresh
-- count; a completed one stays, unless the match now promises another advisor.
CREATE FUNCTION steward.provision_enqueue(match uuid) RETURNS uuid
    LANGUAGE plpgsql AS $$
DECLARE
    m   record;
    job uuid;
BEGIN
    -- One look at what an earlier approval left, for most have nothing.
    SELECT r.id, r.organization_id, r.project_id, r.matched_advisor_id, r.requested_by,
           (SELECT c.id FROM public.project_chat_log_minimal c
             WHERE c.project_id = r.project_id AND c.client_msg_id = r.id) AS welcome,
           (SELECT q.id FROM public.workspace_provisioning_queue q WHERE q.match_id = r.id AND q.status = 'failed') AS failed
      INTO STRICT m FROM public.advisor_match_requests r WHERE r.id = match;

    -- The welcome is said once per match and advisor: that of an earlier advisor
    -- of this match must not count as the new one's.
    IF m.welcome IS NOT NULL THEN
        UPDATE public.project_chat_log_minimal SET client_msg_id = gen_random_uuid()
         WHERE id = m.welcome AND response_data ->> 'advisor_id' <> m.matched_advisor_id::text;
    END IF;

    IF m.failed IS NOT NULL THEN
        INSERT INTO steward.job_run (job, scheduled_at, finished_at, status, error, detail)
        SELECT 'provisioning:' || q.match_id, q.created_at, q.updated_at, 'failed', q.last_error, to_jsonb(q)
          FROM public.workspace_provisioning_queue q
         WHERE q.id = m.failed AND q.status = 'failed'
        ON CONFLICT ON CONSTRAINT job_run_slot_key DO NOTHING;
    END IF;

    INSERT INTO public.workspace_provisioning_queue AS q
           (organization_id, match_id, project_id, advisor_id, requested_by, status)
    VALUES (m.organization_id, m.id, m.project_id, m.matched_advisor_id, m.requested_by, 'pending')
    ON CONFLICT ON CONSTRAINT ux_queue_match_id DO UPDATE
       SET status = 'pending', advisor_id = EXCLUDED.advisor_id, requested_by = EXCLUDED.requested_by,
           attempt_count = 0, locked_at = NULL, locked_by = NULL, last_error = NULL, last_error_at = NULL,
           created_at = EXCLUDED.created_at, next_retry_at = EXCLUDED.next_retry_at, completed_at = NULL
     WHERE q.status = 'failed' OR q.advisor_id <> EXCLUDED.advisor_id
    RETURNING q.id INTO job;
    RETURN job;
END $$;
COMMENT ON FUNCTION steward.provision_enqueue(uuid) IS 'makes or renews the job of a match; NULL when the job it has still stands';

CREATE FUNCTION steward.match_finalized() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF OLD.status <> 'finalized' AND steward.flag_is_on('advisor_auto_provision', NEW.project_id) THEN
        PERFORM steward.provision_enqueue(NEW.id);
    END IF;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION steward.match_finalized() IS 'queues the workspace of a match where the flag is on for its project';
CREATE TRIGGER match_finalized AFTER UPDATE OF status ON public.advisor_match_requests
    FOR EACH ROW WHEN (NEW.status = 'finalized') EXECUTE FUNCTION steward.match_finalized();
COMMENT ON TRIGGER match_finalized ON public.advisor_match_requests IS 'finalized and queued in one transaction, whoever finalizes';

SELECT steward.quarantine_restore('public.workspace_provisioning_queue');
SELECT steward.quarantine_restore('steward.feature_flag');
INSERT INTO steward.feature_flag (name, enabled, percent, updated_by)
VALUES ('advisor_auto_provision', true, 100, 'migration') ON CONFLICT DO NOTHING;

-- Without statistics the one-statement batch is planned with scans of whole tables.
ANALYZE public.workspace_provisioning_queue;
ANALYZE public.project_chat_log_minimal;
ANALYZE public.advisor_match_requests;
ANALYZE public.project_advisors;
