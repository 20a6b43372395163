// SPDX-License-Identifier: MIT
//
// agent/daemon/machine_id — the system's own name for this machine.
#ifndef AGENT_DAEMON_MACHINE_ID_PRIV_H
#define AGENT_DAEMON_MACHINE_ID_PRIV_H

#include <stdbool.h>

#include "agent/base/bytes.h"

// Appends it; false: this system has none.
bool machine_id_read(struct buf *out);

#endif
