/* SPDX-License-Identifier: Apache-2.0 */
#include "table.h"

#include <ctype.h>
#include <stdlib.h>
#include <string.h>

/* The words of states that a reader should not have to look for. */
static const struct {
	const char      *word;
	enum output_tone tone;
} tones[] = {
	{ "ready", TONE_good },      { "running", TONE_good },    { "up", TONE_good },
	{ "ok", TONE_good },         { "completed", TONE_good },  { "pass", TONE_good },
	{ "on", TONE_good },         { "starting", TONE_warn },   { "stopping", TONE_warn },
	{ "backoff", TONE_warn },    { "paused", TONE_warn },     { "degraded", TONE_warn },
	{ "draining", TONE_warn },   { "drained", TONE_warn },    { "pending", TONE_warn },
	{ "schema_old", TONE_warn }, { "schema_new", TONE_warn }, { "off", TONE_warn },
	{ "failed", TONE_bad },      { "down", TONE_bad },        { "fail", TONE_bad },
};

enum err
table_create(size_t columns, size_t rows, struct table **out, struct error *e)
{
	struct table *t = calloc(1, sizeof(*t));

	if (t == NULL)
		return err_set(e, ERR_no_memory, "a table: memory ran out");
	t->columns = columns;
	t->rows    = rows;
	t->column  = calloc(columns + 1, sizeof(*t->column));
	t->cell    = calloc(columns * rows + 1, sizeof(*t->cell));
	if (t->column == NULL || t->cell == NULL) {
		table_destroy(t);
		return err_set(e, ERR_no_memory, "a table: memory ran out");
	}
	*out = t;
	return ERR_ok;
}

void
table_destroy(struct table *t)
{
	if (t == NULL)
		return;
	for (size_t i = 0; t->cell != NULL && i < t->columns * t->rows; i++)
		free(t->cell[i]);
	free(t->cell);
	free(t->column);
	free(t);
}

void
table_cleanup(struct table **t)
{
	table_destroy(*t);
}

void
table_set(struct table *t, size_t row, size_t column, char *text)
{
	char **cell = &t->cell[row * t->columns + column];

	free(*cell);
	*cell = text;
}

const char *
tone_begin(enum output_tone tone)
{
	static const char *const sequence[] = {
		[TONE_plain] = "",
		[TONE_good] = "\033[32m",
		[TONE_warn] = "\033[33m",
		[TONE_bad] = "\033[1;31m",
		[TONE_strong] = "\033[1m",
		[TONE_faint] = "\033[2m",
	};

	return sequence[tone];
}

const char *
tone_end(void)
{
	return "\033[0m";
}

void
table_disarm(char *text, const char *keep)
{
	for (unsigned char *p = (unsigned char *)text; *p != '\0'; p++) {
		bool is_c1 = *p == 0xc2 && p[1] >= 0x80 && p[1] <= 0x9f;

		if (is_c1)
			p[0] = p[1] = '?';
		else if (iscntrl(*p) && strchr(keep, *p) == NULL)
			*p = *p == '\n' || *p == '\t' || *p == '\r' ? ' ' : '?';
	}
}

static enum output_tone
tone_of(const char *word)
{
	for (size_t i = 0; i < COUNT_OF(tones); i++)
		if (strcmp(tones[i].word, word) == 0)
			return tones[i].tone;
	return TONE_plain;
}

static int
width_of(const char *text)
{
	int width = 0;

	for (; *text != '\0'; text++)
		width += ((unsigned char)*text & 0xc0) != 0x80;
	return width;
}

static const char *
cell_of(const struct table *t, size_t row, size_t column)
{
	const char *text = t->cell[row * t->columns + column];

	return text == NULL || *text == '\0' ? "-" : text;
}

static int
column_width(const struct table *t, size_t column, bool headers)
{
	int width = headers ? width_of(t->column[column].title) : 0;

	for (size_t row = 0; row < t->rows; row++)
		width = MAX(width, width_of(cell_of(t, row, column)));
	return width;
}

static void
print_cell(FILE *file, const struct table *t, size_t column, int width, const char *text, enum output_tone tone)
{
	bool last = column + 1 == t->columns;
	int  pad  = width - width_of(text);

	if (t->column[column].right)
		(void)fprintf(file, "%*s", pad, "");
	if (tone != TONE_plain)
		(void)fprintf(file, "%s%s%s", tone_begin(tone), text, tone_end());
	else
		(void)fputs(text, file);
	if (last)
		(void)fputc('\n', file);
	else
		(void)fprintf(file, "%*s", t->column[column].right ? 2 : pad + 2, "");
}

void
table_print(FILE *file, struct table *t, bool headers, bool colour)
{
	CLEANUP(free_cleanup) int *width = calloc(t->columns + 1, sizeof(int));

	if (width == NULL)
		return;
	for (size_t i = 0; i < t->columns * t->rows; i++)
		if (t->cell[i] != NULL)
			table_disarm(t->cell[i], "");
	for (size_t column = 0; column < t->columns; column++)
		width[column] = column_width(t, column, headers);
	for (size_t column = 0; headers && column < t->columns; column++)
		print_cell(file, t, column, width[column], t->column[column].title, colour ? TONE_faint : TONE_plain);
	for (size_t row = 0; row < t->rows; row++)
		for (size_t column = 0; column < t->columns; column++) {
			const char *text = cell_of(t, row, column);

			print_cell(file, t, column, width[column], text, colour ? tone_of(text) : TONE_plain);
		}
}
