/* SPDX-License-Identifier: Apache-2.0 */
/*
 * tree_settle compares what is with what shall be and begins the difference; it
 * is called on every turn of the loop and does nothing when there is none.
 * Orders (orders.c) only change what shall be.
 */
#include "tree.h"

#include <limits.h>
#include <stdio.h>
#include <string.h>

#include "burial.h"
#include "slot.h"

enum {
	/* A rank whose workers do not get ready holds up the next one no longer than this. */
	RANK_PATIENCE_MS = 2000
};

void
tree_init(struct tree *t, struct loop *loop, struct events *events, const struct config *config,
    const char *config_path)
{
	t->loop        = loop;
	t->events      = events;
	t->config      = config;
	t->config_path = config_path;
	t->mode        = TREE_run;
	t->open_rank   = INT_MIN;
	(void)snprintf(t->run_directory, sizeof(t->run_directory), "%s", config->run_directory);
	(void)snprintf(t->libexec_directory, sizeof(t->libexec_directory), "%s", config->supervisor_libexec_directory);
	for (unsigned i = 0; i < WORKER_COUNT; i++) {
		struct kind *k = &t->kind[i];

		k->tree   = t;
		k->desc   = worker_desc((enum worker_kind)i);
		k->config = &config->workers[i];
	}
	tree_reconfigure(t);
}

/* ------------------------------------------------------------------ ranks */
/* Ready, or known not to become it soon: those who start after it need not wait. */
static bool
has_begun(const struct kind *k)
{
	for (unsigned n = 0; n < k->processes; n++) {
		const struct slot *s = k->slot[n];

		if (s == NULL || s->state == STATE_starting || (s->state == STATE_down && !s->rested))
			return false;
	}
	return true;
}

/* The lowest rank above `above`, or INT_MAX. */
static int
next_rank(const struct tree *t, int above)
{
	int rank = INT_MAX;

	for (unsigned i = 0; i < WORKER_COUNT; i++)
		if (t->kind[i].desc->rank > above)
			rank = MIN(rank, t->kind[i].desc->rank);
	return rank;
}

static bool
is_waiting(const struct tree *t)
{
	for (unsigned i = 0; i < WORKER_COUNT; i++)
		if (t->kind[i].desc->rank <= t->open_rank && !has_begun(&t->kind[i]))
			return true;
	return false;
}

static void
open_ranks(struct tree *t, int64_t now_ms)
{
	while (t->open_rank != INT_MAX && (!is_waiting(t) || now_ms >= t->opened_ms + RANK_PATIENCE_MS)) {
		t->open_rank = next_rank(t, t->open_rank);
		t->opened_ms = now_ms;
	}
}

/* ------------------------------------------------------------------ start */
static void
start_slot(struct slot *s, int64_t now_ms)
{
	/* A kind that is failed does not begin more of the same. */
	if (s->kind->breaker.open) {
		slot_move(s, EVENT_gave_up);
		return;
	}
	slot_start(s, now_ms);
	slot_tell_started(s);
}

static void
start_missing(struct kind *k, int64_t now_ms)
{
	struct error e = { 0 };

	for (unsigned n = 0; n < k->processes; n++) {
		struct slot *s = k->slot[n];

		if (s != NULL && (s->state != STATE_down || s->rested))
			continue;
		if (slot_open(k, n, &e) != ERR_ok) {
			/* Tried again at the next turn that something else causes. */
			log_event(LOG_error, "slot_not_opened", "worker=%s[%u] reason=\"%s\"", k->desc->name, n, e.text);
			continue;
		}
		start_slot(k->slot[n], now_ms);
	}
}

/* ------------------------------------------------------------------- stop */
static void
end_unwanted(struct slot *s, int64_t now_ms)
{
	if (s->state == STATE_stopping)
		return;
	if (slot_is_alive(s)) {
		slot_dismiss(s, now_ms);
		return;
	}
	if (s->state != STATE_down)
		slot_move(s, EVENT_unwanted);
	s->due_ms = INT64_MAX;
	s->rested = s->hopeless = s->stale = false;
}

static int
highest_rank_alive(const struct tree *t)
{
	int rank = INT_MIN;

	for (unsigned i = 0; i < WORKER_COUNT; i++)
		for (unsigned n = 0; n < SLOTS_MAX; n++)
			if (t->kind[i].slot[n] != NULL && slot_is_alive(t->kind[i].slot[n]))
				rank = MAX(rank, t->kind[i].desc->rank);
	return rank;
}

static void
end_all(struct tree *t, int64_t now_ms)
{
	int rank = highest_rank_alive(t);

	for (unsigned i = 0; i < WORKER_COUNT; i++)
		for (unsigned n = 0; n < SLOTS_MAX; n++) {
			struct slot *s = t->kind[i].slot[n];

			if (s != NULL && (!slot_is_alive(s) || s->kind->desc->rank == rank))
				end_unwanted(s, now_ms);
		}
}

/* ---------------------------------------------------------------- breaker */
static struct slot *
find_candidate(const struct kind *k)
{
	for (unsigned n = 0; n < k->processes; n++)
		if (k->slot[n] != NULL && k->slot[n]->state == STATE_failed && !k->slot[n]->hopeless)
			return k->slot[n];
	return NULL;
}

static void
start_failed(struct kind *k, int64_t now_ms)
{
	struct slot *s;

	while (!k->breaker.open && (s = find_candidate(k)) != NULL) {
		slot_start(s, now_ms);
		slot_tell_started(s);
	}
}

static int64_t
breaker_due_ms(const struct kind *k)
{
	if (!k->breaker.open)
		return INT64_MAX;
	if (!k->breaker.probing)
		return k->breaker.due_ms;
	if (k->probe == NULL || k->probe->ready_ms == RESTART_NEVER)
		return INT64_MAX;
	return k->probe->ready_ms + burial_rules(k).healthy_after_ms;
}

static void
tick_breaker(struct kind *k, int64_t now_ms)
{
	struct slot *candidate;

	if (now_ms < breaker_due_ms(k))
		return;
	if (k->breaker.probing) {
		restart_forget(&k->breaker);
		k->probe = NULL;
		events_tell(k->tree->events, LOG_info, "kind_recovered", k->desc->name, "probe=healthy");
		start_failed(k, now_ms);
		return;
	}
	candidate = find_candidate(k);
	if (candidate == NULL) {
		/* Nobody is left who could try: scaled down, or all of them ran on. */
		restart_forget(&k->breaker);
		return;
	}
	restart_begin_probe(&k->breaker);
	k->probe = candidate;
	events_tell(k->tree->events, LOG_info, "kind_probed", k->desc->name, "slot=%u", candidate->number);
	slot_start(candidate, now_ms);
	slot_tell_started(candidate);
}

/* ------------------------------------------------------------------- roll */
/* One at a time; the next when its replacement is ready, so a bad change costs one process, not all. */
static void
roll(struct kind *k, int64_t now_ms)
{
	if (k->rolling != NULL) {
		enum lifecycle_state state = k->rolling->state;

		if (state != STATE_ready && state != STATE_paused && state != STATE_down)
			return;
		k->rolling = NULL;
	}
	for (unsigned n = 0; n < k->processes; n++) {
		struct slot *s = k->slot[n];

		if (s == NULL || !s->stale)
			continue;
		if (!slot_is_alive(s)) {
			s->stale = false;
			continue;
		}
		k->rolling = s;
		if (s->state != STATE_stopping)
			slot_dismiss(s, now_ms);
		return;
	}
}

/* ----------------------------------------------------------------- settle */
void
tree_settle(struct tree *t, int64_t now_ms)
{
	if (t->mode == TREE_run)
		open_ranks(t, now_ms);
	else
		end_all(t, now_ms);
	for (unsigned i = 0; i < WORKER_COUNT; i++) {
		struct kind *k = &t->kind[i];

		for (unsigned n = 0; n < SLOTS_MAX; n++)
			if (k->slot[n] != NULL)
				slot_tick(k->slot[n], now_ms);
		if (t->mode != TREE_run)
			continue;
		for (unsigned n = k->processes; n < SLOTS_MAX; n++)
			if (k->slot[n] != NULL && k->slot[n]->state != STATE_down)
				end_unwanted(k->slot[n], now_ms);
		tick_breaker(k, now_ms);
		if (k->desc->rank <= t->open_rank)
			start_missing(k, now_ms);
		roll(k, now_ms);
	}
}

int64_t
tree_due_ms(const struct tree *t)
{
	int64_t due = INT64_MAX;

	for (unsigned i = 0; i < WORKER_COUNT; i++) {
		const struct kind *k = &t->kind[i];

		if (t->mode == TREE_run)
			due = MIN(due, breaker_due_ms(k));
		for (unsigned n = 0; n < SLOTS_MAX; n++)
			if (k->slot[n] != NULL)
				due = MIN(due, slot_due_ms(k->slot[n]));
	}
	if (t->mode == TREE_run && t->open_rank != INT_MAX)
		due = MIN(due, t->opened_ms + RANK_PATIENCE_MS);
	return due;
}

void
tree_forgive(struct tree *t, int64_t now_ms)
{
	for (unsigned i = 0; i < WORKER_COUNT; i++)
		for (unsigned n = 0; n < SLOTS_MAX; n++)
			if (t->kind[i].slot[n] != NULL) {
				t->kind[i].slot[n]->beat_ms = now_ms;
				t->kind[i].slot[n]->suspect = false;
			}
}

bool
tree_has_processes(const struct tree *t)
{
	return highest_rank_alive(t) != INT_MIN;
}

bool
tree_is_settled(const struct tree *t)
{
	if (t->open_rank != INT_MAX)
		return false;
	for (unsigned i = 0; i < WORKER_COUNT; i++)
		for (unsigned n = 0; n < t->kind[i].processes; n++) {
			const struct slot *s = t->kind[i].slot[n];

			if (s == NULL || (s->state != STATE_ready && s->state != STATE_paused && s->state != STATE_failed &&
			    !s->rested))
				return false;
		}
	return true;
}
