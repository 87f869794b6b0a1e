-- The ground the rest stands on: who may do what by default, the clock, the
-- users (borrowed where a platform brings its own), organisations.

-- The function list is the interface, so nothing is callable unless granted.
ALTER DEFAULT PRIVILEGES FOR ROLE steward_owner REVOKE EXECUTE ON FUNCTIONS FROM PUBLIC;

CREATE SCHEMA api;
COMMENT ON SCHEMA api IS 'one function per HTTP operation';

GRANT USAGE ON SCHEMA steward, api TO anon, authenticated, service_role;

-- No SET clause and not SECURITY DEFINER: either would stop PostgreSQL from
-- inlining it, and an index condition would become a filter over every row.
-- After SET LOCAL and a rollback the setting is '' rather than NULL.
CREATE FUNCTION steward.now() RETURNS timestamptz
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT pg_catalog.now() + COALESCE(NULLIF(current_setting('steward.clock_offset', true), '')::interval, interval '0') $$;
COMMENT ON FUNCTION steward.now() IS 'the only clock a rule may read; a test moves it with the setting steward.clock_offset';
GRANT EXECUTE ON FUNCTION steward.now() TO PUBLIC;

CREATE FUNCTION steward.iso(moment timestamptz) RETURNS text
    LANGUAGE sql STABLE PARALLEL SAFE
    AS $$ SELECT to_char(moment AT TIME ZONE 'UTC', 'YYYY-MM-DD"T"HH24:MI:SS.MS"Z"') $$;
COMMENT ON FUNCTION steward.iso(timestamptz) IS 'ISO 8601 in UTC with milliseconds, as payloads carry it';
GRANT EXECUTE ON FUNCTION steward.iso(timestamptz) TO PUBLIC;

-- Shared by every table with updated_at, and owned here alone: dropping it is
-- the business of this migration only, after every table that uses it is gone.
CREATE FUNCTION public.update_updated_at_column() RETURNS trigger
    LANGUAGE plpgsql AS $$
BEGIN
    NEW.updated_at := steward.now();
    RETURN NEW;
END $$;
COMMENT ON FUNCTION public.update_updated_at_column() IS
    'stamps updated_at; triggers call it only where the statement did not set the column itself';

DO $$
BEGIN
    IF to_regnamespace('auth') IS NULL THEN
        CREATE SCHEMA auth;
        COMMENT ON SCHEMA auth IS 'users and claims, in the shape Supabase gives them';
        GRANT USAGE ON SCHEMA auth TO anon, authenticated, service_role;
    END IF;

    IF to_regclass('auth.users') IS NULL THEN
        CREATE TABLE auth.users (
            id                 uuid        PRIMARY KEY DEFAULT gen_random_uuid(),
            email              text        UNIQUE,
            raw_app_meta_data  jsonb       NOT NULL DEFAULT '{}',
            raw_user_meta_data jsonb       NOT NULL DEFAULT '{}',
            created_at         timestamptz NOT NULL DEFAULT steward.now(),
            updated_at         timestamptz NOT NULL DEFAULT steward.now()
        );
        COMMENT ON TABLE auth.users IS 'one row per person; only made where no platform brings its own';
        CREATE INDEX users_role ON auth.users ((raw_app_meta_data ->> 'role')) WHERE raw_app_meta_data ->> 'role' IS NOT NULL;
        COMMENT ON INDEX auth.users_role IS 'finds the administrators';
        PERFORM steward.quarantine_restore('auth.users');
    END IF;

    IF to_regprocedure('auth.uid()') IS NULL THEN
        -- Claims that are no JSON, or name no uuid, are nobody's: they see nothing and
        -- raise nothing.  The handler is a subtransaction, so no parallel plan may call this.
        CREATE FUNCTION auth.uid() RETURNS uuid
            LANGUAGE plpgsql STABLE AS $f$
        BEGIN
            RETURN COALESCE(
                NULLIF(current_setting('request.jwt.claim.sub', true), ''),
                NULLIF(current_setting('request.jwt.claims', true), '')::jsonb ->> 'sub')::uuid;
        EXCEPTION WHEN data_exception OR program_limit_exceeded THEN
            RETURN NULL;
        END $f$;
        COMMENT ON FUNCTION auth.uid() IS 'the user the claims of this request name, NULL without claims and with broken ones';
        GRANT EXECUTE ON FUNCTION auth.uid() TO PUBLIC;
    END IF;
END $$;

-- Every tenant table gets the same three things; only its user policies differ.
CREATE FUNCTION steward.protect(target regclass) RETURNS void
    LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('ALTER TABLE %s ENABLE ROW LEVEL SECURITY', target);
    EXECUTE format('ALTER TABLE %s FORCE ROW LEVEL SECURITY', target);
    -- Without it a definer function of the owner would silently see no row.
    EXECUTE format('CREATE POLICY owner_all ON %s TO steward_owner USING (true) WITH CHECK (true)', target);
    EXECUTE format('COMMENT ON POLICY owner_all ON %s IS %L', target, 'definer functions see every row without BYPASSRLS');
    EXECUTE format('CREATE POLICY service_all ON %s TO service_role USING (true) WITH CHECK (true)', target);
    EXECUTE format('COMMENT ON POLICY service_all ON %s IS %L', target, 'the trusted backend sees every row without BYPASSRLS');
    EXECUTE format('GRANT SELECT, INSERT, UPDATE, DELETE ON %s TO service_role', target);
END $$;
COMMENT ON FUNCTION steward.protect(regclass) IS 'enables and forces row security with the policies of the owner and of service_role';

CREATE TABLE public.organizations (
    id         uuid        PRIMARY KEY DEFAULT gen_random_uuid(),
    name       text        NOT NULL UNIQUE,
    is_default boolean     NOT NULL DEFAULT false,
    created_at timestamptz NOT NULL DEFAULT steward.now()
);
CREATE UNIQUE INDEX organizations_one_default ON public.organizations (is_default) WHERE is_default;
COMMENT ON TABLE public.organizations IS 'the tenants';
COMMENT ON COLUMN public.organizations.is_default IS 'the tenant of rows that neither name one nor have a parent';
COMMENT ON INDEX public.organizations_one_default IS 'at most one organisation is the default';
SELECT steward.protect('public.organizations');
SELECT steward.quarantine_restore('public.organizations');
INSERT INTO public.organizations (name, is_default)
SELECT 'default', true WHERE NOT EXISTS (SELECT FROM public.organizations WHERE is_default);

CREATE FUNCTION steward.organization_default() RETURNS trigger
    LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    SELECT o.id INTO NEW.organization_id FROM public.organizations o WHERE o.is_default;
    RETURN NEW;
END $$;
COMMENT ON FUNCTION steward.organization_default() IS 'fills organization_id from the default organisation';

CREATE TABLE public.user_preferences (
    user_id          uuid        PRIMARY KEY REFERENCES auth.users ON DELETE CASCADE,
    preferred_locale text        NOT NULL DEFAULT 'en',
    created_at       timestamptz NOT NULL DEFAULT steward.now(),
    updated_at       timestamptz NOT NULL DEFAULT steward.now()
);
COMMENT ON TABLE public.user_preferences IS 'what a person prefers; without a row the locale is en';
CREATE TRIGGER user_preferences_updated_at BEFORE UPDATE ON public.user_preferences
    FOR EACH ROW WHEN (NEW.updated_at IS NOT DISTINCT FROM OLD.updated_at) EXECUTE FUNCTION public.update_updated_at_column();
COMMENT ON TRIGGER user_preferences_updated_at ON public.user_preferences IS 'stamps updated_at';
SELECT steward.protect('public.user_preferences');
CREATE POLICY own ON public.user_preferences TO authenticated
    USING (user_id = (SELECT auth.uid())) WITH CHECK (user_id = (SELECT auth.uid()));
COMMENT ON POLICY own ON public.user_preferences IS 'everybody reads and writes the own row';
GRANT SELECT, INSERT, UPDATE ON public.user_preferences TO authenticated;
SELECT steward.quarantine_restore('public.user_preferences');
