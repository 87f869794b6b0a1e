/* SPDX-License-Identifier: Apache-2.0 */
#include "ledger.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

void
ledger_fini(struct ledger *l)
{
	free(l->row);
	*l = (struct ledger){ 0 };
}

int
ledger_newest(const struct migration *known)
{
	int newest = 0;

	for (; known->version != 0; known++)
		newest = MAX(newest, known->version);
	return newest;
}

const struct migration *
ledger_find(const struct migration *known, int version)
{
	for (; known->version != 0; known++)
		if (known->version == version)
			return known;
	return NULL;
}

enum err
ledger_read(struct db *db, struct ledger *l, struct error *e)
{
	CLEANUP(db_result_cleanup) struct db_result *exists = NULL;
	CLEANUP(db_result_cleanup) struct db_result *rows   = NULL;
	enum err r = db_query(db, "SELECT to_regclass('steward.migration') AS ledger", NULL, 0, &exists, e);

	*l = (struct ledger){ 0 };
	if (r != ERR_ok || db_text(exists, 0, 0) == NULL)
		return r;
	r = db_query(db, "SELECT version, name, sha256 FROM steward.migration ORDER BY version", NULL, 0, &rows, e);
	if (r != ERR_ok)
		return r;
	l->row = calloc((size_t)db_rows(rows) + 1, sizeof(*l->row));
	if (l->row == NULL)
		return err_set(e, ERR_no_memory, "read the ledger: memory ran out");
	for (; l->count < (size_t)db_rows(rows); l->count++) {
		struct ledger_row *row = &l->row[l->count];

		row->version = (int)db_int8(rows, (int)l->count, "version", 0);
		(void)snprintf(row->name, sizeof(row->name), "%s", db_named_text(rows, (int)l->count, "name"));
		(void)snprintf(row->sha256, sizeof(row->sha256), "%s", db_named_text(rows, (int)l->count, "sha256"));
	}
	return ERR_ok;
}

static enum err
check_row(const struct ledger_row *row, int expected, const struct migration *known, struct error *e)
{
	const struct migration *m       = ledger_find(known, row->version);
	const struct migration *missing = ledger_find(known, expected);

	if (row->version > ledger_newest(known))
		return err_set(e, ERR_schema_new,
		    "the database has migration %s, this program knows %d; upgrade steward", row->name,
		    ledger_newest(known));
	if (row->version != expected)
		return err_set(e, ERR_refused, "%s is applied, but its predecessor %s is not", row->name,
		    missing != NULL ? missing->name : "is unknown to this program and");
	if (m == NULL || strcmp(m->sha256, row->sha256) != 0)
		return err_set(e, ERR_config,
		    "migrations/%s.up.sql is not what was applied here: it was edited; compare: stewardctl db sql %d",
		    m != NULL ? m->name : row->name, row->version);
	return ERR_ok;
}

enum err
ledger_check(const struct ledger *l, const struct migration *known, int *version, struct error *e)
{
	enum err r = ERR_ok;

	*version = 0;
	for (size_t i = 0; i < l->count && r == ERR_ok; i++) {
		r        = check_row(&l->row[i], *version + 1, known, e);
		*version = l->row[i].version;
	}
	return r;
}
