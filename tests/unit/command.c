/* SPDX-License-Identifier: Apache-2.0 */
#include "../../supervisor/ctl/command.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "../../supervisor/ctl/closest.h"
#include "../../supervisor/ctl/columns.h"
#include "../../supervisor/ctl/completion.h"
#include "../../supervisor/ctl/table.h"

/* A command line as the shell would give it. */
struct line {
	char                   text[256];
	char                  *argv[16];
	char                  *operands[16];
	int                    argc;
	struct command_context c;
	struct error           e;
};

static enum err
parse(struct line *l, const char *text)
{
	memset(l, 0, sizeof(*l));
	(void)snprintf(l->text, sizeof(l->text), "stewardctl %s", text);
	for (char *word = strtok(l->text, " "); word != NULL; word = strtok(NULL, " "))
		l->argv[l->argc++] = word;
	return command_parse(l->argc, l->argv, l->operands, &l->c, &l->e);
}

static void
assert_usage(const char *text, const char *sentence)
{
	struct line l;

	assert_int_equal(parse(&l, text), ERR_usage);
	assert_string_equal(l.e.text, sentence);
}

/* ----------------------------------------------------------------- parsing */
static void
finds_a_command_of_one_word(void **state)
{
	struct line l;

	(void)state;
	assert_int_equal(parse(&l, "status"), ERR_ok);
	assert_string_equal(l.c.command->words, "status");
	assert_int_equal(l.c.argc, 0);
	assert_null(l.c.argv[0]);
}

static void
finds_a_command_of_two_words_and_its_operands(void **state)
{
	struct line l;

	(void)state;
	assert_int_equal(parse(&l, "worker scale provisioning 3"), ERR_ok);
	assert_string_equal(l.c.command->words, "worker scale");
	assert_int_equal(l.c.argc, 2);
	assert_string_equal(l.c.argv[0], "provisioning");
	assert_string_equal(l.c.argv[1], "3");
	assert_null(l.c.argv[2]);
}

static void
takes_options_before_between_and_after_the_words(void **state)
{
	static const char *const same[] = {
		"--json -c a.conf worker show provisioning",
		"worker --json show -c a.conf provisioning",
		"worker show provisioning --config=a.conf -j",
		"-jca.conf worker show provisioning",
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(same); i++) {
		struct line l;

		assert_int_equal(parse(&l, same[i]), ERR_ok);
		assert_string_equal(l.c.command->words, "worker show");
		assert_true(l.c.json);
		assert_string_equal(l.c.program_config, "a.conf");
		assert_string_equal(l.c.argv[0], "provisioning");
	}
}

static void
two_dashes_end_the_options(void **state)
{
	struct line l;

	(void)state;
	assert_int_equal(parse(&l, "db sql -- --json"), ERR_ok);
	assert_false(l.c.json);
	assert_string_equal(l.c.argv[0], "--json");
}

static void
knows_which_options_were_given(void **state)
{
	struct line l;

	(void)state;
	assert_int_equal(parse(&l, "db migrate --to 3 -n"), ERR_ok);
	assert_true(l.c.given == (TAKES(to) | TAKES(dry_run)));
	assert_string_equal(l.c.to, "3");
	assert_null(l.c.admin);
}

static void
an_empty_value_is_a_value(void **state)
{
	struct line l;

	(void)state;
	assert_int_equal(parse(&l, "status --socket="), ERR_ok);
	assert_string_equal(l.c.socket, "");
}

static void
help_asks_for_no_operands(void **state)
{
	struct line l;

	(void)state;
	assert_int_equal(parse(&l, "worker scale --help"), ERR_ok);
	assert_int_equal(parse(&l, "worker --help"), ERR_ok);
	assert_int_equal(parse(&l, "--help"), ERR_ok);
	assert_null(l.c.command);
	assert_int_equal(parse(&l, "--version"), ERR_ok);
}

/* --------------------------------------------------------------- mistakes */
static void
an_unknown_command_is_answered_with_the_closest(void **state)
{
	(void)state;
	assert_usage("statsu", "statsu: there is no such command; did you mean \"status\"?");
	assert_usage("wroker list", "wroker: there is no such command; did you mean \"worker\"?");
	assert_usage("worker shwo", "worker shwo: there is no such command; did you mean \"worker show\"?");
	assert_usage("xyzzy", "xyzzy: there is no such command; see stewardctl help");
	assert_usage("migrate", "migrate: there is no such command; did you mean \"db migrate\"?");
}

static void
a_group_alone_is_answered_with_its_commands(void **state)
{
	(void)state;
	assert_usage("flag", "flag: what of it? one of list, set");
	assert_usage("flag frobnicate", "flag frobnicate: there is no such command; one of list, set");
	assert_usage("", "which command? see stewardctl help");
}

static void
an_unknown_option_is_answered_with_the_closest(void **state)
{
	(void)state;
	assert_usage("status --jsn", "--jsn: there is no such option; did you mean --json?");
	assert_usage("status --jsn=1", "--jsn: there is no such option; did you mean --json?");
	assert_usage("status --zzzzzzzzz", "--zzzzzzzzz: there is no such option; see stewardctl help");
	assert_usage("status -Z", "-Z: there is no such option; see stewardctl help");
}

static void
an_option_of_another_command_is_refused(void **state)
{
	(void)state;
	assert_usage("status --follow", "status: does not take --follow; see stewardctl help status");
}

static void
values_are_demanded_and_refused_by_the_row(void **state)
{
	(void)state;
	assert_usage("status --socket", "--socket: PATH is missing");
	assert_usage("status -s", "-s: PATH is missing");
	assert_usage("status --json=yes", "--json: takes no value");
}

static void
operands_are_counted(void **state)
{
	(void)state;
	assert_usage("worker scale provisioning",
	    "worker scale: too few operands; write: stewardctl worker scale KIND N");
	assert_usage("status now", "status: too many operands; write: stewardctl status");
}

static void
numbers_are_decimal_and_bounded(void **state)
{
	static const char *const wrong[] = { "", "x", "1x", " 1", "+1", "0x10", "101", "-1", "99999999999999999999" };
	struct error             e       = { 0 };
	int64_t                  value   = 7;

	(void)state;
	for (size_t i = 0; i < COUNT_OF(wrong); i++)
		assert_int_equal(command_number("--percent", wrong[i], 0, 100, &value, &e), ERR_usage);
	assert_int_equal(value, 7);
	assert_int_equal(command_number("--percent", "100", 0, 100, &value, &e), ERR_ok);
	assert_int_equal(value, 100);
	assert_int_equal(command_number("--percent", "101", 0, 100, &value, &e), ERR_usage);
	assert_string_equal(e.text, "--percent: 101 is outside 0 to 100");
}

/* --------------------------------------------------------------- the rows */
static void
no_two_commands_have_the_same_words(void **state)
{
	(void)state;
	for (const struct command *a = commands; a->words != NULL; a++) {
		struct line l;

		for (const struct command *b = commands; b != a; b++)
			assert_string_not_equal(a->words, b->words);
		(void)parse(&l, a->words);
		assert_non_null(l.c.command);
		assert_string_equal(l.c.command->words, a->words);
	}
}

static int
count_required(const char *operands)
{
	int count = 0;

	for (const char *word = operands; *word != '\0'; word += strspn(word, " ")) {
		count += *word != '[';
		word += strcspn(word, " ");
	}
	return count;
}

/* "KIND N" is two, "[SETTING]" may be none, "JOB [N]" is one or two. */
static void
the_operands_of_a_row_fit_its_numbers(void **state)
{
	(void)state;
	for (const struct command *k = commands; k->words != NULL; k++) {
		int  count = 0;
		char name[COMPLETION_NAME_SIZE];

		while (completion_operand(k, count, name))
			count++;
		assert_true(k->min_operands <= k->max_operands);
		assert_true(count <= k->max_operands);
		assert_true((count > 0) == (k->max_operands > 0));
		assert_int_equal(k->min_operands, count_required(k->operands));
		assert_non_null(k->run);
		assert_true(k->summary[0] != '\0');
	}
}

static void
no_two_options_have_the_same_name_or_letter(void **state)
{
	(void)state;
	assert_true(OPTION_COUNT <= 64);
	for (int a = 0; a < OPTION_COUNT; a++)
		for (int b = 0; b < a; b++) {
			const struct option_desc *one   = option_desc((enum option_id)a);
			const struct option_desc *other = option_desc((enum option_id)b);

			assert_string_not_equal(one->name, other->name);
			assert_true(one->letter == 0 || one->letter != other->letter);
		}
}

static void
every_option_is_taken_by_all_or_by_some_command(void **state)
{
	uint64_t taken = 0;

	(void)state;
	for (const struct command *k = commands; k->words != NULL; k++)
		taken |= k->options;
	for (int id = 0; id < OPTION_COUNT; id++)
		assert_true(option_desc((enum option_id)id)->every != ((taken >> id & 1) != 0));
}

/* ------------------------------------------------------------- the closest */
static void
the_closest_of_several_wins(void **state)
{
	struct closest close;

	(void)state;
	closest_begin(&close, "relaod");
	assert_false(closest_offer(&close, "restart"));
	assert_true(closest_offer(&close, "reload"));
	assert_false(closest_offer(&close, "load"));
	assert_string_equal(close.best, "reload");
}

static void
a_short_word_is_not_close_to_any_other_short_word(void **state)
{
	struct closest close;

	(void)state;
	closest_begin(&close, "a");
	assert_false(closest_offer(&close, "b"));
	assert_null(close.best);
}

/* ------------------------------------------------------------ for the eye */
static void
columns_are_named_by_key_or_by_title(void **state)
{
	struct columns c = { 0 };

	(void)state;
	assert_true(columns_read(&c, "pid,doing=activity,uptime_seconds,,last_exit"));
	assert_int_equal(c.count, 4);
	assert_string_equal(c.list[0].title, "PID");
	assert_string_equal(c.list[1].title, "DOING");
	assert_string_equal(c.list[1].key, "activity");
	assert_string_equal(c.list[2].title, "UPTIME");
	assert_string_equal(c.list[2].key, "uptime_seconds");
	assert_string_equal(c.list[3].title, "LAST EXIT");
}

static void
columns_that_the_user_chose_keep_their_names(void **state)
{
	struct columns c = { .plain = true };

	(void)state;
	assert_true(columns_read(&c, "uptime_seconds"));
	assert_string_equal(c.list[0].title, "UPTIME_SECONDS");
}

static void
too_many_columns_are_refused(void **state)
{
	struct columns c = { 0 };

	(void)state;
	for (int i = 0; i < COLUMNS_MAX; i++)
		assert_true(columns_add(&c, "pid", 3));
	assert_false(columns_add(&c, "pid", 3));
}

static void
what_a_terminal_would_obey_is_disarmed(void **state)
{
	char text[] = "a\033[31mb\nc\td\xc2\x9b" "e\x7f";

	(void)state;
	table_disarm(text, "\t");
	assert_string_equal(text, "a?[31mb c\td??e?");
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(finds_a_command_of_one_word),
		cmocka_unit_test(finds_a_command_of_two_words_and_its_operands),
		cmocka_unit_test(takes_options_before_between_and_after_the_words),
		cmocka_unit_test(two_dashes_end_the_options),
		cmocka_unit_test(knows_which_options_were_given),
		cmocka_unit_test(an_empty_value_is_a_value),
		cmocka_unit_test(help_asks_for_no_operands),
		cmocka_unit_test(an_unknown_command_is_answered_with_the_closest),
		cmocka_unit_test(a_group_alone_is_answered_with_its_commands),
		cmocka_unit_test(an_unknown_option_is_answered_with_the_closest),
		cmocka_unit_test(an_option_of_another_command_is_refused),
		cmocka_unit_test(values_are_demanded_and_refused_by_the_row),
		cmocka_unit_test(operands_are_counted),
		cmocka_unit_test(numbers_are_decimal_and_bounded),
		cmocka_unit_test(no_two_commands_have_the_same_words),
		cmocka_unit_test(the_operands_of_a_row_fit_its_numbers),
		cmocka_unit_test(no_two_options_have_the_same_name_or_letter),
		cmocka_unit_test(every_option_is_taken_by_all_or_by_some_command),
		cmocka_unit_test(the_closest_of_several_wins),
		cmocka_unit_test(a_short_word_is_not_close_to_any_other_short_word),
		cmocka_unit_test(columns_are_named_by_key_or_by_title),
		cmocka_unit_test(columns_that_the_user_chose_keep_their_names),
		cmocka_unit_test(too_many_columns_are_refused),
		cmocka_unit_test(what_a_terminal_would_obey_is_disarmed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
