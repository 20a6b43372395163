// SPDX-License-Identifier: MIT
//
// What was found on the disk of a folder that only receives.
#ifndef AGENT_SYNC_MODE_PRIV_H
#define AGENT_SYNC_MODE_PRIV_H

#include "agent/sync/engine_priv.h"

struct found_here {
    struct value value; // a tombstone: nothing is there any more
    struct buf target;  // of a link
    int64_t mtime_ns;
    struct fingerprint print;
    bool racy;
};

#endif
