// SPDX-License-Identifier: MIT
//
// agent/core/item — what the index knows of one path: heads (known) and local (on this disk).
//
// Two facts, never mixed: a local edit descends from local, never from what is merely known.
#ifndef AGENT_CORE_ITEM_H
#define AGENT_CORE_ITEM_H

#include "proto/types.h"

// What lstat said. Times of an absent path are zero.
struct fingerprint {
    bool present;
    enum kind kind; // FILE, DIR, SYMLINK; 0: another type (fifo, socket, device)
    uint32_t mode;  // st_mode & 07777
    uint64_t device;
    uint64_t ino;
    uint64_t size;
    uint64_t links; // st_nlink
    int64_t mtime_ns;
    int64_t ctime_ns;
};

enum local_state {
    LOCAL_NONE,     // never here
    LOCAL_OK,       // the disk shows this version (or showed, when the path was last looked at)
    LOCAL_DIRTY,    // must be read again before use
    LOCAL_OBSOLETE, // forgotten elsewhere, or left out here by a rule: may be replaced by any
                    // single head, and that it is gone means nothing
};

struct local {
    enum local_state state;
    struct version version;   // may be an applied tombstone
    struct fingerprint print; // when it was last seen equal
    bool racy;                // mtime so close to the look that a later write may not show
    struct slice disk_name;   // last component as the disk spells it; empty: as in the path
};

enum blocked {
    BLOCKED_NONE,
    BLOCKED_IGNORED,
    BLOCKED_CASE,
    BLOCKED_NORMALIZATION,
    BLOCKED_NAME_TOO_LONG,
    BLOCKED_PERMISSION,
    BLOCKED_NO_SPACE,
    BLOCKED_NOT_EMPTY,
    BLOCKED_IN_THE_WAY,
    BLOCKED_SYMLINK,
    BLOCKED_IO,
    BLOCKED_BUSY,
    BLOCKED_TYPE,
    BLOCKED_NO_SOURCE,    // nobody answers with the content
    BLOCKED_SEND_ONLY,    // the folder's mode
    BLOCKED_CHANGED_HERE, // in a folder that only receives
    BLOCKED_COUNT
};

const char *blocked_text(enum blocked reason); // "no-space", "in-the-way", ...

struct item {
    struct slice path;
    struct version *heads;
    uint32_t head_count;
    struct local local;
    enum blocked blocked;
    bool need; // heads are not exactly what is on disk (implied directories excepted)
    uint64_t
        own_last; // highest counter of the own incarnation minted here for this item (INV-OwnChain)
    uint64_t seq; // set by the store when heads change
    uint64_t row; // the store's own; 0: not stored yet
};

#endif
