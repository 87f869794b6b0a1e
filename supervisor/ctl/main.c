/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stewardctl - one command, one question, one answer.
 *
 * Data goes to stdout, everything else to stderr, and the exit status is a row
 * of errors.def.
 */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bus.h"
#include "command.h"

/* A reader that has seen enough, as in `stewardctl events | head`, is no failure. */
static void
on_broken_pipe(int number)
{
	(void)number;
	_exit(0);
}

static bool
is_set(const char *variable)
{
	const char *value = getenv(variable);

	return value != NULL && *value != '\0';
}

/* --color wins, then NO_COLOR (no-color.org), then CLICOLOR_FORCE, then what stdout is. */
static enum err
choose_colour(const char *when, bool *colour, struct error *e)
{
	const char *term  = getenv("TERM");
	const char *force = getenv("CLICOLOR_FORCE");

	if (when != NULL && strcmp(when, "auto") != 0) {
		*colour = strcmp(when, "always") == 0;
		if (!*colour && strcmp(when, "never") != 0)
			return err_set(e, ERR_usage, "--color: \"%s\" is none of auto, always, never", when);
	} else if (is_set("NO_COLOR"))
		*colour = false;
	else if (force != NULL && *force != '\0' && strcmp(force, "0") != 0)
		*colour = true;
	else
		*colour = isatty(STDOUT_FILENO) && term != NULL && *term != '\0' && strcmp(term, "dumb") != 0;
	return ERR_ok;
}

static enum err
open_output(struct command_context *c, struct error *e)
{
	struct output_options o = {
		.json    = c->json,
		.quiet   = c->quiet,
		.headers = !c->no_headers,
		.fields  = c->fields,
	};
	enum err rc = choose_colour(c->color, &o.colour, e);

	return rc == ERR_ok ? output_create(&o, &c->out, e) : rc;
}

/* --help and --version are the commands of these names, whatever else was said. */
static void
obey_help_and_version(struct command_context *c, char **operands)
{
	if (c->help)
		c->argv = operands;
	for (c->argc = 0; c->argv[c->argc] != NULL;)
		c->argc++;
	if (c->help)
		c->command = NULL;
}

static enum err
run(struct command_context *c, char **operands, struct error *e)
{
	enum err rc = open_output(c, e);

	if (rc != ERR_ok)
		return rc;
	c->config_given = c->program_config != NULL;
	if (!c->config_given)
		c->program_config = COMMAND_CONFIG_DEFAULT;
	if (c->socket == NULL && is_set("STEWARD_SOCKET"))
		c->socket = getenv("STEWARD_SOCKET");
	if (c->help) {
		obey_help_and_version(c, operands);
		return command_help(c, e);
	}
	if (c->version) {
		(void)printf("stewardctl %s\n", STEWARD_VERSION);
		return ERR_ok;
	}
	return c->command->run(c, e);
}

/* "worker show: there is no ..."; an error whose words are empty was printed already. */
static void
name_the_command(const struct command_context *c, struct error *e)
{
	const char *words = c->command != NULL ? c->command->words : "";

	if (*words != '\0' && e->text[0] != '\0' && strncmp(e->text, words, strlen(words)) != 0)
		(void)err_wrap(e, "%s", words);
}

/* What a full disk under stdout did not take is a failure, even after the work is done. */
static enum err
close_stdout(struct error *e)
{
	if (fflush(stdout) != 0 || ferror(stdout) != 0)
		return err_errno(e, "standard output");
	return ERR_ok;
}

int
main(int argc, char *argv[])
{
	char                 **operands = calloc((size_t)argc + 1, sizeof(*operands));
	struct command_context c;
	struct error           e  = { 0 };
	enum err               rc = ERR_no_memory;

	(void)signal(SIGPIPE, on_broken_pipe);
	if (operands != NULL)
		rc = command_parse(argc, argv, operands, &c, &e);
	if (rc == ERR_ok) {
		rc = run(&c, operands, &e);
		output_destroy(c.out);
		name_the_command(&c, &e);
	}
	if (rc == ERR_ok)
		rc = close_stdout(&e);
	(void)fflush(stdout);
	if (rc != ERR_ok && e.text[0] != '\0')
		(void)fprintf(stderr, "steward: %s\n", e.text);
	free(operands);
	return err_exit_status(rc);
}
