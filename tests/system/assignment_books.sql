-- The invariants of assignments once everything has settled, a line per
-- violation; no line: the books are right.  Variable: crowded, 'true' where
-- limits were exceeded by hand.
WITH breach AS (
    SELECT e.organization_id, e.work_item_id, e.work_item_type, e.sla_deadline FROM public.escalation_events e WHERE e.reason = 'sla_breach'
    UNION ALL
    SELECT e.organization_id, e.work_item_id, e.work_item_type, e.sla_deadline FROM public.escalation_events_archive e WHERE e.reason = 'sla_breach'
)
SELECT format('%s %s: the count is %s, there are %s', r.what, r.id, r.stored, r.counted) FROM steward.recount_assignments(false) r
UNION ALL
SELECT format('person %s has %s of %s', p.user_id, p.current_assignment_count, p.individual_wip_limit)
  FROM public.staff_profiles p WHERE p.current_assignment_count > p.individual_wip_limit AND :'crowded' <> 'true'
UNION ALL
SELECT format('unit %s has %s of %s', u.name_en, u.current_assignment_count, u.unit_wip_limit)
  FROM public.organizational_units u WHERE u.current_assignment_count > u.unit_wip_limit AND :'crowded' <> 'true'
UNION ALL
SELECT format('item %s is assigned %s times', a.work_item_id, count(*))
  FROM public.assignments a WHERE a.status IN ('assigned', 'in_progress')
 GROUP BY a.organization_id, a.work_item_id, a.work_item_type HAVING count(*) > 1
UNION ALL
SELECT format('item %s is assigned and queued', q.work_item_id)
  FROM public.assignment_queue q JOIN public.assignments a USING (organization_id, work_item_id, work_item_type)
 WHERE a.status IN ('assigned', 'in_progress')
UNION ALL
SELECT format('item %s has %s escalations for one breach', b.work_item_id, count(*))
  FROM breach b GROUP BY b.organization_id, b.work_item_id, b.work_item_type, b.sla_deadline HAVING count(*) > 1
UNION ALL
SELECT format('assignment %s breached at %s and was not escalated', a.id, a.sla_deadline)
  FROM public.assignments a
 WHERE a.status IN ('assigned', 'in_progress') AND a.sla_deadline < steward.now() - interval '2 s'
   AND (a.breached_at IS NULL OR NOT EXISTS (SELECT FROM breach b WHERE b.work_item_id = a.work_item_id AND b.work_item_type = a.work_item_type AND b.sla_deadline = a.sla_deadline))
UNION ALL
SELECT format('item %s waits, breached at %s and was not escalated', q.work_item_id, q.sla_deadline)
  FROM public.assignment_queue q
 WHERE q.sla_deadline < steward.now() - interval '2 s'
   AND (q.breached_at IS NULL OR NOT EXISTS (SELECT FROM breach b WHERE b.work_item_id = q.work_item_id AND b.work_item_type = q.work_item_type AND b.sla_deadline = q.sla_deadline))
UNION ALL
SELECT format('item %s waits and was due for its warning at %s', q.work_item_id, q.warn_at)
  FROM public.assignment_queue q WHERE q.warn_at < steward.now() - interval '2 s' AND q.warning_sent_at IS NULL
UNION ALL
SELECT format('assignment %s was due for its warning at %s', a.id, a.warn_at)
  FROM public.assignments a
 WHERE a.status IN ('assigned', 'in_progress') AND a.warn_at < steward.now() - interval '2 s' AND a.warning_sent_at IS NULL
UNION ALL
SELECT format('item %s (%s) waits although %s is free', q.work_item_id, q.reason, p.user_id)
  FROM public.assignment_queue q
  JOIN public.staff_profiles p
    ON p.organization_id = q.organization_id AND p.skills @> q.required_skills
   AND p.availability_status = 'available' AND p.current_assignment_count < p.individual_wip_limit
  JOIN public.organizational_units u ON u.id = p.unit_id AND u.current_assignment_count < u.unit_wip_limit
UNION ALL
SELECT format('somebody freed capacity at %s and nobody used the note', f.created_at)
  FROM steward.capacity_freed f WHERE f.created_at < steward.now() - interval '2 s'
UNION ALL
SELECT format('person %s should be back since %s', p.user_id, p.unavailable_until)
  FROM public.staff_profiles p
 WHERE p.availability_status <> 'available' AND p.unavailable_until < steward.now() - interval '2 s'
 LIMIT 20;
