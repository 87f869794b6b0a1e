/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bus_link - one supervisor, one worker.
 *
 * Mono PAIR1 knows when nobody is there, but it takes one message at a time and
 * its own send buffer would keep orders for the next process of the slot.  So
 * the queue is here, and it is emptied when the connection is lost.
 */
#include "bus_nng.h"

#include <nng/protocol/pair1/pair.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "clock.h"

enum {
	QUEUE_SIZE     = 16, /* behind the one message that nng and the kernel have */
	RECEIVE_BUFFER = 64  /* messages; the last words of a process outlive its connection */
};

struct bus_link {
	nng_socket socket;
	char       path[BUS_PATH_SIZE];
	enum party far; /* who speaks at the other end */
	nng_dialer dialer; /* of the worker's end */
	int        fd;
	uint64_t   seq;
	nng_aio   *out;
	/* Guards the rest.  nng is never called with it held. */
	pthread_mutex_t lock;
	bool            closing;
	uint32_t        pipe; /* 0: nobody is there */
	bool            sending;
	unsigned        first, count;
	nng_msg        *queue[QUEUE_SIZE];
};

/* --------------------------------------------------------------- queue */
static nng_msg *
take_first(struct bus_link *l)
{
	nng_msg *m;

	if (l->count == 0)
		return NULL;
	m        = l->queue[l->first];
	l->first = (l->first + 1) % QUEUE_SIZE;
	l->count--;
	return m;
}

static void
empty_queue(struct bus_link *l)
{
	nng_msg *m;

	while ((m = take_first(l)) != NULL)
		nng_msg_free(m);
}

/* `pipe` is whom it is for: when that one has gone since, the next must not get it. */
static void
send_now(struct bus_link *l, nng_msg *m, uint32_t pipe)
{
	bool gone;

	nng_aio_set_msg(l->out, m);
	nng_send_aio(l->socket, l->out);
	(void)pthread_mutex_lock(&l->lock);
	gone = l->pipe != pipe;
	(void)pthread_mutex_unlock(&l->lock);
	if (gone)
		nng_aio_cancel(l->out);
}

static void
on_sent(void *arg)
{
	struct bus_link *l = arg;
	nng_msg         *next;
	uint32_t         pipe;

	if (nng_aio_result(l->out) != 0)
		nng_msg_free(nng_aio_get_msg(l->out));
	(void)pthread_mutex_lock(&l->lock);
	next       = take_first(l);
	pipe       = l->pipe;
	l->sending = next != NULL;
	(void)pthread_mutex_unlock(&l->lock);
	if (next != NULL)
		send_now(l, next, pipe);
}

/* --------------------------------------------------------- connection */
/* The first one has the link until it is gone; a second is none of ours. */
static void
on_new(nng_pipe pipe, nng_pipe_ev event, void *arg)
{
	struct bus_link *l = arg;
	bool             taken;

	(void)event;
	(void)pthread_mutex_lock(&l->lock);
	taken = l->closing || l->pipe != 0;
	if (!taken)
		l->pipe = pipe.id;
	(void)pthread_mutex_unlock(&l->lock);
	if (taken)
		(void)nng_pipe_close(pipe);
}

/* Comes before nng lets the next one in. */
static void
on_gone(nng_pipe pipe, nng_pipe_ev event, void *arg)
{
	struct bus_link *l = arg;
	bool             ours;

	(void)event;
	(void)pthread_mutex_lock(&l->lock);
	ours = l->pipe == pipe.id;
	if (ours) {
		l->pipe = 0;
		empty_queue(l);
	}
	(void)pthread_mutex_unlock(&l->lock);
	if (ours)
		nng_aio_cancel(l->out);
}

/* ---------------------------------------------------------------- life */
static enum err
create(const char *path, enum party far, struct bus_link **out, struct error *e)
{
	struct bus_link *l = calloc(1, sizeof(*l));
	int              rv;

	*out = l;
	if (l == NULL) {
		err_set(e, ERR_no_memory, "no memory for a link");
		return ERR_no_memory;
	}
	(void)snprintf(l->path, sizeof(l->path), "%s", path);
	l->far = far;
	(void)pthread_mutex_init(&l->lock, NULL);
	rv = nng_pair1_open(&l->socket);
	if (rv == 0)
		rv = nng_socket_set_size(l->socket, NNG_OPT_RECVMAXSZ, MSG_WIRE_SIZE + BUS_HEADER_MAX);
	if (rv == 0)
		rv = nng_socket_set_int(l->socket, NNG_OPT_RECVBUF, RECEIVE_BUFFER);
	if (rv == 0)
		rv = nng_socket_get_int(l->socket, NNG_OPT_RECVFD, &l->fd);
	if (rv == 0)
		rv = nng_aio_alloc(&l->out, on_sent, l);
	if (rv == 0)
		rv = nng_pipe_notify(l->socket, NNG_PIPE_EV_ADD_PRE, on_new, l);
	if (rv == 0)
		rv = nng_pipe_notify(l->socket, NNG_PIPE_EV_REM_POST, on_gone, l);
	return rv == 0 ? ERR_ok : bus_fail(e, rv, "link");
}

enum err
bus_link_listen(const char *path, struct bus_link **out, struct error *e)
{
	enum err err = create(path, PARTY_worker, out, e);

	if (err == ERR_ok)
		err = bus_listen((*out)->socket, path, 0600, e);
	if (err != ERR_ok)
		bus_link_close(TAKE(*out));
	return err;
}

enum err
bus_link_dial(const char *path, struct bus_link **out, struct error *e)
{
	enum err err = create(path, PARTY_supervisor, out, e);

	if (err == ERR_ok)
		err = bus_dial((*out)->socket, path, &(*out)->dialer, e);
	if (err != ERR_ok)
		bus_link_close(TAKE(*out));
	return err;
}

static bool
is_connected(struct bus_link *l)
{
	bool connected;

	(void)pthread_mutex_lock(&l->lock);
	l->closing = true;
	connected  = l->pipe != 0;
	(void)pthread_mutex_unlock(&l->lock);
	return connected;
}

/* Reads on, because a full receive buffer would hide the end. */
static void
hang_up(struct bus_link *l)
{
	int64_t  until_ms = clock_now_ms() + BUS_HANG_UP_MS;
	nng_msg *unread;

	/* No handshake may be under way: no more of them here, and the other end finds nobody. */
	if (l->far == PARTY_supervisor)
		bus_stay_away(l->dialer);
	else
		(void)unlink(l->path);
	if (!is_connected(l))
		return;
	bus_hang_up(&(struct bus_end){ .path = l->path, .dialled = l->far == PARTY_supervisor, .pid = -1, .uid = BUS_ANY_UID });
	while (is_connected(l) && clock_now_ms() < until_ms) {
		while (nng_recvmsg(l->socket, &unread, NNG_FLAG_NONBLOCK) == 0)
			nng_msg_free(unread);
		nng_msleep(1);
	}
}

void
bus_link_close(struct bus_link *l)
{
	if (l == NULL)
		return;
	hang_up(l);
	(void)nng_close(l->socket);
	nng_aio_stop(l->out);
	nng_aio_free(l->out);
	empty_queue(l);
	(void)pthread_mutex_destroy(&l->lock);
	free(l);
}

int
bus_link_fd(const struct bus_link *l)
{
	return l->fd;
}

/* ------------------------------------------------------------ messages */
enum verdict { SEND, QUEUED, NOBODY, FULL };

static enum verdict
place(struct bus_link *l, nng_msg *m)
{
	if (l->pipe == 0)
		return NOBODY;
	if (!l->sending) {
		l->sending = true;
		return SEND;
	}
	if (l->count == QUEUE_SIZE)
		return FULL;
	l->queue[(l->first + l->count++) % QUEUE_SIZE] = m;
	return QUEUED;
}

enum err
bus_link_send(struct bus_link *l, const struct msg *m, struct error *e)
{
	nng_msg     *packed;
	enum verdict verdict;
	uint32_t     pipe;
	/* A dropped message takes its number along, so that the gap can be seen. */
	enum err err = bus_pack(m, ++l->seq, &packed, e);

	if (err != ERR_ok)
		return err;
	(void)pthread_mutex_lock(&l->lock);
	verdict = place(l, packed);
	pipe    = l->pipe;
	(void)pthread_mutex_unlock(&l->lock);
	if (verdict == SEND)
		send_now(l, packed, pipe);
	if (verdict == SEND || verdict == QUEUED)
		return ERR_ok;
	nng_msg_free(packed);
	bus_count_dropped();
	return err_set(e, ERR_again, "send %s: %s", msg_desc(m->type)->name,
	    verdict == NOBODY ? "nobody is there" : "the queue is full");
}

enum err
bus_link_receive(struct bus_link *l, struct msg *m, struct error *e)
{
	nng_msg *received;
	int      rv = nng_recvmsg(l->socket, &received, NNG_FLAG_NONBLOCK);

	if (rv == NNG_EAGAIN)
		return err_set(e, ERR_again, "nothing waits");
	if (rv != 0)
		return bus_fail(e, rv, "receive");
	return bus_unpack(received, l->far, m, e);
}
