/* SPDX-License-Identifier: Apache-2.0 */
#include "closest.h"

#include <string.h>

void
closest_begin(struct closest *c, const char *wanted)
{
	*c = (struct closest){ .wanted = wanted };
}

bool
closest_offer(struct closest *c, const char *word)
{
	size_t distance = nearest_distance(c->wanted, word);

	if (!nearest_is_close(distance, strlen(c->wanted)) || distance >= strlen(word))
		return false; /* with no letter kept it is no likeness */
	if (c->best != NULL && distance >= c->distance)
		return false;
	c->best     = word;
	c->distance = distance;
	return true;
}
