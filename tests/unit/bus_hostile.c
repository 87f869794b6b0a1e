/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bus among strangers: noise, half frames, floods, refusals, and peers that
 * leave at the worst moment.  After each of them a decent client is answered.
 */
#include "bus_peer.h"

static void
still_answers(struct bus_server *s)
{
	struct asker a    = { 0 };
	int          done = eventfd(0, EFD_CLOEXEC);
	struct msg   m;
	struct error e = { 0 };

	start_asking(&a, MSG_ask_ping, done);
	answer_done(await_question(s, &m, NULL), "pong");
	(void)pthread_join(a.thread, NULL);
	e = a.e;
	OK(a.err);
	bus_reply_free(a.reply);
	(void)close(done);
}

/* -------------------------------------------------------------- garbage */
static void
noise_instead_of_a_handshake_is_cut_off(void **state)
{
	static const char *const noise[] = { "GET / HTTP/1.1\r\nHost: x\r\n\r\n", "\0SP\0\0\x50\0\0", "SSSSSSSSSSSSSSSS" };
	static const size_t      length[] = { 27, 8, 16 };
	struct bus_server       *s        = open_server(&(struct bus_server_options){ 0 });

	(void)state;
	for (size_t i = 0; i < COUNT_OF(noise); i++) {
		int fd = raw_connect("control");

		raw_send(fd, noise[i], length[i]);
		assert_true(raw_is_closed(fd, DEADLINE_MS));
		(void)close(fd);
	}
	still_answers(s);
	bus_server_close(s);
}

static void
garbage_is_answered_refused_and_counted(void **state)
{
	static const char *const garbage[] = { "", "\xC1", "\x95\x01\x28\xA3" "ctl\x01\x80\x80", "\xDD\xFF\xFF\xFF\xFF" };
	static const size_t      length[]  = { 0, 1, 10, 5 };
	struct bus_server       *s         = open_server(&(struct bus_server_options){ 0 });
	uint64_t                 before    = bus_bad_messages();
	int                      fd        = raw_open("control", PROTOCOL_REQ);

	(void)state;
	for (size_t i = 0; i < COUNT_OF(garbage); i++) {
		struct msg          m;
		struct bus_peer     peer;
		struct bus_request *r;
		struct error        e = { 0 };
		enum err            err;

		raw_frame(fd, 0x80000001u, garbage[i], length[i]);
		while ((err = bus_server_next(s, &m, &peer, &r, &e)) == ERR_again)
			assert_true(wait_readable(bus_server_fd(s), DEADLINE_MS));
		assert_int_equal(err, ERR_bad_message);
		assert_null(r);
		(void)raw_reply(fd, &m);
		assert_int_equal(m.type, MSG_refused);
		assert_string_equal(m.body.refused.error, "bad_message");
		assert_string_equal(m.body.refused.reason, e.text);
	}
	assert_int_equal(bus_bad_messages(), before + COUNT_OF(garbage));
	(void)close(fd);
	still_answers(s);
	bus_server_close(s);
}

static void
oversized_frames_are_cut_off(void **state)
{
	static const uint8_t huge[] = { 1, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF, 0xFF };
	static uint8_t       body[MSG_WIRE_SIZE * 2];
	struct bus_server   *s  = open_server(&(struct bus_server_options){ 0 });
	int                  fd = raw_open("control", PROTOCOL_REQ);

	(void)state;
	raw_send(fd, huge, sizeof(huge));
	assert_true(raw_is_closed(fd, DEADLINE_MS));
	(void)close(fd);
	fd = raw_open("control", PROTOCOL_REQ);
	raw_frame(fd, 0x80000001u, body, sizeof(body));
	assert_true(raw_is_closed(fd, DEADLINE_MS));
	(void)close(fd);
	still_answers(s);
	bus_server_close(s);
}

static void
garbage_on_a_link_is_counted_and_dropped(void **state)
{
	struct bus_link *supervisor;
	struct error     e      = { 0 };
	uint64_t         before = bus_bad_messages();
	struct msg       m      = { .type = MSG_drain };
	uint8_t          wire[MSG_WIRE_SIZE];
	size_t           used;
	int              fd;
	enum err         err;

	(void)state;
	OK(bus_link_listen(socket_path("link"), &supervisor, &e));
	fd = raw_open("link", PROTOCOL_PAIR1);
	/* The supervisor's own order, sent back to it. */
	OK(msg_encode(&m, wire, &used, &e));
	raw_frame(fd, 1, wire, used);
	while ((err = bus_link_receive(supervisor, &m, &e)) == ERR_again)
		assert_true(wait_readable(bus_link_fd(supervisor), DEADLINE_MS));
	assert_int_equal(err, ERR_bad_message);
	assert_string_equal(e.text, "drain: the sender is not worker");
	assert_int_equal(bus_bad_messages(), before + 1);
	(void)close(fd);
	bus_link_close(supervisor);
}

/* -------------------------------------------------- those who hold a slot */
static void
half_a_frame_is_closed_in_time(void **state)
{
	struct bus_server *s      = open_server(&(struct bus_server_options){ .idle_ms = 100 });
	int64_t            before = clock_now_ms();
	int                fd     = raw_open("control", PROTOCOL_REQ);

	(void)state;
	raw_send(fd, "\x01\0\0\0", 4);
	assert_true(raw_is_closed(fd, DEADLINE_MS));
	assert_true(clock_now_ms() - before >= 100);
	(void)close(fd);
	still_answers(s);
	bus_server_close(s);
}

static void
silence_is_closed_in_time_but_not_a_request_under_way(void **state)
{
	struct bus_server  *s      = open_server(&(struct bus_server_options){ .idle_ms = 100 });
	int                 asking = raw_open("control", PROTOCOL_REQ);
	int                 silent = -1;
	struct msg          m;
	struct bus_request *r;

	(void)state;
	raw_ask(asking, MSG_ask_reload);
	r = await_question(s, &m, NULL);
	assert_false(raw_is_closed(asking, 300));
	answer_done(r, "late");
	(void)raw_reply(asking, &m);
	assert_string_equal(m.body.done.detail, "late");
	assert_true(raw_is_closed(asking, DEADLINE_MS));
	silent = raw_open("control", PROTOCOL_REQ);
	assert_true(raw_is_closed(silent, DEADLINE_MS));
	(void)close(asking);
	(void)close(silent);
	bus_server_close(s);
}

static void
who_asks_again_before_the_answer_is_closed(void **state)
{
	struct bus_server  *s  = open_server(&(struct bus_server_options){ .contexts = 2 });
	int                 fd = raw_open("control", PROTOCOL_REQ);
	struct bus_request *r;
	struct msg          m;

	(void)state;
	for (int i = 0; i < 50; i++)
		raw_ask(fd, MSG_ask_ping);
	r = await_question(s, &m, NULL);
	assert_true(raw_is_closed(fd, DEADLINE_MS));
	answer_done(r, "to nobody");
	(void)close(fd);
	still_answers(s);
	bus_server_close(s);
}

static void
who_never_reads_costs_one_slot_and_is_closed(void **state)
{
	enum { ROWS = 400 };
	struct bus_server *s    = open_server(&(struct bus_server_options){ .contexts = 2 });
	int                fd   = raw_open("control", PROTOCOL_REQ);
	struct msg         row  = { .type = MSG_complaint };
	struct msg         m;
	struct error       e = { 0 };

	(void)state;
	memset(row.body.complaint.text, 'x', sizeof(row.body.complaint.text) - 1);
	/* Replies of 200 KiB: the first fills the socket, the second is stuck in it, the third has to wait. */
	for (int asked = 0; asked < 3; asked++) {
		struct bus_request *r;

		raw_ask(fd, MSG_ask_status);
		r = await_question(s, &m, NULL);
		for (int i = 0; i < ROWS; i++)
			OK(bus_request_add(r, &row, &e));
		bus_request_send(r);
		/* The third ends every connection of this process, one that asks just then too. */
		if (asked < 2)
			still_answers(s);
	}
	/* Without reading. */
	assert_int_equal(poll(&(struct pollfd){ fd, POLLRDHUP, 0 }, 1, DEADLINE_MS), 1);
	(void)close(fd);
	still_answers(s);
	bus_server_close(s);
}

/* ------------------------------------------------------------ who may */
static void
one_user_has_no_more_than_its_share(void **state)
{
	struct bus_server *s     = open_server(&(struct bus_server_options){ .per_uid = 2 });
	struct pollfd      three[] = { { raw_open("control", PROTOCOL_REQ), POLLRDHUP, 0 },
			 { raw_open("control", PROTOCOL_REQ), POLLRDHUP, 0 },
			 { raw_open("control", PROTOCOL_REQ), POLLRDHUP, 0 } };
	struct bus_reply  *reply = NULL;
	struct msg         question = { .type = MSG_ask_ping };
	struct error       e        = { 0 };
	int                again;

	(void)state;
	/* They are admitted on two threads, so it need not be the last. */
	assert_int_equal(poll(three, 3, DEADLINE_MS), 1);
	assert_int_equal(bus_client_call(socket_path("control"), &question, DEADLINE_MS, &reply, &e), ERR_denied);
	assert_non_null(strstr(e.text, "too many connections"));
	(void)close(three[three[0].revents == 0 ? 0 : 1].fd);
	/* The share is given back when the server has noticed. */
	WAIT_UNTIL((again = raw_open("control", PROTOCOL_REQ), !raw_is_closed(again, 20) || (close(again), false)));
	(void)close(again);
	(void)close(three[three[0].revents == 0 ? 1 : 0].fd);
	(void)close(three[2].fd);
	bus_server_close(s);
}

static bool
admit_nobody(const struct bus_peer *peer, void *arg)
{
	struct bus_peer *seen = arg;

	*seen = *peer;
	return false;
}

static void
who_is_not_admitted_is_told_so_and_counts_for_nothing(void **state)
{
	struct bus_peer    seen     = { 0 };
	struct bus_server *s        = open_server(&(struct bus_server_options){ .admit = admit_nobody, .arg = &seen });
	struct bus_reply  *reply    = NULL;
	struct msg         question = { .type = MSG_ask_ping };
	struct error       e        = { 0 };

	(void)state;
	for (int i = 0; i < 300; i++) /* more than there are places */
		assert_int_equal(bus_client_call(socket_path("control"), &question, DEADLINE_MS, &reply, &e), ERR_denied);
	assert_string_equal(e.text,
	    "the supervisor refused the connection (not permitted, or too many connections)");
	bus_server_close(s);
	assert_int_equal(seen.uid, geteuid());
	assert_int_equal(seen.pid, getpid());
}

/* ------------------------------------------------- leaving at a bad time */
static void
who_leaves_before_the_handshake_takes_no_listener_along(void **state)
{
	struct bus_server *s = open_server(&(struct bus_server_options){ 0 });

	(void)state;
	for (int i = 0; i < 200; i++)
		(void)close(raw_connect("control"));
	still_answers(s);
	for (int i = 0; i < 200; i++) {
		int fd = raw_connect("control");

		raw_send(fd, "\0SP", 3);
		(void)close(fd);
	}
	still_answers(s);
	bus_server_close(s);
}

static void
a_link_closes_while_messages_come_in(void **state)
{
	struct error e = { 0 };
	struct msg   m = { .type = MSG_nudge };

	(void)state;
	for (int i = 0; i < 100; i++) {
		struct bus_link *supervisor, *worker;

		OK(bus_link_listen(socket_path("link"), &supervisor, &e));
		OK(bus_link_dial(socket_path("link"), &worker, &e));
		WAIT_UNTIL(bus_link_send(supervisor, &m, &e) == ERR_ok);
		for (int k = 0; k < 10; k++)
			OK(bus_link_send(supervisor, &m, &e));
		bus_link_close(worker);
		bus_link_close(supervisor);
	}
}

static void
a_watcher_leaves_while_much_happens(void **state)
{
	struct bus_publisher *p;
	struct error          e = { 0 };
	struct msg            m = { .type = MSG_event };

	(void)state;
	OK(bus_publisher_open(socket_path("events"), 0660, &p, &e));
	for (int i = 0; i < 100; i++) {
		struct bus_subscriber *s;

		OK(bus_subscriber_open(socket_path("events"), &s, &e));
		for (int k = 0; k < 20; k++)
			OK(bus_publish(p, &m, &e));
		bus_subscriber_close(s);
	}
	bus_publisher_close(p);
}

/* ---------------------------------------------------------------- growth */
static unsigned
open_descriptors(void)
{
	DIR     *d     = opendir("/proc/self/fd");
	unsigned count = 0;

	assert_non_null(d);
	while (readdir(d) != NULL)
		count++;
	(void)closedir(d);
	return count;
}

static void
a_thousand_calls_leave_no_descriptor(void **state)
{
	struct bus_server *s      = open_server(&(struct bus_server_options){ 0 });
	unsigned           before = 0;

	(void)state;
	for (int i = 0; i < 1000; i++) {
		still_answers(s);
		if (i == 10)
			before = open_descriptors();
	}
	WAIT_UNTIL(open_descriptors() <= before + 2);
	bus_server_close(s);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(noise_instead_of_a_handshake_is_cut_off),
		cmocka_unit_test(garbage_is_answered_refused_and_counted),
		cmocka_unit_test(oversized_frames_are_cut_off),
		cmocka_unit_test(garbage_on_a_link_is_counted_and_dropped),
		cmocka_unit_test(half_a_frame_is_closed_in_time),
		cmocka_unit_test(silence_is_closed_in_time_but_not_a_request_under_way),
		cmocka_unit_test(who_asks_again_before_the_answer_is_closed),
		cmocka_unit_test(who_never_reads_costs_one_slot_and_is_closed),
		cmocka_unit_test(one_user_has_no_more_than_its_share),
		cmocka_unit_test(who_is_not_admitted_is_told_so_and_counts_for_nothing),
		cmocka_unit_test(who_leaves_before_the_handshake_takes_no_listener_along),
		cmocka_unit_test(a_link_closes_while_messages_come_in),
		cmocka_unit_test(a_watcher_leaves_while_much_happens),
		cmocka_unit_test(a_thousand_calls_leave_no_descriptor),
	};

	return cmocka_run_group_tests_name("bus_hostile", tests, make_directory, remove_directory);
}
