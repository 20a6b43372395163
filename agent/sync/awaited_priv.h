// SPDX-License-Identifier: MIT
//
// What may still come, and is waited for before a resolution: for resolve.c and made.c.
#ifndef AGENT_SYNC_AWAITED_PRIV_H
#define AGENT_SYNC_AWAITED_PRIV_H

#include "agent/sync/engine_priv.h"

// What is known has gaps that may be closed.
bool more_may_come(struct folder *folder);
// A peer has forgotten deletions that may not be known here.
bool deletions_may_come(const struct folder *folder);
// Of a leaf with something that lives below it: the end of either may come, also from a peer that
// is away, not for longer than a day. It is known to have made one of them after the other, and K
// lacks something of what it made in between: the transaction that changes a path's type publishes
// first what that ends (algorithm.md 2.3).
bool clash_may_end(struct folder *folder, const struct item *leaf);

#endif
