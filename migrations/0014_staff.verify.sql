DO $$
BEGIN
    PERFORM steward.require('row security', 'public.organizational_units', 'public.skills', 'public.staff_profiles', 'steward.skill_holder');
    PERFORM steward.require('type', 'steward.unit_limit', 'steward.own_limit', 'steward.staff_source', 'steward.staff_role');
    PERFORM steward.require('function', 'steward.visible_units()', 'steward.own_organizations()', 'steward.is_backend()',
        'steward.skills_stay(uuid)', 'steward.skill_set(uuid,uuid[])', 'steward.free_share(int,int)', 'steward.staff_ranks()', 'steward.ranks()',
        'steward.rank_everybody()');
    PERFORM steward.require('trigger', 'public.organizational_units.unit_parent_check',
        'public.organizational_units.update_org_unit_timestamp', 'public.skills.skills_organization',
        'public.skills.skill_in_use', 'public.staff_profiles.staff_check', 'public.staff_profiles.increment_staff_version',
        'public.staff_profiles.staff_ranks');
    PERFORM steward.require('relation', 'public.idx_org_units_parent', 'public.idx_org_units_name_ar_parent',
        'public.idx_org_units_name_en_parent', 'public.idx_skills_category', 'public.idx_staff_unit',
        'public.idx_staff_availability', 'public.idx_staff_skills', 'public.idx_staff_hr_id', 'public.idx_staff_leads',
        'public.idx_staff_returns', 'steward.idx_skill_holder_order');
    PERFORM steward.require('constraint', 'public.staff_profiles.chk_escalation_not_self',
        'public.staff_profiles.chk_available_no_until', 'public.staff_profiles.staff_profiles_unit_fkey',
        'public.staff_profiles.staff_profiles_user_key', 'public.organizational_units.organizational_units_parent_fkey',
        'steward.skill_holder.skill_holder_person_fkey');
END $$;
