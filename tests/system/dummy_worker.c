/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker that does nothing, and misbehaves as told.  The words are in the file
 * <run directory>/../behave/<kind>.<slot>, or <kind>, read once at the start:
 *
 *   crash        dies of SIGSEGV before it is ready
 *   exit N       ends with this status before it is ready
 *   die N        dies of SIGSEGV N ms after it was ready
 *   mute         never says ready
 *   silent       says ready and never beats
 *   deaf         obeys neither drain nor SIGTERM
 *   slow N       takes N ms to leave
 *   linger       stays when the supervisor is gone
 *   down         reports that the database is away
 *   behind       reports that it is at work on an older schema
 *   wake KIND    asks for another kind to be nudged
 *   chatter N    writes N lines to stdout and stderr in turns, and the beginning of one more
 */
#include <getopt.h>
#include <libgen.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "bus.h"
#include "clock.h"
#include "config.h"
#include "log.h"

enum { RETRY_MS = 2 };

struct dummy {
	const char      *kind;
	const char      *config_path, *socket;
	int              slot;
	char             behaviour[256];
	struct config    config;
	struct bus_link *link;
	int              signals;
	bool             announced, paused;
	uint64_t         nudges;
	int64_t          beat_ms, die_ms, leave_ms;
};

static const char *
told(const struct dummy *d, const char *word)
{
	const char *at = strstr(d->behaviour, word);

	return at == NULL ? NULL : at + strlen(word);
}

static void
read_behaviour(struct dummy *d)
{
	char        socket[BUS_PATH_SIZE];
	char        path[BUS_PATH_SIZE + 128];
	const char *directory;
	FILE       *f;

	(void)snprintf(socket, sizeof(socket), "%s", d->socket);
	directory = dirname(dirname(dirname(socket)));
	(void)snprintf(path, sizeof(path), "%s/behave/%s.%d", directory, d->kind, d->slot);
	f = fopen(path, "re");
	if (f == NULL) {
		(void)snprintf(path, sizeof(path), "%s/behave/%s", directory, d->kind);
		f = fopen(path, "re");
	}
	if (f == NULL)
		return;
	d->behaviour[fread(d->behaviour, 1, sizeof(d->behaviour) - 1, f)] = '\0';
	(void)fclose(f);
}

static bool
say(struct dummy *d, const struct msg *m)
{
	return bus_link_send(d->link, m, NULL) == ERR_ok;
}

static const char *
database_of(const struct dummy *d)
{
	return told(d, "down") ? "down" : told(d, "behind") ? "schema_old" : "up";
}

static const char *
detail_of(const struct dummy *d)
{
	return strcmp(database_of(d), "up") == 0 ? "" : "told to say so";
}

static void
announce(struct dummy *d)
{
	struct msg  m     = { .type = MSG_ready };
	const char *other = told(d, "wake ");

	(void)snprintf(m.body.ready.database, sizeof(m.body.ready.database), "%s", database_of(d));
	(void)snprintf(m.body.ready.detail, sizeof(m.body.ready.detail), "%s", detail_of(d));
	d->announced = say(d, &m);
	if (!d->announced)
		return;
	if (told(d, "die "))
		d->die_ms = clock_now_ms() + atoi(told(d, "die "));
	if (other != NULL) {
		m.type = MSG_wake;
		(void)snprintf(m.body.wake.kind, sizeof(m.body.wake.kind), "%.*s", (int)strcspn(other, " \n"), other);
		(void)say(d, &m);
	}
}

static void
beat(struct dummy *d)
{
	struct msg m = { .type = MSG_heartbeat };

	(void)snprintf(m.body.heartbeat.database, sizeof(m.body.heartbeat.database), "%s", database_of(d));
	(void)snprintf(m.body.heartbeat.detail, sizeof(m.body.heartbeat.detail), "%s", detail_of(d));
	(void)snprintf(m.body.heartbeat.activity, sizeof(m.body.heartbeat.activity), "pretending");
	m.body.heartbeat.done   = d->nudges;
	m.body.heartbeat.paused = d->paused;
	(void)say(d, &m);
}

static void
leave(struct dummy *d)
{
	if (!told(d, "deaf"))
		d->leave_ms = MIN(d->leave_ms, clock_now_ms() + (told(d, "slow ") ? atoi(told(d, "slow ")) : 0));
}

static void
reload(struct dummy *d)
{
	struct config            fresh;
	struct config_complaints complaints = { 0 };

	if (config_load(d->config_path, &fresh, NULL, &complaints, NULL) == ERR_ok)
		log_configure(fresh.log_level, fresh.log_format, fresh.node);
	config_complaints_free(&complaints);
	log_event(LOG_info, "dummy_reloaded", " ");
}

static void
obey(struct dummy *d)
{
	struct msg m;

	while (bus_link_receive(d->link, &m, NULL) == ERR_ok) {
		if (m.type == MSG_drain)
			leave(d);
		if (m.type == MSG_pause || m.type == MSG_resume)
			d->paused = m.type == MSG_pause;
		if (m.type == MSG_nudge)
			d->nudges++;
		if (m.type != MSG_drain)
			beat(d);
		if (m.type == MSG_reload)
			reload(d);
	}
}

static int
patience_ms(const struct dummy *d, int64_t now_ms)
{
	int64_t due = MIN(d->leave_ms, d->die_ms);

	due = MIN(due, d->announced ? d->beat_ms : told(d, "mute") ? INT64_MAX : now_ms + RETRY_MS);
	return due == INT64_MAX ? -1 : (int)MAX(due - now_ms, (int64_t)0);
}

static void
crash(void)
{
	/* A sanitizer would make an exit status of it. */
	(void)signal(SIGSEGV, SIG_DFL);
	(void)raise(SIGSEGV);
}

/* Bytes that no log is prepared for are among them; not through stdio, which knows no turns. */
static void
chatter(long lines)
{
	for (long i = 1; i <= lines; i++)
		(void)dprintf(1 + (int)(i % 2), "chatter %ld \"quoted\" \xff\n", i);
	(void)dprintf(2, "not the end of");
}

static int
live(struct dummy *d)
{
	struct pollfd fds[] = { { d->signals, POLLIN, 0 }, { WORKER_LIFELINE_FD, 0, 0 }, { bus_link_fd(d->link), POLLIN, 0 } };

	for (;;) {
		int64_t                 now_ms = clock_now_ms();
		struct signalfd_siginfo info;

		if (now_ms >= d->leave_ms)
			return 0;
		if (now_ms >= d->die_ms)
			crash();
		if (!d->announced && !told(d, "mute"))
			announce(d);
		if (d->announced && now_ms >= d->beat_ms) {
			d->beat_ms = told(d, "silent") ? INT64_MAX
			                               : (now_ms / d->config.supervisor_heartbeat + 1) * d->config.supervisor_heartbeat;
			if (!told(d, "silent"))
				beat(d);
		}
		(void)poll(fds, COUNT_OF(fds), patience_ms(d, now_ms));
		if (fds[0].revents != 0 && read(d->signals, &info, sizeof(info)) > 0)
			leave(d);
		if (fds[2].revents != 0)
			obey(d);
		if (fds[1].revents != 0 && told(d, "linger"))
			fds[1].fd = -1;
		else if (fds[1].revents != 0)
			return 0;
	}
}

static bool
parse(struct dummy *d, int argc, char *argv[])
{
	static const struct option options[] = {
		{ "config", required_argument, NULL, 'c' },
		{ "slot",   required_argument, NULL, 's' },
		{ "socket", required_argument, NULL, 'p' },
		{ "log-fd", required_argument, NULL, 'l' },
		{ NULL,     0,                 NULL, 0   },
	};
	int c;

	while ((c = getopt_long(argc, argv, "", options, NULL)) != -1) {
		if (c == 'c')
			d->config_path = optarg;
		else if (c == 's')
			d->slot = atoi(optarg);
		else if (c == 'p')
			d->socket = optarg;
		else if (c == 'l')
			log_set_descriptor(atoi(optarg));
	}
	return d->config_path != NULL && d->socket != NULL;
}

int
main(int argc, char *argv[])
{
	struct dummy             d          = { .die_ms = INT64_MAX, .leave_ms = INT64_MAX };
	struct config_complaints complaints = { 0 };
	char                     tag[48];
	sigset_t                 set;

	d.kind = basename(argv[0]);
	if (!parse(&d, argc, argv) || config_load(d.config_path, &d.config, NULL, &complaints, NULL) != ERR_ok)
		return err_exit_status(ERR_config);
	(void)snprintf(tag, sizeof(tag), "%.32s[%d]", d.kind, d.slot);
	log_init(tag, LOG_info);
	log_configure(d.config.log_level, d.config.log_format, d.config.node);
	read_behaviour(&d);
	if (told(&d, "chatter "))
		chatter(atol(told(&d, "chatter ")));
	if (told(&d, "crash"))
		crash();
	if (told(&d, "exit "))
		return atoi(told(&d, "exit "));
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigprocmask(SIG_BLOCK, &set, NULL);
	d.signals = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	bus_limit_threads();
	if (bus_link_dial(d.socket, &d.link, NULL) != ERR_ok)
		return err_exit_status(ERR_system);
	/* Not closed: the process ends, and closing may block. */
	_exit(live(&d));
}
