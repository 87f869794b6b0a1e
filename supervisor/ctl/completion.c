/* SPDX-License-Identifier: Apache-2.0 */
#include "completion.h"

#include <stdio.h>
#include <string.h>

#include "help.h"

/* ------------------------------------------------------------------- words */
void
completion_next_words(const char *words, completion_word_fn *each, void *arg)
{
	size_t skip = strlen(words);
	char   word[64], before[64] = "";

	for (const struct command *k = commands; k->words != NULL; k++) {
		const char *rest = k->words + skip;
		size_t      length;

		if (strncmp(k->words, words, skip) != 0 || (skip > 0 && *rest != ' '))
			continue;
		rest += skip > 0 ? 1 : 0;
		length = strcspn(rest, " ");
		(void)snprintf(word, sizeof(word), "%.*s", (int)length, rest);
		if (strcmp(word, before) != 0)
			each(arg, word, rest[length] == '\0' ? k->summary : "");
		(void)memcpy(before, word, sizeof(before));
	}
}

struct for_each {
	completion_word_fn *each;
	void               *arg;
};

static void
only_group(void *arg, const char *word, const char *summary)
{
	const struct for_each *f = arg;

	if (*summary == '\0')
		f->each(f->arg, word, summary);
}

void
completion_groups(completion_word_fn *each, void *arg)
{
	struct for_each f = { each, arg };

	completion_next_words("", only_group, &f);
}

/* ---------------------------------------------------------------- operands */
bool
completion_operand(const struct command *k, int index, char name[COMPLETION_NAME_SIZE])
{
	const char *text = k->operands;
	size_t      length;

	for (int i = 0; i < index; i++) {
		text += strcspn(text, " ");
		text += strspn(text, " ");
	}
	text += *text == '[' ? 1 : 0;
	length = strcspn(text, " []");
	(void)snprintf(name, COMPLETION_NAME_SIZE, "%.*s", (int)length, text);
	return length > 0;
}

static void
kinds(completion_word_fn *each, void *arg)
{
	for (int kind = 0; kind < WORKER_COUNT; kind++)
		each(arg, worker_desc((enum worker_kind)kind)->name, worker_desc((enum worker_kind)kind)->summary);
}

static void
targets(completion_word_fn *each, void *arg)
{
	each(arg, "supervisor", "the daemon itself");
	kinds(each, arg);
}

static void
levels(completion_word_fn *each, void *arg)
{
	each(arg, "error", "a person must act");
	each(arg, "warning", "handled, and you may care");
	each(arg, "info", "state changed");
	each(arg, "debug", "everything");
}

static void
shells(completion_word_fn *each, void *arg)
{
	each(arg, "bash", "");
	each(arg, "zsh", "");
	each(arg, "fish", "");
}

static void
settings(completion_word_fn *each, void *arg)
{
	for (size_t i = 0; i < config_count(); i++)
		each(arg, config_desc(i)->path, config_desc(i)->meaning);
}

static void
topics(completion_word_fn *each, void *arg)
{
	completion_next_words("", each, arg);
	for (const struct help_topic *t = help_topics; t->name != NULL; t++)
		if (strcmp(t->name, "config") != 0) /* a group too, and listed as one */
			each(arg, t->name, t->summary);
}

static void
moments(completion_word_fn *each, void *arg)
{
	each(arg, "auto", "");
	each(arg, "always", "");
	each(arg, "never", "");
}

static void
on_or_off(completion_word_fn *each, void *arg)
{
	each(arg, "on", "");
	each(arg, "off", "");
}

/* Names of operands and of options' arguments; one that is not here is free text. */
static const struct {
	const char *name;
	void (*list)(completion_word_fn *each, void *arg);
} values[] = {
	{ "KIND", kinds },       { "TARGET", targets }, { "LEVEL", levels }, { "SHELL", shells },
	{ "SETTING", settings }, { "TOPIC", topics },   { "WHEN", moments }, { "on|off", on_or_off },
};

void
completion_values(const char *name, completion_word_fn *each, void *arg)
{
	for (size_t i = 0; i < COUNT_OF(values); i++)
		if (strcmp(values[i].name, name) == 0)
			values[i].list(each, arg);
}

bool
completion_is_file(const char *name)
{
	return strcmp(name, "FILE") == 0 || strcmp(name, "PATH") == 0;
}

/* ------------------------------------------------------------ for scripts */
static void
append(void *arg, const char *word, const char *summary)
{
	char  *text = arg;
	size_t used = strlen(text);

	(void)summary;
	(void)snprintf(text + used, COMPLETION_TEXT_SIZE - used, "%s%s", used > 0 ? " " : "", word);
}

const char *
completion_join(const char *name, char text[COMPLETION_TEXT_SIZE])
{
	text[0] = '\0';
	completion_values(name, append, text);
	return text;
}

const char *
completion_quote(const char *text, const char *quote, char out[COMPLETION_TEXT_SIZE])
{
	size_t used = 0;

	for (; *text != '\0' && used + 8 < COMPLETION_TEXT_SIZE; text++) {
		const char *piece = *text == '\'' ? quote : NULL;

		if (piece != NULL)
			used += (size_t)snprintf(out + used, COMPLETION_TEXT_SIZE - used, "%s", piece);
		else
			out[used++] = *text;
	}
	out[used] = '\0';
	return out;
}

const char *
completion_spelling(const struct option_desc *o, const char *between, char text[COMPLETION_TEXT_SIZE])
{
	if (o->letter != 0)
		(void)snprintf(text, COMPLETION_TEXT_SIZE, "-%c%s--%s", o->letter, between, o->name);
	else
		(void)snprintf(text, COMPLETION_TEXT_SIZE, "--%s", o->name);
	return text;
}

const char *
completion_with_argument(const char *between, char text[COMPLETION_TEXT_SIZE])
{
	size_t used = 0;

	for (int i = 0; i < OPTION_COUNT; i++) {
		const struct option_desc *o = option_desc((enum option_id)i);

		if (o->argument == NULL)
			continue;
		used += (size_t)snprintf(text + used, COMPLETION_TEXT_SIZE - used, "%s", used > 0 ? between : "");
		(void)completion_spelling(o, between, text + used);
		used += strlen(text + used);
	}
	return text;
}

enum err
command_completion(const struct command_context *c, struct error *e)
{
	if (strcmp(c->argv[0], "bash") == 0)
		completion_bash(c->out);
	else if (strcmp(c->argv[0], "zsh") == 0)
		completion_zsh(c->out);
	else if (strcmp(c->argv[0], "fish") == 0)
		completion_fish(c->out);
	else
		return err_set(e, ERR_usage, "\"%s\" is none of bash, zsh, fish", c->argv[0]);
	return output_finish(c->out, e);
}
