/* SPDX-License-Identifier: Apache-2.0 */
#include "migrate.h"

#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>

#include "backoff.h"
#include "ledger.h"

/* "stew" and "ard\0" as two halves: one key for every database. */
#define LOCK_KEY "1937007991, 1634886656"

enum { ATTEMPTS = 10, LOCK_LOOK_MS = 200 };

/* One direction of a run. */
struct run {
	struct db      *db;
	struct changes *ch;
	bool            down;
};

static void
wait_ms(int64_t ms)
{
	(void)poll(NULL, 0, (int)ms);
}

/* ------------------------------------------------------------ connecting */
enum err
migrate_become_owner(struct db *db, struct error *e)
{
	enum err r = db_script(db, "SET ROLE steward_owner", e);

	if (r == ERR_denied)
		return err_set(e, r, "role %s may not act as steward_owner; run as root or give --admin CONNINFO",
		    db_parameter(db, "user"));
	/* What a role that does not exist is to SET ROLE: a bad value. */
	if (r == ERR_bad_data)
		return err_set(e, ERR_denied, "there is no role steward_owner; run: sudo stewardctl db setup");
	/* Nothing may be made or found by an unqualified name but what PostgreSQL brings. */
	return r != ERR_ok ? r : db_script(db, "SET search_path = pg_catalog, pg_temp", e);
}

enum err
migrate_connect(const struct admin *a, struct db **out, struct error *e)
{
	enum err r = admin_connect(a, a->database, out, e);

	if (r == ERR_denied)
		return admin_advise(e, "run: sudo stewardctl db setup");
	return r != ERR_ok ? r : migrate_become_owner(*out, e);
}

void
migrate_try(struct db *db, const char *sql)
{
	struct error why = { 0 };

	if (db_script(db, sql, &why) != ERR_ok && !db_is_broken(db))
		(void)fprintf(stderr, "steward: %s: %s\n", sql, why.text);
}

enum err
migrate_lock(struct db *lock, struct error *e)
{
	for (bool told = false;; told = true) {
		CLEANUP(db_result_cleanup) struct db_result *row = NULL;
		enum err r = db_query(lock, "SELECT pg_try_advisory_lock(" LOCK_KEY ")", NULL, 0, &row, e);

		if (r != ERR_ok || strcmp(db_text(row, 0, 0), "t") == 0)
			return r;
		if (!told)
			(void)fprintf(stderr, "steward: another run changes this database; waiting for its end\n");
		wait_ms(LOCK_LOOK_MS);
	}
}

/* -------------------------------------------------------- one migration */
static enum err
record_up(struct db *db, const struct migration *m, struct error *e)
{
	CLEANUP(db_result_cleanup) struct db_result *none = NULL;
	char        version[16];
	const char *values[] = { version, m->name, m->sha256, STEWARD_VERSION };

	(void)snprintf(version, sizeof(version), "%d", m->version);
	return db_query(db,
	    "INSERT INTO steward.migration (version, name, sha256, binary_version) VALUES ($1, $2, $3, $4)", values,
	    COUNT_OF(values), &none, e);
}

static enum err
record_duration(struct db *db, const struct migration *m, struct error *e)
{
	char sql[160];

	(void)snprintf(sql, sizeof(sql),
	    "UPDATE steward.migration SET duration_ms = extract(epoch FROM clock_timestamp() - now()) * 1000 "
	    "WHERE version = %d", m->version);
	return db_script(db, sql, e);
}

static enum err
record_down(struct db *db, const struct migration *m, struct error *e)
{
	char sql[80];

	(void)snprintf(sql, sizeof(sql), "DELETE FROM steward.migration WHERE version = %d", m->version);
	return db_script(db, sql, e);
}

/* What db verify will compare the schema with. */
static enum err
record_objects(struct db *db, int version, struct error *e)
{
	char sql[80];

	(void)snprintf(sql, sizeof(sql), "SELECT steward.objects_record(%d)", version);
	return db_script(db, sql, e);
}

static enum err
run_file(struct db *db, const struct migration *m, const char *which, const char *sql, struct error *e)
{
	enum err r = db_script(db, sql, e);

	return r == ERR_ok ? r : err_wrap(e, "migrations/%s.%s.sql", m->name, which);
}

/* A migration whose own check fails is not committed. */
static enum err
step_up(struct db *db, const struct migration *m, struct error *e)
{
	enum err r = db_script(db, "SELECT steward.objects_look()", e);

	if (r == ERR_ok)
		r = record_up(db, m, e);
	if (r == ERR_ok)
		r = run_file(db, m, "up", m->up, e);
	if (r == ERR_ok)
		r = run_file(db, m, "verify", m->verify, e);
	if (r == ERR_ok)
		r = record_objects(db, m->version, e);
	return r == ERR_ok ? record_duration(db, m, e) : r;
}

static enum err
step_down(struct db *db, const struct migration *m, struct error *e)
{
	enum err r = db_script(db, "SELECT steward.objects_look()", e);

	if (r == ERR_ok)
		r = run_file(db, m, "down", m->down, e);
	if (r == ERR_ok)
		r = record_objects(db, m->version - 1, e);
	return r == ERR_ok ? record_down(db, m, e) : r;
}

static enum err
transact(const struct run *run, const struct migration *m, struct error *e)
{
	enum err r = db_script(run->db, "BEGIN; SET LOCAL lock_timeout = '3s'", e);

	if (r == ERR_ok)
		r = run->down ? step_down(run->db, m, e) : step_up(run->db, m, e);
	if (r == ERR_ok)
		return db_script(run->db, "COMMIT", e);
	migrate_try(run->db, "ROLLBACK");
	return r;
}

static enum err
refuse_header(const struct migration *m, const char *sql, struct error *e)
{
	if (strstr(sql, "-- steward: no-transaction") == NULL)
		return ERR_ok;
	return err_set(e, ERR_config, "migrations/%s says no-transaction, which this program cannot run", m->name);
}

/* Tried again while other transactions are in the way; each failure has left nothing behind. */
static enum err
apply(const struct run *run, const struct migration *m, struct error *e)
{
	struct backoff pause = { .min_ms = 100, .max_ms = 3000 };
	enum err       r     = refuse_header(m, run->down ? m->down : m->up, e);

	for (int attempt = 1; r == ERR_ok; attempt++) {
		uint32_t chance = 0;

		r = transact(run, m, e);
		if (r != ERR_conflict || attempt == ATTEMPTS)
			return r;
		(void)fprintf(stderr, "steward: %s; trying again\n", e->text);
		if (getrandom(&chance, sizeof(chance), 0) < 0)
			chance = 0;
		wait_ms(backoff_next_ms(&pause, chance));
		r = ERR_ok;
	}
	return r;
}

/* ---------------------------------------------------------------- a run */
static void
print_step(struct changes *ch, const struct migration *m, const char *which, const char *sql)
{
	char heading[96];

	(void)snprintf(heading, sizeof(heading), "-- migrations/%s.%s.sql", m->name, which);
	output_line(ch->out, "%s", heading);
	changes_print(ch, sql);
}

static enum err
step(const struct run *run, const struct migration *m, struct error *e)
{
	enum err r;

	if (run->ch->dry_run) {
		print_step(run->ch, m, run->down ? "down" : "up", run->down ? m->down : m->up);
		return ERR_ok;
	}
	r = apply(run, m, e);
	if (r == ERR_ok)
		changes_note(run->ch, "%s %s", run->down ? "reverted" : "applied", m->name);
	return r;
}

/* The ledger itself, before anything is written into it: a newer program may bring a newer one. */
static enum err
prepare_ledger(const struct run *run, struct error *e)
{
	enum err r = ERR_ok;

	if (!run->ch->dry_run)
		r = db_script(run->db, migration_ledger, e);
	return r == ERR_ok ? r : err_wrap(e, "migrations/ledger.sql");
}

static enum err
walk(const struct run *run, int to, int *version, struct error *e)
{
	int      before = *version;
	enum err r      = ERR_ok;

	if (*version != to)
		r = prepare_ledger(run, e);
	while (r == ERR_ok && *version != to) {
		int                     number = run->down ? *version : *version + 1;
		const struct migration *m      = ledger_find(migrations, number);

		if (m == NULL)
			return err_set(e, ERR_config, "migration %04d is missing in this program", number);
		r = step(run, m, e);
		if (r == ERR_ok)
			*version = run->down ? number - 1 : number;
	}
	/* Also after a failure: what was committed before it counts. */
	if (*version != before && !run->ch->dry_run)
		migrate_try(run->db, "NOTIFY steward_schema");
	return r;
}

static enum err
refuse_direction(bool down, int version, int to, struct error *e)
{
	if (!down && to < version)
		return err_set(e, ERR_refused, "the schema is at %d already; to go back: stewardctl db revert --to %d",
		    version, to);
	if (down && to > version)
		return err_set(e, ERR_refused, "the schema is at %d only; to go on: stewardctl db migrate --to %d",
		    version, to);
	return ERR_ok;
}

static enum err
run_between(const struct admin *a, struct changes *ch, bool down, int to, int *version, struct error *e)
{
	CLEANUP(db_cleanup) struct db *db       = NULL;
	CLEANUP(db_cleanup) struct db *lock     = NULL;
	CLEANUP(ledger_fini) struct ledger list = { 0 };
	enum err r = migrate_connect(a, &db, e);

	if (r == ERR_ok)
		r = admin_connect(a, a->database, &lock, e);
	if (r == ERR_ok && !ch->dry_run)
		r = migrate_lock(lock, e);
	if (r == ERR_ok)
		r = ledger_read(db, &list, e);
	if (r == ERR_ok)
		r = ledger_check(&list, migrations, version, e);
	if (r == ERR_ok)
		r = refuse_direction(down, *version, to, e);
	if (r != ERR_ok)
		return r;
	return walk(&(struct run){ db, ch, down }, to, version, e);
}

enum err
migrate_up(const struct admin *a, struct changes *ch, int to, int *version, struct error *e)
{
	return run_between(a, ch, false, to, version, e);
}

enum err
migrate_down(const struct admin *a, struct changes *ch, int to, int *version, struct error *e)
{
	return run_between(a, ch, true, to, version, e);
}
