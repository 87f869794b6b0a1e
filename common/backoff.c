/* SPDX-License-Identifier: Apache-2.0 */
#include "backoff.h"

int64_t
backoff_next_ms(struct backoff *b, uint32_t chance)
{
	int64_t ceiling = b->min_ms;
	int64_t pause;

	for (unsigned i = 0; i < b->failures && ceiling < b->max_ms; i++)
		ceiling *= 2;
	ceiling = MIN(ceiling, b->max_ms);
	b->failures++;
	pause = ceiling > 0 ? (int64_t)chance % ceiling : 0;
	return MAX(pause, b->min_ms / 2);
}

void
backoff_reset(struct backoff *b)
{
	b->failures = 0;
}
