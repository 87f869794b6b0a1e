DO $$
DECLARE
    called text;
BEGIN
    PERFORM steward.require('type', 'steward.calendar');
    PERFORM steward.require('relation', 'steward.job_schedule', 'steward.test_database');
    PERFORM steward.require('trigger', 'steward.job_schedule.job_schedule_check', 'steward.job_schedule.job_schedule_tell');
    PERFORM steward.require('constraint', 'steward.job_schedule.job_schedule_name_check',
        'steward.job_schedule.job_schedule_overlap_check', 'steward.job_schedule.job_schedule_missed_check');
    PERFORM steward.require('function', 'steward.calendar_read(text)', 'steward.calendar_wall(steward.calendar, timestamp)',
        'steward.calendar_next(steward.calendar, text, timestamptz)', 'steward.zone_moment(timestamp, text)',
        'steward.schedule_next(text, text, timestamptz)', 'steward.clock()', 'steward.clock_show()', 'steward.job_bury(text)',
        'steward.job_next_due(text)', 'steward.job_skip(text, timestamptz, text, text)', 'steward.job_start(text, text)',
        'steward.job_perform(uuid, text)', 'steward.job_run_now(text, text)', 'steward.job_enable(text, boolean, text)',
        'steward.schedule_list()', 'steward.schedule_history(text, text, int)', 'steward.schedule_upcoming(text, int)');
    FOREACH called IN ARRAY '{steward.job_start(text\, text),steward.job_perform(uuid\, text)}'::text[] LOOP
        IF NOT has_function_privilege('steward_worker', called, 'EXECUTE') THEN
            RAISE EXCEPTION 'steward_worker may not call %', called;
        END IF;
    END LOOP;
END $$;
