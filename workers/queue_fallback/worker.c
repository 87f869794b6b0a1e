/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue_fallback - drains the assignment queue when capacity is freed.
 *
 * Notifications come one per finished assignment.  The first opens a short
 * window, one for all units, and all that arrive in it are one pass; what
 * arrives during a pass opens the next window.  What was freed is written down
 * by whoever freed it, so that a lost notification costs time and nothing else.
 */
#include <stdio.h>

#include "log.h"
#include "worker.h"

enum { PAUSE_MAX_MS = 200 };

struct queue_fallback {
	bool    is_gathering;
	int64_t drain_ms; /* when the window closes */
	int64_t pause_ms; /* before the next look at what somebody holds */
};

static void
on_drained(struct worker *w, const struct db_result *r)
{
	struct queue_fallback *q        = worker_state(w);
	int64_t                assigned = db_int8(r, 0, "assigned", 0);
	int64_t                tried    = db_int8(r, 0, "tried", 0);
	bool                   has_more = db_bool(r, 0, "more");
	bool                   is_busy  = db_bool(r, 0, "busy");

	worker_count(w, (uint64_t)assigned, 0);
	if (tried > 0 || is_busy)
		log_event(LOG_debug, "queue_drained", "assigned=%" PRId64 " tried=%" PRId64 " busy=%d", assigned, tried, is_busy);
	/* What somebody holds is looked at again after a pause that grows. */
	q->pause_ms = is_busy && !has_more ? MIN(MAX(2 * q->pause_ms, 1), PAUSE_MAX_MS) : 0;
	if (!has_more && !is_busy)
		return;
	/* Another window for what is known already would be time lost. */
	q->is_gathering = true;
	q->drain_ms     = worker_now_ms(w) + q->pause_ms;
	worker_wake_in(w, q->pause_ms);
}

static enum err
work(struct worker *w, struct error *e)
{
	struct queue_fallback *q = worker_state(w);
	char                   batch[24];
	/* Nothing overtakes what somebody holds, but not for ever. */
	const char *const parameters[] = { worker_id(w), batch, q->pause_ms >= PAUSE_MAX_MS ? "t" : "f" };

	if (!q->is_gathering) {
		q->is_gathering = true;
		q->drain_ms     = worker_now_ms(w) + worker_config(w)->queue_fallback_debounce;
	}
	if (worker_now_ms(w) < q->drain_ms) {
		worker_wake_in(w, q->drain_ms - worker_now_ms(w));
		return ERR_ok;
	}
	q->is_gathering = false;
	(void)snprintf(batch, sizeof(batch), "%" PRId64, worker_config(w)->queue_fallback_batch);
	return worker_call(w, STMT_queue_drain, parameters, on_drained, e);
}

static int64_t
safety_poll_ms(const struct config *cfg)
{
	return cfg->queue_fallback_tick;
}

static const struct worker_ops ops = {
	.self           = WORKER_queue_fallback,
	.channel        = "queue_process_needed",
	.scheduled      = true,
	.state_size     = sizeof(struct queue_fallback),
	.work           = work,
	.safety_poll_ms = safety_poll_ms,
};

int
main(int argc, char *argv[])
{
	return worker_main(argc, argv, &ops);
}
