/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What was applied, held against what the program knows.
 */
#include "../../supervisor/ctl/ledger.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

static const struct migration known[] = {
	{ 1, "0001_one", "aa", "up", "down", "verify" },
	{ 2, "0002_two", "bb", "up", "down", "verify" },
	{ 3, "0003_three", "cc", "up", "down", "verify" },
	{ 0, NULL, NULL, NULL, NULL, NULL },
};

static void
expect(struct ledger_row *rows, size_t count, enum err code, const char *words)
{
	struct ledger l       = { .count = count, .row = rows };
	struct error  e       = { 0 };
	int           version = -1;

	assert_int_equal(ledger_check(&l, known, &version, &e), code);
	if (code == ERR_ok)
		assert_int_equal(version, count);
	else
		assert_non_null(strstr(e.text, words));
}

static void
an_unbroken_beginning_is_right(void **state)
{
	struct ledger_row rows[] = { { 1, "0001_one", "aa" }, { 2, "0002_two", "bb" }, { 3, "0003_three", "cc" } };

	(void)state;
	for (size_t count = 0; count <= COUNT_OF(rows); count++)
		expect(rows, count, ERR_ok, "");
}

static void
an_edited_file_is_named(void **state)
{
	struct ledger_row rows[] = { { 1, "0001_one", "aa" }, { 2, "0002_two", "other" } };

	(void)state;
	expect(rows, COUNT_OF(rows), ERR_config, "migrations/0002_two.up.sql");
}

static void
a_missing_predecessor_is_named(void **state)
{
	struct ledger_row first[]  = { { 2, "0002_two", "bb" } };
	struct ledger_row second[] = { { 1, "0001_one", "aa" }, { 3, "0003_three", "cc" } };

	(void)state;
	expect(first, COUNT_OF(first), ERR_refused, "predecessor 0001_one");
	expect(second, COUNT_OF(second), ERR_refused, "predecessor 0002_two");
}

static void
a_newer_database_is_told_from_a_wrong_one(void **state)
{
	struct ledger_row rows[] = { { 1, "0001_one", "aa" }, { 2, "0002_two", "bb" }, { 3, "0003_three", "cc" },
		{ 4, "0004_four", "dd" } };
	struct ledger_row gap[] = { { 1, "0001_one", "aa" }, { 9, "0009_nine", "ee" } };

	(void)state;
	expect(rows, COUNT_OF(rows), ERR_schema_new, "0004_four");
	expect(gap, COUNT_OF(gap), ERR_schema_new, "0009_nine");
}

static void
the_embedded_migrations_follow_each_other(void **state)
{
	(void)state;
	assert_true(ledger_newest(migrations) > 0);
	for (int i = 0; migrations[i].version != 0; i++) {
		char number[16];

		assert_int_equal(migrations[i].version, i + 1);
		(void)snprintf(number, sizeof(number), "%04d_", i + 1);
		assert_int_equal(strncmp(migrations[i].name, number, 5), 0);
		assert_int_equal(strlen(migrations[i].sha256), 64);
		assert_ptr_equal(ledger_find(migrations, i + 1), &migrations[i]);
	}
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(an_unbroken_beginning_is_right),
		cmocka_unit_test(an_edited_file_is_named),
		cmocka_unit_test(a_missing_predecessor_is_named),
		cmocka_unit_test(a_newer_database_is_told_from_a_wrong_one),
		cmocka_unit_test(the_embedded_migrations_follow_each_other),
	};

	return cmocka_run_group_tests_name("ledger", tests, NULL, NULL);
}
