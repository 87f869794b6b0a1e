/* SPDX-License-Identifier: Apache-2.0 */
/*
 * daemon - orders to the daemon as a whole: reload, drain, stop; and version.
 */
#include <errno.h>
#include <poll.h>
#include <stdio.h>
#include <string.h>
#include <sys/pidfd.h>
#include <unistd.h>

#include "clock.h"
#include "report.h"
#include "schema.h"

enum { STOP_MARGIN_SECONDS = 5, STOP_UNKNOWN_SECONDS = 60, ASK_AGAIN_MS = 100 };

static void
close_cleanup(int *fd)
{
	if (*fd >= 0)
		(void)close(*fd);
}

/* ----------------------------------------------------------------- reload */
static void
put_change(struct output *o, const struct msg_changed *change)
{
	output_item_begin(o);
	output_text(o, "path", change->path);
	output_text(o, "how", change->how);
	output_item_end(o);
}

/*
 * The answer is complaint rows or changed rows; the two lists are filled as they
 * come.  A `refused` after complaints says nothing new.
 */
static enum err
read_reload(const struct command_context *c, struct bus_reply *reply, size_t *complaints, size_t *changes,
    struct error *e)
{
	struct msg m;
	enum err   rc;

	output_list_begin(c->out, "changed");
	while ((rc = client_next(reply, &m, e)) == ERR_ok && m.type != MSG_complaint)
		if (m.type == MSG_changed) {
			put_change(c->out, &m.body.changed);
			(*changes)++;
		}
	output_list_end(c->out);
	output_list_begin(c->out, "complaints");
	for (; rc == ERR_ok; rc = client_next(reply, &m, e))
		if (m.type == MSG_complaint) {
			output_text(c->out, NULL, m.body.complaint.text);
			(void)fprintf(stderr, "%s\n", m.body.complaint.text);
			(*complaints)++;
		}
	output_list_end(c->out);
	return rc == ERR_again || *complaints > 0 ? ERR_ok : rc;
}

enum err
command_reload(const struct command_context *c, struct error *e)
{
	CLEANUP(bus_reply_cleanup) struct bus_reply *reply = NULL;
	struct msg question   = { .type = MSG_ask_reload };
	size_t     complaints = 0, changes = 0;
	enum err   rc = client_ask(c, &question, &reply, e);

	if (rc == ERR_ok)
		rc = read_reload(c, reply, &complaints, &changes, e);
	if (rc != ERR_ok)
		return rc;
	if (complaints == 0 && changes == 0 && !output_has_fields(c->out))
		output_line(c->out, "nothing has changed");
	else if (complaints == 0)
		output_table(c->out, "changed", "setting=path,applied=how");
	rc = output_finish(c->out, e);
	if (rc == ERR_ok && complaints > 0)
		rc = err_set(e, ERR_config, "%zu mistake%s; the configuration before it stays in force", complaints,
		    complaints == 1 ? "" : "s");
	return rc;
}

/* ------------------------------------------------------------------ drain */
enum err
command_drain(const struct command_context *c, struct error *e)
{
	struct msg question = { .type = MSG_ask_drain, .body.ask_drain.undo = c->undo };

	return client_do(c, &question, e);
}

/* ------------------------------------------------------------------- stop */
/* As long as the workers may take, by the configuration that can be read here. */
static int64_t
longest_drain_ms(const struct command_context *c)
{
	struct config_complaints complaints = { 0 };
	struct config            cfg;
	int64_t                  sum = 0;
	enum err                 rc  = config_load(c->program_config, &cfg, NULL, &complaints, NULL);

	config_complaints_free(&complaints);
	if (rc != ERR_ok)
		return (int64_t)STOP_UNKNOWN_SECONDS * 1000;
	for (size_t kind = 0; kind < WORKER_COUNT; kind++)
		sum += cfg.workers[kind].drain_timeout;
	return sum + (int64_t)STOP_MARGIN_SECONDS * 1000;
}

/* A descriptor that becomes readable when the daemon has ended; -1 when it is not to be had. */
static enum err
watch_daemon(const struct command_context *c, int *fd, struct error *e)
{
	CLEANUP(bus_reply_cleanup) struct bus_reply *reply = NULL;
	CLEANUP(report_free) struct report r = { 0 };
	struct msg question = { .type = MSG_ask_status };
	enum err   rc       = client_ask(c, &question, &reply, e);

	if (rc == ERR_ok)
		rc = report_read(reply, &r, e);
	if (rc != ERR_ok)
		return rc;
	*fd = pidfd_open((pid_t)r.node.pid, 0);
	return ERR_ok;
}

/* The process cannot be seen from here: ask until nobody answers. */
static bool
has_gone(const struct command_context *c)
{
	CLEANUP(bus_reply_cleanup) struct bus_reply *reply = NULL;
	struct msg question = { .type = MSG_ask_ping };

	return client_probe(c, &question, &reply, NULL) == ERR_not_running;
}

static enum err
await_end(const struct command_context *c, int fd, int64_t wait_ms, struct error *e)
{
	struct pollfd daemon = { .fd = fd, .events = POLLIN };
	int64_t       due    = clock_now_ms() + wait_ms;

	for (int64_t left = wait_ms; left > 0; left = due - clock_now_ms()) {
		int ended = poll(&daemon, 1, (int)(fd >= 0 ? left : MIN(left, (int64_t)ASK_AGAIN_MS)));

		if (ended > 0 || (fd < 0 && has_gone(c)))
			return ERR_ok;
		if (ended < 0 && errno != EINTR)
			return err_errno(e, "waiting for the daemon");
	}
	return err_set(e, ERR_timeout, "the daemon is still there after %" PRId64 " s; see stewardctl status",
	    wait_ms / 1000);
}

enum err
command_stop(const struct command_context *c, struct error *e)
{
	CLEANUP(close_cleanup) int fd = -1;
	struct msg question = { .type = MSG_ask_stop };
	int64_t    seconds  = 0;
	int64_t    wait_ms  = longest_drain_ms(c);
	enum err   rc       = ERR_ok;

	if (c->wait != NULL) {
		rc      = command_number("--wait", c->wait, 0, 86400, &seconds, e);
		wait_ms = seconds * 1000;
	}
	/* Before the order, so that no other process can have taken its number. */
	if (rc == ERR_ok)
		rc = watch_daemon(c, &fd, e);
	if (rc == ERR_ok)
		rc = client_do(c, &question, e);
	/* An idle daemon may have left before its answer has. */
	if (rc == ERR_unavailable && fd >= 0)
		rc = ERR_ok;
	if (rc != ERR_ok || wait_ms == 0)
		return rc;
	return await_end(c, fd, wait_ms, e);
}

/* ---------------------------------------------------------------- version */
enum err
command_version(const struct command_context *c, struct error *e)
{
	CLEANUP(bus_reply_cleanup) struct bus_reply *reply = NULL;
	CLEANUP(report_free) struct report r = { 0 };
	struct msg   question = { .type = MSG_ask_status };
	struct error silence  = { 0 };
	bool         is_up    = client_probe(c, &question, &reply, &silence) == ERR_ok &&
	    report_read(reply, &r, &silence) == ERR_ok;

	output_text(c->out, "version", STEWARD_VERSION);
	output_number(c->out, "schema", SCHEMA_VERSION);
	output_text(c->out, "daemon", is_up ? r.node.version : NULL);
	output_line(c->out, "stewardctl %s, schema %d", STEWARD_VERSION, SCHEMA_VERSION);
	output_line(c->out, "daemon %s", is_up ? r.node.version : "not running or not reachable");
	return output_finish(c->out, e);
}
