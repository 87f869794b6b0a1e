-- The chat of a project: who takes part, what was said, and in which order.

CREATE TABLE public.unified_chat_sessions (
    id                       uuid         PRIMARY KEY DEFAULT gen_random_uuid(),
    organization_id          uuid         NOT NULL,
    project_id               uuid         NOT NULL,
    user_id                  uuid         NOT NULL,
    actor_type               text         NOT NULL DEFAULT 'client'
        CONSTRAINT unified_chat_sessions_actor_type_check CHECK (actor_type = ANY ('{client, assistant, advisor}')),
    session_state            text         NOT NULL DEFAULT 'active'
        CONSTRAINT unified_chat_sessions_state_check CHECK (session_state = ANY ('{active, closed}')),
    preferred_locale         text,
    session_id               varchar(255) NOT NULL DEFAULT gen_random_uuid()::text
        CONSTRAINT unified_chat_sessions_session_id_key UNIQUE,
    mode_transitions         int          NOT NULL DEFAULT 0,
    messages_in_plan_mode    int          NOT NULL DEFAULT 0,
    messages_in_build_mode   int          NOT NULL DEFAULT 0,
    plans_converted_to_builds int         NOT NULL DEFAULT 0,
    created_at               timestamptz  NOT NULL DEFAULT steward.now(),
    last_active              timestamptz  NOT NULL DEFAULT steward.now(),
    metadata                 jsonb        NOT NULL DEFAULT '{}',
    CONSTRAINT unified_chat_sessions_project_user_key UNIQUE (project_id, user_id)
);
CREATE INDEX idx_chat_sessions_user ON public.unified_chat_sessions (user_id);
COMMENT ON TABLE public.unified_chat_sessions IS 'who takes part in a project''s chat; one row per person and project';
COMMENT ON INDEX public.idx_chat_sessions_user IS 'a user''s sessions';

CREATE FUNCTION steward.touch_session() RETURNS trigger
    LANGUAGE plpgsql AS $$
BEGIN
    NEW.last_active := steward.now();
    RETURN NEW;
END $$;
COMMENT ON FUNCTION steward.touch_session() IS 'stamps last_active where the statement did not';
CREATE TRIGGER chat_sessions_last_active BEFORE UPDATE ON public.unified_chat_sessions
    FOR EACH ROW WHEN (NEW.last_active IS NOT DISTINCT FROM OLD.last_active) EXECUTE FUNCTION steward.touch_session();
COMMENT ON TRIGGER chat_sessions_last_active ON public.unified_chat_sessions IS 'stamps last_active';

-- No foreign keys: they would prove once more what the membership proves, beside
-- which steward, who holds the project's row, writes an advisor's session.  For
-- everybody else the trigger does what a key would, with the same lock.
CREATE FUNCTION steward.session_project() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    parent uuid;
BEGIN
    SELECT p.organization_id INTO parent FROM public.projects p WHERE p.id = NEW.project_id FOR KEY SHARE;
    NEW.organization_id := COALESCE(NEW.organization_id, parent);
    IF parent IS NULL OR NEW.organization_id <> parent THEN
        RAISE EXCEPTION 'organisation % has no project %', NEW.organization_id, NEW.project_id
            USING ERRCODE = 'foreign_key_violation';
    END IF;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION steward.session_project() IS 'fills organization_id from the project; refuses another one, and a project that is not there';
CREATE TRIGGER chat_sessions_project BEFORE INSERT OR UPDATE OF organization_id, project_id ON public.unified_chat_sessions
    FOR EACH ROW WHEN (current_user <> 'steward_owner') EXECUTE FUNCTION steward.session_project();
COMMENT ON TRIGGER chat_sessions_project ON public.unified_chat_sessions IS 'a session belongs to a project of its organisation';

-- Whoever is deleted reaches the session through the membership or through the
-- project, on every platform as a change of a table of ours.
CREATE FUNCTION steward.advisor_left() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    DELETE FROM public.unified_chat_sessions WHERE project_id = OLD.project_id AND user_id = OLD.advisor_id;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION steward.advisor_left() IS 'removes the session of an advisor whose membership is gone';
CREATE TRIGGER advisor_left AFTER DELETE ON public.project_advisors
    FOR EACH ROW EXECUTE FUNCTION steward.advisor_left();
COMMENT ON TRIGGER advisor_left ON public.project_advisors IS 'an advisor''s session goes with the membership';

CREATE FUNCTION steward.owner_left() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    DELETE FROM public.unified_chat_sessions WHERE project_id = OLD.id AND user_id = OLD.owner_id;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION steward.owner_left() IS 'removes the session of an owner who is gone';
CREATE TRIGGER owner_left AFTER UPDATE OF owner_id ON public.projects
    FOR EACH ROW WHEN (NEW.owner_id IS NULL AND OLD.owner_id IS NOT NULL) EXECUTE FUNCTION steward.owner_left();
COMMENT ON TRIGGER owner_left ON public.projects IS 'an owner''s session goes with the owner';

-- Both numbers of a project in one row: a batch takes them with one write, and
-- its row lock is what makes numbers visible in the order of commits.
CREATE TABLE public.project_chat_seq (
    project_id     uuid   PRIMARY KEY,
    last_seq       bigint NOT NULL DEFAULT 0,
    last_event_seq bigint NOT NULL DEFAULT 0
);
COMMENT ON TABLE public.project_chat_seq IS 'the last chat message number and the last event number of a project, both without gaps';

-- No foreign key: every message and event takes its numbers here, and whoever
-- writes one has proved the project already.
CREATE FUNCTION steward.project_forgotten() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    DELETE FROM public.project_chat_seq WHERE project_id = OLD.id;
    DELETE FROM public.unified_chat_sessions WHERE project_id = OLD.id;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION steward.project_forgotten() IS 'removes the numbers and the sessions of a project that is gone';
CREATE TRIGGER project_forgotten AFTER DELETE ON public.projects
    FOR EACH ROW EXECUTE FUNCTION steward.project_forgotten();
COMMENT ON TRIGGER project_forgotten ON public.projects IS 'the numbers and the sessions of a project go with it';

CREATE SEQUENCE public.project_timeline_seq;
COMMENT ON SEQUENCE public.project_timeline_seq IS 'one order over all projects'' messages';

CREATE TABLE public.project_chat_log_minimal (
    id                bigserial   PRIMARY KEY,
    organization_id   uuid        NOT NULL,
    project_id        uuid        NOT NULL,
    user_id           uuid        NOT NULL,
    session_id        text,
    build_id          text,
    version_id        text,
    mode              text        NOT NULL
        CONSTRAINT project_chat_log_minimal_mode_check CHECK (mode = ANY ('{plan, build}')),
    message_text      text        NOT NULL,
    message_type      text        NOT NULL DEFAULT 'user'
        CONSTRAINT project_chat_log_minimal_message_type_check
        CHECK (message_type = ANY ('{user, assistant, system, error, build_reference}')),
    created_at        timestamptz NOT NULL DEFAULT steward.now(),
    response_data     jsonb,
    seq               bigint      NOT NULL
        CONSTRAINT project_chat_log_minimal_seq_check CHECK (seq > 0),
    client_msg_id     uuid,
    actor_type        text        DEFAULT 'client'
        CONSTRAINT project_chat_log_minimal_actor_type_check CHECK (actor_type = ANY ('{client, assistant, advisor}')),
    parent_message_id bigint      REFERENCES public.project_chat_log_minimal ON DELETE SET NULL,
    timeline_seq      bigint      DEFAULT nextval('public.project_timeline_seq'),
    locale            varchar(10),
    language          varchar(5),
    is_visible        boolean     DEFAULT true,
    is_hidden         boolean     DEFAULT false,
    edited_at         timestamptz,
    is_deleted        boolean     DEFAULT false,
    visibility        text        DEFAULT 'public'
        CONSTRAINT project_chat_log_minimal_visibility_check CHECK (visibility = ANY ('{public, internal}')),
    CONSTRAINT project_chat_log_minimal_project_fkey FOREIGN KEY (organization_id, project_id)
        REFERENCES public.projects (organization_id, id) ON DELETE CASCADE
);
CREATE UNIQUE INDEX uniq_project_seq ON public.project_chat_log_minimal (project_id, seq);
CREATE UNIQUE INDEX uniq_client_msg ON public.project_chat_log_minimal (project_id, client_msg_id)
    WHERE client_msg_id IS NOT NULL;
CREATE INDEX idx_chat_log_parent ON public.project_chat_log_minimal (parent_message_id)
    WHERE parent_message_id IS NOT NULL;
COMMENT ON TABLE public.project_chat_log_minimal IS 'what was said in a project''s chat';
COMMENT ON COLUMN public.project_chat_log_minimal.seq IS 'position within the project, from 1, without gaps';
COMMENT ON COLUMN public.project_chat_log_minimal.client_msg_id IS 'the sender''s own id of the message: the same id twice is the same message';
COMMENT ON INDEX public.uniq_project_seq IS 'a project''s messages in order';
COMMENT ON INDEX public.uniq_client_msg IS 'a message that is sent twice is stored once';
COMMENT ON INDEX public.idx_chat_log_parent IS 'the answers to a message; without it deleting a project is quadratic';

-- In plpgsql, because a SQL function is planned again by every message.
CREATE FUNCTION public.next_project_chat_seq(project uuid) RETURNS bigint
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    taken bigint;
BEGIN
    INSERT INTO public.project_chat_seq AS x (project_id, last_seq) VALUES (project, 1)
    ON CONFLICT (project_id) DO UPDATE SET last_seq = x.last_seq + 1
    RETURNING x.last_seq INTO taken;
    RETURN taken;
END $$;
COMMENT ON FUNCTION public.next_project_chat_seq(uuid) IS 'takes the project''s next message number';

CREATE FUNCTION public.set_chat_seq() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    NEW.seq := public.next_project_chat_seq(NEW.project_id);
    RETURN NEW;
END $$;
COMMENT ON FUNCTION public.set_chat_seq() IS 'numbers a message; a number that a client brings along is not used';

-- Nobody but the definer functions is steward_owner, and those number whole
-- batches themselves.
CREATE TRIGGER trg_set_chat_seq BEFORE INSERT ON public.project_chat_log_minimal
    FOR EACH ROW WHEN (current_user <> 'steward_owner' OR NEW.seq IS NULL) EXECUTE FUNCTION public.set_chat_seq();
COMMENT ON TRIGGER trg_set_chat_seq ON public.project_chat_log_minimal IS 'numbers the message within its project';
CREATE TRIGGER chat_log_organization BEFORE INSERT ON public.project_chat_log_minimal
    FOR EACH ROW WHEN (NEW.organization_id IS NULL) EXECUTE FUNCTION steward.organization_from_project();
COMMENT ON TRIGGER chat_log_organization ON public.project_chat_log_minimal IS 'fills organization_id where the client did not';

SELECT steward.protect('public.unified_chat_sessions');
CREATE POLICY own ON public.unified_chat_sessions FOR SELECT TO authenticated USING (user_id = (SELECT auth.uid()));
COMMENT ON POLICY own ON public.unified_chat_sessions IS 'everybody sees the own sessions';
GRANT SELECT ON public.unified_chat_sessions TO authenticated;

SELECT steward.protect('public.project_chat_seq');

SELECT steward.protect('public.project_chat_log_minimal');
CREATE POLICY member ON public.project_chat_log_minimal FOR SELECT TO authenticated
    USING (project_id = ANY ((SELECT steward.member_projects())::uuid[])
           AND visibility = 'public' AND NOT COALESCE(is_deleted, false));
COMMENT ON POLICY member ON public.project_chat_log_minimal IS 'the project''s owner and active advisors read its public messages';
GRANT SELECT ON public.project_chat_log_minimal TO authenticated;
GRANT USAGE ON SEQUENCE public.project_timeline_seq, public.project_chat_log_minimal_id_seq TO service_role;

SELECT steward.quarantine_restore('public.unified_chat_sessions');
SELECT steward.quarantine_restore('public.project_chat_seq');
SELECT steward.quarantine_restore('public.project_chat_log_minimal');
SELECT setval('public.project_chat_log_minimal_id_seq', max(id)), setval('public.project_timeline_seq', max(timeline_seq))
  FROM public.project_chat_log_minimal HAVING max(id) IS NOT NULL;
