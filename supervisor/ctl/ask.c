/* SPDX-License-Identifier: Apache-2.0 */
#include "ask.h"

enum err
ask_begin(struct ask *ask, const struct command_context *c, const struct admin *a, struct error *e)
{
	*ask = (struct ask){ .c = c };
	return admin_connect(a, NULL, &ask->db, e);
}

void
ask_cleanup(struct ask *ask)
{
	db_close(ask->db);
}

enum err
ask_query_with(struct ask *ask, const char *sql, const char *const *values, int count, struct db_result **r,
    struct error *e)
{
	enum err rc = db_query(ask->db, sql, values, count, r, e);

	if (rc == ERR_schema_old)
		return admin_advise(e, "run: sudo stewardctl db migrate");
	return rc;
}

enum err
ask_query(struct ask *ask, const char *sql, const char *value, struct db_result **r, struct error *e)
{
	return ask_query_with(ask, sql, &value, value != NULL ? 1 : 0, r, e);
}

enum err
ask_answer(const struct command_context *c, bool no, struct error *e)
{
	enum err rc = output_finish(c->out, e);

	return rc == ERR_ok && no ? err_set(e, ERR_refused, "%s", "") : rc;
}
