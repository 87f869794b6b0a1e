/* SPDX-License-Identifier: Apache-2.0 */
/*
 * message_scan - what bytes may reach msgpack-c.
 */
#ifndef STEWARD_MESSAGE_SCAN_H
#define STEWARD_MESSAGE_SCAN_H

#include "error.h"

/*
 * Find where the first object of `wire` ends.  Whatever passes is one complete
 * object without ext, bin, float or nil, at most two levels deep, that the
 * library unpacks in a few KiB.
 * Errors: ERR_bad_message.
 */
NODISCARD enum err msg_scan(const uint8_t *wire, size_t length, size_t *end, struct error *e);

#endif
