/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What an operator or a reload may want of the tree.  Nothing here waits: it
 * says what shall be, and tree_settle does it on the same turn of the loop.
 */
#include <limits.h>
#include <signal.h>

#include "clock.h"
#include "slot.h"

void
tree_reconfigure(struct tree *t)
{
	for (unsigned i = 0; i < WORKER_COUNT; i++) {
		struct kind *k = &t->kind[i];

		k->processes = (unsigned)MIN(k->config->processes, (int64_t)SLOTS_MAX);
		for (unsigned n = 0; n < SLOTS_MAX; n++) {
			struct slot *s = k->slot[n];

			if (s == NULL || s->state != STATE_failed || !s->hopeless)
				continue;
			/* The reason may be gone; if not, it fails again at once. */
			s->hopeless = false;
			slot_move(s, EVENT_unwanted);
		}
	}
}

void
tree_roll(struct tree *t, enum worker_kind kind)
{
	struct kind *k = &t->kind[kind];

	for (unsigned n = 0; n < k->processes; n++)
		if (k->slot[n] != NULL && slot_is_alive(k->slot[n]))
			k->slot[n]->stale = true;
}

void
tree_order_kind(struct tree *t, enum worker_kind kind, const struct msg *m)
{
	for (unsigned n = 0; n < SLOTS_MAX; n++)
		if (t->kind[kind].slot[n] != NULL)
			slot_order(t->kind[kind].slot[n], m);
}

void
tree_order(struct tree *t, const struct msg *m)
{
	if (m->type == MSG_reload)
		t->reloaded_ms = clock_now_ms();
	for (unsigned i = 0; i < WORKER_COUNT; i++)
		tree_order_kind(t, (enum worker_kind)i, m);
}

static void
restart_slot(struct slot *s, int64_t now_ms)
{
	s->delays   = (struct restart_delays){ 0 };
	s->hopeless = false;
	s->rested   = false;
	if (slot_is_alive(s)) {
		s->stale = true;
	} else if (s->state != STATE_down) {
		slot_start(s, now_ms);
		slot_tell_started(s);
	}
}

enum err
tree_restart(struct tree *t, enum worker_kind kind, int64_t slot, struct error *e)
{
	struct kind *k      = &t->kind[kind];
	int64_t      now_ms = clock_now_ms();

	if (t->mode != TREE_run)
		return err_set(e, ERR_refused, "steward is draining; start it again first: stewardctl drain --undo");
	if (slot >= (int64_t)k->processes || slot < -1)
		return err_set(e, ERR_not_found, "there is no %s[%" PRId64 "]: %u processes of that kind are wanted", k->desc->name,
		    slot, k->processes);
	restart_forget(&k->breaker);
	k->probe = NULL;
	for (unsigned n = 0; n < k->processes; n++) {
		struct slot *s = k->slot[n];

		if (s != NULL && (slot == -1 || (unsigned)slot == n || s->state == STATE_failed))
			restart_slot(s, now_ms);
	}
	return ERR_ok;
}

enum err
tree_scale(struct tree *t, enum worker_kind kind, uint64_t processes, struct error *e)
{
	if (processes > SLOTS_MAX)
		return err_set(e, ERR_bad_data, "%" PRIu64 " processes of %s are too many; allowed: 0 to %d", processes,
		    worker_desc(kind)->name, (int)SLOTS_MAX);
	t->kind[kind].processes = (unsigned)processes;
	return ERR_ok;
}

void
tree_pause(struct tree *t, enum worker_kind kind, bool paused)
{
	struct kind *k = &t->kind[kind];

	k->paused = paused;
	for (unsigned n = 0; n < SLOTS_MAX; n++)
		if (k->slot[n] != NULL && (k->slot[n]->state == STATE_ready || k->slot[n]->state == STATE_paused))
			slot_pause_or_resume(k->slot[n]);
}

void
tree_nudge(struct tree *t, enum worker_kind kind)
{
	struct kind *k = &t->kind[kind];
	struct msg   m = { .type = MSG_nudge };

	for (unsigned i = 1; i <= SLOTS_MAX; i++) {
		unsigned n = (k->nudged + i) % SLOTS_MAX;

		if (k->slot[n] != NULL && k->slot[n]->state == STATE_ready) {
			k->nudged = n;
			slot_order(k->slot[n], &m);
			return;
		}
	}
}

void
tree_set_mode(struct tree *t, enum tree_mode mode)
{
	if (t->mode == mode)
		return;
	t->mode      = mode;
	t->open_rank = INT_MIN;
	for (unsigned i = 0; i < WORKER_COUNT; i++) {
		restart_forget(&t->kind[i].breaker);
		t->kind[i].probe   = NULL;
		t->kind[i].rolling = NULL;
	}
}

void
tree_hurry(struct tree *t)
{
	for (unsigned i = 0; i < WORKER_COUNT; i++)
		for (unsigned n = 0; n < SLOTS_MAX; n++)
			if (t->kind[i].slot[n] != NULL && slot_is_alive(t->kind[i].slot[n]))
				slot_kill(t->kind[i].slot[n], SIGKILL);
}
