/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bus_guard - who may be connected to a listening socket, how often, how long.
 *
 * nng has no timeout after the handshake: a peer that sends half a frame or
 * never reads would hold its connection for ever.  The guard admits at most
 * `per_uid` connections of one user and closes those that ask nothing for idle_ms.
 * Its timer runs on nng's threads and only while somebody is connected.
 */
#ifndef STEWARD_BUS_GUARD_H
#define STEWARD_BUS_GUARD_H

#include "bus_nng.h"

enum { BUS_CONNECTIONS_MAX = 1024 }; /* those count that nng has not buried yet, too */

struct bus_guard;

struct bus_guard_options {
	const char *path;
	unsigned per_uid;
	unsigned idle_ms; /* 0: for ever */
	bool (*admit)(const struct bus_peer *peer, void *arg);
	void *arg;
};

/* Call before the listener starts; close the socket before bus_guard_destroy().  The path is copied. */
NODISCARD enum err bus_guard_create(nng_socket socket, const struct bus_guard_options *o, struct bus_guard **out,
    struct error *e);
void               bus_guard_destroy(struct bus_guard *g);

/*
 * A request has come in from this connection.  False: it is not worth an answer,
 * because the connection is ending, or it asks before its last request is
 * answered and ends now.  Otherwise the answer may take its time.
 */
bool bus_guard_asked(struct bus_guard *g, nng_pipe pipe, struct bus_peer *peer);
void bus_guard_answered(struct bus_guard *g, nng_pipe pipe);

/* End the connection, and with it the others of its process to this socket. */
void bus_guard_end(struct bus_guard *g, nng_pipe pipe);

/* Admit nobody any more and end all; wait until they are gone, but at most BUS_HANG_UP_MS.  NULL is fine. */
void bus_guard_end_all(struct bus_guard *g);

#endif
