-- The flag, its percentages and the buckets.

\ir setup.psql

SELECT plan(41);

SELECT is(steward.rollout_bucket('advisor_auto_provision', id), (('x' || left(md5('advisor_auto_provision:' || id), 8))::bit(32)::bigint % 10000)::int, 'the bucket of ' || id)
  FROM unnest('{00000000-0000-0000-0000-000000000000,ffffffff-ffff-ffff-ffff-ffffffffffff}'::uuid[]) id;
SELECT is(project_bucket(id::uuid), bucket, 'project_bucket of ' || id)
  FROM (VALUES ('00000000-0000-0000-0000-000000000000', 9), ('00000000-0000-0000-0000-000000000001', 1), ('123e4567-e89b-12d3-a456-426614174000', 8),
               ('ffffffff-ffff-ffff-ffff-ffffffffffff', 3), ('11111111-1111-4111-8111-111111111111', 9)) v(id, bucket);
CREATE TEMP TABLE sample AS SELECT md5(i::text)::uuid AS id FROM generate_series(1, 20000) i;
SELECT ok(min(project_bucket(id)) = 0 AND max(project_bucket(id)) = 9, 'ten buckets from 0 to 9') FROM sample;
SELECT ok(sum((n - 2000) ^ 2 / 2000) < 27.9, 'evenly filled (chi-square, 9 degrees, p 0.001)') FROM (SELECT count(*) AS n FROM sample GROUP BY project_bucket(id)) b;

SELECT is(steward.flag_is_on('never heard of', gen_random_uuid()), false, 'a missing row is off');
SELECT ok(enabled AND percent = 100, 'provisioning is created on at 100 %') FROM steward.flag_list() WHERE name = 'advisor_auto_provision';
SELECT is(f.percent, 12.5, 'a percentage may have decimals') FROM steward.flag_set('advisor_auto_provision', true, 12.5, 'somebody') f;
SELECT is(f.percent || f.updated_by, '12.50somebody', 'without a percentage the old one stays') FROM steward.flag_set('advisor_auto_provision', false, NULL, 'somebody') f;
SELECT is(count(*), 0::bigint, 'a name that is misspelt sets none') FROM steward.flag_set('advisor_auto_provison', true, 99);
SELECT is(array_agg(name || ' ' || enabled || ' ' || percent), '{"advisor_auto_provision false 12.50"}', 'and makes none') FROM steward.feature_flag;
SELECT throws_ok($$SELECT steward.flag_set('advisor_auto_provision', true, 100.5)$$, '23514', NULL, 'not above 100');
SELECT throws_ok($$SELECT steward.flag_set('advisor_auto_provision', true, -1)$$, '23514', NULL, 'not below 0');

CREATE TEMP TABLE share (percent numeric, id uuid);
CREATE FUNCTION pg_temp.at(p numeric) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM steward.flag_set('advisor_auto_provision', true, p);
    INSERT INTO share SELECT p, id FROM sample WHERE steward.flag_is_on('advisor_auto_provision', id);
END $$;
SELECT pg_temp.at(p) FROM unnest('{0,1,10,50,99,100}'::numeric[]) WITH ORDINALITY AS u(p, n) ORDER BY n;
SELECT ok(abs((SELECT count(*) FROM share s WHERE s.percent = p) - 200 * p) <= 4 * sqrt(20000 * p / 100 * (1 - p / 100)), p || ' % of the ids are on')
  FROM unnest('{0,1,10,50,99,100}'::numeric[]) p;
SELECT is((SELECT count(*) FROM share s WHERE s.percent = low AND NOT EXISTS (SELECT FROM share h WHERE h.percent = high AND h.id = s.id)), 0::bigint,
          format('whoever is on at %s %% is on at %s %%', low, high))
  FROM (VALUES (1, 10), (10, 50), (50, 99), (99, 100)) v(low, high);
DELETE FROM share WHERE percent = 10;
SELECT pg_temp.at(50);
SELECT is(count(*), (SELECT count(DISTINCT id) FROM share WHERE percent = 50) * 2, 'the same percentage again means the same ids') FROM share WHERE percent = 50;

-- Queueing and claiming follow it.
SELECT pg_temp.person() AS client
\gset
CREATE TEMP TABLE work AS SELECT pg_temp.project(:'client') AS project, NULL::uuid AS match FROM generate_series(1, 400);
SELECT steward.flag_set('advisor_auto_provision', false);
UPDATE work SET match = pg_temp.finalized_match(project, pg_temp.person()) WHERE project IN (SELECT project FROM work LIMIT 100);
SELECT is(count(*), 0::bigint, 'off: nothing is queued') FROM workspace_provisioning_queue;
SELECT is(count(*), 100::bigint, 'but finalized') FROM advisor_match_requests WHERE status = 'finalized';
SELECT steward.flag_set('advisor_auto_provision', true, 10);
UPDATE work SET match = pg_temp.finalized_match(project, pg_temp.person()) WHERE match IS NULL;
SELECT is(count(*), (SELECT count(*) FROM work w WHERE EXISTS (SELECT FROM advisor_match_requests m WHERE m.id = w.match AND m.finalized_at = m.finalized_at)
                      AND steward.rollout_bucket('advisor_auto_provision', w.project) < 1000 AND w.match IN (SELECT match_id FROM workspace_provisioning_queue)),
          '10 %: only for projects whose bucket is on') FROM workspace_provisioning_queue;
SELECT cmp_ok(count(*), '<', 80::bigint, 'which are few') FROM workspace_provisioning_queue;
SELECT cmp_ok(count(*), '>', 5::bigint, 'but some') FROM workspace_provisioning_queue;

-- A backlog rests while the flag is off, is not rolled back, and continues.
SELECT count(*) AS backlog FROM workspace_provisioning_queue
\gset
SELECT steward.flag_set('advisor_auto_provision', false);
SELECT results_eq('SELECT * FROM steward.provision_batch(''test'', 200)', 'VALUES (0, 0, 0, 0, NULL::bigint, 0)', 'off: pending jobs rest');
SELECT is(count(*), :backlog::bigint, 'unchanged') FROM workspace_provisioning_queue WHERE status = 'pending' AND attempt_count = 0;
DELETE FROM steward.feature_flag WHERE name = 'advisor_auto_provision';
SELECT is(claimed, 0, 'also when the row is missing') FROM steward.provision_batch('test', 200);
SELECT is(count(*), 0::bigint, 'which no flag_set makes') FROM steward.flag_set('advisor_auto_provision', true, 1);
INSERT INTO steward.feature_flag (name, enabled, percent) VALUES ('advisor_auto_provision', true, 1);
SELECT is(claimed, (SELECT count(*)::int FROM workspace_provisioning_queue WHERE steward.rollout_bucket('advisor_auto_provision', project_id) < 100),
          'a lower share claims only what is still on') FROM steward.provision_batch('test', 200);
UPDATE workspace_provisioning_queue SET next_retry_at = steward.now() + interval '5 s'
 WHERE id = (SELECT id FROM workspace_provisioning_queue WHERE status = 'pending' LIMIT 1);
SELECT is(next_due_ms, NULL, 'and does not call what rests due') FROM steward.provision_batch('test', 200);
UPDATE workspace_provisioning_queue SET next_retry_at = steward.now() WHERE next_retry_at > steward.now();
LISTEN steward_provisioning;
SELECT steward.flag_set('advisor_auto_provision', true, 100);
SELECT is(sum(completed)::int, :backlog - (SELECT count(*)::int FROM workspace_provisioning_queue WHERE steward.rollout_bucket('advisor_auto_provision', project_id) < 100),
          'on again: they continue') FROM steward.provision_batch('test', 200);
SELECT is(count(*), 0::bigint, 'none was rolled back') FROM admin_matching_interventions;

SELECT * FROM finish();
