/* SPDX-License-Identifier: Apache-2.0 */
#include "notify.h"

#include <stdio.h>
#include <string.h>
#include <systemd/sd-daemon.h>
#include <time.h>

void
notify_init(struct notify *n, int64_t now_ms)
{
	uint64_t demanded_us = 0;

	if (sd_watchdog_enabled(0, &demanded_us) <= 0)
		return;
	n->watchdog_ms     = MAX((int64_t)(demanded_us / 2000), (int64_t)1);
	n->watchdog_due_ms = now_ms;
}

void
notify_ready(struct notify *n, const char *status)
{
	n->ready = true;
	(void)snprintf(n->status, sizeof(n->status), "%s", status);
	(void)sd_notifyf(0, "READY=1\nSTATUS=%s", n->status);
}

void
notify_status(struct notify *n, const char *status)
{
	if (strcmp(n->status, status) == 0)
		return;
	(void)snprintf(n->status, sizeof(n->status), "%s", status);
	(void)sd_notifyf(0, "STATUS=%s", n->status);
}

void
notify_reloading(struct notify *n)
{
	struct timespec t;

	if (!n->ready)
		return;
	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	(void)sd_notifyf(0, "RELOADING=1\nMONOTONIC_USEC=%" PRId64, (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000);
}

void
notify_reloaded(struct notify *n)
{
	if (n->ready)
		(void)sd_notify(0, "READY=1");
}

void
notify_stopping(struct notify *n)
{
	(void)snprintf(n->status, sizeof(n->status), "stopping");
	(void)sd_notify(0, "STOPPING=1\nSTATUS=stopping");
}

void
notify_tick(struct notify *n, int64_t now_ms)
{
	if (n->watchdog_ms == 0 || now_ms < n->watchdog_due_ms)
		return;
	n->watchdog_due_ms = now_ms + n->watchdog_ms;
	(void)sd_notify(0, "WATCHDOG=1");
}

int64_t
notify_due_ms(const struct notify *n)
{
	return n->watchdog_ms == 0 ? INT64_MAX : n->watchdog_due_ms;
}
