/* SPDX-License-Identifier: Apache-2.0 */
/*
 * capacity_snapshot - writes down once a day how full each unit is.
 *
 * It has nothing to do but its jobs, so that a slow one delays nobody else.
 */
#include "worker.h"

static const struct worker_ops ops = {
	.self      = WORKER_capacity_snapshot,
	.scheduled = true,
};

int
main(int argc, char *argv[])
{
	return worker_main(argc, argv, &ops);
}
