// SPDX-License-Identifier: MIT
//
// How an item becomes a row: keys in tree order, heads as a run of proto's versions, local as one
// blob. Most items are at rest, local being the only head: then it is not written twice.
#include <stdlib.h>
#include <string.h>

#include "agent/store/pack_priv.h"
#include "agent/store/store_priv.h"
#include "proto/vv.h"

struct slice key_of(struct buf *out, struct slice path)
{
    buf_clear(out);
    if (path.size > 0) buf_append(out, path.data, path.size);
    for (size_t i = 0; i < out->size; i++) {
        if (out->data[i] == '/') out->data[i] = 0;
    }
    return buf_slice(out);
}

struct slice key_path(struct arena *arena, struct slice key)
{
    uint8_t *path = arena_alloc(arena, key.size, 1);
    for (size_t i = 0; i < key.size; i++)
        path[i] = key.data[i] == 0 ? '/' : key.data[i];
    return slice_of(path, key.size);
}

static struct slice key_with(struct buf *out, struct slice path, uint8_t last)
{
    (void)key_of(out, path);
    buf_append(out, &last, 1);
    return buf_slice(out);
}

// Everything is below the empty path; no UTF-8 begins with 0xff.
struct slice key_below_first(struct buf *out, struct slice path)
{
    return path.size == 0 ? key_of(out, path) : key_with(out, path, 0);
}

struct slice key_below_end(struct buf *out, struct slice path)
{
    return key_with(out, path, path.size == 0 ? 0xff : 1);
}

struct slice key_after(struct buf *out, struct slice path)
{
    return key_with(out, path, 0);
}

int64_t content_hint(const struct digest *content)
{
    int64_t hint;
    memcpy(&hint, content->bytes, sizeof hint);
    return hint;
}

void heads_encode(const struct item *item, struct buf *out)
{
    buf_clear(out);
    for (uint32_t i = 0; i < item->head_count; i++)
        pack_version(out, &item->heads[i]);
}

static uint32_t count_records(struct unpack in)
{
    uint32_t count = 0;
    for (; in.rest.size > 0 && !in.bad; count++)
        (void)unpack_slice(&in);
    return in.bad ? 0 : count;
}

// Versions point into `bytes`: these must live as long as the arena.
bool heads_decode(struct arena *arena, struct slice bytes, struct version **out,
                  uint32_t *out_count)
{
    struct unpack in = {.rest = bytes};
    uint32_t count = count_records(in);
    struct version *heads = count > 0 ? arena_alloc(arena, count, sizeof *heads) : NULL;
    for (uint32_t i = 0; i < count; i++)
        unpack_version(&in, arena, &heads[i]);
    *out = heads;
    *out_count = count;
    return !in.bad && in.rest.size == 0;
}

static int dot_order(const void *left, const void *right)
{
    const struct dot *a = left;
    const struct dot *b = right;
    if (a->inc != b->inc) return a->inc < b->inc ? -1 : 1;
    return a->counter < b->counter ? -1 : a->counter > b->counter;
}

// Two heads share a dot only after a collision, which is kept and reported; the table has it once.
struct dots heads_dots(struct arena *arena, const struct version *heads, uint32_t count)
{
    if (count == 1) return heads[0].dots;
    size_t total = 0;
    for (uint32_t i = 0; i < count; i++)
        total += heads[i].dots.count;
    if (total == 0) return (struct dots){0};
    struct dot *all = arena_alloc(arena, total, sizeof *all);
    size_t at = 0;
    for (uint32_t i = 0; i < count; i++) {
        for (uint32_t j = 0; j < heads[i].dots.count; j++)
            all[at++] = heads[i].dots.entries[j];
    }
    qsort(all, total, sizeof *all, dot_order);
    uint32_t unique = 1;
    for (size_t i = 1; i < total; i++) {
        if (dot_order(&all[unique - 1], &all[i]) != 0) all[unique++] = all[i];
    }
    return (struct dots){.entries = all, .count = unique};
}

static uint64_t file_bytes(const struct version *version)
{
    return version->value.kind == KIND_FILE ? version->value.size : 0;
}

struct heads_summary heads_summarise(struct arena *arena, const struct version *heads,
                                     uint32_t count)
{
    struct heads_summary summary = {.dots = heads_dots(arena, heads, count)};
    for (uint32_t i = 0; i < count; i++) {
        if (heads[i].value.kind != KIND_TOMB) {
            summary.live = true;
            summary.origin = heads[i].origin;
        }
        summary.bytes += file_bytes(&heads[i]);
    }
    if (count > 0) summary.first_bytes = file_bytes(&heads[0]);
    return summary;
}

bool local_here(const struct local *local)
{
    return local->state != LOCAL_NONE && local->version.value.kind != KIND_TOMB;
}

bool local_has_content(const struct local *local)
{
    // Who reads it compares the fingerprint: a file that is not followed any more may still have
    // it.
    bool known = local->state == LOCAL_OK || local->state == LOCAL_OBSOLETE;
    return known && local->version.value.kind == KIND_FILE;
}

enum { LOCAL_IS_HEAD = 1, LOCAL_RACY = 2, LOCAL_NAMED = 4, LOCAL_FLAGS_END = 8 };

// Two versions are the same bytes or are both kept: version_same leaves out what a person is shown.
static bool is_first_head(const struct item *item, struct slice encoded, struct buf *work)
{
    if (item->head_count == 0 || !version_same(&item->local.version, &item->heads[0])) return false;
    buf_clear(work);
    version_encode(&item->heads[0], work);
    return slice_equal(buf_slice(work), encoded);
}

static void encode_known(const struct item *item, struct buf *out)
{
    const struct local *local = &item->local;
    struct buf encoded = {0};
    version_encode(&local->version, &encoded);
    bool is_head = is_first_head(item, buf_slice(&encoded), out);
    buf_clear(out);
    pack_u64(out, (uint64_t)local->state);
    pack_u64(out, (is_head ? LOCAL_IS_HEAD : 0u) | (local->racy ? LOCAL_RACY : 0u) |
                      (local->disk_name.size > 0 ? LOCAL_NAMED : 0u));
    if (!is_head) pack_slice(out, buf_slice(&encoded));
    pack_print(out, &local->print);
    if (local->disk_name.size > 0) pack_slice(out, local->disk_name);
    buf_fini(&encoded);
}

void local_encode(const struct item *item, struct buf *out)
{
    buf_clear(out);
    if (item->local.state != LOCAL_NONE) encode_known(item, out);
}

bool local_decode(struct arena *arena, struct slice bytes, struct item *item)
{
    item->local = (struct local){.state = LOCAL_NONE};
    if (bytes.size == 0) return true;
    struct local *local = &item->local;
    struct unpack in = {.rest = bytes};
    local->state = (enum local_state)unpack_below(&in, LOCAL_OBSOLETE + 1);
    uint64_t flags = unpack_below(&in, LOCAL_FLAGS_END);
    local->racy = (flags & LOCAL_RACY) != 0;
    if (!(flags & LOCAL_IS_HEAD))
        unpack_version(&in, arena, &local->version);
    else if (item->head_count > 0)
        local->version = item->heads[0];
    else
        in.bad = true;
    unpack_print(&in, &local->print);
    if (flags & LOCAL_NAMED) local->disk_name = unpack_slice(&in);
    return !in.bad && in.rest.size == 0;
}
