DROP TRIGGER staff_goes ON public.staff_profiles;
DROP FUNCTION steward.staff_goes();
DROP FUNCTION steward.set_availability(uuid, uuid, public.availability_status, timestamptz, text, text, uuid);
DROP FUNCTION steward.leave_work(public.staff_profiles, uuid[]);
DROP FUNCTION steward.leave_locks(public.staff_profiles);
