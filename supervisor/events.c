/* SPDX-License-Identifier: Apache-2.0 */
#include "events.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>

#include "clock.h"

enum err
events_init(struct events *ev, struct error *e)
{
	ev->publisher = NULL;
	ev->last      = 0;
	ev->ring      = calloc(EVENTS_KEPT, sizeof(*ev->ring));
	if (ev->ring == NULL)
		return err_set(e, ERR_no_memory, "no memory for the events");
	return ERR_ok;
}

void
events_tell(struct events *ev, enum log_level level, const char *name, const char *process,
    const char *format, ...)
{
	struct msg        m = { .type = MSG_event };
	struct msg_event *row = &m.body.event;
	va_list           args;

	row->number = ++ev->last;
	row->at     = clock_wall_us();
	(void)snprintf(row->name, sizeof(row->name), "%s", name);
	(void)snprintf(row->process, sizeof(row->process), "%s", process);
	va_start(args, format);
	(void)vsnprintf(row->detail, sizeof(row->detail), format, args);
	va_end(args);
	ev->ring[row->number % EVENTS_KEPT] = *row;
	log_event(level, name, "process=%s %s", process, row->detail);
	/* A watcher that misses one sees the gap and asks. */
	if (ev->publisher != NULL)
		if (bus_publish(ev->publisher, &m, NULL) != ERR_ok)
			return;
}

const struct msg_event *
events_get(const struct events *ev, uint64_t number)
{
	const struct msg_event *row = &ev->ring[number % EVENTS_KEPT];

	return number != 0 && row->number == number ? row : NULL;
}

uint64_t
events_first_after(const struct events *ev, uint64_t after)
{
	uint64_t oldest = ev->last < EVENTS_KEPT ? 1 : ev->last - EVENTS_KEPT + 1;

	if (after >= ev->last)
		return ev->last + 1;
	return MAX(after + 1, oldest);
}
