/* SPDX-License-Identifier: Apache-2.0 */
#include "config_scan.h"

#include <stdio.h>
#include <string.h>

enum { DEPTH_MAX = 32, NAMES_MAX = 5000, LITERAL_SHOWN = 40 };

/* `p` and `end` are in the text; whatever lies before `p` is dealt with. */
struct scan {
	struct config_draft *draft;
	const char          *name;
	char                *p;
	char                *end;
	unsigned             line;
	enum scan_verdict    verdict;
	char                 before; /* the last token: a punctuation mark, '"', or 'x' for any other */
	char                 open[DEPTH_MAX];
	size_t               depth;
	const char          *key; /* the last name */
	size_t               key_length;
	size_t               names;
};

static struct config_place
here(const struct scan *s)
{
	return (struct config_place){ s->name, s->line };
}

static void
raise_verdict(struct scan *s, enum scan_verdict verdict)
{
	if (verdict > s->verdict)
		s->verdict = verdict;
}

static bool
is_digit(char c)
{
	return c >= '0' && c <= '9';
}

static bool
is_hex_digit(char c)
{
	return is_digit(c) || (c >= 'a' && c <= 'f') || (c >= 'A' && c <= 'F');
}

static bool
starts_name(char c)
{
	return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '*';
}

static bool
starts_number(const char *p)
{
	if (*p == '+' || *p == '-')
		p++;
	return is_digit(*p) || *p == '.';
}

static void
pass_line_comment(struct scan *s)
{
	while (s->p < s->end && *s->p != '\n')
		s->p++;
}

static void
pass_comment(struct scan *s)
{
	struct config_place start = here(s);

	for (s->p += 2; s->p < s->end; s->p++) {
		if (s->p[0] == '*' && s->p[1] == '/') {
			s->p += 2;
			return;
		}
		if (*s->p == '\n')
			s->line++;
	}
	draft_complain(s->draft, start, "the comment that begins here has no end");
	raise_verdict(s, SCAN_refused);
}

/* Whether the grammar has a place for a string here. */
static bool
may_be_string(const struct scan *s)
{
	char inside = s->depth == 0 ? '{' : s->open[s->depth - 1];

	if (s->before == ',')
		return inside != '{';
	return s->before == '\0' ? false : strchr("=:\"([", s->before) != NULL;
}

/*
 * A string out of place becomes a byte that no token begins with: libconfig
 * stops at either, but 1.5 would forget to free the string.
 */
static void
pass_string(struct scan *s)
{
	struct config_place start = here(s);

	if (!may_be_string(s))
		*s->p = '@';
	for (s->p++; s->p < s->end && *s->p != '"'; s->p++) {
		if (*s->p == '\n') {
			s->line++;
		} else if (s->p[0] == '\\' && (s->p[1] == '\\' || s->p[1] == '"')) {
			s->p++;
		} else if (s->p[0] == '\\' && (s->p[1] == 'x' || s->p[1] == 'X') && s->p[2] == '0' && s->p[3] == '0') {
			draft_complain(s->draft, here(s), "a text cannot hold \\x00");
			raise_verdict(s, SCAN_cut);
		}
	}
	if (s->p == s->end) {
		draft_complain(s->draft, start, "the text that begins here has no closing \"");
		raise_verdict(s, SCAN_refused);
		return;
	}
	s->p++;
	s->before = '"';
}

static void
pass_name(struct scan *s)
{
	s->key = s->p;
	while (starts_name(*s->p) || is_digit(*s->p) || *s->p == '_' || *s->p == '-')
		s->p++;
	s->key_length = (size_t)(s->p - s->key);
	s->before     = 'x';
	if (++s->names > NAMES_MAX) {
		draft_complain(s->draft, here(s), "more than %d names; this is not a configuration", NAMES_MAX);
		raise_verdict(s, SCAN_refused);
		s->p = s->end;
	}
}

struct literal {
	const char *digits;
	bool        is_hex;
	bool        is_negative;
	bool        is_float;
	bool        is_long; /* has its L */
};

/* One number, by libconfig's own longest match. */
static struct literal
pass_literal(struct scan *s)
{
	struct literal l = { .is_negative = *s->p == '-' };

	if (s->p[0] == '0' && (s->p[1] == 'x' || s->p[1] == 'X') && is_hex_digit(s->p[2])) {
		l.is_hex = true;
		l.digits = s->p += 2;
		while (is_hex_digit(*s->p))
			s->p++;
	} else {
		if (!is_digit(*s->p) && *s->p != '.')
			s->p++;
		l.digits = s->p;
		while (is_digit(*s->p))
			s->p++;
		if (*s->p == '.') {
			l.is_float = true;
			for (s->p++; is_digit(*s->p);)
				s->p++;
		}
		if ((*s->p == 'e' || *s->p == 'E') &&
		    (is_digit(s->p[1]) || ((s->p[1] == '-' || s->p[1] == '+') && is_digit(s->p[2])))) {
			l.is_float = true;
			for (s->p += 2; is_digit(*s->p);)
				s->p++;
		}
	}
	l.is_long = !l.is_float && *s->p == 'L';
	for (int i = 0; i < 2 && !l.is_float && *s->p == 'L'; i++)
		s->p++;
	return l;
}

/* Whether the digits up to the first other byte make a number from `min` to `max`. */
static bool
fits(const struct literal *l, int64_t min, int64_t max)
{
	int64_t value = 0;
	int     base  = l->is_hex ? 16 : 10;

	for (const char *p = l->digits; l->is_hex ? is_hex_digit(*p) : is_digit(*p); p++) {
		int digit = is_digit(*p) ? *p - '0' : (*p | 0x20) - 'a' + 10;

		if (__builtin_mul_overflow(value, base, &value) ||
		    __builtin_add_overflow(value, l->is_negative ? -digit : digit, &value))
			return false;
	}
	return value >= min && value <= max;
}

static void
pass_number(struct scan *s)
{
	char          *start = s->p;
	struct literal l     = pass_literal(s);
	int            shown = (int)MIN(s->p - start, LITERAL_SHOWN);
	int            key   = (int)MIN(s->key_length, LITERAL_SHOWN);

	s->before = 'x';
	if (l.is_float)
		return;
	if (fits(&l, l.is_long ? INT64_MIN : INT32_MIN, l.is_long ? INT64_MAX : INT32_MAX)) {
		if (!l.is_hex && l.digits[0] == '0' && is_digit(l.digits[1])) {
			draft_complain(s->draft, here(s), "%.*s is %.*s; write the number without a leading zero", key,
			    s->key_length == 0 ? "" : s->key, shown, start);
			raise_verdict(s, SCAN_cut);
		}
		return;
	}
	if (fits(&l, INT64_MIN, INT64_MAX))
		draft_complain(s->draft, here(s),
		    "%.*s is %.*s, which does not fit in 32 bits; write %.*sL, or a text with a unit, as in \"5GiB\"", key,
		    s->key_length == 0 ? "" : s->key, shown, start, shown, start);
	else
		draft_complain(s->draft, here(s), "%.*s is %.*s, which does not fit in 64 bits", key,
		    s->key_length == 0 ? "" : s->key, shown, start);
	/* Ten bytes at least, since it did not fit. */
	memset(start, ' ', (size_t)(s->p - start));
	memcpy(start, "-999999999", 10);
	raise_verdict(s, SCAN_cut);
}

static void
pass_mark(struct scan *s)
{
	char c = *s->p++;

	if (c == '\n')
		s->line++;
	if (c == '\n' || c == ' ' || c == '\t' || c == '\r' || c == '\f')
		return;
	s->before = c;
	if (c == '{' || c == '(' || c == '[') {
		if (s->depth < DEPTH_MAX) {
			s->open[s->depth] = c;
		} else if (s->depth == DEPTH_MAX) {
			draft_complain(s->draft, here(s), "nested more than %d deep", DEPTH_MAX);
			raise_verdict(s, SCAN_refused);
			s->p = s->end;
			return;
		}
		s->depth++;
	} else if ((c == '}' || c == ')' || c == ']') && s->depth > 0) {
		s->depth--;
	}
}

static void
pass_include(struct scan *s)
{
	draft_complain(s->draft, here(s),
	    "@include is not supported; put further files, named *.conf, into the directory conf.d beside the main file");
	raise_verdict(s, SCAN_refused);
	pass_line_comment(s);
}

static bool
has_nul(struct scan *s, size_t size)
{
	const char *nul = memchr(s->p, '\0', size);

	if (nul == NULL)
		return false;
	for (const char *p = s->p; p < nul; p++)
		if (*p == '\n')
			s->line++;
	draft_complain(s->draft, here(s), "a NUL byte; this is not a text file");
	return true;
}

enum scan_verdict
config_scan(struct config_draft *d, const char *name, char *text, size_t size)
{
	struct scan s = { .draft = d, .name = name, .p = text, .end = text + size, .line = 1 };

	if (has_nul(&s, size))
		return SCAN_refused;
	while (s.p < s.end) {
		if (*s.p == '#' || (s.p[0] == '/' && s.p[1] == '/'))
			pass_line_comment(&s);
		else if (s.p[0] == '/' && s.p[1] == '*')
			pass_comment(&s);
		else if (*s.p == '"')
			pass_string(&s);
		else if (starts_name(*s.p))
			pass_name(&s);
		else if (starts_number(s.p))
			pass_number(&s);
		else if (strncmp(s.p, "@include", 8) == 0)
			pass_include(&s);
		else
			pass_mark(&s);
	}
	return s.verdict;
}
