/* SPDX-License-Identifier: Apache-2.0 */
/*
 * message_scan - a walk over bytes before msgpack-c sees them.
 *
 * msgpack-c allocates what a header claims before it looks for the elements:
 * five bytes can ask for 96 GiB.  Only the short forms that our encoder writes
 * pass here, and no header may promise more than the bytes that follow.
 */
#include "message_scan.h"

#include "message.h"

enum {
	DEPTH_MAX = 2, /* the map inside the array */
	NODE_MAX  = 128
};

struct head {
	size_t size;     /* of the header, and of the value when it has no elements */
	size_t skip;     /* bytes of a string after it */
	size_t elements; /* objects inside it; a map has two per entry */
	bool   nests;
};

/* Big-endian, as all numbers in msgpack. */
static size_t
read_length(const uint8_t *s, size_t size)
{
	return size == 1 ? s[0] : (size_t)s[0] << 8 | s[1];
}

/* What starts with the byte s[0]; false: nothing that our encoder writes, or its header is cut off. */
static bool
read_head(const uint8_t *s, size_t left, struct head *h)
{
	uint8_t b = s[0];

	*h = (struct head){ .size = 1 };
	if (b <= 0x7F || b >= 0xE0 || b == 0xC2 || b == 0xC3) { /* fixint, false, true */
	} else if (b <= 0x8F) {                               /* fixmap */
		h->elements = 2 * (size_t)(b & 0x0F);
		h->nests    = true;
	} else if (b <= 0x9F) { /* fixarray */
		h->elements = b & 0x0F;
		h->nests    = true;
	} else if (b <= 0xBF) { /* fixstr */
		h->skip = b & 0x1F;
	} else if (b >= 0xCC && b <= 0xD3) { /* uint8 .. uint64, int8 .. int64 */
		h->size = 1 + ((size_t)1 << ((b - 0xCC) & 3));
	} else if (b == 0xD9 || b == 0xDA) { /* str8, str16 */
		h->size = b == 0xD9 ? 2 : 3;
		if (h->size <= left)
			h->skip = read_length(s + 1, h->size - 1);
	} else if (b == 0xDE) { /* map16: a row with more than 15 fields */
		h->size  = 3;
		h->nests = true;
		if (h->size <= left)
			h->elements = 2 * read_length(s + 1, 2);
	} else {
		return false;
	}
	return h->size <= left && h->skip <= left - h->size && h->elements <= left - h->size;
}

enum err
msg_scan(const uint8_t *wire, size_t length, size_t *end, struct error *e)
{
	size_t waiting[DEPTH_MAX + 1] = { 1 }; /* objects still to come, per level */
	size_t depth = 0, nodes = 0, at = 0;

	for (;;) {
		struct head h;

		while (waiting[depth] == 0) {
			if (depth == 0) {
				*end = at;
				return ERR_ok;
			}
			depth--;
		}
		if (at == length)
			return err_set(e, ERR_bad_message, "cut off after %zu bytes", length);
		if (at >= MSG_WIRE_SIZE || ++nodes > NODE_MAX)
			return err_set(e, ERR_bad_message, "longer than any message");
		if (!read_head(wire + at, length - at, &h))
			return err_set(e, ERR_bad_message, "byte %zu (0x%02x) starts nothing that fits", at, wire[at]);
		waiting[depth]--;
		at += h.size + h.skip;
		if (!h.nests)
			continue;
		if (depth == DEPTH_MAX)
			return err_set(e, ERR_bad_message, "nested deeper than %d at byte %zu", DEPTH_MAX, at);
		waiting[++depth] = h.elements;
	}
}
