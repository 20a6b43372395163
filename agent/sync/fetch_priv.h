// SPDX-License-Identifier: MIT
//
// Shared by what gets contents: transfers.c (which), sources.c (from whom), fetch.c, parts.c (leaf
// by leaf), orphans.c and abandon.c (those nobody has).
#ifndef AGENT_SYNC_FETCH_PRIV_H
#define AGENT_SYNC_FETCH_PRIV_H

#include "agent/sync/engine_priv.h"

enum transfer_state {
    TRANSFER_NEW,
    TRANSFER_COPYING,
    TRANSFER_ASKED,
    TRANSFER_PART,
    TRANSFER_LIST,
    TRANSFER_REUSING,
    TRANSFER_DELTA,
    TRANSFER_LEAVES,
    TRANSFER_FINISHING,
    TRANSFER_STAGING,
    TRANSFER_BROKEN,
    TRANSFER_NO_SOURCE
};

struct leaf_want {
    struct share *asked; // NULL: not asked
    uint8_t *bytes;      // being assembled
    uint32_t have;       // bytes so far, chunks come in order
    bool written;
    bool writing;
    int64_t asked_ms;
};

struct transfer {
    struct folder *folder;
    struct content content;
    enum transfer_state state;
    enum err broken; // why
    bool copy_tried;
    bool kept_tried;
    bool stored_tried;
    bool kept_gone; // its row is there, its file is not
    bool moved;
    bool large;
    struct slice *paths; // items that wait for it
    uint32_t path_count, path_capacity;
    bool more_paths; // than are remembered here: all needs are looked at when it is done
    struct arena *arena;
    struct share *asked;
    int64_t asked_ms;
    struct device_id *tried;
    uint32_t tried_count, tried_capacity;
    struct digest *leaves; // NULL: not known yet
    struct digest *list;   // being assembled to be that, of whichever peer: one is enough
    uint32_t leaf_count;
    int64_t chunk_ms;      // large: when a part worth the name last came
    int64_t progress_ms;   // when something of it was last complete
    int64_t not_before_ms; // it was put off, so many times in a row
    uint32_t put_offs;
    uint32_t list_have; // bytes of the list so far
    struct leaf_want *parts;
    uint32_t written, asked_leaves;
    struct delta_in *delta;
    bool delta_pays, delta_over; // the last one did; no more of them
    uint32_t delta_tries;
    struct reuse *reuse; // large: of the file that it is to replace, once that was tried
    uint32_t jobs;
    bool listed;
    struct transfer *prev, *next; // of the folder's lists of new ones
};

struct reuse;
struct delta_in;

// A file here that a content is to replace.
struct older {
    struct slice path;
    struct content content;
    struct digest *leaves;
    uint32_t leaf_count;
};

struct transfer *transfer_find(struct folder *folder, const struct content *content);
void transfer_list_new(struct folder *folder, struct transfer *t);
void transfer_unlist(struct folder *folder, struct transfer *t);
uint32_t leaf_size(const struct transfer *t, uint32_t leaf);
void transfer_free(struct folder *folder, struct transfer *t);
void transfer_note_tried(struct transfer *t, struct device_id device);
// What came is not what it should be: others are asked first. `what` is what the log says.
void transfer_wrong(struct transfer *t, const struct peer *peer, const char *what);
bool transfer_tried(const struct transfer *t, struct device_id device);
void source_is_silent(struct share *share);
void source_answers(struct share *share);
bool sources_have_room(const struct folder *folder);
struct share *transfer_source(struct folder *folder, const struct transfer *t, bool *out_any);
// Likewise, of those who understand all of `features`.
struct share *transfer_source_with(struct folder *folder, const struct transfer *t,
                                   uint64_t features, bool *out_any);
void transfers_done(struct folder *folder, struct transfer **list, uint32_t count);
void transfer_blocked(struct folder *folder, struct transfer *t, enum err err);
struct errand *errand_for(struct transfer *t);

// ---- copies.c
enum { COPIES_PER_STEP = 1024 }; // of small contents that are looked for at once
struct copies {                  // the job that is being filled
    struct folder *folder;
    struct job *job;
    uint32_t begun;
};
enum start { START_NONE, START_BEGUN, START_WAIT };
// NONE: it is not here, as far as that was not tried before. `copies`: where a small one goes.
enum start copy_begin(struct folder *folder, struct transfer *t, struct copies *copies);
void copies_submit(struct copies *copies);

// ---- sources.c, fetch.c
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

// ---- reuse.c
bool transfer_older(struct folder *folder, const struct transfer *t, struct older *out);
// Of a transfer whose leaves are known. False: there is nothing to be had, or it was tried.
bool reuse_begin(struct folder *folder, struct transfer *t);
void reuse_job_done(struct folder *folder, struct transfer *t, const struct job *job);

#endif
