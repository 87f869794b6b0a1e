/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The bus between friends: real sockets in a fresh directory.  Those who are
 * none stand in bus_hostile.c.
 */
#include "bus_peer.h"

#include <sys/sysinfo.h>

static struct msg
nudge(void)
{
	return (struct msg){ .type = MSG_nudge };
}

static void
receive_from(struct bus_link *l, enum msg_type type, uint64_t seq)
{
	struct msg   m;
	struct error e = { 0 };
	enum err     err;

	while ((err = bus_link_receive(l, &m, &e)) == ERR_again)
		assert_true(wait_readable(bus_link_fd(l), DEADLINE_MS));
	OK(err);
	assert_int_equal(m.type, type);
	if (seq != 0)
		assert_int_equal(m.seq, seq);
}

static void
open_link(struct bus_link **supervisor, struct bus_link **worker)
{
	struct error e = { 0 };
	struct msg   m = { .type = MSG_wake, .body.wake.kind = "provisioning" };

	OK(bus_link_listen(socket_path("link"), supervisor, &e));
	OK(bus_link_dial(socket_path("link"), worker, &e));
	WAIT_UNTIL(bus_link_send(*worker, &m, &e) == ERR_ok);
	receive_from(*supervisor, MSG_wake, 0);
}

/* ------------------------------------------------------------------ link */
static void
a_link_carries_messages_both_ways_in_order(void **state)
{
	struct bus_link *supervisor, *worker;
	struct error     e = { 0 };
	struct msg       m = { .type = MSG_log_level, .body.log_level.level = "debug" };

	(void)state;
	open_link(&supervisor, &worker);
	/* More at once than nng takes, and not more than the queue. */
	for (uint64_t i = 1; i <= 16; i++)
		OK(bus_link_send(supervisor, &m, &e));
	for (uint64_t i = 1; i <= 16; i++)
		receive_from(worker, MSG_log_level, i);
	assert_int_equal(bus_link_receive(worker, &m, &e), ERR_again);
	bus_link_close(worker);
	bus_link_close(supervisor);
}

static void
a_link_says_again_when_nobody_is_there(void **state)
{
	struct bus_link *supervisor, *worker;
	struct error     e       = { 0 };
	struct msg       m       = nudge();
	uint64_t         dropped = bus_dropped_messages();

	(void)state;
	OK(bus_link_listen(socket_path("link"), &supervisor, &e));
	assert_int_equal(bus_link_send(supervisor, &m, &e), ERR_again);
	assert_string_equal(e.text, "send nudge: nobody is there");
	assert_int_equal(bus_dropped_messages(), dropped + 1);
	bus_link_close(supervisor);
	open_link(&supervisor, &worker);
	OK(bus_link_send(supervisor, &m, &e));
	bus_link_close(worker);
	WAIT_UNTIL(bus_link_send(supervisor, &m, &e) == ERR_again);
	bus_link_close(supervisor);
}

static void
a_link_says_again_when_the_other_end_does_not_read(void **state)
{
	struct bus_link *supervisor, *worker;
	struct error     e = { 0 };
	struct msg       m = nudge();
	uint64_t         sent = 0, next = 0;

	(void)state;
	open_link(&supervisor, &worker);
	WAIT_UNTIL(bus_link_send(supervisor, &m, &e) == ERR_again || ++sent > 1000000);
	assert_string_equal(e.text, "send nudge: the queue is full");
	while (next < sent) {
		enum err err = bus_link_receive(worker, &m, &e);

		if (err == ERR_again)
			assert_true(wait_readable(bus_link_fd(worker), DEADLINE_MS));
		else
			assert_int_equal(m.seq, ++next);
	}
	bus_link_close(worker);
	bus_link_close(supervisor);
}

static void
a_worker_finds_the_next_supervisor(void **state)
{
	struct bus_link *supervisor, *worker;
	struct error     e = { 0 };
	struct msg       m = nudge();

	(void)state;
	open_link(&supervisor, &worker);
	for (int i = 0; i < 5; i++) {
		bus_link_close(supervisor);
		OK(bus_link_listen(socket_path("link"), &supervisor, &e));
		WAIT_UNTIL(bus_link_send(supervisor, &m, &e) == ERR_ok);
		receive_from(worker, MSG_nudge, 0);
	}
	bus_link_close(worker);
	bus_link_close(supervisor);
}

static void
orders_for_a_dead_worker_do_not_reach_the_next(void **state)
{
	struct bus_link *supervisor, *worker;
	struct error     e    = { 0 };
	struct msg       m    = { .type = MSG_drain }, got;
	int              dead = -1;

	(void)state;
	OK(bus_link_listen(socket_path("link"), &supervisor, &e));
	dead = raw_open("link", PROTOCOL_PAIR1);
	WAIT_UNTIL(bus_link_send(supervisor, &m, &e) == ERR_ok);
	/* It never reads; fill everything between it and us. */
	WAIT_UNTIL(bus_link_send(supervisor, &m, &e) == ERR_again);
	(void)close(dead);
	OK(bus_link_dial(socket_path("link"), &worker, &e));
	m = nudge();
	/* The first may still go to the dead one. */
	WAIT_UNTIL(bus_link_send(supervisor, &m, &e) != ERR_internal &&
	    bus_link_receive(worker, &got, &e) == ERR_ok);
	assert_int_equal(got.type, MSG_nudge);
	bus_link_close(worker);
	bus_link_close(supervisor);
}

static void
a_link_has_a_mode_and_the_group_of_its_directory(void **state)
{
	struct bus_server *s;
	struct stat        of_file;
	gid_t              group = geteuid() == 0 ? 12345 : getegid();

	(void)state;
	assert_int_equal(chown(directory, (uid_t)-1, group), 0);
	s = open_server(&(struct bus_server_options){ .mode = 0620 });
	assert_int_equal(stat(socket_path("control"), &of_file), 0);
	assert_int_equal(of_file.st_mode & 0777, 0620);
	assert_int_equal(of_file.st_gid, group);
	bus_server_close(s);
}

static void
a_bad_path_is_refused_with_a_sentence(void **state)
{
	struct bus_link *l;
	struct error     e = { 0 };
	char             path[BUS_PATH_SIZE + 1];

	(void)state;
	memset(path, 'x', sizeof(path));
	path[0]                 = '/';
	path[sizeof(path) - 1] = '\0';
	assert_int_equal(bus_link_listen(path, &l, &e), ERR_config);
	assert_null(l);
	assert_int_equal(bus_link_dial("relative", &l, &e), ERR_config);
	assert_int_equal(bus_link_listen(socket_path("missing/link"), &l, &e), ERR_system);
	assert_null(l);
}

/* ------------------------------------------------------ server and client */
static void
many_clients_are_answered_at_once(void **state)
{
	enum { ASKERS = 32 };
	static struct asker a[ASKERS];
	struct bus_server  *s    = open_server(&(struct bus_server_options){ .contexts = 8 });
	int                 done = eventfd(0, EFD_CLOEXEC | EFD_SEMAPHORE);
	struct msg          m;
	struct error        e = { 0 };

	(void)state;
	for (uint64_t i = 0; i < ASKERS; i++) {
		a[i].question.body.ask_events.after = i;
		start_asking(&a[i], MSG_ask_events, done);
	}
	for (int i = 0; i < ASKERS; i++) {
		struct bus_request *r = await_question(s, &m, NULL);
		struct msg          row = { .type = MSG_event };

		for (uint64_t k = 0; k < 20; k++) {
			row.body.event.number = m.body.ask_events.after * 100 + k;
			OK(bus_request_add(r, &row, &e));
		}
		bus_request_send(r);
	}
	for (uint64_t i = 0; i < ASKERS; i++) {
		(void)pthread_join(a[i].thread, NULL);
		e = a[i].e;
		OK(a[i].err);
		for (uint64_t k = 0; k < 20; k++) {
			OK(bus_reply_next(a[i].reply, &m, &e));
			assert_int_equal(m.body.event.number, i * 100 + k);
		}
		assert_int_equal(bus_reply_next(a[i].reply, &m, &e), ERR_again);
		bus_reply_free(a[i].reply);
	}
	(void)close(done);
	bus_server_close(s);
}

static void
replies_may_wait_and_overtake_each_other(void **state)
{
	struct asker        first = { 0 }, second = { 0 };
	struct bus_server  *s    = open_server(&(struct bus_server_options){ .contexts = 2 });
	int                 done = eventfd(0, EFD_CLOEXEC);
	struct bus_request *slow;
	struct msg          m;
	struct error        e = { 0 };

	(void)state;
	start_asking(&first, MSG_ask_reload, done);
	slow = await_question(s, &m, NULL);
	start_asking(&second, MSG_ask_ping, done);
	answer_done(await_question(s, &m, NULL), "fast");
	(void)pthread_join(second.thread, NULL);
	answer_done(slow, "slow");
	(void)pthread_join(first.thread, NULL);
	OK(bus_reply_next(first.reply, &m, &e));
	assert_string_equal(m.body.done.detail, "slow");
	bus_reply_free(first.reply);
	bus_reply_free(second.reply);
	(void)close(done);
	bus_server_close(s);
}

static void
one_connection_may_ask_again_at_once(void **state)
{
	struct bus_server *s  = open_server(&(struct bus_server_options){ 0 });
	int                fd = raw_open("control", PROTOCOL_REQ);
	struct msg         m;

	(void)state;
	for (int i = 0; i < 2000; i++) {
		raw_ask(fd, MSG_ask_ping);
		answer_done(await_question(s, &m, NULL), "pong");
		(void)raw_reply(fd, &m);
	}
	(void)close(fd);
	bus_server_close(s);
}

static void
a_reply_that_grows_too_long_keeps_what_fits(void **state)
{
	struct asker        a    = { 0 };
	struct bus_server  *s    = open_server(&(struct bus_server_options){ 0 });
	int                 done = eventfd(0, EFD_CLOEXEC);
	struct bus_request *r;
	struct msg          m, row = { .type = MSG_complaint };
	struct error        e     = { 0 };
	size_t              added = 0, read = 0;

	(void)state;
	memset(row.body.complaint.text, 'x', sizeof(row.body.complaint.text) - 1);
	start_asking(&a, MSG_ask_reload, done);
	r = await_question(s, &m, NULL);
	while (bus_request_add(r, &row, &e) == ERR_ok)
		added++;
	assert_int_equal(e.code, ERR_no_memory);
	assert_in_range(added, MSG_REPLY_SIZE / MSG_WIRE_SIZE, MSG_REPLY_SIZE / 512);
	bus_request_send(r);
	(void)pthread_join(a.thread, NULL);
	while (bus_reply_next(a.reply, &m, &e) == ERR_ok)
		read++;
	assert_int_equal(read, added);
	bus_reply_free(a.reply);
	(void)close(done);
	bus_server_close(s);
}

static void
a_client_says_why_it_got_no_answer(void **state)
{
	struct bus_reply   *reply = NULL;
	struct msg          question = { .type = MSG_ask_ping }, m;
	struct error        e        = { 0 };
	struct asker        a        = { 0 };
	int                 done     = eventfd(0, EFD_CLOEXEC);
	struct bus_server  *s;
	struct bus_request *r UNUSED;

	(void)state;
	assert_int_equal(bus_client_call(socket_path("nobody"), &question, DEADLINE_MS, &reply, &e), ERR_not_running);
	s = open_server(&(struct bus_server_options){ 0 });
	assert_int_equal(bus_client_call(socket_path("control"), &question, 500, &reply, &e), ERR_timeout);
	assert_non_null(strstr(e.text, "no answer within 500 ms"));
	(void)await_question(s, &m, NULL);
	start_asking(&a, MSG_ask_stop, done);
	r = await_question(s, &m, NULL);
	bus_server_close(s);
	(void)pthread_join(a.thread, NULL);
	assert_int_equal(a.err, ERR_unavailable);
	assert_null(a.reply);
	(void)close(done);
}

static void
a_client_without_permission_is_told_so(void **state)
{
	struct bus_reply  *reply    = NULL;
	struct msg         question = { .type = MSG_ask_ping };
	struct error       e        = { 0 };
	struct bus_server *s;
	enum err           err;

	(void)state;
	if (geteuid() != 0) {
		print_message("# not root: nobody else to be\n"); /* cmocka 1.1.5 calls a skip "not ok" */
		return;
	}
	s = open_server(&(struct bus_server_options){ .mode = 0600 });
	assert_int_equal(chmod(directory, 0755), 0);
	assert_int_equal(seteuid(65534), 0);
	err = bus_client_call(socket_path("control"), &question, DEADLINE_MS, &reply, &e);
	assert_int_equal(seteuid(0), 0);
	assert_int_equal(err, ERR_denied);
	bus_server_close(s);
}

/* ---------------------------------------------------------------- events */
static void
a_watcher_gets_what_happens_in_order(void **state)
{
	struct bus_publisher  *p;
	struct bus_subscriber *s;
	struct msg             m = { .type = MSG_event }, got;
	struct error           e = { 0 };

	(void)state;
	assert_int_equal(bus_subscriber_open(socket_path("events"), &s, &e), ERR_not_running);
	OK(bus_publisher_open(socket_path("events"), 0660, &p, &e));
	OK(bus_publish(p, &m, &e)); /* to nobody */
	OK(bus_subscriber_open(socket_path("events"), &s, &e));
	assert_int_equal(bus_subscriber_next(s, 0, &got, &e), ERR_timeout);
	WAIT_UNTIL(bus_publish(p, &m, &e) == ERR_ok && bus_subscriber_next(s, 1, &got, &e) == ERR_ok);
	for (m.body.event.number = 1; m.body.event.number <= 100; m.body.event.number++)
		OK(bus_publish(p, &m, &e));
	/* Behind those of number 0 that came while it found its way. */
	for (uint64_t i = 1; i <= 100; i++) {
		do
			OK(bus_subscriber_next(s, DEADLINE_MS, &got, &e));
		while (got.body.event.number == 0);
		assert_int_equal(got.body.event.number, i);
	}
	bus_subscriber_close(s);
	bus_publisher_close(p);
}

static void
a_slow_watcher_sees_a_gap_and_then_the_newest(void **state)
{
	enum { EVENTS = 20000 };
	struct bus_publisher  *p;
	struct bus_subscriber *s;
	struct msg             m = { .type = MSG_event }, got = { 0 };
	struct error           e      = { 0 };
	uint64_t               before = 0, gaps = 0;

	(void)state;
	OK(bus_publisher_open(socket_path("events"), 0660, &p, &e));
	OK(bus_subscriber_open(socket_path("events"), &s, &e));
	WAIT_UNTIL(bus_publish(p, &m, &e) == ERR_ok && bus_subscriber_next(s, 1, &got, &e) == ERR_ok);
	for (m.body.event.number = 1; m.body.event.number <= EVENTS; m.body.event.number++)
		OK(bus_publish(p, &m, &e));
	while (got.body.event.number != EVENTS) {
		OK(bus_subscriber_next(s, DEADLINE_MS, &got, &e));
		assert_true(got.body.event.number > before || before == 0);
		gaps += got.body.event.number > before + 1;
		before = got.body.event.number;
	}
	assert_true(gaps > 0);
	bus_subscriber_close(s);
	bus_publisher_close(p);
}

/* --------------------------------------------------------------- threads */
static void
nng_starts_few_threads_and_nobody_else_is_misled(void **state)
{
	DIR *d       = opendir("/proc/self/task");
	int  threads = -2; /* . and .. */

	(void)state;
	assert_non_null(d);
	while (readdir(d) != NULL)
		threads++;
	(void)closedir(d);
	/* 10 of nng, this one, and the sanitizers' own. */
	assert_in_range(threads, 2, 12);
	assert_true(sysconf(_SC_NPROCESSORS_ONLN) == get_nprocs());
	/* Nobody is named: that would leave its traces in /proc. */
	assert_int_equal(pthread_setname_np(pthread_self(), "longer than a name of a thread may be"), 0);
	assert_true(sysconf(_SC_PAGESIZE) >= 4096);
}

int
main(void)
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(nng_starts_few_threads_and_nobody_else_is_misled),
		cmocka_unit_test(a_link_carries_messages_both_ways_in_order),
		cmocka_unit_test(a_link_says_again_when_nobody_is_there),
		cmocka_unit_test(a_link_says_again_when_the_other_end_does_not_read),
		cmocka_unit_test(a_worker_finds_the_next_supervisor),
		cmocka_unit_test(orders_for_a_dead_worker_do_not_reach_the_next),
		cmocka_unit_test(a_link_has_a_mode_and_the_group_of_its_directory),
		cmocka_unit_test(a_bad_path_is_refused_with_a_sentence),
		cmocka_unit_test(many_clients_are_answered_at_once),
		cmocka_unit_test(replies_may_wait_and_overtake_each_other),
		cmocka_unit_test(one_connection_may_ask_again_at_once),
		cmocka_unit_test(a_reply_that_grows_too_long_keeps_what_fits),
		cmocka_unit_test(a_client_says_why_it_got_no_answer),
		cmocka_unit_test(a_client_without_permission_is_told_so),
		cmocka_unit_test(a_watcher_gets_what_happens_in_order),
		cmocka_unit_test(a_slow_watcher_sees_a_gap_and_then_the_newest),
	};

	return cmocka_run_group_tests_name("bus", tests, make_directory, remove_directory);
}
