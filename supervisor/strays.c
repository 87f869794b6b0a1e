/* SPDX-License-Identifier: Apache-2.0 */
#include "strays.h"

#include <fcntl.h>
#include <string.h>
#include <sys/ioctl.h>
#include <unistd.h>

#include "clock.h"
#include "log.h"

enum {
	PIPE_BYTES = 65536, /* what Linux gives a pipe; one that holds less is full earlier */
	/* The writer waits when the pipe is full, and we must not make it wait for long. */
	BACKLOG_BYTES = PIPE_BYTES / 2,
	LOOK_EVERY_MS = 20,
	CLOSED_MS     = 1000
};

/* ------------------------------------------------------------------ lines */
static void
tell(const struct strays *s, const char *text, size_t length)
{
	char   line[STRAYS_LINE + 1];
	char   quoted[LOG_QUOTE_SIZE];
	size_t n = MIN(length, (size_t)STRAYS_LINE);

	memcpy(line, text, n);
	for (size_t i = 0; i < n; i++)
		if (line[i] == '\0')
			line[i] = ' ';
	while (n > 0 && (line[n - 1] == '\r' || line[n - 1] == ' '))
		n--;
	line[n] = '\0';
	log_event(LOG_warning, "worker_output", "process=%s line=%s%s", s->process, log_quote(line, quoted),
	    length > STRAYS_LINE ? " cut=yes" : "");
}

/*
 * As many lines as are allowed; what is no whole line waits for its end, unless
 * there is none to come.  Returns the bytes used up.
 */
static size_t
tell_lines(struct strays *s, const char *bytes, size_t size, bool is_last)
{
	size_t used = 0;

	while (used < size && s->allowance > 0) {
		const char *start  = bytes + used;
		const char *end    = memchr(start, '\n', size - used);
		size_t      length = end == NULL ? size - used : (size_t)(end - start);

		if (end == NULL && !is_last && length <= STRAYS_LINE)
			break;
		if (!s->is_cut && length > 0) {
			tell(s, start, length);
			s->allowance--;
		}
		s->is_cut = end == NULL && !is_last;
		used += length + (end != NULL);
	}
	return used;
}

static uint64_t
count_lines(const char *bytes, size_t size)
{
	uint64_t n = 0;

	for (size_t i = 0; i < size; i++)
		n += bytes[i] == '\n';
	return n;
}

/* Where the last `keep` lines begin; those before are counted as dropped. */
static size_t
drop_all_but(struct strays *s, const char *bytes, size_t size, unsigned keep)
{
	uint64_t lines = count_lines(bytes, size) + (size > 0 && bytes[size - 1] != '\n');
	size_t   used  = 0;

	for (; lines > keep; lines--) {
		const char *end = memchr(bytes + used, '\n', size - used);

		if (end == NULL)
			break;
		used = (size_t)(end - bytes) + 1;
		s->dropped += !s->is_cut;
		s->is_cut = false;
	}
	return used;
}

static void
keep_rest(struct strays *s, const char *bytes, size_t size)
{
	s->length = MIN(size, sizeof(s->held));
	memmove(s->held, bytes, s->length);
}

/* ------------------------------------------------------------------- pipe */
static size_t
read_some(const struct strays *s, char *bytes, size_t size)
{
	ssize_t n = size == 0 ? 0 : read(s->read_fd, bytes, size);

	return n < 0 ? 0 : (size_t)n;
}

int
strays_left(const struct strays *s)
{
	int left = 0;

	return ioctl(s->read_fd, FIONREAD, &left) == 0 ? left : 0;
}

/* The newest lines of what is there, at most `limit` bytes of it; before them, how many there were not. */
static void
tell_newest(struct strays *s, size_t limit, bool is_last)
{
	char   all[STRAYS_HELD + PIPE_BYTES];
	size_t size = s->length;
	size_t used;

	memcpy(all, s->held, size);
	size += read_some(s, all + size, MIN(limit, sizeof(all) - size));
	used = drop_all_but(s, all, size, s->allowance);
	if (s->dropped > 0)
		log_event(LOG_warning, "worker_output_dropped", "process=%s lines=%" PRIu64, s->process, s->dropped);
	s->dropped = 0;
	used += tell_lines(s, all + used, size - used, is_last);
	keep_rest(s, all + used, size - used);
}

/* Make room for the writer: the oldest go. */
static void
drop_backlog(struct strays *s)
{
	char   bytes[BACKLOG_BYTES];
	size_t size  = read_some(s, bytes, sizeof(bytes));
	bool   split = size > 0 && bytes[size - 1] != '\n';

	/* A line that is split counts here, its rest does not later. */
	s->dropped += count_lines(s->held, s->length) + count_lines(bytes, size) + split - s->is_cut;
	s->length = 0;
	s->is_cut = split;
}

/* -------------------------------------------------------------- allowance */
static void
refill(struct strays *s, int64_t now_ms)
{
	int64_t more = MIN((now_ms - s->counted_ms) * STRAYS_PER_SECOND / 1000, (int64_t)STRAYS_BURST);

	if (more <= 0)
		return;
	s->allowance  = MIN(s->allowance + (unsigned)more, (unsigned)STRAYS_BURST);
	s->counted_ms = now_ms;
}

static void
close_for_a_while(struct strays *s, int64_t now_ms)
{
	loop_remove(s->loop, &s->watch);
	s->open_ms = now_ms + CLOSED_MS;
	s->due_ms  = now_ms + LOOK_EVERY_MS;
}

static void
open_again(struct strays *s)
{
	struct error e = { 0 };

	s->due_ms = INT64_MAX;
	if (s->watch.fd >= 0)
		return;
	s->watch.fd = s->read_fd;
	if (loop_add(s->loop, &s->watch, &e) != ERR_ok) {
		s->watch.fd = -1;
		s->open_ms  = s->due_ms = clock_now_ms() + CLOSED_MS;
	}
}

static void
on_output(void *strays)
{
	struct strays *s      = strays;
	int64_t        now_ms = clock_now_ms();
	size_t         used;

	refill(s, now_ms);
	s->length += read_some(s, s->held + s->length, sizeof(s->held) - s->length);
	used = tell_lines(s, s->held, s->length, false);
	keep_rest(s, s->held + used, s->length - used);
	if (s->allowance == 0)
		close_for_a_while(s, now_ms);
}

void
strays_tick(struct strays *s, int64_t now_ms)
{
	if (now_ms < s->due_ms)
		return;
	if (now_ms < s->open_ms) {
		if (strays_left(s) > BACKLOG_BYTES)
			drop_backlog(s);
		s->due_ms = MIN(now_ms + LOOK_EVERY_MS, s->open_ms);
		return;
	}
	s->counted_ms = now_ms;
	s->allowance  = STRAYS_PER_SECOND;
	tell_newest(s, PIPE_BYTES, false);
	if (s->allowance > 0)
		open_again(s);
	else
		close_for_a_while(s, now_ms);
}

int64_t
strays_due_ms(const struct strays *s)
{
	return s->due_ms;
}

/* ------------------------------------------------------------ begin and end */
enum err
strays_open(struct strays *s, struct loop *loop, const char *process, struct error *e)
{
	int ends[2];

	s->loop      = loop;
	s->process   = process;
	s->due_ms    = INT64_MAX;
	s->allowance = STRAYS_BURST;
	s->read_fd = s->write_fd = s->watch.fd = -1;
	if (pipe2(ends, O_CLOEXEC) != 0)
		return err_errno(e, "make the pipe of %s", process);
	s->read_fd  = ends[0];
	s->write_fd = ends[1];
	if (fcntl(s->read_fd, F_SETFL, O_NONBLOCK) != 0)
		return err_errno(e, "the pipe of %s", process);
	s->watch = (struct watch){ s->read_fd, on_output, s };
	return loop_add(loop, &s->watch, e);
}

void
strays_close(struct strays *s)
{
	loop_remove(s->loop, &s->watch);
	if (s->read_fd >= 0)
		(void)close(s->read_fd);
	if (s->write_fd >= 0)
		(void)close(s->write_fd);
	s->read_fd = s->write_fd = -1;
}

void
strays_end(struct strays *s, int left, int64_t now_ms)
{
	if (left > 0 || s->length > 0 || s->dropped > 0) {
		s->allowance = STRAYS_BURST;
		tell_newest(s, (size_t)left, true);
		s->length = 0;
	}
	s->is_cut     = false;
	s->allowance  = STRAYS_BURST;
	s->counted_ms = now_ms;
	open_again(s);
}
