SELECT steward.quarantine_put('public.project_advisors');
SELECT steward.quarantine_put('public.advisor_availability');

DROP POLICY advised ON public.projects;
DROP VIEW public.advisor_active_projects;
DROP TABLE public.project_advisors;
DROP FUNCTION steward.member_projects();
DROP TABLE public.advisor_availability;
DROP TYPE public.advisor_status;
