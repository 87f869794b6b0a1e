SELECT steward.quarantine_put('public.capacity_snapshots');

DROP FUNCTION steward.capacity_snapshot(date);
DROP TABLE public.capacity_snapshots;
DROP FUNCTION steward.organization_from_unit();
