// SPDX-License-Identifier: MIT
//
// Deltas of large contents: delta_in.c gets them, delta_out.c gives them.
#ifndef AGENT_SYNC_DELTA_PRIV_H
#define AGENT_SYNC_DELTA_PRIV_H

#include "agent/sync/fetch_priv.h"

// ---- getting
// What is missing of a content whose leaves are known, by a delta if there is something to make it
// of and somebody to ask. False: it is to be asked for as it is.
bool delta_begin(struct folder *folder, struct transfer *t);
void delta_job_done(struct folder *folder, struct transfer *t, struct job *job);
void delta_share_gone(struct transfer *t, const struct share *share);
void delta_expire(struct transfer *t, int64_t older_than_ms);
void delta_drop(struct transfer *t); // it is of no interest any more
bool delta_asked(const struct transfer *t);

// Frees what a job of a delta that nobody waits for any more has left.
void delta_release(struct job *job);

#endif
