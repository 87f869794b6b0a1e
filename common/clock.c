/* SPDX-License-Identifier: Apache-2.0 */
#include "clock.h"

#include <stdio.h>
#include <time.h>

int64_t
clock_now_ms(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_MONOTONIC, &t);
	return (int64_t)t.tv_sec * 1000 + t.tv_nsec / 1000000;
}

int64_t
clock_wall_us(void)
{
	struct timespec t;

	(void)clock_gettime(CLOCK_REALTIME, &t);
	return (int64_t)t.tv_sec * 1000000 + t.tv_nsec / 1000;
}

const char *
clock_format_us(int64_t wall_us, char text[CLOCK_TEXT_SIZE])
{
	time_t    seconds = (time_t)(wall_us / 1000000);
	int       ms      = (int)(wall_us / 1000 % 1000);
	char      day[24];
	struct tm tm;

	if (gmtime_r(&seconds, &tm) == NULL || strftime(day, sizeof(day), "%Y-%m-%dT%H:%M:%S", &tm) == 0)
		day[0] = '\0';
	(void)snprintf(text, CLOCK_TEXT_SIZE, "%s.%03dZ", day, ms);
	return text;
}

const char *
clock_format_duration(int64_t seconds, char text[CLOCK_TEXT_SIZE])
{
	if (seconds < 60)
		(void)snprintf(text, CLOCK_TEXT_SIZE, "%" PRId64 " s", seconds);
	else if (seconds < 3600)
		(void)snprintf(text, CLOCK_TEXT_SIZE, "%" PRId64 " m %" PRId64 " s", seconds / 60, seconds % 60);
	else if (seconds < 86400)
		(void)snprintf(text, CLOCK_TEXT_SIZE, "%" PRId64 " h %" PRId64 " m", seconds / 3600, seconds / 60 % 60);
	else
		(void)snprintf(text, CLOCK_TEXT_SIZE, "%" PRId64 " d %" PRId64 " h", seconds / 86400, seconds / 3600 % 24);
	return text;
}
