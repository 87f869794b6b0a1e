/* SPDX-License-Identifier: Apache-2.0 */
#include "lifecycle.h"

enum { alive_no, alive_yes };

static const struct {
	const char *name;
	const char *meaning;
	bool        alive;
} states[STATE_COUNT] = {
#define STATE(name, alive, meaning) [STATE_##name] = { #name, meaning, alive_##alive },
#include "lifecycle.def"
};

static const struct {
	const char *name;
	const char *meaning;
} events[EVENT_COUNT] = {
#define EVENT(name, meaning) [EVENT_##name] = { #name, meaning },
#include "lifecycle.def"
};

/* One more than the next state, so that an empty cell is "not possible". */
static const unsigned char moves[STATE_COUNT][EVENT_COUNT] = {
#define MOVE(state, event, next) [STATE_##state][EVENT_##event] = STATE_##next + 1,
#include "lifecycle.def"
};

bool
lifecycle_next(enum lifecycle_state now, enum lifecycle_event event, enum lifecycle_state *next)
{
	unsigned char cell = moves[now][event];

	if (cell == 0)
		return false;
	*next = (enum lifecycle_state)(cell - 1);
	return true;
}

bool
lifecycle_is_alive(enum lifecycle_state state)
{
	return states[state].alive;
}

const char *
lifecycle_state_name(enum lifecycle_state state)
{
	return states[state].name;
}

const char *
lifecycle_state_meaning(enum lifecycle_state state)
{
	return states[state].meaning;
}

const char *
lifecycle_event_name(enum lifecycle_event event)
{
	return events[event].name;
}

const char *
lifecycle_event_meaning(enum lifecycle_event event)
{
	return events[event].meaning;
}
