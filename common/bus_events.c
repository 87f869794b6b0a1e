/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bus_events - what happened, to whoever watches.  PUB never waits and never
 * fails: who reads too slowly loses the oldest, and the numbers show it.
 */
#include "bus_guard.h"

#include <nng/protocol/pubsub0/pub.h>
#include <nng/protocol/pubsub0/sub.h>
#include <stdio.h>
#include <stdlib.h>

enum {
	WATCHERS_PER_UID   = 32,
	PUBLISHER_BUFFER   = 256,  /* messages, per watcher */
	SUBSCRIBER_BUFFER  = 1024, /* messages */
	CONNECT_TIMEOUT_MS = 2000
};

struct bus_publisher {
	nng_socket        socket;
	struct bus_guard *guard;
	uint64_t          seq;
};

struct bus_subscriber {
	nng_socket  socket;
	char        path[BUS_PATH_SIZE];
	nng_dialer  dialer;
	atomic_uint connections;
	atomic_bool closing;
};

/* ----------------------------------------------------------- publisher */
enum err
bus_publisher_open(const char *path, mode_t mode, struct bus_publisher **out, struct error *e)
{
	const struct bus_guard_options who = { .path = path, .per_uid = WATCHERS_PER_UID };
	struct bus_publisher                 *p   = calloc(1, sizeof(*p));
	enum err                              err;
	int                                   rv;

	*out = NULL;
	if (p == NULL)
		return err_set(e, ERR_no_memory, "no memory for a publisher");
	rv = nng_pub0_open(&p->socket);
	if (rv == 0)
		rv = nng_socket_set_int(p->socket, NNG_OPT_SENDBUF, PUBLISHER_BUFFER);
	if (rv == 0) /* nobody has anything to say here */
		rv = nng_socket_set_size(p->socket, NNG_OPT_RECVMAXSZ, BUS_HEADER_MAX);
	err = rv == 0 ? bus_guard_create(p->socket, &who, &p->guard, e) : bus_fail(e, rv, "publish on %s", path);
	if (err == ERR_ok)
		err = bus_listen(p->socket, path, mode, e);
	if (err == ERR_ok)
		*out = p;
	else
		bus_publisher_close(p);
	return err;
}

void
bus_publisher_close(struct bus_publisher *p)
{
	if (p == NULL)
		return;
	/* Watchers say nothing, so nothing can come in while it closes. */
	(void)nng_close(p->socket);
	bus_guard_destroy(p->guard);
	free(p);
}

enum err
bus_publish(struct bus_publisher *p, const struct msg *m, struct error *e)
{
	nng_msg *packed;
	enum err err = bus_pack(m, ++p->seq, &packed, e);
	int      rv;

	if (err != ERR_ok)
		return err;
	rv = nng_sendmsg(p->socket, packed, NNG_FLAG_NONBLOCK);
	if (rv == 0)
		return ERR_ok;
	nng_msg_free(packed);
	return bus_fail(e, rv, "publish %s", msg_desc(m->type)->name);
}

/* ---------------------------------------------------------- subscriber */
static void
on_connection(nng_pipe pipe, nng_pipe_ev event, void *arg)
{
	struct bus_subscriber *s = arg;

	if (event == NNG_PIPE_EV_REM_POST)
		(void)atomic_fetch_sub(&s->connections, 1);
	else {
		(void)atomic_fetch_add(&s->connections, 1);
		if (atomic_load(&s->closing))
			(void)nng_pipe_close(pipe);
	}
}

/* Connected when it returns, but the publisher may need a moment more to list us. */
static enum err
subscribe(struct bus_subscriber *s, struct error *e)
{
	enum err err;
	int      rv = nng_sub0_open(&s->socket);

	if (rv == 0)
		rv = nng_socket_set(s->socket, NNG_OPT_SUB_SUBSCRIBE, "", 0);
	if (rv == 0)
		rv = nng_socket_set_int(s->socket, NNG_OPT_RECVBUF, SUBSCRIBER_BUFFER);
	if (rv == 0)
		rv = nng_socket_set_size(s->socket, NNG_OPT_RECVMAXSZ, MSG_WIRE_SIZE + BUS_HEADER_MAX);
	if (rv == 0)
		rv = nng_pipe_notify(s->socket, NNG_PIPE_EV_ADD_PRE, on_connection, s);
	if (rv == 0)
		rv = nng_pipe_notify(s->socket, NNG_PIPE_EV_REM_POST, on_connection, s);
	if (rv != 0)
		return bus_fail(e, rv, "watch %s", s->path);
	err = bus_connect(s->socket, s->path, CONNECT_TIMEOUT_MS, &s->dialer, e);
	if (err == ERR_ok)
		bus_come_back(s->dialer);
	return err;
}

enum err
bus_subscriber_open(const char *path, struct bus_subscriber **out, struct error *e)
{
	struct bus_subscriber *s = calloc(1, sizeof(*s));
	enum err               err;

	*out = NULL;
	if (s == NULL)
		return err_set(e, ERR_no_memory, "no memory for a subscriber");
	(void)snprintf(s->path, sizeof(s->path), "%s", path);
	err = subscribe(s, e);
	if (err == ERR_ok)
		*out = s;
	else
		bus_subscriber_close(s);
	return err;
}

void
bus_subscriber_close(struct bus_subscriber *s)
{
	if (s == NULL)
		return;
	atomic_store(&s->closing, true);
	bus_stay_away(s->dialer);
	if (atomic_load(&s->connections) > 0)
		bus_hang_up(&(struct bus_end){ .path = s->path, .dialled = true, .pid = -1, .uid = BUS_ANY_UID });
	for (int i = 0; i < BUS_HANG_UP_MS && atomic_load(&s->connections) > 0; i++)
		nng_msleep(1);
	(void)nng_close(s->socket);
	free(s);
}

enum err
bus_subscriber_next(struct bus_subscriber *s, int timeout_ms, struct msg *m, struct error *e)
{
	nng_msg *received;
	int      rv = nng_socket_set_ms(s->socket, NNG_OPT_RECVTIMEO,
		 timeout_ms < 0 ? NNG_DURATION_INFINITE : (nng_duration)timeout_ms);

	if (rv == 0)
		rv = nng_recvmsg(s->socket, &received, 0);
	if (rv == NNG_ETIMEDOUT)
		return err_set(e, ERR_timeout, "nothing happened");
	if (rv != 0)
		return bus_fail(e, rv, "watch");
	return bus_unpack(received, PARTY_supervisor, m, e);
}
