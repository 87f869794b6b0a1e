DROP FUNCTION public.increment_version_column();
DROP TYPE public.escalation_reason;
DROP TYPE public.assignment_status;
DROP TYPE public.work_item_type;
DROP TYPE public.availability_status;
DROP TYPE public.priority_level;
