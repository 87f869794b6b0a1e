/* SPDX-License-Identifier: Apache-2.0 */
#include <stdio.h>
#include <string.h>

#include "../lifecycle.h"
#include "../restart.h"
#include "command.h"
#include "db.h"
#include "help.h"
#include "message.h"

enum { FIELD_WIDTH = 16 };

/* ---------------------------------------------------------------- protocol */
static const char *
field_type(const struct field_desc *f, char text[16])
{
	static const char *const words[] = {
		[FIELD_U64] = "uint", [FIELD_I64] = "int", [FIELD_TIME] = "time", [FIELD_BOOL] = "bool"
	};

	if (f->kind != FIELD_STR)
		return words[f->kind];
	(void)snprintf(text, 16, "str<%zu", f->size);
	return text;
}

static void
show_message(struct output *o, const struct msg_desc *d)
{
	char type[16], lead[64];

	output_tinted(o, TONE_strong, "%3u %s  %s -> %s", d->number, d->name, party_name(d->from), party_name(d->to));
	output_wrapped(o, TONE_plain, "    ", "    ", d->summary);
	for (size_t i = 0; i < d->field_count; i++) {
		(void)snprintf(lead, sizeof(lead), "      %-*s %-8s ", FIELD_WIDTH, d->field[i].name,
		    field_type(&d->field[i], type));
		output_wrapped(o, TONE_plain, lead, "                                ", d->field[i].meaning);
	}
}

static void
put_message(struct output *o, const struct msg_desc *d)
{
	char type[16];

	output_item_begin(o);
	output_number(o, "number", d->number);
	output_text(o, "name", d->name);
	output_text(o, "from", party_name(d->from));
	output_text(o, "to", party_name(d->to));
	output_text(o, "summary", d->summary);
	output_list_begin(o, "fields");
	for (size_t i = 0; i < d->field_count; i++) {
		output_item_begin(o);
		output_text(o, "name", d->field[i].name);
		output_text(o, "type", field_type(&d->field[i], type));
		output_text(o, "meaning", d->field[i].meaning);
		output_item_end(o);
	}
	output_list_end(o);
	output_item_end(o);
}

static void
print_protocol(struct output *o)
{
	output_wrapped(o, TONE_plain, "", "",
	    "One message is one msgpack array, [version, number, sender, seq, {field: value, ...}], strict both "
	    "ways: each field once, no other, in range, UTF-8 without NUL. The version is 1. A time is in microseconds since "
	    "1970 UTC; str<N is shorter than N bytes. A reply to ctl is a sequence of such arrays.");
	output_list_begin(o, "items");
	for (int i = 0; i < MSG_COUNT; i++) {
		output_line(o, "%s", "");
		show_message(o, msg_desc((enum msg_type)i));
		put_message(o, msg_desc((enum msg_type)i));
	}
	output_list_end(o);
}

/* --------------------------------------------------------------- lifecycle */
static void
print_moves(struct output *o)
{
	enum lifecycle_state next = STATE_down;

	output_list_begin(o, "items");
	for (int s = 0; s < STATE_COUNT; s++)
		for (int v = 0; v < EVENT_COUNT; v++) {
			const char *state = lifecycle_state_name((enum lifecycle_state)s);
			const char *event = lifecycle_event_name((enum lifecycle_event)v);

			if (!lifecycle_next((enum lifecycle_state)s, (enum lifecycle_event)v, &next))
				continue;
			output_line(o, "  %-9s --%s--> %s", state, event, lifecycle_state_name(next));
			output_item_begin(o);
			output_text(o, "state", state);
			output_text(o, "event", event);
			output_text(o, "next", lifecycle_state_name(next));
			output_item_end(o);
		}
	output_list_end(o);
}

/* What the decision itself says of the death number `count` in a row, all at one moment. */
static struct restart_decision
decide_nth(enum restart_policy policy, enum death how, unsigned count)
{
	static struct restart_breaker breaker; /* large */
	struct restart_delays         delays = { 0 };
	struct restart_rules          rules  = { policy, 2, 1000, 10, 1000, 1000, 1000 };
	struct restart_death          death  = { how, RESTART_NEVER, false };
	struct restart_decision       d      = { VERDICT_REST, 0 };

	memset(&breaker, 0, sizeof(breaker));
	for (unsigned i = 0; i < count; i++)
		d = restart_decide(&breaker, &delays, &rules, &death, 0, 7);
	return d;
}

static const char *
verdict_word(struct restart_decision d)
{
	if (d.verdict == VERDICT_REST)
		return "rest";
	if (d.verdict == VERDICT_GIVE_UP)
		return "give up";
	return d.delay_ms == 0 ? "at once" : "pause";
}

static void
print_decisions(struct output *o)
{
	static const char *const policies[] = {
		[POLICY_always] = "always", [POLICY_on_crash] = "on_crash", [POLICY_once] = "once"
	};
	static const char *const deaths[] = {
		[DEATH_DONE]     = "status 0",
		[DEATH_AGAIN]    = "status 75",
		[DEATH_HOPELESS] = "64, 77, 78",
		[DEATH_CRASH]    = "crash",
	};

	output_line(o, "  %-10s %-12s %-10s %-10s %s", "policy", "death", "first", "second", "above restart_limit");
	for (size_t p = 0; p < COUNT_OF(policies); p++)
		for (size_t d = 0; d < COUNT_OF(deaths); d++) {
			enum restart_policy policy = (enum restart_policy)p;
			enum death          how    = (enum death)d;

			output_line(o, "  %-10s %-12s %-10s %-10s %s", policies[p], deaths[d],
			    verdict_word(decide_nth(policy, how, 1)), verdict_word(decide_nth(policy, how, 2)),
			    verdict_word(decide_nth(policy, how, 3)));
		}
}

static void
print_lifecycle(struct output *o)
{
	output_tinted(o, TONE_strong, "states of a process");
	for (int s = 0; s < STATE_COUNT; s++)
		help_entry(o, FIELD_WIDTH, lifecycle_state_name((enum lifecycle_state)s),
		    lifecycle_state_meaning((enum lifecycle_state)s));
	output_line(o, "%s", "");
	output_tinted(o, TONE_strong, "what may happen to it");
	for (int v = 0; v < EVENT_COUNT; v++)
		help_entry(o, FIELD_WIDTH, lifecycle_event_name((enum lifecycle_event)v),
		    lifecycle_event_meaning((enum lifecycle_event)v));
	output_line(o, "%s", "");
	output_tinted(o, TONE_strong, "moves; any other is impossible");
	print_moves(o);
	output_line(o, "%s", "");
	output_tinted(o, TONE_strong, "what follows a death");
	print_decisions(o);
	output_line(o, "%s", "");
	output_wrapped(o, TONE_plain, "", "",
	    "A pause doubles from supervisor.restart_delay_min to restart_delay_max with jitter and is forgotten "
	    "after healthy_after. More crashes than restart_limit inside restart_window and the kind is failed: "
	    "after restart_probe one start is tried, each failure doubles that, success closes the matter, and so "
	    "does stewardctl worker restart.");
}

/* ------------------------------------------------------------------ config */
static void
put_setting(struct output *o, const struct config_desc *d)
{
	static const char *const reloads[] = {
		[RELOAD_live] = "live", [RELOAD_respawn] = "respawn", [RELOAD_boot] = "boot"
	};

	output_item_begin(o);
	output_text(o, "path", d->path);
	if (d->type == CONFIG_INT) {
		output_number(o, "default", d->fallback_int);
		output_number(o, "min", d->min);
		output_number(o, "max", d->max);
		output_text(o, "unit", d->unit);
	} else
		output_text(o, "default", d->fallback_text);
	output_text(o, "reload", reloads[d->reload]);
	output_text(o, "meaning", d->meaning);
	output_item_end(o);
}

static void
show_setting(struct output *o, const struct config_desc *d)
{
	static const char *const reloads[] = {
		[RELOAD_live]    = "a reload applies it",
		[RELOAD_respawn] = "a reload restarts the kinds that use it",
		[RELOAD_boot]    = "a change waits for a restart of steward",
	};

	char text[256];

	if (d->type == CONFIG_INT)
		(void)snprintf(text, sizeof(text), "%" PRId64 "; %" PRId64 " to %" PRId64 "%s%s; %s", d->fallback_int, d->min,
		    d->max, *d->unit != '\0' ? " " : "", d->unit, reloads[d->reload]);
	else
		(void)snprintf(text, sizeof(text), "\"%s\"; %s", d->fallback_text, reloads[d->reload]);
	output_tinted(o, TONE_strong, "%s", d->path);
	output_wrapped(o, TONE_plain, "    ", "    ", d->meaning);
	output_wrapped(o, TONE_plain, "    ", "    ", text);
}

static void
print_config(struct output *o)
{
	output_wrapped(o, TONE_plain, "", "",
	    "default < the file of -c < conf.d/*.conf beside it < environment. The variable of log.level is "
	    "STEWARD__LOG__LEVEL. Times and sizes may have a unit, as in \"30s\" and \"64MiB\". stewardctl config "
	    "sample writes a file of all this, config show --origin says where a value came from.");
	output_list_begin(o, "items");
	for (size_t i = 0; i < config_count(); i++) {
		output_line(o, "%s", "");
		show_setting(o, config_desc(i));
		put_setting(o, config_desc(i));
	}
	output_list_end(o);
}

/* ------------------------------------------------------------------ errors */
static void
print_errors(struct output *o)
{
	output_list_begin(o, "items");
	for (int i = 0; i < ERR_COUNT; i++) {
		output_item_begin(o);
		output_number(o, "status", err_exit_status((enum err)i));
		output_text(o, "error", err_name((enum err)i));
		output_bool(o, "retry", err_may_retry((enum err)i));
		output_text(o, "meaning", err_meaning((enum err)i));
		output_item_end(o);
	}
	output_list_end(o);
	output_table(o, "items", NULL);
}

/* ----------------------------------------------------------------- workers */
static void
print_workers(struct output *o)
{
	static const char *const policies[] = {
		[POLICY_always] = "always", [POLICY_on_crash] = "on_crash", [POLICY_once] = "once"
	};

	output_list_begin(o, "items");
	for (int i = 0; i < WORKER_COUNT; i++) {
		const struct worker_desc *d = worker_desc((enum worker_kind)i);

		help_entry(o, FIELD_WIDTH, d->name, d->summary);
		output_item_begin(o);
		output_text(o, "kind", d->name);
		output_number(o, "rank", d->rank);
		output_text(o, "restart", policies[d->policy]);
		output_text(o, "summary", d->summary);
		output_item_end(o);
	}
	output_list_end(o);
}

/* -------------------------------------------------------------- statements */
static void
print_statements(struct output *o)
{
	output_list_begin(o, "items");
	for (int i = 0; i < STMT_COUNT; i++) {
		const struct statement_desc *d = statement_desc((enum statement)i);

		output_tinted(o, TONE_strong, "%s  %s", statement_kind_name((enum statement)i), d->name);
		output_wrapped(o, TONE_plain, "    ", "    ", d->sql);
		output_item_begin(o);
		output_text(o, "kind", statement_kind_name((enum statement)i));
		output_text(o, "statement", d->name);
		output_text(o, "sql", d->sql);
		output_text(o, "parameters", d->parameters);
		output_text(o, "columns", d->columns);
		output_item_end(o);
	}
	output_list_end(o);
}

/* ----------------------------------------------------------------- options */
static void
print_options(struct output *o)
{
	char name[64];

	output_list_begin(o, "items");
	for (int i = 0; i < OPTION_COUNT; i++) {
		const struct option_desc *d         = option_desc((enum option_id)i);
		const char                letter[2] = { d->letter, '\0' };

		(void)snprintf(name, sizeof(name), "--%s%s%s", d->name, d->argument != NULL ? " " : "",
		    d->argument != NULL ? d->argument : "");
		help_entry(o, FIELD_WIDTH, name, d->meaning);
		output_item_begin(o);
		output_text(o, "name", d->name);
		output_text(o, "letter", letter);
		output_text(o, "argument", d->argument);
		output_bool(o, "every", d->every);
		output_text(o, "meaning", d->meaning);
		output_item_end(o);
	}
	output_list_end(o);
}

const struct help_topic help_topics[] = {
	{ "protocol",  "every message between the processes",                   print_protocol },
	{ "lifecycle", "the states of a process, and what follows its death",   print_lifecycle },
	{ "config",    "every setting, its default, its range",                 print_config },
	{ "errors",    "the exit statuses of steward, stewardctl and workers",  print_errors },
	{ "options",   "every option of every command",                         print_options },
	{ "workers",   "the kinds of processes",                                print_workers },
	{ "statements", "what the workers send to PostgreSQL",                  print_statements },
	{ NULL,        NULL,                                                    NULL },
};
