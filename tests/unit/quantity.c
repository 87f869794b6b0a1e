/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Numbers with and without a unit, and what only looks like one.
 */
#include "quantity.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

static void
a_quantity_is_read_strictly(void **state)
{
	static const struct {
		const char         *text;
		const char         *unit;
		enum quantity_fault fault;
		int64_t             value;
	} cases[] = {
		{ "0s",                      "ms",    QUANTITY_ok,        0                     },
		{ "1d",                      "s",     QUANTITY_ok,        86400                 },
		{ "007s",                    "s",     QUANTITY_ok,        7                     },
		{ "9223372036854775807ms",   "ms",    QUANTITY_ok,        INT64_MAX             },
		{ "9223372036854775808ms",   "ms",    QUANTITY_too_large, -7                    },
		{ "9223372036854775807s",    "ms",    QUANTITY_too_large, -7                    },
		{ "8388608TiB",              "bytes", QUANTITY_too_large, -7                    },
		{ "8388607TiB",              "bytes", QUANTITY_ok,        INT64_C(8388607) << 40 },
		{ "999ms",                   "s",     QUANTITY_uneven,    -7                    },
		{ "",                        "s",     QUANTITY_malformed, -7                    },
		{ "s",                       "s",     QUANTITY_malformed, -7                    },
		{ "5",                       "s",     QUANTITY_malformed, -7                    },
		{ "5S",                      "s",     QUANTITY_malformed, -7                    },
		{ "5s ",                     "s",     QUANTITY_malformed, -7                    },
		{ " 5s",                     "s",     QUANTITY_malformed, -7                    },
		{ "-5s",                     "s",     QUANTITY_malformed, -7                    },
		{ "+5s",                     "s",     QUANTITY_malformed, -7                    },
		{ "1.5h",                    "s",     QUANTITY_malformed, -7                    },
		{ "1h30m",                   "s",     QUANTITY_malformed, -7                    },
		{ "5KB",                     "bytes", QUANTITY_malformed, -7                    },
		{ "5s",                      "bytes", QUANTITY_malformed, -7                    },
		{ "5K",                      "s",     QUANTITY_malformed, -7                    },
		{ "5s",                      "jobs",  QUANTITY_malformed, -7                    },
		{ "99999999999999999999 ms", "ms",    QUANTITY_malformed, -7                    },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		int64_t value = -7;

		assert_int_equal(quantity_parse(cases[i].text, cases[i].unit, &value), cases[i].fault);
		assert_int_equal(value, cases[i].value);
	}
}

static void
a_plain_number_is_read_strictly(void **state)
{
	int64_t value = -7;

	(void)state;
	assert_int_equal(quantity_parse_plain("-9223372036854775808", &value), QUANTITY_ok);
	assert_true(value == INT64_MIN);
	assert_int_equal(quantity_parse_plain("9223372036854775807", &value), QUANTITY_ok);
	assert_true(value == INT64_MAX);
	assert_int_equal(quantity_parse_plain("9223372036854775808", &value), QUANTITY_too_large);
	assert_int_equal(quantity_parse_plain("-9223372036854775809", &value), QUANTITY_too_large);
	assert_int_equal(quantity_parse_plain("", &value), QUANTITY_malformed);
	assert_int_equal(quantity_parse_plain("-", &value), QUANTITY_malformed);
	assert_int_equal(quantity_parse_plain("+1", &value), QUANTITY_malformed);
	assert_int_equal(quantity_parse_plain("0x10", &value), QUANTITY_malformed);
	assert_int_equal(quantity_parse_plain("1 ", &value), QUANTITY_malformed);
	assert_true(value == INT64_MAX);
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_quantity_is_read_strictly),
		cmocka_unit_test(a_plain_number_is_read_strictly),
	};

	return cmocka_run_group_tests_name("quantity", tests, NULL, NULL);
}
