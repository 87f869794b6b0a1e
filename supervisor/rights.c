/* SPDX-License-Identifier: Apache-2.0 */
#include "rights.h"

#include <grp.h>
#include <pwd.h>
#include <unistd.h>

enum { GROUPS_MAX = 1024 };

static bool
is_member(uid_t uid, const char *group)
{
	gid_t                list[GROUPS_MAX];
	int                  count = GROUPS_MAX;
	const struct passwd *user;
	const struct group  *wanted;
	gid_t                primary;

	if (group[0] == '\0')
		return false;
	wanted = getgrnam(group);
	if (wanted == NULL)
		return false;
	user = getpwuid(uid);
	if (user == NULL)
		return false;
	primary = user->pw_gid;
	if (getgrouplist(user->pw_name, primary, list, &count) < 0)
		return false;
	for (int i = 0; i < count; i++)
		if (list[i] == wanted->gr_gid)
			return true;
	return false;
}

void
rights_forget(struct rights *r)
{
	r->count = 0;
	r->next  = 0;
}

/* Where the answer for `uid` is kept, or is to be. */
static size_t
place_of(struct rights *r, uid_t uid)
{
	size_t place = r->next;

	for (size_t i = 0; i < r->count; i++)
		if (r->known[i].uid == uid)
			return i;
	r->next  = (r->next + 1) % RIGHTS_MEMORY;
	r->count = MIN(r->count + 1, (size_t)RIGHTS_MEMORY);
	r->known[place].uid      = uid;
	r->known[place].until_ms = INT64_MIN;
	return place;
}

static bool
may_act(struct rights *r, uid_t uid, const char *admin_group, int64_t now_ms)
{
	size_t place;

	if (uid == 0 || uid == geteuid())
		return true;
	place = place_of(r, uid);
	if (now_ms >= r->known[place].until_ms) {
		r->known[place].may_act  = is_member(uid, admin_group);
		r->known[place].until_ms = now_ms + RIGHTS_KEPT_MS;
	}
	return r->known[place].may_act;
}

enum err
rights_check(struct rights *r, uid_t uid, const char *admin_group, int64_t now_ms, struct error *e)
{
	if (may_act(r, uid, admin_group, now_ms))
		return ERR_ok;
	if (admin_group[0] == '\0')
		return err_set(e, ERR_denied,
		    "user %u may look but not act: only root and user %u may; use sudo, or name a group in control.admin_group",
		    (unsigned)uid, (unsigned)geteuid());
	return err_set(e, ERR_denied, "user %u may look but not act: only root, user %u and the group %s may; use sudo",
	    (unsigned)uid, (unsigned)geteuid(), admin_group);
}
