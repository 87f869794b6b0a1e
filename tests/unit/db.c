/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What db.h promises without a server: how answers are judged, how connection
 * strings are rewritten, where the password comes from, and every row of
 * statements.def.
 */
#include "db_private.h"

#include <fcntl.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include <cmocka.h>

#define SECRET "s3cret-word"

/* -------------------------------------------------------------- judging */
static void
a_state_finds_its_row_by_itself_or_by_its_class(void **state)
{
	static const struct {
		const char *sqlstate;
		enum err    expected;
	} rows[] = {
		{ "08006", ERR_db_down },    { "53100", ERR_db_down },  { "53300", ERR_db_down },
		{ "57P01", ERR_db_down },    { "57P03", ERR_db_down },  { "58030", ERR_db_down },
		{ "XX000", ERR_db_down },    { "25006", ERR_db_down },  { "57014", ERR_timeout },
		{ "28000", ERR_denied },     { "28P01", ERR_denied },   { "3D000", ERR_denied },
		{ "42501", ERR_denied },     { "42P01", ERR_schema_old }, { "42883", ERR_schema_old },
		{ "3F000", ERR_schema_old }, { "40001", ERR_conflict }, { "40P01", ERR_conflict },
		{ "55P03", ERR_conflict },   { "22P02", ERR_bad_data }, { "23505", ERR_bad_data },
		{ "P0001", ERR_refused },    { "0A000", ERR_internal }, { "", ERR_internal },
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		assert_int_equal(db_classify(rows[i].sqlstate), rows[i].expected);
}

static void
a_position_counts_characters_and_not_bytes(void **state)
{
	(void)state;
	assert_int_equal(db_line_of("SELECT 1;\nSELECT x;", 1), 1);
	assert_int_equal(db_line_of("SELECT 1;\nSELECT x;", 10), 1);
	assert_int_equal(db_line_of("SELECT 1;\nSELECT x;", 11), 2);
	assert_int_equal(db_line_of("\xC3\xA4\xC3\xA4\nx", 4), 2);
	assert_int_equal(db_line_of("a\nb", 99), 2);
	assert_int_equal(db_line_of("", 1), 1);
}

static void
expect_judgement(const char *message, enum err code, const char *line)
{
	char written[ERROR_TEXT_SIZE];

	assert_int_equal(db_judge_connection(message, written, sizeof(written)), code);
	assert_string_equal(written, line);
}

static void
a_refused_connection_is_judged_by_its_state_in_any_language(void **state)
{
	(void)state;
	expect_judgement("connection to server at \"db1\" failed: FATAL:  28P01: password authentication failed for user "
	                 "\"steward\"\nLOCATION:  auth_failed, auth.c:319\n",
	    ERR_denied, "connection to server at \"db1\" failed: password authentication failed for user \"steward\"");
	expect_judgement("connection to server at \"db1\" failed: SCHWERWIEGEND:  3D000: Datenbank \"x\" existiert nicht\n",
	    ERR_denied, "connection to server at \"db1\" failed: Datenbank \"x\" existiert nicht");
	expect_judgement("FATAL:  57P03: the database system is starting up\n", ERR_db_down,
	    "the database system is starting up");
	expect_judgement("FATAL:  42704: unrecognized configuration parameter \"nix\"\n", ERR_config,
	    "unrecognized configuration parameter \"nix\"");
}

static void
with_several_hosts_the_one_that_answered_is_quoted(void **state)
{
	(void)state;
	expect_judgement("connection to server at \"a\" failed: Connection refused\n\tIs the server running?\n"
	                 "connection to server at \"b\" failed: FATAL:  28000: no entry for host\n",
	    ERR_denied, "connection to server at \"b\" failed: no entry for host");
}

static void
what_libpq_says_itself_is_the_first_line(void **state)
{
	(void)state;
	expect_judgement("connection to server on socket \"/x\" failed: No such file or directory\n\tIs the server ...?\n",
	    ERR_db_down, "connection to server on socket \"/x\" failed: No such file or directory");
	expect_judgement("invalid sslmode value: \"bad\"\n", ERR_config, "invalid sslmode value: \"bad\"");
	expect_judgement("definition of service \"x\" not found\n", ERR_config, "definition of service \"x\" not found");
	expect_judgement("", ERR_db_down, "");
}

/* --------------------------------------------------- connection strings */
static void
expect_keyword(const char *conninfo, const char *keyword, const char *expected)
{
	char         value[256];
	struct error e = { 0 };

	assert_int_equal(db_conninfo_keyword(conninfo, keyword, value, sizeof(value), &e), ERR_ok);
	assert_string_equal(value, expected);
}

static void
a_keyword_is_found_in_both_forms_of_a_string(void **state)
{
	(void)state;
	expect_keyword("host=/run/postgresql dbname=steward user='a b'", "user", "a b");
	expect_keyword("postgresql://steward@db1:6000/work?application_name=x", "dbname", "work");
	expect_keyword("postgresql://steward@db1:6000/work", "port", "6000");
	expect_keyword("user=steward", "dbname", "steward");
	expect_keyword("user=steward", "host", "");
}

static void
another_value_replaces_only_its_keyword_and_survives_quoting(void **state)
{
	static const char odd[] = "we'ird \\ \"name\"=1";
	char              out[512];
	struct error      e = { 0 };

	(void)state;
	assert_int_equal(db_conninfo_with("host=a,b dbname=old user=u password='p w'", "dbname", odd, out, sizeof(out), &e),
	    ERR_ok);
	expect_keyword(out, "dbname", odd);
	expect_keyword(out, "host", "a,b");
	expect_keyword(out, "password", "p w");
	assert_int_equal(db_conninfo_with("", "dbname", "x", out, sizeof(out), &e), ERR_ok);
	expect_keyword(out, "dbname", "x");
}

static void
a_string_that_does_not_fit_is_refused(void **state)
{
	char         out[32];
	struct error e = { 0 };

	(void)state;
	for (size_t size = 1; size < sizeof(out); size++) {
		memset(out, '#', sizeof(out));
		assert_int_equal(db_conninfo_with("host=somewhere", "dbname", "a'b'c'd", out, size, &e), ERR_config);
		assert_int_equal(out[size], '#');
	}
}

static void
a_broken_string_is_refused_without_what_may_be_a_password(void **state)
{
	static const char *const broken[] = {
		"password=a " SECRET, "host=x password=a " SECRET "=b", "postgresql://u:" SECRET "@[h/d",
	};
	char         value[64];
	struct error e = { 0 };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(broken); i++) {
		assert_int_equal(db_conninfo_keyword(broken[i], "host", value, sizeof(value), &e), ERR_config);
		assert_null(strstr(e.text, SECRET));
	}
	assert_int_equal(db_conninfo_keyword("hots=x", "host", value, sizeof(value), &e), ERR_config);
	assert_non_null(strstr(e.text, "hots"));
}

static void
a_password_that_spills_into_the_host_is_refused_unseen(void **state)
{
	struct db_options  o = { .conninfo = "postgresql://u:pass@" SECRET "@h/d", .application = "x" };
	struct db_keywords k;
	struct error       e = { 0 };

	(void)state;
	assert_int_equal(db_keywords_init(&k, &o, &e), ERR_config);
	assert_null(strstr(e.text, SECRET));
}

static const char *
keyword_of(const struct db_keywords *k, const char *key)
{
	const char *last = NULL;

	for (int i = 0; k->key[i] != NULL; i++)
		if (strcmp(k->key[i], key) == 0)
			last = k->value[i];
	return last;
}

static void
our_options_stand_after_those_of_the_user(void **state)
{
	struct db_options  o = { .conninfo = "host=a,b options='-c work_mem=5MB'", .application = "steward/test",
		 .connect_timeout_ms = 5100, .statement_timeout_ms = 700 };
	struct db_keywords k;
	struct error       e = { 0 };
	const char        *options;

	(void)state;
	assert_int_equal(db_keywords_init(&k, &o, &e), ERR_ok);
	options = keyword_of(&k, "options");
	assert_int_equal(strncmp(options, "-c work_mem=5MB -c ", 19), 0);
	assert_non_null(strstr(options, " -c statement_timeout=700"));
	assert_non_null(strstr(options, " -c tcp_keepalives_idle="));
	assert_non_null(strstr(options, " -c idle_in_transaction_session_timeout="));
	assert_string_equal(keyword_of(&k, "connect_timeout"), "6");
	assert_string_equal(keyword_of(&k, "tcp_user_timeout"), "5100");
	assert_string_equal(keyword_of(&k, "keepalives_idle"), "3");
	assert_string_equal(keyword_of(&k, "application_name"), "steward/test");
	assert_null(keyword_of(&k, "password"));
	assert_int_equal(k.hosts, 2);
	db_keywords_wipe(&k);
}

static void
options_of_the_environment_are_kept_too(void **state)
{
	struct db_options  o = { .conninfo = "", .application = "x", .connect_timeout_ms = 1 };
	struct db_keywords k;
	struct error       e = { 0 };

	(void)state;
	assert_int_equal(setenv("PGOPTIONS", "-c work_mem=9MB", 1), 0);
	assert_int_equal(db_keywords_init(&k, &o, &e), ERR_ok);
	assert_int_equal(strncmp(keyword_of(&k, "options"), "-c work_mem=9MB -c ", 19), 0);
	db_keywords_wipe(&k);
	(void)unsetenv("PGOPTIONS");
}

/* -------------------------------------------------------------- password */
/* A directory with a file of this mode in it; `path` gets the file. */
static void
make_file(char directory[64], char path[128], const char *name, const char *content, mode_t mode)
{
	int fd;

	(void)snprintf(directory, 64, "/tmp/steward-unit.XXXXXX");
	assert_non_null(mkdtemp(directory));
	(void)snprintf(path, 128, "%s/%s", directory, name);
	fd = open(path, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
	assert_true(fd >= 0);
	assert_int_equal(write(fd, content, strlen(content)), (ssize_t)strlen(content));
	assert_int_equal(fchmod(fd, mode), 0);
	(void)close(fd);
}

static void
remove_file(const char *directory, const char *path)
{
	assert_int_equal(unlink(path), 0);
	assert_int_equal(rmdir(directory), 0);
}

static void
the_password_file_is_read_to_the_end_of_its_line(void **state)
{
	char         directory[64];
	char         path[128];
	char         password[DB_PASSWORD_SIZE];
	struct error e = { 0 };

	(void)state;
	make_file(directory, path, "password", SECRET "\n", 0600);
	assert_int_equal(db_password_read(path, password, &e), ERR_ok);
	assert_string_equal(password, SECRET);
	remove_file(directory, path);
}

static void
a_password_file_that_others_may_read_is_refused(void **state)
{
	static const mode_t modes[] = { 0640, 0604, 0660, 0644 };
	char                directory[64];
	char                path[128];
	char                password[DB_PASSWORD_SIZE];
	struct error        e = { 0 };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(modes); i++) {
		make_file(directory, path, "password", SECRET, modes[i]);
		assert_int_equal(db_password_read(path, password, &e), ERR_config);
		assert_non_null(strstr(e.text, path));
		assert_null(strstr(e.text, SECRET));
		remove_file(directory, path);
	}
}

static void
a_password_file_that_is_missing_or_empty_is_refused(void **state)
{
	char         directory[64];
	char         path[128];
	char         password[DB_PASSWORD_SIZE];
	struct error e = { 0 };

	(void)state;
	make_file(directory, path, "password", "\n", 0600);
	assert_int_equal(db_password_read(path, password, &e), ERR_config);
	assert_int_equal(db_password_read(directory, password, &e), ERR_config);
	remove_file(directory, path);
	assert_int_equal(db_password_read(path, password, &e), ERR_config);
	assert_non_null(strstr(e.text, path));
}

static void
the_credential_comes_first_whatever_its_mode(void **state)
{
	char         directory[64];
	char         path[128];
	char         password[DB_PASSWORD_SIZE];
	struct error e = { 0 };

	(void)state;
	make_file(directory, path, "steward.db-password", SECRET, 0440);
	assert_int_equal(setenv("CREDENTIALS_DIRECTORY", directory, 1), 0);
	assert_int_equal(db_password_read("/nowhere", password, &e), ERR_ok);
	assert_string_equal(password, SECRET);
	remove_file(directory, path);
	assert_int_equal(db_password_read("", password, &e), ERR_ok);
	assert_string_equal(password, "");
	(void)unsetenv("CREDENTIALS_DIRECTORY");
}

static void
an_administrator_gets_no_password_of_ours(void **state)
{
	char               directory[64];
	char               path[128];
	struct db_keywords k;
	struct error       e = { 0 };
	struct db_options  o = { .conninfo = "host=a", .password_file = path, .application = "x" };

	(void)state;
	make_file(directory, path, "password", SECRET, 0600);
	assert_int_equal(db_keywords_init(&k, &o, &e), ERR_ok);
	assert_string_equal(keyword_of(&k, "password"), SECRET);
	o.leave_password = true;
	assert_int_equal(db_keywords_init(&k, &o, &e), ERR_ok);
	assert_null(keyword_of(&k, "password"));
	db_keywords_wipe(&k);
	assert_string_equal(k.password, "");
	remove_file(directory, path);
}

/* ------------------------------------------------------------ statements */
static int
count_words(const char *list)
{
	int count = list[0] != '\0';

	for (; (list = strstr(list, ", ")) != NULL; list += 2)
		count++;
	return count;
}

static void
every_statement_has_a_type_and_a_place_for_each_parameter(void **state)
{
	(void)state;
	for (int s = 0; s < STMT_COUNT; s++) {
		const struct statement_desc *d     = statement_desc((enum statement)s);
		const unsigned int          *types = db_statement_types((enum statement)s);
		char                         place[16];

		assert_true(d->kind < WORKER_COUNT || d->kind == WORKER_scheduled);
		assert_int_equal(count_words(d->parameters), d->parameter_count);
		for (int i = 0; i < d->parameter_count; i++) {
			assert_int_not_equal(types[i], 0);
			(void)snprintf(place, sizeof(place), "$%d", i + 1);
			assert_non_null(strstr(d->sql, place));
		}
		assert_int_equal(types[d->parameter_count], 0);
		(void)snprintf(place, sizeof(place), "$%d", d->parameter_count + 1);
		assert_null(strstr(d->sql, place));
		assert_true(count_words(d->columns) > 0);
	}
}

static void
statement_names_are_distinct(void **state)
{
	(void)state;
	for (int a = 0; a < STMT_COUNT; a++)
		for (int b = a + 1; b < STMT_COUNT; b++)
			assert_string_not_equal(statement_desc((enum statement)a)->name,
			    statement_desc((enum statement)b)->name);
}

static void
a_row_is_written_out_as_it_stands_in_the_table(void **state)
{
	const struct statement_desc *d = statement_desc(STMT_provision_batch);

	(void)state;
	assert_string_equal(d->name, "provision_batch");
	assert_string_equal(d->parameters, "text worker, int4 batch, bool looks_ahead");
	assert_int_equal(db_statement_types(STMT_provision_batch)[0], 25);
	assert_int_equal(db_statement_types(STMT_provision_batch)[1], 23);
	assert_int_equal(db_statement_types(STMT_provision_batch)[2], 16);
}

int
main(void)
{
	static const char *const variables[] = { "PGOPTIONS", "PGSERVICE", "PGSERVICEFILE", "PGHOST", "PGHOSTADDR",
		"PGPORT", "PGUSER", "PGDATABASE", "PGPASSWORD", "CREDENTIALS_DIRECTORY" };
	static const struct CMUnitTest tests[] = {
		cmocka_unit_test(a_state_finds_its_row_by_itself_or_by_its_class),
		cmocka_unit_test(a_position_counts_characters_and_not_bytes),
		cmocka_unit_test(a_refused_connection_is_judged_by_its_state_in_any_language),
		cmocka_unit_test(with_several_hosts_the_one_that_answered_is_quoted),
		cmocka_unit_test(what_libpq_says_itself_is_the_first_line),
		cmocka_unit_test(a_keyword_is_found_in_both_forms_of_a_string),
		cmocka_unit_test(another_value_replaces_only_its_keyword_and_survives_quoting),
		cmocka_unit_test(a_string_that_does_not_fit_is_refused),
		cmocka_unit_test(a_broken_string_is_refused_without_what_may_be_a_password),
		cmocka_unit_test(a_password_that_spills_into_the_host_is_refused_unseen),
		cmocka_unit_test(our_options_stand_after_those_of_the_user),
		cmocka_unit_test(options_of_the_environment_are_kept_too),
		cmocka_unit_test(the_password_file_is_read_to_the_end_of_its_line),
		cmocka_unit_test(a_password_file_that_others_may_read_is_refused),
		cmocka_unit_test(a_password_file_that_is_missing_or_empty_is_refused),
		cmocka_unit_test(the_credential_comes_first_whatever_its_mode),
		cmocka_unit_test(an_administrator_gets_no_password_of_ours),
		cmocka_unit_test(every_statement_has_a_type_and_a_place_for_each_parameter),
		cmocka_unit_test(statement_names_are_distinct),
		cmocka_unit_test(a_row_is_written_out_as_it_stands_in_the_table),
	};

	for (size_t i = 0; i < COUNT_OF(variables); i++)
		(void)unsetenv(variables[i]);
	return cmocka_run_group_tests_name("db", tests, NULL, NULL);
}
