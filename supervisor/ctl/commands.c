/* SPDX-License-Identifier: Apache-2.0 */
#include "command.h"

#define NO_COMMAND { NULL, NULL, 0, 0, 0, NULL, NULL, NULL }

const struct command commands[] = {
#define COMMAND(words, operands, options, min, max, function, summary, detail) \
	{ words, operands, options, min, max, command_##function, summary, detail },
#include "commands.def"
#undef COMMAND
	NO_COMMAND,
};

enum { scope_some, scope_every };

static const struct option_desc options[OPTION_COUNT] = {
#define FLAG(scope, field, letter, name, meaning) \
	{ name, letter, NULL, meaning, scope_##scope, offsetof(struct command_context, field) },
#define VALUE(scope, field, letter, name, argument, meaning) \
	{ name, letter, argument, meaning, scope_##scope, offsetof(struct command_context, field) },
#include "options.def"
#undef FLAG
#undef VALUE
};

const struct option_desc *
option_desc(enum option_id id)
{
	return &options[id];
}
