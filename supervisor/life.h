/* SPDX-License-Identifier: Apache-2.0 */
/*
 * life - the supervisor's own: how it begins, its loop, and how it ends.
 */
#ifndef STEWARD_LIFE_H
#define STEWARD_LIFE_H

#include "supervisor.h"

/* When root: make the run directory and become the configured user. */
NODISCARD enum err life_become(const struct supervisor *s, struct error *e);

/*
 * Take the lock, wait for the workers of an earlier supervisor, open the sockets.
 * ERR_refused when another supervisor runs in the same directory.
 */
NODISCARD enum err life_begin(struct supervisor *s, struct error *e);

/* The loop; returns when all is stopped. */
void life_go_on(struct supervisor *s);

/*
 * Remove the sockets.  Nothing else is closed or freed: closing a socket of nng
 * may block for ever when a message is just arriving, and the process ends anyway.
 */
void life_end(const struct supervisor *s);

#endif
