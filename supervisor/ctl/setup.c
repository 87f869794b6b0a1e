/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stewardctl db setup - makes the roles and the database that the configuration
 * names, and migrates.  Looks before each step, so that a second run does
 * nothing; never changes or drops what it did not make.
 */
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ledger.h"
#include "migrate.h"

struct setup {
	const struct admin *a;
	struct changes     *ch;
	struct db          *db;              /* the administrator's, in a database that exists */
	bool                has_login;
	bool                has_database;
};

/* Run, or print, "<format>" with the names in it already quoted. */
static enum err PRINTF_LIKE(3, 4)
run(struct setup *s, struct error *e, const char *format, ...)
{
	char    sql[2048];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(sql, sizeof(sql), format, args);
	va_end(args);
	return changes_run(s->ch, s->db, sql, e);
}

/* ----------------------------------------------------------------- roles */
/* Every role and who is in it, so that roles.sql can be asked what it did. */
#define ROLES                                                                                         \
	"SELECT 'role ' || rolname AS thing FROM pg_roles UNION ALL "                                 \
	"SELECT g.rolname || ' to ' || u.rolname FROM pg_auth_members m "                            \
	"JOIN pg_roles g ON g.oid = m.roleid JOIN pg_roles u ON u.oid = m.member"

static enum err
note_new_roles(struct setup *s, const char *before, bool *any, struct error *e)
{
	CLEANUP(db_result_cleanup) struct db_result *rows = NULL;
	enum err r = db_query(s->db, "SELECT thing FROM (" ROLES ") t WHERE thing <> ALL ($1::text[])", &before, 1, &rows,
	    e);

	*any = r == ERR_ok && db_rows(rows) > 0;
	for (int i = 0; r == ERR_ok && i < db_rows(rows); i++)
		changes_note(s->ch, "%s %s", strncmp(db_text(rows, i, 0), "role ", 5) == 0 ? "created" : "granted",
		    db_text(rows, i, 0));
	return r;
}

/* roles.sql runs in a dry run too, and is rolled back: nobody else can say what it would do. */
static enum err
make_roles(struct setup *s, struct error *e)
{
	CLEANUP(db_result_cleanup) struct db_result *before = NULL;
	bool     any = false;
	enum err r   = db_query(s->db, "SELECT array_agg(thing) FROM (" ROLES ") t", NULL, 0, &before, e);

	if (r == ERR_ok)
		r = db_script(s->db, "BEGIN", e);
	if (r == ERR_ok)
		r = db_script(s->db, migration_roles, e);
	if (r != ERR_ok)
		return err_wrap(e, "migrations/roles.sql");
	r = note_new_roles(s, db_text(before, 0, 0), &any, e);
	if (any && s->ch->dry_run)
		changes_print(s->ch, migration_roles);
	return r == ERR_ok ? db_script(s->db, s->ch->dry_run ? "ROLLBACK" : "COMMIT", e) : r;
}

/* A managed service's administrator is no superuser and has to be let in. */
static enum err
let_administrator_in(struct setup *s, struct error *e)
{
	struct error why = { 0 };
	enum err     r   = ERR_ok;

	if (s->ch->dry_run)
		return ERR_ok;
	if (db_script(s->db, "SET ROLE steward_owner; RESET ROLE", &why) == ERR_denied) {
		r = db_script(s->db, "GRANT steward_owner TO CURRENT_USER", e);
		if (r == ERR_ok)
			changes_note(s->ch, "granted steward_owner to %s", db_parameter(s->db, "user"));
	}
	return r;
}

/* ----------------------------------------------------------------- login */
/* Whether the role that the configuration names is there, and is one that steward may use. */
static enum err
judge_login(struct setup *s, struct error *e)
{
	CLEANUP(db_result_cleanup) struct db_result *row = NULL;
	const char *name = s->a->login;
	enum err    r    = db_query(s->db,
	          "SELECT CASE WHEN rolsuper THEN 'is a superuser' WHEN rolbypassrls THEN 'bypasses row security'"
	                "            WHEN NOT rolcanlogin THEN 'may not log in' END AS wrong"
	                "  FROM pg_roles WHERE rolname = $1",
	          &name, 1, &row, e);

	if (r != ERR_ok)
		return r;
	s->has_login = db_rows(row) > 0;
	if (s->has_login && db_text(row, 0, 0) != NULL)
		return err_set(e, ERR_refused,
		    "role %s exists and %s, so it is not steward's; name another user in database.conninfo, or change it",
		    name, db_text(row, 0, 0));
	return ERR_ok;
}

static enum err
create_login(struct setup *s, const char *quoted, struct error *e)
{
	CLEANUP(free_cleanup) char *verifier = NULL;
	CLEANUP(free_cleanup) char *literal  = NULL;
	const char *password = s->a->password;
	enum err    r;

	if (password[0] == '\0') {
		r = run(s, e, "CREATE ROLE %s LOGIN", quoted);
	} else if (s->ch->dry_run) {
		r = run(s, e, "CREATE ROLE %s LOGIN PASSWORD '...'", quoted);
	} else {
		verifier = db_password_verifier(s->db, password, s->a->login);
		literal  = verifier != NULL ? db_quote_text(s->db, verifier) : NULL;
		if (literal == NULL)
			return err_set(e, ERR_bad_data, "the configured password cannot be used");
		r = run(s, e, "CREATE ROLE %s LOGIN PASSWORD %s", quoted, literal);
	}
	if (r == ERR_ok)
		changes_note(s->ch, "created role %s%s", s->a->login, password[0] != '\0' ? " with its password" : "");
	return r;
}

static enum err
grant_memberships(struct setup *s, const char *quoted, struct error *e)
{
	CLEANUP(db_result_cleanup) struct db_result *rows = NULL;
	const char *name = s->a->login;
	enum err    r    = db_query(s->db,
	          "SELECT wanted FROM unnest(ARRAY['steward_worker', 'steward_gateway']) wanted WHERE NOT EXISTS ("
	                "SELECT FROM pg_auth_members m JOIN pg_roles g ON g.oid = m.roleid JOIN pg_roles u ON u.oid = m.member"
	                " WHERE g.rolname = wanted AND u.rolname = $1)",
	          &name, 1, &rows, e);

	for (int i = 0; r == ERR_ok && i < db_rows(rows); i++) {
		r = run(s, e, "GRANT %s TO %s", db_text(rows, i, 0), quoted);
		if (r == ERR_ok)
			changes_note(s->ch, "granted %s to %s", db_text(rows, i, 0), name);
	}
	return r;
}

static enum err
make_login(struct setup *s, struct error *e)
{
	CLEANUP(free_cleanup) char *quoted = db_quote_name(s->db, s->a->login);
	enum err r = ERR_ok;

	if (quoted == NULL)
		return err_set(e, ERR_config, "the name of the role in database.conninfo is not UTF-8");
	/* Again: roles.sql may just have made a role of this name. */
	r = judge_login(s, e);
	if (r == ERR_ok && !s->has_login)
		r = create_login(s, quoted, e);
	return r == ERR_ok ? grant_memberships(s, quoted, e) : r;
}

/* -------------------------------------------------------------- database */
static enum err
find_database(struct setup *s, bool *ours, struct error *e)
{
	CLEANUP(db_result_cleanup) struct db_result *row = NULL;
	const char *name = s->a->database;
	enum err    r    = db_query(s->db,
	          "SELECT pg_get_userbyid(datdba) = 'steward_owner' AS ours, pg_encoding_to_char(encoding) AS encoding"
	                "  FROM pg_database WHERE datname = $1",
	          &name, 1, &row, e);

	if (r != ERR_ok)
		return r;
	s->has_database = db_rows(row) > 0;
	if (!s->has_database)
		return ERR_ok;
	*ours = db_bool(row, 0, "ours");
	if (strcmp(db_named_text(row, 0, "encoding"), "UTF8") != 0)
		return err_set(e, ERR_refused, "database %s exists with encoding %s; steward needs UTF8", name,
		    db_named_text(row, 0, "encoding"));
	return ERR_ok;
}

/* Run `grant` unless `question`, with the database as $1 and the login as $2, is true. */
static enum err
grant_unless(struct setup *s, struct db *where, const char *question, const char *grant, const char *note,
    struct error *e)
{
	CLEANUP(db_result_cleanup) struct db_result *row = NULL;
	const char *names[] = { s->a->database, s->a->login };
	enum err    r       = db_query(where, question, names, COUNT_OF(names), &row, e);

	if (r != ERR_ok || strcmp(db_text(row, 0, 0), "t") == 0)
		return r;
	r = changes_run(s->ch, where, grant, e);
	if (r == ERR_ok)
		changes_note(s->ch, "%s", note);
	return r;
}

/* Somebody else's database stays theirs; the owner of the schema is let in. */
static enum err
grant_in_foreign_database(struct setup *s, const char *quoted, struct error *e)
{
	CLEANUP(db_cleanup) struct db *inside = NULL;
	char     grant[256];
	enum err r = admin_connect(s->a, s->a->database, &inside, e);

	(void)snprintf(grant, sizeof(grant), "GRANT CREATE ON DATABASE %s TO steward_owner", quoted);
	if (r == ERR_ok)
		r = grant_unless(s, inside,
		    "SELECT has_database_privilege('steward_owner', $1, 'CREATE') OR $2::text IS NULL", grant,
		    "granted CREATE on the database to steward_owner", e);
	if (r == ERR_ok)
		r = grant_unless(s, inside,
		    "SELECT has_schema_privilege('steward_owner', 'public', 'CREATE') OR ($1::text || $2::text) IS NULL",
		    "GRANT USAGE, CREATE ON SCHEMA public TO steward_owner",
		    "granted CREATE on schema public to steward_owner", e);
	return r;
}

static enum err
make_database(struct setup *s, struct error *e)
{
	CLEANUP(free_cleanup) char *database = db_quote_name(s->db, s->a->database);
	CLEANUP(free_cleanup) char *login    = db_quote_name(s->db, s->a->login);
	char     grant[256];
	bool     ours = true;
	enum err r;

	if (database == NULL || login == NULL)
		return err_set(e, ERR_config, "the name of the database in database.conninfo is not UTF-8");
	r = find_database(s, &ours, e);
	if (r == ERR_ok && !s->has_database) {
		r = run(s, e, "CREATE DATABASE %s OWNER steward_owner TEMPLATE template0 ENCODING 'UTF8'", database);
		if (r == ERR_ok)
			changes_note(s->ch, "created database %s", s->a->database);
		return r;
	}
	if (r == ERR_ok && !ours)
		r = grant_in_foreign_database(s, database, e);
	if (r != ERR_ok || !s->has_login)
		return r;
	(void)snprintf(grant, sizeof(grant), "GRANT CONNECT ON DATABASE %s TO %s", database, login);
	return grant_unless(s, s->db, "SELECT has_database_privilege($2::text, $1::text, 'CONNECT')", grant,
	    "granted CONNECT on the database to the login", e);
}

/* -------------------------------------------------------------- together */
static enum err
make_cluster_objects(struct setup *s, struct error *e)
{
	enum err r = admin_connect(s->a, NULL, &s->db, e);

	if (r == ERR_denied || (r == ERR_db_down && s->a->way == ADMIN_account))
		return admin_advise(e, "give --admin CONNINFO");
	if (r == ERR_ok && !s->ch->dry_run)
		r = migrate_lock(s->db, e);
	if (r == ERR_ok)
		r = judge_login(s, e);
	if (r == ERR_ok)
		r = make_roles(s, e);
	if (r == ERR_ok)
		r = let_administrator_in(s, e);
	if (r == ERR_ok)
		r = make_login(s, e);
	return r == ERR_ok ? make_database(s, e) : r;
}

/* Where nothing can be asked yet, everything is what would be done. */
static void
print_everything(struct changes *ch)
{
	output_line(ch->out, "-- migrations/ledger.sql");
	changes_print(ch, migration_ledger);
	for (const struct migration *m = migrations; m->version != 0; m++) {
		output_line(ch->out, "-- migrations/%s.up.sql", m->name);
		changes_print(ch, m->up);
	}
}

static enum err
mark_as_test(struct setup *s, struct error *e)
{
	CLEANUP(db_cleanup) struct db *inside = NULL;
	const char *mark = "INSERT INTO steward.test_database DEFAULT VALUES";
	enum err    r    = ERR_schema_old;

	if (s->has_database || !s->ch->dry_run)
		r = admin_connect(s->a, s->a->database, &inside, e);
	if (r == ERR_ok)
		r = grant_unless(s, inside,
		    "SELECT EXISTS (SELECT FROM steward.test_database) OR ($1::text || $2::text) IS NULL", mark,
		    "marked the database as one for tests", e);
	if (r != ERR_schema_old || !s->ch->dry_run)
		return r;
	/* The table is among what would be made. */
	changes_print(s->ch, mark);
	return ERR_ok;
}

static enum err
setup(const struct command_context *c, const struct admin *a, struct error *e)
{
	struct changes ch;
	struct setup   s       = { .a = a, .ch = &ch };
	int            version = 0;
	enum err       r;

	changes_begin(&ch, c);
	r = make_cluster_objects(&s, e);
	/* Ends the lock too: migrating takes its own, and must not wait for this one. */
	db_close(TAKE(s.db));
	if (r == ERR_ok && ch.dry_run && !s.has_database)
		print_everything(&ch);
	else if (r == ERR_ok)
		r = migrate_up(a, &ch, ledger_newest(migrations), &version, e);
	if (r == ERR_ok && c->test)
		r = mark_as_test(&s, e);
	if (r != ERR_ok)
		return r;
	changes_end(&ch);
	if (ch.count == 0)
		output_line(c->out, "nothing to do: role %s and database %s are there, the schema is at %d", a->login,
		    a->database, version);
	output_number(c->out, "schema", version);
	output_number(c->out, "expected", ledger_newest(migrations));
	return output_finish(c->out, e);
}

enum err
command_db_setup(const struct command_context *c, struct error *e)
{
	return admin_run(c, true, setup, e);
}
