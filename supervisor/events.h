/* SPDX-License-Identifier: Apache-2.0 */
/*
 * events - what happened, numbered: logged, published, and the last of them kept
 * for whoever missed some.
 */
#ifndef STEWARD_EVENTS_H
#define STEWARD_EVENTS_H

#include "bus.h"
#include "log.h"

enum { EVENTS_KEPT = 512 };

struct events {
	struct bus_publisher *publisher; /* NULL until the socket is open: then only logged and kept */
	uint64_t              last;      /* number of the newest; 0: none yet */
	struct msg_event     *ring;      /* EVENTS_KEPT of them, by number modulo EVENTS_KEPT */
};

NODISCARD enum err events_init(struct events *ev, struct error *e);

/* `name` is the log's event word; `process` is kind[slot] or steward; the rest is key=value pairs. */
void events_tell(struct events *ev, enum log_level level, const char *name, const char *process,
    const char *format, ...) PRINTF_LIKE(5, 6);

/* The event with this number, borrowed until the next events_tell; NULL when it is not kept (any more). */
const struct msg_event *events_get(const struct events *ev, uint64_t number);

/* The lowest number that is still kept and higher than `after`; last + 1 when there is none. */
uint64_t events_first_after(const struct events *ev, uint64_t after);

#endif
