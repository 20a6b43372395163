// SPDX-License-Identifier: MIT
//
// A person's decision on its way: what is to be brought about, path by path.
#ifndef AGENT_SYNC_DECIDE_PRIV_H
#define AGENT_SYNC_DECIDE_PRIV_H

#include "agent/core/index.h"
#include "agent/sync/engine_priv.h"

struct target {
    struct slice path;
    struct value value; // what shall be there; a tombstone: nothing
    int64_t mtime_ns;
    struct slice origin; // of a conflict item that is new
    bool known;          // it was shown to the person, whether or not it has come to this disk
    bool only_if;        // nothing has happened to it since `after`
    struct dot after;    // of the version that is expected there
};

struct decide {
    uint64_t ticket; // 0: nobody waits for it any more
    struct arena *arena;
    struct target *targets;
    uint32_t count, capacity;
    uint32_t done;
    uint32_t running; // targets of the intent under way
    uint32_t members; // those of them that it changes
    uint32_t tries;
    uint64_t first;             // own counter of what it minted first; 0: nothing yet
    bool leaves;                // a join is taken back: it goes on whatever happens
    bool first_counts;          // the others go only if the first target comes about
    bool file_wanted, file_out; // the first target's content comes from a file elsewhere
    struct slice file;
    struct slice kept_file; // the first target's content was written into it lately
    int64_t deadline_ms, next_ms;
    struct decision_result result;
    struct decide *next;
};

struct target *target_add(struct decide *decide, struct slice path, const struct version *version);

// What takes back all that a join has brought.
void decide_make_leave(struct folder *folder, struct decide *decide);
// What has to come about. NULL, or why nothing can.
const char *decide_make(struct folder *folder, const struct decision *decision,
                        struct decide *decide);

#endif
