/* SPDX-License-Identifier: Apache-2.0 */
/*
 * How far apart two words are.
 */
#include "nearest.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <string.h>

#include <cmocka.h>

static void
slips_are_counted(void **state)
{
	char a[300], b[300];

	(void)state;
	assert_int_equal(nearest_distance("", ""), 0);
	assert_int_equal(nearest_distance("", "abc"), 3);
	assert_int_equal(nearest_distance("abc", "abc"), 0);
	assert_int_equal(nearest_distance("limt", "limit"), 1);
	assert_int_equal(nearest_distance("lgo", "log"), 1);
	assert_int_equal(nearest_distance("kitten", "sitting"), 3);
	assert_int_equal(nearest_distance("flaw", "lawn"), 2);
	memset(a, 'a', sizeof(a));
	memset(b, 'b', sizeof(b));
	a[sizeof(a) - 1] = b[sizeof(b) - 1] = '\0';
	assert_int_equal(nearest_distance(a, b), NEAREST_WORD_MAX);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(slips_are_counted),
	};

	return cmocka_run_group_tests_name("nearest", tests, NULL, NULL);
}
