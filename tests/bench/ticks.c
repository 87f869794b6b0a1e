/* SPDX-License-Identifier: Apache-2.0 */
/*
 * ticks SECONDS - how late a bare timerfd wakes its owner at each full second of
 * the wall clock: what the machine alone costs a scheduled start.  Prints the
 * lateness of each, in milliseconds.
 */
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/timerfd.h>
#include <time.h>
#include <unistd.h>

int
main(int argc, char *argv[])
{
	long              left = argc > 1 ? atol(argv[1]) : 0;
	int               timer = timerfd_create(CLOCK_REALTIME, TFD_CLOEXEC);
	struct timespec   now;
	struct itimerspec next = { .it_interval = { .tv_sec = 1 } };
	uint64_t          expirations;

	(void)clock_gettime(CLOCK_REALTIME, &now);
	next.it_value.tv_sec = now.tv_sec + 1;
	if (left <= 0 || timer < 0 || timerfd_settime(timer, TFD_TIMER_ABSTIME, &next, NULL) != 0)
		return 1;
	for (; left > 0; left--) {
		if (read(timer, &expirations, sizeof(expirations)) != sizeof(expirations))
			return 1;
		(void)clock_gettime(CLOCK_REALTIME, &now);
		(void)printf("%.3f\n", (double)now.tv_nsec / 1e6);
	}
	return 0;
}
