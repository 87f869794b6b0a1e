/* SPDX-License-Identifier: Apache-2.0 */
/*
 * status - how everything is, as rows for stewardctl and as one sentence for
 * the init system.
 */
#ifndef STEWARD_STATUS_H
#define STEWARD_STATUS_H

#include "supervisor.h"

void status_of_node(const struct supervisor *s, struct msg_node *row, int64_t now_ms);
void status_of_slot(const struct slot *slot, struct msg_worker *row, int64_t now_ms);

/* Whether there is something to say about it: it is wanted, or still there. */
bool status_has(const struct slot *slot);

/* One sentence that ends with the next step when there is one. */
void status_sentence(const struct supervisor *s, char text[NOTIFY_STATUS_SIZE]);

#endif
