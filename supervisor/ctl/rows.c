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

/* "2026-01-31 23:59:59.123+00" as ISO 8601: "2026-01-31T23:59:59.123Z". */
static void
put_time(struct output *o, const char *key, const char *text)
{
	char   iso[64];
	size_t length = strlen(text);

	(void)snprintf(iso, sizeof(iso), "%s", text);
	if (length > 13 && length < sizeof(iso) && iso[10] == ' ' && strcmp(&iso[length - 3], "+00") == 0) {
		iso[10] = 'T';
		memcpy(&iso[length - 3], "Z", sizeof("Z"));
	}
	output_text(o, key, iso);
}

static void
put_value(struct output *o, const char *key, const char *text, enum db_shape shape)
{
	if (text == NULL)
		output_null(o, key);
	else if (shape == DB_SHAPE_BOOL)
		output_bool(o, key, strcmp(text, "t") == 0);
	else if (shape == DB_SHAPE_TIME)
		put_time(o, key, text); /* infinity stays what it is */
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
