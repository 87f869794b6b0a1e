/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The log in its forms: a record goes in, what a reader of that form makes of it
 * must be the same words again.  The journal is a socket of the test.
 */
#include "log_record.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/un.h>
#include <unistd.h>

#include <cmocka.h>
#include <jansson.h>

#include "../../supervisor/strays.h"
#include "clock.h"

static struct log_record
record_of(const char *pairs)
{
	return (struct log_record){ 1769903999123456, LOG_warning, "order_claimed", "late[0]", "node1", pairs };
}

/* ------------------------------------------------------------------- json */
static json_t *
parse(const char *line, size_t length)
{
	json_error_t e;
	json_t      *object;

	assert_true(length > 0 && length <= LOG_LINE_SIZE);
	assert_int_equal(line[length - 1], '\n');
	assert_null(memchr(line, '\n', length - 1));
	object = json_loadb(line, length, JSON_REJECT_DUPLICATES | JSON_ALLOW_NUL, &e);
	if (object == NULL)
		fail_msg("%s: %.*s", e.text, (int)length, line);
	return object;
}

static json_t *
json_of(const char *pairs)
{
	struct log_record r = record_of(pairs);
	char              line[LOG_LINE_SIZE];

	return parse(line, log_record_json(&r, line));
}

static void
assert_member(const char *pairs, const char *key, const char *expected)
{
	json_t *object = json_of(pairs);

	assert_non_null(json_object_get(object, key));
	assert_string_equal(json_string_value(json_object_get(object, key)), expected);
	json_decref(object);
}

static void
json_has_time_level_event_and_from_first(void **state)
{
	struct log_record r = record_of("");
	char              line[LOG_LINE_SIZE];
	size_t            n = log_record_json(&r, line);

	(void)state;
	assert_memory_equal(line,
	    "{\"ts\":\"2026-01-31T23:59:59.123Z\",\"level\":\"warning\",\"event\":\"order_claimed\",\"from\":\"late[0]\"}\n", n);
}

static void
json_takes_the_pairs_apart(void **state)
{
	(void)state;
	assert_member("a=1 reason=\"two words\" b=2", "reason", "two words");
	assert_member("reason=\"a \\\"b\\\" \\\\ c\"", "reason", "a \"b\" \\ c");
	assert_member("reason=\"\" b=2", "reason", "");
	assert_member("reason= b=2", "reason", "");
	assert_member("   reason=x=y   ", "reason", "x=y");
	assert_member("no pair at all", "text", "no pair at all");
	/* Quotes that were forgotten, and quotes inside of those that nobody escaped. */
	assert_member("a=1 reason=several words here b=2", "reason", "several words here");
	assert_member("reason=\"relation \"x\" is not there\" b=2", "reason", "relation \"x\" is not there");
	assert_member("reason=\"cut in the mid", "reason", "cut in the mid");
}

static void
numbers_are_numbers_and_texts_are_texts(void **state)
{
	char    quoted[LOG_QUOTE_SIZE];
	char    pairs[LOG_QUOTE_SIZE + 64];
	json_t *object;

	(void)state;
	(void)snprintf(pairs, sizeof(pairs), "pid=42 low=-7 zip=007 big=12345678901234567 line=%s", log_quote("42", quoted));
	object = json_of(pairs);
	assert_int_equal(json_integer_value(json_object_get(object, "pid")), 42);
	assert_int_equal(json_integer_value(json_object_get(object, "low")), -7);
	assert_string_equal(json_string_value(json_object_get(object, "zip")), "007");
	assert_string_equal(json_string_value(json_object_get(object, "big")), "12345678901234567");
	assert_string_equal(json_string_value(json_object_get(object, "line")), "42");
	json_decref(object);
}

static void
a_pair_called_as_one_of_ours_takes_nothing_from_it(void **state)
{
	(void)state;
	assert_member("level=debug", "level", "warning");
	assert_member("level=debug", "level_", "debug");
	assert_member("event=x", "event_", "x");
}

static void
invalid_utf8_is_replaced_valid_is_kept(void **state)
{
	(void)state;
	assert_member("v=\"a\xff" "b\"", "v", "a\xef\xbf\xbd" "b");
	assert_member("v=\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80", "v", "\xc3\xa4\xe2\x82\xac\xf0\x9f\x98\x80");
	/* Overlong, a surrogate, above U+10FFFF, cut. */
	assert_member("v=\xc0\xaf", "v", "\xef\xbf\xbd\xef\xbf\xbd");
	assert_member("v=\xed\xa0\x80", "v", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
	assert_member("v=\xf4\x90\x80\x80", "v", "\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd\xef\xbf\xbd");
	assert_member("v=x\xe2\x82", "v", "x\xef\xbf\xbd\xef\xbf\xbd");
	assert_member("v=\"a\nb\tc\x01\"", "v", "a\nb\tc\x01");
}

static void
every_form_of_any_bytes_fits_and_json_is_valid(void **state)
{
	static const char likely[] = "\"\\= \n\xff\xc3\xa4\x01" "a1-_[";
	unsigned          seed     = 1;
	json_t           *object;
	char              pairs[LOG_PAIRS_SIZE], line[LOG_LINE_SIZE], datagram[LOG_RECORD_SIZE];

	(void)state;
	for (int round = 0; round < 20000; round++) {
		struct log_record r = record_of(pairs);
		size_t            n = (size_t)rand_r(&seed) % (round % 8 == 0 ? sizeof(pairs) : 48);

		for (size_t i = 0; i < n; i++)
			pairs[i] = (char)(rand_r(&seed) % 3 == 0 ? 1 + rand_r(&seed) % 255
			                                         : likely[(size_t)rand_r(&seed) % (sizeof(likely) - 1)]);
		pairs[n] = '\0';
		n        = log_record_json(&r, line);
		/* Keys may come twice; nothing else is forgiven. */
		object   = json_loadb(line, n, JSON_ALLOW_NUL, NULL);
		assert_non_null(object);
		json_decref(object);
		assert_true(log_record_logfmt(&r, line) <= sizeof(line));
		assert_null(memchr(line, '\n', log_record_logfmt(&r, line) - 1));
		assert_true(log_record_journal(&r, datagram) <= sizeof(datagram));
	}
}

static void
json_that_is_too_long_loses_its_end_and_stays_valid(void **state)
{
	char    pairs[LOG_PAIRS_SIZE];
	json_t *object;

	(void)state;
	memset(pairs, 1, sizeof(pairs));
	memcpy(pairs, "a=5 b=", 6);
	memcpy(pairs + sizeof(pairs) - 7, " c=\"x\"", 7);
	object = json_of(pairs);
	assert_int_equal(json_integer_value(json_object_get(object, "a")), 5);
	assert_true(json_string_length(json_object_get(object, "b")) > 600);
	json_decref(object);
}

/* ---------------------------------------------------------------- journal */
static struct {
	char   bytes[LOG_RECORD_SIZE];
	size_t length;
} heard;

/* The value of the field of this name, as the journal reads it; NULL: none. */
static const char *
field(const char *name)
{
	static char value[LOG_RECORD_SIZE];
	size_t      at = 0;

	while (at < heard.length) {
		const char *start = heard.bytes + at;
		const char *line  = memchr(start, '\n', heard.length - at);
		const char *sign  = memchr(start, '=', (size_t)(line - start));
		size_t      key   = (size_t)((sign != NULL ? sign : line) - start);
		const char *body  = start + key + 1;
		size_t      size  = (size_t)(line - body);

		if (sign == NULL) {
			size = 0;
			for (int i = 7; i >= 0; i--)
				size = size << 8 | (unsigned char)body[i];
			body += 8;
		}
		assert_true(body + size < heard.bytes + heard.length);
		assert_int_equal(body[size], '\n');
		if (key == strlen(name) && memcmp(start, name, key) == 0) {
			memcpy(value, body, size);
			value[size] = '\0';
			return value;
		}
		at = (size_t)(body - heard.bytes) + size + 1;
	}
	return NULL;
}

static void
write_down(const struct log_record *r)
{
	heard.length = log_record_journal(r, heard.bytes);
}

static void
the_journal_gets_a_field_per_pair(void **state)
{
	struct log_record r = record_of("job_id=7 reason=\"two \\\"words\\\"\"");

	(void)state;
	write_down(&r);
	assert_string_equal(field("MESSAGE"), "event=order_claimed from=late[0] job_id=7 reason=\"two \\\"words\\\"\"");
	assert_string_equal(field("PRIORITY"), "4");
	assert_string_equal(field("SYSLOG_IDENTIFIER"), "steward");
	assert_string_equal(field("STEWARD_EVENT"), "order_claimed");
	assert_string_equal(field("STEWARD_WORKER"), "late[0]");
	assert_string_equal(field("STEWARD_NODE"), "node1");
	assert_string_equal(field("STEWARD_JOB_ID"), "7");
	assert_string_equal(field("STEWARD_REASON"), "two \"words\"");
}

static void
the_journal_finds_a_worker_in_what_the_supervisor_says_about_it(void **state)
{
	struct log_record r = record_of("process=early[3] node=elsewhere event=odd");

	(void)state;
	r.from = "steward";
	write_down(&r);
	assert_string_equal(field("STEWARD_WORKER"), "early[3]");
	assert_string_equal(field("STEWARD_PROCESS"), "early[3]");
	assert_string_equal(field("STEWARD_NODE"), "node1");
	assert_string_equal(field("STEWARD_EVENT"), "order_claimed");
	r.pairs = "process=steward";
	write_down(&r);
	assert_null(field("STEWARD_WORKER"));
}

static void
a_value_of_several_lines_reaches_the_journal_whole(void **state)
{
	struct log_record r = record_of("text=\"one\ntwo=2\nthree\" pid=5");

	(void)state;
	write_down(&r);
	assert_string_equal(field("STEWARD_TEXT"), "one\ntwo=2\nthree");
	assert_string_equal(field("STEWARD_PID"), "5");
	assert_null(field("two"));
}

/* ----------------------------------------------------------- descriptors */
struct journal {
	char directory[32];
	char path[64];
	char stream[64];
	int  socket;
	int  pipe[2];
};

static void
make_journal(struct journal *j)
{
	struct sockaddr_un at = { .sun_family = AF_UNIX };
	struct stat        st;

	(void)snprintf(j->directory, sizeof(j->directory), "/tmp/steward-log.XXXXXX");
	assert_non_null(mkdtemp(j->directory));
	(void)snprintf(j->path, sizeof(j->path), "%s/socket", j->directory);
	(void)snprintf(at.sun_path, sizeof(at.sun_path), "%s", j->path);
	j->socket = socket(AF_UNIX, SOCK_DGRAM | SOCK_NONBLOCK, 0);
	assert_int_equal(bind(j->socket, (struct sockaddr *)&at, sizeof(at)), 0);
	assert_int_equal(pipe(j->pipe), 0);
	assert_int_equal(fstat(j->pipe[1], &st), 0);
	(void)snprintf(j->stream, sizeof(j->stream), "%ju:%ju", (uintmax_t)st.st_dev, (uintmax_t)st.st_ino);
	assert_int_equal(setenv("JOURNAL_STREAM", j->stream, 1), 0);
	log_set_descriptor(j->pipe[1]);
	log_set_journal(j->path);
	log_init("late[0]", LOG_info);
	log_configure("info", "auto", "node1");
}

static void
forget_journal(struct journal *j)
{
	(void)close(j->socket);
	(void)close(j->pipe[0]);
	(void)close(j->pipe[1]);
	(void)unlink(j->path);
	(void)rmdir(j->directory);
	(void)unsetenv("JOURNAL_STREAM");
	log_set_descriptor(STDERR_FILENO);
}

static size_t
read_line(const struct journal *j, char line[LOG_LINE_SIZE])
{
	ssize_t n = read(j->pipe[0], line, LOG_LINE_SIZE - 1);

	assert_true(n > 0);
	line[n] = '\0';
	return (size_t)n;
}

static void
speaks_to_the_journal_when_it_writes_to_its_stream(void **state)
{
	struct journal j;
	char           line[LOG_LINE_SIZE];

	(void)state;
	make_journal(&j);
	log_event(LOG_info, "order_claimed", "job_id=%d", 7);
	heard.length = (size_t)recv(j.socket, heard.bytes, sizeof(heard.bytes), 0);
	assert_string_equal(field("STEWARD_JOB_ID"), "7");
	assert_string_equal(field("STEWARD_NODE"), "node1");

	/* It goes away, and its stream is still there. */
	(void)close(j.socket);
	(void)unlink(j.path);
	log_event(LOG_warning, "order_claimed", "job_id=%d", 8);
	(void)read_line(&j, line);
	assert_string_equal(line, "<4>event=order_claimed from=late[0] job_id=8\n");
	forget_journal(&j);
}

static void
the_stream_of_another_is_not_ours(void **state)
{
	struct journal j;
	char           line[LOG_LINE_SIZE];

	(void)state;
	make_journal(&j);
	assert_int_equal(setenv("JOURNAL_STREAM", "1:1", 1), 0);
	log_configure("info", "auto", "");
	log_event(LOG_info, "order_claimed", "job_id=%d", 7);
	(void)read_line(&j, line);
	assert_non_null(strstr(line, " level=info event=order_claimed from=late[0] job_id=7\n"));
	assert_memory_equal(line, "ts=", 3);
	forget_journal(&j);
}

static void
writes_json_into_a_pipe(void **state)
{
	struct journal j;
	char           line[LOG_LINE_SIZE];
	json_t        *object;

	(void)state;
	make_journal(&j);
	log_configure("info", "json", "");
	log_event(LOG_debug, "not_told", " ");
	log_event(LOG_info, "order_claimed", "job_id=%d", 7);
	object = parse(line, read_line(&j, line));
	assert_int_equal(json_integer_value(json_object_get(object, "job_id")), 7);
	json_decref(object);
	log_configure("info", "auto", "");
	forget_journal(&j);
}

static void
a_full_pipe_costs_lines_that_are_counted_and_no_time(void **state)
{
	struct journal j;
	char           line[LOG_LINE_SIZE] = "";
	char           all[65536];
	int64_t        before = clock_now_ms();

	(void)state;
	make_journal(&j);
	log_configure("info", "logfmt", "");
	for (int i = 0; i < 5000; i++)
		log_event(LOG_info, "order_claimed", "job_id=%d", i);
	assert_true(clock_now_ms() - before < 10000);
	while (strstr(line, "log_lines_lost") == NULL) {
		assert_true(read(j.pipe[0], all, sizeof(all)) > 0);
		log_event(LOG_info, "order_claimed", "job_id=5000");
		(void)read_line(&j, line);
	}
	assert_non_null(strstr(line, "event=log_lines_lost from=late[0] lines="));
	log_configure("info", "auto", "");
	forget_journal(&j);
}

/* ------------------------------------------------------------------ strays */
struct capture {
	struct journal j; /* its pipe is our log */
	struct loop    loop;
	struct strays  strays;
	char           log[LOG_LINE_SIZE * 16];
};

static void
begin_capture(struct capture *c)
{
	memset(c, 0, sizeof(*c));
	make_journal(&c->j);
	log_configure("info", "logfmt", "");
	assert_int_equal(loop_init(&c->loop, NULL), ERR_ok);
	assert_int_equal(strays_open(&c->strays, &c->loop, "late[0]", NULL), ERR_ok);
}

static void
end_capture(struct capture *c)
{
	strays_close(&c->strays);
	(void)close(c->loop.fd);
	log_configure("info", "auto", "");
	forget_journal(&c->j);
}

static void
scribble(struct capture *c, int lines)
{
	for (int i = 1; i <= lines; i++)
		assert_true(dprintf(c->strays.write_fd, "line %d\n", i) > 0);
}

/* How many times `word` was logged since the last time somebody asked. */
static unsigned
count(struct capture *c, const char *word)
{
	unsigned n = 0;
	ssize_t  size;

	log_event(LOG_info, "end", " ");
	size         = read(c->j.pipe[0], c->log, sizeof(c->log) - 1);
	c->log[size] = '\0';
	for (const char *at = c->log; (at = strstr(at, word)) != NULL; at++)
		n++;
	return n;
}

static void
a_line_is_told_when_it_is_whole_and_the_last_when_its_process_ends(void **state)
{
	struct capture c;

	(void)state;
	begin_capture(&c);
	assert_true(dprintf(c.strays.write_fd, "one\ntwo \"2\"\r\n\nthr") > 0);
	loop_turn(&c.loop, 0);
	assert_int_equal(count(&c, "event=worker_output "), 2);
	assert_non_null(strstr(c.log, "<4>event=worker_output from=late[0] process=late[0] line=one\n"));
	assert_non_null(strstr(c.log, "line=\"two \\\"2\\\"\"\n"));
	assert_true(dprintf(c.strays.write_fd, "ee\nlast") > 0);
	/* What the next process says meanwhile is not its predecessor's. */
	assert_int_equal(strays_left(&c.strays), 7);
	assert_true(dprintf(c.strays.write_fd, " of all\n") > 0);
	strays_end(&c.strays, 7, clock_now_ms());
	assert_int_equal(count(&c, "event=worker_output "), 2);
	assert_non_null(strstr(c.log, "line=three\n"));
	assert_non_null(strstr(c.log, "line=last\n"));
	loop_turn(&c.loop, 0);
	assert_int_equal(count(&c, "line=\" of all\"\n"), 1);
	end_capture(&c);
}

static void
a_long_line_is_cut_and_the_next_one_is_not(void **state)
{
	struct capture c;
	char           text[STRAYS_HELD * 3];

	(void)state;
	begin_capture(&c);
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\n';
	assert_int_equal(write(c.strays.write_fd, text, sizeof(text)), sizeof(text));
	assert_true(dprintf(c.strays.write_fd, "short\n") > 0);
	for (int i = 0; i < 5; i++)
		loop_turn(&c.loop, 0);
	assert_int_equal(count(&c, "event=worker_output "), 2);
	assert_non_null(strstr(c.log, "x cut=yes\n"));
	assert_non_null(strstr(c.log, "line=short\n"));
	end_capture(&c);
}

static void
too_much_is_counted_and_the_newest_are_kept(void **state)
{
	struct capture c;
	int64_t        now_ms;

	(void)state;
	begin_capture(&c);
	assert_true(strays_due_ms(&c.strays) == INT64_MAX);
	scribble(&c, 1000);
	for (int i = 0; i < 5; i++)
		loop_turn(&c.loop, 0);
	assert_int_equal(count(&c, "event=worker_output "), STRAYS_BURST);
	now_ms = c.strays.open_ms;
	assert_true(strays_due_ms(&c.strays) < now_ms);
	strays_tick(&c.strays, now_ms - 1);
	assert_int_equal(count(&c, "event=worker_output"), 0);
	strays_tick(&c.strays, now_ms);
	assert_int_equal(count(&c, "event=worker_output "), STRAYS_PER_SECOND);
	assert_non_null(strstr(c.log, "event=worker_output_dropped from=late[0] process=late[0] lines=880\n"));
	assert_non_null(strstr(c.log, "line=\"line 1000\"\n"));
	/* Silent now: one more look, then nothing is due. */
	strays_tick(&c.strays, c.strays.open_ms);
	assert_int_equal(count(&c, "event=worker_output"), 0);
	assert_true(strays_due_ms(&c.strays) == INT64_MAX);
	end_capture(&c);
}

static void
last_words_are_told_however_much_was_said_before(void **state)
{
	struct capture c;

	(void)state;
	begin_capture(&c);
	scribble(&c, 3000);
	loop_turn(&c.loop, 0);
	assert_int_equal(count(&c, "event=worker_output "), STRAYS_BURST);
	assert_true(dprintf(c.strays.write_fd, "==1==ERROR: AddressSanitizer: of a test\nABORTING") > 0);
	strays_end(&c.strays, strays_left(&c.strays), clock_now_ms());
	assert_int_equal(count(&c, "event=worker_output "), STRAYS_BURST);
	assert_non_null(strstr(c.log, "lines=2802\n"));
	assert_non_null(strstr(c.log, "AddressSanitizer: of a test"));
	assert_non_null(strstr(c.log, "line=ABORTING\n"));
	/* The next process is not its predecessor. */
	assert_true(strays_due_ms(&c.strays) == INT64_MAX);
	scribble(&c, 1);
	loop_turn(&c.loop, 0);
	assert_int_equal(count(&c, "event=worker_output "), 1);
	end_capture(&c);
}

static void
the_writer_never_waits_for_long(void **state)
{
	struct capture c;
	char           text[16384];
	uint64_t       dropped;

	(void)state;
	begin_capture(&c);
	scribble(&c, STRAYS_BURST);
	loop_turn(&c.loop, 0);
	memset(text, '\n', sizeof(text));
	for (int i = 0; i < 40; i++) {
		/* It would stop this test if there were no room. */
		assert_int_equal(write(c.strays.write_fd, text, sizeof(text)), sizeof(text));
		strays_tick(&c.strays, strays_due_ms(&c.strays));
	}
	dropped = c.strays.dropped;
	assert_true(dropped == 0 || dropped > 100000);
	end_capture(&c);
}

/* ------------------------------------------------------------------ quote */
static void
quotes_what_must_be_quoted(void **state)
{
	char quoted[LOG_QUOTE_SIZE];
	char text[LOG_QUOTE_SIZE * 2];

	(void)state;
	assert_string_equal(log_quote("plain-text/1", quoted), "plain-text/1");
	assert_string_equal(log_quote("", quoted), "\"\"");
	assert_string_equal(log_quote("a b", quoted), "\"a b\"");
	assert_string_equal(log_quote("a=b", quoted), "\"a=b\"");
	assert_string_equal(log_quote("-12", quoted), "\"-12\"");
	assert_string_equal(log_quote("a\n\"\\", quoted), "\"a \\\"\\\\\"");
	memset(text, 'x', sizeof(text));
	text[0]                = ' ';
	text[sizeof(text) - 1] = '\0';
	assert_true(strlen(log_quote(text, quoted)) < LOG_QUOTE_SIZE);
	assert_int_equal(quoted[strlen(quoted) - 1], '"');
}

static void
what_is_said_again_is_told_once_a_minute(void **state)
{
	struct log_repeat r = { 0 };
	char              text[3 * sizeof(r.text)];

	(void)state;
	assert_true(log_is_news(&r, "a", 0));
	assert_false(log_is_news(&r, "a", 1));
	assert_false(log_is_news(&r, "a", 59999));
	assert_true(log_is_news(&r, "a", 60000));
	assert_int_equal(r.times, 4);
	assert_false(log_is_news(&r, "a", 60001));
	assert_true(log_is_news(&r, "b", 60002));
	assert_int_equal(r.times, 1);
	assert_true(log_is_news(&r, "a", 60003));
	memset(text, 'x', sizeof(text));
	text[sizeof(text) - 1] = '\0';
	assert_true(log_is_news(&r, text, 60004));
	assert_false(log_is_news(&r, text, 60005));
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(json_has_time_level_event_and_from_first),
		cmocka_unit_test(json_takes_the_pairs_apart),
		cmocka_unit_test(numbers_are_numbers_and_texts_are_texts),
		cmocka_unit_test(a_pair_called_as_one_of_ours_takes_nothing_from_it),
		cmocka_unit_test(invalid_utf8_is_replaced_valid_is_kept),
		cmocka_unit_test(every_form_of_any_bytes_fits_and_json_is_valid),
		cmocka_unit_test(json_that_is_too_long_loses_its_end_and_stays_valid),
		cmocka_unit_test(the_journal_gets_a_field_per_pair),
		cmocka_unit_test(the_journal_finds_a_worker_in_what_the_supervisor_says_about_it),
		cmocka_unit_test(a_value_of_several_lines_reaches_the_journal_whole),
		cmocka_unit_test(speaks_to_the_journal_when_it_writes_to_its_stream),
		cmocka_unit_test(the_stream_of_another_is_not_ours),
		cmocka_unit_test(writes_json_into_a_pipe),
		cmocka_unit_test(a_full_pipe_costs_lines_that_are_counted_and_no_time),
		cmocka_unit_test(a_line_is_told_when_it_is_whole_and_the_last_when_its_process_ends),
		cmocka_unit_test(a_long_line_is_cut_and_the_next_one_is_not),
		cmocka_unit_test(too_much_is_counted_and_the_newest_are_kept),
		cmocka_unit_test(last_words_are_told_however_much_was_said_before),
		cmocka_unit_test(the_writer_never_waits_for_long),
		cmocka_unit_test(quotes_what_must_be_quoted),
		cmocka_unit_test(what_is_said_again_is_told_once_a_minute),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
