// SPDX-License-Identifier: MIT
//
// From needs to work: what must happen for one item, and in which order items are looked at.
#include <string.h>

#include "agent/base/planted.h"
#include "agent/core/incarnation.h"
#include "agent/sync/engine_priv.h"

#define INDEX(folder) (&(folder)->engine->o.index)

enum {
    NEEDS_PAGE = 256,
    NEEDS_PER_TURN = 1024,
    STEPS_READY_MAX = 8192,
    IDLE_RETRY_MS = 2000,
    DIRTY_RETRY_MS = 50,
    BLOCKED_PAGE = 256
};

static void block(struct folder *folder, struct item *item, enum blocked reason)
{
    item->blocked = reason;
    INDEX(folder)->item_put(INDEX(folder)->self, folder->number, item, false);
    rules_item_saved(folder, item);
}

bool work_left_out(struct folder *folder, const struct item *item)
{
    enum kind kind = item->head_count > 0 ? item->heads[0].value.kind : KIND_TOMB;
    if (kind == KIND_TOMB && item->local.state != LOCAL_NONE) kind = item->local.version.value.kind;
    return left_out(folder, item->path, kind == KIND_DIR) == LEFT_OUT_BY_RULE;
}

static bool content_at_hand(struct folder *folder, const struct item *item, const struct version *w)
{
    if (w->value.kind != KIND_FILE) return true;
    bool shown = item_local_shown(item);
    if (shown && value_same_content(&item->local.version.value, &w->value)) return true;
    struct content content = value_content(&w->value);
    if (content_staged(folder, &content)) return true;
    content_want(folder, &content, item->path);
    return false;
}

// A directory that is to go, or to become something else, waits for what is in it here. What cannot
// go is found by the step.
static bool holds_children(struct folder *folder, const struct item *item, const struct version *w)
{
    bool is_dir = item->local.state != LOCAL_NONE && item->local.version.value.kind == KIND_DIR;
    if (!is_dir || w->value.kind == KIND_DIR) return false;
    return local_below(folder, item->path, BELOW_FREE);
}

static bool clashes(struct folder *folder, const struct version *w, struct slice path)
{
    return value_is_leaf(&w->value) &&
           INDEX(folder)->live_below(INDEX(folder)->self, folder->number, path);
}

static bool is_dir_here(const struct item *item)
{
    return item->local.state != LOCAL_NONE && item->local.version.value.kind == KIND_DIR;
}

// A file or a link is known to live where this would need a directory, and none is here yet: either
// the end of the one or of the other is still on its way, or it is a clash.
bool work_below_leaf(struct folder *folder, struct slice path)
{
    const struct index_port *index = INDEX(folder);
    struct slice parent = path_parent(path);
    if (slice_equal(parent, buf_slice(&folder->sound_parent))) return false;
    for (struct slice p = parent; p.size > 0; p = path_parent(p)) {
        struct item item;
        index->item_get(index->self, folder->engine->scratch, folder->number, p, &item);
        if (is_dir_here(&item)) break;
        bool leaf = false, dir = false;
        for (uint32_t i = 0; i < item.head_count; i++) {
            leaf |= value_is_leaf(&item.heads[i].value);
            dir |= item.heads[i].value.kind == KIND_DIR;
        }
        if (leaf && !dir) return true;
    }
    buf_clear(&folder->sound_parent);
    buf_append(&folder->sound_parent, parent.data, parent.size);
    return false;
}

// Nothing is known of it any more, because its deletion was forgotten elsewhere before it came
// here.
static void work_forgotten(struct folder *folder, struct item *item)
{
    static const struct version gone = {.value = {.kind = KIND_TOMB}};
    const struct index_port *index = INDEX(folder);
    if (item->local.state != LOCAL_OBSOLETE) return;
    bool is_dir = item->local.version.value.kind == KIND_DIR;
    if (is_dir && index->live_below(index->self, folder->number, item->path)) {
        item->local.state = LOCAL_NONE; // it lives on by what is in it, and goes with that
        item_save(folder, item, false, false);
        made_before(folder, item, item->local.version.value.mode);
        return;
    }
    if (work_left_out(folder, item)) {
        block(folder, item, BLOCKED_IGNORED);
        return;
    }
    if (!brake_lets_in(folder, item->path)) return;
    if (!holds_children(folder, item, &gone)) apply_add(folder, item->path);
}

// What the disk shows counts for nothing, and is what it needs to be: a directory that was deleted
// stays one for the sake of what is in it.
static bool lives_on(struct folder *folder, struct item *item)
{
    const struct local *local = &item->local;
    bool is_dir = local->state == LOCAL_OBSOLETE && local->version.value.kind == KIND_DIR;
    if (!is_dir || item->head_count != 1 || version_live(&item->heads[0])) return false;
    if (!INDEX(folder)->live_below(INDEX(folder)->self, folder->number, item->path)) return false;
    local_implied_now(folder, item, &item->heads[0], local->version.value.mode);
    return true;
}

// Only if that is planted.
static bool resolved_blindly(struct folder *folder, struct slice path)
{
    struct item item;
    if (!PLANTED(resolve_while_dirty)) return false;
    INDEX(folder)->item_get(INDEX(folder)->self, folder->engine->scratch, folder->number, path,
                            &item);
    return item.head_count > 1;
}

// Inside a transaction.
void work_item(struct folder *folder, struct slice path)
{
    const struct index_port *index = INDEX(folder);
    struct item item;
    if (!folder_usable(folder) || !folder->row.scanned || join_leaving(folder)) return;
    if (map_get(folder->busy, path) != NULL || map_get(folder->step_paths, path) != NULL) return;
    if (dirty_has(folder, path) && !mode_has(folder, path) && !resolved_blindly(folder, path))
        return;
    index->item_get(index->self, folder->engine->scratch, folder->number, path, &item);
    if (!item_refresh_need(folder, &item) || item.blocked != BLOCKED_NONE) return;
    if (mode_agrees(folder, &item)) {
        (void)mode_leave(folder, path);
        dirty_mark(folder, path, 0, true);
        return;
    }
    enum blocked by_mode = mode_blocks(folder, &item);
    // What is left out here is not what differs: no override takes it from others.
    if (by_mode == BLOCKED_SEND_ONLY && work_left_out(folder, &item)) by_mode = BLOCKED_IGNORED;
    if (by_mode != BLOCKED_NONE) {
        block(folder, &item, by_mode);
        return;
    }
    if (rules_come_first(folder, path)) return;
    // A look that could not settle it is not repeated at once: what it waits for, a scan of what is
    // below say, would never get its turn.
    if (item.local.state == LOCAL_DIRTY && !resolved_blindly(folder, path)) {
        if (!dirty_has(folder, path)) dirty_mark(folder, path, DIRTY_RETRY_MS, true);
        return;
    }
    if (item.head_count == 0) {
        work_forgotten(folder, &item);
        return;
    }
    if (work_left_out(folder, &item)) {
        block(folder, &item, BLOCKED_IGNORED);
        return;
    }
    if (lives_on(folder, &item)) return;
    if (item.head_count > 1) {
        resolve_item(folder, &item);
        return;
    }
    const struct version *w = &item.heads[0];
    bool known = item.local.state == LOCAL_OK;
    if (known && !vv_le(item.local.version.vv, w->vv)) return;
    if (clashes(folder, w, path)) {
        resolve_clash_above(folder, path);
        return;
    }
    if (version_live(w) && work_below_leaf(folder, path)) {
        resolve_clash_above(folder, path_parent(path));
        return;
    }
    if (!brake_lets_in(folder, path)) return;
    if (holds_children(folder, &item, w) || !content_at_hand(folder, &item, w)) return;
    apply_add(folder, item.path);
}

void work_again(struct folder *folder)
{
    if (!folder->needs_done) {
        folder->needs_again = true;
        return;
    }
    folder->needs_done = false;
    folder->needs_cursor_set = false;
}

void work_later(struct folder *folder, int64_t ms)
{
    int64_t at = folder->engine->now_ms + ms;
    if (folder->wait_retry_ms == 0 || at < folder->wait_retry_ms) folder->wait_retry_ms = at;
}

void work_later_still(struct folder *folder, int64_t ms, uint32_t *times, uint32_t max)
{
    work_later(folder, ms << *times);
    if (*times < max) ++*times;
}

static bool has_room(const struct folder *folder)
{
    return map_count(folder->transfers) < TRANSFERS_MAX &&
           map_count(folder->step_paths) < STEPS_READY_MAX && folder->resolve_jobs < INTENTS_MAX;
}

bool work_left(const struct folder *folder)
{
    return folder->row.scanned && folder->row.needs > 0 && !folder->needs_done &&
           has_room(folder) && !join_leaving(folder);
}

// One page of needs; false at the end of them.
static bool needs_page(struct folder *folder)
{
    const struct index_port *index = INDEX(folder);
    struct slice *paths = arena_alloc(folder->engine->scratch, NEEDS_PAGE, sizeof *paths);
    uint32_t got = index->needs_after(index->self, folder->engine->scratch, folder->number,
                                      buf_slice(&folder->needs_cursor), !folder->needs_cursor_set,
                                      NEEDS_PAGE, paths);
    uint32_t done = 0;
    while (done < got && has_room(folder))
        work_item(folder, paths[done++]);
    if (done > 0) {
        buf_clear(&folder->needs_cursor);
        buf_append(&folder->needs_cursor, paths[done - 1].data, paths[done - 1].size);
        folder->needs_cursor_set = true;
    }
    return got == NEEDS_PAGE || done < got;
}

// Those of versions that have just come. What finds no room is found by a walk of the needs.
void work_versions(struct folder *folder, const struct versions *versions)
{
    for (uint32_t i = 0; i < versions->count; i++) {
        if (folder->outbox_count < OUTBOX_ENOUGH)
            work_item(folder, versions->entries[i].path);
        else
            work_again(folder);
    }
}

static void marks_take(struct folder *folder, struct job *job)
{
    const struct buf *over = &folder->intents_over;
    job->apply.drop_mark_count = (uint32_t)(over->size / sizeof *job->apply.drop_marks);
    job->apply.drop_marks =
        arena_alloc(job->arena, job->apply.drop_mark_count + 1U, sizeof *job->apply.drop_marks);
    if (over->size > 0) memcpy(job->apply.drop_marks, over->data, over->size);
    buf_clear(&folder->intents_over);
}

void staging_unclean(struct folder *folder)
{
    folder->staging_clean_ms = folder->engine->now_ms + BLOCKED_RETRY_MS;
}

static void contents_of(struct folder *folder, struct arena *arena, struct slice path,
                        struct map *out)
{
    struct item item;
    uint8_t key[40];
    INDEX(folder)->item_get(INDEX(folder)->self, arena, folder->number, path, &item);
    for (uint32_t h = 0; h < item.head_count; h++) {
        const struct value *value = &item.heads[h].value;
        struct content content = value_content(value);
        (void)map_put(out, content_key(&content, key), out);
    }
}

// Of items that wait for their place: they are tried again, and the contents would have to come
// anew each time.
static struct map *contents_blocked(struct folder *folder)
{
    const struct index_port *index = INDEX(folder);
    AUTO(arena_destroy) struct arena *arena = arena_new();
    struct map *out = map_new();
    for (unsigned reason = 1; folder->row.blocked > 0 && reason < BLOCKED_COUNT; reason++) {
        uint32_t skip = 0, count = BLOCKED_PAGE;
        while (count == BLOCKED_PAGE && blocked_minded((enum blocked)reason)) {
            arena_reset(arena);
            struct slice *paths = arena_alloc(arena, BLOCKED_PAGE, sizeof *paths);
            count = index->blocked(index->self, arena, folder->number, (enum blocked)reason, skip,
                                   BLOCKED_PAGE, paths);
            for (uint32_t i = 0; i < count; i++)
                contents_of(folder, arena, paths[i], out);
            skip += count;
        }
    }
    return out;
}

// Of what is staged, all but what is blocked.
static void staged_take(struct folder *folder, struct job *job)
{
    struct map *blocked = contents_blocked(folder);
    size_t at = 0;
    job->apply.drop =
        arena_alloc(job->arena, map_count(folder->staged) + 1U, sizeof *job->apply.drop);
    struct slice key;
    void *value;
    while (map_next(folder->staged, &at, &key, &value)) {
        if (map_get(blocked, key) != NULL) continue;
        content_of_key(key, &job->apply.drop[job->apply.drop_count++]);
        (void)map_remove(folder->staged, key);
    }
    folder->staged_kept = map_count(folder->staged);
    map_destroy(&blocked);
}

// Contents that came with a push and turned out not to be needed, and what intents left.
static void staging_tidy(struct folder *folder)
{
    size_t kept = folder->row.blocked > 0 ? folder->staged_kept : 0;
    bool known = map_count(folder->staged) > kept || folder->intents_over.size > 0;
    int64_t clean_ms = folder->staging_clean_ms;
    bool clean = map_count(folder->staged) == 0 && folder->intents_over.size == 0 &&
                 clean_ms != 0 && folder->engine->now_ms >= clean_ms;
    bool rest = folder->jobs == 0 && map_count(folder->transfers) == 0 && folder->decides == NULL;
    // Whom it came from may have something newer by now.
    bool sweep = !folder->staging_swept && rest && !known && folder->row.blocked == 0 &&
                 folder_at_rest(folder);
    if ((!known && !clean && !sweep) || !rest) return;
    struct job *job = job_new(JOB_RECOVER, folder->number);
    staged_take(folder, job);
    if (job->apply.drop_count == 0 && folder->intents_over.size == 0 && !clean && !sweep) {
        job_destroy(&job);
        return;
    }
    marks_take(folder, job);
    // One that names nothing clears away all that is nobody's.
    if (clean) folder->staging_clean_ms = 0;
    sweep &= !clean; // the one or the other
    if (sweep) job->apply.drop_parts_before_ms = folder->engine->started_wall_ms;
    folder->staging_swept |= sweep;
    struct errand *errand = mem_zalloc(1, sizeof *errand);
    errand->purpose = FOR_APPLY;
    job->context = errand;
    folder->recover_jobs++;
    submit(folder, job);
}

static void needs_walk(struct folder *folder)
{
    uint32_t seen = 0;
    txn_begin(folder);
    while (seen < NEEDS_PER_TURN && has_room(folder) && folder->outbox_count < 32) {
        seen += NEEDS_PAGE;
        if (needs_page(folder)) continue;
        folder->needs_done = !folder->needs_again;
        folder->needs_again = false;
        folder->needs_cursor_set = false;
        break;
    }
    if (txn_end(folder) != ERR_OK) work_later(folder, INDEX_RETRY_MS);
    apply_flush(folder);
    fetch_step(folder);
}

void work_more(struct folder *folder)
{
    if (!folder_usable(folder) || folder->in_txn || join_leaving(folder)) return;
    if (folder->row.needs == 0) staging_tidy(folder);
    if (!folder->row.scanned) return;
    if (folder->row.needs == 0) {
        apply_flush(folder);
        folder->needs_done = true;
        folder->needs_again = false;
        return;
    }
    if (!folder->needs_done) needs_walk(folder);
    // Nothing is under way, and yet something is left: whatever it waits for, it is looked at
    // again.
    bool idle = folder->jobs == 0 && map_count(folder->transfers) == 0;
    bool more = folder->row.needs > brake_in_held(folder); // than what waits for a person
    if (idle && folder->needs_done && more) work_later(folder, IDLE_RETRY_MS);
}
