-- The engine's own tables: what happened (event), what was run (job_run), and
-- what is switched on for whom (feature_flag).

-- No foreign key: it would cost a quarter of what an event costs, and an event
-- outlives its project for as long as retention says.
CREATE TABLE steward.event (
    organization_id uuid        NOT NULL,
    project_id      uuid        NOT NULL,
    seq             bigint      NOT NULL,
    name            text        NOT NULL,
    data            jsonb       NOT NULL,
    recipient_id    uuid,
    created_at      timestamptz NOT NULL DEFAULT steward.now(),
    PRIMARY KEY (project_id, seq)
);
CREATE INDEX idx_event_created ON steward.event USING brin (created_at) WITH (pages_per_range = 16);
COMMENT ON TABLE steward.event IS 'what happened in a project; a reader resumes after any (project_id, seq)';
COMMENT ON COLUMN steward.event.seq IS 'position within the project, without gaps, visible in the order of commits';
COMMENT ON COLUMN steward.event.recipient_id IS 'the one person it is for; NULL for everybody in the project';
COMMENT ON INDEX steward.idx_event_created IS 'finds what retention removes at almost no cost to the writer';
SELECT steward.protect('steward.event');
CREATE POLICY member ON steward.event FOR SELECT TO authenticated
    USING (recipient_id = (SELECT auth.uid())
           OR (recipient_id IS NULL AND project_id = ANY ((SELECT steward.member_projects())::uuid[])));
COMMENT ON POLICY member ON steward.event IS 'the project''s people see its events, and everybody what is for them';
GRANT SELECT ON steward.event TO authenticated;

CREATE FUNCTION steward.event_append(project uuid, organization uuid, event_name text, payload jsonb, recipient uuid DEFAULT NULL)
    RETURNS bigint LANGUAGE sql AS $$
    WITH n AS (
        INSERT INTO public.project_chat_seq AS x (project_id, last_event_seq) VALUES (project, 1)
        ON CONFLICT (project_id) DO UPDATE SET last_event_seq = x.last_event_seq + 1
        RETURNING last_event_seq)
    INSERT INTO steward.event (organization_id, project_id, seq, name, data, recipient_id)
    SELECT organization, project, n.last_event_seq, event_name, payload || jsonb_build_object('seq', n.last_event_seq), recipient
      FROM n
    RETURNING seq
$$;
COMMENT ON FUNCTION steward.event_append(uuid, uuid, text, jsonb, uuid) IS
    'writes one event with the project''s next number, also into its data; set-wise code takes numbers by itself';

CREATE TABLE steward.job_run (
    id           uuid        PRIMARY KEY DEFAULT gen_random_uuid(),
    job          text        NOT NULL,
    scheduled_at timestamptz NOT NULL,
    started_at   timestamptz,
    finished_at  timestamptz,
    status       text        NOT NULL
        CONSTRAINT job_run_status_check CHECK (status IN ('running', 'completed', 'failed', 'skipped')),
    worker       text,
    manual       boolean     NOT NULL DEFAULT false,
    rows         bigint,
    message      text,
    error        text,
    detail       jsonb       NOT NULL DEFAULT '{}',
    claimed_at   timestamptz,
    created_at   timestamptz NOT NULL DEFAULT steward.now(),
    CONSTRAINT job_run_slot_key UNIQUE (job, scheduled_at)
);
CREATE INDEX idx_job_run_created ON steward.job_run (created_at);
CREATE INDEX idx_job_run_running ON steward.job_run (job) WHERE status = 'running';
COMMENT ON TABLE steward.job_run IS 'one row per slot of a schedule and per finished attempt that a queue no longer shows';
COMMENT ON COLUMN steward.job_run.job IS 'the schedule''s name, or kind:id of the thing that was worked on';
COMMENT ON COLUMN steward.job_run.manual IS 'whether somebody asked for it; its slot is then that moment';
COMMENT ON COLUMN steward.job_run.rows IS 'how many rows the job says it has changed';
COMMENT ON COLUMN steward.job_run.claimed_at IS 'when a worker took the slot, by the clock that no test moves';
COMMENT ON CONSTRAINT job_run_slot_key ON steward.job_run IS 'a slot is claimed by inserting it, at most once on any number of nodes';
COMMENT ON INDEX steward.idx_job_run_created IS 'what retention removes';
COMMENT ON INDEX steward.idx_job_run_running IS 'the few that go on, or whose worker went away';

CREATE TABLE steward.feature_flag (
    name       text         PRIMARY KEY,
    enabled    boolean      NOT NULL DEFAULT false,
    percent    numeric(5,2) NOT NULL DEFAULT 100
        CONSTRAINT feature_flag_percent_check CHECK (percent BETWEEN 0 AND 100),
    updated_by text         NOT NULL DEFAULT session_user,
    updated_at timestamptz  NOT NULL DEFAULT steward.now(),
    created_at timestamptz  NOT NULL DEFAULT steward.now()
);
COMMENT ON TABLE steward.feature_flag IS 'what is switched on, and for how many of a hundred; a missing row is off';
CREATE TRIGGER feature_flag_updated_at BEFORE UPDATE ON steward.feature_flag
    FOR EACH ROW WHEN (NEW.updated_at IS NOT DISTINCT FROM OLD.updated_at) EXECUTE FUNCTION public.update_updated_at_column();
COMMENT ON TRIGGER feature_flag_updated_at ON steward.feature_flag IS 'stamps updated_at';

-- Ten thousand buckets hold hundredths of a percent.  An id keeps its bucket, so
-- raising the share only ever adds, and each flag shuffles the ids anew.
CREATE FUNCTION steward.rollout_bucket(flag text, id uuid) RETURNS int
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT (('x' || left(md5(flag || ':' || id::text), 8))::bit(32)::bigint % 10000)::int $$;
COMMENT ON FUNCTION steward.rollout_bucket(text, uuid) IS 'the bucket of an id under a flag, 0 to 9999';
GRANT EXECUTE ON FUNCTION steward.rollout_bucket(text, uuid) TO PUBLIC;

-- PL/pgSQL, whose plan lasts as long as the session: as a function in SQL it was
-- planned anew in every transaction that finalizes a match.
CREATE FUNCTION steward.flag_is_on(flag text, id uuid) RETURNS boolean
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN COALESCE((SELECT f.enabled AND (f.percent = 100 OR steward.rollout_bucket(flag, id) < f.percent * 100)
                       FROM steward.feature_flag f WHERE f.name = flag), false);
END $$;
COMMENT ON FUNCTION steward.flag_is_on(text, uuid) IS 'whether a flag is on for an id; false when there is no such flag';
GRANT EXECUTE ON FUNCTION steward.flag_is_on(text, uuid) TO steward_worker, authenticated, service_role;

CREATE FUNCTION steward.flag_set(name text, enabled boolean, percent numeric DEFAULT NULL, actor text DEFAULT NULL)
    RETURNS SETOF steward.feature_flag
    LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    UPDATE steward.feature_flag f
       SET enabled = $2, percent = COALESCE($3, f.percent), updated_by = COALESCE($4, session_user)
     WHERE f.name = $1
    RETURNING f.*
$$;
COMMENT ON FUNCTION steward.flag_set(text, boolean, numeric, text) IS
    'switches a flag and returns its row, none when there is no such flag; without a percentage the old one stays';
GRANT EXECUTE ON FUNCTION steward.flag_set(text, boolean, numeric, text) TO steward_worker;

CREATE FUNCTION steward.flag_list() RETURNS SETOF steward.feature_flag
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp
    AS $$ SELECT * FROM steward.feature_flag ORDER BY name $$;
COMMENT ON FUNCTION steward.flag_list() IS 'every flag, by name';
GRANT EXECUTE ON FUNCTION steward.flag_list() TO steward_worker;

SELECT steward.quarantine_restore('steward.event');
SELECT steward.quarantine_restore('steward.job_run');
SELECT steward.quarantine_restore('steward.feature_flag');
