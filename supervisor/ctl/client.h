/* SPDX-License-Identifier: Apache-2.0 */
/*
 * client - one question to the daemon and its answer.
 *
 * An answer that says `refused` becomes its row of errors.def with the daemon's
 * own sentence, so a command handles only what it asked for.
 */
#ifndef STEWARD_CLIENT_H
#define STEWARD_CLIENT_H

#include "bus.h"
#include "command.h"

/* --socket, STEWARD_SOCKET, or control.ipc in the run directory of the configuration.  Absolute.  Errors: ERR_config. */
NODISCARD enum err client_socket(const struct command_context *c, char path[BUS_PATH_SIZE], struct error *e);

/* Another socket beside that one, "events.ipc". */
NODISCARD enum err client_sibling(const struct command_context *c, const char *name, char path[BUS_PATH_SIZE],
    struct error *e);

/* Ask and wait.  Errors: ERR_unavailable (nobody is there), ERR_denied, ERR_timeout, ERR_config. */
NODISCARD enum err client_ask(const struct command_context *c, const struct msg *question,
    struct bus_reply **reply, struct error *e);

/* The same, but nobody being there is ERR_not_running: for those who ask just that. */
NODISCARD enum err client_probe(const struct command_context *c, const struct msg *question,
    struct bus_reply **reply, struct error *e);

/* Listen to events.ipc beside the control socket.  Errors: those of client_ask. */
NODISCARD enum err client_subscribe(const struct command_context *c, struct bus_subscriber **stream,
    struct error *e);

/* The next row of the answer; ERR_again after the last. */
NODISCARD enum err client_next(struct bus_reply *reply, struct msg *m, struct error *e);

/* Ask for a thing to be done, and print what the daemon says about it. */
NODISCARD enum err client_do(const struct command_context *c, const struct msg *question, struct error *e);

#endif
