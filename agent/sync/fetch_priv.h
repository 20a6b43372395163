// SPDX-License-Identifier: MIT
//
// Shared by fetch.c (any content) and parts.c (large ones, leaf by leaf).
#ifndef AGENT_SYNC_FETCH_PRIV_H
#define AGENT_SYNC_FETCH_PRIV_H

#include "agent/sync/engine_priv.h"

struct transfer *transfer_find(struct folder *folder, const struct content *content);
void transfer_list_new(struct folder *folder, struct transfer *t);
void transfer_unlist(struct folder *folder, struct transfer *t);
void transfer_free(struct folder *folder, struct transfer *t);
void transfer_note_tried(struct transfer *t, struct device_id device);
// What came is not what it should be: others are asked first. `what` is what the log says.
void transfer_wrong(struct transfer *t, const struct peer *peer, const char *what);
bool transfer_tried(const struct transfer *t, struct device_id device);
void source_is_silent(struct share *share);
void source_answers(struct share *share);
bool sources_have_room(const struct folder *folder);
struct share *transfer_source(struct folder *folder, const struct transfer *t, bool *out_any);
void transfers_done(struct folder *folder, struct transfer **list, uint32_t count);
void transfer_blocked(struct folder *folder, struct transfer *t, enum err err);
struct errand *errand_for(struct transfer *t);
void transfer_not_held(struct share *share, struct transfer *t);
void fetch_expire(struct folder *folder);
// Every connected peer was asked, and none has it.
bool transfer_refused_by_all(struct folder *folder, const struct transfer *t);

void parts_open(struct folder *folder, struct transfer *t);
void parts_ask_all(struct folder *folder);
void parts_job_done(struct folder *folder, struct transfer *t, uint32_t leaf, struct job *job);
void parts_share_gone(struct transfer *t, struct share *share);
void parts_expire(struct transfer *t, int64_t older_than_ms);
bool parts_asked(const struct transfer *t);                    // something of it is on its way
void parts_put_off(struct folder *folder, struct transfer *t); // to the end of those that wait
void parts_free(struct transfer *t);

#endif
