// SPDX-License-Identifier: MIT
//
// Walking a tree beside the index, both in tree order, in bounded batches. What differs is looked
// at; what is absent is a deletion only when the walk has ended and every directory could be read.
#include <string.h>

#include "agent/sync/engine_priv.h"

#define INDEX(folder) (&(folder)->engine->o.index)

enum { MERGE_PAGE = 256 };

static void scan_begin(struct folder *folder, struct slice prefix)
{
    problems_drop(folder, prefix);
    struct scan *scan = &folder->scan;
    arena_reset(scan->arena);
    scan->active = true;
    scan->walked = false;
    scan->whole = prefix.size == 0;
    scan->watched = false;
    if (scan->whole) scan->missed_again = false;
    scan->walk = NULL;
    scan->cursor_set = false;
    scan->gone_count = scan->unread_count = 0;
    scan->gone_capacity = scan->unread_capacity = 0;
    scan->gone = scan->unread = NULL;
    scan->complete = true;
    scan->new_prefix = false;
    scan->seen = 0;
    scan->started_ms = folder->engine->wall_ms;
    brake_scan_begin(folder);
    buf_clear(&scan->prefix);
    buf_append(&scan->prefix, prefix.data, prefix.size);
    buf_clear(&scan->cursor);
    engine_changed(folder->engine);
    scan_continue(folder);
}

void scan_start(struct folder *folder)
{
    if (!folder_usable(folder)) return;
    if (folder->scan.active || folder->scan.job_out) {
        folder->scan.wanted_again = true;
        return;
    }
    scan_begin(folder, slice_of(NULL, 0));
}

// A walk of all that is under way will do.
void scan_missed(struct folder *folder)
{
    struct scan *scan = &folder->scan;
    if (!folder_usable(folder)) return;
    if (scan->active || scan->job_out) {
        scan->missed_again = !scan->whole;
        return;
    }
    scan_begin(folder, slice_of(NULL, 0));
    scan->watched = folder->row.scanned;
}

void scan_tree(struct folder *folder, struct slice prefix)
{
    if (!folder_usable(folder)) return;
    if (!folder->scan.active && !folder->scan.job_out) {
        scan_begin(folder, prefix);
        return;
    }
    for (const struct tree_want *t = folder->trees; t != NULL; t = t->next) {
        if (path_in_tree(prefix, buf_slice(&t->prefix))) return;
    }
    struct tree_want *tree = mem_zalloc(1, sizeof *tree);
    buf_append(&tree->prefix, prefix.data, prefix.size);
    struct tree_want **end = &folder->trees;
    while (*end != NULL)
        end = &(*end)->next;
    *end = tree;
}

static void trees_drop(struct folder *folder)
{
    while (folder->trees != NULL) {
        struct tree_want *tree = folder->trees;
        folder->trees = tree->next;
        buf_fini(&tree->prefix);
        mem_free(&tree);
    }
}

// The executor frees a walk that is handed back as done.
static void walk_abandon(struct folder *folder)
{
    struct scan *scan = &folder->scan;
    if (scan->walk == NULL || scan->job_out || folder->gone) return;
    struct job *job = job_new(JOB_SCAN, folder->number);
    job->scan.walk = scan->walk;
    job->scan.done = true;
    scan->walk = NULL;
    scan->job_out = true;
    submit(folder, job);
}

void scan_stop(struct folder *folder)
{
    struct scan *scan = &folder->scan;
    trees_drop(folder);
    walk_abandon(folder);
    scan->wanted_again = false;
    if (!scan->job_out) scan->active = false;
    scan->complete = false;
    scan->walked = true; // a job under way is the last one
}

static void list_add(struct arena *arena, struct slice **list, size_t *count, size_t *capacity,
                     struct slice path)
{
    if (*count == *capacity) {
        size_t grown = *capacity == 0 ? 64 : 2 * *capacity;
        struct slice *fresh = arena_alloc(arena, grown, sizeof *fresh);
        if (*count > 0) memcpy(fresh, *list, *count * sizeof *fresh);
        *list = fresh;
        *capacity = grown;
    }
    (*list)[(*count)++] = arena_copy(arena, path);
}

// The times of a directory change with what is in it and say nothing of itself.
static bool print_same(const struct fingerprint *a, const struct fingerprint *b)
{
    if (a->kind != b->kind || a->mode != b->mode || a->device != b->device || a->ino != b->ino)
        return false;
    return a->kind == KIND_DIR ||
           (a->size == b->size && a->mtime_ns == b->mtime_ns && a->ctime_ns == b->ctime_ns);
}

static void merge_absent(struct folder *folder, const struct item *item)
{
    struct scan *scan = &folder->scan;
    // Also where nothing is known to be there yet: what the step has put there may be gone again.
    if (map_get(folder->busy, item->path) != NULL) {
        dirty_mark(folder, item->path, 0, false);
        return;
    }
    if (!item_local_live(item)) {
        // In doubt, and the process that was to look has ended.
        if (item->local.state == LOCAL_DIRTY) dirty_mark(folder, item->path, 0, true);
        return;
    }
    bool is_dir = item->local.version.value.kind == KIND_DIR;
    if (item->local.state == LOCAL_OBSOLETE && local_left_out(folder, item, is_dir)) return;
    dirty_look_again(folder, item->path);
    list_add(scan->arena, &scan->gone, &scan->gone_count, &scan->gone_capacity, item->path);
}

// Nobody has looked at it since it was a leaf. What is in it comes after it, or it would end with
// nothing in its place, and be nobody's directory.
static bool leaf_above(struct folder *folder, struct slice path)
{
    const struct index_port *index = INDEX(folder);
    struct item item;
    for (struct slice p = path_parent(path); p.size > 0; p = path_parent(p)) {
        index->item_get(index->self, folder->engine->scratch, folder->number, p, &item);
        if (!item_local_live(&item)) continue;
        return item.local.version.value.kind != KIND_DIR && !mode_has_as(folder, p, KIND_DIR);
    }
    return false;
}

// The walk began there: it has not seen what else is in the directory above.
static bool is_prefix(const struct folder *folder, const struct scan_entry *entry)
{
    return slice_equal(entry->path, buf_slice(&folder->scan.prefix));
}

static void merge_present(struct folder *folder, struct item *item, const struct scan_entry *entry)
{
    if (map_get(folder->busy, entry->path) != NULL) {
        dirty_mark(folder, entry->path, 0, false);
        return;
    }
    // A look that is under way may be older than the walk.
    dirty_look_again(folder, entry->path);
    brake_scan_present(folder, item, entry);
    // A new directory is minted before what is in it. Over anything else that is known of the path
    // the walk may be older than a step that ended since: then it is looked at again.
    bool is_new = entry->print.kind == KIND_DIR && item->local.state == LOCAL_NONE;
    if (is_new && !local_step_above(folder, entry->path) && !leaf_above(folder, entry->path)) {
        // The rules may have changed since the walk was here, too.
        if (local_left_out(folder, item, true)) return;
        local_directory(folder, item, &entry->print);
        // It may have gone since the walk was here, and a look have found that when nothing was
        // known of it. And it may have been moved with what is in it, which gets its name from this
        // one's: the look flushes that, and begins before those at what is in it.
        dirty_mark(folder, entry->path, 0, true);
        if (is_prefix(folder, entry)) folder->scan.new_prefix = true;
        return;
    }
    bool known = item->local.state == LOCAL_OK && version_live(&item->local.version);
    bool same = known && !item->local.racy && print_same(&item->local.print, &entry->print);
    if (same || dirty_has(folder, entry->path)) return;
    if (is_prefix(folder, entry))
        dirty_mark(folder, entry->path, 0, false);
    else
        dirty_walked(folder, entry->path);
}

struct merge {
    struct folder *folder;
    struct item *page;
    uint32_t count, at;
    bool ended;
};

static struct item *merge_peek(struct merge *m)
{
    const struct index_port *index = INDEX(m->folder);
    struct scan *scan = &m->folder->scan;
    if (m->at < m->count) return &m->page[m->at];
    if (m->ended) return NULL;
    struct arena *arena = m->folder->engine->scratch;
    m->page = arena_alloc(arena, MERGE_PAGE, sizeof *m->page);
    m->count = index->items_after(index->self, arena, m->folder->number, buf_slice(&scan->prefix),
                                  buf_slice(&scan->cursor), !scan->cursor_set, MERGE_PAGE, m->page);
    m->at = 0;
    m->ended = m->count < MERGE_PAGE;
    return m->count > 0 ? &m->page[0] : NULL;
}

static void cursor_set(struct scan *scan, struct slice path)
{
    buf_clear(&scan->cursor);
    buf_append(&scan->cursor, path.data, path.size);
    scan->cursor_set = true;
}

// What a step has put there may have gone again before its directory was watched, and the index
// does not have it yet: it is looked at when the step has ended.
static void steps_marked(struct folder *folder, struct slice after, bool first,
                         const struct job_scan *batch)
{
    struct slice prefix = buf_slice(&folder->scan.prefix), last = buf_slice(&folder->scan.cursor);
    size_t at = 0;
    struct slice path;
    void *mark;
    while (map_next(folder->busy, &at, &path, &mark)) {
        bool ahead = !batch->done && path_compare(path, last) > 0;
        if (!path_in_tree(path, prefix) || ahead || (!first && path_compare(path, after) <= 0))
            continue;
        dirty_mark(folder, path, 0, false);
    }
}

static void merge_batch(struct folder *folder, const struct job_scan *batch)
{
    struct merge m = {.folder = folder};
    struct scan *scan = &folder->scan;
    for (uint32_t i = 0; i < batch->entry_count; i++) {
        const struct scan_entry *entry = &batch->entries[i];
        struct item *item = merge_peek(&m);
        while (item != NULL && path_compare(item->path, entry->path) < 0) {
            merge_absent(folder, item);
            cursor_set(scan, item->path);
            m.at++;
            item = merge_peek(&m);
        }
        if (item != NULL && slice_equal(item->path, entry->path)) {
            cursor_set(scan, entry->path);
            m.at++;
            merge_present(folder, item, entry);
        } else {
            struct item none;
            INDEX(folder)->item_get(INDEX(folder)->self, folder->engine->scratch, folder->number,
                                    entry->path, &none);
            merge_present(folder, &none, entry);
            cursor_set(scan, entry->path);
        }
    }
    if (!batch->done) return;
    for (struct item *item = merge_peek(&m); item != NULL; item = merge_peek(&m)) {
        merge_absent(folder, item);
        cursor_set(scan, item->path);
        m.at++;
    }
}

bool scan_could_not_read(const struct scan *scan, struct slice path)
{
    for (size_t i = 0; i < scan->unread_count; i++) {
        if (path_in_tree(path, scan->unread[i])) return true;
    }
    return false;
}

// Each is looked at once more, for it may have been renamed to where the walk had been already.
static void scan_report_gone(struct folder *folder)
{
    struct scan *scan = &folder->scan;
    if (!scan->complete && scan->unread_count == 0) return;
    txn_begin(folder);
    for (size_t i = scan->gone_count; i-- > 0;) {
        if (scan_could_not_read(scan, scan->gone[i])) continue;
        struct item item;
        INDEX(folder)->item_get(INDEX(folder)->self, folder->engine->scratch, folder->number,
                                scan->gone[i], &item);
        if (!item_local_live(&item)) continue;
        if (dirty_has(folder, scan->gone[i])) continue;
        dirty_mark(folder, scan->gone[i], 0, false);
        dirty_gone_expected(folder, scan->gone[i]);
    }
    if (txn_end(folder) != ERR_OK) scan->wanted_again = true;
}

static void scan_next_tree(struct folder *folder)
{
    struct tree_want *tree = folder->trees;
    if (tree == NULL || !folder_usable(folder)) return;
    folder->trees = tree->next;
    scan_begin(folder, buf_slice(&tree->prefix));
    buf_fini(&tree->prefix);
    mem_free(&tree);
}

static void all_walked(struct folder *folder)
{
    // What is still to be looked at is as old as its own time says.
    bool settled = map_count(folder->dirty) == 0 && map_count(folder->busy) == 0;
    if (settled) folder->verified_wall_ms = folder->scan.started_ms;
    if (!folder->walked_whole) made_look_all(folder);
    folder->walked_whole = true;
}

// What could not be read is remembered by itself: it may never be.
static void meanings_end(struct folder *folder)
{
    if (folder->after_crash) folder->after_crash = !unsettled_note(folder, UNSETTLED_CRASH);
    if (folder->row.doubt) folder->doubt_until_ms = folder->engine->now_ms + DOUBT_MS;
    if (!folder->unsettled_unsaved) return;
    txn_begin(folder);
    if (txn_end(folder) != ERR_OK) log_warn(LOG_SYNC, "not noted", "folder=%s", folder->name);
}

static void scan_finish(struct folder *folder)
{
    struct scan *scan = &folder->scan;
    scan->active = false;
    if (scan->whole) scan->ended_ms = folder->engine->now_ms;
    unsettled_walked(folder);
    if (scan->whole) meanings_end(folder);
    if (scan->whole && scan->complete) all_walked(folder);
    if (scan->whole && !folder->row.scanned) {
        folder->row.scanned = true;
        if (folder->row.first) (void)unsettled_note(folder, UNSETTLED_FIRST);
        txn_begin(folder);
        INDEX(folder)->folder_put(INDEX(folder)->self, &folder->row);
        if (txn_end(folder) != ERR_OK) {
            folder_set_root_missing(folder, "the index cannot be written");
            return;
        }
        log_info(LOG_SYNC, "first scan done", "folder=%s items=%llu", folder->name,
                 (unsigned long long)folder->row.items);
        folder_offer_all(folder);
    }
    engine_changed(folder->engine);
    share_due(folder);
    work_again(folder);
    offers_review(folder);
    if (scan->wanted_again) {
        scan->wanted_again = false;
        scan_start(folder);
    } else if (scan->missed_again) {
        scan_missed(folder);
    } else {
        scan_next_tree(folder);
    }
}

void scan_continue(struct folder *folder)
{
    struct scan *scan = &folder->scan;
    if (!scan->active || scan->job_out || folder->rules_wanted || base_awaited(folder)) return;
    size_t open = folder->ready.count + (size_t)folder->look_jobs * LOOKS_PER_JOB;
    if (scan->walked) {
        if (!dirty_walk_waits(folder)) scan_finish(folder);
        return;
    }
    if (open > DIRTY_MAX_FOR_SCAN) return;
    struct job *job = job_new(JOB_SCAN, folder->number);
    job->scan.prefix = arena_copy(job->arena, buf_slice(&scan->prefix));
    job->scan.walk = scan->walk;
    job->scan.entries_max = SCAN_ENTRIES;
    scan->job_out = true;
    submit(folder, job);
}

static void scan_note(struct folder *folder, const struct job_scan *batch)
{
    struct scan *scan = &folder->scan;
    scan->seen += batch->entry_count;
    for (uint32_t i = 0; i < batch->problem_count; i++) {
        const struct scan_problem *problem = &batch->problems[i];
        problem_note(folder, problem->path, problem->code, problem->what);
    }
    for (uint32_t i = 0; i < batch->unread_count; i++) {
        list_add(scan->arena, &scan->unread, &scan->unread_count, &scan->unread_capacity,
                 batch->unread[i]);
        dirty_unread(folder, batch->unread[i]);
    }
    if (!batch->complete && batch->done) scan->complete = false;
}

// A walk that was handed back, or a batch of a scan that was stopped meanwhile: it belongs to
// nobody, and says nothing about what is absent.
static bool scan_given_up(struct folder *folder, struct job *job)
{
    struct scan *scan = &folder->scan;
    bool handed_back = job->scan.entries_max == 0;
    if (!handed_back && !scan->walked) return false;
    bool again = scan->wanted_again;
    scan->active = scan->wanted_again = false;
    scan->walk = handed_back || job->scan.done ? NULL : job->scan.walk;
    walk_abandon(folder);
    if (folder->gone || scan->job_out) return true;
    if (again)
        scan_start(folder);
    else
        scan_next_tree(folder);
    return true;
}

void scan_job_done(struct folder *folder, struct job *job)
{
    struct scan *scan = &folder->scan;
    const struct job_scan *batch = &job->scan;
    scan->job_out = false;
    if (scan_given_up(folder, job)) return;
    scan->walk = batch->walk;
    if (folder->gone || job->err != ERR_OK || !folder_usable(folder) || !scan->active) {
        scan->active = false;
        walk_abandon(folder);
        if (!folder->gone && job->err != ERR_OK && job->err != ERR_UNREACHABLE) {
            folder_set_root_missing(folder, err_text(job->err));
        }
        return;
    }
    scan_note(folder, batch);
    struct slice after = arena_copy(folder->engine->scratch, buf_slice(&scan->cursor));
    bool first = !scan->cursor_set;
    txn_begin(folder);
    merge_batch(folder, batch);
    steps_marked(folder, after, first, batch);
    if (txn_end(folder) != ERR_OK) {
        scan->active = false;
        if (batch->done) scan->walk = NULL;
        walk_abandon(folder);
        folder_set_root_missing(folder, "the index cannot be written");
        return;
    }
    struct slice prefix = buf_slice(&scan->prefix);
    if (batch->folds && scan->new_prefix) spelled_found(folder, &prefix, 1);
    scan->new_prefix = false;
    if (batch->done) {
        scan->walked = true;
        scan_report_gone(folder);
    }
    push_all(folder);
    dirty_dispatch(folder);
    scan_continue(folder);
}
