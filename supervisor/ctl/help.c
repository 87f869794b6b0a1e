/* SPDX-License-Identifier: Apache-2.0 */
#include "help.h"

#include <stdio.h>
#include <string.h>

#include "closest.h"
#include "command.h"

enum { NAME_SIZE = 96, COMMAND_WIDTH = 23, OPTION_WIDTH = 24 };

void
help_entry(struct output *o, int width, const char *name, const char *text)
{
	char first[NAME_SIZE + 8];
	char rest[NAME_SIZE + 8];

	(void)snprintf(first, sizeof(first), "  %-*s  ", width, name);
	(void)snprintf(rest, sizeof(rest), "  %-*s  ", width, "");
	if (strlen(name) > (size_t)width) {
		output_line(o, "  %s", name);
		(void)memcpy(first, rest, sizeof(first));
	}
	output_wrapped(o, TONE_plain, first, rest, text);
}

static void
show_option(struct output *o, enum option_id id)
{
	const struct option_desc *d       = option_desc(id);
	char                      letter[8] = "    ";
	char                      name[NAME_SIZE];

	if (d->letter != 0)
		(void)snprintf(letter, sizeof(letter), "-%c, ", d->letter);
	(void)snprintf(name, sizeof(name), "%s--%s%s%s", letter, d->name, d->argument != NULL ? " " : "",
	    d->argument != NULL ? d->argument : "");
	help_entry(o, OPTION_WIDTH, name, d->meaning);
}

static void
show_options(struct output *o, uint64_t own, bool every)
{
	for (int i = 0; i < OPTION_COUNT; i++)
		if (option_desc((enum option_id)i)->every ? every : (own >> i & 1) != 0)
			show_option(o, (enum option_id)i);
}

/* ----------------------------------------------------------------- overview */
static bool
same_group(const char *a, const char *b)
{
	size_t length = strcspn(a, " ");

	return a[length] == ' ' && strcspn(b, " ") == length && b[length] == ' ' && strncmp(a, b, length) == 0;
}

static void
show_commands(struct output *o)
{
	for (const struct command *k = commands; k->words != NULL; k++) {
		bool is_grouped = strchr(k->words, ' ') != NULL;
		bool is_alone   = k == commands || !same_group(k[-1].words, k->words);

		if (k != commands && is_alone && (is_grouped || strchr(k[-1].words, ' ') != NULL))
			output_line(o, "%s", "");
		help_entry(o, COMMAND_WIDTH, k->words, k->summary);
	}
}

static void
show_overview(struct output *o)
{
	output_line(o, "usage: stewardctl [OPTION...] COMMAND [OPERAND...]\n");
	output_tinted(o, TONE_strong, "commands");
	show_commands(o);
	output_line(o, "%s", "");
	output_tinted(o, TONE_strong, "options of every command");
	show_options(o, 0, true);
	output_line(o, "%s", "");
	output_tinted(o, TONE_strong, "more: stewardctl help COMMAND, or help");
	for (const struct help_topic *t = help_topics; t->name != NULL; t++)
		help_entry(o, COMMAND_WIDTH, t->name, t->summary);
}

/* ---------------------------------------------------------------- a command */
static void
show_command(struct output *o, const struct command *k)
{
	output_line(o, "usage: stewardctl %s%s%s%s", k->words, k->options != 0 ? " [OPTION...]" : "",
	    *k->operands != '\0' ? " " : "", k->operands);
	output_line(o, "%s", "");
	output_wrapped(o, TONE_plain, "", "", k->summary);
	if (*k->detail != '\0') {
		output_line(o, "%s", "");
		output_wrapped(o, TONE_plain, "", "", k->detail);
	}
	if (k->options != 0) {
		output_line(o, "%s", "");
		show_options(o, k->options, false);
	}
}

/* All commands whose words begin with these; one is shown in full. */
static size_t
show_matching(struct output *o, const char *words)
{
	const struct command *found  = NULL;
	size_t                length = strlen(words);
	size_t                count  = 0;

	for (const struct command *k = commands; k->words != NULL; k++)
		if (strncmp(k->words, words, length) == 0 && (k->words[length] == '\0' || k->words[length] == ' ')) {
			found = k;
			count++;
		}
	if (count == 1)
		show_command(o, found);
	else if (count > 1)
		for (const struct command *k = found - (count - 1); k <= found; k++) {
			char usage[NAME_SIZE];

			(void)snprintf(usage, sizeof(usage), "%s%s%s", k->words, *k->operands != '\0' ? " " : "", k->operands);
			help_entry(o, COMMAND_WIDTH + 8, usage, k->summary);
		}
	return count;
}

static enum err
no_such_topic(const char *words, struct error *e)
{
	struct closest close;

	closest_begin(&close, words);
	for (const struct help_topic *t = help_topics; t->name != NULL; t++)
		(void)closest_offer(&close, t->name);
	for (const struct command *k = commands; k->words != NULL; k++)
		(void)closest_offer(&close, k->words);
	if (close.best != NULL)
		return err_set(e, ERR_usage, "help: nothing is known of \"%s\"; did you mean \"%s\"?", words, close.best);
	return err_set(e, ERR_usage, "help: nothing is known of \"%s\"; see stewardctl help", words);
}

/* With --json the table of commands, for manual pages and tests. */
static void
put_commands(struct output *o)
{
	output_list_begin(o, "items");
	for (const struct command *k = commands; k->words != NULL; k++) {
		output_item_begin(o);
		output_text(o, "command", k->words);
		output_text(o, "operands", k->operands);
		output_text(o, "summary", k->summary);
		output_text(o, "detail", k->detail);
		output_list_begin(o, "options");
		for (int i = 0; i < OPTION_COUNT; i++)
			if ((k->options >> i & 1) != 0)
				output_text(o, NULL, option_desc((enum option_id)i)->name);
		output_list_end(o);
		output_item_end(o);
	}
	output_list_end(o);
}

enum err
command_help(const struct command_context *c, struct error *e)
{
	char words[NAME_SIZE] = "";

	for (int i = 0; i < c->argc && i < 2; i++)
		(void)snprintf(words + strlen(words), sizeof(words) - strlen(words), "%s%s", i > 0 ? " " : "", c->argv[i]);
	/* `help config` is the page of settings, `config --help` the commands. */
	for (const struct help_topic *t = help_topics; t->name != NULL && !c->help; t++)
		if (strcmp(words, t->name) == 0) {
			t->print(c->out);
			return output_finish(c->out, e);
		}
	if (words[0] == '\0') {
		put_commands(c->out);
		show_overview(c->out);
		return output_finish(c->out, e);
	}
	/* `worker scale provisioning --help`: what follows the words is no matter. */
	if (show_matching(c->out, words) == 0 && (!c->help || show_matching(c->out, c->argv[0]) == 0))
		return no_such_topic(words, e);
	return output_finish(c->out, e);
}
