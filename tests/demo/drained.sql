-- Who has the item that waited, and how long after the other was completed: from
-- commit to commit, by PostgreSQL's own clock.  Variables: completed, waited.  No row: nobody yet.
SELECT format('queue drained       %s goes to %s, %s ms after the place was free', a.work_item_id, split_part(u.email, '@', 1),
              round(extract(epoch FROM pg_xact_commit_timestamp(a.xmin) - pg_xact_commit_timestamp(f.xmin)) * 1000, 1))
  FROM public.assignments a JOIN auth.users u ON u.id = a.assignee_id JOIN public.assignments f ON f.work_item_id = :'completed'
 WHERE a.work_item_id = :'waited';
