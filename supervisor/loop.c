/* SPDX-License-Identifier: Apache-2.0 */
#include "loop.h"

#include <limits.h>
#include <sys/epoll.h>
#include <unistd.h>

#include "clock.h"

enum { EVENTS_PER_TURN = 32 };

enum err
loop_init(struct loop *l, struct error *e)
{
	l->fd = epoll_create1(EPOLL_CLOEXEC);
	if (l->fd < 0)
		return err_errno(e, "epoll_create1");
	return ERR_ok;
}

enum err
loop_add(struct loop *l, struct watch *w, struct error *e)
{
	struct epoll_event event = { .events = EPOLLIN, .data.ptr = w };

	if (epoll_ctl(l->fd, EPOLL_CTL_ADD, w->fd, &event) != 0)
		return err_errno(e, "epoll_ctl");
	return ERR_ok;
}

void
loop_remove(struct loop *l, struct watch *w)
{
	if (w->fd >= 0)
		(void)epoll_ctl(l->fd, EPOLL_CTL_DEL, w->fd, NULL);
	w->fd = -1;
}

void
loop_turn(struct loop *l, int64_t due_ms)
{
	struct epoll_event events[EVENTS_PER_TURN];
	int                timeout = -1;
	int                count;

	if (due_ms != INT64_MAX) {
		int64_t wait_ms = MAX(due_ms - clock_now_ms(), (int64_t)0);

		timeout = (int)MIN(wait_ms, (int64_t)INT_MAX);
	}
	count = epoll_wait(l->fd, events, EVENTS_PER_TURN, timeout);
	for (int i = 0; i < count; i++) {
		struct watch *w = events[i].data.ptr;

		/* One handler may have removed the next one's watch. */
		if (w->fd >= 0)
			w->on_ready(w->owner);
	}
}
