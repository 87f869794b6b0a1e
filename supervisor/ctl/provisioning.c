/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stewardctl provisioning - what operators ask and do about the queue.  The
 * questions and the deeds are functions of the database; here they get a
 * command line, and "the answer is no" an exit status.
 */
#include <stdio.h>
#include <string.h>

#include "ask.h"
#include "quantity.h"
#include "rows.h"

enum { BACKFILL_BATCH = 100 };

/* "5m" as an interval that PostgreSQL reads; `text` NULL: `fallback`. */
static enum err
read_age(const char *option, const char *text, const char *fallback, char interval[32], struct error *e)
{
	int64_t seconds;

	if (text == NULL) {
		(void)snprintf(interval, 32, "%s", fallback);
		return ERR_ok;
	}
	if (quantity_parse(text, "s", &seconds) != QUANTITY_ok || seconds < 0)
		return err_set(e, ERR_usage, "%s: \"%s\" is not %s", option, text, quantity_hint("s"));
	(void)snprintf(interval, 32, "%" PRId64 " seconds", seconds);
	return ERR_ok;
}

/* Whether any row says no; NULL says nothing. */
static bool
has_no(const struct db_result *r)
{
	for (int row = 0; row < db_rows(r); row++) {
		const char *ok = db_named_text(r, row, "ok");

		if (ok != NULL && strcmp(ok, "f") == 0)
			return true;
	}
	return false;
}

/* Rows that say neither; an empty window leaves most of them. */
static int
count_unjudged(const struct db_result *r)
{
	int count = 0;

	for (int row = 0; row < db_rows(r); row++)
		count += db_named_text(r, row, "ok") == NULL;
	return count;
}

/* ---------------------------------------------------------------- health */
static void
print_performance(struct output *o, const struct db_result *r)
{
	const char *rate = db_named_text(r, 0, "success_rate_pct");

	output_object_begin(o, "performance");
	rows_put(o, r, 0);
	output_object_end(o);
	if (rate == NULL)
		output_line(o, "no job in the last 24 hours");
	else
		output_line(o, "last 24 hours: %s jobs, %s %% completed, average %s s, 95th percentile %s s",
		    db_named_text(r, 0, "total"), rate, rows_text(r, 0, "avg_seconds", "-"),
		    rows_text(r, 0, "p95_seconds", "-"));
}

static void
print_alerts(struct output *o, const struct db_result *r)
{
	int64_t waiting = db_rows(r) > 0 ? db_int8(r, 0, "waiting", 0) : 0;

	output_number(o, "alerts_waiting", waiting);
	if (waiting > 0)
		output_tinted(o, TONE_warn, "%" PRId64 " alerts to administrators are not delivered", waiting);
}

static enum err
health(const struct command_context *c, const struct admin *a, struct error *e)
{
	CLEANUP(ask_cleanup) struct ask ask = { 0 };
	CLEANUP(db_result_cleanup) struct db_result *statuses    = NULL;
	CLEANUP(db_result_cleanup) struct db_result *performance = NULL;
	CLEANUP(db_result_cleanup) struct db_result *alerts      = NULL;
	enum err rc = ask_begin(&ask, c, a, e);

	if (rc == ERR_ok)
		rc = ask_query(&ask, "SELECT * FROM steward.provisioning_health", NULL, &statuses, e);
	if (rc == ERR_ok)
		rc = ask_query(&ask, "SELECT * FROM steward.provisioning_performance", NULL, &performance, e);
	if (rc == ERR_ok)
		rc = ask_query(&ask, "SELECT * FROM steward.alerts_waiting()", NULL, &alerts, e);
	if (rc != ERR_ok)
		return rc;
	rows_print_list(c->out, statuses, NULL, "the queue is empty");
	print_performance(c->out, performance);
	print_alerts(c->out, alerts);
	return output_finish(c->out, e);
}

/* ----------------------------------------------------------------- lists */
static enum err
errors(const struct command_context *c, const struct admin *a, struct error *e)
{
	CLEANUP(ask_cleanup) struct ask ask = { 0 };
	CLEANUP(db_result_cleanup) struct db_result *jobs   = NULL;
	CLEANUP(db_result_cleanup) struct db_result *groups = NULL;
	enum err rc = ask_begin(&ask, c, a, e);

	if (rc == ERR_ok)
		rc = ask_query(&ask, "SELECT * FROM steward.provisioning_errors", NULL, &jobs, e);
	if (rc == ERR_ok)
		rc = ask_query(&ask, "SELECT * FROM steward.provisioning_error_groups", NULL, &groups, e);
	if (rc != ERR_ok)
		return rc;
	rows_put_list(c->out, "groups", groups);
	for (int i = 0; i < db_rows(groups) && !output_has_fields(c->out); i++)
		output_line(c->out, "%s x %s\n    class:  %s\n    cause:  %s\n    remedy: %s",
		    db_named_text(groups, i, "count"), rows_text(groups, i, "last_error", "no error text"),
		    db_named_text(groups, i, "class"), db_named_text(groups, i, "cause"),
		    db_named_text(groups, i, "remedy"));
	rows_print_list(c->out, jobs, "id,match_id,status,attempt_count,last_error_at,last_error", "no job failed in the last 24 hours");
	return output_finish(c->out, e);
}

static enum err
stuck(const struct command_context *c, const struct admin *a, struct error *e)
{
	CLEANUP(ask_cleanup) struct ask ask = { 0 };
	CLEANUP(db_result_cleanup) struct db_result *locks = NULL;
	CLEANUP(db_result_cleanup) struct db_result *stale = NULL;
	enum err rc = ask_begin(&ask, c, a, e);

	if (rc == ERR_ok)
		rc = ask_query(&ask, "SELECT * FROM steward.provisioning_stuck", NULL, &locks, e);
	if (rc == ERR_ok)
		rc = ask_query(&ask, "SELECT * FROM steward.provisioning_stale", NULL, &stale, e);
	if (rc != ERR_ok)
		return rc;
	rows_print_list(c->out, locks, NULL, "no job is locked for more than two minutes");
	rows_put_list(c->out, "stale", stale);
	for (int i = 0; i < db_rows(stale) && !output_has_fields(c->out); i++)
		output_line(c->out, "%s is pending for %s: %s", db_named_text(stale, i, "id"),
		    db_named_text(stale, i, "waiting"), db_named_text(stale, i, "cause"));
	return output_finish(c->out, e);
}

static enum err
list(const struct command_context *c, const struct admin *a, struct error *e)
{
	CLEANUP(ask_cleanup) struct ask ask = { 0 };
	CLEANUP(db_result_cleanup) struct db_result *r = NULL;
	enum err rc = ask_begin(&ask, c, a, e);

	if (rc == ERR_ok)
		rc = ask_query(&ask, "SELECT * FROM steward.provisioning_list", NULL, &r, e);
	if (rc != ERR_ok)
		return rc;
	rows_print_list(c->out, r, "id,match_id,status,attempt_count,created_at,last_error", "the queue is empty");
	return output_finish(c->out, e);
}

static enum err
show(const struct command_context *c, const struct admin *a, struct error *e)
{
	CLEANUP(ask_cleanup) struct ask ask = { 0 };
	CLEANUP(db_result_cleanup) struct db_result *r = NULL;
	enum err rc = ask_begin(&ask, c, a, e);

	if (rc == ERR_ok)
		rc = ask_query(&ask, "SELECT * FROM steward.provisioning_show($1)", c->argv[0], &r, e);
	if (rc != ERR_ok)
		return rc;
	if (db_rows(r) == 0)
		return err_set(e, ERR_not_found, "there is no job, and no match with a job, %s", c->argv[0]);
	rows_put(c->out, r, 0);
	for (int i = 0; i < db_columns(r); i++)
		output_line(c->out, "%-16s %s", db_column_name(r, i), rows_text(r, 0, db_column_name(r, i), "-"));
	return output_finish(c->out, e);
}

/* ----------------------------------------------------------------- deeds */
static enum err
retry(const struct command_context *c, const struct admin *a, struct error *e)
{
	CLEANUP(ask_cleanup) struct ask ask = { 0 };
	CLEANUP(db_result_cleanup) struct db_result *r = NULL;
	enum err rc = ask_begin(&ask, c, a, e);

	if (rc == ERR_ok)
		rc = ask_query(&ask, "SELECT * FROM steward.provisioning_retry($1)", c->argv[0], &r, e);
	if (rc != ERR_ok)
		return rc;
	if (db_rows(r) == 0)
		return err_set(e, ERR_not_found, "there is no job, and no match with a job, %s", c->argv[0]);
	rows_put(c->out, r, 0);
	output_tinted(c->out, has_no(r) ? TONE_bad : TONE_plain, "%s", db_named_text(r, 0, "detail"));
	return ask_answer(c, has_no(r), e);
}

static enum err
unstick(const struct command_context *c, const struct admin *a, struct error *e)
{
	CLEANUP(ask_cleanup) struct ask ask = { 0 };
	CLEANUP(db_result_cleanup) struct db_result *r = NULL;
	char     older[32];
	enum err rc = read_age("--older", c->older, "5 minutes", older, e);

	if (rc == ERR_ok)
		rc = ask_begin(&ask, c, a, e);
	if (rc == ERR_ok)
		rc = ask_query(&ask, "SELECT * FROM steward.provisioning_unstick($1)", older, &r, e);
	if (rc != ERR_ok)
		return rc;
	rows_print_list(c->out, r, NULL, "nothing to free");
	return output_finish(c->out, e);
}

/* One batch into the list that is open; *more is false once there is nothing left that can be queued. */
static enum err
backfill_batch(struct ask *ask, int64_t *queued, bool *more, struct error *e)
{
	CLEANUP(db_result_cleanup) struct db_result *r = NULL;
	char     batch[16];
	int64_t  before = *queued;
	enum err rc;

	(void)snprintf(batch, sizeof(batch), "%d", BACKFILL_BATCH);
	rc = ask_query(ask, "SELECT * FROM steward.provisioning_backfill($1)", batch, &r, e);
	if (rc != ERR_ok)
		return rc;
	for (int row = 0; row < db_rows(r); row++)
		*queued += db_named_text(r, row, "job_id") != NULL;
	*more = *queued > before;
	for (int row = 0; row < db_rows(r); row++) {
		const char *trouble = db_named_text(r, row, "trouble");

		/* What is refused comes again with every batch and is told with the last one. */
		if (db_named_text(r, row, "job_id") == NULL && (*more || trouble == NULL))
			continue;
		output_item_begin(ask->c->out);
		rows_put(ask->c->out, r, row);
		output_item_end(ask->c->out);
		if (trouble != NULL)
			output_tinted(ask->c->out, TONE_bad, "%s", trouble);
	}
	return ERR_ok;
}

/* A dry run does it all in a transaction that it then rolls back. */
static enum err
backfill(const struct command_context *c, const struct admin *a, struct error *e)
{
	CLEANUP(ask_cleanup) struct ask ask = { 0 };
	int64_t  queued = 0;
	bool     more   = true;
	enum err rc     = ask_begin(&ask, c, a, e);

	if (rc == ERR_ok && c->dry_run)
		rc = db_script(ask.db, "BEGIN", e);
	output_list_begin(c->out, "items");
	while (rc == ERR_ok && more)
		rc = backfill_batch(&ask, &queued, &more, e);
	output_list_end(c->out);
	if (rc == ERR_ok && c->dry_run)
		rc = db_script(ask.db, "ROLLBACK", e);
	if (rc != ERR_ok)
		return rc;
	output_number(c->out, "queued", queued);
	output_line(c->out, "%" PRId64 " matches %s", queued, c->dry_run ? "would be queued" : "queued");
	return output_finish(c->out, e);
}

/* -------------------------------------------------------------- verdicts */
static enum err
verify(const struct command_context *c, const struct admin *a, struct error *e)
{
	CLEANUP(ask_cleanup) struct ask ask = { 0 };
	CLEANUP(db_result_cleanup) struct db_result *r = NULL;
	enum err rc = ask_begin(&ask, c, a, e);

	if (rc == ERR_ok)
		rc = ask_query(&ask, "SELECT * FROM steward.provisioning_verify($1)", c->argv[0], &r, e);
	if (rc != ERR_ok)
		return rc;
	if (db_rows(r) == 0)
		return err_set(e, ERR_not_found, "there is no match %s", c->argv[0]);
	rows_put_list(c->out, "items", r);
	for (int i = 0; i < db_rows(r); i++) {
		bool ok = db_bool(r, i, "ok");

		output_tinted(c->out, ok ? TONE_good : TONE_bad, "[%c] %-11s %s", ok ? 'x' : ' ',
		    db_named_text(r, i, "tick"), db_named_text(r, i, "detail"));
	}
	return ask_answer(c, has_no(r), e);
}

static enum err
accept(const struct command_context *c, const struct admin *a, struct error *e)
{
	CLEANUP(ask_cleanup) struct ask ask = { 0 };
	CLEANUP(db_result_cleanup) struct db_result *r = NULL;
	char     window[32];
	enum err rc = read_age("--window", c->window, "24 hours", window, e);

	if (rc == ERR_ok)
		rc = ask_begin(&ask, c, a, e);
	if (rc == ERR_ok)
		rc = ask_query(&ask, "SELECT * FROM steward.provisioning_accept($1)", window, &r, e);
	if (rc != ERR_ok)
		return rc;
	rows_print_list(c->out, r, NULL, "there is no criterion");
	output_bool(c->out, "accepted", !has_no(r));
	output_number(c->out, "not_judged", count_unjudged(r));
	output_line(c->out, "%s, %d of %d not judged", has_no(r) ? "not accepted" : "accepted", count_unjudged(r),
	    db_rows(r));
	return ask_answer(c, has_no(r), e);
}

/* -------------------------------------------------------------- commands */
#define COMMAND_OF(verb)                                                                    \
	enum err command_provisioning_##verb(const struct command_context *c, struct error *e) \
	{                                                                                   \
		return admin_run_login(c, verb, e);                                         \
	}
COMMAND_OF(health)
COMMAND_OF(errors)
COMMAND_OF(stuck)
COMMAND_OF(list)
COMMAND_OF(show)
COMMAND_OF(retry)
COMMAND_OF(unstick)
COMMAND_OF(backfill)
COMMAND_OF(verify)
COMMAND_OF(accept)
