/* SPDX-License-Identifier: Apache-2.0 */
#include "lock.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/file.h>
#include <unistd.h>

#include "log.h"

static long
holder_pid(int fd)
{
	char    text[32];
	ssize_t n = pread(fd, text, sizeof(text) - 1, 0);

	if (n <= 0)
		return 0;
	text[n] = '\0';
	return strtol(text, NULL, 10);
}

/* For the sentence that the next one gets; on a full disk that one does without. */
static void
write_pid(int fd)
{
	char text[32];
	int  length = snprintf(text, sizeof(text), "%ld\n", (long)getpid());

	if (ftruncate(fd, 0) != 0 || pwrite(fd, text, (size_t)length, 0) != length)
		log_event(LOG_warning, "lock_unsigned", "pid=%ld", (long)getpid());
}

enum err
lock_take(const char *run_directory, int *fd, struct error *e)
{
	char path[PATH_MAX];

	(void)snprintf(path, sizeof(path), "%s/steward.lock", run_directory);
	*fd = open(path, O_RDWR | O_CREAT | O_CLOEXEC | O_NOFOLLOW, 0640);
	if (*fd < 0)
		return err_errno(e, "%s", path);
	if (flock(*fd, LOCK_EX | LOCK_NB) == 0) {
		write_pid(*fd);
		return ERR_ok;
	}
	if (errno == EWOULDBLOCK)
		(void)err_set(e, ERR_refused,
		    "steward is already running in %s with pid %ld; stop it first (stewardctl stop), or set another run_directory",
		    run_directory, holder_pid(*fd));
	else
		(void)err_errno(e, "lock %s", path);
	(void)close(*fd);
	*fd = -1;
	return e->code;
}
