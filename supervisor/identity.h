/* SPDX-License-Identifier: Apache-2.0 */
/*
 * identity - whom the supervisor runs as, and the run directory that belongs to
 * that user.  Nothing here is needed again after the start.
 */
#ifndef STEWARD_IDENTITY_H
#define STEWARD_IDENTITY_H

#include "error.h"

/*
 * Make the run directory (0750) and its worker/ (0700) where they are missing,
 * and, when root, become `user`, whose they are then.  ERR_config: root without a
 * user to become, or no such user.  `config_path` is for the sentence only.
 */
NODISCARD enum err identity_assume(const char *user, const char *run_directory, const char *config_path,
    struct error *e);

/* Remove the sockets that a supervisor left. */
void identity_sweep(const char *run_directory);

#endif
