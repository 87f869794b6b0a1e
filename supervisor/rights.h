/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rights - who may act.  Whoever the socket's mode lets in may read; root, our
 * own user and the members of control.admin_group may act.
 */
#ifndef STEWARD_RIGHTS_H
#define STEWARD_RIGHTS_H

#include <sys/types.h>

#include "error.h"

enum { RIGHTS_MEMORY = 32, RIGHTS_KEPT_MS = 60000 };

/*
 * Who belongs to a group is the name service's to say (NSS), and it may ask a
 * directory server and block our loop while it does.  So an answer is kept for a
 * minute, or until rights_forget.  Zero-initialise.
 */
struct rights {
	struct {
		uid_t   uid;
		bool    may_act;
		int64_t until_ms;
	} known[RIGHTS_MEMORY];
	size_t count;
	size_t next; /* to be overwritten when full */
};

void rights_forget(struct rights *r);

/* `admin_group` may be "".  ERR_denied: the sentence says who may. */
NODISCARD enum err rights_check(struct rights *r, uid_t uid, const char *admin_group, int64_t now_ms,
    struct error *e);

#endif
