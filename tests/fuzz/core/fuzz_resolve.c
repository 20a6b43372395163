// SPDX-License-Identifier: MIT
//
// Versions as a peer that lies may make them, put among the heads of a few items: there is always a
// plan, it fits, and who sees the same heads in another order makes the same one.
#include "agent/core/heads.h"
#include "agent/core/resolve.h"
#include "proto/path.h"
#include "proto/vv.h"
#include "tests/fuzz/fuzz.h"

enum { VERSIONS_MAX = 12, ITEMS = 4, HEADS_MAX = 16 };

static const struct folder_id folder = {{5}};

struct index {
    struct item items[ITEMS + HEADS_MAX];
    uint32_t count;
};

// ---- versions

static struct dot dot_any(struct feed *feed)
{
    struct dot dot = {.inc = 1 + feed_below(feed, 4)};
    dot.counter = 1 + feed_below(feed, 4);
    return dot;
}

static struct digest digest_any(struct feed *feed)
{
    return (struct digest){{(uint8_t)feed_below(feed, 4)}};
}

static void value_any(struct feed *feed, struct value *out)
{
    *out = (struct value){.kind = (enum kind)(KIND_FILE + (int)feed_below(feed, 4))};
    if (out->kind == KIND_FILE || out->kind == KIND_DIR) out->mode = 0600 + feed_below(feed, 3);
    if (out->kind == KIND_FILE || out->kind == KIND_SYMLINK) out->content = digest_any(feed);
    if (out->kind == KIND_FILE) out->size = feed_below(feed, 2);
    if (out->kind == KIND_SYMLINK) out->target = slice_text(feed_byte(feed) & 1 ? "x" : "y");
}

static struct version version_any(struct feed *feed, struct arena *arena, struct slice path)
{
    struct version v = {.path = path};
    for (uint32_t i = 1 + feed_below(feed, 3); i > 0; i--) {
        struct dot dot = dot_any(feed);
        v.dots = dots_union(arena, v.dots, (struct dots){&dot, 1});
        v.vv = vv_with(arena, v.vv, dot);
    }
    for (uint32_t i = feed_below(feed, 3); i > 0; i--)
        v.vv = vv_with(arena, v.vv, dot_any(feed));
    value_any(feed, &v.value);
    v.birth.wall_ms = feed_below(feed, 3);
    v.birth.inc = feed_below(feed, 4);
    v.birth.counter = feed_below(feed, 4);
    v.has_parent = feed_below(feed, 2) != 0;
    if (v.has_parent) v.parent = digest_any(feed);
    v.parent_mode = 0600 + feed_below(feed, 3);
    v.flags = feed_below(feed, 4);
    if (path_is_conflict_item(path)) v.origin = slice_text("p");
    return v;
}

// ---- the index

static void view_item(void *context, struct arena *arena, struct slice path, struct item *out)
{
    (void)arena;
    const struct index *index = context;
    *out = (struct item){.path = path};
    for (uint32_t i = 0; i < index->count; i++) {
        if (slice_equal(index->items[i].path, path)) *out = index->items[i];
    }
}

static uint32_t view_conflicts(void *context, struct arena *arena, struct slice path, uint32_t max,
                               struct item *out)
{
    (void)arena;
    const struct index *index = context;
    uint32_t count = 0;
    for (uint32_t i = 0; i < index->count && count < max; i++) {
        const struct item *item = &index->items[i];
        bool conflict = path_is_conflict_item(item->path) && heads_live(item);
        if (conflict && slice_equal(item->heads[0].origin, path)) out[count++] = *item;
    }
    return count;
}

static uint32_t view_below(void *context, struct arena *arena, struct slice path, uint32_t max,
                           struct item *out)
{
    (void)arena;
    const struct index *index = context;
    uint32_t count = 0;
    for (uint32_t i = 0; i < index->count && count < max; i++) {
        const struct item *item = &index->items[i];
        if (path_below(item->path, path) && heads_live(item)) out[count++] = *item;
    }
    return count;
}

// ---- plans

static bool is_leaf(const struct item *item)
{
    for (uint32_t i = 0; i < item->head_count; i++) {
        if (version_live(&item->heads[i]) && item->heads[i].value.kind != KIND_DIR) return true;
    }
    return false;
}

static bool plan(struct arena *arena, struct index *index, const struct item *item,
                 struct resolution *out)
{
    struct index_view view = {index, view_item, view_conflicts, view_below};
    struct item below;
    bool over = is_leaf(item) && view_below(index, arena, item->path, 1, &below) > 0;
    // Nothing is on a disk here, so that no conflict's name is taken by what is not known yet.
    if (item->head_count > 1)
        CHECK(resolve_heads(arena, &view, folder, item, out));
    else if (over)
        CHECK(resolve_clash(arena, &view, folder, item, out));
    return item->head_count > 1 || over;
}

static void plan_fits(const struct resolution *plan)
{
    CHECK(plan->count > 0 && plan->count <= RESOLVE_MEMBERS_MAX);
    for (uint32_t i = 0; i < plan->count; i++) {
        const struct member *m = &plan->members[i];
        CHECK(path_fault(m->path) == NULL && slice_equal(m->path, m->version.path));
        CHECK(m->version.dots.count == 0);
        for (uint32_t j = 0; j < i; j++)
            CHECK(!slice_equal(m->path, plan->members[j].path));
    }
}

static void plans_equal(const struct resolution *a, const struct resolution *b)
{
    CHECK(a->count == b->count && a->bundle == b->bundle);
    for (uint32_t i = 0; i < a->count; i++) {
        const struct version *v = &a->members[i].version, *w = &b->members[i].version;
        CHECK(slice_equal(v->path, w->path) && version_same(v, w) && v->flags == w->flags);
        CHECK(birth_compare(v->birth, w->birth) == 0);
    }
}

static void heads_turn(struct arena *arena, struct item *item)
{
    struct version *turned = arena_alloc(arena, item->head_count + 1U, sizeof *turned);
    for (uint32_t i = 0; i < item->head_count; i++)
        turned[i] = item->heads[item->head_count - 1 - i];
    item->heads = turned;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const paths[ITEMS] = {"p", "p/x", "p/x/y", ".cfgsync/conflicts/c"};
    AUTO(arena_destroy) struct arena *arena = arena_new();
    struct feed feed = {data, size};
    struct index index = {.count = ITEMS};
    for (uint32_t i = 0; i < ITEMS; i++)
        index.items[i] = (struct item){.path = slice_text(paths[i])};
    for (int i = 0; i < VERSIONS_MAX && feed.size > 0; i++) {
        struct item *item = &index.items[feed_below(&feed, ITEMS)];
        struct version *w = arena_alloc(arena, 1, sizeof *w);
        *w = version_any(&feed, arena, item->path);
        (void)heads_ingest(arena, item, w, 1);
        (void)heads_too_many(item);
    }
    struct index other = index;
    for (uint32_t i = 0; i < ITEMS; i++)
        heads_turn(arena, &other.items[i]);
    for (uint32_t i = 0; i < ITEMS; i++) {
        struct resolution first, second;
        bool now = plan(arena, &index, &index.items[i], &first);
        CHECK(now == plan(arena, &other, &other.items[i], &second));
        if (!now) continue;
        plan_fits(&first);
        plans_equal(&first, &second);
    }
    return 0;
}
