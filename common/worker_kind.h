/* SPDX-License-Identifier: Apache-2.0 */
/*
 * worker_kind - the rows of workers.def as an enum with names.
 */
#ifndef STEWARD_WORKER_KIND_H
#define STEWARD_WORKER_KIND_H

#include "base.h"

/* The tests of the supervisor bring a table of their own. */
#ifndef WORKERS_DEF
#define WORKERS_DEF "workers.def"
#endif

enum worker_kind {
#define WORKER(name, rank, policy, summary) WORKER_##name,
#include WORKERS_DEF
#undef WORKER
	WORKER_COUNT,
	WORKER_scheduled /* no kind: in statements.def, every one that has jobs to run at their time */
};

/* What each process of a kind has open: at its end of file the supervisor is gone. */
enum { WORKER_LIFELINE_FD = 3 };

enum restart_policy { POLICY_always, POLICY_on_crash, POLICY_once };

struct worker_desc {
	const char         *name;
	int                 rank;
	enum restart_policy policy;
	const char         *summary;
};

/* Static; never NULL for kind < WORKER_COUNT. */
const struct worker_desc *worker_desc(enum worker_kind kind);

/* The kind of this name, or WORKER_COUNT. */
enum worker_kind worker_kind_by_name(const char *name);

#endif
