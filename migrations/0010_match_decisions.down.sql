DROP FUNCTION api.match_advisor_decision(jsonb);
DROP FUNCTION api.match_client_decision(jsonb);
DROP FUNCTION steward.match_decision(jsonb, text);
DROP FUNCTION steward.match_decide(uuid, text, text, text);
DROP FUNCTION steward.api_undone(text);
DROP FUNCTION steward.api_error(text, text, text, jsonb);
