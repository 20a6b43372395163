// SPDX-License-Identifier: MIT
//
// A page of versions for a peer: what it is owed, and whole bundles. Shared by round.c and push.c.
#ifndef AGENT_SYNC_PAGE_PRIV_H
#define AGENT_SYNC_PAGE_PRIV_H

#include "agent/sync/engine_priv.h"

struct page {
    struct version *list;
    uint32_t count, max;
    uint32_t enough; // with so many it is full; the item that made it so, and bundles, still fit
    size_t bytes, bytes_max; // as encoded
    struct map *paths;       // of the items that were added
    struct map *bundles;     // that were looked for
    struct map *ahead;       // of the round: members that were sent before their turn, or NULL
};

void page_init(struct page *page, struct arena *arena, uint32_t max, size_t bytes_max);
void page_fini(struct page *page);
bool page_has(const struct page *page, struct slice path); // the item was added

// Those heads of the item that `wanted` picks, then all that the bundles of these have. Heads of
// the item itself always fit; members that would go over the page's limits are left out, which no
// bundle that was made or accepted here comes to.
void page_add(struct folder *folder, struct page *page, const struct item *item,
              bool (*wanted)(const void *context, const struct version *), const void *context);

// Goes on with a round; true: this page has all that is left.
bool page_fill(struct folder *folder, struct serving *serving, struct page *page);

#endif
