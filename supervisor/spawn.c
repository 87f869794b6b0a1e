/* SPDX-License-Identifier: Apache-2.0 */
#include "spawn.h"

#include <assert.h>
#include <errno.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/wait.h>
#include <unistd.h>

#include "worker_kind.h"

enum { LOG_FD = 4 };

/* What the init system tells its own child must not reach ours. */
static bool
is_for_us_alone(const char *variable)
{
	static const char *const names[] = { "NOTIFY_SOCKET=", "WATCHDOG_PID=", "WATCHDOG_USEC=", "LISTEN_PID=",
		"LISTEN_FDS=", "LISTEN_FDNAMES=" };

	for (size_t i = 0; i < COUNT_OF(names); i++)
		if (strncmp(variable, names[i], strlen(names[i])) == 0)
			return true;
	return false;
}

static char **
environment_for_workers(void)
{
	size_t count = 0;
	size_t kept  = 0;
	char **copy;

	while (environ[count] != NULL)
		count++;
	copy = calloc(count + 1, sizeof(*copy));
	for (size_t i = 0; copy != NULL && i < count; i++)
		if (!is_for_us_alone(environ[i]))
			copy[kept++] = environ[i];
	return copy;
}

static int
set_attributes(posix_spawnattr_t *a)
{
	sigset_t none, all;
	int      failed;

	(void)sigemptyset(&none);
	(void)sigfillset(&all);
	failed = posix_spawnattr_setsigmask(a, &none);
	failed = failed != 0 ? failed : posix_spawnattr_setsigdefault(a, &all);
	/* Own process group: Ctrl-C on a terminal is for the supervisor, who drains in order. */
	failed = failed != 0 ? failed : posix_spawnattr_setpgroup(a, 0);
	return failed != 0 ? failed : posix_spawnattr_setflags(a,
	    POSIX_SPAWN_SETSIGMASK | POSIX_SPAWN_SETSIGDEF | POSIX_SPAWN_SETPGROUP);
}

enum err
spawn_init(struct spawner *s, const struct lifeline *lifeline, struct error *e)
{
	s->environment = environment_for_workers();
	if (s->environment == NULL)
		return err_set(e, ERR_no_memory, "no memory for the environment of the workers");
	errno = posix_spawnattr_init(&s->attributes);
	errno = errno != 0 ? errno : set_attributes(&s->attributes);
	s->lifeline_fd = lifeline->read_fd;
	if (errno != 0)
		return err_errno(e, "prepare posix_spawn");
	return ERR_ok;
}

/* In this order: the lifeline may be our descriptor 4, and stderr is copied before it is replaced. */
static int
add_descriptors(posix_spawn_file_actions_t *a, int lifeline, int output)
{
	int failed = posix_spawn_file_actions_adddup2(a, lifeline, WORKER_LIFELINE_FD);

	assert(output > LOG_FD);
	failed = failed != 0 ? failed : posix_spawn_file_actions_adddup2(a, STDERR_FILENO, LOG_FD);
	failed = failed != 0 ? failed : posix_spawn_file_actions_adddup2(a, output, STDOUT_FILENO);
	return failed != 0 ? failed : posix_spawn_file_actions_adddup2(a, output, STDERR_FILENO);
}

enum err
spawn_prepare(const struct spawner *s, struct program *p, int output, struct error *e)
{
	static char flags[][16] = { "--config", "--slot", "--socket", "--log-fd" };
	static char log_fd[]    = { '0' + LOG_FD, '\0' };
	char *const argv[]      = { p->path, flags[0], p->config, flags[1], p->slot, flags[2], p->socket, flags[3],
		     log_fd, NULL };

	_Static_assert(sizeof(argv) == sizeof(p->argv), "as many as there is room for");
	memcpy(p->argv, argv, sizeof(argv));
	errno = posix_spawn_file_actions_init(&p->actions);
	errno = errno != 0 ? errno : add_descriptors(&p->actions, s->lifeline_fd, output);
	if (errno != 0)
		return err_errno(e, "prepare %s", p->path);
	return ERR_ok;
}

enum err
spawn_start(const struct spawner *s, const struct program *p, pid_t *pid, int *pidfd, struct error *e)
{
	errno = posix_spawn(pid, p->path, &p->actions, &s->attributes, p->argv, s->environment);
	if (errno != 0)
		return err_errno(e, "start %s", p->path);
	*pidfd = pidfd_open(*pid, 0);
	if (*pidfd < 0) {
		(void)err_errno(e, "pidfd_open");
		(void)kill(*pid, SIGKILL);
		(void)waitpid(*pid, NULL, 0);
		return e->code;
	}
	return ERR_ok;
}
