/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The configuration written: the sample, and what is in force.
 */
#include "config_loaded.h"

#include <fcntl.h>
#include <unistd.h>

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

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(the_sample_changes_nothing),
		TEST(the_sample_without_its_marks_sets_every_default),
		TEST(the_sample_says_when_it_cannot_be_written),
		TEST(what_is_in_force_is_written_and_read_back_the_same),
	};

	return cmocka_run_group_tests_name("config_write", tests, NULL, NULL);
}
