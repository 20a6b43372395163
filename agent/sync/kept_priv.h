// SPDX-License-Identifier: MIT
//
// Kept files that no row names (kept_left.c), and what they share with those of rows (kept.c).
#ifndef AGENT_SYNC_KEPT_PRIV_H
#define AGENT_SYNC_KEPT_PRIV_H

#include "agent/sync/engine_priv.h"

void kept_submit(struct folder *folder, struct job *job); // one at a time
void kept_left_tick(struct folder *folder);
void kept_left_done(struct folder *folder, const struct job *done);

#endif
