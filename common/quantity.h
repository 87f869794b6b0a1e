/* SPDX-License-Identifier: Apache-2.0 */
/*
 * quantity - whole numbers as people write them: "30s", "64MiB", "-1".
 *
 * Strict: digits, then the unit at once, nothing else.  K is KiB.
 */
#ifndef STEWARD_QUANTITY_H
#define STEWARD_QUANTITY_H

#include "base.h"

enum quantity_fault { QUANTITY_ok, QUANTITY_malformed, QUANTITY_too_large, QUANTITY_uneven };

/* An optional minus sign and decimal digits. */
NODISCARD enum quantity_fault quantity_parse_plain(const char *text, int64_t *value);

/*
 * A number with a unit, converted to `unit`, which is a unit word of
 * config.def.  Uneven: it does not come out whole ("500ms" in s).
 * `*value` is written only when all is well.
 */
NODISCARD enum quantity_fault quantity_parse(const char *text, const char *unit, int64_t *value);

/* What may be written for `unit`, as in "a number and ms, s, ..."; NULL when it is a word for people.  Static. */
const char *quantity_hint(const char *unit);

#endif
