/* SPDX-License-Identifier: Apache-2.0 */
/*
 * worker_private - the struct that worker.c (the loop) and worker_bus.c (the
 * link to the supervisor) share.  Nobody else includes this.
 */
#ifndef STEWARD_WORKER_PRIVATE_H
#define STEWARD_WORKER_PRIVATE_H

#include "backoff.h"
#include "log.h"
#include "bus.h"
#include "session.h"
#include "worker.h"

/* What epoll tells about. */
enum watched { WATCH_session, WATCH_link, WATCH_signals, WATCH_lifeline, WATCH_schedule };

/* The channels of the listening session, as session_notified counts them. */
enum { CHANNEL_own = 1 << 0, CHANNEL_schedule = 1 << 1 };

/* The jobs that have their time. */
struct schedule {
	int     timer; /* until the next look; -1 when the worker has no jobs */
	bool    is_due;
	char    run[40]; /* started and not known to be over; "": none */
	char    job[sizeof(((struct msg_heartbeat *)0)->activity)];
	char    failed[sizeof(((struct msg_heartbeat *)0)->activity)]; /* the job of the notice, until it completes; "": none */
	int64_t began_ms; /* the statement */
};

/* A statement that fails although the database is up, since when and why. */
struct trouble {
	int64_t           since_us; /* 0: none */
	char              words[192];
	struct log_repeat said;     /* in the log, also while the database is to blame */
};

struct worker {
	const struct worker_ops *ops;
	void                    *state;
	const char              *config_path;
	const char              *socket_path;
	int                      slot;
	char                     id[40];
	char                     name[48];
	struct config            config;
	char                     work_application[96], listen_application[96];

	int              epoll;
	int              signals;
	struct bus_link *link;
	struct session  *work;
	struct session  *listen;

	int64_t           now_ms;
	int64_t           due_ms; /* when work() is called next */
	int64_t           heartbeat_ms;
	struct backoff    backoff;
	enum statement    statement; /* under way, for the heartbeat */
	enum statement    failing;   /* whose success ends the backoff; STMT_COUNT: none */
	int64_t           since_ms;  /* the activity began */
	worker_result_fn *on_result;
	uint64_t          done, failed;
	char              notice[sizeof(((struct msg_heartbeat *)0)->notice)];
	struct trouble    trouble[STMT_COUNT];
	struct schedule   schedule;
	enum session_state told; /* the database state in the last heartbeat */
	bool              was_ready, is_announced, is_paused, is_leaving;
};

/* Say `ready` once both sessions are up or known to be away; repeated until somebody hears it. */
void worker_announce(struct worker *w);

/* Say `heartbeat` when it is time, or when the database came or went. */
void worker_beat_when_due(struct worker *w);

/* Take no more work; the loop ends when nothing is under way. */
void worker_leave(struct worker *w, const char *why);

/* Obey everything that waits on the link. */
void worker_read_orders(struct worker *w);

/* ------------------------------------------------------- worker_schedule */
/* Make the timer.  Errors: ERR_system. */
NODISCARD enum err worker_schedule_open(struct worker *w, struct error *e);
void worker_schedule_close(struct worker *w);

/* Look at the schedule: at the next worker_schedule_go_on, or this much later.  Nothing for a worker without jobs. */
void worker_schedule_look(struct worker *w);
void worker_schedule_look_in(struct worker *w, int64_t delay_us);

/* The timer's descriptor is readable. */
void worker_schedule_read_timer(struct worker *w);

/* Start the statement that comes next, if any does and the session is free. */
NODISCARD enum err worker_schedule_go_on(struct worker *w, struct error *e);

#endif
