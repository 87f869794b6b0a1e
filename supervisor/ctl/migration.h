/* SPDX-License-Identifier: Apache-2.0 */
/*
 * migration - the files of migrations/, as migrations/embed.sh wrote them into the program.
 */
#ifndef STEWARD_MIGRATION_H
#define STEWARD_MIGRATION_H

struct migration {
	int         version;
	const char *name;   /* "0001_platform" */
	const char *sha256; /* of the up file, hex */
	const char *up;
	const char *down;
	const char *verify;
};

/* In order; a row with version 0 ends it. */
extern const struct migration migrations[];

/* Idempotent scripts: the cluster's roles (as an administrator), and steward.migration (as steward_owner). */
extern const char migration_roles[];
extern const char migration_ledger[];

#endif
