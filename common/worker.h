/* SPDX-License-Identifier: Apache-2.0 */
/*
 * worker - the life that all workers share, written once: configuration, log,
 * bus, database sessions, readiness, heartbeat, pause, drain, exit status.
 *
 * One thread, one loop.  A worker's own code is called from it, does one bounded
 * piece of work by starting one statement, and returns.  Nothing in it waits.
 */
#ifndef STEWARD_WORKER_H
#define STEWARD_WORKER_H

#include "db.h"

struct worker;

struct worker_ops {
	enum worker_kind self;
	const char      *channel;    /* PostgreSQL channel whose notifications wake it, or NULL */
	size_t           state_size; /* of its own struct, zeroed at start; see worker_state */
	bool             scheduled;  /* the jobs of its kind in steward.job_schedule are run, besides work() */

	/*
	 * NULL for a worker that has nothing but jobs.
	 * Called when work may be there: after start, a notification, a nudge, or
	 * the time set with worker_wake_in.  Starts at most one statement with
	 * worker_call, whose result handler may say worker_wake_in(w, 0) to go on.
	 * Not called while a statement is under way, the database is not up, or the
	 * worker is paused.  A failed statement is logged and work() called again
	 * after a pause; what it returns besides ERR_ok and ERR_again ends the process.
	 */
	enum err (*work)(struct worker *w, struct error *e);

	/* How long it may sleep without a wake-up, in ms.  Read from the configuration at each sleep.  NULL like work. */
	int64_t (*safety_poll_ms)(const struct config *cfg);
};

/* main() of every worker.  Returns the exit status. */
int worker_main(int argc, char *argv[], const struct worker_ops *ops);

/* ------------------------------------------------- for the worker's own code */
/* Its own struct, `state_size` bytes, for the life of the process. */
void *worker_state(const struct worker *w);

typedef void worker_result_fn(struct worker *w, const struct db_result *r);

/* Start a prepared statement; `on_result` is called with its rows.  ERR_again when one is under way. */
NODISCARD enum err worker_call(struct worker *w, enum statement s, const char *const *parameters,
    worker_result_fn *on_result, struct error *e);

/* Call work() again after this many ms; 0: at once.  The earliest request wins. */
void worker_wake_in(struct worker *w, int64_t delay_ms);

/* Ask the supervisor to nudge a worker of another kind. */
void worker_wake_other(struct worker *w, enum worker_kind kind);

/* For the heartbeat: pieces of work finished and failed. */
void worker_count(struct worker *w, uint64_t done, uint64_t failed);

/* What `status` shows until it is said anew: one thing a person should look at, with the command; "" when nothing. */
void worker_notice(struct worker *w, const char *sentence);

const struct config *worker_config(const struct worker *w);
int64_t              worker_now_ms(const struct worker *w);

/* "worker-<pid>-<8 hex>", unique to this process; written into locked_by. */
const char *worker_id(const struct worker *w);

#endif
