/* SPDX-License-Identifier: Apache-2.0 */
/*
 * handout - the configuration in force, as the file that workers read.
 *
 * Were it the operator's own file, a worker that is restarted would take up what
 * nobody has reloaded yet, or fail on what a reload has refused.
 */
#ifndef STEWARD_HANDOUT_H
#define STEWARD_HANDOUT_H

#include "config.h"

enum { HANDOUT_PATH_SIZE = 128 };

/*
 * Write it as worker/steward.conf of the run directory, whole or not at all, for
 * our own user only: it holds what the conninfo holds.  `path` is where it is.
 * Errors: ERR_system, ERR_denied, with the path in words.
 */
NODISCARD enum err handout_write(const char *run_directory, const struct config *cfg, char path[HANDOUT_PATH_SIZE],
    struct error *e);

#endif
