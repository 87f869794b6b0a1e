SELECT steward.quarantine_put('public.assignment_history');
SELECT steward.quarantine_put('public.assignments');

DROP TRIGGER staff_stays ON public.staff_profiles;
DROP TRIGGER staff_leaves ON public.staff_profiles;
DROP TRIGGER staff_moves ON public.staff_profiles;
DROP TABLE public.assignment_history;
DROP TABLE public.assignments;
DROP FUNCTION steward.assignment_remember();
DROP FUNCTION steward.recount_assignments(boolean);
DROP FUNCTION public.update_staff_assignment_count();
DROP FUNCTION steward.load_add(uuid[], uuid[], uuid[], int[]);
DROP FUNCTION steward.staff_stays();
DROP FUNCTION steward.staff_moves();
DROP FUNCTION steward.assignment_moves();
DROP FUNCTION steward.assignment_lifecycle();
DROP FUNCTION steward.assignment_next(public.assignment_status);
DROP FUNCTION steward.sla_restate();
DROP FUNCTION public.calculate_sla_deadline_fn();
