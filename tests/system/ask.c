/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ask SOCKET QUESTION [FIELD=VALUE ...]
 *
 * Any question of messages.def over the control socket; each row of the answer
 * is printed as a line, "worker kind=late slot=0 ...".  Exits with the status of
 * the row of errors.def when it is refused.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "bus.h"

enum { PATIENCE_MS = 30000 };

static enum msg_type
type_by_name(const char *name)
{
	for (int i = 0; i < MSG_COUNT; i++)
		if (strcmp(msg_desc((enum msg_type)i)->name, name) == 0)
			return (enum msg_type)i;
	return MSG_COUNT;
}

static bool
set_field(struct msg *m, char *assignment)
{
	const struct msg_desc *d     = msg_desc(m->type);
	char                  *value = strchr(assignment, '=');

	if (value == NULL)
		return false;
	*value++ = '\0';
	for (size_t i = 0; i < d->field_count; i++) {
		const struct field_desc *f  = &d->field[i];
		char                    *at = (char *)&m->body + f->offset;

		if (strcmp(f->name, assignment) != 0)
			continue;
		if (f->kind == FIELD_STR)
			(void)snprintf(at, f->size, "%s", value);
		else if (f->kind == FIELD_BOOL)
			*(bool *)at = strcmp(value, "true") == 0;
		else
			*(int64_t *)(void *)at = strtoll(value, NULL, 10);
		return true;
	}
	return false;
}

static void
print_row(const struct msg *m)
{
	const struct msg_desc *d = msg_desc(m->type);

	(void)printf("%s", d->name);
	for (size_t i = 0; i < d->field_count; i++) {
		const struct field_desc *f  = &d->field[i];
		const char              *at = (const char *)&m->body + f->offset;

		if (f->kind == FIELD_STR)
			(void)printf(" %s=%s", f->name, at);
		else if (f->kind == FIELD_BOOL)
			(void)printf(" %s=%s", f->name, *(const bool *)at ? "true" : "false");
		else
			(void)printf(" %s=%" PRId64, f->name, *(const int64_t *)(const void *)at);
	}
	(void)printf("\n");
}

int
main(int argc, char *argv[])
{
	struct msg        m     = { .type = argc < 3 ? MSG_COUNT : type_by_name(argv[2]) };
	struct bus_reply *reply = NULL;
	struct error      e     = { 0 };
	int               status = 0;

	if (m.type == MSG_COUNT)
		return err_exit_status(ERR_usage);
	for (int i = 3; i < argc; i++)
		if (!set_field(&m, argv[i]))
			return err_exit_status(ERR_usage);
	bus_limit_threads();
	if (bus_client_call(argv[1], &m, PATIENCE_MS, &reply, &e) != ERR_ok) {
		(void)fprintf(stderr, "ask: %s\n", e.text);
		return err_exit_status(e.code);
	}
	while (bus_reply_next(reply, &m, &e) == ERR_ok) {
		print_row(&m);
		if (m.type == MSG_refused)
			status = err_exit_status(err_by_name(m.body.refused.error));
	}
	bus_reply_free(reply);
	return status;
}
