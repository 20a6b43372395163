// SPDX-License-Identifier: MIT
//
// Giving up contents that nobody has. First all is compared with the peers that can be reached, and
// each of them is asked once more; what none of them has is superseded by what is on this disk.
//
// The version that does so is what the disk showed before, with its birth: devices that give up the
// same and show the same make equal values, which join. Nothing on disk: a tombstone that loses
// against whatever else lives. Whoever has edited the content meanwhile, somewhere out of reach,
// made something concurrent, which wins; whoever has only kept it keeps it aside.
#include <string.h>

#include "agent/sync/fetch_priv.h"
#include "proto/vv.h"

#define INDEX(folder) (&(folder)->engine->o.index)

enum { COMPARE_MS = 30 * 1000, ASK_MS = 60 * 1000, LOOK_MS = 50, MANY = 16 };

enum lost { LOST_PERHAPS, LOST, LOST_NOT };

struct abandon {
    uint64_t ticket;
    struct folder *folder;
    struct arena *arena;
    struct slice *paths;
    enum lost *lost; // of each path; what was refused by all stays so
    uint32_t count;
    bool asking;             // all was compared, and
    struct device_id *asked; // who was there then is there to the end, and nobody else
    uint32_t asked_count;
    int64_t look_ms, deadline_ms;
    struct abandon *next;
};

static void unlink_free(struct abandon *abandon)
{
    struct abandon **at = &abandon->folder->engine->abandons;
    while (*at != abandon)
        at = &(*at)->next;
    *at = abandon->next;
    verify_drop(abandon->folder->engine, abandon);
    arena_destroy(&abandon->arena);
    mem_free(&abandon);
}

static void answer(struct engine *engine, uint64_t ticket, const struct abandon_result *result)
{
    engine->o.notify.abandoned(engine->o.notify.context, ticket, result);
}

static void refuse(struct engine *engine, uint64_t ticket, enum err err, const char *what)
{
    const struct abandon_result result = {.err = err, .what = what};
    answer(engine, ticket, &result);
}

static void end_refused(struct abandon *abandon, enum err err, const char *what)
{
    struct engine *engine = abandon->folder->engine;
    uint64_t ticket = abandon->ticket;
    unlink_free(abandon);
    refuse(engine, ticket, err, what);
}

void abandons_destroy(struct engine *engine)
{
    while (engine->abandons != NULL)
        unlink_free(engine->abandons);
}

void abandons_forget(struct folder *folder)
{
    for (struct abandon *a = folder->engine->abandons, *next; a != NULL; a = next) {
        next = a->next;
        if (a->folder == folder) end_refused(a, ERR_BUSY, "the folder is being closed");
    }
}

void engine_abandon_cancel(struct engine *engine, uint64_t ticket)
{
    for (struct abandon *a = engine->abandons; a != NULL; a = a->next) {
        if (a->ticket != ticket) continue;
        unlink_free(a);
        return;
    }
}

// NULL, or why this path cannot be given up.
static const char *path_refused(struct folder *folder, struct slice path, bool now)
{
    struct arena *arena = folder->engine->scratch;
    struct orphan orphan;
    struct item item;
    INDEX(folder)->item_get(INDEX(folder)->self, arena, folder->number, path, &item);
    if (orphan_head(folder, &item) == NULL)
        return arena_printf(arena, "%.*s does not wait for a content", SLICE_ARG(path));
    if (now || (orphan_of(folder, arena, path, &orphan) && orphan.left_ms == 0)) return NULL;
    return arena_printf(arena, "%.*s has been sought for less than a week", SLICE_ARG(path));
}

void engine_abandon(struct engine *engine, uint64_t ticket, const struct abandon_request *request)
{
    arena_reset(engine->scratch);
    struct folder *folder = folder_by_name(engine, slice_text(request->folder));
    if (folder == NULL || !folder_usable(folder) || !folder->row.scanned) {
        refuse(engine, ticket, ERR_UNREACHABLE,
               "the folder is not ready: see cfgsync-agent status");
        return;
    }
    for (uint32_t i = 0; i < request->count; i++) {
        const char *what = path_refused(folder, request->paths[i], request->now);
        if (what == NULL) continue;
        refuse(engine, ticket, ERR_DENIED, what);
        return;
    }
    struct abandon *abandon = mem_zalloc(1, sizeof *abandon);
    abandon->ticket = ticket;
    abandon->folder = folder;
    abandon->arena = arena_new();
    abandon->paths = arena_alloc(abandon->arena, request->count + 1U, sizeof *abandon->paths);
    abandon->lost = arena_alloc(abandon->arena, request->count + 1U, sizeof *abandon->lost);
    for (uint32_t i = 0; i < request->count; i++)
        abandon->paths[abandon->count++] = arena_copy(abandon->arena, request->paths[i]);
    abandon->next = engine->abandons;
    engine->abandons = abandon;
    verify_for(folder, abandon, COMPARE_MS);
    engine_tick(engine);
}

static const char OTHERS[] =
    "a peer came or went meanwhile, or could not be compared with in time: try again";

static uint32_t joined_now(const struct folder *folder, struct arena *arena, struct device_id **out)
{
    uint32_t count = 0;
    for (const struct peer *p = folder->engine->peers; p != NULL; p = p->next)
        count++;
    *out = arena_alloc(arena, count + 1U, sizeof **out);
    count = 0;
    for (const struct peer *p = folder->engine->peers; p != NULL; p = p->next) {
        const struct share *share = p->in_use != NULL ? share_find(p->in_use, folder) : NULL;
        if (share != NULL && share->joined) (*out)[count++] = p->device;
    }
    return count;
}

static bool same_peers(const struct abandon *abandon)
{
    struct device_id *now;
    uint32_t count = joined_now(abandon->folder, abandon->folder->engine->scratch, &now);
    return count == abandon->asked_count &&
           (count == 0 || memcmp(now, abandon->asked, count * sizeof *now) == 0);
}

// What is known is what all know who can be reached. Now each of them is asked for the contents.
void abandon_compared(struct abandon *abandon, bool all)
{
    struct folder *folder = abandon->folder;
    if (!all) {
        end_refused(abandon, ERR_BUSY, OTHERS);
        return;
    }
    abandon->asking = true;
    abandon->asked_count = joined_now(folder, abandon->arena, &abandon->asked);
    abandon->look_ms = folder->engine->now_ms;
    abandon->deadline_ms = folder->engine->now_ms + ASK_MS;
    fetch_source_came(folder);
    fetch_step(folder);
}

// ---- one path

static enum lost head_lost(struct folder *folder, const struct item *item,
                           const struct version *head)
{
    struct content content = value_content(&head->value);
    const struct transfer *t = transfer_find(folder, &content);
    if (t != NULL && transfer_refused_by_all(folder, t)) return LOST;
    if (t == NULL) content_want(folder, &content, item->path);
    return LOST_PERHAPS;
}

static bool settled(struct folder *folder, const struct item *item)
{
    return item->local.state != LOCAL_DIRTY && !dirty_has(folder, item->path) &&
           map_get(folder->busy, item->path) == NULL &&
           map_get(folder->step_paths, item->path) == NULL;
}

static enum lost path_lost(struct folder *folder, struct slice path)
{
    struct item item;
    INDEX(folder)->item_get(INDEX(folder)->self, folder->engine->scratch, folder->number, path,
                            &item);
    if (orphan_head(folder, &item) == NULL) return LOST_NOT;
    for (uint32_t i = 0; i < item.head_count; i++) {
        bool missing = head_missing(folder, &item, &item.heads[i]);
        if (missing && head_lost(folder, &item, &item.heads[i]) != LOST) return LOST_PERHAPS;
    }
    return settled(folder, &item) ? LOST : LOST_PERHAPS;
}

struct given { // in the engine's scratch
    struct given_up *list;
    uint32_t count, capacity;
};

static void given_add(struct arena *arena, struct given *given, struct slice path,
                      const struct value *value)
{
    if (given->count == given->capacity) {
        given->capacity = given->capacity == 0 ? 16 : 2 * given->capacity;
        struct given_up *list = arena_alloc(arena, given->capacity, sizeof *list);
        if (given->count > 0) memcpy(list, given->list, given->count * sizeof *list);
        given->list = list;
    }
    given->list[given->count++] = (struct given_up){arena_copy(arena, path), value_content(value)};
}

// Each content of the path that nobody has.
static bool give_up(struct folder *folder, struct item *item, struct given *given)
{
    struct arena *arena = folder->engine->scratch;
    const struct version *head = orphan_head(folder, item);
    const struct local *local = &item->local;
    bool here = item_local_shown(item);
    struct vv seen = local->state != LOCAL_NONE ? local->version.vv : (struct vv){0};
    struct version v = {.flags = VERSION_AUTO, .birth = head->birth};
    v.value.kind = KIND_TOMB;
    uint32_t before = given->count;
    for (uint32_t i = 0; i < item->head_count; i++) {
        const struct version *h = &item->heads[i];
        if (!head_missing(folder, item, h)) continue;
        seen = vv_join(arena, seen, h->vv);
        given_add(arena, given, item->path, &h->value);
    }
    if (here) {
        v.value = local->version.value;
        v.mtime_ns = local->version.mtime_ns;
        v.birth = local->version.birth;
        v.origin = local->version.origin;
        v.flags |= local->version.flags & VERSION_FIRST;
    }
    // What the disk shows was not published before: it is an edit, of now.
    if (here && local->state == LOCAL_OBSOLETE) {
        v.birth = (struct birth){.wall_ms = folder->engine->wall_ms};
        v.flags = 0;
    }
    bool minted = item_mint(folder, item, &v, seen, NULL, (struct dots){0});
    if (minted)
        made_ended(folder, item);
    else
        given->count = before;
    return minted;
}

// ---- all of them

static void say(const struct folder *folder, const struct given_up *given)
{
    char escaped[LOG_ESCAPED_MAX];
    log_warn(LOG_SYNC, "given up", "folder=%s path=\"%s\" bytes=%llu", folder->name,
             log_escape(given->path, escaped), (unsigned long long)given->content.size);
}

static void finish(struct abandon *abandon)
{
    struct folder *folder = abandon->folder;
    struct engine *engine = folder->engine;
    struct abandon_result result = {0};
    struct given given = {0};
    uint64_t first = folder->row.counter + 1;
    uint32_t minted = 0;
    txn_begin(folder);
    for (uint32_t i = 0; i < abandon->count; i++) {
        struct item item;
        INDEX(folder)->item_get(INDEX(folder)->self, engine->scratch, folder->number,
                                abandon->paths[i], &item);
        bool ready = abandon->lost[i] == LOST && settled(folder, &item);
        if (orphan_head(folder, &item) == NULL)
            result.came++;
        else if (ready && give_up(folder, &item, &given))
            minted++;
        else
            result.unsure++;
    }
    result.list = given.list;
    result.count = given.count;
    if (minted > MANY) brake_sign(folder, first, folder->row.counter);
    if (txn_end(folder) != ERR_OK) {
        end_refused(abandon, ERR_IO, "the index cannot be written");
        return;
    }
    if (minted > MANY) brake_signed(folder);
    for (uint32_t i = 0; i < result.count; i++)
        say(folder, &result.list[i]);
    uint64_t ticket = abandon->ticket;
    unlink_free(abandon);
    push_all(folder);
    share_due(folder);
    work_again(folder);
    answer(engine, ticket, &result);
}

static bool is_decided(struct abandon *abandon)
{
    bool all = true;
    for (uint32_t i = 0; i < abandon->count; i++) {
        if (abandon->lost[i] == LOST_PERHAPS)
            abandon->lost[i] = path_lost(abandon->folder, abandon->paths[i]);
        all &= abandon->lost[i] != LOST_PERHAPS;
    }
    return all;
}

void abandons_check(struct engine *engine)
{
    for (struct abandon *a = engine->abandons, *next; a != NULL; a = next) {
        next = a->next;
        if (!a->asking || engine->now_ms < a->look_ms) continue;
        a->look_ms = engine->now_ms + LOOK_MS;
        if (!folder_usable(a->folder))
            end_refused(a, ERR_UNREACHABLE, "the folder is not ready: see cfgsync-agent status");
        else if (!same_peers(a))
            end_refused(a, ERR_BUSY, OTHERS);
        else if (is_decided(a) || engine->now_ms >= a->deadline_ms)
            finish(a);
        else
            fetch_step(a->folder);
    }
}

int64_t abandons_deadline(const struct engine *engine)
{
    int64_t at = INT64_MAX;
    for (const struct abandon *a = engine->abandons; a != NULL; a = a->next) {
        if (a->asking && a->look_ms < at) at = a->look_ms;
    }
    return at;
}
