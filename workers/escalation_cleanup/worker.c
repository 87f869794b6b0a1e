/* SPDX-License-Identifier: Apache-2.0 */
/*
 * escalation_cleanup - archives and removes what is old, and checks the counts.
 *
 * It has nothing to do but its jobs, so that a slow one delays nobody else.
 */
#include "worker.h"

static const struct worker_ops ops = {
	.self      = WORKER_escalation_cleanup,
	.scheduled = true,
};

int
main(int argc, char *argv[])
{
	return worker_main(argc, argv, &ops);
}
