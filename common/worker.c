/* SPDX-License-Identifier: Apache-2.0 */
/*
 * One epoll loop over the link to the supervisor, the lifeline, the signals and
 * two database sessions: one that works and one that listens, since a session
 * is woken by its own notifications.  The loop that works is the loop that
 * sends the heartbeat, so a heartbeat means what it says.
 */
#include "worker.h"

#include <getopt.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/prctl.h>
#include <sys/signalfd.h>
#include <unistd.h>

#include "clock.h"
#include "process_limits.h"
#include "log.h"
#include "worker_private.h"

/* ------------------------------------------------- for the worker's own code */
/* For `status`, at once: the heartbeat says it until the statement succeeds. */
static void
note_failure(struct worker *w, enum err code, const struct error *e)
{
	struct trouble *t = &w->trouble[w->statement];

	if (session_tells_of(code))
		return;
	if (t->since_us == 0) {
		t->since_us     = clock_wall_us();
		w->heartbeat_ms = w->now_ms;
	}
	(void)snprintf(t->words, sizeof(t->words), "%.*s", (int)sizeof(t->words) - 1, e->text);
}

static void
note_success(struct worker *w)
{
	struct trouble *t = &w->trouble[w->statement];

	if (t->said.times > 1)
		log_event(LOG_info, "statement_succeeded", "statement=%s failures=%" PRIu64, statement_desc(w->statement)->name,
		    t->said.times);
	t->said = (struct log_repeat){ 0 };
	if (t->since_us == 0)
		return;
	t->since_us     = 0;
	w->heartbeat_ms = w->now_ms;
}

static void
on_result(void *arg, enum err code, const struct db_result *r, const struct error *e)
{
	struct worker     *w    = arg;
	struct log_repeat *said = &w->trouble[w->statement].said;
	char               quoted[LOG_QUOTE_SIZE];
	bool               is_news;
	int64_t            pause_ms;

	w->since_ms = w->now_ms;
	if (code == ERR_ok) {
		note_success(w);
		/* What another statement manages says nothing about the one that fails. */
		if (w->statement == w->failing) {
			w->failing = STMT_COUNT;
			backoff_reset(&w->backoff);
		}
		w->on_result(w, r);
		return;
	}
	is_news = log_is_news(said, e->text, w->now_ms);
	log_event(is_news ? LOG_warning : LOG_debug, "statement_failed",
	    "statement=%s error=%s times=%" PRIu64 " reason=%s", statement_desc(w->statement)->name, err_name(code), said->times,
	    log_quote(e->text, quoted));
	note_failure(w, code, e);
	w->failing = w->statement;
	pause_ms   = backoff_next_ms(&w->backoff, arc4random());
	if (statement_desc(w->statement)->kind == WORKER_scheduled)
		worker_schedule_look_in(w, pause_ms * 1000);
	else
		worker_wake_in(w, pause_ms);
}

void *
worker_state(const struct worker *w)
{
	return w->state;
}

enum err
worker_call(struct worker *w, enum statement s, const char *const *parameters, worker_result_fn *handler,
    struct error *e)
{
	enum err code = session_call(w->work, s, parameters, w->now_ms, on_result, w, e);

	if (code != ERR_ok)
		return code;
	w->statement = s;
	w->on_result = handler;
	w->since_ms  = w->now_ms;
	return ERR_ok;
}

void
worker_wake_in(struct worker *w, int64_t delay_ms)
{
	w->due_ms = MIN(w->due_ms, w->now_ms + delay_ms);
}

void
worker_wake_other(struct worker *w, enum worker_kind kind)
{
	struct msg   m = { .type = MSG_wake };
	struct error e = { 0 };

	(void)snprintf(m.body.wake.kind, sizeof(m.body.wake.kind), "%s", worker_desc(kind)->name);
	if (bus_link_send(w->link, &m, &e) != ERR_ok)
		log_event(LOG_debug, "wake_dropped", "kind=%s", worker_desc(kind)->name);
}

void
worker_count(struct worker *w, uint64_t done, uint64_t failed)
{
	w->done += done;
	w->failed += failed;
}

void
worker_notice(struct worker *w, const char *sentence)
{
	if (strcmp(w->notice, sentence) == 0)
		return;
	(void)snprintf(w->notice, sizeof(w->notice), "%s", sentence);
	w->heartbeat_ms = w->now_ms;
}

const struct config *
worker_config(const struct worker *w)
{
	return &w->config;
}

int64_t
worker_now_ms(const struct worker *w)
{
	return w->now_ms;
}

const char *
worker_id(const struct worker *w)
{
	return w->id;
}

/* The end of the lifeline never goes away, and a statement may take a while. */
static void
leave_with_supervisor(struct worker *w)
{
	worker_leave(w, "supervisor_gone");
	(void)epoll_ctl(w->epoll, EPOLL_CTL_DEL, WORKER_LIFELINE_FD, NULL);
}

static void
read_signals(struct worker *w)
{
	struct signalfd_siginfo info;

	while (read(w->signals, &info, sizeof(info)) == (ssize_t)sizeof(info))
		if (info.ssi_signo == SIGTERM)
			worker_leave(w, "sigterm");
}

/* -------------------------------------------------------------- the loop */
/* Keep epoll's idea of a session's descriptor equal to its owner's.  A closed one has left epoll by itself. */
static void
watch_session(struct worker *w, const struct session *session, enum watched what)
{
	struct epoll_event ev = { .events = session_events(session), .data.u32 = what };
	int                fd = session_fd(session);

	if (fd >= 0 && epoll_ctl(w->epoll, EPOLL_CTL_MOD, fd, &ev) < 0)
		(void)epoll_ctl(w->epoll, EPOLL_CTL_ADD, fd, &ev);
}

static void
service_sessions(struct worker *w)
{
	unsigned heard;

	session_service(w->work, w->now_ms);
	if (w->listen != NULL)
		session_service(w->listen, w->now_ms);
	if (w->listen != NULL && session_schema_changed(w->listen))
		session_look_again(w->work);
	heard = session_notified(w->work);
	if (w->listen != NULL)
		heard |= session_notified(w->listen);
	if ((heard & CHANNEL_own) != 0)
		worker_wake_in(w, 0);
	if ((heard & CHANNEL_schedule) != 0)
		worker_schedule_look(w);
}

static enum err
work_when_due(struct worker *w, struct error *e)
{
	enum err code;

	if (w->ops->work == NULL || w->now_ms < w->due_ms || w->is_paused || w->is_leaving || !session_is_ready(w->work))
		return ERR_ok;
	w->due_ms = w->now_ms + w->ops->safety_poll_ms(&w->config);
	code      = w->ops->work(w, e);
	return code == ERR_again ? ERR_ok : code;
}

/* Until the supervisor has heard `ready`: the link connects in the background, and says nothing when it has. */
enum { ANNOUNCE_RETRY_MS = 2 };

static int
sleep_ms(const struct worker *w)
{
	int64_t due = MIN(w->heartbeat_ms, session_due_ms(w->work));

	if (!w->is_announced && session_has_tried(w->work))
		due = MIN(due, w->now_ms + ANNOUNCE_RETRY_MS);
	if (w->listen != NULL)
		due = MIN(due, session_due_ms(w->listen));
	if (w->ops->work != NULL && !w->is_paused && !w->is_leaving && session_is_ready(w->work))
		due = MIN(due, w->due_ms);
	return (int)MIN(MAX(due - clock_now_ms(), 0), 60000);
}

static bool
is_finished(const struct worker *w)
{
	return w->is_leaving && !session_is_busy(w->work);
}

static enum err
turn(struct worker *w, struct error *e)
{
	struct epoll_event events[8];
	int                count;
	enum err           code;

	w->now_ms = clock_now_ms();
	service_sessions(w);
	code = worker_schedule_go_on(w, e);
	if (code == ERR_ok)
		code = work_when_due(w, e);
	if (code != ERR_ok)
		return code;
	worker_announce(w);
	worker_beat_when_due(w);
	if (is_finished(w))
		return ERR_ok;
	watch_session(w, w->work, WATCH_session);
	if (w->listen != NULL)
		watch_session(w, w->listen, WATCH_session);
	count     = epoll_wait(w->epoll, events, COUNT_OF(events), sleep_ms(w));
	w->now_ms = clock_now_ms();
	for (int i = 0; i < count; i++) {
		if (events[i].data.u32 == WATCH_link)
			worker_read_orders(w);
		else if (events[i].data.u32 == WATCH_signals)
			read_signals(w);
		else if (events[i].data.u32 == WATCH_lifeline)
			leave_with_supervisor(w);
		else if (events[i].data.u32 == WATCH_schedule)
			worker_schedule_read_timer(w);
	}
	return ERR_ok;
}

/* ------------------------------------------------------------- beginning */
static struct session_options
session_options(const struct worker *w, const char *application)
{
	const struct config *c = &w->config;

	return (struct session_options){
		.db = {
			.conninfo             = c->database_conninfo,
			.password_file        = c->database_password_file,
			.application          = application,
			.connect_timeout_ms   = c->database_connect_timeout,
			.statement_timeout_ms = c->database_statement_timeout,
		},
		.retry_min_ms = c->database_retry_min,
		.retry_max_ms = c->database_retry_max,
		.kind         = WORKER_COUNT,
	};
}

static enum err
open_sessions(struct worker *w, struct error *e)
{
	struct session_options o;
	enum err               code;

	(void)snprintf(w->work_application, sizeof(w->work_application), "steward/%s", w->name);
	(void)snprintf(w->listen_application, sizeof(w->listen_application), "steward/%s/listen", w->name);
	o           = session_options(w, w->work_application);
	o.kind      = w->ops->self;
	o.scheduled = w->ops->scheduled;
	code        = session_create(&o, &w->work, e);
	if (code != ERR_ok || (w->ops->channel == NULL && !w->ops->scheduled))
		return code;
	o             = session_options(w, w->listen_application);
	o.channels[0] = w->ops->channel;
	o.channels[1] = w->ops->scheduled ? "steward_schedule" : NULL;
	return session_create(&o, &w->listen, e);
}

static enum err
watch_for_ever(const struct worker *w, int fd, enum watched what, struct error *e)
{
	struct epoll_event ev = { .events = EPOLLIN, .data.u32 = what };

	return epoll_ctl(w->epoll, EPOLL_CTL_ADD, fd, &ev) < 0 ? err_errno(e, "epoll_ctl on %d", fd) : ERR_ok;
}

static enum err
open_loop(struct worker *w, const sigset_t *blocked, struct error *e)
{
	enum err code;

	w->epoll   = epoll_create1(EPOLL_CLOEXEC);
	w->signals = signalfd(-1, blocked, SFD_NONBLOCK | SFD_CLOEXEC);
	if (w->epoll < 0 || w->signals < 0)
		return err_errno(e, "epoll");
	code = bus_link_dial(w->socket_path, &w->link, e);
	if (code == ERR_ok)
		code = watch_for_ever(w, bus_link_fd(w->link), WATCH_link, e);
	if (code == ERR_ok)
		code = watch_for_ever(w, w->signals, WATCH_signals, e);
	if (code == ERR_ok)
		code = watch_for_ever(w, WORKER_LIFELINE_FD, WATCH_lifeline, e);
	if (code == ERR_ok && w->ops->scheduled)
		code = worker_schedule_open(w, e);
	if (code == ERR_ok && w->ops->scheduled)
		code = watch_for_ever(w, w->schedule.timer, WATCH_schedule, e);
	return code;
}

static enum err
begin(struct worker *w, struct error *e)
{
	struct config_complaints complaints = { 0 };
	sigset_t                 blocked;
	enum err                 code;

	/* libpq asks the resolver in our loop: bounded, so that a sick one is not taken for a hang. */
	(void)setenv("RES_OPTIONS", "timeout:1 attempts:1", 0);
	w->state = calloc(1, MAX(w->ops->state_size, 1));
	if (w->state == NULL)
		return err_set(e, ERR_no_memory, "worker state");
	(void)snprintf(w->name, sizeof(w->name), "%s[%d]", worker_desc(w->ops->self)->name, w->slot);
	log_init(w->name, LOG_info);
	code = config_load(w->config_path, &w->config, NULL, &complaints, e);
	config_complaints_free(&complaints);
	if (code != ERR_ok)
		return code;
	log_configure(w->config.log_level, w->config.log_format, w->config.node);
	(void)snprintf(w->id, sizeof(w->id), "worker-%d-%08" PRIx32, (int)getpid(), arc4random());
	code = process_limits_apply(&w->config.workers[w->ops->self], e);
	if (code != ERR_ok)
		return err_wrap(e, "workers.%s", worker_desc(w->ops->self)->name);
	/* Before the first nng call: its threads inherit the mask.  SIGINT is the terminal's word to the supervisor. */
	(void)sigemptyset(&blocked);
	(void)sigaddset(&blocked, SIGTERM);
	(void)sigaddset(&blocked, SIGINT);
	(void)sigaddset(&blocked, SIGHUP);
	(void)sigprocmask(SIG_BLOCK, &blocked, NULL);
	(void)signal(SIGPIPE, SIG_IGN);
	w->now_ms          = clock_now_ms();
	w->since_ms        = w->now_ms;
	w->heartbeat_ms    = w->now_ms;
	w->backoff.min_ms  = w->config.database_retry_min;
	w->backoff.max_ms  = w->config.database_retry_max;
	code               = open_sessions(w, e);
	if (code != ERR_ok)
		return code;
	/* The server starts its two processes meanwhile. */
	service_sessions(w);
	bus_limit_threads();
	return open_loop(w, &blocked, e);
}

static void
end(struct worker *w)
{
	session_destroy(w->listen);
	session_destroy(w->work);
	/*
	 * The link ends with the process.  Closing it may wait for a message that
	 * just arrives, and nng's own end gives up locks that its reaper still uses.
	 */
	free(w->state);
	worker_schedule_close(w);
	if (w->signals >= 0)
		(void)close(w->signals);
	if (w->epoll >= 0)
		(void)close(w->epoll);
}

static bool
parse(struct worker *w, int argc, char *argv[])
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
			w->config_path = optarg;
		else if (c == 's')
			w->slot = atoi(optarg);
		else if (c == 'p')
			w->socket_path = optarg;
		else if (c == 'l')
			log_set_descriptor(atoi(optarg));
		else
			return false;
	}
	return optind == argc && w->config_path != NULL && w->socket_path != NULL;
}

int
worker_main(int argc, char *argv[], const struct worker_ops *ops)
{
	struct worker w    = { .ops = ops, .epoll = -1, .signals = -1, .failing = STMT_COUNT, .schedule = { .timer = -1 } };
	struct error  e    = { 0 };
	enum err      code = ERR_ok;
	char          quoted[LOG_QUOTE_SIZE];

	(void)prctl(PR_SET_PDEATHSIG, SIGTERM);
	if (!parse(&w, argc, argv)) {
		(void)fprintf(stderr, "%s: started by steward, not by hand (--config FILE --slot N --socket PATH [--log-fd N])\n", argv[0]);
		return err_exit_status(ERR_usage);
	}
	code = begin(&w, &e);
	while (code == ERR_ok && !is_finished(&w))
		code = turn(&w, &e);
	if (code != ERR_ok)
		log_event(LOG_error, "worker_failed", "error=%s reason=%s", err_name(code), log_quote(e.text, quoted));
	end(&w);
	return err_exit_status(code);
}
