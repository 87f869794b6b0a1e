/* SPDX-License-Identifier: Apache-2.0 */
/*
 * migrate - takes a database from one version of the schema to another, one
 * transaction per migration, under an advisory lock of its own connection so
 * that two runs never interleave.
 */
#ifndef STEWARD_MIGRATE_H
#define STEWARD_MIGRATE_H

#include "admin.h"
#include "changes.h"

/* Connect to the login's database and become steward_owner.  ERR_denied says what to do. */
NODISCARD enum err migrate_connect(const struct admin *a, struct db **out, struct error *e);

/* SET ROLE steward_owner. */
NODISCARD enum err migrate_become_owner(struct db *db, struct error *e);

/* Run what nothing depends on any more; a failure is told and forgotten. */
void migrate_try(struct db *db, const char *sql);

/* Wait for the lock that all who change the schema or the roles take; it ends with the connection. */
NODISCARD enum err migrate_lock(struct db *lock, struct error *e);

/*
 * Bring the schema up to `to`, or down to it, and wake the workers that wait for
 * it.  Waits for another run, and for locks: each migration is tried ten times.
 * *version is where the schema is afterwards, also after a failure.
 */
NODISCARD enum err migrate_up(const struct admin *a, struct changes *ch, int to, int *version, struct error *e);
NODISCARD enum err migrate_down(const struct admin *a, struct changes *ch, int to, int *version, struct error *e);

#endif
