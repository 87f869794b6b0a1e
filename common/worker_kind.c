/* SPDX-License-Identifier: Apache-2.0 */
#include "worker_kind.h"

#include <string.h>

static const struct worker_desc rows[WORKER_COUNT] = {
#define WORKER(name, rank, policy, summary) [WORKER_##name] = { #name, rank, POLICY_##policy, summary },
#include WORKERS_DEF
#undef WORKER
};

const struct worker_desc *
worker_desc(enum worker_kind kind)
{
	return &rows[kind];
}

enum worker_kind
worker_kind_by_name(const char *name)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (strcmp(rows[i].name, name) == 0)
			return (enum worker_kind)i;
	return WORKER_COUNT;
}
