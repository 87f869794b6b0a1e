/* SPDX-License-Identifier: Apache-2.0 */
#include "rows.h"

#include <stdio.h>
#include <string.h>

const char *
rows_text(const struct db_result *r, int row, const char *column, const char *null)
{
	const char *text = db_named_text(r, row, column);

	return text != NULL ? text : null;
}

/* "2026-01-31 23:59:59.123+00" as ISO 8601: "2026-01-31T23:59:59.123Z"; infinity stays what it is. */
static const char *
format_time(const char *text, char iso[ROWS_TIME_SIZE])
{
	size_t length = strlen(text);

	(void)snprintf(iso, ROWS_TIME_SIZE, "%s", text);
	if (length > 13 && length < ROWS_TIME_SIZE && iso[10] == ' ' && strcmp(&iso[length - 3], "+00") == 0) {
		iso[10] = 'T';
		memcpy(&iso[length - 3], "Z", sizeof("Z"));
	}
	return iso;
}

const char *
rows_shown(const struct db_result *r, int row, int column, char time[ROWS_TIME_SIZE])
{
	const char *text = db_text(r, row, column);

	if (text == NULL)
		return "-";
	if (db_column_shape(r, column) == DB_SHAPE_BOOL)
		return strcmp(text, "t") == 0 ? "yes" : "no";
	return db_column_shape(r, column) == DB_SHAPE_TIME ? format_time(text, time) : text;
}

static void
put_value(struct output *o, const char *key, const char *text, enum db_shape shape)
{
	char iso[ROWS_TIME_SIZE];

	if (text == NULL)
		output_null(o, key);
	else if (shape == DB_SHAPE_BOOL)
		output_bool(o, key, strcmp(text, "t") == 0);
	else if (shape == DB_SHAPE_TIME)
		output_text(o, key, format_time(text, iso));
	else if (shape == DB_SHAPE_TEXT)
		output_text(o, key, text);
	else
		output_json(o, key, text); /* a number of any size, or JSON; NaN becomes text */
}

void
rows_put(struct output *o, const struct db_result *r, int row)
{
	for (int i = 0; i < db_columns(r); i++)
		put_value(o, db_column_name(r, i), db_text(r, row, i), db_column_shape(r, i));
}

void
rows_put_list(struct output *o, const char *key, const struct db_result *r)
{
	output_list_begin(o, key);
	for (int row = 0; row < db_rows(r); row++) {
		output_item_begin(o);
		rows_put(o, r, row);
		output_item_end(o);
	}
	output_list_end(o);
}

void
rows_print_list(struct output *o, const struct db_result *r, const char *columns, const char *none)
{
	rows_put_list(o, "items", r);
	if (db_rows(r) == 0 && !output_has_fields(o))
		output_line(o, "%s", none);
	else
		output_table(o, "items", columns);
}
