/* SPDX-License-Identifier: Apache-2.0 */
/*
 * status - one screen: the node, then what is wrong and what to do about it,
 * then the processes.  Also ping, the smallest question.
 */
#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "report.h"

enum { ROWS_ON_A_SCREEN = 16 };

static void
problem(struct output *o, const char *sentence)
{
	output_wrapped(o, TONE_bad, "! ", "  ", sentence);
}

static void PRINTF_LIKE(2, 3)
next_step(struct output *o, const char *format, ...)
{
	char    text[256];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	output_line(o, "  next: %s", text);
}

/* ------------------------------------------------------------- the workers */
static bool
is_troubled(const struct msg_worker *w)
{
	return strcmp(w->state, "failed") == 0 || strcmp(w->state, "backoff") == 0;
}

/* The first of its kind in this state speaks for the others. */
static size_t
count_alike(const struct report *r, size_t index, bool *is_first)
{
	const struct msg_worker *w     = &r->worker[index];
	size_t                   count = 0;

	*is_first = true;
	for (size_t i = 0; i < r->worker_count; i++)
		if (strcmp(r->worker[i].kind, w->kind) == 0 && strcmp(r->worker[i].state, w->state) == 0) {
			*is_first &= i >= index;
			count++;
		}
	return count;
}

static void
show_trouble(struct output *o, const struct msg_worker *w, size_t alike)
{
	char process[REPORT_TEXT_SIZE], ending[REPORT_TEXT_SIZE], ago[REPORT_TEXT_SIZE];
	char others[48] = "", again[48] = "", exit[256] = "", text[640];

	if (alike > 1)
		(void)snprintf(others, sizeof(others), " (and %zu more)", alike - 1);
	if (w->due_ms >= 0)
		(void)snprintf(again, sizeof(again), "; next try in %.1f s", (double)w->due_ms / 1000);
	if (w->exit_at != 0)
		(void)snprintf(exit, sizeof(exit), ": ended by %s %s, %" PRIu64 " restart%s",
		    report_ending(w->exit_status, w->exit_signal, ending), report_ago(w->exit_at, ago), w->restarts,
		    w->restarts == 1 ? "" : "s");
	(void)report_process(w->kind, w->slot, process);
	(void)snprintf(text, sizeof(text), "%s%s %s%s%s", process, others,
	    strcmp(w->state, "failed") == 0 ? "has failed" : "waits for its restart", exit, again);
	problem(o, text);
	if (strcmp(w->state, "failed") == 0)
		next_step(o, "stewardctl worker show %s; then: stewardctl worker restart %s", process, process);
	else
		next_step(o, "stewardctl worker show %s", process);
}

static void
show_paused(struct output *o, const struct msg_worker *w)
{
	output_tinted(o, TONE_warn, "! %s is paused and takes no new work", w->kind);
	next_step(o, "stewardctl worker resume %s", w->kind);
}

/* What the processes of a kind say themselves; the same sentence from several is one. */
static void
show_notices(struct output *o, const struct report *r)
{
	for (size_t i = 0; i < r->worker_count; i++) {
		bool is_new = r->worker[i].notice[0] != '\0';

		for (size_t j = 0; j < i && is_new; j++)
			is_new = strcmp(r->worker[j].notice, r->worker[i].notice) != 0;
		if (is_new)
			problem(o, r->worker[i].notice);
	}
}

static void
show_worker_problems(struct output *o, const struct report *r)
{
	for (size_t i = 0; i < r->worker_count; i++) {
		const struct msg_worker *w = &r->worker[i];
		bool                     is_first;
		size_t                   alike = count_alike(r, i, &is_first);

		if (is_first && is_troubled(w))
			show_trouble(o, w, alike);
		else if (is_first && strcmp(w->state, "paused") == 0)
			show_paused(o, w);
	}
}

/* --------------------------------------------------------------- the node */
static void
show_node_problems(struct output *o, const struct msg_node *n)
{
	char text[640];

	if (n->config_error[0] != '\0') {
		(void)snprintf(text, sizeof(text), "the last reload was refused, the configuration before it is in force: %s",
		    n->config_error);
		problem(o, text);
		next_step(o, "stewardctl config check; then: stewardctl reload");
	}
	if (strcmp(n->state, "drained") == 0 || strcmp(n->state, "draining") == 0) {
		output_tinted(o, TONE_warn, "! the node is %s: no worker takes work", n->state);
		next_step(o, "stewardctl drain --undo");
	} else if (strcmp(n->database, "up") != 0) {
		(void)snprintf(text, sizeof(text), "database %s%s%s", n->database, n->detail[0] != '\0' ? ": " : "",
		    n->detail);
		problem(o, text);
	}
}

static enum output_tone
state_tone(const char *state)
{
	if (strcmp(state, "running") == 0)
		return TONE_good;
	return strcmp(state, "degraded") == 0 ? TONE_bad : TONE_warn;
}

static void
show_text(struct output *o, const struct report *r)
{
	const struct msg_node *n = &r->node;
	char                   uptime[CLOCK_TEXT_SIZE];
	bool                   is_up = strcmp(n->database, "up") == 0;

	output_tinted(o, state_tone(n->state), "steward %s on %s: %s, up %s%s", n->version, n->name, n->state,
	    clock_format_duration((int64_t)n->uptime_seconds, uptime), is_up ? ", database up" : "");
	show_node_problems(o, n);
	show_worker_problems(o, r);
	show_notices(o, r);
	if (n->bad_messages > 0)
		output_tinted(o, TONE_warn, "! %" PRIu64 " messages could not be read and were dropped", n->bad_messages);
}

/* ------------------------------------------------------------ the document */
static void
put_document(struct output *o, const struct report *r, bool every_worker)
{
	const struct msg_node *n     = &r->node;
	size_t                 shown = 0;

	output_text(o, "version", n->version);
	output_text(o, "node", n->name);
	output_text(o, "state", n->state);
	output_number(o, "uptime_seconds", (int64_t)n->uptime_seconds);
	output_list_begin(o, "workers");
	for (size_t i = 0; i < r->worker_count; i++)
		if (every_worker || (strcmp(r->worker[i].state, "ready") != 0 && shown < ROWS_ON_A_SCREEN)) {
			report_put_worker(o, &r->worker[i]);
			shown++;
		}
	output_list_end(o);
	output_object_begin(o, "database");
	output_text(o, "state", n->database);
	output_text(o, "detail", n->detail);
	output_object_end(o);
	output_number(o, "pid", (int64_t)n->pid);
	output_text(o, "config_error", n->config_error[0] != '\0' ? n->config_error : NULL);
	output_number(o, "bad_messages", (int64_t)n->bad_messages);
}

static void
show(struct output *o, const struct report *r)
{
	bool fits = r->worker_count <= ROWS_ON_A_SCREEN || output_is_json(o) || output_has_fields(o);

	put_document(o, r, fits);
	if (!output_has_fields(o)) {
		show_text(o, r);
		output_line(o, "%s", "");
	}
	output_table(o, "workers", REPORT_COLUMNS);
	if (!fits)
		output_line(o, "%zu processes in all: stewardctl worker list", r->worker_count);
}

enum err
command_status(const struct command_context *c, struct error *e)
{
	CLEANUP(bus_reply_cleanup) struct bus_reply *reply = NULL;
	CLEANUP(report_free) struct report r = { 0 };
	struct msg question = { .type = MSG_ask_status };
	enum err   rc       = client_probe(c, &question, &reply, e);

	if (rc == ERR_ok)
		rc = report_read(reply, &r, e);
	if (rc != ERR_ok)
		return rc;
	show(c->out, &r);
	return output_finish(c->out, e);
}

enum err
command_ping(const struct command_context *c, struct error *e)
{
	CLEANUP(bus_reply_cleanup) struct bus_reply *reply = NULL;
	struct msg question = { .type = MSG_ask_ping };
	struct msg answer   = { .type = MSG_COUNT };
	int64_t    before   = clock_wall_us();
	enum err   rc       = client_probe(c, &question, &reply, e);

	if (rc == ERR_ok)
		rc = client_next(reply, &answer, e);
	if (rc != ERR_ok && rc != ERR_again)
		return rc;
	output_bool(c->out, "up", true);
	output_number(c->out, "microseconds", clock_wall_us() - before);
	output_line(c->out, "%s answers", answer.type == MSG_done ? answer.body.done.detail : "the daemon");
	return output_finish(c->out, e);
}
