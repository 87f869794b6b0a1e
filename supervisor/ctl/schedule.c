/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stewardctl schedule - the jobs that have their time.  A run by hand needs no
 * worker: it is performed in the session of this command.
 */
#include <stdio.h>
#include <string.h>

#include "ask.h"
#include "closest.h"
#include "rows.h"

/* A job whose own run goes on is not overdue: it waits for that one. */
#define JOBS                                                                                           \
	"SELECT *, COALESCE(next_at < steward.now() - interval '1 minute'"                            \
	"                   AND last_status IS DISTINCT FROM 'running', false) AS overdue"            \
	"  FROM steward.schedule_list()"
#define RUNS "job,scheduled_at,status,duration_ms,rows,message"

enum { SLOTS = 5, SLOTS_MAX = 1000 };

static enum err
require_job(struct ask *ask, const char *name, struct error *e)
{
	CLEANUP(db_result_cleanup) struct db_result *r = NULL;
	struct closest closest;
	enum err       rc = ask_query(ask, "SELECT name FROM steward.schedule_list()", NULL, &r, e);

	if (rc != ERR_ok)
		return rc;
	closest_begin(&closest, name);
	for (int row = 0; row < db_rows(r); row++) {
		if (strcmp(db_text(r, row, 0), name) == 0)
			return ERR_ok;
		(void)closest_offer(&closest, db_text(r, row, 0));
	}
	if (closest.best != NULL)
		return err_set(e, ERR_not_found, "there is no job \"%s\"; did you mean \"%s\"?", name, closest.best);
	return err_set(e, ERR_not_found, "there is no job \"%s\"; see: stewardctl schedule list", name);
}

/* Connect, and look for the job of the first operand, when there is one. */
static enum err
begin(struct ask *ask, const struct command_context *c, const struct admin *a, struct error *e)
{
	enum err rc = ask_begin(ask, c, a, e);

	return rc == ERR_ok && c->argc > 0 ? require_job(ask, c->argv[0], e) : rc;
}

/* ------------------------------------------------------------- questions */
static void
tell_overdue(struct output *o, const struct db_result *jobs)
{
	for (int i = 0; i < db_rows(jobs) && !output_has_fields(o); i++)
		if (db_bool(jobs, i, "overdue"))
			output_tinted(o, TONE_warn, "%s is overdue: no worker %s takes it; see: stewardctl status",
			    db_named_text(jobs, i, "name"), db_named_text(jobs, i, "worker"));
}

static enum err
list(const struct command_context *c, const struct admin *a, struct error *e)
{
	CLEANUP(ask_cleanup) struct ask ask = { 0 };
	CLEANUP(db_result_cleanup) struct db_result *r = NULL;
	enum err rc = begin(&ask, c, a, e);

	if (rc == ERR_ok)
		rc = ask_query(&ask, JOBS, NULL, &r, e);
	if (rc != ERR_ok)
		return rc;
	rows_print_list(c->out, r, "name,worker,schedule,zone=time_zone,next_at,last=last_status", "no job");
	tell_overdue(c->out, r);
	return output_finish(c->out, e);
}

static enum err
show(const struct command_context *c, const struct admin *a, struct error *e)
{
	CLEANUP(ask_cleanup) struct ask ask = { 0 };
	CLEANUP(db_result_cleanup) struct db_result *job   = NULL;
	CLEANUP(db_result_cleanup) struct db_result *slots = NULL;
	CLEANUP(db_result_cleanup) struct db_result *runs  = NULL;
	char     time[ROWS_TIME_SIZE];
	enum err rc = begin(&ask, c, a, e);

	if (rc == ERR_ok)
		rc = ask_query(&ask, JOBS " WHERE name = $1", c->argv[0], &job, e);
	if (rc == ERR_ok)
		rc = ask_query(&ask, "SELECT * FROM steward.schedule_upcoming($1)", c->argv[0], &slots, e);
	if (rc == ERR_ok)
		rc = ask_query(&ask, "SELECT * FROM steward.schedule_history($1, most => 10)", c->argv[0], &runs, e);
	if (rc != ERR_ok)
		return rc;
	rows_put(c->out, job, 0);
	for (int i = 0; i < db_columns(job); i++)
		output_line(c->out, "%-16s %s", db_column_name(job, i), rows_shown(job, 0, i, time));
	rows_put_list(c->out, "upcoming", slots);
	for (int i = 0; i < db_rows(slots); i++)
		output_line(c->out, "%-16s %s", i == 0 ? "upcoming" : "", db_named_text(slots, i, "local_time"));
	rows_put_list(c->out, "history", runs);
	if (db_rows(runs) == 0 && !output_has_fields(c->out))
		output_line(c->out, "%-16s %s", "history", "no run yet");
	else
		output_table(c->out, "history", RUNS);
	tell_overdue(c->out, job);
	return output_finish(c->out, e);
}

static enum err
next(const struct command_context *c, const struct admin *a, struct error *e)
{
	CLEANUP(ask_cleanup) struct ask ask = { 0 };
	CLEANUP(db_result_cleanup) struct db_result *job   = NULL;
	CLEANUP(db_result_cleanup) struct db_result *slots = NULL;
	char        most[24];
	const char *values[] = { c->argv[0], most };
	int64_t     count    = SLOTS;
	enum err    rc       = ERR_ok;

	if (c->argc > 1)
		rc = command_number("N", c->argv[1], 1, SLOTS_MAX, &count, e);
	if (rc == ERR_ok)
		rc = begin(&ask, c, a, e);
	(void)snprintf(most, sizeof(most), "%" PRId64, count);
	if (rc == ERR_ok)
		rc = ask_query(&ask, JOBS " WHERE name = $1", c->argv[0], &job, e);
	if (rc == ERR_ok)
		rc = ask_query_with(&ask, "SELECT * FROM steward.schedule_upcoming($1, $2::int)", values, COUNT_OF(values), &slots, e);
	if (rc != ERR_ok)
		return rc;
	output_bool(c->out, "enabled", db_bool(job, 0, "enabled"));
	if (!db_bool(job, 0, "enabled") && !output_has_fields(c->out))
		output_tinted(c->out, TONE_warn, "%s is disabled; its slots would be:", c->argv[0]);
	rows_print_list(c->out, slots, NULL, "no slot");
	return output_finish(c->out, e);
}

static enum err
history(const struct command_context *c, const struct admin *a, struct error *e)
{
	CLEANUP(ask_cleanup) struct ask ask = { 0 };
	CLEANUP(db_result_cleanup) struct db_result *r = NULL;
	const char *values[] = { c->argc > 0 ? c->argv[0] : NULL, c->failed ? "failed" : NULL };
	enum err    rc       = begin(&ask, c, a, e);

	if (rc == ERR_ok)
		rc = ask_query_with(&ask, "SELECT * FROM steward.schedule_history($1, $2)", values, COUNT_OF(values), &r, e);
	if (rc != ERR_ok)
		return rc;
	rows_print_list(c->out, r, RUNS, c->failed ? "no run failed" : "no run yet");
	return output_finish(c->out, e);
}

/* ----------------------------------------------------------------- deeds */
static enum err
set(const struct command_context *c, const struct admin *a, const char *enabled, struct error *e)
{
	CLEANUP(ask_cleanup) struct ask ask = { 0 };
	CLEANUP(db_result_cleanup) struct db_result *r = NULL;
	const char *values[] = { c->argv[0], enabled, a->caller };
	char        time[ROWS_TIME_SIZE];
	bool        is_enabled;
	enum err    rc = begin(&ask, c, a, e);

	if (rc == ERR_ok)
		rc = ask_query_with(&ask, "SELECT name, enabled, next_at FROM steward.job_enable($1, $2::boolean, $3)", values,
		    COUNT_OF(values), &r, e);
	if (rc != ERR_ok)
		return rc;
	rows_put(c->out, r, 0);
	is_enabled = db_bool(r, 0, "enabled");
	output_line(c->out, "%s is %s%s", c->argv[0], is_enabled ? "enabled and runs next at " : "disabled",
	    is_enabled ? rows_shown(r, 0, 2, time) : "");
	return output_finish(c->out, e);
}

static enum err
enable(const struct command_context *c, const struct admin *a, struct error *e)
{
	return set(c, a, "true", e);
}

static enum err
disable(const struct command_context *c, const struct admin *a, struct error *e)
{
	return set(c, a, "false", e);
}

/* Two statements, so that others see the run while it goes on; `run` gets its id. */
static enum err
run_to_the_end(struct ask *ask, const char *name, const char *caller, char run[40], struct error *e)
{
	CLEANUP(db_result_cleanup) struct db_result *started   = NULL;
	CLEANUP(db_result_cleanup) struct db_result *performed = NULL;
	const char *start[]   = { name, caller };
	const char *perform[] = { run, caller };
	enum err    rc = ask_query_with(ask, "SELECT steward.job_run_now($1, $2)", start, COUNT_OF(start), &started, e);

	if (rc != ERR_ok)
		return rc;
	(void)snprintf(run, 40, "%s", db_text(started, 0, 0));
	return ask_query_with(ask, "SELECT status FROM steward.job_perform($1, $2)", perform, COUNT_OF(perform), &performed, e);
}

static enum err
run(const struct command_context *c, const struct admin *a, struct error *e)
{
	CLEANUP(ask_cleanup) struct ask ask = { 0 };
	CLEANUP(db_result_cleanup) struct db_result *r = NULL;
	char        id[40];
	const char *values[] = { c->argv[0], id };
	const char *message;
	bool        completed;
	enum err    rc = begin(&ask, c, a, e);

	if (rc == ERR_ok)
		rc = run_to_the_end(&ask, c->argv[0], a->caller, id, e);
	if (rc == ERR_ok)
		rc = ask_query_with(&ask, "SELECT * FROM steward.schedule_history($1, most => 2147483647) WHERE id = $2::uuid",
		    values, COUNT_OF(values), &r, e);
	if (rc == ERR_ok && db_rows(r) == 0)
		rc = err_set(e, ERR_internal, "run %s is not in the history", id);
	if (rc != ERR_ok)
		return rc;
	rows_put(c->out, r, 0);
	completed = strcmp(db_named_text(r, 0, "status"), "completed") == 0;
	message   = rows_text(r, 0, "message", "");
	output_tinted(c->out, completed ? TONE_good : TONE_bad, "%s %s in %s ms, %s rows%s%s", c->argv[0],
	    db_named_text(r, 0, "status"), rows_text(r, 0, "duration_ms", "-"), rows_text(r, 0, "rows", "no"),
	    message[0] != '\0' ? ": " : "", message);
	return ask_answer(c, !completed, e);
}

/* -------------------------------------------------------------- commands */
#define COMMAND_OF(verb)                                                                \
	enum err command_schedule_##verb(const struct command_context *c, struct error *e) \
	{                                                                               \
		return admin_run_login(c, verb, e);                                     \
	}
COMMAND_OF(list)
COMMAND_OF(show)
COMMAND_OF(next)
COMMAND_OF(history)
COMMAND_OF(enable)
COMMAND_OF(disable)
COMMAND_OF(run)
