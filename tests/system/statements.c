/* SPDX-License-Identifier: Apache-2.0 */
/*
 * statements - holds every row of statements.def against the database that
 * PGHOST and PGDATABASE name, and tells it in TAP.
 *
 * PREPARE alone would accept a function of other types through a cast, so the
 * function is looked up by exactly these, and the columns are those of a view
 * over the statement.
 */
#include <stdio.h>
#include <string.h>

#include "db.h"

static int tests;
static int failures;

static void
tell(const struct statement_desc *d, const char *what, enum err code, const char *got)
{
	bool good = code == ERR_ok;

	tests++;
	failures += !good;
	(void)printf("%sok %d - %s: %s\n", good ? "" : "not ", tests, d->name, what);
	if (!good)
		(void)printf("# %s\n", got);
}

/* "int4 a, int8 b" to "int4,int8". */
static void
types_of(const char *list, char *out, size_t size)
{
	size_t used = 0;

	out[0] = '\0';
	while (*list != '\0' && used < size) {
		size_t type = strcspn(list, " ");

		used += (size_t)snprintf(out + used, size - used, "%s%.*s", used > 0 ? "," : "", (int)type, list);
		list += strcspn(list, ",");
		list += strspn(list, ", ");
	}
}

/* "... FROM steward.f($1, $2)" to "steward.f(text,int4)". */
static void
signature_of(const struct statement_desc *d, char *out, size_t size)
{
	const char *from = strstr(d->sql, "FROM ");
	char        types[128];

	types_of(d->parameters, types, sizeof(types));
	from = from != NULL ? from + 5 : d->sql;
	(void)snprintf(out, size, "%.*s(%s)", (int)MIN(strcspn(from, "("), 128), from, types);
}

/* The statement with NULLs of the right types for its parameters. */
static void
fill_parameters(const struct statement_desc *d, char *out, size_t size)
{
	char   types[256];
	size_t used = 0;

	types_of(d->parameters, types, sizeof(types));
	for (const char *c = d->sql; *c != '\0' && used + 1 < size; c++) {
		const char *type = types;

		if (*c != '$') {
			out[used++] = *c;
			continue;
		}
		for (int n = *++c - '1'; n > 0; n--)
			type += strcspn(type, ",") + 1;
		used += (size_t)snprintf(out + used, size - used, "NULL::%.*s", (int)strcspn(type, ","), type);
	}
	out[MIN(used, size - 1)] = '\0';
}

static void
check_function(struct db *db, const struct statement_desc *d)
{
	CLEANUP(db_result_cleanup) struct db_result *r = NULL;
	struct error e = { 0 };
	char         signature[512];
	const char  *value = signature;
	enum err     code;

	signature_of(d, signature, sizeof(signature));
	code = db_query(db,
	    "SELECT to_regprocedure($1) IS NOT NULL AND has_function_privilege('steward_worker', to_regprocedure($1), 'EXECUTE')",
	    &value, 1, &r, &e);
	if (code == ERR_ok && strcmp(db_text(r, 0, 0) != NULL ? db_text(r, 0, 0) : "f", "t") != 0)
		code = err_set(&e, ERR_not_found, "%s is not there, or steward_worker may not execute it", signature);
	tell(d, "the function exists with these types, and workers may execute it", code, e.text);
}

static void
check_columns(struct db *db, const struct statement_desc *d)
{
	CLEANUP(db_result_cleanup) struct db_result *r = NULL;
	struct error e = { 0 };
	char         filled[2048];
	char         sql[2200];
	enum err     code;

	fill_parameters(d, filled, sizeof(filled));
	(void)snprintf(sql, sizeof(sql), "CREATE TEMP VIEW %s AS %s", d->name, filled);
	code = db_script(db, sql, &e);
	(void)snprintf(sql, sizeof(sql),
	    "SELECT string_agg(t.typname || ' ' || a.attname, ', ' ORDER BY a.attnum) AS columns"
	    "  FROM pg_attribute a JOIN pg_type t ON t.oid = a.atttypid"
	    " WHERE a.attrelid = 'pg_temp.%s'::regclass AND a.attnum > 0", d->name);
	if (code == ERR_ok)
		code = db_query(db, sql, NULL, 0, &r, &e);
	if (code == ERR_ok && strcmp(db_text(r, 0, 0), d->columns) != 0)
		code = err_set(&e, ERR_schema_old, "the row says: %s; the database: %s", d->columns, db_text(r, 0, 0));
	tell(d, "the columns have these names and types", code, e.text);
}

int
main(void)
{
	struct db_options o = { .conninfo = "", .application = "statements", .connect_timeout_ms = 5000 };
	CLEANUP(db_cleanup) struct db *db = NULL;
	struct error e = { 0 };

	if (db_connect(&o, &db, &e) != ERR_ok) {
		(void)printf("Bail out! %s\n", e.text);
		return 1;
	}
	for (int s = 0; s < STMT_COUNT; s++) {
		check_function(db, statement_desc((enum statement)s));
		check_columns(db, statement_desc((enum statement)s));
	}
	(void)printf("1..%d\n", tests);
	return failures > 0;
}
