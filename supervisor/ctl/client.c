/* SPDX-License-Identifier: Apache-2.0 */
#include "client.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

enum { PATIENCE_SECONDS = 5 };

/* run_directory = "/somewhere"; in a line of its own. */
static bool
line_sets_run_directory(const char *line, char *directory, size_t size)
{
	static const char key[] = "run_directory";
	const char       *value;
	size_t            length;

	line += strspn(line, " \t");
	if (strncmp(line, key, strlen(key)) != 0)
		return false;
	value = line + strlen(key);
	value += strspn(value, " \t");
	if (*value != '=' && *value != ':')
		return false;
	value++;
	value += strspn(value, " \t");
	if (*value++ != '"')
		return false;
	length = strcspn(value, "\"\\\n");
	if (value[length] != '"' || length == 0 || length >= size)
		return false;
	memcpy(directory, value, length);
	directory[length] = '\0';
	return true;
}

/*
 * Where the daemon is, from a configuration that has a mistake elsewhere: the
 * daemon runs on with the one it read before, and must be reachable.
 */
static void
guess_run_directory(const struct command_context *c, const char *fallback, char *directory, size_t size)
{
	const char *environment = getenv("STEWARD__RUN_DIRECTORY");
	char        line[512];
	FILE       *file;

	(void)snprintf(directory, size, "%s", environment != NULL ? environment : fallback);
	if (environment != NULL || (file = fopen(c->program_config, "re")) == NULL)
		return;
	while (fgets(line, sizeof(line), file) != NULL)
		if (line_sets_run_directory(line, directory, size))
			break;
	(void)fclose(file);
}

static enum err
find_run_directory(const struct command_context *c, char *directory, size_t size, struct error *e)
{
	struct config_complaints complaints = { 0 };
	struct config            cfg;
	enum err                 rc = ERR_config;

	config_defaults(&cfg);
	if (c->config_given || access(c->program_config, R_OK) == 0)
		rc = config_load(c->program_config, &cfg, NULL, &complaints, e);
	config_complaints_free(&complaints);
	if (rc == ERR_ok)
		(void)snprintf(directory, size, "%s", cfg.run_directory);
	else if (c->config_given && access(c->program_config, R_OK) != 0)
		return rc;
	else
		guess_run_directory(c, cfg.run_directory, directory, size);
	return ERR_ok;
}

/* The bus wants absolute paths. */
static enum err
make_absolute(const char *path, char absolute[BUS_PATH_SIZE], struct error *e)
{
	char directory[4096] = "";
	int  length;

	if (*path != '/' && getcwd(directory, sizeof(directory)) == NULL)
		return err_errno(e, "the current directory");
	length = snprintf(absolute, BUS_PATH_SIZE, "%s%s%s", directory, *path != '/' ? "/" : "", path);
	if (length >= BUS_PATH_SIZE)
		return err_set(e, ERR_config, "%s: the path of a socket must be shorter than %d bytes", path, BUS_PATH_SIZE);
	return ERR_ok;
}

enum err
client_socket(const struct command_context *c, char path[BUS_PATH_SIZE], struct error *e)
{
	char     directory[256];
	char     text[sizeof(directory) + sizeof("/control.ipc")];
	enum err rc;

	if (c->socket != NULL)
		return make_absolute(c->socket, path, e);
	rc = find_run_directory(c, directory, sizeof(directory), e);
	if (rc != ERR_ok)
		return rc;
	(void)snprintf(text, sizeof(text), "%s/control.ipc", directory);
	return make_absolute(text, path, e);
}

enum err
client_sibling(const struct command_context *c, const char *name, char path[BUS_PATH_SIZE], struct error *e)
{
	char     control[BUS_PATH_SIZE];
	char     text[BUS_PATH_SIZE + 32];
	enum err rc = client_socket(c, control, e);

	if (rc != ERR_ok)
		return rc;
	(void)snprintf(text, sizeof(text), "%.*s/%s", (int)(strrchr(control, '/') - control), control, name);
	return make_absolute(text, path, e);
}

/* Nobody answered: is nobody there, or may we not see who is? */
static enum err
explain_silence(const char *path, struct error *e)
{
	if (access(path, W_OK) != 0 && errno == EACCES)
		return err_set(e, ERR_denied, "%s: permission denied; use sudo, or become a member of its group", path);
	return err_set(e, ERR_not_running,
	    "the daemon is not running: nobody listens on %s; start it with: systemctl start steward", path);
}

enum err
client_probe(const struct command_context *c, const struct msg *question, struct bus_reply **reply,
    struct error *e)
{
	int64_t  patience = PATIENCE_SECONDS;
	char     path[BUS_PATH_SIZE];
	enum err rc = ERR_ok;

	if (c->timeout != NULL)
		rc = command_number("--timeout", c->timeout, 1, 3600, &patience, e);
	if (rc == ERR_ok)
		rc = client_socket(c, path, e);
	if (rc == ERR_ok) {
		bus_limit_threads();
		rc = bus_client_call(path, question, (int)patience * 1000, reply, e);
	}
	if (rc == ERR_not_running)
		rc = explain_silence(path, e);
	return rc;
}

enum err
client_ask(const struct command_context *c, const struct msg *question, struct bus_reply **reply, struct error *e)
{
	enum err rc = client_probe(c, question, reply, e);

	if (rc == ERR_not_running)
		rc = e->code = ERR_unavailable;
	return rc;
}

enum err
client_subscribe(const struct command_context *c, struct bus_subscriber **stream, struct error *e)
{
	char     path[BUS_PATH_SIZE];
	enum err rc = client_sibling(c, "events.ipc", path, e);

	if (rc != ERR_ok)
		return rc;
	bus_limit_threads();
	rc = bus_subscriber_open(path, stream, e);
	if (rc == ERR_not_running) {
		(void)explain_silence(path, e);
		rc = e->code == ERR_not_running ? ERR_unavailable : e->code;
	}
	return rc;
}

enum err
client_next(struct bus_reply *reply, struct msg *m, struct error *e)
{
	enum err rc = bus_reply_next(reply, m, e);
	enum err code;

	if (rc != ERR_ok || m->type != MSG_refused)
		return rc;
	code = err_by_name(m->body.refused.error);
	return err_set(e, code == ERR_ok || code == ERR_again ? ERR_refused : code, "%s", m->body.refused.reason);
}

enum err
client_do(const struct command_context *c, const struct msg *question, struct error *e)
{
	CLEANUP(bus_reply_cleanup) struct bus_reply *reply = NULL;
	struct msg m;
	enum err   rc = client_ask(c, question, &reply, e);

	if (rc != ERR_ok)
		return rc;
	while ((rc = client_next(reply, &m, e)) == ERR_ok)
		if (m.type == MSG_done) {
			output_text(c->out, "detail", m.body.done.detail);
			output_line(c->out, "%s", m.body.done.detail);
		}
	return rc == ERR_again ? output_finish(c->out, e) : rc;
}
