/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Settings that come from the environment.
 */
#include "config_loaded.h"

#include <stdlib.h>
#include <sys/stat.h>

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

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(the_environment_has_the_last_word),
		TEST(the_environment_is_judged_like_a_file),
	};

	return cmocka_run_group_tests_name("config_environment", tests, NULL, NULL);
}
