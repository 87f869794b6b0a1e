/* SPDX-License-Identifier: Apache-2.0 */
/* What the supervisor remembers: events by number, deaths newest first, and who may act. */
#include "../../supervisor/deaths.h"
#include "../../supervisor/events.h"
#include "../../supervisor/rights.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

static void
tell(struct events *ev, unsigned times)
{
	for (unsigned i = 0; i < times; i++)
		events_tell(ev, LOG_debug, "thing_happened", "steward", "i=%u", i);
}

static void
events_are_numbered_from_one_without_gaps(void **state)
{
	struct events ev = { 0 };

	(void)state;
	assert_int_equal(events_init(&ev, NULL), ERR_ok);
	assert_null(events_get(&ev, 0));
	assert_null(events_get(&ev, 1));
	assert_int_equal(events_first_after(&ev, 0), 1);
	tell(&ev, 3);
	for (uint64_t n = 1; n <= 3; n++)
		assert_int_equal(events_get(&ev, n)->number, n);
	assert_null(events_get(&ev, 4));
	assert_string_equal(events_get(&ev, 2)->detail, "i=1");
	free(ev.ring);
}

static void
the_oldest_events_give_way(void **state)
{
	struct events ev = { 0 };

	(void)state;
	assert_int_equal(events_init(&ev, NULL), ERR_ok);
	tell(&ev, EVENTS_KEPT + 10);
	assert_int_equal(events_first_after(&ev, 0), 11);
	assert_int_equal(events_first_after(&ev, 100), 101);
	assert_int_equal(events_first_after(&ev, EVENTS_KEPT + 10), EVENTS_KEPT + 11);
	assert_int_equal(events_first_after(&ev, UINT64_MAX), EVENTS_KEPT + 11);
	assert_null(events_get(&ev, 10));
	assert_int_equal(events_get(&ev, 11)->number, 11);
	assert_int_equal(events_get(&ev, EVENTS_KEPT + 10)->number, EVENTS_KEPT + 10);
	free(ev.ring);
}

static void
deaths_come_newest_first_and_thirty_two_are_kept(void **state)
{
	struct deaths    d     = { 0 };
	struct msg_death death = { 0 };

	(void)state;
	assert_null(deaths_get(&d, 0));
	for (uint64_t pid = 1; pid <= 40; pid++) {
		death.pid = pid;
		deaths_add(&d, &death);
	}
	assert_int_equal(deaths_get(&d, 0)->pid, 40);
	assert_int_equal(deaths_get(&d, 31)->pid, 9);
	assert_null(deaths_get(&d, 32));
}

static void
root_and_ourselves_may_act_and_a_stranger_is_told_what_to_do(void **state)
{
	struct rights r = { 0 };
	struct error  e = { 0 };
	uid_t         stranger = 4000000;

	(void)state;
	assert_int_equal(rights_check(&r, 0, "", 0, &e), ERR_ok);
	assert_int_equal(rights_check(&r, geteuid(), "", 0, &e), ERR_ok);
	assert_int_equal(rights_check(&r, stranger, "", 0, &e), ERR_denied);
	assert_non_null(strstr(e.text, "sudo"));
	assert_int_equal(rights_check(&r, stranger, "root", 0, &e), ERR_denied);
	for (uid_t u = 0; u < 3 * RIGHTS_MEMORY; u++)
		assert_int_equal(rights_check(&r, stranger + u, "no-such-group", 0, &e), ERR_denied);
	assert_int_equal(r.count, RIGHTS_MEMORY);
}

static void
an_answer_about_a_group_is_kept_for_a_minute_and_then_asked_for_again(void **state)
{
	uid_t         once_a_member = 4000000;
	struct rights r = { .known = { { once_a_member, true, RIGHTS_KEPT_MS } }, .count = 1, .next = 1 };
	struct error  e = { 0 };

	(void)state;
	assert_int_equal(rights_check(&r, once_a_member, "root", RIGHTS_KEPT_MS - 1, &e), ERR_ok);
	assert_int_equal(rights_check(&r, once_a_member, "root", RIGHTS_KEPT_MS, &e), ERR_denied);
	assert_int_equal(r.known[0].until_ms, 2 * RIGHTS_KEPT_MS);
	assert_int_equal(r.count, 1);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(events_are_numbered_from_one_without_gaps),
		cmocka_unit_test(the_oldest_events_give_way),
		cmocka_unit_test(deaths_come_newest_first_and_thirty_two_are_kept),
		cmocka_unit_test(root_and_ourselves_may_act_and_a_stranger_is_told_what_to_do),
		cmocka_unit_test(an_answer_about_a_group_is_kept_for_a_minute_and_then_asked_for_again),
	};

	return cmocka_run_group_tests_name("rings", tests, NULL, NULL);
}
