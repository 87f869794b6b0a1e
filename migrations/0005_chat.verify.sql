DO $$
BEGIN
    PERFORM steward.require('row security', 'public.unified_chat_sessions', 'public.project_chat_seq',
        'public.project_chat_log_minimal');
    PERFORM steward.require('relation', 'public.project_timeline_seq', 'public.uniq_project_seq', 'public.uniq_client_msg');
    PERFORM steward.require('constraint', 'public.unified_chat_sessions.unified_chat_sessions_project_user_key',
        'public.project_chat_log_minimal.project_chat_log_minimal_project_fkey');
    PERFORM steward.require('column', 'public.project_chat_seq.last_seq', 'public.project_chat_seq.last_event_seq');
    PERFORM steward.require('function', 'public.set_chat_seq()', 'public.next_project_chat_seq(uuid)');
    PERFORM steward.require('trigger', 'public.project_chat_log_minimal.trg_set_chat_seq',
        'public.unified_chat_sessions.chat_sessions_last_active', 'public.projects.project_forgotten',
        'public.unified_chat_sessions.chat_sessions_project', 'public.project_advisors.advisor_left', 'public.projects.owner_left');
END $$;
