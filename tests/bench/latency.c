/* SPDX-License-Identifier: Apache-2.0 */
/*
 * latency RATE - finalizes the matches on stdin ("match project" a line), RATE
 * a second, and tells how long after each commit an observer reads the event.
 *
 * The observer has a thread, a connection that listens and one that reads, as a
 * streaming gateway would.  Halfway between two finalizations a bare NOTIFY
 * goes the same way: what PostgreSQL and the machine alone cost in this run.
 * Before them all a constant is asked for again and again, which tells how fast
 * this machine goes there and back.
 * Prints "name p50 p95 p99 max count", milliseconds; libpq's environment says where.
 */
#include <errno.h>
#include <libpq-fe.h>
#include <poll.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

enum { PROBES_MAX = 20000, CONSTANTS = 4000, GIVE_UP_US = 3000000 };

struct probe {
	char            match[40], project[40];
	int64_t         begun, committed, seen;
	int64_t         ping_sent, ping_committed;
	_Atomic int64_t ping_seen;
};

static struct probe probes[PROBES_MAX];
static atomic_int   begun, finished;
static atomic_bool  is_over;

static int64_t
now_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

static void
sleep_until(int64_t us)
{
	struct timespec t = { .tv_sec = us / 1000000, .tv_nsec = us % 1000000 * 1000 };

	while (clock_nanosleep(CLOCK_MONOTONIC, TIMER_ABSTIME, &t, NULL) == EINTR)
		continue;
}

static PGresult *
checked(PGconn *pg, PGresult *r)
{
	if (PQresultStatus(r) != PGRES_COMMAND_OK && PQresultStatus(r) != PGRES_TUPLES_OK) {
		(void)fprintf(stderr, "latency: %s", PQerrorMessage(pg));
		exit(1);
	}
	return r;
}

static void
run(PGconn *pg, const char *sql)
{
	PQclear(checked(pg, PQexec(pg, sql)));
}

static PGconn *
connection(void)
{
	PGconn *pg = PQconnectdb("application_name=bench-latency");

	if (PQstatus(pg) != CONNECTION_OK) {
		(void)fprintf(stderr, "latency: %s", PQerrorMessage(pg));
		exit(1);
	}
	return pg;
}

/* ------------------------------------------------------------- the observer */
static bool
is_visible(PGconn *reader, struct probe *p)
{
	const char *parameters[] = { p->project };
	PGresult   *r = checked(reader, PQexecPrepared(reader, "event", 1, parameters, NULL, NULL, 0));
	bool        found = PQntuples(r) > 0;

	PQclear(r);
	return found;
}

/* An event's notification says no more than "look"; those under way are few. */
static void
look(PGconn *reader)
{
	for (int i = atomic_load(&finished); i < atomic_load(&begun); i++) {
		if (probes[i].seen == 0 && is_visible(reader, &probes[i]))
			probes[i].seen = now_us();
		if (probes[i].seen != 0 && i == atomic_load(&finished))
			atomic_store(&finished, i + 1);
	}
}

static void *
observe(void *arg)
{
	PGconn        *listener = connection(), *reader = connection();
	struct pollfd  fd;
	PGnotify      *n;

	PQclear(checked(reader, PQprepare(reader, "event",
	    "SELECT seq FROM steward.event WHERE project_id = $1 AND seq > 0 AND name = 'advisor.workspace_ready'", 1, NULL)));
	run(listener, "LISTEN steward_event");
	run(listener, "LISTEN bench_ping");
	atomic_store((atomic_bool *)arg, true);
	fd = (struct pollfd){ .fd = PQsocket(listener), .events = POLLIN };
	while (!atomic_load(&is_over)) {
		bool wants_look = false;

		(void)poll(&fd, 1, 100);
		if (!PQconsumeInput(listener))
			exit(1);
		while ((n = PQnotifies(listener)) != NULL) {
			if (strcmp(n->relname, "bench_ping") == 0)
				atomic_store(&probes[atoi(n->extra)].ping_seen, now_us());
			else
				wants_look = true;
			PQfreemem(n);
		}
		if (wants_look)
			look(reader);
	}
	PQfinish(reader);
	PQfinish(listener);
	return NULL;
}

/* --------------------------------------------------------------- the figures */
static int
by_value(const void *a, const void *b)
{
	int64_t x = *(const int64_t *)a, y = *(const int64_t *)b;

	return (x > y) - (x < y);
}

static double
percentile(const int64_t *sorted, int count, int percent)
{
	int rank = (count * percent + 99) / 100;

	return (double)sorted[rank > 0 ? rank - 1 : 0] / 1000;
}

static void
tell(const char *name, int64_t *us, int count)
{
	if (count == 0)
		return;
	qsort(us, (size_t)count, sizeof(*us), by_value);
	(void)printf("%s %.3f %.3f %.3f %.3f %d\n", name, percentile(us, count, 50), percentile(us, count, 95),
	    percentile(us, count, 99), (double)us[count - 1] / 1000, count);
}

/* ------------------------------------------------------------------ the load */
static int
read_probes(void)
{
	int count = 0;

	while (count < PROBES_MAX && scanf("%39s %39s", probes[count].match, probes[count].project) == 2)
		count++;
	return count;
}

static void
ask_constant(PGconn *pg)
{
	static int64_t took[CONSTANTS];

	PQclear(checked(pg, PQprepare(pg, "constant", "SELECT 1", 0, NULL)));
	for (int i = 0; i < CONSTANTS; i++) {
		int64_t sent = now_us();

		PQclear(checked(pg, PQexecPrepared(pg, "constant", 0, NULL, NULL, NULL, 0)));
		took[i] = now_us() - sent;
	}
	tell("constant", took, CONSTANTS);
}

static void
finalize(PGconn *pg, int i)
{
	const char *parameters[] = { probes[i].match };

	probes[i].begun = now_us();
	atomic_store(&begun, i + 1);
	PQclear(checked(pg, PQexecPrepared(pg, "finalize", 1, parameters, NULL, NULL, 0)));
	probes[i].committed = now_us();
}

static void
ping(PGconn *pg, int i)
{
	char sql[64];

	(void)snprintf(sql, sizeof(sql), "NOTIFY bench_ping, '%d'", i);
	probes[i].ping_sent = now_us();
	run(pg, sql);
	probes[i].ping_committed = now_us();
}

static int
report(int count)
{
	static int64_t visible[PROBES_MAX], finalized[PROBES_MAX], sent[PROBES_MAX], committed[PROBES_MAX];
	int            seen = 0, heard = 0;

	for (int i = 0; i < count; i++) {
		finalized[i] = probes[i].committed - probes[i].begun;
		if (probes[i].seen != 0)
			visible[seen++] = probes[i].seen - probes[i].committed;
		if (probes[i].ping_seen != 0) {
			sent[heard]        = probes[i].ping_seen - probes[i].ping_sent;
			committed[heard++] = probes[i].ping_seen - probes[i].ping_committed;
		}
	}
	tell("event_visible", visible, seen);
	tell("finalize", finalized, count);
	tell("ping_sent", sent, heard);
	tell("ping_committed", committed, heard);
	(void)printf("lost %d\n", count - seen);
	return seen == count ? 0 : 1;
}

int
main(int argc, char *argv[])
{
	int         rate  = argc == 2 ? atoi(argv[1]) : 0;
	int         count = read_probes();
	PGconn     *pg;
	pthread_t   observer;
	atomic_bool is_listening = false;
	int64_t     start, step;

	if (rate < 1 || count == 0) {
		(void)fprintf(stderr, "usage: latency RATE < matches\n");
		return 64;
	}
	step = 1000000 / rate;
	pg   = connection();
	ask_constant(pg);
	PQclear(checked(pg, PQprepare(pg, "finalize",
	    "UPDATE public.advisor_match_requests SET status = 'finalized' WHERE id = $1", 1, NULL)));
	if (pthread_create(&observer, NULL, observe, &is_listening) != 0)
		return 1;
	while (!atomic_load(&is_listening))
		sleep_until(now_us() + 1000);
	start = now_us() + 10000;
	for (int i = 0; i < count; i++) {
		sleep_until(start + i * step);
		finalize(pg, i);
		sleep_until(start + i * step + step / 2);
		ping(pg, i);
	}
	start = now_us();
	while (atomic_load(&finished) < count && now_us() < start + GIVE_UP_US)
		sleep_until(now_us() + 10000);
	atomic_store(&is_over, true);
	(void)pthread_join(observer, NULL);
	PQfinish(pg);
	return report(count);
}
