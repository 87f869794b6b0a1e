/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stewardctl flag list, set.
 */
#include <stdlib.h>
#include <string.h>

#include "admin.h"
#include "closest.h"
#include "rows.h"

#define COLUMNS "name,enabled,percent,updated_by,updated_at"

static enum err
list(const struct command_context *c, const struct admin *a, struct error *e)
{
	CLEANUP(db_cleanup) struct db *db              = NULL;
	CLEANUP(db_result_cleanup) struct db_result *r = NULL;
	enum err rc = admin_connect(a, NULL, &db, e);

	if (rc == ERR_ok)
		rc = db_query(db, "SELECT * FROM steward.flag_list()", NULL, 0, &r, e);
	if (rc != ERR_ok)
		return rc;
	rows_print_list(c->out, r, COLUMNS, "no feature flags");
	return output_finish(c->out, e);
}

enum err
command_flag_list(const struct command_context *c, struct error *e)
{
	return admin_run_login(c, list, e);
}

static enum err
no_such_flag(struct db *db, const char *name, struct error *e)
{
	CLEANUP(db_result_cleanup) struct db_result *r = NULL;
	struct closest closest;
	enum err       rc = db_query(db, "SELECT name FROM steward.flag_list()", NULL, 0, &r, e);

	if (rc != ERR_ok)
		return rc;
	closest_begin(&closest, name);
	for (int row = 0; row < db_rows(r); row++)
		(void)closest_offer(&closest, db_text(r, row, 0));
	if (closest.best != NULL)
		return err_set(e, ERR_not_found, "there is no flag \"%s\"; did you mean \"%s\"?", name, closest.best);
	return err_set(e, ERR_not_found, "there is no flag \"%s\"; see: stewardctl flag list", name);
}

static enum err
set(const struct command_context *c, const struct admin *a, struct error *e)
{
	CLEANUP(db_cleanup) struct db *db              = NULL;
	CLEANUP(db_result_cleanup) struct db_result *r = NULL;
	const char *values[] = { c->argv[0], c->argv[1], c->percent, a->caller };
	enum err    rc       = admin_connect(a, NULL, &db, e);

	if (rc == ERR_ok)
		rc = db_query(db, "SELECT * FROM steward.flag_set($1, $2::boolean, $3::numeric, $4)", values,
		    COUNT_OF(values), &r, e);
	if (rc != ERR_ok)
		return rc;
	if (db_rows(r) == 0)
		return no_such_flag(db, c->argv[0], e);
	rows_put(c->out, r, 0);
	output_line(c->out, "%s is %s for %s %%", db_named_text(r, 0, "name"), c->argv[1],
	    db_named_text(r, 0, "percent"));
	return output_finish(c->out, e);
}

/* A decimal from 0 to 100 with at most the two decimals that the table keeps. */
static bool
is_percent(const char *text)
{
	static const char digits[] = "0123456789";
	size_t      whole          = strspn(text, digits);
	const char *rest           = text + whole;

	if (*rest == '.') {
		size_t decimals = strspn(++rest, digits);

		if (decimals < 1 || decimals > 2)
			return false;
		rest += decimals;
	}
	return whole > 0 && *rest == '\0' && strtod(text, NULL) <= 100;
}

enum err
command_flag_set(const struct command_context *c, struct error *e)
{
	if (strcmp(c->argv[1], "on") != 0 && strcmp(c->argv[1], "off") != 0)
		return err_set(e, ERR_usage, "a flag is set on or off, not \"%s\"", c->argv[1]);
	if (c->percent != NULL && !is_percent(c->percent))
		return err_set(e, ERR_usage, "--percent: \"%s\" is no number from 0 to 100 with at most two decimals",
		    c->percent);
	return admin_run_login(c, set, e);
}
