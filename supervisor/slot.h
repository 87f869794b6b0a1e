/* SPDX-License-Identifier: Apache-2.0 */
/*
 * slot - the life of one process: started, heard, found hung, told to leave,
 * buried, and replaced.  For tree.c and orders.c; others use tree.h.
 */
#ifndef STEWARD_SLOT_H
#define STEWARD_SLOT_H

#include "tree.h"

/*
 * Make the slot of this number and listen for its process.  It is kept for ever:
 * closing a socket of nng may block, and a supervisor may not.
 */
NODISCARD enum err slot_open(struct kind *k, unsigned number, struct error *e);

/* Whether a process shall run here. */
bool slot_is_wanted(const struct slot *s);

bool slot_is_alive(const struct slot *s);

/* Apply an event of the lifecycle. */
void slot_move(struct slot *s, enum lifecycle_event event);

/* From down, backoff or failed.  A program that cannot be started counts as a crash. */
void slot_start(struct slot *s, int64_t now_ms);

/* Tell it to finish and leave; drain_timeout later it is killed. */
void slot_dismiss(struct slot *s, int64_t now_ms);
void slot_kill(struct slot *s, int signal_number);

/* Read what it has said.  The argument is a struct slot: the handler of its link. */
void slot_listen(void *slot);

/* The event `worker_started`; nothing when it did not start. */
void slot_tell_started(const struct slot *s);

/* Send an order; lost when nobody is there. */
void slot_order(struct slot *s, const struct msg *m);

/* Tell a process what its kind's `paused` says. */
void slot_pause_or_resume(struct slot *s);

/* Start, abort or kill what is due. */
void    slot_tick(struct slot *s, int64_t now_ms);
int64_t slot_due_ms(const struct slot *s);

#endif
