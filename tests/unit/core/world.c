// SPDX-License-Identifier: MIT
#include "world.h"

#include <string.h>

#include "agent/base/check.h"
#include "proto/path.h"
#include "proto/vv.h"

enum { TURNS_MAX = 24 };

// "p" is over "p/x".
static const char *const paths[WORLD_PATHS] = {"p", "p/x", "q"};
static const struct folder_id folder = {{9}};

void world_init(struct world *world, struct arena *arena, uint32_t devices)
{
    memset(world, 0, sizeof *world);
    world->arena = arena;
    world->device_count = devices;
    for (uint32_t i = 0; i < devices; i++)
        world->devices[i].inc = 10 + i;
}

static struct item *item_at(struct place_of *device, struct slice path)
{
    for (uint32_t i = 0; i < device->item_count; i++) {
        if (slice_equal(device->items[i].path, path)) return &device->items[i];
    }
    CHECK(device->item_count < WORLD_ITEMS_MAX);
    struct item *item = &device->items[device->item_count++];
    *item = (struct item){.path = path};
    return item;
}

// The disk takes what there is to take.
static void apply(struct item *item)
{
    struct local *local = &item->local;
    if (item->head_count != 1) return;
    if (local->state != LOCAL_NONE && !vv_le(local->version.vv, item->heads[0].vv)) return;
    *local = (struct local){.state = LOCAL_OK, .version = item->heads[0]};
}

static void take(struct world *world, struct place_of *device, const struct version *w)
{
    struct item *item = item_at(device, w->path);
    (void)heads_ingest(world->arena, item, w, device->inc);
    apply(item);
}

// Draws a dot and publishes; local becomes the version, as the engine has it.
static void mint(struct world *world, struct place_of *device, struct version v)
{
    struct dot dot = {device->inc, ++device->counter};
    v.vv = vv_with(world->arena, v.vv, dot);
    v.dots = dots_copy(world->arena, (struct dots){&dot, 1});
    if (v.birth.counter == 0) {
        v.birth = (struct birth){(int64_t)world->minted_count, dot.inc, dot.counter};
    }
    CHECK(world->minted_count < sizeof world->minted / sizeof world->minted[0]);
    world->minted[world->minted_count++] = v;
    struct item *item = item_at(device, v.path);
    (void)heads_ingest(world->arena, item, &v, device->inc);
    item->local = (struct local){.state = LOCAL_OK, .version = v};
    for (uint32_t i = 0; i < item->head_count; i++) {
        if (dots_contain(item->heads[i].dots, dot)) item->local.version = item->heads[i];
    }
    device->k = vv_with(world->arena, device->k, dot);
}

// ---- users

static bool is_here(const struct item *item)
{
    return item->local.state == LOCAL_OK && version_live(&item->local.version);
}

// What the user has before him goes, because he says so.
static void seen(struct world *world, const struct item *item)
{
    const struct value *value = &item->local.version.value;
    if (is_here(item) && value->kind == KIND_FILE) world->gone[value->content.bytes[0]] = true;
}

static struct version made_from(const struct item *item)
{
    struct version v = {.path = item->path};
    if (item->local.state == LOCAL_NONE) return v;
    v.vv = item->local.version.vv;
    v.has_parent = is_here(item);
    if (v.has_parent) {
        v.parent = item->local.version.value.content;
        v.parent_mode = item->local.version.value.mode;
    }
    return v;
}

bool world_save_kind(struct world *world, uint32_t device, uint32_t path, enum kind kind)
{
    struct place_of *d = &world->devices[device];
    struct item *item = item_at(d, slice_text(paths[path]));
    if (world->saves + 1 == WORLD_SAVES_MAX) return false;
    struct version v = made_from(item);
    seen(world, item);
    v.value = (struct value){.kind = kind, .mode = 0644, .size = 10};
    if (kind == KIND_FILE) v.value.content.bytes[0] = ++world->saves;
    if (kind == KIND_DIR) v.value = (struct value){.kind = kind, .mode = 0755};
    if (device > 0 && !d->joined) v.flags = VERSION_FIRST;
    mint(world, d, v);
    return true;
}

bool world_save(struct world *world, uint32_t device, uint32_t path)
{
    return world_save_kind(world, device, path, KIND_FILE);
}

bool world_delete(struct world *world, uint32_t device, uint32_t path)
{
    struct place_of *d = &world->devices[device];
    struct item *item = item_at(d, slice_text(paths[path]));
    if (!is_here(item)) return false;
    struct version v = made_from(item);
    seen(world, item);
    v.value.kind = KIND_TOMB;
    mint(world, d, v);
    return true;
}

// ---- messages

static bool is_owed(const struct version *head, struct vv k)
{
    return !dots_covered(head->dots, k);
}

bool world_pull_part(struct world *world, uint32_t device, uint32_t from, uint32_t skip,
                     uint32_t count)
{
    struct place_of *r = &world->devices[device], *s = &world->devices[from];
    struct vv k = r->k;
    bool any = false;
    for (uint32_t i = skip; i < s->item_count && i - skip < count; i++) {
        for (uint32_t j = 0; j < s->items[i].head_count; j++) {
            if (!is_owed(&s->items[i].heads[j], k)) continue;
            struct version copy = version_copy(world->arena, &s->items[i].heads[j]);
            copy.path = s->items[i].path;
            take(world, r, &copy);
            any = true;
        }
    }
    return any;
}

bool world_pull(struct world *world, uint32_t device, uint32_t from)
{
    struct place_of *r = &world->devices[device], *s = &world->devices[from];
    bool any = world_pull_part(world, device, from, 0, WORLD_ITEMS_MAX);
    any = any || !vv_le(s->k, r->k);
    r->k = vv_join(world->arena, r->k, s->k);
    r->joined = true;
    return any;
}

// ---- resolutions

static void view_item(void *context, struct arena *arena, struct slice path, struct item *out)
{
    (void)arena;
    const struct place_of *d = context;
    *out = (struct item){.path = path};
    for (uint32_t i = 0; i < d->item_count; i++) {
        if (slice_equal(d->items[i].path, path)) *out = d->items[i];
    }
}

static uint32_t view_conflicts(void *context, struct arena *arena, struct slice path, uint32_t max,
                               struct item *out)
{
    (void)arena;
    const struct place_of *d = context;
    uint32_t count = 0;
    for (uint32_t i = 0; i < d->item_count && count < max; i++) {
        const struct item *item = &d->items[i];
        if (heads_live(item) && slice_equal(item->heads[0].origin, path)) out[count++] = *item;
    }
    return count;
}

static uint32_t view_below(void *context, struct arena *arena, struct slice path, uint32_t max,
                           struct item *out)
{
    (void)arena;
    const struct place_of *d = context;
    uint32_t count = 0;
    for (uint32_t i = 0; i < d->item_count && count < max; i++) {
        const struct item *item = &d->items[i];
        if (path_below(item->path, path) && heads_live(item)) out[count++] = *item;
    }
    return count;
}

static bool is_clash(struct world *world, struct place_of *d, const struct item *item)
{
    struct item below;
    bool leaf = false;
    for (uint32_t i = 0; i < item->head_count; i++)
        leaf = leaf || (version_live(&item->heads[i]) && item->heads[i].value.kind != KIND_DIR);
    return leaf && view_below(d, world->arena, item->path, 1, &below) > 0;
}

static bool resolve(struct world *world, struct place_of *d, const struct item *item)
{
    struct index_view view = {d, view_item, view_conflicts, view_below};
    struct resolution plan;
    bool now;
    if (item->head_count > 1)
        now = resolve_heads(world->arena, &view, folder, item, &plan);
    else if (is_clash(world, d, item))
        now = resolve_clash(world->arena, &view, folder, item, &plan);
    else
        return false;
    for (uint32_t i = 0; now && i < plan.count; i++) {
        struct version v = plan.members[i].version;
        if (plan.bundle) {
            struct dot dot = {d->inc, d->counter + 1 - i};
            v.bundle = dots_copy(world->arena, (struct dots){&dot, 1});
        }
        mint(world, d, v);
    }
    return now;
}

bool world_resolve(struct world *world, uint32_t device, uint32_t path)
{
    struct place_of *d = &world->devices[device];
    struct item item = *item_at(d, slice_text(paths[path]));
    return resolve(world, d, &item);
}

// ---- what must be true

static bool is_represented(const struct place_of *d, const struct version *v)
{
    for (uint32_t i = 0; i < d->item_count; i++) {
        if (!slice_equal(d->items[i].path, v->path)) continue;
        for (uint32_t j = 0; j < d->items[i].head_count; j++) {
            if (dots_covered(v->dots, d->items[i].heads[j].vv)) return true;
        }
    }
    return false;
}

const char *world_fault(const struct world *world)
{
    for (uint32_t n = 0; n < world->device_count; n++) {
        const struct place_of *d = &world->devices[n];
        for (uint32_t i = 0; i < world->minted_count; i++) {
            const struct version *v = &world->minted[i];
            if (dots_covered(v->dots, d->k) && !is_represented(d, v))
                return "K claims a dot that is not represented";
        }
        for (uint32_t i = 0; i < d->item_count; i++) {
            if (d->items[i].head_count > world->device_count) return "more heads than incarnations";
        }
    }
    return NULL;
}

static bool settle_once(struct world *world)
{
    bool any = false;
    for (uint32_t n = 0; n < world->device_count; n++) {
        for (uint32_t m = 0; m < world->device_count; m++)
            any = (m != n && world_pull(world, n, m)) || any;
        struct place_of *d = &world->devices[n];
        for (uint32_t i = 0; i < d->item_count; i++) {
            struct item item = d->items[i];
            any = resolve(world, d, &item) || any;
        }
    }
    return any;
}

static const struct item *item_find(const struct place_of *d, struct slice path)
{
    for (uint32_t i = 0; i < d->item_count; i++) {
        if (slice_equal(d->items[i].path, path)) return &d->items[i];
    }
    return NULL;
}

static const char *differ(const struct place_of *a, const struct place_of *b)
{
    for (uint32_t i = 0; i < a->item_count; i++) {
        const struct item *x = &a->items[i], *y = item_find(b, x->path);
        if (x->head_count == 0) continue;
        if (x->head_count > 1) return "concurrent versions are left";
        if (y == NULL || y->head_count != 1) return "an item is missing";
        if (!version_same(&x->heads[0], &y->heads[0])) return "heads differ";
        if (!value_equal(&y->local.version.value, &y->heads[0].value)) return "a disk differs";
    }
    return vv_equal(a->k, b->k) ? NULL : "K differ";
}

static bool is_kept(const struct place_of *d, uint8_t content)
{
    for (uint32_t i = 0; i < d->item_count; i++) {
        for (uint32_t j = 0; j < d->items[i].head_count; j++) {
            const struct value *value = &d->items[i].heads[j].value;
            if (value->kind == KIND_FILE && value->content.bytes[0] == content) return true;
        }
    }
    return false;
}

const char *world_settle(struct world *world)
{
    int turn = 0;
    while (turn < TURNS_MAX && settle_once(world))
        turn++;
    if (turn == TURNS_MAX) return "they do not come to rest";
    for (uint32_t n = 1; n < world->device_count; n++) {
        const char *fault = differ(&world->devices[0], &world->devices[n]);
        if (fault == NULL) fault = differ(&world->devices[n], &world->devices[0]);
        if (fault != NULL) return fault;
    }
    for (uint8_t content = 1; content <= world->saves; content++) {
        if (!world->gone[content] && !is_kept(&world->devices[0], content))
            return "a content is lost";
    }
    return world_fault(world);
}
