/* SPDX-License-Identifier: Apache-2.0 */
/*
 * Any bytes as a configuration file: no crash, no leak, and what is taken
 * without a complaint is within its row.
 */
#include <stdlib.h>
#include <string.h>

#include "config_draft.h"

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void
expect(bool is_true)
{
	if (!is_true)
		abort();
}

static void
expect_whole_lines(const struct config_complaints *c)
{
	for (size_t i = 0; i < c->count; i++) {
		expect(strchr(c->line[i], '\n') == NULL);
		expect(strncmp(c->line[i], "fuzz:", 5) == 0);
	}
}

int
LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
	CLEANUP(draft_fini) struct config_draft d;

	draft_init(&d);
	config_read_text(&d, "fuzz", (const char *)data, size, LAYER_file);
	if (!d.is_incomplete)
		config_check(&d);
	expect(!d.is_out_of_memory);
	expect_whole_lines(&d.complaints);
	for (size_t i = 0; i < config_count(); i++) {
		const struct config_desc *desc = config_desc(i);
		char                      text[CONFIG_VALUE_SIZE];

		(void)config_value(&d.cfg, i, text);
		if (desc->type == CONFIG_INT)
			expect(*config_int(&d.cfg, i) >= desc->min && *config_int(&d.cfg, i) <= desc->max);
		else
			expect(memchr(config_text(&d.cfg, i), '\0', desc->size) != NULL);
	}
	return 0;
}
