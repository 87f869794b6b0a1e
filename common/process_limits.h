/* SPDX-License-Identifier: Apache-2.0 */
/*
 * process_limits - what a process may use: priority, descriptors, address space, core
 * size, processors.  A worker applies its kind's to itself before it does anything.
 */
#ifndef STEWARD_PROCESS_LIMITS_H
#define STEWARD_PROCESS_LIMITS_H

#include "config.h"

/* Errors: ERR_config (not a list of processors), ERR_denied, ERR_system; the sentence names the setting. */
NODISCARD enum err process_limits_apply(const struct kind_config *k, struct error *e);

/* Whether the text is a list of processors such as "0-1,3". */
bool process_limits_is_processor_list(const char *text);

#endif
