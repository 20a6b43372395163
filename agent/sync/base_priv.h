// SPDX-License-Identifier: MIT
//
// agent/sync/base — the base store of a folder: contents of small files as they are on this disk,
// put aside when nothing else is to be done, because when an edit is seen what was there is gone.
// What an edit or a deletion found here has replaced becomes a kept version.
#ifndef AGENT_SYNC_BASE_PRIV_H
#define AGENT_SYNC_BASE_PRIV_H

#include "agent/core/index.h"
#include "agent/sync/engine_priv.h"

struct base_entry { // a content that is stored, or on its way there
    struct content content;
    uint64_t room;
    int64_t mtime_ns;
    uint32_t at;    // in the heap
    uint32_t keeps; // versions that are to be kept of it
    bool arriving;  // the job that is made, or under way, puts it there
    bool doubted;   // perhaps no file has it any more
};

struct own_keep { // a version that was replaced here
    struct arena *arena;
    struct version version;
    struct slice bytes; // the content, if it was at hand
    bool at_hand;
    bool deleted;
    uint64_t device, ino;
    int64_t when_ms;
    struct dot after;
};

struct base {
    uint64_t room_max;
    struct map *entries;      // content key -> struct base_entry
    struct base_entry **heap; // the oldest first
    uint32_t count, capacity;
    uint32_t doubted;  // so many of them
    int64_t doubts_ms; // they are not looked at before
    uint64_t room;
    bool listed;   // what is stored is known
    bool answered; // or cannot be known
    bool job_out;
    bool resting;
    uint64_t seq, seq_saved; // items up to here have been looked at
    struct buf drops;        // struct content: to go
    struct own_keep **keeps; // in the order they were replaced; the first of them are with the job
    uint32_t keep_count, keep_capacity, keeps_out;
    uint32_t keeps_sure; // so many do not depend on the transaction under way
    size_t keep_bytes;   // at hand
    int64_t next_ms;     // not before
    int64_t waits_ms;    // since when there is something to be done; 0: there was nothing
};

// ---- base.c
struct base_entry *base_find(const struct base *b, const struct content *content);
void base_drop(struct base *b, struct base_entry *entry);

// ---- base_doubt.c: what perhaps no file has any more
bool base_shows(const struct item *item); // a file, as its local version says
void base_doubt_entry(struct base *b, struct base_entry *entry);
bool base_doubts(const struct folder *folder); // there are some, and it is the time to look
void base_doubts_settle(struct folder *folder);

// ---- base_keep.c
bool keeps_take(struct folder *folder, struct job *job); // false: there are none
void keeps_done(struct folder *folder, const struct job *job);
void keeps_drop(struct base *b, uint32_t from);
void keeps_ask(struct folder *folder, struct job *job); // which are there
void keeps_answered(struct folder *folder, const struct job *job);

#endif
