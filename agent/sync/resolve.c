// SPDX-License-Identifier: MIT
//
// Carrying out a resolution: contents staged, intent journaled, disk, and only then one transaction
// that draws the dots. Nothing is published before, so no dot can be used twice.
#include "agent/core/resolve.h"

#include "agent/base/planted.h"
#include "agent/sync/awaited_priv.h"

#define INDEX(folder) (&(folder)->engine->o.index)

// An intent that the disk refuses is tried again.
enum { DROPPED_RETRY_MS = 500, DROPPED_DOUBLES_MAX = 5 };

// An intent has no dots yet; the journal's form of a version wants one. Incarnations are never 0.
static const struct dot NO_DOT = {.inc = 0, .counter = 1};

static void view_item(void *context, struct arena *arena, struct slice path, struct item *out)
{
    struct folder *folder = context;
    INDEX(folder)->item_get(INDEX(folder)->self, arena, folder->number, path, out);
}

static uint32_t view_conflicts(void *context, struct arena *arena, struct slice path, uint32_t max,
                               struct item *out)
{
    struct folder *folder = context;
    struct slice *paths = arena_alloc(arena, max, sizeof *paths);
    uint32_t count =
        INDEX(folder)->conflicts_of(INDEX(folder)->self, arena, folder->number, path, max, paths);
    for (uint32_t i = 0; i < count; i++)
        view_item(context, arena, paths[i], &out[i]);
    return count;
}

static uint32_t view_below(void *context, struct arena *arena, struct slice path, uint32_t max,
                           struct item *out)
{
    struct folder *folder = context;
    struct slice *paths = arena_alloc(arena, max, sizeof *paths);
    uint32_t count = INDEX(folder)->live_paths_below(INDEX(folder)->self, arena, folder->number,
                                                     path, max, paths);
    for (uint32_t i = 0; i < count; i++)
        view_item(context, arena, paths[i], &out[i]);
    return count;
}

static bool member_touchable(struct folder *folder, const struct member *m)
{
    if (map_get(folder->busy, m->path) != NULL) return false;
    if (PLANTED(resolve_while_dirty)) return true;
    return !dirty_has(folder, m->path) && m->item.local.state != LOCAL_DIRTY;
}

static bool on_disk_already(const struct member *m)
{
    return item_local_shown(&m->item) &&
           value_same_content(&m->item.local.version.value, &m->version.value);
}

// All that a member will write must be staged, and its name must be allowed here.
static bool members_ready(struct folder *folder, const struct resolution *plan, struct slice path)
{
    bool ready = true;
    for (uint32_t i = 0; i < plan->count; i++) {
        const struct member *m = &plan->members[i];
        if (!member_touchable(folder, m)) return false;
        if (m->version.value.kind != KIND_FILE || on_disk_already(m)) continue;
        struct content content = value_content(&m->version.value);
        if (content_staged(folder, &content)) continue;
        content_want(folder, &content, path);
        ready = false;
    }
    return ready;
}

static bool leaves_too(const struct resolution *plan, struct slice path)
{
    for (uint32_t i = 0; i < plan->count; i++) {
        const struct member *m = &plan->members[i];
        if (slice_equal(m->path, path)) return !version_live(&m->version);
    }
    return false;
}

// Also one that a step made on its way.
static bool is_dir_here(const struct folder *folder, const struct item *item, uint32_t *out_mode)
{
    if (!item_local_live(item)) return made_here(folder, item->path, out_mode);
    *out_mode = item->local.version.value.mode;
    return item->local.version.value.kind == KIND_DIR;
}

// What ends here is a directory already, for the sake of what stays below: it lives on by
// implication.
static bool lives_on(struct folder *folder, const struct resolution *plan, const struct member *m)
{
    uint32_t mode;
    if (version_live(&m->version) || !is_dir_here(folder, &m->item, &mode)) return false;
    if (join_leaving(folder)) return false; // what is to live there is known elsewhere only
    struct arena *arena = folder->engine->scratch;
    struct slice *below = arena_alloc(arena, RESOLVE_MEMBERS_MAX + 1U, sizeof *below);
    uint32_t count = INDEX(folder)->live_paths_below(INDEX(folder)->self, arena, folder->number,
                                                     m->path, RESOLVE_MEMBERS_MAX + 1U, below);
    for (uint32_t i = 0; i < count; i++) {
        if (!leaves_too(plan, below[i])) return true;
    }
    return false;
}

static void member_step(struct folder *folder, struct job *job, struct step *step,
                        const struct resolution *plan, const struct member *m)
{
    struct version v = m->version;
    v.vv = vv_with(folder->engine->scratch, v.vv, NO_DOT);
    v.dots = (struct dots){.entries = arena_alloc(job->arena, 1, sizeof NO_DOT), .count = 1};
    v.dots.entries[0] = NO_DOT;
    step->path = arena_copy(job->arena, m->path);
    step->version = version_copy(job->arena, &v);
    step->disk_name = arena_copy(job->arena, m->item.local.disk_name);
    step_expect(folder, step, &m->item);
    if (version_live(&v) && !step->before.present) made_perhaps(folder, step->path);
    step->dir_implied_mode = on_disk_already(m) || lives_on(folder, plan, m);
}

void intent_start(struct folder *folder, const struct resolution *plan, bool decided)
{
    struct job *job = job_new(JOB_APPLY, folder->number);
    job->apply.all_or_none = true;
    job->apply.steps = arena_alloc(job->arena, plan->count, sizeof *job->apply.steps);
    for (uint32_t i = 0; i < plan->count; i++) {
        struct step *step = &job->apply.steps[job->apply.count++];
        member_step(folder, job, step, plan, &plan->members[i]);
        map_add(folder->busy, step->path);
    }
    AUTO(buf_fini) struct buf record = {0};
    INDEX(folder)->journal_encode(&job->apply, &record);
    job->apply.journal =
        INDEX(folder)->journal_add(INDEX(folder)->self, folder->number, buf_slice(&record));
    struct errand *errand = mem_zalloc(1, sizeof *errand);
    errand->purpose = FOR_RESOLVE;
    errand->decided = decided;
    job->context = errand;
    folder->resolve_jobs++;
    txn_submit(folder, job);
}

// What the names of conflict items are made of, besides the versions.
static struct folder_id names_of(const struct folder *folder)
{
    struct folder_id id = folder->row.id;
    if (PLANTED(copy_named_by_device)) id.bytes[0] ^= (uint8_t)folder->row.inc;
    return id;
}

static struct index_view view_of(struct folder *folder)
{
    return (struct index_view){.context = folder,
                               .item = view_item,
                               .conflicts_of = view_conflicts,
                               .live_below = view_below};
}

// Every live content must be held here, or somebody else will resolve it.
static bool contents_held(struct folder *folder, const struct item *item)
{
    bool held = true;
    for (uint32_t i = 0; i < item->head_count; i++) {
        const struct value *value = &item->heads[i].value;
        if (value->kind != KIND_FILE) continue;
        if (item_local_shown(item) && value_same_content(&item->local.version.value, value))
            continue;
        struct content content = value_content(value);
        if (content_staged(folder, &content)) continue;
        content_want(folder, &content, item->path);
        held = false;
    }
    return held;
}

static bool has_live_leaf(const struct item *item)
{
    for (uint32_t i = 0; i < item->head_count; i++) {
        if (value_is_leaf(&item->heads[i].value)) return true;
    }
    return false;
}

// Part of a round may be here and the file's end, or that of what is below it, in its next page.
static bool may_end(struct folder *folder, const struct item *item)
{
    return has_live_leaf(item) &&
           INDEX(folder)->live_below(INDEX(folder)->self, folder->number, item->path) &&
           clash_may_end(folder, item);
}

static bool enough_under_way(const struct folder *folder)
{
    return folder->outbox_count >= OUTBOX_ENOUGH || folder->resolve_jobs >= INTENTS_MAX;
}

// What is to live there cannot be put in place before the leaf above it has left.
static bool waits_for_leaf(struct folder *folder, const struct resolution *plan, struct slice path)
{
    return !leaves_too(plan, path) && work_below_leaf(folder, path);
}

void resolve_item(struct folder *folder, struct item *item)
{
    struct index_view view = view_of(folder);
    struct resolution plan;
    // The contents are wanted however it ends.
    if (enough_under_way(folder) || !contents_held(folder, item) || may_end(folder, item)) return;
    if (deletions_may_come(folder)) return;
    if (!resolve_heads(folder->engine->scratch, &view, names_of(folder), item, &plan)) return;
    if (waits_for_leaf(folder, &plan, item->path))
        resolve_clash_above(folder, path_parent(item->path));
    else if (members_ready(folder, &plan, item->path))
        intent_start(folder, &plan, false);
}

bool resolve_clash_at(struct folder *folder, struct item *item)
{
    struct index_view view = view_of(folder);
    struct resolution plan;
    if (enough_under_way(folder) || !contents_held(folder, item)) return true;
    if (clash_may_end(folder, item)) return true;
    if (!resolve_clash(folder->engine->scratch, &view, names_of(folder), item, &plan)) return true;
    if (members_ready(folder, &plan, item->path)) intent_start(folder, &plan, false);
    return true;
}

// Inside a transaction: the path itself and every path above it.
void resolve_clash_above(struct folder *folder, struct slice path)
{
    for (struct slice p = path; p.size > 0; p = path_parent(p)) {
        struct item item;
        view_item(folder, folder->engine->scratch, p, &item);
        if (!has_live_leaf(&item) ||
            !INDEX(folder)->live_below(INDEX(folder)->self, folder->number, p))
            continue;
        if (item.head_count > 1)
            resolve_item(folder, &item);
        else
            (void)resolve_clash_at(folder, &item);
        return;
    }
}

// ---- after the disk

static struct vv without_no_dot(struct arena *arena, struct vv v)
{
    return vv_set(arena, v, (struct dot){.inc = NO_DOT.inc, .counter = 0});
}

static void member_publish(struct folder *folder, const struct step *step, struct dots bundle)
{
    struct arena *arena = folder->engine->scratch;
    struct item item;
    view_item(folder, arena, step->path, &item);
    struct dot after = {.inc = folder->row.inc, .counter = folder->row.counter + 1};
    kept_note(folder, &item, step, after, folder->engine->o.device);
    if (!step->dir_implied_mode) item.local.racy = step->racy;
    struct vv context = without_no_dot(arena, step->version.vv);
    uint32_t mode = 0755;
    (void)is_dir_here(folder, &item, &mode);
    if (version_live(&step->version) && !item_local_live(&item)) made_parents(folder, step->path);
    made_forget(folder, step->path);
    if (!item_mint(folder, &item, &step->version, context, &step->print, bundle)) return;
    bool lived_on = step->dir_implied_mode && !version_live(&step->version);
    if (lived_on) local_implied_now(folder, &item, &item.local.version, mode);
}

void resolve_final(struct folder *folder, struct job_apply *apply, bool decided)
{
    struct dot winner = {.inc = folder->row.inc, .counter = folder->row.counter + apply->count};
    struct dots bundle = {.entries = &winner, .count = apply->count > 1 ? 1 : 0};
    txn_begin(folder);
    for (uint32_t i = 0; i < apply->count; i++)
        member_publish(folder, &apply->steps[i], bundle);
    bool is_signed = decided && decide_minted(folder, winner.counter - apply->count + 1);
    INDEX(folder)->journal_remove(INDEX(folder)->self, folder->number, apply->journal);
    if (txn_end(folder) != ERR_OK) {
        folder_recover(folder); // the row is still there, and decides
        return;
    }
    folder->intents_dropped = 0;
    late_writes_during(folder, apply);
    if (is_signed) brake_signed(folder);
    buf_append(&folder->intents_over, &apply->journal, sizeof apply->journal);
    if (apply->count > 1 && !decided) {
        char escaped[LOG_ESCAPED_MAX];
        folder->engine->counters.conflicts_made += apply->count - 1;
        log_warn(LOG_SYNC, "conflict", "folder=%s path=\"%s\"", folder->name,
                 log_escape(apply->steps[apply->count - 1].path, escaped));
    }
    push_all(folder);
    share_due(folder);
}

static void member_drop(struct folder *folder, const struct step *step)
{
    if (version_live(&step->version)) {
        made_perhaps(folder, step->path);
        made_look(folder, step->path);
    }
    if (step->result == STEP_BLOCKED && step->blocked == BLOCKED_SYMLINK)
        dirty_mark(folder, path_parent(step->path), 0, true);
    if (step->result != STEP_CHANGED) return;
    struct item item;
    view_item(folder, folder->engine->scratch, step->path, &item);
    if (item.local.state == LOCAL_OK) item.local.state = LOCAL_DIRTY;
    item_save(folder, &item, false, heads_live(&item));
    dirty_mark(folder, step->path, 0, true);
}

// The item that was to be resolved is not tried again before what blocks it may have changed.
static void intent_block(struct folder *folder, struct slice path, enum blocked reason)
{
    struct item item;
    view_item(folder, folder->engine->scratch, path, &item);
    if (!item.need) return;
    item.blocked = reason;
    INDEX(folder)->item_put(INDEX(folder)->self, folder->number, &item, false);
}

static void intent_drop(struct folder *folder, const struct job *job)
{
    const struct job_apply *apply = &job->apply;
    txn_begin(folder);
    late_writes_raced(folder, job);
    for (uint32_t i = 0; i < apply->count; i++)
        member_drop(folder, &apply->steps[i]);
    INDEX(folder)->journal_remove(INDEX(folder)->self, folder->number, apply->journal);
    for (uint32_t i = 0; i < apply->count; i++) {
        const struct step *step = &apply->steps[i];
        if (step->blocked != BLOCKED_NONE)
            intent_block(folder, apply->steps[apply->count - 1].path, step->blocked);
    }
    if (txn_end(folder) != ERR_OK) { // the row is still there, and decides
        late_writes_failed(folder, job);
        folder_recover(folder);
    }
    work_later_still(folder, DROPPED_RETRY_MS, &folder->intents_dropped, DROPPED_DOUBLES_MAX);
}

// A file or a link is where a directory has to be: that is resolved first.
static void intent_clash(struct folder *folder, const struct job_apply *apply)
{
    txn_begin(folder);
    for (uint32_t i = 0; i < apply->count; i++) {
        if (step_lacks_directory(&apply->steps[i]))
            resolve_clash_above(folder, path_parent(apply->steps[i].path));
    }
    if (txn_end(folder) != ERR_OK)
        log_warn(LOG_SYNC, "clash not resolved", "folder=%s", folder->name);
}

// Also what recovery found of an intent.
void resolve_done(struct folder *folder, struct job *job)
{
    struct job_apply *apply = &job->apply;
    if (job->kind == JOB_APPLY) folder->resolve_jobs--;
    if (folder->gone) return;
    bool all = job->err == ERR_OK;
    for (uint32_t i = 0; i < apply->count && all; i++)
        all = apply->steps[i].result == STEP_DONE;
    bool decided = job->kind == JOB_APPLY && ((const struct errand *)job->context)->decided;
    if (job->err == ERR_OK) apply_staged(folder, job);
    if (all) {
        resolve_final(folder, apply, decided);
    } else if (job->err == ERR_OK) {
        intent_drop(folder, job);
    } else {
        late_writes_failed(folder, job);
        folder_recover(folder);
    }
    for (uint32_t i = 0; i < apply->count; i++)
        dirty_free(folder, apply->steps[i].path);
    if (decided) decide_ran(folder, all);
    if (all || decided)
        work_again(folder);
    else if (job->err == ERR_OK)
        intent_clash(folder, apply);
    dirty_dispatch(folder);
    work_more(folder);
    fetch_step(folder);
}
