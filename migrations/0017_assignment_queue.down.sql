SELECT steward.quarantine_put('steward.capacity_freed');
SELECT steward.quarantine_put('public.assignment_queue');

DROP TRIGGER skill_in_queue ON public.skills;
DROP TRIGGER rule_capacity_trigger ON public.assignment_rules;
DROP TRIGGER unit_capacity_trigger ON public.organizational_units;
DROP TRIGGER staff_capacity_trigger ON public.staff_profiles;
DROP TRIGGER staff_arrival_trigger ON public.staff_profiles;
DROP TRIGGER assignment_deletion_trigger ON public.assignments;
DROP TRIGGER assignment_completion_trigger ON public.assignments;
DROP TABLE steward.capacity_freed;
DROP TABLE public.assignment_queue;
DROP FUNCTION public.process_queue_on_capacity_change();
DROP FUNCTION steward.queue_renew();
DROP FUNCTION steward.queue_flag();
DROP FUNCTION steward.queue_promise();
DROP FUNCTION steward.queue_check();
