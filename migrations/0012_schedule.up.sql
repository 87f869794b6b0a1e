-- The scheduler: what runs when (job_schedule), when that is (schedule_next), and
-- how a worker takes a slot (job_start) and works it off (job_perform).
--
-- There is no leader.  A slot is taken by inserting its row into job_run, whose
-- key lets it happen once on any number of nodes; the lock on that row says that
-- its performer lives, for PostgreSQL gives it up the moment the session ends.

-- ---------------------------------------------------------------- the calendar
-- Pure: text and a moment come in, a moment goes out.

CREATE TYPE steward.calendar AS (
    every    bigint,
    seconds  int[],
    minutes  int[],
    hours    int[],
    days     int[],
    months   int[],
    weekdays int[],
    either   boolean,
    through  boolean
);
COMMENT ON TYPE steward.calendar IS 'a schedule as it was understood: an interval, or what each field of cron allows';
COMMENT ON COLUMN steward.calendar.every IS 'seconds of an interval; NULL for cron, and then the rest is set';
COMMENT ON COLUMN steward.calendar.either IS 'day and weekday are both restricted, and one of them is enough';
COMMENT ON COLUMN steward.calendar.through IS 'it goes on hour by hour, also where the clocks are changed';

CREATE FUNCTION steward.calendar_field(schedule text, place int, field text, what text, low int, high int, names text[], example text)
    RETURNS int[] LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    head    text := format('schedule "%s": field %s (%s)', schedule, place, what);
    item    text;
    part    text[];   -- star, first, last, step
    bound   int[];
    step    int;
    allowed int[] := '{}';
BEGIN
    IF field = '*' THEN
        RETURN ARRAY(SELECT generate_series(low, high));
    END IF;
    FOREACH item IN ARRAY string_to_array(field, ',') LOOP
        part := regexp_match(item, '^(?:(\*)|(\d{1,2}|[a-z]{3})(?:-(\d{1,2}|[a-z]{3}))?)(?:/(\d{1,3}))?$');
        IF part IS NULL THEN
            RAISE EXCEPTION '%: "%" is no number, range, step or list of them, as in "%"', head, item, example
                USING ERRCODE = 'invalid_parameter_value';
        END IF;
        bound := ARRAY(
            SELECT CASE WHEN p.word IS NULL THEN NULL WHEN p.word ~ '^\d' THEN p.word::int
                        ELSE low + array_position(names, p.word) - 1 END
              FROM (VALUES (1, part[2]), (2, COALESCE(part[3], part[2]))) p(place, word) ORDER BY p.place);
        IF part[1] IS NOT NULL THEN
            bound := ARRAY[low, high];
        ELSIF bound[2] = 0 AND bound[1] > 0 AND high = 7 THEN
            bound[2] := 7;
        END IF;
        step := COALESCE(part[4]::int, 1);
        IF bound[1] IS NULL OR bound[2] IS NULL OR bound[1] < low OR bound[2] > high THEN
            RAISE EXCEPTION '%: "%" is not allowed; it takes %, as in "%"', head, item,
                low || ' to ' || high || COALESCE(' or ' || array_to_string(names, ' '), ''), example
                USING ERRCODE = 'invalid_parameter_value';
        ELSIF bound[1] > bound[2] THEN
            RAISE EXCEPTION '%: "%" runs backwards; right is, for example, "%"', head, item, example
                USING ERRCODE = 'invalid_parameter_value';
        ELSIF step = 0 OR part[4] IS NOT NULL AND part[1] IS NULL AND part[3] IS NULL THEN
            RAISE EXCEPTION '%: "%": a step is at least 1 and stands behind * or a range, as in "%"', head, item, example
                USING ERRCODE = 'invalid_parameter_value';
        END IF;
        allowed := allowed || ARRAY(SELECT generate_series(bound[1], bound[2], step));
    END LOOP;
    RETURN ARRAY(SELECT DISTINCT a.value FROM unnest(allowed) a(value) ORDER BY a.value);
END $$;
COMMENT ON FUNCTION steward.calendar_field(text, int, text, text, int, int, text[], text) IS
    'the values that one field of cron allows, in order';

CREATE FUNCTION steward.calendar_interval(schedule text, words text) RETURNS bigint
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    part  text[];
    unit  bigint;
    total bigint := 0;
BEGIN
    words := regexp_replace(words, '^every\s+', '');
    IF words ~ '^[a-z]' THEN
        words := '1 ' || words;
    END IF;
    IF words !~ '^(\d{1,9}\s*[a-z]+\s*)+$' THEN
        RAISE EXCEPTION 'schedule "%": "%" is no interval, as in "every 5 minutes" or "1 hour 30 minutes"', schedule, words
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    FOR part IN SELECT regexp_matches(words, '(\d+)\s*([a-z]+)', 'g') LOOP
        unit := CASE WHEN part[2] IN ('s', 'sec', 'secs', 'second', 'seconds') THEN 1
                     WHEN part[2] IN ('m', 'min', 'mins', 'minute', 'minutes') THEN 60
                     WHEN part[2] IN ('h', 'hr', 'hrs', 'hour', 'hours') THEN 3600
                     WHEN part[2] IN ('d', 'day', 'days') THEN 86400
                     WHEN part[2] IN ('w', 'week', 'weeks') THEN 604800 END;
        IF unit IS NULL THEN
            RAISE EXCEPTION 'schedule "%": an interval has seconds, minutes, hours, days or weeks, not "%", as in "every 5 minutes"',
                schedule, part[2] USING ERRCODE = 'invalid_parameter_value';
        END IF;
        total := total + unit * part[1]::bigint;
    END LOOP;
    IF total NOT BETWEEN 1 AND 366 * 86400 THEN
        RAISE EXCEPTION 'schedule "%": an interval is at least one second and at most 366 days, as in "every 5 minutes"', schedule
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    RETURN total;
END $$;
COMMENT ON FUNCTION steward.calendar_interval(text, text) IS 'the seconds of "30 seconds", "5 min" or "every 2 hours"';

CREATE FUNCTION steward.calendar_read(schedule text) RETURNS steward.calendar
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
DECLARE
    words text := lower(btrim(schedule, E' \t\n\r'));
    f     text[];
    place int;      -- of the minute
    c     steward.calendar;
BEGIN
    IF words ~ '^(every\M|\d+\s*[a-z])' THEN
        c.every := steward.calendar_interval(schedule, words);
        RETURN c;
    END IF;
    IF left(words, 1) = '@' THEN
        words := CASE words WHEN '@hourly'  THEN '0 * * * *'
                            WHEN '@daily'   THEN '0 0 * * *'
                            WHEN '@midnight' THEN '0 0 * * *'
                            WHEN '@weekly'  THEN '0 0 * * 0'
                            WHEN '@monthly' THEN '0 0 1 * *'
                            WHEN '@yearly'  THEN '0 0 1 1 *'
                            WHEN '@annually' THEN '0 0 1 1 *' END;
        IF words IS NULL THEN
            RAISE EXCEPTION 'schedule "%" is none of @hourly, @daily, @midnight, @weekly, @monthly, @yearly', schedule
                USING ERRCODE = 'invalid_parameter_value';
        END IF;
    END IF;
    f := regexp_split_to_array(words, '\s+');
    place := cardinality(f) - 4;
    IF place NOT IN (1, 2) THEN
        RAISE EXCEPTION 'schedule "%" has % field(s); cron has five, or six with the seconds first, as in "*/5 * * * *"; an interval is "every 30 seconds"',
            schedule, cardinality(f) USING ERRCODE = 'invalid_parameter_value';
    END IF;
    c.seconds := CASE place WHEN 1 THEN '{0}'
        ELSE steward.calendar_field(schedule, 1, f[1], 'second', 0, 59, NULL, '*/30 * * * * *') END;
    c.minutes := steward.calendar_field(schedule, place, f[place], 'minute', 0, 59, NULL, '*/5 * * * *');
    c.hours := steward.calendar_field(schedule, place + 1, f[place + 1], 'hour', 0, 23, NULL, '0 8-18 * * *');
    c.days := steward.calendar_field(schedule, place + 2, f[place + 2], 'day', 1, 31, NULL, '0 0 1,15 * *');
    c.months := steward.calendar_field(schedule, place + 3, f[place + 3], 'month', 1, 12,
        '{jan,feb,mar,apr,may,jun,jul,aug,sep,oct,nov,dec}', '0 0 1 jan,jul *');
    c.weekdays := steward.calendar_field(schedule, place + 4, f[place + 4], 'weekday', 0, 7,
        '{sun,mon,tue,wed,thu,fri,sat}', '0 9 * * mon-fri');
    IF 7 = ANY (c.weekdays) THEN
        c.weekdays := c.weekdays || 0;
    END IF;
    -- As in Vixie's cron: */2 counts as unrestricted, too.
    c.either := left(f[place + 2], 1) <> '*' AND left(f[place + 4], 1) <> '*';
    c.through := left(f[place + 1], 1) = '*';
    RETURN c;
END $$;
COMMENT ON FUNCTION steward.calendar_read(text) IS
    'understands cron with five or six fields, @daily and the like, and intervals; refuses with the field and an example of a right one';

-- A day that comes at all comes within 41 years: the 29th of February on a Sunday, across 2100.
CREATE FUNCTION steward.calendar_wall(c steward.calendar, since timestamp) RETURNS timestamp
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    day      date := since::date;
    horizon  date := day + 41 * 366;
    earliest int := extract(epoch FROM since::time)::int;
    month    int;
    on_day   boolean;
    on_week  boolean;
    h        int;
    m        int;
    s        int;
BEGIN
    WHILE day < horizon LOOP
        month := extract(month FROM day);
        IF month <> ALL (c.months) THEN
            day := make_date(extract(year FROM day)::int + month / 12, month % 12 + 1, 1);
            earliest := 0;
            CONTINUE;
        END IF;
        on_day := extract(day FROM day)::int = ANY (c.days);
        on_week := extract(dow FROM day)::int = ANY (c.weekdays);
        IF on_day AND on_week OR c.either AND (on_day OR on_week) THEN
            FOREACH h IN ARRAY c.hours LOOP
                CONTINUE WHEN h * 3600 + 3599 < earliest;
                FOREACH m IN ARRAY c.minutes LOOP
                    CONTINUE WHEN h * 3600 + m * 60 + 59 < earliest;
                    FOREACH s IN ARRAY c.seconds LOOP
                        IF h * 3600 + m * 60 + s >= earliest THEN
                            RETURN day + make_time(h, m, s);
                        END IF;
                    END LOOP;
                END LOOP;
            END LOOP;
        END IF;
        day := day + 1;
        earliest := 0;
    END LOOP;
    RETURN NULL;
END $$;
COMMENT ON FUNCTION steward.calendar_wall(steward.calendar, timestamp) IS
    'the first time on a wall clock, from this whole second on, that cron allows; NULL when none ever comes';

CREATE FUNCTION steward.zone_offset(moment timestamptz, zone text) RETURNS interval
    LANGUAGE sql IMMUTABLE PARALLEL SAFE
    AS $$ SELECT (moment AT TIME ZONE zone) - (moment AT TIME ZONE 'UTC') $$;
COMMENT ON FUNCTION steward.zone_offset(timestamptz, text) IS 'how far the clocks of a zone are ahead of UTC';

CREATE FUNCTION steward.zone_change(low timestamptz, high timestamptz, zone text) RETURNS timestamptz
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    before  interval := steward.zone_offset(low, zone);
    seconds bigint := extract(epoch FROM high - low);
    half    bigint;
BEGIN
    WHILE seconds > 1 LOOP
        half := seconds / 2;
        IF steward.zone_offset(low + make_interval(secs => half), zone) = before THEN
            low := low + make_interval(secs => half);
            seconds := seconds - half;
        ELSE
            seconds := half;
        END IF;
    END LOOP;
    RETURN low + interval '1 second';
END $$;
COMMENT ON FUNCTION steward.zone_change(timestamptz, timestamptz, text) IS
    'the moment between two of different offset, whole seconds apart, at which the clocks are changed';

-- PostgreSQL takes the offset from before a gap, and the second of two equal times.
CREATE FUNCTION steward.zone_moment(wall timestamp, zone text) RETURNS timestamptz
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    moment  timestamptz := wall AT TIME ZONE zone;
    gap     interval := (moment AT TIME ZONE zone) - wall;
    earlier timestamptz;
BEGIN
    IF gap > interval '0' THEN
        RETURN steward.zone_change(moment - gap, moment, zone);
    END IF;
    earlier := (wall - steward.zone_offset(moment - interval '24 hours', zone)) AT TIME ZONE 'UTC';
    RETURN CASE WHEN earlier < moment AND earlier AT TIME ZONE zone = wall THEN earlier ELSE moment END;
END $$;
COMMENT ON FUNCTION steward.zone_moment(timestamp, text) IS
    'when the clocks of a zone first show a time; the end of the gap for one that they skip';

CREATE FUNCTION steward.calendar_next(c steward.calendar, zone text, after timestamptz) RETURNS timestamptz
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    monday constant date := '1970-01-05';   -- where the grid of days and weeks begins
    moment timestamptz;
    ahead  interval;
    wall   timestamp;
    days   int;
BEGIN
    IF c.every % 86400 = 0 THEN
        days := c.every / 86400;
        wall := (after AT TIME ZONE zone)::date - ((after AT TIME ZONE zone)::date - monday) % days;
        LOOP
            moment := steward.zone_moment(wall, zone);
            EXIT WHEN moment > after;
            wall := wall + make_interval(days => days);
        END LOOP;
        RETURN moment;
    END IF;
    IF c.every IS NOT NULL THEN
        RETURN to_timestamp((floor(extract(epoch FROM after) / c.every) + 1) * c.every);
    END IF;

    IF NOT c.through THEN
        wall := date_trunc('second', after AT TIME ZONE zone);
        LOOP
            wall := steward.calendar_wall(c, wall + interval '1 second');
            moment := steward.zone_moment(wall, zone);
            EXIT WHEN moment > after OR wall IS NULL;
        END LOOP;
        RETURN moment;
    END IF;
    -- With one offset at a time: a skipped hour is not there, a repeated one is there twice.
    after := date_trunc('second', after) + interval '1 second';
    LOOP
        ahead := steward.zone_offset(after, zone);
        wall := steward.calendar_wall(c, after AT TIME ZONE 'UTC' + ahead);
        moment := (wall - ahead) AT TIME ZONE 'UTC';
        EXIT WHEN wall IS NULL OR steward.zone_offset(moment, zone) = ahead;
        after := steward.zone_change(after, moment, zone);
    END LOOP;
    RETURN moment;
END $$;
COMMENT ON FUNCTION steward.calendar_next(steward.calendar, text, timestamptz) IS 'schedule_next for a schedule that was read before';

CREATE FUNCTION steward.schedule_next(schedule text, time_zone text, after timestamptz) RETURNS timestamptz
    LANGUAGE plpgsql IMMUTABLE STRICT PARALLEL SAFE AS $$
BEGIN
    RETURN CASE WHEN isfinite(after) THEN steward.calendar_next(steward.calendar_read(schedule), time_zone, after) END;
END $$;
COMMENT ON FUNCTION steward.schedule_next(text, text, timestamptz) IS
    'the first slot strictly after a moment, NULL when none ever comes; a time that the clocks skip comes right after the gap, one that they show twice comes the first time';

-- There is no way back through a calendar, so the last slot is found by halving.
CREATE FUNCTION steward.calendar_last(c steward.calendar, zone text, slot timestamptz, until timestamptz) RETURNS timestamptz
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    back bigint := 1;
    step bigint;
    next timestamptz;
BEGIN
    IF steward.calendar_next(c, zone, slot) > until THEN
        RETURN slot;
    END IF;
    -- From how many seconds before the end does the next slot come in time?
    WHILE steward.calendar_next(c, zone, until - make_interval(secs => back)) > until LOOP
        back := back * 2;
        IF until - make_interval(secs => back) < slot THEN
            back := ceil(extract(epoch FROM until - slot)) + 1;
            EXIT;
        END IF;
    END LOOP;
    step := back;
    WHILE step > 1 LOOP
        step := (step + 1) / 2;
        IF back > step AND steward.calendar_next(c, zone, until - make_interval(secs => back - step)) <= until THEN
            back := back - step;
        END IF;
    END LOOP;
    next := steward.calendar_next(c, zone, until - make_interval(secs => back));
    RETURN CASE WHEN next BETWEEN slot AND until THEN next ELSE slot END;
END $$;
COMMENT ON FUNCTION steward.calendar_last(steward.calendar, text, timestamptz, timestamptz) IS
    'the last slot until a moment, when there is one after `slot`; else `slot`';

CREATE FUNCTION steward.calendar_count(c steward.calendar, zone text, slot timestamptz, until timestamptz) RETURNS text
    LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE AS $$
DECLARE
    most constant int := 1000;
    n    int := 0;
BEGIN
    WHILE slot <= until AND n < most LOOP
        n := n + 1;
        slot := steward.calendar_next(c, zone, slot);
    END LOOP;
    RETURN CASE WHEN slot <= until THEN format('more than %s slots', most) WHEN n = 1 THEN '1 slot' ELSE format('%s slots', n) END;
END $$;
COMMENT ON FUNCTION steward.calendar_count(steward.calendar, text, timestamptz, timestamptz) IS
    'how many slots there are from one to a moment, in words';

-- ---------------------------------------------------------------- the clock
-- Only an administrator writes the mark, and only where it stands does stewardctl
-- move the clock: a setting could be forged by any session.
CREATE TABLE steward.test_database (
    singleton boolean     PRIMARY KEY DEFAULT true CONSTRAINT test_database_singleton_check CHECK (singleton),
    marked_by text        NOT NULL DEFAULT session_user,
    marked_at timestamptz NOT NULL DEFAULT now()
);
COMMENT ON TABLE steward.test_database IS 'with its one row, this database is for tests and its clock may be moved';
SELECT steward.quarantine_restore('steward.test_database');

CREATE FUNCTION steward.clock_show() RETURNS TABLE (now timestamptz, offset_ms bigint, movable boolean)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT steward.now(), (extract(epoch FROM steward.now() - pg_catalog.now()) * 1000)::bigint,
           EXISTS (SELECT FROM steward.test_database)
$$;
COMMENT ON FUNCTION steward.clock_show() IS 'the clock of the rules, how far it is ahead, and whether it may be moved here';
GRANT EXECUTE ON FUNCTION steward.clock_show() TO steward_worker;

CREATE FUNCTION steward.clock() RETURNS timestamptz
    LANGUAGE sql VOLATILE PARALLEL SAFE
    AS $$ SELECT clock_timestamp() + (steward.now() - pg_catalog.now()) $$;
COMMENT ON FUNCTION steward.clock() IS 'this very moment on the clock of steward.now(), which stands still within a transaction';

-- ---------------------------------------------------------------- the schedule

-- The function is kept by name: a column of its oid would forbid pg_upgrade.
CREATE TABLE steward.job_schedule (
    name       text        PRIMARY KEY
        CONSTRAINT job_schedule_name_check CHECK (name ~ '^[a-z0-9][a-z0-9_-]{0,46}$'),
    worker     text        NOT NULL,
    call       text        NOT NULL,
    schedule   text        NOT NULL,
    time_zone  text        NOT NULL DEFAULT 'UTC',
    overlap    text        NOT NULL DEFAULT 'skip'
        CONSTRAINT job_schedule_overlap_check CHECK (overlap IN ('skip', 'queue')),
    missed     text        NOT NULL DEFAULT 'once'
        CONSTRAINT job_schedule_missed_check CHECK (missed IN ('skip', 'once')),
    enabled    boolean     NOT NULL DEFAULT true,
    next_at    timestamptz,
    updated_by text        NOT NULL DEFAULT session_user,
    updated_at timestamptz NOT NULL DEFAULT steward.now(),
    created_at timestamptz NOT NULL DEFAULT steward.now()
);
COMMENT ON TABLE steward.job_schedule IS 'what runs when; the runs themselves are in steward.job_run';
COMMENT ON COLUMN steward.job_schedule.worker IS 'the kind of worker that runs it';
COMMENT ON COLUMN steward.job_schedule.call IS 'the function, (slot timestamptz, OUT rows bigint, OUT message text)';
COMMENT ON COLUMN steward.job_schedule.overlap IS 'a slot that comes while a run goes on: skip it, or queue one until the run has ended';
COMMENT ON COLUMN steward.job_schedule.missed IS 'slots that nobody was there for: skip them, or run once for all of them';
COMMENT ON COLUMN steward.job_schedule.next_at IS 'the next slot, kept by trigger and by job_start; NULL while disabled';

-- A migration may name a function of public without its schema; stored it has it.
CREATE FUNCTION steward.job_schedule_check() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, public, pg_temp AS $$
DECLARE
    called text;
BEGIN
    IF NEW.worker !~ '^[a-z_]+$' THEN
        RAISE EXCEPTION 'job %: worker "%" is no kind of worker, as in "sla_monitor"', NEW.name, NEW.worker
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    SELECT format('%I.%I(timestamptz)', n.nspname, p.proname) INTO called
      FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
     WHERE p.oid = to_regprocedure(NEW.call) AND p.prokind = 'f' AND NOT p.proretset AND p.proargmodes = '{i,o,o}'
       AND p.proallargtypes = ARRAY['timestamptz'::regtype, 'bigint'::regtype, 'text'::regtype]::oid[]
       AND p.proargnames[2:3] = '{rows,message}';
    IF called IS NULL THEN
        RAISE EXCEPTION 'job %: call "%" is no function (slot timestamptz, OUT rows bigint, OUT message text), as in "steward.job_sla_monitoring(timestamptz)"',
            NEW.name, NEW.call USING ERRCODE = 'invalid_parameter_value';
    END IF;
    NEW.call := called;
    IF NEW.time_zone <> 'UTC' AND NOT EXISTS (SELECT FROM pg_timezone_names z WHERE z.name = NEW.time_zone) THEN
        RAISE EXCEPTION 'job %: time zone "%" is not known; right is, for example, "Europe/Berlin"', NEW.name, NEW.time_zone
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    NEW.next_at := steward.schedule_next(NEW.schedule, NEW.time_zone, steward.now());
    IF NEW.next_at IS NULL THEN
        RAISE EXCEPTION 'job %: schedule "%" never comes: no such day of the month', NEW.name, NEW.schedule
            USING ERRCODE = 'invalid_parameter_value';
    END IF;
    IF NOT NEW.enabled THEN
        NEW.next_at := NULL;
    END IF;
    NEW.updated_at := steward.now();
    RETURN NEW;
END $$;
COMMENT ON FUNCTION steward.job_schedule_check() IS 'refuses what could never run, with an example of what can, and finds the next slot';
CREATE TRIGGER job_schedule_check BEFORE INSERT OR UPDATE OF worker, call, schedule, time_zone, enabled ON steward.job_schedule
    FOR EACH ROW EXECUTE FUNCTION steward.job_schedule_check();
COMMENT ON TRIGGER job_schedule_check ON steward.job_schedule IS 'a schedule that is stored can run, and has its next slot';

CREATE FUNCTION steward.job_schedule_tell() RETURNS trigger
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM pg_notify('steward_schedule', '');
    RETURN NULL;
END $$;
COMMENT ON FUNCTION steward.job_schedule_tell() IS 'makes workers look at the schedule again';
CREATE TRIGGER job_schedule_tell
    AFTER INSERT OR DELETE OR UPDATE OF worker, schedule, time_zone, overlap, missed, enabled ON steward.job_schedule
    FOR EACH STATEMENT EXECUTE FUNCTION steward.job_schedule_tell();
COMMENT ON TRIGGER job_schedule_tell ON steward.job_schedule IS 'workers hear of every change but the next slot, which is theirs';

-- -------------------------------------------------------------------- the runs
-- Between job_start and job_perform nobody holds the row's lock; that takes a
-- round trip, for which ten seconds are plenty.  A slot whose run was lost comes
-- again when the policy is once, but not for ever: what kills its worker twice is
-- left alone until its next slot.  A run whose job was deleted is any kind's to end.
CREATE FUNCTION steward.job_bury(kind text) RETURNS int
    LANGUAGE plpgsql AS $$
DECLARE
    lost   record;
    again  boolean;
    buried int := 0;
BEGIN
    FOR lost IN
        SELECT r.id, r.job, r.manual, r.detail, s.missed, s.enabled
          FROM steward.job_run r LEFT JOIN steward.job_schedule s ON s.name = r.job
         WHERE r.status = 'running' AND COALESCE(s.worker, kind) = kind AND r.claimed_at < clock_timestamp() - interval '10 s'
           FOR NO KEY UPDATE OF r SKIP LOCKED
    LOOP
        again := COALESCE(lost.missed = 'once' AND lost.enabled, false) AND NOT lost.manual AND NOT lost.detail ? 'again';
        UPDATE steward.job_run r
           SET status = 'failed', finished_at = steward.clock(), error = 'the worker that ran it went away',
               detail = r.detail || jsonb_build_object('comes_again', again)
         WHERE r.id = lost.id;
        UPDATE steward.job_schedule s SET next_at = LEAST(s.next_at, steward.now()) WHERE s.name = lost.job AND again;
        buried := buried + 1;
    END LOOP;
    RETURN buried;
END $$;
COMMENT ON FUNCTION steward.job_bury(text) IS
    'ends the runs of a kind whose worker went away as failed, and makes their slots due again where the policy says so; returns how many';

-- A job that waits for its own earlier run is nobody's next slot: whoever
-- performs that run takes it afterwards, and if he dies the run is looked at.
CREATE FUNCTION steward.job_next_due(kind text) RETURNS bigint
    LANGUAGE plpgsql AS $$
BEGIN
    RETURN (SELECT ceil(min(GREATEST(d.seconds, 0)) * 1000000) FROM (
        SELECT extract(epoch FROM s.next_at - steward.clock()) AS seconds
          FROM steward.job_schedule s
         WHERE s.worker = kind AND s.next_at IS NOT NULL
           AND NOT (s.overlap = 'queue' AND s.next_at <= steward.now()
                    AND EXISTS (SELECT FROM steward.job_run r WHERE r.job = s.name AND r.status = 'running'))
         UNION ALL
        SELECT CASE WHEN x.left_over > 0 THEN x.left_over ELSE 10 END
          FROM steward.job_run r LEFT JOIN steward.job_schedule s ON s.name = r.job
         CROSS JOIN LATERAL (SELECT extract(epoch FROM r.claimed_at + interval '10 s' - clock_timestamp()) AS left_over) x
         WHERE r.status = 'running' AND COALESCE(s.worker, kind) = kind) d);
END $$;
COMMENT ON FUNCTION steward.job_next_due(text) IS 'us until a kind has to look at its jobs again; 0: now, NULL: it has none';

CREATE FUNCTION steward.job_skip(job text, slot timestamptz, worker text, reason text) RETURNS void
    LANGUAGE sql AS $$
    INSERT INTO steward.job_run (job, scheduled_at, status, worker, message)
    VALUES (job, slot, 'skipped', worker, reason) ON CONFLICT ON CONSTRAINT job_run_slot_key DO NOTHING
$$;
COMMENT ON FUNCTION steward.job_skip(text, timestamptz, text, text) IS 'writes down that a slot was not run, and why';

-- The claim waits for no disk: if it is lost, so is everything that came after it,
-- and the slot is due again.
CREATE FUNCTION steward.job_start(kind text, worker text, OUT run uuid, OUT job text, OUT next_due_us bigint)
    LANGUAGE plpgsql SECURITY DEFINER
    SET search_path = pg_catalog, pg_temp
    SET plan_cache_mode = force_generic_plan
    SET lock_timeout = '1s'
    AS $$
DECLARE
    stamp    timestamptz;
    due      text;
    s        steward.job_schedule;
    c        steward.calendar;
    r        steward.job_run;     -- the run that went on when the slot came
    slot     timestamptz;
    last     timestamptz;
    note     text;
    again    boolean;
BEGIN
    PERFORM set_config('synchronous_commit', 'off', true);
    -- What this session performs next is to end soon after its worker has.
    IF current_setting('client_connection_check_interval') = '0' THEN
        PERFORM set_config('client_connection_check_interval', '500ms', false);
    END IF;
    -- Those who wake for the same slot take turns, and all but the first find it taken.
    PERFORM pg_advisory_xact_lock(hashtextextended('steward.job_start ' || kind, 0));
    PERFORM steward.job_bury(kind);
    -- After the wait: a slot that came meanwhile is due, too.
    stamp := steward.clock();

    FOR due IN SELECT x.name FROM steward.job_schedule x
                WHERE x.worker = kind AND x.next_at <= stamp ORDER BY x.next_at, x.name
    LOOP
        SELECT * INTO s FROM steward.job_schedule x WHERE x.name = due AND x.next_at <= stamp FOR NO KEY UPDATE;
        CONTINUE WHEN NOT FOUND;
        c := steward.calendar_read(s.schedule);
        slot := s.next_at;

        SELECT * INTO r FROM steward.job_run x WHERE x.job = s.name AND x.status = 'running' LIMIT 1;
        IF NOT FOUND THEN
            SELECT * INTO r FROM steward.job_run x
             WHERE x.job = s.name AND x.scheduled_at < slot AND x.started_at IS NOT NULL
             ORDER BY x.scheduled_at DESC LIMIT 1;
            IF r.finished_at < slot THEN
                r := NULL;
            END IF;
        END IF;
        CONTINUE WHEN r.status = 'running' AND s.overlap = 'queue';

        note := NULL;
        again := COALESCE((r.detail -> 'comes_again')::boolean, false);
        last := steward.calendar_last(c, s.time_zone, slot, stamp);
        IF again THEN
            note := format('again: the worker that ran the slot of %s went away', steward.iso(r.scheduled_at));
            slot := last;
        ELSIF r.id IS NOT NULL AND s.overlap = 'skip' THEN
            last := steward.calendar_last(c, s.time_zone, slot, LEAST(COALESCE(r.finished_at, stamp), stamp));
            PERFORM steward.job_skip(s.name, slot, worker, format('%s came while the run of %s went on',
                steward.calendar_count(c, s.time_zone, slot, last), steward.iso(r.scheduled_at)));
            slot := NULL;
        ELSIF r.id IS NOT NULL THEN
            note := format('waited for the run of %s', steward.iso(r.scheduled_at));
        ELSIF last > slot AND s.missed = 'skip' THEN
            PERFORM steward.job_skip(s.name, slot, worker, format('%s missed since %s',
                steward.calendar_count(c, s.time_zone, slot, last), steward.iso(slot)));
            slot := NULL;
        ELSIF last > slot THEN
            note := format('%s missed since %s', steward.calendar_count(c, s.time_zone, slot, last - interval '1 us'),
                           steward.iso(slot));
            slot := last;
        END IF;
        UPDATE steward.job_schedule SET next_at = steward.calendar_next(c, s.time_zone, last) WHERE name = s.name;
        CONTINUE WHEN slot IS NULL;

        INSERT INTO steward.job_run AS n (job, scheduled_at, started_at, status, worker, message, detail, claimed_at)
        VALUES (s.name, slot, steward.clock(), 'running', worker, note,
                CASE WHEN again THEN '{"again": true}' ELSE '{}' END::jsonb, clock_timestamp())
        ON CONFLICT ON CONSTRAINT job_run_slot_key DO NOTHING
        RETURNING n.id, n.job INTO run, job;
        EXIT WHEN run IS NOT NULL;
    END LOOP;

    -- A clock that was wrong and is right again must not leave a slot years ahead.
    IF run IS NULL THEN
        UPDATE steward.job_schedule x SET next_at = n.slot
          FROM (SELECT i.name, steward.schedule_next(i.schedule, i.time_zone, stamp) AS slot
                  FROM steward.job_schedule i WHERE i.worker = kind AND i.next_at > stamp OFFSET 0) n
         WHERE x.name = n.name AND x.next_at > n.slot;
        next_due_us := steward.job_next_due(kind);
    ELSE
        next_due_us := 0;
    END IF;
END $$;
COMMENT ON FUNCTION steward.job_start(text, text) IS
    'takes one due slot of a kind''s jobs, or none; next_due_us is 0 when there may be more, NULL when the kind has no job';

CREATE FUNCTION steward.job_perform(wanted uuid, performer text,
                                    OUT job text, OUT status text, OUT rows bigint, OUT message text, OUT next_due_us bigint)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    r       steward.job_run;
    s       steward.job_schedule;
    state   text;
    problem text;
BEGIN
    SELECT * INTO r FROM steward.job_run x WHERE x.id = wanted AND x.status = 'running' FOR NO KEY UPDATE;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    SELECT * INTO s FROM steward.job_schedule x WHERE x.name = r.job;
    job := r.job;
    status := 'completed';
    message := r.message;
    BEGIN
        IF s.name IS NULL THEN
            RAISE EXCEPTION 'there is no job % any more', r.job;
        END IF;
        EXECUTE format('SELECT c.rows, concat_ws(''; '', $2, c.message) FROM %s($1) c',
                       regexp_replace(s.call, '\(timestamptz\)$', '')) INTO rows, message USING r.scheduled_at, NULLIF(r.message, '');
    EXCEPTION WHEN query_canceled OR OTHERS OR ASSERT_FAILURE THEN
        GET STACKED DIAGNOSTICS state = RETURNED_SQLSTATE, problem = MESSAGE_TEXT;
        -- The server is to blame, and the worker comes again; but it does not do so for ever.
        IF left(state, 2) IN ('08', '28', '53', '57', '58', 'XX') AND state <> '57014'
           AND r.claimed_at > clock_timestamp() - interval '1 minute' THEN
            RAISE;
        END IF;
        status := 'failed';
        rows := NULL;
        message := format('%s: %s', state, problem);
    END;
    UPDATE steward.job_run x
       SET status = job_perform.status, finished_at = steward.clock(), worker = performer, rows = job_perform.rows,
           message = CASE job_perform.status WHEN 'completed' THEN NULLIF(job_perform.message, '') ELSE x.message END,
           error = CASE job_perform.status WHEN 'failed' THEN job_perform.message END
     WHERE x.id = wanted;
    -- It was nobody's turn, and a slot may have waited for its end.
    IF r.manual THEN
        PERFORM pg_notify('steward_schedule', '');
    END IF;
    -- A job that is gone does not tell any more whose it was; job_start, which is asked now, knows.
    next_due_us := CASE WHEN s.name IS NULL THEN 0 ELSE steward.job_next_due(s.worker) END;
END $$;
COMMENT ON FUNCTION steward.job_perform(uuid, text) IS
    'runs a job that was started, and writes down how it went; nothing at all when the run is over already, because it was given up meanwhile';

-- ------------------------------------------------------------- for operators
CREATE FUNCTION steward.job_must_exist(wanted text) RETURNS void
    LANGUAGE plpgsql STABLE AS $$
BEGIN
    IF NOT EXISTS (SELECT FROM steward.job_schedule s WHERE s.name = wanted) THEN
        RAISE EXCEPTION 'there is no job "%"; there are: %', wanted,
            (SELECT COALESCE(string_agg(s.name, ', ' ORDER BY s.name), 'none') FROM steward.job_schedule s)
            USING ERRCODE = 'no_data_found';
    END IF;
END $$;
COMMENT ON FUNCTION steward.job_must_exist(text) IS 'raises with the names of all jobs when there is none of this name';

CREATE FUNCTION steward.job_run_now(wanted text, actor text DEFAULT NULL) RETURNS uuid
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    kind  text;
    going steward.job_run;
    run   uuid;
BEGIN
    PERFORM steward.job_must_exist(wanted);
    SELECT s.worker INTO kind FROM steward.job_schedule s WHERE s.name = wanted;
    PERFORM pg_advisory_xact_lock(hashtextextended('steward.job_start ' || kind, 0));
    PERFORM steward.job_bury(kind);
    SELECT * INTO going FROM steward.job_run r WHERE r.job = wanted AND r.status = 'running' LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION 'job % is running since %, by %', wanted, steward.iso(going.started_at), going.worker
            USING ERRCODE = 'raise_exception';
    END IF;
    INSERT INTO steward.job_run (job, scheduled_at, started_at, status, worker, manual, claimed_at)
    SELECT wanted, now.moment, now.moment, 'running', COALESCE(actor, session_user), true, clock_timestamp()
      FROM steward.clock() now(moment)
    RETURNING id INTO run;
    RETURN run;
END $$;
COMMENT ON FUNCTION steward.job_run_now(text, text) IS
    'starts a run by hand, for job_perform; also of a job that is disabled, but not beside another run of it';

CREATE FUNCTION steward.job_enable(wanted text, enabled boolean, actor text DEFAULT NULL) RETURNS SETOF steward.job_schedule
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM steward.job_must_exist(wanted);
    -- Nothing to do must not lose a slot that is due.
    UPDATE steward.job_schedule s SET enabled = job_enable.enabled, updated_by = COALESCE(actor, session_user)
     WHERE s.name = wanted AND s.enabled <> job_enable.enabled;
    RETURN QUERY SELECT * FROM steward.job_schedule s WHERE s.name = wanted;
END $$;
COMMENT ON FUNCTION steward.job_enable(text, boolean, text) IS 'switches a job on or off and returns its row; on again, it goes on with the next slot';

CREATE FUNCTION steward.schedule_list()
    RETURNS TABLE (name text, worker text, call text, schedule text, time_zone text, enabled boolean, overlap text, missed text,
                   updated_by text, next_at timestamptz, last_started_at timestamptz, last_status text, last_duration_ms bigint, last_message text)
    LANGUAGE sql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT s.name, s.worker, s.call, s.schedule, s.time_zone, s.enabled, s.overlap, s.missed, s.updated_by, s.next_at,
           r.started_at, r.status, (extract(epoch FROM r.finished_at - r.started_at) * 1000)::bigint, COALESCE(r.error, r.message)
      FROM steward.job_schedule s
      LEFT JOIN LATERAL (
           SELECT x.* FROM steward.job_run x WHERE x.job = s.name AND x.started_at IS NOT NULL
            ORDER BY x.scheduled_at DESC LIMIT 1) r ON true
     ORDER BY s.name
$$;
COMMENT ON FUNCTION steward.schedule_list() IS 'every job, its next slot and its last run';

CREATE FUNCTION steward.schedule_history(wanted text DEFAULT NULL, wanted_status text DEFAULT NULL, most int DEFAULT 50)
    RETURNS TABLE (job text, scheduled_at timestamptz, started_at timestamptz, finished_at timestamptz, status text,
                   duration_ms bigint, rows bigint, message text, manual boolean, worker text, id uuid)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF wanted IS NOT NULL THEN
        PERFORM steward.job_must_exist(wanted);
    END IF;
    RETURN QUERY
    SELECT s.name, r.scheduled_at, r.started_at, r.finished_at, r.status,
           (extract(epoch FROM r.finished_at - r.started_at) * 1000)::bigint, r.rows, COALESCE(r.error, r.message), r.manual,
           r.worker, r.id
      FROM steward.job_schedule s
     CROSS JOIN LATERAL (
           SELECT x.* FROM steward.job_run x
            WHERE x.job = s.name AND (wanted_status IS NULL OR x.status = wanted_status)
            ORDER BY x.scheduled_at DESC LIMIT most) r
     WHERE wanted IS NULL OR s.name = wanted
     ORDER BY r.scheduled_at DESC, s.name LIMIT most;
END $$;
COMMENT ON FUNCTION steward.schedule_history(text, text, int) IS 'the newest runs of a job or of all, newest first';

CREATE FUNCTION steward.schedule_upcoming(wanted text, most int DEFAULT 5)
    RETURNS TABLE (slot timestamptz, local_time text)
    LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    s steward.job_schedule;
    c steward.calendar;
BEGIN
    PERFORM steward.job_must_exist(wanted);
    SELECT * INTO s FROM steward.job_schedule x WHERE x.name = wanted;
    c := steward.calendar_read(s.schedule);
    slot := COALESCE(s.next_at, steward.calendar_next(c, s.time_zone, steward.now()));
    FOR i IN 1 .. LEAST(most, 1000) LOOP
        local_time := to_char(slot AT TIME ZONE s.time_zone, 'Dy YYYY-MM-DD HH24:MI:SS ') || s.time_zone;
        RETURN NEXT;
        slot := steward.calendar_next(c, s.time_zone, slot);
    END LOOP;
END $$;
COMMENT ON FUNCTION steward.schedule_upcoming(text, int) IS
    'the next slots of a job, also of one that is disabled: those it would have';

GRANT EXECUTE ON FUNCTION steward.job_start(text, text), steward.job_perform(uuid, text), steward.job_run_now(text, text),
    steward.job_enable(text, boolean, text), steward.schedule_list(), steward.schedule_history(text, text, int),
    steward.schedule_upcoming(text, int) TO steward_worker;

SELECT steward.quarantine_restore('steward.job_schedule');
