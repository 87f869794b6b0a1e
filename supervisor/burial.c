/* SPDX-License-Identifier: Apache-2.0 */
#include "burial.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "clock.h"
#include "slot.h"

/* All that is known about the dead, copied before its slot gets the next one. */
struct ending {
	enum death           how;
	pid_t                pid;
	int                  status; /* -1: by signal */
	int                  signal_number;
	bool                 core;
	bool                 hung;
	bool                 dismissed;
	bool                 overdue;
	int64_t              uptime_ms;
	int64_t              ready_for_ms;
	int64_t              silent_ms;
	struct rusage        usage;
	struct msg_heartbeat report;
	const struct error  *unborn; /* why it could not be started, or NULL */
};

struct restart_rules
burial_rules(const struct kind *k)
{
	const struct config *c = k->tree->config;

	return (struct restart_rules){
		.policy           = k->desc->policy,
		.limit            = (unsigned)c->supervisor_restart_limit,
		.window_ms        = c->supervisor_restart_window * 1000,
		.delay_min_ms     = c->supervisor_restart_delay_min,
		.delay_max_ms     = c->supervisor_restart_delay_max,
		.probe_ms         = c->supervisor_restart_probe * 1000,
		.healthy_after_ms = c->supervisor_healthy_after * 1000,
	};
}

/* ------------------------------------------------------------------- reap */
static bool
reap(struct slot *s, int64_t now_ms, struct ending *end)
{
	siginfo_t info = { 0 };

	/* The library's waitid has no room for rusage, the kernel's has. */
	if (syscall(SYS_waitid, P_PIDFD, s->death.fd, &info, WEXITED | WNOHANG, &end->usage) != 0 || info.si_pid == 0)
		return false;
	end->pid           = s->pid;
	end->status        = info.si_code == CLD_EXITED ? info.si_status : -1;
	end->signal_number = info.si_code == CLD_EXITED ? 0 : info.si_status;
	end->core          = info.si_code == CLD_DUMPED;
	end->how           = end->status < 0 ? DEATH_CRASH : restart_death_of_status(end->status);
	end->hung          = s->hung;
	end->dismissed     = s->state == STATE_stopping;
	end->overdue       = s->overdue;
	end->uptime_ms     = now_ms - s->started_ms;
	end->ready_for_ms  = s->ready_ms == RESTART_NEVER ? RESTART_NEVER : now_ms - s->ready_ms;
	end->silent_ms     = now_ms - s->beat_ms;
	end->report        = s->report;
	return true;
}

/* ----------------------------------------------------------------- record */
static void
put_reason(const struct ending *end, char *text, size_t size)
{
	if (end->unborn != NULL)
		(void)snprintf(text, size, "%.90s", end->unborn->text);
	else if (end->overdue)
		(void)snprintf(text, size, "told to leave, still there after drain_timeout, killed");
	else if (end->hung)
		(void)snprintf(text, size, "hung: silent for %" PRId64 " ms, aborted", end->silent_ms);
	else if (end->dismissed && end->status == 0)
		(void)snprintf(text, size, "told to leave");
	else if (end->status < 0)
		(void)snprintf(text, size, "signal %d (SIG%s)%s", end->signal_number,
		    sigabbrev_np(end->signal_number) != NULL ? sigabbrev_np(end->signal_number) : "?",
		    end->dismissed ? " after it was told to leave" : "");
	else
		(void)snprintf(text, size, "exit status %d%s", end->status,
		    end->how == DEATH_HOPELESS ? ": will fail again until something is changed" :
		    end->how == DEATH_AGAIN    ? ": asked to be tried later" : "");
}

static uint64_t
ms_of(struct timeval t)
{
	return (uint64_t)t.tv_sec * 1000 + (uint64_t)t.tv_usec / 1000;
}

static void
record(struct slot *s, const struct ending *end)
{
	struct msg_death *d     = &s->last;
	enum log_level    level = end->dismissed && !end->overdue ? LOG_info : LOG_warning;
	char              quoted[LOG_QUOTE_SIZE];

	memset(d, 0, sizeof(*d));
	(void)snprintf(d->kind, sizeof(d->kind), "%s", s->kind->desc->name);
	d->slot        = s->number;
	d->pid         = (uint64_t)end->pid;
	d->ended_at    = clock_wall_us();
	d->exit_status = end->status;
	d->exit_signal = end->signal_number;
	d->core        = end->core;
	d->uptime_ms   = (uint64_t)end->uptime_ms;
	d->user_ms     = ms_of(end->usage.ru_utime);
	d->system_ms   = ms_of(end->usage.ru_stime);
	d->max_rss_kib = (uint64_t)end->usage.ru_maxrss;
	(void)snprintf(d->activity, sizeof(d->activity), "%s", end->report.activity);
	put_reason(end, d->reason, sizeof(d->reason));
	deaths_add(&s->kind->deaths, d);
	events_tell(s->kind->tree->events, level, "worker_exited", s->name,
	    "pid=%ld status=%d signal=%d uptime_ms=%" PRId64 " reason=%s", (long)end->pid, end->status,
	    end->signal_number, end->uptime_ms, log_quote(d->reason, quoted));
}

/* ------------------------------------------------------------ what follows */
static void
tell_failed(struct slot *s, bool opened, int64_t now_ms)
{
	struct kind *k = s->kind;

	if (opened)
		events_tell(k->tree->events, LOG_error, "kind_failed", k->desc->name,
		    "restarts=%" PRId64 " window_s=%" PRId64 " probe_in_ms=%" PRId64,
		    k->tree->config->supervisor_restart_limit, k->tree->config->supervisor_restart_window,
		    k->breaker.due_ms - now_ms);
	else
		events_tell(k->tree->events, LOG_error, "worker_gave_up", s->name, "%s",
		    s->hopeless ? "until=\"a reload or an order\"" : "until=\"a probe is healthy\"");
}

/* The breaker belongs to the kind: whoever waits for a start waits for the probe now. */
static void
give_up_those_in_backoff(struct kind *k)
{
	for (unsigned i = 0; i < SLOTS_MAX; i++) {
		struct slot *other = k->slot[i];

		if (other != NULL && other->state == STATE_backoff) {
			slot_move(other, EVENT_gave_up);
			other->due_ms = INT64_MAX;
		}
	}
}

static void
give_up(struct slot *s, enum death how)
{
	slot_move(s, EVENT_gave_up);
	s->due_ms   = INT64_MAX;
	s->hopeless = how == DEATH_HOPELESS && !s->kind->breaker.open;
	s->rested   = false;
	if (s->kind->breaker.open)
		give_up_those_in_backoff(s->kind);
}

static enum verdict
decide(struct slot *s, const struct ending *end, int64_t now_ms)
{
	struct restart_rules    rules  = burial_rules(s->kind);
	struct restart_death    death  = { end->how, end->ready_for_ms, s == s->kind->probe };
	struct restart_decision d;

	/* Even what runs once must have run. */
	if (end->unborn != NULL)
		rules.policy = POLICY_always;
	d = restart_decide(&s->kind->breaker, &s->delays, &rules, &death, now_ms, arc4random());
	if (death.probe)
		s->kind->probe = NULL;
	if (d.verdict == VERDICT_GIVE_UP) {
		give_up(s, end->how);
	} else if (d.verdict == VERDICT_REST) {
		slot_move(s, EVENT_finished);
		s->due_ms = INT64_MAX;
		s->rested = true;
	} else {
		slot_move(s, EVENT_will_retry);
		/* What cannot be started is not tried again in the same breath. */
		s->due_ms = now_ms + MAX(d.delay_ms, (int64_t)(end->unborn != NULL));
		if (s->due_ms <= now_ms)
			slot_start(s, now_ms);
	}
	return d.verdict;
}

/* It was told to leave, so its end says nothing about its health. */
static void
follow_dismissal(struct slot *s, int64_t now_ms)
{
	if (s == s->kind->probe) {
		s->kind->probe = NULL;
		restart_abandon_probe(&s->kind->breaker, now_ms);
	}
	if (!slot_is_wanted(s)) {
		slot_move(s, EVENT_finished);
		s->due_ms = INT64_MAX;
		return;
	}
	slot_move(s, EVENT_will_retry);
	slot_start(s, now_ms);
}

void
burial_on_death(void *slot)
{
	struct slot  *s        = slot;
	struct ending end      = { 0 };
	int64_t       now_ms   = clock_now_ms();
	bool          was_open = s->kind->breaker.open;
	enum verdict  verdict  = VERDICT_START;
	int           pidfd    = s->death.fd;
	int           left;

	slot_listen(s);
	if (!reap(s, now_ms, &end))
		return;
	loop_remove(s->kind->tree->loop, &s->death);
	s->pid = 0;
	left   = strays_left(&s->strays);
	if (end.dismissed || !slot_is_wanted(s))
		follow_dismissal(s, now_ms);
	else
		verdict = decide(s, &end, now_ms);
	(void)close(pidfd);
	strays_end(&s->strays, left, now_ms);
	record(s, &end);
	slot_tell_started(s);
	if (verdict == VERDICT_GIVE_UP)
		tell_failed(s, s->kind->breaker.open && !was_open, now_ms);
}

void
burial_of_unborn(struct slot *s, const struct error *why, int64_t now_ms)
{
	struct ending end      = { .how = DEATH_CRASH, .status = -1, .ready_for_ms = RESTART_NEVER, .unborn = why };
	bool          was_open = s->kind->breaker.open;
	enum verdict  verdict;

	s->pid  = 0;
	verdict = decide(s, &end, now_ms);
	record(s, &end);
	if (verdict == VERDICT_GIVE_UP)
		tell_failed(s, s->kind->breaker.open && !was_open, now_ms);
}
