/* SPDX-License-Identifier: Apache-2.0 */
#include "restart.h"

#include "backoff.h"

enum { PROBE_LONGEST_MS = 3600 * 1000 };

enum death
restart_death_of_status(int exit_status)
{
	if (exit_status == err_exit_status(ERR_ok))
		return DEATH_DONE;
	if (exit_status == err_exit_status(ERR_again))
		return DEATH_AGAIN;
	if (exit_status == err_exit_status(ERR_usage) || exit_status == err_exit_status(ERR_denied) ||
	    exit_status == err_exit_status(ERR_config))
		return DEATH_HOPELESS;
	return DEATH_CRASH;
}

static void
remember(struct restart_breaker *b, int64_t now_ms)
{
	b->crash_ms[b->crash_next] = now_ms;
	b->crash_next              = (b->crash_next + 1) % RESTART_MEMORY;
	b->crash_count             = MIN(b->crash_count + 1, (unsigned)RESTART_MEMORY);
}

static unsigned
crashes_within(const struct restart_breaker *b, int64_t window_ms, int64_t now_ms)
{
	unsigned count = 0;

	while (count < b->crash_count) {
		unsigned newest_first = (b->crash_next + RESTART_MEMORY - 1 - count) % RESTART_MEMORY;

		if (now_ms - b->crash_ms[newest_first] >= window_ms)
			break;
		count++;
	}
	return count;
}

static int64_t
probe_pause_ms(const struct restart_rules *rules, unsigned probes_failed)
{
	int64_t longest = MAX(rules->probe_ms, (int64_t)PROBE_LONGEST_MS);
	int64_t pause   = rules->probe_ms;

	for (unsigned i = 0; i < probes_failed && pause < longest; i++)
		pause *= 2;
	return MIN(pause, longest);
}

static struct restart_decision
give_up(void)
{
	return (struct restart_decision){ VERDICT_GIVE_UP, 0 };
}

/* The breaker is open: only the end of the probe changes anything. */
static struct restart_decision
decide_while_open(struct restart_breaker *b, const struct restart_rules *rules,
    const struct restart_death *death, int64_t now_ms)
{
	if (death->probe) {
		b->probing = false;
		b->probes_failed++;
		b->due_ms = now_ms + probe_pause_ms(rules, b->probes_failed);
	}
	return give_up();
}

static struct restart_decision
start_later(struct restart_delays *delays, const struct restart_rules *rules, enum death how, uint32_t chance)
{
	struct backoff pause = { rules->delay_min_ms, rules->delay_max_ms, 0 };

	delays->failures++;
	/* The first crash is forgiven at once; who asks for "later" always waits. */
	if (delays->failures == 1 && how != DEATH_AGAIN)
		return (struct restart_decision){ VERDICT_START, 0 };
	pause.failures = how == DEATH_AGAIN ? delays->failures - 1 : delays->failures - 2;
	return (struct restart_decision){ VERDICT_START, backoff_next_ms(&pause, chance) };
}

struct restart_decision
restart_decide(struct restart_breaker *breaker, struct restart_delays *delays,
    const struct restart_rules *rules, const struct restart_death *death, int64_t now_ms, uint32_t chance)
{
	if (rules->policy == POLICY_once || (rules->policy == POLICY_on_crash && death->how == DEATH_DONE)) {
		if (death->probe)
			restart_forget(breaker);
		return (struct restart_decision){ VERDICT_REST, 0 };
	}
	if (death->how == DEATH_HOPELESS) {
		if (death->probe)
			return decide_while_open(breaker, rules, death, now_ms);
		return give_up();
	}
	if (death->ready_for_ms >= rules->healthy_after_ms)
		delays->failures = 0;
	if (death->how != DEATH_AGAIN)
		remember(breaker, now_ms);
	if (breaker->open)
		return decide_while_open(breaker, rules, death, now_ms);
	if (crashes_within(breaker, rules->window_ms, now_ms) > rules->limit) {
		breaker->open          = true;
		breaker->probing       = false;
		breaker->probes_failed = 0;
		breaker->due_ms        = now_ms + probe_pause_ms(rules, 0);
		return give_up();
	}
	return start_later(delays, rules, death->how, chance);
}

void
restart_begin_probe(struct restart_breaker *breaker)
{
	breaker->probing = true;
}

void
restart_abandon_probe(struct restart_breaker *breaker, int64_t now_ms)
{
	breaker->probing = false;
	breaker->due_ms  = now_ms;
}

void
restart_forget(struct restart_breaker *breaker)
{
	breaker->open          = false;
	breaker->probing       = false;
	breaker->probes_failed = 0;
	breaker->crash_count   = 0;
	breaker->crash_next    = 0;
}
