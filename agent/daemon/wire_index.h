// SPDX-License-Identifier: MIT
//
// agent/daemon/wire_index — the engine's index port, filled with agent/store. Also for whoever runs
// an engine without a daemon.
#ifndef AGENT_DAEMON_WIRE_INDEX_H
#define AGENT_DAEMON_WIRE_INDEX_H

#include "agent/sync/ports.h"

struct index_port wire_index(struct store *store); // borrowed

#endif
