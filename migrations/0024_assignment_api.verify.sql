DO $$
DECLARE
    operation text;
BEGIN
    PERFORM steward.require('relation', 'steward.api_field');
    PERFORM steward.require('function', 'steward.refuse(int, text, text, text, jsonb)',
        'steward.moment_of(text)',
        'steward.field_check(steward.api_field, jsonb)', 'steward.request_check(text, jsonb)',
        'steward.caller_of(jsonb, boolean)', 'steward.permit(boolean)', 'steward.reach(jsonb, uuid, uuid)',
        'steward.staff_name(uuid)', 'steward.api_call(text, jsonb)',
        'steward.sla_status(timestamptz, timestamptz, timestamptz)', 'steward.seconds_left(timestamptz, timestamptz)',
        'steward.assignment_clock(public.assignments)', 'steward.assignment_json(public.assignments)',
        'steward.load_json(bigint, bigint)', 'steward.queue_places(uuid[])', 'steward.queue_walk(jsonb, steward.page_end, int)',
        'steward.work_walk(uuid, public.assignment_status[], steward.page_end, int)', 'steward.cursor_of(steward.page_end)',
        'steward.cursor_read(jsonb, text, int)', 'steward.may_override(uuid, uuid, text, public.work_item_type, boolean)', 'steward.escalation_told(jsonb, text)');
    FOR operation IN SELECT DISTINCT f.operation FROM steward.api_field f WHERE f.operation <> '*' UNION SELECT 'health_assignment_engine' LOOP
        PERFORM steward.require('function', format('api.%s(jsonb)', operation), format('steward.answer_%s(jsonb)', operation));
        IF has_function_privilege('anon', format('api.%I(jsonb)', operation), 'EXECUTE')
           OR NOT has_function_privilege('authenticated', format('api.%I(jsonb)', operation), 'EXECUTE') THEN
            RAISE EXCEPTION 'api.% is not for authenticated callers alone', operation;
        END IF;
    END LOOP;
END $$;
