/* SPDX-License-Identifier: Apache-2.0 */
#include "log.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "clock.h"

static struct {
	char           tag[48];
	enum log_level level;
	bool           journal;
} out = { "steward", LOG_info, false };

static const struct {
	const char    *name;
	enum log_level level;
} levels[] = {
	{ "error",   LOG_error   },
	{ "warning", LOG_warning },
	{ "info",    LOG_info    },
	{ "debug",   LOG_debug   },
};

void
log_init(const char *tag, enum log_level level)
{
	(void)snprintf(out.tag, sizeof(out.tag), "%s", tag);
	out.level   = level;
	out.journal = getenv("JOURNAL_STREAM") != NULL;
}

void
log_set_level(enum log_level level)
{
	out.level = level;
}

bool
log_level_by_name(const char *name, enum log_level *level)
{
	for (size_t i = 0; i < COUNT_OF(levels); i++) {
		if (strcmp(levels[i].name, name) == 0) {
			*level = levels[i].level;
			return true;
		}
	}
	return false;
}

static const char *
level_name(enum log_level level)
{
	for (size_t i = 0; i < COUNT_OF(levels); i++)
		if (levels[i].level == level)
			return levels[i].name;
	return "info";
}

void
log_event(enum log_level level, const char *event, const char *format, ...)
{
	char    line[2048];
	char    when[CLOCK_TEXT_SIZE];
	int     used;
	va_list args;

	if (level > out.level)
		return;
	if (out.journal)
		used = snprintf(line, sizeof(line), "<%d>event=%s from=%s ", (int)level, event, out.tag);
	else
		used = snprintf(line, sizeof(line), "ts=%s level=%s event=%s from=%s ",
		    clock_format_us(clock_wall_us(), when), level_name(level), event, out.tag);
	va_start(args, format);
	used += vsnprintf(line + used, sizeof(line) - (size_t)used, format, args);
	va_end(args);
	if ((size_t)used > sizeof(line) - 2)
		used = (int)sizeof(line) - 2;
	while (used > 0 && line[used - 1] == ' ')
		used--;
	line[used++] = '\n';
	/* One write, so that lines of several processes do not mix; a full pipe costs the line, not the process. */
	if (write(STDERR_FILENO, line, (size_t)used) < 0)
		return;
}

const char *
log_quote(const char *text, char quoted[LOG_QUOTE_SIZE])
{
	bool   plain = *text != '\0' && strpbrk(text, " \"=\\\n\r\t") == NULL;
	size_t n     = 0;

	for (const char *p = text; *p != '\0' && plain; p++)
		plain = (unsigned char)*p >= 0x20 && *p != 0x7f;
	if (plain) {
		(void)snprintf(quoted, LOG_QUOTE_SIZE, "%s", text);
		return quoted;
	}
	quoted[n++] = '"';
	for (const char *p = text; *p != '\0' && n < LOG_QUOTE_SIZE - 4; p++) {
		if (*p == '"' || *p == '\\') {
			quoted[n++] = '\\';
			quoted[n++] = *p;
		} else if ((unsigned char)*p < 0x20 || *p == 0x7f) {
			quoted[n++] = ' ';
		} else {
			quoted[n++] = *p;
		}
	}
	quoted[n++] = '"';
	quoted[n]   = '\0';
	return quoted;
}
