// SPDX-License-Identifier: MIT
//
// agent/sync/unread — a read of the index that failed outside a transaction, and looked like one
// that found nothing.
#ifndef AGENT_SYNC_UNREAD_PRIV_H
#define AGENT_SYNC_UNREAD_PRIV_H

#include "agent/sync/engine_priv.h"

// Whether there may have been one. Until it is known that there is none, no peer is told anything.
bool index_unread(struct engine *engine);
void unread_settle(struct engine *engine); // at the end of each turn
void unread_tick(struct engine *engine);
int64_t unread_deadline(const struct engine *engine);

#endif
