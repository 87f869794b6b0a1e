/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Here processes are started, heard and told; burial.c is about their end.
 */
#include "slot.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "burial.h"
#include "clock.h"

enum {
	WORDS_PER_TURN = 64,
	/* A predecessor's last words, still on their way when it died, arrive within this. */
	STALE_WORDS_MS = 500,
	/* When we were away ourselves, the words of the living wait to be heard; that takes nng less than this. */
	SECOND_LOOK_MS = 100
};

bool
slot_is_wanted(const struct slot *s)
{
	return s->kind->tree->mode == TREE_run && s->number < s->kind->processes;
}

bool
slot_is_alive(const struct slot *s)
{
	return lifecycle_is_alive(s->state);
}

void
slot_move(struct slot *s, enum lifecycle_event event)
{
	if (!lifecycle_next(s->state, event, &s->state))
		log_event(LOG_error, "lifecycle_broken", "process=%s state=%s lifecycle_event=%s", s->name,
		    lifecycle_state_name(s->state), lifecycle_event_name(event));
}

/* ------------------------------------------------------------------ words */
static void
on_ready(struct slot *s, const char *database, const char *detail, int64_t now_ms)
{
	if (s->state != STATE_starting)
		return;
	s->ready_ms = s->beat_ms = s->report_ms = now_ms;
	s->suspect = false;
	(void)snprintf(s->report.database, sizeof(s->report.database), "%s", database);
	(void)snprintf(s->report.detail, sizeof(s->report.detail), "%s", detail);
	slot_move(s, EVENT_said_ready);
	if (s->kind->paused)
		slot_pause_or_resume(s);
	/* It may have read the configuration before, and was not there to hear. */
	if (s->kind->tree->reloaded_ms >= s->started_ms)
		slot_order(s, &(struct msg){ .type = MSG_reload });
	events_tell(s->kind->tree->events, LOG_info, "worker_ready", s->name,
	    "pid=%ld after_ms=%" PRId64 " database=%s", (long)s->pid, now_ms - s->started_ms, database);
}

static void
on_heartbeat(struct slot *s, const struct msg_heartbeat *h, int64_t now_ms)
{
	if (s->state == STATE_starting) {
		if (now_ms - s->started_ms < STALE_WORDS_MS)
			return;
		/* Its `ready` was lost: who beats is ready. */
		on_ready(s, h->database, h->detail, now_ms);
	}
	if (strcmp(s->report.database, h->database) != 0)
		events_tell(s->kind->tree->events, LOG_info, "worker_database_changed", s->name, "database=%s",
		    h->database);
	s->beat_ms = s->report_ms = now_ms;
	s->suspect = false;
	s->report  = *h;
	/* The order may have been lost too. */
	if (h->paused != s->kind->paused && (s->state == STATE_ready || s->state == STATE_paused))
		slot_pause_or_resume(s);
}

static void
hear(struct slot *s, const struct msg *m, int64_t now_ms)
{
	enum worker_kind other;

	if (m->type == MSG_ready) {
		on_ready(s, m->body.ready.database, m->body.ready.detail, now_ms);
	} else if (m->type == MSG_heartbeat) {
		on_heartbeat(s, &m->body.heartbeat, now_ms);
	} else if (m->type == MSG_wake) {
		other = worker_kind_by_name(m->body.wake.kind);
		if (other != WORKER_COUNT)
			tree_nudge(s->kind->tree, other);
	}
}

void
slot_listen(void *slot)
{
	struct slot *s      = slot;
	int64_t      now_ms = clock_now_ms();
	struct error e      = { 0 };
	struct msg   m;
	char         quoted[LOG_QUOTE_SIZE];

	for (int i = 0; i < WORDS_PER_TURN; i++) {
		enum err err = bus_link_receive(s->link, &m, &e);

		if (err == ERR_ok)
			hear(s, &m, now_ms);
		else if (err == ERR_bad_message)
			log_event(LOG_warning, "message_refused", "process=%s reason=%s", s->name, log_quote(e.text, quoted));
		else
			return;
	}
}

void
slot_order(struct slot *s, const struct msg *m)
{
	struct error e = { 0 };
	enum err     err;

	if (!slot_is_alive(s))
		return;
	err = bus_link_send(s->link, m, &e);
	if (err != ERR_ok && err != ERR_again)
		log_event(LOG_warning, "order_lost", "process=%s order=%s", s->name, msg_desc(m->type)->name);
}

void
slot_pause_or_resume(struct slot *s)
{
	struct msg m = { .type = s->kind->paused ? MSG_pause : MSG_resume };

	slot_order(s, &m);
	if (s->kind->paused && s->state == STATE_ready)
		slot_move(s, EVENT_paused);
	else if (!s->kind->paused && s->state == STATE_paused)
		slot_move(s, EVENT_resumed);
}

/* ------------------------------------------------------------------- open */
static enum err
open_link(struct slot *s, struct error *e)
{
	enum err err = bus_link_listen(s->program.socket, &s->link, e);

	if (err != ERR_ok)
		return err;
	s->words = (struct watch){ bus_link_fd(s->link), slot_listen, s };
	return loop_add(s->kind->tree->loop, &s->words, e);
}

/* All that its processes will need, so that nothing is made between two of them. */
static enum err
prepare(struct slot *s, struct error *e)
{
	const struct tree *t    = s->kind->tree;
	const char        *kind = s->kind->desc->name;
	struct program    *p    = &s->program;
	enum err           err;

	(void)snprintf(s->name, sizeof(s->name), "%s[%u]", kind, s->number);
	(void)snprintf(p->path, sizeof(p->path), "%s/%s", t->libexec_directory, kind);
	(void)snprintf(p->config, sizeof(p->config), "%s", t->config_path);
	(void)snprintf(p->slot, sizeof(p->slot), "%u", s->number);
	(void)snprintf(p->socket, sizeof(p->socket), "%s/worker/%s.%u.ipc", t->run_directory, kind, s->number);
	err = strays_open(&s->strays, t->loop, s->name, e);
	if (err == ERR_ok)
		err = spawn_prepare(&t->spawner, p, s->strays.write_fd, e);
	if (err == ERR_ok)
		err = open_link(s, e);
	if (err != ERR_ok)
		strays_close(&s->strays);
	return err;
}

enum err
slot_open(struct kind *k, unsigned number, struct error *e)
{
	struct slot *s = k->slot[number];
	enum err     err;

	if (s != NULL)
		return ERR_ok;
	s = calloc(1, sizeof(*s));
	if (s == NULL)
		return err_set(e, ERR_no_memory, "no memory for %s[%u]", k->desc->name, number);
	s->kind     = k;
	s->number   = number;
	s->death.fd = s->words.fd = -1;
	s->due_ms   = INT64_MAX;
	s->ready_ms = RESTART_NEVER;
	err         = prepare(s, e);
	if (err == ERR_ok)
		k->slot[number] = s;
	else {
		bus_link_close(s->link);
		free(s);
	}
	return err;
}

/* --------------------------------------------------------- start and leave */
void
slot_start(struct slot *s, int64_t now_ms)
{
	struct tree *t = s->kind->tree;
	struct error e = { 0 };
	int          pidfd;

	if (spawn_start(&t->spawner, &s->program, &s->pid, &pidfd, &e) != ERR_ok) {
		burial_of_unborn(s, &e, now_ms);
		return;
	}
	slot_move(s, EVENT_started);
	s->starts++;
	s->started_ms = s->beat_ms = now_ms;
	s->ready_ms = RESTART_NEVER;
	s->due_ms   = INT64_MAX;
	s->suspect = s->hung = s->overdue = s->hopeless = s->rested = s->stale = false;
	memset(&s->report, 0, sizeof(s->report));
	s->death = (struct watch){ pidfd, burial_on_death, s };
	if (loop_add(t->loop, &s->death, &e) != ERR_ok) {
		/* Unwatched it would never be buried. */
		slot_kill(s, SIGKILL);
		(void)waitpid(s->pid, NULL, 0);
		(void)close(pidfd);
		s->death.fd = -1;
		burial_of_unborn(s, &e, now_ms);
	}
}

void
slot_tell_started(const struct slot *s)
{
	if (s->state == STATE_starting)
		events_tell(s->kind->tree->events, LOG_info, "worker_started", s->name, "pid=%ld starts=%" PRIu64,
		    (long)s->pid, s->starts);
}

void
slot_kill(struct slot *s, int signal_number)
{
	if (s->pid > 0)
		(void)kill(s->pid, signal_number);
}

void
slot_dismiss(struct slot *s, int64_t now_ms)
{
	int64_t    patience_ms = s->kind->config->drain_timeout;
	struct msg m           = { .type = MSG_drain, .body.drain.timeout_ms = (uint64_t)patience_ms };

	slot_order(s, &m);
	/* The signal reaches one that is not connected (yet); both say the same. */
	slot_kill(s, SIGTERM);
	slot_move(s, EVENT_unwanted);
	s->due_ms = now_ms + patience_ms;
	events_tell(s->kind->tree->events, LOG_info, "worker_dismissed", s->name, "pid=%ld timeout_ms=%" PRId64,
	    (long)s->pid, patience_ms);
}

/* ------------------------------------------------------------------- time */
static int64_t
hang_due_ms(const struct slot *s)
{
	return s->hung || s->suspect ? s->due_ms : s->beat_ms + s->kind->tree->config->supervisor_hang_timeout;
}

static int64_t
life_due_ms(const struct slot *s)
{
	if (s->state == STATE_starting || s->state == STATE_ready || s->state == STATE_paused)
		return hang_due_ms(s);
	return s->due_ms;
}

int64_t
slot_due_ms(const struct slot *s)
{
	return MIN(life_due_ms(s), strays_due_ms(&s->strays));
}

static void
on_silence(struct slot *s, int64_t now_ms)
{
	const struct tree *t = s->kind->tree;

	if (s->hung) {
		slot_kill(s, SIGKILL);
		s->due_ms = INT64_MAX;
		return;
	}
	if (!s->suspect) {
		s->suspect = true;
		s->due_ms  = now_ms + SECOND_LOOK_MS;
		return;
	}
	s->hung   = true;
	s->due_ms = now_ms + t->config->supervisor_abort_grace;
	slot_kill(s, SIGABRT);
	/* A stopped process dies of SIGABRT only when it runs again. */
	slot_kill(s, SIGCONT);
	events_tell(t->events, LOG_error, "worker_hung", s->name, "pid=%ld silent_ms=%" PRId64 " activity=%s",
	    (long)s->pid, now_ms - s->beat_ms, s->report.activity[0] != '\0' ? s->report.activity : "none");
}

void
slot_tick(struct slot *s, int64_t now_ms)
{
	strays_tick(&s->strays, now_ms);
	if (now_ms < life_due_ms(s))
		return;
	if (s->state == STATE_backoff) {
		slot_start(s, now_ms);
		slot_tell_started(s);
	} else if (s->state == STATE_stopping) {
		s->overdue = true;
		s->due_ms  = INT64_MAX;
		slot_kill(s, SIGKILL);
	} else if (slot_is_alive(s)) {
		on_silence(s, now_ms);
	}
}
