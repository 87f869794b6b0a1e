/* SPDX-License-Identifier: Apache-2.0 */
/*
 * clock - the two clocks.  Durations and due times use the monotonic one and
 * are passed in as `now_ms`; the wall clock is for people and for the wire.
 */
#ifndef STEWARD_CLOCK_H
#define STEWARD_CLOCK_H

#include "base.h"

enum { CLOCK_TEXT_SIZE = 32 };

/* Milliseconds of CLOCK_MONOTONIC. */
int64_t clock_now_ms(void);

/* Microseconds since 1970 UTC. */
int64_t clock_wall_us(void);

/* ISO 8601 UTC with milliseconds, "2026-01-31T23:59:59.123Z".  Returns `text`. */
const char *clock_format_us(int64_t wall_us, char text[CLOCK_TEXT_SIZE]);

/* A duration for people: "3 s", "2 h 4 m", "5 d 1 h".  Returns `text`. */
const char *clock_format_duration(int64_t seconds, char text[CLOCK_TEXT_SIZE]);

#endif
