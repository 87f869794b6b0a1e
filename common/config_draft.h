/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_draft - a configuration being put together; for the config files only.
 *
 * Every source (file, conf.d, environment) writes into the draft and complains
 * to it; nothing stops at the first complaint.  config_load() hands the result
 * over when there was none.
 */
#ifndef STEWARD_CONFIG_DRAFT_H
#define STEWARD_CONFIG_DRAFT_H

#include "config_table.h"

enum config_layer { LAYER_default, LAYER_file, LAYER_conf_d, LAYER_environment };

/* "steward.conf:3", or the name alone when line is 0.  The name is borrowed. */
struct config_place {
	const char *name;
	unsigned    line;
};

struct config_mark {
	char             *place; /* as in a complaint; NULL at its default.  Owned */
	enum config_layer layer;
	bool              is_refused; /* complained of, so rules about it would mislead */
};

struct config_draft {
	struct config            cfg;
	struct config_mark       mark[CONFIG_COUNT];
	struct config_complaints complaints;
	size_t                   unshown; /* complaints above COMPLAINTS_MAX */
	bool                     is_incomplete; /* a file could not be read to its end */
	bool                     is_out_of_memory;
};

enum { COMPLAINTS_MAX = 500 };

void draft_init(struct config_draft *d);
void draft_fini(struct config_draft *d);

void draft_complain(struct config_draft *d, struct config_place at, const char *format, ...) PRINTF_LIKE(3, 4);

/* Complain about a name that is in no row, with the nearest one that is. */
void draft_complain_unknown(struct config_draft *d, struct config_place at, enum config_layer layer,
    const char *path, bool is_group);

/* Say who sets this row, before the value; a second file of conf.d is complained of. */
void draft_claim(struct config_draft *d, size_t index, enum config_layer layer, struct config_place at);

/* Take the value for a claimed row, or complain.  A quantity is text for an INT row: "30s". */
void draft_set_int(struct config_draft *d, size_t index, int64_t value);
void draft_set_text(struct config_draft *d, size_t index, const char *text);
void draft_set_quantity(struct config_draft *d, size_t index, const char *text);

/* Complain about a claimed row; rules about it are skipped from then on. */
void draft_refuse(struct config_draft *d, size_t index, const char *format, ...) PRINTF_LIKE(3, 4);

/* Its name in the environment: STEWARD__LOG__LEVEL.  Returns `name`. */
enum { ENVIRONMENT_NAME_SIZE = 2 * CONFIG_PATH_SIZE };
const char *config_environment_name(const char *path, char name[ENVIRONMENT_NAME_SIZE]);

/* The sources.  `bytes` need not be text. */
void config_read_text(struct config_draft *d, const char *name, const char *bytes, size_t size,
    enum config_layer layer);
void config_read_environment(struct config_draft *d, char *const *environment);

/* The rules between settings. */
void config_check(struct config_draft *d);

#endif
