/* SPDX-License-Identifier: Apache-2.0 */
/*
 * spawn - starting a worker's program.  Everything that can be prepared is
 * prepared once, so that between the death of a process and the start of the
 * next one nothing is opened, formatted or allocated.
 */
#ifndef STEWARD_SPAWN_H
#define STEWARD_SPAWN_H

#include <limits.h>
#include <spawn.h>
#include <sys/types.h>

#include "bus.h"
#include "lifeline.h"

/* What all starts share. */
struct spawner {
	posix_spawnattr_t attributes;
	char            **environment; /* borrowed strings */
	int               lifeline_fd;
};

/* One slot's command line and descriptors; who prepares it has filled in the texts.  Not to be moved. */
struct program {
	posix_spawn_file_actions_t actions;
	char                       path[PATH_MAX];
	char                       config[PATH_MAX];
	char                       slot[16];
	char                       socket[BUS_PATH_SIZE];
	char                      *argv[10];
};

/*
 * The child gets: its own process group, no blocked or ignored signals, our
 * stdin, a pipe that we read as stdout and stderr, the lifeline as descriptor 3,
 * our stderr as descriptor 4 for its log, our environment without what is meant
 * for us alone.
 */
NODISCARD enum err spawn_init(struct spawner *s, const struct lifeline *lifeline, struct error *e);

/* `output` is the pipe's writing end, above 4. */
NODISCARD enum err spawn_prepare(const struct spawner *s, struct program *p, int output, struct error *e);

/* Start it, and *pidfd watches it.  Call only on the main thread: PDEATHSIG follows the thread. */
NODISCARD enum err spawn_start(const struct spawner *s, const struct program *p, pid_t *pid, int *pidfd,
    struct error *e);

#endif
