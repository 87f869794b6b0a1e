-- When a schedule has its slots, and what becomes of each of them.

\ir setup.psql
CREATE EXTENSION IF NOT EXISTS dblink;

SELECT plan(237);
SET timezone = UTC;
SET datestyle = ISO;

-- ---------------------------------------------------------------- the calendar
SELECT is(steward.schedule_next(schedule, zone, after::timestamptz), next::timestamptz, format('%s in %s after %s', schedule, zone, after))
  FROM (VALUES
    -- every field, and what X09 is about
    ('*/30 * * * * *',   'UTC', '2026-03-01 12:00:00+00', '2026-03-01 12:00:30+00'),
    ('*/30 * * * * *',   'UTC', '2026-03-01 12:00:30+00', '2026-03-01 12:01:00+00'),
    ('0 * * * *',        'UTC', '2026-03-01 12:00:00+00', '2026-03-01 13:00:00+00'),
    ('* * * * *',        'UTC', '2026-03-01 12:00:00+00', '2026-03-01 12:01:00+00'),
    ('* * * * *',        'UTC', '2026-03-01 12:00:59.999999+00', '2026-03-01 12:01:00+00'),
    ('* * * * * *',      'UTC', '2026-03-01 12:00:59.999999+00', '2026-03-01 12:01:00+00'),
    ('*/15 8-18 * * mon-fri', 'UTC', '2026-03-06 18:45:00+00', '2026-03-09 08:00:00+00'),
    ('5,35 */6 * * *',   'UTC', '2026-03-01 12:05:00+00', '2026-03-01 12:35:00+00'),
    ('5,35 */6 * * *',   'UTC', '2026-03-01 12:35:00+00', '2026-03-01 18:05:00+00'),
    ('10-20/5 0 * * *',  'UTC', '2026-03-01 00:15:00+00', '2026-03-01 00:20:00+00'),
    ('15 30 10 14 jul *', 'UTC', '2026-03-01 00:00:00+00', '2026-07-14 10:30:15+00'),
    ('0 0 1 JAN,Jul *',  'UTC', '2026-03-01 00:00:00+00', '2026-07-01 00:00:00+00'),
    ('0 0 * * 7',        'UTC', '2026-03-02 00:00:00+00', '2026-03-08 00:00:00+00'),
    ('0 0 * * 0',        'UTC', '2026-03-02 00:00:00+00', '2026-03-08 00:00:00+00'),
    ('0 0 * * sat-sun',  'UTC', '2026-03-07 00:00:00+00', '2026-03-08 00:00:00+00'),
    ('  0   0 * * *  ',  'UTC', '2026-03-01 00:00:00+00', '2026-03-02 00:00:00+00'),
    -- day or weekday, when both are restricted
    ('0 0 13 * fri',     'UTC', '2026-03-01 00:00:00+00', '2026-03-06 00:00:00+00'),
    ('0 0 10 * fri',     'UTC', '2026-03-06 00:00:00+00', '2026-03-10 00:00:00+00'),
    ('0 0 13 * *',       'UTC', '2026-03-01 00:00:00+00', '2026-03-13 00:00:00+00'),
    ('0 0 * * fri',      'UTC', '2026-03-07 00:00:00+00', '2026-03-13 00:00:00+00'),
    ('0 0 */2 * fri',    'UTC', '2026-03-01 00:00:00+00', '2026-03-13 00:00:00+00'),
    -- month ends and leap years
    ('0 0 31 * *',       'UTC', '2026-03-31 00:00:00+00', '2026-05-31 00:00:00+00'),
    ('0 0 30 * *',       'UTC', '2026-01-30 00:00:00+00', '2026-03-30 00:00:00+00'),
    ('0 0 29 2 *',       'UTC', '2026-01-01 00:00:00+00', '2028-02-29 00:00:00+00'),
    ('0 0 29 2 *',       'UTC', '2096-02-29 00:00:00+00', '2104-02-29 00:00:00+00'),
    ('0 0 29 2 */7',     'UTC', '2026-01-01 00:00:00+00', '2032-02-29 00:00:00+00'),
    ('59 23 31 12 *',    'UTC', '2026-12-31 23:59:00+00', '2027-12-31 23:59:00+00'),
    ('@hourly',          'UTC', '2026-03-01 12:30:00+00', '2026-03-01 13:00:00+00'),
    ('@daily',           'UTC', '2026-03-01 12:30:00+00', '2026-03-02 00:00:00+00'),
    ('@midnight',        'America/New_York', '2026-01-01 12:30:00+00', '2026-01-02 05:00:00+00'),
    ('@weekly',          'UTC', '2026-03-01 00:00:00+00', '2026-03-08 00:00:00+00'),
    ('@monthly',         'UTC', '2026-03-01 00:00:00+00', '2026-04-01 00:00:00+00'),
    ('@yearly',          'UTC', '2026-03-01 00:00:00+00', '2027-01-01 00:00:00+00'),
    -- intervals lie on the grid of the clock
    ('30 seconds',       'UTC', '2026-03-01 12:00:29.5+00', '2026-03-01 12:00:30+00'),
    ('30s',              'UTC', '2026-03-01 12:00:30+00', '2026-03-01 12:01:00+00'),
    ('5 min',            'UTC', '2026-03-01 12:03:00+00', '2026-03-01 12:05:00+00'),
    ('every 2 hours',    'Europe/Berlin', '2026-03-01 12:03:00+00', '2026-03-01 14:00:00+00'),
    ('every minute',     'UTC', '2026-03-01 12:03:00+00', '2026-03-01 12:04:00+00'),
    ('1 hour 30 minutes', 'UTC', '1970-01-01 00:00:00+00', '1970-01-01 01:30:00+00'),
    ('1h30m',            'UTC', '1970-01-01 01:30:00+00', '1970-01-01 03:00:00+00'),
    ('7 s',              'UTC', '1970-01-01 00:00:07+00', '1970-01-01 00:00:14+00'),
    ('1 day',            'America/New_York', '2026-01-01 12:00:00+00', '2026-01-02 05:00:00+00'),
    ('1 week',           'UTC', '2026-03-01 12:00:00+00', '2026-03-02 00:00:00+00'),
    -- Berlin: 2026-03-29 02:00 is 03:00, 2026-10-25 03:00 is 02:00
    ('30 2 * * *',       'Europe/Berlin', '2026-03-28 12:00:00+00', '2026-03-29 01:00:00+00'),
    ('30 2 * * *',       'Europe/Berlin', '2026-03-29 01:00:00+00', '2026-03-30 00:30:00+00'),
    ('*/10 2 * * *',     'Europe/Berlin', '2026-03-29 01:00:00+00', '2026-03-30 00:00:00+00'),
    ('30 2 * * *',       'Europe/Berlin', '2026-10-24 12:00:00+00', '2026-10-25 00:30:00+00'),
    ('30 2 * * *',       'Europe/Berlin', '2026-10-25 00:30:00+00', '2026-10-26 01:30:00+00'),
    ('30 2 * * *',       'Europe/Berlin', '2026-10-25 01:15:00+00', '2026-10-26 01:30:00+00'),
    ('0 3 * * *',        'Europe/Berlin', '2026-03-28 12:00:00+00', '2026-03-29 01:00:00+00'),
    ('0 0 * * *',        'Europe/Berlin', '2026-03-28 23:00:00+00', '2026-03-29 22:00:00+00'),
    ('0 0 * * *',        'Europe/Berlin', '2026-10-24 22:00:00+00', '2026-10-25 23:00:00+00'),
    ('0 * * * *',        'Europe/Berlin', '2026-03-29 00:00:00+00', '2026-03-29 01:00:00+00'),
    ('30 * * * *',       'Europe/Berlin', '2026-03-29 00:30:00+00', '2026-03-29 01:30:00+00'),
    ('0 * * * *',        'Europe/Berlin', '2026-10-25 00:00:00+00', '2026-10-25 01:00:00+00'),
    ('*/20 * * * *',     'Europe/Berlin', '2026-10-25 00:40:00+00', '2026-10-25 01:00:00+00'),
    ('0 */2 * * *',      'Europe/Berlin', '2026-10-25 00:00:00+00', '2026-10-25 01:00:00+00'),
    ('0 */2 * * *',      'Europe/Berlin', '2026-03-28 23:00:00+00', '2026-03-29 02:00:00+00'),
    ('30 minutes',       'Europe/Berlin', '2026-03-29 00:30:00+00', '2026-03-29 01:00:00+00'),
    ('1 day',            'Europe/Berlin', '2026-10-24 22:00:00+00', '2026-10-25 23:00:00+00'),
    -- New York: 2026-03-08 02:00 is 03:00, 2026-11-01 02:00 is 01:00
    ('15 2 * * *',       'America/New_York', '2026-03-07 12:00:00+00', '2026-03-08 07:00:00+00'),
    ('15 1 * * *',       'America/New_York', '2026-10-31 12:00:00+00', '2026-11-01 05:15:00+00'),
    ('15 1 * * *',       'America/New_York', '2026-11-01 05:15:00+00', '2026-11-02 06:15:00+00'),
    ('15 * * * *',       'America/New_York', '2026-11-01 05:15:00+00', '2026-11-01 06:15:00+00'),
    ('0 0 * * *',        'America/New_York', '2026-03-07 12:00:00+00', '2026-03-08 05:00:00+00'),
    -- half an hour, a whole day, and a midnight that is not there
    ('15 2 * * *',       'Australia/Lord_Howe', '2026-10-03 12:00:00+00', '2026-10-03 15:30:00+00'),
    ('45 1 * * *',       'Australia/Lord_Howe', '2026-04-04 12:00:00+00', '2026-04-04 14:45:00+00'),
    ('0 12 30 12 *',     'Pacific/Apia', '2011-12-29 12:00:00+00', '2011-12-30 10:00:00+00'),
    ('0 0 * * *',        'Asia/Beirut', '2026-03-28 12:00:00+00', '2026-03-28 22:00:00+00')
  ) AS v(schedule, zone, after, next);
SELECT is(steward.schedule_next('0 0 30 2 *', 'UTC', '2026-01-01'), NULL, 'the 30th of February never comes');
SELECT is(steward.schedule_next('0 0 31 4,6,9,11 *', 'UTC', '2026-01-01'), NULL, 'nor a 31st in a short month');
SELECT is(steward.schedule_next('* * * * *', 'UTC', 'infinity'), NULL, 'nothing comes after the end of time');

-- Slots of a whole year: strictly rising, and as many as there are days and hours.
CREATE FUNCTION pg_temp.slots(schedule text, zone text, since timestamptz, until timestamptz) RETURNS SETOF timestamptz LANGUAGE plpgsql AS $$
BEGIN
    LOOP
        since := steward.schedule_next(schedule, zone, since);
        EXIT WHEN since IS NULL OR since > until;
        RETURN NEXT since;
    END LOOP;
END $$;
SELECT is(count(*), 365::bigint, format('%s has a slot each day of the year in %s', schedule, zone))
  FROM unnest('{Europe/Berlin,America/New_York,Australia/Lord_Howe,Asia/Beirut,UTC}'::text[]) zone, unnest('{30 2 * * *,0 0 * * *,15 1 * * *,1 day}'::text[]) schedule,
       LATERAL pg_temp.slots(schedule, zone, '2026-01-01 00:00:00'::timestamp AT TIME ZONE zone - interval '1 s', '2027-01-01'::timestamp AT TIME ZONE zone - interval '1 s') slot
 GROUP BY schedule, zone;
SELECT is(count(*), 365 * 24::bigint, format('and 0 * * * * each hour in %s', zone))
  FROM unnest('{Europe/Berlin,America/New_York,UTC}'::text[]) zone,
       LATERAL pg_temp.slots('0 * * * *', zone, '2025-12-31 23:59:59+00', '2026-12-31 23:59:59+00') slot
 GROUP BY zone;

SELECT throws_like(format('SELECT steward.schedule_next(%L, ''UTC'', now())', schedule), pattern, 'refused: ' || schedule)
  FROM (VALUES
    ('61 * * * *',      '%field 1 (minute): "61" is not allowed; it takes 0 to 59, as in "*/5 * * * *"'),
    ('0 61 * * * *',    '%field 2 (minute): "61"%'),
    ('60 0 * * * *',    '%field 1 (second): "60"%'),
    ('0 24 * * *',      '%field 2 (hour): "24"%'),
    ('0 0 0 * *',       '%field 3 (day): "0"%'),
    ('0 0 32 * *',      '%field 3 (day): "32"%'),
    ('0 0 1 13 *',      '%field 4 (month): "13"%'),
    ('0 0 1 foo *',     '%field 4 (month): "foo" is not allowed; it takes 1 to 12 or jan feb%'),
    ('0 0 * * 8',       '%field 5 (weekday): "8"%'),
    ('0 0 * * mond',    '%field 5 (weekday): "mond" is no number, range, step or list%'),
    ('5-1 * * * *',     '%field 1 (minute): "5-1" runs backwards%'),
    ('*/0 * * * *',     '%field 1 (minute): "*/0": a step is at least 1%'),
    ('5/10 * * * *',    '%"5/10": a step%stands behind * or a range%'),
    ('1,,2 * * * *',    '%field 1 (minute): "" is no number%'),
    ('1, * * * *',      '%field 1 (minute): "" is no number%'),
    ('-1 * * * *',      '%field 1 (minute): "-1" is no number%'),
    ('1.5 * * * *',     '%field 1 (minute): "1.5" is no number%'),
    ('? * * * *',       '%field 1 (minute): "?" is no number%'),
    ('* * * *',         '%has 4 field(s); cron has five, or six%'),
    ('* * * * * * *',   '%has 7 field(s)%'),
    ('',                '%has 1 field(s)%'),
    ('tomorrow',        '%has 1 field(s)%'),
    ('@reboot',         '%none of @hourly%'),
    ('0 seconds',       '%at least one second%'),
    ('500 ms',          '%not "ms"%'),
    ('1 month',         '%seconds, minutes, hours, days or weeks, not "month"%'),
    ('every',           '%"every 5 minutes"%'),
    ('every blue moon', '%"every 5 minutes"%'),
    ('10 years',        '%not "years"%'),
    ('400 days',        '%at most 366 days%'),
    ('99999999999 s',   '%'),
    ('0 0 * * *; DROP', '%')
  ) AS v(schedule, pattern);

-- A tenth of that is usual; the bound is for slow machines, the median because others have the CPU at times.
CREATE FUNCTION pg_temp.takes(moment timestamptz) RETURNS interval LANGUAGE plpgsql AS $$
DECLARE
    began timestamptz := clock_timestamp();
BEGIN
    PERFORM steward.schedule_next('*/5 8-18 * * mon-fri', 'Europe/Berlin', moment);
    RETURN clock_timestamp() - began;
END $$;
SELECT cmp_ok(percentile_cont(0.5) WITHIN GROUP (ORDER BY pg_temp.takes(now() + make_interval(mins => i))), '<', interval '1 ms', 'under a millisecond each') FROM generate_series(1, 1000) i;

-- ---------------------------------------------------------------- the schedule
CREATE FUNCTION public.job_good(slot timestamptz, OUT rows bigint, OUT message text) LANGUAGE plpgsql AS $$
BEGIN
    rows := 7;
    message := 'slot ' || steward.iso(slot);
END $$;
CREATE FUNCTION public.job_bad(slot timestamptz, OUT rows bigint, OUT message text) LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO public.organizations (name) VALUES ('half a job');
    PERFORM 1 / 0;
END $$;
CREATE FUNCTION public.job_unsure(slot timestamptz, OUT rows bigint, OUT message text) LANGUAGE plpgsql AS $$
BEGIN
    ASSERT false, 'not so';
END $$;
CREATE FUNCTION public.job_full(slot timestamptz, OUT rows bigint, OUT message text) LANGUAGE plpgsql AS $$
BEGIN
    RAISE EXCEPTION 'no room' USING ERRCODE = 'disk_full';
END $$;
-- Goes on until the advisory lock is free.
CREATE FUNCTION public.job_slow(slot timestamptz, OUT rows bigint, OUT message text) LANGUAGE plpgsql AS $$
BEGIN
    PERFORM pg_advisory_xact_lock(42);
END $$;
CREATE FUNCTION public.job_wrong(slot timestamptz) RETURNS int LANGUAGE sql AS 'SELECT 1';

CREATE FUNCTION pg_temp.refuses(columns text, pattern text, what text) RETURNS SETOF text LANGUAGE sql AS $$
    SELECT throws_like('INSERT INTO steward.job_schedule (name, worker, call, schedule, time_zone) VALUES (' || columns || ')', pattern, what)
$$;
SELECT pg_temp.refuses($$'a', 'test', 'job_good(timestamptz)', '0 0 30 2 *', 'UTC'$$, '%"0 0 30 2 *" never comes%', 'a day that never comes');
SELECT pg_temp.refuses($$'a', 'test', 'job_good(timestamptz)', '0 0 * * *', 'Europe/Berln'$$, '%time zone "Europe/Berln" is not known; right is, for example, "Europe/Berlin"', 'an unknown zone');
SELECT pg_temp.refuses($$'a', 'Test 1', 'job_good(timestamptz)', '0 0 * * *', 'UTC'$$, '%worker "Test 1" is no kind of worker%', 'no kind of worker');
SELECT pg_temp.refuses($$'a', 'test', 'job_none(timestamptz)', '0 0 * * *', 'UTC'$$, '%call "job_none(timestamptz)" is no function (slot timestamptz%', 'a function that is not there');
SELECT pg_temp.refuses($$'a', 'test', 'job_wrong(timestamptz)', '0 0 * * *', 'UTC'$$, '%call "job_wrong(timestamptz)" is no function (slot timestamptz%', 'a function of another shape');
SELECT pg_temp.refuses($$'a', 'test', 'job_good(timestamptz)', '0 0 * *', 'UTC'$$, '%has 4 field(s)%', 'a schedule that is none');
SELECT pg_temp.refuses($$'A job', 'test', 'job_good(timestamptz)', '0 0 * * *', 'UTC'$$, '%job_schedule_name_check%', 'a name with a space');
SELECT pg_temp.refuses($$'a', 'test', 'job_good(timestamptz); DROP TABLE x', '0 0 * * *', 'UTC'$$, '%', 'a call that is more than one');

-- The clock starts here for everything below, and goes on from there.
CREATE FUNCTION pg_temp.at(moment timestamptz) RETURNS void LANGUAGE sql AS $$
    SELECT set_config('steward.clock_offset', (moment - pg_catalog.now())::text, false)
$$;
SELECT pg_temp.at('2026-03-01 12:00:10+00');
INSERT INTO steward.job_schedule (name, worker, call, schedule) VALUES ('half', 'test', 'job_good(timestamptz)'::regprocedure, '30 seconds');
SELECT is(next_at, '2026-03-01 12:00:30+00', 'the next slot is found at once') FROM steward.job_schedule WHERE name = 'half';
SELECT is(call, 'public.job_good(timestamptz)', 'the function has its schema') FROM steward.job_schedule WHERE name = 'half';

SELECT dblink_connect('ears', format('host=%s port=%s user=%s dbname=%s', :'HOST', :'PORT', :'USER', current_database()));
SELECT dblink_exec('ears', 'LISTEN steward_schedule');
CREATE FUNCTION pg_temp.heard() RETURNS bigint LANGUAGE plpgsql AS $$
BEGIN
    PERFORM * FROM dblink('ears', 'SELECT 1') AS r(n int);
    RETURN (SELECT count(*) FROM dblink_get_notify('ears'));
END $$;
UPDATE steward.job_schedule SET schedule = '*/30 * * * * *' WHERE name = 'half';
SELECT is(pg_temp.heard(), 1::bigint, 'workers hear of a change');

-- ---------------------------------------------------------------------- a slot
CREATE FUNCTION pg_temp.start(OUT run uuid, OUT job text, OUT next_due_us bigint) LANGUAGE sql AS $$
    SELECT * FROM steward.job_start('test', 'worker-1-abcdef01')
$$;
SELECT pg_temp.at('2026-03-01 12:00:10+00');
SELECT ok(run IS NULL AND next_due_us BETWEEN 10000000 AND 20000000, 'nothing is due before its time') FROM pg_temp.start();
SELECT ok(run IS NULL AND next_due_us IS NULL, 'a kind without jobs is told so') FROM steward.job_start('idle', 'w');
SELECT pg_temp.at('2026-03-01 12:00:30+00');
SELECT run, job, next_due_us FROM pg_temp.start()
\gset
SELECT is(:'job' || :'next_due_us', 'half0', 'at its time it is');
SELECT is(pg_temp.heard(), 0::bigint, 'taking it tells nobody');
SELECT is(next_at, '2026-03-01 12:01:00+00', 'and the next one is known') FROM steward.job_schedule WHERE name = 'half';
SELECT is(status || worker || manual || scheduled_at, 'runningworker-1-abcdef01false2026-03-01 12:00:30+00', 'its row says who runs it') FROM steward.job_run WHERE id = :'run';
SELECT is(run, NULL, 'nobody else gets it') FROM pg_temp.start();
SELECT results_eq(format('SELECT job, status, rows, message, next_due_us BETWEEN 10000000 AND 30000000 FROM steward.job_perform(%L, ''w'')', :'run'),
                  $$VALUES ('half', 'completed', 7::bigint, 'slot 2026-03-01T12:00:30.000Z', true)$$, 'it is performed');
SELECT ok(status = 'completed' AND rows = 7 AND finished_at >= started_at AND started_at >= scheduled_at AND finished_at < scheduled_at + interval '10 s', 'and written down, by the moved clock')
  FROM steward.job_run WHERE id = :'run';
SELECT is(status, NULL, 'a second time does nothing') FROM steward.job_perform(:'run', 'w');
SELECT is(status, NULL, 'nor does a run that never was') FROM steward.job_perform(gen_random_uuid(), 'w');

-- Two claimers at the same moment: the second waits, and finds it taken.
SELECT dblink_connect('other', format('host=%s port=%s user=%s dbname=%s application_name=other', :'HOST', :'PORT', :'USER', current_database()));
-- until the other waits for a lock, or has no need to
CREATE FUNCTION pg_temp.until_waiting() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    WHILE dblink_is_busy('other') = 1 AND NOT EXISTS (SELECT FROM pg_locks l JOIN pg_stat_get_activity(l.pid) a ON true WHERE NOT l.granted AND a.application_name = 'other') LOOP
        PERFORM pg_sleep(0.01);
    END LOOP;
END $$;
CREATE FUNCTION pg_temp.other_at(moment timestamptz) RETURNS text LANGUAGE sql AS $$
    SELECT dblink_exec('other', format('SET steward.clock_offset = %L', moment - pg_catalog.now()))
$$;
SELECT pg_temp.at('2026-03-01 12:01:00+00');
SELECT pg_temp.other_at('2026-03-01 12:01:00+00');
BEGIN;
SELECT isnt(run, NULL, 'one gets the slot') FROM pg_temp.start();
SELECT dblink_send_query('other', 'SELECT run FROM steward.job_start(''test'', ''other'')');
SELECT pg_temp.until_waiting();
SELECT is(dblink_is_busy('other'), 1, 'the other has to wait');
COMMIT;
SELECT is(r.run, NULL, 'and gets nothing') FROM dblink_get_result('other') AS r(run uuid);
SELECT * FROM dblink_get_result('other') AS r(run uuid);
SELECT is(count(*), 1::bigint, 'the slot has one row') FROM steward.job_run WHERE job = 'half' AND scheduled_at = '2026-03-01 12:01:00+00';
SELECT is(count(*), 1::bigint, 'nothing moves back') FROM steward.job_schedule WHERE name = 'half' AND next_at = '2026-03-01 12:01:30+00';
SELECT isnt(p.status, NULL, 'done') FROM steward.job_run r, steward.job_perform(r.id, 'w') p WHERE r.status = 'running';

-- A slot that was run before the clock was set back is not run again.
UPDATE steward.job_schedule SET next_at = '2026-03-01 12:01:00+00' WHERE name = 'half';
SELECT is(run, NULL, 'a slot comes once') FROM pg_temp.start();
SELECT is(next_at, '2026-03-01 12:01:30+00', 'and is passed over') FROM steward.job_schedule WHERE name = 'half';
UPDATE steward.job_schedule SET next_at = '2036-03-01 12:01:00+00' WHERE name = 'half';
SELECT ok(next_due_us <= 30000000, 'a slot years ahead, of a clock that was wrong, is brought back') FROM pg_temp.start();

-- -------------------------------------------------------------------- failures
INSERT INTO steward.job_schedule (name, worker, call, schedule) VALUES ('bad', 'bad', 'public.job_bad(timestamptz)', '1 minute');
SELECT pg_temp.at('2026-03-01 12:02:00+00');
SELECT run AS bad FROM steward.job_start('bad', 'w')
\gset
SELECT is(status || ' ' || message, 'failed 22012: division by zero', 'a failure is caught') FROM steward.job_perform(:'bad', 'w');
SELECT is(status || ' ' || error, 'failed 22012: division by zero', 'and written down') FROM steward.job_run WHERE id = :'bad';
SELECT is(count(*), 0::bigint, 'without a trace of its work') FROM organizations WHERE name = 'half a job';
SELECT pg_temp.at('2026-03-01 12:03:00+00');
SELECT isnt(run, NULL, 'its next slot comes all the same') FROM steward.job_start('bad', 'w');
DELETE FROM steward.job_schedule WHERE name = 'bad';
SELECT is(p.status, 'failed', 'a job that was deleted meanwhile has failed'), is(p.next_due_us, 0::bigint, 'and whose it was looks at once what else there is')
  FROM steward.job_run r, steward.job_perform(r.id, 'w') p WHERE r.job = 'bad' AND r.status = 'running';

INSERT INTO steward.job_schedule (name, worker, call, schedule) VALUES ('unsure', 'bad', 'public.job_unsure(timestamptz)', '1 minute');
SELECT pg_temp.at('2026-03-01 12:03:30+00');
UPDATE steward.job_schedule SET next_at = '2026-03-01 12:03:00+00' WHERE name = 'unsure';
SELECT is(p.status || ' ' || p.message, 'failed P0004: not so', 'an assertion is a failure') FROM steward.job_start('bad', 'w') s, steward.job_perform(s.run, 'w') p;
DELETE FROM steward.job_schedule WHERE name = 'unsure';

INSERT INTO steward.job_schedule (name, worker, call, schedule) VALUES ('full', 'full', 'public.job_full(timestamptz)', '1 minute');
SELECT pg_temp.at('2026-03-01 12:04:00+00');
SELECT run AS full FROM steward.job_start('full', 'w')
\gset
SELECT throws_ok(format('SELECT steward.job_perform(%L, ''w'')', :'full'), '53100', 'no room', 'what ails the server is not the job''s fault');
SELECT is(status, 'running', 'the run is still to be performed') FROM steward.job_run WHERE id = :'full';
UPDATE steward.job_run SET claimed_at = claimed_at - interval '61 s' WHERE id = :'full';
SELECT is(status || ' ' || message, 'failed 53100: no room', 'but not for ever') FROM steward.job_perform(:'full', 'w');
DELETE FROM steward.job_schedule WHERE name = 'full';

UPDATE steward.job_schedule SET call = 'public.job_slow(timestamptz)' WHERE name = 'half';
SELECT pg_temp.at('2026-03-01 12:05:00+00');
SELECT dblink_exec('ears', 'BEGIN'), dblink_exec('ears', 'DO $$BEGIN PERFORM pg_advisory_xact_lock(42); END$$');
SELECT run AS slow FROM pg_temp.start()
\gset
SET statement_timeout = '1 s';
SELECT is(status || ' ' || message, 'failed 57014: canceling statement due to statement timeout', 'a job that takes too long has failed') FROM steward.job_perform(:'slow', 'w');
RESET statement_timeout;

-- --------------------------------------------------------------------- overlap
-- The other session performs a run that goes on while the lock is held.
CREATE FUNCTION pg_temp.go_on(moment timestamptz) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    taken uuid;
BEGIN
    PERFORM pg_temp.at(moment), pg_temp.other_at(moment);
    SELECT r.run INTO taken FROM dblink('other', 'SELECT run FROM steward.job_start(''test'', ''other'')') AS r(run uuid);
    PERFORM dblink_send_query('other', format('SELECT status FROM steward.job_perform(%L, ''other'')', taken));
    PERFORM pg_temp.until_waiting();
    RETURN COALESCE(taken::text, 'nothing');
END $$;
CREATE FUNCTION pg_temp.come_to_an_end() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    answer text;
BEGIN
    PERFORM dblink_exec('ears', 'COMMIT');
    SELECT r.status INTO answer FROM dblink_get_result('other') AS r(status text);
    PERFORM * FROM dblink_get_result('other') AS r(status text);
    PERFORM dblink_exec('ears', 'BEGIN'), dblink_exec('ears', 'DO $d$BEGIN PERFORM pg_advisory_xact_lock(42); END$d$');
    RETURN answer;
END $$;
SELECT pg_temp.go_on('2026-03-01 12:06:00+00') AS going
\gset
SELECT is(status, 'running', 'a run goes on') FROM steward.job_run WHERE id = :'going';
SELECT pg_temp.at('2026-03-01 12:06:30+00');
SELECT is(run, NULL, 'skip: the slot that comes meanwhile is not run') FROM pg_temp.start();
SELECT is(status || ' ' || message, 'skipped 1 slot came while the run of 2026-03-01T12:06:00.000Z went on', 'and says why') FROM steward.job_run WHERE job = 'half' AND scheduled_at = '2026-03-01 12:06:30+00';
SELECT is(pg_temp.come_to_an_end(), 'completed', 'the run itself is not disturbed');
-- Nobody was there to skip in time: a slot inside a run that is over by now.
UPDATE steward.job_run SET finished_at = '2026-03-01 12:07:10+00' WHERE id = :'going';
SELECT pg_temp.at('2026-03-01 12:07:10+00');
SELECT is(run, NULL, 'a slot inside a run is skipped afterwards, too') FROM pg_temp.start();
SELECT is(status || ' ' || message, 'skipped 1 slot came while the run of 2026-03-01T12:06:00.000Z went on', 'with the same words') FROM steward.job_run WHERE job = 'half' AND scheduled_at = '2026-03-01 12:07:00+00';

UPDATE steward.job_schedule SET overlap = 'queue' WHERE name = 'half';
SELECT pg_temp.go_on('2026-03-01 12:08:00+00') AS going
\gset
SELECT pg_temp.at('2026-03-01 12:09:10+00');
SELECT ok(run IS NULL AND next_due_us > 500000, 'queue: slots wait, and nobody spins') FROM pg_temp.start();
SELECT is(count(*), 0::bigint, 'nothing is written for them') FROM steward.job_run WHERE job = 'half' AND scheduled_at > '2026-03-01 12:08:00+00';
SELECT is(pg_temp.come_to_an_end(), 'completed', 'the run ends');
SELECT pg_temp.at('2026-03-01 12:09:11+00');
UPDATE steward.job_run SET finished_at = '2026-03-01 12:09:10+00' WHERE id = :'going';
SELECT dblink_exec('ears', 'COMMIT');
SELECT run FROM pg_temp.start()
\gset
SELECT is(scheduled_at::text || ' ' || message, '2026-03-01 12:08:30+00 waited for the run of 2026-03-01T12:08:00.000Z', 'then one of them is run') FROM steward.job_run WHERE id = :'run';
SELECT is(status, 'completed', 'to its end') FROM steward.job_perform(:'run', 'w');
SELECT is(run, NULL, 'and only one') FROM pg_temp.start();
SELECT is(next_at, '2026-03-01 12:09:30+00', 'the grid is kept') FROM steward.job_schedule WHERE name = 'half';

-- ---------------------------------------------------------------------- missed
SELECT pg_temp.at('2026-03-01 12:30:10+00');
SELECT run FROM pg_temp.start()
\gset
SELECT is(scheduled_at::text || ' ' || message, '2026-03-01 12:30:00+00 41 slots missed since 2026-03-01T12:09:30.000Z', 'once: one run for all of them') FROM steward.job_run WHERE id = :'run';
SELECT is(status, 'completed', 'is performed') FROM steward.job_perform(:'run', 'w');
UPDATE steward.job_schedule SET missed = 'skip' WHERE name = 'half';
SELECT pg_temp.at('2026-03-01 13:00:10+00');
SELECT ok(run IS NULL AND next_due_us BETWEEN 10000000 AND 20000000, 'skip: none is run, the next one is waited for') FROM pg_temp.start();
SELECT is(scheduled_at::text || ' ' || message, '2026-03-01 12:30:30+00 60 slots missed since 2026-03-01T12:30:30.000Z', 'one row says how many') FROM steward.job_run WHERE job = 'half' AND status = 'skipped' ORDER BY scheduled_at DESC LIMIT 1;
SELECT pg_temp.at('2026-03-15 13:00:10+00');
SELECT is(run, NULL, 'after two weeks, too') FROM pg_temp.start();
SELECT is(message, 'more than 1000 slots missed since 2026-03-01T13:00:30.000Z', 'and the count has an end') FROM steward.job_run WHERE job = 'half' AND status = 'skipped' ORDER BY scheduled_at DESC LIMIT 1;
SELECT pg_temp.at('2026-03-15 13:00:40+00');
SELECT isnt(run, NULL, 'a slot that is merely late is run') FROM pg_temp.start();
SELECT isnt(p.status, NULL, 'by whoever comes') FROM steward.job_run r, steward.job_perform(r.id, 'w') p WHERE r.status = 'running';

INSERT INTO steward.job_schedule (name, worker, call, schedule, time_zone, missed) VALUES ('nightly', 'night', 'public.job_good(timestamptz)', '30 2 * * *', 'Europe/Berlin', 'once');
SELECT pg_temp.at('2026-03-20 12:00:00+00');
SELECT run FROM steward.job_start('night', 'w')
\gset
SELECT is(scheduled_at::text || ' ' || message, '2026-03-20 01:30:00+00 4 slots missed since 2026-03-16T01:30:00.000Z', 'the last of several nights is the one that is made good') FROM steward.job_run WHERE id = :'run';
SELECT isnt(status, NULL, 'done') FROM steward.job_perform(:'run', 'w');

-- --------------------------------------------------------------- a worker dies
UPDATE steward.job_schedule SET missed = 'once', overlap = 'skip', call = 'public.job_good(timestamptz)' WHERE name = 'half';
SELECT pg_temp.at('2026-03-20 12:00:30+00');
SELECT run AS dead FROM pg_temp.start()
\gset
SELECT ok(run IS NULL AND next_due_us BETWEEN 1000000 AND 10000000, 'young and silent: it may only be slow') FROM pg_temp.start();
UPDATE steward.job_run SET claimed_at = claimed_at - interval '11 s' WHERE id = :'dead';
SELECT pg_temp.at('2026-03-20 12:00:41+00');
SELECT run AS again FROM pg_temp.start()
\gset
SELECT is(status || ' ' || error, 'failed the worker that ran it went away', 'after ten seconds it has failed') FROM steward.job_run WHERE id = :'dead';
SELECT is(message, 'again: the worker that ran the slot of 2026-03-20T12:00:30.000Z went away', 'and once means again') FROM steward.job_run WHERE id = :'again';
SELECT is(status, NULL, 'the one that was given up cannot come back') FROM steward.job_perform(:'dead', 'w');
SELECT is(next_at, '2026-03-20 12:01:00+00', 'the grid is kept') FROM steward.job_schedule WHERE name = 'half';
UPDATE steward.job_run SET claimed_at = claimed_at - interval '11 s' WHERE id = :'again';
SELECT pg_temp.at('2026-03-20 12:00:52+00');
SELECT is(run, NULL, 'what kills twice is left alone') FROM pg_temp.start();
SELECT is(status, 'failed', 'and has failed twice') FROM steward.job_run WHERE id = :'again';
UPDATE steward.job_schedule SET missed = 'skip' WHERE name = 'half';
SELECT pg_temp.at('2026-03-20 12:01:00+00');
SELECT run AS dead FROM pg_temp.start()
\gset
UPDATE steward.job_run SET claimed_at = claimed_at - interval '11 s' WHERE id = :'dead';
SELECT pg_temp.at('2026-03-20 12:01:11+00');
SELECT is(run, NULL, 'skip: not again') FROM pg_temp.start();
SELECT is(status, 'failed', 'but it has failed') FROM steward.job_run WHERE id = :'dead';

-- Old is not dead: the lock on the row says that its performer lives.
UPDATE steward.job_schedule SET call = 'public.job_slow(timestamptz)' WHERE name = 'half';
SELECT dblink_exec('ears', 'BEGIN'), dblink_exec('ears', 'DO $$BEGIN PERFORM pg_advisory_xact_lock(42); END$$');
SELECT pg_temp.at('2026-03-20 12:01:30+00'), pg_temp.other_at('2026-03-20 12:01:30+00');
SELECT run AS living FROM pg_temp.start()
\gset
UPDATE steward.job_run SET claimed_at = claimed_at - interval '11 s' WHERE id = :'living';
SELECT dblink_send_query('other', format('SELECT status FROM steward.job_perform(%L, ''other'')', :'living'));
SELECT pg_temp.until_waiting();
SELECT ok(run IS NULL AND next_due_us BETWEEN 1000000 AND 30000000, 'nobody buries the living') FROM pg_temp.start();
SELECT is(status, 'running', 'who go on') FROM steward.job_run WHERE id = :'living';
SELECT throws_like($$SELECT steward.job_run_now('half', 'me')$$, 'job half is running since 2026-03-20T12:01:3%, by worker-1-abcdef01', 'and nobody runs beside them');
SELECT is(pg_temp.come_to_an_end(), 'completed', 'to their end');
SELECT dblink_exec('ears', 'COMMIT');

-- --------------------------------------------------------------------- by hand
UPDATE steward.job_schedule SET call = 'public.job_good(timestamptz)' WHERE name = 'half';
SELECT throws_like($$SELECT steward.job_run_now('hlaf')$$, 'there is no job "hlaf"; there are: %half, nightly%', 'an unknown job');
SELECT throws_like($$SELECT steward.job_enable('hlaf', true)$$, 'there is no job "hlaf"; there are: %', 'here as well');
SELECT throws_like($$SELECT steward.schedule_upcoming('hlaf')$$, 'there is no job "hlaf"; there are: %', 'and here');
SELECT steward.job_run_now('half', 'me') AS manual
\gset
SELECT is(status || ' ' || rows, 'completed 7', 'a run by hand has the same effect') FROM steward.job_perform(:'manual', 'me');
SELECT ok(manual AND worker = 'me' AND scheduled_at = started_at, 'and is recorded as such') FROM steward.job_run WHERE id = :'manual';
SELECT steward.job_run_now('half', 'me') AS manual
\gset
UPDATE steward.job_run SET claimed_at = claimed_at - interval '11 s' WHERE id = :'manual';
UPDATE steward.job_schedule SET missed = 'once' WHERE name = 'half';
SELECT is(run, NULL, 'one that was given up is not repeated') FROM pg_temp.start();
SELECT is(status, 'failed', 'it has failed') FROM steward.job_run WHERE id = :'manual';

-- ------------------------------------------------------------------- on and off
SELECT pg_temp.heard();
SELECT ok(NOT enabled AND next_at IS NULL AND updated_by = 'me', 'off: it has no next slot') FROM steward.job_enable('half', false, 'me');
SELECT is(pg_temp.heard(), 1::bigint, 'and workers hear of it');
SELECT pg_temp.at('2026-03-21 12:00:00+00');
SELECT ok(run IS NULL AND next_due_us IS NULL, 'nothing of it is due') FROM pg_temp.start();
SELECT is(count(*), 3::bigint, 'one can see when it would be') FROM steward.schedule_upcoming('half', 3);
SELECT isnt(steward.job_run_now('half', 'me'), NULL, 'it can be run by hand');
SELECT isnt(p.status, NULL, 'as before') FROM steward.job_run r, steward.job_perform(r.id, 'me') p WHERE r.status = 'running';
SELECT ok(enabled AND next_at > steward.now() AND next_at <= steward.now() + interval '30 s', 'on: it goes on with the next slot') FROM steward.job_enable('half', true, 'me');
UPDATE steward.job_schedule SET next_at = '2026-03-21 12:00:00+00' WHERE name = 'half';
SELECT is(next_at, '2026-03-21 12:00:00+00', 'on again changes nothing') FROM steward.job_enable('half', true, 'me');

-- A job that is switched off or deleted while it runs: whoever runs it ends the run, and
-- where that one went away, whoever looks next.
INSERT INTO steward.job_schedule (name, worker, call, schedule) VALUES ('parting', 'test', 'public.job_good(timestamptz)', '0 0 1 1 *');
SELECT steward.job_run_now('parting', 'me') AS parted
\gset
DELETE FROM steward.job_schedule WHERE name = 'parting';
SELECT is(status || ' ' || message, 'failed P0001: there is no job parting any more', 'a deleted job is not begun, and its run ends') FROM steward.job_perform(:'parted', 'me');
INSERT INTO steward.job_schedule (name, worker, call, schedule) VALUES ('parting', 'test', 'public.job_good(timestamptz)', '0 0 1 1 *');
SELECT steward.job_run_now('parting', 'me') AS parted
\gset
SELECT count(*) FROM steward.job_enable('parting', false, 'me')
\gset
UPDATE steward.job_run SET claimed_at = claimed_at - interval '11 s' WHERE id = :'parted';
SELECT count(*) FROM pg_temp.start()
\gset
SELECT is(status || ' ' || error, 'failed the worker that ran it went away', 'the run of a job that is switched off ends') FROM steward.job_run WHERE id = :'parted';
SELECT steward.job_run_now('parting', 'me') AS parted
\gset
DELETE FROM steward.job_schedule WHERE name = 'parting';
SELECT ok(next_due_us BETWEEN 1 AND 10000000, 'somebody looks after what a deleted job left behind') FROM steward.job_start('idle', 'w');
UPDATE steward.job_run SET claimed_at = claimed_at - interval '11 s' WHERE id = :'parted';
SELECT is(next_due_us, NULL, 'and then no more') FROM steward.job_start('idle', 'w');
SELECT is(status || ' ' || error, 'failed the worker that ran it went away', 'because it has ended') FROM steward.job_run WHERE id = :'parted';

-- -------------------------------------------------------------------- questions
SELECT ok(worker = 'test' AND last_status = 'completed' AND last_duration_ms >= 0 AND last_message LIKE 'slot %', 'the list tells how it went') FROM steward.schedule_list() WHERE name = 'half';
SELECT ok(bool_and(status = 'failed' AND message <> ''), 'failed runs have their reason') FROM steward.schedule_history('half', 'failed');
SELECT is(count(*), 4::bigint, 'all of them are listed') FROM steward.schedule_history('half', 'failed') WHERE message LIKE '%went away';
SELECT is(count(*), 5::bigint, 'as many as are wanted') FROM steward.schedule_history(NULL, NULL, 5);
SELECT ok(bool_and(ordered), 'newest first') FROM (SELECT scheduled_at <= lag(scheduled_at, 1, 'infinity') OVER () AS ordered FROM steward.schedule_history()) h;
SELECT results_eq($$SELECT slot::text, local_time FROM steward.schedule_upcoming('nightly', 2) OFFSET 0$$,
    $$VALUES ('2026-03-21 01:30:00+00', 'Sat 2026-03-21 02:30:00 Europe/Berlin'), ('2026-03-22 01:30:00+00', 'Sun 2026-03-22 02:30:00 Europe/Berlin')$$, 'the next slots, with the wall clock');

-- --------------------------------------------------------------------- the rest
SELECT is(count(*), 0::bigint, 'nothing of it is for everybody')
  FROM pg_proc p WHERE p.pronamespace = 'steward'::regnamespace AND p.proname ~ '^(job|schedule|calendar|zone|clock)'
   AND has_function_privilege('public', p.oid, 'EXECUTE');
SELECT is(has_table_privilege('steward_worker', 'steward.job_schedule', 'SELECT, INSERT, UPDATE, DELETE'), false, 'workers do not touch the table');
SET ROLE steward_worker;
SELECT lives_ok($$SELECT * FROM steward.job_start('nobody', 'w')$$, 'a worker may start');
SELECT lives_ok($$SELECT * FROM steward.job_perform(gen_random_uuid(), 'w')$$, 'and perform');
SELECT throws_ok($$SELECT steward.job_bury('test')$$, '42501', NULL, 'but not what these are made of');
RESET ROLE;

SELECT * FROM finish();
