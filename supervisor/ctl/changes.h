/* SPDX-License-Identifier: Apache-2.0 */
/*
 * changes - what a db command did: a line each for people, the list `changes`
 * for machines.  With --dry-run the SQL it would have run instead (list `sql`).
 */
#ifndef STEWARD_CHANGES_H
#define STEWARD_CHANGES_H

#include "command.h"
#include "db.h"

struct changes {
	struct output *out;
	bool           dry_run;
	int            count; /* of what was, or would be, changed */
};

/* Begins the list in the document; nothing else may be put there until changes_end. */
void changes_begin(struct changes *ch, const struct command_context *c);

/* Say what was done.  In a dry run nothing was. */
void changes_note(struct changes *ch, const char *format, ...) PRINTF_LIKE(2, 3);

/* Run the script, or print it in a dry run. */
NODISCARD enum err changes_run(struct changes *ch, struct db *db, const char *sql, struct error *e);

/* In a dry run print the script and count it. */
void changes_print(struct changes *ch, const char *sql);

void changes_end(struct changes *ch);

#endif
