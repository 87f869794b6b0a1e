DO $$
BEGIN
    PERFORM steward.require('row security', 'public.projects');
    PERFORM steward.require('column', 'public.projects.organization_id', 'public.projects.owner_id',
        'public.projects.technology_stack', 'public.projects.project_complexity');
    PERFORM steward.require('constraint', 'public.projects.projects_organization_key');
    PERFORM steward.require('function', 'steward.organization_from_project()', 'steward.owned_projects()');
    PERFORM steward.require('trigger', 'public.projects.projects_organization', 'public.projects.projects_updated_at');
END $$;
