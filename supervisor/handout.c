/* SPDX-License-Identifier: Apache-2.0 */
#include "handout.h"

#include <fcntl.h>
#include <stdio.h>
#include <unistd.h>

enum err
handout_write(const char *run_directory, const struct config *cfg, char path[HANDOUT_PATH_SIZE], struct error *e)
{
	char     fresh[HANDOUT_PATH_SIZE];
	enum err err = ERR_ok;
	int      fd;

	(void)snprintf(path, HANDOUT_PATH_SIZE, "%s/worker/steward.conf", run_directory);
	(void)snprintf(fresh, sizeof(fresh), "%s/worker/steward.new", run_directory);
	fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
	if (fd < 0)
		return err_errno(e, "write %s", fresh);
	if (config_write_values(fd, cfg) != 0)
		err = err_errno(e, "write %s", fresh);
	(void)close(fd);
	if (err == ERR_ok && rename(fresh, path) != 0)
		err = err_errno(e, "rename %s", fresh);
	return err;
}
