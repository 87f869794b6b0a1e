/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bus - the nng sockets, and the only place that knows nng.
 *
 *   link       supervisor <-> one worker, PAIR1; the supervisor listens
 *   server     stewardctl -> supervisor, REP with contexts, so that replies may wait
 *   client     the other end of server
 *   publisher  supervisor -> watchers, PUB; subscriber its other end
 *
 * Nothing here blocks but bus_client_call, bus_subscriber_open and _next; a close
 * waits, at most a second, until a connection that lives has ended.  Descriptors
 * are for poll only, never read.  Block the signals of the process and call
 * bus_limit_threads() before the first socket: nng's threads inherit the mask.
 */
#ifndef STEWARD_BUS_H
#define STEWARD_BUS_H

#include <sys/types.h>

#include "message.h"

enum { BUS_PATH_SIZE = 100 }; /* sun_path is 108; nng adds its own */

/* ------------------------------------------------------------------ link */
struct bus_link;

/* Listen on the path with mode 0600.  Errors: ERR_system, ERR_config (path too long). */
NODISCARD enum err bus_link_listen(const char *path, struct bus_link **out, struct error *e);

/* Dial; connects in the background, every 10 to 500 ms, for ever. */
NODISCARD enum err bus_link_dial(const char *path, struct bus_link **out, struct error *e);

void bus_link_close(struct bus_link *l);

/* Readable when a message may be waiting. */
int bus_link_fd(const struct bus_link *l);

/* ERR_again: nobody is there or the queue is full; the message is dropped and counted. */
NODISCARD enum err bus_link_send(struct bus_link *l, const struct msg *m, struct error *e);

/* ERR_again: nothing waits.  ERR_bad_message: dropped; call again. */
NODISCARD enum err bus_link_receive(struct bus_link *l, struct msg *m, struct error *e);

/* ---------------------------------------------------------------- server */
struct bus_server;
struct bus_request; /* one question waiting for its reply */

/* From SO_PEERCRED at connect time. */
struct bus_peer {
	uid_t uid;
	gid_t gid;
	pid_t pid;
};

/*
 * `admit` is called on a thread of nng for each new connection; false closes it
 * before it can say anything.  It must not block and must be thread-safe.
 * At most `per_uid` connections of one uid are admitted at a time.  A connection
 * has one request in flight; one that asks again before it is answered, does not
 * take its reply, or asks nothing for idle_ms is closed.
 */
struct bus_server_options {
	const char *path;
	mode_t      mode;
	unsigned    contexts;
	unsigned    per_uid;
	unsigned    idle_ms; /* 0: 30 s */
	bool (*admit)(const struct bus_peer *peer, void *arg);
	void *arg;
};
NODISCARD enum err bus_server_open(const struct bus_server_options *o, struct bus_server **out, struct error *e);
void bus_server_close(struct bus_server *s);

/* Readable when a request may be waiting. */
int bus_server_fd(const struct bus_server *s);

/*
 * The next question: *m, its peer and the handle to answer with.  ERR_again:
 * none waits.  ERR_bad_message: somebody sent garbage; it was answered with a
 * `refused` row; call again.
 */
NODISCARD enum err bus_server_next(struct bus_server *s, struct msg *m, struct bus_peer *peer,
    struct bus_request **request, struct error *e);

/* Append a row to the reply.  ERR_no_memory when it is longer than MSG_REPLY_SIZE. */
NODISCARD enum err bus_request_add(struct bus_request *r, const struct msg *m, struct error *e);

/* Send the reply; takes the request. */
void bus_request_send(struct bus_request *r);

/* ---------------------------------------------------------------- client */
struct bus_reply; /* a received sequence of rows */

/*
 * Ask, and wait at most timeout_ms for the reply.  Nothing is ever sent twice.
 * Errors: ERR_not_running (nobody listens), ERR_denied, ERR_timeout, ERR_bad_message.
 */
NODISCARD enum err bus_client_call(const char *path, const struct msg *question, int timeout_ms,
    struct bus_reply **reply, struct error *e);

/* The next row; ERR_again after the last.  ERR_bad_message: the rest cannot be read. */
NODISCARD enum err bus_reply_next(struct bus_reply *r, struct msg *m, struct error *e);
void bus_reply_free(struct bus_reply *r);
void bus_reply_cleanup(struct bus_reply **r);

/* ---------------------------------------------------------------- events */
struct bus_publisher;
struct bus_subscriber;

NODISCARD enum err bus_publisher_open(const char *path, mode_t mode, struct bus_publisher **out, struct error *e);
void bus_publisher_close(struct bus_publisher *p);

/* Never blocks; a slow watcher loses the oldest and sees a gap in the numbers. */
NODISCARD enum err bus_publish(struct bus_publisher *p, const struct msg *m, struct error *e);

/*
 * Connect now and again after every loss.  The first events after a connection may
 * be missed: compare their numbers with a snapshot that was asked for afterwards.
 * Errors: ERR_not_running, ERR_denied, ERR_timeout.
 */
NODISCARD enum err bus_subscriber_open(const char *path, struct bus_subscriber **out, struct error *e);
void bus_subscriber_close(struct bus_subscriber *s);

/* Waits at most timeout_ms (-1: for ever).  ERR_timeout when nothing came. */
NODISCARD enum err bus_subscriber_next(struct bus_subscriber *s, int timeout_ms, struct msg *m, struct error *e);

/* ------------------------------------------------------------------ rest */
/* Ask nng for few threads; only the first call before any socket counts. */
void bus_limit_threads(void);

/* Messages dropped because they could not be read, since the start of the process. */
uint64_t bus_bad_messages(void);

/* Messages that a link could not send, since the start of the process. */
uint64_t bus_dropped_messages(void);

/* Close what nng keeps.  For a clean end under the sanitizers. */
void bus_fini(void);

#endif
