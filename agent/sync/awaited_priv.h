// SPDX-License-Identifier: MIT
//
// What may still come, and is waited for before a resolution or before a content is given up: for
// resolve.c, made.c and emptied.c.
#ifndef AGENT_SYNC_AWAITED_PRIV_H
#define AGENT_SYNC_AWAITED_PRIV_H

#include "agent/sync/engine_priv.h"

// The folder is shared with him, he was here within so many days, and is away, or has not said yet
// what he has of it.
bool peer_may_tell(struct folder *folder, const struct peer *peer, int64_t days);
// What is known has gaps that may be closed.
bool more_may_come(struct folder *folder);
// A peer has forgotten deletions that may not be known here.
bool deletions_may_come(const struct folder *folder);
// Of a leaf with something that lives below it: the end of either may come, also from peers that
// are away. All below was published before the leaf by peers that made it and are away, not for
// longer than a day, with what K lacks of them: it had ended by then. The transaction that changes
// a path's type publishes first what that ends (algorithm.md 2.3).
bool clash_may_end(struct folder *folder, const struct item *leaf);

#endif
