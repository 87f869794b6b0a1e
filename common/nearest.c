/* SPDX-License-Identifier: Apache-2.0 */
#include "nearest.h"

#include <string.h>

size_t
nearest_distance(const char *a, const char *b)
{
	size_t row[3][NEAREST_WORD_MAX + 1];
	size_t a_length = strnlen(a, NEAREST_WORD_MAX);
	size_t b_length = strnlen(b, NEAREST_WORD_MAX);

	for (size_t j = 0; j <= b_length; j++)
		row[0][j] = j;
	for (size_t i = 1; i <= a_length; i++) {
		size_t       *now    = row[i % 3];
		const size_t *above  = row[(i - 1) % 3];
		const size_t *higher = row[(i + 1) % 3];

		now[0] = i;
		for (size_t j = 1; j <= b_length; j++) {
			bool is_same = a[i - 1] == b[j - 1];

			now[j] = MIN(above[j], now[j - 1]) + 1;
			now[j] = MIN(now[j], above[j - 1] + (is_same ? 0 : 1));
			if (i > 1 && j > 1 && a[i - 1] == b[j - 2] && a[i - 2] == b[j - 1])
				now[j] = MIN(now[j], higher[j - 2] + 1);
		}
	}
	return row[a_length % 3][b_length];
}

bool
nearest_is_close(size_t distance, size_t length)
{
	return distance <= 1 + length / 3;
}
