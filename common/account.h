/* SPDX-License-Identifier: Apache-2.0 */
/*
 * account - root becomes somebody else, for good.
 */
#ifndef STEWARD_ACCOUNT_H
#define STEWARD_ACCOUNT_H

#include <pwd.h>

#include "error.h"

/*
 * Take on the account with all its groups, and its HOME, USER and LOGNAME, where
 * libpq and others look for their files.  Errors: ERR_system, ERR_denied; half of it may be done then.
 */
NODISCARD enum err account_become(const struct passwd *user, struct error *e);

#endif
