/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_table - the rows of config.def by number and by path; for the other
 * config files only.  Plain rows come first, then the KIND_ rows, kind by kind.
 */
#ifndef STEWARD_CONFIG_TABLE_H
#define STEWARD_CONFIG_TABLE_H

#include "config.h"

enum config_row {
#define INT(section, key, ...)  ROW_##section##_##key,
#define TEXT(section, key, ...) ROW_##section##_##key,
#define ROOT_TEXT(key, ...)     ROW_##key,
#define KIND_INT(key, ...)
#define KIND_TEXT(key, ...)
#include "config.def"
#undef INT
#undef TEXT
#undef ROOT_TEXT
#undef KIND_INT
#undef KIND_TEXT
	ROW_COUNT
};

enum config_kind_row {
#define INT(section, key, ...)
#define TEXT(section, key, ...)
#define ROOT_TEXT(key, ...)
#define KIND_INT(key, ...)  KIND_ROW_##key,
#define KIND_TEXT(key, ...) KIND_ROW_##key,
#include "config.def"
#undef INT
#undef TEXT
#undef ROOT_TEXT
#undef KIND_INT
#undef KIND_TEXT
	KIND_ROW_COUNT
};

enum { CONFIG_COUNT = (int)ROW_COUNT + (int)WORKER_COUNT * (int)KIND_ROW_COUNT };

/* No path of a setting is longer, its NUL included; a longer one is nobody's. */
enum { CONFIG_PATH_SIZE = 160 };

/* The index of this kind's row in config_desc(). */
size_t config_kind_row(enum worker_kind kind, enum config_kind_row row);

/* The index of the setting with this path, or CONFIG_COUNT. */
size_t config_find(const char *path);

/* Whether `path` is a group: some setting's path goes on after it with a dot. */
bool config_is_section(const char *path);

/* Where the setting stands in `cfg`: an int64_t or a char[desc->size]. */
int64_t *config_int(struct config *cfg, size_t index);
char    *config_text(struct config *cfg, size_t index);

#endif
