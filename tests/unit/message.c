/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Every row of messages.def goes to bytes and back, and every wrongness is
 * refused with a sentence.  Called with --corpus DIR it writes the fuzzers'
 * seeds instead: each row as a file in DIR/message, replies in DIR/control.
 */
#include "message.h"

#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

/* ------------------------------------------------------------- samples */
enum sample { EMPTY, LOWEST, HIGHEST, USUAL, SAMPLE_COUNT };

static void
fill_text(char *text, size_t size, enum sample sample)
{
	static const char wide[] = "\xE2\x82\xAC"; /* the euro sign */
	size_t            at     = 0;

	if (sample == USUAL)
		(void)snprintf(text, size, "text");
	if (sample != HIGHEST)
		return;
	for (; at + sizeof(wide) <= size; at += sizeof(wide) - 1)
		memcpy(text + at, wide, sizeof(wide));
	memset(text + at, 'x', size - 1 - at);
}

static void
fill_field(const struct field_desc *f, char *value, enum sample sample)
{
	static const uint64_t u64[SAMPLE_COUNT] = { 0, 0, UINT64_MAX, 7 };
	static const int64_t  i64[SAMPLE_COUNT] = { 0, INT64_MIN, INT64_MAX, -7 };
	bool                  yes               = sample >= HIGHEST;

	switch (f->kind) {
	case FIELD_U64:
		memcpy(value, &u64[sample], sizeof(u64[0]));
		break;
	case FIELD_I64:
	case FIELD_TIME:
		memcpy(value, &i64[sample], sizeof(i64[0]));
		break;
	case FIELD_BOOL:
		memcpy(value, &yes, sizeof(yes));
		break;
	case FIELD_STR:
		fill_text(value, f->size, sample);
		break;
	}
}

static struct msg
sample_of(enum msg_type type, enum sample sample)
{
	const struct msg_desc *d = msg_desc(type);
	struct msg             m;

	memset(&m, 0, sizeof(m));
	m.type = type;
	m.seq  = sample == HIGHEST ? UINT64_MAX : (uint64_t)sample;
	for (size_t i = 0; i < d->field_count; i++)
		fill_field(&d->field[i], (char *)&m.body + d->field[i].offset, sample);
	return m;
}

static size_t
encoded(const struct msg *m, uint8_t wire[MSG_WIRE_SIZE])
{
	struct error e    = { 0 };
	size_t       used = 0;

	assert_int_equal(msg_encode(m, wire, &used, &e), ERR_ok);
	return used;
}

/* ------------------------------------------------- bytes made by hand */
struct bytes {
	uint8_t at[MSG_WIRE_SIZE * 2];
	size_t  length;
};

static void
put(struct bytes *b, const char *bytes, size_t length)
{
	memcpy(b->at + b->length, bytes, length);
	b->length += length;
}

#define PUT(b, literal) put((b), (literal), sizeof(literal) - 1)

/* An ask_scale with this map: number 45, from ctl, seq 1. */
#define SCALE(map) "\x95\x01\x2D\xA3" "ctl\x01" map

static void
refuses(const char *bytes, size_t length, enum party from, const char *words)
{
	/* On the heap and exactly as long, so that a read beyond it is seen. */
	uint8_t     *copy = malloc(length > 0 ? length : 1);
	struct error e    = { 0 };
	struct msg   m;
	size_t       used;

	assert_non_null(copy);
	memcpy(copy, bytes, length);
	assert_int_equal(msg_decode(copy, length, from, &m, &used, &e), ERR_bad_message);
	free(copy);
	if (strstr(e.text, words) == NULL)
		fail_msg("said \"%s\" and not \"%s\"", e.text, words);
}

#define REFUSES(literal, words) refuses((literal), sizeof(literal) - 1, PARTY_ctl, (words))

/* --------------------------------------------------------------- tests */
static void
every_row_comes_back_as_it_went(void **state)
{
	(void)state;
	for (int type = 0; type < MSG_COUNT; type++)
		for (int sample = 0; sample < SAMPLE_COUNT; sample++) {
			const struct msg_desc *d = msg_desc((enum msg_type)type);
			struct msg             m = sample_of((enum msg_type)type, (enum sample)sample), back;
			uint8_t                wire[MSG_WIRE_SIZE];
			size_t                 length = encoded(&m, wire), used = 0;
			struct error           e = { 0 };

			if (msg_decode(wire, length, d->from, &back, &used, &e) != ERR_ok)
				fail_msg("%s: %s", d->name, e.text);
			assert_int_equal(used, length);
			assert_int_equal(back.type, m.type);
			assert_int_equal(back.seq, m.seq);
			assert_memory_equal(&back.body, &m.body, d->size);
		}
}

static void
numbers_and_names_are_unique(void **state)
{
	(void)state;
	for (int a = 0; a < MSG_COUNT; a++)
		for (int b = 0; b < a; b++) {
			assert_int_not_equal(msg_desc((enum msg_type)a)->number, msg_desc((enum msg_type)b)->number);
			assert_string_not_equal(msg_desc((enum msg_type)a)->name, msg_desc((enum msg_type)b)->name);
		}
}

static void
frozen_rows_keep_their_bytes(void **state)
{
	static const char ready[] = "\x95\x01\x14\xA6worker\x03\x82\xA8" "database\xA4text\xA6" "detail\xA4text";
	static const char drain[] = "\x95\x01\x01\xAAsupervisor\x03\x81\xAAtimeout_ms\x07";
	struct msg        m;
	uint8_t           wire[MSG_WIRE_SIZE];

	(void)state;
	m = sample_of(MSG_ready, USUAL);
	assert_int_equal(encoded(&m, wire), sizeof(ready) - 1);
	assert_memory_equal(wire, ready, sizeof(ready) - 1);
	m = sample_of(MSG_drain, USUAL);
	assert_int_equal(encoded(&m, wire), sizeof(drain) - 1);
	assert_memory_equal(wire, drain, sizeof(drain) - 1);
}

static void
every_row_is_refused_when_cut_off_anywhere(void **state)
{
	(void)state;
	for (int type = 0; type < MSG_COUNT; type++) {
		struct msg m = sample_of((enum msg_type)type, HIGHEST);
		uint8_t    wire[MSG_WIRE_SIZE];
		size_t     length = encoded(&m, wire);

		for (size_t cut = 0; cut < length; cut++)
			refuses((const char *)wire, cut, msg_desc((enum msg_type)type)->from, "");
	}
}

static void
every_row_is_refused_from_the_wrong_sender(void **state)
{
	(void)state;
	for (int type = 0; type < MSG_COUNT; type++)
		for (int party = 0; party < PARTY_COUNT; party++) {
			struct msg m = sample_of((enum msg_type)type, USUAL);
			uint8_t    wire[MSG_WIRE_SIZE];
			size_t     length = encoded(&m, wire);

			if (msg_desc((enum msg_type)type)->from != (enum party)party)
				refuses((const char *)wire, length, (enum party)party, "the sender is not");
		}
	/* Signed truthfully, but this one may not say it. */
	REFUSES("\x95\x01\x01\xA3" "ctl\x01\x81\xAAtimeout_ms\x07", "drain: may be sent by supervisor only");
}

static void
reads_one_of_several_and_says_where_it_ends(void **state)
{
	struct msg   m = sample_of(MSG_done, USUAL), back;
	uint8_t      wire[MSG_WIRE_SIZE * 2];
	size_t       length = encoded(&m, wire), used;
	struct error e      = { 0 };

	(void)state;
	memset(wire + length, 0xC1, 8);
	assert_int_equal(msg_decode(wire, length + 8, PARTY_supervisor, &back, &used, &e), ERR_ok);
	assert_int_equal(used, length);
}

static void
refuses_a_wrong_envelope(void **state)
{
	(void)state;
	REFUSES("", "cut off after 0 bytes");
	REFUSES("\x07", "not an array of 5");
	REFUSES("\x80", "not an array of 5");
	REFUSES("\x94\x01\x28\xA3" "ctl\x01", "not an array of 5");
	REFUSES("\x95\x02\x28\xA3" "ctl\x01\x80", "not version 1");
	REFUSES("\x95\xA1" "1\x28\xA3" "ctl\x01\x80", "not version 1");
	REFUSES("\x95\x01\xA1" "x\xA3" "ctl\x01\x80", "the message number is not a number");
	REFUSES("\x95\x01\xFF\xA3" "ctl\x01\x80", "the message number is not a number");
	REFUSES("\x95\x01\x7F\xA3" "ctl\x01\x80", "there is no message 127");
	REFUSES("\x95\x01\x28\xA3" "cto\x01\x80", "ask_ping: the sender is not ctl");
	REFUSES("\x95\x01\x28\x07\x01\x80", "ask_ping: the sender is not ctl");
	REFUSES("\x95\x01\x28\xA3" "ctl\xFF\x80", "ask_ping: the sequence number is not a number");
	REFUSES("\x95\x01\x28\xA3" "ctl\x01\x90", "ask_ping: the fields are not a map");
}

static void
refuses_wrong_fields(void **state)
{
	(void)state;
	REFUSES(SCALE("\x81\xA4kind\xA1x"), "ask_scale: processes is missing");
	REFUSES(SCALE("\x82\xA4kind\xA1x\xA4kind\xA1x"), "ask_scale: kind is there twice");
	REFUSES(SCALE("\x83\xA4kind\xA1x\xA9processes\x01\xA5other\x01"), "ask_scale: there is no field other");
	REFUSES(SCALE("\x82\xA4kind\xA1x\xA9proce\x1B[m\xFF\x01"), "ask_scale: there is no field proce?[m?");
	REFUSES(SCALE("\x82\xA4kind\xA1x\x07\x01"), "ask_scale: a field name is not a string");
	REFUSES(SCALE("\x82\xA4kind\x01\xA9processes\x01"), "ask_scale: kind is not a string");
	REFUSES(SCALE("\x82\xA4kind\xA1x\xA9processes\xA1x"), "ask_scale: processes is not a number from 0 on");
	REFUSES(SCALE("\x82\xA4kind\xA1x\xA9processes\xFF"), "ask_scale: processes is not a number from 0 on");
	REFUSES(SCALE("\x82\xA4kind\xA1x\xA9processes\xC3"), "ask_scale: processes is not a number from 0 on");
	/* ask_restart's slot is signed: 2^63 does not fit.  ask_drain's undo is true or false. */
	REFUSES("\x95\x01\x2F\xA3" "ctl\x01\x82\xA4kind\xA1x\xA4slot\xCF\x80\0\0\0\0\0\0\0",
	    "ask_restart: slot is not a number of 64 bits");
	REFUSES("\x95\x01\x2C\xA3" "ctl\x01\x81\xA4undo\x01", "ask_drain: undo is not true or false");
}

static void
refuses_strings_that_are_no_text(void **state)
{
	static const char *const no_text[] = {
		"\x80",             /* a continuation alone */
		"\xC0\x80",         /* NUL the long way */
		"\xC3",             /* cut off */
		"\xE0\x80\xAF",     /* overlong */
		"\xED\xA0\x80",     /* half of a surrogate pair */
		"\xF0\x80\x80\xAF", /* overlong */
		"\xF4\x90\x80\x80", /* above U+10FFFF */
		"\xF5\x80\x80\x80", "\xFF", "ok\xE2\x82",
	};

	(void)state;
	for (size_t i = 0; i < COUNT_OF(no_text); i++) {
		struct bytes b = { .length = 0 };
		char         head[2] = { (char)(0xA0 + strlen(no_text[i])), '\0' };

		PUT(&b, SCALE("\x82\xA4kind"));
		put(&b, head, 1);
		put(&b, no_text[i], strlen(no_text[i]));
		PUT(&b, "\xA9processes\x01");
		refuses((const char *)b.at, b.length, PARTY_ctl, "ask_scale: kind is not UTF-8");
	}
	REFUSES(SCALE("\x82\xA4kind\xA3" "a\0b\xA9processes\x01"), "ask_scale: kind is not UTF-8");
}

static void
refuses_a_string_beyond_its_capacity(void **state)
{
	struct bytes b = { .length = 0 };

	(void)state;
	PUT(&b, SCALE("\x82\xA4kind\xD9\x20"));
	for (int i = 0; i < 32; i++)
		PUT(&b, "x");
	PUT(&b, "\xA9processes\x01");
	refuses((const char *)b.at, b.length, PARTY_ctl, "ask_scale: kind has 32 bytes; allowed: 31");
}

static void
refuses_what_would_cost_memory(void **state)
{
	struct bytes deep = { .length = 0 }, wide = { .length = 0 };

	(void)state;
	REFUSES("\xDD\xFF\xFF\xFF\xFF", "(0xdd) starts nothing that fits");
	REFUSES("\xDF\xFF\xFF\xFF\xFF", "(0xdf) starts nothing that fits");
	REFUSES("\xDC\xFF\xFF", "(0xdc) starts nothing that fits");
	REFUSES(SCALE("\xDE\xFF\xFF"), "(0xde) starts nothing that fits");
	REFUSES(SCALE("\xDF\xFF\xFF\xFF\xFF"), "(0xdf) starts nothing that fits");
	REFUSES(SCALE("\x82\xA4kind\xDB\xFF\xFF\xFF\xFF"), "(0xdb) starts nothing that fits");
	REFUSES(SCALE("\x82\xA4kind\xDA\xFF\xFFx"), "(0xda) starts nothing that fits");
	for (int i = 0; i < 4096; i++)
		PUT(&deep, "\x91");
	refuses((const char *)deep.at, deep.length, PARTY_ctl, "nested deeper than 2");
	PUT(&wide, "\x95\x01\x28\xA3" "ctl\x01\xDE\x07\x00");
	for (int i = 0; i < 0x0700 * 2; i++)
		PUT(&wide, "\x01");
	refuses((const char *)wide.at, wide.length, PARTY_ctl, "longer than any message");
}

static void
refuses_what_the_encoder_never_writes(void **state)
{
	static const uint8_t never[] = { 0xC0, 0xC1, 0xC4, 0xC5, 0xC6, 0xC7, 0xC8, 0xC9, 0xCA, 0xCB, 0xD4, 0xD5, 0xD6,
		0xD7, 0xD8, 0xDB, 0xDC, 0xDD, 0xDF };

	(void)state;
	for (size_t i = 0; i < COUNT_OF(never); i++) {
		struct bytes b = { .length = 0 };

		PUT(&b, SCALE("\x82\xA4kind\xA1x\xA9processes"));
		put(&b, (const char *)&never[i], 1);
		PUT(&b, "\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0\0");
		refuses((const char *)b.at, b.length, PARTY_ctl, "starts nothing that fits");
	}
}

static void
will_not_encode_what_is_no_text(void **state)
{
	struct msg   m = sample_of(MSG_ask_scale, USUAL);
	uint8_t      wire[MSG_WIRE_SIZE];
	size_t       used;
	struct error e = { 0 };

	(void)state;
	memset(m.body.ask_scale.kind, 'x', sizeof(m.body.ask_scale.kind));
	assert_int_equal(msg_encode(&m, wire, &used, &e), ERR_bad_message);
	assert_string_equal(e.text, "ask_scale: kind does not end");
}

static void
what_is_not_utf8_leaves_as_question_marks(void **state)
{
	struct msg   m = sample_of(MSG_ask_scale, USUAL), back;
	uint8_t      wire[MSG_WIRE_SIZE];
	size_t       used, end;
	struct error e = { 0 };

	(void)state;
	/* A Latin-1 letter, a good letter, and one that was cut in the middle. */
	(void)snprintf(m.body.ask_scale.kind, sizeof(m.body.ask_scale.kind), "%s", "f\xFC" "r \xC3\xBC \xE2\x82");
	assert_int_equal(msg_encode(&m, wire, &used, &e), ERR_ok);
	assert_int_equal(msg_decode(wire, used, PARTY_ctl, &back, &end, &e), ERR_ok);
	assert_string_equal(back.body.ask_scale.kind, "f?r \xC3\xBC ??");
}

/* -------------------------------------------------------------- corpus */
static void
write_rows(const char *folder, const char *name, const enum msg_type *types, size_t count)
{
	char  path[512];
	FILE *file;

	(void)snprintf(path, sizeof(path), "%s/%s", folder, name);
	file = fopen(path, "wb");
	if (file == NULL) {
		perror(path);
		exit(1);
	}
	for (size_t i = 0; i < count; i++) {
		struct msg m = sample_of(types[i], USUAL);
		uint8_t    wire[MSG_WIRE_SIZE];

		(void)fwrite(wire, 1, encoded(&m, wire), file);
	}
	(void)fclose(file);
}

static void
write_corpus(const char *root)
{
	static const enum msg_type status[] = { MSG_node, MSG_worker, MSG_worker }, deaths[] = { MSG_death, MSG_death },
				   reload[] = { MSG_changed, MSG_complaint, MSG_done }, refusal[] = { MSG_refused },
				   events[] = { MSG_event, MSG_event }, two_questions[] = { MSG_ask_ping, MSG_ask_ping },
				   question[] = { MSG_ask_scale };
	char folder[256];

	(void)snprintf(folder, sizeof(folder), "%s/message", root);
	for (int type = 0; type < MSG_COUNT; type++)
		write_rows(folder, msg_desc((enum msg_type)type)->name, &(enum msg_type){ (enum msg_type)type }, 1);
	(void)snprintf(folder, sizeof(folder), "%s/control", root);
	write_rows(folder, "status", status, COUNT_OF(status));
	write_rows(folder, "deaths", deaths, COUNT_OF(deaths));
	write_rows(folder, "reload", reload, COUNT_OF(reload));
	write_rows(folder, "refusal", refusal, COUNT_OF(refusal));
	write_rows(folder, "events", events, COUNT_OF(events));
	write_rows(folder, "question", question, COUNT_OF(question));
	write_rows(folder, "two_questions", two_questions, COUNT_OF(two_questions));
}

int
main(int argc, char *argv[])
{
	const struct CMUnitTest tests[] = {
		cmocka_unit_test(every_row_comes_back_as_it_went),
		cmocka_unit_test(numbers_and_names_are_unique),
		cmocka_unit_test(frozen_rows_keep_their_bytes),
		cmocka_unit_test(every_row_is_refused_when_cut_off_anywhere),
		cmocka_unit_test(every_row_is_refused_from_the_wrong_sender),
		cmocka_unit_test(reads_one_of_several_and_says_where_it_ends),
		cmocka_unit_test(refuses_a_wrong_envelope),
		cmocka_unit_test(refuses_wrong_fields),
		cmocka_unit_test(refuses_strings_that_are_no_text),
		cmocka_unit_test(refuses_a_string_beyond_its_capacity),
		cmocka_unit_test(refuses_what_would_cost_memory),
		cmocka_unit_test(refuses_what_the_encoder_never_writes),
		cmocka_unit_test(will_not_encode_what_is_no_text),
		cmocka_unit_test(what_is_not_utf8_leaves_as_question_marks),
	};

	if (argc == 3 && strcmp(argv[1], "--corpus") == 0) {
		write_corpus(argv[2]);
		return 0;
	}
	return cmocka_run_group_tests_name("message", tests, NULL, NULL);
}
