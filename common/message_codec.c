/* SPDX-License-Identifier: Apache-2.0 */
/*
 * message_codec - messages to bytes and back; the only file that knows msgpack.
 *
 * No byte from outside reaches the library before message_scan has walked it.
 */
#include <limits.h> /* msgpack.h wants it and does not say so */
#include <msgpack.h>
#include <string.h>

#include "message.h"
#include "message_scan.h"

enum {
	ENVELOPE_SIZE = 5,  /* version, number, sender, seq, fields */
	QUOTE_MAX     = 32, /* of a peer's word in a sentence */
	ZONE_CHUNK    = 4096
};

/* A row that outgrows the wire does not compile.  48 is for a key, the headers and the widest number. */
#define U64(name, meaning)           +48
#define I64(name, meaning)           +48
#define TIME(name, meaning)          +48
#define BOOL(name, meaning)          +48
#define STR(name, capacity, meaning) +48 + capacity
#define NOTHING
#define MSG(name, number, from, to, summary, fields) \
	_Static_assert(64 fields < MSG_WIRE_SIZE, #name " does not fit MSG_WIRE_SIZE");
#include "messages.def"
#undef MSG
#undef NOTHING
#undef STR
#undef BOOL
#undef TIME
#undef I64
#undef U64

/* ---------------------------------------------------------------- text */
/* Bytes of the character at `s`, 0 when it is not UTF-8 as RFC 3629 has it (no surrogates, shortest form). */
static size_t
utf8_length(const unsigned char *s, size_t left)
{
	size_t        length = s[0] < 0x80 ? 1 : s[0] < 0xC2 ? 0 : s[0] < 0xE0 ? 2 : s[0] < 0xF0 ? 3 : s[0] < 0xF5 ? 4 : 0;
	unsigned char low = 0x80, high = 0xBF; /* of the second byte */

	if (length < 2 || length > left)
		return length > left ? 0 : length;
	if (s[0] == 0xE0)
		low = 0xA0;
	else if (s[0] == 0xED)
		high = 0x9F;
	else if (s[0] == 0xF0)
		low = 0x90;
	else if (s[0] == 0xF4)
		high = 0x8F;
	if (s[1] < low || s[1] > high)
		return 0;
	for (size_t i = 2; i < length; i++)
		if ((s[i] & 0xC0) != 0x80)
			return 0;
	return length;
}

static bool
is_text(const char *bytes, size_t size)
{
	const unsigned char *s = (const unsigned char *)bytes;

	for (size_t i = 0, step; i < size; i += step) {
		step = utf8_length(s + i, size - i);
		if (step == 0 || s[i] == '\0')
			return false;
	}
	return true;
}

/* A peer's word as it may stand in a log line and in a reply: short, printable ASCII. */
static const char *
printable(const char *bytes, size_t size, char out[QUOTE_MAX + 1])
{
	size_t length = MIN(size, (size_t)QUOTE_MAX);

	for (size_t i = 0; i < length; i++)
		out[i] = bytes[i] > ' ' && bytes[i] < 0x7F && bytes[i] != '"' && bytes[i] != '\\' ? bytes[i] : '?';
	out[length] = '\0';
	return out;
}

/* -------------------------------------------------------------- encode */
struct wire {
	uint8_t *bytes;
	size_t   used;
};

static int
append(void *data, const char *bytes, size_t length)
{
	struct wire *w = data;

	if (length > MSG_WIRE_SIZE - w->used)
		return -1;
	memcpy(w->bytes + w->used, bytes, length);
	w->used += length;
	return 0;
}

static int
pack_text(msgpack_packer *p, const char *text)
{
	size_t length = strlen(text);
	int    r      = msgpack_pack_str(p, length);

	return r != 0 ? r : msgpack_pack_str_body(p, text, length);
}

/* What is not UTF-8, a cut word or a foreign encoding, leaves as '?': no message is lost for its text. */
static int
pack_own_text(msgpack_packer *p, const char *text)
{
	size_t length = strlen(text);
	int    r      = msgpack_pack_str(p, length);

	if (is_text(text, length))
		return r != 0 ? r : msgpack_pack_str_body(p, text, length);
	for (size_t i = 0, step; r == 0 && i < length; i += MAX(step, (size_t)1)) {
		step = utf8_length((const unsigned char *)text + i, length - i);
		r    = msgpack_pack_str_body(p, step > 0 ? text + i : "?", MAX(step, (size_t)1));
	}
	return r;
}

static int
pack_field(msgpack_packer *p, const struct field_desc *f, const char *value)
{
	uint64_t u;
	int64_t  i;
	bool     b;

	switch (f->kind) {
	case FIELD_U64:
		memcpy(&u, value, sizeof(u));
		return msgpack_pack_uint64(p, u);
	case FIELD_I64:
	case FIELD_TIME:
		memcpy(&i, value, sizeof(i));
		return msgpack_pack_int64(p, i);
	case FIELD_BOOL:
		memcpy(&b, value, sizeof(b));
		return b ? msgpack_pack_true(p) : msgpack_pack_false(p);
	case FIELD_STR:
		return pack_own_text(p, value);
	}
	return -1;
}

static enum err
check_texts(const struct msg_desc *d, const char *body, struct error *e)
{
	for (size_t i = 0; i < d->field_count; i++) {
		const struct field_desc *f = &d->field[i];
		size_t                   length;

		if (f->kind != FIELD_STR)
			continue;
		length = strnlen(body + f->offset, f->size);
		if (length == f->size)
			return err_set(e, ERR_bad_message, "%s: %s does not end", d->name, f->name);
	}
	return ERR_ok;
}

enum err
msg_encode(const struct msg *m, uint8_t wire[MSG_WIRE_SIZE], size_t *used, struct error *e)
{
	const struct msg_desc *d    = msg_desc(m->type);
	const char            *body = (const char *)&m->body;
	struct wire            w    = { wire, 0 };
	msgpack_packer         p;
	enum err               err = check_texts(d, body, e);
	int                    r;

	if (err != ERR_ok)
		return err;
	msgpack_packer_init(&p, &w, append);
	r = msgpack_pack_array(&p, ENVELOPE_SIZE);
	r |= msgpack_pack_int(&p, MSG_VERSION);
	r |= msgpack_pack_unsigned_int(&p, d->number);
	r |= pack_text(&p, party_name(d->from));
	r |= msgpack_pack_uint64(&p, m->seq);
	r |= msgpack_pack_map(&p, d->field_count);
	for (size_t i = 0; i < d->field_count; i++) {
		r |= pack_text(&p, d->field[i].name);
		r |= pack_field(&p, &d->field[i], body + d->field[i].offset);
	}
	if (r != 0)
		return err_set(e, ERR_no_memory, "%s: longer than %d bytes", d->name, MSG_WIRE_SIZE);
	*used = w.used;
	return ERR_ok;
}

/* -------------------------------------------------------------- decode */
/* A switch, so that two rows with one number do not compile. */
static enum msg_type
type_of_number(uint64_t number)
{
	switch (number) {
#define MSG(name, number, from, to, summary, fields) \
	case number:                                 \
		return MSG_##name;
#include "messages.def"
#undef MSG
	default:
		return MSG_COUNT;
	}
}

static bool
is_word(const msgpack_object *o, const char *word)
{
	return o->type == MSGPACK_OBJECT_STR && o->via.str.size == strlen(word) &&
	    memcmp(o->via.str.ptr, word, o->via.str.size) == 0;
}

static enum err
read_envelope(const msgpack_object *o, enum party from, struct msg *m, struct error *e)
{
	const msgpack_object *item = o->via.array.ptr;
	const struct msg_desc *d;

	if (o->type != MSGPACK_OBJECT_ARRAY || o->via.array.size != ENVELOPE_SIZE)
		return err_set(e, ERR_bad_message, "not an array of %d", ENVELOPE_SIZE);
	if (item[0].type != MSGPACK_OBJECT_POSITIVE_INTEGER || item[0].via.u64 != MSG_VERSION)
		return err_set(e, ERR_bad_message, "not version %d of the messages", MSG_VERSION);
	if (item[1].type != MSGPACK_OBJECT_POSITIVE_INTEGER)
		return err_set(e, ERR_bad_message, "the message number is not a number");
	m->type = type_of_number(item[1].via.u64);
	if (m->type == MSG_COUNT)
		return err_set(e, ERR_bad_message, "there is no message %" PRIu64, item[1].via.u64);
	d = msg_desc(m->type);
	if (!is_word(&item[2], party_name(from)))
		return err_set(e, ERR_bad_message, "%s: the sender is not %s", d->name, party_name(from));
	if (d->from != from)
		return err_set(e, ERR_bad_message, "%s: may be sent by %s only", d->name, party_name(d->from));
	if (item[3].type != MSGPACK_OBJECT_POSITIVE_INTEGER)
		return err_set(e, ERR_bad_message, "%s: the sequence number is not a number", d->name);
	m->seq = item[3].via.u64;
	if (item[4].type != MSGPACK_OBJECT_MAP)
		return err_set(e, ERR_bad_message, "%s: the fields are not a map", d->name);
	return ERR_ok;
}

static enum err
read_text(const msgpack_object *o, const struct msg_desc *d, const struct field_desc *f, char *value, struct error *e)
{
	if (o->type != MSGPACK_OBJECT_STR)
		return err_set(e, ERR_bad_message, "%s: %s is not a string", d->name, f->name);
	if (o->via.str.size >= f->size)
		return err_set(e, ERR_bad_message, "%s: %s has %" PRIu32 " bytes; allowed: %zu", d->name, f->name,
		    o->via.str.size, f->size - 1);
	if (!is_text(o->via.str.ptr, o->via.str.size))
		return err_set(e, ERR_bad_message, "%s: %s is not UTF-8 without NUL", d->name, f->name);
	memcpy(value, o->via.str.ptr, o->via.str.size);
	value[o->via.str.size] = '\0';
	return ERR_ok;
}

/* msgpack calls a number negative only when it is, so a U64 takes the positive ones, an I64 half of them too. */
static enum err
read_value(const msgpack_object *o, const struct msg_desc *d, const struct field_desc *f, char *value, struct error *e)
{
	bool positive = o->type == MSGPACK_OBJECT_POSITIVE_INTEGER;

	switch (f->kind) {
	case FIELD_U64:
		if (!positive)
			return err_set(e, ERR_bad_message, "%s: %s is not a number from 0 on", d->name, f->name);
		memcpy(value, &o->via.u64, sizeof(o->via.u64));
		return ERR_ok;
	case FIELD_I64:
	case FIELD_TIME:
		if (o->type != MSGPACK_OBJECT_NEGATIVE_INTEGER && (!positive || o->via.u64 > INT64_MAX))
			return err_set(e, ERR_bad_message, "%s: %s is not a number of 64 bits", d->name, f->name);
		memcpy(value, &o->via.i64, sizeof(o->via.i64));
		return ERR_ok;
	case FIELD_BOOL:
		if (o->type != MSGPACK_OBJECT_BOOLEAN)
			return err_set(e, ERR_bad_message, "%s: %s is not true or false", d->name, f->name);
		memcpy(value, &o->via.boolean, sizeof(o->via.boolean));
		return ERR_ok;
	case FIELD_STR:
		return read_text(o, d, f, value, e);
	}
	return err_set(e, ERR_internal, "%s: %s has no kind", d->name, f->name);
}

static const struct field_desc *
field_of_key(const struct msg_desc *d, const msgpack_object *key)
{
	for (size_t i = 0; i < d->field_count; i++)
		if (is_word(key, d->field[i].name))
			return &d->field[i];
	return NULL;
}

/* Known fields, each once; with as many entries as fields none can be missing. */
static enum err
read_fields(const msgpack_object_map *map, struct msg *m, struct error *e)
{
	const struct msg_desc *d    = msg_desc(m->type);
	uint64_t               seen = 0; /* a bit per field; MSG_WIRE_SIZE keeps them below 64 */

	for (uint32_t i = 0; i < map->size; i++) {
		const msgpack_object    *key = &map->ptr[i].key;
		const struct field_desc *f   = field_of_key(d, key);
		char                     name[QUOTE_MAX + 1];
		uint64_t                 bit;
		enum err                 err;

		if (f == NULL && key->type == MSGPACK_OBJECT_STR)
			return err_set(e, ERR_bad_message, "%s: there is no field %s", d->name,
			    printable(key->via.str.ptr, key->via.str.size, name));
		if (f == NULL)
			return err_set(e, ERR_bad_message, "%s: a field name is not a string", d->name);
		bit = UINT64_C(1) << (f - d->field);
		if ((seen & bit) != 0)
			return err_set(e, ERR_bad_message, "%s: %s is there twice", d->name, f->name);
		seen |= bit;
		err = read_value(&map->ptr[i].val, d, f, (char *)&m->body + f->offset, e);
		if (err != ERR_ok)
			return err;
	}
	for (size_t i = 0; i < d->field_count; i++)
		if ((seen & UINT64_C(1) << i) == 0)
			return err_set(e, ERR_bad_message, "%s: %s is missing", d->name, d->field[i].name);
	return ERR_ok;
}

static enum err
decode(const uint8_t *wire, size_t length, enum party from, msgpack_zone *zone, struct msg *m, struct error *e)
{
	msgpack_object o;
	size_t         at = 0;
	enum err       err;

	if (msgpack_unpack((const char *)wire, length, &at, zone, &o) != MSGPACK_UNPACK_SUCCESS)
		return err_set(e, ERR_bad_message, "not msgpack");
	memset(m, 0, sizeof(*m));
	err = read_envelope(&o, from, m, e);
	return err != ERR_ok ? err : read_fields(&o.via.array.ptr[ENVELOPE_SIZE - 1].via.map, m, e);
}

enum err
msg_decode(const uint8_t *wire, size_t length, enum party from, struct msg *m, size_t *used, struct error *e)
{
	msgpack_zone zone;
	enum err     err = msg_scan(wire, length, used, e);

	if (err != ERR_ok)
		return err;
	if (!msgpack_zone_init(&zone, ZONE_CHUNK))
		return err_set(e, ERR_no_memory, "no memory for a message");
	err = decode(wire, *used, from, &zone, m, e);
	msgpack_zone_destroy(&zone);
	return err;
}
