/* SPDX-License-Identifier: Apache-2.0 */
/*
 * deaths - how the last processes of a kind ended.
 */
#ifndef STEWARD_DEATHS_H
#define STEWARD_DEATHS_H

#include "message.h"

enum { DEATHS_KEPT = 32 };

/* Zero-initialise. */
struct deaths {
	struct msg_death ring[DEATHS_KEPT];
	unsigned         count;
	unsigned         next;
};

void deaths_add(struct deaths *d, const struct msg_death *death);

/* The n-th newest, 0 the last one; NULL when there are not so many.  Borrowed until the next deaths_add. */
const struct msg_death *deaths_get(const struct deaths *d, unsigned n);

#endif
