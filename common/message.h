/* SPDX-License-Identifier: Apache-2.0 */
/*
 * message - the rows of messages.def as C structs, and their wire form.
 *
 * A message holds no pointer: it is copied and forgotten.  On the wire it is
 * one msgpack array, [version, number, sender, seq, {field: value, ...}].
 * Decoding is strict: known fields, each once, in range, UTF-8 without NUL.
 */
#ifndef STEWARD_MESSAGE_H
#define STEWARD_MESSAGE_H

#include "error.h"

#define U64(name, meaning)           uint64_t name;
#define I64(name, meaning)           int64_t name;
#define TIME(name, meaning)          int64_t name;
#define BOOL(name, meaning)          bool name;
#define STR(name, capacity, meaning) char name[capacity];
#define NOTHING                      bool nothing;
#define MSG(name, number, from, to, summary, fields) \
	struct msg_##name {                          \
		fields                               \
	};
#include "messages.def"
#undef MSG
#undef U64
#undef I64
#undef TIME
#undef BOOL
#undef STR
#undef NOTHING

enum msg_type {
#define MSG(name, number, from, to, summary, fields) MSG_##name,
#include "messages.def"
#undef MSG
	MSG_COUNT
};

/* Who speaks and who listens. */
enum party { PARTY_supervisor, PARTY_worker, PARTY_ctl, PARTY_COUNT };

struct msg {
	enum msg_type type;
	uint64_t      seq; /* counts up per sender and socket */
	union {
#define MSG(name, number, from, to, summary, fields) struct msg_##name name;
#include "messages.def"
#undef MSG
	} body;
};

enum field_kind { FIELD_U64, FIELD_I64, FIELD_TIME, FIELD_BOOL, FIELD_STR };

struct field_desc {
	const char     *name;
	const char     *meaning;
	enum field_kind kind;
	size_t          offset; /* in the message's own struct */
	size_t          size;   /* of a STR, its NUL included */
};

/* Static.  `field_count` may be 0. */
struct msg_desc {
	unsigned                 number;
	const char              *name;
	const char              *summary;
	enum party               from;
	enum party               to;
	const struct field_desc *field;
	size_t                   field_count;
	size_t                   size; /* of the struct */
};

const struct msg_desc *msg_desc(enum msg_type type);
const char            *party_name(enum party party);

enum {
	MSG_VERSION    = 1,
	MSG_WIRE_SIZE  = 4096,      /* longest encoding of any one message */
	MSG_REPLY_SIZE = 256 * 1024 /* longest reply: a sequence of encoded messages */
};

/*
 * Write the wire form into `wire`; *used is its length.
 * Text that is not UTF-8 leaves with a '?' for each wrong byte.
 * Errors: ERR_bad_message (a string without NUL), ERR_no_memory.
 */
NODISCARD enum err msg_encode(const struct msg *m, uint8_t wire[MSG_WIRE_SIZE], size_t *used, struct error *e);

/*
 * Read the first message of `wire`; *used is where it ends.  The caller that
 * expects just one compares *used with `length`.  `from` is who holds the other
 * end of the socket; any other sender, and one that may not send this, is refused.
 * Errors: ERR_bad_message, with the peer's mistake in words.  Any bytes are safe.
 */
NODISCARD enum err msg_decode(const uint8_t *wire, size_t length, enum party from, struct msg *m,
    size_t *used, struct error *e);

#endif
