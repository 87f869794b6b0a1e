/* SPDX-License-Identifier: Apache-2.0 */
#include "log.h"

#include <stdio.h>
#include <string.h>

#include "client.h"

enum err
command_log_level(const struct command_context *c, struct error *e)
{
	struct msg     m = { .type = MSG_ask_log_level };
	enum log_level level;

	if (!log_level_by_name(c->argv[1], &level))
		return err_set(e, ERR_usage, "\"%s\" is none of error, warning, info, debug", c->argv[1]);
	if (strlen(c->argv[0]) >= sizeof(m.body.ask_log_level.kind))
		return err_set(e, ERR_not_found, "there is no kind of worker called %s", c->argv[0]);
	(void)snprintf(m.body.ask_log_level.kind, sizeof(m.body.ask_log_level.kind), "%s", c->argv[0]);
	(void)snprintf(m.body.ask_log_level.level, sizeof(m.body.ask_log_level.level), "%s", c->argv[1]);
	return client_do(c, &m, e);
}
