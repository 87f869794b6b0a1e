/* SPDX-License-Identifier: Apache-2.0 */
#include "identity.h"

#include <dirent.h>
#include <errno.h>
#include <limits.h>
#include <pwd.h>
#include <stdio.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "account.h"

/* Make it, or accept it as it is: its mode and group are the administrator's choice. */
static enum err
make_directory(const char *path, mode_t mode, const struct passwd *owner, struct error *e)
{
	struct stat st;

	if (mkdir(path, mode) == 0) {
		/* The umask had its say. */
		if (chmod(path, mode) != 0)
			return err_errno(e, "set the mode of %s", path);
		if (owner != NULL && chown(path, owner->pw_uid, owner->pw_gid) != 0)
			return err_errno(e, "give %s to %s", path, owner->pw_name);
		return ERR_ok;
	}
	if (errno != EEXIST)
		return err_errno(e, "make the run directory %s", path);
	if (stat(path, &st) != 0)
		return err_errno(e, "run directory %s", path);
	if (!S_ISDIR(st.st_mode))
		return err_set(e, ERR_config, "the run directory %s is not a directory", path);
	return ERR_ok;
}

static enum err
make_directories(const char *run_directory, const struct passwd *owner, struct error *e)
{
	char     path[PATH_MAX];
	enum err err = make_directory(run_directory, 0750, owner, e);

	if (err != ERR_ok)
		return err;
	(void)snprintf(path, sizeof(path), "%s/worker", run_directory);
	return make_directory(path, 0700, owner, e);
}

enum err
identity_assume(const char *user, const char *run_directory, const char *config_path, struct error *e)
{
	const struct passwd *found;
	enum err             err;

	if (geteuid() != 0)
		return make_directories(run_directory, NULL, e);
	if (user[0] == '\0')
		return err_set(e, ERR_config,
		    "steward does not run as root: say in %s whom to become (user = \"steward\";), or start it as another user",
		    config_path);
	found = getpwnam(user);
	if (found == NULL)
		return err_set(e, ERR_config, "there is no user %s to become; make it, or change user in %s", user, config_path);
	err = make_directories(run_directory, found, e);
	if (err != ERR_ok)
		return err;
	return account_become(found, e);
}

static void
sweep(const char *directory)
{
	DIR           *d = opendir(directory);
	struct dirent *entry;

	if (d == NULL)
		return;
	while ((entry = readdir(d)) != NULL) {
		const char *dot = strrchr(entry->d_name, '.');

		if (dot != NULL && strcmp(dot, ".ipc") == 0)
			(void)unlinkat(dirfd(d), entry->d_name, 0);
	}
	(void)closedir(d);
}

void
identity_sweep(const char *run_directory)
{
	char path[PATH_MAX];

	sweep(run_directory);
	(void)snprintf(path, sizeof(path), "%s/worker", run_directory);
	sweep(path);
}
