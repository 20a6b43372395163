// SPDX-License-Identifier: MIT
//
// The brake on what was found here: deletions and rewrites pass at once while they are few, and
// wait for the rest of the act they may be part of when they are not. brake_judge.c says what
// becomes of those that wait. Nothing of it is kept over a restart: the scan finds the same again,
// as one act.
#include <stdlib.h>
#include <string.h>

#include "agent/sync/brake_priv.h"

#define INDEX(folder) (&(folder)->engine->o.index)

enum { CONFLICTS_MAX = 64 };

void brake_open(struct folder *folder)
{
    struct brake *b = mem_zalloc(1, sizeof *b);
    b->waiting = map_new();
    b->found = map_new();
    b->admitted = map_new();
    b->passing = map_new();
    b->incoming = map_new();
    b->appeared = map_new();
    b->coming = map_new();
    b->in_unread = true;
    for (int i = 0; i < SLOTS; i++)
        b->slots[i].number = -1;
    folder->brake = b;
    brake_set(folder, &(struct engine_brake){0});
}

static void map_empty(struct map *map, bool values)
{
    size_t at = 0;
    struct slice key;
    void *value;
    while (map_next(map, &at, &key, &value)) {
        (void)map_remove(map, key);
        if (values) mem_free(&value);
    }
}

static void found_free(struct found *found)
{
    if (found == NULL) return;
    buf_fini(&found->target);
    mem_free(&found);
}

static void found_empty(struct map *map)
{
    size_t at = 0;
    struct slice key;
    void *value;
    while (map_next(map, &at, &key, &value)) {
        (void)map_remove(map, key);
        found_free(value);
    }
}

// The folder begins another life: nothing that was found or came is of it.
void brake_clear(struct folder *folder)
{
    struct brake *b = folder->brake;
    brake_not_let_out(b);
    found_empty(b->found);
    map_empty(b->waiting, false);
    map_empty(b->admitted, false);
    map_empty(b->passing, false);
    map_empty(b->coming, false);
    map_empty(b->incoming, true);
    map_empty(b->appeared, true);
    memset(b->waits, 0, sizeof b->waits);
    memset(b->held, 0, sizeof b->held);
    memset(b->in_count, 0, sizeof b->in_count);
    memset(b->in_held, 0, sizeof b->in_held);
    b->applied_count = b->approval_count = 0;
    b->approve_from = b->in_told = 0;
    b->approved_minted = b->in_open = false;
    b->in_unread = true;
    brake_window_forget(folder);
}

void brake_close(struct folder *folder)
{
    struct brake *b = folder->brake;
    brake_clear(folder);
    map_destroy(&b->waiting);
    map_destroy(&b->found);
    map_destroy(&b->admitted);
    map_destroy(&b->passing);
    map_destroy(&b->incoming);
    map_destroy(&b->appeared);
    map_destroy(&b->coming);
    mem_free(&b->applied);
    mem_free(&b->approvals);
    mem_free(&folder->brake);
}

// ---- the window

static struct slot *slot_now(struct folder *folder)
{
    int64_t number = folder->engine->now_ms / SLOT_MS;
    struct slot *slot = &folder->brake->slots[number % SLOTS];
    if (slot->number != number)
        *slot =
            (struct slot){.number = number, .counter = folder->row.counter, .seq = folder->row.seq};
    return slot;
}

void brake_window(const struct folder *folder, struct slot *out)
{
    int64_t oldest = folder->engine->now_ms / SLOT_MS - SLOTS + 1;
    *out = (struct slot){.counter = folder->row.counter, .seq = folder->row.seq};
    for (int i = 0; i < SLOTS; i++) {
        const struct slot *slot = &folder->brake->slots[i];
        if (slot->number < 0 || slot->number < oldest) continue;
        out->deleted += slot->deleted;
        out->rewritten += slot->rewritten;
        if (slot->live > out->live) out->live = slot->live;
        if (slot->counter < out->counter) out->counter = slot->counter;
        if (slot->seq < out->seq) out->seq = slot->seq;
    }
}

void brake_note(struct folder *folder, uint64_t deleted, uint64_t rewritten, uint64_t live)
{
    struct slot *slot = slot_now(folder);
    slot->deleted += (uint32_t)deleted;
    slot->rewritten += (uint32_t)rewritten;
    if (live > slot->live) slot->live = live;
}

// What a transaction would have published counts only with it.
void brake_txn_begin(struct folder *folder)
{
    memcpy(folder->brake->slots_before, folder->brake->slots, sizeof folder->brake->slots);
}

void brake_txn_undone(struct folder *folder)
{
    struct brake *b = folder->brake;
    size_t at = 0;
    struct slice path;
    memcpy(b->slots, b->slots_before, sizeof b->slots);
    for (void *value; map_next(b->passing, &at, &path, &value);)
        map_add(b->admitted, path);
    brake_passed(b);
}

// What had been admitted is in the index.
void brake_passed(struct brake *b)
{
    map_empty(b->passing, false);
    b->approved_minted = false;
}

// What was published until now has been decided.
void brake_window_forget(struct folder *folder)
{
    for (int i = 0; i < SLOTS; i++) {
        struct slot *slot = &folder->brake->slots[i];
        slot->deleted = slot->rewritten = 0;
        slot->live = 0;
    }
}

bool brake_over(uint64_t count, uint64_t min, uint64_t percent, uint64_t of)
{
    return count > min && count * 100 > percent * of;
}

// Also inside a transaction. Conflict items are nobody's files.
uint64_t brake_live(struct folder *folder)
{
    const struct index_port *index = INDEX(folder);
    struct folder_row row;
    if (!index->folder_reload(index->self, folder->engine->scratch, folder->number, &row)) return 0;
    if (row.items > CONFLICTS_MAX) return row.items;
    struct slice paths[CONFLICTS_MAX];
    return row.items - index->live_paths_below(index->self, folder->engine->scratch, folder->number,
                                               slice_text(PATH_CONFLICTS), CONFLICTS_MAX, paths);
}

// ---- paths that wait

static const char kinds[WAITS_COUNT];

enum unpublished brake_waits_for(const struct folder *folder, struct slice path)
{
    const char *kind = map_get(folder->brake->waiting, path);
    return kind != NULL ? (enum unpublished)(kind - kinds) : NOT_WAITING;
}

bool brake_has(const struct folder *folder, struct slice path)
{
    return brake_waits_for(folder, path) != NOT_WAITING;
}

static bool held(const struct brake *b)
{
    return b->held[WAITS_DELETED] || b->held[WAITS_REWRITTEN] || b->held[WAITS_OLDER];
}

// Perhaps what is held is no longer so much.
static void judge_again(struct folder *folder)
{
    struct brake *b = folder->brake;
    int64_t due = folder->engine->now_ms + JUDGE_AGAIN_MS;
    if (held(b) && due < b->judge_ms) b->judge_ms = due;
}

// Before a counter is drawn, so that the window knows where it begins. What is made may be what was
// held as deleted.
void brake_minting(struct folder *folder)
{
    (void)slot_now(folder);
    judge_again(folder);
}

enum unpublished brake_leave(struct folder *folder, struct slice path)
{
    struct brake *b = folder->brake;
    const char *kind = map_remove(b->waiting, path);
    if (kind == NULL) return NOT_WAITING;
    found_free(map_remove(b->found, path));
    b->waits[kind - kinds]--;
    judge_again(folder);
    return (enum unpublished)(kind - kinds);
}

void brake_join(struct folder *folder, struct slice path, enum unpublished kind)
{
    struct brake *b = folder->brake;
    int64_t now = folder->engine->now_ms;
    (void)brake_leave(folder, path);
    if (map_count(b->waiting) == 0) {
        b->first_ms = now;
        b->from_scan = folder->scan.active;
    }
    (void)map_put(b->waiting, path, (void *)(uintptr_t)&kinds[kind]);
    b->waits[kind]++;
    b->judge_ms = now + SETTLE_MS;
    if (!held(b) && b->judge_ms > b->first_ms + SETTLE_MAX_MS)
        b->judge_ms = b->first_ms + SETTLE_MAX_MS;
    engine_changed(folder->engine);
}

int path_descending(const void *a, const void *b)
{
    const struct slice *left = a;
    const struct slice *right = b;
    return path_compare(*right, *left);
}

// They are looked at once more, children first, and pass then.
void brake_release(struct folder *folder, const bool which[WAITS_COUNT])
{
    struct brake *b = folder->brake;
    size_t count = 0, at = 0;
    AUTO(arena_destroy) struct arena *arena = arena_new();
    struct slice *paths = arena_alloc(arena, map_count(b->waiting) + 1, sizeof *paths);
    struct slice path;
    void *kind;
    while (map_next(b->waiting, &at, &path, &kind)) {
        if (which[(const char *)kind - kinds]) paths[count++] = arena_copy(arena, path);
    }
    qsort(paths, count, sizeof *paths, path_descending);
    for (size_t i = 0; i < count; i++) {
        (void)brake_leave(folder, paths[i]);
        map_add(b->admitted, paths[i]);
        dirty_mark(folder, paths[i], 0, true);
    }
    engine_changed(folder->engine);
}

// ---- limits

static const struct engine_brake defaults = {.deleted = 20,
                                             .deleted_percent = 25,
                                             .rewritten = 50,
                                             .rewritten_percent = 50,
                                             .restored = 20,
                                             .restored_percent = 25};

static uint32_t or_default(uint32_t given, uint32_t otherwise)
{
    return given != 0 ? given : otherwise;
}

// Nothing is held any more, and nothing is counted.
static void let_all_go(struct folder *folder)
{
    static const bool all[WAITS_COUNT] = {true, true, true, true, true};
    struct brake *b = folder->brake;
    memset(b->held, 0, sizeof b->held);
    brake_release(folder, all);
    brake_in_forget(folder);
    work_again(folder);
    holds_tell(folder);
}

void brake_set(struct folder *folder, const struct engine_brake *given)
{
    struct engine_brake *limits = &folder->brake->limits;
    *limits = *given;
    limits->deleted = or_default(given->deleted, defaults.deleted);
    limits->deleted_percent = or_default(given->deleted_percent, defaults.deleted_percent);
    limits->rewritten = or_default(given->rewritten, defaults.rewritten);
    limits->rewritten_percent = or_default(given->rewritten_percent, defaults.rewritten_percent);
    limits->restored = or_default(given->restored, defaults.restored);
    limits->restored_percent = or_default(given->restored_percent, defaults.restored_percent);
    folder->brake->in_unread = true;
    if (limits->off) let_all_go(folder);
}

// ---- both sides

void brake_tick(struct folder *folder)
{
    brake_judge_tick(folder);
    brake_in_tick(folder);
    brake_decide_tick(folder);
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t brake_deadline(const struct folder *folder)
{
    int64_t at = earlier(brake_judge_deadline(folder), brake_in_deadline(folder));
    return earlier(at, brake_decide_deadline(folder));
}

const char *brake_code(const struct folder *folder)
{
    const char *here = brake_text(folder);
    return here[0] != 0 ? here : brake_in_text(folder);
}

const char *brake_of(const struct folder *folder, struct slice path)
{
    enum unpublished kind = brake_waits_for(folder, path);
    const struct incoming *in = map_get(folder->brake->incoming, path);
    if (kind == WAITS_AFTER) kind = WAITS_DELETED;
    if (folder->brake->held[kind]) return brake_text(folder);
    if (in == NULL || !in->held) return NULL;
    return in->kind == IN_DELETED ? "mass-delete" : "mass-rewrite";
}
