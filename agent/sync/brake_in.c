// SPDX-License-Identifier: MIT
//
// The brake on what others publish: deletions and rewrites that would take contents off this disk.
// They are known and passed on in any case; here they pass at once while they are few, wait for the
// rest of the act when they are not, and are held when it is too much and nobody has approved it.
#include <inttypes.h>
#include <stdlib.h>
#include <string.h>

#include "agent/sync/brake_priv.h"

#define INDEX(folder) (&(folder)->engine->o.index)

enum { PAGE = 256 };

// ---- the set

// The latest of them, in no order.
static void applied_note(struct folder *folder, const struct incoming *in)
{
    struct brake *b = folder->brake;
    if (b->applied == NULL) b->applied = mem_alloc(APPLIED_MAX * sizeof *b->applied);
    b->applied[b->applied_next++ % APPLIED_MAX] =
        (struct applied_one){in->kind, in->birth_ms, folder->engine->now_ms};
    if (b->applied_count < APPLIED_MAX) b->applied_count++;
}

static void drop(struct folder *folder, struct slice path, bool applied)
{
    struct brake *b = folder->brake;
    struct incoming *in = map_remove(b->incoming, path);
    if (in == NULL) return;
    b->in_count[in->kind]--;
    if (in->held) b->in_held[in->kind]--;
    b->in_changed |= in->held;
    if (applied && !in->moved) applied_note(folder, in);
    mem_free(&in);
}

static void add(struct folder *folder, struct slice path, const struct incoming *given)
{
    struct brake *b = folder->brake;
    struct incoming *in = mem_alloc(sizeof *in);
    int64_t now = folder->engine->now_ms;
    *in = *given;
    (void)map_put(b->incoming, path, in);
    b->in_count[in->kind]++;
    if (!b->in_open) b->in_first_ms = now;
    b->in_open = true;
    b->in_last_ms = now;
}

static bool same_change(const struct incoming *a, const struct incoming *b)
{
    return a->kind == b->kind && a->dot.inc == b->dot.inc && a->dot.counter == b->dot.counter;
}

// Every change of an item comes by here.
void brake_item_saved(struct folder *folder, const struct item *item)
{
    struct incoming found;
    struct brake *b = folder->brake;
    if (b->limits.off) return;
    brake_minting(folder);
    const struct incoming *in = map_get(b->incoming, item->path);
    if (!brake_takes_away(folder, item, &found)) {
        moved_note(folder, item);
        if (in == NULL) return;
        bool approved = in->approved || approvals_cover(folder, in->dot);
        drop(folder, item->path, !item->need && !approved);
        return;
    }
    if (in != NULL && same_change(in, &found)) return;
    void *gone = map_remove(b->appeared, item->path); // to come elsewhere it must be elsewhere
    mem_free(&gone);
    drop(folder, item->path, false);
    add(folder, item->path, &found);
}

// What the index says now, where a transaction was undone.
static void look_again(struct folder *folder)
{
    AUTO(arena_destroy) struct arena *arena = arena_new();
    size_t at = 0;
    struct slice path;
    void *value;
    while (map_next(folder->brake->incoming, &at, &path, &value)) {
        struct item item;
        struct incoming found;
        arena_reset(arena);
        INDEX(folder)->item_get(INDEX(folder)->self, arena, folder->number, path, &item);
        if (!brake_takes_away(folder, &item, &found) || !same_change(value, &found))
            drop(folder, path, false);
    }
}

// What was told to wait, in this run or a former one, is found among the needs.
static void read_all(struct folder *folder)
{
    const struct index_port *index = INDEX(folder);
    struct brake *b = folder->brake;
    AUTO(arena_destroy) struct arena *arena = arena_new();
    look_again(folder);
    AUTO(buf_fini) struct buf after = {0};
    bool from_start = true;
    b->in_unread = false;
    for (uint32_t got = PAGE; got == PAGE; from_start = false) {
        arena_reset(arena);
        struct slice *paths = arena_alloc(arena, PAGE, sizeof *paths);
        got = index->needs_after(index->self, arena, folder->number, buf_slice(&after), from_start,
                                 PAGE, paths);
        for (uint32_t i = 0; i < got; i++) {
            struct item item;
            index->item_get(index->self, arena, folder->number, paths[i], &item);
            brake_item_saved(folder, &item);
        }
        if (got == 0) break;
        buf_clear(&after);
        buf_append(&after, paths[got - 1].data, paths[got - 1].size);
    }
}

// The index is not what this was made of.
void brake_undone(struct folder *folder)
{
    if (folder->brake != NULL) folder->brake->in_unread = true;
}

// ---- counting

static int moment_compare(const void *a, const void *b)
{
    int64_t left = *(const int64_t *)a;
    int64_t right = *(const int64_t *)b;
    return (left > right) - (left < right);
}

struct limit {
    uint64_t min, percent, live;
};

static uint64_t applied_lately(const struct folder *folder)
{
    const struct brake *b = folder->brake;
    uint64_t count = 0;
    for (uint32_t i = 0; i < b->applied_count; i++)
        count += b->applied[i].kind == IN_DELETED &&
                 folder->engine->now_ms - b->applied[i].applied_ms < WINDOW_MS;
    return count;
}

static struct limit limit_of(struct folder *folder, enum incoming_kind kind)
{
    const struct brake *b = folder->brake;
    bool deleted = kind == IN_DELETED;
    // What is deleted is no item any more; it was one when the act began.
    return (struct limit){
        .min = deleted ? b->limits.deleted : b->limits.rewritten,
        .percent = deleted ? b->limits.deleted_percent : b->limits.rewritten_percent,
        .live = brake_live(folder) + b->in_count[IN_DELETED] + applied_lately(folder),
    };
}

// Births of the changes that count, in order.
static size_t births(const struct folder *folder, enum incoming_kind kind, struct arena *arena,
                     int64_t **out)
{
    const struct brake *b = folder->brake;
    int64_t *list = arena_alloc(arena, b->in_count[kind] + b->applied_count + 1, sizeof *list);
    size_t count = 0, at = 0;
    struct slice path;
    void *value;
    while (map_next(b->incoming, &at, &path, &value)) {
        const struct incoming *in = value;
        if (in->kind == kind && !in->moved && !in->cleared) list[count++] = in->birth_ms;
    }
    for (uint32_t i = 0; i < b->applied_count; i++) {
        bool recent = folder->engine->now_ms - b->applied[i].applied_ms < WINDOW_MS;
        if (recent && b->applied[i].kind == kind) list[count++] = b->applied[i].birth_ms;
    }
    qsort(list, count, sizeof *list, moment_compare);
    *out = list;
    return count;
}

struct dense { // the births from .. to are too many in too short a time
    bool any;
    int64_t from, to;
};

static struct dense find_dense(const int64_t *list, size_t count, struct limit limit, bool emptied)
{
    struct dense out = {0};
    size_t first = 0;
    for (size_t i = 0; i < count; i++) {
        while (list[i] - list[first] > WINDOW_MS)
            first++;
        uint64_t n = i - first + 1;
        bool all = emptied && n >= 2 && n >= limit.live;
        if (!all && !brake_over(n, limit.min, limit.percent, limit.live)) continue;
        if (!out.any) out.from = list[first];
        out.any = true;
        out.to = list[i];
    }
    return out;
}

// A directory and the one file in it are no two items to a person.
static uint64_t files(const struct folder *folder)
{
    uint64_t count = applied_lately(folder);
    size_t at = 0;
    struct slice path;
    void *value;
    while (map_next(folder->brake->incoming, &at, &path, &value)) {
        const struct incoming *in = value;
        count += in->kind == IN_DELETED && !in->is_dir && !in->moved;
    }
    return count;
}

static struct dense too_many(struct folder *folder, enum incoming_kind kind)
{
    AUTO(arena_destroy) struct arena *arena = arena_new();
    int64_t *list;
    size_t count = births(folder, kind, arena, &list);
    bool emptied = kind == IN_DELETED && brake_live(folder) == 0 && files(folder) >= 2;
    return find_dense(list, count, limit_of(folder, kind), emptied);
}

// ---- the decision

static bool pulling(const struct folder *folder)
{
    for (const struct peer *p = folder->engine->peers; p != NULL; p = p->next) {
        const struct share *share = p->in_use != NULL ? share_find(p->in_use, folder) : NULL;
        if (share != NULL && pull_is_young(share)) return true;
    }
    return false;
}

static void moves_find(struct folder *folder)
{
    const struct brake *b = folder->brake;
    AUTO(moved_destroy) struct moved *moved = moved_in(folder);
    static const char moves, stays;
    AUTO(map_destroy) struct map *dirs = map_new(); // what becomes of what is in them
    size_t at = 0;
    struct slice path;
    void *value;
    while (map_next(b->incoming, &at, &path, &value)) {
        struct incoming *in = value;
        if (in->kind != IN_DELETED || in->is_dir) continue;
        in->moved = moved_take(moved, &in->was);
        const char *what = in->moved ? &moves : &stays;
        for (struct slice p = path_parent(path); p.size > 0; p = path_parent(p)) {
            if (!in->moved || map_get(dirs, p) == NULL)
                (void)map_put(dirs, p, (void *)(uintptr_t)what);
        }
    }
    // A directory that was moved with what is in it.
    for (at = 0; map_next(b->incoming, &at, &path, &value);) {
        struct incoming *in = value;
        if (in->kind == IN_DELETED && in->is_dir) in->moved = map_get(dirs, path) == &moves;
    }
}

static void settle(struct folder *folder, const struct dense dense[IN_KINDS])
{
    struct brake *b = folder->brake;
    size_t at = 0;
    struct slice path;
    void *value;
    bool cleared = false;
    while (map_next(b->incoming, &at, &path, &value)) {
        struct incoming *in = value;
        const struct dense *d = &dense[in->kind];
        bool dense_one = d->any && in->birth_ms >= d->from && in->birth_ms <= d->to;
        // What is held is not let go because the folder has grown since.
        bool hold = !in->cleared && !in->moved && (dense_one || in->held);
        if (hold && !in->held) b->in_held[in->kind]++;
        if (!hold && in->held) b->in_held[in->kind]--;
        b->in_changed |= hold != in->held;
        in->held = hold;
        if (hold || in->cleared) continue;
        in->cleared = cleared = true;
    }
    if (cleared) work_again(folder);
}

uint64_t brake_in_held(const struct folder *folder)
{
    return folder->brake->in_held[IN_DELETED] + folder->brake->in_held[IN_REWRITTEN];
}

const char *brake_in_text(const struct folder *folder)
{
    const struct brake *b = folder->brake;
    if (b->in_held[IN_DELETED] > 0) return "mass-delete";
    return b->in_held[IN_REWRITTEN] > 0 ? "mass-rewrite" : "";
}

static void tell(struct folder *folder)
{
    struct brake *b = folder->brake;
    const struct notify_port *notify = &folder->engine->o.notify;
    uint64_t held = brake_in_held(folder);
    b->in_changed = false;
    holds_tell(folder);
    engine_changed(folder->engine);
    if ((b->in_told > 0) == (held > 0)) return;
    b->in_told = held;
    if (held > 0)
        log_warn(LOG_SYNC, "held",
                 "folder=%s brake=%s of=others deleted=%" PRIu64 " rewritten=%" PRIu64
                 " hint=\"cfgsync-agent plan %s, then approve %s or revert %s\"",
                 folder->name, brake_in_text(folder), b->in_held[IN_DELETED],
                 b->in_held[IN_REWRITTEN], folder->name, folder->name, folder->name);
    else
        log_info(LOG_SYNC, "brake released", "folder=%s of=others", folder->name);
    AUTO(buf_fini) struct buf json = {0};
    buf_printf(&json, "{\"brake\":\"%s\",\"changes\":%" PRIu64 "}", brake_in_text(folder), held);
    notify->event(notify->context, "held", buf_slice(&json));
}

static void decide(struct folder *folder)
{
    struct dense dense[IN_KINDS];
    for (int kind = 0; kind < IN_KINDS; kind++)
        dense[kind] = too_many(folder, (enum incoming_kind)kind);
    if (dense[IN_DELETED].any) {
        moves_find(folder);
        dense[IN_DELETED] = too_many(folder, IN_DELETED);
    }
    settle(folder, dense);
    folder->brake->in_open = false;
}

static int64_t due(const struct brake *b)
{
    int64_t at = b->in_last_ms + SETTLE_MS;
    int64_t last = b->in_first_ms + SETTLE_MAX_MS;
    return at < last ? at : last;
}

void brake_in_tick(struct folder *folder)
{
    struct brake *b = folder->brake;
    if (b->in_unread && !b->limits.off && folder->row.scanned) read_all(folder);
    if (b->in_open && folder->engine->now_ms >= due(b) && !pulling(folder)) decide(folder);
    if (b->in_changed) tell(folder);
    if (map_count(b->appeared) > 0 && folder->engine->now_ms >= b->in_forget_ms) {
        moved_forget(folder);
        b->in_forget_ms = folder->engine->now_ms + WINDOW_MS;
    }
}

int64_t brake_in_deadline(const struct folder *folder)
{
    const struct brake *b = folder->brake;
    if (b->in_changed || (b->in_unread && !b->limits.off && folder->row.scanned)) return 0;
    if (!b->in_open) return map_count(b->appeared) > 0 ? b->in_forget_ms : INT64_MAX;
    int64_t soon = folder->engine->now_ms + SETTLE_LOOK_MS;
    return due(b) > soon || !pulling(folder) ? due(b) : soon;
}

// Whether it may be put in place now.
bool brake_lets_in(struct folder *folder, struct slice path)
{
    struct brake *b = folder->brake;
    if (b->limits.off) return true;
    if (b->in_unread) read_all(folder);
    const struct incoming *in = map_get(b->incoming, path);
    if (in == NULL || in->cleared || in->held) return in == NULL || in->cleared;
    uint64_t count = b->in_count[in->kind], most = brake_live(folder) + b->in_count[IN_DELETED];
    for (uint32_t i = 0; i < b->applied_count; i++) {
        const struct applied_one *one = &b->applied[i];
        int64_t apart = one->birth_ms - in->birth_ms;
        bool lately = folder->engine->now_ms - one->applied_ms < WINDOW_MS;
        count += lately && one->kind == in->kind && apart < WINDOW_MS && apart > -WINDOW_MS;
    }
    struct limit limit = limit_of(folder, in->kind);
    if (in->kind == IN_DELETED && count >= 2 && most == b->in_count[IN_DELETED]) return false;
    return !brake_over(count, limit.min, limit.percent / 2, limit.live);
}

void brake_in_forget(struct folder *folder)
{
    size_t at = 0;
    struct slice path;
    void *value;
    while (map_next(folder->brake->incoming, &at, &path, &value))
        drop(folder, path, false);
}

void brake_in_approved(struct folder *folder)
{
    struct brake *b = folder->brake;
    size_t at = 0;
    struct slice path;
    void *value;
    bool any = false;
    while (map_next(b->incoming, &at, &path, &value)) {
        const struct incoming *in = value;
        if (!approvals_cover(folder, in->dot)) continue;
        drop(folder, path, false);
        any = true;
    }
    if (any) work_again(folder);
    engine_changed(folder->engine);
}

void brake_in_forgotten_approved(struct folder *folder)
{
    struct brake *b = folder->brake;
    size_t at = 0;
    struct slice path;
    void *value;
    while (map_next(b->incoming, &at, &path, &value)) {
        struct incoming *in = value;
        if (!in->held || in->dot.inc != 0) continue;
        in->held = false;
        in->approved = in->cleared = b->in_changed = true;
        b->in_held[in->kind]--;
    }
    work_again(folder);
}

uint32_t brake_in_spans(const struct folder *folder, uint32_t max, struct span *out)
{
    uint32_t count = 0;
    size_t at = 0;
    struct slice path;
    void *value;
    while (map_next(folder->brake->incoming, &at, &path, &value)) {
        const struct incoming *in = value;
        uint32_t i = 0;
        if (!in->held || in->dot.inc == 0) continue;
        while (i < count && out[i].inc != in->dot.inc)
            i++;
        if (i == max) continue;
        if (i == count) out[count++] = (struct span){in->dot.inc, in->dot.counter, in->dot.counter};
        if (in->dot.counter < out[i].from) out[i].from = in->dot.counter;
        if (in->dot.counter > out[i].to) out[i].to = in->dot.counter;
    }
    return count;
}
