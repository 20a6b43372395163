// SPDX-License-Identifier: MIT
//
// Sums over parts of the sorted list of paths, and the talk of two peers about them: audit.c is the
// talk, ranges.c the sums, audit_take.c what is done with what differs.
#ifndef AGENT_SYNC_RANGES_PRIV_H
#define AGENT_SYNC_RANGES_PRIV_H

#include "agent/sync/engine_priv.h"

enum { RANGE_WAYS = 16, RANGE_CHUNKS_MAX = 256, RANGE_CHUNK_ITEMS = 1 };

struct range_chunk {
    struct slice from; // its first path
    uint64_t count;
    struct digest sum;
};

// Adds up a part in slices.
struct range_scan {
    struct folder *folder;
    struct arena *arena;
    struct slice from, to;
    struct vv floor; // tombstones that it covers may have been forgotten on either side
    struct buf cursor;
    bool begun, ended;
    uint64_t count;
    struct digest sum;
    struct range_chunk chunks[RANGE_CHUNKS_MAX];
    uint32_t chunk_count;
    uint64_t chunk_items;
};

void range_scan_begin(struct range_scan *scan, struct folder *folder, struct slice from,
                      struct slice to, struct vv floor);
void range_scan_end(struct range_scan *scan);
bool range_scan_step(struct range_scan *scan, uint32_t items); // true: ended
// What it added up in at most RANGE_WAYS parts of about the same size; slices are the scan's.
uint32_t range_scan_split(const struct range_scan *scan, struct range *out);

bool range_has(struct slice from, struct slice to, struct slice path);
// The next item of a part, after `after` (not set: from the first). False: there is none.
uint32_t range_items(struct folder *folder, struct arena *arena, struct slice from, struct slice to,
                     struct slice after, bool after_set, uint32_t max, struct item *out);
// False: nothing of it counts.
bool range_item_sum(struct arena *arena, const struct item *item, struct vv floor,
                    struct digest *out);
// The dots of a head that count.
struct dots range_dots(struct arena *arena, const struct version *head, struct vv floor);

// ---- audit.c
struct audit_work {
    struct range range; // texts are its own
    bool give;          // the item `range.from` is to be sent
    struct audit_work *next;
};

struct audit {
    struct share *share;
    uint64_t number;
    bool asker, reconcile;
    bool my_turn;
    bool opening;              // the answer to OPEN
    bool said_end, heard_end;  // nothing more to say
    struct vvbox k, own_floor; // when it began
    struct vvbox floor;        // join of both floors
    struct audit_work *work;
    uint32_t work_count;
    bool scanning;
    struct range_scan scan; // of the first of work
    struct arena *arena;    // of the message under way
    struct range *out;
    uint32_t out_count;
    struct slice *gives;
    uint32_t give_count;
    int64_t heard_ms;
    uint64_t items, moved, given; // as in struct audit_report
};

void audit_work_push(struct audit *audit, const struct range *range, bool give);

// ---- audit_when.c
enum { AUDIT_AGAIN_MS = 5000, AUDIT_CHECK_MS = 3600 * 1000 }; // K has moved; nothing is due
void audit_look(struct share *share);

// ---- audit_take.c. False: the audit is over, the session was ended or the share has to wait.
bool audit_take(struct audit *audit, const struct msg_ranges *m);

// ---- round.c: a reconciliation has ended, well or not
// `past`: also what was known and is superseded here (an audit; K may be wrong).
const char *ingest_one(struct folder *folder, const struct version *w, bool past,
                       bool *out_changed);
void pull_reconciled(struct share *share, bool done);
// Of what was dropped because the other has forgotten it. That may be since its DONE: the floor
// covers it as far as K claims it, or whoever pulls from here would miss it unnoticed. Inside a
// transaction.
void pull_dropped(struct share *share, struct vv dropped);

#endif
