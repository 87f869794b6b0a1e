/* SPDX-License-Identifier: Apache-2.0 */
/*
 * log - one line per event on stderr, or one entry in the journal.
 *
 * `auto` speaks the journal's own protocol when stderr is the journal's stream,
 * and logfmt otherwise; `json` is an object a line.  A line that the journal's
 * socket does not take goes to its stream, behind the sd-daemon prefix (`<6>`).
 * Nothing here waits: what cannot be written at once is lost, counted, and told.
 * Levels: error = a person must act, warning = handled and you may care,
 * info = state changed, debug = off.  Never a secret: no conninfo, no bodies.
 */
#ifndef STEWARD_LOG_H
#define STEWARD_LOG_H

#include "base.h"

/* Values are syslog's, which sd-daemon prefixes use too. */
enum log_level { LOG_error = 3, LOG_warning = 4, LOG_info = 6, LOG_debug = 7 };

enum log_format { LOG_auto, LOG_logfmt, LOG_json };

/* `tag` names the process in every line ("steward", "provisioning[0]"); copied. */
void log_init(const char *tag, enum log_level level);
void log_set_level(enum log_level level);

/* Write there and not to stderr: a worker's stderr is its supervisor's to read. */
void log_set_descriptor(int fd);

/*
 * The settings log.level, log.format and node; a word that is no level or format
 * changes nothing, no node is the host name.  Again after every reload.
 */
void log_configure(const char *level, const char *format, const char *node);

/* For tests: where the journal listens. */
void log_set_journal(const char *path);

/* error, warning, info, debug; false when the word is none of them. */
bool        log_level_by_name(const char *name, enum log_level *level);
const char *log_level_name(enum log_level level);

/* auto, logfmt, json; false when the word is none of them. */
bool log_format_by_name(const char *name, enum log_format *format);

/*
 * Write `event=<event> <format>`; event is noun_past (order_claimed), the rest
 * is key=value pairs.  A value from outside goes through log_quote().
 */
void log_event(enum log_level level, const char *event, const char *format, ...) PRINTF_LIKE(3, 4);

/* What is said in the same words again and again is told once a minute.  Zero-initialise, and again when it is over. */
struct log_repeat {
	char     text[192];
	int64_t  told_ms;
	uint64_t times; /* that it was said in these words */
};

/* Count it, and whether it is to be told: the first time, and when a minute has passed since. */
NODISCARD bool log_is_news(struct log_repeat *r, const char *text, int64_t now_ms);

enum { LOG_QUOTE_SIZE = 640 };

/*
 * The text as a logfmt value: quoted and escaped where it must be, cut where too
 * long.  Digits are quoted too, so that a text stays one in JSON.  Returns `out`.
 */
const char *log_quote(const char *text, char out[LOG_QUOTE_SIZE]);

#endif
