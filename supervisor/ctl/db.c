/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stewardctl db migrate, revert, status, verify, sql.
 */
#include <stdio.h>
#include <string.h>

#include "ledger.h"
#include "migrate.h"

/* --to, within what this program knows. */
static enum err
read_version(const struct command_context *c, int fallback, int *version, struct error *e)
{
	int64_t  value = fallback;
	enum err r     = ERR_ok;

	if (c->to != NULL)
		r = command_number("--to", c->to, 0, ledger_newest(migrations), &value, e);
	*version = (int)value;
	return r;
}

static enum err
finish(const struct command_context *c, struct changes *ch, int version, struct error *e)
{
	changes_end(ch);
	output_number(c->out, "schema", version);
	output_number(c->out, "expected", ledger_newest(migrations));
	return output_finish(c->out, e);
}

static enum err
go(const struct command_context *c, const struct admin *a, bool down, struct error *e)
{
	struct changes ch;
	int            version = 0;
	int            to;
	enum err       r = read_version(c, ledger_newest(migrations), &to, e);

	if (r != ERR_ok)
		return r;
	changes_begin(&ch, c);
	r = down ? migrate_down(a, &ch, to, &version, e) : migrate_up(a, &ch, to, &version, e);
	if (r == ERR_ok && ch.count == 0)
		output_line(c->out, "nothing to do, the schema is at %d", version);
	if (r != ERR_ok)
		return r;
	return finish(c, &ch, version, e);
}

static enum err
migrate(const struct command_context *c, const struct admin *a, struct error *e)
{
	return go(c, a, false, e);
}

static enum err
revert(const struct command_context *c, const struct admin *a, struct error *e)
{
	return go(c, a, true, e);
}

enum err
command_db_migrate(const struct command_context *c, struct error *e)
{
	return admin_run(c, false, migrate, e);
}

enum err
command_db_revert(const struct command_context *c, struct error *e)
{
	if (c->to == NULL)
		return err_set(e, ERR_usage, "db revert needs --to N; --to 0 takes everything back");
	return admin_run(c, false, revert, e);
}

/* ---------------------------------------------------------------- status */
/* The version as the login may ask for it; 0 when nothing was ever applied. */
static enum err
read_schema(const struct admin *a, int *version, struct error *e)
{
	CLEANUP(db_cleanup) struct db *db              = NULL;
	CLEANUP(db_result_cleanup) struct db_result *r = NULL;
	struct error why  = { 0 };
	enum err     code = admin_connect(a, a->database, &db, e);

	if (code == ERR_denied)
		return admin_advise(e, "run: sudo stewardctl db setup");
	if (code != ERR_ok)
		return code;
	*version = 0;
	code     = db_query(db, "SELECT steward.schema_version() AS version", NULL, 0, &r, &why);
	if (code == ERR_schema_old)
		return ERR_ok;
	if (code != ERR_ok)
		return err_set(e, code, "%s", why.text);
	*version = (int)db_int8(r, 0, "version", 0);
	return ERR_ok;
}

static void
print_pending(const struct command_context *c, int version, int count)
{
	char   names[ERROR_TEXT_SIZE] = "";
	size_t used                   = 0;

	for (const struct migration *m = migrations; m->version != 0 && used < sizeof(names); m++)
		if (m->version > version)
			used += (size_t)snprintf(names + used, sizeof(names) - used, "%s%s", used > 0 ? ", " : "", m->name);
	output_line(c->out, "schema %d, binary knows %d: %d pending (%s)", version, ledger_newest(migrations), count,
	    names);
}

static enum err
status(const struct command_context *c, const struct admin *a, struct error *e)
{
	int      newest  = ledger_newest(migrations);
	int      pending = 0;
	int      version = 0;
	enum err r       = read_schema(a, &version, e);

	if (r != ERR_ok)
		return r;
	output_number(c->out, "schema", version);
	output_number(c->out, "expected", newest);
	output_list_begin(c->out, "pending");
	for (const struct migration *m = migrations; m->version != 0; m++)
		if (m->version > version) {
			output_text(c->out, NULL, m->name);
			pending++;
		}
	output_list_end(c->out);
	if (pending > 0)
		print_pending(c, version, pending);
	else if (version == newest)
		output_line(c->out, "schema %d, nothing pending", version);
	else
		output_line(c->out, "schema %d, binary knows %d: upgrade steward", version, newest);
	r = output_finish(c->out, e);
	if (r != ERR_ok)
		return r;
	/* Printed already; the exit status is the rest of the answer. */
	return err_set(e, pending > 0 ? ERR_schema_old : version > newest ? ERR_schema_new : ERR_ok, "%s", "");
}

enum err
command_db_status(const struct command_context *c, struct error *e)
{
	return admin_run(c, false, status, e);
}

/* ---------------------------------------------------------------- verify */
static bool
verify_one(const struct command_context *c, struct db *db, const struct migration *m, struct error *why)
{
	char     objects[80];
	enum err r = db_script(db, "BEGIN READ ONLY", why);

	(void)snprintf(objects, sizeof(objects), "SELECT steward.objects_verify(%d)", m->version);
	if (r == ERR_ok)
		r = db_script(db, objects, why);
	if (r == ERR_ok)
		r = db_script(db, m->verify, why);
	migrate_try(db, "ROLLBACK");
	output_item_begin(c->out);
	output_text(c->out, "name", m->name);
	output_bool(c->out, "ok", r == ERR_ok);
	output_text(c->out, "problem", r == ERR_ok ? NULL : why->text);
	output_item_end(c->out);
	output_tinted(c->out, r == ERR_ok ? TONE_plain : TONE_bad, "%s: %s", m->name, r == ERR_ok ? "ok" : why->text);
	return r == ERR_ok;
}

static enum err
verify(const struct command_context *c, const struct admin *a, struct error *e)
{
	CLEANUP(db_cleanup) struct db *db       = NULL;
	CLEANUP(ledger_fini) struct ledger list = { 0 };
	bool     good    = true;
	int      version = 0;
	enum err r       = migrate_connect(a, &db, e);

	if (r == ERR_ok)
		r = ledger_read(db, &list, e);
	if (r == ERR_ok)
		r = ledger_check(&list, migrations, &version, e);
	if (r != ERR_ok)
		return r;
	output_list_begin(c->out, "items");
	for (const struct migration *m = migrations; m->version != 0 && m->version <= version; m++) {
		struct error why = { 0 };

		good = verify_one(c, db, m, &why) && good;
		if (db_is_broken(db))
			return err_set(e, ERR_db_down, "%s", why.text);
	}
	output_list_end(c->out);
	if (version == 0)
		output_line(c->out, "nothing is applied; run: sudo stewardctl db migrate");
	r = output_finish(c->out, e);
	return r != ERR_ok || (good && version > 0) ? r : err_set(e, ERR_refused, "%s", "");
}

enum err
command_db_verify(const struct command_context *c, struct error *e)
{
	return admin_run(c, false, verify, e);
}

/* ------------------------------------------------------------------- sql */
enum err
command_db_sql(const struct command_context *c, struct error *e)
{
	const struct migration *m;
	int64_t                 number;
	enum err r = command_number("N", c->argv[0], 0, INT32_MAX, &number, e);

	if (r != ERR_ok)
		return r;
	m = ledger_find(migrations, (int)number);
	if (m == NULL)
		return err_set(e, ERR_not_found, "there is no migration %d; this program knows 1 to %d", (int)number,
		    ledger_newest(migrations));
	output_number(c->out, "version", m->version);
	output_text(c->out, "name", m->name);
	output_text(c->out, "sha256", m->sha256);
	output_text(c->out, "sql", m->up);
	output_line(c->out, "%.*s", (int)strlen(m->up) - 1, m->up);
	return output_finish(c->out, e);
}
