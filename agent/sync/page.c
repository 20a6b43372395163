// SPDX-License-Identifier: MIT
//
// What goes into a page: by the dots a peer lacks, then by what has changed since the scan began.
// Versions of one resolution go together.
#include <string.h>

#include "agent/base/planted.h"
#include "agent/sync/page_priv.h"

#define INDEX(folder) (&(folder)->engine->o.index)

enum { PAGE_ROWS = 1024, AHEAD_MAX = 4096 };

void page_init(struct page *page, struct arena *arena, uint32_t max, size_t bytes_max)
{
    *page = (struct page){.max = max, .enough = max / 4 * 3, .bytes_max = bytes_max};
    page->list = arena_alloc(arena, max, sizeof *page->list);
    page->paths = map_new();
    page->bundles = map_new();
}

void page_fini(struct page *page)
{
    map_destroy(&page->paths);
    map_destroy(&page->bundles);
}

static bool page_full(const struct page *page)
{
    return page->bytes >= PROTO_PAGE_BYTES_MAX * 3 / 4 || page->count >= page->enough;
}

bool page_has(const struct page *page, struct slice path)
{
    return map_get(page->paths, path) != NULL;
}

static bool page_put(struct page *page, const struct version *v)
{
    size_t bytes = version_encoded_size(v);
    if (page->count == page->max || page->bytes + bytes > page->bytes_max) return false;
    page->list[page->count++] = *v;
    page->bytes += bytes;
    return true;
}

// What tells a version of a round from all others, as long as it does not change; if it does, the
// catch-up pages have it.
static struct slice ahead_key(struct arena *arena, const struct version *v)
{
    const struct dot *dot = &v->dots.entries[0];
    uint8_t *key = arena_alloc(arena, v->path.size + sizeof *dot, 1);
    memcpy(key, dot, sizeof *dot);
    memcpy(key + sizeof *dot, v->path.data, v->path.size);
    return slice_of(key, v->path.size + sizeof *dot);
}

static void member_put(struct folder *folder, struct page *page, const struct version *v)
{
    if (!page_put(page, v) || page->ahead == NULL || map_count(page->ahead) >= AHEAD_MAX) return;
    map_add(page->ahead, ahead_key(folder->engine->scratch, v));
}

// All that is owed of the item has gone with bundles: without this a bundle as large as a page
// would go once for each of its members.
static bool went_ahead(struct folder *folder, const struct page *page, const struct item *item,
                       struct vv k)
{
    bool all = map_count(page->ahead) > 0;
    for (uint32_t h = 0; h < item->head_count && all; h++) {
        const struct version *v = &item->heads[h];
        all = dots_covered(v->dots, k) ||
              map_get(page->ahead, ahead_key(folder->engine->scratch, v)) != NULL;
    }
    return all;
}

// The members carry neighbouring dots of one incarnation, the winner's last: they were drawn in one
// transaction.
static void bundle_collect(struct folder *folder, struct page *page, struct dot bundle)
{
    const struct index_port *index = INDEX(folder);
    struct arena *arena = folder->engine->scratch;
    struct slice key = slice_of(&bundle, sizeof bundle);
    if (map_get(page->bundles, key) != NULL) return;
    map_add(page->bundles, key);
    struct path_row *rows = arena_alloc(arena, PROTO_BUNDLE_MAX, sizeof *rows);
    uint64_t from = bundle.counter > PROTO_BUNDLE_MAX ? bundle.counter - PROTO_BUNDLE_MAX : 0;
    uint32_t got = index->dots_after(index->self, arena, folder->number, bundle.inc, from,
                                     bundle.counter, PROTO_BUNDLE_MAX, rows);
    for (uint32_t r = 0; r < got; r++) {
        struct item item;
        if (page_has(page, rows[r].path)) continue;
        index->item_get(index->self, arena, folder->number, rows[r].path, &item);
        for (uint32_t h = 0; h < item.head_count; h++) {
            if (dots_contain(item.heads[h].bundle, bundle))
                member_put(folder, page, &item.heads[h]);
        }
    }
}

void page_add(struct folder *folder, struct page *page, const struct item *item,
              bool (*wanted)(const void *context, const struct version *), const void *context)
{
    uint32_t from = page->count;
    map_add(page->paths, item->path);
    for (uint32_t h = 0; h < item->head_count; h++) {
        if (wanted(context, &item->heads[h])) (void)page_put(page, &item->heads[h]);
    }
    // A member may be of another bundle, too: equal values of two resolutions were joined.
    for (uint32_t i = from; i < page->count; i++) {
        for (uint32_t b = 0; b < page->list[i].bundle.count; b++)
            bundle_collect(folder, page, page->list[i].bundle.entries[b]);
    }
}

static bool owed(const void *context, const struct version *v)
{
    return !dots_covered(v->dots, *(const struct vv *)context);
}

// An item goes out at the first of its owed dots; if that one is new, the catch-up pages have it.
static bool first_owed_dot(const struct item *item, struct dot at, struct vv k)
{
    for (uint32_t h = 0; h < item->head_count; h++) {
        for (uint32_t i = 0; i < item->heads[h].dots.count; i++) {
            struct dot d = item->heads[h].dots.entries[i];
            if (vv_covers(k, d)) continue;
            if (d.inc < at.inc || (d.inc == at.inc && d.counter < at.counter)) return false;
        }
    }
    return true;
}

// Fills the page from one incarnation; returns true when that incarnation is exhausted.
static bool scan_inc(struct folder *folder, struct serving *s, uint64_t inc, struct page *page)
{
    const struct index_port *index = INDEX(folder);
    struct arena *arena = folder->engine->scratch;
    struct path_row *rows = arena_alloc(arena, PAGE_ROWS, sizeof *rows);
    uint64_t after = vv_get(s->k.v, inc);
    if (s->inc == inc && s->counter > after) after = s->counter;
    s->inc = inc;
    for (;;) {
        uint32_t got = index->dots_after(index->self, arena, folder->number, inc, after,
                                         PROTO_COUNTER_MAX, PAGE_ROWS, rows);
        for (uint32_t i = 0; i < got; i++) {
            if (page_full(page)) return false;
            struct item item;
            after = s->counter = rows[i].counter;
            index->item_get(index->self, arena, folder->number, rows[i].path, &item);
            if (!first_owed_dot(&item, (struct dot){inc, rows[i].counter}, s->k.v)) continue;
            if (!went_ahead(folder, page, &item, s->k.v))
                page_add(folder, page, &item, owed, &s->k.v);
        }
        if (got < PAGE_ROWS) return true;
    }
}

// The dots in order of (incarnation, counter); true when all have been seen.
static bool scan_dots(struct folder *folder, struct serving *s, struct page *page)
{
    const struct index_port *index = INDEX(folder);
    uint64_t *incs;
    uint32_t count = index->dot_incs(index->self, folder->engine->scratch, folder->number, &incs);
    for (;;) {
        bool found = false;
        uint64_t next = 0;
        for (uint32_t i = 0; i < count; i++) {
            if (incs[i] >= s->inc && (!found || incs[i] < next)) {
                next = incs[i];
                found = true;
            }
        }
        if (!found) return true;
        if (!scan_inc(folder, s, next, page)) return false;
        if (next == UINT64_MAX) return true;
        s->inc = next + 1;
        s->counter = 0;
    }
}

// What has changed since the scan began; true when this page holds all that is left.
static bool scan_seq(struct folder *folder, struct serving *s, struct page *page)
{
    const struct index_port *index = INDEX(folder);
    struct arena *arena = folder->engine->scratch;
    struct path_row *rows = arena_alloc(arena, PAGE_ROWS, sizeof *rows);
    for (;;) {
        uint32_t got = index->seq_after(index->self, arena, folder->number, s->s0, PAGE_ROWS, rows);
        for (uint32_t i = 0; i < got; i++) {
            if (page_full(page)) return false;
            struct item item;
            index->item_get(index->self, arena, folder->number, rows[i].path, &item);
            if (!page_has(page, item.path)) page_add(folder, page, &item, owed, &s->k.v);
            s->s0 = rows[i].counter;
        }
        if (got < PAGE_ROWS) return true;
    }
}

bool page_fill(struct folder *folder, struct serving *s, struct page *page)
{
    if (s->ahead == NULL) s->ahead = map_new();
    page->ahead = s->ahead;
    if (!s->catching_up && scan_dots(folder, s, page)) s->catching_up = true;
    if (PLANTED(no_catch_up)) return s->catching_up;
    return s->catching_up && !page_full(page) && scan_seq(folder, s, page);
}
