/* SPDX-License-Identifier: Apache-2.0 */
/* What follows a death: pauses, the breaker, the probe, the policies. */
#include "../../supervisor/restart.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>

#include <cmocka.h>

enum { MOST = 0xffffffff / 2 };

static const struct restart_rules rules = {
	.policy           = POLICY_always,
	.limit            = 3,
	.window_ms        = 300000,
	.delay_min_ms     = 200,
	.delay_max_ms     = 30000,
	.probe_ms         = 30000,
	.healthy_after_ms = 10000,
};

struct subject {
	struct restart_breaker breaker;
	struct restart_delays  delays;
	struct restart_rules   rules;
};

static int
set_up(void **state)
{
	struct subject *s = calloc(1, sizeof(*s));

	s->rules = rules;
	*state   = s;
	return 0;
}

static int
tear_down(void **state)
{
	free(*state);
	return 0;
}

static struct restart_decision
dies_after(struct subject *s, enum death how, int64_t ready_for_ms, int64_t now_ms, uint32_t chance)
{
	struct restart_death death = { how, ready_for_ms, false };

	return restart_decide(&s->breaker, &s->delays, &s->rules, &death, now_ms, chance);
}

static struct restart_decision
dies(struct subject *s, enum death how, int64_t now_ms)
{
	return dies_after(s, how, RESTART_NEVER, now_ms, 0);
}

static struct restart_decision
probe_dies(struct subject *s, enum death how, int64_t now_ms)
{
	struct restart_death death = { how, RESTART_NEVER, true };

	restart_begin_probe(&s->breaker);
	return restart_decide(&s->breaker, &s->delays, &s->rules, &death, now_ms, 0);
}

static void
open_breaker(struct subject *s, int64_t now_ms)
{
	for (unsigned i = 0; i <= s->rules.limit; i++)
		(void)dies(s, DEATH_CRASH, now_ms);
	assert_true(s->breaker.open);
}

/* ------------------------------------------------------------------ pauses */
static void
the_first_crash_restarts_at_once(void **state)
{
	struct restart_decision d = dies_after(*state, DEATH_CRASH, RESTART_NEVER, 0, MOST);

	assert_int_equal(d.verdict, VERDICT_START);
	assert_int_equal(d.delay_ms, 0);
}

static void
later_pauses_double_with_full_jitter_up_to_the_longest(void **state)
{
	struct subject *s       = *state;
	int64_t         ceiling = 200;

	s->rules.limit = 1000;
	(void)dies(s, DEATH_CRASH, 0);
	for (int i = 0; i < 12; i++) {
		struct restart_delays before = s->delays;
		int64_t               least  = dies_after(s, DEATH_CRASH, RESTART_NEVER, i, 0).delay_ms;

		s->delays = before;
		assert_int_equal(least, 100);
		assert_int_equal(dies_after(s, DEATH_CRASH, RESTART_NEVER, i, (uint32_t)ceiling - 1).delay_ms, ceiling - 1);
		ceiling = MIN(ceiling * 2, 30000);
	}
	assert_int_equal(ceiling, 30000);
}

static void
a_process_that_was_healthy_has_its_pauses_forgotten(void **state)
{
	struct subject *s = *state;

	(void)dies(s, DEATH_CRASH, 0);
	assert_true(dies(s, DEATH_CRASH, 1).delay_ms > 0);
	assert_int_equal(dies_after(s, DEATH_CRASH, 10000, 20000, MOST).delay_ms, 0);
}

static void
one_that_was_ready_a_little_too_short_has_not(void **state)
{
	struct subject *s = *state;

	(void)dies(s, DEATH_CRASH, 0);
	assert_true(dies_after(s, DEATH_CRASH, 9999, 20000, MOST).delay_ms > 0);
}

static void
who_asks_for_later_waits_and_opens_no_breaker(void **state)
{
	struct subject *s = *state;

	for (int i = 0; i < 100; i++) {
		struct restart_decision d = dies(s, DEATH_AGAIN, i);

		assert_int_equal(d.verdict, VERDICT_START);
		assert_true(d.delay_ms >= 100);
	}
	assert_false(s->breaker.open);
}

/* ----------------------------------------------------------------- breaker */
static void
gives_up_on_the_crash_above_the_limit(void **state)
{
	struct subject *s = *state;

	for (int i = 0; i < 3; i++)
		assert_int_equal(dies(s, DEATH_CRASH, i).verdict, VERDICT_START);
	assert_int_equal(dies(s, DEATH_CRASH, 3).verdict, VERDICT_GIVE_UP);
	assert_true(s->breaker.open);
	assert_int_equal(s->breaker.due_ms, 3 + 30000);
}

static void
forgets_crashes_older_than_the_window(void **state)
{
	struct subject *s = *state;

	for (int i = 0; i < 50; i++)
		assert_int_equal(dies(s, DEATH_CRASH, i * 100000).verdict, VERDICT_START);
}

static void
counts_the_crashes_of_all_slots_of_the_kind(void **state)
{
	struct subject       *s       = *state;
	struct restart_delays slot[4] = { { 0 } };
	struct restart_death  death   = { DEATH_CRASH, RESTART_NEVER, false };

	for (int i = 0; i < 3; i++)
		assert_int_equal(restart_decide(&s->breaker, &slot[i], &s->rules, &death, i, 0).delay_ms, 0);
	assert_int_equal(restart_decide(&s->breaker, &slot[3], &s->rules, &death, 3, 0).verdict, VERDICT_GIVE_UP);
}

static void
the_largest_limit_fits_into_the_memory(void **state)
{
	struct subject *s = *state;

	s->rules.limit = RESTART_MEMORY - 1;
	for (int i = 0; i < RESTART_MEMORY - 1; i++)
		assert_int_equal(dies(s, DEATH_CRASH, i).verdict, VERDICT_START);
	assert_int_equal(dies(s, DEATH_CRASH, RESTART_MEMORY).verdict, VERDICT_GIVE_UP);
}

static void
a_healthy_slot_that_dies_while_open_waits_for_the_probe(void **state)
{
	struct subject *s = *state;
	int64_t         due;

	open_breaker(s, 0);
	due = s->breaker.due_ms;
	assert_int_equal(dies_after(s, DEATH_CRASH, 3600000, 5, 0).verdict, VERDICT_GIVE_UP);
	assert_int_equal(s->breaker.due_ms, due);
}

static void
each_failed_probe_doubles_the_pause_to_an_hour(void **state)
{
	struct subject *s        = *state;
	int64_t         pause_ms = 30000;

	open_breaker(s, 0);
	for (int i = 0; i < 12; i++) {
		pause_ms = MIN(pause_ms * 2, 3600000);
		assert_int_equal(probe_dies(s, DEATH_CRASH, 1000).verdict, VERDICT_GIVE_UP);
		assert_int_equal(s->breaker.due_ms, 1000 + pause_ms);
		assert_false(s->breaker.probing);
	}
	assert_int_equal(pause_ms, 3600000);
}

static void
a_pause_of_more_than_an_hour_is_kept(void **state)
{
	struct subject *s = *state;

	s->rules.probe_ms = 86400000;
	open_breaker(s, 0);
	(void)probe_dies(s, DEATH_CRASH, 0);
	assert_int_equal(s->breaker.due_ms, 86400000);
}

static void
a_healthy_probe_closes_and_forgets(void **state)
{
	struct subject *s = *state;

	open_breaker(s, 0);
	(void)probe_dies(s, DEATH_CRASH, 0);
	restart_begin_probe(&s->breaker);
	restart_forget(&s->breaker);
	assert_false(s->breaker.open);
	assert_int_equal(dies(s, DEATH_CRASH, 1).verdict, VERDICT_START);
	open_breaker(s, 2);
	assert_int_equal(s->breaker.due_ms, 2 + 30000);
}

static void
an_abandoned_probe_is_tried_again_now(void **state)
{
	struct subject *s = *state;

	open_breaker(s, 0);
	restart_begin_probe(&s->breaker);
	restart_abandon_probe(&s->breaker, 7);
	assert_true(s->breaker.open);
	assert_false(s->breaker.probing);
	assert_int_equal(s->breaker.due_ms, 7);
}

/* ---------------------------------------------------------------- policies */
static void
hopeless_is_given_up_without_a_breaker(void **state)
{
	struct subject *s = *state;

	assert_int_equal(dies(s, DEATH_HOPELESS, 0).verdict, VERDICT_GIVE_UP);
	assert_false(s->breaker.open);
}

static void
always_restarts_who_ends_well_and_counts_it(void **state)
{
	struct subject *s = *state;

	for (int i = 0; i < 3; i++)
		assert_int_equal(dies(s, DEATH_DONE, i).verdict, VERDICT_START);
	assert_int_equal(dies(s, DEATH_DONE, 3).verdict, VERDICT_GIVE_UP);
}

static void
on_crash_rests_who_ends_well_and_restarts_the_others(void **state)
{
	struct subject *s = *state;

	s->rules.policy = POLICY_on_crash;
	assert_int_equal(dies(s, DEATH_DONE, 0).verdict, VERDICT_REST);
	assert_int_equal(dies(s, DEATH_CRASH, 0).verdict, VERDICT_START);
	assert_int_equal(dies(s, DEATH_AGAIN, 0).verdict, VERDICT_START);
	assert_int_equal(dies(s, DEATH_HOPELESS, 0).verdict, VERDICT_GIVE_UP);
}

static void
once_rests_however_it_ends(void **state)
{
	struct subject *s = *state;

	s->rules.policy = POLICY_once;
	assert_int_equal(dies(s, DEATH_DONE, 0).verdict, VERDICT_REST);
	assert_int_equal(dies(s, DEATH_CRASH, 0).verdict, VERDICT_REST);
	assert_int_equal(dies(s, DEATH_HOPELESS, 0).verdict, VERDICT_REST);
}

static void
every_exit_status_has_its_meaning(void **state)
{
	(void)state;
	for (int status = 0; status < 256; status++) {
		enum death expected = DEATH_CRASH;

		if (status == 0)
			expected = DEATH_DONE;
		if (status == 75)
			expected = DEATH_AGAIN;
		if (status == 64 || status == 77 || status == 78)
			expected = DEATH_HOPELESS;
		assert_int_equal(restart_death_of_status(status), expected);
	}
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, set_up, tear_down)

int
main(void)
{
	const struct CMUnitTest tests[] = {
		TEST(the_first_crash_restarts_at_once),
		TEST(later_pauses_double_with_full_jitter_up_to_the_longest),
		TEST(a_process_that_was_healthy_has_its_pauses_forgotten),
		TEST(one_that_was_ready_a_little_too_short_has_not),
		TEST(who_asks_for_later_waits_and_opens_no_breaker),
		TEST(gives_up_on_the_crash_above_the_limit),
		TEST(forgets_crashes_older_than_the_window),
		TEST(counts_the_crashes_of_all_slots_of_the_kind),
		TEST(the_largest_limit_fits_into_the_memory),
		TEST(a_healthy_slot_that_dies_while_open_waits_for_the_probe),
		TEST(each_failed_probe_doubles_the_pause_to_an_hour),
		TEST(a_pause_of_more_than_an_hour_is_kept),
		TEST(a_healthy_probe_closes_and_forgets),
		TEST(an_abandoned_probe_is_tried_again_now),
		TEST(hopeless_is_given_up_without_a_breaker),
		TEST(always_restarts_who_ends_well_and_counts_it),
		TEST(on_crash_rests_who_ends_well_and_restarts_the_others),
		TEST(once_rests_however_it_ends),
		TEST(every_exit_status_has_its_meaning),
	};

	return cmocka_run_group_tests_name("restart", tests, NULL, NULL);
}
