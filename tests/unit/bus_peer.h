/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bus_peer - for the tests of the bus: a directory for the sockets, waiting
 * with a deadline, a client on its own thread, and a peer that speaks nng's
 * wire by hand, so that it can speak it wrongly.
 */
#ifndef STEWARD_TEST_BUS_PEER_H
#define STEWARD_TEST_BUS_PEER_H

#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include "bus.h"
#include "clock.h"

#include <cmocka.h>

enum { DEADLINE_MS = 20000 }; /* sanitizers and busy machines are slow; what works takes a few ms */

static char directory[32];

/* The next call overwrites it. */
static inline const char *
socket_path(const char *name)
{
	static char path[BUS_PATH_SIZE];

	(void)snprintf(path, sizeof(path), "%s/%.40s", directory, name);
	return path;
}

static inline int
make_directory(void **state)
{
	(void)state;
	(void)snprintf(directory, sizeof(directory), "/tmp/steward-bus.XXXXXX");
	bus_limit_threads();
	return mkdtemp(directory) == NULL ? -1 : 0;
}

static inline int
remove_directory(void **state)
{
	DIR           *d = opendir(directory);
	struct dirent *entry;

	(void)state;
	while (d != NULL && (entry = readdir(d)) != NULL)
		(void)unlink(socket_path(entry->d_name));
	if (d != NULL)
		(void)closedir(d);
	bus_fini();
	return rmdir(directory);
}

static inline bool
wait_readable(int fd, int timeout_ms)
{
	struct pollfd p = { fd, POLLIN, 0 };

	return poll(&p, 1, timeout_ms) == 1;
}

/* For what has no descriptor: ask again each ms until the deadline. */
#define WAIT_UNTIL(condition)                                                           \
	do {                                                                            \
		int64_t until_ms_ = clock_now_ms() + DEADLINE_MS;                       \
		while (!(condition)) {                                                  \
			if (clock_now_ms() > until_ms_)                                 \
				fail_msg("not within the deadline: %s", #condition);    \
			(void)poll(NULL, 0, 1);                                         \
		}                                                                       \
	} while (0)

/* Fails with the sentence; needs a `struct error e` around. */
#define OK(call)                                                                          \
	do {                                                                              \
		if ((call) != ERR_ok)                                                     \
			fail_msg("%s: %s: %s", #call, err_name(e.code), e.text);          \
	} while (0)

/* ----------------------------------------------- a client on its thread */
struct asker {
	pthread_t         thread;
	char              path[BUS_PATH_SIZE];
	struct msg        question;
	int               timeout_ms;
	enum err          err;
	struct error      e;
	struct bus_reply *reply;
	int               done_fd; /* shared: one count per asker that has its answer */
};

static inline void *
ask(void *arg)
{
	struct asker *a = arg;

	a->err = bus_client_call(a->path, &a->question, a->timeout_ms, &a->reply, &a->e);
	(void)eventfd_write(a->done_fd, 1);
	return NULL;
}

static inline void
start_asking(struct asker *a, enum msg_type type, int done_fd)
{
	(void)snprintf(a->path, sizeof(a->path), "%s", socket_path("control"));
	a->question.type = type;
	a->done_fd       = done_fd;
	if (a->timeout_ms == 0)
		a->timeout_ms = DEADLINE_MS;
	assert_int_equal(pthread_create(&a->thread, NULL, ask, a), 0);
}

static inline struct bus_server *
open_server(const struct bus_server_options *wanted)
{
	struct bus_server_options o = *wanted;
	struct bus_server        *s;
	struct error              e = { 0 };

	o.path     = socket_path("control");
	o.mode     = o.mode != 0 ? o.mode : 0660;
	o.contexts = o.contexts != 0 ? o.contexts : 8;
	o.per_uid  = o.per_uid != 0 ? o.per_uid : 64;
	OK(bus_server_open(&o, &s, &e));
	return s;
}

/* The next good question; bad ones are counted in *bad (may be NULL). */
static inline struct bus_request *
await_question(struct bus_server *s, struct msg *m, unsigned *bad)
{
	struct bus_request *r = NULL;
	struct bus_peer     peer;
	struct error        e = { 0 };

	for (;;) {
		enum err err = bus_server_next(s, m, &peer, &r, &e);

		if (err == ERR_ok) {
			assert_int_equal(peer.uid, geteuid());
			return r;
		}
		if (err == ERR_bad_message && bad != NULL)
			(*bad)++;
		if (err == ERR_again && !wait_readable(bus_server_fd(s), DEADLINE_MS))
			fail_msg("nobody asked");
	}
}

static inline void
answer_done(struct bus_request *r, const char *detail)
{
	struct msg   m = { .type = MSG_done };
	struct error e = { 0 };

	(void)snprintf(m.body.done.detail, sizeof(m.body.done.detail), "%s", detail);
	OK(bus_request_add(r, &m, &e));
	bus_request_send(r);
}

/* ------------------------------------------------------ nng's wire by hand */
enum { PROTOCOL_PAIR1 = 0x11, PROTOCOL_REQ = 0x30, PROTOCOL_SUB = 0x21 };

/* A connection to the socket, still without a handshake. */
static inline int
raw_connect(const char *name)
{
	struct sockaddr_un to = { .sun_family = AF_UNIX };
	int                fd = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);

	(void)snprintf(to.sun_path, sizeof(to.sun_path), "%s", socket_path(name));
	assert_true(fd >= 0);
	assert_int_equal(connect(fd, (const struct sockaddr *)&to, sizeof(to)), 0);
	return fd;
}

static inline void
raw_send(int fd, const void *bytes, size_t length)
{
	/* The peer may close in the middle; then there is nobody to send to. */
	(void)send(fd, bytes, length, MSG_NOSIGNAL);
}

static inline bool
raw_receive(int fd, void *bytes, size_t length)
{
	char *to = bytes;

	while (length > 0) {
		ssize_t n = wait_readable(fd, DEADLINE_MS) ? recv(fd, to, length, 0) : -1;

		if (n <= 0)
			return false;
		to += n;
		length -= (size_t)n;
	}
	return true;
}

static inline int
raw_open(const char *name, uint8_t protocol)
{
	const uint8_t hello[8] = { 0, 'S', 'P', 0, 0, protocol, 0, 0 };
	uint8_t       theirs[8];
	int           fd = raw_connect(name);

	raw_send(fd, hello, sizeof(hello));
	assert_true(raw_receive(fd, theirs, sizeof(theirs)));
	return fd;
}

/* One frame: type 1, length, a 4-byte header (REQ: its id; PAIR1: the hops), the body. */
static inline void
raw_frame(int fd, uint32_t header, const void *body, size_t length)
{
	uint8_t  frame[13 + 3 * MSG_WIRE_SIZE] = { 1 };
	uint64_t size                          = 4 + length;

	assert_true(length <= 3 * MSG_WIRE_SIZE);
	for (int i = 0; i < 8; i++)
		frame[1 + i] = (uint8_t)(size >> (56 - 8 * i));
	for (int i = 0; i < 4; i++)
		frame[9 + i] = (uint8_t)(header >> (24 - 8 * i));
	memcpy(frame + 13, body, length);
	raw_send(fd, frame, 13 + length);
}

static inline void
raw_ask(int fd, enum msg_type type)
{
	struct msg   m = { .type = type };
	uint8_t      wire[MSG_WIRE_SIZE];
	size_t       used;
	struct error e = { 0 };

	OK(msg_encode(&m, wire, &used, &e));
	raw_frame(fd, 0x80000001u, wire, used);
}

/* Bytes of the reply without its header; the first row is decoded into *m. */
static inline size_t
raw_reply(int fd, struct msg *m)
{
	uint8_t      head[13];
	uint8_t     *body;
	size_t       size = 0, used;
	struct error e    = { 0 };

	assert_true(raw_receive(fd, head, sizeof(head)));
	for (int i = 1; i < 9; i++)
		size = size << 8 | head[i];
	assert_in_range(size, 4, MSG_REPLY_SIZE + 4);
	size -= 4;
	body = malloc(size + 1);
	assert_non_null(body);
	assert_true(raw_receive(fd, body, size));
	OK(msg_decode(body, size, PARTY_supervisor, m, &used, &e));
	free(body);
	return size;
}

static inline bool
raw_is_closed(int fd, int timeout_ms)
{
	int64_t until_ms = clock_now_ms() + timeout_ms;
	char    rest[4096];

	while (wait_readable(fd, (int)MAX(until_ms - clock_now_ms(), 0)))
		if (recv(fd, rest, sizeof(rest), 0) <= 0)
			return true;
	return false;
}

#endif
