/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A session walks connect -> version -> prepare -> listen -> up, one statement
 * at a time, and falls back to `waiting` from anywhere.  What the outside calls
 * its state is kept apart from that walk: a session that was up and met a
 * missing grant or a full disk stays `down` with that sentence until the same
 * statement succeeds, whatever others do and however often it reconnects.
 */
#include "session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>

#include "backoff.h"
#include "log.h"
#include "schema.h"

enum step {
	STEP_waiting, /* for the next attempt */
	STEP_connecting,
	STEP_version,
	STEP_misfit, /* the schema is another one: look again now and then */
	STEP_preparing,
	STEP_listening,
	STEP_up,
};

/* stewardctl tells here that it has migrated. */
#define SCHEMA_CHANNEL "steward_schema"

enum {
	SCHEMA_LOOK_MS = 1000,  /* how often a misfit session looks again */
	ANSWER_MS      = 5000,  /* what a server may need on top of the timeout that it keeps itself */
	SETTLED_MS     = 10000, /* a connection that lived this long has its failures forgotten */
};

struct session {
	struct session_options options;
	struct db             *db;
	enum step              step;
	enum db_wait           wait;
	unsigned               prepared; /* statements of the kind done so far */
	struct backoff         backoff;
	int64_t                due_ms; /* of the step: the next attempt, or the end of patience */
	int64_t                up_ms;  /* since when it is up */
	bool                   has_tried;
	bool                   schema_news;       /* not yet told to the owner */
	bool                   looks_again;       /* at the schema, once idle */
	unsigned               news; /* channels with a notification; all after a fresh connection */
	const char            *channels[SESSION_CHANNELS + 1]; /* those of the options, and SCHEMA_CHANNEL */

	enum session_state state;
	char               detail[256];
	int                version; /* of the schema, as last seen */
	enum statement     called;
	enum statement     troubled; /* failed for a reason that only its own success proves gone; STMT_COUNT: none */

	session_result_fn *on_result;
	void              *arg;
};

static const char *const words[] = {
	[SESSION_down]       = "down",
	[SESSION_up]         = "up",
	[SESSION_schema_old] = "schema_old",
	[SESSION_schema_new] = "schema_new",
};

enum err
session_create(const struct session_options *o, struct session **out, struct error *e)
{
	struct session *s = calloc(1, sizeof(*s));

	if (s == NULL)
		return err_set(e, ERR_no_memory, "session");
	s->options        = *o;
	s->backoff.min_ms = o->retry_min_ms;
	s->backoff.max_ms = o->retry_max_ms;
	memcpy(s->channels, o->channels, sizeof(o->channels));
	s->channels[SESSION_CHANNELS] = SCHEMA_CHANNEL;
	s->troubled                   = STMT_COUNT;
	(void)snprintf(s->detail, sizeof(s->detail), "connecting");
	*out = s;
	return ERR_ok;
}

void
session_destroy(struct session *s)
{
	if (s == NULL)
		return;
	db_close(s->db);
	free(s);
}

static void
report(struct session *s, enum session_state state, const char *detail)
{
	char quoted[LOG_QUOTE_SIZE];

	if (s->state == state && strcmp(s->detail, detail) == 0)
		return;
	if (s->state != state || state != SESSION_up)
		log_event(state == SESSION_up ? LOG_info : LOG_warning, "database_changed",
		    "session=%s state=%s detail=%s", s->options.db.application, words[state], log_quote(detail, quoted));
	s->state = state;
	(void)snprintf(s->detail, sizeof(s->detail), "%.*s", (int)sizeof(s->detail) - 1, detail);
}

/* The next step for the reader, by the kind of failure.  With our version there, something of it was taken away. */
static const char *
advice(const struct session *s, enum err code)
{
	bool is_there = s->step > STEP_misfit && s->version == SCHEMA_VERSION;

	switch ((int)code) {
	case ERR_denied:     return is_there ? "; run: sudo stewardctl db verify" : "; run: sudo stewardctl db setup";
	case ERR_schema_old: return is_there ? "; run: sudo stewardctl db verify" : "; run: sudo stewardctl db migrate";
	default:             return "";
	}
}

static void
deliver(struct session *s, enum err code, const struct db_result *r, const struct error *e)
{
	session_result_fn *on_result = TAKE(s->on_result);

	if (on_result != NULL)
		on_result(s->arg, code, r, e);
}

static void
report_failure(struct session *s, enum err code, const struct error *e)
{
	char detail[sizeof(s->detail)];

	(void)snprintf(detail, sizeof(detail), "%.200s%s", e->text, advice(s, code));
	report(s, code == ERR_schema_old ? SESSION_schema_old : SESSION_down, detail);
}

static void
pause_before_retry(struct session *s, int64_t now_ms)
{
	s->step   = STEP_waiting;
	s->due_ms = now_ms + backoff_next_ms(&s->backoff, arc4random());
}

/* The connection is lost or of no use: say why, close it, try again after a pause. */
static void
fall_back(struct session *s, enum err code, const struct error *e, int64_t now_ms)
{
	if (s->step == STEP_up && now_ms - s->up_ms >= SETTLED_MS)
		backoff_reset(&s->backoff);
	report_failure(s, code, e);
	s->has_tried = true;
	db_close(TAKE(s->db));
	pause_before_retry(s, now_ms);
	deliver(s, code, NULL, e);
}

static enum err
start_connecting(struct session *s, int64_t now_ms, struct error *e)
{
	enum err code = db_connect_start(&s->options.db, &s->db, e);

	if (code != ERR_ok)
		return code;
	s->step        = STEP_connecting;
	s->wait        = DB_WAIT_WRITE;
	s->due_ms      = now_ms + s->options.db.connect_timeout_ms * db_hosts(s->db);
	s->looks_again = false;
	return ERR_ok;
}

/* A step of the walk asks the server something; the answer has its time. */
static enum err
ask(struct session *s, enum step step, const char *sql, int64_t now_ms, struct error *e)
{
	s->step   = step;
	s->due_ms = now_ms + s->options.db.connect_timeout_ms + ANSWER_MS;
	return db_send(s->db, sql, e);
}

static enum err
ask_version(struct session *s, int64_t now_ms, struct error *e)
{
	return ask(s, STEP_version, "SELECT steward.schema_version() AS version", now_ms, e);
}

static enum err
go_on_connecting(struct session *s, int64_t now_ms, struct error *e)
{
	enum err code = db_connect_poll(s->db, &s->wait, e);

	if (code != ERR_ok)
		return code;
	if (s->wait == DB_WAIT_NOTHING)
		return ask_version(s, now_ms, e);
	if (now_ms >= s->due_ms)
		return err_set(e, ERR_db_down, "connect: no answer within %" PRId64 " ms",
		    s->options.db.connect_timeout_ms * db_hosts(s->db));
	return ERR_ok;
}

/* Up; or at work on the schema before ours, which it does as long as its statements fit. */
static void
report_up(struct session *s)
{
	char detail[sizeof(s->detail)];

	if (s->version == SCHEMA_VERSION) {
		report(s, SESSION_up, "");
		return;
	}
	(void)snprintf(detail, sizeof(detail), "at work on schema %d, this program knows %d; run: sudo stewardctl db migrate",
	    s->version, SCHEMA_VERSION);
	report(s, SESSION_schema_old, detail);
}

static bool
is_listener(const struct session *s)
{
	return s->channels[0] != NULL || s->channels[1] != NULL;
}

static void
become_up(struct session *s, int64_t now_ms)
{
	/* A listener that was away may have missed that word too. */
	s->schema_news |= s->has_tried && is_listener(s);
	s->step      = STEP_up;
	s->due_ms    = INT64_MAX;
	s->up_ms     = now_ms;
	s->news      = ~0U;
	s->has_tried = true;
	if (s->troubled == STMT_COUNT)
		report_up(s);
}

static bool
needs_statement(const struct session *s, enum statement st)
{
	enum worker_kind kind = statement_desc(st)->kind;

	return kind == s->options.kind || (kind == WORKER_scheduled && s->options.scheduled);
}

static enum err
ask_to_listen(struct session *s, int64_t now_ms, struct error *e)
{
	char   sql[256];
	size_t used = 0;

	for (size_t i = 0; i < COUNT_OF(s->channels); i++)
		if (s->channels[i] != NULL && used < sizeof(sql))
			used += (size_t)snprintf(sql + used, sizeof(sql) - used, "LISTEN %s;", s->channels[i]);
	return ask(s, STEP_listening, sql, now_ms, e);
}

/* After the version and after each prepared statement: the next thing to set up. */
static enum err
set_up_next(struct session *s, int64_t now_ms, struct error *e)
{
	for (; s->prepared < STMT_COUNT; s->prepared++) {
		if (!needs_statement(s, (enum statement)s->prepared))
			continue;
		s->step   = STEP_preparing;
		s->due_ms = now_ms + s->options.db.connect_timeout_ms + ANSWER_MS;
		return db_send_prepare(s->db, (enum statement)s->prepared++, e);
	}
	if (is_listener(s) && s->step != STEP_listening)
		return ask_to_listen(s, now_ms, e);
	become_up(s, now_ms);
	return ERR_ok;
}

static enum err
judge_version(struct session *s, const struct db_result *r, int64_t now_ms, struct error *e)
{
	int64_t version = db_rows(r) == 1 ? db_int8(r, 0, "version", 0) : 0;
	char    detail[sizeof(s->detail)];

	s->version = (int)version;
	if (version == SCHEMA_VERSION || version == SCHEMA_VERSION - 1) {
		s->prepared = 0;
		return set_up_next(s, now_ms, e);
	}
	(void)snprintf(detail, sizeof(detail), "schema %" PRId64 ", this program needs %d; %s", version, SCHEMA_VERSION,
	    version < SCHEMA_VERSION ? "run: sudo stewardctl db migrate" : "upgrade steward");
	report(s, version < SCHEMA_VERSION ? SESSION_schema_old : SESSION_schema_new, detail);
	s->has_tried = true;
	s->step      = STEP_misfit;
	s->due_ms    = now_ms + SCHEMA_LOOK_MS;
	return ERR_ok;
}

bool
session_tells_of(enum err code)
{
	return code == ERR_db_down || code == ERR_denied || code == ERR_schema_old;
}

static enum err
finish_call(struct session *s, enum err code, const struct db_result *r, struct error *e)
{
	s->due_ms = INT64_MAX;
	if (code == ERR_ok) {
		if (s->called == s->troubled)
			s->troubled = STMT_COUNT;
		if (s->troubled == STMT_COUNT) {
			backoff_reset(&s->backoff);
			report_up(s);
		}
		deliver(s, ERR_ok, r, NULL);
		return ERR_ok;
	}
	if (db_is_broken(s->db))
		return code;
	if (session_tells_of(code)) {
		s->troubled = s->called;
		report_failure(s, code, e);
	}
	deliver(s, code, NULL, e);
	/* A dropped function comes back under another identity, and another server may be the primary by now. */
	return code == ERR_schema_old || code == ERR_db_down ? code : ERR_ok;
}

/* One finished statement of the walk, or the answer to a call. */
static enum err
take_result(struct session *s, int64_t now_ms, struct error *e)
{
	CLEANUP(db_result_cleanup) struct db_result *r = NULL;
	enum err code;

	code = db_receive(s->db, &r, e);
	if (code == ERR_again)
		return code;
	if (s->step == STEP_up)
		return finish_call(s, code, r, e);
	if (code != ERR_ok)
		return code;
	if (s->step == STEP_version)
		return judge_version(s, r, now_ms, e);
	return set_up_next(s, now_ms, e);
}

static bool
is_asking(const struct session *s)
{
	return s->step == STEP_up ? s->on_result != NULL : s->step != STEP_misfit;
}

/* Whether the schema has changed under an idle session; a new connection looks at it afresh. */
static bool
must_look_again(const struct session *s)
{
	return s->looks_again && s->step == STEP_up && s->on_result == NULL;
}

static enum err
go_on(struct session *s, int64_t now_ms, struct error *e)
{
	enum err code = ERR_ok;
	unsigned heard;

	if (s->step == STEP_waiting)
		return now_ms >= s->due_ms ? start_connecting(s, now_ms, e) : ERR_ok;
	if (s->step == STEP_connecting)
		return go_on_connecting(s, now_ms, e);
	if (s->step == STEP_misfit && now_ms >= s->due_ms)
		return ask_version(s, now_ms, e);
	code = db_consume(s->db, e);
	/* The walk may finish several steps on one reading. */
	while (code == ERR_ok && is_asking(s))
		code = take_result(s, now_ms, e);
	if (code != ERR_ok && code != ERR_again)
		return code;
	if (is_asking(s) && now_ms >= s->due_ms)
		return err_set(e, ERR_db_down, "the server does not answer");
	heard = db_notified(s->db, s->channels, COUNT_OF(s->channels));
	s->news |= heard;
	/* Only when told: a listener that has just come back has looked, and would do so for ever. */
	if ((heard & 1U << SESSION_CHANNELS) != 0)
		s->schema_news = s->looks_again = true;
	return db_flush(s->db, &s->wait, e);
}

void
session_service(struct session *s, int64_t now_ms)
{
	struct error e    = { 0 };
	enum err     code = go_on(s, now_ms, &e);

	if (must_look_again(s)) {
		s->looks_again = false;
		s->step        = STEP_waiting;
		s->due_ms      = now_ms;
		db_close(TAKE(s->db));
	}
	if (code == ERR_ok || code == ERR_again)
		return;
	fall_back(s, code, &e, now_ms);
}

enum err
session_call(struct session *s, enum statement st, const char *const *parameters, int64_t now_ms,
    session_result_fn *on_result, void *arg, struct error *e)
{
	enum err code;

	if (!session_is_ready(s))
		return err_set(e, ERR_again, "the database session is not ready");
	code = db_send_statement(s->db, st, parameters, e);
	if (code != ERR_ok) {
		fall_back(s, code, e, now_ms);
		return ERR_again;
	}
	s->called    = st;
	s->on_result = on_result;
	s->arg       = arg;
	s->due_ms    = now_ms + s->options.db.statement_timeout_ms + ANSWER_MS;
	/* A failure to write shows again at the next service, and is delivered there. */
	if (db_flush(s->db, &s->wait, e) != ERR_ok)
		s->wait = DB_WAIT_WRITE;
	return ERR_ok;
}

int
session_fd(const struct session *s)
{
	return s->db == NULL ? -1 : db_fd(s->db);
}

uint32_t
session_events(const struct session *s)
{
	if (s->step == STEP_connecting)
		return s->wait == DB_WAIT_READ ? EPOLLIN : EPOLLOUT;
	return s->wait == DB_WAIT_WRITE ? EPOLLIN | EPOLLOUT : EPOLLIN;
}

int64_t
session_due_ms(const struct session *s)
{
	return s->due_ms;
}

enum session_state
session_state(const struct session *s)
{
	return s->state;
}

const char *
session_state_word(enum session_state state)
{
	return words[state];
}

const char *
session_detail(const struct session *s)
{
	return s->detail;
}

bool
session_has_tried(const struct session *s)
{
	return s->has_tried;
}

bool
session_is_busy(const struct session *s)
{
	return s->on_result != NULL;
}

bool
session_is_ready(const struct session *s)
{
	return s->step == STEP_up && s->on_result == NULL;
}

bool
session_schema_changed(struct session *s)
{
	bool news = s->schema_news;

	s->schema_news = false;
	return news;
}

void
session_look_again(struct session *s)
{
	/* One that does not connect yet will see it anyway; but what a database sets for its sessions they read as they begin. */
	s->looks_again = s->step >= STEP_connecting;
}

unsigned
session_notified(struct session *s)
{
	unsigned news = s->news;

	s->news = 0;
	return news;
}
