/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The environment as a source of settings: STEWARD__LOG__LEVEL is log.level.
 * Two underscores part, since one may stand inside a key.
 */
#include <stdio.h>
#include <string.h>

#include "config_draft.h"
#include "quantity.h"

static const char prefix[] = "STEWARD__";

const char *
config_environment_name(const char *path, char name[ENVIRONMENT_NAME_SIZE])
{
	size_t used = sizeof(prefix) - 1;

	memcpy(name, prefix, sizeof(prefix));
	for (; *path != '\0' && used < ENVIRONMENT_NAME_SIZE - 2; path++) {
		if (*path == '.') {
			name[used++] = '_';
			name[used++] = '_';
		} else {
			name[used++] = (char)(*path >= 'a' && *path <= 'z' ? *path - 'a' + 'A' : *path);
		}
	}
	name[used] = '\0';
	return name;
}

/* The path that a name seems to mean, for people and for the nearest one. */
static void
guess_path(const char *name, char path[CONFIG_PATH_SIZE])
{
	size_t used = 0;

	for (name += sizeof(prefix) - 1; *name != '\0' && used < CONFIG_PATH_SIZE - 1; name++) {
		if (name[0] == '_' && name[1] == '_') {
			path[used++] = '.';
			name++;
		} else {
			path[used++] = (char)(*name >= 'A' && *name <= 'Z' ? *name - 'A' + 'a' : *name);
		}
	}
	path[used] = '\0';
}

static size_t
find(const char *name)
{
	char known[ENVIRONMENT_NAME_SIZE];

	for (size_t i = 0; i < CONFIG_COUNT; i++)
		if (strcmp(config_environment_name(config_desc(i)->path, known), name) == 0)
			return i;
	return CONFIG_COUNT;
}

static void
take(struct config_draft *d, size_t index, const char *value)
{
	int64_t number = 0;

	if (config_desc(index)->type == CONFIG_TEXT)
		draft_set_text(d, index, value);
	else if (quantity_parse_plain(value, &number) == QUANTITY_ok)
		draft_set_int(d, index, number);
	else
		draft_set_quantity(d, index, value);
}

void
config_read_environment(struct config_draft *d, char *const *environment)
{
	for (; *environment != NULL; environment++) {
		const char *equals = strchr(*environment, '=');
		char        where[sizeof("environment ") + ENVIRONMENT_NAME_SIZE];
		char        path[CONFIG_PATH_SIZE];
		const char *name = where + sizeof("environment ") - 1;
		size_t      index;

		if (strncmp(*environment, prefix, sizeof(prefix) - 1) != 0 || equals == NULL)
			continue;
		(void)snprintf(where, sizeof(where), "environment %.*s", (int)MIN(equals - *environment, 4096), *environment);
		index = find(name);
		if (index != CONFIG_COUNT) {
			draft_claim(d, index, LAYER_environment, (struct config_place){ where, 0 });
			take(d, index, equals + 1);
		} else {
			guess_path(name, path);
			draft_complain_unknown(d, (struct config_place){ where, 0 }, LAYER_environment, path, false);
		}
	}
}
