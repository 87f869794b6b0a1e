/* SPDX-License-Identifier: Apache-2.0 */
/*
 * restart - what follows a death.  Pure: time and chance come in, a decision
 * goes out.
 *
 * Pauses belong to a slot, the breaker to its kind: a slot that crashes now and
 * then is restarted at once, many crashes of a kind open its breaker whichever
 * slots they were, and one slot at a time tries whether it may close.
 */
#ifndef STEWARD_RESTART_H
#define STEWARD_RESTART_H

#include "error.h"
#include "worker_kind.h"

/* How a process ended, as far as restarting goes. */
enum death {
	DEATH_DONE,     /* status 0 */
	DEATH_AGAIN,    /* status 75: it asked to be tried later; pauses, but opens no breaker */
	DEATH_HOPELESS, /* 64, 77, 78: it will fail the same way until somebody changes something */
	DEATH_CRASH     /* a signal, any other status, or it could not be started */
};

enum verdict {
	VERDICT_START,   /* after delay_ms, which may be 0 */
	VERDICT_REST,    /* that was all it had to do */
	VERDICT_GIVE_UP  /* the slot is failed; see restart_breaker.due_ms */
};

struct restart_rules {
	enum restart_policy policy;
	unsigned            limit; /* more crashes than this inside the window open the breaker */
	int64_t             window_ms;
	int64_t             delay_min_ms;
	int64_t             delay_max_ms;
	int64_t             probe_ms; /* how long the breaker stays open before the first probe */
	int64_t             healthy_after_ms;
};

enum { RESTART_MEMORY = 1001, RESTART_NEVER = -1 };

/* One slot.  Zero-initialise. */
struct restart_delays {
	unsigned failures; /* since it was last healthy */
};

/* One kind.  Zero-initialise. */
struct restart_breaker {
	int64_t  crash_ms[RESTART_MEMORY]; /* a ring */
	unsigned crash_count;              /* at most RESTART_MEMORY */
	unsigned crash_next;
	bool     open;
	bool     probing;                  /* half open: one start is being tried */
	unsigned probes_failed;            /* since it opened */
	int64_t  due_ms;                   /* of the next probe, while open and not probing */
};

struct restart_death {
	enum death how;
	int64_t    ready_for_ms; /* RESTART_NEVER when it never said ready */
	bool       probe;        /* it was the one start that an open breaker allows */
};

struct restart_decision {
	enum verdict verdict;
	int64_t      delay_ms;
};

/* What this exit status means; a signal is DEATH_CRASH. */
enum death restart_death_of_status(int exit_status);

/* Decide, and remember the death.  `chance` is any random number. */
struct restart_decision restart_decide(struct restart_breaker *breaker, struct restart_delays *delays,
    const struct restart_rules *rules, const struct restart_death *death, int64_t now_ms, uint32_t chance);

/* The probe is under way; until it ends or is healthy no other start of the kind is allowed. */
void restart_begin_probe(struct restart_breaker *breaker);

/* The probe was taken back before it could prove anything: try another one now. */
void restart_abandon_probe(struct restart_breaker *breaker, int64_t now_ms);

/* Forget every crash: the probe was healthy, or an operator said so. */
void restart_forget(struct restart_breaker *breaker);

#endif
