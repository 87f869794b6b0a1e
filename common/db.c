/* SPDX-License-Identifier: Apache-2.0 */
#include "db_libpq.h"

#include "clock.h"

#include <errno.h>
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
		db->pg = libpq()->connectStartParams(k.key, k.value, 1);
	db_keywords_wipe(&k);
	if (r != ERR_ok)
		return r;
	if (db->pg == NULL)
		return err_set(e, ERR_no_memory, "connect to the database: memory ran out");
	(void)libpq()->setNoticeProcessor(db->pg, swallow, NULL);
	if (libpq()->status(db->pg) == CONNECTION_BAD)
		return db_fail_connection(db->pg, e);
	/* Only verbose errors carry the SQLSTATE of a refused connection. */
	(void)libpq()->setErrorVerbosity(db->pg, PQERRORS_VERBOSE);
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
	struct pollfd p = { .fd = libpq()->socket(db->pg), .events = *wait == DB_WAIT_READ ? POLLIN : POLLOUT };

	/* Asked too early, libpq takes the socket for connected, writes, and waits without a limit. */
	if (p.fd >= 0 && poll(&p, 1, 0) == 0)
		return ERR_ok;
	switch (libpq()->connectPoll(db->pg)) {
	case PGRES_POLLING_READING:
		*wait = DB_WAIT_READ;
		return ERR_ok;
	case PGRES_POLLING_OK:
		*wait         = DB_WAIT_NOTHING;
		db->connected = true;
		(void)libpq()->setErrorVerbosity(db->pg, PQERRORS_DEFAULT);
		(void)libpq()->setnonblocking(db->pg, 1);
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
	struct pollfd p = { .fd = libpq()->socket(db->pg), .events = wait == DB_WAIT_READ ? POLLIN : POLLOUT };

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
		(void)libpq()->setnonblocking(db->pg, 0);
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
	/* There is none when libpq could not even be loaded. */
	if (db->pg != NULL) {
		libpq()->clear(db->result);
		libpq()->finish(db->pg);
	}
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
		value = libpq()->host(db->pg);
	else if (strcmp(keyword, "port") == 0)
		value = libpq()->port(db->pg);
	else if (strcmp(keyword, "dbname") == 0)
		value = libpq()->db(db->pg);
	else if (strcmp(keyword, "user") == 0)
		value = libpq()->user(db->pg);
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
	return libpq()->socket(db->pg);
}

bool
db_is_broken(const struct db *db)
{
	return db->connected && libpq()->status(db->pg) == CONNECTION_BAD;
}

/* --------------------------------------------------------------- results */
static bool
is_failure(const struct pg_result *r)
{
	ExecStatusType status = libpq()->resultStatus(r);

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
		libpq()->clear(pg);
		return r;
	}
	*result = calloc(1, sizeof(**result));
	if (*result == NULL) {
		libpq()->clear(pg);
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
	return hand_over(db, libpq()->execParams(db->pg, sql, count, NULL, parameters, NULL, NULL, 0), result, e);
}

enum err
db_script(struct db *db, const char *sql, struct error *e)
{
	enum err         code = ERR_ok;
	struct pg_result *r;

	if (libpq()->sendQuery(db->pg, sql) == 0)
		return db_fail_connection(db->pg, e);
	for (int statement = 1; (r = libpq()->getResult(db->pg)) != NULL; statement++) {
		ExecStatusType status = libpq()->resultStatus(r);

		if (status == PGRES_COPY_IN)
			(void)libpq()->putCopyEnd(db->pg, "a script has no data for COPY FROM stdin");
		else if (status != PGRES_COPY_OUT && is_failure(r) && code == ERR_ok)
			code = db_fail_result(r, sql, statement, e);
		libpq()->clear(r);
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
	return sent(db, libpq()->sendQuery(db->pg, sql), e);
}

enum err
db_send_prepare(struct db *db, enum statement s, struct error *e)
{
	const struct statement_desc *d = statement_desc(s);

	return sent(db, libpq()->sendPrepare(db->pg, d->name, d->sql, d->parameter_count, db_statement_types(s)), e);
}

enum err
db_send_statement(struct db *db, enum statement s, const char *const *parameters, struct error *e)
{
	const struct statement_desc *d = statement_desc(s);

	return sent(db, libpq()->sendQueryPrepared(db->pg, d->name, d->parameter_count, parameters, NULL, NULL, 0), e);
}

enum err
db_flush(struct db *db, enum db_wait *wait, struct error *e)
{
	int left = libpq()->flush(db->pg);

	*wait = left == 1 ? DB_WAIT_WRITE : DB_WAIT_NOTHING;
	return left >= 0 ? ERR_ok : db_fail_connection(db->pg, e);
}

enum err
db_receive(struct db *db, struct db_result **result, struct error *e)
{
	struct pg_result *r;
	bool              alive = libpq()->consumeInput(db->pg) != 0;

	/* Once the connection is gone libpq says busy for ever, but still has what the server said before. */
	while (!alive || !libpq()->isBusy(db->pg)) {
		r = libpq()->getResult(db->pg);
		if (r == NULL)
			return hand_over(db, TAKE(db->result), result, e);
		if (db->result != NULL && is_failure(db->result)) {
			libpq()->clear(r);
			continue;
		}
		libpq()->clear(db->result);
		db->result = r;
	}
	return ERR_again;
}

enum err
db_consume(struct db *db, struct error *e)
{
	return libpq()->consumeInput(db->pg) != 0 ? ERR_ok : db_fail_connection(db->pg, e);
}

unsigned
db_notified(struct db *db, const char *const *channels, unsigned count)
{
	PGnotify *n;
	unsigned  heard = 0;

	while ((n = libpq()->notifies(db->pg)) != NULL) {
		for (unsigned i = 0; i < count; i++)
			if (channels[i] != NULL && strcmp(n->relname, channels[i]) == 0)
				heard |= 1U << i;
		libpq()->freemem(n);
	}
	return heard;
}

/* ----------------------------------------------------------------- quote */
/* libpq's memory is its own; callers know only free(). */
static char *
owned(char *quoted)
{
	char *copy = quoted != NULL ? strdup(quoted) : NULL;

	libpq()->freemem(quoted);
	return copy;
}

char *
db_quote_name(struct db *db, const char *name)
{
	return owned(libpq()->escapeIdentifier(db->pg, name, strlen(name)));
}

char *
db_quote_text(struct db *db, const char *text)
{
	return owned(libpq()->escapeLiteral(db->pg, text, strlen(text)));
}

char *
db_password_verifier(struct db *db, const char *password, const char *role)
{
	return owned(libpq()->encryptPasswordConn(db->pg, password, role, NULL));
}
