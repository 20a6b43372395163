// SPDX-License-Identifier: MIT
//
// Paths that must be looked at, and when: quiet windows, and the jobs that look.
#include <string.h>

#include "agent/base/planted.h"
#include "agent/sync/engine_priv.h"

enum {
    MOVED_WAIT_MS = 1000, // the first time
    MOVES_SHOWN = 5
};

static const char look_again; // in folder->busy

static struct dirty_list *list_of(struct folder *folder, const struct dirty *dirty)
{
    if (!dirty->ready) return &folder->timed;
    return dirty->large ? &folder->large_ready : &folder->ready;
}

static void list_remove(struct dirty_list *list, struct dirty *dirty)
{
    if (dirty->prev != NULL)
        dirty->prev->next = dirty->next;
    else
        list->first = dirty->next;
    if (dirty->next != NULL)
        dirty->next->prev = dirty->prev;
    else
        list->last = dirty->prev;
    dirty->prev = dirty->next = NULL;
    list->count--;
}

static void list_append(struct dirty_list *list, struct dirty *dirty)
{
    dirty->prev = list->last;
    dirty->next = NULL;
    if (list->last != NULL)
        list->last->next = dirty;
    else
        list->first = dirty;
    list->last = dirty;
    list->count++;
}

static void dirty_schedule(struct folder *folder, struct dirty *dirty, int64_t due_ms)
{
    list_remove(list_of(folder, dirty), dirty);
    dirty->due_ms = due_ms;
    dirty->ready = due_ms <= folder->engine->now_ms;
    if (!dirty->ready && due_ms < folder->timed_due_ms) folder->timed_due_ms = due_ms;
    list_append(list_of(folder, dirty), dirty);
}

static struct dirty *dirty_new(struct folder *folder, struct slice path)
{
    struct dirty *dirty = mem_zalloc(1, sizeof *dirty);
    dirty->folder = folder;
    dirty->path = mem_alloc(path.size + 1);
    memcpy(dirty->path, path.data, path.size);
    dirty->path[path.size] = 0;
    dirty->path_size = path.size;
    dirty->since_ms = folder->engine->now_ms;
    (void)map_put(folder->dirty, path, dirty);
    list_append(&folder->timed, dirty);
    return dirty;
}

void dirty_gone_expected(struct folder *folder, struct slice path)
{
    struct dirty *dirty = map_get(folder->dirty, path);
    if (dirty == NULL || dirty->gone) return;
    dirty->gone = true;
    folder->gone_expected++;
}

void dirty_gone_found(struct folder *folder, struct slice path)
{
    struct dirty *dirty = map_get(folder->dirty, path);
    if (dirty == NULL || !dirty->gone) return;
    dirty->gone = false;
    folder->gone_expected--;
}

static void dirty_drop(struct folder *folder, struct dirty *dirty)
{
    if (dirty->gone) folder->gone_expected--;
    (void)map_remove(folder->dirty, slice_of(dirty->path, dirty->path_size));
    if (!dirty->looking) list_remove(list_of(folder, dirty), dirty);
    mem_free(&dirty->path);
    mem_free(&dirty);
}

// Who writes without a pause is looked at, too, as often as who saves without one.
static int64_t due_after(const struct folder *folder, const struct dirty *dirty, int64_t delay_ms)
{
    int64_t due = folder->engine->now_ms + delay_ms;
    int64_t latest = dirty->since_ms + RATE_MAX_MS;
    return due < latest ? due : latest;
}

void dirty_mark(struct folder *folder, struct slice path, int64_t delay_ms, bool force)
{
    if (path_fault(path) != NULL) return; // no item; the walk says so
    struct dirty *dirty = map_get(folder->dirty, path);
    if (dirty == NULL) dirty = dirty_new(folder, path);
    dirty->force |= force;
    dirty->awaits_content = dirty->walked = false;
    if (dirty->looking) {
        dirty->again = true;
        dirty->written |= delay_ms == OPEN_QUIET_MS;
        dirty->again_delay_ms = delay_ms;
        return;
    }
    int64_t due = due_after(folder, dirty, delay_ms);
    int64_t rate = folder->engine->now_ms + dirty_publish_delay(folder, path);
    if (rate < dirty->not_before_ms) rate = dirty->not_before_ms;
    dirty_schedule(folder, dirty, due > rate ? due : rate);
}

bool dirty_moved(struct folder *folder, struct dirty *dirty)
{
    int64_t wait = (int64_t)MOVED_WAIT_MS << dirty->moves;
    if (wait < RATE_MAX_MS)
        dirty->moves++;
    else
        wait = RATE_MAX_MS;
    dirty->due_ms = dirty->not_before_ms = folder->engine->now_ms + wait;
    return dirty->moves >= MOVES_SHOWN;
}

void dirty_written(struct folder *folder, struct slice path)
{
    const struct index_port *index = &folder->engine->o.index;
    struct item item;
    index->item_get(index->self, folder->engine->scratch, folder->number, path, &item);
    dirty_mark(folder, path, item.local.state == LOCAL_NONE ? NEW_QUIET_MS : 0, false);
}

bool dirty_has(const struct folder *folder, struct slice path)
{
    return map_get(folder->dirty, path) != NULL || brake_has(folder, path) ||
           mode_has(folder, path);
}

void dirty_overtake(struct folder *folder, struct slice path)
{
    struct dirty *dirty = map_get(folder->dirty, path);
    if (dirty != NULL && dirty->looking) dirty->overtaken = true;
}

// Looks of several jobs come back in any order: an older one would end what is there.
void dirty_found_below(struct folder *folder, struct slice path)
{
    for (struct slice p = path_parent(path); p.size > 0; p = path_parent(p)) {
        struct dirty *dirty = map_get(folder->dirty, p);
        if (dirty != NULL && dirty->looking) dirty->found_below = true;
    }
}

void dirty_look_again(struct folder *folder, struct slice path)
{
    struct dirty *dirty = map_get(folder->dirty, path);
    if (dirty != NULL && dirty->looking) dirty->again = true;
}

// A look that is under way may be older than the walk that failed there.
void dirty_unread(struct folder *folder, struct slice path)
{
    struct dirty *dirty = map_get(folder->dirty, path);
    if (dirty != NULL && dirty->looking) dirty->again = dirty->unread = true;
}

void dirty_walked(struct folder *folder, struct slice path)
{
    dirty_mark(folder, path, 0, false);
    struct dirty *dirty = map_get(folder->dirty, path);
    if (dirty != NULL) dirty->walked = true;
}

void dirty_all_now(struct folder *folder)
{
    while (folder->timed.first != NULL) {
        struct dirty *dirty = folder->timed.first;
        dirty->now = true;
        dirty_schedule(folder, dirty, folder->engine->now_ms);
    }
}

void dirty_clear(struct folder *folder)
{
    size_t at = 0;
    struct slice key;
    void *value;
    while (map_next(folder->dirty, &at, &key, &value)) {
        struct dirty *dirty = value;
        dirty_drop(folder, dirty);
    }
}

// While it is not sure what is left out, only the rules themselves are looked at.
static struct dirty *dirty_next(const struct folder *folder)
{
    if (!rules_unsure(folder)) return folder->ready.first;
    struct dirty *rules = map_get(folder->dirty, slice_text(RULES_FILE));
    return rules != NULL && rules->ready && !rules->looking ? rules : NULL;
}

static bool may_look(const struct folder *folder)
{
    return folder->look_jobs - folder->large_look_jobs < LOOK_JOBS_MAX;
}

// These go alone, and no other look waits for one.
static struct dirty *large_next(const struct folder *folder)
{
    bool may = !rules_unsure(folder) && folder->large_look_jobs < LARGE_LOOK_JOBS_MAX;
    return may ? folder->large_ready.first : NULL;
}

bool dirty_looks_open(const struct folder *folder)
{
    return folder->ready.count > 0 || folder->large_ready.count > 0 || folder->look_jobs > 0;
}

// In a first scan, and after a crash, what a look means hangs on the walk.
bool dirty_walk_waits(const struct folder *folder)
{
    bool all = !folder->row.scanned || folder->after_crash || folder->row.doubt;
    uint32_t large = all ? 0 : folder->large_look_jobs;
    return folder->ready.count > 0 || folder->look_jobs > large ||
           (all && folder->large_ready.count > 0);
}

int64_t dirty_deadline(const struct folder *folder)
{
    if (dirty_next(folder) != NULL && may_look(folder)) return 0;
    if (large_next(folder) != NULL) return 0;
    return folder->timed.first != NULL ? folder->timed_due_ms : INT64_MAX;
}

// ---- jobs

static void look_fill(struct folder *folder, struct job *job, struct look *look,
                      struct dirty *dirty)
{
    const struct index_port *index = &folder->engine->o.index;
    struct item item;
    look->path = arena_copy(job->arena, slice_of(dirty->path, dirty->path_size));
    index->item_get(index->self, folder->engine->scratch, folder->number, look->path, &item);
    bool known = item.local.state == LOCAL_OK || item.local.state == LOCAL_OBSOLETE;
    if (known && version_live(&item.local.version)) look->before = item.local.print;
    const struct value *was = &item.local.version.value;
    if (known && was->kind == KIND_FILE) look->was = value_content(was);
    // The rules cannot wait: while they are looked at, nothing else is.
    look->large = dirty->large || rules_is_file(look->path);
    look->force = dirty->force || item.local.racy || item.local.state == LOCAL_DIRTY;
}

static void timed_to_ready(struct folder *folder)
{
    int64_t now = folder->engine->now_ms;
    if (now < folder->timed_due_ms) return; // not the whole list at every event
    folder->timed_due_ms = INT64_MAX;
    for (struct dirty *d = folder->timed.first, *next; d != NULL; d = next) {
        next = d->next;
        if (d->due_ms <= now)
            dirty_schedule(folder, d, d->due_ms);
        else if (d->due_ms < folder->timed_due_ms)
            folder->timed_due_ms = d->due_ms;
    }
}

// A path whose step is under way is left alone; it is looked at when the step has ended.
static bool wait_for_step(struct folder *folder, struct dirty *dirty)
{
    struct slice path = slice_of(dirty->path, dirty->path_size);
    if (map_get(folder->busy, path) == NULL || PLANTED(look_during_step)) return false;
    (void)map_put(folder->busy, path, (void *)(uintptr_t)&look_again);
    dirty_drop(folder, dirty);
    return true;
}

bool dirty_deferred(const struct folder *folder)
{
    size_t at = 0;
    struct slice path;
    void *mark;
    while (map_next(folder->busy, &at, &path, &mark)) {
        if (mark == &look_again) return true;
    }
    return false;
}

// A job is a flush, and what comes of it a transaction. Few are shared out among the workers.
static uint32_t looks_at_once(size_t ready)
{
    if (ready >= LOOKS_BULK) return LOOKS_PER_BULK_JOB;
    return ready < 2 * LOOKS_PER_JOB ? (uint32_t)(ready + 1) / 2 : LOOKS_PER_JOB;
}

static void look_add(struct folder *folder, struct job *job, struct dirty *dirty)
{
    list_remove(list_of(folder, dirty), dirty);
    dirty->looking = true;
    dirty->awaits_content = false;
    look_fill(folder, job, &job->look.looks[job->look.count++], dirty);
    dirty->force = false;
}

static void large_dispatch(struct folder *folder)
{
    for (struct dirty *dirty; (dirty = large_next(folder)) != NULL;) {
        if (wait_for_step(folder, dirty)) continue;
        struct job *job = job_new(JOB_LOOK, folder->number);
        job->look.looks = arena_alloc(job->arena, 1, sizeof *job->look.looks);
        job->look.large = true;
        look_add(folder, job, dirty);
        folder->look_jobs++;
        folder->large_look_jobs++;
        submit(folder, job);
    }
}

void dirty_dispatch(struct folder *folder)
{
    if (!folder_usable(folder)) return;
    timed_to_ready(folder);
    large_dispatch(folder);
    while (dirty_next(folder) != NULL && may_look(folder)) {
        struct job *job = job_new(JOB_LOOK, folder->number);
        uint32_t max = looks_at_once(folder->ready.count);
        job->look.looks = arena_alloc(job->arena, max, sizeof *job->look.looks);
        struct dirty *dirty;
        while ((dirty = dirty_next(folder)) != NULL && job->look.count < max) {
            if (!wait_for_step(folder, dirty)) look_add(folder, job, dirty);
        }
        if (job->look.count == 0) {
            job_destroy(&job);
            break;
        }
        folder->look_jobs++;
        submit(folder, job);
    }
}

void dirty_free(struct folder *folder, struct slice path)
{
    void *mark = map_remove(folder->busy, path);
    // A look may have seen its directory while it was open for the step.
    dirty_overtake(folder, path_parent(path));
    if (mark == &look_again) dirty_mark(folder, path, 0, false);
}

static void dirty_settle(struct folder *folder, struct dirty *dirty, enum look_verdict verdict)
{
    int64_t now = folder->engine->now_ms;
    dirty->looking = false;
    dirty->overtaken = dirty->found_below = false;
    bool again = dirty->again;
    int64_t quiet = dirty->again_delay_ms;
    dirty->again = dirty->written = dirty->unread = false;
    dirty->again_delay_ms = 0;
    list_append(list_of(folder, dirty), dirty);
    if (verdict == LOOK_AGAIN_LATER) {
        int64_t due = again && !dirty->now ? now + quiet : now;
        dirty_schedule(folder, dirty, due > dirty->due_ms ? due : dirty->due_ms);
    } else if (again) {
        dirty->since_ms = now;
        dirty->not_before_ms = 0;
        dirty->moves = dirty->writer_waits = 0;
        int64_t wait = dirty_publish_delay(folder, slice_of(dirty->path, dirty->path_size));
        dirty_schedule(folder, dirty, now + (quiet > wait ? quiet : wait));
    } else {
        dirty_drop(folder, dirty);
    }
}

static void looks_postpone(struct folder *folder, const struct job_look *looks)
{
    for (uint32_t i = 0; i < looks->count; i++) {
        struct dirty *dirty = map_get(folder->dirty, looks->looks[i].path);
        if (dirty == NULL) continue;
        dirty->force |= looks->looks[i].force;
        dirty->due_ms = folder->engine->now_ms + 1000;
        dirty_settle(folder, dirty, LOOK_AGAIN_LATER);
    }
}

static bool found_no_directory(const struct look *look)
{
    bool leaf = look->print.present && look->print.kind != KIND_DIR;
    return leaf || look->result == LOOK_GONE;
}

// The rules were written after the look began, and perhaps before what it found was; or a step has
// made a directory there; or there is one, for something was found in it.
static bool is_over(struct folder *folder, const struct look *look, struct dirty *dirty)
{
    bool rules = rules_unsure(folder) && !rules_is_file(look->path);
    bool below = dirty->found_below && found_no_directory(look);
    if (!rules && !dirty->overtaken && !below) return false;
    dirty->due_ms = folder->engine->now_ms;
    return true;
}

// What has come under a name may have been put over something in other letters, and may be gone
// again.
static bool has_come(const struct job_look *looks, uint32_t at, const struct dirty *dirty)
{
    const struct look *look = &looks->looks[at];
    if (!looks->folds || dirty->walked) return false;
    bool was_known = look->before.present;
    if (look->result == LOOK_VALUE) return !was_known || look->before.ino != look->print.ino;
    return look->result == LOOK_GONE && !was_known;
}

void dirty_look_done(struct folder *folder, struct job *job)
{
    const struct job_look *looks = &job->look;
    folder->look_jobs--;
    folder->large_look_jobs -= looks->large;
    if (folder->gone) return;
    if (job->err != ERR_OK || !folder_usable(folder)) {
        looks_postpone(folder, looks);
        return;
    }
    struct arena *arena = folder->engine->scratch;
    enum look_verdict *verdicts = arena_alloc(arena, looks->count, sizeof *verdicts);
    struct slice *come = arena_alloc(arena, looks->count, sizeof *come);
    uint32_t come_count = 0;
    txn_begin(folder);
    for (uint32_t i = 0; i < looks->count; i++) {
        struct dirty *dirty = map_get(folder->dirty, looks->looks[i].path);
        if (dirty == NULL) continue;
        if (looks->looks[i].print.present) dirty_found_below(folder, looks->looks[i].path);
        verdicts[i] = is_over(folder, &looks->looks[i], dirty)
                          ? LOOK_AGAIN_LATER
                          : local_look(folder, &looks->looks[i], dirty);
    }
    brake_publish(folder);
    if (txn_end(folder) != ERR_OK) {
        looks_postpone(folder, looks);
        return;
    }
    brake_published(folder);
    for (uint32_t i = 0; i < looks->count; i++) {
        struct dirty *dirty = map_get(folder->dirty, looks->looks[i].path);
        if (dirty == NULL || !dirty->looking) continue;
        if (verdicts[i] == LOOK_AGAIN_LATER) dirty->force |= looks->looks[i].force;
        dirty->large |= looks->looks[i].result == LOOK_LARGE;
        bool known = verdicts[i] == LOOK_SETTLED && looks->looks[i].result != LOOK_PROBLEM;
        if (known) unsettled_looked(folder, looks->looks[i].path);
        bool rules = verdicts[i] == LOOK_SETTLED && rules_is_file(looks->looks[i].path);
        if (has_come(looks, i, dirty)) come[come_count++] = looks->looks[i].path;
        dirty_settle(folder, dirty, verdicts[i]);
        if (rules) rules_check(folder);
    }
    spelled_found(folder, come, come_count);
    push_all(folder);
    share_due(folder);
    txn_begin(folder);
    for (uint32_t i = 0; i < looks->count; i++)
        work_item(folder, looks->looks[i].path);
    if (txn_end(folder) == ERR_OK)
        apply_flush(folder);
    else
        work_later(folder, INDEX_RETRY_MS);
    dirty_dispatch(folder);
    scan_continue(folder);
}
