/* SPDX-License-Identifier: Apache-2.0 */
/*
 * command - one row of commands.def is one command of stewardctl, one row of
 * options.def one option.  Parsing, help and completion read only these rows.
 */
#ifndef STEWARD_COMMAND_H
#define STEWARD_COMMAND_H

#include "config.h"
#include "output.h"

#define COMMAND_CONFIG_DEFAULT "/etc/steward/steward.conf"

struct command;

/* What every command gets.  Strings are borrowed from argv and the environment. */
struct command_context {
	/* One field per row of options.def: admin, dry_run, follow, ... */
#define FLAG(scope, field, letter, name, meaning)            bool field;
#define VALUE(scope, field, letter, name, argument, meaning) const char *field;
#include "options.def"
#undef FLAG
#undef VALUE
	/* Filled in after parsing: program_config is never NULL, socket may come from STEWARD_SOCKET. */
	bool                  config_given; /* -c was used */
	uint64_t              given;        /* TAKES() of the options that were given */
	const struct command *command;
	struct output        *out;
	int                   argc;         /* the command's own operands; argv[argc] is NULL */
	char                **argv;
};

enum option_id {
#define FLAG(scope, field, letter, name, meaning)            OPTION_##field,
#define VALUE(scope, field, letter, name, argument, meaning) OPTION_##field,
#include "options.def"
#undef FLAG
#undef VALUE
	OPTION_COUNT
};

#define TAKES(field) (UINT64_C(1) << OPTION_##field)

struct option_desc {
	const char *name;
	char        letter;   /* 0: none */
	const char *argument; /* NULL for a flag */
	const char *meaning;
	bool        every;    /* taken by all commands */
	size_t      offset;   /* in struct command_context */
};
const struct option_desc *option_desc(enum option_id id);

/*
 * Does the work and prints through c->out.  An error whose sentence is empty has
 * been printed already: only the exit status is left to set.
 */
typedef enum err command_fn(const struct command_context *c, struct error *e);

struct command {
	const char *words;    /* "worker show" */
	const char *operands; /* "KIND[SLOT]" */
	uint64_t    options;
	int         min_operands;
	int         max_operands;
	command_fn *run;
	const char *summary;
	const char *detail;
};

/* In the order of commands.def; a row with words NULL ends it. */
extern const struct command commands[];

#define COMMAND(words, operands, options, min, max, function, summary, detail) command_fn command_##function;
#include "commands.def"
#undef COMMAND

/*
 * Read the command line into *c (zeroed here).  c->argv points into `operands`,
 * which has room for argc + 1.  With --help or --version c->command may be NULL.
 * Errors: ERR_usage, with the closest match.
 */
NODISCARD enum err command_parse(int argc, char *const *argv, char **operands, struct command_context *c,
    struct error *e);

/* The configuration that -c or the default names, loaded; complaints are printed to stderr. */
NODISCARD enum err command_load_config(const struct command_context *c, struct config *cfg, struct error *e);

/* A decimal number in [min, max]; `what` names it in the sentence.  Errors: ERR_usage. */
NODISCARD enum err command_number(const char *what, const char *text, int64_t min, int64_t max, int64_t *value,
    struct error *e);

#endif
