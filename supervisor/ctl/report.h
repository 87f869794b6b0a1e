/* SPDX-License-Identifier: Apache-2.0 */
/*
 * report - the daemon's answer to ask_status and ask_deaths, in memory, and how
 * its rows are shown.
 */
#ifndef STEWARD_REPORT_H
#define STEWARD_REPORT_H

#include "client.h"

struct report {
	struct msg_node    node;
	struct msg_worker *worker; /* owned */
	size_t             worker_count;
};

/* Read the answer to ask_status to its end. */
NODISCARD enum err report_read(struct bus_reply *reply, struct report *r, struct error *e);
void               report_free(struct report *r);

enum { REPORT_TEXT_SIZE = 96 };

/* "provisioning[0]".  Returns `text`. */
const char *report_process(const char *kind, uint64_t slot, char text[REPORT_TEXT_SIZE]);

/* "signal 9 (KILL)" or "status 75".  Returns `text`. */
const char *report_ending(int64_t status, int64_t signal, char text[REPORT_TEXT_SIZE]);

/* "12 s ago".  Returns `text`. */
const char *report_ago(int64_t wall_us, char text[REPORT_TEXT_SIZE]);

/* The process as an item of the list that is open. */
void report_put_worker(struct output *o, const struct msg_worker *w);

/* The columns that people see of it. */
#define REPORT_COLUMNS "worker=process,pid,state,restarts,uptime_seconds,doing=activity"

#endif
