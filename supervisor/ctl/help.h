/* SPDX-License-Identifier: Apache-2.0 */
/*
 * help - the pages of `stewardctl help TOPIC` that are not about a command.
 * Each is generated from the table that the programs themselves use.
 */
#ifndef STEWARD_HELP_H
#define STEWARD_HELP_H

#include "output.h"

struct help_topic {
	const char *name;
	const char *summary;
	void (*print)(struct output *o);
};

/* A row with name NULL ends it. */
extern const struct help_topic help_topics[];

/* A name of some width, then text that is broken to fit beside it. */
void help_entry(struct output *o, int width, const char *name, const char *text);

#endif
