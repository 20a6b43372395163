// SPDX-License-Identifier: MIT
//
// Sums over parts of the list of paths, which the index has in order. Additive, modulo 2^256, of a
// hash of each head: two parts are equal when their sums are. Source: Meyer, range-based set
// reconciliation; sums that add are needed because a part is added up in any grouping.
#include <string.h>

#include "agent/core/incarnation.h"
#include "agent/sync/ranges_priv.h"

#define INDEX(folder) (&(folder)->engine->o.index)

enum { PAGE = 128 };

static void sum_add(struct digest *sum, const struct digest *more)
{
    unsigned carry = 0;
    for (size_t i = sizeof sum->bytes; i-- > 0;) {
        carry += (unsigned)sum->bytes[i] + more->bytes[i];
        sum->bytes[i] = (uint8_t)carry;
        carry >>= 8;
    }
}

// A deletion that the other may have forgotten counts on neither side.
struct dots range_dots(struct arena *arena, const struct version *head, struct vv floor)
{
    if (version_live(head)) return head->dots;
    struct dots out = {.entries = arena_alloc(arena, head->dots.count + 1U, sizeof *out.entries)};
    for (uint32_t i = 0; i < head->dots.count; i++) {
        if (!vv_covers(floor, head->dots.entries[i]))
            out.entries[out.count++] = head->dots.entries[i];
    }
    return out;
}

bool range_item_sum(struct arena *arena, const struct item *item, struct vv floor,
                    struct digest *out)
{
    bool any = false;
    memset(out, 0, sizeof *out);
    for (uint32_t h = 0; h < item->head_count; h++) {
        struct version head = item->heads[h];
        head.dots = range_dots(arena, &head, floor);
        if (head.dots.count == 0) continue;
        struct digest one = version_digest(&head);
        sum_add(out, &one);
        any = true;
    }
    return any;
}

bool range_has(struct slice from, struct slice to, struct slice path)
{
    return (from.size == 0 || path_compare(path, from) >= 0) &&
           (to.size == 0 || path_compare(path, to) < 0);
}

uint32_t range_items(struct folder *folder, struct arena *arena, struct slice from, struct slice to,
                     struct slice after, bool after_set, uint32_t max, struct item *out)
{
    const struct index_port *index = INDEX(folder);
    uint32_t count = 0;
    if (!after_set && from.size > 0) {
        index->item_get(index->self, arena, folder->number, from, &out[0]);
        count = out[0].row != 0;
        after = from;
    }
    bool from_start = !after_set && from.size == 0;
    if (count < max)
        count += index->items_after(index->self, arena, folder->number, slice_text(""), after,
                                    from_start, max - count, out + count);
    while (count > 0 && !range_has(from, to, out[count - 1].path))
        count--;
    return count;
}

void range_scan_begin(struct range_scan *scan, struct folder *folder, struct slice from,
                      struct slice to, struct vv floor)
{
    *scan = (struct range_scan){.folder = folder, .from = from, .to = to, .floor = floor};
    scan->arena = arena_new();
    scan->chunk_items = RANGE_CHUNK_ITEMS;
}

void range_scan_end(struct range_scan *scan)
{
    arena_destroy(&scan->arena);
    buf_fini(&scan->cursor);
}

static void chunks_halve(struct range_scan *scan)
{
    uint32_t count = 0;
    for (uint32_t i = 0; i < scan->chunk_count; i += 2) {
        struct range_chunk chunk = scan->chunks[i];
        if (i + 1 < scan->chunk_count) {
            chunk.count += scan->chunks[i + 1].count;
            sum_add(&chunk.sum, &scan->chunks[i + 1].sum);
        }
        scan->chunks[count++] = chunk;
    }
    scan->chunk_count = count;
    scan->chunk_items *= 2;
}

static void chunk_add(struct range_scan *scan, struct slice path, const struct digest *sum)
{
    struct range_chunk *last = scan->chunk_count > 0 ? &scan->chunks[scan->chunk_count - 1] : NULL;
    if (last == NULL || last->count >= scan->chunk_items) {
        if (scan->chunk_count == RANGE_CHUNKS_MAX) chunks_halve(scan);
        last = &scan->chunks[scan->chunk_count++];
        *last = (struct range_chunk){.from = arena_copy(scan->arena, path)};
    }
    last->count++;
    sum_add(&last->sum, sum);
}

static void item_add(struct range_scan *scan, struct arena *arena, const struct item *item)
{
    struct digest sum;
    if (!range_item_sum(arena, item, scan->floor, &sum)) return;
    scan->count++;
    sum_add(&scan->sum, &sum);
    chunk_add(scan, item->path, &sum);
}

bool range_scan_step(struct range_scan *scan, uint32_t items)
{
    AUTO(arena_destroy) struct arena *arena = arena_new();
    for (uint32_t seen = 0; seen < items && !scan->ended; seen += PAGE) {
        arena_reset(arena);
        struct item *page = arena_alloc(arena, PAGE, sizeof *page);
        uint32_t got = range_items(scan->folder, arena, scan->from, scan->to,
                                   buf_slice(&scan->cursor), scan->begun, PAGE, page);
        for (uint32_t i = 0; i < got; i++)
            item_add(scan, arena, &page[i]);
        scan->ended = got == 0;
        if (got == 0) break;
        scan->begun = true;
        buf_clear(&scan->cursor);
        buf_append(&scan->cursor, page[got - 1].path.data, page[got - 1].path.size);
    }
    return scan->ended;
}

// A part ends where the next one begins, so that what only the other has lies in one of them.
uint32_t range_scan_split(const struct range_scan *scan, struct range *out)
{
    uint64_t each = scan->count / RANGE_WAYS + 1;
    uint32_t count = 0;
    for (uint32_t i = 0; i < scan->chunk_count; i++) {
        const struct range_chunk *chunk = &scan->chunks[i];
        bool more = count > 0 && (out[count - 1].count < each || count == RANGE_WAYS);
        if (!more) {
            if (count > 0) out[count - 1].to = chunk->from;
            out[count] = (struct range){
                .what = RANGE_SUM, .from = count == 0 ? scan->from : chunk->from, .to = scan->to};
            count++;
        }
        out[count - 1].count += chunk->count;
        sum_add(&out[count - 1].sum, &chunk->sum);
    }
    return count;
}
