/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "completion.h"

static const char head[] =
    "#compdef stewardctl\n"
    "# zsh completion for stewardctl, made by `stewardctl completion zsh`\n"
    "_stewardctl() {\n"
    "\tlocal -a said candidates options\n"
    "\tlocal word skip=''\n"
    "\tfor word in \"${(@)words[2,CURRENT-1]}\"; do\n"
    "\t\tif [[ -n $skip ]]; then\n"
    "\t\t\tskip=''\n"
    "\t\t\tcontinue\n"
    "\t\tfi\n"
    "\t\tcase $word in";

static const char middle[] =
    "\t\t(-*) ;;\n"
    "\t\t(*) said+=($word) ;;\n"
    "\t\tesac\n"
    "\tdone\n"
    "\tcase ${words[CURRENT-1]} in";

static const char tail[] =
    "\tesac\n"
    "\tif [[ $PREFIX == -* ]]; then\n"
    "\t\t_describe -o option options\n"
    "\telse\n"
    "\t\t_describe command candidates\n"
    "\tfi\n"
    "}\n"
    "if [[ ${funcstack[1]} == _stewardctl ]]; then\n"
    "\t_stewardctl \"$@\"\n"
    "else\n"
    "\tcompdef _stewardctl stewardctl\n"
    "fi";

/* 'word:what it is', where a colon in the word would end it. */
static void
print_word(void *arg, const char *word, const char *summary)
{
	char quoted[COMPLETION_TEXT_SIZE];

	if (*summary == '\0')
		output_line(arg, "\t\t\t'%s'", word);
	else
		output_line(arg, "\t\t\t'%s:%s'", word, completion_quote(summary, "'\\''", quoted));
}

static void
print_option(struct output *o, const struct option_desc *d)
{
	char quoted[COMPLETION_TEXT_SIZE];

	(void)completion_quote(d->meaning, "'\\''", quoted);
	output_line(o, "\t\t'--%s:%s'", d->name, quoted);
	if (d->letter != 0)
		output_line(o, "\t\t'-%c:%s'", d->letter, quoted);
}

static void
print_arguments(struct output *o)
{
	char spelling[COMPLETION_TEXT_SIZE], words[COMPLETION_TEXT_SIZE];

	for (int i = 0; i < OPTION_COUNT; i++) {
		const struct option_desc *d = option_desc((enum option_id)i);

		if (d->argument == NULL)
			continue;
		(void)completion_spelling(d, "|", spelling);
		if (completion_is_file(d->argument))
			output_line(o, "\t(%s) _files; return ;;", spelling);
		else if (*completion_join(d->argument, words) != '\0')
			output_line(o, "\t(%s) compadd %s; return ;;", spelling, words);
		else
			output_line(o, "\t(%s) _message '%s'; return ;;", spelling, d->argument);
	}
}

static void
print_options(struct output *o)
{
	output_line(o, "\toptions=(");
	for (int i = 0; i < OPTION_COUNT; i++)
		if (option_desc((enum option_id)i)->every)
			print_option(o, option_desc((enum option_id)i));
	output_line(o, "\t)\n\tcase \"${said[*]}\" in");
	for (const struct command *k = commands; k->words != NULL; k++) {
		if (k->options == 0)
			continue;
		output_line(o, "\t('%s'|'%s '*) options+=(", k->words, k->words);
		for (int i = 0; i < OPTION_COUNT; i++)
			if ((k->options >> i & 1) != 0)
				print_option(o, option_desc((enum option_id)i));
		output_line(o, "\t\t) ;;");
	}
	output_line(o, "\tesac");
}

static void
print_group(void *arg, const char *group, const char *summary)
{
	(void)summary;
	output_line(arg, "\t('%s'|'help %s') candidates=(", group, group);
	completion_next_words(group, print_word, arg);
	output_line(arg, "\t\t) ;;");
}

static void
print_operands(struct output *o, const struct command *k)
{
	char name[COMPLETION_NAME_SIZE], words[COMPLETION_TEXT_SIZE];

	for (int index = k->max_operands; index-- > 0;) {
		if (!completion_operand(k, index, name) || *completion_join(name, words) == '\0')
			continue;
		output_line(o, "\t('%s'%s) candidates=(", k->words, index == 0 ? "" : "' '*");
		completion_values(name, print_word, o);
		output_line(o, "\t\t) ;;");
	}
}

void
completion_zsh(struct output *o)
{
	char text[COMPLETION_TEXT_SIZE];

	output_line(o, "%s", head);
	output_line(o, "\t\t(%s) skip=1 ;;", completion_with_argument("|", text));
	output_line(o, "%s", middle);
	print_arguments(o);
	output_line(o, "\tesac");
	print_options(o);
	output_line(o, "\tcase \"${said[*]}\" in\n\t('') candidates=(");
	completion_next_words("", print_word, o);
	output_line(o, "\t\t) ;;");
	completion_groups(print_group, o);
	for (const struct command *k = commands; k->words != NULL; k++)
		print_operands(o, k);
	output_line(o, "%s", tail);
}
