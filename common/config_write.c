/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Configuration written out: the sample file, and the values in force.  In the
 * sample groups stand open and prose is a // comment, so the file reads as it is,
 * and still does when the # is taken from one line or from all.
 */
#include <stdio.h>
#include <string.h>

#include "config.h"
#include "quantity.h"

static const char head[] =
    "// steward.conf - every setting at its default.\n"
    "//\n"
    "// Take the # from the front of a line to change it.  Files named conf.d/*.conf\n"
    "// beside this one override it, and the environment overrides both: log.level is\n"
    "// STEWARD__LOG__LEVEL there.  Times and sizes may be texts with a unit: \"500ms\",\n"
    "// \"30s\", \"2m\", \"1h\", \"1d\"; \"512B\", \"64KiB\", \"64MiB\", \"5GiB\", \"1TiB\".  A plain\n"
    "// number above 2147483647 ends in L.\n";

static const char *const reload_words[] = {
	[RELOAD_live]    = "a reload applies it",
	[RELOAD_respawn] = "a reload restarts the processes that use it",
	[RELOAD_boot]    = "needs a restart of steward",
};

static int
indent(int fd, int depth)
{
	return dprintf(fd, "%*s", 4 * depth, "") < 0 ? -1 : 0;
}

/* Text with the escapes that libconfig undoes. */
static int
write_quoted(int fd, const char *text)
{
	if (dprintf(fd, "\"") < 0)
		return -1;
	for (; *text != '\0'; text++)
		if (dprintf(fd, *text == '"' || *text == '\\' ? "\\%c" : "%c", *text) < 0)
			return -1;
	return dprintf(fd, "\"") < 0 ? -1 : 0;
}

static int
write_range(int fd, const struct config_desc *desc)
{
	if (desc->type == CONFIG_TEXT)
		return dprintf(fd, "// text of up to %zu bytes; %s\n", desc->size - 1, reload_words[desc->reload]);
	return dprintf(fd, "// %" PRId64 " to %" PRId64 "%s%s%s; %s\n", desc->min, desc->max,
	    desc->unit[0] == '\0' ? "" : " ", desc->unit, quantity_hint(desc->unit) == NULL ? "" : ", or a text",
	    reload_words[desc->reload]);
}

static int
write_number(int fd, int64_t number)
{
	bool fits = number >= INT32_MIN && number <= INT32_MAX;

	return dprintf(fd, "%" PRId64 "%s;\n", number, fits ? "" : "L") < 0 ? -1 : 0;
}

static int
write_text(int fd, const char *text)
{
	return write_quoted(fd, text) != 0 || dprintf(fd, ";\n") < 0 ? -1 : 0;
}

static const char *
key_of(const struct config_desc *desc)
{
	const char *dot = strrchr(desc->path, '.');

	return dot == NULL ? desc->path : dot + 1;
}

/* For the sample: with prose, at its default, commented out. */
static int
write_explained(int fd, int depth, const struct config_desc *desc)
{
	if (dprintf(fd, "\n") < 0 || indent(fd, depth) != 0 || dprintf(fd, "// %s\n", desc->meaning) < 0)
		return -1;
	if (indent(fd, depth) != 0 || write_range(fd, desc) < 0 || indent(fd, depth) != 0)
		return -1;
	if (dprintf(fd, "#%s = ", key_of(desc)) < 0)
		return -1;
	return desc->type == CONFIG_TEXT ? write_text(fd, desc->fallback_text) : write_number(fd, desc->fallback_int);
}

static int
write_value(int fd, int depth, const struct config_desc *desc, const struct config *cfg)
{
	const char *at = (const char *)cfg + desc->offset;
	int64_t     number;

	if (indent(fd, depth) != 0 || dprintf(fd, "%s = ", key_of(desc)) < 0)
		return -1;
	if (desc->type == CONFIG_TEXT)
		return write_text(fd, at);
	memcpy(&number, at, sizeof(number));
	return write_number(fd, number);
}

/* How many leading groups the two paths share; the last part of a path is the key. */
static int
shared_depth(const char *a, const char *b)
{
	int depth = 0;

	for (; *a != '\0' && *a == *b; a++, b++)
		if (*a == '.')
			depth++;
	return depth;
}

static int
depth_of(const char *path)
{
	return shared_depth(path, path);
}

static int
close_groups(int fd, int from, int to)
{
	while (from-- > to)
		if (indent(fd, from) != 0 || dprintf(fd, "};\n") < 0)
			return -1;
	return 0;
}

static int
open_groups(int fd, const char *path, int from)
{
	int depth = 0;

	for (const char *dot = strchr(path, '.'); dot != NULL; dot = strchr(path, '.')) {
		if (depth >= from &&
		    (dprintf(fd, "\n") < 0 || indent(fd, depth) != 0 || dprintf(fd, "%.*s = {", (int)(dot - path), path) < 0))
			return -1;
		path = dot + 1;
		depth++;
	}
	return 0;
}

/* Every setting in its group; `cfg` NULL is the sample. */
static int
write_all(int fd, const struct config *cfg)
{
	const char *last = "";

	for (size_t i = 0; i < config_count(); i++) {
		const struct config_desc *desc   = config_desc(i);
		int                       depth  = depth_of(desc->path);
		int                       shared = shared_depth(last, desc->path);

		if (close_groups(fd, depth_of(last), shared) != 0 || open_groups(fd, desc->path, shared) != 0)
			return -1;
		if (dprintf(fd, shared < depth && cfg != NULL ? "\n" : "") < 0 ||
		    (cfg == NULL ? write_explained(fd, depth, desc) : write_value(fd, depth, desc, cfg)) != 0)
			return -1;
		last = desc->path;
	}
	return close_groups(fd, depth_of(last), 0);
}

int
config_write_sample(int fd)
{
	return dprintf(fd, "%s", head) < 0 ? -1 : write_all(fd, NULL);
}

int
config_write_values(int fd, const struct config *cfg)
{
	return write_all(fd, cfg);
}
