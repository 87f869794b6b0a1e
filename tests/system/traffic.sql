-- A breath of what an office does with its work, at random, each statement its
-- own transaction; `chaos` runs it again and again.  Prints the items for which
-- auto_assign has answered.
SELECT format('SELECT %L FROM steward.auto_assign(%L, %L, ARRAY[md5(%L)::uuid], %L, %L) WHERE auto_assign ->> ''outcome'' IN (''assigned'', ''queued'')',
              x.item, x.item, (ARRAY['ticket', 'task', 'dossier'])[1 + floor(random() * 3)],
              (ARRAY['arabic', 'legal', 'analysis', 'writing'])[1 + floor(random() * 4)],
              (ARRAY['low', 'normal', 'normal', 'high', 'urgent'])[1 + floor(random() * 5)],
              CASE WHEN random() < 0.3 THEN md5((ARRAY['Translation', 'Analysis', 'Legal'])[1 + floor(random() * 3)])::uuid END)
  FROM (SELECT 'item-' || gen_random_uuid() AS item FROM generate_series(1, 8)) x \gexec

-- Those whose deadline comes soon are left alone until it has.
SELECT format(CASE floor(random() * 10)
              WHEN 0 THEN 'UPDATE public.assignments SET priority = ''urgent'' WHERE id = %L'
              WHEN 1 THEN 'UPDATE public.assignments SET priority = ''low'' WHERE id = %L'
              WHEN 2 THEN 'UPDATE public.assignments SET sla_deadline = steward.now() + random() * interval ''2 s'' WHERE id = %L'
              WHEN 3 THEN 'DELETE FROM public.assignments WHERE id = %L'
              WHEN 4 THEN 'UPDATE public.assignments SET status = ''cancelled'' WHERE id = %L AND status IN (''assigned'', ''in_progress'')'
              WHEN 5 THEN 'UPDATE public.assignments SET status = ''in_progress'' WHERE id = %L AND status = ''assigned'''
              ELSE 'UPDATE public.assignments SET status = ''completed'' WHERE id = %L AND status IN (''assigned'', ''in_progress'')'
              END, a.id)
  FROM (SELECT id FROM public.assignments WHERE status IN ('assigned', 'in_progress') ORDER BY random() LIMIT 12) a \gexec

SELECT format('DO $$ BEGIN PERFORM steward.set_availability(%L, %L, ''on_leave'', steward.now() + random() * interval ''3 s'', ''chaos'', ''manual'', %L); END $$',
              p.organization_id, p.user_id, p.user_id)
  FROM public.staff_profiles p
 WHERE p.availability_status = 'available' AND p.role = 'staff' AND random() < 0.3
 ORDER BY random() LIMIT 1 \gexec
SELECT format('DO $$ BEGIN PERFORM steward.escalate(%L, ''manual'', NULL, ''chaos''); END $$', a.id)
  FROM public.assignments a WHERE a.status IN ('assigned', 'in_progress') AND random() < 0.3 ORDER BY random() LIMIT 1 \gexec
