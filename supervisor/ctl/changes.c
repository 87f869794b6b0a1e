/* SPDX-License-Identifier: Apache-2.0 */
#include "changes.h"

#include <stdarg.h>
#include <stdio.h>

void
changes_begin(struct changes *ch, const struct command_context *c)
{
	*ch = (struct changes){ .out = c->out, .dry_run = c->dry_run };
	output_list_begin(ch->out, c->dry_run ? "sql" : "changes");
}

void
changes_note(struct changes *ch, const char *format, ...)
{
	char    text[ERROR_TEXT_SIZE];
	va_list args;

	if (ch->dry_run)
		return;
	va_start(args, format);
	(void)vsnprintf(text, sizeof(text), format, args);
	va_end(args);
	output_text(ch->out, NULL, text);
	output_line(ch->out, "%s", text);
	ch->count++;
}

void
changes_print(struct changes *ch, const char *sql)
{
	output_text(ch->out, NULL, sql);
	output_line(ch->out, "%s", sql);
	ch->count++;
}

enum err
changes_run(struct changes *ch, struct db *db, const char *sql, struct error *e)
{
	if (!ch->dry_run)
		return db_script(db, sql, e);
	changes_print(ch, sql);
	return ERR_ok;
}

void
changes_end(struct changes *ch)
{
	output_list_end(ch->out);
}
