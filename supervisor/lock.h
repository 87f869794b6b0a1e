/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lock - one supervisor per run directory.  The kernel gives the lock back when
 * its holder dies, so a file that was left behind is no obstacle.
 */
#ifndef STEWARD_LOCK_H
#define STEWARD_LOCK_H

#include "error.h"

/*
 * Take the lock and write our pid into it.  *fd is CLOEXEC and stays open for
 * life.  ERR_refused, naming the holder's pid, when another supervisor runs.
 */
NODISCARD enum err lock_take(const char *run_directory, int *fd, struct error *e);

#endif
