// SPDX-License-Identifier: MIT
//
// Kept versions: noting what a step took off the disk, in batches that can be taken back, and
// letting go of what is old, too much, or between others.
#include "agent/core/index.h"
#include "agent/sync/age_priv.h"
#include "agent/sync/engine_priv.h"

#define INDEX(folder) (&(folder)->engine->o.index)

#define DAY_MS    (INT64_C(24) * 3600 * 1000)
#define BUCKET_MS (INT64_C(10) * 60 * 1000)

enum {
    KEPT_DAYS = 30,
    BATCH_PAUSE_MS = 2000,
    CHECK_MS = 3600 * 1000,
    DROPS_PER_JOB = 256,
    OLDEST_PAGE = 64,
    KNOWN_MAX = 64
};

static void batch_open(struct folder *folder)
{
    const struct index_port *index = INDEX(folder);
    int64_t now = folder->engine->now_ms;
    // What takes a join back is not to be undone: it is kept, no more.
    if (join_leaving(folder) || join_takes(folder)) {
        folder->batch = join_leaving(folder) && !join_ending(folder) ? 0 : JOIN_BATCH;
        return;
    }
    bool paused = folder->batch_idle && now - folder->batch_ms > BATCH_PAUSE_MS;
    if (folder->batch == 0 || paused) {
        folder->batch = index->kept_batch_last(index->self, folder->number) + 1;
        index->kept_batch_begin(index->self, folder->number);
    }
    folder->batch_idle = false;
    folder->batch_ms = now;
}

static void drop_later(struct folder *folder, uint64_t number)
{
    if (folder->kept_drop_count == folder->kept_drop_capacity) {
        uint32_t grown = folder->kept_drop_capacity == 0 ? 16 : 2 * folder->kept_drop_capacity;
        folder->kept_drops = mem_realloc(folder->kept_drops, grown * sizeof *folder->kept_drops);
        folder->kept_drop_capacity = grown;
    }
    folder->kept_drops[folder->kept_drop_count++] = number;
}

// By time: what an edit replaced here is noted a second later than what a step took away.
static uint64_t number_between(const struct kept_row rows[3])
{
    const struct kept_row *low = &rows[2], *high = &rows[1], *last = &rows[0];
    if (high->when_ms < low->when_ms) {
        low = &rows[1];
        high = &rows[2];
    }
    if (last->when_ms >= high->when_ms) return high->number;
    return last->when_ms > low->when_ms ? last->number : low->number;
}

// Of one path at most the first and the last of each ten minutes. Of a conflict item all: who loses
// in the copy of a copy is kept, and nowhere else.
void kept_thin(struct folder *folder, struct slice path)
{
    const struct index_port *index = INDEX(folder);
    struct kept_row rows[3];
    if (path_is_conflict_item(path)) return;
    if (index->kept_of(index->self, folder->engine->scratch, folder->number, path, INT64_MAX, 3,
                       rows) < 3)
        return;
    for (int i = 0; i < 3; i++) {
        if (rows[i].when_ms / BUCKET_MS != rows[0].when_ms / BUCKET_MS) return;
    }
    drop_later(folder, number_between(rows));
}

static struct version nothing_at(struct folder *folder, struct slice path, struct dot after)
{
    struct version none = {.path = path, .value = {.kind = KIND_TOMB}};
    none.vv = vv_with(folder->engine->scratch, (struct vv){0}, after);
    none.dots.entries = arena_alloc(folder->engine->scratch, 1, sizeof after);
    none.dots.entries[0] = after;
    none.dots.count = 1;
    return none;
}

// What is noted while the clock is in the past must not be the oldest when it is right again.
static int64_t noted_ms(const struct engine *engine, int64_t wall_ms)
{
    return wall_ms < engine->age_ms - DAY_MS ? engine->age_ms : wall_ms;
}

void kept_note(struct folder *folder, const struct item *item, const struct step *step,
               struct dot after, struct device_id by)
{
    const struct index_port *index = INDEX(folder);
    bool live = item_local_live(item);
    bool kept = step->kept && live;
    if (!kept && path_is_conflict_item(item->path)) return;
    if (!live && !version_live(&step->version)) return;
    batch_open(folder);
    struct kept_row row = {
        .version = live ? item->local.version : nothing_at(folder, item->path, after),
        .when_ms = noted_ms(folder->engine, folder->engine->wall_ms),
        .by = by,
        .batch = folder->batch,
        .after = after,
    };
    if (kept) row.file = step->kept_name;
    index->kept_add(index->self, folder->number, &row);
    if (kept) kept_thin(folder, item->path);
    if (live) base_doubt(folder, &item->local.version.value);
}

void kept_note_made(struct folder *folder, struct slice path, const struct version *version)
{
    const struct index_port *index = INDEX(folder);
    const struct dot after = version->dots.entries[0];
    batch_open(folder);
    const struct kept_row row = {
        .version = nothing_at(folder, path, after),
        .when_ms = noted_ms(folder->engine, folder->engine->wall_ms),
        .by = version_author(folder, version),
        .batch = folder->batch,
        .after = after,
    };
    index->kept_add(index->self, folder->number, &row);
}

bool kept_has(struct folder *folder, struct slice path, const struct value *value)
{
    const struct index_port *index = INDEX(folder);
    struct arena *arena = folder->engine->scratch;
    struct kept_row *rows = arena_alloc(arena, KNOWN_MAX, sizeof *rows);
    uint32_t count =
        index->kept_of(index->self, arena, folder->number, path, INT64_MAX, KNOWN_MAX, rows);
    for (uint32_t i = 0; i < count; i++) {
        if (value_same_content(&rows[i].version.value, value)) return true;
    }
    return false;
}

void kept_own(struct folder *folder, const struct version *version, int64_t when_ms,
              struct dot after, struct slice file)
{
    const struct index_port *index = INDEX(folder);
    const struct kept_row row = {
        .version = *version,
        .file = file,
        .when_ms = noted_ms(folder->engine, when_ms),
        .by = folder->engine->o.device,
        .own = true,
        .batch = index->kept_batch_last(index->self, folder->number),
        .after = after,
    };
    index->kept_add(index->self, folder->number, &row);
}

// ---- letting go

// Somebody may still ask for it: it is a head that is not on this disk.
static bool still_wanted(struct folder *folder, const struct version *v)
{
    struct item item;
    uint8_t key[40];
    struct content content = value_content(&v->value);
    if (v->value.kind != KIND_FILE) return false;
    if (map_get(folder->transfers, content_key(&content, key)) != NULL) return true;
    INDEX(folder)->item_get(INDEX(folder)->self, folder->engine->scratch, folder->number, v->path,
                            &item);
    for (uint32_t i = 0; i < item.head_count && item.need; i++) {
        if (value_same_content(&item.heads[i].value, &v->value)) return true;
    }
    return false;
}

static void find_old(struct folder *folder)
{
    const struct index_port *index = INDEX(folder);
    struct arena *arena = folder->engine->scratch;
    // They have the time of the clock, and the age may be ahead of it.
    int64_t age = age_now(folder->engine), wall = folder->engine->wall_ms;
    int64_t oldest = (age < wall ? age : wall) - folder->kept_ms;
    uint64_t bytes = index->kept_bytes(index->self, folder->number), after = 0;
    uint64_t max = folder->kept_bytes_max > 0 ? folder->kept_bytes_max : UINT64_MAX;
    struct kept_row *rows = arena_alloc(arena, OLDEST_PAGE, sizeof *rows);
    while (folder->kept_drop_count < DROPS_PER_JOB) {
        uint32_t got =
            index->kept_oldest(index->self, arena, folder->number, after, OLDEST_PAGE, rows);
        for (uint32_t i = 0; i < got; i++) {
            after = rows[i].number;
            bool old = rows[i].when_ms < oldest;
            // One that was noted by a clock that was ahead does not keep those behind it.
            if (!old && bytes <= max && rows[i].when_ms > wall) continue;
            if (!old && bytes <= max) return;
            if (still_wanted(folder, &rows[i].version)) continue;
            if (late_write_waits(folder, rows[i].file)) continue;
            drop_later(folder, rows[i].number);
            uint64_t size = rows[i].version.value.size;
            bytes -= size < bytes ? size : bytes;
        }
        if (got < OLDEST_PAGE) return;
    }
}

// The files go first: a row without its file is a version that can no longer be had, a file without
// its row would stay for ever.
static void drop_some(struct folder *folder)
{
    const struct index_port *index = INDEX(folder);
    uint32_t count =
        folder->kept_drop_count < DROPS_PER_JOB ? folder->kept_drop_count : DROPS_PER_JOB;
    struct job *job = job_new(JOB_RECOVER, folder->number);
    job->apply.drop_kept = arena_alloc(job->arena, count, sizeof *job->apply.drop_kept);
    job->apply.drop_numbers = arena_alloc(job->arena, count, sizeof *job->apply.drop_numbers);
    for (uint32_t i = 0; i < count; i++) {
        struct kept_row row;
        uint64_t number = folder->kept_drops[--folder->kept_drop_count];
        if (!index->kept_get(index->self, folder->engine->scratch, folder->number, number, &row))
            continue;
        if (late_write_waits(folder, row.file)) continue;
        uint32_t at = job->apply.drop_kept_count++;
        job->apply.drop_kept[at] = arena_copy(job->arena, row.file);
        job->apply.drop_numbers[at] = number;
    }
    if (job->apply.drop_kept_count == 0) {
        job_destroy(&job);
        return;
    }
    struct errand *errand = mem_zalloc(1, sizeof *errand);
    errand->purpose = FOR_APPLY;
    job->context = errand;
    folder->kept_dropping = true;
    folder->recover_jobs++;
    submit(folder, job);
}

// False: a file is still there, and keeps its row.
static bool rows_remove(struct folder *folder, const struct job *job)
{
    bool all = true;
    if (job->err != ERR_OK) return false;
    txn_begin(folder);
    for (uint32_t i = 0; i < job->apply.drop_kept_count; i++) {
        uint64_t number = job->apply.drop_numbers[i];
        if (number != 0) INDEX(folder)->kept_remove(INDEX(folder)->self, folder->number, number);
        all &= number != 0;
    }
    return txn_end(folder) == ERR_OK && all;
}

void kept_dropped(struct folder *folder, const struct job *job)
{
    folder->kept_dropping = false;
    if (rows_remove(folder, job)) return;
    log_warn(LOG_SYNC, "kept versions not forgotten", "folder=%s", folder->name);
    folder->kept_check_ms = folder->engine->now_ms + CHECK_MS;
}

// A file of a row that goes may only be on its way.
static bool waits(const struct folder *folder)
{
    return folder->kept_dropping || folder->recover_jobs > 0 || folder->decides != NULL ||
           base_keeps(folder);
}

void kept_tick(struct folder *folder)
{
    int64_t now = folder->engine->now_ms;
    if (folder->row.needs == 0 && folder->apply_jobs == 0 && folder->resolve_jobs == 0)
        folder->batch_idle = true;
    if (waits(folder)) return;
    if (folder->kept_drop_count > 0) {
        drop_some(folder);
        return;
    }
    if (now < folder->kept_check_ms) return;
    folder->kept_check_ms = now + CHECK_MS;
    find_old(folder);
    if (folder->kept_drop_count > 0) folder->kept_check_ms = now;
}

int64_t kept_deadline(const struct folder *folder)
{
    if (waits(folder)) return INT64_MAX;
    return folder->kept_drop_count > 0 ? 0 : folder->kept_check_ms;
}

void kept_set(struct folder *folder, uint64_t bytes_max, uint32_t days)
{
    folder->kept_bytes_max = bytes_max;
    folder->kept_ms = (days > 0 ? days : KEPT_DAYS) * DAY_MS;
    folder->kept_check_ms = 0;
}
