/* SPDX-License-Identifier: Apache-2.0 */
/*
 * stewardctl assignments - what waits and why, who has too much, what is late.
 * It only asks; deciding is the engine's and, through the api, its users'.
 */
#include <string.h>

#include "ask.h"
#include "rows.h"

#define STORY "at,event,person,detail"

/* One question whose answer is the list of the document. */
static enum err
print_list(const struct command_context *c, const struct admin *a, const char *sql, const char *columns, const char *none,
    struct error *e)
{
	CLEANUP(ask_cleanup) struct ask ask = { 0 };
	CLEANUP(db_result_cleanup) struct db_result *r = NULL;
	enum err rc = ask_begin(&ask, c, a, e);

	if (rc == ERR_ok)
		rc = ask_query(&ask, sql, NULL, &r, e);
	if (rc != ERR_ok)
		return rc;
	rows_print_list(c->out, r, columns, none);
	return output_finish(c->out, e);
}

/* ---------------------------------------------------------------- health */
static void
put_object(struct output *o, const char *key, const struct db_result *r)
{
	output_object_begin(o, key);
	rows_put(o, r, 0);
	output_object_end(o);
}

static void
print_queue(struct output *o, const struct db_result *r)
{
	const char *review = db_named_text(r, 0, "needs_review");

	put_object(o, "queue", r);
	if (db_int8(r, 0, "queue_depth", 0) == 0) {
		output_line(o, "nothing waits");
		return;
	}
	output_tinted(o, db_bool(r, 0, "alert") ? TONE_warn : TONE_plain, "%s wait, the first since %s; see: stewardctl assignments queue",
	    db_named_text(r, 0, "queue_depth"), db_named_text(r, 0, "since"));
	if (strcmp(review, "0") != 0)
		output_tinted(o, TONE_warn, "%s of them could not be given away in ten attempts: see why, free somebody, or assign them by hand", review);
}

static void
print_late(struct output *o, const struct db_result *r)
{
	const char *overdue  = db_named_text(r, 0, "overdue");
	const char *unserved = db_named_text(r, 0, "unserved");

	put_object(o, "late", r);
	output_tinted(o, strcmp(overdue, "0") == 0 ? TONE_plain : TONE_bad, "%s past the deadline%s", overdue,
	    strcmp(overdue, "0") == 0 ? "" : "; see: stewardctl assignments overdue");
	if (strcmp(unserved, "0") != 0)
		output_tinted(o, TONE_bad, "%s escalated to nobody: above them nobody is available", unserved);
}

static void
print_rate(struct output *o, const struct db_result *r)
{
	put_object(o, "escalations", r);
	if (db_named_text(r, 0, "escalation_pct") == NULL)
		output_line(o, "no assignment in the last 24 hours");
	else
		output_tinted(o, db_bool(r, 0, "alert") ? TONE_warn : TONE_plain, "last 24 hours: %s of %s assignments escalated, %s %%",
		    db_named_text(r, 0, "escalated"), db_named_text(r, 0, "assignments"), db_named_text(r, 0, "escalation_pct"));
}

static void
print_monitor(struct output *o, const struct db_result *r)
{
	put_object(o, "monitor", r);
	if (db_int8(r, 0, "runs", 0) == 0)
		output_tinted(o, TONE_warn, "no run of sla-monitoring in the last hour; see: stewardctl schedule show sla-monitoring");
	else
		output_tinted(o, db_bool(r, 0, "alert") ? TONE_warn : TONE_plain, "sla-monitoring: %s runs in the last hour, %s failed, average %s s",
		    db_named_text(r, 0, "runs"), db_named_text(r, 0, "failed"), db_named_text(r, 0, "avg_seconds"));
}

static enum err
health(const struct command_context *c, const struct admin *a, struct error *e)
{
	CLEANUP(ask_cleanup) struct ask ask = { 0 };
	CLEANUP(db_result_cleanup) struct db_result *queue      = NULL;
	CLEANUP(db_result_cleanup) struct db_result *late       = NULL;
	CLEANUP(db_result_cleanup) struct db_result *rate       = NULL;
	CLEANUP(db_result_cleanup) struct db_result *monitor    = NULL;
	CLEANUP(db_result_cleanup) struct db_result *compliance = NULL;
	enum err rc = ask_begin(&ask, c, a, e);

	if (rc == ERR_ok)
		rc = ask_query(&ask, "SELECT *, to_char(oldest AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SSZ') AS since FROM steward.queue_depth()",
		    NULL, &queue, e);
	if (rc == ERR_ok)
		rc = ask_query(&ask, "SELECT * FROM steward.overdue_count()", NULL, &late, e);
	if (rc == ERR_ok)
		rc = ask_query(&ask, "SELECT * FROM steward.escalation_rate()", NULL, &rate, e);
	if (rc == ERR_ok)
		rc = ask_query(&ask, "SELECT * FROM steward.sla_monitor_duration()", NULL, &monitor, e);
	if (rc == ERR_ok)
		rc = ask_query(&ask, "SELECT * FROM steward.sla_compliance()", NULL, &compliance, e);
	if (rc != ERR_ok)
		return rc;
	rows_print_list(c->out, compliance, "priority,completed,in_time,%=compliance_pct,target=target_pct,met=target_met", "");
	print_queue(c->out, queue);
	print_late(c->out, late);
	print_rate(c->out, rate);
	print_monitor(c->out, monitor);
	return output_finish(c->out, e);
}

/* ----------------------------------------------------------------- lists */
static enum err
queue(const struct command_context *c, const struct admin *a, struct error *e)
{
	return print_list(c, a, "SELECT * FROM steward.queue_list()",
	    "place,item=work_item_id,type=work_item_type,priority,unit,skills=required_skills,waiting_seconds,deadline=sla_deadline,attempts,review=needs_review,reason",
	    "nothing waits", e);
}

static enum err
overdue(const struct command_context *c, const struct admin *a, struct error *e)
{
	return print_list(c, a, "SELECT * FROM steward.overdue_list()",
	    "item=work_item_id,type=work_item_type,priority,status,assignee,unit,deadline=sla_deadline,overdue_seconds,escalated_to",
	    "nothing is past its deadline", e);
}

static enum err
escalations(const struct command_context *c, const struct admin *a, struct error *e)
{
	return print_list(c, a, "SELECT * FROM steward.escalation_list()",
	    "item=work_item_id,type=work_item_type,reason,from=escalated_from,to=escalated_to,age_seconds,acknowledged=acknowledged_at",
	    "no escalation is unresolved", e);
}

static enum err
load(const struct command_context *c, const struct admin *a, struct error *e)
{
	CLEANUP(ask_cleanup) struct ask ask = { 0 };
	CLEANUP(db_result_cleanup) struct db_result *people = NULL;
	CLEANUP(db_result_cleanup) struct db_result *units  = NULL;
	enum err rc = ask_begin(&ask, c, a, e);

	if (rc == ERR_ok)
		rc = ask_query(&ask, "SELECT * FROM steward.load_list()", NULL, &people, e);
	if (rc == ERR_ok)
		rc = ask_query(&ask, "SELECT * FROM steward.unit_capacity()", NULL, &units, e);
	if (rc != ERR_ok)
		return rc;
	rows_print_list(c->out, people,
	    "person,unit,availability=availability_status,has=current_assignment_count,limit=individual_wip_limit,%=utilization_pct,state",
	    "nobody has three quarters of the own limit");
	rows_put_list(c->out, "units", units);
	if (db_rows(units) > 0 && !output_has_fields(c->out)) {
		output_line(c->out, "%s", "");
		output_table(c->out, "units",
		    "unit=name_en,staff=total_staff,available=available_staff,has=current_assignment_count,limit=unit_wip_limit,%=utilization_pct,state");
	}
	return output_finish(c->out, e);
}

/* ------------------------------------------------------------------ item */
static enum err
show(const struct command_context *c, const struct admin *a, struct error *e)
{
	CLEANUP(ask_cleanup) struct ask ask = { 0 };
	CLEANUP(db_result_cleanup) struct db_result *places = NULL;
	CLEANUP(db_result_cleanup) struct db_result *story  = NULL;
	char     time[ROWS_TIME_SIZE];
	enum err rc = ask_begin(&ask, c, a, e);

	if (rc == ERR_ok)
		rc = ask_query(&ask, "SELECT * FROM steward.item_show($1)", c->argv[0], &places, e);
	if (rc == ERR_ok && db_rows(places) == 0)
		rc = err_set(e, ERR_not_found, "no work item %s was ever assigned or queued; see: stewardctl assignments queue", c->argv[0]);
	if (rc == ERR_ok)
		rc = ask_query(&ask, "SELECT * FROM steward.item_story($1)", c->argv[0], &story, e);
	if (rc != ERR_ok)
		return rc;
	rows_put_list(c->out, "items", places);
	for (int row = 0; row < db_rows(places) && !output_has_fields(c->out); row++) {
		for (int i = 0; i < db_columns(places); i++)
			if (db_text(places, row, i) != NULL)
				output_line(c->out, "%-16s %s", db_column_name(places, i), rows_shown(places, row, i, time));
		output_line(c->out, "%s", "");
	}
	rows_put_list(c->out, "story", story);
	if (output_has_fields(c->out))
		output_table(c->out, "items", NULL);
	else
		output_table(c->out, "story", STORY);
	return output_finish(c->out, e);
}

/* -------------------------------------------------------------- commands */
#define COMMAND_OF(verb)                                                                   \
	enum err command_assignments_##verb(const struct command_context *c, struct error *e) \
	{                                                                                  \
		return admin_run_login(c, verb, e);                                        \
	}
COMMAND_OF(health)
COMMAND_OF(queue)
COMMAND_OF(load)
COMMAND_OF(overdue)
COMMAND_OF(escalations)
COMMAND_OF(show)
