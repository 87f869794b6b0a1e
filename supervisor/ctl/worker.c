/* SPDX-License-Identifier: Apache-2.0 */
/*
 * worker - the processes of the daemon: seen, counted, paused, restarted.
 */
#include <ctype.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "closest.h"
#include "report.h"

enum { EVERY_SLOT = -1 };

struct target {
	char    kind[32];
	int64_t slot; /* EVERY_SLOT: all of the kind */
};

/*
 * Which kinds there are is for the daemon to say, it may be of another version;
 * what this program knows is good for a guess.
 */
static enum err
suggest_kind(enum err code, const char *name, struct error *e)
{
	struct closest close;
	struct error   before = *e;

	closest_begin(&close, name);
	for (int kind = 0; kind < WORKER_COUNT; kind++)
		(void)closest_offer(&close, worker_desc((enum worker_kind)kind)->name);
	if (code != ERR_not_found || close.best == NULL || close.distance == 0)
		return code;
	return err_set(e, code, "%s; did you mean %s?", before.text, close.best);
}

/* "provisioning" or "provisioning[3]" */
static enum err
read_target(const char *text, struct target *t, struct error *e)
{
	size_t length = strcspn(text, "[");
	char   number[24];
	size_t digits;

	t->slot = EVERY_SLOT;
	(void)snprintf(t->kind, sizeof(t->kind), "%.*s", (int)length, text);
	if (length >= sizeof(t->kind))
		return err_set(e, ERR_not_found, "there is no kind of worker called %s", text);
	if (text[length] == '\0')
		return ERR_ok;
	digits = strcspn(text + length + 1, "]");
	if (strcmp(text + length + 1 + digits, "]") != 0 || digits >= sizeof(number))
		return err_set(e, ERR_usage, "%s: write it as %s or %s[0]", text, t->kind, t->kind);
	(void)snprintf(number, sizeof(number), "%.*s", (int)digits, text + length + 1);
	return command_number("the slot", number, 0, INT32_MAX, &t->slot, e);
}

static enum err
order(const struct command_context *c, const struct msg *m, const char *kind, struct error *e)
{
	return suggest_kind(client_do(c, m, e), kind, e);
}

static enum err
read_kind(const char *text, char kind[32], struct error *e)
{
	struct target t;
	enum err      rc = read_target(text, &t, e);

	if (rc == ERR_ok && t.slot != EVERY_SLOT)
		rc = err_set(e, ERR_usage, "%s: it is done to a whole kind; write %s", text, t.kind);
	if (rc == ERR_ok)
		(void)snprintf(kind, 32, "%s", t.kind);
	return rc;
}

static enum err
ask_report(const struct command_context *c, struct report *r, struct error *e)
{
	CLEANUP(bus_reply_cleanup) struct bus_reply *reply = NULL;
	struct msg question = { .type = MSG_ask_status };
	enum err   rc       = client_ask(c, &question, &reply, e);

	return rc == ERR_ok ? report_read(reply, r, e) : rc;
}

enum err
command_worker_list(const struct command_context *c, struct error *e)
{
	CLEANUP(report_free) struct report r = { 0 };
	enum err rc = ask_report(c, &r, e);

	if (rc != ERR_ok)
		return rc;
	output_list_begin(c->out, "items");
	for (size_t i = 0; i < r.worker_count; i++)
		report_put_worker(c->out, &r.worker[i]);
	output_list_end(c->out);
	output_table(c->out, "items", REPORT_COLUMNS);
	return output_finish(c->out, e);
}

/* ------------------------------------------------------------------- show */
static void
put_death(struct output *o, const struct msg_death *d)
{
	char text[REPORT_TEXT_SIZE];
	char when[CLOCK_TEXT_SIZE];

	output_item_begin(o);
	output_text(o, "process", report_process(d->kind, d->slot, text));
	output_text(o, "kind", d->kind);
	output_number(o, "slot", (int64_t)d->slot);
	output_number(o, "pid", (int64_t)d->pid);
	output_text(o, "time", clock_format_us(d->ended_at, when));
	if (d->exit_signal > 0) {
		output_null(o, "status");
		output_number(o, "signal", d->exit_signal);
	} else {
		output_number(o, "status", d->exit_status);
		output_null(o, "signal");
	}
	output_bool(o, "core", d->core);
	output_number(o, "uptime_ms", (int64_t)d->uptime_ms);
	output_text(o, "activity", d->activity);
	output_number(o, "user_ms", (int64_t)d->user_ms);
	output_number(o, "system_ms", (int64_t)d->system_ms);
	output_number(o, "max_rss_kib", (int64_t)d->max_rss_kib);
	output_text(o, "reason", d->reason);
	if (!output_is_json(o)) {
		output_text(o, "ended", report_ago(d->ended_at, text));
		output_text(o, "how", report_ending(d->exit_status, d->exit_signal, text));
		output_number(o, "uptime_seconds", (int64_t)d->uptime_ms / 1000);
	}
	output_item_end(o);
}

static enum err
put_deaths(const struct command_context *c, const struct target *t, size_t *count, struct error *e)
{
	CLEANUP(bus_reply_cleanup) struct bus_reply *reply = NULL;
	struct msg question = { .type = MSG_ask_deaths };
	struct msg m;
	enum err   rc;

	(void)snprintf(question.body.ask_deaths.kind, sizeof(question.body.ask_deaths.kind), "%s", t->kind);
	question.body.ask_deaths.slot = t->slot;
	rc                            = client_ask(c, &question, &reply, e);
	if (rc != ERR_ok)
		return rc;
	output_list_begin(c->out, "deaths");
	while ((rc = client_next(reply, &m, e)) == ERR_ok)
		if (m.type == MSG_death) {
			put_death(c->out, &m.body.death);
			(*count)++;
		}
	output_list_end(c->out);
	return rc == ERR_again ? ERR_ok : rc;
}

static void
describe_worker(struct output *o, const struct msg_worker *w)
{
	char process[REPORT_TEXT_SIZE], uptime[CLOCK_TEXT_SIZE], doing[CLOCK_TEXT_SIZE];

	(void)report_process(w->kind, w->slot, process);
	if (w->pid == 0)
		output_line(o, "%s: %s, restarts: %" PRIu64, process, w->state, w->restarts);
	else
		output_line(o, "%s: %s, pid %" PRIu64 ", up %s, restarts: %" PRIu64, process, w->state, w->pid,
		    clock_format_duration((int64_t)w->uptime_seconds, uptime), w->restarts);
	if (w->due_ms >= 0)
		output_line(o, "  starts again in %.1f s", (double)w->due_ms / 1000);
	if (w->pid != 0)
		output_line(o, "  %s for %s; %" PRIu64 " done, %" PRIu64 " failed",
		    w->activity[0] != '\0' ? w->activity : "has not said what it does",
		    clock_format_duration((int64_t)w->activity_ms / 1000, doing), w->done, w->failed);
}

static enum err
put_workers(const struct command_context *c, const struct target *t, const struct report *r, struct error *e)
{
	size_t count = 0;

	output_text(c->out, "kind", t->kind);
	output_list_begin(c->out, "workers");
	for (size_t i = 0; i < r->worker_count; i++) {
		const struct msg_worker *w = &r->worker[i];

		if (strcmp(w->kind, t->kind) != 0 || (t->slot != EVERY_SLOT && (uint64_t)t->slot != w->slot))
			continue;
		report_put_worker(c->out, w);
		if (!output_has_fields(c->out))
			describe_worker(c->out, w);
		count++;
	}
	output_list_end(c->out);
	if (count == 0 && t->slot != EVERY_SLOT)
		return err_set(e, ERR_not_found, "%s[%" PRId64 "]: there is no such process; see stewardctl worker list",
		    t->kind, t->slot);
	return ERR_ok;
}

enum err
command_worker_show(const struct command_context *c, struct error *e)
{
	CLEANUP(report_free) struct report r = { 0 };
	struct target t;
	size_t        deaths = 0;
	enum err      rc     = read_target(c->argv[0], &t, e);

	if (rc == ERR_ok)
		rc = ask_report(c, &r, e);
	if (rc == ERR_ok)
		rc = put_workers(c, &t, &r, e);
	if (rc == ERR_ok)
		rc = put_deaths(c, &t, &deaths, e);
	if (rc != ERR_ok)
		return suggest_kind(rc, t.kind, e);
	if (deaths == 0 && !output_has_fields(c->out))
		output_line(c->out, "none has ended yet");
	else
		output_table(c->out, "deaths", "ended,worker=process,pid,how,after=uptime_seconds,doing=activity,reason");
	return output_finish(c->out, e);
}

/* ------------------------------------------------------------------ orders */
enum err
command_worker_scale(const struct command_context *c, struct error *e)
{
	struct msg m         = { .type = MSG_ask_scale };
	int64_t    processes = 0;
	enum err   rc        = read_kind(c->argv[0], m.body.ask_scale.kind, e);

	if (rc == ERR_ok)
		rc = command_number("N", c->argv[1], 0, INT32_MAX, &processes, e);
	m.body.ask_scale.processes = (uint64_t)processes;
	return rc == ERR_ok ? order(c, &m, m.body.ask_scale.kind, e) : rc;
}

static enum err
ask_pause(const struct command_context *c, bool paused, struct error *e)
{
	struct msg m  = { .type = MSG_ask_pause, .body.ask_pause.paused = paused };
	enum err   rc = read_kind(c->argv[0], m.body.ask_pause.kind, e);

	return rc == ERR_ok ? order(c, &m, m.body.ask_pause.kind, e) : rc;
}

enum err
command_worker_pause(const struct command_context *c, struct error *e)
{
	return ask_pause(c, true, e);
}

enum err
command_worker_resume(const struct command_context *c, struct error *e)
{
	return ask_pause(c, false, e);
}

enum err
command_worker_restart(const struct command_context *c, struct error *e)
{
	struct msg    m = { .type = MSG_ask_restart };
	struct target t;
	enum err      rc = read_target(c->argv[0], &t, e);

	if (rc != ERR_ok)
		return rc;
	(void)snprintf(m.body.ask_restart.kind, sizeof(m.body.ask_restart.kind), "%s", t.kind);
	m.body.ask_restart.slot = t.slot;
	return order(c, &m, t.kind, e);
}
