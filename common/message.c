/* SPDX-License-Identifier: Apache-2.0 */
/*
 * message - the rows of messages.def as descriptors.  What the bytes look like
 * is the business of message_codec.c.
 */
#include "message.h"

/* A field finds its own struct through the local typedef `row`. */
#define FIELD(kind, name, meaning) { #name, meaning, FIELD_##kind, offsetof(row, name), sizeof(((row *)0)->name) },

#define U64(name, meaning)           FIELD(U64, name, meaning)
#define I64(name, meaning)           FIELD(I64, name, meaning)
#define TIME(name, meaning)          FIELD(TIME, name, meaning)
#define BOOL(name, meaning)          FIELD(BOOL, name, meaning)
#define STR(name, capacity, meaning) FIELD(STR, name, meaning)
#define NOTHING

/* The empty last field is there because C has no empty array. */
#define MSG(name, number, from, to, summary, fields)                                               \
	static const struct msg_desc *describe_##name(void)                                        \
	{                                                                                          \
		typedef struct msg_##name      row;                                                \
		static const struct field_desc list[] = { fields{ NULL, NULL, FIELD_U64, 0, 0 } }; \
		static const struct msg_desc   desc   = { number, #name, summary, PARTY_##from,    \
			PARTY_##to, list, COUNT_OF(list) - 1, sizeof(row) };                       \
		return &desc;                                                                      \
	}
#include "messages.def"
#undef MSG
#undef NOTHING
#undef STR
#undef BOOL
#undef TIME
#undef I64
#undef U64
#undef FIELD

const struct msg_desc *
msg_desc(enum msg_type type)
{
	static const struct msg_desc *(*const describe[MSG_COUNT])(void) = {
#define MSG(name, number, from, to, summary, fields) [MSG_##name] = describe_##name,
#include "messages.def"
#undef MSG
	};

	return describe[type]();
}

const char *
party_name(enum party party)
{
	static const char *const names[PARTY_COUNT] = {
		[PARTY_supervisor] = "supervisor",
		[PARTY_worker]     = "worker",
		[PARTY_ctl]        = "ctl",
	};

	return names[party];
}
