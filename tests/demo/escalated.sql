-- To whom a breach was escalated, how long after the deadline its rows were
-- committed, and who is told.  Variable: item.  No row: not yet.
SELECT format('deadline passed     %s is escalated to %s, %s ms after the deadline; told: %s', e.work_item_id, split_part(u.email, '@', 1),
              round(extract(epoch FROM pg_xact_commit_timestamp(e.xmin) - e.sla_deadline) * 1000, 1),
              (SELECT string_agg(split_part(t.email, '@', 1), ', ' ORDER BY t.email)
                 FROM public.notification_outbox n JOIN auth.users t ON t.id = n.recipient_id
                WHERE n.xmin = e.xmin AND n.payload ->> 'reference_id' = e.assignment_id::text))
  FROM public.escalation_events e JOIN auth.users u ON u.id = e.escalated_to_id
 WHERE e.work_item_id = :'item';
