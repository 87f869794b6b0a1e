/* SPDX-License-Identifier: Apache-2.0 */
/*
 * table - rows of text as aligned columns, and text made safe for a terminal.
 * Widths count characters, not bytes.
 */
#ifndef STEWARD_TABLE_H
#define STEWARD_TABLE_H

#include <stdio.h>

#include "output.h"

struct table_column {
	char title[64];
	bool right; /* numbers end at the same place */
};

/* Cells row by row, each on the heap; NULL is shown as "-". */
struct table {
	size_t               columns;
	size_t               rows;
	struct table_column *column;
	char               **cell;
};

NODISCARD enum err table_create(size_t columns, size_t rows, struct table **out, struct error *e);
void               table_destroy(struct table *t);
void               table_cleanup(struct table **t);

/* Takes `text`, which is on the heap. */
void table_set(struct table *t, size_t row, size_t column, char *text);

/* Write it; the last column is not padded.  `colour` tints the words of states. */
void table_print(FILE *file, struct table *t, bool headers, bool colour);

/* Replace what a terminal would obey: control characters, but not the line breaks of `keep`.  In place. */
void table_disarm(char *text, const char *keep);

/* The escape sequence that begins a tone, "" for TONE_plain; and the one that ends any. */
const char *tone_begin(enum output_tone tone);
const char *tone_end(void);

#endif
