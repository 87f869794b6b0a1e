/* SPDX-License-Identifier: Apache-2.0 */
/*
 * queue_fallback - drains the assignment queue when capacity is freed.
 *
 * Notifications come one per finished assignment.  The first opens a short
 * window, and all that arrive in it are one pass; what arrives during a pass
 * opens the next window.  What was freed is written down by whoever freed it, so
 * that a lost notification costs time and nothing else.
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

/* After a pass that left something: at once when it got on, else somebody holds what it needs, and it pauses. */
static int64_t
pause_ms(int64_t last_ms, bool got_on)
{
	return got_on ? 0 : MIN(MAX(2 * last_ms, 1), PAUSE_MAX_MS);
}

static void
on_drained(struct worker *w, const struct db_result *r)
{
	struct queue_fallback *q        = worker_state(w);
	int64_t                assigned = db_int8(r, 0, "assigned", 0);
	int64_t                tried    = db_int8(r, 0, "tried", 0);
	const char            *more     = db_named_text(r, 0, "more");

	worker_count(w, (uint64_t)assigned, 0);
	if (tried > 0)
		log_event(LOG_debug, "queue_drained", "assigned=%" PRId64 " tried=%" PRId64, assigned, tried);
	if (more == NULL || more[0] != 't') {
		q->pause_ms = 0;
		return;
	}
	/* Another window for what is known already would be time lost. */
	q->pause_ms     = pause_ms(q->pause_ms, assigned > 0 || tried >= worker_config(w)->queue_fallback_batch);
	q->is_gathering = true;
	q->drain_ms     = worker_now_ms(w) + q->pause_ms;
	worker_wake_in(w, q->pause_ms);
}

static enum err
work(struct worker *w, struct error *e)
{
	struct queue_fallback *q = worker_state(w);
	char                   batch[24];
	const char *const      parameters[] = { worker_id(w), batch };

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
