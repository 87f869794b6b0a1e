/* SPDX-License-Identifier: Apache-2.0 */
/*
 * nearest - how far two words are apart, for "did you mean".
 *
 * A slip is one letter inserted, dropped, replaced, or swapped with its
 * neighbour.  Words are compared by their first NEAREST_WORD_MAX bytes.
 */
#ifndef STEWARD_NEAREST_H
#define STEWARD_NEAREST_H

#include "base.h"

enum { NEAREST_WORD_MAX = 96 };

/* The least number of slips that turn `a` into `b`. */
size_t nearest_distance(const char *a, const char *b);

/* Whether so many slips in a word of this length are still a slip and not another word. */
bool nearest_is_close(size_t distance, size_t length);

#endif
