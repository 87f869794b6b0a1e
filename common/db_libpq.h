/* SPDX-License-Identifier: Apache-2.0 */
/*
 * db_libpq - libpq, loaded by the first who needs it.  It brings some twenty
 * libraries along (LDAP, Kerberos, two of TLS), and loading those takes longer
 * than everything else that `stewardctl status` does, which has no use for them.
 */
#ifndef STEWARD_DB_LIBPQ_H
#define STEWARD_DB_LIBPQ_H

#include <libpq-fe.h>

#include "db_private.h"

/* One pointer per row: PQfinish is `finish`. */
struct libpq {
#define PQ(name) __typeof__(PQ##name) *name;
#include "libpq.def"
#undef PQ
};

/* Load it; nothing when that has been done.  ERR_system: it is not installed. */
NODISCARD enum err libpq_load(struct error *e);

/* Its functions; only after libpq_load() has succeeded. */
const struct libpq *libpq(void);

#endif
