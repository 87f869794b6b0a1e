/* SPDX-License-Identifier: Apache-2.0 */
#include "status.h"

#include <stdio.h>
#include <string.h>
#include <unistd.h>

#include "slot.h"

struct summary {
	unsigned           wanted;
	unsigned           ready; /* or paused, or done with what it had to do */
	const struct slot *failed;
	const struct slot *database; /* who reports the worst; NULL: nobody reports */
};

/* From best to worst; each word of `ready` and `heartbeat` has its place. */
static int
badness(const char *database)
{
	static const char *const words[] = { "up", "schema_new", "schema_old", "down" };

	for (int i = 0; i < (int)COUNT_OF(words); i++)
		if (strcmp(words[i], database) == 0)
			return i;
	return -1;
}

static void
add_slot(struct summary *sum, const struct slot *s)
{
	if (s->state == STATE_ready || s->state == STATE_paused || s->rested)
		sum->ready++;
	if (s->state == STATE_failed)
		sum->failed = s;
	if (!slot_is_alive(s) || badness(s->report.database) < 0)
		return;
	if (sum->database == NULL || badness(s->report.database) > badness(sum->database->report.database))
		sum->database = s;
}

static struct summary
summarize(const struct tree *t)
{
	struct summary sum = { 0 };

	for (unsigned i = 0; i < WORKER_COUNT; i++) {
		const struct kind *k = &t->kind[i];

		sum.wanted += k->processes;
		for (unsigned n = 0; n < k->processes; n++)
			if (k->slot[n] != NULL)
				add_slot(&sum, k->slot[n]);
	}
	return sum;
}

static const char *
state_word(const struct supervisor *s, const struct summary *sum)
{
	if (s->tree.mode == TREE_stop)
		return "stopping";
	if (s->tree.mode == TREE_drain)
		return tree_has_processes(&s->tree) ? "draining" : "drained";
	if (!s->begun)
		return "starting";
	return sum->failed != NULL || sum->ready < sum->wanted ? "degraded" : "running";
}

void
status_of_node(const struct supervisor *s, struct msg_node *row, int64_t now_ms)
{
	struct summary sum = summarize(&s->tree);

	memset(row, 0, sizeof(*row));
	(void)snprintf(row->version, sizeof(row->version), "%s", STEWARD_VERSION);
	(void)snprintf(row->name, sizeof(row->name), "%s", s->node);
	(void)snprintf(row->state, sizeof(row->state), "%s", state_word(s, &sum));
	row->pid            = (uint64_t)getpid();
	row->uptime_seconds = (uint64_t)((now_ms - s->started_ms) / 1000);
	(void)snprintf(row->database, sizeof(row->database), "%s",
	    sum.database != NULL ? sum.database->report.database : "down");
	(void)snprintf(row->detail, sizeof(row->detail), "%s",
	    sum.database != NULL ? sum.database->report.detail : "no worker runs that could tell");
	row->bad_messages = bus_bad_messages();
	(void)snprintf(row->config_error, sizeof(row->config_error), "%s", s->config_error);
}

static int64_t
next_start_ms(const struct slot *slot, int64_t now_ms)
{
	const struct restart_breaker *b = &slot->kind->breaker;

	if (slot->state == STATE_backoff)
		return MAX(slot->due_ms - now_ms, (int64_t)0);
	if (slot->state == STATE_failed && !slot->hopeless && b->open && !b->probing)
		return MAX(b->due_ms - now_ms, (int64_t)0);
	return -1;
}

void
status_of_slot(const struct slot *slot, struct msg_worker *row, int64_t now_ms)
{
	bool alive = slot_is_alive(slot);

	memset(row, 0, sizeof(*row));
	(void)snprintf(row->kind, sizeof(row->kind), "%s", slot->kind->desc->name);
	row->slot = slot->number;
	(void)snprintf(row->state, sizeof(row->state), "%s", lifecycle_state_name(slot->state));
	row->restarts = slot->starts > 0 ? slot->starts - 1 : 0;
	row->due_ms   = next_start_ms(slot, now_ms);
	if (alive) {
		row->pid            = (uint64_t)slot->pid;
		row->uptime_seconds = (uint64_t)((now_ms - slot->started_ms) / 1000);
		row->done           = slot->report.done;
		row->failed         = slot->report.failed;
		(void)snprintf(row->notice, sizeof(row->notice), "%s", slot->report.notice);
	}
	if (alive && slot->report.activity[0] != '\0') {
		(void)snprintf(row->activity, sizeof(row->activity), "%s", slot->report.activity);
		row->activity_ms = slot->report.activity_ms + (uint64_t)(now_ms - slot->report_ms);
	}
	row->exit_at     = slot->last.ended_at;
	row->exit_status = slot->last.exit_status;
	row->exit_signal = slot->last.exit_signal;
}

bool
status_has(const struct slot *slot)
{
	return slot != NULL && (slot->number < slot->kind->processes || slot->state != STATE_down);
}

/* On a schema that is not ours it may well be at work; the detail says so. */
static void
put_database(const struct msg_heartbeat *report, char text[NOTIFY_STATUS_SIZE])
{
	const char *why = report->detail[0] != '\0' ? report->detail : "no reason given";

	if (strcmp(report->database, "down") == 0)
		(void)snprintf(text, NOTIFY_STATUS_SIZE, "waiting for database: %s", why);
	else
		(void)snprintf(text, NOTIFY_STATUS_SIZE, "database %s: %s", report->database, why);
}

void
status_sentence(const struct supervisor *s, char text[NOTIFY_STATUS_SIZE])
{
	struct summary sum  = summarize(&s->tree);
	const char    *word = state_word(s, &sum);

	if (s->tree.mode != TREE_run)
		(void)snprintf(text, NOTIFY_STATUS_SIZE, "%s", word);
	else if (sum.failed != NULL)
		(void)snprintf(text, NOTIFY_STATUS_SIZE, "%u of %u workers ready, %s failed; see: stewardctl worker show %s",
		    sum.ready, sum.wanted, sum.failed->name, sum.failed->name);
	else if (sum.database != NULL && badness(sum.database->report.database) > 0)
		put_database(&sum.database->report, text);
	else
		(void)snprintf(text, NOTIFY_STATUS_SIZE, "%s: %u of %u workers ready", word, sum.ready, sum.wanted);
}
