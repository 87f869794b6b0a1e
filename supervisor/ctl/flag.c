/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stewardctl flag list, set.
 */
#include <stdlib.h>
#include <string.h>

#include "admin.h"
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
	rows_put(c->out, r, 0);
	output_line(c->out, "%s is %s for %s %%", db_named_text(r, 0, "name"), c->argv[1],
	    db_named_text(r, 0, "percent"));
	return output_finish(c->out, e);
}

enum err
command_flag_set(const struct command_context *c, struct error *e)
{
	char  *end;
	double percent;

	if (strcmp(c->argv[1], "on") != 0 && strcmp(c->argv[1], "off") != 0)
		return err_set(e, ERR_usage, "a flag is set on or off, not \"%s\"", c->argv[1]);
	if (c->percent != NULL) {
		percent = strtod(c->percent, &end);
		if (end == c->percent || *end != '\0' || !(percent >= 0 && percent <= 100))
			return err_set(e, ERR_usage, "--percent: \"%s\" is no number from 0 to 100", c->percent);
	}
	return admin_run_login(c, set, e);
}
