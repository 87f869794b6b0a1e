SELECT steward.quarantine_put('public.projects');

DROP TABLE public.projects;
DROP FUNCTION steward.owned_projects();
DROP FUNCTION steward.organization_from_project();
