/* SPDX-License-Identifier: Apache-2.0 */
/*
 * control - answers what stewardctl asks.
 */
#ifndef STEWARD_CONTROL_H
#define STEWARD_CONTROL_H

#include "supervisor.h"

/* Open control.ipc and events.ipc. */
NODISCARD enum err control_open(struct supervisor *s, struct error *e);

#endif
