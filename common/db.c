/* SPDX-License-Identifier: Apache-2.0 */
#include "db_private.h"

#include "clock.h"

#include <errno.h>
#include <libpq-fe.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

struct db {
	PGconn           *pg;
	bool              connected;
	int               hosts; /* how many servers the conninfo names */
	struct pg_result *result; /* of the statement under way: its last result, or its first error */
};

/* Notices would go to stderr, past the log. */
static void
swallow(void *arg, const char *message)
{
	(void)arg;
	(void)message;
}

/* ------------------------------------------------------------ connecting */
/* Give `db` a connection that is under way. */
static enum err
start(struct db *db, const struct db_options *o, struct error *e)
{
	struct db_keywords k;
	enum err           r = db_keywords_init(&k, o, e);

	db->hosts = k.hosts;
	if (r == ERR_ok)
		db->pg = PQconnectStartParams(k.key, k.value, 1);
	db_keywords_wipe(&k);
	if (r != ERR_ok)
		return r;
	if (db->pg == NULL)
		return err_set(e, ERR_no_memory, "connect to the database: memory ran out");
	(void)PQsetNoticeProcessor(db->pg, swallow, NULL);
	if (PQstatus(db->pg) == CONNECTION_BAD)
		return db_fail_connection(db->pg, e);
	/* Only verbose errors carry the SQLSTATE of a refused connection. */
	(void)PQsetErrorVerbosity(db->pg, PQERRORS_VERBOSE);
	return ERR_ok;
}

/* NULL on failure, with its row in *r. */
static struct db *
create(const struct db_options *o, enum err *r, struct error *e)
{
	struct db *db = calloc(1, sizeof(*db));

	if (db == NULL) {
		*r = err_set(e, ERR_no_memory, "connect to the database: memory ran out");
		return NULL;
	}
	*r = start(db, o, e);
	if (*r == ERR_ok)
		return db;
	db_close(db);
	return NULL;
}

enum err
db_connect_start(const struct db_options *o, struct db **out, struct error *e)
{
	enum err r;

	*out = create(o, &r, e);
	return r;
}

enum err
db_connect_poll(struct db *db, enum db_wait *wait, struct error *e)
{
	struct pollfd p = { .fd = PQsocket(db->pg), .events = *wait == DB_WAIT_READ ? POLLIN : POLLOUT };

	/* Asked too early, libpq takes the socket for connected, writes, and waits without a limit. */
	if (p.fd >= 0 && poll(&p, 1, 0) == 0)
		return ERR_ok;
	switch (PQconnectPoll(db->pg)) {
	case PGRES_POLLING_READING:
		*wait = DB_WAIT_READ;
		return ERR_ok;
	case PGRES_POLLING_OK:
		*wait         = DB_WAIT_NOTHING;
		db->connected = true;
		(void)PQsetErrorVerbosity(db->pg, PQERRORS_DEFAULT);
		(void)PQsetnonblocking(db->pg, 1);
		return ERR_ok;
	case PGRES_POLLING_FAILED:
		return db_fail_connection(db->pg, e);
	case PGRES_POLLING_WRITING:
	case PGRES_POLLING_ACTIVE:
	default:
		*wait = DB_WAIT_WRITE;
		return ERR_ok;
	}
}

/* Wait until the descriptor is ready, or `deadline_ms` has come. */
static enum err
wait_for(const struct db *db, enum db_wait wait, int64_t deadline_ms, struct error *e)
{
	struct pollfd p = { .fd = PQsocket(db->pg), .events = wait == DB_WAIT_READ ? POLLIN : POLLOUT };

	for (;;) {
		int64_t left = deadline_ms - clock_now_ms();
		int     n    = left > 0 ? poll(&p, 1, (int)MIN(left, INT32_MAX)) : 0;

		if (n > 0)
			return ERR_ok;
		if (n == 0)
			return err_set(e, ERR_db_down, "connect to %s: no answer in time", db_parameter(db, "host"));
		if (errno != EINTR)
			return err_errno(e, "wait for the database");
	}
}

static enum err
connect_until(struct db *db, int64_t deadline_ms, struct error *e)
{
	enum db_wait wait = DB_WAIT_WRITE;
	enum err     r    = ERR_ok;

	while (r == ERR_ok && wait != DB_WAIT_NOTHING) {
		r = wait_for(db, wait, deadline_ms, e);
		if (r == ERR_ok)
			r = db_connect_poll(db, &wait, e);
	}
	if (r == ERR_ok)
		(void)PQsetnonblocking(db->pg, 0);
	return r;
}

enum err
db_connect(const struct db_options *o, struct db **out, struct error *e)
{
	enum err   r;
	struct db *db = create(o, &r, e);

	if (db == NULL)
		return r;
	r = connect_until(db, clock_now_ms() + o->connect_timeout_ms * db->hosts, e);
	if (r == ERR_ok)
		*out = db;
	else
		db_close(db);
	return r;
}

void
db_close(struct db *db)
{
	if (db == NULL)
		return;
	PQclear(db->result);
	PQfinish(db->pg);
	free(db);
}

void
db_cleanup(struct db **db)
{
	db_close(*db);
}

const char *
db_parameter(const struct db *db, const char *keyword)
{
	const char *value = NULL;

	if (strcmp(keyword, "host") == 0)
		value = PQhost(db->pg);
	else if (strcmp(keyword, "port") == 0)
		value = PQport(db->pg);
	else if (strcmp(keyword, "dbname") == 0)
		value = PQdb(db->pg);
	else if (strcmp(keyword, "user") == 0)
		value = PQuser(db->pg);
	return value != NULL ? value : "";
}

int
db_hosts(const struct db *db)
{
	return db->hosts;
}

int
db_fd(const struct db *db)
{
	return PQsocket(db->pg);
}

bool
db_is_broken(const struct db *db)
{
	return db->connected && PQstatus(db->pg) == CONNECTION_BAD;
}

/* --------------------------------------------------------------- results */
static bool
is_failure(const struct pg_result *r)
{
	ExecStatusType status = PQresultStatus(r);

	return status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && status != PGRES_EMPTY_QUERY;
}

/* Turn the result, which is taken, into the caller's, or into the failure that it is. */
static enum err
hand_over(struct db *db, struct pg_result *pg, struct db_result **result, struct error *e)
{
	enum err r;

	if (pg == NULL)
		return db_fail_connection(db->pg, e);
	if (is_failure(pg)) {
		r = db_fail_result(pg, NULL, 0, e);
		PQclear(pg);
		return r;
	}
	*result = calloc(1, sizeof(**result));
	if (*result == NULL) {
		PQclear(pg);
		return err_set(e, ERR_no_memory, "read from the database: memory ran out");
	}
	(*result)->pg = pg;
	return ERR_ok;
}

/* --------------------------------------------------------------- waiting */
enum err
db_query(struct db *db, const char *sql, const char *const *parameters, int count, struct db_result **result,
    struct error *e)
{
	return hand_over(db, PQexecParams(db->pg, sql, count, NULL, parameters, NULL, NULL, 0), result, e);
}

enum err
db_script(struct db *db, const char *sql, struct error *e)
{
	enum err         code = ERR_ok;
	struct pg_result *r;

	if (PQsendQuery(db->pg, sql) == 0)
		return db_fail_connection(db->pg, e);
	for (int statement = 1; (r = PQgetResult(db->pg)) != NULL; statement++) {
		ExecStatusType status = PQresultStatus(r);

		if (status == PGRES_COPY_IN)
			(void)PQputCopyEnd(db->pg, "a script has no data for COPY FROM stdin");
		else if (status != PGRES_COPY_OUT && is_failure(r) && code == ERR_ok)
			code = db_fail_result(r, sql, statement, e);
		PQclear(r);
		/* Nothing reads the rows, and libpq would offer them for ever. */
		if (status == PGRES_COPY_OUT)
			return err_set(e, ERR_internal, "statement %d: a script cannot COPY TO stdout", statement);
	}
	return code;
}

/* ----------------------------------------------------------- not waiting */
static enum err
sent(struct db *db, int ok, struct error *e)
{
	return ok != 0 ? ERR_ok : db_fail_connection(db->pg, e);
}

enum err
db_send(struct db *db, const char *sql, struct error *e)
{
	return sent(db, PQsendQuery(db->pg, sql), e);
}

enum err
db_send_prepare(struct db *db, enum statement s, struct error *e)
{
	const struct statement_desc *d = statement_desc(s);

	return sent(db, PQsendPrepare(db->pg, d->name, d->sql, d->parameter_count, db_statement_types(s)), e);
}

enum err
db_send_statement(struct db *db, enum statement s, const char *const *parameters, struct error *e)
{
	const struct statement_desc *d = statement_desc(s);

	return sent(db, PQsendQueryPrepared(db->pg, d->name, d->parameter_count, parameters, NULL, NULL, 0), e);
}

enum err
db_flush(struct db *db, enum db_wait *wait, struct error *e)
{
	int left = PQflush(db->pg);

	*wait = left == 1 ? DB_WAIT_WRITE : DB_WAIT_NOTHING;
	return left >= 0 ? ERR_ok : db_fail_connection(db->pg, e);
}

enum err
db_receive(struct db *db, struct db_result **result, struct error *e)
{
	struct pg_result *r;
	bool              alive = PQconsumeInput(db->pg) != 0;

	/* Once the connection is gone libpq says busy for ever, but still has what the server said before. */
	while (!alive || !PQisBusy(db->pg)) {
		r = PQgetResult(db->pg);
		if (r == NULL)
			return hand_over(db, TAKE(db->result), result, e);
		if (db->result != NULL && is_failure(db->result)) {
			PQclear(r);
			continue;
		}
		PQclear(db->result);
		db->result = r;
	}
	return ERR_again;
}

enum err
db_consume(struct db *db, struct error *e)
{
	return PQconsumeInput(db->pg) != 0 ? ERR_ok : db_fail_connection(db->pg, e);
}

bool
db_notified(struct db *db, const char *watched, bool *on_watched)
{
	PGnotify *n;
	bool      any = false;

	while ((n = PQnotifies(db->pg)) != NULL) {
		*on_watched |= strcmp(n->relname, watched) == 0;
		PQfreemem(n);
		any = true;
	}
	return any;
}

/* ----------------------------------------------------------------- quote */
/* libpq's memory is its own; callers know only free(). */
static char *
owned(char *quoted)
{
	char *copy = quoted != NULL ? strdup(quoted) : NULL;

	PQfreemem(quoted);
	return copy;
}

char *
db_quote_name(struct db *db, const char *name)
{
	return owned(PQescapeIdentifier(db->pg, name, strlen(name)));
}

char *
db_quote_text(struct db *db, const char *text)
{
	return owned(PQescapeLiteral(db->pg, text, strlen(text)));
}

char *
db_password_verifier(struct db *db, const char *password, const char *role)
{
	return owned(PQencryptPasswordConn(db->pg, password, role, NULL));
}
