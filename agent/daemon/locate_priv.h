// SPDX-License-Identifier: MIT
//
// agent/daemon/locate — from an absolute path to a folder and an item's path.
#ifndef AGENT_DAEMON_LOCATE_PRIV_H
#define AGENT_DAEMON_LOCATE_PRIV_H

#include "agent/base/log.h"
#include "agent/daemon/control_priv.h"

struct located {
    const struct registry_folder *folder; // until the registry changes
    uint32_t number;                      // the engine's
    struct slice path;                    // on the scratch arena; empty: the root
    bool is_item;                         // it is canonical, and within the limits
};

// Answers the request and returns false when the path is not absolute or lies in no folder.
bool locate(struct agent *agent, uint64_t request, const char *path, struct located *out);
bool locate_find(struct agent *agent, const char *path, struct located *out);

#endif
