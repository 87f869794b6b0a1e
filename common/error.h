/* SPDX-License-Identifier: Apache-2.0 */
/*
 * error - what went wrong, as a row of errors.def and one sentence.
 *
 * Functions return `enum err`; those with words to add take a `struct error`
 * from their caller as the last argument.  Who sees a failure first writes the
 * sentence, those above may prefix it, and the one who handles it logs it, once.
 */
#ifndef STEWARD_ERROR_H
#define STEWARD_ERROR_H

#include "base.h"

enum err {
#define ERR(name, exit_status, http_status, retry, meaning) ERR_##name,
#include "errors.def"
#undef ERR
	ERR_COUNT
};

enum { ERROR_TEXT_SIZE = 512 };

/* Zero-initialise; owned by the caller. */
struct error {
	enum err code;
	char     text[ERROR_TEXT_SIZE];
};

/* Write the sentence (lower case, no full stop, no secret) and return `code`.  e may be NULL. */
enum err err_set(struct error *e, enum err code, const char *format, ...) PRINTF_LIKE(3, 4);

/* Put "<prefix>: " before the sentence and return the code that is already there. */
enum err err_wrap(struct error *e, const char *format, ...) PRINTF_LIKE(2, 3);

/* "<what>: <strerror(errno)>" as ERR_system, ERR_no_memory or ERR_denied, by errno. */
enum err err_errno(struct error *e, const char *format, ...) PRINTF_LIKE(2, 3);

/* Columns of errors.def.  Strings are static. */
const char *err_name(enum err code);
const char *err_meaning(enum err code);
int         err_exit_status(enum err code);
bool        err_may_retry(enum err code);

/* The row of this name; ERR_internal when there is none. */
enum err err_by_name(const char *name);

#endif
