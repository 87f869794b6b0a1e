/* SPDX-License-Identifier: Apache-2.0 */
#include "config_secret.h"

#include <string.h>
#include <strings.h>

struct writer {
	char  *out;
	size_t size;
	size_t used;
};

static void
copy(struct writer *w, const char *from, const char *to)
{
	size_t length = MIN((size_t)(to - from), w->size - 1 - w->used);

	memcpy(w->out + w->used, from, length);
	w->used += length;
}

static void
hide(struct writer *w)
{
	static const char stars[] = "***";

	copy(w, stars, stars + 3);
}

static bool
is_space(char c)
{
	return c == ' ' || (c >= '\t' && c <= '\r');
}

static const char *
skip_spaces(const char *p)
{
	while (is_space(*p))
		p++;
	return p;
}

static bool
ends_in(const char *from, const char *to, const char *word)
{
	size_t length = strlen(word);

	return (size_t)(to - from) >= length && strncasecmp(to - length, word, length) == 0;
}

static bool
is_secret(const char *from, const char *to)
{
	return ends_in(from, to, "password") || ends_in(from, to, "secret");
}

static bool
is_uri(const char *text)
{
	return strncasecmp(text, "postgres://", 11) == 0 || strncasecmp(text, "postgresql://", 13) == 0;
}

/*
 * libpq ends the password at the first @; the last one is taken here, for a
 * password that should have been percent-encoded and was not.  When a ? comes
 * before it, it may belong to a parameter, and all up to the next one is hidden.
 */
static void
copy_uri(struct writer *w, const char *uri)
{
	const char *rest  = strstr(uri, "://") + 3;
	const char *at    = strrchr(rest, '@');
	const char *colon = at == NULL ? NULL : memchr(rest, ':', (size_t)(at - rest));
	const char *end;

	if (colon != NULL) {
		copy(w, uri, colon + 1);
		hide(w);
		rest = memchr(colon, '?', (size_t)(at - colon)) == NULL ? at : at + strcspn(at, "&");
	} else {
		copy(w, uri, rest);
	}
	for (; *rest != '\0'; rest = end) {
		const char *equals;

		end    = rest + 1 + strcspn(rest + 1, "?&");
		equals = memchr(rest, '=', (size_t)(end - rest));
		if (equals != NULL && is_secret(rest, equals)) {
			copy(w, rest, equals + 1);
			hide(w);
		} else {
			copy(w, rest, end);
		}
	}
}

/*
 * The byte after a value: quoted with '...' or up to the next space, a backslash
 * taking the next byte along.  A secret goes on where libpq would find fault
 * with what follows the quote, since 'it''s' was meant as one.
 */
static const char *
value_end(const char *p, bool is_secret_value)
{
	bool may_be_quoted = *p == '\'';
	bool is_quoted     = false;

	for (; *p != '\0' && (is_quoted || !is_space(*p)); p++) {
		if (p[0] == '\\' && p[1] != '\0') {
			p++;
		} else if (may_be_quoted && *p == '\'') {
			is_quoted = !is_quoted;
			if (!is_quoted && !is_secret_value)
				return p + 1;
		}
	}
	return p;
}

void
config_hide_passwords(const char *text, char *out, size_t size)
{
	struct writer w = { out, size, 0 };
	const char   *p = text;

	if (is_uri(text)) {
		copy_uri(&w, text);
		p = text + strlen(text);
	}
	while (*p != '\0') {
		const char *key   = skip_spaces(p);
		const char *end   = key + strcspn(key, "= \t\n\v\f\r");
		const char *value = skip_spaces(end);
		const char *next  = end;

		if (*value == '=') {
			bool is_hidden;

			value     = skip_spaces(value + 1);
			is_hidden = is_secret(key, end) || is_uri(*value == '\'' ? value + 1 : value);
			next      = value_end(value, is_hidden);
			copy(&w, p, value);
			if (is_hidden)
				hide(&w);
			else
				copy(&w, value, next);
		} else {
			copy(&w, p, next);
		}
		p = next;
	}
	out[w.used] = '\0';
}
