-- Switch the flag off first where workers are running: `down` takes strong locks.

SELECT steward.quarantine_put('public.workspace_provisioning_queue');
SELECT steward.quarantine_put('steward.feature_flag', 'name = ''advisor_auto_provision''');
DELETE FROM steward.feature_flag WHERE name = 'advisor_auto_provision';

DROP TRIGGER match_finalized ON public.advisor_match_requests;
DROP TRIGGER trg_match_prev_status ON public.advisor_match_requests;
DROP TRIGGER trg_project_advisors_updated_at ON public.project_advisors;
DROP TRIGGER feature_flag_nudge ON steward.feature_flag;
DROP TABLE public.workspace_provisioning_queue;
DROP FUNCTION steward.match_finalized();
DROP FUNCTION steward.provision_enqueue(uuid);
DROP FUNCTION steward.job_vanished();
DROP FUNCTION steward.nudge_due_job();
DROP FUNCTION steward.nudge_provisioning();
DROP FUNCTION public.project_bucket(uuid);
DROP FUNCTION public.capture_prev_status();

INSERT INTO steward.quarantine (source, content)
SELECT 'previous_status of matches', jsonb_build_object('id', id, 'previous_status', previous_status)
  FROM public.advisor_match_requests WHERE previous_status IS NOT NULL;
ALTER TABLE public.advisor_match_requests DROP COLUMN previous_status;

INSERT INTO steward.quarantine (source, content)
SELECT 'updated_at of advisors', jsonb_build_object('project_id', project_id, 'advisor_id', advisor_id, 'updated_at', updated_at)
  FROM public.project_advisors;
ALTER TABLE public.project_advisors DROP COLUMN updated_at;

-- Authors that system messages had before they lost them, then the messages
-- that never had one and cannot stay.
ALTER TABLE public.project_chat_log_minimal DROP CONSTRAINT chk_system_user_id;
UPDATE public.project_chat_log_minimal c SET user_id = (q.content ->> 'user_id')::uuid
  FROM steward.quarantine q
 WHERE q.source = 'author of system messages' AND c.id = (q.content ->> 'id')::bigint;
DELETE FROM steward.quarantine WHERE source = 'author of system messages';
INSERT INTO steward.quarantine (source, content)
SELECT 'answers to system messages', jsonb_build_object('id', c.id, 'parent_message_id', c.parent_message_id)
  FROM public.project_chat_log_minimal c JOIN public.project_chat_log_minimal p ON p.id = c.parent_message_id
 WHERE p.user_id IS NULL OR p.actor_type = 'system';
SELECT steward.quarantine_put('public.project_chat_log_minimal', 'user_id IS NULL OR actor_type = ''system''', 'system messages');
DELETE FROM public.project_chat_log_minimal WHERE user_id IS NULL OR actor_type = 'system';
ALTER TABLE public.project_chat_log_minimal
    DROP CONSTRAINT project_chat_log_minimal_actor_type_check,
    ADD CONSTRAINT project_chat_log_minimal_actor_type_check CHECK (actor_type = ANY ('{client, assistant, advisor}')),
    ALTER COLUMN user_id SET NOT NULL;
