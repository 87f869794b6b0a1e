/* SPDX-License-Identifier: Apache-2.0 */
/*
 * db - one connection to PostgreSQL, and the only place that knows libpq.
 *
 * Two ways to use it: db_connect/db_query/db_script wait (stewardctl);
 * db_connect_start/db_send/db_receive never do (session.h, for workers).
 * Every connection sets its own keepalives, so that both ends notice a silent
 * partition within ten seconds.
 */
#ifndef STEWARD_DB_H
#define STEWARD_DB_H

#include "config.h"
#include "error.h"

struct db;
struct db_result;

/* ------------------------------------------------------------ statements */
enum statement {
#define STMT(kind, name, sql, parameters, columns) STMT_##name,
#include "statements.def"
#undef STMT
	STMT_COUNT
};

/* ------------------------------------------------------------ connecting */
struct db_options {
	const char *conninfo;      /* libpq connection string or URI */
	const char *password_file; /* NULL or "": the credential steward.db-password, else libpq's own ways */
	const char *application;   /* application_name */
	int64_t     connect_timeout_ms;
	int64_t     statement_timeout_ms; /* 0: none */
	bool        leave_password; /* the account is not steward's own: its password is libpq's business alone */
};

/* Connect and wait.  Errors: ERR_db_down, ERR_denied (authentication, privileges), ERR_config. */
NODISCARD enum err db_connect(const struct db_options *o, struct db **out, struct error *e);

/* Closes; NULL is fine. */
void db_close(struct db *db);
void db_cleanup(struct db **db);

/* host, port, dbname, user of an open connection ("" when unknown).  Borrowed until db_close. */
const char *db_parameter(const struct db *db, const char *keyword);

/*
 * One keyword as a connection would use it: from the string, its service, the
 * environment or libpq's defaults; "" when nobody says.  ERR_config: cannot be parsed.
 */
NODISCARD enum err db_conninfo_keyword(const char *conninfo, const char *keyword, char *value, size_t size,
    struct error *e);

/* `conninfo` with one keyword set to another value, as a keyword/value string.  ERR_config. */
NODISCARD enum err db_conninfo_with(const char *conninfo, const char *keyword, const char *value, char *out,
    size_t size, struct error *e);

/*
 * The password by steward's own ways: the credential steward.db-password, else
 * `password_file`, which nobody but its owner may read.  "" when there is
 * neither.  Blocks on the file system; the caller wipes it.  ERR_config.
 */
enum { DB_PASSWORD_SIZE = 1024 };
NODISCARD enum err db_password_read(const char *password_file, char password[DB_PASSWORD_SIZE], struct error *e);

/* What the server keeps of a password, so that the password itself is in no log.  Heap; NULL when it cannot be made. */
char *db_password_verifier(struct db *db, const char *password, const char *role);

/* --------------------------------------------------------------- waiting */
/* Run one statement with text parameters (NULL entries are SQL NULL); the result is the caller's. */
NODISCARD enum err db_query(struct db *db, const char *sql, const char *const *parameters, int count,
    struct db_result **result, struct error *e);

/* Run a script of many statements; results are thrown away.  The sentence names the line of the failure. */
NODISCARD enum err db_script(struct db *db, const char *sql, struct error *e);

/* ----------------------------------------------------------- not waiting */
enum db_wait { DB_WAIT_NOTHING, DB_WAIT_READ, DB_WAIT_WRITE };

NODISCARD enum err db_connect_start(const struct db_options *o, struct db **out, struct error *e);

/*
 * Go on connecting when the descriptor is what *wait says (DB_WAIT_WRITE at
 * first), else do nothing; then *wait is what it must become.  DB_WAIT_NOTHING:
 * connected.  The descriptor may change.
 */
NODISCARD enum err db_connect_poll(struct db *db, enum db_wait *wait, struct error *e);

int db_fd(const struct db *db);

/* How many servers the conninfo names; connecting may take the timeout once for each. */
int db_hosts(const struct db *db);

/* Queue one statement; at most one may be under way.  Not yet sent bytes leave with db_flush. */
NODISCARD enum err db_send(struct db *db, const char *sql, struct error *e);
NODISCARD enum err db_send_prepare(struct db *db, enum statement s, struct error *e);
NODISCARD enum err db_send_statement(struct db *db, enum statement s, const char *const *parameters, struct error *e);

/* *wait is DB_WAIT_WRITE while bytes are left to send. */
NODISCARD enum err db_flush(struct db *db, enum db_wait *wait, struct error *e);

/*
 * Take what has arrived.  ERR_again: the statement is not finished.  ERR_ok: it
 * is, and *result (may have no rows) is the caller's.  Any other error: what the
 * server answered; the connection lives unless db_is_broken().
 */
NODISCARD enum err db_receive(struct db *db, struct db_result **result, struct error *e);

/* Read the socket; needed for notifications while no statement is under way. */
NODISCARD enum err db_consume(struct db *db, struct error *e);

/*
 * On which of these channels (bit n for the n-th; NULL entries are none) notifications
 * had arrived since the last call; takes them all.
 */
unsigned db_notified(struct db *db, const char *const *channels, unsigned count);

bool db_is_broken(const struct db *db);

/* ---------------------------------------------------------------- result */
int  db_rows(const struct db_result *r);
int  db_columns(const struct db_result *r);
/* Borrowed until db_result_free; NULL for SQL NULL. */
const char *db_column_name(const struct db_result *r, int column);
const char *db_text(const struct db_result *r, int row, int column);

/* How the column is shown in JSON.  TIME: "2026-01-31 23:59:59.123456+00", always UTC. */
enum db_shape { DB_SHAPE_TEXT, DB_SHAPE_NUMBER, DB_SHAPE_BOOL, DB_SHAPE_JSON, DB_SHAPE_TIME };
enum db_shape db_column_shape(const struct db_result *r, int column);

/* By name; a missing column is our own bug.  `fallback` for SQL NULL, which is not true either. */
int64_t     db_int8(const struct db_result *r, int row, const char *column, int64_t fallback);
bool        db_bool(const struct db_result *r, int row, const char *column);
const char *db_named_text(const struct db_result *r, int row, const char *column);

void db_result_free(struct db_result *r);
void db_result_cleanup(struct db_result **r);

/* ----------------------------------------------------------------- quote */
/* A quoted identifier or literal, heap, the caller's; NULL when memory ran out. */
char *db_quote_name(struct db *db, const char *name);
char *db_quote_text(struct db *db, const char *text);

/* ------------------------------------------------------------ statements */
struct statement_desc {
	enum worker_kind kind; /* or WORKER_scheduled */
	const char      *name;
	const char      *sql;
	const char      *parameters; /* "text worker, int4 batch" */
	const char      *columns;    /* likewise */
	int              parameter_count;
};
const struct statement_desc *statement_desc(enum statement s);

/* The word in the column kind. */
const char *statement_kind_name(enum statement s);

#endif
