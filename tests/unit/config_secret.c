/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What is not shown of a setting.
 */
#include "config_loaded.h"

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

int
main(void)
{
	static const struct CMUnitTest tests[] = {
		TEST(a_password_is_never_shown),
		TEST(a_long_conninfo_is_shown_within_its_bounds),
	};

	return cmocka_run_group_tests_name("config_secret", tests, NULL, NULL);
}
