// SPDX-License-Identifier: MIT
//
// agent/core/index — rows of the index that are more than one item: shared by the engine and the
// store.
#ifndef AGENT_CORE_INDEX_H
#define AGENT_CORE_INDEX_H

#include "agent/core/item.h"

#define INDEX_MARK_EPOCHS 8 // of an incarnation, whose marks are kept

// `folder` is the number the store gave it, stable while the folder exists.
struct folder_row {
    uint32_t folder;
    struct folder_id id;
    struct slice name;
    uint64_t inc; // own incarnation
    uint8_t nonce[16];
    uint64_t counter; // last own counter drawn
    uint64_t seq;     // last seq given
    uint64_t base;    // own counter up to which each dot surely names one thing only
    bool met;         // a peer's counters have been compared with ours since `base` was noted
    bool renew;       // a new incarnation is to be drawn when the root is next seen
    bool doubt;       // index and root are of different times: that something is gone means nothing
                      // until all was looked at once
    bool first;       // versions minted before the first completed scan are `first`
    bool scanned;     // a scan has completed once
    bool ever_had_items;
    uint8_t witness_current[16];
    uint8_t witness_next[16];
    uint64_t items;      // live items (heads with a live version), kept up to date by item_put
    uint64_t bytes;      // of their contents
    uint64_t needs;      // unblocked; kept up to date by item_put
    uint64_t need_bytes; // of their (first) heads
    uint64_t blocked;
};

struct path_row {
    struct slice path;
    uint64_t counter; // dot scan: the dot's counter; seq scan: the seq
};

// What a peer said of a folder.
struct peer_row {
    struct vv k;
    struct vv a;
    uint64_t need_changes;
    uint64_t need_bytes;
    uint64_t blocked_total;
    struct slice blocked; // encoded list, opaque to the store
    int64_t seen_ms;      // wall clock
    uint64_t told;        // last struct rollback it was told of
    int64_t audit_ms;     // by the clock of age.c: when all was last compared with it
    bool audit_due;       // something happened that K does not tell
};

// What a change of another device, a decision, or an edit found here took off this disk. A row
// without a file says that there was nothing before: it is what `undo` needs.
struct kept_row {
    uint64_t number;        // given by the store, rising
    struct version version; // what was there; a tombstone: nothing
    struct slice file;      // its name in .cfgsync/kept; empty: no bytes were kept
    int64_t when_ms;        // wall clock
    struct device_id by;    // whose change took it away
    bool own;               // an edit found here did: it is of no batch, but came after it
    uint64_t batch;         // applied without a pause
    struct dot after;       // of the version that took its place
};

struct approval_row {
    uint64_t number; // given by the store, rising
    struct approval approval;
    bool vouched; // it came from a peer that may approve
};

// An incarnation that ended because its index was older than what it had published.
struct rollback {
    uint64_t number; // given by the store, rising
    uint64_t old, fresh;
    struct mark end; // of `old`; counter 0: it never published
};

struct journal_row {
    uint64_t number;
    struct slice record;
};

#endif
