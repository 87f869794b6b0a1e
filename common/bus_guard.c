/* SPDX-License-Identifier: Apache-2.0 */
#include "bus_guard.h"

#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "clock.h"

struct connection {
	uint32_t        pipe; /* 0: free */
	bool            waits_for_answer;
	bool            ends;
	struct bus_peer peer;
	int64_t         since_ms; /* connected, or answered last */
};

struct bus_guard {
	struct bus_guard_options options;
	char                     path[BUS_PATH_SIZE];
	nng_aio                 *timer;
	/* Guards the rest.  nng is never called with it held. */
	pthread_mutex_t   lock;
	bool              closing;
	bool              timer_runs;
	size_t            list_end; /* no place from here on is taken */
	struct connection list[BUS_CONNECTIONS_MAX];
};

static struct connection *
find(struct bus_guard *g, uint32_t pipe)
{
	for (size_t i = 0; i < g->list_end; i++)
		if (g->list[i].pipe == pipe)
			return &g->list[i];
	return NULL;
}

static struct connection *
find_place(struct bus_guard *g)
{
	struct connection *c = find(g, 0);

	if (c == NULL && g->list_end < BUS_CONNECTIONS_MAX)
		c = &g->list[g->list_end++];
	return c;
}

static void
give_back(struct bus_guard *g, struct connection *c)
{
	c->pipe = 0;
	while (g->list_end > 0 && g->list[g->list_end - 1].pipe == 0)
		g->list_end--;
}

static void
hang_up(const struct bus_guard *g, pid_t pid)
{
	bus_hang_up(&(struct bus_end){ .path = g->path, .dialled = false, .pid = pid, .uid = BUS_ANY_UID });
}

/* -------------------------------------------------------------- timer */
/* Collect whose silence is too long; *next_ms is when to look again, -1: nobody is left. */
static size_t
collect_idle(struct bus_guard *g, int64_t now_ms, pid_t idle[BUS_CONNECTIONS_MAX], int64_t *next_ms)
{
	size_t count = 0;

	*next_ms = -1;
	for (size_t i = 0; i < g->list_end; i++) {
		struct connection *c    = &g->list[i];
		int64_t            left = c->since_ms + g->options.idle_ms - now_ms;

		if (c->pipe == 0)
			continue;
		if (!c->waits_for_answer && left <= 0) {
			c->ends       = true;
			idle[count++] = c->peer.pid;
		}
		if (c->waits_for_answer || c->ends)
			left = g->options.idle_ms;
		*next_ms = *next_ms < 0 ? left : MIN(*next_ms, left);
	}
	return count;
}

static void
on_timer(void *arg)
{
	struct bus_guard *g = arg;
	pid_t             idle[BUS_CONNECTIONS_MAX];
	size_t            count;
	int64_t           next_ms;

	if (nng_aio_result(g->timer) != 0)
		return;
	(void)pthread_mutex_lock(&g->lock);
	count         = collect_idle(g, clock_now_ms(), idle, &next_ms);
	g->timer_runs = next_ms >= 0;
	(void)pthread_mutex_unlock(&g->lock);
	for (size_t i = 0; i < count; i++)
		hang_up(g, idle[i]);
	if (next_ms >= 0)
		nng_sleep_aio((nng_duration)next_ms, g->timer);
}

/* -------------------------------------------------------- connections */
static bool
read_peer(nng_pipe pipe, struct bus_peer *peer)
{
	uint64_t uid, gid, pid;

	if (nng_pipe_get_uint64(pipe, NNG_OPT_IPC_PEER_UID, &uid) != 0 ||
	    nng_pipe_get_uint64(pipe, NNG_OPT_IPC_PEER_GID, &gid) != 0 ||
	    nng_pipe_get_uint64(pipe, NNG_OPT_IPC_PEER_PID, &pid) != 0)
		return false;
	*peer = (struct bus_peer){ .uid = (uid_t)uid, .gid = (gid_t)gid, .pid = (pid_t)pid };
	return true;
}

/*
 * Whether its user has too many with this one.  nng takes its time to say that a
 * connection is gone, so when the list says yes, the kernel is asked.
 */
static bool
is_one_too_many(struct bus_guard *g, uid_t uid)
{
	unsigned of_uid = 1;

	(void)pthread_mutex_lock(&g->lock);
	for (size_t i = 0; i < g->list_end; i++)
		if (g->list[i].pipe != 0 && g->list[i].peer.uid == uid)
			of_uid++;
	(void)pthread_mutex_unlock(&g->lock);
	return of_uid > g->options.per_uid &&
	    bus_count_alive(&(struct bus_end){ .path = g->path, .pid = -1, .uid = uid }) > g->options.per_uid;
}

static bool
remember(struct bus_guard *g, nng_pipe pipe, const struct bus_peer *peer)
{
	bool               start_timer;
	struct connection *c = NULL;

	(void)pthread_mutex_lock(&g->lock);
	if (!g->closing)
		c = find_place(g);
	if (c != NULL)
		*c = (struct connection){ .pipe = pipe.id, .peer = *peer, .since_ms = clock_now_ms() };
	start_timer = c != NULL && g->options.idle_ms > 0 && !g->timer_runs;
	if (start_timer)
		g->timer_runs = true;
	(void)pthread_mutex_unlock(&g->lock);
	if (start_timer)
		nng_sleep_aio((nng_duration)g->options.idle_ms, g->timer);
	return c != NULL;
}

/* Before the connection is part of the socket: closed here it can say nothing. */
static void
on_new(nng_pipe pipe, nng_pipe_ev event, void *arg)
{
	struct bus_guard *g = arg;
	struct bus_peer   peer;

	(void)event;
	if (!read_peer(pipe, &peer) || (g->options.admit != NULL && !g->options.admit(&peer, g->options.arg)) ||
	    is_one_too_many(g, peer.uid) || !remember(g, pipe, &peer))
		(void)nng_pipe_close(pipe);
}

/* Comes for refused ones too; those are not listed. */
static void
on_gone(nng_pipe pipe, nng_pipe_ev event, void *arg)
{
	struct bus_guard  *g = arg;
	struct connection *c;

	(void)event;
	(void)pthread_mutex_lock(&g->lock);
	c = find(g, pipe.id);
	if (c != NULL)
		give_back(g, c);
	(void)pthread_mutex_unlock(&g->lock);
}

bool
bus_guard_asked(struct bus_guard *g, nng_pipe pipe, struct bus_peer *peer)
{
	struct connection *c;
	bool               in_turn, early;

	(void)pthread_mutex_lock(&g->lock);
	c       = find(g, pipe.id);
	early   = c != NULL && !c->ends && c->waits_for_answer;
	in_turn = c != NULL && !c->ends && !early;
	if (in_turn) {
		c->waits_for_answer = true;
		*peer               = c->peer;
	}
	(void)pthread_mutex_unlock(&g->lock);
	if (early)
		bus_guard_end(g, pipe);
	return in_turn;
}

void
bus_guard_answered(struct bus_guard *g, nng_pipe pipe)
{
	struct connection *c;

	(void)pthread_mutex_lock(&g->lock);
	c = find(g, pipe.id);
	if (c != NULL) {
		c->waits_for_answer = false;
		c->since_ms         = clock_now_ms();
	}
	(void)pthread_mutex_unlock(&g->lock);
}

void
bus_guard_end(struct bus_guard *g, nng_pipe pipe)
{
	struct connection *c;
	pid_t              pid = 0;
	bool               found;

	(void)pthread_mutex_lock(&g->lock);
	c     = find(g, pipe.id);
	found = c != NULL;
	if (found) {
		c->ends = true;
		pid     = c->peer.pid;
	}
	(void)pthread_mutex_unlock(&g->lock);
	if (found)
		hang_up(g, pid);
}

static bool
is_empty(struct bus_guard *g)
{
	bool empty;

	(void)pthread_mutex_lock(&g->lock);
	g->closing = true;
	empty      = g->list_end == 0;
	(void)pthread_mutex_unlock(&g->lock);
	return empty;
}

void
bus_guard_end_all(struct bus_guard *g)
{
	int64_t until_ms = clock_now_ms() + BUS_HANG_UP_MS;

	if (g == NULL || is_empty(g))
		return;
	/* First the name, so that whoever is ended here and looks again finds nobody. */
	(void)unlink(g->path);
	hang_up(g, -1);
	while (!is_empty(g) && clock_now_ms() < until_ms)
		nng_msleep(1);
}

/* --------------------------------------------------------------- life */
enum err
bus_guard_create(nng_socket socket, const struct bus_guard_options *o, struct bus_guard **out, struct error *e)
{
	struct bus_guard *g = calloc(1, sizeof(*g));
	int               rv;

	if (g == NULL)
		return err_set(e, ERR_no_memory, "no memory for a list of connections");
	g->options = *o;
	(void)snprintf(g->path, sizeof(g->path), "%s", o->path);
	(void)pthread_mutex_init(&g->lock, NULL);
	rv = nng_aio_alloc(&g->timer, on_timer, g);
	if (rv == 0)
		rv = nng_pipe_notify(socket, NNG_PIPE_EV_ADD_PRE, on_new, g);
	if (rv == 0)
		rv = nng_pipe_notify(socket, NNG_PIPE_EV_REM_POST, on_gone, g);
	*out = g;
	return rv == 0 ? ERR_ok : bus_fail(e, rv, "watch the connections");
}

void
bus_guard_destroy(struct bus_guard *g)
{
	if (g == NULL)
		return;
	if (g->timer != NULL) {
		nng_aio_stop(g->timer);
		nng_aio_free(g->timer);
	}
	(void)pthread_mutex_destroy(&g->lock);
	free(g);
}
