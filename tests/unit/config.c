/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What a configuration means: its defaults, its ranges and types, and that
 * one is replaced by the next.
 */
#include "config_loaded.h"

#include <stdlib.h>

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

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(an_empty_file_means_all_defaults),
		TEST(the_defaults_are_the_rows_of_the_table),
		TEST(every_kind_has_its_own_kind_rows),
		TEST(reads_values_and_remembers_their_lines),
		TEST(takes_the_ends_of_every_range_and_nothing_beyond),
		TEST(tells_settings_that_differ),
		TEST(times_and_sizes_may_carry_a_unit),
		TEST(says_what_is_wrong_with_a_unit),
		TEST(says_everything_that_is_wrong_in_one_run),
		TEST(says_which_type_stands_where_another_belongs),
		TEST(a_number_without_a_unit_word_has_none_in_its_complaint),
		TEST(a_text_that_does_not_fit_is_refused_not_cut),
		TEST(integers_that_would_be_cut_are_refused),
		TEST(integers_that_fit_are_read_whole),
		TEST(a_leading_zero_is_refused_as_its_readers_disagree),
		TEST(complaints_hold_no_control_bytes),
		TEST(a_flood_of_complaints_is_counted_not_kept),
		TEST(a_second_load_replaces_the_first),
		TEST(origins_and_complaints_may_be_left_out),
	};

	return cmocka_run_group_tests_name("config", tests, NULL, NULL);
}
