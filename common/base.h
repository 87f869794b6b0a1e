/* SPDX-License-Identifier: Apache-2.0 */
/*
 * base - the few words every file may use.  Nothing here allocates, logs or
 * knows what steward is for.
 */
#ifndef STEWARD_BASE_H
#define STEWARD_BASE_H

#include <inttypes.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#define COUNT_OF(array)        (sizeof(array) / sizeof((array)[0]))
#define NODISCARD              __attribute__((warn_unused_result))
#define UNUSED                 __attribute__((unused))
#define PRINTF_LIKE(fmt, args) __attribute__((format(printf, fmt, args)))

/* Run fn(&variable) when the variable leaves its scope. */
#define CLEANUP(fn) __attribute__((cleanup(fn)))

/* Give up ownership: the value, and NULL in its place. */
#define TAKE(p)                          \
	__extension__({                  \
		__typeof__(p) taken = p; \
		(p) = NULL;              \
		taken;                   \
	})

#define MIN(a, b) ((a) < (b) ? (a) : (b))
#define MAX(a, b) ((a) > (b) ? (a) : (b))

/* For CLEANUP: frees what the pointer points at. */
void free_cleanup(void *pointer_to_pointer);

#endif
