// SPDX-License-Identifier: MIT
//
// Superseding. The order matters and is the result of simulation: first the dots of w that heads
// supersede and the dots of heads that w supersedes go, only then are equal values joined; and who
// removes a head takes over its vector.
#include "agent/core/heads.h"

#include "agent/base/check.h"
#include "agent/base/planted.h"
#include "proto/vv.h"

static bool supersedes(const struct version *w, struct dot d)
{
    return vv_covers(w->vv, d) && !dots_contain(w->dots, d);
}

static bool superseded_by_any(const struct item *item, struct dot d)
{
    for (uint32_t i = 0; i < item->head_count; i++) {
        if (supersedes(&item->heads[i], d)) return true;
    }
    return false;
}

// The dots of w that no head supersedes.
static struct dots dots_alive(struct arena *arena, const struct item *item, const struct version *w)
{
    struct dots out = {.entries = arena_alloc(arena, w->dots.count + 1U, sizeof(struct dot))};
    for (uint32_t i = 0; i < w->dots.count; i++) {
        if (!superseded_by_any(item, w->dots.entries[i]))
            out.entries[out.count++] = w->dots.entries[i];
    }
    return out;
}

static struct dots dots_left(struct arena *arena, const struct version *h, const struct version *w)
{
    struct dots out = {.entries = arena_alloc(arena, h->dots.count + 1U, sizeof(struct dot))};
    for (uint32_t i = 0; i < h->dots.count; i++) {
        if (!supersedes(w, h->dots.entries[i])) out.entries[out.count++] = h->dots.entries[i];
    }
    return out;
}

static struct version join_two(struct arena *arena, const struct version *a,
                               const struct version *b)
{
    struct version out = birth_compare(a->birth, b->birth) <= 0 ? *a : *b;
    if (!PLANTED(join_keeps_one_dot)) out.dots = dots_union(arena, a->dots, b->dots);
    out.vv = vv_join(arena, a->vv, b->vv);
    out.bundle = dots_union(arena, a->bundle, b->bundle);
    uint32_t both = a->flags & b->flags;
    out.flags = (out.flags & ~(uint32_t)(VERSION_AUTO | VERSION_FIRST)) | both;
    return out;
}

static uint32_t join_equal(struct arena *arena, struct version *heads, uint32_t count)
{
    uint32_t kept = 0;
    for (uint32_t i = 0; i < count; i++) {
        uint32_t same = 0;
        while (same < kept && !value_equal(&heads[same].value, &heads[i].value))
            same++;
        if (same < kept) {
            heads[same] = join_two(arena, &heads[same], &heads[i]);
        } else {
            heads[kept++] = heads[i];
        }
    }
    return kept;
}

static bool heads_unchanged(const struct item *item, const struct version *heads, uint32_t count)
{
    if (count != item->head_count) return false;
    for (uint32_t i = 0; i < count; i++) {
        if (!version_same(&heads[i], &item->heads[i])) return false;
    }
    return true;
}

static uint64_t highest_lost(const struct item *item, const struct version *heads, uint32_t count,
                             uint64_t own_inc)
{
    uint64_t lost = 0;
    for (uint32_t i = 0; i < item->head_count; i++) {
        for (uint32_t k = 0; k < item->heads[i].dots.count; k++) {
            struct dot d = item->heads[i].dots.entries[k];
            bool kept = d.inc != own_inc;
            for (uint32_t n = 0; n < count && !kept; n++)
                kept = dots_contain(heads[n].dots, d);
            if (!kept && d.counter > lost) lost = d.counter;
        }
    }
    return lost;
}

void heads_local_follow(struct item *item)
{
    bool gone_unsaid = item_local_live(item) && !item_local_shown(item);
    if (item->local.state == LOCAL_NONE || gone_unsaid) return;
    for (uint32_t i = 0; i < item->head_count; i++) {
        const struct version *h = &item->heads[i];
        const struct version *local = &item->local.version;
        if (version_same(local, h) || !value_equal(&local->value, &h->value) ||
            !vv_le(local->vv, h->vv))
            continue;
        item->local.version = *h;
        if (item->local.state == LOCAL_OBSOLETE) item->local.state = LOCAL_OK;
    }
}

struct ingested heads_ingest(struct arena *arena, struct item *item, const struct version *w,
                             uint64_t own_inc)
{
    struct version *heads = arena_alloc(arena, item->head_count + 1U, sizeof *heads);
    struct version incoming = *w;
    incoming.path = item->path;
    if (!PLANTED(join_before_superseding)) incoming.dots = dots_alive(arena, item, w);
    uint32_t count = 0;
    for (uint32_t i = 0; i < item->head_count; i++) {
        const struct version *h = &item->heads[i];
        struct dots left = dots_left(arena, h, w);
        if (left.count == 0) {
            if (!PLANTED(vector_not_taken_over)) incoming.vv = vv_join(arena, incoming.vv, h->vv);
            continue;
        }
        heads[count] = *h;
        heads[count++].dots = left;
    }
    if (incoming.dots.count > 0) heads[count++] = incoming;
    count = join_equal(arena, heads, count);
    struct ingested out = {.changed = !heads_unchanged(item, heads, count)};
    if (!out.changed) return out;
    out.lost_own = highest_lost(item, heads, count, own_inc);
    item->heads = heads;
    item->head_count = count;
    heads_local_follow(item);
    return out;
}

bool heads_too_many(const struct item *item)
{
    uint32_t incs = 0;
    for (uint32_t i = 0; i < item->head_count; i++) {
        for (uint32_t k = 0; k < item->heads[i].dots.count; k++) {
            uint64_t inc = item->heads[i].dots.entries[k].inc;
            bool seen = false;
            for (uint32_t j = 0; j <= i && !seen; j++) {
                uint32_t end = j == i ? k : item->heads[j].dots.count;
                for (uint32_t m = 0; m < end && !seen; m++)
                    seen = item->heads[j].dots.entries[m].inc == inc;
            }
            if (!seen) incs++;
        }
    }
    return item->head_count > incs + PROTO_HEADS_SPARE;
}

struct vv heads_join(struct arena *arena, const struct item *item)
{
    struct vv out = {0};
    for (uint32_t i = 0; i < item->head_count; i++)
        out = vv_join(arena, out, item->heads[i].vv);
    return out;
}

bool version_live(const struct version *version)
{
    return version->value.kind != KIND_TOMB;
}

bool heads_live(const struct item *item)
{
    for (uint32_t i = 0; i < item->head_count; i++) {
        if (version_live(&item->heads[i])) return true;
    }
    return false;
}

bool item_local_live(const struct item *item)
{
    return item->local.state != LOCAL_NONE && version_live(&item->local.version);
}

bool item_local_shown(const struct item *item)
{
    const struct local *local = &item->local;
    return item_local_live(item) && (local->state != LOCAL_OBSOLETE || local->print.present);
}

bool local_implied(const struct item *item)
{
    const struct local *local = &item->local;
    return item->head_count == 1 && !version_live(&item->heads[0]) && local->state == LOCAL_OK &&
           local->version.value.kind == KIND_DIR &&
           dots_equal(local->version.dots, item->heads[0].dots);
}

bool item_need(const struct item *item, bool live_below)
{
    const struct local *local = &item->local;
    if (item->head_count == 0) return local->state == LOCAL_OBSOLETE;
    if (item->head_count > 1 || local->state == LOCAL_OBSOLETE) return true;
    const struct version *head = &item->heads[0];
    bool implied = head->value.kind == KIND_TOMB && live_below;
    if (local->state == LOCAL_NONE) return !implied;
    if (dots_equal(local->version.dots, head->dots) && !local_implied(item)) return false;
    return !(implied && local->version.value.kind == KIND_DIR);
}

bool value_is_leaf(const struct value *value)
{
    return value->kind == KIND_FILE || value->kind == KIND_SYMLINK;
}

bool value_same_content(const struct value *a, const struct value *b)
{
    if (a->kind != b->kind) return false;
    if (a->kind == KIND_FILE) return a->size == b->size && digest_equal(a->content, b->content);
    if (a->kind == KIND_SYMLINK) return slice_equal(a->target, b->target);
    return true;
}
