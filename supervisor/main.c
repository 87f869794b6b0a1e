/* SPDX-License-Identifier: Apache-2.0 */
/*
 * steward - starts workers, watches them, restarts what dies, and answers.
 *
 * This process has no database and no business word: what restarts others must
 * have nothing to crash on.
 */
#include <errno.h>
#include <getopt.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "life.h"

static const char default_config[] = "/etc/steward/steward.conf";

static const char usage[] =
    "usage: steward [-c FILE] [--check] [--version] [--help]\n"
    "\n"
    "Runs the workers that FILE configures, in the foreground, until SIGTERM.\n"
    "\n"
    "  -c, --config FILE  read this configuration (default: /etc/steward/steward.conf)\n"
    "      --check        say what is wrong with the configuration, and end\n"
    "      --version      print the version, and end\n"
    "  -h, --help         print this, and end\n"
    "\n"
    "SIGHUP reloads, SIGTERM and SIGINT drain and end, a second one ends at once.\n"
    "See stewardctl for everything else.\n";

static int
fail(const struct error *e)
{
	(void)fprintf(stderr, "steward: %s\n", e->text);
	return err_exit_status(e->code);
}

/* Workers get the same path, and nobody's working directory shall matter. */
static enum err
make_absolute(const char *path, char absolute[PATH_MAX], struct error *e)
{
	char directory[PATH_MAX];
	int  length;

	if (path[0] == '/')
		directory[0] = '\0';
	else if (getcwd(directory, sizeof(directory)) == NULL)
		return err_errno(e, "find the working directory");
	length = snprintf(absolute, PATH_MAX, "%s%s%s", directory, path[0] == '/' ? "" : "/", path);
	if (length >= PATH_MAX)
		return err_set(e, ERR_usage, "the path %s is too long", path);
	return ERR_ok;
}

static void
print_complaints(const struct config_complaints *list)
{
	for (size_t i = 0; i < list->count; i++)
		(void)fprintf(stderr, "%s\n", list->line[i]);
}

static int
load(const char *path, struct config *cfg)
{
	struct config_complaints complaints = { 0 };
	struct error             e          = { 0 };
	enum err                 err        = config_load(path, cfg, NULL, &complaints, &e);

	print_complaints(&complaints);
	if (err != ERR_ok && complaints.count == 0)
		(void)fprintf(stderr, "%s\n", e.text);
	config_complaints_free(&complaints);
	return err_exit_status(err);
}

static int
run(const char *path)
{
	/* Outlives main: the threads of nng run until the process is gone. */
	static struct supervisor self;
	struct supervisor       *s = &self;
	struct error             e = { 0 };
	int                      status;

	(void)snprintf(s->config_path, sizeof(s->config_path), "%s", path);
	status = load(s->config_path, &s->config);
	if (status == 0 && geteuid() == 0) {
		if (life_become(s, &e) != ERR_ok)
			return fail(&e);
		/* Again, as the user who will reload it and whose workers read it. */
		status = load(s->config_path, &s->config);
	}
	if (status != 0)
		return status;
	if (life_begin(s, &e) != ERR_ok)
		status = fail(&e);
	else
		life_go_on(s);
	life_end(s);
	return status;
}

static int
check(const char *path)
{
	struct config cfg;
	int           status = load(path, &cfg);

	if (status == 0)
		(void)printf("%s: ok\n", path);
	return status;
}

int
main(int argc, char *argv[])
{
	static const struct option options[] = {
		{ "config",  required_argument, NULL, 'c' },
		{ "check",   no_argument,       NULL, 'k' },
		{ "version", no_argument,       NULL, 'v' },
		{ "help",    no_argument,       NULL, 'h' },
		{ NULL,      0,                 NULL, 0   },
	};
	const char  *config     = default_config;
	bool         check_only = false;
	char         path[PATH_MAX];
	struct error e = { 0 };
	int          option;

	while ((option = getopt_long(argc, argv, "c:h", options, NULL)) != -1) {
		switch (option) {
		case 'c':
			config = optarg;
			break;
		case 'k':
			check_only = true;
			break;
		case 'v':
			return printf("steward %s\n", STEWARD_VERSION) < 0;
		case 'h':
			return fputs(usage, stdout) < 0;
		default:
			(void)fputs("try: steward --help\n", stderr);
			return err_exit_status(ERR_usage);
		}
	}
	if (optind < argc) {
		(void)fprintf(stderr, "steward: unexpected argument %s\ntry: steward --help\n", argv[optind]);
		return err_exit_status(ERR_usage);
	}
	if (check_only)
		return check(config);
	if (make_absolute(config, path, &e) != ERR_ok)
		return fail(&e);
	return run(path);
}
