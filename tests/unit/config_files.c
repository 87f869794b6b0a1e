/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Where the configuration comes from: the file, the conf.d beside it, and
 * what of them cannot be read.
 */
#include "config_loaded.h"

#include <stdlib.h>
#include <sys/stat.h>
#include <unistd.h>

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

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_file_that_cannot_be_read_is_named),
		TEST(a_file_without_permission_is_named),
		TEST(origins_of_long_paths_keep_their_end),
		TEST(conf_d_overrides_the_file_in_the_order_of_bytes),
		TEST(conf_d_stands_beside_the_file),
		TEST(conf_d_skips_what_tools_leave_behind),
		TEST(two_files_of_conf_d_may_not_set_the_same),
		TEST(complaints_of_all_files_come_together),
		TEST(a_conf_d_that_is_no_directory_is_named),
	};

	return cmocka_run_group_tests_name("config_files", tests, NULL, NULL);
}
