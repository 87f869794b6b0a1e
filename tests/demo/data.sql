-- A small agency: clients with projects, advisors with hours to give, one
-- administrator.  Each run adds a fresh dozen projects with an advisor proposed.
-- Prints, per proposed match: match, project name, client, advisor.

INSERT INTO auth.users (id, email, raw_app_meta_data, raw_user_meta_data)
SELECT md5('demo ' || person.email)::uuid, person.email,
       CASE WHEN person.email LIKE 'admin@%' THEN '{"role": "admin"}'::jsonb ELSE '{}' END,
       jsonb_build_object('name', person.name)
  FROM (VALUES
    ('admin@example.org',  'Ines Admin'),
    ('amira@example.org',  'Amira Haddad'),   ('bruno@example.org', 'Bruno Costa'),
    ('chiara@example.org', 'Chiara Ricci'),   ('daniel@example.org', 'Daniel Okafor'),
    ('elif@example.org',   'Elif Kaya'),      ('farid@example.org', 'Farid Rahimi'),
    ('greta@example.org',  'Greta Lindqvist'), ('hugo@example.org', 'Hugo Martin'),
    ('irene@example.org',  'Irene Pappas'),   ('jonas@example.org', 'Jonas Weber')
  ) AS person(email, name)
ON CONFLICT (id) DO NOTHING;

INSERT INTO public.user_preferences (user_id, preferred_locale)
VALUES (md5('demo amira@example.org')::uuid, 'ar'), (md5('demo bruno@example.org')::uuid, 'pt')
ON CONFLICT (user_id) DO NOTHING;

INSERT INTO public.advisor_availability (advisor_id, status, max_concurrent_projects)
SELECT u.id, 'available', 10 FROM auth.users u
 WHERE u.email IN ('elif@example.org', 'farid@example.org', 'greta@example.org', 'hugo@example.org',
                   'irene@example.org', 'jonas@example.org')
ON CONFLICT (advisor_id) DO NOTHING;

WITH client AS (
    SELECT u.id, u.email, row_number() OVER (ORDER BY u.email) - 1 AS n FROM auth.users u
     WHERE u.email IN ('amira@example.org', 'bruno@example.org', 'chiara@example.org', 'daniel@example.org')
), advisor AS (
    SELECT a.advisor_id AS id, row_number() OVER (ORDER BY a.advisor_id) - 1 AS n FROM public.advisor_availability a
), subject AS (
    SELECT name, ordinality - 1 AS n FROM unnest(ARRAY[
        'bakery web shop', 'clinic booking', 'bike rental app', 'museum tickets', 'school timetable',
        'vineyard stock', 'taxi dispatch', 'choir archive', 'food bank rota', 'print shop quotes',
        'harbour berths', 'theatre seats']) WITH ORDINALITY AS t(name, ordinality)
), project AS (
    INSERT INTO public.projects (owner_id, name, technology_stack, project_complexity)
    SELECT client.id, subject.name, '{"framework": "react"}', 'simple'
      FROM subject JOIN client ON client.n = subject.n % 4
    RETURNING id, owner_id, name
), match AS (
    INSERT INTO public.advisor_match_requests (project_id, requested_by, match_criteria, matched_advisor_id, match_score, expires_at)
    SELECT project.id, project.owner_id, '{}', advisor.id, 88, steward.now() + interval '2 hours'
      FROM project JOIN subject USING (name) JOIN advisor ON advisor.n = subject.n % 6
    RETURNING id, project_id, requested_by, matched_advisor_id
)
SELECT match.id AS match, project.name, match.requested_by AS client, match.matched_advisor_id AS advisor
  INTO TEMP proposed
  FROM match JOIN project ON project.id = match.project_id;

UPDATE public.advisor_match_requests m SET status = 'matched' FROM proposed WHERE m.id = proposed.match;

SELECT match, replace(name, ' ', '_'), client, advisor FROM proposed ORDER BY random();
