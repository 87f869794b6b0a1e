/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "completion.h"

static const char head[] =
    "# bash completion for stewardctl, made by `stewardctl completion bash`\n"
    "_stewardctl() {\n"
    "\tlocal cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]}\n"
    "\tlocal said='' skip='' candidates='' options='' i\n"
    "\tif [[ $cur == '=' ]]; then\n"
    "\t\tcur=''\n"
    "\telif [[ $prev == '=' ]]; then\n"
    "\t\tprev=${COMP_WORDS[COMP_CWORD - 2]}\n"
    "\tfi\n"
    "\tfor ((i = 1; i < COMP_CWORD; i++)); do\n"
    "\t\tif [[ ${COMP_WORDS[i]} == '=' ]]; then\n"
    "\t\t\tskip=1\n"
    "\t\telif [[ $skip ]]; then\n"
    "\t\t\tskip=''\n"
    "\t\telse\n"
    "\t\t\tcase ${COMP_WORDS[i]} in";

static const char middle[] =
    "\t\t\t-*) ;;\n"
    "\t\t\t*) said+=${said:+ }${COMP_WORDS[i]} ;;\n"
    "\t\t\tesac\n"
    "\t\tfi\n"
    "\tdone\n"
    "\tCOMPREPLY=()\n"
    "\tcase $prev in";

static const char tail[] =
    "\tesac\n"
    "\tif [[ $cur == -* ]]; then\n"
    "\t\tcandidates=$options\n"
    "\tfi\n"
    "\tmapfile -t COMPREPLY < <(compgen -W \"$candidates\" -- \"$cur\")\n"
    "}\n"
    "complete -F _stewardctl stewardctl";

static void
print_arguments(struct output *o)
{
	char spelling[COMPLETION_TEXT_SIZE], words[COMPLETION_TEXT_SIZE];

	for (int i = 0; i < OPTION_COUNT; i++) {
		const struct option_desc *d = option_desc((enum option_id)i);

		if (d->argument == NULL)
			continue;
		(void)completion_spelling(d, " | ", spelling);
		if (completion_is_file(d->argument))
			output_line(o, "\t%s) mapfile -t COMPREPLY < <(compgen -f -- \"$cur\"); return ;;", spelling);
		else if (*completion_join(d->argument, words) != '\0')
			output_line(o, "\t%s) mapfile -t COMPREPLY < <(compgen -W '%s' -- \"$cur\"); return ;;", spelling, words);
		else
			output_line(o, "\t%s) return ;;", spelling);
	}
}

static void
print_options(struct output *o)
{
	char text[COMPLETION_TEXT_SIZE];

	for (int i = 0; i < OPTION_COUNT; i++)
		if (option_desc((enum option_id)i)->every)
			output_line(o, "\toptions+=' %s'", completion_spelling(option_desc((enum option_id)i), " ", text));
	output_line(o, "\tcase $said in");
	for (const struct command *k = commands; k->words != NULL; k++) {
		if (k->options == 0)
			continue;
		output_line(o, "\t'%s' | '%s '*)", k->words, k->words);
		for (int i = 0; i < OPTION_COUNT; i++)
			if ((k->options >> i & 1) != 0)
				output_line(o, "\t\toptions+=' %s'",
				    completion_spelling(option_desc((enum option_id)i), " ", text));
		output_line(o, "\t\t;;");
	}
	output_line(o, "\tesac");
}

static void
append(void *arg, const char *word, const char *summary)
{
	char  *text = arg;
	size_t used = strlen(text);

	(void)summary;
	(void)snprintf(text + used, COMPLETION_TEXT_SIZE - used, "%s%s", used > 0 ? " " : "", word);
}

static void
print_group(void *arg, const char *group, const char *summary)
{
	char words[COMPLETION_TEXT_SIZE] = "";

	(void)summary;
	completion_next_words(group, append, words);
	output_line(arg, "\t'%s' | 'help %s') candidates='%s' ;;", group, group, words);
}

/* The longer patterns first: 'worker scale '* would swallow 'worker scale ' followed by two operands. */
static void
print_operands(struct output *o, const struct command *k)
{
	char name[COMPLETION_NAME_SIZE], words[COMPLETION_TEXT_SIZE];

	for (int index = k->max_operands; index-- > 0;) {
		if (!completion_operand(k, index, name) || *completion_join(name, words) == '\0')
			continue;
		output_line(o, "\t'%s'%s) candidates='%s' ;;", k->words, index == 0 ? "" : "' '*", words);
	}
}

void
completion_bash(struct output *o)
{
	char text[COMPLETION_TEXT_SIZE] = "";

	output_line(o, "%s", head);
	output_line(o, "\t\t\t%s) skip=1 ;;", completion_with_argument(" | ", text));
	output_line(o, "%s", middle);
	print_arguments(o);
	output_line(o, "\tesac");
	print_options(o);
	output_line(o, "\tcase $said in");
	text[0] = '\0';
	completion_next_words("", append, text);
	output_line(o, "\t'') candidates='%s' ;;", text);
	completion_groups(print_group, o);
	for (const struct command *k = commands; k->words != NULL; k++)
		print_operands(o, k);
	output_line(o, "%s", tail);
}
