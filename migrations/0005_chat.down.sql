SELECT steward.quarantine_put('public.project_chat_log_minimal');
SELECT steward.quarantine_put('public.project_chat_seq');
SELECT steward.quarantine_put('public.unified_chat_sessions');

DROP TABLE public.project_chat_log_minimal;
DROP FUNCTION public.set_chat_seq();
DROP FUNCTION public.next_project_chat_seq(uuid);
DROP SEQUENCE public.project_timeline_seq;
DROP TRIGGER project_forgotten ON public.projects;
DROP FUNCTION steward.project_forgotten();
DROP TABLE public.project_chat_seq;
DROP TABLE public.unified_chat_sessions;
DROP TRIGGER advisor_left ON public.project_advisors;
DROP FUNCTION steward.advisor_left();
DROP TRIGGER owner_left ON public.projects;
DROP FUNCTION steward.owner_left();
DROP FUNCTION steward.touch_session();
DROP FUNCTION steward.session_project();
