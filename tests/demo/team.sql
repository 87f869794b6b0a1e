-- A small desk: Petra leads it, Noor alone can handle returns, one at a time.
-- What a killed run has left with her is finished first.
INSERT INTO auth.users (id, email, raw_user_meta_data)
SELECT md5('demo ' || p.email)::uuid, p.email, jsonb_build_object('name', p.name)
  FROM (VALUES ('petra@example.org', 'Petra Novak'), ('noor@example.org', 'Noor Rahman')) p(email, name)
ON CONFLICT (id) DO NOTHING;
INSERT INTO public.organizational_units (id, name_en, name_ar, unit_wip_limit)
VALUES (md5('demo desk')::uuid, 'Help desk', 'مكتب المساعدة', 5) ON CONFLICT (id) DO NOTHING;
INSERT INTO public.skills (id, name_en, name_ar) VALUES (md5('demo returns')::uuid, 'returns', 'المرتجعات') ON CONFLICT (id) DO NOTHING;
INSERT INTO public.staff_profiles (user_id, unit_id, skills, individual_wip_limit, role)
VALUES (md5('demo petra@example.org')::uuid, md5('demo desk')::uuid, '{}', 1, 'supervisor'),
       (md5('demo noor@example.org')::uuid, md5('demo desk')::uuid, ARRAY[md5('demo returns')::uuid], 1, 'staff')
ON CONFLICT DO NOTHING;
DELETE FROM public.assignment_queue WHERE required_skills = ARRAY[md5('demo returns')::uuid];
UPDATE public.assignments SET status = 'completed'
 WHERE assignee_id = md5('demo noor@example.org')::uuid AND status IN ('assigned', 'in_progress');
