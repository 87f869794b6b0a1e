/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lifecycle - what a slot is, and what it may become.  Pure: the table of
 * lifecycle.def as two enums and one look-up.
 */
#ifndef STEWARD_LIFECYCLE_H
#define STEWARD_LIFECYCLE_H

#include "base.h"

enum lifecycle_state {
#define STATE(name, alive, meaning) STATE_##name,
#include "lifecycle.def"
	STATE_COUNT
};

enum lifecycle_event {
#define EVENT(name, meaning) EVENT_##name,
#include "lifecycle.def"
	EVENT_COUNT
};

/* False, and *next untouched, when the event cannot happen in this state. */
NODISCARD bool lifecycle_next(enum lifecycle_state now, enum lifecycle_event event, enum lifecycle_state *next);

/* Whether a process exists in this state. */
bool lifecycle_is_alive(enum lifecycle_state state);

/* Columns of the table.  Strings are static. */
const char *lifecycle_state_name(enum lifecycle_state state);
const char *lifecycle_state_meaning(enum lifecycle_state state);
const char *lifecycle_event_name(enum lifecycle_event event);
const char *lifecycle_event_meaning(enum lifecycle_event event);

#endif
