// SPDX-License-Identifier: MIT
//
// What becomes of changes found here that wait: when no more come, they are counted, without what
// was only moved. Few enough: all pass. Too many: they are held until a person decides, or until
// it shows that they are no deletions after all.
#include <inttypes.h>
#include <string.h>

#include "agent/sync/brake_priv.h"

#define INDEX(folder) (&(folder)->engine->o.index)

// ---- directories: one that is deleted with what was in it counts as that does

struct gone {
    struct slice path;
    bool is_dir, counts, has_below, below_counts;
};

static void gone_above(const struct map *at, const struct gone *one, bool counted)
{
    for (struct slice p = path_parent(one->path); p.size > 0; p = path_parent(p)) {
        struct gone *dir = map_get(at, p);
        if (dir == NULL) continue;
        dir->has_below = true;
        dir->below_counts |= counted;
    }
}

static uint64_t gone_count(struct gone *gone, size_t count)
{
    AUTO(map_destroy) struct map *at = map_new();
    uint64_t total = 0;
    for (size_t i = 0; i < count; i++) {
        if (gone[i].is_dir) (void)map_put(at, gone[i].path, &gone[i]);
    }
    for (size_t i = 0; i < count; i++)
        gone_above(at, &gone[i], !gone[i].is_dir && gone[i].counts);
    for (size_t i = 0; i < count; i++) {
        if (gone[i].is_dir) gone[i].counts = !gone[i].has_below || gone[i].below_counts;
        total += gone[i].counts;
    }
    return total;
}

// ---- counting

static uint64_t window_begin(const struct folder *folder, const struct slot *window)
{
    const struct brake *b = folder->brake;
    return b->from_scan && b->scan_counter < window->counter ? b->scan_counter : window->counter;
}

// The deletions that wait, less those whose content is at another place now. *out_files: those of
// them that are no directories.
static uint64_t deletions(struct folder *folder, const struct slot *window, uint64_t *out_files)
{
    const struct brake *b = folder->brake;
    AUTO(moved_destroy)
    struct moved *moved = moved_here(folder, window_begin(folder, window));
    AUTO(arena_destroy) struct arena *arena = arena_new();
    AUTO(arena_destroy) struct arena *one = arena_new();
    struct gone *gone = arena_alloc(arena, b->waits[WAITS_DELETED] + 1, sizeof *gone);
    size_t count = 0, at = 0;
    struct slice path;
    void *value;
    *out_files = 0;
    while (map_next(b->waiting, &at, &path, &value)) {
        if (brake_waits_for(folder, path) != WAITS_DELETED) continue;
        struct item item;
        arena_reset(one);
        INDEX(folder)->item_get(INDEX(folder)->self, one, folder->number, path, &item);
        const struct value *was = &item.local.version.value;
        struct gone *g = &gone[count++];
        *g = (struct gone){.path = arena_copy(arena, path), .is_dir = was->kind == KIND_DIR};
        g->counts = !g->is_dir && !moved_take(moved, was);
        *out_files += g->counts;
    }
    return gone_count(gone, count);
}

struct verdict {
    bool over[WAITS_COUNT];
    bool all; // nothing would be left
    uint64_t deleted, rewritten, older;
    uint64_t live;
};

// What is held is not let go because the folder has grown since.
static bool still_held(const struct brake *b, uint64_t deleted)
{
    return deleted > 0 && (b->held_all || b->held_deleted + deleted > b->limits.deleted);
}

enum { REST_MAX = 1024 }; // items that are looked at one by one

// Whether a file or a link stays. Directories go after what is in them, and perhaps in another
// batch: a folder of directories alone is an empty one.
static bool leaves_something(struct folder *folder, uint64_t live, uint64_t waits)
{
    const struct index_port *index = INDEX(folder);
    if (waits >= live) return false;
    if (live - waits > REST_MAX) return true;
    AUTO(arena_destroy) struct arena *arena = arena_new();
    uint32_t max = (uint32_t)live + REST_MAX;
    struct slice *paths = arena_alloc(arena, max, sizeof *paths);
    uint32_t count =
        index->live_paths_below(index->self, arena, folder->number, (struct slice){0}, max, paths);
    for (uint32_t i = 0; i < count; i++) {
        struct item item;
        if (brake_waits_for(folder, paths[i]) == WAITS_DELETED || path_is_conflict_item(paths[i]))
            continue;
        index->item_get(index->self, arena, folder->number, paths[i], &item);
        if (item.local.state == LOCAL_NONE || item.local.version.value.kind == KIND_DIR) continue;
        if (version_live(&item.local.version)) return true;
    }
    return false;
}

static void judge_deleted(struct folder *folder, const struct slot *window, struct verdict *out)
{
    const struct brake *b = folder->brake;
    const struct engine_brake *limits = &b->limits;
    uint64_t before = window->deleted, waits = b->waits[WAITS_DELETED];
    uint64_t most = out->live > window->live ? out->live : window->live;
    out->deleted = waits;
    out->all = waits > 0 && most >= 2 && !leaves_something(folder, out->live, waits);
    bool many = brake_over(before + waits, limits->deleted, limits->deleted_percent, most);
    if (waits == 0 || !(out->all || many || b->held[WAITS_DELETED])) return;
    uint64_t files;
    out->deleted = deletions(folder, window, &files);
    // A directory and the one file in it are no two items to a person.
    out->all &= before + files >= 2;
    many = brake_over(before + out->deleted, limits->deleted, limits->deleted_percent, most);
    out->over[WAITS_DELETED] = b->held[WAITS_DELETED] ? still_held(b, out->deleted)
                                                      : out->deleted > 0 && (out->all || many);
}

static void judge(struct folder *folder, struct verdict *out)
{
    const struct brake *b = folder->brake;
    const struct engine_brake *limits = &b->limits;
    struct slot window;
    brake_window(folder, &window);
    *out = (struct verdict){.live = brake_live(folder)};
    judge_deleted(folder, &window, out);
    out->rewritten = b->waits[WAITS_REWRITTEN];
    out->older = b->waits[WAITS_OLDER];
    bool many = b->held[WAITS_REWRITTEN]
                    ? b->held_rewritten + out->rewritten > limits->rewritten
                    : brake_over(window.rewritten + out->rewritten, limits->rewritten,
                                 limits->rewritten_percent, out->live);
    bool restore =
        out->older >= limits->restored && out->older * 100 >= limits->restored_percent * out->live;
    out->over[WAITS_REWRITTEN] = out->rewritten > 0 && many;
    out->over[WAITS_OLDER] = out->older > 0 && (restore || b->held[WAITS_OLDER]);
    // What was found with it is of the same act.
    if (!out->over[WAITS_OLDER]) return;
    out->over[WAITS_DELETED] = b->waits[WAITS_DELETED] > 0;
    out->over[WAITS_REWRITTEN] = out->rewritten > 0;
}

// ---- the decision

const char *brake_text(const struct folder *folder)
{
    const struct brake *b = folder->brake;
    if (b->held[WAITS_OLDER]) return "restore";
    if (b->held[WAITS_DELETED]) return "mass-delete";
    return b->held[WAITS_REWRITTEN] ? "mass-rewrite" : "";
}

uint64_t brake_held(const struct folder *folder)
{
    const struct brake *b = folder->brake;
    uint64_t count = 0;
    for (int kind = WAITS_DELETED; kind <= WAITS_OLDER; kind++)
        if (b->held[kind]) count += b->waits[kind];
    return count;
}

static void tell(struct folder *folder, const struct verdict *v, bool was)
{
    const struct notify_port *notify = &folder->engine->o.notify;
    uint64_t held = brake_held(folder);
    if (was == (held > 0)) return;
    if (held == 0) {
        log_info(LOG_SYNC, "brake released", "folder=%s", folder->name);
    } else {
        log_warn(LOG_SYNC, "held",
                 "folder=%s brake=%s deleted=%" PRIu64 " rewritten=%" PRIu64 " older=%" PRIu64
                 " of=%" PRIu64 " hint=\"cfgsync-agent plan %s, then approve %s or revert %s\"",
                 folder->name, brake_text(folder), v->deleted, v->rewritten, v->older, v->live,
                 folder->name, folder->name, folder->name);
    }
    AUTO(buf_fini) struct buf json = {0};
    buf_printf(&json, "{\"brake\":\"%s\",\"changes\":%" PRIu64 "}", brake_text(folder), held);
    notify->event(notify->context, "held", buf_slice(&json));
}

static void decide(struct folder *folder)
{
    struct brake *b = folder->brake;
    struct verdict v;
    struct slot window;
    bool was = brake_held(folder) > 0;
    bool pass[WAITS_COUNT] = {false};
    judge(folder, &v);
    brake_window(folder, &window);
    for (int kind = WAITS_DELETED; kind <= WAITS_OLDER; kind++) {
        bool begins = v.over[kind] && !b->held[kind];
        if (begins && kind == WAITS_DELETED) b->held_deleted = window.deleted;
        if (begins && kind == WAITS_DELETED) b->held_all = v.all || v.over[WAITS_OLDER];
        if (begins && kind == WAITS_REWRITTEN) b->held_rewritten = window.rewritten;
        b->held[kind] = v.over[kind];
        pass[kind] = !v.over[kind];
    }
    pass[WAITS_AFTER] = !b->held[WAITS_DELETED];
    brake_note(folder, pass[WAITS_DELETED] ? v.deleted : 0,
               pass[WAITS_REWRITTEN] ? v.rewritten + (pass[WAITS_OLDER] ? v.older : 0) : 0, v.live);
    brake_release(folder, pass);
    tell(folder, &v, was);
    holds_tell(folder);
    b->judge_ms = INT64_MAX;
    engine_changed(folder->engine);
}

static bool looks_open(const struct folder *folder)
{
    return folder->scan.active || dirty_walk_waits(folder) || folder->gone_expected > 0;
}

bool brake_counting(const struct folder *folder)
{
    const struct brake *b = folder->brake;
    uint64_t held = 0;
    for (int kind = WAITS_DELETED; kind <= WAITS_OLDER; kind++)
        if (b->held[kind]) held += b->waits[kind];
    if (held > 0 && b->held[WAITS_DELETED]) held += b->waits[WAITS_AFTER];
    return map_count(b->waiting) > held;
}

void brake_judge_tick(struct folder *folder)
{
    struct brake *b = folder->brake;
    int64_t now = folder->engine->now_ms;
    if (map_count(b->waiting) == 0) {
        if (brake_text(folder)[0] == 0) return;
        // All of it is as it was before.
        struct verdict none = {0};
        memset(b->held, 0, sizeof b->held);
        tell(folder, &none, true);
        holds_tell(folder);
        engine_changed(folder->engine);
        return;
    }
    if (now < b->judge_ms) return;
    if (looks_open(folder) && now < b->first_ms + SETTLE_MAX_MS) {
        b->judge_ms = now + SETTLE_LOOK_MS;
        return;
    }
    decide(folder);
}

int64_t brake_judge_deadline(const struct folder *folder)
{
    const struct brake *b = folder->brake;
    if (map_count(b->waiting) == 0) return brake_text(folder)[0] != 0 ? 0 : INT64_MAX;
    return b->judge_ms;
}
