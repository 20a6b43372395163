// SPDX-License-Identifier: MIT
//
// agent/sync/bench — what the engine and its sessions tell a bench under way.
#ifndef AGENT_SYNC_BENCH_PRIV_H
#define AGENT_SYNC_BENCH_PRIV_H

#include "agent/sync/engine_priv.h"

void probe_handle(struct session *session, const struct msg_probe *probe);
void bench_tick(struct engine *engine);
int64_t bench_deadline(const struct engine *engine);

#endif
