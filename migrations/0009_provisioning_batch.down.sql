SELECT steward.quarantine_put('steward.upkeep');

DROP FUNCTION steward.provision_upkeep(text);
DROP INDEX public.idx_outbox_failure_alerts;
DROP FUNCTION steward.match_unserved(public.advisor_match_requests);
DROP FUNCTION steward.provision_batch(text, int);
DROP FUNCTION steward.provision_reap(text, interval, int);
DROP FUNCTION steward.provision_split(uuid[], boolean, text);
DROP FUNCTION steward.provision_apply(uuid[], boolean);
DROP FUNCTION steward.provision_failed(uuid, text, text, text, boolean);
DROP FUNCTION steward.provision_give_up(uuid, text, text, text);
DROP TRIGGER match_forsaken_tell ON public.advisor_match_requests;
DROP FUNCTION steward.match_forsaken_tell();
DROP TRIGGER match_forsaken ON public.advisor_match_requests;
DROP FUNCTION steward.match_forsaken();
DROP FUNCTION steward.match_rollback(uuid, text, text);
DROP FUNCTION steward.match_tell(uuid, uuid, public.match_status, text, text);
DROP TABLE steward.upkeep;
DROP FUNCTION steward.is_environment(text);
