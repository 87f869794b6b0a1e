DO $$
BEGIN
    PERFORM steward.require('function', 'api.match_client_decision(jsonb)', 'api.match_advisor_decision(jsonb)',
        'steward.match_decision(jsonb, text)', 'steward.match_decide(uuid, text, text, text)',
        'steward.api_error(text, text, text, jsonb)', 'steward.api_undone(text)');
    IF has_function_privilege('anon', 'api.match_client_decision(jsonb)', 'EXECUTE') THEN
        RAISE EXCEPTION 'anon may decide about matches';
    END IF;
END $$;
