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
void delta_more(struct transfer *t);
void delta_drop(struct transfer *t);   // it is of no interest any more
void delta_forget(struct transfer *t); // likewise, and nobody is told
bool delta_asked(const struct transfer *t);

void delta_handle(struct share *share, const struct msg_delta *delta);

// ---- giving
void signature_handle(struct share *share, const struct msg_signature *signature);
bool delta_acked(struct share *share, const struct msg_ack *ack); // false: it is of no delta
void delta_diffed(struct share *share, struct job *job);
void deltas_more(struct share *share); // as there is room
void deltas_clear(struct share *share);

// ---- serve.c, for it
void serve_not_held(struct share *share, struct digest *ids, uint32_t count);
bool serve_has_room(const struct share *share);
// Where the content is; entry->err: not here, or not now.
void serve_entry_fill(struct folder *folder, struct job *job, struct read_entry *entry,
                      const struct ask *ask);

// Frees what a job of a delta that nobody waits for any more has left.
void delta_release(struct job *job);

#endif
