/* SPDX-License-Identifier: Apache-2.0 */
#include "bus_rows.h"

#include <stdlib.h>
#include <string.h>

struct bus_reply {
	size_t  length;
	size_t  at;
	uint8_t bytes[];
};

enum err
bus_rows_read(const uint8_t *bytes, size_t length, enum party from, struct msg *m, struct error *e)
{
	size_t   used;
	enum err err = msg_decode(bytes, length, from, m, &used, e);

	if (err == ERR_ok && used != length)
		return err_set(e, ERR_bad_message, "%s: %zu bytes follow it", msg_desc(m->type)->name, length - used);
	return err;
}

enum err
bus_reply_create(const uint8_t *bytes, size_t length, struct bus_reply **out, struct error *e)
{
	struct bus_reply *r = calloc(1, sizeof(*r) + length);

	if (r == NULL)
		return err_set(e, ERR_no_memory, "no memory for a reply of %zu bytes", length);
	r->length = length;
	if (length > 0)
		memcpy(r->bytes, bytes, length);
	*out = r;
	return ERR_ok;
}

enum err
bus_reply_next(struct bus_reply *r, struct msg *m, struct error *e)
{
	size_t   used;
	enum err err;

	if (r->at == r->length)
		return err_set(e, ERR_again, "the reply has no more rows");
	err = msg_decode(r->bytes + r->at, r->length - r->at, PARTY_supervisor, m, &used, e);
	/* Where the next row would start is unknown: the rest is given up. */
	r->at = err == ERR_ok ? r->at + used : r->length;
	return err;
}

void
bus_reply_free(struct bus_reply *r)
{
	free(r);
}

void
bus_reply_cleanup(struct bus_reply **r)
{
	bus_reply_free(*r);
}
