/* SPDX-License-Identifier: Apache-2.0 */
#include "life.h"

#include <fcntl.h>
#include <pwd.h>
#include <signal.h>
#include <stdio.h>
#include <string.h>
#include <sys/signalfd.h>
#include <sys/stat.h>
#include <unistd.h>

#include "clock.h"
#include "control.h"
#include "identity.h"
#include "lock.h"
#include "reload.h"
#include "status.h"

enum {
	/* Workers of a dead supervisor leave within a second, once their transaction is through. */
	ORPHAN_PATIENCE_MS = 3000,
	/* The init system hears READY then, whatever the workers do. */
	BEGIN_PATIENCE_MS = 30000,
	/* Woken this much later than asked for, we were stopped or starved. */
	LATE_MS = 1000,
	LAST_ANSWER_US = 2000
};

/* ---------------------------------------------------------------- signals */
static void
on_signal(struct supervisor *s, uint32_t number)
{
	struct error e = { 0 };
	unsigned     changed;
	enum err     err;

	if (number != SIGHUP) {
		if (s->tree.mode == TREE_stop) {
			events_tell(&s->events, LOG_warning, "steward_hurried", "steward", "signal=%u", number);
			tree_hurry(&s->tree);
		}
		supervisor_stop(s, number == SIGINT ? "SIGINT" : "SIGTERM");
		return;
	}
	err = reload_run(s, NULL, &changed, &e);
	if (err != ERR_ok && err != ERR_config)
		log_event(LOG_warning, "reload_refused", "reason=\"%s\"", e.text);
}

static void
on_signals(void *supervisor)
{
	struct supervisor      *s = supervisor;
	struct signalfd_siginfo info;

	while (read(s->signals.fd, &info, sizeof(info)) == (ssize_t)sizeof(info))
		on_signal(s, info.ssi_signo);
}

/* Before the first thread of nng, which inherits the mask. */
static enum err
open_signals(struct supervisor *s, struct error *e)
{
	sigset_t set;
	int      fd;

	(void)signal(SIGPIPE, SIG_IGN);
	/* Ignored it would reap our children for us. */
	(void)signal(SIGCHLD, SIG_DFL);
	(void)sigemptyset(&set);
	(void)sigaddset(&set, SIGTERM);
	(void)sigaddset(&set, SIGINT);
	(void)sigaddset(&set, SIGHUP);
	if (sigprocmask(SIG_BLOCK, &set, NULL) != 0)
		return err_errno(e, "block signals");
	fd = signalfd(-1, &set, SFD_CLOEXEC | SFD_NONBLOCK);
	if (fd < 0)
		return err_errno(e, "signalfd");
	s->signals = (struct watch){ fd, on_signals, s };
	return loop_add(&s->loop, &s->signals, e);
}

/* ------------------------------------------------------------------ begin */
/* Whatever started us may have left descriptors open; stdin is nobody's business here. */
static enum err
tidy_descriptors(struct error *e)
{
	int fd;

	if (close_range(3, ~0U, 0) != 0)
		return err_errno(e, "close inherited descriptors");
	do {
		fd = open("/dev/null", O_RDWR);
		if (fd < 0)
			return err_errno(e, "/dev/null");
	} while (fd <= STDERR_FILENO);
	if (dup2(fd, STDIN_FILENO) < 0)
		return err_errno(e, "/dev/null");
	(void)close(fd);
	return ERR_ok;
}

void
supervisor_name_node(struct supervisor *s)
{
	if (s->config.node[0] != '\0')
		(void)snprintf(s->node, sizeof(s->node), "%s", s->config.node);
	else if (gethostname(s->node, sizeof(s->node) - 1) != 0)
		(void)snprintf(s->node, sizeof(s->node), "localhost");
}

enum err
life_become(const struct supervisor *s, struct error *e)
{
	(void)umask(0027);
	return identity_assume(s->config.user, s->config.run_directory, s->config_path, e);
}

static void
init_log(const struct supervisor *s)
{
	const struct passwd *self;

	log_init("steward", LOG_info);
	log_configure(s->config.log_level, s->config.log_format, s->config.node);
	self = s->config.user[0] != '\0' ? getpwuid(geteuid()) : NULL;
	if (self != NULL && strcmp(self->pw_name, s->config.user) != 0)
		log_event(LOG_warning, "user_ignored", "user=%s running_as=%s reason=\"only root can become somebody\"",
		    s->config.user, self->pw_name);
}

/* Alone in the run directory, with nobody left from before. */
static enum err
take_over(struct supervisor *s, struct error *e)
{
	unsigned killed = 0;
	enum err err    = identity_assume(s->config.user, s->config.run_directory, s->config_path, e);

	if (err == ERR_ok)
		err = lock_take(s->config.run_directory, &s->lock_fd, e);
	if (err == ERR_ok)
		err = lifeline_open(s->config.run_directory, ORPHAN_PATIENCE_MS, &s->lifeline, &killed, e);
	if (err != ERR_ok)
		return err;
	if (killed > 0)
		log_event(LOG_warning, "orphans_killed", "count=%u", killed);
	identity_sweep(s->config.run_directory);
	return ERR_ok;
}

enum err
life_begin(struct supervisor *s, struct error *e)
{
	enum err err;

	(void)umask(0027);
	s->loop.fd = s->signals.fd = s->requests.fd = s->lock_fd = -1;
	s->lifeline = (struct lifeline){ -1, -1 };
	err         = tidy_descriptors(e);
	if (err != ERR_ok)
		return err;
	s->started_ms = clock_now_ms();
	init_log(s);
	supervisor_name_node(s);
	notify_init(&s->notify, s->started_ms);
	err = take_over(s, e);
	if (err == ERR_ok)
		err = loop_init(&s->loop, e);
	if (err == ERR_ok)
		err = open_signals(s, e);
	if (err == ERR_ok)
		err = events_init(&s->events, e);
	if (err == ERR_ok)
		err = spawn_init(&s->tree.spawner, &s->lifeline, e);
	if (err == ERR_ok)
		err = handout_write(s->config.run_directory, &s->config, s->handout, e);
	if (err != ERR_ok)
		return err;
	bus_limit_threads();
	tree_init(&s->tree, &s->loop, &s->events, &s->config, s->handout);
	return control_open(s, e);
}

/* ------------------------------------------------------------------- loop */
void
supervisor_stop(struct supervisor *s, const char *why)
{
	if (s->tree.mode == TREE_stop)
		return;
	tree_set_mode(&s->tree, TREE_stop);
	notify_stopping(&s->notify);
	events_tell(&s->events, LOG_info, "steward_stopping", "steward", "why=%s", why);
}

/* What the init system should know about this turn. */
static void
tell_init(struct supervisor *s, int64_t now_ms)
{
	char sentence[NOTIFY_STATUS_SIZE];

	notify_tick(&s->notify, now_ms);
	if (s->tree.mode == TREE_stop)
		return;
	if (s->begun) {
		status_sentence(s, sentence);
		notify_status(&s->notify, sentence);
	} else if (tree_is_settled(&s->tree) || now_ms >= s->started_ms + BEGIN_PATIENCE_MS) {
		s->begun = true;
		status_sentence(s, sentence);
		notify_ready(&s->notify, sentence);
		events_tell(&s->events, LOG_info, "steward_ready", "steward", "after_ms=%" PRId64, now_ms - s->started_ms);
	}
}

static int64_t
next_due_ms(const struct supervisor *s)
{
	int64_t due = MIN(tree_due_ms(&s->tree), notify_due_ms(&s->notify));

	return s->begun ? due : MIN(due, s->started_ms + BEGIN_PATIENCE_MS);
}

void
life_go_on(struct supervisor *s)
{
	events_tell(&s->events, LOG_info, "steward_started", "steward", "version=%s pid=%ld node=%s", STEWARD_VERSION,
	    (long)getpid(), s->node);
	for (;;) {
		int64_t now_ms = clock_now_ms();
		int64_t due_ms;

		tree_settle(&s->tree, now_ms);
		tell_init(s, now_ms);
		if (s->tree.mode == TREE_stop && !tree_has_processes(&s->tree))
			break;
		due_ms = next_due_ms(s);
		loop_turn(&s->loop, due_ms);
		now_ms = clock_now_ms();
		if (due_ms != INT64_MAX && now_ms - due_ms > LATE_MS)
			tree_forgive(&s->tree, now_ms);
	}
	events_tell(&s->events, LOG_info, "steward_stopped", "steward", "uptime_ms=%" PRId64,
	    clock_now_ms() - s->started_ms);
}

void
life_end(const struct supervisor *s)
{
	if (s->server == NULL)
		return;
	/* The last answer is with nng's threads, and on its way within a moment. */
	(void)usleep(s->asked_to_stop ? LAST_ANSWER_US : 0);
	identity_sweep(s->config.run_directory);
}
