/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What can be said of config.def without reading a file: rows, defaults,
 * values, differences.
 */
#include "config_table.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>

#include "config_secret.h"

#define INT_DESC(path_, kind_, offset_, fallback, min_, max_, unit_, reload_, meaning_)                    \
	{ .path = path_, .type = CONFIG_INT, .reload = RELOAD_##reload_, .kind = kind_, .offset = offset_, \
		.size = sizeof(int64_t), .min = min_, .max = max_, .fallback_int = fallback, .unit = unit_, \
		.meaning = meaning_ },
#define TEXT_DESC(path_, kind_, offset_, fallback, capacity, reload_, meaning_)                             \
	{ .path = path_, .type = CONFIG_TEXT, .reload = RELOAD_##reload_, .kind = kind_, .offset = offset_, \
		.size = capacity, .fallback_text = fallback, .unit = "", .meaning = meaning_ },

static const struct config_desc rows[ROW_COUNT] = {
#define INT(section, key, fallback, min, max, unit, reload, meaning)                                \
	INT_DESC(#section "." #key, WORKER_COUNT, offsetof(struct config, section##_##key), fallback, min, max, \
	    unit, reload, meaning)
#define TEXT(section, key, fallback, capacity, reload, meaning)                                              \
	TEXT_DESC(#section "." #key, WORKER_COUNT, offsetof(struct config, section##_##key), fallback, capacity, \
	    reload, meaning)
#define ROOT_TEXT(key, fallback, capacity, reload, meaning) \
	TEXT_DESC(#key, WORKER_COUNT, offsetof(struct config, key), fallback, capacity, reload, meaning)
#define KIND_INT(key, ...)
#define KIND_TEXT(key, ...)
#include "config.def"
#undef INT
#undef TEXT
#undef ROOT_TEXT
#undef KIND_INT
#undef KIND_TEXT
};

/* As they are in every kind; the path is the bare key, the offset counts from struct kind_config. */
static const struct config_desc kind_rows[KIND_ROW_COUNT] = {
#define INT(section, key, ...)
#define TEXT(section, key, ...)
#define ROOT_TEXT(key, ...)
#define KIND_INT(key, fallback, min, max, unit, reload, meaning) \
	INT_DESC(#key, WORKER_COUNT, offsetof(struct kind_config, key), fallback, min, max, unit, reload, meaning)
#define KIND_TEXT(key, fallback, capacity, reload, meaning) \
	TEXT_DESC(#key, WORKER_COUNT, offsetof(struct kind_config, key), fallback, capacity, reload, meaning)
#include "config.def"
#undef INT
#undef TEXT
#undef ROOT_TEXT
#undef KIND_INT
#undef KIND_TEXT
};

/*
 * workers.def times the KIND_ rows.  The preprocessor cannot multiply two
 * tables, so this one is filled before its first reader and constant from then on.
 */
static struct {
	pthread_once_t     once;
	struct config_desc row[WORKER_COUNT][KIND_ROW_COUNT];
	char               path[WORKER_COUNT][KIND_ROW_COUNT][CONFIG_PATH_SIZE];
} product = { .once = PTHREAD_ONCE_INIT };

static void
multiply(void)
{
	for (size_t kind = 0; kind < WORKER_COUNT; kind++) {
		for (size_t i = 0; i < KIND_ROW_COUNT; i++) {
			struct config_desc *desc = &product.row[kind][i];
			char               *path = product.path[kind][i];

			(void)snprintf(path, CONFIG_PATH_SIZE, "workers.%s.%s", worker_desc((enum worker_kind)kind)->name,
			    kind_rows[i].path);
			*desc         = kind_rows[i];
			desc->path    = path;
			desc->kind    = (enum worker_kind)kind;
			desc->offset += offsetof(struct config, workers) + kind * sizeof(struct kind_config);
		}
	}
}

size_t
config_count(void)
{
	return CONFIG_COUNT;
}

const struct config_desc *
config_desc(size_t index)
{
	if (index < ROW_COUNT)
		return &rows[index];
	(void)pthread_once(&product.once, multiply);
	index -= ROW_COUNT;
	return &product.row[index / KIND_ROW_COUNT][index % KIND_ROW_COUNT];
}

size_t
config_kind_row(enum worker_kind kind, enum config_kind_row row)
{
	return ROW_COUNT + (size_t)kind * KIND_ROW_COUNT + (size_t)row;
}

size_t
config_find(const char *path)
{
	for (size_t i = 0; i < CONFIG_COUNT; i++)
		if (strcmp(config_desc(i)->path, path) == 0)
			return i;
	return CONFIG_COUNT;
}

bool
config_is_section(const char *path)
{
	size_t length = strlen(path);

	for (size_t i = 0; i < CONFIG_COUNT; i++) {
		const char *known = config_desc(i)->path;

		if (strncmp(known, path, length) == 0 && known[length] == '.')
			return true;
	}
	return false;
}

/* struct config is laid out by the same rows, so each offset is that of a member of the row's type. */
int64_t *
config_int(struct config *cfg, size_t index)
{
	return (int64_t *)(void *)((char *)cfg + config_desc(index)->offset);
}

char *
config_text(struct config *cfg, size_t index)
{
	return (char *)cfg + config_desc(index)->offset;
}

static int64_t
int_of(const struct config *cfg, size_t index)
{
	return *(const int64_t *)(const void *)((const char *)cfg + config_desc(index)->offset);
}

static const char *
text_of(const struct config *cfg, size_t index)
{
	return (const char *)cfg + config_desc(index)->offset;
}

void
config_defaults(struct config *cfg)
{
	memset(cfg, 0, sizeof(*cfg));
	for (size_t i = 0; i < CONFIG_COUNT; i++) {
		const struct config_desc *desc = config_desc(i);

		if (desc->type == CONFIG_INT)
			*config_int(cfg, i) = desc->fallback_int;
		else
			(void)snprintf(config_text(cfg, i), desc->size, "%s", desc->fallback_text);
	}
}

const char *
config_value(const struct config *cfg, size_t index, char text[CONFIG_VALUE_SIZE])
{
	if (config_desc(index)->type == CONFIG_INT)
		(void)snprintf(text, CONFIG_VALUE_SIZE, "%" PRId64, int_of(cfg, index));
	else
		config_hide_passwords(text_of(cfg, index), text, CONFIG_VALUE_SIZE);
	return text;
}

bool
config_differs(const struct config *a, const struct config *b, size_t index)
{
	if (config_desc(index)->type == CONFIG_INT)
		return int_of(a, index) != int_of(b, index);
	return strcmp(text_of(a, index), text_of(b, index)) != 0;
}
