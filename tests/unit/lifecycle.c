/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The lifecycle, cell by cell: what is written here by hand must be what the
 * table says, in every pair of state and event.
 */
#include "../../supervisor/lifecycle.h"

#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#define NO "-"

/* A row per state, a column per event: started, said_ready, paused, resumed, unwanted, will_retry, gave_up, finished. */
static const struct {
	const char *state;
	const char *next[EVENT_COUNT];
} expected[STATE_COUNT] = {
	{ "down",     { "starting", NO,      NO,       NO,      "down",     "backoff", "failed", NO     } },
	{ "starting", { NO,         "ready", NO,       NO,      "stopping", "backoff", "failed", "down" } },
	{ "ready",    { NO,         NO,      "paused", NO,      "stopping", "backoff", "failed", "down" } },
	{ "paused",   { NO,         NO,      NO,       "ready", "stopping", "backoff", "failed", "down" } },
	{ "stopping", { NO,         NO,      NO,       NO,      NO,         "backoff", NO,       "down" } },
	{ "backoff",  { "starting", NO,      NO,       NO,      "down",     "backoff", "failed", NO     } },
	{ "failed",   { "starting", NO,      NO,       NO,      "down",     "backoff", "failed", NO     } },
};

static void
every_cell_is_as_written_here(void **state)
{
	(void)state;
	for (unsigned s = 0; s < STATE_COUNT; s++)
		for (unsigned v = 0; v < EVENT_COUNT; v++) {
			enum lifecycle_state next = STATE_COUNT;
			bool                 may  = lifecycle_next((enum lifecycle_state)s, (enum lifecycle_event)v, &next);

			assert_string_equal(lifecycle_state_name((enum lifecycle_state)s), expected[s].state);
			assert_string_equal(may ? lifecycle_state_name(next) : NO, expected[s].next[v]);
			assert_true(may || next == STATE_COUNT);
		}
}

static void
the_words_are_those_that_status_promises(void **state)
{
	static const char *const words[] = { "starting", "ready", "backoff", "stopping", "failed", "paused", "down" };

	(void)state;
	assert_int_equal(COUNT_OF(words), STATE_COUNT);
	for (unsigned w = 0; w < COUNT_OF(words); w++) {
		unsigned found = 0;

		for (unsigned s = 0; s < STATE_COUNT; s++)
			found += strcmp(words[w], lifecycle_state_name((enum lifecycle_state)s)) == 0;
		assert_int_equal(found, 1);
	}
}

static void
exactly_the_states_with_a_process_are_alive(void **state)
{
	(void)state;
	for (unsigned s = 0; s < STATE_COUNT; s++) {
		const char *name = lifecycle_state_name((enum lifecycle_state)s);
		bool        dead = strcmp(name, "down") == 0 || strcmp(name, "backoff") == 0 || strcmp(name, "failed") == 0;

		assert_int_equal(lifecycle_is_alive((enum lifecycle_state)s), !dead);
	}
}

static void
a_start_is_possible_only_without_a_process(void **state)
{
	(void)state;
	for (unsigned s = 0; s < STATE_COUNT; s++) {
		enum lifecycle_state next = STATE_COUNT;

		assert_int_equal(lifecycle_next((enum lifecycle_state)s, EVENT_started, &next),
		    !lifecycle_is_alive((enum lifecycle_state)s));
	}
}

static void
everything_has_a_meaning(void **state)
{
	(void)state;
	for (unsigned s = 0; s < STATE_COUNT; s++)
		assert_true(strlen(lifecycle_state_meaning((enum lifecycle_state)s)) > 10);
	for (unsigned v = 0; v < EVENT_COUNT; v++) {
		assert_true(strlen(lifecycle_event_name((enum lifecycle_event)v)) > 0);
		assert_true(strlen(lifecycle_event_meaning((enum lifecycle_event)v)) > 10);
	}
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_cell_is_as_written_here),
		cmocka_unit_test(the_words_are_those_that_status_promises),
		cmocka_unit_test(exactly_the_states_with_a_process_are_alive),
		cmocka_unit_test(a_start_is_possible_only_without_a_process),
		cmocka_unit_test(everything_has_a_meaning),
	};

	return cmocka_run_group_tests_name("lifecycle", tests, NULL, NULL);
}
