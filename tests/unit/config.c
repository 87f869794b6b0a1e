/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration, from outside: files in, settings or sentences out.  Every
 * test has its own directory and stands in it, so a place reads "steward.conf:3".
 */
#include "config.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#include "nearest.h"
#include "quantity.h"

enum { NOISE_SIZE = 1 << 20 };

/* One load and what came of it. */
struct loaded {
	struct config            cfg;
	struct config_origins    origins;
	struct config_complaints complaints;
	struct error             error;
	enum err                 code;
};

static void
loaded_fini(struct loaded *l)
{
	config_origins_free(&l->origins);
	config_complaints_free(&l->complaints);
}

static void
write_bytes(const char *path, const char *bytes, size_t size)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, size, f), size);
	assert_int_equal(fclose(f), 0);
}

static void
write_text(const char *path, const char *text)
{
	write_bytes(path, text, strlen(text));
}

static void
load_path(struct loaded *l, const char *path)
{
	memset(l, 0, sizeof(*l));
	l->code = config_load(path, &l->cfg, &l->origins, &l->complaints, &l->error);
}

static void
load_text(struct loaded *l, const char *text)
{
	write_text("steward.conf", text);
	load_path(l, "steward.conf");
}

static size_t
index_of(const char *path)
{
	for (size_t i = 0; i < config_count(); i++)
		if (strcmp(config_desc(i)->path, path) == 0)
			return i;
	fail_msg("no setting %s", path);
	return 0;
}

/* Every complaint that the text earns, in order; the list ends in NULL.  Also from a load that must leave cfg alone. */
static void
assert_complaints(const struct loaded *l, const char *const *expected)
{
	static const struct config untouched;
	size_t                     i = 0;

	for (; expected[i] != NULL && i < l->complaints.count; i++)
		assert_string_equal(l->complaints.line[i], expected[i]);
	if (expected[i] != NULL)
		fail_msg("missing: %s", expected[i]);
	if (i < l->complaints.count)
		fail_msg("unexpected: %s", l->complaints.line[i]);
	assert_int_equal(l->code, i == 0 ? ERR_ok : ERR_config);
	if (i > 0) {
		assert_string_equal(l->error.text, expected[0]);
		assert_memory_equal(&l->cfg, &untouched, sizeof(untouched));
		assert_null(l->origins.place);
	}
}

#define ASSERT_COMPLAINTS(loaded, ...) assert_complaints(loaded, (const char *const[]){ __VA_ARGS__, NULL })
#define ASSERT_LOADED(loaded)          assert_complaints(loaded, (const char *const[]){ NULL })

static void
refuses(const char *text, const char *complaint)
{
	CLEANUP(loaded_fini) struct loaded l;

	load_text(&l, text);
	ASSERT_COMPLAINTS(&l, complaint);
}

static void
an_empty_file_means_all_defaults(void **state)
{
	static const char *const texts[] = { "", "\n \t\r\n", "# nothing", "/* nothing */ // at all", "supervisor = { };" };
	struct config            defaults;

	(void)state;
	config_defaults(&defaults);
	for (size_t i = 0; i < COUNT_OF(texts); i++) {
		CLEANUP(loaded_fini) struct loaded l;

		load_text(&l, texts[i]);
		ASSERT_LOADED(&l);
		for (size_t row = 0; row < config_count(); row++) {
			assert_false(config_differs(&l.cfg, &defaults, row));
			assert_string_equal(l.origins.place[row], "default");
		}
	}
}

static void
the_defaults_are_the_rows_of_the_table(void **state)
{
	struct config cfg;

	(void)state;
	memset(&cfg, 0x5a, sizeof(cfg));
	config_defaults(&cfg);
	assert_string_equal(cfg.run_directory, "/run/steward");
	assert_int_equal(cfg.supervisor_restart_limit, 5);
	assert_int_equal(cfg.workers[WORKER_provisioning].core_size, -1);
	for (size_t i = 0; i < config_count(); i++) {
		const struct config_desc *desc = config_desc(i);
		char                      text[CONFIG_VALUE_SIZE], expected[CONFIG_VALUE_SIZE];

		if (desc->type == CONFIG_INT)
			assert_in_range((uintmax_t)(desc->fallback_int - desc->min), 0, (uintmax_t)(desc->max - desc->min));
		else
			assert_true(strlen(desc->fallback_text) < desc->size);
		if (desc->type == CONFIG_INT)
			(void)snprintf(expected, sizeof(expected), "%" PRId64, desc->fallback_int);
		else
			(void)snprintf(expected, sizeof(expected), "%s", desc->fallback_text);
		assert_string_equal(config_value(&cfg, i, text), expected);
	}
}

static void
every_kind_has_its_own_kind_rows(void **state)
{
	(void)state;
	for (size_t kind = 0; kind < WORKER_COUNT; kind++) {
		char   path[128];
		size_t found;

		(void)snprintf(path, sizeof(path), "workers.%s.processes", worker_desc((enum worker_kind)kind)->name);
		found = index_of(path);
		assert_int_equal(config_desc(found)->kind, kind);
	}
	assert_int_equal(config_desc(index_of("log.level"))->kind, WORKER_COUNT);
}

static void
reads_values_and_remembers_their_lines(void **state)
{
	CLEANUP(loaded_fini) struct loaded l;

	(void)state;
	load_text(&l, "run_directory = \"/tmp/s\";\n"
	              "supervisor: {\n"
	              "  restart_limit = 7; restart_window = 0x20\n"
	              "};\n"
	              "workers = { provisioning = { processes = 3L, cpu_affinity = \"0-1\" \",3\"; nice = -5; }; };\n");
	ASSERT_LOADED(&l);
	assert_string_equal(l.cfg.run_directory, "/tmp/s");
	assert_int_equal(l.cfg.supervisor_restart_limit, 7);
	assert_int_equal(l.cfg.supervisor_restart_window, 32);
	assert_int_equal(l.cfg.workers[WORKER_provisioning].processes, 3);
	assert_int_equal(l.cfg.workers[WORKER_provisioning].nice, -5);
	assert_string_equal(l.cfg.workers[WORKER_provisioning].cpu_affinity, "0-1,3");
	assert_string_equal(l.origins.place[index_of("supervisor.restart_limit")], "steward.conf:3");
	assert_string_equal(l.origins.place[index_of("workers.provisioning.nice")], "steward.conf:5");
	assert_string_equal(l.origins.place[index_of("log.level")], "default");
}

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
takes_the_ends_of_every_range_and_nothing_beyond(void **state)
{
	(void)state;
	for (size_t i = 0; i < config_count(); i++) {
		const struct config_desc *desc = config_desc(i);
		char                      name[256] = "STEWARD__";
		char                      value[32];
		size_t                    used = strlen(name);

		if (desc->type != CONFIG_INT)
			continue;
		for (const char *p = desc->path; *p != '\0'; p++) {
			if (*p == '.')
				name[used++] = '_';
			name[used++] = (char)(*p == '.' ? '_' : *p >= 'a' && *p <= 'z' ? *p - 32 : *p);
		}
		name[used] = '\0';
		for (int side = 0; side < 4; side++) {
			CLEANUP(loaded_fini) struct loaded l;
			bool                               is_outside = side >= 2;
			bool                               is_named   = false;

			(void)snprintf(value, sizeof(value), "%" PRId64,
			    side % 2 == 0 ? desc->min - is_outside : desc->max + is_outside);
			assert_int_equal(setenv(name, value, 1), 0);
			load_text(&l, "");
			assert_int_equal(unsetenv(name), 0);
			/* An end may still break a rule between two settings; that is another sentence. */
			for (size_t c = 0; c < l.complaints.count; c++)
				is_named = is_named || strstr(l.complaints.line[c], "; allowed: ") != NULL;
			assert_int_equal(is_named, is_outside);
		}
	}
}

static void
tells_settings_that_differ(void **state)
{
	struct config a, b;

	(void)state;
	config_defaults(&a);
	config_defaults(&b);
	b.supervisor_heartbeat = 1;
	(void)snprintf(b.workers[WORKER_provisioning].cpu_affinity, sizeof(b.workers[0].cpu_affinity), "1");
	assert_true(config_differs(&a, &b, index_of("supervisor.heartbeat")));
	assert_true(config_differs(&a, &b, index_of("workers.provisioning.cpu_affinity")));
	assert_false(config_differs(&a, &b, index_of("supervisor.hang_timeout")));
	assert_false(config_differs(&a, &b, index_of("run_directory")));
}

static void
times_and_sizes_may_carry_a_unit(void **state)
{
	CLEANUP(loaded_fini) struct loaded l;

	(void)state;
	load_text(&l, "supervisor = { restart_window = \"2m\"; hang_timeout = \"40s\"; restart_delay_min = \"500ms\";\n"
	              "  restart_probe = \"5000ms\"; restart_delay_max = \"1h\"; };\n"
	              "workers = { provisioning = { address_space = \"5GiB\"; core_size = \"1K\"; }; };\n");
	ASSERT_LOADED(&l);
	assert_int_equal(l.cfg.supervisor_restart_window, 120);
	assert_int_equal(l.cfg.supervisor_hang_timeout, 40000);
	assert_int_equal(l.cfg.supervisor_restart_delay_min, 500);
	assert_int_equal(l.cfg.supervisor_restart_probe, 5);
	assert_int_equal(l.cfg.supervisor_restart_delay_max, 3600000);
	assert_int_equal(l.cfg.workers[WORKER_provisioning].address_space, INT64_C(5368709120));
	assert_int_equal(l.cfg.workers[WORKER_provisioning].core_size, 1024);
}

static void
says_what_is_wrong_with_a_unit(void **state)
{
	CLEANUP(loaded_fini) struct loaded l;

	(void)state;
	load_text(&l, "supervisor = {\n"
	              " restart_window = \"1500ms\";\n"
	              " restart_probe = \"10 s\";\n"
	              " heartbeat = \"64MiB\";\n"
	              " hang_timeout = \"9223372036854775807h\";\n"
	              " abort_grace = \"2h\";\n"
	              " restart_limit = \"5\";\n"
	              "};\n"
	              "workers = { provisioning = { address_space = \"-1\"; }; };\n");
	ASSERT_COMPLAINTS(&l,
	    "steward.conf:2: supervisor.restart_window is \"1500ms\", which is not a whole number of s",
	    "steward.conf:3: supervisor.restart_probe is \"10 s\"; it takes a whole number of s, or a number and ms, s, m, h or d, as in \"30s\"",
	    "steward.conf:4: supervisor.heartbeat is \"64MiB\"; it takes a whole number of ms, or a number and ms, s, m, h or d, as in \"30s\"",
	    "steward.conf:5: supervisor.hang_timeout is \"9223372036854775807h\", which is too large; allowed: 200 to 3600000 ms",
	    "steward.conf:6: supervisor.abort_grace is \"2h\"; allowed: 10 to 60000 ms",
	    "steward.conf:7: supervisor.restart_limit is the text \"5\"; it takes a whole number",
	    "steward.conf:9: workers.provisioning.address_space is \"-1\"; it takes a whole number of bytes, or a number and B, KiB, MiB, GiB or TiB, as in \"64MiB\"");
}

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

static void
says_everything_that_is_wrong_in_one_run(void **state)
{
	CLEANUP(loaded_fini) struct loaded l;

	(void)state;
	load_text(&l, "# line one\n"
	              "supervisor = {\n"
	              "    restart_limt = 5;\n"
	              "    restart_limit = 7000;\n"
	              "    heartbeat = true;\n"
	              "};\n"
	              "log = { level = 3; };\n"
	              "bus = 5;\n"
	              "databse = { conninfo = \"\"; };\n"
	              "provisioning = 12;\n"
	              "workers = { provisionin = { processes = 1; }; zebra = { }; };\n"
	              "tick = 20000;\n"
	              "node = [ 1, 2 ];\n");
	ASSERT_COMPLAINTS(&l,
	    "steward.conf:3: there is no setting supervisor.restart_limt; did you mean supervisor.restart_limit?",
	    "steward.conf:4: supervisor.restart_limit is 7000; allowed: 1 to 1000 restarts",
	    "steward.conf:5: supervisor.heartbeat must be a whole number or a text with a unit, not a boolean",
	    "steward.conf:7: log.level must be a text in quotes, not a number",
	    "steward.conf:8: there is no setting bus",
	    "steward.conf:9: there is no section databse; did you mean database?",
	    "steward.conf:10: provisioning must be a group, as in provisioning = { ... };, not a number",
	    "steward.conf:11: there is no worker kind provisionin; did you mean provisioning?",
	    "steward.conf:11: there is no worker kind zebra",
	    "steward.conf:12: there is no setting tick; did you mean provisioning.tick?",
	    "steward.conf:13: node must be a text in quotes, not an array");
}

static void
says_which_type_stands_where_another_belongs(void **state)
{
	(void)state;
	refuses("supervisor = { restart_limit = 1.5; };",
	    "steward.conf:1: supervisor.restart_limit must be a whole number, not a fraction");
	refuses("supervisor = { restart_limit = { a = 1; }; };",
	    "steward.conf:1: supervisor.restart_limit must be a whole number, not a group");
	refuses("supervisor = { restart_limit = (1, 2); };",
	    "steward.conf:1: supervisor.restart_limit must be a whole number, not a list");
	refuses("workers = { processes = 4; };",
	    "steward.conf:1: there is no setting workers.processes; did you mean workers.provisioning.processes?");
	refuses("workers = { provisioning = 4; };",
	    "steward.conf:1: workers.provisioning must be a group, as in provisioning = { ... };, not a number");
}

static void
a_number_without_a_unit_word_has_none_in_its_complaint(void **state)
{
	(void)state;
	refuses("workers = { provisioning = { nice = 20; }; };",
	    "steward.conf:1: workers.provisioning.nice is 20; allowed: -20 to 19");
}

static void
a_text_that_does_not_fit_is_refused_not_cut(void **state)
{
	CLEANUP(loaded_fini) struct loaded l;

	(void)state;
	refuses("log = { level = \"informational-ly\"; };", "steward.conf:1: log.level is 16 bytes long; allowed: up to 15");
	load_text(&l, "user = \"0123456789012345678901234567890123456789012345678901234567890123\";\n");
	ASSERT_COMPLAINTS(&l, "steward.conf:1: user is 64 bytes long; allowed: up to 63");
}

static void
integers_that_would_be_cut_are_refused(void **state)
{
	CLEANUP(loaded_fini) struct loaded l;

	(void)state;
	load_text(&l, "// 5000000000 and \"5000000000\" are no numbers here\n"
	              "/* 5000000000\n"
	              " * 5000000000 */ # 5000000000\n"
	              "node = \"5000000000 \\\" 5000000000 \\\\\";\n"
	              "workers = { provisioning = {\n"
	              "  address_space = 5000000000;\n"
	              "  core_size = 0x80000000, nice = 99; processes = -2147483649;\n"
	              "  open_files = 99999999999999999999L; }; };\n"
	              "supervisor = { restart_limit = 99999999999999999999; };\n");
	ASSERT_COMPLAINTS(&l,
	    "steward.conf:6: address_space is 5000000000, which does not fit in 32 bits; write 5000000000L, or a text with a unit, as in \"5GiB\"",
	    "steward.conf:7: core_size is 0x80000000, which does not fit in 32 bits; write 0x80000000L, or a text with a unit, as in \"5GiB\"",
	    "steward.conf:7: processes is -2147483649, which does not fit in 32 bits; write -2147483649L, or a text with a unit, as in \"5GiB\"",
	    "steward.conf:8: open_files is 99999999999999999999L, which does not fit in 64 bits",
	    "steward.conf:9: restart_limit is 99999999999999999999, which does not fit in 64 bits",
	    "steward.conf:7: workers.provisioning.nice is 99; allowed: -20 to 19");
}

static void
integers_that_fit_are_read_whole(void **state)
{
	CLEANUP(loaded_fini) struct loaded l;

	(void)state;
	load_text(&l, "workers = { provisioning = { address_space = 5000000000L; core_size = 0x140000000LL; }; };\n"
	              "supervisor = { restart_limit = 2147483647; restart_window = -2147483648; };");
	ASSERT_COMPLAINTS(&l, "steward.conf:2: supervisor.restart_limit is 2147483647; allowed: 1 to 1000 restarts",
	    "steward.conf:2: supervisor.restart_window is -2147483648; allowed: 1 to 86400 s");
	loaded_fini(&l);
	load_text(&l, "workers = { provisioning = { address_space = 5000000000L; core_size = 0x140000000LL; }; };\n");
	ASSERT_LOADED(&l);
	assert_int_equal(l.cfg.workers[WORKER_provisioning].address_space, INT64_C(5000000000));
	assert_int_equal(l.cfg.workers[WORKER_provisioning].core_size, INT64_C(0x140000000));
}

static void
a_leading_zero_is_refused_as_its_readers_disagree(void **state)
{
	(void)state;
	refuses("supervisor = { restart_limit = 010; };",
	    "steward.conf:1: restart_limit is 010; write the number without a leading zero");
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
complaints_hold_no_control_bytes(void **state)
{
	(void)state;
	refuses("supervisor = { heartbeat = \"\x1b[31m\\n5s\"; };",
	    "steward.conf:1: supervisor.heartbeat is \"?[31m?5s\"; it takes a whole number of ms, or a number and ms, s, m, h or d, as in \"30s\"");
}

static void
a_flood_of_complaints_is_counted_not_kept(void **state)
{
	CLEANUP(loaded_fini) struct loaded l;
	CLEANUP(free_cleanup) char        *text = calloc(1, 20000);
	size_t                             used = 0;

	(void)state;
	assert_non_null(text);
	for (int i = 0; i < 700; i++)
		used += (size_t)snprintf(text + used, 20000 - used, "unheard_of_%d = 1;\n", i);
	load_text(&l, text);
	assert_int_equal(l.code, ERR_config);
	assert_int_equal(l.complaints.count, 500);
	assert_string_equal(l.complaints.line[0], "steward.conf:1: there is no setting unheard_of_0");
	assert_string_equal(l.complaints.line[499], "steward.conf: 201 more complaints are not shown");
}

static void
a_file_that_cannot_be_read_is_named(void **state)
{
	CLEANUP(loaded_fini) struct loaded missing = { 0 };
	CLEANUP(loaded_fini) struct loaded directory = { 0 };
	CLEANUP(loaded_fini) struct loaded pipe_ = { 0 };

	(void)state;
	load_path(&missing, "none.conf");
	ASSERT_COMPLAINTS(&missing, "none.conf: cannot be read: No such file or directory");
	assert_int_equal(mkdir("a.directory", 0700), 0);
	load_path(&directory, "a.directory");
	ASSERT_COMPLAINTS(&directory, "a.directory: cannot be read: it is a directory");
	assert_int_equal(mkfifo("a.pipe", 0600), 0);
	load_path(&pipe_, "a.pipe");
	ASSERT_COMPLAINTS(&pipe_, "a.pipe: cannot be read: it is not a file");
}

static void
a_file_without_permission_is_named(void **state)
{
	CLEANUP(loaded_fini) struct loaded l;
	uid_t                              self = geteuid();

	(void)state;
	write_text("steward.conf", "");
	assert_int_equal(chmod("steward.conf", 0), 0);
	assert_int_equal(chmod(".", 0711), 0);
	assert_true(self != 0 || seteuid(65534) == 0);
	load_path(&l, "steward.conf");
	assert_true(self != 0 || seteuid(0) == 0);
	ASSERT_COMPLAINTS(&l, "steward.conf: cannot be read: Permission denied");
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

static void
origins_of_long_paths_keep_their_end(void **state)
{
	CLEANUP(loaded_fini) struct loaded l;
	char                               path[400];
	const char                        *place;

	(void)state;
	write_text("steward.conf", "node = \"n\";\n");
	(void)snprintf(path, sizeof(path), ".%0200dsteward.conf", 0);
	for (char *p = path + 1; *p == '0'; p++)
		*p = '/';
	load_path(&l, path);
	ASSERT_LOADED(&l);
	place = l.origins.place[index_of("node")];
	assert_int_equal(strlen(place), CONFIG_ORIGIN_SIZE - 1);
	assert_memory_equal(place, "...", 3);
	assert_string_equal(place + strlen(place) - 15, "/steward.conf:1");
}

static void
conf_d_overrides_the_file_in_the_order_of_bytes(void **state)
{
	CLEANUP(loaded_fini) struct loaded l;

	(void)state;
	assert_int_equal(mkdir("conf.d", 0700), 0);
	write_text("conf.d/b.conf", "supervisor = { restart_limit = 9; };\n");
	write_text("conf.d/B.conf", "\n\nlog = { level = \"debug\"; };\n");
	load_text(&l, "supervisor = { restart_limit = 8; restart_window = 11; };\nlog = { level = \"error\"; };\n");
	ASSERT_LOADED(&l);
	assert_int_equal(l.cfg.supervisor_restart_limit, 9);
	assert_int_equal(l.cfg.supervisor_restart_window, 11);
	assert_string_equal(l.cfg.log_level, "debug");
	assert_string_equal(l.origins.place[index_of("supervisor.restart_limit")], "conf.d/b.conf:1");
	assert_string_equal(l.origins.place[index_of("log.level")], "conf.d/B.conf:3");
}

static void
conf_d_stands_beside_the_file(void **state)
{
	CLEANUP(loaded_fini) struct loaded l;

	(void)state;
	assert_int_equal(mkdir("etc", 0700), 0);
	assert_int_equal(mkdir("etc/conf.d", 0700), 0);
	write_text("etc/conf.d/x.conf", "node = \"beside\";\n");
	write_text("etc/steward.conf", "");
	load_path(&l, "etc/steward.conf");
	ASSERT_LOADED(&l);
	assert_string_equal(l.cfg.node, "beside");
	assert_string_equal(l.origins.place[index_of("node")], "etc/conf.d/x.conf:1");
}

static void
conf_d_skips_what_tools_leave_behind(void **state)
{
	static const char *const    left[] = { "conf.d/.x.conf", "conf.d/x.conf~", "conf.d/x.conf.dpkg-old",
		   "conf.d/x.dpkg-new.conf", "conf.d/README", "conf.d/conf" };
	CLEANUP(loaded_fini) struct loaded l;

	(void)state;
	assert_int_equal(mkdir("conf.d", 0700), 0);
	for (size_t i = 0; i < COUNT_OF(left); i++)
		write_text(left[i], "nonsense");
	load_text(&l, "");
	ASSERT_LOADED(&l);
}

static void
two_files_of_conf_d_may_not_set_the_same(void **state)
{
	CLEANUP(loaded_fini) struct loaded l;

	(void)state;
	assert_int_equal(mkdir("conf.d", 0700), 0);
	write_text("conf.d/10.conf", "log = { level = \"debug\"; };\n");
	write_text("conf.d/20.conf", "\nlog = {\n level = \"error\"; };\n");
	load_text(&l, "log = { level = \"info\"; };\n");
	ASSERT_COMPLAINTS(&l, "conf.d/20.conf:3: log.level is already set at conf.d/10.conf:1");
}

static void
complaints_of_all_files_come_together(void **state)
{
	CLEANUP(loaded_fini) struct loaded l;

	(void)state;
	assert_int_equal(mkdir("conf.d", 0700), 0);
	assert_int_equal(mkdir("conf.d/30.conf", 0700), 0);
	assert_int_equal(symlink("nowhere", "conf.d/40.conf"), 0);
	write_text("conf.d/10.conf", "{");
	write_text("conf.d/20.conf", "nde = \"x\";\n");
	assert_int_equal(setenv("STEWARD__LOG__LVL", "x", 1), 0);
	load_text(&l, "\nusr = \"x\";\n");
	assert_int_equal(unsetenv("STEWARD__LOG__LVL"), 0);
	ASSERT_COMPLAINTS(&l, "steward.conf:2: there is no setting usr; did you mean user?",
	    "conf.d/10.conf:1: syntax error",
	    "conf.d/20.conf:1: there is no setting nde; did you mean node?",
	    "conf.d/30.conf: cannot be read: it is a directory",
	    "conf.d/40.conf: cannot be read: No such file or directory",
	    "environment STEWARD__LOG__LVL: there is no setting log.lvl; did you mean STEWARD__LOG__LEVEL?");
}

static void
a_conf_d_that_is_no_directory_is_named(void **state)
{
	CLEANUP(loaded_fini) struct loaded l;

	(void)state;
	write_text("conf.d", "");
	load_text(&l, "");
	ASSERT_COMPLAINTS(&l, "conf.d: cannot be read: Not a directory");
}

static void
the_environment_has_the_last_word(void **state)
{
	CLEANUP(loaded_fini) struct loaded l;

	(void)state;
	assert_int_equal(mkdir("conf.d", 0700), 0);
	write_text("conf.d/10.conf", "log = { level = \"debug\"; };\n");
	assert_int_equal(setenv("STEWARD__LOG__LEVEL", "error", 1), 0);
	assert_int_equal(setenv("STEWARD__RUN_DIRECTORY", "/tmp/e", 1), 0);
	assert_int_equal(setenv("STEWARD__SUPERVISOR__RESTART_WINDOW", "2m", 1), 0);
	assert_int_equal(setenv("STEWARD__WORKERS__PROVISIONING__PROCESSES", "4", 1), 0);
	assert_int_equal(setenv("STEWARD__WORKERS__PROVISIONING__ADDRESS_SPACE", "5000000000", 1), 0);
	assert_int_equal(setenv("STEWARD_SOCKET", "not a setting", 1), 0);
	load_text(&l, "log = { level = \"info\"; };\n");
	assert_int_equal(unsetenv("STEWARD__LOG__LEVEL"), 0);
	assert_int_equal(unsetenv("STEWARD__RUN_DIRECTORY"), 0);
	assert_int_equal(unsetenv("STEWARD__SUPERVISOR__RESTART_WINDOW"), 0);
	assert_int_equal(unsetenv("STEWARD__WORKERS__PROVISIONING__PROCESSES"), 0);
	assert_int_equal(unsetenv("STEWARD__WORKERS__PROVISIONING__ADDRESS_SPACE"), 0);
	assert_int_equal(unsetenv("STEWARD_SOCKET"), 0);
	ASSERT_LOADED(&l);
	assert_string_equal(l.cfg.log_level, "error");
	assert_string_equal(l.cfg.run_directory, "/tmp/e");
	assert_int_equal(l.cfg.supervisor_restart_window, 120);
	assert_int_equal(l.cfg.workers[WORKER_provisioning].processes, 4);
	assert_int_equal(l.cfg.workers[WORKER_provisioning].address_space, INT64_C(5000000000));
	assert_string_equal(l.origins.place[index_of("log.level")], "environment");
}

static void
the_environment_is_judged_like_a_file(void **state)
{
	static const struct {
		const char *name, *value, *complaint;
	} cases[] = {
		{ "STEWARD__SUPERVISOR__RESTART_LIMT", "5",
		    "environment STEWARD__SUPERVISOR__RESTART_LIMT: there is no setting supervisor.restart_limt; did you mean STEWARD__SUPERVISOR__RESTART_LIMIT?" },
		{ "STEWARD__X", "5", "environment STEWARD__X: there is no setting x" },
		{ "STEWARD__", "5", "environment STEWARD__: there is no setting " },
		{ "STEWARD__log__level", "debug",
		    "environment STEWARD__log__level: there is no setting log.level; did you mean STEWARD__LOG__LEVEL?" },
		{ "STEWARD__WORKERS__PROVISIONIN__PROCESSES", "5",
		    "environment STEWARD__WORKERS__PROVISIONIN__PROCESSES: there is no worker kind provisionin; did you mean provisioning?" },
		{ "STEWARD__SUPERVISOR__RESTART_LIMIT", "7000",
		    "environment STEWARD__SUPERVISOR__RESTART_LIMIT: supervisor.restart_limit is 7000; allowed: 1 to 1000 restarts" },
		{ "STEWARD__SUPERVISOR__RESTART_LIMIT", "",
		    "environment STEWARD__SUPERVISOR__RESTART_LIMIT: supervisor.restart_limit is the text \"\"; it takes a whole number" },
		{ "STEWARD__SUPERVISOR__HEARTBEAT", "1500s",
		    "environment STEWARD__SUPERVISOR__HEARTBEAT: supervisor.heartbeat is \"1500s\"; allowed: 50 to 60000 ms" },
		{ "STEWARD__LOG__LEVEL", "loud",
		    "environment STEWARD__LOG__LEVEL: log.level is \"loud\"; allowed: error, warning, info or debug" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		CLEANUP(loaded_fini) struct loaded l;

		assert_int_equal(setenv(cases[i].name, cases[i].value, 1), 0);
		load_text(&l, "");
		assert_int_equal(unsetenv(cases[i].name), 0);
		ASSERT_COMPLAINTS(&l, cases[i].complaint);
	}
}

static void
rules_between_settings_name_both(void **state)
{
	(void)state;
	refuses("\ndatabase = { retry_min = 2000; };",
	    "steward.conf:2: database.retry_min is 2000 ms; it must not be above database.retry_max, 1000 ms");
	refuses("supervisor = {\n restart_delay_max = 100; };",
	    "steward.conf:2: supervisor.restart_delay_min is 200 ms; it must not be above supervisor.restart_delay_max, 100 ms");
	refuses("supervisor = { heartbeat = 5000;\n hang_timeout = 10000; };",
	    "steward.conf:2: supervisor.hang_timeout is 10000 ms; it must be more than twice supervisor.heartbeat, 5000 ms");
}

static void
rules_are_silent_about_values_refused_already(void **state)
{
	(void)state;
	refuses("database = { retry_min = 70000; retry_max = 10; };",
	    "steward.conf:1: database.retry_min is 70000; allowed: 1 to 60000 ms");
}

static void
rules_hold_at_their_edges(void **state)
{
	CLEANUP(loaded_fini) struct loaded l;

	(void)state;
	load_text(&l, "database = { retry_min = 300; retry_max = 300; };\n"
	              "supervisor = { heartbeat = 5000; hang_timeout = 10001; };\n"
	              "workers = { provisioning = { cpu_affinity = \"0,2-3,1023\"; }; };\n");
	ASSERT_LOADED(&l);
}

static void
directories_must_be_absolute(void **state)
{
	(void)state;
	refuses("run_directory = \"run\";", "steward.conf:1: run_directory is \"run\"; it must begin with a /");
	refuses("supervisor = { libexec_directory = \"\"; };",
	    "steward.conf:1: supervisor.libexec_directory is \"\"; it must begin with a /");
}

static void
the_run_directory_leaves_room_for_the_sockets(void **state)
{
	CLEANUP(loaded_fini) struct loaded fits;
	CLEANUP(loaded_fini) struct loaded large;
	char                               text[200];
	char                               complaint[200];
	size_t                             longest = 0;
	int                                room;

	(void)state;
	for (size_t kind = 0; kind < WORKER_COUNT; kind++)
		longest = MAX(longest, strlen(worker_desc((enum worker_kind)kind)->name));
	room = (int)(99 - strlen("/worker/.63.ipc") - longest);
	(void)snprintf(text, sizeof(text), "run_directory = \"/%0*d\";", room - 1, 0);
	load_text(&fits, text);
	ASSERT_LOADED(&fits);
	(void)snprintf(text, sizeof(text), "run_directory = \"/%0*d\";", room, 0);
	(void)snprintf(complaint, sizeof(complaint),
	    "steward.conf:1: run_directory is %d bytes long; allowed: up to %d, as the sockets' paths go on after it",
	    room + 1, room);
	load_text(&large, text);
	ASSERT_COMPLAINTS(&large, complaint);
}

static void
processors_are_a_list_of_numbers_and_ranges(void **state)
{
	static const char *const bad[] = { ",", "1,", ",1", "a", "1-", "-1", "3-1", "1--2", "1-2-3", "1024", "99999999999", "0 1" };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(bad); i++) {
		char text[128], complaint[200];

		(void)snprintf(text, sizeof(text), "workers = { provisioning = { cpu_affinity = \"%s\"; }; };", bad[i]);
		(void)snprintf(complaint, sizeof(complaint),
		    "steward.conf:1: workers.provisioning.cpu_affinity is \"%s\"; it takes processors from 0 to 1023, as in \"0-1,3\"",
		    bad[i]);
		refuses(text, complaint);
	}
}

static void
a_password_is_never_shown(void **state)
{
	static const struct {
		const char *conninfo, *shown;
	} cases[] = {
		{ "", "" },
		{ "host=/run/postgresql dbname=steward", "host=/run/postgresql dbname=steward" },
		{ "password=secret host=a", "password=*** host=a" },
		{ "host=a  PASSWORD = secret  user=b", "host=a  PASSWORD = ***  user=b" },
		{ "password='it''s' x=y", "password=*** x=y" },
		{ "host='a'b'c password=x", "host='a'b'c password=***" },
		{ "host=it's password=it's user=u", "host=it's password=*** user=u" },
		{ "password='a \\' b' user=u", "password=*** user=u" },
		{ "password=a\\ b user=u", "password=*** user=u" },
		{ "password='never closed user=u", "password=***" },
		{ "sslpassword=x passfile=/p", "sslpassword=*** passfile=/p" },
		{ "oauth_client_secret=x user=u", "oauth_client_secret=*** user=u" },
		{ "user=password host=password", "user=password host=password" },
		{ "password=", "password=***" },
		{ "dbname=postgres://u:p@h/d user=u", "dbname=*** user=u" },
		{ "dbname='postgresql://u:p@h/d' user=u", "dbname=*** user=u" },
		{ "postgres://user:pw@host:5432/db", "postgres://user:***@host:5432/db" },
		{ "postgresql://user:p@w@host/db?sslmode=require", "postgresql://user:***@host/db?sslmode=require" },
		{ "postgresql://user@host/db", "postgresql://user@host/db" },
		{ "postgresql://host:5432/db", "postgresql://host:5432/db" },
		{ "postgresql:///db?host=a&password=x&user=u", "postgresql:///db?host=a&password=***&user=u" },
		{ "postgresql://h/d?password=p@w&user=u", "postgresql://h/d?password=***&user=u" },
		{ "postgresql://h:1/d?password=p@w&user=u", "postgresql://h:***&user=u" },
		{ "POSTGRES://u:p/w@h", "POSTGRES://u:***@h" },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(cases); i++) {
		struct config cfg;
		char          text[CONFIG_VALUE_SIZE];

		config_defaults(&cfg);
		(void)snprintf(cfg.database_conninfo, sizeof(cfg.database_conninfo), "%s", cases[i].conninfo);
		assert_string_equal(config_value(&cfg, index_of("database.conninfo"), text), cases[i].shown);
	}
}

static void
a_long_conninfo_is_shown_within_its_bounds(void **state)
{
	struct config cfg;
	char          text[CONFIG_VALUE_SIZE];
	size_t        used = 0;

	(void)state;
	config_defaults(&cfg);
	while (used + 12 < sizeof(cfg.database_conninfo)) {
		memcpy(cfg.database_conninfo + used, "password=x ", 12);
		used += 11;
	}
	assert_int_equal(strlen(config_value(&cfg, index_of("database.conninfo"), text)), CONFIG_VALUE_SIZE - 1);
	assert_null(strchr(text, 'x'));
}

/* The sample, with `uncomment` without the # in front of its lines. */
static void
write_sample(const char *path, bool uncomment)
{
	CLEANUP(free_cleanup) char *line = NULL;
	size_t                      room = 0;
	ssize_t                     length;
	FILE                       *in, *out;
	int                         fd = open("sample", O_RDWR | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	assert_true(fd >= 0);
	assert_int_equal(config_write_sample(fd), 0);
	assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	in  = fdopen(fd, "r");
	out = fopen(path, "w");
	assert_non_null(in);
	assert_non_null(out);
	while ((length = getline(&line, &room, in)) > 0) {
		char *mark = line + strspn(line, " ");

		if (uncomment && *mark == '#')
			*mark = ' ';
		assert_true(fputs(line, out) >= 0);
	}
	assert_int_equal(fclose(in), 0);
	assert_int_equal(fclose(out), 0);
}

static void
the_sample_changes_nothing(void **state)
{
	CLEANUP(loaded_fini) struct loaded l;

	(void)state;
	write_sample("steward.conf", false);
	load_path(&l, "steward.conf");
	ASSERT_LOADED(&l);
	for (size_t i = 0; i < config_count(); i++)
		assert_string_equal(l.origins.place[i], "default");
}

static void
the_sample_without_its_marks_sets_every_default(void **state)
{
	CLEANUP(loaded_fini) struct loaded l;
	struct config                      defaults;

	(void)state;
	write_sample("steward.conf", true);
	load_path(&l, "steward.conf");
	ASSERT_LOADED(&l);
	config_defaults(&defaults);
	for (size_t i = 0; i < config_count(); i++) {
		assert_memory_equal(l.origins.place[i], "steward.conf:", 13);
		assert_false(config_differs(&l.cfg, &defaults, i));
	}
}

static void
the_sample_says_when_it_cannot_be_written(void **state)
{
	int fd = open("/dev/full", O_WRONLY | O_CLOEXEC);

	(void)state;
	assert_true(fd >= 0);
	assert_int_equal(config_write_sample(fd), -1);
	assert_int_equal(close(fd), 0);
}

static void
what_is_in_force_is_written_and_read_back_the_same(void **state)
{
	CLEANUP(loaded_fini) struct loaded l;
	struct config                      strange;
	int                                fd = open("steward.conf", O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);

	(void)state;
	assert_true(fd >= 0);
	config_defaults(&strange);
	(void)snprintf(strange.database_conninfo, sizeof(strange.database_conninfo), "%s",
	    "host=/tmp password='back\\slash \"quote\" it''s' dbname=caf\xc3\xa9");
	(void)snprintf(strange.node, sizeof(strange.node), "%s", "tab\there");
	strange.workers[0].address_space = INT64_C(1) << 40;
	strange.workers[0].nice          = -20;
	assert_int_equal(config_write_values(fd, &strange), 0);
	assert_int_equal(close(fd), 0);
	load_path(&l, "steward.conf");
	ASSERT_LOADED(&l);
	for (size_t i = 0; i < config_count(); i++)
		assert_false(config_differs(&l.cfg, &strange, i));
}

static void
a_second_load_replaces_the_first(void **state)
{
	CLEANUP(loaded_fini) struct loaded l;
	struct config_complaints           complaints = { 0 };

	(void)state;
	load_text(&l, "node = \"one\";");
	ASSERT_LOADED(&l);
	write_text("steward.conf", "\nnode = \"two\";");
	assert_int_equal(config_load("steward.conf", &l.cfg, &l.origins, &complaints, &l.error), ERR_ok);
	assert_string_equal(l.cfg.node, "two");
	assert_string_equal(l.origins.place[index_of("node")], "steward.conf:2");
	write_text("steward.conf", "node = 3;");
	assert_int_equal(config_load("steward.conf", &l.cfg, &l.origins, &complaints, &l.error), ERR_config);
	assert_string_equal(l.cfg.node, "two");
	assert_string_equal(l.origins.place[index_of("node")], "steward.conf:2");
	assert_int_equal(complaints.count, 1);
	config_complaints_free(&complaints);
}

static void
origins_and_complaints_may_be_left_out(void **state)
{
	struct config cfg;
	struct error  e = { 0 };

	(void)state;
	write_text("steward.conf", "node = \"one\";");
	assert_int_equal(config_load("steward.conf", &cfg, NULL, NULL, &e), ERR_ok);
	assert_string_equal(cfg.node, "one");
	write_text("steward.conf", "nod = 1;");
	assert_int_equal(config_load("steward.conf", &cfg, NULL, NULL, &e), ERR_config);
	assert_string_equal(e.text, "steward.conf:1: there is no setting nod; did you mean node?");
}

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

static char home[] = "/tmp/steward-config-XXXXXX";

static int
enter_directory(void **state)
{
	(void)state;
	(void)snprintf(home, sizeof(home), "/tmp/steward-config-XXXXXX");
	return mkdtemp(home) != NULL && chdir(home) == 0 ? 0 : -1;
}

static int
leave_directory(void **state)
{
	static const char *const files[] = { "steward.conf", "other.conf", "sample", "a.pipe", "conf.d", "etc/steward.conf",
		"etc/conf.d/x.conf", "conf.d/b.conf", "conf.d/B.conf", "conf.d/10.conf", "conf.d/20.conf", "conf.d/40.conf",
		"conf.d/.x.conf", "conf.d/x.conf~", "conf.d/x.conf.dpkg-old", "conf.d/x.dpkg-new.conf", "conf.d/README",
		"conf.d/conf" };
	static const char *const directories[] = { "a.directory", "conf.d/30.conf", "conf.d", "etc/conf.d", "etc" };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(files); i++)
		(void)unlink(files[i]);
	for (size_t i = 0; i < COUNT_OF(directories); i++)
		(void)rmdir(directories[i]);
	return chdir("/") == 0 && rmdir(home) == 0 ? 0 : -1;
}

#define TEST(name) cmocka_unit_test_setup_teardown(name, enter_directory, leave_directory)

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(an_empty_file_means_all_defaults),
		TEST(the_defaults_are_the_rows_of_the_table),
		TEST(every_kind_has_its_own_kind_rows),
		TEST(reads_values_and_remembers_their_lines),
		TEST(a_last_comment_needs_no_newline),
		TEST(takes_the_ends_of_every_range_and_nothing_beyond),
		TEST(tells_settings_that_differ),
		TEST(times_and_sizes_may_carry_a_unit),
		TEST(says_what_is_wrong_with_a_unit),
		TEST(a_quantity_is_read_strictly),
		TEST(a_plain_number_is_read_strictly),
		TEST(says_everything_that_is_wrong_in_one_run),
		TEST(says_which_type_stands_where_another_belongs),
		TEST(a_number_without_a_unit_word_has_none_in_its_complaint),
		TEST(a_text_that_does_not_fit_is_refused_not_cut),
		TEST(integers_that_would_be_cut_are_refused),
		TEST(integers_that_fit_are_read_whole),
		TEST(a_leading_zero_is_refused_as_its_readers_disagree),
		TEST(a_zero_byte_in_a_text_is_refused),
		TEST(include_is_refused_with_a_way_out),
		TEST(a_key_or_group_given_twice_is_refused),
		TEST(a_syntax_error_has_its_line),
		TEST(what_is_never_closed_is_named_where_it_opens),
		TEST(deep_nesting_is_refused),
		TEST(a_file_of_nothing_but_names_is_refused_unread),
		TEST(complaints_hold_no_control_bytes),
		TEST(a_flood_of_complaints_is_counted_not_kept),
		TEST(a_file_that_cannot_be_read_is_named),
		TEST(a_file_without_permission_is_named),
		TEST(a_file_above_one_mebibyte_is_refused),
		TEST(a_mebibyte_of_noise_is_refused),
		TEST(a_nul_byte_is_refused_with_its_line),
		TEST(origins_of_long_paths_keep_their_end),
		TEST(conf_d_overrides_the_file_in_the_order_of_bytes),
		TEST(conf_d_stands_beside_the_file),
		TEST(conf_d_skips_what_tools_leave_behind),
		TEST(two_files_of_conf_d_may_not_set_the_same),
		TEST(complaints_of_all_files_come_together),
		TEST(a_conf_d_that_is_no_directory_is_named),
		TEST(the_environment_has_the_last_word),
		TEST(the_environment_is_judged_like_a_file),
		TEST(rules_between_settings_name_both),
		TEST(rules_are_silent_about_values_refused_already),
		TEST(rules_hold_at_their_edges),
		TEST(directories_must_be_absolute),
		TEST(the_run_directory_leaves_room_for_the_sockets),
		TEST(processors_are_a_list_of_numbers_and_ranges),
		TEST(a_password_is_never_shown),
		TEST(a_long_conninfo_is_shown_within_its_bounds),
		TEST(the_sample_changes_nothing),
		TEST(the_sample_without_its_marks_sets_every_default),
		TEST(the_sample_says_when_it_cannot_be_written),
		TEST(what_is_in_force_is_written_and_read_back_the_same),
		TEST(a_second_load_replaces_the_first),
		TEST(origins_and_complaints_may_be_left_out),
		TEST(slips_are_counted),
	};

	return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
