/* SPDX-License-Identifier: Apache-2.0 */
/*
 * closest - the one of many words that somebody probably meant.
 */
#ifndef STEWARD_CLOSEST_H
#define STEWARD_CLOSEST_H

#include "nearest.h"

struct closest {
	const char *wanted;
	const char *best;     /* borrowed from closest_offer; NULL while none is close */
	size_t      distance; /* of the best */
};

void closest_begin(struct closest *c, const char *wanted);

/* Offer a word; it becomes the best when it is close, and closer than those before.  Returns whether it did. */
bool closest_offer(struct closest *c, const char *word);

#endif
