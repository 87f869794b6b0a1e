/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rows - the result of a statement as the list `items` of the document, with
 * the column names the view gives them.
 */
#ifndef STEWARD_ROWS_H
#define STEWARD_ROWS_H

#include "db.h"
#include "output.h"

/* A value for people; borrowed until db_result_free. */
const char *rows_text(const struct db_result *r, int row, const char *column, const char *null);

/* The same as a table shows it: yes or no, times in ISO 8601 (in `time`), "-" for NULL. */
enum { ROWS_TIME_SIZE = 64 };
const char *rows_shown(const struct db_result *r, int row, int column, char time[ROWS_TIME_SIZE]);

/* Put one row into the item that is open. */
void rows_put(struct output *o, const struct db_result *r, int row);

/* All rows as the list `key`. */
void rows_put_list(struct output *o, const char *key, const struct db_result *r);

/* All rows as the list `items`; people see `columns` of it (NULL: all), or `none` when there is no row. */
void rows_print_list(struct output *o, const struct db_result *r, const char *columns, const char *none);

#endif
