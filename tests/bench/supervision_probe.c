/* SPDX-License-Identifier: Apache-2.0 */
/*
 * What tests/bench/supervision measures with:
 *
 *   spawn N CHILD                 the floor: N children, waitpid -> posix_spawn, for ever
 *   kills COUNT GAP_US FILE...    kills the longest-living pid of each FILE in turns, one every
 *                                 GAP_US, and waits for the next line of supervision_child there
 *   run COUNT COMMAND...          from fork to the end of the command
 *   kill PID                      SIGKILL; prints the seconds since 1970 just before, nothing else
 *   stop PID                      from SIGTERM to the end of the process
 *   wire SOCKET QUESTION COUNT    one connection, REQ spoken by hand, question after question
 *   call SOCKET QUESTION COUNT    bus_client_call: a connection for each question
 *   echo COUNT                    the floor: as many bytes to another process and back
 *
 * Prints "<name> <p50> <p95> <max> <count>", milliseconds.
 */
#include <errno.h>
#include <fcntl.h>
#include <libgen.h>
#include <poll.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/pidfd.h>
#include <sys/socket.h>
#include <sys/un.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "bus.h"

enum { SAMPLES_MAX = 200000, FILES_MAX = 8, PIDS_MAX = 20000, PATIENCE_MS = 10000, HEAD = 13 };

struct samples {
	double value[SAMPLES_MAX];
	int    count;
};

struct target {
	const char    *name;
	int            fd;
	char           rest[4096];
	size_t         rest_length;
	pid_t          pid[PIDS_MAX];
	int            first, last;
	int64_t        newest_ns;
	struct samples samples;
};

static struct samples all;
static struct target  targets[FILES_MAX];

static void
die(const char *what)
{
	(void)fprintf(stderr, "supervision_probe: %s: %s\n", what, strerror(errno));
	exit(1);
}

static int64_t
now_ns(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000000 + t.tv_nsec;
}

static void
nap_us(long us)
{
	struct timespec t = { us / 1000000, us % 1000000 * 1000 };

	(void)nanosleep(&t, NULL);
}

static int
by_size(const void *a, const void *b)
{
	double x = *(const double *)a;
	double y = *(const double *)b;

	return (x > y) - (x < y);
}

static void
note(struct samples *s, int64_t ns)
{
	if (s->count < SAMPLES_MAX)
		s->value[s->count++] = (double)ns / 1e6;
}

static void
tell(const char *name, struct samples *s)
{
	qsort(s->value, (size_t)s->count, sizeof(double), by_size);
	if (s->count == 0)
		die("nothing was measured");
	(void)printf("%s %.3f %.3f %.3f %d\n", name, s->value[s->count / 2], s->value[s->count * 95 / 100],
	    s->value[s->count - 1], s->count);
}

/* ------------------------------------------------------------------ spawn */
static int
spawn_forever(int n, char *child)
{
	extern char **environ;
	char         *argv[] = { child, NULL };
	pid_t         pid;

	for (int i = 0; i < n; i++)
		if (posix_spawn(&pid, child, NULL, NULL, argv, environ) != 0)
			die(child);
	while (waitpid(-1, NULL, 0) > 0)
		if (posix_spawn(&pid, child, NULL, NULL, argv, environ) != 0)
			die(child);
	return 1;
}

/* ------------------------------------------------------------------ kills */
static bool
take_lines(struct target *t)
{
	ssize_t n     = read(t->fd, t->rest + t->rest_length, sizeof(t->rest) - 1 - t->rest_length);
	bool    fresh = false;
	char   *line  = t->rest;
	char   *end;

	if (n <= 0)
		return false;
	t->rest_length += (size_t)n;
	t->rest[t->rest_length] = '\0';
	while ((end = strchr(line, '\n')) != NULL) {
		char *pid;

		t->newest_ns = strtoll(line, &pid, 10);
		if (t->last == PIDS_MAX)
			die("too many starts");
		t->pid[t->last++] = (pid_t)strtol(pid, NULL, 10);
		fresh             = true;
		line              = end + 1;
	}
	t->rest_length = strlen(line);
	memmove(t->rest, line, t->rest_length + 1);
	return fresh;
}

static void
kill_one(struct target *t)
{
	int64_t killed_ns;

	while (take_lines(t))
		continue;
	if (t->first == t->last)
		die("nobody is there to be killed");
	killed_ns = now_ns();
	if (kill(t->pid[t->first++], SIGKILL) != 0)
		die(t->name);
	while (!take_lines(t)) {
		if (now_ns() - killed_ns > PATIENCE_MS * INT64_C(1000000)) {
			(void)fprintf(stderr, "%s: no replacement for %d\n", t->name, (int)t->pid[t->first - 1]);
			return;
		}
		nap_us(200);
	}
	note(&t->samples, t->newest_ns - killed_ns);
}

static int
kills(long count, long gap_us, int files, char *file[])
{
	for (int i = 0; i < files && i < FILES_MAX; i++) {
		targets[i].name = file[i];
		targets[i].fd   = open(file[i], O_RDONLY | O_CLOEXEC);
		if (targets[i].fd < 0)
			die(file[i]);
	}
	for (long n = 0; n < count; n++) {
		int64_t round_ns = now_ns();

		for (int i = 0; i < files && i < FILES_MAX; i++) {
			/* Who is first in one round is not in the next. */
			kill_one(&targets[(i + n) % files]);
			nap_us(MIN(gap_us, 10000));
		}
		nap_us(MAX(0, gap_us - (now_ns() - round_ns) / 1000));
	}
	for (int i = 0; i < files && i < FILES_MAX; i++)
		tell(file[i], &targets[i].samples);
	return 0;
}

/* ------------------------------------------------------------- processes */
static int
run(int count, char *argv[])
{
	for (int i = 0; i < count; i++) {
		int64_t begun_ns = now_ns();
		pid_t   pid      = fork();
		int     status;

		if (pid == 0) {
			int null = open("/dev/null", O_WRONLY);

			(void)dup2(null, STDOUT_FILENO);
			(void)execv(argv[0], argv);
			_exit(127);
		}
		if (pid < 0 || waitpid(pid, &status, 0) != pid || status != 0)
			die(argv[0]);
		note(&all, now_ns() - begun_ns);
	}
	tell(basename(argv[0]), &all);
	return 0;
}

static int
kill_now(pid_t pid)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_REALTIME, &t);
	if (kill(pid, SIGKILL) != 0)
		die("kill");
	(void)printf("%lld.%09ld\n", (long long)t.tv_sec, t.tv_nsec);
	return 0;
}

static int
stop(pid_t pid)
{
	struct pollfd p = { pidfd_open(pid, 0), POLLIN, 0 };
	int64_t       begun_ns;

	if (p.fd < 0)
		die("pidfd_open");
	begun_ns = now_ns();
	if (kill(pid, SIGTERM) != 0 || poll(&p, 1, PATIENCE_MS) != 1)
		die("stop");
	note(&all, now_ns() - begun_ns);
	tell("stop", &all);
	return 0;
}

/* ---------------------------------------------------------------- control */
static void
transfer(int fd, void *bytes, size_t length, bool out)
{
	char *at = bytes;

	while (length > 0) {
		ssize_t n = out ? send(fd, at, length, MSG_NOSIGNAL) : recv(fd, at, length, 0);

		if (n <= 0)
			die(out ? "send" : "receive");
		at += n;
		length -= (size_t)n;
	}
}

static enum msg_type
question_named(const char *name)
{
	for (int i = 0; i < MSG_COUNT; i++)
		if (strcmp(msg_desc((enum msg_type)i)->name, name) == 0)
			return (enum msg_type)i;
	die(name);
	return MSG_COUNT;
}

/* A frame of nng's: type 1, the length in 8 bytes, the id of the request in 4. */
static size_t
frame(uint8_t *to, enum msg_type type)
{
	static const uint8_t head[HEAD] = { 1, 0, 0, 0, 0, 0, 0, 0, 0, 0x80, 0, 0, 1 };
	struct msg           m          = { .type = type };
	struct error         e          = { 0 };
	size_t               used;

	memcpy(to, head, HEAD);
	if (msg_encode(&m, to + HEAD, &used, &e) != ERR_ok)
		die(e.text);
	to[7] = (uint8_t)((used + 4) >> 8);
	to[8] = (uint8_t)(used + 4);
	return HEAD + used;
}

static int
wire(const char *path, const char *question, int count)
{
	struct sockaddr_un to       = { .sun_family = AF_UNIX };
	uint8_t            hello[8] = { 0, 'S', 'P', 0, 0, 0x30, 0, 0 };
	uint8_t            ask[HEAD + MSG_WIRE_SIZE];
	static uint8_t     answer[MSG_REPLY_SIZE + HEAD];
	size_t             asked = frame(ask, question_named(question));
	int                fd    = socket(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0);
	struct msg         m;

	(void)snprintf(to.sun_path, sizeof(to.sun_path), "%s", path);
	if (fd < 0 || connect(fd, (const struct sockaddr *)&to, sizeof(to)) != 0)
		die(path);
	transfer(fd, hello, sizeof(hello), true);
	transfer(fd, hello, sizeof(hello), false);
	for (int i = 0; i < count; i++) {
		int64_t      begun_ns = now_ns();
		size_t       size     = 0;
		size_t       used;
		struct error e = { 0 };

		transfer(fd, ask, asked, true);
		transfer(fd, answer, 9, false);
		for (int b = 1; b < 9; b++)
			size = size << 8 | answer[b];
		if (size < 4 || size > MSG_REPLY_SIZE + 4)
			die("length of the answer");
		transfer(fd, answer, size, false);
		note(&all, now_ns() - begun_ns);
		if (msg_decode(answer + 4, size - 4, PARTY_supervisor, &m, &used, &e) != ERR_ok || m.type == MSG_refused)
			die("refused");
	}
	tell(question, &all);
	return 0;
}

static int
call(const char *path, const char *question, int count)
{
	struct msg m = { .type = question_named(question) };

	bus_limit_threads();
	for (int i = 0; i < count; i++) {
		int64_t           begun_ns = now_ns();
		struct bus_reply *reply    = NULL;
		struct error      e        = { 0 };

		if (bus_client_call(path, &m, PATIENCE_MS, &reply, &e) != ERR_ok)
			die(e.text);
		note(&all, now_ns() - begun_ns);
		bus_reply_free(reply);
	}
	tell(question, &all);
	return 0;
}

static int
echo(int count)
{
	uint8_t bytes[64] = { 0 };
	int     fd[2];
	pid_t   pid;

	if (socketpair(AF_UNIX, SOCK_STREAM, 0, fd) != 0 || (pid = fork()) < 0)
		die("echo");
	if (pid == 0) {
		(void)close(fd[0]);
		while (recv(fd[1], bytes, sizeof(bytes), 0) > 0)
			transfer(fd[1], bytes, sizeof(bytes), true);
		_exit(0);
	}
	(void)close(fd[1]);
	for (int i = 0; i < count; i++) {
		int64_t begun_ns = now_ns();

		transfer(fd[0], bytes, sizeof(bytes), true);
		transfer(fd[0], bytes, sizeof(bytes), false);
		note(&all, now_ns() - begun_ns);
	}
	(void)close(fd[0]);
	(void)waitpid(pid, NULL, 0);
	tell("echo", &all);
	return 0;
}

int
main(int argc, char *argv[])
{
	const char *mode = argc > 1 ? argv[1] : "";

	if (strcmp(mode, "spawn") == 0 && argc == 4)
		return spawn_forever(atoi(argv[2]), argv[3]);
	if (strcmp(mode, "kills") == 0 && argc > 4)
		return kills(atol(argv[2]), atol(argv[3]), argc - 4, argv + 4);
	if (strcmp(mode, "run") == 0 && argc > 3)
		return run(atoi(argv[2]), argv + 3);
	if (strcmp(mode, "kill") == 0 && argc == 3)
		return kill_now(atoi(argv[2]));
	if (strcmp(mode, "stop") == 0 && argc == 3)
		return stop(atoi(argv[2]));
	if (strcmp(mode, "wire") == 0 && argc == 5)
		return wire(argv[2], argv[3], atoi(argv[4]));
	if (strcmp(mode, "call") == 0 && argc == 5)
		return call(argv[2], argv[3], atoi(argv[4]));
	if (strcmp(mode, "echo") == 0 && argc == 3)
		return echo(atoi(argv[2]));
	(void)fprintf(stderr, "usage: see supervision_probe.c\n");
	return 64;
}
