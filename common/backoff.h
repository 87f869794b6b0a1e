/* SPDX-License-Identifier: Apache-2.0 */
/*
 * backoff - delays that double, with full jitter.  Pure: chance is passed in.
 */
#ifndef STEWARD_BACKOFF_H
#define STEWARD_BACKOFF_H

#include "base.h"

/* Zero-initialise `failures`. */
struct backoff {
	int64_t  min_ms;
	int64_t  max_ms;
	unsigned failures;
};

/*
 * Count a failure and return the pause before the next try, uniform in
 * [0, min(max, min * 2^n)) for the n-th failure but at least `min_ms` / 2, so
 * that it never spins.  `chance` is any random number.
 */
int64_t backoff_next_ms(struct backoff *b, uint32_t chance);

/* Forget all failures. */
void backoff_reset(struct backoff *b);

#endif
