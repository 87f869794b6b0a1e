/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker's half of the link: what it tells the supervisor and how it obeys.
 */
#include <stdio.h>
#include <string.h>

#include "clock.h"
#include "log.h"
#include "worker_private.h"

static bool
say(struct worker *w, const struct msg *m)
{
	struct error e = { 0 };
	char         quoted[LOG_QUOTE_SIZE];
	enum err     code = bus_link_send(w->link, m, &e);

	if (code != ERR_ok && code != ERR_again)
		log_event(LOG_warning, "message_dropped", "reason=%s", log_quote(e.text, quoted));
	return code == ERR_ok;
}

/* Ready once both sessions are up, or are known to be away; repeated until the supervisor is there to hear it. */
void
worker_announce(struct worker *w)
{
	struct msg m = { .type = MSG_ready };

	if (w->is_announced || !session_has_tried(w->work) || (w->listen != NULL && !session_has_tried(w->listen)))
		return;
	(void)snprintf(m.body.ready.database, sizeof(m.body.ready.database), "%s",
	    session_state_word(session_state(w->work)));
	(void)snprintf(m.body.ready.detail, sizeof(m.body.ready.detail), "%s", session_detail(w->work));
	w->is_announced = say(w, &m);
	w->told         = session_state(w->work);
	if (!w->is_announced)
		return;
	w->heartbeat_ms = w->now_ms; /* and what it does, at once */
	log_event(LOG_info, "worker_ready", "id=%s database=%s", w->id, m.body.ready.database);
}

static const struct trouble *
find_trouble(const struct worker *w)
{
	for (size_t s = 0; s < COUNT_OF(w->trouble); s++)
		if (w->trouble[s].since_us != 0)
			return &w->trouble[s];
	return NULL;
}

/* A statement that fails may hide all the rest; then the worker's own: a job that failed is in the history, too. */
static void
put_notice(const struct worker *w, struct msg_heartbeat *b)
{
	const struct trouble *t = find_trouble(w);
	char                  since[CLOCK_TEXT_SIZE];

	if (t != NULL)
		(void)snprintf(b->notice, sizeof(b->notice), "%s fails since %s: %s",
		    statement_desc((enum statement)(t - w->trouble))->name, clock_format_us(t->since_us, since), t->words);
	else if (w->notice[0] != '\0' || w->schedule.failed[0] == '\0')
		(void)snprintf(b->notice, sizeof(b->notice), "%s", w->notice);
	else
		(void)snprintf(b->notice, sizeof(b->notice), "job %s failed; see: stewardctl schedule history --failed",
		    w->schedule.failed);
}

static void
beat(struct worker *w)
{
	struct msg            m    = { .type = MSG_heartbeat };
	struct msg_heartbeat *b    = &m.body.heartbeat;
	const char           *what = session_is_busy(w->work) ? statement_desc(w->statement)->name : "idle";

	if (session_is_busy(w->work) && w->statement == STMT_job_perform)
		what = w->schedule.job;
	(void)snprintf(b->database, sizeof(b->database), "%s", session_state_word(session_state(w->work)));
	(void)snprintf(b->detail, sizeof(b->detail), "%s", session_detail(w->work));
	(void)snprintf(b->activity, sizeof(b->activity), "%s", what);
	b->activity_ms = (uint64_t)(w->now_ms - w->since_ms);
	b->done        = w->done;
	b->failed      = w->failed;
	b->paused      = w->is_paused;
	put_notice(w, b);
	w->told        = session_state(w->work);
	(void)say(w, &m);
}

/* On multiples of the interval, so that the supervisor is woken once for all its workers. */
void
worker_beat_when_due(struct worker *w)
{
	int64_t interval = w->config.supervisor_heartbeat;

	if (w->is_announced && (w->now_ms >= w->heartbeat_ms || w->told != session_state(w->work)))
		beat(w);
	if (w->now_ms >= w->heartbeat_ms)
		w->heartbeat_ms = (w->now_ms / interval + 1) * interval;
}

void
worker_leave(struct worker *w, const char *why)
{
	if (!w->is_leaving)
		log_event(LOG_info, "worker_leaving", "reason=%s", why);
	w->is_leaving = true;
}

static void
reload(struct worker *w)
{
	struct config            fresh;
	struct config_complaints complaints = { 0 };
	struct error             e          = { 0 };
	char                     quoted[LOG_QUOTE_SIZE];

	if (config_load(w->config_path, &fresh, NULL, &complaints, &e) != ERR_ok) {
		log_event(LOG_error, "reload_failed", "reason=%s", log_quote(e.text, quoted));
	} else {
		w->config = fresh;
		log_configure(fresh.log_level, fresh.log_format, fresh.node);
		log_event(LOG_info, "config_reloaded", " ");
		worker_wake_in(w, 0);
	}
	config_complaints_free(&complaints);
}

static void
obey(struct worker *w, const struct msg *m)
{
	enum log_level level;

	switch ((int)m->type) {
	case MSG_drain:
		worker_leave(w, "drain");
		break;
	case MSG_reload:
		reload(w);
		break;
	case MSG_pause:
	case MSG_resume:
		w->is_paused = m->type == MSG_pause;
		log_event(LOG_info, w->is_paused ? "worker_paused" : "worker_resumed", " ");
		beat(w);
		worker_wake_in(w, 0);
		break;
	case MSG_nudge:
		worker_wake_in(w, 0);
		break;
	case MSG_log_level:
		if (log_level_by_name(m->body.log_level.level, &level))
			log_set_level(level);
		break;
	default:
		log_event(LOG_warning, "message_dropped", "reason=\"not for a worker\" message=%s", msg_desc(m->type)->name);
		break;
	}
}

void
worker_read_orders(struct worker *w)
{
	struct msg   m;
	struct error e = { 0 };
	enum err     code;
	char         quoted[LOG_QUOTE_SIZE];

	while ((code = bus_link_receive(w->link, &m, &e)) != ERR_again) {
		if (code == ERR_ok)
			obey(w, &m);
		else if (code == ERR_bad_message)
			log_event(LOG_warning, "message_dropped", "reason=%s", log_quote(e.text, quoted));
		else
			return;
	}
}
