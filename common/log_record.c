/* SPDX-License-Identifier: Apache-2.0 */
#include "log_record.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>

#include "clock.h"

/* ------------------------------------------------------------------ pairs */
struct pair {
	const char *key;
	size_t      key_length;
	char        value[LOG_PAIRS_SIZE];
	size_t      length;
	bool        is_quoted;
};

static bool
is_key_byte(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || (c >= '0' && c <= '9') || c == '_';
}

static size_t
key_length(const char *at)
{
	size_t n = 0;

	while (is_key_byte(at[n]))
		n++;
	return at[n] == '=' ? n : 0;
}

/* A value ends where nothing follows, or the next pair: one that was not quoted and should have been stays whole. */
static bool
is_end(const char *at)
{
	if (*at != ' ' && *at != '\0')
		return false;
	at += strspn(at, " ");
	return *at == '\0' || key_length(at) > 0;
}

static const char *
take_quoted(const char *at, struct pair *p)
{
	for (; *at != '\0'; at++) {
		if (*at == '"' && is_end(at + 1))
			return at + 1;
		if (*at == '\\' && (at[1] == '"' || at[1] == '\\'))
			at++;
		p->value[p->length++] = *at;
	}
	return at;
}

/* The next pair, and *at moves behind it.  Words without a key are a pair called `text`. */
static bool
next_pair(const char **at, struct pair *p)
{
	const char *c = *at + strspn(*at, " ");

	if (*c == '\0')
		return false;
	p->key_length = key_length(c);
	p->key        = c;
	p->length     = 0;
	c += p->key_length > 0 ? p->key_length + 1 : 0;
	p->is_quoted = *c == '"';
	if (p->is_quoted)
		c = take_quoted(c + 1, p);
	else
		while (!is_end(c))
			p->value[p->length++] = *c++;
	if (p->key_length == 0) {
		p->key        = "text";
		p->key_length = strlen(p->key);
	}
	*at = c;
	return true;
}

static bool
has_key(const struct pair *p, const char *key)
{
	return strlen(key) == p->key_length && memcmp(key, p->key, p->key_length) == 0;
}

/* ----------------------------------------------------------------- logfmt */
/* One line: what would break it becomes a space. */
static size_t
end_line(char line[LOG_LINE_SIZE], int length)
{
	size_t n = MIN((size_t)MAX(length, 0), (size_t)LOG_LINE_SIZE - 2);

	for (size_t i = 0; i < n; i++)
		if ((unsigned char)line[i] < ' ')
			line[i] = ' ';
	while (n > 0 && line[n - 1] == ' ')
		n--;
	line[n++] = '\n';
	return n;
}

size_t
log_record_logfmt(const struct log_record *r, char line[LOG_LINE_SIZE])
{
	char when[CLOCK_TEXT_SIZE];

	return end_line(line, snprintf(line, LOG_LINE_SIZE, "ts=%s level=%s event=%s from=%s %s",
	    clock_format_us(r->wall_us, when), log_level_name(r->level), r->event, r->from, r->pairs));
}

size_t
log_record_prefixed(const struct log_record *r, char line[LOG_LINE_SIZE])
{
	return end_line(line, snprintf(line, LOG_LINE_SIZE, "<%d>event=%s from=%s %s", (int)r->level, r->event, r->from,
	    r->pairs));
}

/* ------------------------------------------------------------------- json */
struct text {
	char  *at;
	size_t length, size;
};

static bool
put(struct text *t, const char *bytes, size_t n)
{
	if (n > t->size - t->length)
		return false;
	memcpy(t->at + t->length, bytes, n);
	t->length += n;
	return true;
}

/* Bytes of the UTF-8 sequence at `s`; 0: it is none. */
static size_t
utf8_length(const unsigned char *s, size_t left)
{
	static const unsigned char first_low[] = { [0xe0 - 0xc2] = 0xa0, [0xf0 - 0xc2] = 0x90, [0xf4 - 0xc2] = 0x80 };
	size_t                     n           = s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;
	unsigned char              low, high;

	if (s[0] < 0x80)
		return 1;
	if (s[0] < 0xc2 || s[0] > 0xf4 || n > left)
		return 0;
	/* No overlong forms, no surrogates, nothing above U+10FFFF. */
	low  = MAX(first_low[s[0] - 0xc2], (unsigned char)0x80);
	high = s[0] == 0xed ? 0x9f : s[0] == 0xf4 ? 0x8f : 0xbf;
	if (s[1] < low || s[1] > high)
		return 0;
	for (size_t i = 2; i < n; i++)
		if ((s[i] & 0xc0) != 0x80)
			return 0;
	return n;
}

/* The character at `s` inside a string; how many bytes it was.  0: no room. */
static size_t
put_character(struct text *t, const unsigned char *s, size_t left)
{
	size_t n = utf8_length(s, left);
	char   escape[8];

	if (n == 0)
		return put(t, "\xef\xbf\xbd", 3) ? 1 : 0;
	if (s[0] >= ' ' && s[0] != '"' && s[0] != '\\')
		return put(t, (const char *)s, n) ? n : 0;
	if (s[0] == '"' || s[0] == '\\')
		(void)snprintf(escape, sizeof(escape), "\\%c", s[0]);
	else
		(void)snprintf(escape, sizeof(escape), "\\u%04x", s[0]);
	return put(t, escape, strlen(escape)) ? n : 0;
}

static void
put_string(struct text *t, const char *bytes, size_t n)
{
	size_t step;

	(void)put(t, "\"", 1);
	/* The room of the closing quote is kept. */
	t->size--;
	for (size_t i = 0; i < n; i += step) {
		step = put_character(t, (const unsigned char *)bytes + i, n - i);
		if (step == 0)
			break;
	}
	t->size++;
	(void)put(t, "\"", 1);
}

/* What JSON takes for the same number. */
static bool
is_number(const struct pair *p)
{
	size_t sign   = p->length > 1 && p->value[0] == '-';
	size_t digits = p->length - sign;

	if (p->is_quoted || digits == 0 || digits > 15 || (digits > 1 && p->value[sign] == '0'))
		return false;
	for (size_t i = sign; i < p->length; i++)
		if (p->value[i] < '0' || p->value[i] > '9')
			return false;
	return true;
}

/* A pair may be called as one of ours is: it gets a `_`. */
static bool
is_taken(const struct pair *p)
{
	return has_key(p, "ts") || has_key(p, "level") || has_key(p, "event") || has_key(p, "from");
}

static void
put_member(struct text *t, const struct pair *p)
{
	/* `,"key_":` and two quotes, so that a member is there as a whole or with its value cut. */
	if (p->key_length + 7 + (is_number(p) ? p->length : 0) > t->size - t->length)
		return;
	(void)put(t, ",\"", 2);
	(void)put(t, p->key, p->key_length);
	(void)put(t, is_taken(p) ? "_\":" : "\":", is_taken(p) ? 3 : 2);
	if (is_number(p))
		(void)put(t, p->value, p->length);
	else
		put_string(t, p->value, p->length);
}

size_t
log_record_json(const struct log_record *r, char line[LOG_LINE_SIZE])
{
	struct text t     = { line, 0, LOG_LINE_SIZE - 2 };
	const char *pairs = r->pairs;
	char        when[CLOCK_TEXT_SIZE];
	struct pair p;

	clock_format_us(r->wall_us, when);
	(void)put(&t, "{\"ts\":", 6);
	put_string(&t, when, strlen(when));
	(void)put(&t, ",\"level\":", 9);
	put_string(&t, log_level_name(r->level), strlen(log_level_name(r->level)));
	(void)put(&t, ",\"event\":", 9);
	put_string(&t, r->event, strnlen(r->event, 64));
	(void)put(&t, ",\"from\":", 8);
	put_string(&t, r->from, strnlen(r->from, 64));
	while (next_pair(&pairs, &p))
		put_member(&t, &p);
	t.size += 2;
	(void)put(&t, "}\n", 2);
	return t.length;
}

/* ---------------------------------------------------------------- journal */
/* `KEY=value`, or with its length before it when it has a newline of its own.  Left out when it does not fit. */
static void
put_field(struct text *t, const char *key, size_t key_size, const char *value, size_t length)
{
	unsigned char size[8];

	if (key_size + length + 10 > t->size - t->length)
		return;
	(void)put(t, key, key_size);
	if (memchr(value, '\n', length) == NULL) {
		(void)put(t, "=", 1);
	} else {
		for (unsigned i = 0; i < 8; i++)
			size[i] = (unsigned char)((uint64_t)length >> (8 * i));
		(void)put(t, "\n", 1);
		(void)put(t, (const char *)size, sizeof(size));
	}
	(void)put(t, value, length);
	(void)put(t, "\n", 1);
}

static void
put_text(struct text *t, const char *key, const char *value)
{
	put_field(t, key, strlen(key), value, strlen(value));
}

static void
put_pair(struct text *t, const struct pair *p)
{
	static const char prefix[] = "STEWARD_";
	char              key[64];
	size_t            n = sizeof(prefix) - 1;

	memcpy(key, prefix, n);
	/* The journal takes 64 bytes of A-Z, 0-9 and _. */
	for (size_t i = 0; i < p->key_length && n < sizeof(key); i++, n++)
		key[n] = (char)(p->key[i] >= 'a' && p->key[i] <= 'z' ? p->key[i] - 'a' + 'A' : p->key[i]);
	put_field(t, key, n, p->value, p->length);
}

/* What `journalctl -x` explains carries the id of the explanation. */
static void
put_message_id(struct text *t, const char *event)
{
	static const struct {
		const char *event;
		const char *id;
	} explained[] = {
#define EXPLAINED(event, id) { #event, id },
#include "catalogue.def"
#undef EXPLAINED
	};

	for (size_t i = 0; i < COUNT_OF(explained); i++)
		if (strcmp(explained[i].event, event) == 0)
			put_text(t, "MESSAGE_ID", explained[i].id);
}

/* Of a worker: what it says itself, and what the supervisor says about it. */
static bool
is_worker(const char *name, size_t length)
{
	return memchr(name, '[', length) != NULL;
}

size_t
log_record_journal(const struct log_record *r, char datagram[LOG_RECORD_SIZE])
{
	struct text t     = { datagram, 0, LOG_RECORD_SIZE };
	bool        known = is_worker(r->from, strlen(r->from));
	const char *pairs = r->pairs;
	char        message[LOG_PAIRS_SIZE + 128];
	char        priority[4];
	struct pair p;

	(void)snprintf(message, sizeof(message), "event=%s from=%s %s", r->event, r->from, r->pairs);
	(void)snprintf(priority, sizeof(priority), "%u", (unsigned)r->level % 8);
	put_text(&t, "MESSAGE", message);
	put_text(&t, "PRIORITY", priority);
	put_text(&t, "SYSLOG_IDENTIFIER", "steward");
	put_text(&t, "STEWARD_EVENT", r->event);
	put_message_id(&t, r->event);
	put_text(&t, "STEWARD_NODE", r->node);
	if (known)
		put_text(&t, "STEWARD_WORKER", r->from);
	while (next_pair(&pairs, &p)) {
		if (has_key(&p, "event") || has_key(&p, "node") || (known && has_key(&p, "worker")))
			continue;
		put_pair(&t, &p);
		if (!known && has_key(&p, "process") && is_worker(p.value, p.length)) {
			put_field(&t, "STEWARD_WORKER", 14, p.value, p.length);
			known = true;
		}
		known = known || has_key(&p, "worker");
	}
	return t.length;
}
