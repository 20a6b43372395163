// SPDX-License-Identifier: MIT
//
// Steps go to the disk in groups: a journal row first, one job, one transaction with what came of
// it. One group of a folder is on the disk at a time; the next one gets its journal row meanwhile,
// and begins as soon as the first is back.
#include "agent/sync/engine_priv.h"

#define INDEX(folder) (&(folder)->engine->o.index)

#define CLOCK_AHEAD_MAX_NS (INT64_C(2) * 86400 * 1000000000) // two days

enum { WAIT_RETRY_MS = 200, WAIT_DOUBLES_MAX = 6, FAILED_RETRY_MS = 5000, AHEAD_MIN = 32 };

void apply_add(struct folder *folder, struct slice path)
{
    map_add(folder->step_paths, path);
}

// A time that is not over yet, of a machine whose clock is ahead: a write from now on may get it.
// One of years ahead is nobody's clock, and not worth reading a large file at each step.
static bool write_may_not_show(const struct folder *folder, const struct local *local)
{
    int64_t tick_ns = local->print.mtime_ns % 1000000000 == 0 ? 2000000000 : 10000000;
    int64_t ahead_ns = local->print.mtime_ns - folder->engine->wall_ms * 1000000;
    return local->racy || (ahead_ns > -tick_ns && ahead_ns < CLOCK_AHEAD_MAX_NS);
}

// What must be on the disk for the step to replace it.
void step_expect(const struct folder *folder, struct step *step, const struct item *item)
{
    uint32_t mode;
    if (!item_local_live(item)) {
        if (made_here(folder, item->path, &mode))
            step->before = (struct fingerprint){.present = true, .kind = KIND_DIR, .mode = mode};
        return;
    }
    const struct value *was = &item->local.version.value;
    step->before = item->local.print;
    step->before_racy = was->kind == KIND_FILE && write_may_not_show(folder, &item->local);
    if (step->before_racy) step->was = value_content(was);
}

// The end of what nothing is known of any more; the journal's form of a version wants a dot.
static const struct dot NO_DOT = {.inc = 0, .counter = 1};

struct version version_of_nothing(struct arena *arena, struct slice path)
{
    struct version v = {.path = path, .value = {.kind = KIND_TOMB}};
    v.vv = vv_with(arena, (struct vv){0}, NO_DOT);
    v.dots = (struct dots){.entries = v.vv.entries, .count = 1};
    return v;
}

bool version_is_of_nothing(const struct version *v)
{
    return v->dots.count == 1 && v->dots.entries[0].inc == NO_DOT.inc;
}

static void step_fill(const struct folder *folder, struct job *job, struct step *step,
                      const struct item *item)
{
    struct version gone = version_of_nothing(job->arena, item->path);
    const struct version *w = item->head_count > 0 ? &item->heads[0] : &gone;
    bool live = item_local_live(item);
    step->path = arena_copy(job->arena, item->path);
    step->version = version_copy(job->arena, w);
    step->disk_name = arena_copy(job->arena, item->local.disk_name);
    step_expect(folder, step, item);
    step->dir_implied_mode = live && value_same_content(&item->local.version.value, &w->value);
}

// Facts may have changed since the step was found ready.
static bool still_ready(struct folder *folder, const struct item *item)
{
    bool left = item->head_count == 0 && made_is_left(folder, item);
    if (item->head_count > 1 || (!item->need && !left) || item->blocked != BLOCKED_NONE)
        return false;
    if (mode_blocks(folder, item) != BLOCKED_NONE) return false;
    if (work_left_out(folder, item) || !brake_lets_in(folder, item->path)) return false;
    if (item->local.state == LOCAL_DIRTY || dirty_has(folder, item->path) ||
        map_get(folder->busy, item->path) != NULL)
        return false;
    if (item->head_count == 0) return left || item->local.state == LOCAL_OBSOLETE;
    const struct version *w = &item->heads[0];
    bool live = item_local_live(item);
    if (w->value.kind != KIND_FILE ||
        (live && value_same_content(&item->local.version.value, &w->value)))
        return true;
    struct content content = value_content(&w->value);
    return content_staged(folder, &content);
}

static bool step_staged(const struct step *step, struct content *out)
{
    *out = value_content(&step->version.value);
    return step->version.value.kind == KIND_FILE && !step->dir_implied_mode;
}

// Its content is being put in place of another path, and cannot be taken twice.
static bool is_taken(struct folder *folder, const struct job *job, const struct item *item)
{
    uint8_t key[40];
    if (item->head_count == 0 || item->heads[0].value.kind != KIND_FILE) return false;
    const struct value *value = &item->heads[0].value;
    const struct content content = value_content(value);
    const void *by = map_get(folder->applying, content_key(&content, key));
    return by != NULL && by != job;
}

static void content_take(struct folder *folder, struct job *job, const struct step *step)
{
    struct content content;
    uint8_t key[40];
    if (step_staged(step, &content))
        (void)map_put(folder->applying, content_key(&content, key), job);
}

static struct job *steps_take(struct folder *folder)
{
    const struct index_port *index = INDEX(folder);
    struct job *job = job_new(JOB_APPLY, folder->number);
    size_t count = map_count(folder->step_paths);
    size_t max = count < STEPS_PER_JOB ? count : STEPS_PER_JOB;
    job->apply.steps = arena_alloc(job->arena, max, sizeof *job->apply.steps);
    size_t at = 0;
    struct slice path;
    void *value;
    while (job->apply.count < max && map_next(folder->step_paths, &at, &path, &value)) {
        struct item item;
        index->item_get(index->self, folder->engine->scratch, folder->number,
                        arena_copy(folder->engine->scratch, path), &item);
        if (is_taken(folder, job, &item)) continue;
        (void)map_remove(folder->step_paths, path);
        if (!still_ready(folder, &item)) {
            work_again(folder); // its content was used for another path, say
            continue;
        }
        struct step *step = &job->apply.steps[job->apply.count++];
        step_fill(folder, job, step, &item);
        content_take(folder, job, step);
        if (version_live(&step->version) != step->before.present)
            made_perhaps(folder, step->path); // a removal ends what tells them from somebody's
        map_add(folder->busy, step->path);
    }
    if (job->apply.count == 0) job_destroy(&job);
    return job;
}

static void journal_write(struct folder *folder, struct job *job)
{
    AUTO(buf_fini) struct buf record = {0};
    INDEX(folder)->journal_encode(&job->apply, &record);
    job->apply.journal =
        INDEX(folder)->journal_add(INDEX(folder)->self, folder->number, buf_slice(&record));
}

static bool may_prepare(const struct folder *folder)
{
    size_t ready = map_count(folder->step_paths);
    uint32_t chosen = folder->engine->o.ahead_min;
    if (ready == 0 || !folder_usable(folder)) return false;
    if (folder->apply_jobs == 0) return true;
    return folder->apply_jobs == 1 && !folder->apply_none &&
           ready >= (chosen > 0 ? chosen : AHEAD_MIN);
}

void apply_prepare(struct folder *folder)
{
    if (!may_prepare(folder)) return;
    struct job *job = steps_take(folder);
    folder->apply_none = job == NULL; // until what is on the disk is back
    if (job == NULL) return;
    journal_write(folder, job);
    struct errand *errand = mem_zalloc(1, sizeof *errand);
    errand->purpose = FOR_APPLY;
    job->context = errand;
    folder->apply_jobs++;
    folder->apply_stale = false;
    txn_submit(folder, job);
}

// Its row is written.
void apply_submit(struct folder *folder, struct job *job)
{
    CHECK(folder->apply_next == NULL);
    if (folder->apply_jobs > 1)
        folder->apply_next = job;
    else
        submit(folder, job);
}

static void steps_free(struct folder *folder, const struct job_apply *apply)
{
    struct content content;
    uint8_t key[40];
    folder->apply_none = false;
    for (uint32_t i = 0; i < apply->count; i++) {
        dirty_free(folder, apply->steps[i].path);
        if (step_staged(&apply->steps[i], &content))
            (void)map_remove(folder->applying, content_key(&content, key));
    }
}

// Directories that were not made after all.
static void made_look_below(struct folder *folder, const struct job_apply *apply)
{
    for (uint32_t i = 0; i < apply->count; i++) {
        if (version_live(&apply->steps[i].version)) made_look(folder, apply->steps[i].path);
    }
}

// A group that has not begun: nothing came of it.
static void next_drop(struct folder *folder)
{
    struct job *job = folder->apply_next;
    folder->apply_next = NULL;
    folder->apply_jobs--;
    steps_free(folder, &job->apply);
    made_look_below(folder, &job->apply);
    txn_begin(folder);
    INDEX(folder)->journal_remove(INDEX(folder)->self, folder->number, job->apply.journal);
    if (txn_end(folder) != ERR_OK) folder_recover(folder);
    work_again(folder);
    job_destroy(&job);
}

static void next_begin(struct folder *folder, bool may)
{
    struct job *job = folder->apply_next;
    if (job == NULL) return;
    if (!may || !folder_usable(folder) || folder->apply_stale || rules_unsure(folder)) {
        folder->apply_stale = false;
        next_drop(folder);
        return;
    }
    folder->apply_next = NULL;
    submit(folder, job);
}

void apply_abandoned(struct folder *folder, struct job *job)
{
    const struct errand *errand = job->context;
    if (errand->purpose == FOR_APPLY) folder->apply_jobs--;
    if (errand->purpose == FOR_RESOLVE) folder->resolve_jobs--;
    steps_free(folder, &job->apply);
    made_look_below(folder, &job->apply);
    work_later(folder, FAILED_RETRY_MS);
    job_destroy(&job);
}

void apply_flush(struct folder *folder)
{
    if (folder->in_txn || !may_prepare(folder)) return;
    txn_begin(folder);
    apply_prepare(folder);
    if (txn_end(folder) != ERR_OK) work_later(folder, INDEX_RETRY_MS);
}

// An audit may have dropped meanwhile what the step put in place: then it goes again.
static enum local_state state_done(const struct item *item, const struct step *step)
{
    if (version_is_of_nothing(&step->version)) return LOCAL_NONE;
    for (uint32_t h = 0; h < item->head_count; h++) {
        if (vv_le(step->version.vv, item->heads[h].vv)) return LOCAL_OK;
    }
    return version_live(&step->version) || item->head_count > 0 ? LOCAL_OBSOLETE : LOCAL_NONE;
}

static void displaced_note(struct folder *folder, const struct item *item, const struct step *step)
{
    kept_note(folder, item, step, step->version.dots.entries[0],
              version_author(folder, &step->version));
}

static void step_done(struct folder *folder, struct item *item, const struct step *step)
{
    bool created = version_live(&step->version) && !item_local_live(item);
    if (created) made_parents(folder, item->path);
    made_forget(folder, item->path);
    displaced_note(folder, item, step);
    item->local.state = state_done(item, step);
    item->local.version = step->version;
    item->local.print = step->print;
    if (!step->dir_implied_mode) item->local.racy = step->racy; // else it was not looked at
    heads_local_follow(item);
    item_save(folder, item, false, heads_live(item));
    // A newer version came while the step was under way, or a directory above can go now.
    if (item->need || step->version.value.kind == KIND_TOMB) work_again(folder);
    if (step->version.value.kind == KIND_TOMB) {
        local_gone_below(folder, item->path);
        made_left_above(folder, item->path);
    }
    folder->engine->counters.applied++;
}

static void step_changed(struct folder *folder, struct item *item, const struct step *step)
{
    // It could not be taken back, where its directory was moved; what it displaced is what was
    // there.
    if (step->kept && !step->unsorted && !step->written_late) displaced_note(folder, item, step);
    if (item->local.state == LOCAL_OK) item->local.state = LOCAL_DIRTY;
    item_save(folder, item, false, heads_live(item));
    dirty_mark(folder, item->path, 0, true);
}

// Contents that are in place are no longer staged, unless they came once more meanwhile; those of
// steps that did nothing went back there.
void apply_staged(struct folder *folder, const struct job *job)
{
    const struct job_apply *apply = &job->apply;
    const struct errand *errand = job->context;
    if (apply->left_over) staging_unclean(folder);
    bool alone =
        job->kind == JOB_APPLY && errand->stagings == folder->stagings && folder->staging_jobs == 0;
    struct content content;
    for (uint32_t i = 0; i < apply->count; i++) {
        bool used = alone && apply->steps[i].result == STEP_DONE;
        if (step_staged(&apply->steps[i], &content))
            staged_set(folder, &content, used ? STAGED_NOT : STAGED_PERHAPS);
    }
    for (uint32_t i = 0; i < apply->count; i++) {
        enum step_result result = apply->steps[i].result;
        bool back = result != STEP_DONE && result != STEP_FAILED;
        if (back && step_staged(&apply->steps[i], &content))
            staged_set(folder, &content, STAGED_THERE);
    }
}

bool step_lacks_directory(const struct step *step)
{
    return step->result == STEP_WAIT ||
           (step->result == STEP_BLOCKED && step->blocked == BLOCKED_SYMLINK);
}

static void step_blocked(struct folder *folder, struct item *item, const struct step *step)
{
    const struct index_port *index = INDEX(folder);
    if (!item_refresh_need(folder, item)) return; // nothing is to be done any more
    item->blocked = step->blocked;
    folder->case_blocked |= step->blocked == BLOCKED_CASE;
    index->item_put(index->self, folder->number, item, false);
    rules_item_saved(folder, item);
    if (step->blocked == BLOCKED_IN_THE_WAY) dirty_mark(folder, item->path, 0, true);
    // A directory above has become a link: that is news to us.
    if (step->blocked == BLOCKED_SYMLINK) dirty_mark(folder, path_parent(item->path), 0, true);
}

static void step_settle(struct folder *folder, const struct step *step)
{
    const struct index_port *index = INDEX(folder);
    struct item item;
    index->item_get(index->self, folder->engine->scratch, folder->number, step->path, &item);
    switch (step->result) {
    case STEP_DONE:
        step_done(folder, &item, step);
        folder->step_waits = 0;
        if (rules_is_file(step->path)) rules_check(folder);
        break;
    case STEP_CHANGED: step_changed(folder, &item, step); break;
    case STEP_BLOCKED: step_blocked(folder, &item, step); break;
    case STEP_WAIT:
        work_later_still(folder, WAIT_RETRY_MS, &folder->step_waits, WAIT_DOUBLES_MAX);
        break;
    case STEP_FAILED:
        if (step->blocked != BLOCKED_NONE)
            step_blocked(folder, &item, step);
        else
            work_later(folder, FAILED_RETRY_MS);
        break;
    case STEP_UNDONE: work_again(folder); break;
    }
}

static void live_settle(struct folder *folder, const struct step *step)
{
    if (step->result != STEP_DONE) made_perhaps(folder, step->path);
    step_settle(folder, step);
    if (step->result != STEP_DONE) made_look(folder, step->path);
}

// Also what recovery found of a group.
void apply_done(struct folder *folder, struct job *job)
{
    const struct job_apply *apply = &job->apply;
    if (job->kind == JOB_APPLY) folder->apply_jobs--;
    if (folder->gone) return;
    next_begin(folder, job->err == ERR_OK);
    if (job->err != ERR_OK) {
        late_writes_failed(folder, job);
        steps_free(folder, apply);
        folder_recover(folder);
        return;
    }
    apply_staged(folder, job);
    txn_begin(folder);
    late_writes_raced(folder, job);
    // What ended first: a directory that was made in its place belongs to what was put into it.
    for (uint32_t i = 0; i < apply->count; i++) {
        if (!version_live(&apply->steps[i].version)) step_settle(folder, &apply->steps[i]);
    }
    for (uint32_t i = 0; i < apply->count; i++) {
        if (version_live(&apply->steps[i].version)) live_settle(folder, &apply->steps[i]);
    }
    INDEX(folder)->journal_remove(INDEX(folder)->self, folder->number, apply->journal);
    apply_prepare(folder);
    enum err err = txn_end(folder);
    steps_free(folder, apply);
    if (err != ERR_OK) {
        late_writes_failed(folder, job); // they went with the transaction
        folder_recover(folder);
        return;
    }
    late_writes_during(folder, apply);
    txn_begin(folder);
    for (uint32_t i = 0; i < apply->count; i++) {
        if (step_lacks_directory(&apply->steps[i]))
            resolve_clash_above(folder, apply->steps[i].path);
    }
    if (txn_end(folder) != ERR_OK) work_later(folder, INDEX_RETRY_MS);
    share_due(folder);
    work_more(folder);
    fetch_step(folder);
    apply_flush(folder);
    dirty_dispatch(folder);
}
