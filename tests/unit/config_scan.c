/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is read before anything is understood: the syntax of a file, and bytes
 * that are none.
 */
#include "config_loaded.h"

#include <stdlib.h>

enum { NOISE_SIZE = 1 << 20 };

static void
a_last_comment_needs_no_newline(void **state)
{
	CLEANUP(loaded_fini) struct loaded l;

	(void)state;
	load_text(&l, "log = { level = \"debug\"; }; # the end");
	ASSERT_LOADED(&l);
	assert_string_equal(l.cfg.log_level, "debug");
}

static void
a_zero_byte_in_a_text_is_refused(void **state)
{
	(void)state;
	refuses("node = \"a\n\\x00b\";", "steward.conf:2: a text cannot hold \\x00");
}

static void
include_is_refused_with_a_way_out(void **state)
{
	CLEANUP(loaded_fini) struct loaded l;

	(void)state;
	write_text("other.conf", "log = { level = \"debug\"; };\n");
	refuses("# @include \"other.conf\"\n  @include \"other.conf\"\n",
	    "steward.conf:2: @include is not supported; put further files, named *.conf, into the directory conf.d beside the main file");
	load_text(&l, "# @include \"other.conf\"\nnode = \"@include\";\n");
	ASSERT_LOADED(&l);
	assert_string_equal(l.cfg.log_level, "info");
}

static void
a_key_or_group_given_twice_is_refused(void **state)
{
	(void)state;
	refuses("supervisor = {\n restart_limit = 1;\n restart_limit = 2;\n};",
	    "steward.conf:3: duplicate setting name; a setting or a group stands once in a file");
	refuses("log = { };\n\nlog = { };",
	    "steward.conf:3: duplicate setting name; a setting or a group stands once in a file");
}

static void
a_syntax_error_has_its_line(void **state)
{
	(void)state;
	refuses("log = {\n level \"info\";\n};", "steward.conf:2: syntax error");
	refuses("log = {\n level = \"info\";\n", "steward.conf:2: syntax error: the file ends too early");
	refuses("log = {\n level = \"info\";", "steward.conf:2: syntax error: the file ends too early");
	refuses("log = { level = \"info\"; }; \"stray\"", "steward.conf:1: syntax error");
	refuses("a = 1,\n\"stray\"", "steward.conf:2: syntax error");
	refuses("\n\n???", "steward.conf:3: syntax error");
}

static void
what_is_never_closed_is_named_where_it_opens(void **state)
{
	(void)state;
	refuses("\n/* log = {};\n\n", "steward.conf:2: the comment that begins here has no end");
	refuses("\n\nnode = \"a;\n\n", "steward.conf:3: the text that begins here has no closing \"");
	refuses("node = \"a\\\"", "steward.conf:1: the text that begins here has no closing \"");
}

static void
deep_nesting_is_refused(void **state)
{
	char text[3000];

	(void)state;
	memset(text, '(', sizeof(text));
	memcpy(text, "a=\n", 3);
	text[sizeof(text) - 1] = '\0';
	refuses(text, "steward.conf:2: nested more than 32 deep");
}

static void
a_file_of_nothing_but_names_is_refused_unread(void **state)
{
	CLEANUP(loaded_fini) struct loaded l;
	CLEANUP(free_cleanup) char        *text = calloc(1, NOISE_SIZE);
	size_t                             used = 0;

	(void)state;
	assert_non_null(text);
	for (int i = 0; used + 16 < NOISE_SIZE; i++)
		used += (size_t)snprintf(text + used, NOISE_SIZE - used, "a%d=1\n", i);
	load_text(&l, text);
	ASSERT_COMPLAINTS(&l, "steward.conf:5001: more than 5000 names; this is not a configuration");
}

static void
a_file_above_one_mebibyte_is_refused(void **state)
{
	CLEANUP(loaded_fini) struct loaded fits;
	CLEANUP(loaded_fini) struct loaded large;
	CLEANUP(free_cleanup) char        *spaces = malloc(NOISE_SIZE + 1);

	(void)state;
	assert_non_null(spaces);
	memset(spaces, ' ', NOISE_SIZE + 1);
	write_bytes("steward.conf", spaces, NOISE_SIZE);
	load_path(&fits, "steward.conf");
	ASSERT_LOADED(&fits);
	write_bytes("steward.conf", spaces, NOISE_SIZE + 1);
	load_path(&large, "steward.conf");
	ASSERT_COMPLAINTS(&large, "steward.conf: cannot be read: it is larger than 1 MiB");
}

static void
a_mebibyte_of_noise_is_refused(void **state)
{
	CLEANUP(free_cleanup) char *noise = malloc(NOISE_SIZE);
	uint32_t                    x     = 1;

	(void)state;
	assert_non_null(noise);
	for (int with_nul = 0; with_nul < 2; with_nul++) {
		CLEANUP(loaded_fini) struct loaded l;

		for (size_t i = 0; i < NOISE_SIZE; i++) {
			x        = x * 1664525 + 1013904223;
			noise[i] = (char)(x >> 24);
			if (noise[i] == '\0' && with_nul == 0)
				noise[i] = '"';
		}
		write_bytes("steward.conf", noise, NOISE_SIZE);
		load_path(&l, "steward.conf");
		assert_int_equal(l.code, ERR_config);
		assert_true(l.complaints.count > 0);
		assert_memory_equal(l.error.text, "steward.conf:", 13);
	}
}

static void
a_nul_byte_is_refused_with_its_line(void **state)
{
	CLEANUP(loaded_fini) struct loaded l;

	(void)state;
	write_bytes("steward.conf", "# one\n# t\0o\n", 12);
	load_path(&l, "steward.conf");
	ASSERT_COMPLAINTS(&l, "steward.conf:2: a NUL byte; this is not a text file");
}

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_last_comment_needs_no_newline),
		TEST(a_zero_byte_in_a_text_is_refused),
		TEST(include_is_refused_with_a_way_out),
		TEST(a_key_or_group_given_twice_is_refused),
		TEST(a_syntax_error_has_its_line),
		TEST(what_is_never_closed_is_named_where_it_opens),
		TEST(deep_nesting_is_refused),
		TEST(a_file_of_nothing_but_names_is_refused_unread),
		TEST(a_file_above_one_mebibyte_is_refused),
		TEST(a_mebibyte_of_noise_is_refused),
		TEST(a_nul_byte_is_refused_with_its_line),
	};

	return cmocka_run_group_tests_name("config_scan", tests, NULL, NULL);
}
