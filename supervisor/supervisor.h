/* SPDX-License-Identifier: Apache-2.0 */
/*
 * supervisor - all that this process is, in one place: made by main, changed by
 * reload, shown by status, steered by control.
 */
#ifndef STEWARD_SUPERVISOR_H
#define STEWARD_SUPERVISOR_H

#include <limits.h>

#include "handout.h"
#include "notify.h"
#include "rights.h"
#include "tree.h"

struct supervisor {
	char               config_path[PATH_MAX]; /* absolute */
	struct config      config;                /* in force */
	char               handout[HANDOUT_PATH_SIZE]; /* the same as a file, for the workers */
	char               config_error[512];     /* of the last reload, or "" */
	char               node[64];
	int64_t            started_ms;
	bool               asked_to_stop;         /* over the control socket */
	bool               begun;                 /* every worker was ready once, or we stopped waiting */
	struct loop        loop;
	struct events      events;
	struct tree        tree;
	struct rights      rights;
	struct notify      notify;
	struct lifeline    lifeline;
	int                lock_fd;
	struct watch       signals;
	struct watch       requests;
	struct bus_server *server;
};

/* The name of this machine, or what the configuration calls it. */
void supervisor_name_node(struct supervisor *s);

/* Drain and end; a second time: at once. */
void supervisor_stop(struct supervisor *s, const char *why);

#endif
