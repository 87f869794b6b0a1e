/* SPDX-License-Identifier: Apache-2.0 */
/*
 * session - a database connection that keeps itself: it connects, checks the
 * schema version, prepares its statements or listens, and comes back when it
 * was lost.  Never blocks; the loop that owns it polls and calls session_service.
 */
#ifndef STEWARD_SESSION_H
#define STEWARD_SESSION_H

#include "db.h"

/*
 * A session on the schema just before ours is schema_old and works, so that an
 * upgrade loses no time between restart and migration; on any other it waits.
 */
enum session_state { SESSION_down, SESSION_up, SESSION_schema_old, SESSION_schema_new };

struct session;

enum { SESSION_CHANNELS = 2 };

struct session_options {
	struct db_options db;
	int64_t           retry_min_ms;
	int64_t           retry_max_ms;
	enum worker_kind  kind;      /* whose statements are prepared; WORKER_COUNT: none */
	bool              scheduled; /* those of every kind with jobs, too */
	const char       *channels[SESSION_CHANNELS]; /* to LISTEN on, or NULL */
};

/* The strings of `o` are borrowed for the life of the session. */
NODISCARD enum err session_create(const struct session_options *o, struct session **out, struct error *e);
void session_destroy(struct session *s);

/* For epoll; -1 while there is no socket.  The descriptor may change in session_service. */
int      session_fd(const struct session *s);
uint32_t session_events(const struct session *s);

/* When session_service wants to be called again without an event; INT64_MAX: never. */
int64_t session_due_ms(const struct session *s);

/* Go on: connect, send, receive, deliver. */
void session_service(struct session *s, int64_t now_ms);

/* The word of `ready` and `heartbeat`: up, down, schema_old, schema_new; and why, with the next step. */
enum session_state session_state(const struct session *s);
const char        *session_state_word(enum session_state state);
const char        *session_detail(const struct session *s);

/* Whether such a failure is the server's or the schema's, which state and detail tell of until it has passed. */
bool session_tells_of(enum err code);

/* Whether a first attempt to connect has ended, either way. */
bool session_has_tried(const struct session *s);

/*
 * Send a prepared statement.  `on_result` is called later, once, from
 * session_service: `code` ERR_ok with the result (borrowed), or the failure with
 * the sentence in `e`.  ERR_again: not up, or a statement is under way.
 */
typedef void session_result_fn(void *arg, enum err code, const struct db_result *r, const struct error *e);
NODISCARD enum err session_call(struct session *s, enum statement st, const char *const *parameters, int64_t now_ms,
    session_result_fn *on_result, void *arg, struct error *e);

/* A statement is under way / session_call would take one. */
bool session_is_busy(const struct session *s);
bool session_is_ready(const struct session *s);

/*
 * Whether this one has heard of a migration since the last call, and: look at
 * the schema again, as soon as no statement is under way.  One that has heard
 * looks again by itself.
 */
bool session_schema_changed(struct session *s);
void session_look_again(struct session *s);

/*
 * On which of its channels (bit n for the n-th) there was a notification since the last
 * call.  All bits after a new connection, which may have missed one.
 */
unsigned session_notified(struct session *s);

#endif
