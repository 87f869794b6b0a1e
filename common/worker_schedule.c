/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker's jobs that have their time.  When that is, the database says
 * (steward.job_start); here it is slept until, without rounding, and what was
 * started is performed.  A run that was started is this worker's until the
 * database has said how it ended, over lost connections too.
 */
#include <stdio.h>
#include <string.h>
#include <sys/timerfd.h>
#include <unistd.h>

#include "log.h"
#include "worker_private.h"

/* The longest sleep, so that a clock that was set is noticed. */
enum { LOOK_US = 60 * 1000 * 1000 };

enum err
worker_schedule_open(struct worker *w, struct error *e)
{
	w->schedule.timer = timerfd_create(CLOCK_MONOTONIC, TFD_NONBLOCK | TFD_CLOEXEC);
	return w->schedule.timer < 0 ? err_errno(e, "timerfd_create") : ERR_ok;
}

void
worker_schedule_close(struct worker *w)
{
	if (w->schedule.timer >= 0)
		(void)close(w->schedule.timer);
}

void
worker_schedule_look(struct worker *w)
{
	w->schedule.is_due = w->ops->scheduled;
}

void
worker_schedule_look_in(struct worker *w, int64_t delay_us)
{
	struct itimerspec at = { .it_value = { delay_us / 1000000, delay_us % 1000000 * 1000 } };

	if (delay_us <= 0)
		worker_schedule_look(w);
	else if (w->ops->scheduled)
		(void)timerfd_settime(w->schedule.timer, 0, &at, NULL);
}

void
worker_schedule_read_timer(struct worker *w)
{
	uint64_t expirations;

	if (read(w->schedule.timer, &expirations, sizeof(expirations)) == (ssize_t)sizeof(expirations))
		worker_schedule_look(w);
}

static void
look_when_due(struct worker *w, const struct db_result *r)
{
	worker_schedule_look_in(w, MIN(db_int8(r, 0, "next_due_us", LOOK_US), LOOK_US));
}

static void
on_started(struct worker *w, const struct db_result *r)
{
	const char *run = db_named_text(r, 0, "run");

	if (run == NULL) {
		look_when_due(w, r);
		return;
	}
	(void)snprintf(w->schedule.run, sizeof(w->schedule.run), "%s", run);
	(void)snprintf(w->schedule.job, sizeof(w->schedule.job), "%s", db_named_text(r, 0, "job"));
	log_event(LOG_debug, "job_started", "job=%s run=%s", w->schedule.job, run);
	worker_schedule_look(w);
}

/* The first that fails is told of, until it completes; `history --failed` knows of all. */
static void
note_end(struct worker *w, bool completed)
{
	struct schedule *s = &w->schedule;

	if (completed && strcmp(s->failed, s->job) == 0)
		s->failed[0] = '\0';
	else if (!completed && s->failed[0] == '\0')
		(void)snprintf(s->failed, sizeof(s->failed), "%s", s->job);
	else
		return;
	w->heartbeat_ms = w->now_ms;
}

static void
on_performed(struct worker *w, const struct db_result *r)
{
	const char *status = db_named_text(r, 0, "status");
	const char *reason = db_named_text(r, 0, "message");
	int64_t     ms     = worker_now_ms(w) - w->schedule.began_ms;
	char        quoted[LOG_QUOTE_SIZE];
	bool        completed;

	w->schedule.run[0] = '\0';
	if (status == NULL) {
		/* Its end was written down before, by this worker or by one that took it for dead. */
		log_event(LOG_info, "job_over", "job=%s", w->schedule.job);
		worker_schedule_look(w);
		return;
	}
	completed = strcmp(status, "completed") == 0;
	note_end(w, completed);
	if (completed) {
		worker_count(w, 1, 0);
		log_event(LOG_info, "job_completed", "job=%s rows=%" PRId64 " ms=%" PRId64, w->schedule.job,
		    db_int8(r, 0, "rows", 0), ms);
	} else {
		worker_count(w, 0, 1);
		log_event(LOG_warning, "job_failed", "job=%s ms=%" PRId64 " reason=%s hint=\"stewardctl schedule history %s\"",
		    w->schedule.job, ms, log_quote(reason != NULL ? reason : "", quoted), w->schedule.job);
	}
	look_when_due(w, r);
}

enum err
worker_schedule_go_on(struct worker *w, struct error *e)
{
	const char *const start[]   = { worker_desc(w->ops->self)->name, worker_id(w) };
	const char *const perform[] = { w->schedule.run, worker_id(w) };
	bool              has_run   = w->schedule.run[0] != '\0';
	enum err          code;

	if (!w->schedule.is_due || !session_is_ready(w->work) || (!has_run && (w->is_paused || w->is_leaving)))
		return ERR_ok;
	w->schedule.is_due   = false;
	w->schedule.began_ms = w->now_ms;
	code = has_run ? worker_call(w, STMT_job_perform, perform, on_performed, e) :
	                 worker_call(w, STMT_job_start, start, on_started, e);
	if (code == ERR_again)
		worker_schedule_look(w);
	return code == ERR_again ? ERR_ok : code;
}
