// SPDX-License-Identifier: MIT
//
// The time by which things grow old (age.c).
#ifndef AGENT_SYNC_AGE_PRIV_H
#define AGENT_SYNC_AGE_PRIV_H

#include "agent/sync/engine_priv.h"

// Not inside a transaction.
int64_t age_now(struct engine *engine);
int64_t age_recent(struct engine *engine); // the same to ten minutes
// The wall clock, or the age where the clock is known to be behind. Also inside a transaction.
int64_t wall_unless_behind(struct engine *engine);

#endif
