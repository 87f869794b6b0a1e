DO $$
BEGIN
    PERFORM steward.require('schema', 'steward', 'api', 'auth');
    PERFORM steward.require('function', 'steward.now()', 'steward.iso(timestamptz)', 'auth.uid()',
        'public.update_updated_at_column()', 'steward.protect(regclass)', 'steward.organization_default()');
    PERFORM steward.require('relation', 'auth.users', 'public.organizations', 'public.user_preferences');
    PERFORM steward.require('row security', 'public.organizations', 'public.user_preferences');
    IF NOT EXISTS (SELECT FROM public.organizations WHERE is_default) THEN
        RAISE EXCEPTION 'the default organisation is missing';
    END IF;
END $$;
