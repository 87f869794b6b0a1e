/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bus_client - one question, one reply, one deadline.  REQ would send a request
 * again on its own, and "restart" twice is not "restart": RESENDTIME is off.
 */
#include "bus_nng.h"

#include <errno.h>
#include <nng/protocol/reqrep0/req.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "bus_rows.h"
#include "clock.h"

struct call {
	const char *path;
	nng_socket  socket;
	int         reply_fd;
	int         gone_fd;
	atomic_bool gone; /* the connection was lost; gone_fd says so once */
	bool        waits;
	int64_t     until_ms;
};

static void
on_gone(nng_pipe pipe, nng_pipe_ev event, void *arg)
{
	struct call *c = arg;

	(void)pipe;
	(void)event;
	atomic_store(&c->gone, true);
	(void)eventfd_write(c->gone_fd, 1);
}

/* A reply may come in at this very moment: then the connection has to end first. */
static void
hang_up(struct call *c)
{
	struct pollfd gone = { c->gone_fd, POLLIN, 0 };

	if (!c->waits || atomic_load(&c->gone))
		return;
	bus_hang_up(&(struct bus_end){ .path = c->path, .dialled = true, .pid = -1, .uid = BUS_ANY_UID });
	(void)poll(&gone, 1, BUS_HANG_UP_MS);
}

static void
close_call(struct call *c)
{
	hang_up(c);
	(void)nng_close(c->socket);
	if (c->gone_fd >= 0)
		(void)close(c->gone_fd);
}

static int
left_ms(const struct call *c)
{
	return (int)MAX(c->until_ms - clock_now_ms(), 0);
}

static enum err
open_call(struct call *c, struct error *e)
{
	nng_dialer dialer;
	int        rv;

	c->gone_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (c->gone_fd < 0)
		return err_errno(e, "eventfd");
	rv = nng_req0_open(&c->socket);
	if (rv == 0)
		rv = nng_socket_set_ms(c->socket, NNG_OPT_REQ_RESENDTIME, NNG_DURATION_INFINITE);
	if (rv == 0)
		rv = nng_socket_set_size(c->socket, NNG_OPT_RECVMAXSZ, MSG_REPLY_SIZE + BUS_HEADER_MAX);
	if (rv == 0)
		rv = nng_socket_get_int(c->socket, NNG_OPT_RECVFD, &c->reply_fd);
	if (rv == 0)
		rv = nng_pipe_notify(c->socket, NNG_PIPE_EV_REM_POST, on_gone, c);
	if (rv != 0)
		return bus_fail(e, rv, "connect to %s", c->path);
	return bus_connect(c->socket, c->path, left_ms(c), &dialer, e);
}

/* The supervisor has closed the connection.  When it still listens, it did so on purpose. */
static enum err
explain_loss(const struct call *c, struct error *e)
{
	nng_socket probe;
	nng_dialer dialer;
	bool       listens = false;

	if (nng_req0_open(&probe) == 0) {
		listens = bus_connect(probe, c->path, left_ms(c), &dialer, NULL) == ERR_ok;
		(void)nng_close(probe);
	}
	if (!listens)
		return err_set(e, ERR_unavailable, "the supervisor left before it answered");
	return err_set(e, ERR_denied,
	    "the supervisor refused the connection (not permitted, or too many connections)");
}

static enum err
send_question(struct call *c, const struct msg *question, struct error *e)
{
	nng_msg *packed;
	enum err err = bus_pack(question, 1, &packed, e);
	int      rv;

	if (err != ERR_ok)
		return err;
	rv = nng_sendmsg(c->socket, packed, NNG_FLAG_NONBLOCK);
	if (rv == 0) {
		c->waits = true;
		return ERR_ok;
	}
	nng_msg_free(packed);
	/* EAGAIN: the connection was there a moment ago. */
	return rv == NNG_EAGAIN ? explain_loss(c, e) : bus_fail(e, rv, "ask %s", c->path);
}

static enum err
await_reply(struct call *c, struct bus_reply **reply, struct error *e)
{
	for (;;) {
		struct pollfd fds[] = { { c->reply_fd, POLLIN, 0 }, { c->gone_fd, POLLIN, 0 } };
		/* Read before the receive: a reply that came before the loss still counts. */
		bool     gone = atomic_load(&c->gone);
		nng_msg *received;
		int      rv = nng_recvmsg(c->socket, &received, NNG_FLAG_NONBLOCK);
		enum err err;

		if (rv == 0) {
			c->waits = false;
			err      = bus_reply_create(nng_msg_body(received), nng_msg_len(received), reply, e);
			nng_msg_free(received);
			return err;
		}
		if (gone || rv == NNG_ECONNRESET)
			return explain_loss(c, e);
		if (rv != NNG_EAGAIN)
			return bus_fail(e, rv, "ask %s", c->path);
		rv = poll(fds, COUNT_OF(fds), left_ms(c));
		if (rv == 0)
			return err_set(e, ERR_timeout, "no answer");
		if (rv < 0 && errno != EINTR)
			return err_errno(e, "poll");
	}
}

enum err
bus_client_call(const char *path, const struct msg *question, int timeout_ms, struct bus_reply **reply,
    struct error *e)
{
	CLEANUP(close_call) struct call c = {
		.path     = path,
		.socket   = NNG_SOCKET_INITIALIZER,
		.gone_fd  = -1,
		.until_ms = clock_now_ms() + timeout_ms,
	};
	enum err err;

	*reply = NULL;
	err    = open_call(&c, e);
	if (err == ERR_ok)
		err = send_question(&c, question, e);
	if (err == ERR_ok)
		err = await_reply(&c, reply, e);
	if (err == ERR_timeout)
		return err_set(e, ERR_timeout, "%s: no answer within %d ms", path, timeout_ms);
	return err;
}
