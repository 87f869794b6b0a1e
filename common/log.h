/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log - one logfmt line on stderr per event.
 *
 * Under the journal a line starts with the sd-daemon level prefix (`<6>`) and
 * carries no time of its own; elsewhere it starts with `ts=` and `level=`.
 * Levels: error = a person must act, warning = handled and you may care,
 * info = state changed, debug = off.  Never a secret: no conninfo, no bodies.
 */
#ifndef STEWARD_LOG_H
#define STEWARD_LOG_H

#include "base.h"

/* Values are syslog's, which sd-daemon prefixes use too. */
enum log_level { LOG_error = 3, LOG_warning = 4, LOG_info = 6, LOG_debug = 7 };

/* `tag` names the process in every line ("steward", "provisioning[0]"); copied. */
void log_init(const char *tag, enum log_level level);
void log_set_level(enum log_level level);

/* error, warning, info, debug; false when the word is none of them. */
bool log_level_by_name(const char *name, enum log_level *level);

/*
 * Write `event=<event> <format>`; event is noun_past (order_claimed), the rest
 * is key=value pairs.  A value from outside goes through log_quote().
 */
void log_event(enum log_level level, const char *event, const char *format, ...) PRINTF_LIKE(3, 4);

enum { LOG_QUOTE_SIZE = 640 };

/* The text as a logfmt value: quoted and escaped where it must be, cut where too long.  Returns `out`. */
const char *log_quote(const char *text, char out[LOG_QUOTE_SIZE]);

#endif
