/* SPDX-License-Identifier: Apache-2.0 */
/*
 * rights - who may act.  Whoever the socket's mode lets in may read; root, our
 * own user and the members of control.admin_group may act.
 */
#ifndef STEWARD_RIGHTS_H
#define STEWARD_RIGHTS_H

#include <sys/types.h>

#include "error.h"

enum { RIGHTS_MEMORY = 32 };

/* Looking up groups may ask a directory service: answers are kept until rights_forget.  Zero-initialise. */
struct rights {
	struct {
		uid_t uid;
		bool  may_act;
	} known[RIGHTS_MEMORY];
	size_t count;
	size_t next; /* to be overwritten when full */
};

void rights_forget(struct rights *r);

/* `admin_group` may be "".  ERR_denied: the sentence says who may. */
NODISCARD enum err rights_check(struct rights *r, uid_t uid, const char *admin_group, struct error *e);

#endif
