/* SPDX-License-Identifier: Apache-2.0 */
#include "reload.h"

#include <stdio.h>
#include <string.h>

static void
complain(const struct config_complaints *list, struct bus_request *answer)
{
	char quoted[LOG_QUOTE_SIZE];

	for (size_t i = 0; i < list->count; i++) {
		struct msg m = { .type = MSG_complaint };

		log_event(LOG_error, "config_refused", "reason=%s", log_quote(list->line[i], quoted));
		(void)snprintf(m.body.complaint.text, sizeof(m.body.complaint.text), "%s", list->line[i]);
		/* More complaints than a reply holds are in the log. */
		if (answer != NULL && bus_request_add(answer, &m, NULL) != ERR_ok)
			answer = NULL;
	}
}

/* Global settings may be used by every kind, those under a kind's own name by that kind alone. */
static bool
is_used_by(const struct config_desc *setting, enum worker_kind kind)
{
	size_t           section = strcspn(setting->path, ".");
	enum worker_kind owner   = setting->kind;

	for (unsigned i = 0; owner == WORKER_COUNT && i < WORKER_COUNT; i++) {
		const char *name = worker_desc((enum worker_kind)i)->name;

		if (strlen(name) == section && strncmp(name, setting->path, section) == 0)
			owner = (enum worker_kind)i;
	}
	return owner == WORKER_COUNT || owner == kind;
}

/* What needs a new start stays as it is, and the next reload says so again. */
static void
keep(struct config *fresh, const struct config *old, const struct config_desc *setting)
{
	memcpy((char *)fresh + setting->offset, (const char *)old + setting->offset, setting->size);
}

struct difference {
	unsigned count;
	bool     live;
	bool     respawn[WORKER_COUNT];
};

static void
note(struct difference *d, const struct config_desc *setting, struct bus_request *answer)
{
	static const char *const how[] = { [RELOAD_live] = "live", [RELOAD_respawn] = "respawn", [RELOAD_boot] = "boot" };
	struct msg               m     = { .type = MSG_changed };

	d->count++;
	d->live |= setting->reload == RELOAD_live;
	for (unsigned i = 0; setting->reload == RELOAD_respawn && i < WORKER_COUNT; i++)
		d->respawn[i] |= is_used_by(setting, (enum worker_kind)i);
	log_event(setting->reload == RELOAD_boot ? LOG_warning : LOG_info, "setting_changed", "path=%s how=%s",
	    setting->path, how[setting->reload]);
	(void)snprintf(m.body.changed.path, sizeof(m.body.changed.path), "%s", setting->path);
	(void)snprintf(m.body.changed.how, sizeof(m.body.changed.how), "%s", how[setting->reload]);
	if (answer != NULL && bus_request_add(answer, &m, NULL) != ERR_ok)
		log_event(LOG_warning, "answer_cut", "path=%s", setting->path);
}

static void
apply(struct supervisor *s, const struct difference *d)
{
	struct msg m = { .type = MSG_reload };

	log_configure(s->config.log_level, s->config.log_format, s->config.node);
	rights_forget(&s->rights);
	tree_reconfigure(&s->tree);
	if (d->live)
		tree_order(&s->tree, &m);
	for (unsigned i = 0; i < WORKER_COUNT; i++)
		if (d->respawn[i])
			tree_roll(&s->tree, (enum worker_kind)i);
}

/* Nothing is half done: the old configuration stays in force, and who asks hears why. */
static enum err
refuse(struct supervisor *s, const struct error *e)
{
	(void)snprintf(s->config_error, sizeof(s->config_error), "%s", e->text);
	events_tell(&s->events, LOG_error, "reload_failed", "steward", "in_force=old");
	notify_reloaded(&s->notify);
	return e->code;
}

enum err
reload_run(struct supervisor *s, struct bus_request *answer, unsigned *changed, struct error *e)
{
	struct config            fresh;
	struct config_complaints complaints = { 0 };
	struct difference        d          = { 0 };

	*changed = 0;
	if (s->tree.mode == TREE_stop)
		return err_set(e, ERR_refused, "steward is stopping");
	notify_reloading(&s->notify);
	if (config_load(s->config_path, &fresh, NULL, &complaints, e) != ERR_ok) {
		complain(&complaints, answer);
		config_complaints_free(&complaints);
		return refuse(s, e);
	}
	config_complaints_free(&complaints);
	for (size_t i = 0; i < config_count(); i++) {
		if (!config_differs(&s->config, &fresh, i))
			continue;
		note(&d, config_desc(i), answer);
		if (config_desc(i)->reload == RELOAD_boot)
			keep(&fresh, &s->config, config_desc(i));
	}
	if (handout_write(s->config.run_directory, &fresh, s->handout, e) != ERR_ok)
		return refuse(s, e);
	s->config          = fresh;
	s->config_error[0] = '\0';
	apply(s, &d);
	events_tell(&s->events, LOG_info, "config_reloaded", "steward", "changed=%u", d.count);
	notify_reloaded(&s->notify);
	*changed = d.count;
	return ERR_ok;
}
