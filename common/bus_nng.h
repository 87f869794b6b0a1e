/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bus_nng - what the bus files share, and the only header that includes nng's.
 * For common/bus*.c alone.
 */
#ifndef STEWARD_BUS_NNG_H
#define STEWARD_BUS_NNG_H

#include <nng/nng.h>
#include <nng/supplemental/util/platform.h>
#include <stdatomic.h>

#include "bus.h"

enum {
	BUS_HEADER_MAX = 64, /* what the protocols put before a body; RECVMAXSZ counts it */
	BUS_HANG_UP_MS = 1000
};

#define BUS_ANY_UID ((uid_t)-1)

/* "<what>: <nng's words>" as the row that fits nng's number. */
enum err bus_fail(struct error *e, int rv, const char *format, ...) PRINTF_LIKE(3, 4);

/* Listen with this mode and the group of the directory; a stale file is no obstacle. */
NODISCARD enum err bus_listen(nng_socket socket, const char *path, mode_t mode, struct error *e);

/* Connect in the background and again whenever the connection is lost. */
NODISCARD enum err bus_dial(nng_socket socket, const char *path, nng_dialer *dialer, struct error *e);

/* Connect once, now.  Errors: ERR_not_running, ERR_denied, ERR_timeout. */
NODISCARD enum err bus_connect(nng_socket socket, const char *path, int timeout_ms, nng_dialer *dialer,
    struct error *e);

/* Whether a lost connection is made again.  Not before closing: a handshake under way would leak. */
void bus_come_back(nng_dialer dialer);
void bus_stay_away(nng_dialer dialer);

/* One end of the connections of a path in this process. */
struct bus_end {
	const char *path;
	bool        dialled; /* else accepted */
	pid_t       pid;     /* accepted from this process; -1: from any */
	uid_t       uid;     /* accepted from this user; BUS_ANY_UID: from any */
};

/*
 * Let these connections find that no more bytes come, so that nng closes them.
 * Closing one that lives with nng_close or nng_pipe_close can block nng for ever
 * when a message comes in at that moment; a refusal in ADD_PRE cannot.
 */
void bus_hang_up(const struct bus_end *end);

/* How many of these connections have somebody at the other end; nng may need long to notice. */
unsigned bus_count_alive(const struct bus_end *end);

/* Append a row.  `seq` replaces the message's own. */
NODISCARD enum err bus_append(nng_msg *to, const struct msg *m, uint64_t seq, struct error *e);

/* One row as a message of its own. */
NODISCARD enum err bus_pack(const struct msg *m, uint64_t seq, nng_msg **out, struct error *e);

/* Read the one row of a received message and free it.  A bad one is counted. */
NODISCARD enum err bus_unpack(nng_msg *received, enum party from, struct msg *m, struct error *e);

/* A message that bus_link_send could not place. */
void bus_count_dropped(void);

#endif
