/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes on the control socket: as the request that the server reads, and as
 * the reply that the client reads row by row.
 */
#include <stdlib.h>
#include <string.h>

#include "bus_rows.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* What the server would put into a `refused` row must be text. */
static void
check_encodable(const struct error *e)
{
	struct msg   m = { .type = MSG_refused };
	uint8_t      wire[MSG_WIRE_SIZE];
	size_t       used;
	struct error wrong = { 0 };

	memcpy(m.body.refused.reason, e->text, sizeof(m.body.refused.reason));
	if (msg_encode(&m, wire, &used, &wrong) != ERR_ok)
		abort();
}

static void
read_request(const uint8_t *data, size_t size)
{
	struct msg   m;
	struct error e   = { 0 };
	enum err     err = bus_rows_read(data, size, PARTY_ctl, &m, &e);

	if (err == ERR_bad_message)
		check_encodable(&e);
	else if (err != ERR_ok || msg_desc(m.type)->from != PARTY_ctl)
		abort();
}

static void
read_reply(const uint8_t *data, size_t size)
{
	CLEANUP(bus_reply_cleanup) struct bus_reply *reply = NULL;
	struct msg                                   m;
	struct error                                 e = { 0 };
	enum err                                     err;
	size_t                                       rows = 0;

	if (bus_reply_create(data, size, &reply, &e) != ERR_ok)
		abort();
	do
		err = bus_reply_next(reply, &m, &e);
	while (err == ERR_ok && ++rows <= size);
	if (rows > size || (err != ERR_again && err != ERR_bad_message))
		abort();
	/* After an unreadable row there is no further one. */
	if (bus_reply_next(reply, &m, &e) != ERR_again)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	read_request(data, size);
	read_reply(data, size);
	return 0;
}
