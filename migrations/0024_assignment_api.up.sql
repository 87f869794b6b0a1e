-- The assignment engine as the HTTP gateway calls it.  An operation api.x hands its
-- request to steward.api_call, which has steward.answer_x answer it.  What only reads
-- runs as the caller, so that row security decides; what writes is a definer function
-- that asks who is calling.  A user may call either directly, so it is the answer that
-- checks the request against the rows of steward.api_field, and reads nothing else.
--
-- A text with a NUL never arrives: jsonb itself refuses \u0000 (SQLSTATE 22P05) where
-- the request is turned into jsonb, before any function is called.

-- ---------------------------------------------------------------- what a request may say
CREATE TABLE steward.api_field (
    operation text    NOT NULL,
    place     int     NOT NULL,
    field     text    NOT NULL,
    kind      text    NOT NULL
        CONSTRAINT api_field_kind_check CHECK (kind IN ('text', 'uuid', 'word', 'words', 'names', 'number', 'size', 'flag', 'moment', 'until')),
    required  boolean NOT NULL DEFAULT false,
    low       int,
    high      int,
    words     text[],
    fallback  jsonb   NOT NULL DEFAULT 'null',
    wrong     text,
    code      text    NOT NULL DEFAULT 'INVALID_REQUEST_BODY',
    meaning   text    NOT NULL,
    PRIMARY KEY (operation, field)
);
COMMENT ON TABLE steward.api_field IS 'one row per field that an operation reads; everything else in a request is ignored';
COMMENT ON COLUMN steward.api_field.operation IS 'the function in schema api; * is every operation';
COMMENT ON COLUMN steward.api_field.place IS 'the order of checking; the first complaint is the answer';
COMMENT ON COLUMN steward.api_field.kind IS
    'text; uuid; word: one of words; words: some of words, also as one text with commas; names: a list of texts; number: an integer; '
    'size: a number that is capped at high; flag; moment: a date or an ISO 8601 date and time, in UTC unless it says otherwise, a date its first moment; until: the same, a date its last. '
    'Numbers and flags may be texts, as in a query string';
COMMENT ON COLUMN steward.api_field.low IS 'the shortest text, fewest elements, smallest number';
COMMENT ON COLUMN steward.api_field.high IS 'the longest text, most elements, largest number';
COMMENT ON COLUMN steward.api_field.fallback IS 'the value where the request has none or null';
COMMENT ON COLUMN steward.api_field.wrong IS 'what the complaint begins with';
COMMENT ON COLUMN steward.api_field.code IS 'the code of the complaint';
COMMENT ON COLUMN steward.api_field.meaning IS 'one line for whoever writes the request';
GRANT SELECT ON steward.api_field TO authenticated, service_role;

INSERT INTO steward.api_field (operation, place, field, kind, required, low, high, words, fallback, wrong, code, meaning)
SELECT f.operation, row_number() OVER (), f.field, f.kind, f.required, f.low, f.high,
       CASE f.of WHEN 'type' THEN enum_range(NULL::public.work_item_type)::text[]
                 WHEN 'priority' THEN enum_range(NULL::public.priority_level)::text[]
                 WHEN 'status' THEN enum_range(NULL::public.assignment_status)::text[]
                 WHEN 'availability' THEN enum_range(NULL::public.availability_status)::text[]
                 WHEN 'reason' THEN enum_range(NULL::public.escalation_reason)::text[]
                 ELSE string_to_array(f.of, ' ') END,
       COALESCE(f.fallback, 'null')::jsonb, f.wrong,
       CASE f.field WHEN 'work_item_type' THEN 'INVALID_WORK_ITEM_TYPE' ELSE 'INVALID_REQUEST_BODY' END, f.meaning
  FROM (VALUES
    ('*', 'organization_id', 'uuid', false, NULL::int, NULL::int, NULL, NULL, NULL, 'the organisation, for the trusted backend and for somebody who is staff of several; else the default one, if it is one of them'),
    ('*', 'correlation_id', 'text', false, 1, 128, NULL, NULL, NULL, 'comes back in the answer as correlationId'),

    ('assignments_auto_assign', 'work_item_id', 'text', true, 1, 255, NULL, NULL, NULL, 'the item''s name in the system it lives in'),
    ('assignments_auto_assign', 'work_item_type', 'word', true, NULL, NULL, 'type', NULL, 'Invalid work item type: ', 'what kind of thing it is'),
    ('assignments_auto_assign', 'required_skills', 'names', true, 1, 100, NULL, NULL, NULL, 'the skills it needs, by id or by name'),
    ('assignments_auto_assign', 'priority', 'word', true, NULL, NULL, 'priority', NULL, 'Invalid priority: ', 'how urgent it is'),
    ('assignments_auto_assign', 'target_unit_id', 'uuid', false, NULL, NULL, NULL, NULL, NULL, 'the unit that is preferred'),
    ('assignments_auto_assign', 'explain', 'flag', false, NULL, NULL, NULL, 'false', NULL, 'true: say who would get it and why, and write nothing'),

    ('assignments_manual_override', 'work_item_id', 'text', true, 1, 255, NULL, NULL, NULL, 'the item''s name in the system it lives in'),
    ('assignments_manual_override', 'work_item_type', 'word', true, NULL, NULL, 'type', NULL, 'Invalid work item type: ', 'what kind of thing it is'),
    ('assignments_manual_override', 'assignee_id', 'uuid', true, NULL, NULL, NULL, NULL, 'Invalid assignee_id: ', 'the user who gets it, whatever the limits say'),
    ('assignments_manual_override', 'override_reason', 'text', true, 10, 500, NULL, NULL, NULL, 'why; kept in the history'),
    ('assignments_manual_override', 'priority', 'word', false, NULL, NULL, 'priority', NULL, 'Invalid priority: ', 'how urgent it is; else as it was, else normal'),
    ('assignments_manual_override', 'required_skills', 'names', false, 1, 100, NULL, NULL, NULL, 'the skills it needs, by id or by name'),
    ('assignments_manual_override', 'reassign', 'flag', false, NULL, NULL, NULL, 'false', NULL, 'true: take it from whoever has it; who has it already keeps it, and its review is settled'),

    ('assignments_queue', 'priority', 'word', false, NULL, NULL, 'priority', NULL, 'Invalid priority: ', 'only these'),
    ('assignments_queue', 'work_item_type', 'word', false, NULL, NULL, 'type', NULL, 'Invalid work item type: ', 'only these'),
    ('assignments_queue', 'unit_id', 'uuid', false, NULL, NULL, NULL, NULL, NULL, 'only what waits for this unit'),
    ('assignments_queue', 'page', 'number', false, 1, 10000, NULL, '1', NULL, 'which page, from 1; pages far behind cost more, and a cursor does not'),
    ('assignments_queue', 'page_size', 'size', false, 1, 100, NULL, '50', NULL, 'how many items a page has'),
    ('assignments_queue', 'cursor', 'text', false, 1, 1000, NULL, NULL, NULL, 'the next_cursor of the page before, in place of page'),

    ('assignments_my_assignments', 'status', 'words', false, 1, 5, 'status', NULL, 'Invalid status: ', 'only these, whatever include_completed says'),
    ('assignments_my_assignments', 'include_completed', 'flag', false, NULL, NULL, NULL, 'false', NULL, 'true: also what is completed or cancelled'),
    ('assignments_my_assignments', 'limit', 'size', false, 1, 200, NULL, '100', NULL, 'how many'),
    ('assignments_my_assignments', 'offset', 'number', false, 0, 1000000, NULL, '0', NULL, 'how many of the first ones to leave out'),
    ('assignments_my_assignments', 'cursor', 'text', false, 1, 1000, NULL, NULL, NULL, 'the next_cursor of the page before, in place of offset'),

    ('assignments_escalate', 'assignment_id', 'uuid', true, NULL, NULL, NULL, NULL, NULL, 'the assignment'),
    ('assignments_escalate', 'reason', 'word', true, NULL, NULL, 'reason', NULL, 'Invalid escalation reason: ', 'why somebody else has to look'),
    ('assignments_escalate', 'notes', 'text', false, 0, 1000, NULL, NULL, NULL, 'for whoever has to look'),

    ('assignments_update_status', 'assignment_id', 'uuid', true, NULL, NULL, NULL, NULL, NULL, 'the assignment'),
    ('assignments_update_status', 'status', 'word', true, NULL, NULL, 'status', NULL, 'Invalid status: ', 'how far it has come'),
    ('assignments_update_status', 'version', 'number', false, 0, 999999999, NULL, NULL, NULL, 'the version that was read; 409 when somebody was faster'),

    ('escalations_acknowledge', 'escalation_id', 'uuid', true, NULL, NULL, NULL, NULL, NULL, 'the escalation'),
    ('escalations_acknowledge', 'resolve', 'flag', false, NULL, NULL, NULL, 'false', NULL, 'true: it is settled, not only seen'),
    ('escalations_acknowledge', 'notes', 'text', false, 0, 1000, NULL, NULL, NULL, 'what is done about it'),

    ('queue_escalate', 'queue_id', 'uuid', true, NULL, NULL, NULL, NULL, NULL, 'the item that waits'),
    ('queue_escalate', 'reason', 'word', false, NULL, NULL, 'capacity_exhaustion', '"capacity_exhaustion"', 'Invalid escalation reason: ', 'why somebody else has to look'),
    ('queue_escalate', 'notes', 'text', false, 0, 1000, NULL, NULL, NULL, 'for whoever has to look'),

    ('capacity_check', 'staff_id', 'uuid', false, NULL, NULL, NULL, NULL, NULL, 'a person, by user id; this or unit_id'),
    ('capacity_check', 'unit_id', 'uuid', false, NULL, NULL, NULL, NULL, NULL, 'a unit; this or staff_id'),

    ('staff_availability', 'staff_id', 'uuid', false, NULL, NULL, NULL, NULL, NULL, 'a person, by user id; else the caller'),
    ('staff_availability', 'status', 'word', true, NULL, NULL, 'availability', NULL, 'Invalid availability status: ', 'whether new work may come'),
    ('staff_availability', 'unavailable_until', 'moment', false, NULL, NULL, NULL, NULL, NULL, 'when somebody who is away is back; nobody has to set it back by hand'),
    ('staff_availability', 'reason', 'text', false, 0, 500, NULL, NULL, NULL, 'why'),

    ('escalations_report', 'start_date', 'moment', false, NULL, NULL, NULL, NULL, NULL, 'from when; 30 days before the end'),
    ('escalations_report', 'end_date', 'until', false, NULL, NULL, NULL, NULL, NULL, 'until when; else until now'),
    ('escalations_report', 'unit_id', 'uuid', false, NULL, NULL, NULL, NULL, NULL, 'only this unit''s'),
    ('escalations_report', 'assignee_id', 'uuid', false, NULL, NULL, NULL, NULL, NULL, 'only what was escalated from this user'),
    ('escalations_report', 'work_item_type', 'word', false, NULL, NULL, 'type', NULL, 'Invalid work item type: ', 'only these'),
    ('escalations_report', 'reason', 'word', false, NULL, NULL, 'reason', NULL, 'Invalid escalation reason: ', 'only these'),
    ('escalations_report', 'group_by', 'word', false, NULL, NULL, 'day week month', '"day"', NULL, 'how wide a bucket of time_series is; weeks begin on Sunday')
  ) AS f(operation, field, kind, required, low, high, of, fallback, wrong, meaning);

-- ---------------------------------------------------------------- answers that are no
CREATE FUNCTION steward.refuse(status int, code text, message text, field text DEFAULT NULL, details jsonb DEFAULT NULL) RETURNS void
    LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION USING ERRCODE = 'PT' || status, MESSAGE = message, COLUMN = COALESCE(field, ''),
        DETAIL = jsonb_build_object('code', code, 'details', details);
END $$;
COMMENT ON FUNCTION steward.refuse(int, text, text, text, jsonb) IS
    'ends an operation with this HTTP status and takes back what it wrote; steward.api_call makes the answer of it';
GRANT EXECUTE ON FUNCTION steward.refuse(int, text, text, text, jsonb) TO authenticated, service_role;

-- ---------------------------------------------------------------- checking
-- The form comes first: PostgreSQL would also take "infinity", "tomorrow" and "J2451187".
CREATE FUNCTION steward.moment_of(word text) RETURNS timestamptz
    LANGUAGE plpgsql STABLE SET timezone = 'UTC' AS $$
BEGIN
    IF length(word) <= 35
       AND word ~ '^\d{4}-\d\d-\d\d([T ]\d\d:\d\d(:\d\d(\.\d{1,6})?)?\s?([Zz]|[+-]\d\d(:?\d\d)?)?)?$' THEN
        RETURN word::timestamptz;
    END IF;
    RETURN NULL;
EXCEPTION WHEN datetime_field_overflow OR invalid_datetime_format OR invalid_time_zone_displacement_value THEN
    RETURN NULL;
END $$;
COMMENT ON FUNCTION steward.moment_of(text) IS 'an ISO 8601 date or date and time, in UTC unless it says otherwise; NULL for anything else';
GRANT EXECUTE ON FUNCTION steward.moment_of(text) TO authenticated, service_role;

CREATE FUNCTION steward.field_check(f steward.api_field, given jsonb, OUT value jsonb, OUT complaint text)
    LANGUAGE plpgsql STABLE AS $$
DECLARE
    shape text := jsonb_typeof(given);
    word  text := CASE WHEN jsonb_typeof(given) IN ('string', 'number', 'boolean') THEN given #>> '{}' END;
BEGIN
    value := given;
    IF shape IS NULL OR shape = 'null' THEN
        value := f.fallback;
        complaint := CASE WHEN f.required THEN 'is required' END;
        RETURN;
    END IF;
    CASE f.kind
    WHEN 'text' THEN
        complaint := CASE
            WHEN shape <> 'string' THEN 'must be a text'
            WHEN f.required AND btrim(word) = '' THEN 'is required'
            WHEN length(btrim(word)) < f.low THEN format('must be at least %s characters', f.low)
            WHEN length(word) > f.high THEN format('must be at most %s characters', f.high) END;
    WHEN 'uuid' THEN
        complaint := CASE
            WHEN shape <> 'string' OR length(word) <> 36 OR word !~* '^[0-9a-f]{8}(-[0-9a-f]{4}){3}-[0-9a-f]{12}$' THEN 'must be a uuid' END;
    WHEN 'word' THEN
        complaint := CASE
            WHEN shape <> 'string' OR word <> ALL (f.words) THEN 'must be one of ' || array_to_string(f.words, ', ') END;
    WHEN 'words' THEN
        IF shape = 'string' AND length(word) <= 1000 THEN
            value := to_jsonb(string_to_array(word, ','));
        END IF;
        complaint := CASE
            WHEN jsonb_typeof(value) <> 'array' OR jsonb_array_length(value) NOT BETWEEN f.low AND f.high OR NOT to_jsonb(f.words) @> value
            THEN 'must be some of ' || array_to_string(f.words, ', ') END;
    WHEN 'names' THEN
        complaint := CASE
            WHEN shape <> 'array' THEN 'must be a list of texts'
            WHEN jsonb_array_length(value) NOT BETWEEN f.low AND f.high THEN format('must have %s to %s elements', f.low, f.high)
            WHEN EXISTS (SELECT FROM jsonb_array_elements(value) e(name)
                          WHERE jsonb_typeof(e.name) <> 'string' OR length(e.name #>> '{}') NOT BETWEEN 1 AND 255)
            THEN 'must have only texts of 1 to 255 characters' END;
    WHEN 'number', 'size' THEN
        IF shape NOT IN ('number', 'string') OR length(word) > 10 OR word !~ '^-?\d{1,9}$'
           OR word::int < f.low OR (word::int > f.high AND f.kind = 'number') THEN
            complaint := format('must be a whole number from %s to %s', f.low, f.high);
        ELSE
            value := to_jsonb(LEAST(word::int, f.high));
        END IF;
    WHEN 'flag' THEN
        IF shape IN ('boolean', 'string') AND word IN ('true', 'false') THEN
            value := word::jsonb;
        ELSE
            complaint := 'must be true or false';
        END IF;
    WHEN 'moment', 'until' THEN
        value := to_jsonb(steward.moment_of(word)
            + CASE WHEN f.kind = 'until' AND length(word) = 10 THEN interval '24 hours' - interval '1 us' ELSE interval '0' END);
        IF shape <> 'string' OR value IS NULL THEN
            complaint := 'must be a date, as 2025-10-15 or 2025-10-15T08:00:00Z';
        END IF;
    END CASE;
END $$;
COMMENT ON FUNCTION steward.field_check(steward.api_field, jsonb) IS 'the value of a field as operations read it, or what is wrong with it';
GRANT EXECUTE ON FUNCTION steward.field_check(steward.api_field, jsonb) TO authenticated, service_role;

CREATE FUNCTION steward.request_check(operation text, request jsonb) RETURNS jsonb
    LANGUAGE plpgsql STABLE AS $$
DECLARE
    f       steward.api_field;
    checked record;
    result  jsonb := '{}';
BEGIN
    IF jsonb_typeof(request) IS DISTINCT FROM 'object' THEN
        PERFORM steward.refuse(400, 'INVALID_REQUEST_BODY', 'request must be an object', 'request');
    END IF;
    FOR f IN SELECT x.* FROM steward.api_field x WHERE x.operation IN (request_check.operation, '*') ORDER BY x.place LOOP
        checked := steward.field_check(f, request -> f.field);
        IF checked.complaint IS NOT NULL THEN
            PERFORM steward.refuse(400, f.code, format('%s%s %s', f.wrong, f.field, checked.complaint), f.field);
        END IF;
        result := result || jsonb_build_object(f.field, checked.value);
    END LOOP;
    RETURN result;
END $$;
COMMENT ON FUNCTION steward.request_check(text, jsonb) IS 'every field of an operation as it is to be read; refuses the first that is wrong';
GRANT EXECUTE ON FUNCTION steward.request_check(text, jsonb) TO authenticated, service_role;

-- ---------------------------------------------------------------- who is calling
CREATE TYPE steward.caller AS (user_id uuid, organization_id uuid, role text, unit_id uuid);
COMMENT ON TYPE steward.caller IS 'the user of the claims as staff of an organisation; role is staff, supervisor, admin, or service for the trusted backend without a user';

CREATE FUNCTION steward.caller_of(request jsonb, member boolean DEFAULT true) RETURNS steward.caller
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    me     steward.caller;
    wanted uuid := request ->> 'organization_id';
BEGIN
    BEGIN
        me.user_id := auth.uid();
    EXCEPTION WHEN invalid_text_representation THEN
        NULL;    -- claims that are no claims name nobody
    END;
    IF me.user_id IS NULL THEN
        IF NOT steward.is_backend() THEN
            PERFORM steward.refuse(401, 'AUTH_REQUIRED', 'Unauthorized: the request names no user');
        END IF;
        me.role := 'service';
        SELECT o.id INTO me.organization_id FROM public.organizations o
         WHERE CASE WHEN wanted IS NULL THEN o.is_default ELSE o.id = wanted END;
        IF NOT FOUND THEN
            PERFORM steward.refuse(400, 'INVALID_REQUEST_BODY', format('organization_id: there is no organization %s', wanted), 'organization_id');
        END IF;
    ELSE
        SELECT p.organization_id, p.role, p.unit_id INTO me.organization_id, me.role, me.unit_id
          FROM public.staff_profiles p JOIN public.organizations o ON o.id = p.organization_id
         WHERE p.user_id = me.user_id AND (wanted IS NULL OR p.organization_id = wanted)
         ORDER BY o.is_default DESC, o.id LIMIT 1;
        IF NOT FOUND AND (member OR wanted IS NOT NULL) THEN
            PERFORM steward.refuse(404, 'RESOURCE_NOT_FOUND', 'Staff profile not found');
        END IF;
    END IF;
    RETURN me;
END $$;
COMMENT ON FUNCTION steward.caller_of(jsonb, boolean) IS
    'who calls and for which organisation; refuses a caller without a user, one who is not staff of the organisation that is named and, unless told not to, one who is no staff at all';
GRANT EXECUTE ON FUNCTION steward.caller_of(jsonb, boolean) TO authenticated, service_role;

CREATE FUNCTION steward.permit(allowed boolean) RETURNS void
    LANGUAGE plpgsql AS $$
BEGIN
    IF allowed IS NOT TRUE THEN
        PERFORM steward.refuse(403, 'INSUFFICIENT_PERMISSIONS', 'Insufficient permissions');
    END IF;
END $$;
COMMENT ON FUNCTION steward.permit(boolean) IS 'refuses what the caller may not';
GRANT EXECUTE ON FUNCTION steward.permit(boolean) TO authenticated, service_role;

-- What belongs to another organisation is not there; only within the own one does "no" mean no.
CREATE FUNCTION steward.reach(request jsonb, unit uuid, person uuid) RETURNS steward.caller
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    me steward.caller := steward.caller_of(request);
BEGIN
    IF person IS NOT NULL THEN
        SELECT p.unit_id INTO unit FROM public.staff_profiles p WHERE p.organization_id = me.organization_id AND p.user_id = person;
        IF NOT FOUND THEN
            PERFORM steward.refuse(404, 'RESOURCE_NOT_FOUND', 'Staff member not found', 'staff_id');
        END IF;
    ELSIF NOT EXISTS (SELECT FROM public.organizational_units u WHERE u.organization_id = me.organization_id AND u.id = unit) THEN
        PERFORM steward.refuse(404, 'RESOURCE_NOT_FOUND', 'Organizational unit not found', 'unit_id');
    END IF;
    PERFORM steward.permit(steward.may_lead(me.organization_id, unit) OR person = me.user_id);
    RETURN me;
END $$;
COMMENT ON FUNCTION steward.reach(jsonb, uuid, uuid) IS 'the caller, once the person or unit exists and is within the caller''s rights';
GRANT EXECUTE ON FUNCTION steward.reach(jsonb, uuid, uuid) TO authenticated, service_role;

CREATE FUNCTION steward.staff_name(person uuid) RETURNS text
    LANGUAGE plpgsql STABLE STRICT SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (SELECT COALESCE(u.raw_user_meta_data ->> 'full_name', u.raw_user_meta_data ->> 'name', u.email)
              FROM auth.users u
             WHERE u.id = person
               AND EXISTS (SELECT FROM public.staff_profiles p
                            WHERE p.user_id = person
                              AND (steward.is_backend()
                                   OR p.organization_id IN (SELECT o.organization_id FROM public.staff_profiles o WHERE o.user_id = auth.uid()))));
END $$;
COMMENT ON FUNCTION steward.staff_name(uuid) IS 'what somebody is called who is staff where the caller is';
GRANT EXECUTE ON FUNCTION steward.staff_name(uuid) TO authenticated, service_role;

-- ---------------------------------------------------------------- one way in
CREATE FUNCTION steward.api_call(operation text, request jsonb) RETURNS TABLE (status int, headers jsonb, body jsonb)
    LANGUAGE plpgsql SET plan_cache_mode = force_generic_plan AS $$
DECLARE
    state   text;
    message text;
    detail  jsonb;
    field   text;
    words   text;
BEGIN
    headers := '{}';
    BEGIN
        EXECUTE format('SELECT a.status, a.body FROM steward.%I($1) a', 'answer_' || operation)
           INTO status, body USING request;
        body := body || '{"success": true}';
    EXCEPTION
        WHEN query_canceled OR lock_not_available OR transaction_rollback THEN
            SELECT u.* INTO status, headers, body FROM steward.api_undone(SQLSTATE) u;
        WHEN OTHERS THEN
            GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, message = MESSAGE_TEXT, field = COLUMN_NAME,
                words = PG_EXCEPTION_DETAIL;
            IF state LIKE 'PT___' THEN
                detail := words;
                status := substr(state, 3)::int;
                body := steward.api_error(detail ->> 'code', message, field, detail -> 'details');
            ELSIF state = '42501' AND message = 'insufficient permissions' THEN    -- not PostgreSQL's own "permission denied"
                status := 403;
                body := steward.api_error('INSUFFICIENT_PERMISSIONS', 'Insufficient permissions', NULL, NULL);
            -- What the engine refuses names the field; a constraint that nobody thought of does not, and is our fault.
            ELSIF state IN ('22023', '23503', '23514') AND field <> '' THEN
                status := 400;
                body := steward.api_error('INVALID_REQUEST_BODY', message, field, NULL);
            ELSE
                RAISE;
            END IF;
    END;
    body := body || jsonb_build_object('correlationId', CASE
        WHEN jsonb_typeof(request -> 'correlation_id') = 'string' AND length(request ->> 'correlation_id') BETWEEN 1 AND 128
        THEN request ->> 'correlation_id' ELSE gen_random_uuid()::text END);
    RETURN NEXT;
END $$;
COMMENT ON FUNCTION steward.api_call(text, jsonb) IS
    'has a request checked and answered; a refusal, the caller''s statement_timeout (504), or others that were in the way (503) leave nothing behind, and an error that is no answer goes on to the caller';
GRANT EXECUTE ON FUNCTION steward.api_call(text, jsonb) TO authenticated, service_role;

-- ---------------------------------------------------------------- shared parts of answers
CREATE FUNCTION steward.sla_status(warn_at timestamptz, sla_deadline timestamptz, moment timestamptz) RETURNS text
    LANGUAGE sql IMMUTABLE AS $$
    SELECT CASE WHEN moment >= sla_deadline THEN 'breached' WHEN moment >= warn_at THEN 'warning' ELSE 'ok' END
$$;
COMMENT ON FUNCTION steward.sla_status(timestamptz, timestamptz, timestamptz) IS 'how a promise stands at a moment: ok, warning or breached';
GRANT EXECUTE ON FUNCTION steward.sla_status(timestamptz, timestamptz, timestamptz) TO authenticated, service_role;

CREATE FUNCTION steward.seconds_left(sla_deadline timestamptz, moment timestamptz) RETURNS bigint
    LANGUAGE sql IMMUTABLE AS $$ SELECT floor(extract(epoch FROM sla_deadline - moment))::bigint $$;
COMMENT ON FUNCTION steward.seconds_left(timestamptz, timestamptz) IS 'negative once the deadline is over';
GRANT EXECUTE ON FUNCTION steward.seconds_left(timestamptz, timestamptz) TO authenticated, service_role;

-- For finished work the clock stood still when it was finished.
CREATE FUNCTION steward.assignment_clock(a public.assignments) RETURNS timestamptz
    LANGUAGE sql STABLE AS $$
    SELECT CASE WHEN a.status IN ('completed', 'cancelled') THEN COALESCE(a.completed_at, a.updated_at) ELSE steward.now() END
$$;
COMMENT ON FUNCTION steward.assignment_clock(public.assignments) IS 'the moment at which its deadline is looked at';
GRANT EXECUTE ON FUNCTION steward.assignment_clock(public.assignments) TO authenticated, service_role;

CREATE FUNCTION steward.assignment_json(a public.assignments) RETURNS jsonb
    LANGUAGE sql STABLE AS $$
    SELECT jsonb_build_object(
        'id', a.id, 'assignment_id', a.id, 'work_item_id', a.work_item_id, 'work_item_type', a.work_item_type, 'work_item_title', NULL,
        'assignee_id', a.assignee_id, 'unit_id', a.unit_id, 'assigned_by', a.assigned_by, 'assigned_at', steward.iso(a.assigned_at),
        'warn_at', steward.iso(a.warn_at), 'sla_deadline', steward.iso(a.sla_deadline),
        'time_remaining_seconds', steward.seconds_left(a.sla_deadline, steward.assignment_clock(a)),
        'sla_status', steward.sla_status(a.warn_at, a.sla_deadline, steward.assignment_clock(a)),
        'priority', a.priority, 'status', a.status, 'version', a.version, 'override_reason', a.override_reason,
        'warning_sent', a.warning_sent_at IS NOT NULL, 'warning_sent_at', steward.iso(a.warning_sent_at),
        'escalated', a.escalated_at IS NOT NULL, 'escalated_at', steward.iso(a.escalated_at),
        'escalation_recipient_id', a.escalation_recipient_id, 'needs_review', a.needs_review, 'review_reason', a.review_reason,
        'completed_at', steward.iso(a.completed_at), 'created_at', steward.iso(a.created_at), 'updated_at', steward.iso(a.updated_at))
$$;
COMMENT ON FUNCTION steward.assignment_json(public.assignments) IS 'an assignment as answers carry it';
GRANT EXECUTE ON FUNCTION steward.assignment_json(public.assignments) TO authenticated, service_role;

CREATE FUNCTION steward.load_json(load bigint, most bigint) RETURNS jsonb
    LANGUAGE sql IMMUTABLE AS $$
    SELECT jsonb_build_object(
        'current_count', load, 'wip_current', load, 'limit', most, 'wip_limit', most,
        'available_capacity', GREATEST(most - load, 0), 'utilization_pct', round(100.0 * load / most, 2),
        'status', CASE WHEN load >= most THEN 'critical' WHEN load * 4 >= most * 3 THEN 'warning' ELSE 'ok' END,
        'capacity_status', CASE WHEN load >= most THEN 'at_limit' WHEN load * 4 >= most * 3 THEN 'near_limit' ELSE 'available' END,
        'utilization_level', CASE WHEN load > most THEN 'over_capacity' WHEN load * 10 >= most * 9 THEN 'at_capacity'
                                  WHEN load * 4 >= most * 3 THEN 'high_utilization' ELSE 'available' END)
$$;
COMMENT ON FUNCTION steward.load_json(bigint, bigint) IS 'how full somebody or something is, in the words of every client';
GRANT EXECUTE ON FUNCTION steward.load_json(bigint, bigint) TO authenticated, service_role;

-- ---------------------------------------------------------------- answers that only read
-- Where a page ended.  The next one begins behind that place of the order, whatever
-- came or went before it meanwhile.
CREATE TYPE steward.page_end AS (place int, priority public.priority_level, moment timestamptz, id uuid);
COMMENT ON TYPE steward.page_end IS 'what a cursor says: the last item of a page, by what the list is ordered by, and how many come before and with it';

CREATE FUNCTION steward.cursor_of(last steward.page_end) RETURNS text
    LANGUAGE sql STABLE AS $$ SELECT encode(convert_to(to_jsonb(last)::text, 'UTF8'), 'hex') $$;
COMMENT ON FUNCTION steward.cursor_of(steward.page_end) IS 'the end of a page as clients carry it';
GRANT EXECUTE ON FUNCTION steward.cursor_of(steward.page_end) TO authenticated, service_role;

CREATE FUNCTION steward.cursor_read(request jsonb, other text, first int) RETURNS steward.page_end
    LANGUAGE plpgsql STABLE AS $$
DECLARE
    last steward.page_end;
BEGIN
    IF request ->> 'cursor' IS NULL THEN
        RETURN ROW (0, 'urgent', '-infinity', '00000000-0000-0000-0000-000000000000')::steward.page_end;
    ELSIF (request ->> other)::int <> first THEN
        PERFORM steward.refuse(400, 'INVALID_REQUEST_BODY', format('cursor goes without %s', other), 'cursor');
    END IF;
    BEGIN
        last := jsonb_populate_record(last, convert_from(decode(request ->> 'cursor', 'hex'), 'UTF8')::jsonb);
    EXCEPTION WHEN data_exception THEN
        NULL;
    END;
    IF num_nulls(last.place, last.priority, last.moment, last.id) > 0 OR last.place NOT BETWEEN 0 AND 1000000000 THEN
        PERFORM steward.refuse(400, 'INVALID_REQUEST_BODY', 'cursor must be the next_cursor of an answer', 'cursor');
    END IF;
    RETURN last;
END $$;
COMMENT ON FUNCTION steward.cursor_read(jsonb, text, int) IS
    'where the page before ended, before everything without a cursor; refuses one that never was, and one beside the other way of paging';
GRANT EXECUTE ON FUNCTION steward.cursor_read(jsonb, text, int) TO authenticated, service_role;

-- Comparing enums is not leakproof, so under row security a priority or a status would
-- be no condition of an index.  These two ask for the rights themselves; whoever reads
-- what they found still does so under row security.  The planner is told what it cannot
-- know: few rows, always in the order of an index.
CREATE FUNCTION steward.queue_walk(request jsonb, since steward.page_end, most int) RETURNS SETOF uuid
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET enable_seqscan = off
    SET enable_bitmapscan = off
    SET jit = off
    AS $$
DECLARE
    me      steward.caller;
    unit    uuid := request ->> 'unit_id';
    kind    public.work_item_type := request ->> 'work_item_type';
    whole   boolean := false;           -- the organisation's queue
    open    boolean := unit IS NULL;    -- with what has no target
    urgency public.priority_level;
    moment  timestamptz := since.moment;
    last    uuid := since.id;
    found   int;
BEGIN
    IF open THEN
        me := steward.caller_of(request);
        whole := me.role <> 'supervisor';
        unit := me.unit_id;
    ELSE
        me := steward.reach(request, unit, NULL);
    END IF;
    PERFORM steward.permit(me.role <> 'staff');
    -- Three walks along an index for each priority, of which those that do not apply cost
    -- nothing.  To order by what is equal anyway makes the planner see the order of the index.
    FOR urgency IN
        SELECT p.priority FROM unnest(enum_range('low', since.priority)) p(priority)
         WHERE request ->> 'priority' IS NULL OR p.priority::text = request ->> 'priority' ORDER BY p.priority DESC
    LOOP
        IF urgency < since.priority THEN
            moment := '-infinity';
            last := '00000000-0000-0000-0000-000000000000';
        END IF;
        RETURN QUERY
            SELECT w.id FROM (
                (SELECT x.id, x.created_at FROM public.assignment_queue x
                  WHERE whole AND x.organization_id = me.organization_id
                    AND x.priority = urgency AND (x.created_at, x.id) > (moment, last) AND (kind IS NULL OR x.work_item_type = kind)
                  ORDER BY x.priority DESC, x.created_at, x.id LIMIT most)
                UNION ALL
                (SELECT x.id, x.created_at FROM public.assignment_queue x
                  WHERE NOT whole AND x.organization_id = me.organization_id AND x.target_unit_id = unit
                    AND x.priority = urgency AND (x.created_at, x.id) > (moment, last) AND (kind IS NULL OR x.work_item_type = kind)
                  ORDER BY x.priority DESC, x.created_at, x.id LIMIT most)
                UNION ALL
                (SELECT x.id, x.created_at FROM public.assignment_queue x
                  WHERE open AND NOT whole AND x.organization_id = me.organization_id AND x.target_unit_id IS NULL
                    AND x.priority = urgency AND (x.created_at, x.id) > (moment, last) AND (kind IS NULL OR x.work_item_type = kind)
                  ORDER BY x.target_unit_id, x.priority DESC, x.created_at, x.id LIMIT most)) w
             ORDER BY w.created_at, w.id LIMIT most;
        GET DIAGNOSTICS found = ROW_COUNT;
        most := most - found;
        EXIT WHEN most = 0;
    END LOOP;
END $$;
COMMENT ON FUNCTION steward.queue_walk(jsonb, steward.page_end, int) IS
    'the next items of the queue that a supervisor or administrator asks for, in the order in which they are served';
GRANT EXECUTE ON FUNCTION steward.queue_walk(jsonb, steward.page_end, int) TO authenticated, service_role;

CREATE FUNCTION steward.work_walk(organization uuid, wanted public.assignment_status[], since steward.page_end, most int) RETURNS SETOF uuid
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET enable_seqscan = off
    SET enable_bitmapscan = off
    SET jit = off
    AS $$
DECLARE
    caller uuid := auth.uid();
BEGIN
    RETURN QUERY
        SELECT w.id
          FROM (SELECT DISTINCT unnest(wanted) AS status) s
         CROSS JOIN LATERAL (
               SELECT x.id, x.sla_deadline FROM public.assignments x
                WHERE x.assignee_id = caller AND x.status = s.status AND (x.sla_deadline, x.id) > (since.moment, since.id)
                  AND (work_walk.organization IS NULL OR x.organization_id = work_walk.organization)
                ORDER BY x.status, x.sla_deadline, x.id LIMIT most) w
         ORDER BY w.sla_deadline, w.id LIMIT most;
END $$;
COMMENT ON FUNCTION steward.work_walk(uuid, public.assignment_status[], steward.page_end, int) IS
    'the next assignments of the caller in these states, by deadline; of every organisation, or of one';
GRANT EXECUTE ON FUNCTION steward.work_walk(uuid, public.assignment_status[], steward.page_end, int) TO authenticated, service_role;

-- As far as queue_answer counts.  Within the organisation a place is no secret: asking to
-- assign tells it, too.  The rows come in their order, one branch after the other.
CREATE FUNCTION steward.queue_places(shown uuid[]) RETURNS TABLE (id uuid, place bigint)
    LANGUAGE plpgsql STABLE SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET enable_seqscan = off
    SET enable_bitmapscan = off
    SET jit = off
    AS $$
DECLARE
    last public.assignment_queue;
BEGIN
    SELECT * INTO last FROM public.assignment_queue x
     WHERE x.id = shown[cardinality(shown)]
       AND (x.organization_id = ANY (steward.own_organizations()) OR (auth.uid() IS NULL AND steward.is_backend()));
    RETURN QUERY
        SELECT n.id, n.place
          FROM (SELECT a.id, row_number() OVER () AS place FROM (
                    (SELECT x.id, x.priority, x.created_at FROM public.assignment_queue x
                      WHERE x.organization_id = last.organization_id AND x.priority > last.priority
                      ORDER BY x.priority DESC, x.created_at, x.id LIMIT 10000)
                    UNION ALL
                    (SELECT x.id, x.priority, x.created_at FROM public.assignment_queue x
                      WHERE x.organization_id = last.organization_id AND x.priority = last.priority
                        AND (x.created_at, x.id) <= (last.created_at, last.id)
                      ORDER BY x.priority DESC, x.created_at, x.id LIMIT 10000)
                    LIMIT 10000) a) n
         WHERE n.id = ANY (shown);
END $$;
COMMENT ON FUNCTION steward.queue_places(uuid[]) IS
    'the places in the queue of the whole organisation that these items have, which are given in its order; not counted beyond ten thousand';
GRANT EXECUTE ON FUNCTION steward.queue_places(uuid[]) TO authenticated, service_role;

CREATE FUNCTION steward.answer_assignments_queue(given jsonb, OUT status int, OUT body jsonb)
    LANGUAGE plpgsql STABLE AS $$
DECLARE
    request jsonb := steward.request_check('assignments_queue', given);
    since  steward.page_end := steward.cursor_read(request, 'page', 1);
    size   int := request -> 'page_size';
    skip   int := ((request ->> 'page')::int - 1) * size;
    before int := since.place + skip;     -- how many come before this page
    found  uuid[];
    total  int;
BEGIN
    found := ARRAY(SELECT steward.queue_walk(request, since, skip + size + 200));
    total := since.place + cardinality(found);
    SELECT jsonb_build_object(
        'items', COALESCE(jsonb_agg(jsonb_build_object(
            'id', x.id, 'queue_id', x.id, 'work_item_id', x.work_item_id, 'work_item_type', x.work_item_type,
            'required_skills', s.skills, 'required_skill_ids', to_jsonb(x.required_skills), 'target_unit_id', x.target_unit_id,
            'priority', x.priority, 'created_at', steward.iso(x.created_at), 'queued_at', steward.iso(x.created_at),
            'position', before + p.place, 'queue_position', COALESCE(r.place, 10001), 'reason', x.reason, 'attempts', x.attempts,
            'last_attempt_at', steward.iso(x.last_attempt_at), 'needs_review', x.needs_review, 'notes', x.notes) ORDER BY p.place), '[]'),
        'total_count', total, 'total_count_exact', cardinality(found) < skip + size + 200, 'page', before / size + 1, 'page_size', size,
        'total_pages', (total + size - 1) / size, 'has_next_page', total > before + size,
        'next_cursor', max(steward.cursor_of((before + size, x.priority, x.created_at, x.id))) FILTER (WHERE p.place = size AND total > before + size),
        'pagination', jsonb_build_object('page', before / size + 1, 'page_size', size, 'total_items', total, 'total_pages', (total + size - 1) / size))
      INTO body
      FROM unnest(found[skip + 1 : skip + size]) WITH ORDINALITY p(id, place)
      JOIN public.assignment_queue x ON x.id = p.id
      -- Nobody's place is before the place in a list of less.
      LEFT JOIN steward.queue_places(CASE WHEN before < 10000 THEN found[skip + 1 : skip + size] END) r ON r.id = p.id
     CROSS JOIN LATERAL (
           SELECT COALESCE(jsonb_agg(jsonb_build_object('skill_id', k.id, 'skill_name_en', k.name_en, 'skill_name_ar', k.name_ar) ORDER BY k.id), '[]')
             FROM public.skills k WHERE k.id = ANY (x.required_skills)) s(skills);
    status := 200;
END $$;
COMMENT ON FUNCTION steward.answer_assignments_queue(jsonb) IS
    'a page of what waits, in the order in which it is served; position is the place in this list, queue_position that in the queue of the organisation, and the total is counted up to two hundred behind the page, which total_count_exact says';
GRANT EXECUTE ON FUNCTION steward.answer_assignments_queue(jsonb) TO authenticated, service_role;

CREATE FUNCTION steward.answer_assignments_my_assignments(given jsonb, OUT status int, OUT body jsonb)
    LANGUAGE plpgsql STABLE AS $$
DECLARE
    request jsonb := steward.request_check('assignments_my_assignments', given);
    me      steward.caller := steward.caller_of(request, member => false);
    q       record;
    since   steward.page_end := steward.cursor_read(request, 'offset', 0);
    wanted  public.assignment_status[];
    found   uuid[];
    total   int;
    summary jsonb;
BEGIN
    IF me.user_id IS NULL THEN
        PERFORM steward.refuse(401, 'AUTH_REQUIRED', 'Unauthorized: the request names no user');
    END IF;
    SELECT * INTO q FROM jsonb_to_record(request)
        AS r(organization_id uuid, status public.assignment_status[], include_completed boolean, "limit" int, "offset" int);
    wanted := CASE WHEN q.status IS NOT NULL THEN q.status
                   WHEN q.include_completed THEN enum_range(NULL::public.assignment_status)
                   ELSE '{pending, assigned, in_progress}' END;
    found := ARRAY(SELECT steward.work_walk(q.organization_id, wanted, since, q."offset" + q."limit" + 200));
    total := since.place + cardinality(found);
    SELECT jsonb_build_object(
               'active_count', count(*), 'total_assignments', count(*),
               'assigned', count(*) FILTER (WHERE o.status = 'assigned'), 'in_progress', count(*) FILTER (WHERE o.status = 'in_progress'),
               'at_risk_count', count(*) FILTER (WHERE o.sla = 'warning'), 'at_risk', count(*) FILTER (WHERE o.sla = 'warning'),
               'breached_count', count(*) FILTER (WHERE o.sla = 'breached'), 'breached', count(*) FILTER (WHERE o.sla = 'breached'))
      INTO summary
      FROM (SELECT a.status, steward.sla_status(a.warn_at, a.sla_deadline, steward.now()) AS sla
              FROM steward.work_walk(q.organization_id, '{assigned, in_progress}', steward.cursor_read('{}', NULL, NULL), 10000) w(id)
              JOIN public.assignments a ON a.id = w.id) o;
    SELECT jsonb_build_object(
        'assignments', COALESCE(jsonb_agg(
            steward.assignment_json(a) || jsonb_build_object('escalation_recipient_name', steward.staff_name(a.escalation_recipient_id))
            ORDER BY p.place), '[]'),
        'total_count', total, 'total_count_exact', cardinality(found) < q."offset" + q."limit" + 200,
        'limit', q."limit", 'offset', since.place + q."offset",
        'next_cursor', max(steward.cursor_of((since.place + q."offset" + q."limit", a.priority, a.sla_deadline, a.id)))
            FILTER (WHERE p.place = q."limit" AND cardinality(found) > q."offset" + q."limit"),
        'summary', summary)
      INTO body
      FROM unnest(found[q."offset" + 1 : q."offset" + q."limit"]) WITH ORDINALITY p(id, place)
      JOIN public.assignments a ON a.id = p.id;
    status := 200;
END $$;
COMMENT ON FUNCTION steward.answer_assignments_my_assignments(jsonb) IS
    'the caller''s work by deadline; the total is counted up to two hundred behind the page, which total_count_exact says, and the summary is of all that is open, whatever the list is limited to';
GRANT EXECUTE ON FUNCTION steward.answer_assignments_my_assignments(jsonb) TO authenticated, service_role;

CREATE FUNCTION steward.answer_capacity_check(given jsonb, OUT status int, OUT body jsonb)
    LANGUAGE plpgsql STABLE AS $$
DECLARE
    request jsonb := steward.request_check('capacity_check', given);
    q  record;
    me steward.caller;
BEGIN
    SELECT * INTO q FROM jsonb_to_record(request) AS r(staff_id uuid, unit_id uuid);
    IF num_nonnulls(q.staff_id, q.unit_id) <> 1 THEN
        PERFORM steward.refuse(400, 'INVALID_REQUEST_BODY', CASE WHEN q.staff_id IS NULL THEN 'Either staff_id or unit_id must be provided'
            ELSE 'Cannot provide both staff_id and unit_id' END, 'staff_id');
    END IF;
    me := steward.reach(request, q.unit_id, q.staff_id);
    status := 200;
    IF q.staff_id IS NOT NULL THEN
        SELECT jsonb_build_object(
                   'type', 'individual', 'id', p.user_id, 'staff_id', p.user_id, 'staff_name', steward.staff_name(p.user_id),
                   'unit_id', p.unit_id, 'availability_status', p.availability_status, 'breakdown', (
                       SELECT jsonb_build_object('assigned', count(*) FILTER (WHERE a.status = 'assigned'),
                                  'in_progress', count(*) FILTER (WHERE a.status = 'in_progress'),
                                  'completed_today', count(*) FILTER (WHERE a.status = 'completed'))
                         FROM public.assignments a
                        WHERE a.organization_id = p.organization_id AND a.assignee_id = p.user_id
                          AND (a.status IN ('assigned', 'in_progress')
                               OR a.status = 'completed' AND a.completed_at >= date_trunc('day', steward.now(), 'UTC'))))
               || steward.load_json(p.current_assignment_count, p.individual_wip_limit)
          INTO body FROM public.staff_profiles p
         WHERE p.organization_id = me.organization_id AND p.user_id = q.staff_id;
    ELSE
        SELECT jsonb_build_object(
                   'type', 'unit', 'id', u.id, 'unit_id', u.id, 'unit_name_en', u.name_en, 'unit_name_ar', u.name_ar,
                   'total_staff', s.available, 'staff_count', s.everybody, 'active_assignments', u.current_assignment_count,
                   'assignable_capacity', GREATEST(u.unit_wip_limit - u.current_assignment_count, 0),
                   'breakdown', jsonb_build_object('available_staff', s.available, 'staff_at_limit', s.at_limit,
                                                   'total_capacity', s.capacity, 'used_capacity', s.load),
                   'staff_members', COALESCE((
                       SELECT jsonb_agg(jsonb_build_object('staff_id', p.user_id, 'availability_status', p.availability_status)
                                        || steward.load_json(p.current_assignment_count, p.individual_wip_limit) ORDER BY p.user_id)
                         FROM (SELECT x.* FROM public.staff_profiles x WHERE x.unit_id = u.id ORDER BY x.user_id LIMIT 1000) p), '[]'))
               || steward.load_json(s.load, u.unit_wip_limit)
          INTO body
          FROM public.organizational_units u, LATERAL (
               SELECT count(*) AS everybody,
                      count(*) FILTER (WHERE p.availability_status = 'available') AS available,
                      count(*) FILTER (WHERE p.availability_status = 'available'
                                             AND p.current_assignment_count >= p.individual_wip_limit) AS at_limit,
                      COALESCE(sum(p.individual_wip_limit) FILTER (WHERE p.availability_status = 'available'), 0) AS capacity,
                      COALESCE(sum(p.current_assignment_count) FILTER (WHERE p.availability_status = 'available'), 0) AS load
                 FROM public.staff_profiles p WHERE p.unit_id = u.id) s
         WHERE u.organization_id = me.organization_id AND u.id = q.unit_id;
    END IF;
END $$;
COMMENT ON FUNCTION steward.answer_capacity_check(jsonb) IS
    'how full a person or a unit is; a unit''s numbers are those of its available people, active_assignments and assignable_capacity what the limit is held against';
GRANT EXECUTE ON FUNCTION steward.answer_capacity_check(jsonb) TO authenticated, service_role;

CREATE FUNCTION steward.answer_escalations_report(given jsonb, OUT status int, OUT body jsonb)
    LANGUAGE plpgsql STABLE SET timezone = 'UTC' AS $$
DECLARE
    request jsonb := steward.request_check('escalations_report', given);
    me      steward.caller := steward.caller_of(request, member => false);
    q       record;
    since   timestamptz;
    until   timestamptz;
BEGIN
    SELECT * INTO q FROM jsonb_to_record(request) AS r(start_date timestamptz, end_date timestamptz, unit_id uuid, assignee_id uuid,
        work_item_type public.work_item_type, reason public.escalation_reason, group_by text);
    until := COALESCE(q.end_date, steward.now());
    since := COALESCE(q.start_date, until - interval '30 days');
    IF since > until THEN
        PERFORM steward.refuse(400, 'INVALID_REQUEST_BODY', 'start_date must not be after end_date', 'start_date');
    END IF;
    WITH event AS MATERIALIZED (
        SELECT e.assignment_id, e.escalated_from_id, e.unit_id, e.work_item_type, e.reason, e.escalated_at
          FROM (SELECT x.organization_id, x.assignment_id, x.escalated_from_id, x.unit_id, x.work_item_type, x.reason, x.escalated_at
                  FROM public.escalation_events x
                UNION ALL
                SELECT x.organization_id, x.assignment_id, x.escalated_from_id, x.unit_id, x.work_item_type, x.reason, x.escalated_at
                  FROM public.escalation_events_archive x) e
         WHERE e.organization_id = me.organization_id AND e.escalated_at BETWEEN since AND until
           AND (q.unit_id IS NULL OR e.unit_id = q.unit_id)
           AND (q.assignee_id IS NULL OR e.escalated_from_id = q.assignee_id)
           AND (q.work_item_type IS NULL OR e.work_item_type = q.work_item_type)
           AND (q.reason IS NULL OR e.reason = q.reason)),
    total AS (
        SELECT count(*) AS n, count(DISTINCT e.assignment_id) AS assignments,
               mode() WITHIN GROUP (ORDER BY e.reason) AS reason FROM event e),
    worst AS (
        SELECT e.escalated_from_id AS person, count(*) AS n, count(DISTINCT e.assignment_id) AS assignments
          FROM event e GROUP BY e.escalated_from_id ORDER BY count(*) DESC, e.escalated_from_id LIMIT 100)
    SELECT jsonb_build_object(
        'summary', jsonb_build_object(
            'total_escalations', t.n, 'affected_assignments', t.assignments, 'most_common_reason', COALESCE(t.reason::text, 'none'),
            'avg_escalations_per_day', round(t.n / GREATEST(extract(epoch FROM until - since) / 86400, 1), 2)),
        'time_series', COALESCE((
            SELECT jsonb_agg(jsonb_build_object('date', b.day, 'count', b.n, 'reason_breakdown', jsonb_build_object(
                                 'sla_breach', b.breaches, 'manual', b.manual, 'capacity_exhaustion', b.exhaustions)) ORDER BY b.day)
              FROM (SELECT CASE q.group_by WHEN 'week' THEN date_trunc('week', e.escalated_at + interval '1 day') - interval '1 day'
                                           ELSE date_trunc(q.group_by, e.escalated_at) END::date AS day,
                           count(*) AS n, count(*) FILTER (WHERE e.reason = 'sla_breach') AS breaches,
                           count(*) FILTER (WHERE e.reason = 'manual') AS manual,
                           count(*) FILTER (WHERE e.reason = 'capacity_exhaustion') AS exhaustions
                      FROM event e GROUP BY 1) b), '[]'),
        'by_unit', COALESCE((
            SELECT jsonb_agg(jsonb_build_object('unit_id', b.unit_id, 'unit_name', u.name_en, 'unit_name_ar', u.name_ar, 'escalation_count', b.n,
                                                'percentage', round(100.0 * b.n / t.n, 2)) ORDER BY b.n DESC, b.unit_id)
              FROM (SELECT e.unit_id, count(*) AS n FROM event e GROUP BY e.unit_id) b
              LEFT JOIN public.organizational_units u ON u.id = b.unit_id), '[]'),
        'by_assignee', COALESCE((
            SELECT jsonb_agg(jsonb_build_object('assignee_id', b.person, 'assignee_name', steward.staff_name(b.person), 'escalation_count', b.n,
                                                'total_assignments', o.n, 'escalation_rate', round(100.0 * b.assignments / NULLIF(o.n, 0), 2))
                             ORDER BY b.n DESC, b.person)
              FROM worst b
              CROSS JOIN LATERAL (
                   SELECT count(*) AS n
                     FROM (SELECT a.organization_id, a.assignee_id, a.assigned_at, a.status, a.completed_at, a.updated_at FROM public.assignments a
                           UNION ALL
                           SELECT a.organization_id, a.assignee_id, a.assigned_at, a.status, a.completed_at, a.updated_at
                             FROM public.assignments_archive a) a
                    WHERE a.organization_id = me.organization_id AND a.assignee_id = b.person AND a.assigned_at <= until
                      AND (a.status NOT IN ('completed', 'cancelled') OR COALESCE(a.completed_at, a.updated_at) >= since)) o), '[]'),
        'by_work_type', COALESCE((
            SELECT jsonb_agg(jsonb_build_object('work_item_type', b.work_item_type, 'escalation_count', b.n,
                                                'percentage', round(100.0 * b.n / t.n, 2)) ORDER BY b.n DESC, b.work_item_type)
              FROM (SELECT e.work_item_type, count(*) AS n FROM event e GROUP BY e.work_item_type) b), '[]'),
        'metadata', jsonb_build_object('start_date', steward.iso(since), 'end_date', steward.iso(until), 'group_by', q.group_by,
            'filters', jsonb_strip_nulls(jsonb_build_object('unit_id', q.unit_id, 'assignee_id', q.assignee_id,
                                                            'work_item_type', q.work_item_type, 'reason', q.reason))))
      INTO body FROM total t;
    status := 200;
END $$;
COMMENT ON FUNCTION steward.answer_escalations_report(jsonb) IS
    'the escalations that the caller may see, archived ones too, by the moment of escalating; by_assignee are the hundred with the most, and their rate is of the work that was open in that time';
GRANT EXECUTE ON FUNCTION steward.answer_escalations_report(jsonb) TO authenticated, service_role;

CREATE FUNCTION steward.answer_health_assignment_engine(given jsonb, OUT status int, OUT body jsonb)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    jobs      int;
    realtime  boolean;
    functions int;
BEGIN
    PERFORM steward.request_check('health_assignment_engine', given);
    SELECT count(*) INTO jobs FROM steward.job_schedule s
     WHERE s.enabled AND s.name IN ('sla-monitoring', 'queue-fallback-processor', 'capacity-snapshot', 'escalation-cleanup');
    SELECT count(*) = 3 INTO realtime FROM pg_publication_tables t
     WHERE t.pubname = 'supabase_realtime' AND t.schemaname = 'public' AND t.tablename IN ('assignments', 'assignment_queue', 'escalation_events');
    SELECT count(*) INTO functions
      FROM unnest('{assignments_auto_assign, assignments_manual_override, assignments_queue, assignments_my_assignments,
                    assignments_escalate, capacity_check, staff_availability}'::text[]) f(name)
     WHERE has_function_privilege('authenticated', to_regprocedure(format('api.%I(jsonb)', f.name)), 'EXECUTE');
    status := 200;
    body := jsonb_build_object('status', CASE WHEN jobs = 4 AND realtime AND functions = 7 THEN 'healthy' ELSE 'degraded' END,
        'version', (SELECT m.binary_version FROM steward.migration m ORDER BY m.version DESC LIMIT 1), 'checks', jsonb_build_object('database', 'connected', 'pg_cron_jobs', jobs,
            'realtime', CASE WHEN realtime THEN 'enabled' ELSE 'disabled' END, 'edge_functions', functions));
END $$;
COMMENT ON FUNCTION steward.answer_health_assignment_engine(jsonb) IS
    'whether the four jobs are enabled, the three tables published and the seven operations there, and which version brought the schema; who asks does not matter';
GRANT EXECUTE ON FUNCTION steward.answer_health_assignment_engine(jsonb) TO authenticated, service_role;

-- ---------------------------------------------------------------- answers that write
CREATE FUNCTION steward.answer_assignments_auto_assign(given jsonb, OUT status int, OUT body jsonb)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    request jsonb := steward.request_check('assignments_auto_assign', given);
    me   steward.caller := steward.caller_of(request);
    q    record;
    done jsonb;
BEGIN
    SELECT * INTO q FROM jsonb_to_record(request) AS r(work_item_id text, work_item_type public.work_item_type, required_skills jsonb,
        priority public.priority_level, target_unit_id uuid, explain boolean);
    -- Explaining shows who leads the load of everybody, other units' too: the decision is among them all.
    PERFORM steward.permit(me.role <> 'staff' OR NOT q.explain);
    done := steward.auto_assign(work_item => q.work_item_id, kind => q.work_item_type,
        skills => steward.skill_ids(me.organization_id, q.required_skills), priority => q.priority, target_unit => q.target_unit_id,
        requested_by => me.user_id, organization => me.organization_id, explain => q.explain);
    status := 200;
    body := done - 'outcome';
    IF done ? 'assignment_id' THEN
        SELECT body || steward.assignment_json(a) || jsonb_build_object('assignee_name', steward.staff_name(a.assignee_id))
          INTO body FROM public.assignments a WHERE a.id = (done ->> 'assignment_id')::uuid;
    ELSIF done ? 'queue_id' THEN
        status := 202;
        body := body || jsonb_build_object('queued', true, 'queued_at', steward.iso((done ->> 'queued_at')::timestamptz),
            'estimated_assignment_time', steward.iso(steward.now() + make_interval(mins => (done ->> 'estimated_wait_minutes')::int)));
    END IF;
    IF done ->> 'outcome' = 'exists' THEN
        body := body || '{"duplicate": true}';
    END IF;
END $$;
COMMENT ON FUNCTION steward.answer_assignments_auto_assign(jsonb) IS
    'assigns (200) or queues (202) a work item; one that has been is answered the same again, as a duplicate.  Explaining is for who leads, and about every candidate of the organisation';
GRANT EXECUTE ON FUNCTION steward.answer_assignments_auto_assign(jsonb) TO authenticated, service_role;

-- A supervisor neither gives work to another unit nor takes any from it.
CREATE FUNCTION steward.may_override(organization uuid, unit uuid, work_item text, kind public.work_item_type, reassign boolean) RETURNS boolean
    LANGUAGE sql STABLE AS $$
    SELECT bool_and(steward.may_lead(organization, x.unit_id))
      FROM (SELECT unit AS unit_id
            UNION ALL
            SELECT a.unit_id FROM public.assignments a
             WHERE a.organization_id = organization AND a.work_item_id = work_item AND a.work_item_type = kind
               AND a.status IN ('assigned', 'in_progress') AND reassign
            UNION ALL
            SELECT w.target_unit_id FROM public.assignment_queue w
             WHERE w.organization_id = organization AND w.work_item_id = work_item AND w.work_item_type = kind
               AND w.target_unit_id IS NOT NULL) x
$$;
COMMENT ON FUNCTION steward.may_override(uuid, uuid, text, public.work_item_type, boolean) IS
    'whether the caller leads the unit that a work item is to go to, and those that it may come from';

CREATE FUNCTION steward.answer_assignments_manual_override(given jsonb, OUT status int, OUT body jsonb)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    request jsonb := steward.request_check('assignments_manual_override', given);
    me   steward.caller := steward.caller_of(request);
    q    record;
    unit uuid;
    done jsonb;
BEGIN
    SELECT * INTO q FROM jsonb_to_record(request) AS r(work_item_id text, work_item_type public.work_item_type, assignee_id uuid,
        override_reason text, priority public.priority_level, required_skills jsonb, reassign boolean);
    PERFORM steward.permit(me.role <> 'staff');
    SELECT p.unit_id INTO unit FROM public.staff_profiles p WHERE p.organization_id = me.organization_id AND p.user_id = q.assignee_id;
    IF NOT FOUND THEN
        PERFORM steward.refuse(400, 'INVALID_REQUEST_BODY', 'Invalid assignee_id: that user is not a member of staff', 'assignee_id');
    END IF;
    PERFORM steward.permit(steward.may_override(me.organization_id, unit, q.work_item_id, q.work_item_type, q.reassign));
    -- Once more under the locks that the override takes first: the item may have moved.
    PERFORM pg_advisory_xact_lock(steward.item_lock_key(me.organization_id, q.work_item_id, q.work_item_type));
    PERFORM FROM public.assignments a
      WHERE a.organization_id = me.organization_id AND a.work_item_id = q.work_item_id
        AND a.work_item_type = q.work_item_type AND a.status IN ('assigned', 'in_progress') FOR NO KEY UPDATE;
    PERFORM steward.permit(steward.may_override(me.organization_id, unit, q.work_item_id, q.work_item_type, q.reassign));
    done := steward.assign_override(organization => me.organization_id, work_item => q.work_item_id, kind => q.work_item_type,
        assignee => q.assignee_id, priority => q.priority, override_reason => q.override_reason, actor => me.user_id,
        skills => CASE WHEN q.required_skills IS NULL THEN '{}' ELSE steward.skill_ids(me.organization_id, q.required_skills) END,
        reassign => q.reassign);
    IF done ->> 'outcome' = 'conflict' THEN
        PERFORM steward.refuse(409, 'ALREADY_ASSIGNED', 'Work item already has active assignment');
    END IF;
    status := 200;
    SELECT (done - 'outcome') || steward.assignment_json(a) || jsonb_build_object('assignee_name', steward.staff_name(a.assignee_id),
               'override_by', me.user_id, 'override_reason', q.override_reason, 'reassigned', done ->> 'outcome' = 'reassigned')
      INTO body FROM public.assignments a WHERE a.id = (done ->> 'assignment_id')::uuid;
END $$;
COMMENT ON FUNCTION steward.answer_assignments_manual_override(jsonb) IS
    'gives a work item to whom a supervisor, within the unit, or an administrator says, whatever the limits say';
GRANT EXECUTE ON FUNCTION steward.answer_assignments_manual_override(jsonb) TO authenticated, service_role;

CREATE FUNCTION steward.answer_assignments_update_status(given jsonb, OUT status int, OUT body jsonb)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    request jsonb := steward.request_check('assignments_update_status', given);
    me      steward.caller := steward.caller_of(request, member => false);
    q       record;
    a       public.assignments;
    former  public.assignment_status;
    allowed public.assignment_status[];
BEGIN
    SELECT * INTO q FROM jsonb_to_record(request) AS r(assignment_id uuid, status public.assignment_status, version int);
    -- Rights come before the lock (see steward.escalate).
    SELECT x.* INTO a FROM public.assignments x
     WHERE x.id = q.assignment_id
       AND steward.must_be_allowed(x.assignee_id = me.user_id OR steward.may_lead(x.organization_id, x.unit_id), x.organization_id)
       FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        PERFORM steward.refuse(404, 'RESOURCE_NOT_FOUND', 'Assignment not found');
    ELSIF q.version <> a.version THEN
        PERFORM steward.refuse(409, 'VERSION_CONFLICT', format('Assignment was changed meanwhile: version %s is now %s', q.version, a.version),
            'version', jsonb_build_object('version', a.version, 'status', a.status));
    END IF;
    former := a.status;
    IF q.status <> former THEN
        -- Who is given work is decided elsewhere, under the limits.
        allowed := array_remove(steward.assignment_next(former), 'assigned');
        IF q.status <> ALL (allowed) THEN
            PERFORM steward.refuse(409, 'INVALID_STATUS_TRANSITION', format('Assignment cannot go from %s to %s', former, q.status), 'status',
                jsonb_build_object('from', former, 'to', q.status, 'allowed', to_jsonb(allowed)));
        END IF;
        UPDATE public.assignments x SET status = q.status WHERE x.id = a.id RETURNING x.* INTO a;
    END IF;
    status := 200;
    body := steward.assignment_json(a) || jsonb_build_object('updated', q.status <> former, 'previous_status', former);
END $$;
COMMENT ON FUNCTION steward.answer_assignments_update_status(jsonb) IS
    'moves an assignment along its lifecycle, for its assignee or whoever leads the unit; the status that it has already is no error';
GRANT EXECUTE ON FUNCTION steward.answer_assignments_update_status(jsonb) TO authenticated, service_role;

CREATE FUNCTION steward.escalation_told(done jsonb, what text) RETURNS jsonb
    LANGUAGE plpgsql STABLE AS $$
BEGIN
    CASE done ->> 'outcome'
        WHEN 'not_found' THEN
            PERFORM steward.refuse(404, 'RESOURCE_NOT_FOUND', what || ' not found');
        WHEN 'not_active' THEN
            PERFORM steward.refuse(409, 'ASSIGNMENT_NOT_ACTIVE', format('%s is %s already', what, done ->> 'status'));
        WHEN 'already_escalated' THEN
            PERFORM steward.refuse(409, 'ALREADY_ESCALATED', what || ' is already escalated', NULL, done - 'outcome');
        ELSE
            RETURN (done - 'outcome') || jsonb_build_object('escalated_to_name', steward.staff_name((done ->> 'escalated_to_id')::uuid),
                'duplicate', starts_with(done ->> 'outcome', 'already'));
    END CASE;
END $$;
COMMENT ON FUNCTION steward.escalation_told(jsonb, text) IS 'what the functions about escalations returned, as an answer';

CREATE FUNCTION steward.answer_assignments_escalate(given jsonb, OUT status int, OUT body jsonb)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    request jsonb := steward.request_check('assignments_escalate', given);
    me steward.caller := steward.caller_of(request, member => false);
BEGIN
    status := 200;
    SELECT steward.escalation_told(e.done, 'Assignment') || jsonb_build_object(
               'notification_sent', jsonb_array_length(e.done -> 'notifications') > 0, 'notifications_sent', e.done -> 'notifications')
      INTO body
      FROM jsonb_to_record(request) AS r(assignment_id uuid, reason public.escalation_reason, notes text),
           steward.escalate(assignment => r.assignment_id, reason => r.reason, actor => me.user_id, notes => r.notes) e(done);
END $$;
COMMENT ON FUNCTION steward.answer_assignments_escalate(jsonb) IS 'escalates an assignment, for its assignee or whoever leads the unit';
GRANT EXECUTE ON FUNCTION steward.answer_assignments_escalate(jsonb) TO authenticated, service_role;

CREATE FUNCTION steward.answer_queue_escalate(given jsonb, OUT status int, OUT body jsonb)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    request jsonb := steward.request_check('queue_escalate', given);
    me steward.caller := steward.caller_of(request, member => false);
BEGIN
    status := 200;
    SELECT steward.escalation_told(e.done, 'Queued item') || jsonb_build_object(
               'notification_sent', jsonb_array_length(e.done -> 'notifications') > 0, 'notifications_sent', e.done -> 'notifications')
      INTO body
      FROM jsonb_to_record(request) AS r(queue_id uuid, notes text),
           steward.queue_escalate(queue => r.queue_id, actor => me.user_id, notes => r.notes) e(done);
END $$;
COMMENT ON FUNCTION steward.answer_queue_escalate(jsonb) IS
    'escalates an item that waits for want of capacity, for whoever asked for it or leads where it waits';
GRANT EXECUTE ON FUNCTION steward.answer_queue_escalate(jsonb) TO authenticated, service_role;

CREATE FUNCTION steward.answer_escalations_acknowledge(given jsonb, OUT status int, OUT body jsonb)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    request jsonb := steward.request_check('escalations_acknowledge', given);
    me steward.caller := steward.caller_of(request, member => false);
BEGIN
    status := 200;
    SELECT steward.escalation_told(
               steward.escalation_answer(escalation => r.escalation_id, actor => me.user_id, resolve => r.resolve, notes => r.notes), 'Escalation')
      INTO body FROM jsonb_to_record(request) AS r(escalation_id uuid, resolve boolean, notes text);
END $$;
COMMENT ON FUNCTION steward.answer_escalations_acknowledge(jsonb) IS
    'acknowledges or resolves an escalation, for its recipient or whoever leads the unit, but for the one whose work it is about; a second time is no error and changes nothing';
GRANT EXECUTE ON FUNCTION steward.answer_escalations_acknowledge(jsonb) TO authenticated, service_role;

CREATE FUNCTION steward.answer_staff_availability(given jsonb, OUT status int, OUT body jsonb)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    request jsonb := steward.request_check('staff_availability', given);
    me     steward.caller;
    q      record;
    person uuid;
    done   jsonb;
BEGIN
    SELECT * INTO q FROM jsonb_to_record(request)
        AS r(staff_id uuid, status public.availability_status, unavailable_until timestamptz, reason text);
    person := COALESCE(q.staff_id, (steward.caller_of(request)).user_id);
    IF person IS NULL THEN
        PERFORM steward.refuse(400, 'INVALID_REQUEST_BODY', 'staff_id is required', 'staff_id');
    END IF;
    me := steward.reach(request, NULL, person);
    status := 200;
    done := steward.set_availability(organization => me.organization_id, person => person, status => q.status, until => q.unavailable_until,
        reason => q.reason, actor => me.user_id, source => CASE me.role WHEN 'service' THEN 'hr_system' END);
    body := done - 'outcome'
        || jsonb_build_object('updated', true, 'unavailable_until', steward.iso((done ->> 'unavailable_until')::timestamptz));
    IF done ? 'reassigned_items' THEN
        SELECT body || jsonb_build_object('reassigned_items', COALESCE(jsonb_agg(i.item || jsonb_build_object(
                   'new_assignee_name', steward.staff_name((i.item ->> 'new_assignee_id')::uuid),
                   'reassigned_at', steward.iso((i.item ->> 'reassigned_at')::timestamptz)) ORDER BY i.place), '[]'))
          INTO body FROM jsonb_array_elements(done -> 'reassigned_items') WITH ORDINALITY i(item, place);
    END IF;
END $$;
COMMENT ON FUNCTION steward.answer_staff_availability(jsonb) IS
    'sets somebody''s availability, for that one or whoever leads the unit, and moves what cannot wait; the trusted backend does so as the personnel system';
GRANT EXECUTE ON FUNCTION steward.answer_staff_availability(jsonb) TO authenticated, service_role;

-- ---------------------------------------------------------------- the operations
CREATE FUNCTION api.assignments_auto_assign(request jsonb) RETURNS TABLE (status int, headers jsonb, body jsonb)
    LANGUAGE plpgsql AS $$ BEGIN RETURN QUERY SELECT c.* FROM steward.api_call('assignments_auto_assign', request) c; END $$;
COMMENT ON FUNCTION api.assignments_auto_assign(jsonb) IS 'assigns a work item to whom it fits best, 200, or queues it, 202; its fields are in steward.api_field';
CREATE FUNCTION api.assignments_manual_override(request jsonb) RETURNS TABLE (status int, headers jsonb, body jsonb)
    LANGUAGE plpgsql AS $$ BEGIN RETURN QUERY SELECT c.* FROM steward.api_call('assignments_manual_override', request) c; END $$;
COMMENT ON FUNCTION api.assignments_manual_override(jsonb) IS 'a supervisor or an administrator says who gets a work item; its fields are in steward.api_field';
CREATE FUNCTION api.assignments_queue(request jsonb) RETURNS TABLE (status int, headers jsonb, body jsonb)
    LANGUAGE plpgsql AS $$ BEGIN RETURN QUERY SELECT c.* FROM steward.api_call('assignments_queue', request) c; END $$;
COMMENT ON FUNCTION api.assignments_queue(jsonb) IS 'what waits, page by page; its fields are in steward.api_field';
CREATE FUNCTION api.assignments_my_assignments(request jsonb) RETURNS TABLE (status int, headers jsonb, body jsonb)
    LANGUAGE plpgsql AS $$ BEGIN RETURN QUERY SELECT c.* FROM steward.api_call('assignments_my_assignments', request) c; END $$;
COMMENT ON FUNCTION api.assignments_my_assignments(jsonb) IS 'the caller''s own work by deadline; its fields are in steward.api_field';
CREATE FUNCTION api.assignments_escalate(request jsonb) RETURNS TABLE (status int, headers jsonb, body jsonb)
    LANGUAGE plpgsql AS $$ BEGIN RETURN QUERY SELECT c.* FROM steward.api_call('assignments_escalate', request) c; END $$;
COMMENT ON FUNCTION api.assignments_escalate(jsonb) IS 'somebody else has to look at an assignment; its fields are in steward.api_field';
CREATE FUNCTION api.assignments_update_status(request jsonb) RETURNS TABLE (status int, headers jsonb, body jsonb)
    LANGUAGE plpgsql AS $$ BEGIN RETURN QUERY SELECT c.* FROM steward.api_call('assignments_update_status', request) c; END $$;
COMMENT ON FUNCTION api.assignments_update_status(jsonb) IS 'begins, completes or cancels an assignment; its fields are in steward.api_field';
CREATE FUNCTION api.escalations_acknowledge(request jsonb) RETURNS TABLE (status int, headers jsonb, body jsonb)
    LANGUAGE plpgsql AS $$ BEGIN RETURN QUERY SELECT c.* FROM steward.api_call('escalations_acknowledge', request) c; END $$;
COMMENT ON FUNCTION api.escalations_acknowledge(jsonb) IS 'the answer to an escalation: seen, or settled; its fields are in steward.api_field';
CREATE FUNCTION api.queue_escalate(request jsonb) RETURNS TABLE (status int, headers jsonb, body jsonb)
    LANGUAGE plpgsql AS $$ BEGIN RETURN QUERY SELECT c.* FROM steward.api_call('queue_escalate', request) c; END $$;
COMMENT ON FUNCTION api.queue_escalate(jsonb) IS 'somebody has to look at an item that waits too long; its fields are in steward.api_field';
CREATE FUNCTION api.capacity_check(request jsonb) RETURNS TABLE (status int, headers jsonb, body jsonb)
    LANGUAGE plpgsql AS $$ BEGIN RETURN QUERY SELECT c.* FROM steward.api_call('capacity_check', request) c; END $$;
COMMENT ON FUNCTION api.capacity_check(jsonb) IS 'how full a person or a unit is; its fields are in steward.api_field';
CREATE FUNCTION api.staff_availability(request jsonb) RETURNS TABLE (status int, headers jsonb, body jsonb)
    LANGUAGE plpgsql AS $$ BEGIN RETURN QUERY SELECT c.* FROM steward.api_call('staff_availability', request) c; END $$;
COMMENT ON FUNCTION api.staff_availability(jsonb) IS 'somebody goes away or is back; its fields are in steward.api_field';
CREATE FUNCTION api.escalations_report(request jsonb) RETURNS TABLE (status int, headers jsonb, body jsonb)
    LANGUAGE plpgsql AS $$ BEGIN RETURN QUERY SELECT c.* FROM steward.api_call('escalations_report', request) c; END $$;
COMMENT ON FUNCTION api.escalations_report(jsonb) IS 'who had to look at what: in all, over time, by unit, person and type; its fields are in steward.api_field';
CREATE FUNCTION api.health_assignment_engine(request jsonb) RETURNS TABLE (status int, headers jsonb, body jsonb)
    LANGUAGE plpgsql AS $$ BEGIN RETURN QUERY SELECT c.* FROM steward.api_call('health_assignment_engine', request) c; END $$;
COMMENT ON FUNCTION api.health_assignment_engine(jsonb) IS 'whether the engine is complete: jobs, realtime, operations';
GRANT EXECUTE ON FUNCTION
    api.assignments_auto_assign(jsonb),
    api.assignments_manual_override(jsonb),
    api.assignments_queue(jsonb),
    api.assignments_my_assignments(jsonb),
    api.assignments_escalate(jsonb),
    api.assignments_update_status(jsonb),
    api.escalations_acknowledge(jsonb),
    api.queue_escalate(jsonb),
    api.capacity_check(jsonb),
    api.staff_availability(jsonb),
    api.escalations_report(jsonb),
    api.health_assignment_engine(jsonb)
    TO authenticated, service_role;
