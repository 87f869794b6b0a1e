DO $$
BEGIN
    PERFORM steward.require('row security', 'public.assignment_rules', 'public.sla_configs');
    PERFORM steward.require('function',
        'steward.sla_moments(uuid,public.work_item_type,public.priority_level,timestamptz,timestamptz)',
        'public.calculate_sla_deadline(public.work_item_type,public.priority_level,timestamptz)');
    PERFORM steward.require('trigger', 'public.assignment_rules.rule_check', 'public.assignment_rules.update_rule_timestamp',
        'public.sla_configs.sla_configs_organization', 'public.skills.skill_in_rule');
    PERFORM steward.require('relation', 'public.idx_rules_unit', 'public.idx_rules_active', 'public.idx_rules_skills');
    PERFORM steward.require('constraint', 'public.sla_configs.unique_sla_config',
        'public.assignment_rules.assignment_rules_unit_fkey', 'public.assignment_rules.assignment_rules_skills_check');
    IF (SELECT count(*) FROM public.sla_configs) < 16 THEN
        RAISE EXCEPTION 'sla_configs has % rows; the matrix of types and priorities has 16', (SELECT count(*) FROM public.sla_configs);
    END IF;
END $$;
