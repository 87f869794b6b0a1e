/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "completion.h"

static const char head[] =
    "# fish completion for stewardctl, made by `stewardctl completion fish`\n"
    "function __stewardctl_said\n"
    "\tset -l skip\n"
    "\tset -l tokens (commandline -opc)\n"
    "\tfor word in $tokens[2..]\n"
    "\t\tif set -q skip[1]\n"
    "\t\t\tset -e skip[1]\n"
    "\t\t\tcontinue\n"
    "\t\tend\n"
    "\t\tswitch $word";

static const char middle[] =
    "\t\t\t\tset skip 1\n"
    "\t\t\tcase '-*'\n"
    "\t\t\tcase '*'\n"
    "\t\t\t\techo $word\n"
    "\t\tend\n"
    "\tend\n"
    "end\n"
    "# The words so far begin with these, and this many operands follow them.\n"
    "function __stewardctl_at -a operands\n"
    "\tset -l said (__stewardctl_said)\n"
    "\tset -l words $argv[2..]\n"
    "\tset -l n (count $words)\n"
    "\ttest (count $said) -eq (math $n + $operands); or return 1\n"
    "\ttest $n -eq 0; or test \"$said[1..$n]\" = \"$words\"\n"
    "end\n"
    "function __stewardctl_in\n"
    "\tset -l said (__stewardctl_said)\n"
    "\tset -l n (count $argv)\n"
    "\ttest (count $said) -ge $n; and test \"$said[1..$n]\" = \"$argv\"\n"
    "end\n"
    "complete -c stewardctl -f";

/* Where the words that follow stand. */
struct place {
	struct output *o;
	const char    *condition; /* "0 worker" */
};

static void
print_word(void *arg, const char *word, const char *summary)
{
	const struct place *p = arg;
	char                quoted[COMPLETION_TEXT_SIZE];

	if (*summary == '\0')
		output_line(p->o, "complete -c stewardctl -n '__stewardctl_at %s' -a '%s'", p->condition, word);
	else
		output_line(p->o, "complete -c stewardctl -n '__stewardctl_at %s' -a '%s' -d '%s'", p->condition, word,
		    completion_quote(summary, "\\'", quoted));
}

static void
print_option(struct output *o, const struct option_desc *d, const struct command *k)
{
	char where[128] = "", letter[16] = "", value[COMPLETION_TEXT_SIZE] = "";
	char words[COMPLETION_TEXT_SIZE], quoted[COMPLETION_TEXT_SIZE];

	if (k != NULL)
		(void)snprintf(where, sizeof(where), " -n '__stewardctl_in %s'", k->words);
	if (d->letter != 0)
		(void)snprintf(letter, sizeof(letter), " -s %c", d->letter);
	if (d->argument != NULL && completion_is_file(d->argument))
		(void)snprintf(value, sizeof(value), " -r -F");
	else if (d->argument != NULL && *completion_join(d->argument, words) != '\0')
		(void)snprintf(value, sizeof(value), " -x -a '%.200s'", words);
	else if (d->argument != NULL)
		(void)snprintf(value, sizeof(value), " -x");
	output_line(o, "complete -c stewardctl%s%s -l %s%s -d '%s'", where, letter, d->name, value,
	    completion_quote(d->meaning, "\\'", quoted));
}

static void
print_options(struct output *o)
{
	for (int i = 0; i < OPTION_COUNT; i++)
		if (option_desc((enum option_id)i)->every)
			print_option(o, option_desc((enum option_id)i), NULL);
	for (const struct command *k = commands; k->words != NULL; k++)
		for (int i = 0; i < OPTION_COUNT; i++)
			if ((k->options >> i & 1) != 0)
				print_option(o, option_desc((enum option_id)i), k);
}

static void
print_group(void *arg, const char *group, const char *summary)
{
	char         condition[128];
	struct place p = { arg, condition };

	(void)summary;
	(void)snprintf(condition, sizeof(condition), "0 %s", group);
	completion_next_words(group, print_word, &p);
	(void)snprintf(condition, sizeof(condition), "0 help %s", group);
	completion_next_words(group, print_word, &p);
}

static void
print_operands(struct output *o, const struct command *k)
{
	char         name[COMPLETION_NAME_SIZE];
	char         condition[128];
	struct place p = { o, condition };

	for (int index = 0; index < k->max_operands && completion_operand(k, index, name); index++) {
		(void)snprintf(condition, sizeof(condition), "%d %s", index, k->words);
		completion_values(name, print_word, &p);
	}
}

void
completion_fish(struct output *o)
{
	char         text[COMPLETION_TEXT_SIZE];
	struct place start = { o, "0" };

	output_line(o, "%s", head);
	output_line(o, "\t\t\tcase %s", completion_with_argument(" ", text));
	output_line(o, "%s", middle);
	print_options(o);
	completion_next_words("", print_word, &start);
	completion_groups(print_group, o);
	for (const struct command *k = commands; k->words != NULL; k++)
		print_operands(o, k);
}
