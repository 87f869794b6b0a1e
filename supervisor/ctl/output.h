/* SPDX-License-Identifier: Apache-2.0 */
/*
 * output - what a command prints: text for people, one JSON document with
 * --json, or one object a line where the command streams.  Data goes to stdout,
 * everything else to stderr.  output.c is the only file that knows jansson.
 *
 * A command builds its document with output_text .. output_list_end in either
 * form, and says with output_line and output_table what of it people see.  A
 * failure (memory, an unknown -o column) is kept and returned by output_finish.
 */
#ifndef STEWARD_OUTPUT_H
#define STEWARD_OUTPUT_H

#include "error.h"

struct output;

struct output_options {
	bool        json;
	bool        quiet;   /* print no text; JSON is printed all the same */
	bool        colour;
	bool        headers; /* of tables */
	const char *fields;  /* -o a,b: these columns, in this order; NULL: the default ones */
};

NODISCARD enum err output_create(const struct output_options *o, struct output **out, struct error *e);
void output_destroy(struct output *o);
bool output_is_json(const struct output *o);
bool output_has_fields(const struct output *o);

/*
 * A document is an object that may hold values, objects and lists of objects.
 * It is printed as a whole by output_finish in JSON; in text each command
 * prints its own lines with output_line, or a list as a table with output_table.
 * Strings are copied; what is not UTF-8 in them is replaced.  In a list of plain
 * strings `key` is NULL and no item is begun.
 */
void output_text(struct output *o, const char *key, const char *value); /* NULL: null */
void output_number(struct output *o, const char *key, int64_t value);
void output_bool(struct output *o, const char *key, bool value);
void output_null(struct output *o, const char *key);
void output_json(struct output *o, const char *key, const char *json);  /* already JSON, e.g. a jsonb column */
void output_object_begin(struct output *o, const char *key);
void output_object_end(struct output *o);
void output_list_begin(struct output *o, const char *key);   /* then, per item, output_item_begin/_end */
void output_item_begin(struct output *o);
void output_item_end(struct output *o);
void output_list_end(struct output *o);

/* Text only; nothing in JSON.  Control characters are not passed on to the terminal. */
void output_line(struct output *o, const char *format, ...) PRINTF_LIKE(2, 3);

/* The same in a colour, where colours are wanted. */
enum output_tone { TONE_plain, TONE_good, TONE_warn, TONE_bad, TONE_strong, TONE_faint };
void output_tinted(struct output *o, enum output_tone tone, const char *format, ...) PRINTF_LIKE(3, 4);

/*
 * Text only: `text` broken at spaces into lines of at most 80 columns, the first
 * after `first`, the others after `rest`.
 */
void output_wrapped(struct output *o, enum output_tone tone, const char *first, const char *rest, const char *text);

/*
 * The list under `key` as an aligned table with these columns ("id,status");
 * NULL: all of the first item.  -o wins over `columns`, and in JSON leaves only
 * its columns in the items, so call it in both forms.  "doing=activity" heads the
 * column activity with DOING.
 */
void output_table(struct output *o, const char *key, const char *columns);

/* From now on every output_finish prints one object on one line, at once; -o applies to its values. */
void output_stream(struct output *o);

/* Print the JSON document and start a new one. */
NODISCARD enum err output_finish(struct output *o, struct error *e);

#endif
