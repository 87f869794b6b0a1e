/* SPDX-License-Identifier: Apache-2.0 */
/*
 * columns - which keys of a list become the columns of a table, and their headings.
 */
#ifndef STEWARD_COLUMNS_H
#define STEWARD_COLUMNS_H

#include "base.h"

enum { COLUMNS_MAX = 32, COLUMNS_NAME_SIZE = 64 };

struct column {
	char title[COLUMNS_NAME_SIZE];
	char key[COLUMNS_NAME_SIZE];
};

/* Zero-initialise but `plain`: the user chose, so headings are the keys as they are. */
struct columns {
	bool          plain;
	size_t        count;
	struct column list[COLUMNS_MAX];
};

/* "id,doing=activity": the second is headed DOING.  False when they are too many or too long. */
NODISCARD bool columns_read(struct columns *c, const char *text);
NODISCARD bool columns_add(struct columns *c, const char *text, size_t length);

/* Whether the key counts seconds, which people read as "2 h 4 m" under a heading without the unit. */
bool columns_is_duration(const char *key);

#endif
