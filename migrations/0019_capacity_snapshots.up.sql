-- How full the units were, day by day.

CREATE TABLE public.capacity_snapshots (
    id                 uuid         PRIMARY KEY DEFAULT gen_random_uuid(),
    organization_id    uuid         NOT NULL,
    snapshot_date      date         NOT NULL,
    unit_id            uuid         NOT NULL,
    total_staff        int          NOT NULL,
    available_staff    int          NOT NULL DEFAULT 0,
    total_capacity     int          NOT NULL,
    active_assignments int          NOT NULL,
    utilization_pct    numeric(7,2) CONSTRAINT capacity_snapshots_utilization_check CHECK (utilization_pct >= 0),
    created_at         timestamptz  NOT NULL DEFAULT steward.now(),
    CONSTRAINT unique_daily_snapshot UNIQUE (snapshot_date, unit_id),
    CONSTRAINT capacity_snapshots_unit_fkey FOREIGN KEY (organization_id, unit_id)
        REFERENCES public.organizational_units (organization_id, id) ON DELETE CASCADE
);
CREATE INDEX idx_snapshots_date_unit ON public.capacity_snapshots (snapshot_date DESC, unit_id);
CREATE INDEX idx_snapshots_unit ON public.capacity_snapshots (unit_id, snapshot_date);
COMMENT ON TABLE public.capacity_snapshots IS 'one row per unit and day, also for units above their capacity or with nobody available';
COMMENT ON COLUMN public.capacity_snapshots.total_capacity IS 'sum of the limits of the available people';
COMMENT ON COLUMN public.capacity_snapshots.active_assignments IS 'all open work of the unit, also that of people on leave';
COMMENT ON COLUMN public.capacity_snapshots.utilization_pct IS 'open work in percent of capacity; NULL when there is work and nobody available';
COMMENT ON INDEX public.idx_snapshots_date_unit IS 'the latest days first; also what retention removes';
COMMENT ON INDEX public.idx_snapshots_unit IS 'the days of a unit';

CREATE FUNCTION steward.organization_from_unit() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    NEW.organization_id := steward.organization_of_unit(NEW.unit_id);
    RETURN NEW;
END $$;
COMMENT ON FUNCTION steward.organization_from_unit() IS 'fills organization_id from the unit';
CREATE TRIGGER snapshots_organization BEFORE INSERT ON public.capacity_snapshots
    FOR EACH ROW WHEN (NEW.organization_id IS NULL) EXECUTE FUNCTION steward.organization_from_unit();
COMMENT ON TRIGGER snapshots_organization ON public.capacity_snapshots IS 'fills organization_id where the client did not';

CREATE FUNCTION steward.capacity_snapshot(day date, OUT units int)
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    INSERT INTO public.capacity_snapshots AS s
           (organization_id, snapshot_date, unit_id, total_staff, available_staff, total_capacity, active_assignments, utilization_pct)
    SELECT u.organization_id, day, u.id, COALESCE(p.staff, 0), COALESCE(p.available, 0), COALESCE(p.capacity, 0),
           u.current_assignment_count,
           CASE WHEN p.capacity > 0 THEN round(100.0 * u.current_assignment_count / p.capacity, 2)
                WHEN u.current_assignment_count = 0 THEN 0 END
      FROM public.organizational_units u
      LEFT JOIN (SELECT x.unit_id, count(*)::int AS staff,
                        count(*) FILTER (WHERE x.availability_status = 'available')::int AS available,
                        sum(x.individual_wip_limit) FILTER (WHERE x.availability_status = 'available')::int AS capacity
                   FROM public.staff_profiles x GROUP BY x.unit_id) p ON p.unit_id = u.id
     ORDER BY u.id
    ON CONFLICT ON CONSTRAINT unique_daily_snapshot DO UPDATE
       SET total_staff = excluded.total_staff, available_staff = excluded.available_staff,
           total_capacity = excluded.total_capacity, active_assignments = excluded.active_assignments,
           utilization_pct = excluded.utilization_pct;
    GET DIAGNOSTICS units = ROW_COUNT;
END $$;
COMMENT ON FUNCTION steward.capacity_snapshot(date) IS 'takes the snapshot of a day for every unit; a second one replaces the first';

SELECT steward.protect('public.capacity_snapshots');
CREATE POLICY visible ON public.capacity_snapshots FOR SELECT TO authenticated
    USING (unit_id = ANY ((SELECT steward.visible_units())::uuid[]));
COMMENT ON POLICY visible ON public.capacity_snapshots IS 'supervisors their unit''s, administrators their organisation''s';
GRANT SELECT ON public.capacity_snapshots TO authenticated;

SELECT steward.quarantine_restore('public.capacity_snapshots');
