-- The cluster's roles, made when absent and never dropped.  Run by an
-- administrator; a second run changes nothing and says nothing.
--
-- None of them may bypass row security: what service_role and steward_owner
-- may see is written as policies, which a managed service grants too.

DO $$
DECLARE
    wanted record;
BEGIN
    FOR wanted IN
        SELECT * FROM (VALUES
            ('steward_owner',   'NOLOGIN',           'owns every object of steward; nobody logs in as it'),
            ('steward_worker',  'NOLOGIN',           'may execute what workers and operators need, and reads no table'),
            ('steward_gateway', 'NOLOGIN NOINHERIT', 'may become anon, authenticated or service_role, and is nothing by itself'),
            ('anon',            'NOLOGIN',           'a caller without claims'),
            ('authenticated',   'NOLOGIN',           'a caller with claims'),
            ('service_role',    'NOLOGIN',           'a trusted backend; sees every row by policy')
        ) AS role(name, options, meaning)
    LOOP
        -- Several databases of one cluster may be set up at the same moment.
        CONTINUE WHEN EXISTS (SELECT FROM pg_roles WHERE rolname = wanted.name);
        BEGIN
            EXECUTE format('CREATE ROLE %I %s', wanted.name, wanted.options);
            EXECUTE format('COMMENT ON ROLE %I IS %L', wanted.name, wanted.meaning);
        EXCEPTION WHEN duplicate_object OR unique_violation THEN
            NULL;
        END;
    END LOOP;

    FOR wanted IN SELECT unnest(ARRAY['anon', 'authenticated', 'service_role']) AS name LOOP
        CONTINUE WHEN EXISTS (
            SELECT FROM pg_auth_members m
             WHERE m.roleid = wanted.name::regrole AND m.member = 'steward_gateway'::regrole);
        EXECUTE format('GRANT %I TO steward_gateway', wanted.name);
    END LOOP;
END $$;
