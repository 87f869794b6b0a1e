/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command_line - argv becomes a command, its options and its operands.  Options
 * may stand before, between and after the words; "--" ends them.
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "command.h"
#include "closest.h"

/* Not consumed yet: argv[at] and what follows. */
struct scan {
	char *const *argv;
	int          argc;
	int          at;
};

static void
set_option(struct command_context *c, enum option_id id, const char *value)
{
	char *field = (char *)c + option_desc(id)->offset;

	if (option_desc(id)->argument != NULL)
		memcpy(field, &value, sizeof(value));
	else
		*(bool *)field = true;
	c->given |= UINT64_C(1) << id;
}

static enum err
unknown_option(const char *text, size_t length, struct error *e)
{
	char           wanted[64];
	struct closest close;

	(void)snprintf(wanted, sizeof(wanted), "%.*s", (int)length, text);
	closest_begin(&close, wanted);
	for (int id = 0; id < OPTION_COUNT; id++)
		(void)closest_offer(&close, option_desc((enum option_id)id)->name);
	if (close.best == NULL)
		return err_set(e, ERR_usage, "--%s: there is no such option; see stewardctl help", wanted);
	return err_set(e, ERR_usage, "--%s: there is no such option; did you mean --%s?", wanted, close.best);
}

static enum err
read_long(struct scan *s, struct command_context *c, struct error *e)
{
	const char *text   = s->argv[s->at++] + 2;
	size_t      length = strcspn(text, "=");
	const char *value  = text[length] == '=' ? text + length + 1 : NULL;

	for (int i = 0; i < OPTION_COUNT; i++) {
		enum option_id            id = (enum option_id)i;
		const struct option_desc *o  = option_desc(id);

		if (strlen(o->name) != length || memcmp(o->name, text, length) != 0)
			continue;
		if (o->argument == NULL && value != NULL)
			return err_set(e, ERR_usage, "--%s: takes no value", o->name);
		if (o->argument != NULL && value == NULL) {
			if (s->at == s->argc)
				return err_set(e, ERR_usage, "--%s: %s is missing", o->name, o->argument);
			value = s->argv[s->at++];
		}
		set_option(c, id, value);
		return ERR_ok;
	}
	return unknown_option(text, length, e);
}

/* -q, -qj, -c FILE, -cFILE */
static enum err
read_letters(struct scan *s, struct command_context *c, struct error *e)
{
	const char *text = s->argv[s->at++] + 1;

	while (*text != '\0') {
		const struct option_desc *o  = NULL;
		int                       id = 0;

		for (; id < OPTION_COUNT; id++) {
			o = option_desc((enum option_id)id);
			if (o->letter == *text)
				break;
		}
		if (id == OPTION_COUNT)
			return err_set(e, ERR_usage, "-%c: there is no such option; see stewardctl help", *text);
		text++;
		if (o->argument == NULL) {
			set_option(c, (enum option_id)id, NULL);
			continue;
		}
		if (*text == '\0' && s->at == s->argc)
			return err_set(e, ERR_usage, "-%c: %s is missing", o->letter, o->argument);
		set_option(c, (enum option_id)id, *text != '\0' ? text : s->argv[s->at++]);
		return ERR_ok;
	}
	return ERR_ok;
}

/* How many of the operands are the words of this command; 0 when it is another. */
static int
words_matching(const struct command *command, int argc, char *const *argv)
{
	const char *words = command->words;
	int         count = 0;

	while (*words != '\0') {
		size_t length = strcspn(words, " ");

		if (count == argc || strlen(argv[count]) != length || memcmp(argv[count], words, length) != 0)
			return 0;
		count++;
		words += length + (words[length] == ' ');
	}
	return count;
}

/* "worker" is a group when a command is called "worker ...".  Its verbs, as in "list, show, scale". */
static bool
group_verbs(const char *group, char *verbs, size_t size, struct closest *close)
{
	size_t length = strlen(group);
	size_t used   = 0;

	verbs[0] = '\0';
	for (const struct command *k = commands; k->words != NULL; k++) {
		if (strncmp(k->words, group, length) != 0 || k->words[length] != ' ')
			continue;
		if (close != NULL)
			(void)closest_offer(close, k->words + length + 1);
		used += (size_t)snprintf(verbs + used, size - MIN(used, size), "%s%s", used > 0 ? ", " : "",
		    k->words + length + 1);
		used = MIN(used, size - 1);
	}
	return used > 0;
}

/* The first word alone, for the likeness of a group or a command of one word. */
static const char *
closest_first_word(const char *wanted, char best[64])
{
	struct closest close;
	char           word[64];

	closest_begin(&close, wanted);
	for (const struct command *k = commands; k->words != NULL; k++) {
		(void)snprintf(word, sizeof(word), "%.*s", (int)strcspn(k->words, " "), k->words);
		if (closest_offer(&close, word))
			memcpy(best, word, sizeof(word));
	}
	return close.best != NULL ? best : NULL;
}

/* The same word in another group: "list" for "worker list". */
static const char *
command_ending_in(const char *verb)
{
	for (const struct command *k = commands; k->words != NULL; k++) {
		const char *space = strchr(k->words, ' ');

		if (space != NULL && strcmp(space + 1, verb) == 0)
			return k->words;
	}
	return NULL;
}

static enum err
unknown_command(int argc, char *const *argv, struct error *e)
{
	char           verbs[256];
	char           best[64];
	struct closest close;

	if (argc == 0)
		return err_set(e, ERR_usage, "which command? see stewardctl help");
	closest_begin(&close, argc > 1 ? argv[1] : "");
	if (group_verbs(argv[0], verbs, sizeof(verbs), &close)) {
		if (argc == 1)
			return err_set(e, ERR_usage, "%s: what of it? one of %s", argv[0], verbs);
		if (close.best == NULL)
			return err_set(e, ERR_usage, "%s %s: there is no such command; one of %s", argv[0], argv[1], verbs);
		return err_set(e, ERR_usage, "%s %s: there is no such command; did you mean \"%s %s\"?", argv[0],
		    argv[1], argv[0], close.best);
	}
	if (command_ending_in(argv[0]) != NULL)
		return err_set(e, ERR_usage, "%s: there is no such command; did you mean \"%s\"?", argv[0],
		    command_ending_in(argv[0]));
	if (closest_first_word(argv[0], best) != NULL)
		return err_set(e, ERR_usage, "%s: there is no such command; did you mean \"%s\"?", argv[0], best);
	return err_set(e, ERR_usage, "%s: there is no such command; see stewardctl help", argv[0]);
}

/* The command takes these operands and each of the options given. */
static enum err
check_fit(const struct command_context *c, struct error *e)
{
	const struct command *k = c->command;

	for (int i = 0; i < OPTION_COUNT; i++) {
		const struct option_desc *o = option_desc((enum option_id)i);

		if ((c->given >> i & 1) != 0 && !o->every && (k->options >> i & 1) == 0)
			return err_set(e, ERR_usage, "%s: does not take --%s; see stewardctl help %s", k->words, o->name,
			    k->words);
	}
	if (c->argc < k->min_operands || c->argc > k->max_operands)
		return err_set(e, ERR_usage, "%s: too %s operands; write: stewardctl %s%s%s", k->words,
		    c->argc < k->min_operands ? "few" : "many", k->words, *k->operands != '\0' ? " " : "", k->operands);
	return ERR_ok;
}

static enum err
find_command(struct command_context *c, struct error *e)
{
	for (const struct command *k = commands; k->words != NULL; k++) {
		int words = words_matching(k, c->argc, c->argv);

		if (words == 0)
			continue;
		c->command = k;
		c->argc -= words;
		c->argv += words;
		return c->help ? ERR_ok : check_fit(c, e);
	}
	/* `stewardctl worker --help` is about the group. */
	if (c->help || (c->version && c->argc == 0))
		return ERR_ok;
	return unknown_command(c->argc, c->argv, e);
}

enum err
command_parse(int argc, char *const *argv, char **operands, struct command_context *c, struct error *e)
{
	struct scan s        = { argv, argc, 1 };
	bool        only_ops = false;
	enum err    rc       = ERR_ok;

	memset(c, 0, sizeof(*c));
	c->argv = operands;
	while (s.at < argc && rc == ERR_ok) {
		const char *text = argv[s.at];

		if (!only_ops && strcmp(text, "--") == 0) {
			only_ops = true;
			s.at++;
		} else if (!only_ops && strncmp(text, "--", 2) == 0)
			rc = read_long(&s, c, e);
		else if (!only_ops && text[0] == '-' && text[1] != '\0')
			rc = read_letters(&s, c, e);
		else
			operands[c->argc++] = argv[s.at++];
	}
	operands[c->argc] = NULL;
	return rc == ERR_ok ? find_command(c, e) : rc;
}

enum err
command_number(const char *what, const char *text, int64_t min, int64_t max, int64_t *value, struct error *e)
{
	char     *end;
	long long number;

	errno  = 0;
	number = strtoll(text, &end, 10);
	if (end == text || *end != '\0' || strchr(" \t\n+", *text) != NULL)
		return err_set(e, ERR_usage, "%s: \"%s\" is not a number", what, text);
	if (errno != 0 || number < min || number > max)
		return err_set(e, ERR_usage, "%s: %s is outside %" PRId64 " to %" PRId64, what, text, min, max);
	*value = number;
	return ERR_ok;
}
