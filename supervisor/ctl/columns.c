/* SPDX-License-Identifier: Apache-2.0 */
#include "columns.h"

#include <ctype.h>
#include <stdio.h>
#include <string.h>

static const char unit[] = "_seconds";

bool
columns_is_duration(const char *key)
{
	size_t length = strlen(key);

	return length >= sizeof(unit) && strcmp(key + length - strlen(unit), unit) == 0;
}

bool
columns_add(struct columns *c, const char *text, size_t length)
{
	struct column *column = &c->list[c->count];
	const char    *equals = memchr(text, '=', length);
	size_t         title  = equals != NULL ? (size_t)(equals - text) : length;
	size_t         skip   = equals != NULL ? title + 1 : 0;

	if (c->count == COLUMNS_MAX || length >= COLUMNS_NAME_SIZE)
		return false;
	(void)snprintf(column->title, sizeof(column->title), "%.*s", (int)title, text);
	(void)snprintf(column->key, sizeof(column->key), "%.*s", (int)(length - skip), text + skip);
	if (!c->plain && columns_is_duration(column->title))
		column->title[strlen(column->title) - strlen(unit)] = '\0';
	for (char *p = column->title; *p != '\0'; p++)
		*p = *p == '_' && !c->plain ? ' ' : (char)toupper((unsigned char)*p);
	c->count++;
	return true;
}

bool
columns_read(struct columns *c, const char *text)
{
	while (*text != '\0') {
		size_t length = strcspn(text, ",");

		if (length > 0 && !columns_add(c, text, length))
			return false;
		text += length + (text[length] == ',' ? 1 : 0);
	}
	return true;
}
