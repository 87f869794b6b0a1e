/* SPDX-License-Identifier: Apache-2.0 */
/*
 * lifeline - a named pipe that only lives as long as the supervisor.
 *
 * Each worker holds the reading end as descriptor 3 and leaves at end of file;
 * the supervisor holds the only writing end.  It has a name so that the next
 * supervisor can ask the kernel whether workers of the one before are left:
 * opening a pipe without readers for writing fails.
 */
#ifndef STEWARD_LIFELINE_H
#define STEWARD_LIFELINE_H

#include "error.h"

struct lifeline {
	int read_fd; /* CLOEXEC; becomes descriptor 3 of a worker */
	int write_fd; /* CLOEXEC; in no worker */
};

/*
 * Wait until the workers of an earlier supervisor are gone, at most `patience_ms`,
 * then kill those that are left (*killed), and make a new pipe.  Blocks; only
 * for the holder of the lock.
 */
NODISCARD enum err lifeline_open(const char *run_directory, int64_t patience_ms, struct lifeline *l,
    unsigned *killed, struct error *e);

#endif
