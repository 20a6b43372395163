// SPDX-License-Identifier: MIT
//
// The engine's ports of a simulated machine. The index is the real one; what changes the world is
// a moment at which the process may die.
#include <stdio.h>
#include <string.h>

#include "agent/base/check.h"
#include "agent/base/map.h"
#include "agent/base/own.h"
#include "agent/core/heads.h"
#include "agent/daemon/wire_rooms.h"
#include "crypto/hash.h"
#include "proto/vv.h"
#include "tests/sim/sim.h"

static struct world *the_world; // of this process; the ports that have no self need it

static struct device *device_of(void *self)
{
    return self;
}

// ---- the index: self is the store, the machine is the one whose code runs

static void port_begin(struct store *store)
{
    device_crash_maybe(the_world->current);
    store_begin(store);
    the_world->current->in_txn = true;
    the_world->current->forgets = false;
}

static struct slice dot_key(const struct dot *dot, uint8_t out[16])
{
    memcpy(out, &dot->inc, 8);
    memcpy(out + 8, &dot->counter, 8);
    return slice_of(out, 16);
}

void pending_drop(struct device *device)
{
    buf_clear(&device->pending);
}

static void pending_publish(struct device *device)
{
    size_t count = device->pending.size / sizeof(struct drawn);
    for (size_t i = 0; i < count; i++) {
        struct drawn *drawn = mem_alloc(sizeof *drawn);
        uint8_t key[16];
        memcpy(drawn, device->pending.data + i * sizeof *drawn, sizeof *drawn);
        struct slice slot = dot_key(&drawn->dot, key);
        struct drawn *known = map_get(the_world->drawn, slot);
        bool other =
            known != NULL && memcmp(&known->digest, &drawn->digest, sizeof known->digest) != 0;
        if (known == NULL)
            (void)map_put(the_world->drawn, slot, drawn);
        else if (other && the_world->restored)
            known->twice = true;
        else if (other)
            world_fail(the_world, "I5: dot %016llx:%llu names two things, at %s and %s",
                       (unsigned long long)drawn->dot.inc, (unsigned long long)drawn->dot.counter,
                       known->path, drawn->path);
    }
    pending_drop(device);
}

bool dots_drawn_twice(const struct world *world, struct dots dots)
{
    for (uint32_t i = 0; i < dots.count; i++) {
        uint8_t key[16];
        const struct drawn *drawn = map_get(world->drawn, dot_key(&dots.entries[i], key));
        if (drawn != NULL && drawn->twice) return true;
    }
    return false;
}

static enum err port_commit(struct store *store)
{
    struct device *device = the_world->current;
    device_crash_maybe(device);
    enum err err = store_commit(store);
    device->in_txn = false;
    if (err == ERR_OK)
        pending_publish(device);
    else if (the_world->o.index_error == 0)
        world_fail(the_world, "commit failed: %s", err_text(err));
    else
        pending_drop(device);
    device_crash_maybe(device);
    return err;
}

static void port_rollback(struct store *store)
{
    the_world->current->in_txn = false;
    pending_drop(the_world->current);
    store_rollback(store);
}

static struct digest named(struct slice path, const struct version *v)
{
    uint8_t kind = (uint8_t)v->value.kind;
    uint32_t mode = v->value.mode;
    const struct slice fields[] = {path, slice_of(&kind, 1), slice_of(&mode, sizeof mode),
                                   slice_of(v->value.content.bytes, sizeof v->value.content.bytes),
                                   v->value.target};
    return hash_fields(fields, sizeof fields / sizeof *fields);
}

static void note_dots(struct device *device, struct slice path, const struct version *v)
{
    for (uint32_t i = 0; i < v->dots.count; i++) {
        uint8_t key[16];
        struct drawn drawn = {.dot = v->dots.entries[i]};
        const struct drawn *known = map_get(the_world->drawn, dot_key(&drawn.dot, key));
        drawn.digest = named(path, v);
        if (known != NULL && memcmp(&known->digest, &drawn.digest, sizeof drawn.digest) == 0)
            continue;
        size_t size = path.size < sizeof drawn.path ? path.size : sizeof drawn.path - 1;
        memcpy(drawn.path, path.data, size);
        buf_append(&device->pending, &drawn, sizeof drawn);
    }
}

static bool is_established(const struct version *v)
{
    bool leaf = v->value.kind == KIND_FILE || v->value.kind == KIND_SYMLINK;
    return leaf && (v->flags & (VERSION_FIRST | VERSION_AUTO)) == 0;
}

static bool minted_here(const struct device *device, struct arena *arena, const struct version *v)
{
    struct folder_row row;
    return store_folder_get(device->store, arena, slice_text("f"), &row) && v->dots.count == 1 &&
           v->dots.entries[0].inc == row.inc;
}

// Somebody has made another of exactly this, and that one, also of a first scan, has its place
// then.
static bool was_passed(const struct item *before, const struct version *v)
{
    for (uint32_t i = 0; i < before->head_count; i++) {
        const struct version *x = &before->heads[i];
        if (x != v && x->has_parent && digest_equal(x->parent, v->value.content)) return true;
    }
    return false;
}

// What the first scan of an index that came later found takes no name from what was there: whoever
// resolves the two sees to it.
static void check_first(struct device *device, uint32_t folder, const struct item *item)
{
    struct item before;
    const struct version *now = &item->heads[0];
    bool first = item->head_count == 1 && now->value.kind != KIND_DIR &&
                 now->value.kind != KIND_TOMB && (now->flags & VERSION_FIRST) != 0;
    if (!first || device->giving_up > 0) return; // who gives up a content has decided
    struct arena *arena = arena_new();
    store_item_get(device->store, arena, folder, item->path, &before);
    bool here = minted_here(device, arena, now);
    for (uint32_t i = 0; i < before.head_count && here; i++) {
        const struct version *v = &before.heads[i];
        // Who edits during his first scan has seen what he edits.
        bool edited = now->has_parent && digest_equal(now->parent, v->value.content);
        // What others have deleted, and forgotten that, goes by itself.
        if (!vv_covers(now->vv, v->dots.entries[0])) continue;
        if (is_established(v) && !edited && !was_passed(&before, v) &&
            !value_same_content(&v->value, &now->value))
            world_fail(the_world,
                       "%s: %.*s, which was established, goes to what a first scan found",
                       device->name, SLICE_ARG(item->path));
    }
    arena_destroy(&arena);
}

static void port_tombs_note(struct store *store, uint32_t folder, int64_t now_ms)
{
    the_world->current->forgets = true;
    store_tombs_note(store, folder, now_ms);
}

static void port_item_put(struct store *store, uint32_t folder, struct item *item,
                          bool heads_changed)
{
    struct device *device = the_world->current;
    if (heads_changed) {
        check_first(device, folder, item);
        forgotten_note(device, folder, item);
        for (uint32_t i = 0; i < item->head_count; i++)
            note_dots(device, item->path, &item->heads[i]);
    }
    if (device->world->verbose) {
        AUTO(buf_fini) struct buf text = {0};
        print_item(&text, item);
        world_say(device->world, "%s saves\n%s", device->name, buf_text(&text));
    }
    store_item_put(store, folder, item, heads_changed);
}

// ---- the disk

static void port_submit(struct workers *workers, struct job *job)
{
    struct device *device = device_of(workers);
    struct world *world = device->world;
    device_crash_maybe(device);
    device->jobs++;
    world_event(world, rng_wait(&world->rng, world->o.job_us),
                (struct event){.kind = EVENT_JOB_RUN,
                               .device = device->index,
                               .epoch = device->epoch,
                               .pointer = job});
    device_crash_maybe(device);
}

static const char *port_ignored(struct workers *workers, uint32_t folder, struct slice path,
                                bool is_dir, bool *out_secret)
{
    enum ignored why = disk_ignored_path(device_of(workers)->disk, folder, path, is_dir, NULL);
    *out_secret = why == IGNORED_SECRET;
    return why == IGNORED_NO ? NULL : "left out";
}

// ---- keys: a signature that costs nothing and that no simulated machine forges

static struct signature sign_as(struct device_id device, struct folder_id folder,
                                const struct mark *mark)
{
    struct signature out;
    const uint64_t said[] = {mark->inc, mark->counter, mark->first, mark->epoch};
    uint64_t hash = 0;
    for (size_t i = 0; i < sizeof said / sizeof said[0]; i++)
        hash = (hash ^ said[i]) * UINT64_C(0x9e3779b97f4a7c15);
    for (size_t i = 0; i < sizeof out.bytes; i++) {
        hash = (hash ^ device.bytes[i % 32] ^ folder.bytes[i % 16]) * UINT64_C(0x100000001b3);
        out.bytes[i] = (uint8_t)(hash >> 40);
    }
    return out;
}

static void port_sign(const struct identity *identity, struct folder_id folder, struct mark *mark)
{
    mark->signature = sign_as(identity_device(identity), folder, mark);
}

static bool port_verify(struct device_id device, struct folder_id folder, const struct mark *mark)
{
    struct signature expected = sign_as(device, folder, mark);
    return memcmp(&expected, &mark->signature, sizeof expected) == 0;
}

static void port_random(void *out, size_t size)
{
    rng_fill(&the_world->rng, out, size);
}

// ---- what the engine says

static void on_sync_done(void *context, uint64_t ticket, const struct sync_result *result)
{
    struct device *device = device_of(context);
    world_say(device->world, "%s sync %llu done: exit %d", device->name, (unsigned long long)ticket,
              result->exit);
}

static void on_verified(void *context, uint64_t ticket, const struct verify_result *result)
{
    const struct device *device = device_of(context);
    world_say(device->world, "%s verify %llu done: exit %d", device->name,
              (unsigned long long)ticket, result->exit);
    for (uint32_t i = 0; i < result->count; i++) {
        if (result->lines[i].came > 0 && !device->world->restored)
            world_fail(device->world, "I3: %s lacked %llu versions of %.*s, though K covers them",
                       device->name, (unsigned long long)result->lines[i].came,
                       SLICE_ARG(result->lines[i].peer));
    }
    device_of(context)->verify_exit = result->exit;
}

static void on_abandoned(void *context, uint64_t ticket, const struct abandon_result *result)
{
    struct device *device = device_of(context);
    world_say(device->world, "%s abandon %llu done: %u given up, %u came, %u unsure%s%s",
              device->name, (unsigned long long)ticket, result->count, result->came, result->unsure,
              result->what != NULL ? ": " : "", result->what != NULL ? result->what : "");
    device_abandoned(device, ticket, result);
}

static void on_decided(void *context, uint64_t ticket, const struct decision_result *result)
{
    (void)context, (void)ticket, (void)result;
}

static void on_folder_id(void *context, struct slice name, struct folder_id id)
{
    (void)name;
    device_of(context)->folder_id = id;
}

static void on_changed(void *context)
{
    (void)context;
}

static void on_event(void *context, const char *name, struct slice json)
{
    (void)context, (void)name, (void)json;
}

static void on_dial(void *context, struct device_id peer)
{
    net_redial(device_of(context), peer);
}

// A slot that was added to the port and forgotten where it is filled would be called as NULL.
static void check_whole(const struct index_port *index)
{
    unsigned char words[sizeof *index];
    static const unsigned char none[sizeof(void *)];
    memcpy(words, index, sizeof *index);
    for (size_t at = 0; at < sizeof *index; at += sizeof none)
        CHECK(memcmp(words + at, none, sizeof none) != 0);
}

static struct index_port port_index(struct store *store)
{
    struct index_port index = wire_index(store);
    check_whole(&index);
    index.begin = port_begin;
    index.commit = port_commit;
    index.rollback = port_rollback;
    index.item_put = port_item_put;
    index.tombs_note = port_tombs_note;
    return index;
}

struct engine_options device_options(struct device *device)
{
    the_world = device->world;
    return (struct engine_options){
        .index = port_index(device->store),
        .disk = {.self = (struct workers *)device, .submit = port_submit, .ignored = port_ignored},
        .net = {.self = (struct net *)device,
                .send = wire_send,
                .queued = wire_queued,
                .drop = wire_drop},
        .keys = {.self = device->identity,
                 .sign = port_sign,
                 .verify = port_verify,
                 .approve = approval_sign,
                 .approved = approval_verify,
                 .random = port_random},
        .notify = {.context = device,
                   .sync_done = on_sync_done,
                   .verified = on_verified,
                   .abandoned = on_abandoned,
                   .decided = on_decided,
                   .folder_id = on_folder_id,
                   .changed = on_changed,
                   .event = on_event,
                   .dial = on_dial},
        .device = device->id,
        .name = device->name,
        .program = "sim",
        .forget_ms = device->world->o.forget_ms,
        .ahead_min = device->world->seed % 2, // few paths here make a group
        .page_versions = device->world->o.page_versions,
    };
}
