/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes, read as the words of each party.  What is accepted must come back
 * the same after it was encoded again.
 */
#include <stdlib.h>
#include <string.h>

#include "message.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
check_same_again(const struct msg *m, enum party from)
{
	struct msg   again;
	uint8_t      wire[MSG_WIRE_SIZE];
	size_t       length, used;
	struct error e = { 0 };

	if (msg_encode(m, wire, &length, &e) != ERR_ok ||
	    msg_decode(wire, length, from, &again, &used, &e) != ERR_ok || used != length ||
	    memcmp(m, &again, sizeof(again)) != 0)
		abort();
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	for (int party = 0; party < PARTY_COUNT; party++) {
		struct msg   m;
		size_t       used;
		struct error e   = { 0 };
		enum err     err = msg_decode(data, size, (enum party)party, &m, &used, &e);

		if (err == ERR_ok && used <= size)
			check_same_again(&m, (enum party)party);
		else if (err != ERR_bad_message || e.text[0] == '\0')
			abort();
	}
	return 0;
}
