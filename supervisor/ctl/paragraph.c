/* SPDX-License-Identifier: Apache-2.0 */
/*
 * paragraph - text broken into lines that fit a screen of 80 columns.
 */
#include <stdio.h>
#include <string.h>

#include "output.h"

enum { SCREEN = 80 };

/* How much of `text` fits into `room`: up to a space, or a word that is longer than the line. */
static size_t
line_length(const char *text, size_t room)
{
	size_t whole = strlen(text);
	size_t cut   = MIN(whole, room);

	if (whole <= room)
		return whole;
	while (cut > 0 && text[cut] != ' ')
		cut--;
	return cut > 0 ? cut : strcspn(text, " ");
}

void
output_wrapped(struct output *o, enum output_tone tone, const char *first, const char *rest, const char *text)
{
	const char *lead = first;

	do {
		size_t used   = strlen(lead);
		size_t length = line_length(text, used < SCREEN ? SCREEN - used : 1);

		output_tinted(o, tone, "%s%.*s", lead, (int)length, text);
		text += length;
		text += strspn(text, " ");
		lead = rest;
	} while (*text != '\0');
}
