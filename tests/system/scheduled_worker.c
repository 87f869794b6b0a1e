/* SPDX-License-Identifier: Apache-2.0 */
/*
 * A worker of whatever kind it is called, that has nothing but jobs.
 */
#include <libgen.h>

#include "worker.h"

int
main(int argc, char *argv[])
{
	struct worker_ops ops = { .self = worker_kind_by_name(basename(argv[0])), .scheduled = true };

	return worker_main(argc, argv, &ops);
}
