// SPDX-License-Identifier: MIT
//
// A folder's life: which folder it is, whether its root is the root, recovery, and its timers.
//
//     ROOT_CHECKING -> ROOT_RECOVERING -> ROOT_OK (scan) ; any -> ROOT_MISSING -> ROOT_CHECKING
#include <string.h>

#include "agent/core/incarnation.h"
#include "agent/sync/folder_priv.h"

#define INDEX(folder) (&(folder)->engine->o.index)

bool folder_usable(const struct folder *folder)
{
    return folder->root == ROOT_OK && !folder->gone && !folder_turning(folder);
}

static struct folder *folder_make(struct engine *engine, const struct engine_folder *options)
{
    struct folder *folder = mem_zalloc(1, sizeof *folder);
    folder->engine = engine;
    folder->heard_ms = engine->now_ms;
    folder->reinc_end = UINT64_MAX;
    folder->name = mem_strdup(options->name);
    folder->path = mem_strdup(options->path);
    folder->dirty = map_new();
    folder->published = map_new();
    folder->busy = map_new();
    folder->staged = map_new();
    folder->made = map_new();
    folder->approvals_seen = map_new();
    folder->transfers = map_new();
    folder->problems = map_new();
    folder->unsettled = map_new();
    folder->step_paths = map_new();
    folder->applying = map_new();
    folder->scan.arena = arena_new();
    brake_open(folder);
    mode_open(folder);
    base_open(folder);
    return folder;
}

static void map_drop_values(struct map **map)
{
    size_t at = 0;
    struct slice key;
    void *value;
    while (map_next(*map, &at, &key, &value))
        mem_free(&value);
    map_destroy(map);
}

static void bonds_destroy(struct folder *folder)
{
    while (folder->bonds != NULL) {
        struct bond *bond = folder->bonds;
        folder->bonds = bond->next;
        bond_destroy(&bond);
    }
}

void folder_destroy(struct folder *folder)
{
    decide_clear(folder);
    late_writes_clear(folder);
    dirty_clear(folder);
    scan_stop(folder);
    fetch_clear(folder);
    bonds_destroy(folder);
    brake_close(folder);
    mode_close(folder);
    base_close(folder);
    map_destroy(&folder->dirty);
    map_drop_values(&folder->published);
    map_drop_values(&folder->problems);
    map_destroy(&folder->unsettled);
    map_destroy(&folder->busy);
    map_destroy(&folder->staged);
    map_destroy(&folder->made);
    map_destroy(&folder->approvals_seen);
    map_destroy(&folder->transfers);
    map_destroy(&folder->step_paths);
    map_destroy(&folder->applying);
    if (folder->apply_next != NULL) job_destroy(&folder->apply_next);
    arena_destroy(&folder->scan.arena);
    buf_fini(&folder->scan.prefix);
    buf_fini(&folder->scan.cursor);
    buf_fini(&folder->needs_cursor);
    buf_fini(&folder->intents_over);
    buf_fini(&folder->sound_parent);
    buf_fini(&folder->ends_asked.path);
    vvbox_fini(&folder->k);
    vvbox_fini(&folder->gcfloor);
    vvbox_fini(&folder->marks);
    vvbox_fini(&folder->epochs_passed);
    buf_fini(&folder->unread);
    mem_free(&folder->new_marks);
    mem_free(&folder->kept_drops);
    mem_free(&folder->with);
    mem_free(&folder->name);
    mem_free(&folder->path);
    mem_free(&folder);
}

static void folder_share(struct folder *folder, const struct engine_folder *options)
{
    folder->with_all = options->with_all;
    mem_free(&folder->with);
    folder->with_count = options->with_count;
    if (options->with_count == 0) return;
    folder->with = mem_zalloc(options->with_count, sizeof *folder->with);
    memcpy(folder->with, options->with, options->with_count * sizeof *folder->with);
}

bool id_is_zero(struct folder_id id)
{
    static const struct folder_id zero;
    return folder_id_equal(id, zero);
}

// A new incarnation: who it is goes into the owners, so that it is shown before its first dot.
void draw_incarnation(struct folder *folder)
{
    struct engine *engine = folder->engine;
    const struct index_port *index = INDEX(folder);
    engine->o.keys.random(folder->row.nonce, sizeof folder->row.nonce);
    folder->row.inc = incarnation_of(engine->o.device, folder->row.id, folder->row.nonce);
    folder->row.counter = folder->row.base = 0;
    folder->row.met = folder->row.renew = false;
    struct owner owner = {
        .inc = folder->row.inc, .device = engine->o.device, .name = slice_text(engine->name)};
    memcpy(owner.nonce, folder->row.nonce, sizeof owner.nonce);
    index->owner_put(index->self, folder->number, &owner);
    folder->lost_own = 0;
}

// What was to be done is of the old life; no job of it is under way.
static void work_forget(struct folder *folder)
{
    bonds_destroy(folder);
    scan_stop(folder);
    fetch_clear(folder);
    dirty_clear(folder);
    brake_clear(folder);
    mode_clear(folder);
    base_list_again(folder);
    map_clear(folder->staged);
    map_clear(folder->unsettled);
    folder->unsettled_unsaved = true;
    map_clear(folder->made);
    folder->made_unsaved = true;
    map_clear(folder->step_paths);
    folder->wait_retry_ms = 0;
    folder->needs_cursor_set = folder->needs_again = folder->needs_done = false;
}

bool folder_start_life(struct folder *folder, struct folder_id id, bool first, bool write_marker)
{
    struct engine *engine = folder->engine;
    const struct index_port *index = INDEX(folder);
    struct folder_id before = write_marker ? folder->row.id : (struct folder_id){{0}};
    txn_begin(folder);
    folder->row.id = id;
    folder->row.first = first;
    folder->row.scanned = false;
    folder->row.ever_had_items = folder->row.doubt = false;
    if (folder->row.folder == 0) {
        index->folder_put(index->self, &folder->row);
        folder->number = folder->row.folder;
    } else {
        index->folder_clear(index->self, folder->number, true);
        marks_written(folder);
        witness_forget(folder);
    }
    draw_incarnation(folder);
    index->folder_put(index->self, &folder->row);
    join_put(folder);
    map_clear(folder->made);
    folder->made_unsaved = true; // the end of the transaction writes it
    marker_put(folder, before);
    if (txn_end(folder) != ERR_OK) {
        folder->lost_own = folder->row.counter;
        marker_load(folder);
        return false;
    }
    folder_reload(folder);
    folder->id_known = true;
    engine->o.notify.folder_id(engine->o.notify.context, slice_text(folder->name), id);
    if (!write_marker) return true;
    work_forget(folder);
    marker_write(folder);
    folder->root = ROOT_CHECKING;
    return true;
}

// Others have compared their counters with ours since the last start: up to here each names one
// thing.
static enum err base_note(struct folder *folder)
{
    if (!folder->row.met) return ERR_OK;
    txn_begin(folder);
    folder->row.base = folder->row.counter;
    folder->row.met = false;
    INDEX(folder)->folder_put(INDEX(folder)->self, &folder->row);
    return txn_end(folder);
}

static enum err folder_load(struct folder *folder, const struct engine_folder *options)
{
    struct engine *engine = folder->engine;
    const struct index_port *index = INDEX(folder);
    folder->new_root = options->new_root;
    base_limit(folder, options->base_bytes_max);
    folder->after_crash = engine->after_crash;
    if (index->folder_get(index->self, engine->scratch, slice_text(folder->name), &folder->row)) {
        folder->number = folder->row.folder;
        folder_reload(folder);
        join_load(folder);
        marker_load(folder);
        made_load(folder);
        unsettled_load(folder);
        folder->told = (struct dot){folder->row.inc, folder->row.counter};
        approvals_open(folder);
        folder->id_known = true;
        enum err err = base_note(folder);
        return index_unread(engine) ? ERR_IO : err;
    }
    // The id is drawn now and kept unless the root's marker has one already.
    struct folder_id id = options->id;
    bool drawn = id_is_zero(id);
    if (drawn) engine->o.keys.random(id.bytes, sizeof id.bytes);
    folder->row = (struct folder_row){.name = slice_text(folder->name)};
    return folder_start_life(folder, id, !drawn, false) ? ERR_OK : ERR_IO;
}

enum err engine_folder_put(struct engine *engine, const struct engine_folder *options,
                           uint32_t *out_folder)
{
    arena_reset(engine->scratch);
    struct folder *folder = folder_by_name(engine, slice_text(options->name));
    if (folder != NULL) {
        folder_share(folder, options);
        brake_set(folder, &options->brake);
        mode_choose(folder, options->mode);
        kept_set(folder, options->kept_bytes_max, options->kept_days);
        base_limit(folder, options->base_bytes_max);
        *out_folder = folder->number;
        known_dirty(engine);
        folder_offer_all(folder);
        return ERR_OK;
    }
    folder = folder_make(engine, options);
    folder_share(folder, options);
    brake_set(folder, &options->brake);
    kept_set(folder, options->kept_bytes_max, options->kept_days);
    enum err err = folder_load(folder, options);
    if (err != ERR_OK) {
        folder_destroy(folder);
        return err;
    }
    mode_choose(folder, options->mode);
    folder->lost_own = folder->row.counter;
    folder->next = engine->folders;
    engine->folders = folder;
    folder->root = ROOT_CHECKING;
    folder->health_wanted = true;
    *out_folder = folder->number;
    known_dirty(engine);
    engine_changed(engine);
    return ERR_OK;
}

enum err engine_folder_forget(struct engine *engine, const char *name)
{
    const struct index_port *index = &engine->o.index;
    struct folder_row row;
    arena_reset(engine->scratch);
    if (folder_by_name(engine, slice_text(name)) != NULL) return ERR_OK;
    if (!index->folder_get(index->self, engine->scratch, slice_text(name), &row)) return ERR_OK;
    index->folder_remove(index->self, row.folder);
    bool left = index->folder_get(index->self, engine->scratch, slice_text(name), &row);
    return left ? ERR_IO : ERR_OK;
}

void engine_folder_remove(struct engine *engine, const char *name)
{
    arena_reset(engine->scratch);
    struct folder *folder = folder_by_name(engine, slice_text(name));
    if (folder == NULL) return;
    folder->gone = true;
    known_dirty(engine);
    folder_offer_all(folder);
    for (struct session *s = engine->sessions; s != NULL; s = s->next) {
        for (struct share **at = &s->shares; *at != NULL;) {
            struct share *share = *at;
            if (share->folder != folder) {
                at = &share->next;
                continue;
            }
            *at = share->next;
            share_destroy(share);
        }
    }
    abandons_forget(folder);
    verifies_forget(folder);
    waits_forget(folder);
    base_empty(folder);
    INDEX(folder)->folder_remove(INDEX(folder)->self, folder->number);
    engine_changed(engine);
}

// ---- the root

void folder_check_root(struct folder *folder)
{
    if (folder->health_out) {
        folder->health_wanted = true;
        return;
    }
    folder->health_wanted = false;
    struct job *job = job_new(JOB_HEALTH, folder->number);
    job->health.id = folder->row.id;
    job->health.create = folder->new_root;
    folder->health_out = true;
    submit(folder, job);
}

void folder_set_root_missing(struct folder *folder, const char *what)
{
    bool news = folder->root != ROOT_MISSING;
    if (news) log_warn(LOG_SYNC, "root missing", "folder=%s what=\"%s\"", folder->name, what);
    folder->root = ROOT_MISSING;
    folder->root_what = what;
    buf_clear(&folder->unread);
    folder->root_retry_ms = folder->engine->now_ms + ROOT_RETRY_MS;
    scan_stop(folder);
    brake_decide_end(folder, ERR_UNREACHABLE,
                     "the folder stopped meanwhile: see cfgsync-agent status");
    if (news) folder_offer_all(folder); // before what is asked for here is NOT_HELD
    engine_changed(folder->engine);
}

// A root that was a folder before keeps its id: it joins what it was, with a new life.
static bool take_id_of_marker(struct folder *folder, const struct job_health *health)
{
    if (!folder->new_root || !health->has_id || folder_id_equal(health->found, folder->row.id))
        return false;
    if (folder->row.scanned) return false;
    if (folder_by_id(folder->engine, health->found) != NULL) {
        folder_set_root_missing(folder, "it is the root of another folder here, or a copy of one: "
                                        "remove that folder, or .cfgsync from the copy");
        return true;
    }
    if (!folder_start_life(folder, health->found, true, false))
        folder_set_root_missing(folder, "the index cannot be written");
    else
        folder_check_root(folder);
    return true;
}

// Nothing has been minted since the start: the old life ends where the index is. What a peer may
// have shown of it is answered, too. False: not written.
static bool life_fits(struct folder *folder, const struct job_health *health)
{
    if (!folder->row.renew && witness_fits(folder, health)) return true;
    folder->row.doubt = true;
    bool done = reinc_now(folder, folder->row.counter,
                          folder->row.renew ? "this machine was adopted"
                                            : "index and root are of different times");
    if (done) witness_answer(folder, health);
    return done;
}

void folder_health_done(struct folder *folder, struct job *job)
{
    struct job_health *health = &job->health;
    folder->health_out = false;
    if (folder->gone) return;
    rules_read(folder, job);
    if (health->set_witness) {
        folder->witness_out = false;
        if (job->err == ERR_OK && health->healthy) witness_written(folder);
        if (folder->health_wanted) folder_check_root(folder);
        return;
    }
    folder->modeless = health->modeless;
    if (take_id_of_marker(folder, health)) return;
    if (!health->write_id && marker_is_behind(folder, health)) {
        marker_write(folder);
        return;
    }
    if (job->err != ERR_OK || !health->healthy) {
        const char *what = health->what != NULL ? health->what : err_text(job->err);
        folder_set_root_missing(folder, what);
        return;
    }
    marker_seen(folder);
    if (!folder->witness_checked && !life_fits(folder, health)) {
        folder_set_root_missing(folder, "the index cannot be written");
        return;
    }
    if (folder->root == ROOT_MISSING) log_info(LOG_SYNC, "root is back", "folder=%s", folder->name);
    if (folder->root != ROOT_OK) recover_start(folder);
    if (folder->health_wanted) folder_check_root(folder);
}

// ---- timers

void folder_tick(struct folder *folder)
{
    int64_t now = folder->engine->now_ms;
    if (folder->health_wanted && !folder->health_out) folder_check_root(folder);
    if (folder->root == ROOT_MISSING && now >= folder->root_retry_ms && !folder->health_out) {
        folder->root_retry_ms = now + ROOT_RETRY_MS;
        folder_check_root(folder);
    }
    if (folder->index_failed_ms != 0 && now >= folder->index_failed_ms + INDEX_FAILED_MS) {
        folder->index_failed_ms = 0;
        log_info(LOG_SYNC, "index can be used again", "folder=%s", folder->name);
        engine_changed(folder->engine);
    }
    for (struct bond *b = folder->bonds; b != NULL; b = b->next) {
        if (b->unsaved && now >= b->save_at_ms) bond_save(folder, b);
    }
    decide_step(folder);
    join_tick(folder);
    folder_turn(folder);
    reinc_step(folder);
    doubt_step(folder);
    epochs_tick(folder);
    if (!folder_usable(folder)) return;
    rules_tick(folder);
    if (folder->row.blocked > 0 && now >= folder->blocked_retry_ms) {
        folder->blocked_retry_ms = now + BLOCKED_RETRY_MS;
        blocked_retry(folder);
    }
    if (folder->wait_retry_ms != 0 && now >= folder->wait_retry_ms) {
        folder->wait_retry_ms = 0;
        work_again(folder);
    }
    links_tick(folder);
    brake_tick(folder);
    dirty_dispatch(folder);
    fetch_step(folder);
    work_more(folder);
    kept_tick(folder);
    problems_tick(folder);
    late_write_tick(folder);
    base_tick(folder);
    forget_tick(folder);
}

static int64_t earlier(int64_t a, int64_t b)
{
    return a < b ? a : b;
}

int64_t folder_deadline(const struct folder *folder)
{
    if (folder->health_wanted && !folder->health_out) return 0;
    int64_t at = INT64_MAX;
    for (const struct bond *b = folder->bonds; b != NULL; b = b->next) {
        if (b->unsaved) at = earlier(at, b->save_at_ms);
    }
    bool root_retry = folder->root == ROOT_MISSING && !folder->health_out;
    if (root_retry) at = earlier(at, folder->root_retry_ms);
    if (folder->index_failed_ms != 0) at = earlier(at, folder->index_failed_ms + INDEX_FAILED_MS);
    at = earlier(at, earlier(decide_deadline(folder), join_deadline(folder)));
    at = earlier(at, folder_turn_deadline(folder));
    at = earlier(at, earlier(reinc_deadline(folder), epochs_deadline(folder)));
    if (folder->doubt_until_ms != 0) at = earlier(at, folder->doubt_until_ms);
    if (!folder_usable(folder)) return at;
    if (folder->row.blocked > 0) at = earlier(at, folder->blocked_retry_ms);
    if (folder->wait_retry_ms != 0) at = earlier(at, folder->wait_retry_ms);
    if (folder->staging_clean_ms > folder->engine->now_ms)
        at = earlier(at, folder->staging_clean_ms);
    if (folder->links_due_ms != 0) at = earlier(at, folder->links_due_ms);
    if (folder->rules_again_ms != 0) at = earlier(at, folder->rules_again_ms);
    if (work_left(folder)) return 0;
    at = earlier(at, dirty_deadline(folder));
    at = earlier(at, earlier(kept_deadline(folder), late_write_deadline(folder)));
    at = earlier(at, earlier(brake_deadline(folder), problems_deadline(folder)));
    at = earlier(at, base_deadline(folder));
    at = earlier(at, forget_deadline(folder));
    return earlier(at, fetch_deadline(folder));
}

bool engine_folder_scanned(struct engine *engine, uint32_t number)
{
    const struct folder *folder = folder_by_number(engine, number);
    return folder != NULL && folder->row.scanned && !folder->scan.active;
}
