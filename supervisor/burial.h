/* SPDX-License-Identifier: Apache-2.0 */
/*
 * burial - the end of a process, and what follows.  The replacement comes first;
 * whatever is written about the dead is written after it.
 */
#ifndef STEWARD_BURIAL_H
#define STEWARD_BURIAL_H

#include "tree.h"

/* The handler of a slot's pidfd. */
void burial_on_death(void *slot);

/* Its program could not be started. */
void burial_of_unborn(struct slot *s, const struct error *why, int64_t now_ms);

/* Decisions need these; in the configuration in force. */
struct restart_rules burial_rules(const struct kind *k);

#endif
