/* SPDX-License-Identifier: Apache-2.0 */
/*
 * reload - take up the configuration again: all of it, or none of it.
 */
#ifndef STEWARD_RELOAD_H
#define STEWARD_RELOAD_H

#include "supervisor.h"

/*
 * `answer` may be NULL; else it gets a complaint row per complaint, or a changed
 * row per changed setting.  ERR_config: the old configuration stays in force.
 */
NODISCARD enum err reload_run(struct supervisor *s, struct bus_request *answer, unsigned *changed, struct error *e);

#endif
