// SPDX-License-Identifier: MIT
#include "proto/vv.h"

#include <string.h>

// Where `inc` is, or where it would be.
static uint32_t vv_index(struct vv v, uint64_t inc)
{
    uint32_t low = 0;
    uint32_t high = v.count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        if (v.entries[middle].inc < inc)
            low = middle + 1;
        else
            high = middle;
    }
    return low;
}

static struct dot *dot_array(struct arena *arena, size_t count)
{
    return count == 0 ? NULL : arena_alloc(arena, count, sizeof(struct dot));
}

static struct dot *dot_array_copy(struct arena *arena, const struct dot *from, uint32_t count)
{
    struct dot *entries = dot_array(arena, count);
    if (count > 0) memcpy(entries, from, count * sizeof *entries);
    return entries;
}

static int dot_compare(struct dot a, struct dot b)
{
    if (a.inc != b.inc) return a.inc < b.inc ? -1 : 1;
    if (a.counter != b.counter) return a.counter < b.counter ? -1 : 1;
    return 0;
}

static bool dot_array_equal(const struct dot *a, uint32_t a_count, const struct dot *b,
                            uint32_t b_count)
{
    if (a_count != b_count) return false;
    for (uint32_t i = 0; i < a_count; i++)
        if (dot_compare(a[i], b[i]) != 0) return false;
    return true;
}

uint64_t vv_get(struct vv v, uint64_t inc)
{
    uint32_t at = vv_index(v, inc);
    return at < v.count && v.entries[at].inc == inc ? v.entries[at].counter : 0;
}

bool vv_covers(struct vv v, struct dot d)
{
    return vv_get(v, d.inc) >= d.counter;
}

bool vv_le(struct vv a, struct vv b)
{
    uint32_t j = 0;
    for (uint32_t i = 0; i < a.count; i++) {
        while (j < b.count && b.entries[j].inc < a.entries[i].inc)
            j++;
        if (j == b.count || b.entries[j].inc != a.entries[i].inc ||
            b.entries[j].counter < a.entries[i].counter)
            return false;
    }
    return true;
}

bool vv_equal(struct vv a, struct vv b)
{
    return dot_array_equal(a.entries, a.count, b.entries, b.count);
}

struct vv vv_copy(struct arena *arena, struct vv v)
{
    return (struct vv){dot_array_copy(arena, v.entries, v.count), v.count};
}

struct vv vv_join(struct arena *arena, struct vv a, struct vv b)
{
    struct vv out = {dot_array(arena, (size_t)a.count + b.count), 0};
    uint32_t i = 0;
    uint32_t j = 0;
    while (i < a.count || j < b.count) {
        bool from_a = j == b.count || (i < a.count && a.entries[i].inc <= b.entries[j].inc);
        struct dot next = from_a ? a.entries[i] : b.entries[j];
        if (from_a && j < b.count && b.entries[j].inc == next.inc) {
            if (b.entries[j].counter > next.counter) next = b.entries[j];
            j++;
        }
        if (from_a)
            i++;
        else
            j++;
        out.entries[out.count++] = next;
    }
    return out;
}

struct vv vv_with(struct arena *arena, struct vv v, struct dot d)
{
    return vv_join(arena, v, (struct vv){&d, d.counter > 0 ? 1 : 0});
}

struct vv vv_set(struct arena *arena, struct vv v, struct dot d)
{
    struct vv out = {dot_array(arena, (size_t)v.count + 1), 0};
    uint32_t at = vv_index(v, d.inc);
    for (uint32_t i = 0; i < at; i++)
        out.entries[out.count++] = v.entries[i];
    if (d.counter > 0) out.entries[out.count++] = d;
    if (at < v.count && v.entries[at].inc == d.inc) at++;
    for (uint32_t i = at; i < v.count; i++)
        out.entries[out.count++] = v.entries[i];
    return out;
}

struct vv vv_meet(struct arena *arena, struct vv a, struct vv b)
{
    struct vv out = {dot_array(arena, a.count), 0};
    for (uint32_t i = 0; i < a.count; i++) {
        struct dot d = {a.entries[i].inc, vv_get(b, a.entries[i].inc)};
        if (a.entries[i].counter < d.counter) d.counter = a.entries[i].counter;
        if (d.counter > 0) out.entries[out.count++] = d;
    }
    return out;
}

struct vv vv_above(struct arena *arena, struct vv a, struct vv b)
{
    struct vv out = {dot_array(arena, a.count), 0};
    uint32_t j = 0;
    for (uint32_t i = 0; i < a.count; i++) {
        while (j < b.count && b.entries[j].inc < a.entries[i].inc)
            j++;
        bool known = j < b.count && b.entries[j].inc == a.entries[i].inc;
        if (!known || b.entries[j].counter < a.entries[i].counter)
            out.entries[out.count++] = a.entries[i];
    }
    return out;
}

bool dots_contain(struct dots s, struct dot d)
{
    uint32_t low = 0;
    uint32_t high = s.count;
    while (low < high) {
        uint32_t middle = low + (high - low) / 2;
        int order = dot_compare(s.entries[middle], d);
        if (order == 0) return true;
        if (order < 0)
            low = middle + 1;
        else
            high = middle;
    }
    return false;
}

bool dots_equal(struct dots a, struct dots b)
{
    return dot_array_equal(a.entries, a.count, b.entries, b.count);
}

struct dots dots_copy(struct arena *arena, struct dots s)
{
    return (struct dots){dot_array_copy(arena, s.entries, s.count), s.count};
}

struct dots dots_union(struct arena *arena, struct dots a, struct dots b)
{
    struct dots out = {dot_array(arena, (size_t)a.count + b.count), 0};
    uint32_t i = 0;
    uint32_t j = 0;
    while (i < a.count || j < b.count) {
        int order = i == a.count ? 1 : j == b.count ? -1 : dot_compare(a.entries[i], b.entries[j]);
        out.entries[out.count++] = order <= 0 ? a.entries[i] : b.entries[j];
        if (order <= 0) i++;
        if (order >= 0) j++;
    }
    return out;
}

bool dots_covered(struct dots s, struct vv v)
{
    for (uint32_t i = 0; i < s.count; i++)
        if (!vv_covers(v, s.entries[i])) return false;
    return true;
}

bool device_equal(struct device_id a, struct device_id b)
{
    return memcmp(a.bytes, b.bytes, sizeof a.bytes) == 0;
}

bool digest_equal(struct digest a, struct digest b)
{
    return memcmp(a.bytes, b.bytes, sizeof a.bytes) == 0;
}

struct content value_content(const struct value *file)
{
    return (struct content){.id = file->content, .size = file->size};
}

bool content_equal(const struct content *a, const struct content *b)
{
    return a->size == b->size && digest_equal(a->id, b->id);
}

bool value_equal(const struct value *a, const struct value *b)
{
    if (a->kind != b->kind) return false;
    switch (a->kind) {
    case KIND_FILE:
        return a->mode == b->mode && a->size == b->size && digest_equal(a->content, b->content);
    case KIND_DIR: return a->mode == b->mode;
    case KIND_SYMLINK: return slice_equal(a->target, b->target);
    case KIND_TOMB: return true;
    }
    return false;
}

int birth_compare(struct birth a, struct birth b)
{
    if (a.wall_ms != b.wall_ms) return a.wall_ms < b.wall_ms ? -1 : 1;
    return dot_compare((struct dot){a.inc, a.counter}, (struct dot){b.inc, b.counter});
}

bool version_same(const struct version *a, const struct version *b)
{
    return dots_equal(a->dots, b->dots) && vv_equal(a->vv, b->vv) &&
           value_equal(&a->value, &b->value);
}

struct version version_copy(struct arena *arena, const struct version *v)
{
    struct version copy = *v;
    copy.path = arena_copy(arena, v->path);
    copy.dots = dots_copy(arena, v->dots);
    copy.vv = vv_copy(arena, v->vv);
    copy.value.target = arena_copy(arena, v->value.target);
    copy.bundle = dots_copy(arena, v->bundle);
    copy.origin = arena_copy(arena, v->origin);
    copy.unknown = arena_copy(arena, v->unknown);
    return copy;
}
