/* SPDX-License-Identifier: Apache-2.0 */
#include "output.h"

#include <errno.h>
#include <jansson.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "clock.h"
#include "closest.h"
#include "columns.h"
#include "table.h"

enum { DEPTH = 8 };

struct output {
	struct output_options options;
	bool                  is_stream;
	bool                  is_used;      /* something was put into the document */
	bool                  fields_used;  /* -o found a list */
	json_t               *open[DEPTH];  /* the document, and what is begun in it; [0] owned */
	size_t                depth;        /* of the innermost in `open` */
	struct error          failure;      /* the first */
};

static void
fail(struct output *o, enum err code, const char *sentence)
{
	if (o->failure.code == ERR_ok)
		(void)err_set(&o->failure, code, "%s", sentence);
}

enum err
output_create(const struct output_options *options, struct output **out, struct error *e)
{
	struct output *o = calloc(1, sizeof(*o));

	if (o == NULL || (o->open[0] = json_object()) == NULL) {
		free(o);
		return err_set(e, ERR_no_memory, "the output: memory ran out");
	}
	o->options = *options;
	*out       = o;
	return ERR_ok;
}

void
output_destroy(struct output *o)
{
	if (o == NULL)
		return;
	json_decref(o->open[0]);
	free(o);
}

bool
output_is_json(const struct output *o)
{
	return o->options.json;
}

bool
output_has_fields(const struct output *o)
{
	return o->options.fields != NULL;
}

/* ----------------------------------------------------------- the document */
/* Takes `value`.  Returns it, borrowed, or NULL when it could not be put in. */
static json_t *
put(struct output *o, const char *key, json_t *value)
{
	json_t *into = o->open[o->depth];
	int     rc;

	o->is_used = true;
	if (json_is_array(into))
		rc = json_array_append_new(into, value);
	else
		rc = json_object_set_new(into, key != NULL ? key : "", value);
	if (rc == 0)
		return value;
	fail(o, ERR_no_memory, "the output: memory ran out");
	return NULL;
}

static void
begin(struct output *o, const char *key, json_t *value)
{
	json_t *inner = put(o, key, value);

	if (inner == NULL || o->depth + 1 == DEPTH)
		fail(o, ERR_internal, "the output: nested too deep");
	else
		o->open[++o->depth] = inner;
}

static void
end(struct output *o)
{
	if (o->depth > 0)
		o->depth--;
}

void
output_text(struct output *o, const char *key, const char *value)
{
	json_t *text = value == NULL ? json_null() : json_string(value);

	if (text == NULL && value != NULL) { /* not UTF-8: show what can be shown */
		CLEANUP(free_cleanup) char *copy = strdup(value);

		for (char *p = copy; p != NULL && *p != '\0'; p++)
			if ((unsigned char)*p >= 0x80)
				*p = '?';
		text = json_string(copy);
	}
	(void)put(o, key, text);
}

void
output_number(struct output *o, const char *key, int64_t value)
{
	(void)put(o, key, json_integer(value));
}

void
output_bool(struct output *o, const char *key, bool value)
{
	(void)put(o, key, json_boolean(value));
}

void
output_null(struct output *o, const char *key)
{
	(void)put(o, key, json_null());
}

void
output_json(struct output *o, const char *key, const char *json)
{
	json_t *value = json == NULL ? json_null() : json_loads(json, JSON_DECODE_ANY, NULL);

	if (value == NULL)
		output_text(o, key, json);
	else
		(void)put(o, key, value);
}

void
output_object_begin(struct output *o, const char *key)
{
	begin(o, key, json_object());
}

void
output_object_end(struct output *o)
{
	end(o);
}

void
output_list_begin(struct output *o, const char *key)
{
	begin(o, key, json_array());
}

void
output_item_begin(struct output *o)
{
	begin(o, NULL, json_object());
}

void
output_item_end(struct output *o)
{
	end(o);
}

void
output_list_end(struct output *o)
{
	end(o);
}

/* ---------------------------------------------------------------- lines */
static void PRINTF_LIKE(3, 0)
print_line(struct output *o, enum output_tone tone, const char *format, va_list args)
{
	CLEANUP(free_cleanup) char *text = NULL;
	bool tinted = o->options.colour && tone != TONE_plain;

	if (o->options.json || o->options.quiet)
		return;
	if (vasprintf(&text, format, args) < 0) {
		text = NULL;
		fail(o, ERR_no_memory, "the output: memory ran out");
		return;
	}
	table_disarm(text, "\n\t");
	(void)printf("%s%s%s\n", tinted ? tone_begin(tone) : "", text, tinted ? tone_end() : "");
}

void
output_line(struct output *o, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print_line(o, TONE_plain, format, args);
	va_end(args);
}

void
output_tinted(struct output *o, enum output_tone tone, const char *format, ...)
{
	va_list args;

	va_start(args, format);
	print_line(o, tone, format, args);
	va_end(args);
}

/* ---------------------------------------------------------------- tables */
static void
read_columns(struct output *o, struct columns *columns, const json_t *list, const char *wanted)
{
	bool        fits = true;
	const char *key;
	json_t     *value;

	if (wanted != NULL)
		fits = columns_read(columns, wanted);
	else
		json_object_foreach(json_array_get(list, 0), key, value)
			fits = fits && columns_add(columns, key, strlen(key));
	if (!fits)
		fail(o, ERR_usage, "-o: too many columns, or too long a name");
}

/* Only -o can name a column that is not there. */
static bool
columns_exist(struct output *o, const struct columns *columns, const json_t *list)
{
	json_t        *first = json_array_get(list, 0);
	struct closest close;
	char           sentence[ERROR_TEXT_SIZE];
	const char    *key;
	json_t        *value;

	for (size_t i = 0; first != NULL && i < columns->count; i++) {
		if (json_object_get(first, columns->list[i].key) != NULL)
			continue;
		closest_begin(&close, columns->list[i].key);
		json_object_foreach(first, key, value)
			(void)closest_offer(&close, key);
		(void)snprintf(sentence, sizeof(sentence), "-o %s: there is no such column%s%s%s", columns->list[i].key,
		    close.best != NULL ? "; did you mean " : "", close.best != NULL ? close.best : "",
		    close.best != NULL ? "?" : "");
		fail(o, ERR_usage, sentence);
		return false;
	}
	return true;
}

/* Heap.  Seconds are for people unless -o asked for the figure. */
static char *
cell_text(const struct output *o, const json_t *value, const char *key)
{
	char duration[CLOCK_TEXT_SIZE];

	if (value == NULL || json_is_null(value))
		return NULL;
	if (json_is_string(value))
		return strdup(json_string_value(value));
	if (json_is_boolean(value))
		return strdup(json_is_true(value) ? "yes" : "no");
	if (json_is_integer(value) && o->options.fields == NULL && columns_is_duration(key))
		return strdup(clock_format_duration(json_integer_value(value), duration));
	return json_dumps(value, JSON_COMPACT | JSON_ENCODE_ANY | JSON_REAL_PRECISION(6));
}

/* Numbers stand to the right, but not beside words. */
static bool
holds_only_numbers(const json_t *list, const char *key)
{
	bool some = false;

	for (size_t row = 0; row < json_array_size(list); row++) {
		json_t *value = json_object_get(json_array_get(list, row), key);

		if (value == NULL || json_is_null(value))
			continue;
		if (!json_is_number(value))
			return false;
		some = true;
	}
	return some;
}

static void
fill_table(const struct output *o, struct table *t, const struct columns *columns, const json_t *list)
{
	for (size_t i = 0; i < columns->count; i++) {
		const char *key = columns->list[i].key;

		(void)snprintf(t->column[i].title, sizeof(t->column[i].title), "%s", columns->list[i].title);
		t->column[i].right = holds_only_numbers(list, key);
		for (size_t row = 0; row < t->rows; row++)
			table_set(t, row, i, cell_text(o, json_object_get(json_array_get(list, row), key), key));
	}
}

/* -o in JSON: each item keeps the columns that were asked for, in that order. */
static void
keep_columns(struct output *o, const struct columns *columns, json_t *list)
{
	for (size_t row = 0; row < json_array_size(list); row++) {
		json_t *kept = json_object();

		for (size_t i = 0; i < columns->count; i++)
			(void)json_object_set(kept, columns->list[i].key,
			    json_object_get(json_array_get(list, row), columns->list[i].key));
		if (json_array_set_new(list, row, kept) != 0)
			fail(o, ERR_no_memory, "the output: memory ran out");
	}
}

void
output_table(struct output *o, const char *key, const char *wanted)
{
	CLEANUP(table_cleanup) struct table *t = NULL;
	json_t        *list    = json_object_get(o->open[0], key);
	struct columns columns = { .plain = o->options.fields != NULL };

	o->fields_used = true;
	read_columns(o, &columns, list, o->options.fields != NULL ? o->options.fields : wanted);
	if (o->options.fields != NULL && !columns_exist(o, &columns, list))
		return;
	if (o->options.json) {
		if (o->options.fields != NULL)
			keep_columns(o, &columns, list);
		return;
	}
	if (o->options.quiet)
		return;
	if (table_create(columns.count, json_array_size(list), &t, &o->failure) != ERR_ok)
		return;
	fill_table(o, t, &columns, list);
	table_print(stdout, t, o->options.headers, o->options.colour);
}

/* ---------------------------------------------------------------- finish */
void
output_stream(struct output *o)
{
	o->is_stream = true;
}

/* -o in a stream: the document is the only row of a table without headings. */
static void
pick_from_stream(struct output *o)
{
	bool    headers = o->options.headers;
	json_t *row     = o->open[0];

	o->open[0]         = json_object();
	o->options.headers = false;
	output_list_begin(o, "row");
	(void)put(o, NULL, row);
	output_list_end(o);
	output_table(o, "row", NULL);
	o->options.headers = headers;
	row                = json_incref(json_array_get(json_object_get(o->open[0], "row"), 0));
	json_decref(o->open[0]);
	o->open[0] = row;
}

static void
print_document(struct output *o)
{
	size_t style = o->is_stream ? JSON_COMPACT : JSON_INDENT(2);

	if (o->is_stream && o->options.fields != NULL)
		pick_from_stream(o);
	if (o->options.fields != NULL && !o->fields_used)
		fail(o, ERR_usage, "-o: this command prints no list");
	if (o->failure.code != ERR_ok || !o->options.json || !o->is_used)
		return;
	if (json_dumpf(o->open[0], stdout, style) != 0 || fputc('\n', stdout) == EOF)
		fail(o, ERR_system, "standard output: cannot be written");
}

enum err
output_finish(struct output *o, struct error *e)
{
	json_t *next = json_object();

	print_document(o);
	if (fflush(stdout) != 0 && o->failure.code == ERR_ok)
		(void)err_errno(&o->failure, "standard output");
	if (next == NULL)
		fail(o, ERR_no_memory, "the output: memory ran out");
	json_decref(o->open[0]);
	o->open[0] = next;
	o->depth   = 0;
	o->is_used = false;
	return o->failure.code == ERR_ok ? ERR_ok : err_set(e, o->failure.code, "%s", o->failure.text);
}
