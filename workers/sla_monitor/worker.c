/* SPDX-License-Identifier: Apache-2.0 */
/*
 * sla_monitor - warns about work and escalates it when its deadline passes.
 *
 * It sleeps until the earliest due moment of all open assignments, and acts on
 * what is due then (steward.sla_turn).  A deadline that comes nearer is notified
 * of; the safety poll finds what a notification did not.
 */
#include <stdio.h>

#include "log.h"
#include "worker.h"

struct sla_monitor {
	int64_t began_ms; /* when the turn was asked for */
};

/*
 * A turn's clock is the server's, which reads it when the turn begins.  So the
 * wait is counted from when it was asked for, and what the way there takes
 * cancels out; two more for milliseconds that are cut off, as early would be a
 * turn for nothing.
 */
enum { CUT_OFF_MS = 2 };

static void
report(int64_t warned, int64_t escalated, int64_t unserved, int64_t returned)
{
	if (warned + escalated + returned > 0)
		log_event(LOG_info, "deadlines_passed", "warned=%" PRId64 " escalated=%" PRId64 " returned=%" PRId64, warned,
		    escalated, returned);
	if (unserved > 0)
		log_event(LOG_warning, "escalations_unserved", "count=%" PRId64 " hint=\"%s\"", unserved,
		    "nobody above the assignee is available; see escalation_events without escalated_to_id");
}

static void
on_turn(struct worker *w, const struct db_result *r)
{
	const struct sla_monitor *m = worker_state(w);

	int64_t warned      = db_int8(r, 0, "warned", 0);
	int64_t escalated   = db_int8(r, 0, "escalated", 0);
	int64_t unserved    = db_int8(r, 0, "unserved", 0);
	int64_t returned    = db_int8(r, 0, "returned", 0);
	int64_t next_due_ms = db_int8(r, 0, "next_due_ms", INT64_MAX);

	worker_count(w, (uint64_t)(warned + escalated + returned), (uint64_t)unserved);
	report(warned, escalated, unserved, returned);
	if (next_due_ms <= 0)
		worker_wake_in(w, 0);
	else if (next_due_ms < worker_config(w)->sla_monitor_tick)
		worker_wake_in(w, MAX(m->began_ms + next_due_ms + CUT_OFF_MS - worker_now_ms(w), 0));
}

static enum err
work(struct worker *w, struct error *e)
{
	struct sla_monitor *m = worker_state(w);
	char                batch[24];
	const char *const   parameters[] = { worker_id(w), batch };

	(void)snprintf(batch, sizeof(batch), "%" PRId64, worker_config(w)->sla_monitor_batch);
	m->began_ms = worker_now_ms(w);
	return worker_call(w, STMT_sla_turn, parameters, on_turn, e);
}

static int64_t
safety_poll_ms(const struct config *cfg)
{
	return cfg->sla_monitor_tick;
}

static const struct worker_ops ops = {
	.self           = WORKER_sla_monitor,
	.channel        = "steward_sla",
	.scheduled      = true,
	.state_size     = sizeof(struct sla_monitor),
	.work           = work,
	.safety_poll_ms = safety_poll_ms,
};

int
main(int argc, char *argv[])
{
	return worker_main(argc, argv, &ops);
}
