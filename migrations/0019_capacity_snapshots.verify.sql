DO $$
BEGIN
    PERFORM steward.require('row security', 'public.capacity_snapshots');
    PERFORM steward.require('function', 'steward.capacity_snapshot(date)');
    PERFORM steward.require('relation', 'public.idx_snapshots_date_unit', 'public.idx_snapshots_unit');
    PERFORM steward.require('constraint', 'public.capacity_snapshots.unique_daily_snapshot');
END $$;
