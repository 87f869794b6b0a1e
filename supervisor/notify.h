/* SPDX-License-Identifier: Apache-2.0 */
/*
 * notify - what the init system is told; the only place that knows libsystemd.
 * Without NOTIFY_SOCKET all of it is nothing.
 */
#ifndef STEWARD_NOTIFY_H
#define STEWARD_NOTIFY_H

#include "base.h"

enum { NOTIFY_STATUS_SIZE = 320 };

/* Zero-initialise. */
struct notify {
	char    status[NOTIFY_STATUS_SIZE]; /* said last */
	int64_t watchdog_ms;                /* half of what is demanded; 0: no watchdog */
	int64_t watchdog_due_ms;
	bool    ready;                      /* said */
};

void notify_init(struct notify *n, int64_t now_ms);

/* Once, with the first sentence. */
void notify_ready(struct notify *n, const char *status);

/* Only when it differs from the last. */
void notify_status(struct notify *n, const char *status);

void notify_reloading(struct notify *n);
void notify_reloaded(struct notify *n);
void notify_stopping(struct notify *n);

/* The loop turns. */
void    notify_tick(struct notify *n, int64_t now_ms);
int64_t notify_due_ms(const struct notify *n);

#endif
