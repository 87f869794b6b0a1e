-- One person decides on one match, as the HTTP gateway will let them: as
-- `authenticated`, with claims.  Variables: who, side (client or advisor), match.
SELECT set_config('role', 'authenticated', false), set_config('request.jwt.claims', json_build_object('sub', :'who')::text, false) \g /dev/null
\if :is_client
SELECT body -> 'data' ->> 'status' FROM api.match_client_decision(jsonb_build_object('match_id', :'match', 'decision', 'approved'));
\else
SELECT body -> 'data' ->> 'status' FROM api.match_advisor_decision(jsonb_build_object('match_id', :'match', 'decision', 'approved'));
\endif
