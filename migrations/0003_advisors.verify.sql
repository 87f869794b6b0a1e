DO $$
BEGIN
    PERFORM steward.require('type', 'public.advisor_status');
    PERFORM steward.require('row security', 'public.advisor_availability', 'public.project_advisors');
    PERFORM steward.require('relation', 'public.advisor_active_projects', 'public.uniq_one_active_advisor_per_project');
    PERFORM steward.require('constraint', 'public.project_advisors.project_advisors_status_check',
        'public.project_advisors.chk_workspace_permissions_keys', 'public.project_advisors.project_advisors_project_fkey');
    PERFORM steward.require('function', 'steward.member_projects()');
END $$;
