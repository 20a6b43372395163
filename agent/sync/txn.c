// SPDX-License-Identifier: MIT
//
// One transaction of one folder: versions, heads, own counter and knowledge move together or not at
// all. All changes of items go through item_save, so that need is always what the facts say.
#include "agent/base/planted.h"
#include "agent/sync/engine_priv.h"

#define INDEX(folder) (&(folder)->engine->o.index)

enum { NAME_FREE_MS = 500 };

void txn_begin(struct folder *folder)
{
    CHECK(!folder->in_txn);
    folder->in_txn = true;
    folder->minted = false;
    buf_clear(&folder->sound_parent);
    base_begin(folder);
    brake_txn_begin(folder);
    INDEX(folder)->begin(INDEX(folder)->self);
}

void folder_reload(struct folder *folder)
{
    const struct index_port *index = INDEX(folder);
    struct engine *engine = folder->engine;
    folder->epochs.inc = 0; // not known, should the index not be read
    if (!index->folder_reload(index->self, engine->scratch, folder->number, &folder->row)) return;
    folder->row.name = slice_text(folder->name);
    vvbox_set(&folder->k, index->k(index->self, engine->scratch, folder->number));
    vvbox_set(&folder->gcfloor, index->gcfloor(index->self, engine->scratch, folder->number));
    marks_reload(folder);
    epochs_load(folder);
    folder->owner_count = index->owner_count(index->self, folder->number);
    brake_undone(folder);
    if (!index_unread(engine)) return;
    vvbox_fini(&folder->k); // until it is read
    vvbox_fini(&folder->gcfloor);
}

static void publish_mark(struct folder *folder)
{
    const struct index_port *index = INDEX(folder);
    struct dot last = {.inc = folder->row.inc, .counter = folder->row.counter};
    epoch_begin(folder);
    struct mark mark = own_mark(folder, last);
    index->mark_put(index->self, folder->number, &mark);
    k_raise(folder, last);
    folder->row.ever_had_items = true;
    index->folder_put(index->self, &folder->row);
}

void txn_submit(struct folder *folder, struct job *job)
{
    CHECK(folder->in_txn &&
          folder->outbox_count < sizeof folder->outbox / sizeof folder->outbox[0]);
    folder->outbox[folder->outbox_count++] = job;
    if (PLANTED(job_before_commit)) submit(folder, folder->outbox[--folder->outbox_count]);
}

static void outbox_submit(struct folder *folder, struct job *job)
{
    const struct errand *errand = job->context;
    if (job->kind == JOB_APPLY && errand->purpose == FOR_APPLY)
        apply_submit(folder, job);
    else
        submit(folder, job);
}

static void outbox_settle(struct folder *folder, bool committed)
{
    for (uint32_t i = 0; i < folder->outbox_count; i++) {
        if (committed) {
            outbox_submit(folder, folder->outbox[i]);
        } else {
            apply_abandoned(folder, folder->outbox[i]);
        }
    }
    folder->outbox_count = 0;
}

void txn_undo(struct folder *folder)
{
    const struct index_port *index = INDEX(folder);
    CHECK(folder->in_txn);
    index->rollback(index->self);
    folder->in_txn = folder->minted = false;
    outbox_settle(folder, false);
    base_undone(folder);
    brake_txn_undone(folder);
    folder_reload(folder);
}

enum err txn_end(struct folder *folder)
{
    const struct index_port *index = INDEX(folder);
    CHECK(folder->in_txn);
    bool minted = folder->minted;
    if (minted) publish_mark(folder);
    marks_write(folder);
    made_write(folder);
    unsettled_write(folder);
    enum err err = index->commit(index->self);
    folder->in_txn = false;
    folder->minted = false;
    folder->engine->counters.commits++;
    outbox_settle(folder, err == ERR_OK);
    if (err != ERR_OK) {
        if (folder->index_failed_ms == 0)
            log_error(LOG_SYNC, "index not written", "folder=%s reason=\"%s\"", folder->name,
                      err_text(err));
        folder->index_failed_ms = folder->engine->now_ms;
        base_undone(folder);
        brake_txn_undone(folder);
        engine_changed(folder->engine);
        folder_reload(folder);
        return err;
    }
    marks_written(folder);
    made_written(folder);
    unsettled_written(folder);
    // Counts kept by the store (items, bytes, needs) are part of the row.
    struct folder_row fresh;
    if (index->folder_reload(index->self, folder->engine->scratch, folder->number, &fresh)) {
        bool others = folder->row.needs != fresh.needs || folder->row.blocked != fresh.blocked ||
                      folder->row.need_bytes != fresh.need_bytes;
        folder->row = fresh;
        folder->row.name = slice_text(folder->name);
        if (others) share_needs_changed(folder);
    }
    engine_changed(folder->engine);
    return ERR_OK;
}

void k_raise(struct folder *folder, struct dot entry)
{
    const struct index_port *index = INDEX(folder);
    if (vv_covers(folder->k.v, entry)) return;
    index->k_set(index->self, folder->number, entry);
    struct vv raised = vv_with(folder->engine->scratch, folder->k.v, entry);
    vvbox_set(&folder->k, raised);
}

void floor_raise(struct folder *folder, struct vv v)
{
    const struct index_port *index = INDEX(folder);
    if (vv_le(v, folder->gcfloor.v)) return;
    vvbox_set(&folder->gcfloor, vv_join(folder->engine->scratch, folder->gcfloor.v, v));
    index->gcfloor_put(index->self, folder->number, folder->gcfloor.v);
}

static bool live_below(struct folder *folder, struct slice path)
{
    const struct index_port *index = INDEX(folder);
    return index->live_below(index->self, folder->number, path);
}

static bool compute_need(struct folder *folder, const struct item *item)
{
    bool tomb = item->head_count == 1 && !version_live(&item->heads[0]);
    bool undecided =
        tomb && (item->local.state == LOCAL_NONE || item->local.version.value.kind == KIND_DIR);
    return item_need(item, undecided && live_below(folder, item->path));
}

// Recomputes need and stores it when it is not what is stored. Returns need.
bool item_refresh_need(struct folder *folder, struct item *item)
{
    const struct index_port *index = INDEX(folder);
    bool need = compute_need(folder, item);
    if (need == item->need) return need;
    item->need = need;
    if (!need) item->blocked = BLOCKED_NONE;
    index->item_put(index->self, folder->number, item, false);
    rules_item_saved(folder, item);
    brake_item_saved(folder, item);
    return need;
}

// The last child has died: directories that lived on by implication go with it.
static void ancestors_refresh(struct folder *folder, struct slice path)
{
    const struct index_port *index = INDEX(folder);
    for (struct slice p = path_parent(path); p.size > 0; p = path_parent(p)) {
        struct item item;
        index->item_get(index->self, folder->engine->scratch, folder->number, p, &item);
        if (item.head_count == 0) continue;
        if (heads_live(&item)) return;
        if (item_refresh_need(folder, &item)) work_again(folder);
    }
}

void item_save(struct folder *folder, struct item *item, bool heads_changed, bool was_live)
{
    const struct index_port *index = INDEX(folder);
    CHECK(folder->in_txn);
    item->need = compute_need(folder, item);
    if (!item->need || heads_changed) item->blocked = BLOCKED_NONE;
    if (item_local_live(item)) made_forget(folder, item->path);
    index->item_put(index->self, folder->number, item, heads_changed);
    rules_item_saved(folder, item);
    brake_item_saved(folder, item);
    if (heads_changed) base_quiet(folder);
    if (!was_live || heads_live(item)) return;
    ancestors_refresh(folder, item->path);
    made_left_above(folder, item->path);
    // A name has become free: what waits for it under another case can have it.
    int64_t soon = folder->engine->now_ms + NAME_FREE_MS;
    if (folder->case_blocked && folder->blocked_retry_ms > soon) folder->blocked_retry_ms = soon;
}

struct dot folder_draw(struct folder *folder)
{
    CHECK(folder->in_txn && folder->row.counter < PROTO_COUNTER_MAX);
    brake_minting(folder);
    folder->row.counter++;
    folder->minted = true;
    return (struct dot){.inc = folder->row.inc, .counter = folder->row.counter};
}

// Vectors are exact only if what is on disk covers all that was minted here for this path.
static bool own_chain(const struct folder *folder, const struct item *item)
{
    if (item->own_last == 0) return true;
    return item->local.state != LOCAL_NONE &&
           vv_get(item->local.version.vv, folder->row.inc) >= item->own_last;
}

static const struct version *head_with(const struct item *item, struct dot dot)
{
    for (uint32_t i = 0; i < item->head_count; i++) {
        if (dots_contain(item->heads[i].dots, dot)) return &item->heads[i];
    }
    return NULL;
}

bool item_mint(struct folder *folder, struct item *item, const struct version *from,
               struct vv context, const struct fingerprint *print, struct dots bundle)
{
    struct engine *engine = folder->engine;
    if (PLANTED(edit_based_on_known)) context = heads_join(engine->scratch, item);
    if (!own_chain(folder, item)) {
        char escaped[LOG_ESCAPED_MAX];
        log_error(LOG_SYNC, "own chain broken", "folder=%s path=\"%s\"", folder->name,
                  log_escape(item->path, escaped));
        return false;
    }
    bool was_live = heads_live(item);
    struct dot dot = folder_draw(folder);
    struct version version = *from;
    version.path = item->path;
    version.dots.entries = arena_alloc(engine->scratch, 1, sizeof dot);
    version.dots.entries[0] = dot;
    version.dots.count = 1;
    version.vv = vv_with(engine->scratch, context, dot);
    version.bundle = bundle;
    if (version.birth.counter == 0) {
        version.birth.inc = dot.inc;
        version.birth.counter = dot.counter;
    }
    (void)heads_ingest(engine->scratch, item, &version, 0);
    const struct version *head = head_with(item, dot);
    CHECK(head != NULL);
    item->own_last = dot.counter;
    item->local.state = LOCAL_OK;
    item->local.version = *head;
    if (print != NULL) item->local.print = *print;
    item_save(folder, item, true, was_live);
    engine->counters.minted++;
    return true;
}
