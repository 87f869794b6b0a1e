/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ledger - what steward.migration says was applied, held against the migrations
 * that this program carries.
 */
#ifndef STEWARD_LEDGER_H
#define STEWARD_LEDGER_H

#include "db.h"
#include "migration.h"

struct ledger_row {
	int  version;
	char name[64];
	char sha256[65];
};

struct ledger {
	size_t             count;
	struct ledger_row *row; /* in order; owned */
};
void ledger_fini(struct ledger *l);

/* Read it; a database without one has an empty ledger.  Needs steward_owner. */
NODISCARD enum err ledger_read(struct db *db, struct ledger *l, struct error *e);

/*
 * Whether every applied migration is one of `known` with nothing missing before
 * it; *version is the highest.  Pure.  Errors: ERR_schema_new, ERR_config (a file
 * was edited), ERR_refused (a predecessor is missing).
 */
NODISCARD enum err ledger_check(const struct ledger *l, const struct migration *known, int *version, struct error *e);

/* The version that this program brings. */
int ledger_newest(const struct migration *known);

/* The migration of this version, or NULL. */
const struct migration *ledger_find(const struct migration *known, int version);

#endif
