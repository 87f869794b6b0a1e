SELECT steward.quarantine_put('public.user_preferences');
SELECT steward.quarantine_put('public.organizations');

DROP TABLE public.user_preferences;
DROP FUNCTION steward.organization_default();
DROP TABLE public.organizations;
DROP FUNCTION steward.protect(regclass);

-- Only what the up migration made: a platform's own users belong to another role.
DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_proc WHERE oid = to_regprocedure('auth.uid()') AND proowner = 'steward_owner'::regrole) THEN
        DROP FUNCTION auth.uid();
    END IF;
    IF EXISTS (SELECT FROM pg_class WHERE oid = to_regclass('auth.users') AND relowner = 'steward_owner'::regrole) THEN
        PERFORM steward.quarantine_put('auth.users');
        DROP TABLE auth.users;
    END IF;
    IF EXISTS (SELECT FROM pg_namespace WHERE nspname = 'auth' AND nspowner = 'steward_owner'::regrole) THEN
        DROP SCHEMA auth;
    END IF;
END $$;

DROP FUNCTION public.update_updated_at_column();
DROP FUNCTION steward.iso(timestamptz);
DROP FUNCTION steward.now();
REVOKE USAGE ON SCHEMA steward, api FROM anon, authenticated, service_role;
DROP SCHEMA api;
ALTER DEFAULT PRIVILEGES FOR ROLE steward_owner GRANT EXECUTE ON FUNCTIONS TO PUBLIC;
