SELECT steward.quarantine_put('public.staff_profiles');
SELECT steward.quarantine_put('public.skills');
SELECT steward.quarantine_put('public.organizational_units');

DROP TABLE steward.skill_holder;
DROP TABLE public.staff_profiles;
DROP TABLE public.skills;
DROP TABLE public.organizational_units;
DROP FUNCTION steward.led_organizations(text);
DROP FUNCTION steward.own_organizations();
DROP FUNCTION steward.visible_units();
DROP FUNCTION steward.skill_in_use();
DROP FUNCTION steward.rank_everybody();
DROP FUNCTION steward.staff_ranks();
DROP FUNCTION steward.free_share(int, int);
DROP FUNCTION steward.staff_check();
DROP FUNCTION steward.skill_set(uuid, uuid[]);
DROP FUNCTION steward.unit_parent_check();
DROP FUNCTION steward.organization_of_unit(uuid);
