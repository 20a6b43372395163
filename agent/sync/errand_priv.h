// SPDX-License-Identifier: MIT
//
// What jobs are made for.
#ifndef AGENT_SYNC_ERRAND_PRIV_H
#define AGENT_SYNC_ERRAND_PRIV_H

#include "agent/sync/engine_priv.h"

// What a job was made for; job->context points to one.
enum purpose {
    FOR_TRANSFER = 1,
    FOR_PUSH,
    FOR_SERVE,
    FOR_DELTA,
    FOR_RESOLVE,
    FOR_APPLY,
    FOR_DECIDE,
    FOR_LATE_WRITE
};
struct errand {
    enum purpose purpose;
    struct transfer *transfer;
    uint32_t leaf;
    uint64_t session_number; // FOR_PUSH, FOR_SERVE, FOR_DELTA: still that session?
    uint64_t round;          // FOR_TRANSFER: of a delta
    uint64_t ticket;         // FOR_PUSH: of the pushes whose contents it stages; FOR_DELTA
    bool decided;            // FOR_RESOLVE: a person's decision
    uint64_t stagings;       // of the folder when it was submitted
};

#endif
