// SPDX-License-Identifier: MIT
//
// What lives in a folder, listed in the order of paths for a peer that it is shared with and whose
// folder of this name is another one. Nothing is remembered between two pages.
#include "agent/core/resolve.h"
#include "agent/sync/ranges_priv.h"

enum { LIST_ITEMS = 1024, LIST_PAGE = 128, LIST_BYTES = PROTO_PAGE_BYTES_MAX / 4 * 3 };

struct listing {
    struct version *list;
    uint32_t count, looked_at;
    size_t bytes;
    struct slice last; // path looked at
};

static bool listing_full(const struct listing *l)
{
    return l->looked_at >= LIST_ITEMS || l->bytes >= LIST_BYTES;
}

static void listing_add(struct listing *l, const struct item *item)
{
    const struct version *winner = resolve_winner(item);
    l->last = item->path;
    l->looked_at++;
    if (winner == NULL) return;
    l->list[l->count++] = *winner;
    l->bytes += version_encoded_size(winner);
}

// Returns where the next page begins; empty: all of the range is in this one.
static struct slice listing_fill(struct folder *folder, const struct range *asked,
                                 struct listing *l)
{
    struct arena *arena = folder->engine->scratch;
    l->list = arena_alloc(arena, LIST_ITEMS, sizeof *l->list);
    for (;;) {
        struct item *items = arena_alloc(arena, LIST_PAGE, sizeof *items);
        uint32_t got = range_items(folder, arena, asked->from, asked->to, l->last, l->looked_at > 0,
                                   LIST_PAGE, items);
        if (got == 0) return asked->to;
        for (uint32_t i = 0; i < got; i++) {
            if (listing_full(l)) return items[i].path;
            listing_add(l, &items[i]);
        }
    }
}

void list_handle(struct session *session, const struct msg_ranges *m)
{
    struct folder *folder = folder_by_id(session->engine, m->folder);
    // What is not shared with this peer does not exist for it.
    if (folder == NULL || !folder_shared_with(folder, session->peer->device)) return;
    struct message out = {.kind = MSG_RANGES};
    struct listing l = {0};
    struct range range = {.what = RANGE_ITEMS, .from = m->ranges[0].from};
    out.ranges.folder = m->folder;
    out.ranges.audit = m->audit;
    out.ranges.step = RANGES_LIST;
    bool ready = folder->row.scanned && !folder_turning(folder);
    if (ready) {
        range.to = listing_fill(folder, &m->ranges[0], &l);
        out.ranges.ranges = &range;
        out.ranges.range_count = 1;
        out.ranges.versions = (struct versions){.entries = l.list, .count = l.count};
    }
    (void)session_send(session, LANE_CONTROL, &out);
}
