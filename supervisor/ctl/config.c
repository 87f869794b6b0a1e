/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config - the configuration as it would be read now.  Needs no daemon and no
 * database.
 */
#include "config.h"

#include <errno.h>
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "client.h"
#include "closest.h"

/* ------------------------------------------------------------------- check */
static enum err
count_mistakes(const struct config_complaints *complaints, enum err rc, struct error *e)
{
	for (size_t i = 0; i < complaints->count; i++)
		(void)fprintf(stderr, "%s\n", complaints->line[i]);
	if (rc != ERR_ok && complaints->count > 0)
		return err_set(e, rc, "%zu mistake%s in the configuration", complaints->count,
		    complaints->count == 1 ? "" : "s");
	return rc;
}

enum err
command_load_config(const struct command_context *c, struct config *cfg, struct error *e)
{
	struct config_complaints complaints = { 0 };
	enum err                 rc         = config_load(c->program_config, cfg, NULL, &complaints, e);

	rc = count_mistakes(&complaints, rc, e);
	config_complaints_free(&complaints);
	return rc;
}

enum err
command_config_check(const struct command_context *c, struct error *e)
{
	struct config_complaints complaints = { 0 };
	struct config            cfg;
	struct error             ignored = { 0 };
	enum err                 rc      = config_load(c->program_config, &cfg, NULL, &complaints, e);

	output_text(c->out, "file", c->program_config);
	output_bool(c->out, "ok", rc == ERR_ok);
	output_list_begin(c->out, "complaints");
	for (size_t i = 0; i < complaints.count; i++)
		output_text(c->out, NULL, complaints.line[i]);
	output_list_end(c->out);
	rc = count_mistakes(&complaints, rc, e);
	config_complaints_free(&complaints);
	if (rc == ERR_ok)
		output_line(c->out, "%s: no mistakes", c->program_config);
	return output_finish(c->out, rc == ERR_ok ? e : &ignored) == ERR_ok || rc != ERR_ok ? rc : e->code;
}

/* -------------------------------------------------------------------- show */
/* "database" and "database.conninfo" both name database.conninfo. */
static bool
is_within(const char *path, const char *wanted)
{
	size_t length = strlen(wanted);

	return strncmp(path, wanted, length) == 0 && (path[length] == '\0' || path[length] == '.');
}

static void
put_value(struct output *o, const char *key, const struct config *cfg, size_t index)
{
	char  text[CONFIG_VALUE_SIZE];
	char *end;
	long long number;

	(void)config_value(cfg, index, text);
	number = strtoll(text, &end, 10);
	if (config_desc(index)->type == CONFIG_INT && *end == '\0')
		output_number(o, key, number);
	else
		output_text(o, key, *text == '\0' && !output_is_json(o) ? "\"\"" : text);
}

/* What it resembles may be a setting or the beginning of some. */
static enum err
no_such_setting(const char *wanted, struct error *e)
{
	struct closest close;
	char           part[NEAREST_WORD_MAX], best[NEAREST_WORD_MAX];

	closest_begin(&close, wanted);
	for (size_t i = 0; i < config_count(); i++) {
		const char *path = config_desc(i)->path;

		for (size_t length = strcspn(path, "."); ; length += 1 + strcspn(path + length + 1, ".")) {
			(void)snprintf(part, sizeof(part), "%.*s", (int)length, path);
			if (closest_offer(&close, part))
				memcpy(best, part, sizeof(best));
			if (path[length] == '\0')
				break;
		}
	}
	if (close.best != NULL)
		return err_set(e, ERR_not_found, "%s: there is no such setting; did you mean %s?", wanted, best);
	return err_set(e, ERR_not_found, "%s: there is no such setting; see stewardctl help config", wanted);
}

static void
put_setting(struct output *o, const struct config *cfg, size_t index, const char *place, bool with_origin)
{
	output_item_begin(o);
	output_text(o, "path", config_desc(index)->path);
	put_value(o, "value", cfg, index);
	if (with_origin)
		output_text(o, "origin", place);
	output_item_end(o);
}

static enum err
put_settings(const struct command_context *c, const struct config *cfg, const struct config_origins *origins,
    struct error *e)
{
	const char *wanted = c->argc > 0 ? c->argv[0] : NULL;
	bool        known  = wanted == NULL;

	output_list_begin(c->out, "items");
	for (size_t i = 0; i < config_count(); i++) {
		const char *place  = origins->place[i];
		bool        is_set = strcmp(place, "default") != 0;

		if (wanted != NULL && !is_within(config_desc(i)->path, wanted))
			continue;
		known = true;
		/* Who names a setting wants to see it. */
		if (is_set || c->effective || wanted != NULL)
			put_setting(c->out, cfg, i, place, c->origin);
	}
	output_list_end(c->out);
	return known ? ERR_ok : no_such_setting(wanted, e);
}

enum err
command_config_show(const struct command_context *c, struct error *e)
{
	struct config_complaints complaints = { 0 };
	struct config_origins    origins    = { 0 };
	struct config            cfg;
	enum err                 rc = config_load(c->program_config, &cfg, &origins, &complaints, e);

	rc = count_mistakes(&complaints, rc, e);
	if (rc == ERR_ok)
		rc = put_settings(c, &cfg, &origins, e);
	config_complaints_free(&complaints);
	config_origins_free(&origins);
	if (rc != ERR_ok)
		return rc;
	output_table(c->out, "items", c->origin ? "setting=path,value,origin" : "setting=path,value");
	return output_finish(c->out, e);
}

/* -------------------------------------------------------------------- diff */
enum err
command_config_diff(const struct command_context *c, struct error *e)
{
	struct config cfg, defaults;
	size_t        count = 0;
	enum err      rc    = command_load_config(c, &cfg, e);

	if (rc != ERR_ok)
		return rc;
	config_defaults(&defaults);
	output_list_begin(c->out, "items");
	for (size_t i = 0; i < config_count(); i++) {
		if (!config_differs(&cfg, &defaults, i))
			continue;
		output_item_begin(c->out);
		output_text(c->out, "path", config_desc(i)->path);
		put_value(c->out, "default", &defaults, i);
		put_value(c->out, "value", &cfg, i);
		output_item_end(c->out);
		count++;
	}
	output_list_end(c->out);
	if (count > 0)
		output_table(c->out, "items", "setting=path,default,value");
	rc = output_finish(c->out, e);
	return rc == ERR_ok && count > 0 ? ERR_refused : rc;
}

/* ------------------------------------------------------------------- paths */
static void
put_path(struct output *o, const char *name, const char *path)
{
	output_item_begin(o);
	output_text(o, "name", name);
	output_text(o, "path", path);
	output_bool(o, "exists", access(path, F_OK) == 0);
	output_item_end(o);
}

/* conf.d stands beside the file. */
static void
put_conf_d(struct output *o, const char *file)
{
	const char *slash     = strrchr(file, '/');
	int         length    = slash != NULL ? (int)(slash - file) : 1;
	const char *directory = slash != NULL ? file : ".";
	char        pattern[4096];
	glob_t      found;

	(void)snprintf(pattern, sizeof(pattern), "%.*s/conf.d", length, directory);
	put_path(o, "conf.d", pattern);
	(void)snprintf(pattern, sizeof(pattern), "%.*s/conf.d/*.conf", length, directory);
	if (glob(pattern, 0, NULL, &found) != 0)
		return;
	for (size_t i = 0; i < found.gl_pathc; i++)
		put_path(o, "", found.gl_pathv[i]);
	globfree(&found);
}

enum err
command_config_paths(const struct command_context *c, struct error *e)
{
	struct config cfg;
	char          socket[BUS_PATH_SIZE], events[BUS_PATH_SIZE];
	enum err      rc = client_socket(c, socket, e);

	if (rc == ERR_ok)
		rc = client_sibling(c, "events.ipc", events, e);
	if (rc != ERR_ok)
		return rc;
	config_defaults(&cfg);
	if (c->config_given || access(c->program_config, R_OK) == 0)
		rc = command_load_config(c, &cfg, e);
	if (rc != ERR_ok)
		return rc;
	output_list_begin(c->out, "items");
	put_path(c->out, "configuration", c->program_config);
	put_conf_d(c->out, c->program_config);
	put_path(c->out, "run_directory", cfg.run_directory);
	put_path(c->out, "control", socket);
	put_path(c->out, "events", events);
	put_path(c->out, "libexec_directory", cfg.supervisor_libexec_directory);
	if (cfg.database_password_file[0] != '\0')
		put_path(c->out, "password_file", cfg.database_password_file);
	output_list_end(c->out);
	output_table(c->out, "items", "name,path,exists");
	return output_finish(c->out, e);
}

/* ------------------------------------------------------------------ sample */
enum err
command_config_sample(const struct command_context *c, struct error *e)
{
	(void)c;
	if (config_write_sample(STDOUT_FILENO) != 0)
		return err_errno(e, "standard output");
	return ERR_ok;
}
