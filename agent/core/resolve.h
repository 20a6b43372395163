// SPDX-License-Identifier: MIT
//
// agent/core/resolve — what concurrent versions of an item come to: a plan of new versions, the
// same on every device that sees the same heads.
//
// Pure: asks for other items through struct index_view. The engine checks that all contents are
// held and that the disk can take the result before it carries a plan out; docs/PROTOCOL.md
// "Resolution" has the rules.
#ifndef AGENT_CORE_RESOLVE_H
#define AGENT_CORE_RESOLVE_H

#include "agent/core/item.h"

struct index_view {
    void *context;
    void (*item)(void *context, struct arena *arena, struct slice path, struct item *out);
    // Up to max items under .cfgsync/conflicts whose origin is `path`.
    uint32_t (*conflicts_of)(void *context, struct arena *arena, struct slice path, uint32_t max,
                             struct item *out);
    // Up to max live items strictly below path.
    uint32_t (*live_below)(void *context, struct arena *arena, struct slice path, uint32_t max,
                           struct item *out);
};

// A new version of one path: all but dots, which are drawn when it is published. vv lacks the own
// dot.
struct member {
    struct slice path;
    struct version version;
    struct item item; // as it is in the index now
};

struct resolution {
    struct member *members; // in the order of the disk steps; the item itself last
    uint32_t count;
    bool bundle; // more than one version that must travel together
};

// All of a resolution must fit into one page of a round, whoever sends it: it is never split.
enum {
    RESOLVE_MEMBERS_MAX = PROTO_BUNDLE_MAX,
    RESOLVE_BYTES_MAX = PROTO_BUNDLE_BYTES_MAX, // an upper bound of the members as encoded
    // Items below a clash leave only if that is a small part of a page: joined with what another
    // device made of the same clash, their versions grow.
    RESOLVE_LEAVING_MAX = 64,
    RESOLVE_LEAVING_BYTES_MAX = RESOLVE_BYTES_MAX / 4,
};

// Plans for an item with several heads. False: not now (a conflict name is taken by something not
// yet scanned). Items within the limits of proto/limits.h always come to a plan that fits.
bool resolve_heads(struct arena *arena, const struct index_view *index, struct folder_id folder,
                   const struct item *item, struct resolution *out);

// A live file or symlink at item->path with live items below it (2.8). Where what is below is to
// leave but is too much for one resolution, the item leaves instead.
bool resolve_clash(struct arena *arena, const struct index_view *index, struct folder_id folder,
                   const struct item *item, struct resolution *out);

// Of the live heads the one that keeps the name; NULL: none lives.
const struct version *resolve_winner(const struct item *item);

// The conflict item's path for a losing version x of path p.
struct slice conflict_name(struct arena *arena, struct folder_id folder, struct slice path,
                           const struct version *x);

#endif
