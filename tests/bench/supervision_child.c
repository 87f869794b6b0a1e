/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The child of every supervisor that tests/bench/supervision compares: the first
 * thing it does is to append "<CLOCK_MONOTONIC ns> <pid>" to <argv[0]>.starts.
 * Then it becomes the dummy worker <argv[0]>.worker, so that all supervisors see
 * the same process die: steward's speaks to it, the others' gets arguments here
 * (and is told to be mute).  If there is <argv[0]>.crash it crashes instead.
 */
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <time.h>
#include <unistd.h>

/* s6 restarts at once only what has said that it is ready: a line to descriptor 3, its notification-fd. */
static void
become_worker(const char *worker, const char *name, int tells)
{
	char        config[512], socket[1024], here[512];
	const char *argv[] = { name, "--config", config, "--slot", "0", "--socket", socket, "--log-fd", "2", NULL };
	int         lifeline[2];

	if (tells && write(3, "\n", 1) != 1)
		return;
	(void)snprintf(config, sizeof(config), "%s.conf", name);
	/* The bus wants a whole path; the directories in it need not be there. */
	if (name[0] == '/' || getcwd(here, sizeof(here)) == NULL)
		here[0] = '\0';
	(void)snprintf(socket, sizeof(socket), "%s/%s.d/a/b/c", here, name[0] == '.' ? name + 2 : name);
	/* The worker leaves when nobody holds the other end of 3; here it holds it itself. */
	if (pipe(lifeline) == 0 && (lifeline[0] == 3 || dup2(lifeline[0], 3) == 3))
		(void)execv(worker, (char *const *)argv);
}

int
main(int argc, char *argv[])
{
	struct timespec t;
	char            path[512];
	int             fd;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	(void)snprintf(path, sizeof(path), "%s.starts", argv[0]);
	fd = open(path, O_WRONLY | O_APPEND | O_CLOEXEC);
	if (fd < 0)
		return 1;
	(void)dprintf(fd, "%lld %ld\n", (long long)t.tv_sec * 1000000000 + t.tv_nsec, (long)getpid());
	(void)close(fd);
	(void)snprintf(path, sizeof(path), "%s.crash", argv[0]);
	if (access(path, F_OK) == 0)
		(void)raise(SIGKILL);
	(void)snprintf(path, sizeof(path), "%s.worker", argv[0]);
	/* s6-supervise gives one: the name. */
	if (argc > 2)
		(void)execv(path, argv);
	else
		become_worker(path, argv[0], argc == 2);
	return 1;
}
