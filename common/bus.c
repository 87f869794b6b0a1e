/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bus - what the kinds of sockets have in common: rows in and out of nng's
 * messages, its errors as ours, and the counters.
 */
#include "bus_nng.h"

#include <stdarg.h>
#include <stdio.h>

#include "bus_rows.h"

static atomic_uint_fast64_t bad_messages;
static atomic_uint_fast64_t dropped_messages;

uint64_t
bus_bad_messages(void)
{
	return atomic_load(&bad_messages);
}

uint64_t
bus_dropped_messages(void)
{
	return atomic_load(&dropped_messages);
}

void
bus_count_dropped(void)
{
	(void)atomic_fetch_add(&dropped_messages, 1);
}

void
bus_fini(void)
{
	nng_fini();
}

/* -------------------------------------------------------------- errors */
static enum err
err_of_nng(int rv)
{
	switch (rv) {
	case NNG_ENOMEM:
		return ERR_no_memory;
	case NNG_EPERM:
		return ERR_denied;
	case NNG_EAGAIN:
		return ERR_again;
	case NNG_ETIMEDOUT:
		return ERR_timeout;
	case NNG_ECONNREFUSED:
		return ERR_not_running;
	default:
		return ERR_system;
	}
}

enum err
bus_fail(struct error *e, int rv, const char *format, ...)
{
	char    what[ERROR_TEXT_SIZE / 2];
	va_list args;

	va_start(args, format);
	(void)vsnprintf(what, sizeof(what), format, args);
	va_end(args);
	return err_set(e, err_of_nng(rv), "%s: %s", what, nng_strerror(rv));
}

/* ---------------------------------------------------------------- rows */
enum err
bus_append(nng_msg *to, const struct msg *m, uint64_t seq, struct error *e)
{
	struct msg numbered = *m;
	uint8_t    wire[MSG_WIRE_SIZE];
	size_t     used;
	enum err   err;

	numbered.seq = seq;
	err          = msg_encode(&numbered, wire, &used, e);
	if (err == ERR_ok && nng_msg_append(to, wire, used) != 0)
		return err_set(e, ERR_no_memory, "no memory for a message");
	return err;
}

enum err
bus_pack(const struct msg *m, uint64_t seq, nng_msg **out, struct error *e)
{
	nng_msg *packed;
	enum err err;

	if (nng_msg_alloc(&packed, 0) != 0)
		return err_set(e, ERR_no_memory, "no memory for a message");
	err = bus_append(packed, m, seq, e);
	if (err != ERR_ok)
		nng_msg_free(packed);
	else
		*out = packed;
	return err;
}

enum err
bus_unpack(nng_msg *received, enum party from, struct msg *m, struct error *e)
{
	enum err err = bus_rows_read(nng_msg_body(received), nng_msg_len(received), from, m, e);

	nng_msg_free(received);
	if (err == ERR_bad_message)
		(void)atomic_fetch_add(&bad_messages, 1);
	return err;
}
