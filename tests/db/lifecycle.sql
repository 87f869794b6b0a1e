-- The ways between the states of a match, all sixty-four of them.

\ir setup.psql

SELECT plan(64 + 14);

SELECT pg_temp.person() AS client, pg_temp.person() AS advisor
\gset
SELECT pg_temp.project(:'client') AS project
\gset
SELECT steward.flag_set('advisor_auto_provision', false);

-- What is allowed, restated here rather than read from the guard.
CREATE TEMP TABLE way (origin match_status, target match_status);
INSERT INTO way VALUES
    ('pending', 'matched'), ('pending', 'expired'),
    ('matched', 'client_approved'), ('matched', 'client_declined'), ('matched', 'advisor_accepted'),
    ('matched', 'advisor_declined'), ('matched', 'expired'),
    ('client_approved', 'advisor_accepted'), ('client_approved', 'finalized'), ('client_approved', 'advisor_declined'),
    ('client_approved', 'expired'),
    ('advisor_accepted', 'client_approved'), ('advisor_accepted', 'finalized'), ('advisor_accepted', 'client_declined'),
    ('advisor_accepted', 'expired'),
    ('client_declined', 'pending'), ('client_declined', 'expired'),
    ('advisor_declined', 'pending'), ('advisor_declined', 'expired'),
    ('expired', 'pending'),
    ('finalized', 'advisor_accepted'), ('finalized', 'expired');

CREATE FUNCTION pg_temp.may_go(match uuid, origin match_status, target match_status) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    SET LOCAL session_replication_role = replica;
    UPDATE advisor_match_requests SET status = origin, previous_status = 'advisor_accepted' WHERE id = match;
    SET LOCAL session_replication_role = origin;
    BEGIN
        UPDATE advisor_match_requests SET status = target WHERE id = match;
        RETURN true;
    EXCEPTION WHEN raise_exception THEN
        RETURN false;
    END;
END $$;

INSERT INTO advisor_match_requests (project_id, requested_by, match_criteria, expires_at, matched_advisor_id)
VALUES (:'project', :'client', '{}', steward.now() + interval '2 hours', :'advisor') RETURNING id AS match
\gset
SELECT is(pg_temp.may_go(:'match', origin, target),
          origin = target OR EXISTS (SELECT FROM way w WHERE w.origin = o.origin AND w.target = t.target),
          format('%s to %s', origin, target))
  FROM unnest(enum_range(NULL::match_status)) AS o(origin), unnest(enum_range(NULL::match_status)) AS t(target);

SELECT throws_ok(format($$INSERT INTO advisor_match_requests (project_id, requested_by, match_criteria, expires_at, status)
    VALUES (%L, %L, '{}', steward.now() + interval '1 hour', 'matched')$$, pg_temp.project(:'client'), :'client'),
    'P0001', 'a match starts as pending, not as matched', 'a match starts as pending');
SELECT throws_ok(format($$INSERT INTO advisor_match_requests (project_id, requested_by, match_criteria, expires_at)
    VALUES (%L, %L, '{}', steward.now() - interval '1 s')$$, pg_temp.project(:'client'), :'client'),
    '23514', NULL, 'a match expires in the future');

SELECT pg_temp.project(:'client') AS project
\gset
SELECT pg_temp.approved_match(:'project', :'advisor') AS match
\gset
SELECT is(previous_status, 'matched', 'the status before is remembered') FROM advisor_match_requests WHERE id = :'match';
SELECT is(finalized_at, NULL, 'a match that was not finalized has no such moment') FROM advisor_match_requests WHERE id = :'match';
SELECT lives_ok(format('UPDATE advisor_match_requests SET status = status WHERE id = %L', :'match'), 'the same status again is allowed');
SELECT is(previous_status, 'matched', 'and is not a change') FROM advisor_match_requests WHERE id = :'match';
SET steward.clock_offset = '1 hour';
UPDATE advisor_match_requests SET status = 'finalized' WHERE id = :'match';
SELECT is(previous_status, 'client_approved', 'finalized remembers where it came from') FROM advisor_match_requests WHERE id = :'match';
SELECT ok(finalized_at > now() + interval '59 minutes', 'finalized_at is the moved clock''s') FROM advisor_match_requests WHERE id = :'match';
SELECT throws_ok(format('UPDATE advisor_match_requests SET status = ''advisor_accepted'' WHERE id = %L', :'match'), 'P0001', NULL,
    'a rollback leads only to where the match was finalized from');
UPDATE advisor_match_requests SET previous_status = NULL WHERE id = :'match';
SELECT lives_ok(format('UPDATE advisor_match_requests SET status = ''matched'' WHERE id = %L', :'match'),
    'and to matched where that is not known');
SELECT ok(finalized_at IS NOT NULL, 'a rollback keeps the moment') FROM advisor_match_requests WHERE id = :'match';

SELECT throws_ok(format($$INSERT INTO advisor_match_requests (project_id, requested_by, match_criteria, expires_at)
    VALUES (%L, %L, '{}', steward.now() + interval '1 hour')$$, :'project', :'client'), '23505', NULL, 'a project has one open match');
UPDATE advisor_match_requests SET status = 'client_approved' WHERE id = :'match';
SELECT lives_ok(format($$INSERT INTO advisor_match_requests (project_id, requested_by, match_criteria, expires_at)
    VALUES (%L, %L, '{}', steward.now() + interval '1 hour')$$, :'project', :'client'), 'an approved one is not open any more');
SET session_replication_role = replica;
UPDATE advisor_match_requests SET matched_advisor_id = NULL WHERE id = :'match';
SET session_replication_role = origin;
SELECT throws_ok(format('UPDATE advisor_match_requests SET status = ''finalized'' WHERE id = %L', :'match'), 'P0001', NULL,
    'without an advisor there is nothing to finalize');

SELECT * FROM finish();
