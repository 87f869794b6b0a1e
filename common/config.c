/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The door to libconfig, and the order in which the sources are read.
 *
 * libconfig stops at its first syntax error, so the settings of such a file
 * are not judged; everything else that is wrong is said in one run.
 */
#include "config.h"

#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <libconfig.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "config_draft.h"
#include "config_scan.h"
#include "quantity.h"

enum { FILE_SIZE_MAX = 1 << 20 };

/* What is the same for every setting of one file. */
struct source {
	struct config_draft *draft;
	const char          *name;
	enum config_layer    layer;
	bool                 has_cuts;
};

static void
close_cleanup(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}

static const char *
type_name(const config_setting_t *s)
{
	switch (config_setting_type(s)) {
	case CONFIG_TYPE_GROUP:
		return "a group";
	case CONFIG_TYPE_INT:
	case CONFIG_TYPE_INT64:
		return "a number";
	case CONFIG_TYPE_FLOAT:
		return "a fraction";
	case CONFIG_TYPE_STRING:
		return "a text";
	case CONFIG_TYPE_BOOL:
		return "a boolean";
	case CONFIG_TYPE_ARRAY:
		return "an array";
	default:
		return "a list";
	}
}

static void
take_int(const struct source *from, size_t index, const config_setting_t *s)
{
	int64_t value;

	if (config_setting_type(s) == CONFIG_TYPE_INT)
		value = config_setting_get_int(s);
	else
		value = config_setting_get_int64(s);
	if (!from->has_cuts || value != CONFIG_SCAN_CUT)
		draft_set_int(from->draft, index, value);
}

static void
take_value(const struct source *from, size_t index, const config_setting_t *s)
{
	const struct config_desc *desc      = config_desc(index);
	int                       type      = config_setting_type(s);
	bool                      is_number = type == CONFIG_TYPE_INT || type == CONFIG_TYPE_INT64;

	if (desc->type == CONFIG_INT && is_number)
		take_int(from, index, s);
	else if (desc->type == CONFIG_INT && type == CONFIG_TYPE_STRING)
		draft_set_quantity(from->draft, index, config_setting_get_string(s));
	else if (desc->type == CONFIG_INT)
		draft_refuse(from->draft, index, "%s must be a whole number%s, not %s", desc->path,
		    quantity_hint(desc->unit) == NULL ? "" : " or a text with a unit", type_name(s));
	else if (type == CONFIG_TYPE_STRING)
		draft_set_text(from->draft, index, config_setting_get_string(s));
	else
		draft_refuse(from->draft, index, "%s must be a text in quotes, not %s", desc->path, type_name(s));
}

/* Recursion ends with the sections of config.def. */
static void
take_group(const struct source *from, const char *prefix, const config_setting_t *group)
{
	unsigned count = (unsigned)config_setting_length(group);

	for (unsigned i = 0; i < count; i++) {
		const config_setting_t *s     = config_setting_get_elem(group, i);
		struct config_place     at    = { from->name, (unsigned)config_setting_source_line(s) };
		bool                    is_in = config_setting_is_group(s);
		char                    path[CONFIG_PATH_SIZE];
		size_t                  index;

		(void)snprintf(path, sizeof(path), "%s%s%s", prefix, prefix[0] == '\0' ? "" : ".",
		    config_setting_name(s));
		index = config_find(path);
		if (index != CONFIG_COUNT) {
			draft_claim(from->draft, index, from->layer, at);
			take_value(from, index, s);
		} else if (config_is_section(path) && is_in) {
			take_group(from, path, s);
		} else if (config_is_section(path)) {
			draft_complain(from->draft, at, "%s must be a group, as in %s = { ... };, not %s", path,
			    config_setting_name(s), type_name(s));
		} else {
			draft_complain_unknown(from->draft, at, from->layer, path, is_in);
		}
	}
}

/* What libconfig found: one error, and behind the last line when the text ends too early. */
static void
complain_of_syntax(const struct source *from, const config_t *tree, unsigned last_line)
{
	const char         *text = config_error_text(tree);
	struct config_place at   = { from->name, (unsigned)config_error_line(tree) };

	if (at.line > last_line) {
		at.line = last_line;
		draft_complain(from->draft, at, "%s: the file ends too early", text);
	} else if (strncmp(text, "duplicate", 9) == 0) {
		draft_complain(from->draft, at, "%s; a setting or a group stands once in a file", text);
	} else {
		draft_complain(from->draft, at, "%s", text);
	}
	from->draft->is_incomplete = true;
}

static void
parse(const struct source *from, const char *text)
{
	CLEANUP(config_destroy) config_t tree;
	unsigned                         lines = 0;

	config_init(&tree);
	if (config_read_string(&tree, text) == CONFIG_TRUE) {
		take_group(from, "", config_root_setting(&tree));
		return;
	}
	for (const char *p = text; (p = strchr(p, '\n')) != NULL; p++)
		lines++;
	complain_of_syntax(from, &tree, lines);
}

void
config_read_text(struct config_draft *d, const char *name, const char *bytes, size_t size, enum config_layer layer)
{
	CLEANUP(free_cleanup) char *text = malloc(size + 2);
	struct source               from = { .draft = d, .name = name, .layer = layer };
	enum scan_verdict           verdict;

	if (text == NULL) {
		d->is_out_of_memory = true;
		return;
	}
	memcpy(text, bytes, size);
	/* libconfig 1.5 wants a newline after the last comment. */
	memcpy(text + size, size > 0 && bytes[size - 1] == '\n' ? "\0" : "\n", 2);
	verdict = config_scan(d, name, text, size);
	if (verdict == SCAN_refused) {
		d->is_incomplete = true;
		return;
	}
	from.has_cuts = verdict == SCAN_cut;
	parse(&from, text);
}

/* The number of bytes, at most `size`; -1 with errno. */
static ssize_t
read_whole(int fd, char *bytes, size_t size)
{
	size_t used = 0;

	while (used < size) {
		ssize_t got = read(fd, bytes + used, size - used);

		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			return -1;
		if (got == 0)
			break;
		used += (size_t)got;
	}
	return (ssize_t)used;
}

/* What keeps the file from being read; NULL when it was. */
static const char *
load_file(struct config_draft *d, const char *path, enum config_layer layer)
{
	CLEANUP(close_cleanup) int  fd    = open(path, O_RDONLY | O_CLOEXEC | O_NONBLOCK | O_NOCTTY);
	CLEANUP(free_cleanup) char *bytes = NULL;
	struct stat                 st;
	ssize_t                     size;

	if (fd < 0 || fstat(fd, &st) != 0)
		return strerror(errno);
	if (S_ISDIR(st.st_mode))
		return "it is a directory";
	if (!S_ISREG(st.st_mode) && !S_ISCHR(st.st_mode))
		return "it is not a file";
	bytes = malloc(FILE_SIZE_MAX + 1);
	if (bytes == NULL)
		return strerror(errno);
	size = read_whole(fd, bytes, FILE_SIZE_MAX + 1);
	if (size < 0)
		return strerror(errno);
	if (size > FILE_SIZE_MAX)
		return "it is larger than 1 MiB";
	config_read_text(d, path, bytes, (size_t)size, layer);
	return NULL;
}

static void
read_file(struct config_draft *d, const char *path, enum config_layer layer)
{
	const char *obstacle = load_file(d, path, layer);

	if (obstacle == NULL)
		return;
	draft_complain(d, (struct config_place){ path, 0 }, "cannot be read: %s", obstacle);
	d->is_incomplete = true;
}

/* What an editor or a package tool leaves behind does not end in .conf, or holds .dpkg- before it. */
static int
is_wanted(const struct dirent *entry)
{
	const char *suffix = strrchr(entry->d_name, '.');

	return entry->d_name[0] != '.' && strcmp(suffix == NULL ? "" : suffix, ".conf") == 0 &&
	    strstr(entry->d_name, ".dpkg-") == NULL;
}

static int
by_bytes(const struct dirent **a, const struct dirent **b)
{
	return strcmp((*a)->d_name, (*b)->d_name);
}

static void
read_conf_d(struct config_draft *d, const char *main_path)
{
	const char                 *slash     = strrchr(main_path, '/');
	CLEANUP(free_cleanup) char *directory = NULL;
	struct dirent             **entry     = NULL;
	int                         count;

	if (asprintf(&directory, "%.*sconf.d", slash == NULL ? 0 : (int)(slash + 1 - main_path), main_path) < 0) {
		directory           = NULL;
		d->is_out_of_memory = true;
		return;
	}
	count = scandir(directory, &entry, is_wanted, by_bytes);
	if (count < 0 && errno != ENOENT) {
		draft_complain(d, (struct config_place){ directory, 0 }, "cannot be read: %s", strerror(errno));
		d->is_incomplete = true;
	}
	for (int i = 0; i < count; i++) {
		CLEANUP(free_cleanup) char *path = NULL;

		if (asprintf(&path, "%s/%s", directory, entry[i]->d_name) < 0) {
			path                = NULL;
			d->is_out_of_memory = true;
		} else {
			read_file(d, path, LAYER_conf_d);
		}
		free(entry[i]);
	}
	free(entry);
}

/* Where a path does not fit, its beginning goes: the file's name and the line say more. */
static bool
write_origins(const struct config_draft *d, struct config_origins *o)
{
	char (*place)[CONFIG_ORIGIN_SIZE] = calloc(CONFIG_COUNT, sizeof(*place));

	if (place == NULL)
		return false;
	for (size_t i = 0; i < CONFIG_COUNT; i++) {
		const struct config_mark *mark = &d->mark[i];

		if (mark->layer == LAYER_environment) {
			(void)snprintf(place[i], sizeof(place[i]), "environment");
		} else if (mark->place == NULL) {
			(void)snprintf(place[i], sizeof(place[i]), "default");
		} else {
			size_t length = strlen(mark->place);
			size_t over   = length < sizeof(place[i]) ? 0 : length - sizeof(place[i]) + 4;

			(void)snprintf(place[i], sizeof(place[i]), "%s%s", over == 0 ? "" : "...", mark->place + over);
		}
	}
	free(o->place);
	o->place = place;
	return true;
}

static enum err
settle(struct config_draft *d, const char *path, struct config *cfg, struct config_origins *origins, struct error *e)
{
	if (d->unshown > 0) {
		size_t unshown = d->unshown;

		free(d->complaints.line[--d->complaints.count]);
		draft_complain(d, (struct config_place){ path, 0 }, "%zu more complaints are not shown", unshown + 1);
	}
	if (d->is_out_of_memory)
		return err_set(e, ERR_no_memory, "%s: memory ran out while it was read", path);
	if (d->complaints.count > 0)
		return err_set(e, ERR_config, "%s", d->complaints.line[0]);
	if (origins != NULL && !write_origins(d, origins))
		return err_set(e, ERR_no_memory, "%s: memory ran out while it was read", path);
	*cfg = d->cfg;
	return ERR_ok;
}

enum err
config_load(const char *path, struct config *cfg, struct config_origins *origins, struct config_complaints *complaints,
    struct error *e)
{
	CLEANUP(draft_fini) struct config_draft draft;
	enum err                                code;

	draft_init(&draft);
	read_file(&draft, path, LAYER_file);
	read_conf_d(&draft, path);
	config_read_environment(&draft, environ);
	if (!draft.is_incomplete)
		config_check(&draft);
	code = settle(&draft, path, cfg, origins, e);
	if (complaints != NULL) {
		*complaints      = draft.complaints;
		draft.complaints = (struct config_complaints){ 0 };
	}
	return code;
}

void
config_origins_free(struct config_origins *o)
{
	free(o->place);
	o->place = NULL;
}

void
config_complaints_free(struct config_complaints *c)
{
	for (size_t i = 0; i < c->count; i++)
		free(c->line[i]);
	free(c->line);
	*c = (struct config_complaints){ 0 };
}
