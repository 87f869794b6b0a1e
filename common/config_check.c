/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The rules that no single row of config.def can state, one `if` each.  A rule
 * about a value that was refused already is not asked.
 */
#include <stdio.h>
#include <string.h>

#include "config_draft.h"
#include "log.h"

enum { SOCKET_PATH_MAX = 99, CPU_MAX = 1023 };

static bool
may_judge(const struct config_draft *d, size_t a, size_t b)
{
	return !d->mark[a].is_refused && !d->mark[b].is_refused;
}

/* "<a> is 5 ms; it must <rule> <b>, 3 ms", said where one of the two was set. */
static void
complain_pair(struct config_draft *d, size_t a, size_t b, const char *rule)
{
	const char *place = d->mark[a].place == NULL ? d->mark[b].place : d->mark[a].place;

	draft_complain(d, (struct config_place){ place == NULL ? "default" : place, 0 },
	    "%s is %" PRId64 " %s; it must %s %s, %" PRId64 " %s", config_desc(a)->path, *config_int(&d->cfg, a),
	    config_desc(a)->unit, rule, config_desc(b)->path, *config_int(&d->cfg, b), config_desc(b)->unit);
}

static void
check_order(struct config_draft *d, size_t low, size_t high)
{
	if (may_judge(d, low, high) && *config_int(&d->cfg, low) > *config_int(&d->cfg, high))
		complain_pair(d, low, high, "not be above");
}

static void
check_absolute(struct config_draft *d, size_t index)
{
	const char *path = config_text(&d->cfg, index);

	if (may_judge(d, index, index) && path[0] != '/')
		draft_refuse(d, index, "%s is \"%s\"; it must begin with a /", config_desc(index)->path, path);
}

/* The longest "/worker/<kind>.<slot>.ipc". */
static size_t
longest_socket(void)
{
	size_t longest = 0;

	for (size_t kind = 0; kind < WORKER_COUNT; kind++) {
		size_t index  = config_kind_row((enum worker_kind)kind, KIND_ROW_processes);
		int    length = snprintf(NULL, 0, "/worker/%s.%" PRId64 ".ipc", worker_desc((enum worker_kind)kind)->name,
		       config_desc(index)->max - 1);

		longest = MAX(longest, (size_t)length);
	}
	return longest;
}

static void
check_run_directory(struct config_draft *d)
{
	size_t length  = strlen(d->cfg.run_directory);
	size_t allowed = SOCKET_PATH_MAX - longest_socket();

	check_absolute(d, ROW_run_directory);
	if (may_judge(d, ROW_run_directory, ROW_run_directory) && length > allowed)
		draft_refuse(d, ROW_run_directory,
		    "run_directory is %zu bytes long; allowed: up to %zu, as the sockets' paths go on after it", length,
		    allowed);
}

/* A processor number; `*p` moves behind it. */
static bool
pass_cpu(const char **p, int *cpu)
{
	const char *start = *p;

	for (*cpu = 0; **p >= '0' && **p <= '9' && *cpu <= CPU_MAX; (*p)++)
		*cpu = *cpu * 10 + (**p - '0');
	return *p > start && *cpu <= CPU_MAX;
}

/* "0-1,3"; the empty text too. */
static bool
is_cpu_list(const char *p)
{
	if (*p == '\0')
		return true;
	for (;; p++) {
		int first, last;

		if (!pass_cpu(&p, &first))
			return false;
		last = first;
		if (*p == '-') {
			p++;
			if (!pass_cpu(&p, &last))
				return false;
		}
		if (last < first)
			return false;
		if (*p != ',')
			return *p == '\0';
	}
}

void
config_check(struct config_draft *d)
{
	const struct config *cfg = &d->cfg;
	enum log_level       level;
	enum log_format      format;

	check_order(d, ROW_database_retry_min, ROW_database_retry_max);
	check_order(d, ROW_supervisor_restart_delay_min, ROW_supervisor_restart_delay_max);
	if (may_judge(d, ROW_supervisor_hang_timeout, ROW_supervisor_heartbeat) &&
	    cfg->supervisor_hang_timeout <= 2 * cfg->supervisor_heartbeat)
		complain_pair(d, ROW_supervisor_hang_timeout, ROW_supervisor_heartbeat, "be more than twice");
	check_run_directory(d);
	check_absolute(d, ROW_supervisor_libexec_directory);
	if (may_judge(d, ROW_log_level, ROW_log_level) && !log_level_by_name(cfg->log_level, &level))
		draft_refuse(d, ROW_log_level, "log.level is \"%s\"; allowed: %s", cfg->log_level,
		    config_desc(ROW_log_level)->meaning);
	if (may_judge(d, ROW_log_format, ROW_log_format) && !log_format_by_name(cfg->log_format, &format))
		draft_refuse(d, ROW_log_format, "log.format is \"%s\"; allowed: auto, logfmt or json", cfg->log_format);
	for (size_t kind = 0; kind < WORKER_COUNT; kind++) {
		size_t index = config_kind_row((enum worker_kind)kind, KIND_ROW_cpu_affinity);

		if (may_judge(d, index, index) && !is_cpu_list(cfg->workers[kind].cpu_affinity))
			draft_refuse(d, index, "%s is \"%s\"; it takes processors from 0 to %d, as in \"0-1,3\"",
			    config_desc(index)->path, cfg->workers[kind].cpu_affinity, CPU_MAX);
	}
}
