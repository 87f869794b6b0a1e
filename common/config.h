/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config - the settings of config.def, read from file, conf.d and environment.
 *
 * Precedence: default < file < conf.d/ *.conf beside it (C-locale order) <
 * environment (STEWARD__DATABASE__CONNINFO, STEWARD__WORKERS__PROVISIONING__PROCESSES).
 * libconfig 1.5 cuts integers to 32 bits without a word, so the source text is
 * scanned before it is parsed.
 */
#ifndef STEWARD_CONFIG_H
#define STEWARD_CONFIG_H

#include "error.h"
#include "worker_kind.h"

/* One kind's KIND_ rows. */
struct kind_config {
#define INT(section, key, fallback, min, max, unit, reload, meaning)
#define TEXT(section, key, fallback, capacity, reload, meaning)
#define ROOT_TEXT(key, fallback, capacity, reload, meaning)
#define KIND_INT(key, fallback, min, max, unit, reload, meaning) int64_t key;
#define KIND_TEXT(key, fallback, capacity, reload, meaning)      char key[capacity];
#include "config.def"
#undef INT
#undef TEXT
#undef ROOT_TEXT
#undef KIND_INT
#undef KIND_TEXT
};

/* Plain data: copied and compared field by field. */
struct config {
#define INT(section, key, fallback, min, max, unit, reload, meaning) int64_t section##_##key;
#define TEXT(section, key, fallback, capacity, reload, meaning)      char section##_##key[capacity];
#define ROOT_TEXT(key, fallback, capacity, reload, meaning)          char key[capacity];
#define KIND_INT(key, fallback, min, max, unit, reload, meaning)
#define KIND_TEXT(key, fallback, capacity, reload, meaning)
#include "config.def"
#undef INT
#undef TEXT
#undef ROOT_TEXT
#undef KIND_INT
#undef KIND_TEXT
	struct kind_config workers[WORKER_COUNT];
};

enum config_reload { RELOAD_live, RELOAD_respawn, RELOAD_boot };
enum config_type { CONFIG_INT, CONFIG_TEXT };

/* One setting; KIND_ rows appear once per kind.  Static. */
struct config_desc {
	const char        *path;          /* "workers.provisioning.processes" */
	enum config_type   type;
	enum config_reload reload;
	enum worker_kind   kind;          /* of a KIND_ row, else WORKER_COUNT */
	size_t             offset;        /* in struct config */
	size_t             size;          /* of a TEXT, its NUL included */
	int64_t            min, max;
	int64_t            fallback_int;
	const char        *fallback_text; /* NULL for an INT */
	const char        *unit;
	const char        *meaning;
};

size_t                    config_count(void);
const struct config_desc *config_desc(size_t index);

enum { CONFIG_VALUE_SIZE = 1024, CONFIG_ORIGIN_SIZE = 160 };

/*
 * Where each value came from, by the index of config_desc(): "default",
 * "steward.conf:14" (path as given) or "environment".
 */
struct config_origins {
	char (*place)[CONFIG_ORIGIN_SIZE]; /* config_count() of them; NULL before the first load */
};
void config_origins_free(struct config_origins *o);

/* Every complaint of one load, a sentence each: "steward.conf:3: there is no setting ...". */
struct config_complaints {
	size_t count;
	char **line; /* owned */
};
void config_complaints_free(struct config_complaints *c);

/* All settings at their defaults. */
void config_defaults(struct config *cfg);

/*
 * Read everything.  On success *cfg holds the result; on failure it is
 * untouched, ERR_config is returned, `e` holds the first complaint and
 * `complaints` all of them.  `origins` may be NULL.  Blocks on the file system only.
 */
NODISCARD enum err config_load(const char *path, struct config *cfg, struct config_origins *origins,
    struct config_complaints *complaints, struct error *e);

/* The value of a setting as text; a password in a conninfo is hidden.  Returns `text`. */
const char *config_value(const struct config *cfg, size_t index, char text[CONFIG_VALUE_SIZE]);

/* Whether the two configurations differ in this setting. */
bool config_differs(const struct config *a, const struct config *b, size_t index);

/*
 * Write the values as a file that config_load reads back to the same, passwords
 * included: keep it from others.  Returns 0, or -1 with errno.
 */
int config_write_values(int fd, const struct config *cfg);

/* Write a sample file: every setting, commented out, with meaning, range and default.  Returns 0, or -1 with errno. */
int config_write_sample(int fd);

#endif
