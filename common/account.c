/* SPDX-License-Identifier: Apache-2.0 */
#include "account.h"

#include <grp.h>
#include <stdlib.h>
#include <unistd.h>

enum err
account_become(const struct passwd *user, struct error *e)
{
	if (initgroups(user->pw_name, user->pw_gid) != 0 || setresgid(user->pw_gid, user->pw_gid, user->pw_gid) != 0 ||
	    setresuid(user->pw_uid, user->pw_uid, user->pw_uid) != 0)
		return err_errno(e, "become %s", user->pw_name);
	if (setenv("HOME", user->pw_dir, 1) != 0 || setenv("USER", user->pw_name, 1) != 0 ||
	    setenv("LOGNAME", user->pw_name, 1) != 0)
		return err_errno(e, "set the environment of %s", user->pw_name);
	return ERR_ok;
}
