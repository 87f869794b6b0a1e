/* SPDX-License-Identifier: Apache-2.0 */
#include "error.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

enum { retry_no, retry_yes };

static const struct {
	const char *name;
	const char *meaning;
	int         exit_status;
	bool        retry;
} rows[ERR_COUNT] = {
#define ERR(name, exit_status, http_status, retry, meaning) \
	[ERR_##name] = { #name, meaning, exit_status, retry_##retry },
#include "errors.def"
#undef ERR
};

static void PRINTF_LIKE(2, 0)
write_text(struct error *e, const char *format, va_list args)
{
	(void)vsnprintf(e->text, sizeof(e->text), format, args);
}

enum err
err_set(struct error *e, enum err code, const char *format, ...)
{
	va_list args;

	if (e == NULL)
		return code;
	e->code = code;
	va_start(args, format);
	write_text(e, format, args);
	va_end(args);
	return code;
}

enum err
err_wrap(struct error *e, const char *format, ...)
{
	struct error before = *e;
	size_t       used;
	va_list      args;

	va_start(args, format);
	write_text(e, format, args);
	va_end(args);
	used = strlen(e->text);
	(void)snprintf(e->text + used, sizeof(e->text) - used, ": %s", before.text);
	return e->code;
}

enum err
err_errno(struct error *e, const char *format, ...)
{
	int      saved = errno;
	enum err code  = ERR_system;
	size_t   used;
	va_list  args;

	if (saved == ENOMEM)
		code = ERR_no_memory;
	else if (saved == EACCES || saved == EPERM)
		code = ERR_denied;
	if (e == NULL)
		return code;
	e->code = code;
	va_start(args, format);
	write_text(e, format, args);
	va_end(args);
	used = strlen(e->text);
	(void)snprintf(e->text + used, sizeof(e->text) - used, ": %s", strerror(saved));
	return code;
}

const char *
err_name(enum err code)
{
	return rows[code].name;
}

const char *
err_meaning(enum err code)
{
	return rows[code].meaning;
}

int
err_exit_status(enum err code)
{
	return rows[code].exit_status;
}

bool
err_may_retry(enum err code)
{
	return rows[code].retry;
}

enum err
err_by_name(const char *name)
{
	for (size_t i = 0; i < COUNT_OF(rows); i++)
		if (strcmp(rows[i].name, name) == 0)
			return (enum err)i;
	return ERR_internal;
}

void
free_cleanup(void *pointer_to_pointer)
{
	free(*(void **)pointer_to_pointer);
}
