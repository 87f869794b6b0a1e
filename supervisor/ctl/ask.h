/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ask - the questions and deeds that are functions of the database: a
 * connection as the login, one call at a time, and "the answer is no" as an exit
 * status.
 */
#ifndef STEWARD_ASK_H
#define STEWARD_ASK_H

#include "admin.h"

/* An open connection and the command it is for. */
struct ask {
	const struct command_context *c;
	struct db                    *db;
};

NODISCARD enum err ask_begin(struct ask *ask, const struct command_context *c, const struct admin *a, struct error *e);
void ask_cleanup(struct ask *ask);

/* One statement.  A missing function says which command helps. */
NODISCARD enum err ask_query_with(struct ask *ask, const char *sql, const char *const *values, int count,
    struct db_result **r, struct error *e);

/* With at most one parameter, NULL for none. */
NODISCARD enum err ask_query(struct ask *ask, const char *sql, const char *value, struct db_result **r, struct error *e);

/* Print everything; `no`: ERR_refused without a sentence. */
NODISCARD enum err ask_answer(const struct command_context *c, bool no, struct error *e);

#endif
