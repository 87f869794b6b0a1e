/* SPDX-License-Identifier: Apache-2.0 */
#include "control.h"

#include <stdio.h>
#include <stdarg.h>
#include <string.h>

#include "clock.h"
#include "reload.h"
#include "status.h"

enum { CONTEXTS = 8, REQUESTS_PER_TURN = 64, SOCKET_MODE = 0660 };

/* Adds its rows; what it did is told by `done`, what it did not by the error. */
typedef enum err answer_fn(struct supervisor *s, const struct msg *m, struct bus_request *r, struct error *e);

/* ----------------------------------------------------------------- answers */
static enum err PRINTF_LIKE(3, 4)
say_done(struct bus_request *r, struct error *e, const char *format, ...)
{
	struct msg m = { .type = MSG_done };
	va_list    args;

	va_start(args, format);
	(void)vsnprintf(m.body.done.detail, sizeof(m.body.done.detail), format, args);
	va_end(args);
	return bus_request_add(r, &m, e);
}

static enum err
find_kind(const char *name, enum worker_kind *kind, struct error *e)
{
	*kind = worker_kind_by_name(name);
	if (*kind == WORKER_COUNT)
		return err_set(e, ERR_not_found, "there is no kind of worker called %s; see: stewardctl worker list", name);
	return ERR_ok;
}

static enum err
on_ping(struct supervisor *s, const struct msg *m, struct bus_request *r, struct error *e)
{
	(void)m;
	return say_done(r, e, "steward %s on %s", STEWARD_VERSION, s->node);
}

static enum err
on_status(struct supervisor *s, const struct msg *m, struct bus_request *r, struct error *e)
{
	int64_t    now_ms = clock_now_ms();
	struct msg row    = { .type = MSG_node };
	enum err   err;

	(void)m;
	status_of_node(s, &row.body.node, now_ms);
	err      = bus_request_add(r, &row, e);
	row.type = MSG_worker;
	for (unsigned i = 0; i < WORKER_COUNT; i++)
		for (unsigned n = 0; err == ERR_ok && n < SLOTS_MAX; n++) {
			if (!status_has(s->tree.kind[i].slot[n]))
				continue;
			status_of_slot(s->tree.kind[i].slot[n], &row.body.worker, now_ms);
			err = bus_request_add(r, &row, e);
		}
	return err;
}

static enum err
on_reload(struct supervisor *s, const struct msg *m, struct bus_request *r, struct error *e)
{
	unsigned changed;
	enum err err = reload_run(s, r, &changed, e);

	(void)m;
	if (err != ERR_ok)
		return err_set(e, err, "the old configuration stays in force: %s", s->config_error);
	return say_done(r, e, "%u setting%s changed", changed, changed == 1 ? "" : "s");
}

static enum err
on_stop(struct supervisor *s, const struct msg *m, struct bus_request *r, struct error *e)
{
	enum err err = say_done(r, e, "steward is stopping");

	(void)m;
	s->asked_to_stop = true;
	supervisor_stop(s, "asked");
	return err;
}

static enum err
on_drain(struct supervisor *s, const struct msg *m, struct bus_request *r, struct error *e)
{
	if (s->tree.mode == TREE_stop)
		return err_set(e, ERR_refused, "steward is stopping");
	tree_set_mode(&s->tree, m->body.ask_drain.undo ? TREE_run : TREE_drain);
	return say_done(r, e, m->body.ask_drain.undo ? "workers are starting" : "workers are draining");
}

static enum err
on_scale(struct supervisor *s, const struct msg *m, struct bus_request *r, struct error *e)
{
	const struct msg_ask_scale *q = &m->body.ask_scale;
	enum worker_kind            kind;
	enum err                    err = find_kind(q->kind, &kind, e);

	if (err == ERR_ok)
		err = tree_scale(&s->tree, kind, q->processes, e);
	if (err != ERR_ok)
		return err;
	return say_done(r, e, "%s: %" PRIu64 " processes, until the next reload", q->kind, q->processes);
}

static enum err
on_pause(struct supervisor *s, const struct msg *m, struct bus_request *r, struct error *e)
{
	const struct msg_ask_pause *q = &m->body.ask_pause;
	enum worker_kind            kind;
	enum err                    err = find_kind(q->kind, &kind, e);

	if (err != ERR_ok)
		return err;
	tree_pause(&s->tree, kind, q->paused);
	return say_done(r, e, "%s %s", q->kind, q->paused ? "takes no new work" : "takes work again");
}

static enum err
on_restart(struct supervisor *s, const struct msg *m, struct bus_request *r, struct error *e)
{
	const struct msg_ask_restart *q = &m->body.ask_restart;
	enum worker_kind              kind;
	enum err                      err = find_kind(q->kind, &kind, e);

	if (err == ERR_ok)
		err = tree_restart(&s->tree, kind, q->slot, e);
	if (err != ERR_ok)
		return err;
	if (q->slot < 0)
		return say_done(r, e, "%s: restarting, one process at a time", q->kind);
	return say_done(r, e, "%s[%" PRId64 "]: restarting", q->kind, q->slot);
}

static enum err
on_deaths(struct supervisor *s, const struct msg *m, struct bus_request *r, struct error *e)
{
	const struct msg_ask_deaths *q = &m->body.ask_deaths;
	const struct msg_death      *death;
	enum worker_kind             kind;
	enum err                     err = find_kind(q->kind, &kind, e);

	for (unsigned n = 0; err == ERR_ok && (death = deaths_get(&s->tree.kind[kind].deaths, n)) != NULL; n++) {
		struct msg row = { .type = MSG_death, .body.death = *death };

		if (q->slot == -1 || (uint64_t)q->slot == death->slot)
			err = bus_request_add(r, &row, e);
	}
	return err;
}

static enum err
on_log_level(struct supervisor *s, const struct msg *m, struct bus_request *r, struct error *e)
{
	const struct msg_ask_log_level *q     = &m->body.ask_log_level;
	struct msg                      order = { .type = MSG_log_level };
	enum log_level                  level;
	enum worker_kind                kind;

	if (!log_level_by_name(q->level, &level))
		return err_set(e, ERR_bad_data, "there is no log level %s; allowed: error, warning, info, debug", q->level);
	if (strcmp(q->kind, "supervisor") == 0) {
		log_set_level(level);
		return say_done(r, e, "the supervisor logs from %s on", q->level);
	}
	if (find_kind(q->kind, &kind, e) != ERR_ok)
		return e->code;
	(void)snprintf(order.body.log_level.level, sizeof(order.body.log_level.level), "%s", q->level);
	tree_order_kind(&s->tree, kind, &order);
	return say_done(r, e, "%s logs from %s on", q->kind, q->level);
}

/* The newest that fit into one reply come last; who needs more asks again with a higher number. */
static enum err
on_events(struct supervisor *s, const struct msg *m, struct bus_request *r, struct error *e)
{
	uint64_t number = events_first_after(&s->events, m->body.ask_events.after);
	enum err err    = ERR_ok;

	for (; err == ERR_ok && number <= s->events.last; number++) {
		struct msg row = { .type = MSG_event, .body.event = *events_get(&s->events, number) };

		err = bus_request_add(r, &row, e);
	}
	return err;
}

/* ---------------------------------------------------------------- dispatch */
static const struct {
	answer_fn *answer;
	bool       acts; /* needs the right to */
} answers[MSG_COUNT] = {
	[MSG_ask_ping]      = { on_ping,      false },
	[MSG_ask_status]    = { on_status,    false },
	[MSG_ask_deaths]    = { on_deaths,    false },
	[MSG_ask_events]    = { on_events,    false },
	[MSG_ask_reload]    = { on_reload,    true  },
	[MSG_ask_stop]      = { on_stop,      true  },
	[MSG_ask_drain]     = { on_drain,     true  },
	[MSG_ask_scale]     = { on_scale,     true  },
	[MSG_ask_pause]     = { on_pause,     true  },
	[MSG_ask_restart]   = { on_restart,   true  },
	[MSG_ask_log_level] = { on_log_level, true  },
};

/* " kind=some slot=0": the fields of a question as the log shows them. */
static void
put_arguments(const struct msg *m, char *text, size_t size)
{
	const struct msg_desc *desc = msg_desc(m->type);
	const char            *body = (const char *)&m->body;
	char                   quoted[LOG_QUOTE_SIZE];
	size_t                 used = 0;

	text[0] = '\0';
	for (size_t i = 0; i < desc->field_count && used < size; i++) {
		const struct field_desc *f  = &desc->field[i];
		const char              *at = body + f->offset;
		int                      n  = 0;

		switch (f->kind) {
		case FIELD_U64:
			n = snprintf(text + used, size - used, " %s=%" PRIu64, f->name, *(const uint64_t *)(const void *)at);
			break;
		case FIELD_I64:
		case FIELD_TIME:
			n = snprintf(text + used, size - used, " %s=%" PRId64, f->name, *(const int64_t *)(const void *)at);
			break;
		case FIELD_BOOL:
			n = snprintf(text + used, size - used, " %s=%s", f->name, *(const bool *)at ? "yes" : "no");
			break;
		case FIELD_STR:
			n = snprintf(text + used, size - used, " %s=%s", f->name, log_quote(at, quoted));
			break;
		}
		used += (size_t)MAX(n, 0);
	}
}

static void
tell_act(struct supervisor *s, const struct msg *m, const struct bus_peer *peer, enum err result)
{
	char arguments[160];

	put_arguments(m, arguments, sizeof(arguments));
	events_tell(&s->events, result == ERR_ok ? LOG_info : LOG_warning, "order_received", "steward",
	    "order=%s uid=%u pid=%ld result=%s%s", msg_desc(m->type)->name + strlen("ask_"), (unsigned)peer->uid,
	    (long)peer->pid, err_name(result), arguments);
}

static void
refuse(struct bus_request *r, const struct error *e)
{
	struct msg m = { .type = MSG_refused };

	(void)snprintf(m.body.refused.error, sizeof(m.body.refused.error), "%s", err_name(e->code));
	(void)snprintf(m.body.refused.reason, sizeof(m.body.refused.reason), "%s", e->text);
	/* A reply that is full already cannot say that it is. */
	if (bus_request_add(r, &m, NULL) != ERR_ok)
		log_event(LOG_warning, "answer_cut", "error=%s", err_name(e->code));
}

static void
answer(struct supervisor *s, const struct msg *m, const struct bus_peer *peer, struct bus_request *r)
{
	struct error e   = { 0 };
	enum err     err = ERR_ok;

	if (answers[m->type].answer == NULL)
		err = err_set(&e, ERR_bad_message, "%s is not a question", msg_desc(m->type)->name);
	else if (answers[m->type].acts)
		err = rights_check(&s->rights, peer->uid, s->config.control_admin_group, clock_now_ms(), &e);
	if (err == ERR_ok)
		err = answers[m->type].answer(s, m, r, &e);
	if (err != ERR_ok)
		refuse(r, &e);
	if (answers[m->type].acts)
		tell_act(s, m, peer, err);
	bus_request_send(r);
}

static void
on_requests(void *supervisor)
{
	struct supervisor *s = supervisor;
	struct msg         m;
	struct bus_peer    peer;

	for (int i = 0; i < REQUESTS_PER_TURN; i++) {
		struct bus_request *r   = NULL;
		struct error        e   = { 0 };
		enum err            err = bus_server_next(s->server, &m, &peer, &r, &e);
		char                quoted[LOG_QUOTE_SIZE];

		if (err == ERR_again)
			return;
		if (err == ERR_ok)
			answer(s, &m, &peer, r);
		else
			log_event(LOG_debug, "request_refused", "uid=%u pid=%ld reason=%s", (unsigned)peer.uid, (long)peer.pid,
			    log_quote(e.text, quoted));
	}
}

/* -------------------------------------------------------------------- open */
/* Called on a thread of nng: whoever the socket's mode lets in may ask; what they may have is decided per question. */
static bool
admit_all(const struct bus_peer *peer, void *arg)
{
	(void)peer;
	(void)arg;
	return true;
}

enum err
control_open(struct supervisor *s, struct error *e)
{
	char                            path[sizeof(s->tree.run_directory) + 16];
	const struct bus_server_options options = {
		.path     = path,
		.mode     = SOCKET_MODE,
		.contexts = CONTEXTS,
		.per_uid  = (unsigned)s->config.control_connections_per_user,
		.admit    = admit_all,
	};
	enum err err;

	(void)snprintf(path, sizeof(path), "%s/events.ipc", s->tree.run_directory);
	err = bus_publisher_open(path, SOCKET_MODE, &s->events.publisher, e);
	if (err != ERR_ok)
		return err;
	(void)snprintf(path, sizeof(path), "%s/control.ipc", s->tree.run_directory);
	err = bus_server_open(&options, &s->server, e);
	if (err != ERR_ok)
		return err;
	s->requests = (struct watch){ bus_server_fd(s->server), on_requests, s };
	return loop_add(&s->loop, &s->requests, e);
}
