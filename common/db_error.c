/* SPDX-License-Identifier: Apache-2.0 */
#include "db_libpq.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A state of five characters, or its class of two; the first row that fits decides. */
static const struct {
	const char *prefix;
	enum err    code;
} states[] = {
	{ "25006", ERR_db_down }, /* the primary has become a standby: connect again */
	{ "25P03", ERR_db_down },
	{ "42501", ERR_denied },
	{ "55006", ERR_conflict },
	{ "55P03", ERR_conflict },
	{ "57014", ERR_timeout },
	{ "P0001", ERR_refused },
	{ "P0002", ERR_not_found },
	{ "08", ERR_db_down },
	{ "0L", ERR_denied },
	{ "0P", ERR_denied },
	{ "22", ERR_bad_data },
	{ "23", ERR_bad_data },
	{ "28", ERR_denied },
	{ "3D", ERR_denied },
	{ "3F", ERR_schema_old },
	{ "40", ERR_conflict },
	{ "42", ERR_schema_old },
	{ "53", ERR_db_down },
	{ "57", ERR_db_down },
	{ "58", ERR_db_down },
	{ "XX", ERR_db_down },
};

enum err
db_classify(const char *sqlstate)
{
	for (size_t i = 0; i < COUNT_OF(states); i++)
		if (strncmp(sqlstate, states[i].prefix, strlen(states[i].prefix)) == 0)
			return states[i].code;
	return ERR_internal;
}

int
db_line_of(const char *script, int position)
{
	int line = 1;

	/* Continuation bytes of UTF-8 are no characters of their own. */
	for (const char *c = script; *c != '\0'; c++) {
		if (((unsigned char)*c & 0xc0) != 0x80 && --position <= 0)
			break;
		if (*c == '\n')
			line++;
	}
	return line;
}

/* The state in `line` ("FATAL:  28P01: password ..."), or NULL. */
static const char *
find_state(const char *line, const char *end)
{
	static const char letters[] = "0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZ";

	for (const char *c = line; (c = strstr(c, ":  ")) != NULL && c < end; c++)
		if (strspn(c + 3, letters) == 5 && strncmp(c + 8, ": ", 2) == 0)
			return c + 3;
	return NULL;
}

/* Where the word before `state` ("FATAL", in whatever language) begins. */
static int
severity_at(const char *line, const char *state)
{
	const char *c = state - 3;

	while (c > line && c[-1] != ' ')
		c--;
	return (int)(c - line);
}

/* What libpq says before it talks to any server. */
static bool
is_configuration(const char *line)
{
	static const char *const starts[] = { "invalid ", "definition of service", "service file", "could not match " };

	for (size_t i = 0; i < COUNT_OF(starts); i++)
		if (strncmp(line, starts[i], strlen(starts[i])) == 0)
			return true;
	return false;
}

static enum err
judge_state(const char *state)
{
	enum err code = db_classify(state);

	/* A start-up option that the server does not take is a wrong conninfo, not an old schema. */
	return code == ERR_schema_old || code == ERR_bad_data || code == ERR_internal ? ERR_config : code;
}

enum err
db_judge_connection(const char *message, char *line, size_t size)
{
	const char *state = NULL;

	/* With several hosts there is a line for each; one that a server wrote says more. */
	for (const char *start = message; *start != '\0' && state == NULL;) {
		const char *end = strchrnul(start, '\n');

		state = find_state(start, end);
		if (state != NULL)
			(void)snprintf(line, size, "%.*s%.*s", severity_at(start, state), start, (int)(end - state - 7),
			    state + 7);
		start = *end == '\0' ? end : end + 1;
	}
	if (state != NULL)
		return judge_state(state);
	message += strspn(message, " \t\n");
	(void)snprintf(line, size, "%.*s", (int)strcspn(message, "\n"), message);
	return is_configuration(line) ? ERR_config : ERR_db_down;
}

enum err
db_fail_connection(const struct pg_conn *pg, struct error *e)
{
	char     line[ERROR_TEXT_SIZE];
	enum err code = db_judge_connection(libpq()->errorMessage(pg), line, sizeof(line));

	if (libpq()->connectionNeedsPassword(pg))
		return err_set(e, ERR_denied, "the database wants a password for role %s, and none was given", libpq()->user(pg));
	return err_set(e, code, "%s", line[0] != '\0' ? line : "the connection to the database was lost");
}

enum err
db_fail_result(const struct pg_result *r, const char *script, int statement, struct error *e)
{
	const char *state    = libpq()->resultErrorField(r, PG_DIAG_SQLSTATE);
	const char *primary  = libpq()->resultErrorField(r, PG_DIAG_MESSAGE_PRIMARY);
	const char *position = libpq()->resultErrorField(r, PG_DIAG_STATEMENT_POSITION);
	const char *message  = libpq()->resultErrorMessage(r);

	/* No state: libpq itself wrote the result, because the connection broke. */
	if (state == NULL)
		return err_set(e, ERR_db_down, "%.*s", (int)strcspn(message, "\n"), message);
	if (primary == NULL)
		primary = "the server gave no reason";
	if (script != NULL && position != NULL)
		return err_set(e, db_classify(state), "line %d: %s", db_line_of(script, atoi(position)), primary);
	if (script != NULL && statement > 1)
		return err_set(e, db_classify(state), "statement %d: %s", statement, primary);
	return err_set(e, db_classify(state), "%s", primary);
}
