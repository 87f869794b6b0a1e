/* SPDX-License-Identifier: Apache-2.0 */
#include "config_draft.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "nearest.h"
#include "quantity.h"

void
draft_init(struct config_draft *d)
{
	memset(d, 0, sizeof(*d));
	config_defaults(&d->cfg);
}

void
draft_fini(struct config_draft *d)
{
	for (size_t i = 0; i < CONFIG_COUNT; i++)
		free(d->mark[i].place);
	config_complaints_free(&d->complaints);
}

/* Takes `line`.  Names and values come from outside: nothing in them may start a line or steer a terminal. */
static void
append(struct config_draft *d, char *line)
{
	struct config_complaints *c = &d->complaints;
	char                    **grown;

	if (c->count == COMPLAINTS_MAX) {
		d->unshown++;
		free(line);
		return;
	}
	grown = reallocarray(c->line, c->count + 1, sizeof(*c->line));
	if (grown == NULL) {
		d->is_out_of_memory = true;
		free(line);
		return;
	}
	for (char *p = line; *p != '\0'; p++)
		if ((unsigned char)*p < ' ' || *p == 0x7f)
			*p = '?';
	c->line             = grown;
	c->line[c->count++] = line;
}

static void PRINTF_LIKE(3, 0)
complain_args(struct config_draft *d, struct config_place at, const char *format, va_list args)
{
	CLEANUP(free_cleanup) char *sentence = NULL;
	char                       *line     = NULL;
	int                         length;

	if (vasprintf(&sentence, format, args) < 0) {
		sentence            = NULL;
		d->is_out_of_memory = true;
		return;
	}
	if (at.line != 0)
		length = asprintf(&line, "%s:%u: %s", at.name, at.line, sentence);
	else
		length = asprintf(&line, "%s: %s", at.name, sentence);
	if (length < 0)
		d->is_out_of_memory = true;
	else
		append(d, line);
}

void
draft_complain(struct config_draft *d, struct config_place at, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	complain_args(d, at, format, args);
	va_end(args);
}

void
draft_refuse(struct config_draft *d, size_t index, const char *format, ...)
{
	struct config_mark *mark = &d->mark[index];
	va_list             args;

	mark->is_refused = true;
	va_start(args, format);
	complain_args(d, (struct config_place){ mark->place == NULL ? "default" : mark->place, 0 }, format, args);
	va_end(args);
}

static const char *
last_part(const char *path)
{
	const char *dot = strrchr(path, '.');

	return dot == NULL ? path : dot + 1;
}

/* The setting that was probably meant: misspelt, or right but in another section.  CONFIG_COUNT: none. */
static size_t
nearest_setting(const char *path)
{
	const char *key       = last_part(path);
	size_t      best      = CONFIG_COUNT;
	size_t      best_slip = SIZE_MAX;

	for (size_t i = 0; i < CONFIG_COUNT; i++) {
		const char *known     = config_desc(i)->path;
		size_t      slip      = nearest_distance(path, known);
		size_t      elsewhere = nearest_distance(key, last_part(known)) + 1;

		slip = MIN(slip, elsewhere);
		if (slip < best_slip) {
			best      = i;
			best_slip = slip;
		}
	}
	return nearest_is_close(best_slip, strlen(key)) ? best : CONFIG_COUNT;
}

/* Writes the section that was probably meant; false when there is none. */
static bool
nearest_section(const char *path, char section[CONFIG_PATH_SIZE])
{
	size_t best_slip = SIZE_MAX;

	for (size_t i = 0; i < CONFIG_COUNT; i++) {
		const char *known = config_desc(i)->path;

		for (const char *dot = strchr(known, '.'); dot != NULL; dot = strchr(dot + 1, '.')) {
			char   prefix[CONFIG_PATH_SIZE];
			size_t slip;

			(void)snprintf(prefix, sizeof(prefix), "%.*s", (int)(dot - known), known);
			slip = nearest_distance(path, prefix);
			if (slip < best_slip) {
				best_slip = slip;
				memcpy(section, prefix, sizeof(prefix));
			}
		}
	}
	return nearest_is_close(best_slip, strlen(last_part(path)));
}

/* Whether the path goes through a kind of worker that does not exist; its name is written to `kind`. */
static bool
names_no_kind(const char *path, bool is_group, char kind[CONFIG_PATH_SIZE])
{
	static const char head[] = "workers.";
	size_t            length;

	if (strncmp(path, head, sizeof(head) - 1) != 0)
		return false;
	path  += sizeof(head) - 1;
	length = strcspn(path, ".");
	if (path[length] == '\0' && !is_group)
		return false;
	(void)snprintf(kind, CONFIG_PATH_SIZE, "%.*s", (int)length, path);
	return worker_kind_by_name(kind) == WORKER_COUNT;
}

static enum worker_kind
nearest_kind(const char *name)
{
	enum worker_kind best      = WORKER_COUNT;
	size_t           best_slip = SIZE_MAX;

	for (size_t i = 0; i < WORKER_COUNT; i++) {
		size_t slip = nearest_distance(name, worker_desc((enum worker_kind)i)->name);

		if (slip < best_slip) {
			best      = (enum worker_kind)i;
			best_slip = slip;
		}
	}
	return nearest_is_close(best_slip, strlen(name)) ? best : WORKER_COUNT;
}

void
draft_complain_unknown(struct config_draft *d, struct config_place at, enum config_layer layer, const char *path,
    bool is_group)
{
	char        name[ENVIRONMENT_NAME_SIZE];
	char        offer[CONFIG_PATH_SIZE] = "";
	char        kind[CONFIG_PATH_SIZE];
	const char *what = is_group ? "section" : "setting";

	if (names_no_kind(path, is_group, kind)) {
		enum worker_kind near = nearest_kind(kind);

		what = "worker kind";
		path = kind;
		if (near != WORKER_COUNT)
			(void)snprintf(offer, sizeof(offer), "%s", worker_desc(near)->name);
	} else if (is_group) {
		if (!nearest_section(path, offer))
			offer[0] = '\0';
	} else {
		size_t near = nearest_setting(path);

		if (near != CONFIG_COUNT)
			(void)snprintf(offer, sizeof(offer), "%s", config_desc(near)->path);
		if (near != CONFIG_COUNT && layer == LAYER_environment) {
			draft_complain(d, at, "there is no setting %s; did you mean %s?", path,
			    config_environment_name(offer, name));
			return;
		}
	}
	if (offer[0] != '\0')
		draft_complain(d, at, "there is no %s %s; did you mean %s?", what, path, offer);
	else
		draft_complain(d, at, "there is no %s %s", what, path);
}

void
draft_claim(struct config_draft *d, size_t index, enum config_layer layer, struct config_place at)
{
	struct config_mark *mark  = &d->mark[index];
	char               *place = NULL;
	int                 length;

	if (layer == LAYER_conf_d && mark->layer == LAYER_conf_d)
		draft_complain(d, at, "%s is already set at %s", config_desc(index)->path, mark->place);
	if (at.line != 0)
		length = asprintf(&place, "%s:%u", at.name, at.line);
	else
		length = asprintf(&place, "%s", at.name);
	if (length < 0) {
		place               = NULL;
		d->is_out_of_memory = true;
	}
	free(mark->place);
	mark->place      = place;
	mark->layer      = layer;
	mark->is_refused = false;
}

/* `written` is the value as it stands in the source; NULL: as the number. */
static void
take_int(struct config_draft *d, size_t index, int64_t value, const char *written)
{
	const struct config_desc *desc = config_desc(index);
	char                      digits[24];

	if (value >= desc->min && value <= desc->max) {
		*config_int(&d->cfg, index) = value;
		return;
	}
	(void)snprintf(digits, sizeof(digits), "%" PRId64, value);
	draft_refuse(d, index, "%s is %s; allowed: %" PRId64 " to %" PRId64 "%s%s", desc->path,
	    written == NULL ? digits : written, desc->min, desc->max, desc->unit[0] == '\0' ? "" : " ", desc->unit);
}

void
draft_set_int(struct config_draft *d, size_t index, int64_t value)
{
	take_int(d, index, value, NULL);
}

void
draft_set_text(struct config_draft *d, size_t index, const char *text)
{
	const struct config_desc *desc   = config_desc(index);
	size_t                    length = strlen(text);

	if (length < desc->size)
		memcpy(config_text(&d->cfg, index), text, length + 1);
	else
		draft_refuse(d, index, "%s is %zu bytes long; allowed: up to %zu", desc->path, length, desc->size - 1);
}

void
draft_set_quantity(struct config_draft *d, size_t index, const char *text)
{
	const struct config_desc *desc  = config_desc(index);
	const char               *hint  = quantity_hint(desc->unit);
	int64_t                   value = 0;
	char                      quoted[48];

	(void)snprintf(quoted, sizeof(quoted), "\"%.40s\"", text);
	if (hint == NULL) {
		draft_refuse(d, index, "%s is the text %s; it takes a whole number", desc->path, quoted);
		return;
	}
	switch (quantity_parse(text, desc->unit, &value)) {
	case QUANTITY_ok:
		take_int(d, index, value, quoted);
		break;
	case QUANTITY_malformed:
		draft_refuse(d, index, "%s is %s; it takes a whole number of %s, or %s", desc->path, quoted, desc->unit, hint);
		break;
	case QUANTITY_too_large:
		draft_refuse(d, index, "%s is %s, which is too large; allowed: %" PRId64 " to %" PRId64 " %s", desc->path,
		    quoted, desc->min, desc->max, desc->unit);
		break;
	case QUANTITY_uneven:
		draft_refuse(d, index, "%s is %s, which is not a whole number of %s", desc->path, quoted, desc->unit);
		break;
	}
}
