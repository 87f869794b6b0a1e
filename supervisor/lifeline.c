/* SPDX-License-Identifier: Apache-2.0 */
#include "lifeline.h"

#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "clock.h"
#include "worker_kind.h"

enum { LOOK_EVERY_MS = 5, AFTER_KILL_MS = 2000 };

static void
nap(void)
{
	struct timespec t = { 0, LOOK_EVERY_MS * 1000000L };

	(void)nanosleep(&t, NULL);
}

/* The probing descriptor is closed at once: while it is open the readers would not see end of file. */
static bool
has_readers(const char *path)
{
	int fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);

	if (fd < 0)
		return false;
	(void)close(fd);
	return true;
}

static bool
wait_for_readers_to_leave(const char *path, int64_t patience_ms)
{
	int64_t until = clock_now_ms() + patience_ms;

	while (has_readers(path)) {
		if (clock_now_ms() >= until)
			return false;
		nap();
	}
	return true;
}

static bool
holds(long pid, const struct stat *pipe)
{
	char        path[64];
	struct stat st;

	(void)snprintf(path, sizeof(path), "/proc/%ld/fd/%d", pid, WORKER_LIFELINE_FD);
	return stat(path, &st) == 0 && st.st_dev == pipe->st_dev && st.st_ino == pipe->st_ino;
}

static unsigned
kill_readers(const char *path)
{
	struct stat    pipe;
	unsigned       killed = 0;
	DIR           *proc   = opendir("/proc");
	struct dirent *entry;

	if (proc == NULL)
		return 0;
	if (stat(path, &pipe) == 0)
		while ((entry = readdir(proc)) != NULL) {
			long pid = isdigit((unsigned char)entry->d_name[0]) ? strtol(entry->d_name, NULL, 10) : 0;

			if (pid > 0 && pid != getpid() && holds(pid, &pipe) && kill((pid_t)pid, SIGKILL) == 0)
				killed++;
		}
	(void)closedir(proc);
	return killed;
}

static enum err
make_pipe(const char *path, struct lifeline *l, struct error *e)
{
	if (unlink(path) != 0 && errno != ENOENT)
		return err_errno(e, "remove %s", path);
	if (mkfifo(path, 0600) != 0)
		return err_errno(e, "make %s", path);
	l->read_fd = open(path, O_RDONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
	if (l->read_fd < 0)
		return err_errno(e, "%s", path);
	l->write_fd = open(path, O_WRONLY | O_NONBLOCK | O_CLOEXEC | O_NOFOLLOW);
	if (l->write_fd < 0)
		return err_errno(e, "%s", path);
	return ERR_ok;
}

enum err
lifeline_open(const char *run_directory, int64_t patience_ms, struct lifeline *l, unsigned *killed,
    struct error *e)
{
	char path[PATH_MAX];

	*killed    = 0;
	l->read_fd = l->write_fd = -1;
	(void)snprintf(path, sizeof(path), "%s/lifeline", run_directory);
	if (!wait_for_readers_to_leave(path, patience_ms)) {
		*killed = kill_readers(path);
		if (!wait_for_readers_to_leave(path, AFTER_KILL_MS))
			return err_set(e, ERR_again, "workers of an earlier supervisor still run in %s and cannot be killed",
			    run_directory);
	}
	return make_pipe(path, l, e);
}

