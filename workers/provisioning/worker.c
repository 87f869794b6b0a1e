/* SPDX-License-Identifier: Apache-2.0 */
/*
 * provisioning - makes the workspace that an approved match promised.
 *
 * One call takes a batch of ready jobs, writes all their rows and completes
 * them in one transaction (steward.provision_batch).  A crash anywhere leaves
 * either all of a batch or nothing of it; nothing here has to be cleaned up.
 */
#include <stdio.h>

#include "log.h"
#include "worker.h"

struct provisioning {
	bool    has_kept_up;
	bool    has_more;   /* the last upkeep was full */
	bool    was_upkeep; /* the last call: batches and upkeep that has more take turns */
	int64_t upkeep_ms;  /* when the last upkeep began */
	int64_t due_ms;     /* of the next job as far as it was learnt, and not asked for before; INT64_MAX: none waits */
};

static void
on_batch(struct worker *w, const struct db_result *r)
{
	struct provisioning *p = worker_state(w);

	int64_t claimed     = db_int8(r, 0, "claimed", 0);
	int64_t completed   = db_int8(r, 0, "completed", 0);
	int64_t retried     = db_int8(r, 0, "retried", 0);
	int64_t rolled_back = db_int8(r, 0, "rolled_back", 0);
	int64_t next_due_ms = db_int8(r, 0, "next_due_ms", INT64_MAX);

	worker_count(w, (uint64_t)completed, (uint64_t)(retried + rolled_back));
	if (retried + rolled_back > 0)
		log_event(LOG_warning, "jobs_failed", "retried=%" PRId64 " rolled_back=%" PRId64 " hint=\"%s\"", retried,
		    rolled_back, "stewardctl provisioning errors");
	if (claimed > 0)
		log_event(LOG_debug, "batch_done", "claimed=%" PRId64 " completed=%" PRId64, claimed, completed);
	/* A call that did not look ahead must not make forget what was learnt before it. */
	if (next_due_ms != INT64_MAX)
		p->due_ms = MIN(p->due_ms, worker_now_ms(w) + next_due_ms);
	if (p->due_ms != INT64_MAX)
		worker_wake_in(w, MAX(p->due_ms - worker_now_ms(w), 0));
	if (p->has_more)
		worker_wake_in(w, 0);
}

static void
on_upkeep(struct worker *w, const struct db_result *r)
{
	struct provisioning *p = worker_state(w);

	int64_t     reaped  = db_int8(r, 0, "reaped", 0);
	int64_t     swept   = db_int8(r, 0, "swept", 0);
	int64_t     pruned  = db_int8(r, 0, "pruned", 0);
	int64_t     alerts  = db_int8(r, 0, "alerts_waiting", 0);
	const char *trouble = db_named_text(r, 0, "trouble");
	char        quoted[LOG_QUOTE_SIZE];
	char        notice[256] = "";

	if (reaped + swept > 0)
		log_event(LOG_warning, "jobs_recovered", "reaped=%" PRId64 " swept=%" PRId64, reaped, swept);
	if (pruned > 0)
		log_event(LOG_info, "rows_pruned", "rows=%" PRId64, pruned);
	if (trouble != NULL) {
		log_event(LOG_warning, "upkeep_refused", "reason=%s", log_quote(trouble, quoted));
		(void)snprintf(notice, sizeof(notice), "upkeep: %s", trouble);
	} else if (alerts > 0)
		(void)snprintf(notice, sizeof(notice), "undelivered alerts about failed workspaces: %" PRId64 "; see: %s", alerts,
		    "stewardctl provisioning errors");
	worker_notice(w, notice);
	p->has_more = db_bool(r, 0, "more");
	worker_wake_in(w, 0);
}

static bool
must_keep_up(const struct worker *w, const struct provisioning *p)
{
	return !p->has_kept_up || p->has_more || worker_now_ms(w) - p->upkeep_ms >= worker_config(w)->provisioning_upkeep;
}

static enum err
work(struct worker *w, struct error *e)
{
	struct provisioning *p = worker_state(w);
	bool                 looks_ahead = worker_now_ms(w) >= p->due_ms;
	char                 batch[24];
	const char *const    parameters[] = { worker_id(w), batch, looks_ahead ? "true" : "false" };

	p->was_upkeep = !p->was_upkeep && must_keep_up(w, p);
	if (p->was_upkeep) {
		p->has_kept_up = true;
		p->has_more    = false;
		p->upkeep_ms   = worker_now_ms(w);
		return worker_call(w, STMT_provision_upkeep, parameters, on_upkeep, e);
	}
	if (looks_ahead)
		p->due_ms = INT64_MAX;
	(void)snprintf(batch, sizeof(batch), "%" PRId64, worker_config(w)->provisioning_batch);
	return worker_call(w, STMT_provision_batch, parameters, on_batch, e);
}

static int64_t
safety_poll_ms(const struct config *cfg)
{
	return cfg->provisioning_tick;
}

static const struct worker_ops ops = {
	.self           = WORKER_provisioning,
	.channel        = "steward_provisioning",
	.scheduled      = true,
	.state_size     = sizeof(struct provisioning),
	.work           = work,
	.safety_poll_ms = safety_poll_ms,
};

int
main(int argc, char *argv[])
{
	return worker_main(argc, argv, &ops);
}
