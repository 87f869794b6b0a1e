/* SPDX-License-Identifier: Apache-2.0 */
/*
 * db_private - what the files of db share.  Nobody else includes this; libpq's
 * types appear by their struct names; libpq-fe.h is behind db_libpq.h.
 */
#ifndef STEWARD_DB_PRIVATE_H
#define STEWARD_DB_PRIVATE_H

#include "db.h"

struct pg_conn;
struct pg_result;

struct db_result {
	struct pg_result *pg;
};

/* ------------------------------------------------------------ db_conninfo */
enum { DB_KEYWORDS = 16, DB_OPTIONS_SIZE = 2048 };

/* The two arrays of PQconnectdbParams, and the storage behind them. */
struct db_keywords {
	const char *key[DB_KEYWORDS];
	const char *value[DB_KEYWORDS];
	int         count;
	int         hosts; /* how many servers the conninfo names */
	char        timeout[24];
	char        user_timeout[24];
	char        options[DB_OPTIONS_SIZE];
	char        password[DB_PASSWORD_SIZE];
};

/* Everything a connection is opened with.  Wipe it after use.  ERR_config. */
NODISCARD enum err db_keywords_init(struct db_keywords *k, const struct db_options *o, struct error *e);
void db_keywords_wipe(struct db_keywords *k);

/* --------------------------------------------------------------- db_error */
/* The row of errors.def for a five character SQLSTATE.  Pure. */
enum err db_classify(const char *sqlstate);

/* The line of `script`, from 1, that holds its character number `position` (from 1, UTF-8).  Pure. */
int db_line_of(const char *script, int position);

/*
 * Judge libpq's account of a failed connection, written with verbose errors.
 * `line` gets the first line that says why, without SQLSTATE.  Pure.
 */
enum err db_judge_connection(const char *message, char *line, size_t size);

/* Write the sentence for a connection that failed or broke. */
enum err db_fail_connection(const struct pg_conn *pg, struct error *e);

/* Write the sentence for a result that is an error; `script` may be NULL. */
enum err db_fail_result(const struct pg_result *r, const char *script, int statement, struct error *e);

/* ----------------------------------------------------------- db_statement */
/* The parameter types of a statement, parameter_count of them.  Static. */
const unsigned int *db_statement_types(enum statement s);

#endif
