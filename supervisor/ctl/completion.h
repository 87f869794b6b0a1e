/* SPDX-License-Identifier: Apache-2.0 */
/*
 * completion - what may stand where on the command line, for the three shells
 * alike.  The words come from commands.def, options.def and the tables that the
 * operands name.
 */
#ifndef STEWARD_COMPLETION_H
#define STEWARD_COMPLETION_H

#include "command.h"

typedef void completion_word_fn(void *arg, const char *word, const char *summary);

/* What may follow `words` ("", "worker"): commands and groups, once each. */
void completion_next_words(const char *words, completion_word_fn *each, void *arg);

/* Every group ("worker"). */
void completion_groups(completion_word_fn *each, void *arg);

enum { COMPLETION_NAME_SIZE = 64, COMPLETION_TEXT_SIZE = 16384 };

/* The name of operand number `index`, "KIND" for KIND[SLOT]; false beyond the last. */
bool completion_operand(const struct command *k, int index, char name[COMPLETION_NAME_SIZE]);

/* The values of an operand or of an option's argument of this name; none when it is free text. */
void completion_values(const char *name, completion_word_fn *each, void *arg);

/* Whether it names a file. */
bool completion_is_file(const char *name);

/* All of completion_values, separated by spaces.  Returns `text`. */
const char *completion_join(const char *name, char text[COMPLETION_TEXT_SIZE]);

/* `text` inside single quotes of a shell.  Returns `out`. */
const char *completion_quote(const char *text, const char *quote, char out[COMPLETION_TEXT_SIZE]);

/* "-c|--config" for one option, or for all that take an argument.  Returns `text`. */
const char *completion_spelling(const struct option_desc *o, const char *between, char text[COMPLETION_TEXT_SIZE]);
const char *completion_with_argument(const char *between, char text[COMPLETION_TEXT_SIZE]);

/* The scripts. */
void completion_bash(struct output *o);
void completion_zsh(struct output *o);
void completion_fish(struct output *o);

#endif
