/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stewardctl clock - the clock that every rule reads, steward.now().  It is moved
 * by a setting of the database, which only an administrator may write, and only
 * where db setup --test has said that nothing there is in earnest.
 */
#include <stdio.h>

#include "ask.h"
#include "clock.h"
#include "quantity.h"
#include "rows.h"

static enum err
print(struct ask *ask, struct error *e)
{
	CLEANUP(db_result_cleanup) struct db_result *r = NULL;
	struct output *o  = ask->c->out;
	enum err       rc = ask_query(ask, "SELECT * FROM steward.clock_show()", NULL, &r, e);
	char           duration[CLOCK_TEXT_SIZE];
	int64_t        ms;

	if (rc != ERR_ok)
		return rc;
	rows_put(o, r, 0);
	ms = db_int8(r, 0, "offset_ms", 0);
	output_line(o, "%s, %s%sthe real time%s", db_named_text(r, 0, "now"),
	    ms != 0 ? clock_format_duration((ms < 0 ? -ms : ms) / 1000, duration) : "",
	    ms > 0 ? " ahead of " : ms < 0 ? " behind " : "",
	    db_bool(r, 0, "movable") ? "; this database is one for tests" : "");
	return output_finish(o, e);
}

static enum err
show(const struct command_context *c, const struct admin *a, struct error *e)
{
	CLEANUP(ask_cleanup) struct ask ask = { 0 };
	enum err rc = ask_begin(&ask, c, a, e);

	return rc == ERR_ok ? print(&ask, e) : rc;
}

static enum err
require_test(struct ask *ask, struct error *e)
{
	CLEANUP(db_result_cleanup) struct db_result *r = NULL;
	enum err rc = ask_query(ask, "SELECT movable FROM steward.clock_show()", NULL, &r, e);

	if (rc != ERR_ok || db_bool(r, 0, "movable"))
		return rc;
	return err_set(e, ERR_refused,
	    "database %s is not marked as one for tests, so its clock is not moved; mark one with: stewardctl db setup --test",
	    db_parameter(ask->db, "dbname"));
}

/* `offset` is an expression of $1.  That the schema may have changed is what makes workers connect again. */
static enum err
move(const struct command_context *c, const struct admin *a, const char *offset, const char *value, struct error *e)
{
	CLEANUP(ask_cleanup) struct ask ask   = { .c = c };
	CLEANUP(ask_cleanup) struct ask moved = { .c = c };
	CLEANUP(db_result_cleanup) struct db_result *r = NULL;
	char     sql[512];
	enum err rc = admin_connect(a, a->database, &ask.db, e);

	(void)snprintf(sql, sizeof(sql),
	    "SELECT format('ALTER DATABASE %%I SET steward.clock_offset = ''%%s ms''; NOTIFY steward_schema',"
	    " current_database(), round(extract(epoch FROM ahead) * 1000)) FROM (SELECT %s) t(ahead) WHERE isfinite(ahead)",
	    offset);
	if (rc == ERR_ok)
		rc = require_test(&ask, e);
	if (rc == ERR_ok)
		rc = ask_query(&ask, sql, value, &r, e);
	/* Before PostgreSQL 17 the subtraction has failed. */
	if (rc == ERR_ok && db_rows(r) == 0)
		rc = err_set(e, ERR_bad_data, "a clock cannot be set to \"%s\"", value);
	if (rc == ERR_ok)
		rc = db_script(ask.db, db_text(r, 0, 0), e);
	/* Settings of a database are for those who connect. */
	if (rc == ERR_ok)
		rc = admin_connect(a, a->database, &moved.db, e);
	return rc == ERR_ok ? print(&moved, e) : rc;
}

static enum err
set(const struct command_context *c, const struct admin *a, struct error *e)
{
	return move(c, a, "$1::timestamptz - now()", c->argv[0], e);
}

static enum err
advance(const struct command_context *c, const struct admin *a, struct error *e)
{
	char    interval[32];
	int64_t seconds;

	if (quantity_parse(c->argv[0], "s", &seconds) != QUANTITY_ok)
		return err_set(e, ERR_usage, "\"%s\" is not %s", c->argv[0], quantity_hint("s"));
	(void)snprintf(interval, sizeof(interval), "%" PRId64 " seconds", seconds);
	return move(c, a, "steward.now() - now() + $1::interval", interval, e);
}

enum err
command_clock_show(const struct command_context *c, struct error *e)
{
	return admin_run_login(c, show, e);
}

enum err
command_clock_set(const struct command_context *c, struct error *e)
{
	return admin_run(c, true, set, e);
}

enum err
command_clock_advance(const struct command_context *c, struct error *e)
{
	return admin_run(c, true, advance, e);
}
