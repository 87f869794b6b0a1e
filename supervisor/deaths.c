/* SPDX-License-Identifier: Apache-2.0 */
#include "deaths.h"

void
deaths_add(struct deaths *d, const struct msg_death *death)
{
	d->ring[d->next] = *death;
	d->next          = (d->next + 1) % DEATHS_KEPT;
	d->count         = MIN(d->count + 1, (unsigned)DEATHS_KEPT);
}

const struct msg_death *
deaths_get(const struct deaths *d, unsigned n)
{
	if (n >= d->count)
		return NULL;
	return &d->ring[(d->next + DEATHS_KEPT - 1 - n) % DEATHS_KEPT];
}
