// SPDX-License-Identifier: MIT
//
// agent/daemon/wire_rooms — what joins agent/sync to agent/store and agent/fs. Also for whoever
// runs an engine without a daemon.
#ifndef AGENT_DAEMON_WIRE_ROOMS_H
#define AGENT_DAEMON_WIRE_ROOMS_H

#include "agent/fs/disk.h"
#include "agent/sync/engine.h"

struct index_port wire_index(struct store *store); // borrowed
enum engine_watch wire_watch(enum watch_what what);

#endif
