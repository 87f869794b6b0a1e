DROP FUNCTION steward.provisioning_accept(interval);
DROP FUNCTION steward.provisioning_backfill(int);
DROP FUNCTION steward.provisioning_verify(uuid);
DROP FUNCTION steward.provisioning_unstick(interval);
DROP FUNCTION steward.provisioning_retry(uuid);
DROP FUNCTION steward.alerts_waiting();
DROP FUNCTION steward.provisioning_show(uuid);
DROP VIEW steward.provisioning_list, steward.provisioning_stale, steward.provisioning_stuck,
    steward.provisioning_error_groups, steward.provisioning_errors, steward.provisioning_performance,
    steward.provisioning_health;
DROP FUNCTION steward.provisioning_list(int);
DROP FUNCTION steward.provisioning_stale();
DROP FUNCTION steward.provisioning_stuck();
DROP FUNCTION steward.provisioning_error_groups();
DROP FUNCTION steward.error_class(text, jsonb);
DROP FUNCTION steward.error_catalogue();
DROP FUNCTION steward.provisioning_errors();
DROP FUNCTION steward.provisioning_performance(interval);
DROP FUNCTION steward.provisioning_health();
