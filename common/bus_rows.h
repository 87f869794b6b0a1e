/* SPDX-License-Identifier: Apache-2.0 */
/*
 * bus_rows - what both ends do with the bytes that a socket has delivered.
 * No socket here, so that the fuzzer can stand in for one.
 */
#ifndef STEWARD_BUS_ROWS_H
#define STEWARD_BUS_ROWS_H

#include "bus.h"

/* Read bytes that must be exactly one message.  ERR_bad_message. */
NODISCARD enum err bus_rows_read(const uint8_t *bytes, size_t length, enum party from, struct msg *m, struct error *e);

/* A reply with a copy of the bytes.  ERR_no_memory. */
NODISCARD enum err bus_reply_create(const uint8_t *bytes, size_t length, struct bus_reply **out, struct error *e);

#endif
