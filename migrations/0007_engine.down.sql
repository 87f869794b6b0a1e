SELECT steward.quarantine_put('steward.feature_flag');
SELECT steward.quarantine_put('steward.job_run');
SELECT steward.quarantine_put('steward.event');

DROP FUNCTION steward.flag_list();
DROP FUNCTION steward.flag_set(text, boolean, numeric, text);
DROP FUNCTION steward.flag_is_on(text, uuid);
DROP FUNCTION steward.rollout_bucket(text, uuid);
DROP TABLE steward.feature_flag;
DROP TABLE steward.job_run;
DROP FUNCTION steward.event_append(uuid, uuid, text, jsonb, uuid);
DROP TABLE steward.event;
