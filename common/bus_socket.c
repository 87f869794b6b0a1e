/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bus_socket - listening, dialling and hanging up, and the corrections that
 * nng 1.5.2 (Debian 12) needs for that:
 *
 *   - It starts 7 + 3 per processor threads and asks only sysconf() about it.
 *   - It names each thread through a file of /proc, and the kernel clears those
 *     away while the supervisor reaps: milliseconds, when many end at once.
 *   - A peer that leaves before the handshake makes its first send fail with
 *     EPIPE, which it takes for its own closing: the listener accepts nobody
 *     ever again (nng #1518).  ECONNRESET it understands.
 *   - A connection that this side closes while a message comes in is waited for
 *     for ever.  One that ends because the bytes end is not: see bus_hang_up().
 *   - What is under way when a connection closes, a handshake or one message,
 *     may be lost to the heap.
 */
#include "bus_nng.h"

#include <dirent.h>
#include <errno.h>
#include <nng/protocol/pair1/pair.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/un.h>
#include <unistd.h>

/* --------------------------------------- what nng hears from the system */
/*
 * These stand before libc's for the whole program.  Not instrumented: the
 * sanitizers call them before they are up.
 */
static _Thread_local bool one_processor;

extern long libc_sysconf(int name) __asm__("__sysconf");

/* One processor for the thread that is just starting nng, the truth for all others. */
__attribute__((no_sanitize("address", "undefined", "thread"))) long
sysconf(int name)
{
	return one_processor && name == _SC_NPROCESSORS_ONLN ? 1 : libc_sysconf(name);
}

/* The names would be for people who read /proc; what they cost is said above. */
__attribute__((no_sanitize("address", "undefined", "thread"))) int
pthread_setname_np(pthread_t thread, const char *name)
{
	(void)thread;
	(void)name;
	return 0;
}

/* To a peer that is gone: ECONNRESET, whether it left before or after we connected. */
__attribute__((no_sanitize("address", "undefined", "thread"))) ssize_t
sendmsg(int fd, const struct msghdr *message, int flags)
{
	ssize_t sent = syscall(SYS_sendmsg, fd, message, flags);

	if (sent < 0 && errno == EPIPE)
		errno = ECONNRESET;
	return sent;
}

#ifdef __SANITIZE_ADDRESS__
const char *__lsan_default_suppressions(void);

const char *
__lsan_default_suppressions(void)
{
	return "leak:libnng.so";
}
#endif

void
bus_limit_threads(void)
{
	nng_socket socket;

	one_processor = true;
	if (nng_pair1_open(&socket) == 0)
		(void)nng_close(socket);
	one_processor = false;
}

/* --------------------------------------------------------------- paths */
enum { URL_SIZE = BUS_PATH_SIZE + 8, RECONNECT_MIN_MS = 10, RECONNECT_MAX_MS = 500, STAY_AWAY_MS = 86400000 };

static enum err
url_of_path(const char *path, char url[URL_SIZE], struct error *e)
{
	if (path[0] != '/' || strlen(path) >= BUS_PATH_SIZE)
		return err_set(e, ERR_config, "socket %s: not an absolute path of less than %d bytes", path,
		    BUS_PATH_SIZE);
	(void)snprintf(url, URL_SIZE, "ipc://%s", path);
	return ERR_ok;
}

/* A socket file starts with the group of the process; who may use it is said by the directory's. */
static enum err
take_group_of_directory(const char *path, struct error *e)
{
	char        directory[BUS_PATH_SIZE];
	struct stat of_file, of_directory;
	char       *slash;

	(void)snprintf(directory, sizeof(directory), "%s", path);
	slash = strrchr(directory, '/');
	*(slash == directory ? slash + 1 : slash) = '\0';
	if (stat(directory, &of_directory) != 0 || stat(path, &of_file) != 0)
		return err_errno(e, "socket %s", path);
	if (of_file.st_gid == of_directory.st_gid || chown(path, (uid_t)-1, of_directory.st_gid) == 0)
		return ERR_ok;
	/* Not a member of that group: the file stays with the own one, which lets in fewer. */
	return errno == EPERM ? ERR_ok : err_errno(e, "give socket %s to the group of its directory", path);
}

enum err
bus_listen(nng_socket socket, const char *path, mode_t mode, struct error *e)
{
	char         url[URL_SIZE];
	nng_listener listener;
	enum err     err = url_of_path(path, url, e);
	int          rv;

	if (err != ERR_ok)
		return err;
	rv = nng_listener_create(&listener, socket, url);
	/* Set here and not on the socket: nng applies it between bind and listen, before anybody can connect. */
	if (rv == 0)
		rv = nng_listener_set_int(listener, NNG_OPT_IPC_PERMISSIONS, (int)mode);
	if (rv == 0)
		rv = nng_listener_start(listener, 0);
	if (rv != 0)
		return bus_fail(e, rv, "listen on %s", path);
	return take_group_of_directory(path, e);
}

static enum err
create_dialer(nng_socket socket, const char *path, int reconnect_ms, nng_dialer *dialer, struct error *e)
{
	char     url[URL_SIZE];
	enum err err = url_of_path(path, url, e);
	int      rv;

	if (err != ERR_ok)
		return err;
	rv = nng_dialer_create(dialer, socket, url);
	if (rv == 0)
		rv = nng_dialer_set_ms(*dialer, NNG_OPT_RECONNMINT, reconnect_ms);
	if (rv == 0)
		rv = nng_dialer_set_ms(*dialer, NNG_OPT_RECONNMAXT, RECONNECT_MAX_MS);
	return rv == 0 ? ERR_ok : bus_fail(e, rv, "connect to %s", path);
}

enum err
bus_dial(nng_socket socket, const char *path, nng_dialer *dialer, struct error *e)
{
	enum err err = create_dialer(socket, path, RECONNECT_MIN_MS, dialer, e);
	int      rv;

	if (err != ERR_ok)
		return err;
	rv = nng_dialer_start(*dialer, NNG_FLAG_NONBLOCK);
	return rv == 0 ? ERR_ok : bus_fail(e, rv, "connect to %s", path);
}

void
bus_come_back(nng_dialer dialer)
{
	(void)nng_dialer_set_ms(dialer, NNG_OPT_RECONNMINT, RECONNECT_MIN_MS);
}

void
bus_stay_away(nng_dialer dialer)
{
	(void)nng_dialer_set_ms(dialer, NNG_OPT_RECONNMINT, STAY_AWAY_MS);
}

/* ------------------------------------------------------- with a deadline */
struct attempt {
	nng_dialer dialer;
	nng_aio   *deadline;
};

static void
on_deadline(void *arg)
{
	struct attempt *a = arg;

	if (nng_aio_result(a->deadline) == 0)
		(void)nng_dialer_close(a->dialer);
}

enum err
bus_connect(nng_socket socket, const char *path, int timeout_ms, nng_dialer *dialer, struct error *e)
{
	struct attempt a   = { .deadline = NULL };
	enum err       err = create_dialer(socket, path, STAY_AWAY_MS, &a.dialer, e);
	int            rv;

	if (err != ERR_ok)
		return err;
	*dialer = a.dialer;
	rv      = nng_aio_alloc(&a.deadline, on_deadline, &a);
	if (rv == 0) {
		/* Without it nng would wait 10 s for the handshake of a supervisor that is stopped. */
		nng_sleep_aio(timeout_ms, a.deadline);
		rv = nng_dialer_start(a.dialer, 0);
		nng_aio_stop(a.deadline);
		nng_aio_free(a.deadline);
	}
	if (rv == NNG_ECLOSED || rv == NNG_ECANCELED)
		rv = NNG_ETIMEDOUT;
	return rv == 0 ? ERR_ok : bus_fail(e, rv, "connect to %s", path);
}


/* ---------------------------------------- connections as the kernel has them */
static bool
has_peer(int fd, const struct bus_end *end)
{
	struct ucred peer;
	socklen_t    size = sizeof(peer);

	if (end->pid == -1 && end->uid == BUS_ANY_UID)
		return true;
	return getsockopt(fd, SOL_SOCKET, SO_PEERCRED, &peer, &size) == 0 &&
	    (end->pid == -1 || peer.pid == end->pid) && (end->uid == BUS_ANY_UID || peer.uid == end->uid);
}

static bool
is_connection_of(int fd, const struct bus_end *end)
{
	struct sockaddr_un a      = { .sun_family = AF_UNSPEC };
	socklen_t          length = sizeof(a), size = sizeof(int);
	int                listens;
	int rv = end->dialled ? getpeername(fd, (struct sockaddr *)&a, &length)
	                      : getsockname(fd, (struct sockaddr *)&a, &length);

	if (rv != 0 || a.sun_family != AF_UNIX || strncmp(a.sun_path, end->path, sizeof(a.sun_path)) != 0)
		return false;
	if (getsockopt(fd, SOL_SOCKET, SO_ACCEPTCONN, &listens, &size) != 0 || listens != 0)
		return false;
	return has_peer(fd, end);
}

/* Call what(fd) for each; the sum of its answers. */
static unsigned
for_each_connection(const struct bus_end *end, unsigned (*what)(int fd))
{
	DIR           *d   = opendir("/proc/self/fd");
	unsigned       sum = 0;
	struct dirent *entry;

	if (d == NULL)
		return 0;
	while ((entry = readdir(d)) != NULL) {
		int fd = (int)strtol(entry->d_name, NULL, 10);

		if (entry->d_name[0] != '.' && is_connection_of(fd, end))
			sum += what(fd);
	}
	(void)closedir(d);
	return sum;
}

static unsigned
end_reading(int fd)
{
	return shutdown(fd, SHUT_RD) == 0;
}

static unsigned
is_alive(int fd)
{
	struct pollfd p = { fd, 0, 0 };

	return poll(&p, 1, 0) == 0;
}

void
bus_hang_up(const struct bus_end *end)
{
	(void)for_each_connection(end, end_reading);
}

unsigned
bus_count_alive(const struct bus_end *end)
{
	return for_each_connection(end, is_alive);
}
