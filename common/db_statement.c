/* SPDX-License-Identifier: Apache-2.0 */
#include "db_private.h"

/* The fixed object ids of pg_type for the words that statements.def may use. */
enum {
	OID_bool        = 16,
	OID_int8        = 20,
	OID_int4        = 23,
	OID_text        = 25,
	OID_float8      = 701,
	OID_timestamptz = 1184,
	OID_uuid        = 2950,
	OID_jsonb       = 3802,
};

/* Zero ends each list, so that a statement without parameters has one too. */
#define P(type, name) OID_##type,
#define STMT(kind, name, sql, parameters, columns) static const unsigned int types_of_##name[] = { parameters 0 };
#include "statements.def"
#undef STMT
#undef P

#define P(type, name) ", " #type " " #name
#define C(type, name) ", " #type " " #name
/* Without the first ", ". */
#define LISTED(list) (sizeof("" list) > 1 ? &("" list "\0")[2] : "")
static const struct statement_desc rows[STMT_COUNT] = {
#define STMT(kind, name, sql, parameters, columns)                               \
	[STMT_##name] = { WORKER_##kind, #name, sql, LISTED(parameters), LISTED(columns), \
		(int)COUNT_OF(types_of_##name) - 1 },
#include "statements.def"
#undef STMT
};
#undef P
#undef C

static const unsigned int *const types[STMT_COUNT] = {
#define STMT(kind, name, sql, parameters, columns) [STMT_##name] = types_of_##name,
#include "statements.def"
#undef STMT
};

const struct statement_desc *
statement_desc(enum statement s)
{
	return &rows[s];
}

const char *
statement_kind_name(enum statement s)
{
	return rows[s].kind == WORKER_scheduled ? "scheduled" : worker_desc(rows[s].kind)->name;
}

const unsigned int *
db_statement_types(enum statement s)
{
	return types[s];
}
