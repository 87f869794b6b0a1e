/* SPDX-License-Identifier: Apache-2.0 */
/*
 * events - what happens, in the order of its numbers and without a hole.
 *
 * The stream may drop events and knows nothing of the past.  So it is opened
 * first, then the past is asked for; a gap in the numbers later is filled the
 * same way, and what was seen already is left out by its number.
 */
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>

#include "clock.h"
#include "client.h"

enum { SILENCE_MS = 500, TURNS_TO_CATCH_UP = 2 };

/* How far the reader is.  Each daemon counts from 1. */
struct place {
	uint64_t        number;
	int64_t         at;    /* of the event with this number */
	struct timespec born;  /* of the socket, and so of the daemon */
	unsigned        turns; /* of silence in which to ask what was missed */
};

static enum err
show(const struct command_context *c, const struct msg_event *event, struct error *e)
{
	char at[CLOCK_TEXT_SIZE];

	(void)clock_format_us(event->at, at);
	output_number(c->out, "number", (int64_t)event->number);
	output_text(c->out, "at", at);
	output_text(c->out, "name", event->name);
	output_text(c->out, "process", event->process);
	output_text(c->out, "detail", event->detail);
	if (!output_has_fields(c->out))
		output_line(c->out, "%6" PRIu64 "  %s  %-16s  %-16s  %s", event->number, at, event->name, event->process,
		    event->detail);
	return output_finish(c->out, e);
}

/* Ask for what came after `place`, and show it. */
static enum err
show_past(const struct command_context *c, struct place *place, struct error *e)
{
	CLEANUP(bus_reply_cleanup) struct bus_reply *reply = NULL;
	struct msg question = { .type = MSG_ask_events, .body.ask_events.after = place->number };
	struct msg m;
	enum err   rc = client_ask(c, &question, &reply, e);

	if (rc != ERR_ok)
		return rc;
	while ((rc = client_next(reply, &m, e)) == ERR_ok) {
		if (m.type != MSG_event || m.body.event.number <= place->number)
			continue;
		place->number = m.body.event.number;
		place->at     = m.body.event.at;
		rc            = show(c, &m.body.event, e);
		if (rc != ERR_ok)
			return rc;
	}
	return rc == ERR_again ? ERR_ok : rc;
}

/* Whether another daemon has made its socket since the last look. */
static bool
is_another_daemon(const char *path, struct place *place)
{
	struct stat st;
	bool        is_new;

	if (stat(path, &st) != 0)
		return false;
	is_new      = st.st_ctim.tv_sec != place->born.tv_sec || st.st_ctim.tv_nsec != place->born.tv_nsec;
	place->born = st.st_ctim;
	if (is_new) {
		place->number = 0;
		place->turns  = TURNS_TO_CATCH_UP;
	}
	return is_new;
}

static enum err
show_new(const struct command_context *c, const char *path, const struct msg_event *event, struct place *place,
    struct error *e)
{
	struct error ignored = { 0 };
	bool         is_next = is_another_daemon(path, place);

	/* The daemon may be gone by now, then only this one is left to show. */
	if (is_next || event->number > place->number + 1)
		(void)show_past(c, place, &ignored);
	/* The last words of the one before may arrive after the first of the next. */
	if (event->number <= place->number || (is_next && event->at < place->at))
		return ERR_ok;
	place->number = event->number;
	place->at     = event->at;
	return show(c, event, e);
}

/*
 * Nothing came for a while.  What a new daemon said before the stream was
 * connected to it shows in no gap as long as it says nothing more.
 */
static void
catch_up(const struct command_context *c, const char *path, struct place *place)
{
	struct error ignored = { 0 };

	(void)is_another_daemon(path, place);
	if (place->turns > 0 && show_past(c, place, &ignored) == ERR_ok)
		place->turns--;
}

static enum err
follow(const struct command_context *c, const char *path, struct bus_subscriber *stream, struct place *place,
    struct error *e)
{
	enum err rc = ERR_ok;

	while (rc == ERR_ok || rc == ERR_bad_message) {
		struct msg m;

		rc = bus_subscriber_next(stream, SILENCE_MS, &m, e);
		if (rc == ERR_ok && m.type == MSG_event)
			rc = show_new(c, path, &m.body.event, place, e);
		if (rc == ERR_timeout) {
			catch_up(c, path, place);
			rc = ERR_ok;
		}
	}
	return rc;
}

enum err
command_events(const struct command_context *c, struct error *e)
{
	struct bus_subscriber *stream = NULL;
	struct place           place  = { 0 };
	char                   path[BUS_PATH_SIZE];
	enum err               rc = client_sibling(c, "events.ipc", path, e);

	if (rc != ERR_ok)
		return rc;
	output_stream(c->out);
	(void)is_another_daemon(path, &place);
	if (c->follow)
		rc = client_subscribe(c, &stream, e);
	if (rc == ERR_ok)
		rc = show_past(c, &place, e);
	if (rc == ERR_ok && c->follow)
		rc = follow(c, path, stream, &place, e);
	if (stream != NULL)
		bus_subscriber_close(stream);
	return rc;
}
