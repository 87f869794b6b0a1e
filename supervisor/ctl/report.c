/* SPDX-License-Identifier: Apache-2.0 */
#include "report.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"

static enum err
keep_worker(struct report *r, const struct msg_worker *w, struct error *e)
{
	struct msg_worker *more = reallocarray(r->worker, r->worker_count + 1, sizeof(*more));

	if (more == NULL)
		return err_set(e, ERR_no_memory, "the list of workers: memory ran out");
	more[r->worker_count++] = *w;
	r->worker               = more;
	return ERR_ok;
}

enum err
report_read(struct bus_reply *reply, struct report *r, struct error *e)
{
	struct msg m;
	enum err   rc;

	while ((rc = client_next(reply, &m, e)) == ERR_ok) {
		if (m.type == MSG_node)
			r->node = m.body.node;
		if (m.type == MSG_worker && (rc = keep_worker(r, &m.body.worker, e)) != ERR_ok)
			return rc;
	}
	return rc == ERR_again ? ERR_ok : rc;
}

void
report_free(struct report *r)
{
	free(r->worker);
	r->worker       = NULL;
	r->worker_count = 0;
}

const char *
report_process(const char *kind, uint64_t slot, char text[REPORT_TEXT_SIZE])
{
	(void)snprintf(text, REPORT_TEXT_SIZE, "%s[%" PRIu64 "]", kind, slot);
	return text;
}

const char *
report_ending(int64_t status, int64_t signal, char text[REPORT_TEXT_SIZE])
{
	const char *name = signal > 0 ? sigabbrev_np((int)signal) : NULL;

	if (signal > 0)
		(void)snprintf(text, REPORT_TEXT_SIZE, "signal %" PRId64 "%s%s%s", signal, name != NULL ? " (" : "",
		    name != NULL ? name : "", name != NULL ? ")" : "");
	else
		(void)snprintf(text, REPORT_TEXT_SIZE, "status %" PRId64, status);
	return text;
}

const char *
report_ago(int64_t wall_us, char text[REPORT_TEXT_SIZE])
{
	int64_t seconds = (clock_wall_us() - wall_us) / 1000000;
	char    duration[CLOCK_TEXT_SIZE];

	(void)snprintf(text, REPORT_TEXT_SIZE, "%s ago", clock_format_duration(MAX(seconds, 0), duration));
	return text;
}

static void
put_last_exit(struct output *o, const struct msg_worker *w)
{
	char when[CLOCK_TEXT_SIZE];

	if (w->exit_at == 0) {
		output_null(o, "last_exit");
		return;
	}
	output_object_begin(o, "last_exit");
	output_text(o, "time", clock_format_us(w->exit_at, when));
	if (w->exit_signal > 0)
		output_null(o, "status");
	else
		output_number(o, "status", w->exit_status);
	if (w->exit_signal > 0)
		output_number(o, "signal", w->exit_signal);
	else
		output_null(o, "signal");
	output_object_end(o);
}

void
report_put_worker(struct output *o, const struct msg_worker *w)
{
	char process[REPORT_TEXT_SIZE];

	output_item_begin(o);
	output_text(o, "kind", w->kind);
	output_number(o, "slot", (int64_t)w->slot);
	if (w->pid == 0)
		output_null(o, "pid");
	else
		output_number(o, "pid", (int64_t)w->pid);
	output_text(o, "state", w->state);
	output_number(o, "restarts", (int64_t)w->restarts);
	if (w->pid == 0 && !output_is_json(o))
		output_null(o, "uptime_seconds");
	else
		output_number(o, "uptime_seconds", (int64_t)w->uptime_seconds);
	put_last_exit(o, w);
	output_text(o, "process", report_process(w->kind, w->slot, process));
	output_text(o, "activity", w->activity);
	output_number(o, "activity_ms", (int64_t)w->activity_ms);
	output_number(o, "done", (int64_t)w->done);
	output_number(o, "failed", (int64_t)w->failed);
	output_text(o, "notice", w->notice[0] != '\0' ? w->notice : NULL);
	if (w->due_ms < 0)
		output_null(o, "due_ms");
	else
		output_number(o, "due_ms", w->due_ms);
	output_item_end(o);
}
