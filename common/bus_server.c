/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bus_server - requests come in on nng's threads, one per REP context, and wait
 * in a queue for the main loop; an eventfd tells it.  A context takes the next
 * request when its reply is on the way, so a reply may take its time.
 */
#include "bus_guard.h"

#include <nng/protocol/reqrep0/rep.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/eventfd.h>
#include <unistd.h>

enum {
	IDLE_MS = 30000,
	/* Only a peer that asked again without reading the last reply makes a reply wait. */
	SEND_TIMEOUT_MS = 100
};

struct bus_request {
	struct bus_server  *server;
	nng_ctx             context;
	nng_aio            *aio;
	bool                sending; /* else receiving */
	nng_pipe            pipe;
	struct bus_peer     peer;
	nng_msg            *question;
	nng_msg            *reply; /* NULL: no memory for one */
	uint64_t            seq;
	struct bus_request *next;
};

struct bus_server {
	nng_socket        socket;
	struct bus_guard *guard;
	int               fd;
	/* Guards the queue and keeps fd readable exactly while it is not empty. */
	pthread_mutex_t      lock;
	struct bus_request  *first;
	struct bus_request **last;
	unsigned             count;
	struct bus_request   request[];
};

/* --------------------------------------------------------------- queue */
static void
enqueue(struct bus_request *r)
{
	struct bus_server *s = r->server;

	r->next = NULL;
	(void)pthread_mutex_lock(&s->lock);
	*s->last = r;
	s->last  = &r->next;
	if (s->first == r)
		(void)eventfd_write(s->fd, 1);
	(void)pthread_mutex_unlock(&s->lock);
}

static struct bus_request *
dequeue(struct bus_server *s)
{
	struct bus_request *r;
	eventfd_t           count;

	(void)pthread_mutex_lock(&s->lock);
	r = s->first;
	if (r != NULL) {
		s->first = r->next;
		if (s->first == NULL) {
			s->last = &s->first;
			(void)eventfd_read(s->fd, &count);
		}
	}
	(void)pthread_mutex_unlock(&s->lock);
	return r;
}

/* -------------------------------------------------------- nng's threads */
static void
receive(struct bus_request *r)
{
	r->sending = false;
	nng_aio_set_timeout(r->aio, NNG_DURATION_INFINITE);
	nng_ctx_recv(r->context, r->aio);
}

static void
on_received(struct bus_request *r)
{
	r->question = nng_aio_get_msg(r->aio);
	r->pipe     = nng_msg_get_pipe(r->question);
	if (bus_guard_asked(r->server->guard, r->pipe, &r->peer)) {
		enqueue(r);
		return;
	}
	nng_msg_free(TAKE(r->question));
	receive(r);
}

static void
on_sent(struct bus_request *r, int rv)
{
	if (rv != 0) {
		nng_msg_free(nng_aio_get_msg(r->aio));
		bus_guard_end(r->server->guard, r->pipe);
	}
	if (rv != NNG_ECLOSED)
		receive(r);
}

static void
on_aio(void *arg)
{
	struct bus_request *r  = arg;
	int                 rv = nng_aio_result(r->aio);

	if (r->sending)
		on_sent(r, rv);
	else if (rv == 0)
		on_received(r);
	/* A receive fails only when the server closes. */
}

/* ---------------------------------------------------------------- life */
static enum err
prepare(struct bus_server *s, const struct bus_server_options *o, struct error *e)
{
	const struct bus_guard_options who = { o->path, o->per_uid, o->idle_ms > 0 ? o->idle_ms : IDLE_MS, o->admit,
		o->arg };
	enum err                       err;
	int                            rv = nng_rep0_open(&s->socket);

	if (rv == 0)
		rv = nng_socket_set_size(s->socket, NNG_OPT_RECVMAXSZ, MSG_WIRE_SIZE + BUS_HEADER_MAX);
	if (rv != 0)
		return bus_fail(e, rv, "server on %s", o->path);
	s->fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->fd < 0)
		return err_errno(e, "eventfd");
	err = bus_guard_create(s->socket, &who, &s->guard, e);
	for (unsigned i = 0; err == ERR_ok && i < MAX(o->contexts, 1u); i++) {
		struct bus_request *r = &s->request[i];

		r->server = s;
		rv        = nng_aio_alloc(&r->aio, on_aio, r);
		if (rv == 0)
			s->count = i + 1;
		if (rv == 0)
			rv = nng_ctx_open(&r->context, s->socket);
		if (rv != 0)
			return bus_fail(e, rv, "server on %s", o->path);
	}
	return err;
}

enum err
bus_server_open(const struct bus_server_options *o, struct bus_server **out, struct error *e)
{
	struct bus_server *s = calloc(1, sizeof(*s) + MAX(o->contexts, 1u) * sizeof(s->request[0]));
	enum err           err;

	*out = NULL;
	if (s == NULL)
		return err_set(e, ERR_no_memory, "no memory for a server");
	s->fd   = -1;
	s->last = &s->first;
	(void)pthread_mutex_init(&s->lock, NULL);
	err = prepare(s, o, e);
	if (err == ERR_ok)
		err = bus_listen(s->socket, o->path, o->mode, e);
	if (err != ERR_ok) {
		bus_server_close(s);
		return err;
	}
	for (unsigned i = 0; i < s->count; i++)
		receive(&s->request[i]);
	*out = s;
	return ERR_ok;
}

void
bus_server_close(struct bus_server *s)
{
	if (s == NULL)
		return;
	bus_guard_end_all(s->guard);
	/* Before the rest: after that nng calls nobody, and each aio ends. */
	(void)nng_close(s->socket);
	for (unsigned i = 0; i < s->count; i++) {
		struct bus_request *r = &s->request[i];

		nng_aio_stop(r->aio);
		nng_aio_free(r->aio);
		nng_msg_free(r->question);
		nng_msg_free(r->reply);
	}
	bus_guard_destroy(s->guard);
	if (s->fd >= 0)
		(void)close(s->fd);
	(void)pthread_mutex_destroy(&s->lock);
	free(s);
}

int
bus_server_fd(const struct bus_server *s)
{
	return s->fd;
}

/* ------------------------------------------------------------ requests */
static void
refuse(struct bus_request *r, const struct error *why)
{
	struct msg answer = { .type = MSG_refused };

	(void)snprintf(answer.body.refused.error, sizeof(answer.body.refused.error), "%s", err_name(why->code));
	(void)snprintf(answer.body.refused.reason, sizeof(answer.body.refused.reason), "%s", why->text);
	if (bus_request_add(r, &answer, NULL) != ERR_ok)
		nng_msg_free(TAKE(r->reply));
	bus_request_send(r);
}

enum err
bus_server_next(struct bus_server *s, struct msg *m, struct bus_peer *peer, struct bus_request **request,
    struct error *e)
{
	struct bus_request *r   = dequeue(s);
	struct error        why = { 0 };
	enum err            err;

	*request = NULL;
	if (r == NULL)
		return err_set(e, ERR_again, "nobody asks");
	r->seq   = 0;
	r->reply = NULL;
	*peer    = r->peer;
	/* Grown row by row it would be copied each time. */
	if (nng_msg_alloc(&r->reply, 0) != 0 || nng_msg_reserve(r->reply, MSG_WIRE_SIZE) != 0)
		nng_msg_free(TAKE(r->reply));
	err = bus_unpack(TAKE(r->question), PARTY_ctl, m, &why);
	if (err != ERR_ok) {
		refuse(r, &why);
		return err_set(e, err, "%s", why.text);
	}
	*request = r;
	return ERR_ok;
}

enum err
bus_request_add(struct bus_request *r, const struct msg *m, struct error *e)
{
	size_t   before;
	enum err err;

	if (r->reply == NULL)
		return err_set(e, ERR_no_memory, "no memory for a reply");
	before = nng_msg_len(r->reply);
	err    = bus_append(r->reply, m, r->seq + 1, e);
	if (err != ERR_ok)
		return err;
	if (nng_msg_len(r->reply) > MSG_REPLY_SIZE) {
		(void)nng_msg_chop(r->reply, nng_msg_len(r->reply) - before);
		return err_set(e, ERR_no_memory, "the reply is longer than %d bytes", MSG_REPLY_SIZE);
	}
	r->seq++;
	return ERR_ok;
}

void
bus_request_send(struct bus_request *r)
{
	/* Not after the send: a quick peer has asked again by then. */
	bus_guard_answered(r->server->guard, r->pipe);
	if (r->reply == NULL) {
		/* Without a word the peer would wait until its deadline. */
		bus_guard_end(r->server->guard, r->pipe);
		receive(r);
		return;
	}
	r->sending = true;
	nng_aio_set_timeout(r->aio, SEND_TIMEOUT_MS);
	nng_aio_set_msg(r->aio, TAKE(r->reply));
	nng_ctx_send(r->context, r->aio);
}
