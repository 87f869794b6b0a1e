/* SPDX-License-Identifier: Apache-2.0 */
/*
 * loop - one epoll set.  No timers of its own: whoever has something due says
 * so, and the wait ends then.
 */
#ifndef STEWARD_LOOP_H
#define STEWARD_LOOP_H

#include "error.h"

/* Embedded in its owner, who may not move or free it while it is added. */
struct watch {
	int fd; /* -1: not added */
	void (*on_ready)(void *owner);
	void *owner;
};

struct loop {
	int fd;
};

NODISCARD enum err loop_init(struct loop *l, struct error *e);

/* Watch w->fd for reading. */
NODISCARD enum err loop_add(struct loop *l, struct watch *w, struct error *e);

/* Stop watching and set w->fd to -1; does not close it.  Safe inside any on_ready. */
void loop_remove(struct loop *l, struct watch *w);

/* Wait until `due_ms` of the monotonic clock (INT64_MAX: for ever) and serve what is ready. */
void loop_turn(struct loop *l, int64_t due_ms);

#endif
