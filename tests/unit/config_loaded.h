/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_loaded - for the tests of the configuration, from outside: files in,
 * settings or sentences out.  Every test has its own directory and stands in it,
 * so a place reads "steward.conf:3".
 */
#ifndef STEWARD_TEST_CONFIG_LOADED_H
#define STEWARD_TEST_CONFIG_LOADED_H

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "config.h"

#include <cmocka.h>

/* One load and what came of it. */
struct loaded {
	struct config            cfg;
	struct config_origins    origins;
	struct config_complaints complaints;
	struct error             error;
	enum err                 code;
};

static inline void
loaded_fini(struct loaded *l)
{
	config_origins_free(&l->origins);
	config_complaints_free(&l->complaints);
}

static inline void
write_bytes(const char *path, const char *bytes, size_t size)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_int_equal(fwrite(bytes, 1, size, f), size);
	assert_int_equal(fclose(f), 0);
}

static inline void
write_text(const char *path, const char *text)
{
	write_bytes(path, text, strlen(text));
}

static inline void
load_path(struct loaded *l, const char *path)
{
	memset(l, 0, sizeof(*l));
	l->code = config_load(path, &l->cfg, &l->origins, &l->complaints, &l->error);
}

static inline void
load_text(struct loaded *l, const char *text)
{
	write_text("steward.conf", text);
	load_path(l, "steward.conf");
}

static inline size_t
index_of(const char *path)
{
	for (size_t i = 0; i < config_count(); i++)
		if (strcmp(config_desc(i)->path, path) == 0)
			return i;
	fail_msg("no setting %s", path);
	return 0;
}

/* Every complaint that the text earns, in order; the list ends in NULL.  Also from a load that must leave cfg alone. */
static inline void
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

static inline void
refuses(const char *text, const char *complaint)
{
	CLEANUP(loaded_fini) struct loaded l;

	load_text(&l, text);
	ASSERT_COMPLAINTS(&l, complaint);
}

static char home[] = "/tmp/steward-config-XXXXXX";

static inline int
enter_directory(void **state)
{
	(void)state;
	(void)snprintf(home, sizeof(home), "/tmp/steward-config-XXXXXX");
	return mkdtemp(home) != NULL && chdir(home) == 0 ? 0 : -1;
}

static inline int
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

#endif
