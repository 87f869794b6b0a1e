/* SPDX-License-Identifier: Apache-2.0 */
#include "quantity.h"

#include <string.h>

enum dimension { TIME, SIZE };

static const struct {
	const char    *word;
	enum dimension dimension;
	int64_t        factor; /* to ms, to bytes */
} written[] = {
	{ "ms",  TIME, 1                },
	{ "s",   TIME, 1000             },
	{ "m",   TIME, 60000            },
	{ "h",   TIME, 3600000          },
	{ "d",   TIME, 86400000         },
	{ "B",   SIZE, 1                },
	{ "K",   SIZE, INT64_C(1) << 10 },
	{ "KiB", SIZE, INT64_C(1) << 10 },
	{ "M",   SIZE, INT64_C(1) << 20 },
	{ "MiB", SIZE, INT64_C(1) << 20 },
	{ "G",   SIZE, INT64_C(1) << 30 },
	{ "GiB", SIZE, INT64_C(1) << 30 },
	{ "T",   SIZE, INT64_C(1) << 40 },
	{ "TiB", SIZE, INT64_C(1) << 40 },
};

static const struct {
	const char    *word;
	enum dimension dimension;
	int64_t        divisor;
	const char    *hint;
} kept[] = {
	{ "ms",    TIME, 1,    "a number and ms, s, m, h or d, as in \"30s\""          },
	{ "s",     TIME, 1000, "a number and ms, s, m, h or d, as in \"30s\""          },
	{ "bytes", SIZE, 1,    "a number and B, KiB, MiB, GiB or TiB, as in \"64MiB\"" },
};

/* Digits up to the first other byte, where *rest then points. */
static enum quantity_fault
parse_digits(const char *text, const char **rest, bool is_negative, int64_t *value)
{
	const char *p      = text;
	int64_t     so_far = 0;
	bool        fits   = true;

	for (; *p >= '0' && *p <= '9'; p++) {
		int64_t digit = is_negative ? '0' - *p : *p - '0';

		fits = fits && !__builtin_mul_overflow(so_far, 10, &so_far) &&
		    !__builtin_add_overflow(so_far, digit, &so_far);
	}
	*rest = p;
	if (p == text)
		return QUANTITY_malformed;
	if (!fits)
		return QUANTITY_too_large;
	*value = so_far;
	return QUANTITY_ok;
}

enum quantity_fault
quantity_parse_plain(const char *text, int64_t *value)
{
	bool                is_negative = *text == '-';
	const char         *rest;
	int64_t             number = 0;
	enum quantity_fault fault  = parse_digits(is_negative ? text + 1 : text, &rest, is_negative, &number);

	if (*rest != '\0')
		return QUANTITY_malformed;
	if (fault == QUANTITY_ok)
		*value = number;
	return fault;
}

enum quantity_fault
quantity_parse(const char *text, const char *unit, int64_t *value)
{
	const char         *rest;
	int64_t             number = 0;
	size_t              from = 0, to = 0;
	enum quantity_fault fault = parse_digits(text, &rest, false, &number);

	while (to < COUNT_OF(kept) && strcmp(kept[to].word, unit) != 0)
		to++;
	while (from < COUNT_OF(written) && strcmp(written[from].word, rest) != 0)
		from++;
	if (to == COUNT_OF(kept) || from == COUNT_OF(written) || written[from].dimension != kept[to].dimension)
		return QUANTITY_malformed;
	if (fault != QUANTITY_ok)
		return fault;
	if (__builtin_mul_overflow(number, written[from].factor, &number))
		return QUANTITY_too_large;
	if (number % kept[to].divisor != 0)
		return QUANTITY_uneven;
	*value = number / kept[to].divisor;
	return QUANTITY_ok;
}

const char *
quantity_hint(const char *unit)
{
	for (size_t i = 0; i < COUNT_OF(kept); i++)
		if (strcmp(kept[i].word, unit) == 0)
			return kept[i].hint;
	return NULL;
}
