// SPDX-License-Identifier: MIT
//
// agent/sync/changes — what changed of a folder, by whom, and what came of it, as the index tells.
//
// Everything lives on the arena.
#ifndef AGENT_SYNC_CHANGES_H
#define AGENT_SYNC_CHANGES_H

#include "agent/sync/engine.h"

struct change {
    struct slice path;
    const char *what; // "created", "changed", "deleted"; of conflict items "set-aside", "settled"
    enum kind kind;
    uint64_t size;
    struct slice by;       // empty: not known
    int64_t when_ms;       // wall clock of who made it
    const char *outcome;   // "here", "pending", "blocked", "held", "unresolved", "conflict", or
    const char *reason;    // of "blocked" and "held"; else NULL
    int64_t replaced_ms;   // "replaced": then
    struct slice *missing; // of "here": the first of the peers whose disks do not show it
    uint32_t missing_count;
};
struct change_filter {
    const char *folder;
    struct slice path; // one file: all that is known of it; else of each item in it the last change
    bool has_by;
    struct device_id by;
    int64_t since_ms;
    uint64_t before; // 0, or *out_before of the call before
};
// At most `max` of one folder; returns how many. *out_before: with it there may be more; 0: not.
uint32_t engine_changes(struct engine *engine, struct arena *arena,
                        const struct change_filter *filter, uint32_t max, struct change *out,
                        uint64_t *out_before);

#endif
