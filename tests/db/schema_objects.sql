-- `stewardctl db verify` knows every object: each is dropped in turn, and missed
-- by its name.
\set QUIET on
SET client_min_messages = warning;
BEGIN;
SET LOCAL search_path = public, pgtap;
SELECT plan(18);

-- after(statement, version) - the words of verify about that migration, or any, NULL when it finds nothing; the statement is undone
CREATE FUNCTION pg_temp.after(statement text, version int DEFAULT NULL) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    said text;
BEGIN
    BEGIN
        EXECUTE statement;
        BEGIN
            PERFORM steward.objects_verify(v) FROM generate_series(COALESCE(version, 1), COALESCE(version, steward.schema_version())) v;
        EXCEPTION WHEN undefined_object THEN
            said := SQLERRM;
        END;
        RAISE EXCEPTION 'undo' USING ERRCODE = 'P9999';
    EXCEPTION WHEN SQLSTATE 'P9999' THEN
        RETURN said;
    END;
END $$;

SELECT is(pg_temp.after('SELECT 1'), NULL, 'nothing is missing of a schema that was just migrated');

CREATE TEMP TABLE dropped AS
SELECT m.kind, m.name, m.version,
       CASE WHEN m.kind IN ('column', 'constraint')
            THEN format('ALTER TABLE %s DROP %s %s CASCADE', part[1], m.kind, part[2])
            WHEN m.kind IN ('trigger', 'policy')
            THEN format('DROP %s %s ON %s', m.kind, part[2], part[1])
            ELSE format('DROP %s %s CASCADE', m.kind, m.name) END AS statement
  FROM steward.migration_object m, regexp_match(m.name, '^(.*)\.([^.]+)$') part
 -- Ends with its table only: a sequence of its own is not the schema's word.
 WHERE m.kind NOT IN ('sequence', 'access to');

SELECT cmp_ok((SELECT count(*) FROM dropped), '>', 1000::bigint, 'the record holds every object');
SELECT set_eq('SELECT DISTINCT kind FROM dropped',
    '{table,view,index,column,constraint,trigger,policy,function,type}'::text[], 'of every kind');
SELECT is((SELECT string_agg(d.kind || ' ' || d.name, E'\n' ORDER BY 1)
             FROM dropped d
            WHERE position(d.kind || ' ' || d.name || ' is missing' IN COALESCE(pg_temp.after(d.statement, d.version), '')) = 0
              AND d.kind NOT IN ('table', 'column', 'type', 'function')),
    NULL, 'an index, view, constraint, trigger or policy that is gone is named');
-- What these take along may be more than the twenty that are named.
SELECT is((SELECT string_agg(d.kind || ' ' || d.name, E'\n' ORDER BY 1)
             FROM dropped d WHERE pg_temp.after(d.statement, d.version) IS NULL AND d.kind IN ('table', 'column', 'type', 'function')),
    NULL, 'a table, column, type or function that is gone is missed');

SELECT is(pg_temp.after('ALTER TABLE public.assignments NO FORCE ROW LEVEL SECURITY'),
    'table public.assignments was "row security, forced" and is "row security"', 'row security that is no longer forced');
SELECT is(pg_temp.after('ALTER TABLE public.assignments DISABLE TRIGGER assignment_moves'),
    'trigger public.assignments.assignment_moves was "enabled" and is "disabled"', 'a disabled trigger');
SELECT is(pg_temp.after($$CREATE OR REPLACE FUNCTION steward.iso(moment timestamptz) RETURNS text LANGUAGE sql IMMUTABLE AS 'SELECT moment::text'$$),
    'function steward.iso(timestamp with time zone) was changed', 'a function with another text');
SELECT is(pg_temp.after('ALTER TABLE public.assignments ALTER assignee_id DROP NOT NULL'),
    'column public.assignments.assignee_id was "uuid NOT NULL" and is "uuid"', 'a column that may be empty now');
SELECT is(pg_temp.after('ALTER DOMAIN steward.staff_role DROP CONSTRAINT staff_role_check'),
    $$type steward.staff_role was "CHECK (((VALUE)::text = ANY ((ARRAY['staff'::character varying, 'supervisor'::character varying, 'admin'::character varying])::text[])))" and is ""$$,
    'a type that checks less');
SELECT is(pg_temp.after('GRANT INSERT ON public.staff_profiles TO authenticated'),
    'access to public.staff_profiles was "authenticated SELECT, service_role DELETE, service_role INSERT, service_role SELECT, service_role UPDATE"'
    ' and is "authenticated INSERT, authenticated SELECT, service_role DELETE, service_role INSERT, service_role SELECT, service_role UPDATE"',
    'a table that somebody may write now');
SELECT matches(pg_temp.after(s.statement), s.said, s.statement)
  FROM (VALUES ('GRANT UPDATE (role) ON public.staff_profiles TO authenticated', '^access to public.staff_profiles was .* and is "authenticated SELECT, authenticated UPDATE of role, '),
               ('GRANT SELECT ON steward.job_run TO PUBLIC', '^access to steward.job_run was "" and is "PUBLIC SELECT"$'),
               ('GRANT EXECUTE ON FUNCTION steward.protect(regclass) TO anon', '^access to steward.protect\(regclass\) was "" and is "anon EXECUTE"$'),
               ('GRANT EXECUTE ON FUNCTION steward.provision_batch(text, int, boolean) TO steward_worker WITH GRANT OPTION', 'is "steward_worker EXECUTE WITH GRANT OPTION"$'),
               ('REVOKE SELECT ON public.staff_profiles FROM authenticated', '^access to public.staff_profiles was "authenticated SELECT, ')) s(statement, said);
CREATE ROLE platform;
SELECT is(pg_temp.after('GRANT ALL ON public.staff_profiles TO platform'), NULL, 'what a platform grants to its own roles is its business');
SELECT is(pg_temp.after('DROP VIEW steward.provisioning_list'), 'view steward.provisioning_list is missing', 'what is gone is not told twice');
ROLLBACK;
