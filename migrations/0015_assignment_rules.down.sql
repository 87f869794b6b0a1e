SELECT steward.quarantine_put('public.sla_configs');
SELECT steward.quarantine_put('public.assignment_rules');

DROP TRIGGER skill_in_rule ON public.skills;
DROP FUNCTION public.calculate_sla_deadline(public.work_item_type, public.priority_level, timestamptz);
DROP FUNCTION steward.sla_moments(uuid, public.work_item_type, public.priority_level, timestamptz, timestamptz);
DROP TABLE public.sla_configs;
DROP TABLE public.assignment_rules;
DROP FUNCTION steward.rule_check();
