-- The people of the acceptance scenarios, and nothing else: three units, four
-- skills, whom everybody works for and what they can do.  Ids are md5 of names.
TRUNCATE auth.users, public.organizational_units, public.skills, public.assignments, public.assignments_archive,
    public.escalation_events, public.escalation_events_archive, public.assignment_history, public.assignment_queue,
    public.capacity_snapshots, steward.capacity_freed CASCADE;

INSERT INTO public.organizational_units (id, name_en, name_ar, unit_wip_limit)
VALUES (md5('Translation')::uuid, 'Translation', 'الترجمة', 20),
       (md5('Analysis')::uuid,    'Analysis',    'التحليل', 30),
       (md5('Legal')::uuid,       'Legal',       'القانونية', 15);

INSERT INTO public.skills (id, name_en, name_ar, category)
VALUES (md5('arabic')::uuid,   'arabic',   'العربية', 'languages'),
       (md5('legal')::uuid,    'legal',    'قانون',   'domain'),
       (md5('analysis')::uuid, 'analysis', 'تحليل',   'technical'),
       (md5('writing')::uuid,  'writing',  'كتابة',   'technical');

CREATE TEMP TABLE person (name text, unit text, skills text[], wip_limit int, role text, chain text);
INSERT INTO person VALUES
    ('translator1', 'Translation', '{arabic, writing}', 5, 'staff',      'supervisor'),
    ('translator2', 'Translation', '{arabic}',          5, 'staff',      NULL),
    ('supervisor',  'Translation', '{arabic}',          8, 'supervisor', NULL),
    ('analyst',     'Analysis',    '{analysis}',        5, 'staff',      NULL),
    ('lawyer',      'Legal',       '{legal}',           5, 'staff',      NULL),
    ('director',    'Legal',       '{}',                1, 'admin',      NULL);
INSERT INTO auth.users (id, email, raw_user_meta_data)
SELECT md5(p.name)::uuid, p.name || '@example.org', jsonb_build_object('name', initcap(p.name)) FROM person p;
INSERT INTO public.staff_profiles (user_id, unit_id, skills, individual_wip_limit, role, escalation_chain_id)
SELECT md5(p.name)::uuid, md5(p.unit)::uuid, ARRAY(SELECT md5(s)::uuid FROM unnest(p.skills) s), p.wip_limit, p.role, md5(p.chain)::uuid
  FROM person p;
