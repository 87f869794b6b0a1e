/* SPDX-License-Identifier: Apache-2.0 */
/*
 * config_scan - what is wrong with a configuration text that libconfig would
 * not say, or would not survive saying.
 *
 * libconfig 1.5 cuts integers to 32 bits and drops \x00 without a word, reads
 * an unclosed comment to the end of the file, and loses the memory of a string
 * that stands where none may; 1.7 reads 010 as eight where 1.5 reads ten.  Both
 * compare each name with all before it: a mebibyte of names takes a minute.
 */
#ifndef STEWARD_CONFIG_SCAN_H
#define STEWARD_CONFIG_SCAN_H

#include "config_draft.h"

enum scan_verdict {
	SCAN_clean,   /* libconfig may read it */
	SCAN_cut,     /* it may, but integers that it cannot hold now read CONFIG_SCAN_CUT */
	SCAN_refused, /* it may not */
};

enum { CONFIG_SCAN_CUT = -999999999 };

/* `text` holds `size` bytes and two more: a newline that it may lack, and a NUL; complaints go to the draft. */
NODISCARD enum scan_verdict config_scan(struct config_draft *d, const char *name, char *text, size_t size);

#endif
