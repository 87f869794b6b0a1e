/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_secret - a text without the passwords that a conninfo in it may hold.
 */
#ifndef STEWARD_CONFIG_SECRET_H
#define STEWARD_CONFIG_SECRET_H

#include "base.h"

/*
 * Copy `text` to `out` (cut at size - 1) with every password replaced by
 * "***": the values of keywords that end in "password" or "secret", quoted or
 * not, and user:password@ and ?password= in a postgres:// URI.  Where the text
 * is malformed it hides too much rather than too little.
 */
void config_hide_passwords(const char *text, char *out, size_t size);

#endif
