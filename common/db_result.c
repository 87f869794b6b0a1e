/* SPDX-License-Identifier: Apache-2.0 */
#include "db_libpq.h"

#include <assert.h>
#include <stdlib.h>
#include <string.h>

/* Object ids of pg_type whose text is more than text. */
enum {
	TYPE_BOOL        = 16,
	TYPE_INT8        = 20,
	TYPE_INT2        = 21,
	TYPE_INT4        = 23,
	TYPE_OID         = 26,
	TYPE_JSON        = 114,
	TYPE_FLOAT4      = 700,
	TYPE_FLOAT8      = 701,
	TYPE_TIMESTAMPTZ = 1184,
	TYPE_NUMERIC     = 1700,
	TYPE_JSONB       = 3802,
};

int
db_rows(const struct db_result *r)
{
	return libpq()->ntuples(r->pg);
}

int
db_columns(const struct db_result *r)
{
	return libpq()->nfields(r->pg);
}

const char *
db_column_name(const struct db_result *r, int column)
{
	return libpq()->fname(r->pg, column);
}

const char *
db_text(const struct db_result *r, int row, int column)
{
	return libpq()->getisnull(r->pg, row, column) ? NULL : libpq()->getvalue(r->pg, row, column);
}

enum db_shape
db_column_shape(const struct db_result *r, int column)
{
	switch (libpq()->ftype(r->pg, column)) {
	case TYPE_INT2:
	case TYPE_INT4:
	case TYPE_INT8:
	case TYPE_OID:
	case TYPE_FLOAT4:
	case TYPE_FLOAT8:
	case TYPE_NUMERIC:
		return DB_SHAPE_NUMBER;
	case TYPE_BOOL:
		return DB_SHAPE_BOOL;
	case TYPE_JSON:
	case TYPE_JSONB:
		return DB_SHAPE_JSON;
	case TYPE_TIMESTAMPTZ:
		return DB_SHAPE_TIME;
	default:
		return DB_SHAPE_TEXT;
	}
}

const char *
db_named_text(const struct db_result *r, int row, const char *column)
{
	int number = libpq()->fnumber(r->pg, column);

	assert(number >= 0);
	return db_text(r, row, number);
}

int64_t
db_int8(const struct db_result *r, int row, const char *column, int64_t fallback)
{
	const char *text = db_named_text(r, row, column);

	return text != NULL ? strtoll(text, NULL, 10) : fallback;
}

bool
db_bool(const struct db_result *r, int row, const char *column)
{
	const char *text = db_named_text(r, row, column);

	return text != NULL && strcmp(text, "t") == 0;
}

void
db_result_free(struct db_result *r)
{
	if (r == NULL)
		return;
	libpq()->clear(r->pg);
	free(r);
}

void
db_result_cleanup(struct db_result **r)
{
	db_result_free(*r);
}
