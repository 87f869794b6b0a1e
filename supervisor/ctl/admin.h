/* SPDX-License-Identifier: Apache-2.0 */
/*
 * admin - as whom the db commands connect: --admin, else for root and a local
 * server the account postgres, else the login of the configuration.
 *
 * Peer authentication looks at the process, so the account is taken on by a
 * child that never comes back; nothing may have touched nng before.
 */
#ifndef STEWARD_ADMIN_H
#define STEWARD_ADMIN_H

#include "command.h"
#include "db.h"

enum { ADMIN_CONNINFO_SIZE = 2048, ADMIN_NAME_SIZE = 64 };

enum admin_way {
	ADMIN_given,   /* --admin */
	ADMIN_account, /* the local account postgres, or the caller's own */
	ADMIN_login,   /* database.conninfo */
};

struct admin {
	struct config  cfg;
	enum admin_way way;
	char           conninfo[ADMIN_CONNINFO_SIZE];
	char           database[ADMIN_NAME_SIZE]; /* what database.conninfo names */
	char           login[ADMIN_NAME_SIZE];
	char           password[DB_PASSWORD_SIZE]; /* of the login; "" when none is configured */
	char           account[ADMIN_NAME_SIZE];   /* that a child becomes first; "": none */
	char           caller[ADMIN_NAME_SIZE];    /* the person: of sudo, else of this process */
};

typedef enum err admin_fn(const struct command_context *c, const struct admin *a, struct error *e);

/*
 * Load the configuration and run `fn`, which prints its own document.
 * `needs_administrator`: the login will not do.  Errors: fn's, the configuration's, ERR_usage.
 */
NODISCARD enum err admin_run(const struct command_context *c, bool needs_administrator, admin_fn *fn, struct error *e);

/*
 * The same as the login, for what its grants allow.  For root and a local server
 * without a password the child becomes steward's own account, so that peer
 * authentication lets it in.
 */
NODISCARD enum err admin_run_login(const struct command_context *c, admin_fn *fn, struct error *e);

/* Connect to this database; NULL: the one the administrator's own string names.  Waits. */
NODISCARD enum err admin_connect(const struct admin *a, const char *database, struct db **out, struct error *e);

/* Put "; <advice>" behind the sentence and return the code that is already there. */
enum err admin_advise(struct error *e, const char *advice);

#endif
